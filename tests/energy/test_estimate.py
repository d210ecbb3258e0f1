import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitwright.energy import EnergyReport, estimate_stages, find_technology
from bitwright.energy.counts import product_cost
from bitwright.errors import InputError
from bitwright.hw.resources import MacUse, MemoryUse, StageResources

BINARY = StageResources(
    macs=(MacUse("xnor-popcount", 1, 1, 8, 1000, 50),),
    memories=(MemoryUse("w", 64, 1024, 20, 0), MemoryUse("q", 64, 1024, 3, 5)),
    register_bits=100,
)
INTEGER = StageResources(
    macs=(MacUse("multiplier", 8, 8, 32, 100, 4),), register_bits=10, compares_per_frame=7, compare_width=16
)


def report(cycles: float = 40) -> EnergyReport:
    return estimate_stages("net", {"fc0": BINARY, "fc1": INTEGER}, cycles)


def test_a_binary_layer_by_hand() -> None:
    layer = report().layers[0]
    adder_bit = 0.03 / 8
    assert layer.by_kind == pytest.approx(
        {
            "products": 1000 * (adder_bit / 5 + adder_bit),
            "accumulation": 1000 / 50 * 0.03,
            "memory reads": 20 * 10 + 3 * 10,
            "memory writes": 5 * 10,
            "registers": 100 * 40 * 0.009,
        }
    )
    assert layer.total_pj == pytest.approx(4.5 + 0.6 + 230 + 50 + 36)


def test_an_integer_layer_by_hand() -> None:
    layer = report().layers[1]
    assert layer.by_kind == pytest.approx(
        {"products": 100 * (0.2 + 0.1), "accumulation": 25 * 0.1, "compares": 7 * 0.05, "registers": 10 * 40 * 0.009}
    )


def test_bit_planes_and_ternary_by_hand() -> None:
    table = find_technology("horowitz45")
    bit = 0.03 / 8
    assert product_cost(MacUse("bit-plane", 2, 3, 12, 10), table).pj == pytest.approx(6 * bit * 1.2)
    assert product_cost(MacUse("ternary", 2, 1, 12, 10), table).pj == pytest.approx(bit * 1.4)
    stage = StageResources((MacUse("bit-plane", 2, 3, 16, 100, 10),))
    added = estimate_stages("net", {"fc": stage}, 1).layers[0].by_kind["accumulation"]
    assert added == pytest.approx(10 * 6 * 0.05)  # six pairs of planes: five joining additions and the accumulator's


def test_totals_agree_however_they_are_summed() -> None:
    found = report()
    assert found.total_pj == pytest.approx(sum(found.by_kind.values()))
    assert found.total_pj == pytest.approx(sum(found.by_layer.values()))
    assert list(found.by_layer) == ["fc0", "fc1"]


def test_only_registers_depend_on_cycles() -> None:
    slow, fast = report(80), report(40)
    assert slow.by_kind["registers"] == pytest.approx(2 * fast.by_kind["registers"])
    assert {k: v for k, v in slow.by_kind.items() if k != "registers"} == {
        k: v for k, v in fast.by_kind.items() if k != "registers"
    }


@given(factor=st.integers(2, 50))
def test_energy_is_proportional_to_products(factor: int) -> None:
    use = BINARY.macs[0]
    many = replace(BINARY, macs=(replace(use, per_frame=use.per_frame * factor),))
    one, more = (estimate_stages("n", {"a": stage}, 40).layers[0].by_kind for stage in (BINARY, many))
    for kind in ("products", "accumulation"):
        assert more[kind] == pytest.approx(factor * one[kind])


@given(weight=st.integers(1, 8), activation=st.integers(1, 8), kind=st.sampled_from(["bit-plane", "multiplier"]))
def test_wider_operands_cost_more(weight: int, activation: int, kind: str) -> None:
    table = find_technology("horowitz45")
    use = MacUse(kind, weight, activation, 16, 10, 4)  # type: ignore[arg-type]
    assert product_cost(use, table).pj < product_cost(replace(use, weight_width=weight + 1), table).pj
    assert product_cost(use, table).pj < product_cost(replace(use, activation_width=activation + 1), table).pj


def test_a_constant_word_costs_nothing_and_a_written_one_does() -> None:
    constant = StageResources(memories=(MemoryUse("t", 64, 1, 9, 0),))
    written = StageResources(memories=(MemoryUse("t", 64, 1, 9, 9),))
    assert estimate_stages("n", {"a": constant}, 1).total_pj == 0
    assert estimate_stages("n", {"a": written}, 1).total_pj > 0


def test_the_report_says_what_it_does_not_know() -> None:
    text = str(report())
    assert "the error of this estimate is not known yet" in text
    for word in ("wires", "clock tree", "leakage", "upper bound", "interpolated", "Horowitz"):
        assert word in text
    assert "fc0" in text
    assert f"{report().total_pj:,.1f} pJ a frame" in text


def test_to_dict_is_json_and_complete() -> None:
    found = report()
    document = json.loads(json.dumps(found.to_dict()))
    assert document["total_pj"] == found.total_pj
    assert document["layers"][0]["by_kind"] == found.layers[0].by_kind
    assert document["layers"][1]["rows"][0]["total_pj"] == found.layers[1].rows[0].total_pj
    assert document["notes"] == list(found.notes)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="known: horowitz45, aladdin40"):
        estimate_stages("net", {"fc0": BINARY}, 40, technology="7nm")
    for cycles in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="cycles_per_frame must be above 0"):
            estimate_stages("net", {"fc0": BINARY}, cycles)
