from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from bitwright.errors import OutputError
from bitwright.graph import (
    BIPOLAR,
    Add,
    Conv,
    Flatten,
    InputQuantizer,
    IntType,
    Linear,
    MaxPool,
    Network,
    SumPool,
    TensorSpec,
    Upsample,
)
from bitwright.graph.drawing import network_svg
from bitwright.graph.table import parameters
from tests.graph.strategies import cnns, networks

SVG = "{http://www.w3.org/2000/svg}"


def test_table_by_eye() -> None:
    flatten = Flatten(name="flatten", inputs=("x",), output="flat")
    linear = Linear(
        name="fc1", inputs=("flat",), output="scores", weights=[[1] * 4] * 1000, weight_type=BIPOLAR, bias=[1] * 1000
    )
    network = Network(
        "small", "x", TensorSpec((2, 2), IntType.unsigned(8)), (flatten, linear), ("scores",),
        input_quantizer=InputQuantizer(dtype=IntType.unsigned(8), scale=0.5),
    )  # fmt: skip
    assert str(network).splitlines() == [
        "Network 'small': x -> scores",
        "operation  kind     reads  output  type and shape   parameters              weight bits   MACs",
        "----------------------------------------------------------------------------------------------",
        "           input           x       uint8[2 x 2]     round(x / 0.5)",
        "flatten    Flatten  x      flat    uint8[4]",
        "fc1        Linear   flat   scores  [1, 1021][1000]  bipolar 1000 x 4, bias        4,000  4,000",
        "----------------------------------------------------------------------------------------------",
        "total                                                                             4,000  4,000",
    ]


def test_geometry_by_eye() -> None:
    conv = Conv(
        name="conv", inputs=("x",), output="a", weights=np.ones((4, 3, 3, 1), dtype=int), weight_type=BIPOLAR,
        stride=(2, 1), padding=((1, 1), (0, 1)), dilation=(1, 2), groups=2, bias=[0] * 4, pad_value=-1,
    )  # fmt: skip
    assert parameters(conv) == (
        "bipolar 4 x 2, kernel 3 x 3, stride 2 x 1, padding 1 x 0+1 of -1, dilation 1 x 2, 2 groups, bias"
    )
    ends = {"inputs": ("a",), "output": "b"}
    assert parameters(MaxPool(name="m", **ends, kernel=(2, 2))) == "kernel 2 x 2"
    assert parameters(SumPool(name="s", **ends, kernel=(3,), stride=(1,))) == "kernel 3, stride 1"
    assert parameters(Upsample(name="u", **ends, factors=(2, 1))) == "times 2 x 1"
    assert parameters(Add(name="p", inputs=("a", "x"), output="b", multipliers=[1, -3])) == "times 1, -3"
    assert parameters(Add(name="p", inputs=("a", "x"), output="b", multipliers=[1, 1])) == ""


@settings(deadline=None, max_examples=30)
@given(networks() | cnns())
def test_pictures_show_every_operation_and_type(network: Network) -> None:
    table = str(network)
    root = ET.fromstring(network_svg(network))
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    for operation in network.operations:
        assert operation.name in table
        assert operation.name in texts
        assert f"{operation.output}: {network.spec(operation.output)}" in texts
    readers = sum(len(operation.inputs) for operation in network.operations) + len(network.outputs)
    assert len(list(root.iter(f"{SVG}line"))) == readers
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for box in list(root.iter(f"{SVG}rect"))[1:]:
        assert 0 <= float(box.attrib["x"]) <= float(box.attrib["x"]) + float(box.attrib["width"]) <= width
        assert 0 <= float(box.attrib["y"]) <= float(box.attrib["y"]) + float(box.attrib["height"]) <= height


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    name = "</text><script>alert('1')&\"]]>"
    network = Network(
        name, name, TensorSpec((2, 2), BIPOLAR), (Flatten(name=name, inputs=(name,), output="ö"),), ("ö",)
    )
    path = network.draw(tmp_path / "Bild ö.svg")
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    assert not list(root.iter(f"{SVG}script"))
    assert name in [element.text for element in root.iter(f"{SVG}text")]
    with pytest.raises(OutputError, match="cannot write drawing"):
        network.draw(tmp_path / "no" / "n.svg")
