"""Popcount leaf modules: what they compute, on every fabric, and how many LUTs they take."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.datapath import synthesized
from bitwright.errors import InputError
from bitwright.hw.popcount import FABRICS, KINDS, dot_module, module_name, popcount_library, popcount_module
from bitwright.sim.verilator import verilate
from bitwright.sim.verilator_compile import compile_model
from tests.hw.gates import elaborate

SIZES = [*range(1, 18), 25, 31, 32, 33, 49, 64, 100, 256]
COMPRESSED = ("lut6", "lut4_ecp5", "lut4_ice40")
EXHAUSTIVE_INPUTS = 16
Bits = NDArray[np.uint8]


def _vectors(inputs: int, halves: bool) -> Bits:
    """All vectors of few inputs; else corners, single bits and random vectors of every density and agreement."""
    if inputs <= EXHAUSTIVE_INPUTS:
        return ((np.arange(2**inputs)[:, None] >> np.arange(inputs)) & 1).astype(np.uint8)
    rng = np.random.default_rng(inputs)
    density = rng.random((2048, 1))
    random = (rng.random((2048, inputs)) < density).astype(np.uint8)
    one = np.eye(inputs, dtype=np.uint8)
    parts = [random, one, 1 - one, np.zeros((1, inputs), np.uint8), np.ones((1, inputs), np.uint8)]
    if halves:
        x = random[:, : inputs // 2]
        flips = (rng.random(x.shape) < rng.random((2048, 1))).astype(np.uint8)
        parts += [np.hstack([x, x ^ flips]), np.hstack([x[:1], x[:1]]), np.hstack([x[:1], 1 - x[:1]])]
    return np.vstack(parts)


def _case(kind: str, bits: int) -> tuple[dict[str, Bits], NDArray[np.int64]]:
    vectors = _vectors(bits if kind == "plain" else 2 * bits, kind != "plain")
    if kind == "plain":
        return {"bits": vectors}, vectors.sum(axis=1, dtype=np.int64)
    x, w = vectors[:, :bits], vectors[:, bits:]
    products = x == w if kind == "xnor" else x & w
    return {"x": x, "w": w}, products.sum(axis=1, dtype=np.int64)


@pytest.mark.parametrize(
    ("fabric", "library", "options"),
    [
        ("lut6", "", ""),
        ("lut4_ice40", "", ""),
        ("lut4_ecp5", "", "-formal"),
        ("lut4_ecp5", "lattice/cells_sim_ecp5.v", ""),
    ],
    ids=["lut6", "ice40", "ecp5 as simulators read it", "ecp5 with the vendor cell of Yosys"],
)
def test_every_size_counts(fabric: str, library: str, options: str, tmp_path: Path) -> None:
    requests = [(kind, bits) for kind in KINDS for bits in SIZES]
    tops = [module_name(kind, bits) for kind, bits in requests]
    gates = elaborate(popcount_library(requests, fabric), tops, tmp_path, library=library, options=options)
    for kind, bits in requests:
        inputs, expected = _case(kind, bits)
        assert np.array_equal(gates[module_name(kind, bits)](**inputs), expected), (kind, bits)


MAIN = """
#include "Vdut.h"
#include <cstdint>
#include <cstdio>
int main() {
  VerilatedContext context;
  Vdut dut{&context};
  uint64_t state = 88172645463325252ull, wrong = 0;
  auto next = [&] { state ^= state << 13; state ^= state >> 7; return state ^= state << 17; };
  for (int k = 0; k < 200000; k++) {
    const uint64_t a = next(), b = next(), c = next();
    dut.x = k % 3 == 0 ? a : k % 3 == 1 ? a & b : a | b;
    dut.w = k % 5 == 0 ? dut.x ^ (b & c) : k % 7 == 0 ? ~dut.x : b;
    dut.eval();
    wrong += dut.plain != __builtin_popcountll(dut.x);
    wrong += dut.agree != __builtin_popcountll(~(dut.x ^ dut.w));
    wrong += dut.both != __builtin_popcountll(dut.x & dut.w);
  }
  std::printf("%llu wrong", (unsigned long long)wrong);
}
"""
TOP = """
module dut(input [63:0] x, input [63:0] w, output [6:0] plain, output [6:0] agree, output [6:0] both);
  popcount_64 p(.bits(x), .count(plain));
  xnor_popcount_64 q(.x(x), .w(w), .count(agree));
  and_popcount_64 r(.x(x), .w(w), .count(both));
endmodule
"""


@pytest.mark.parametrize("fabric", FABRICS)
def test_verilator_counts(fabric: str, tmp_path: Path) -> None:
    (tmp_path / "dut.sv").write_text(popcount_library([(kind, 64) for kind in KINDS], fabric) + TOP)
    (tmp_path / "main.cpp").write_text(MAIN)
    compile_model(tmp_path, verilate(tmp_path, "dut", ["dut.sv"]), tmp_path / "main.cpp", False, "run")
    assert subprocess.run([tmp_path / "run"], capture_output=True, text=True, check=True).stdout == "0 wrong"


@pytest.mark.parametrize("bits", [64, 256])
@pytest.mark.parametrize(("fabric", "most"), [("lut6", {64: 1.1, 256: 1.05}), ("lut4_ecp5", {64: 1.75, 256: 1.7}),
                                              ("lut4_ice40", {64: 2.1, 256: 2.12})])  # fmt: skip
def test_luts_per_bit(fabric: str, bits: int, most: dict[int, float]) -> None:
    ours = synthesized("xnor", bits, fabric)
    assert ours["luts"] <= most[bits] * bits


def test_same_text_for_same_request() -> None:
    for fabric in COMPRESSED:
        for kind in KINDS:
            assert dot_module(kind, 77, fabric) == dot_module(kind, 77, fabric)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 70)), min_size=1, max_size=6))
def test_library_has_each_module_once(requests: list[tuple[str, int]]) -> None:
    for fabric in FABRICS:
        text = popcount_library(requests, fabric)
        names = re.findall(r"^module (\w+)", text, re.MULTILINE)
        assert len(names) == len(set(names))
        assert {module_name(kind, bits) for kind, bits in requests if kind in KINDS} <= set(names)
        assert text == popcount_library(reversed(requests), fabric)


def test_plain_kind_is_the_default() -> None:
    assert popcount_module(9, "lut6") == popcount_library([9], "lut6") == dot_module("plain", 9, "lut6")


@pytest.mark.parametrize(
    ("kind", "bits", "fabric", "message"),
    [
        ("plain", 8, "lut5", "unknown fabric 'lut5'; choose one of generic, lut6, lut4_ecp5, lut4_ice40"),
        ("or", 8, "lut6", "unknown popcount kind 'or'; choose one of plain, xnor, and"),
        ("plain", 0, "lut6", "a popcount of 0 bits does not exist; ask for 1 bit or more"),
    ],
)
def test_bad_request(kind: str, bits: int, fabric: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        dot_module(kind, bits, fabric)
