"""What estimates count without a fit: dead lanes, the words a read port reaches, additions in DSP blocks, ROMs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from bitwright.graph import BIPOLAR, IntType, TensorSpec
from bitwright.hw import Folding, LayerFolding, assemble
from bitwright.hw.cost.estimate import tallies
from bitwright.hw.cost.rom import logic_columns, lut4_rom, lut6_column, lut6_rom
from bitwright.hw.cost.tails import live_lanes
from bitwright.hw.cost.tally import EXACT, Tally
from bitwright.hw.cost.windows import address_stride
from bitwright.hw.linear import MatrixVectorUnit
from bitwright.hw.window_schedule import WindowSchedule
from tests.hw.check_core import chain
from tests.hw.operations import random_linear, random_threshold
from tests.hw.test_window_schedule import schedules


@given(schedules())
def test_a_read_port_never_leaves_its_stride(schedule: WindowSchedule) -> None:
    for pixel in range(schedule.pixels):
        for lane in range(schedule.taps):
            stride = address_stride(schedule, pixel, lane)
            assert schedule.depth % stride == 0
            first = schedule.index(0, 0, 0, 0, 0, pixel, lane)
            reached = {schedule.index(*place, pixel, lane) - first for place in np.ndindex(*schedule.counts)}
            assert all(one % stride == 0 for one in reached | {schedule.frame_words})


@pytest.mark.parametrize(("dead", "live"), [(0, 4), (1, 3), (4, 0)])
def test_a_lane_that_always_gives_the_same_is_removed(dead: int, live: int) -> None:
    act = random_threshold(BIPOLAR, 4, 3, descending=False)
    thresholds = np.array([[1 << 20]] * dead + [[0]] * (4 - dead))
    network = chain(TensorSpec((15,), BIPOLAR), random_linear(BIPOLAR, 15, 4), replace(act, thresholds=thresholds))
    accelerator = assemble(network, Folding({"fc": LayerFolding(4, 15)}))
    (unit,) = (one.component for one in accelerator.placed if isinstance(one.component, MatrixVectorUnit))
    assert live_lanes(unit.tail) == live
    (counted,) = (tally for name, tally in tallies(accelerator, "ecp5", True) if name == "fc")
    assert counted.terms["accumulator"] == live * unit.product.accumulator.register.width


def test_dsp_blocks_of_xilinx_7_add_pairs_of_products() -> None:
    products = [((16, True), 0)] * 4
    apart, absorbed = Tally("xilinx7"), Tally("xilinx7")
    apart.tree(products)
    absorbed.tree(products, absorbed=True)
    assert apart.terms["full adder"] > absorbed.terms["full adder"] == 0
    assert absorbed.terms[EXACT] == 18
    assert Tally("xilinx7").product((8, True), (8, True))
    assert not Tally("xilinx7", dsp=False).product((8, True), (8, True))
    assert not Tally("ecp5").product((8, True), (8, True))


def test_columns_that_are_alike_are_one() -> None:
    words = [0b1100, 0b1011, 0b1000, 0b1011]
    # From the top: always 1; 1000, 0101 twice. An address bit needs no LUT.
    assert logic_columns(4, words) == 2
    assert lut6_rom(4, words) == 1


def test_roms_of_any_content() -> None:
    assert [lut6_column(depth) for depth in (2, 3, 64, 65, 200, 300, 1024)] == [0, 1, 1, 2, 4, 9, 17]
    for depth in (16, 40, 64, 100, 600):
        assert lut4_rom(1, depth) <= lut4_rom(10, depth) <= lut4_rom(100, depth) <= 100 * lut4_rom(1, depth) * 1.1
    assert lut4_rom(5, 2) == 0
    assert lut4_rom(5, 3) == 5


def test_xilinx_7_clears_a_sum_in_the_lut_that_adds() -> None:
    network = chain(TensorSpec((8,), IntType.unsigned(4)), random_linear(IntType.signed_bits(4), 8, 4))
    accelerator = assemble(network, Folding({"fc": LayerFolding(2, 2)}))
    (ecp5,) = (tally for name, tally in tallies(accelerator, "ecp5", True) if name == "fc")
    (xilinx7,) = (tally for name, tally in tallies(accelerator, "xilinx7", True) if name == "fc")
    assert ecp5.terms["accumulator"] > 0
    assert "accumulator" not in xilinx7.terms
