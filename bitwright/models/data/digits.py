"""The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships (UCI optdigits, Alpaydin and Kaynak 1998)."""

from __future__ import annotations

import numpy as np

from bitwright.models.data.dataset import Dataset, stratified_split

_LARGEST_PIXEL = 16
_TEST_FRACTION = 0.2
_SPLIT_SEED = 0


def load_digits() -> Dataset:
    """1,438 training and 359 test images; pixels are multiples of 1/16 in [0, 1]."""
    from sklearn.datasets import load_digits as sklearn_digits

    images, labels = sklearn_digits(return_X_y=True)
    x = (np.asarray(images) / _LARGEST_PIXEL).astype(np.float32)
    y = np.asarray(labels).astype(np.int64)
    train, test = stratified_split(y, _TEST_FRACTION, _SPLIT_SEED)
    return Dataset(
        name="digits",
        train_x=x[train],
        train_y=y[train],
        test_x=x[test],
        test_y=y[test],
        image_shape=(8, 8),
        source=f"scikit-learn digits, {len(y):,} images of 8 x 8, "
        f"fixed stratified split of {len(train):,} training and {len(test):,} test images",
    )
