"""Random multilayer perceptrons, for property tests and fuzzing of everything that answers to a Network."""

from __future__ import annotations

from collections.abc import Sequence

from bitwright.errors import InputError
from bitwright.graph.network import Network
from bitwright.graph.ops import Flatten
from bitwright.graph.random_builder import ACTIVATION_TYPES, WEIGHT_TYPES, Builder, random_values
from bitwright.graph.types import IntType, TensorSpec

__all__ = ["ACTIVATION_TYPES", "WEIGHT_TYPES", "random_mlp", "random_values"]


def random_mlp(
    seed: int,
    *,
    max_layers: int = 3,
    max_width: int = 24,
    weight_types: Sequence[IntType] = WEIGHT_TYPES,
    activation_types: Sequence[IntType] = ACTIVATION_TYPES,
    binary: float = 0.3,
    extras: bool = True,
) -> Network:
    """A random multilayer perceptron; the same arguments give the same network.

    It has 1 to `max_layers` Linear operations of 1 to `max_width` outputs, with or without bias; Threshold (rows
    ascending, descending or both, some out of reach, one row or one for each channel) or Requant between them; and
    ends in scores, ArgMax or TopK. With `extras` there may be a Flatten at the input, Permute, Duplicate, and
    several outputs. Thresholds are drawn from values that really occur, so that tensors are rarely constant. With
    probability `binary` all weights and activations are bipolar.
    """
    if max_layers < 1 or max_width < 1:
        raise InputError("a random network needs max_layers and max_width of at least 1")
    builder = Builder(seed, max_width, tuple(weight_types), tuple(activation_types), binary, extras)
    flat = extras and builder.chance(0.2)
    sides = (int(builder.rng.integers(1, 5)), int(builder.rng.integers(1, 6))) if flat else (builder.width(),)
    spec = TensorSpec(sides, builder.pick(builder.activation_types))
    builder.begin(spec, 64)
    if flat:
        builder.add(Flatten(name="flatten", inputs=("x",), output="x_flat"))
    layers = int(builder.rng.integers(1, max_layers, endpoint=True))
    for layer in range(layers):
        builder.rearrange(layer)
        builder.linear(layer)
        if layer + 1 < layers or builder.chance(0.2):
            builder.activation(layer)
    outputs = builder.ending()
    return Network(f"random_{seed}", "x", spec, tuple(builder.operations), outputs)
