"""verify(): passes what is right, and names the place of whatever is wrong."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from bitwright.errors import InputError, MismatchError
from bitwright.graph import Linear, Network, TensorSpec, Threshold
from bitwright.graph.types import IntType
from bitwright.hw import Accelerator, Folding, LayerFolding, VerilogSources, assemble
from bitwright.quantize import lower
from bitwright.sim import Stalls, verify

INT4 = IntType.signed_bits(4)
UINT4 = IntType.unsigned(4)


@functools.cache
def network() -> Network:
    """Two layers of 4-bit weights with fine thresholds between them, so that each weight counts."""
    draws = np.random.default_rng(0)
    first = draws.integers(-8, 8, (8, 16)).astype(np.int8)
    steps = np.sort(draws.integers(-200, 200, (8, 15)), axis=1)
    second = draws.integers(1, 8, (6, 8)).astype(np.int8)
    operations = (
        Linear(name="fc1", inputs=("x",), output="sums", weights=first, weight_type=INT4),
        Threshold(
            name="act1",
            inputs=("sums",),
            output="hidden",
            thresholds=steps,
            ascending=np.ones(8, dtype=np.bool_),
            output_type=UINT4,
        ),
        Linear(name="fc2", inputs=("hidden",), output="scores", weights=second, weight_type=INT4),
    )
    return Network("two", "x", TensorSpec((16,), UINT4), operations, ("scores",))


@functools.cache
def accelerator() -> Accelerator:
    return assemble(network(), Folding({"fc1": LayerFolding(4, 8), "fc2": LayerFolding(2, 4)}))


@dataclass(frozen=True)
class Changed:
    """An accelerator with other Verilog."""

    right: Accelerator
    sources: VerilogSources

    def verilog(self, fabric: str = "generic") -> VerilogSources:
        return self.sources

    def __getattr__(self, name: str) -> Any:
        return getattr(self.right, name)


def frames(count: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 16, (count, 16))


def with_flipped_bit(memory: str, place: int, bit: int) -> Any:
    """The accelerator with one bit of the hexadecimal digit `place` of a memory image inverted."""
    sources = accelerator().verilog()
    text = sources.memories[memory]
    at = [found.start() for found in re.finditer("[0-9a-f]", text)][place]
    text = text[:at] + format(int(text[at], 16) ^ (1 << bit), "x") + text[at + 1 :]
    return Changed(accelerator(), replace(sources, memories={**sources.memories, memory: text}))


def first_difference(memory: str, place: int, bit: int) -> MismatchError:
    with pytest.raises(MismatchError) as caught:
        verify(with_flipped_bit(memory, place, bit), network(), frames())
    return caught.value


def test_the_right_design_passes() -> None:
    x = frames()
    for reference in (network(), network().run(x)):
        result = verify(accelerator(), reference, x, Stalls(1, 0.5, 0.5))
        assert np.array_equal(result.outputs, network().run(x))


def test_ten_wrong_bits() -> None:
    draws = np.random.default_rng(4)
    memories = accelerator().verilog().memories
    weights = sorted(name for name in memories if "weights" in name)
    assert len(weights) == 2
    for layer, name in zip(("fc1", "fc2"), weights, strict=True):
        digits = len(re.findall("[0-9a-f]", memories[name]))
        for place in draws.choice(digits, 5, replace=False):
            error = first_difference(name, int(place), int(draws.integers(4)))
            assert error.layer == layer
            assert error.expected != error.got


def test_a_wrong_weight_is_found_to_frame_channel_and_value() -> None:
    x = frames()
    # Word 0 of the second layer holds output 0 and 1, inputs 0 to 3; its last digit is the weight from 0 to 0.
    name = next(name for name in accelerator().verilog().memories if name.startswith("fc2") and "weights" in name)
    digit = len(accelerator().verilog().memories[name].split()[0]) - 1
    error = first_difference(name, digit, 0)
    fc2 = network().operations[2]
    assert isinstance(fc2, Linear)
    weights = fc2.weights.astype(np.int64)
    weights[0, 0] ^= 1
    right = network().run(x)
    wrong = network().trace(x)["hidden"] @ weights.T
    places = np.argwhere(right != wrong)
    assert (error.frame, error.channel) == tuple(places[0])
    assert (error.expected, error.got) == (right[tuple(places[0])], wrong[tuple(places[0])])
    assert error.count == len(places)


def test_a_wrong_bit_in_the_verilog_text() -> None:
    sources = accelerator().verilog()
    # A bit of the result is inverted where it leaves the design, behind the last stage.
    right = sources.sources["two.v"]
    text, changes = re.subn("assign m_axis_tdata = (.*);", r"assign m_axis_tdata = (\1) ^ 24'd1;", right)
    assert changes == 1
    wrong = Changed(accelerator(), replace(sources, sources={**sources.sources, "two.v": text}))
    x = frames(5)
    with pytest.raises(MismatchError) as caught:
        verify(wrong, network(), x)
    error = caught.value
    assert (error.frame, error.layer, error.channel) == (0, "fc2", 0)
    assert (error.expected, error.got) == (network().run(x)[0, 0], network().run(x)[0, 0] ^ 1)


def test_a_reference_that_is_not_the_network() -> None:
    x = frames(4)
    wrong = network().run(x)
    wrong[2, 3] += 1
    with pytest.raises(MismatchError, match="the integer network differs from the reference") as caught:
        verify(accelerator(), wrong, x)
    assert (caught.value.frame, caught.value.layer, caught.value.channel) == (2, "fc2", 3)
    with pytest.raises(InputError, match="shape"):
        verify(accelerator(), wrong[:3], x)
    with pytest.raises(InputError, match="compares with"):
        verify(accelerator(), 3, x)  # type: ignore[arg-type]


def test_a_torch_module() -> None:
    from bitwright.quantize import BinaryInput, BinaryLinear

    torch.manual_seed(0)
    module = torch.nn.Sequential(BinaryInput(), BinaryLinear(8, 4)).eval()
    x = torch.randn(20, 8)
    lowered = lower(module, x)
    design = assemble(lowered)
    verify(design, module, x)
    with torch.no_grad():
        module[1].weight[2] *= -1
    with pytest.raises(MismatchError) as caught:
        verify(design, module, x)
    assert caught.value.channel == 2
