"""Folding: how many processing elements and SIMD lanes each layer gets."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bitwright.errors import FoldingError
from bitwright.graph import Concat, Conv, Linear, Network, Operation

WeightPlace = Literal["memory", "stream"]
"""Where a layer's weights come from: a memory on the chip, or a stream from outside that repeats every frame."""


@dataclass(frozen=True)
class LayerFolding:
    """`pe` outputs by `simd` inputs a cycle. For a layer without weights both are lanes, out and in.

    A convolution may compute `pixels` neighbouring pixels at once, with all outputs of each (`pe` is their number).
    In a depthwise convolution `pe` counts channels and `simd` elements of the kernel. With `weights` "stream" the layer
    keeps no weights on the chip: they come through an input stream of their own.
    """

    pe: int
    simd: int
    pixels: int = 1
    weights: WeightPlace = "memory"

    def __post_init__(self) -> None:
        for word, value in (("PE", self.pe), ("SIMD", self.simd), ("pixels", self.pixels)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise FoldingError(f"{word} must be a positive integer, not {value!r}")
        if self.weights not in get_args(WeightPlace):
            raise FoldingError(f"weights must be 'memory' or 'stream', not {self.weights!r}")

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, `pixels` and `weights` only where they are not the usual ones."""
        chosen: dict[str, Any] = {"pe": self.pe, "simd": self.simd}
        if self.pixels > 1:
            chosen["pixels"] = self.pixels
        return chosen if self.weights == "memory" else {**chosen, "weights": self.weights}


@dataclass(frozen=True)
class Folding(Mapping[str, LayerFolding]):
    """The folding of each layer by operation name; what is not named follows its neighbours.

    `buffers` are the depths of line buffers (words) and FIFOs (beats) by the name of their stage; the others have
    depths that always suffice (`sim.size_buffers` finds the smallest).
    """

    layers: Mapping[str, LayerFolding] = field(default_factory=dict)
    buffers: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> LayerFolding:
        return self.layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def streamed(self) -> tuple[str, ...]:
        """The layers whose weights come from outside, through inputs of their own."""
        return tuple(name for name, one in self.layers.items() if one.weights == "stream")

    def to_json(self) -> str:
        """`{"fc1": {"pe": 16, "simd": 49}, ...}`, with chosen buffers `{"layers": {...}, "buffers": {...}}`."""
        layers = {name: one.to_dict() for name, one in self.layers.items()}
        data = {"layers": layers, "buffers": dict(self.buffers)} if self.buffers else layers
        return json.dumps(data, indent=2)

    @staticmethod
    def from_json(text: str) -> Folding:
        """The inverse of `to_json`. Raises FoldingError naming what is wrong."""
        try:
            data = json.loads(text)
            layers, buffers = (data["layers"], data["buffers"]) if set(data) == {"layers", "buffers"} else (data, {})
            return Folding({name: LayerFolding(**one) for name, one in layers.items()}, dict(buffers))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FoldingError(
                f'a folding is JSON like {{"fc1": {{"pe": 16, "simd": 49}}}}; this one is not ({error})'
            ) from error

    def check(self, network: Network) -> None:
        """Raise FoldingError, naming the layer, unless its lanes divide it and it has the weights it streams."""
        operations = {operation.name: operation for operation in network.operations}
        for name, one in self.layers.items():
            operation = operations.get(name)
            if operation is None:
                raise FoldingError(f"the folding names layer '{name}', which network '{network.name}' does not have")
            choices = lane_choices(network, operation)
            for word, value, fitting in zip(
                ("SIMD", "PE", "pixels"), (one.simd, one.pe, one.pixels), choices, strict=True
            ):
                if value not in fitting:
                    raise FoldingError(
                        f"layer '{name}': {word} {value} does not divide {fitting[-1]}; choose one of {fitting}"
                    )
            if one.weights == "stream" and not isinstance(operation, Linear | Conv):
                raise FoldingError(f"layer '{name}': a {operation.kind} has no weights; leave weights='stream' out")
            if one.pixels > 1 and one.pe != network.spec(operation.output).shape[-1]:
                raise FoldingError(f"layer '{name}': several pixels at once need all outputs as PE, not {one.pe}")


def lane_choices(network: Network, operation: Operation) -> tuple[list[int], list[int], list[int]]:
    """The SIMD, the PE and the numbers of pixels at once that divide an operation."""
    source, result = network.spec(operation.inputs[0]), network.spec(operation.output)
    inputs, outputs = (source.shape[-1:] or (1,))[0], (result.shape[-1:] or (1,))[0]
    if isinstance(operation, Concat):
        common = math.gcd(*(network.spec(tensor).shape[-1] for tensor in operation.inputs))
        return divisors(common), divisors(common), [1]
    if not isinstance(operation, Conv):
        return divisors(inputs), divisors(outputs), [1]
    taps, per_group, share = math.prod(operation.kernel), operation.weights.shape[-1], outputs // operation.groups
    if operation.groups > 1 and per_group == 1:
        whole = [share * channels for channels in divisors(operation.groups)]
        return divisors(taps), sorted({*divisors(share), *whole}), [1]
    simd = sorted({*divisors(per_group), *(per_group * t for t in divisors(taps))})
    return simd, divisors(share), divisors(result.shape[-2]) if operation.groups == 1 else [1]


def divisors(number: int) -> list[int]:
    """All divisors in ascending order."""
    low = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return sorted({*low, *(number // d for d in low)})


def layer_cycles(network: Network, operation: Linear | Conv, folding: LayerFolding) -> int:
    """Firings of a frame: (outputs / PE) * (inputs of a vector / SIMD) * positions / pixels at once."""
    outputs = int(operation.weights.shape[0])
    vector = int(operation.weights[0].size)
    positions = network.spec(operation.output).size // outputs
    return (outputs // folding.pe) * (vector // folding.simd) * (positions // folding.pixels)


def sequential(network: Network) -> Folding:
    """One multiplier a layer: the smallest hardware."""
    return Folding({op.name: LayerFolding(1, 1) for op in network.operations if isinstance(op, Linear | Conv)})
