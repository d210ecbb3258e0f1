"""How each network of the family is trained; chosen on held-out training images, never on test images."""

from __future__ import annotations

from bitwright.models.augmentation import Augmentation
from bitwright.models.precision import canonical_precision
from bitwright.models.training import Recipe

_DIGITS_CHANGE = Augmentation(shift=0.3, rotation=4, zoom=0.05)
_MNIST_CHANGE = Augmentation(shift=1.0, rotation=8, zoom=0.08)


def recipe(topology: str, precision: str) -> Recipe:
    """The training of the network `topology` at `precision` ("float" to "w1a1")."""
    name = canonical_precision(precision)
    low = name in ("w1a1", "ternary")
    if topology == "digits":
        return Recipe(epochs=200 if low else 80, learning_rate=1e-2, augmentation=_DIGITS_CHANGE)
    if topology == "conv1d":
        return Recipe(epochs=120, batch_size=100, learning_rate=1e-2)
    if topology == "cnn":
        return Recipe(epochs=60 if low else 30, learning_rate=5e-3, augmentation=_MNIST_CHANGE)
    if topology == "tfc":
        return Recipe(epochs=60, learning_rate=1e-2 if low else 5e-3, augmentation=_MNIST_CHANGE)
    return Recipe(epochs=25, batch_size=100, learning_rate=5e-3 if low else 2e-3, augmentation=_MNIST_CHANGE)
