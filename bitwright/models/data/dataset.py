"""A labelled image set with a fixed test part, and the stratified split that makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import InputError

FloatArray = NDArray[np.float32]
LabelArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images as flat rows of pixels in [0, 1], or signals as rows of samples, and their labels.

    `train_x` and `test_x` are float32 of shape (images, height * width), rows first; `train_y` and `test_y` are int64
    of shape (images,). `source` says in one line where the images come from and how they were split.
    """

    name: str
    train_x: FloatArray
    train_y: LabelArray
    test_x: FloatArray
    test_y: LabelArray
    image_shape: tuple[int, int]
    source: str


def stratified_split(labels: LabelArray, test_fraction: float, seed: int) -> tuple[LabelArray, LabelArray]:
    """Shuffled indices (train, test) with the same share of every class in both, the same on every machine.

    `test_fraction` of each class, rounded to the nearest image, goes to the test part. Uses NumPy's legacy
    Mersenne Twister, whose stream is frozen. Raises InputError unless both parts get an image of each class.
    """
    random = np.random.RandomState(seed)
    train: list[NDArray[Any]] = []
    test: list[NDArray[Any]] = []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        count = round(len(members) * test_fraction)
        if not 0 < count < len(members):
            raise InputError(
                f"class {label} has {len(members)} images, too few to hold out {test_fraction:g}; give more"
            )
        test.append(members[:count])
        train.append(members[count:])
    return random.permutation(np.concatenate(train)), random.permutation(np.concatenate(test))
