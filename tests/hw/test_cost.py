import itertools
import re

import numpy as np
import pytest

from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, TERNARY, Add, IntType, Linear, Network, TensorSpec
from bitwright.graph.random import random_mlp
from bitwright.graph.random_cnn import random_cnn
from bitwright.hw import Folding, LayerFolding, assemble, estimated_cost, fold
from bitwright.hw.cost import FAMILIES, Estimate, converter_cost, estimate, layer_cost, map_memory
from bitwright.hw.cost.coefficients import fitted
from bitwright.hw.cost.dsp import dsp_blocks
from bitwright.synth.cells import summarise
from bitwright.synth.devices import find_device
from bitwright.synth.netlist import map_commands, map_design
from bitwright.synth.process import Deadline
from bitwright.synth.yosys import cell_counts, run_yosys
from tests.hw.check_core import chain
from tests.hw.operations import random_linear, random_requant, random_threshold

DEVICES = {"ecp5": "ecp5-85k", "ice40": "ice40-up5k", "xilinx7": "xc7z020"}
RAMS = [
    (width, depth, reads, clocked)
    for width, depth in ((1, 300), (4, 16), (5, 100), (9, 33), (18, 1024), (19, 513), (36, 64), (37, 200), (64, 24))
    for reads, clocked in ((1, True), (2, True), (1, False))
]
ROMS = [(8, 40), (8, 300), (37, 60), (40, 64), (100, 130), (3, 2100), (30, 700)]
PRODUCTS = list(itertools.product((1, 2, 4, 7, 17, 19), (2, 3, 5, 18), (False, True)))


def ram_text(name: str, width: int, depth: int, reads: int, clocked: bool) -> str:
    """A memory with a write port."""
    address = f"[{(depth - 1).bit_length() - 1}:0]"
    kind = "reg" if clocked else "wire"
    ports = "".join(f", input {address} r{port}, output {kind} [{width - 1}:0] q{port}" for port in range(reads))
    read = "always @(posedge aclk) if (e) q{0} <= m[r{0}];" if clocked else "assign q{0} = m[r{0}];"
    body = " ".join(read.format(port) for port in range(reads))
    return (
        f"module {name}(input aclk, input we, input e, input {address} wa, input [{width - 1}:0] d{ports});\n"
        f"reg [{width - 1}:0] m[0:{depth - 1}]; always @(posedge aclk) if (we) m[wa] <= d; {body} endmodule\n"
    )


def rom_text(name: str, width: int, depth: int) -> str:
    """A read-only memory whose bits all take both values."""
    word = f"{{{-(-width // 32)}{{(i * 32'h9e3779b1) ^ ((i * 32'h85ebca6b) >> 7)}}}}"
    return (
        f"module {name}(input aclk, input e, input [{(depth - 1).bit_length() - 1}:0] a, "
        f"output reg [{width - 1}:0] q);\n"
        f"reg [{width - 1}:0] m[0:{depth - 1}]; integer i; initial for (i = 0; i < {depth}; i = i + 1) m[i] = {word};\n"
        "always @(posedge aclk) if (e) q <= m[a]; endmodule\n"
    )


def product_text(name: str, a: int, b: int, signed: bool) -> str:
    """A registered product."""
    sign = "signed " if signed else ""
    return (
        f"module {name}(input aclk, input {sign}[{a - 1}:0] a, input {sign}[{b - 1}:0] b, "
        f"output reg {sign}[{a + b - 1}:0] y);\nalways @(posedge aclk) y <= a * b; endmodule\n"
    )


def with_top(modules: dict[str, str]) -> str:
    """The modules, and a top with one of each; every port of theirs is a port of its own."""
    ports, body = ["input aclk"], []
    for name, text in modules.items():
        connections = []
        for declaration in re.search(r"\((.*?)\);", text, re.DOTALL).group(1).split(", "):
            *words, port = declaration.split()
            own = port if port == "aclk" else f"{name}_{port}"
            connections.append(own)
            if port != "aclk":
                ports.append(" ".join([*(word for word in words if word not in ("reg", "wire", "signed")), own]))
        body.append(f"{name} u_{name}({', '.join(connections)});")
    return "".join(modules.values()) + f"module top({', '.join(ports)});\n" + "\n".join(body) + "\nendmodule\n"


