"""Folding: how many processing elements and SIMD lanes each layer gets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bitwright.errors import FoldingError
from bitwright.graph import Linear, Network


@dataclass(frozen=True)
class LayerFolding:
    """`pe` outputs by `simd` inputs a cycle. For a layer without weights both are lanes, out and in."""

    pe: int
    simd: int

    def __post_init__(self) -> None:
        for word, value in (("PE", self.pe), ("SIMD", self.simd)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise FoldingError(f"{word} must be a positive integer, not {value!r}")


@dataclass(frozen=True)
class Folding(Mapping[str, LayerFolding]):
    """The folding of each layer by operation name; what is not named follows its neighbours."""

    layers: Mapping[str, LayerFolding] = field(default_factory=dict)

    def __getitem__(self, name: str) -> LayerFolding:
        return self.layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def to_json(self) -> str:
        """`{"fc1": {"pe": 16, "simd": 49}, ...}`"""
        return json.dumps({name: {"pe": one.pe, "simd": one.simd} for name, one in self.layers.items()}, indent=2)

    @staticmethod
    def from_json(text: str) -> Folding:
        """The inverse of `to_json`. Raises FoldingError naming what is wrong."""
        try:
            data = json.loads(text)
            return Folding({name: LayerFolding(one["pe"], one["simd"]) for name, one in data.items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FoldingError(
                f'a folding is JSON like {{"fc1": {{"pe": 16, "simd": 49}}}}; this one is not ({error})'
            ) from error

    def check(self, network: Network) -> None:
        """Raise FoldingError, naming the layer, unless every PE and SIMD divides its layer."""
        operations = {operation.name: operation for operation in network.operations}
        for name, one in self.layers.items():
            operation = operations.get(name)
            if operation is None:
                raise FoldingError(f"the folding names layer '{name}', which network '{network.name}' does not have")
            inputs = network.spec(operation.inputs[0]).shape[-1:] or (1,)
            outputs = network.spec(operation.output).shape[-1:] or (1,)
            for word, value, size in (("SIMD", one.simd, inputs[0]), ("PE", one.pe, outputs[0])):
                if size % value:
                    raise FoldingError(
                        f"layer '{name}': {word} {value} does not divide {size}; choose one of {divisors(size)}"
                    )


def divisors(number: int) -> list[int]:
    """All divisors in ascending order."""
    low = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return sorted({*low, *(number // d for d in low)})


def layer_cycles(network: Network, operation: Linear, folding: LayerFolding) -> int:
    """Firings of a frame: (outputs / PE) * (inputs / SIMD) * vectors."""
    outputs, inputs = map(int, operation.weights.shape)
    return (outputs // folding.pe) * (inputs // folding.simd) * (network.spec(operation.inputs[0]).size // inputs)


def sequential(network: Network) -> Folding:
    """One multiplier a layer: the smallest hardware."""
    return Folding({op.name: LayerFolding(1, 1) for op in network.operations if isinstance(op, Linear)})
