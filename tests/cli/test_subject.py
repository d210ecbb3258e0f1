"""What a name on the command line stands for."""

import numpy as np
import pytest

from bitwright.cli.subject import SYNTHETIC_FRAMES, read_subject
from bitwright.errors import CheckpointError, InputError


def test_a_network_whose_data_is_not_here_has_random_weights(capsys: pytest.CaptureFixture[str]) -> None:
    subject = read_subject("dscnn-w1a1")
    assert "random weights" in capsys.readouterr().err
    x, labels, source = subject.frames(None, None)
    assert x.shape == (SYNTHETIC_FRAMES, 49, 10, 1)
    assert labels is None
    assert "synthetic" in source
    real, _, _ = subject.real_frames(3)
    assert np.array_equal(subject.network.quantize(real), x[:3])
    assert len(np.unique(subject.network.run(x))) > 10


def test_a_trained_convolutional_network() -> None:
    subject = read_subject("cnn-w1a1")
    x, labels, source = subject.frames(200, None)
    assert x.shape == (200, 28, 28, 1)
    assert labels is not None
    assert "real MNIST images" in source
    assert subject.accuracy(subject.network.run(x), labels) > 0.9


def test_names_that_stand_for_nothing() -> None:
    with pytest.raises(CheckpointError, match="no checkpoint cnn-w4a4 is shipped"):
        read_subject("cnn-w4a4")
    with pytest.raises(InputError, match="unknown precision 'w3a3'"):
        read_subject("cnv-w3a3")
    with pytest.raises(InputError, match="use w2a2, w4a4 or w8a8"):
        read_subject("resnet8-w1a1")
