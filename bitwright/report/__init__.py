"""The comparison table and the HTML report."""
