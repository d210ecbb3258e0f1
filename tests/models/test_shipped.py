"""Every shipped checkpoint: small, as accurate as it says, and the same function as its integer network."""

import copy

import numpy as np
import pytest
import torch

from bitwright.models import create, data_for, load_pretrained, predict_classes, shipped_checkpoints
from bitwright.models.accuracy_table import accuracy_report, markdown_table
from bitwright.models.checkpoint import _SHIPPED
from bitwright.models.exact_scores import make_scores_exact_
from bitwright.quantize import lower

GATES = {"w8a8": 0.97, "w4a4": 0.97, "w2a2": 0.96, "w1a1": 0.94, "float": 0.97}
SHIPPED = shipped_checkpoints()
QUANTIZED = [pair for pair in SHIPPED if pair[1] != "float"]
FRAMES = 200


def test_what_is_shipped():
    assert {("tfc", "w1a1"), ("tfc", "w2a2"), ("tfc", "w8a8"), ("lfc", "w1a1")} <= set(SHIPPED)
    assert {("digits", precision) for precision in GATES} <= set(SHIPPED)
    assert {("cnn", "w1a1"), ("cnn", "w2a2"), ("conv1d", "w4a4")} <= set(SHIPPED)


@pytest.mark.parametrize(("topology", "precision"), SHIPPED)
def test_size_and_stated_accuracy(topology, precision):
    assert (_SHIPPED / f"{topology}-{precision}.safetensors").stat().st_size < 1_000_000
    checkpoint = load_pretrained(topology, precision)
    data = data_for(topology)
    assert checkpoint.info.data == data.source
    found = float((predict_classes(checkpoint.model, data.test_x) == data.test_y).mean())
    # A float sum may round in another order on another processor and move an image that sits on the fence.
    assert abs(found - checkpoint.info.test_accuracy) * len(data.test_y) <= 2
    if topology == "digits":
        assert found >= GATES[precision]


@pytest.mark.parametrize(("topology", "precision"), QUANTIZED)
def test_lowers_exactly(topology, precision):
    model = load_pretrained(topology, precision).model
    x = data_for(topology).test_x[:FRAMES]
    x = x.reshape(-1, *model.input_shape)
    network = lower(model, torch.from_numpy(x[:16]))
    with torch.no_grad():
        scores = copy.deepcopy(model).double()(torch.from_numpy(x).double()).numpy()
    integers = network.run(network.quantize(x))
    assert np.array_equal(np.argmax(integers, axis=1), np.argmax(scores, axis=1))
    assert np.array_equal(np.argmax(integers, axis=1), predict_classes(model, x))
    step = network.dequantize(np.ones((1, 10), dtype=np.int64))
    assert np.array_equal(np.rint(scores / step), integers)


@pytest.mark.parametrize("precision", ["w1a1", "ternary", "w2a2", "w4a4", "w8a8"])
def test_untrained_networks_lower_too(precision):
    model = make_scores_exact_(create("digits", precision).eval())
    x = data_for("digits").test_x[:50]
    network = lower(model, torch.from_numpy(x))
    assert np.array_equal(np.argmax(network.run(network.quantize(x)), axis=1), predict_classes(model, x))


def test_report_keeps_what_it_trains(tmp_path, monkeypatch):
    from bitwright.models import Recipe, accuracy, load_checkpoint

    monkeypatch.setattr("bitwright.models.accuracy_table.recipe", lambda topology, precision: Recipe(epochs=2))
    rows = accuracy_report("digits", ["w1a1"], (0, 1), keep=lambda *name: tmp_path / "-".join(map(str, name)))
    (row,) = rows
    data = data_for("digits")
    for seed, expected in zip(row.seeds, row.test, strict=True):
        checkpoint = load_checkpoint(tmp_path / f"digits-w1a1-{seed}", "digits", "w1a1")
        assert accuracy(checkpoint.model, data.test_x, data.test_y) == expected
        assert checkpoint.info.seed == seed
    assert row.mean == sum(row.test) / 2
    assert f"| digits | w1a1 | 2 | {100 * row.mean:.2f} |" in markdown_table(rows)
