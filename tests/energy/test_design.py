"""Energy of designs as `hw` builds them."""

import numpy as np
import pytest

from bitwright.energy import estimate
from bitwright.errors import InputError
from bitwright.graph import BIPOLAR, ArgMax, Linear, Network, TensorSpec, Threshold
from bitwright.hw import Accelerator, Folding, LayerFolding, assemble
from bitwright.sim import cycles


def accelerator(pe: int, simd: int) -> Accelerator:
    rng = np.random.default_rng(7)
    first = Linear(
        name="fc0", inputs=("x",), output="s0", bias=None,
        weights=rng.choice([-1, 1], size=(16, 32)).astype(np.int8), weight_type=BIPOLAR,
    )  # fmt: skip
    bits = Threshold(
        name="t0", inputs=("s0",), output="a0", thresholds=np.arange(16, dtype=np.int32)[:, None] - 8,
        ascending=np.ones(16, dtype=bool), output_type=BIPOLAR,
    )  # fmt: skip
    last = Linear(
        name="fc1", inputs=("a0",), output="s1", bias=None,
        weights=rng.choice([-1, 1], size=(10, 16)).astype(np.int8), weight_type=BIPOLAR,
    )  # fmt: skip
    network = Network(
        name="small", input_name="x", input_spec=TensorSpec((32,), BIPOLAR),
        operations=(first, bits, last, ArgMax(name="best", inputs=("s1",), output="y")), outputs=("y",),
    )  # fmt: skip
    return assemble(network, Folding({"fc0": LayerFolding(pe, simd), "fc1": LayerFolding(2, 8)}))


def test_counts_come_from_the_design_and_its_cycles() -> None:
    design = accelerator(4, 8)
    found = estimate(design)
    assert found.design == design.name
    assert list(found.by_layer) == [stage.name for stage in design.stages]
    assert found.cycles_per_frame == cycles(design, 8).interval == 16  # 16 / 4 groups of 32 / 8 beats
    rows = {row.what: row for layer in found.layers for row in layer.rows if layer.name == "fc0"}
    assert rows["1 x 1 bit xnor-popcount"].count == 16 * 32
    assert rows["fc0_weights 32 bit x 16"].count == 16
    additions = [row for row in rows.values() if row.kind == "accumulation"]
    assert [row.count for row in additions] == [16 * 32 / 8]


def test_folding_moves_energy_from_memory_words_but_not_from_products() -> None:
    wide, narrow = estimate(accelerator(16, 32)), estimate(accelerator(1, 8))
    assert wide.layers[0].by_kind["products"] == narrow.layers[0].by_kind["products"]
    assert wide.layers[0].by_kind["accumulation"] < narrow.layers[0].by_kind["accumulation"]
    assert wide.cycles_per_frame < narrow.cycles_per_frame


def test_another_technology_and_other_cycles() -> None:
    design = accelerator(4, 8)
    slow = estimate(design, technology="aladdin40", cycles_per_frame=1000)
    assert slow.technology == "aladdin40"
    assert slow.cycles_per_frame == 1000
    registers = sum(stage.resources.register_bits for stage in design.stages)
    assert slow.by_kind["registers"] == pytest.approx(registers * 1000 * 0.009)


def test_an_unknown_technology_is_refused_before_anything_runs() -> None:
    with pytest.raises(InputError, match="unknown technology 'sky130'; known: horowitz45"):
        estimate(None, technology="sky130")  # type: ignore[arg-type]