@pytest.mark.parametrize("family", FAMILIES)
def test_memories_and_products_are_mapped_as_yosys_does(family, tmp_path):
    modules = {f"ram{index}": ram_text(f"ram{index}", *one) for index, one in enumerate(RAMS)}
    modules |= {f"rom{index}": rom_text(f"rom{index}", *one) for index, one in enumerate(ROMS)}
    modules |= {f"product{index}": product_text(f"product{index}", *one) for index, one in enumerate(PRODUCTS)}
    (tmp_path / "probe.v").write_text(with_top(modules))
    every = map_commands(find_device(DEVICES[family]), "top", True)
    place, synth = next((place, one) for place, one in enumerate(every) if one.startswith("synth_"))
    commands = [
        "read_verilog -sv probe.v",
        *every[:place],
        f"{synth.partition(' -run')[0]} -run begin:map_ffram",
        "stat",
        "tee -o stat.json stat -json",
    ]
    run_yosys("\n".join(commands), tmp_path, Deadline(300))
    cells = summarise(family, cell_counts(tmp_path / "stat.json"))
    rams = [map_memory(family, w, d, reads=reads, clocked=clocked) for w, d, reads, clocked in RAMS]
    roms = [map_memory(family, w, d, written=False) for w, d in ROMS]
    assert {one.kind for one in rams} == {"block", "logic" if family == "ice40" else "lutram"}
    assert {one.kind for one in roms} == {"block", "logic"}
    assert cells.brams == sum(one.blocks for one in rams + roms)
    assert cells.lutrams == sum(one.luts for one in rams)
    assert cells.dsps == sum(dsp_blocks(family, a, signed, b, signed) for a, b, signed in PRODUCTS)


HELD_OUT = {
    "binary": (random_mlp(203, max_layers=2, max_width=48, weight_types=(BIPOLAR,), activation_types=(BIPOLAR,)), 40),
    "ternary": (random_mlp(219, max_layers=2, max_width=40, extras=False), 60),
    "image": (random_cnn(211, max_blocks=2, max_size=8, max_channels=8), 200),
}


SHIFT_REGISTERS = 16
"""LUTs of delay lines, which count as memory on Xilinx 7."""


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", HELD_OUT)
def test_networks_that_were_not_fitted(name, family):
    network, target = HELD_OUT[name]
    accelerator = assemble(network, fold(network, target_cycles=target))
    device = find_device(DEVICES[family])
    cells = map_design(accelerator.verilog(device.fabric), device, True, Deadline(300)).cells
    found = estimate(accelerator, family)
    assert (found.brams, found.dsps) == (cells.brams, cells.dsps)
    small = [memory.luts for memory in found.memories if memory.kind == "lutram"]
    if family == "ice40":
        assert not small
    else:
        assert 0 < sum(small) <= cells.lutrams <= sum(small) + (family == "xilinx7") * SHIFT_REGISTERS
    assert abs(found.luts / cells.luts - 1) < 0.15


@pytest.mark.parametrize(
    ("family", "source", "multipliers"),
    [
        ("ecp5", IntType.unsigned(2), (-1, 1)),
        ("ecp5", IntType.unsigned(8), (-2, 3)),
        ("ice40", IntType.unsigned(12), (-1, 1)),
        ("xilinx7", IntType.unsigned(8), (-1, 1)),
        ("xilinx7", IntType.signed_bits(4), (-2, 3)),
    ],
)
def test_blocks_of_sums_with_multipliers(family, source, multipliers):
    weights = np.random.default_rng(0).integers(-1, 2, (4, 4))
    operations = (
        Linear(name="l", inputs=("x",), output="a", weights=weights, weight_type=TERNARY),
        Add(name="s", inputs=("x", "a"), output="y", multipliers=np.array(multipliers)),
    )
    network = Network("sum", "x", TensorSpec((4,), source), operations, ("y",))
    accelerator = assemble(network, Folding({"l": LayerFolding(1, 1), "s": LayerFolding(1, 1)}))
    device = find_device(DEVICES[family])
    cells = map_design(accelerator.verilog(device.fabric), device, True, Deadline(300)).cells
    assert estimate(accelerator, family).dsps == cells.dsps


