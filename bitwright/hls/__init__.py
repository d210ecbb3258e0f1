"""High-level synthesis: the integer network as HLS C++. Empty so far."""
