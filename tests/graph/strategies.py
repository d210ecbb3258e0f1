"""Hypothesis strategies for the integer network; the generator itself is bitwright.graph.random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bitwright.graph import IntType, Network
from bitwright.graph.random import random_mlp
from bitwright.graph.random_cnn import random_cnn


def networks(**arguments: Any) -> st.SearchStrategy[Network]:
    """Random MLPs; the arguments go to random_mlp."""
    return st.integers(0, 2**32 - 1).map(lambda seed: random_mlp(seed, **arguments))


def cnns(**arguments: Any) -> st.SearchStrategy[Network]:
    """Random convolutional networks; the arguments go to random_cnn."""
    return st.integers(0, 2**32 - 1).map(lambda seed: random_cnn(seed, **arguments))


def int_types(max_bits: int = 12) -> st.SearchStrategy[IntType]:
    """Plain intervals [lo, hi] of at most `max_bits` bits, anywhere around 0."""
    reach = 1 << (max_bits - 1)
    ends = st.tuples(st.integers(-reach, reach - 1), st.integers(-reach, reach - 1))
    return ends.map(lambda pair: IntType(min(pair), max(pair)))