def wide_layer() -> Network:
    return chain(
        TensorSpec((48,), IntType.unsigned(8)),
        random_linear(IntType.signed_bits(8), 48, 32),
        random_requant(IntType.unsigned(4), 32),
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_more_lanes_cost_more(family):
    network = wide_layer()
    (layer, _) = network.operations
    lanes = (1, 2, 4, 8, 16)
    luts = [[layer_cost(network, layer, LayerFolding(pe, simd), family).luts for simd in lanes] for pe in lanes]
    dsps = [
        [layer_cost(network, layer, LayerFolding(pe, simd), family, dsp=True).dsps for simd in lanes] for pe in lanes
    ]
    for table in (luts, dsps):
        for row in (*table, *zip(*table, strict=True)):
            assert list(row) == sorted(row)
        assert table[0][0] < table[-1][-1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("make", [random_mlp, random_cnn])
def test_a_layer_costs_before_assembly_what_its_stages_do(make, family):
    for seed in range(6):
        network = make(seed, binary=0.0)
        folding = fold(network, target_cycles=10**7)
        whole = estimate(assemble(network, folding), family, dsp=False)
        rest = sum(s.luts for s in whole.stages if "fork" in s.name or "fifo" in s.name or s.name == "ports")
        before = estimated_cost(network, folding, family, dsp=False)
        assert abs(before.luts - (whole.luts - rest)) < 0.05 * whole.luts + 10


def test_no_converter_costs_nothing():
    nothing, some = converter_cost(3, 8, 8), converter_cost(3, 8, 2)
    assert nothing.luts == 0
    assert 0 < some.luts < converter_cost(3, 8, 3).luts


def binary_layer_estimate() -> Estimate:
    network = chain(
        TensorSpec((256,), BIPOLAR),
        random_linear(BIPOLAR, 256, 128),
        random_threshold(BIPOLAR, 128, 40),
    )
    return estimate(assemble(network, Folding({"fc": LayerFolding(16, 16)})), "ecp5")


def test_the_table_and_the_totals():
    found = binary_layer_estimate()
    layer = next(stage for stage in found.stages if stage.name == "fc")
    assert layer.brams == found.brams > 0
    assert found.memory_bits == 256 * 128
    assert found.efficiency == found.memory_bits / (found.brams * 18 * 1024)
    assert [line.split()[0] for line in str(found).splitlines()] == ["stage", "fc", "ports", "total"]
    assert found.to_dict()["stages"][0]["brams"] == layer.brams


def test_each_memory_tells_how_much_of_its_block_rams_it_uses():
    found = binary_layer_estimate()
    weights = next(one for one in found.memories if one.name == "fc_weights")
    # 128 words of 256 bits: eight block RAMs, in each 128 of 512 words of 36 bits.
    assert (weights.kind, weights.bits, weights.brams) == ("block", 256 * 128, 8)
    assert weights.efficiency == 256 * 128 / (8 * 18 * 1024)
    queue = next(one for one in found.memories if one.name == "fc_queue")
    assert (queue.kind, queue.efficiency, queue.luts > 0) == ("lutram", None, True)
    rows = found.memory_table().splitlines()
    assert rows[1].split() == ["fc_weights", "32,768", "block", "8", "22%"]
    assert rows[-1].split() == ["in", "block", "RAM", "32,768", "8", "22%"]


def test_an_unknown_family_lists_the_known_ones():
    network = wide_layer()
    with pytest.raises(InputError, match="unknown family 'spartan'; choose one of ecp5, ice40, xilinx7"):
        estimate(assemble(network, Folding({"fc": LayerFolding(1, 1)})), "spartan")


def test_the_coefficients_tell_what_they_were_fitted_with():
    assert set(fitted()["fitted_with"]) == set(fitted()["luts"]) == set(FAMILIES)
    assert all(value > 0 for table in fitted()["luts"].values() for value in table.values())
