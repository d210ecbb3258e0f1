"""Random integer networks, for property tests and fuzzing of everything that answers to a Network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitwright.errors import InputError
from bitwright.graph.network import Network
from bitwright.graph.operation import Operation
from bitwright.graph.ops import ArgMax, Duplicate, Flatten, Linear, Permute, Requant, Threshold, TopK
from bitwright.graph.types import BIPOLAR, TERNARY, IntArray, IntType, TensorSpec

WEIGHT_TYPES: tuple[IntType, ...] = (BIPOLAR, TERNARY, *(IntType.signed_bits(bits) for bits in range(2, 9)))
"""Bipolar, ternary and int2 to int8."""

ACTIVATION_TYPES: tuple[IntType, ...] = (
    BIPOLAR,
    *(IntType.unsigned(bits) for bits in range(1, 9)),
    *(IntType.signed_bits(bits) for bits in range(2, 9)),
)
"""Bipolar, uint1 to uint8 and int2 to int8."""


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
    return _Builder(seed, max_width, tuple(weight_types), tuple(activation_types), binary, extras).network(max_layers)


def random_values(spec: TensorSpec, frames: int, seed: int) -> IntArray:
    """A batch of values of the tensor: uniform, with the ends of the type more often; (frames, *shape)."""
    rng = np.random.default_rng(seed)
    dtype = spec.dtype
    shape = (frames, *spec.shape)
    if dtype.kind == "bipolar":
        return rng.choice(np.array([-1, 1], dtype=np.int8), shape)
    values = rng.integers(dtype.lo, dtype.hi, shape, dtype=np.int64, endpoint=True)
    ends = rng.choice(np.array([dtype.lo, dtype.hi], dtype=np.int64), shape)
    return np.where(rng.random(shape) < 0.1, ends, values).astype(dtype.numpy)


class _Builder:
    def __init__(
        self,
        seed: int,
        max_width: int,
        weight_types: tuple[IntType, ...],
        activation_types: tuple[IntType, ...],
        binary: float,
        extras: bool,
    ) -> None:
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.max_width = max_width
        self.extras = extras
        is_binary = bool(self.rng.random() < binary) and BIPOLAR in weight_types and BIPOLAR in activation_types
        self.weight_types = (BIPOLAR,) if is_binary else weight_types
        self.activation_types = (BIPOLAR,) if is_binary else activation_types
        self.operations: list[Operation] = []
        self.tensor = "x"

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def width(self) -> int:
        return int(self.rng.integers(1, self.max_width, endpoint=True))

    def pick(self, types: tuple[IntType, ...]) -> IntType:
        return types[int(self.rng.integers(len(types)))]

    def network(self, max_layers: int) -> Network:
        flat = self.extras and self.chance(0.2)
        shape = (int(self.rng.integers(1, 5)), int(self.rng.integers(1, 6))) if flat else (self.width(),)
        spec = TensorSpec(shape, self.pick(self.activation_types))
        # A sample that runs along, so that thresholds can be placed where the values are.
        self.spec, self.sample = spec, random_values(spec, 64, self.seed)
        if flat:
            self.add(Flatten(name="flatten", inputs=("x",), output="x_flat"))
        layers = int(self.rng.integers(1, max_layers, endpoint=True))
        for layer in range(layers):
            self.rearrange(layer)
            self.linear(layer)
            if layer + 1 < layers or self.chance(0.2):
                self.activation(layer)
        outputs = self.ending()
        return Network(f"random_{self.seed}", "x", spec, tuple(self.operations), outputs)

    def add(self, operation: Operation) -> None:
        self.operations.append(operation)
        self.spec = operation.infer(self.spec)
        self.sample = operation.run(self.sample).astype(self.spec.dtype.numpy)
        self.tensor = operation.output

    def rearrange(self, layer: int) -> None:
        if not self.extras:
            return
        channels = self.spec.shape[0]
        if self.chance(0.15):
            order = self.rng.permutation(channels)
            self.add(Permute(name=f"permute{layer}", inputs=(self.tensor,), output=f"p{layer}", order=order))
        if self.chance(0.15):
            copies = self.rng.integers(0, channels, int(self.rng.integers(1, 4)))
            self.add(Duplicate(name=f"duplicate{layer}", inputs=(self.tensor,), output=f"d{layer}", copies=copies))

    def linear(self, layer: int) -> None:
        weight_type = self.pick(self.weight_types)
        shape = (self.width(), self.spec.shape[0])
        weights = random_values(TensorSpec(shape, weight_type), 1, int(self.rng.integers(1 << 31)))[0]
        bias = self.rng.integers(-20, 21, shape[0]) if self.chance(0.4) else None
        self.add(
            Linear(
                name=f"linear{layer}", inputs=(self.tensor,), output=f"a{layer}",
                weights=weights, weight_type=weight_type, bias=bias,
            )
        )  # fmt: skip

    def activation(self, layer: int) -> None:
        output_type = self.pick(self.activation_types)
        if output_type.kind != "bipolar" and self.chance(0.3):
            self.requant(layer, output_type)
        else:
            self.threshold(layer, output_type)

    def threshold(self, layer: int, output_type: IntType) -> None:
        channels = 1 if self.chance(0.2) else self.spec.shape[0]
        steps = 1 if output_type.kind == "bipolar" else output_type.hi - output_type.lo
        low, high = int(self.sample.min()), int(self.sample.max())
        rows = self.rng.integers(low - 1, high + 2, (channels, steps))
        out_of_reach = self.rng.random(channels) < 0.05
        rows[out_of_reach] = self.rng.choice([self.spec.dtype.lo - 5, self.spec.dtype.hi + 5])
        ascending = self.rng.random(channels) < self.rng.choice([0.0, 0.5, 1.0])
        self.add(
            Threshold(
                name=f"threshold{layer}", inputs=(self.tensor,), output=f"t{layer}",
                thresholds=np.sort(rows, axis=1), ascending=ascending, output_type=output_type,
            )
        )  # fmt: skip

    def requant(self, layer: int, output_type: IntType) -> None:
        channels = 1 if self.chance(0.3) else self.spec.shape[0]
        reach = max(1, abs(int(self.sample.min())), abs(int(self.sample.max())))
        shift = int(self.rng.integers(0, 16))
        # Around the factor that spreads the values that occur over the output type.
        factor = max(1, ((max(1, output_type.hi) << shift) // reach))
        multiplier = self.rng.integers(-factor, 2 * factor, channels, endpoint=True)
        half = (1 << shift) >> 1
        offset = half + self.rng.integers(-3, 4, channels) * (1 << shift)
        self.add(
            Requant(
                name=f"requant{layer}", inputs=(self.tensor,), output=f"r{layer}",
                multiplier=multiplier, offset=offset, shift=shift, output_type=output_type,
            )
        )  # fmt: skip

    def ending(self) -> tuple[str, ...]:
        scores = self.tensor
        if self.chance(0.5):
            return (scores,)
        if self.chance(0.5):
            self.add(ArgMax(name="argmax", inputs=(scores,), output="label"))
        else:
            k = int(self.rng.integers(1, min(self.spec.shape[0], 5), endpoint=True))
            self.add(TopK(name="topk", inputs=(scores,), output="top", k=k))
        return (scores, self.tensor) if self.extras and self.chance(0.3) else (self.tensor,)
