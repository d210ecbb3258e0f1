"""A random campaign: PyTorch, integer network, RTL and cycle model against each other."""
