"""Training: it learns, it is reproducible, it resumes bit for bit, it never looks at test images."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from rich.console import Console

from bitwright.errors import CheckpointError, InputError, OutputError
from bitwright.models import Augmentation, Recipe, accuracy, create, load, train
from bitwright.models import training as training_module
from bitwright.models.progress import TrainingProgress
from bitwright.quantize import BinaryLinear

SHORT = Recipe(epochs=4, batch_size=64, learning_rate=1e-2, augmentation=Augmentation(shift=0.3, rotation=4))


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def same_weights(one, two):
    first, second = one.state_dict(), two.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns(digits):
    model = create("digits", "w1a1")
    before = accuracy(model, digits.test_x, digits.test_y)
    result = train(model, digits, SHORT)
    assert before < 0.4
    assert result.test_accuracy > 0.75
    assert result.test_accuracy == accuracy(model, digits.test_x, digits.test_y)
    assert len(result.history) == 4
    assert not model.training


def test_same_seed_same_result(digits):
    models = [create("digits", "w1a1") for _ in range(3)]
    for model, seed in zip(models, (5, 5, 6), strict=True):
        train(model, digits, SHORT, seed)
    assert same_weights(models[0], models[1])
    assert not same_weights(models[0], models[2])


@pytest.mark.parametrize("precision", ["w1a1", "ternary", "w2a2", "float"])
def test_resume_is_exact(digits, tmp_path, precision):
    whole = create("digits", precision)
    expected = train(whole, digits, SHORT)
    state = tmp_path / "state.safetensors"
    train(create("digits", precision), digits, SHORT, state_path=state, stop_after=2)
    resumed = create("digits", precision, seed=99)
    result = train(resumed, digits, SHORT, state_path=state)
    assert result == expected
    assert same_weights(whole, resumed)


def test_resume_after_an_exception_in_mid_epoch(digits, tmp_path, monkeypatch):
    whole = create("digits", "w1a1")
    train(whole, digits, SHORT)
    state = tmp_path / "state.safetensors"
    calls = 0
    clip = training_module.clip_latent_weights_

    def interrupted(model):
        nonlocal calls
        calls += 1
        if calls == 50:
            raise KeyboardInterrupt
        return clip(model)

    monkeypatch.setattr(training_module, "clip_latent_weights_", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(create("digits", "w1a1"), digits, SHORT, state_path=state)
    resumed = create("digits", "w1a1")
    train(resumed, digits, SHORT, state_path=state)
    assert same_weights(whole, resumed)


def test_state_of_another_training_is_refused(digits, tmp_path):
    state = tmp_path / "state.safetensors"
    one_epoch = dataclasses.replace(SHORT, epochs=1)
    train(create("digits", "w1a1"), digits, one_epoch, state_path=state)
    with pytest.raises(CheckpointError, match="another training"):
        train(create("digits", "w1a1"), digits, one_epoch, seed=1, state_path=state)
    with pytest.raises(CheckpointError, match="another network"):
        train(create("digits", "w2a2"), digits, one_epoch, state_path=state)
    state.write_bytes(state.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="truncated"):
        train(create("digits", "w1a1"), digits, one_epoch, state_path=state)


def test_unwritable_state(digits, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        train(create("digits", "w1a1"), digits, SHORT, state_path=tmp_path / "file" / "state.safetensors")


def test_test_images_take_no_part(digits):
    blind = dataclasses.replace(digits, test_x=np.zeros_like(digits.test_x), test_y=np.zeros_like(digits.test_y))
    models = create("digits", "w1a1"), create("digits", "w1a1")
    seen, unseen = train(models[0], digits, SHORT), train(models[1], blind, SHORT)
    assert same_weights(*models)
    assert seen.history == unseen.history
    assert seen.test_accuracy != unseen.test_accuracy


def test_best_epoch_is_kept(digits, monkeypatch):
    early = create("digits", "w1a1")
    train(early, digits, SHORT, stop_after=2)
    script = iter([0.9, 0.9, 0.1, 0.2, 0.5])
    monkeypatch.setattr(training_module, "accuracy", lambda model, x, y: next(script))
    model = create("digits", "w1a1")
    result = train(model, digits, SHORT)
    assert (result.best_epoch, result.validation_accuracy, result.test_accuracy) == (1, 0.9, 0.5)
    assert same_weights(model, early)


def test_latent_weights_are_clipped(digits):
    model = create("digits", "w1a1")
    train(model, digits, dataclasses.replace(SHORT, epochs=1, learning_rate=0.5))
    for layer in model.modules():
        if isinstance(layer, BinaryLinear):
            assert float(layer.weight.detach().abs().max()) == 1.0


def test_global_random_state_is_left_alone(digits):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    train(create("digits", "w1a1"), digits, dataclasses.replace(SHORT, epochs=1))
    assert torch.equal(before, torch.get_rng_state())


def test_wrong_data_and_recipe(digits):
    with pytest.raises(InputError, match="digits has 64 pixels, the network 784 inputs"):
        train(create("tfc", "w1a1"), digits, SHORT)
    with pytest.raises(InputError, match="epochs >= 1"):
        Recipe(epochs=0)


@pytest.mark.parametrize(("terminal", "patience", "shown"), [(True, 0, True), (False, 0, False), (True, 60, False)])
def test_bar_only_for_a_person_who_waits(monkeypatch, terminal, patience, shown):
    monkeypatch.setattr("bitwright.models.progress._PATIENCE_S", patience)
    out = io.StringIO()
    with TrainingProgress(3, console=Console(file=out, force_terminal=terminal)) as bar:
        bar.update(1, 0.5)
        bar.update(2, 0.75)
    assert ("validation" in out.getvalue()) == shown
