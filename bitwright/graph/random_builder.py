"""What random networks are put together from: values, and a network that grows operation by operation."""

from __future__ import annotations

import numpy as np

from bitwright.errors import InputError
from bitwright.graph.operation import Operation
from bitwright.graph.ops import ArgMax, Duplicate, Linear, Permute, Requant, Threshold, TopK
from bitwright.graph.types import BIPOLAR, TERNARY, IntArray, IntType, TensorSpec

WEIGHT_TYPES: tuple[IntType, ...] = (BIPOLAR, TERNARY, *(IntType.signed_bits(bits) for bits in range(2, 9)))
"""Bipolar, ternary and int2 to int8."""

ACTIVATION_TYPES: tuple[IntType, ...] = (
    BIPOLAR,
    *(IntType.unsigned(bits) for bits in range(1, 9)),
    *(IntType.signed_bits(bits) for bits in range(2, 9)),
)
"""Bipolar, uint1 to uint8 and int2 to int8."""


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


class Builder:
    """Operations so far, the current tensor, and a sample of every tensor, so that thresholds go where values are."""

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
        self.specs: dict[str, TensorSpec] = {}
        self.samples: dict[str, IntArray] = {}
        self.tensor = "x"

    def chance(self, probability: float) -> bool:
        """True with the probability."""
        return bool(self.rng.random() < probability)

    def width(self) -> int:
        """A number of outputs."""
        return int(self.rng.integers(1, self.max_width, endpoint=True))

    def pick(self, types: tuple[IntType, ...]) -> IntType:
        """One of the types."""
        return types[int(self.rng.integers(len(types)))]

    @property
    def spec(self) -> TensorSpec:
        """Of the current tensor."""
        return self.specs[self.tensor]

    @property
    def sample(self) -> IntArray:
        """Of the current tensor."""
        return self.samples[self.tensor]

    def begin(self, spec: TensorSpec, frames: int) -> None:
        """Make "x" the input."""
        self.specs["x"], self.samples["x"] = spec, random_values(spec, frames, self.seed)

    def add(self, operation: Operation) -> None:
        """Append the operation; its output becomes the current tensor."""
        spec = operation.infer(*(self.specs[tensor] for tensor in operation.inputs))
        sample = operation.run(*(self.samples[tensor] for tensor in operation.inputs))
        self.operations.append(operation)
        self.specs[operation.output], self.samples[operation.output] = spec, sample.astype(spec.dtype.numpy)
        self.tensor = operation.output

    def fits(self, operation: Operation) -> bool:
        """Whether the operation accepts its inputs."""
        try:
            operation.infer(*(self.specs[tensor] for tensor in operation.inputs))
        except InputError:
            return False
        return True

    def weights(self, shape: tuple[int, ...], weight_type: IntType) -> IntArray:
        """Random weights."""
        values: IntArray = random_values(TensorSpec(shape, weight_type), 1, int(self.rng.integers(1 << 31)))[0]
        return values

    def linear(self, layer: int) -> None:
        """A Linear over the last axis."""
        weight_type = self.pick(self.weight_types)
        shape = (self.width(), self.spec.shape[-1])
        weights = self.weights(shape, weight_type)
        bias = self.rng.integers(-20, 21, shape[0]) if self.chance(0.4) else None
        self.add(
            Linear(
                name=f"linear{layer}", inputs=(self.tensor,), output=f"a{layer}",
                weights=weights, weight_type=weight_type, bias=bias,
            )
        )  # fmt: skip

    def rearrange(self, layer: int) -> None:
        """Perhaps a Permute, perhaps a Duplicate."""
        if not self.extras:
            return
        channels = self.spec.shape[-1]
        if self.chance(0.15):
            order = self.rng.permutation(channels)
            self.add(Permute(name=f"permute{layer}", inputs=(self.tensor,), output=f"p{layer}", order=order))
        if self.chance(0.15):
            copies = self.rng.integers(0, channels, int(self.rng.integers(1, 4)))
            self.add(Duplicate(name=f"duplicate{layer}", inputs=(self.tensor,), output=f"d{layer}", copies=copies))

    def activation(self, layer: int) -> None:
        """A Threshold or a Requant."""
        output_type = self.pick(self.activation_types)
        if output_type.kind != "bipolar" and self.chance(0.3):
            self.requant(layer, output_type)
        else:
            self.threshold(layer, output_type)

    def threshold(self, layer: int, output_type: IntType) -> None:
        """A Threshold whose rows lie about the values that occur."""
        channels = 1 if self.chance(0.2) else self.spec.shape[-1]
        steps = 1 if output_type.kind == "bipolar" else output_type.hi - output_type.lo
        rows = self.threshold_rows(channels, steps)
        out_of_reach = self.rng.random(channels) < 0.05
        rows[out_of_reach] = self.rng.choice([self.spec.dtype.lo - 5, self.spec.dtype.hi + 5])
        ascending = self.rng.random(channels) < self.rng.choice([0.0, 0.5, 1.0])
        self.add(
            Threshold(
                name=f"threshold{layer}", inputs=(self.tensor,), output=f"t{layer}",
                thresholds=np.sort(rows, axis=1), ascending=ascending, output_type=output_type,
            )
        )  # fmt: skip

    def threshold_rows(self, channels: int, steps: int) -> IntArray:
        """Thresholds (channels, steps) between the least and the largest value that occur, not sorted."""
        low, high = int(self.sample.min()), int(self.sample.max())
        rows: IntArray = self.rng.integers(low - 1, high + 2, (channels, steps))
        return rows

    def requant(self, layer: int, output_type: IntType) -> None:
        """A Requant that spreads the values that occur over the output type, about."""
        channels = 1 if self.chance(0.3) else self.spec.shape[-1]
        reach = max(1, abs(int(self.sample.min())), abs(int(self.sample.max())))
        shift = int(self.rng.integers(0, 16))
        factor = max(1, ((max(1, output_type.hi) << shift) // reach))
        multiplier = self.multipliers(factor, channels)
        half = (1 << shift) >> 1
        offset = half + self.rng.integers(-3, 4, channels) * (1 << shift)
        self.add(
            Requant(
                name=f"requant{layer}", inputs=(self.tensor,), output=f"r{layer}",
                multiplier=multiplier, offset=offset, shift=shift, output_type=output_type,
            )
        )  # fmt: skip

    def multipliers(self, factor: int, channels: int) -> IntArray:
        """Multipliers of a Requant about the factor, or of the other sign."""
        values: IntArray = self.rng.integers(-factor, 2 * factor, channels, endpoint=True)
        return values

    def ending(self) -> tuple[str, ...]:
        """Scores, ArgMax or TopK of a vector; the outputs of the network."""
        scores = self.tensor
        if self.chance(0.5):
            return (scores,)
        if self.chance(0.5):
            self.add(ArgMax(name="argmax", inputs=(scores,), output="label"))
        else:
            k = int(self.rng.integers(1, min(self.spec.shape[0], 5), endpoint=True))
            self.add(TopK(name="topk", inputs=(scores,), output="top", k=k))
        return (scores, self.tensor) if self.extras and self.chance(0.3) else (self.tensor,)
