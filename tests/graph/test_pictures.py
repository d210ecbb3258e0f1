from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings

from bitwright.errors import OutputError
from bitwright.graph import BIPOLAR, Flatten, InputQuantizer, IntType, Linear, Network, TensorSpec
from bitwright.graph.drawing import network_svg
from tests.graph.strategies import networks

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


@settings(deadline=None, max_examples=30)
@given(networks())
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
