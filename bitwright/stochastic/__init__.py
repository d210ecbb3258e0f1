"""Stochastic computing. Empty so far."""
