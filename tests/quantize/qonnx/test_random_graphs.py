"""Random graphs against the executor of the qonnx package, tensor by tensor."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitwright.errors import LoweringError
from tests.quantize.qonnx.golden import check
from tests.quantize.qonnx.random_graphs import RandomGraph

NOTHING = "has no layer that computes with integers"
"""What is said of a graph that quantizes its input, moves elements, and ends."""


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1_000_000))
def test_a_random_graph_has_the_executors_integers(seed: int, tmp_path: Path) -> None:
    drawn = RandomGraph(seed)
    path = drawn.graph.save(tmp_path / "net.onnx", drawn.output)
    try:
        check(path, drawn.frames(2), ties=True)
    except LoweringError as error:
        if NOTHING not in str(error):
            raise
