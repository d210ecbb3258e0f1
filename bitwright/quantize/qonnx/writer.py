"""What all operations share when they are written as QONNX: the graph, and where each tensor is in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitwright.errors import InputError
from bitwright.graph import IntType, MaxPool, Network, Operation, SumPool
from bitwright.quantize.qonnx.datatypes import finn_name
from bitwright.quantize.qonnx.sketch import EXACT, QONNX_DOMAIN, Sketch

Pads = tuple[tuple[int, int], ...]
"""Elements added before and after, for each spatial axis."""

Axes = tuple[int, ...]
"""For each ONNX axis behind the batch the network's axis that it is."""


@dataclass(frozen=True)
class Held:
    """The ONNX tensor that holds a network's tensor, and its order of axes."""

    name: str
    axes: Axes


class Writer:
    """What the writers share: the graph, and where each tensor of the network is in it."""

    def __init__(self, network: Network, sketch: Sketch) -> None:
        """Nothing is written yet."""
        self.network = network
        self.sketch = sketch
        self.where: dict[str, Held] = {}
        self.others: dict[tuple[str, Axes], str] = {}

    def hold(self, tensor: str, name: str, axes: Axes) -> None:
        """Say that ONNX tensor `name` holds `tensor`."""
        self.where[tensor] = Held(name, axes)

    def plain(self, tensor: str) -> Axes:
        """The network's own order."""
        return tuple(range(len(self.network.spec(tensor).shape)))

    def first(self, tensor: str) -> Axes:
        """Channels first."""
        rank = len(self.network.spec(tensor).shape)
        return (rank - 1, *range(rank - 1))

    def arranged(self, tensor: str, axes: Axes) -> str:
        """The ONNX tensor with `tensor` in the order `axes`; a Transpose where it is in another."""
        held = self.where[tensor]
        if held.axes == axes:
            return held.name
        if (tensor, axes) not in self.others:
            order = [0, *(held.axes.index(axis) + 1 for axis in axes)]
            shape = tuple(self.sketch.shapes[held.name][place] for place in order)
            name = self.sketch.unique(f"{held.name}_transposed")
            self.others[tensor, axes] = self.sketch.node("Transpose", [held.name], name, shape, perm=order)
        return self.others[tensor, axes]

    def shape(self, tensor: str, axes: Axes) -> tuple[int, ...]:
        """The ONNX shape of a network's tensor in the order `axes`."""
        shape = self.network.spec(tensor).shape
        return (1, *(shape[axis] for axis in axes))

    def result(self, operation: Operation, axes: Axes) -> tuple[str, tuple[int, ...]]:
        """Name and shape for an operation's output, in the order `axes`."""
        name = self.sketch.unique(operation.output)
        self.hold(operation.output, name, axes)
        return name, self.shape(operation.output, axes)

    def channel_shape(self, axes: Axes) -> tuple[int, ...]:
        """The shape of one value for each channel, to broadcast against a tensor in the order `axes`."""
        return (1, *(-1 if axis == len(axes) - 1 else 1 for axis in axes))

    def quant(
        self, source: str, output: str, shape: tuple[int, ...], lo: int, hi: int, rounding: str = "ROUND"
    ) -> None:
        """Round reals to the integers [lo, hi] by a Quant node of scale 1, and a Clip where that has no such type."""
        levels = hi - lo + 1
        bits = max(1, (levels - 1).bit_length())
        top = (1 << (bits - 1)) - 1
        signed = bits > 1 and hi == top and lo in (-top - 1, -top)
        narrow = levels == (1 << bits) - 1 and bits > 1
        exact = signed or narrow or levels == 1 << bits
        if not exact:
            while not (-(1 << (bits - 1)) <= lo and hi < 1 << (bits - 1)):
                bits += 1
            signed, narrow = True, False
        zero = 0 if signed else -lo
        sketch = self.sketch
        inputs = [
            source,
            sketch.constant("one", np.array(1.0, dtype=np.float32)),
            sketch.constant("zero_point", np.array(zero, dtype=np.float32)),
            sketch.constant("bits", np.array(bits, dtype=np.float32)),
        ]
        target = output if exact else sketch.unique(f"{output}_unclipped")
        sketch.node(
            "Quant",
            inputs,
            target,
            shape,
            domain=QONNX_DOMAIN,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode=rounding,
        )
        if not exact:
            self.clip(target, output, shape, lo, hi)

    def clip(self, source: str, output: str, shape: tuple[int, ...], lo: int, hi: int) -> None:
        """Clip integers to [lo, hi]."""
        bounds = [self.sketch.integers(word, np.array(value)) for word, value in (("least", lo), ("most", hi))]
        self.sketch.node("Clip", [source, *bounds], output, shape)

    def multi_threshold(
        self, source: str, thresholds: str, output: str, shape: tuple[int, ...], axes: Axes, dtype: IntType
    ) -> None:
        """Count the thresholds that are reached, on a tensor in the order `axes`, from the least of `dtype` on."""
        bipolar = dtype.kind == "bipolar"
        self.sketch.node(
            "MultiThreshold",
            [source, thresholds],
            output,
            shape,
            domain=QONNX_DOMAIN,
            out_dtype=finn_name(dtype),
            out_scale=2.0 if bipolar else 1.0,
            out_bias=-1.0 if bipolar else float(dtype.lo),
            data_layout="N" + "".join("C" if axis == len(axes) - 1 else "HWD"[axis] for axis in axes),
        )

    def padded(self, source: str, name: str, padding: Pads, fill: int) -> str:
        """A Pad node in front of what makes `name`, on channels-first tensors."""
        full = [0, 0, *(before for before, _ in padding), 0, 0, *(after for _, after in padding)]
        held = self.sketch.constant(f"{name}_pads", np.array(full, dtype=np.int64))
        value = self.sketch.integers(f"{name}_pad_value", np.array(fill))
        before, rank = self.sketch.shapes[source], len(full) // 2
        shape = tuple(before[axis] + full[axis] + full[axis + rank] for axis in range(rank))
        return self.sketch.node("Pad", [source, held, value], self.sketch.unique(f"{name}_padded"), shape)

    def pool_source(self, operation: MaxPool | SumPool, name: str, fill: int) -> tuple[str, list[int]]:
        """The channels-first input of a pool, and its pads; those as large as the kernel need a node of their own."""
        source = self.arranged(operation.inputs[0], self.first(operation.inputs[0]))
        padding = operation.padding
        pads = [before for before, _ in padding] + [after for _, after in padding]
        if all(max(pair) < kernel for pair, kernel in zip(padding, operation.kernel, strict=True)):
            return source, pads
        return self.padded(source, name, padding, fill), [0] * len(pads)

    def check_sums(self, accumulator: IntType) -> None:
        """Raise InputError where a sum is not exact in float32."""
        if max(-accumulator.lo, accumulator.hi) > EXACT:
            raise InputError(f"its sums reach {accumulator}, beyond the 2^24 of float32; use fewer bits or split it")
