"""Collects the plans of a network, layer by layer, and says what each layer's value then is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from bitwright.errors import InputError, LoweringError
from bitwright.graph import Conv, Flatten, IntArray, Linear, Operation, Permute, Reshape, TensorSpec
from bitwright.quantize.input_quantizer import read_input_quantizer
from bitwright.quantize.layout import Layout, Places
from bitwright.quantize.plan import (
    IndexPlan,
    InputPlan,
    OperationPlan,
    Plan,
    QuantizePlan,
    QuantizerReading,
    Stage,
    SumsReading,
)
from bitwright.quantize.value import (
    IndexValue,
    IntegerValue,
    PaddedValue,
    RealFunction,
    RealInput,
    Reals,
    Value,
    grid_value,
    uniform,
)
from bitwright.quantize.window import Window

MAX_INPUT_BITS = 8
"""Widest activations that a linear layer or convolution takes."""

QUANTIZE_FIRST = "put a quantizer before it, such as integer_input(8), BinaryInput() or integer_activation(bits)"


class Planner:
    """`plans` grows in topological order. `node` is always the name of the fx node that a plan stands for."""

    def __init__(self) -> None:
        """No plans; "input" is taken as a name."""
        self.plans: list[Plan] = []
        self.names = {"input"}

    # Operations

    def operation(
        self,
        node: str,
        operation: Operation,
        sources: tuple[IntegerValue, ...],
        layout: Callable[[tuple[int, ...]], Layout],
        real: RealFunction | None = None,
        slope: Reals | None = None,
        step: float | None = None,
    ) -> tuple[TensorSpec, Layout]:
        """Plan `operation` on `sources`; `layout` makes its output's layout from the shape. Returns what it gives."""
        try:
            spec = operation.infer(*(TensorSpec(source.shape, source.dtype) for source in sources))
        except InputError as error:
            raise LoweringError(operation.name, str(error), "use fewer bits, or other sizes") from error
        found = layout(spec.shape)
        self.plans.append(OperationPlan(operation.name, node, operation, found, real, slope, step))
        return spec, found

    def sums(self, node: str, name: str, value: Value, reading: SumsReading) -> IntegerValue:
        """The value behind an integer linear layer or convolution."""
        padded, name = value, self.unique(name)
        source = self.integers(name, value.inner if isinstance(value, PaddedValue) else value)
        step = source.grid_step
        if step is None:
            raise LoweringError(
                name,
                "its input is not quantized to one scale for all channels",
                "put a quantizer with one scale directly before it, such as integer_activation(bits)",
            )
        if source.dtype.width > MAX_INPUT_BITS:
            raise LoweringError(
                name, f"its input has {source.dtype.width} bits, more than {MAX_INPUT_BITS}", QUANTIZE_FIRST
            )
        if reading.window is None:
            source = self._channels_last(node, name, self.integers(name, padded))
            operation, lows, highs = self._linear(name, source, reading)
        else:
            source = self.channels_first(node, name, source)
            window = self.merge_pads(name, padded, reading.window)
            operation, lows, highs = self._conv(name, source, reading, window, step)

        def real(sums: Tensor) -> Tensor:
            return reading.real(sums, step)

        slope = np.array(reading.slope * step)
        behind = Layout.same if reading.window is None else Layout.channels_first
        spec, layout = self.operation(node, operation, (source,), behind, real, slope)
        return IntegerValue(
            tensor=name,
            layout=layout,
            dtype=spec.dtype,
            lo=lows,
            hi=highs,
            steps=(real,),
            slope=slope,
            offset=np.array(reading.bias),
            rising=np.sign(slope).astype(np.int64),
        )

    def _linear(self, name: str, source: IntegerValue, reading: SumsReading) -> tuple[Operation, IntArray, IntArray]:
        weights = reading.weights
        if len(source.shape) == 1 and weights.shape[1] == source.channels:
            # A flattened image arrives channels last; the weights follow it.
            weights = weights[:, source.layout.inverse]
        operation = Linear(
            name=name, inputs=(source.tensor,), output=name, weights=weights, weight_type=reading.weight_type
        )
        lows, highs = operation.bounds(source.dtype)
        return operation, np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64)

    def _conv(
        self, name: str, source: IntegerValue, reading: SumsReading, window: Window, step: float
    ) -> tuple[Operation, IntArray, IntArray]:
        try:
            operation = Conv(
                name=name,
                inputs=(source.tensor,),
                output=name,
                weights=reading.weights,
                weight_type=reading.weight_type,
                stride=window.stride,
                padding=window.padding,
                dilation=window.dilation,
                groups=window.groups,
                pad_value=_integer_pad(name, window, step),
            )
            lows, highs = operation.bounds(TensorSpec(source.shape, source.dtype))
        except InputError as error:
            raise LoweringError(name, str(error), "use another kernel, padding or size") from error
        return operation, np.array(lows, dtype=np.int64), np.array(highs, dtype=np.int64)

    def quantize(
        self, node: str, name: str, layer: nn.Module, value: Value, reading: QuantizerReading, stage: Stage = "node"
    ) -> IntegerValue:
        """The value behind a quantizer: the network's input type for a RealInput, else one operation."""
        # No operation stands for the input's quantizer, so it may be called like the input itself.
        name = name if isinstance(value, RealInput) and name == "input" else self.unique(name)
        if isinstance(value, RealInput):
            quantizer = read_input_quantizer(name, layer, reading)
            if not any(isinstance(one, InputPlan) and one.quantizer == quantizer for one in self.plans):
                self.plans.append(InputPlan(name, node, quantizer, reading, value.layout, stage))
            scale = np.broadcast_to(reading.scale, value.layout.shape[-1:])
            return self._flat(node, "flatten", grid_value("input", value.layout, reading.dtype, np.array(scale)))
        source = self.integers(name, value)
        scale = self._channel_scale(name, source, reading)
        reading = replace(reading, scale=scale)
        self.plans.append(QuantizePlan(name, node, source, reading, stage))
        return grid_value(name, source.layout, reading.dtype, np.array(np.broadcast_to(scale, source.shape[-1:])))

    @staticmethod
    def _channel_scale(name: str, source: IntegerValue, reading: QuantizerReading) -> Reals:
        if reading.scale.size == 1:
            return reading.scale
        axis = source.layout.channel_axis
        if axis is None or axis - len(source.layout.module_shape) != reading.scale_axis:
            raise LoweringError(name, "has a scale for each position", "use one for the tensor, or for each channel")
        if reading.scale.size != source.channels:
            raise LoweringError(
                name, f"has {reading.scale.size} scales for {source.channels} channels", "use one for each channel"
            )
        return source.layout.channel_values(reading.scale)

    def indices(self, node: str, name: str, value: IntegerValue, k: int | None) -> IndexValue:
        """The value behind an arg-max (`k` is None) or top-k."""
        if len(value.layout.module_shape) != 1:
            raise LoweringError(name, f"its input has shape {value.layout.module_shape}", "flatten first")
        if not value.affine or value.uniform_slope is None:
            raise LoweringError(
                name,
                "its channels have different scales, so the order of the integers is not the order of the scores",
                "use one scale in the last layer (per_channel=False, no BatchNorm), or return the scores",
            )
        value = self.arrange(node, name, value, Layout.same(value.layout.module_shape))
        name = self.unique(name)
        self.plans.append(IndexPlan(name, node, value, k))
        return IndexValue(name)

    def negate_weights(self, tensor: str, signs: IntArray) -> bool:
        """Negate the channels of the sum `tensor` where `signs` (channels,) is -1; False where weights cannot do it.

        The real values that PyTorch gives stay what they are.
        """
        place = next((i for i, one in enumerate(self.plans) if one.name == tensor), None)
        plan = None if place is None else self.plans[place]
        if place is None or not isinstance(plan, OperationPlan) or not isinstance(plan.operation, Linear | Conv):
            return False
        assert plan.real is not None
        assert plan.slope is not None
        operation, first, reals = plan.operation, plan.real, signs.astype(np.float64)
        weights = operation.weights.astype(np.int64) * signs.reshape(-1, *(1,) * (operation.weights.ndim - 1))
        if not operation.weight_type.contains(weights):
            return False

        def real(sums: Tensor) -> Tensor:
            return first(sums * sums.new_tensor(reals))

        self.plans[place] = replace(
            plan, operation=replace(operation, weights=weights), real=real, slope=plan.slope * reals
        )
        return True

    # Rearrangements

    def view(self, node: str, name: str, value: Value, change: Callable[[Places], Places]) -> Value:
        """The value after a reshape or transposition of the module's tensor; only a flat result costs an operation."""
        if isinstance(value, RealInput):
            return RealInput(value.layout.view(change))
        if isinstance(value, IndexValue):
            raise LoweringError(name, "reshapes indices", "leave the indices as they are")
        found = self.integers(name, value)
        layout = found.layout.view(change)
        if layout.module_shape == found.layout.module_shape and np.array_equal(layout.places, found.layout.places):
            return value
        return self._flat(node, name, replace(found, layout=layout), found.grid_step)

    def _flat(self, node: str, name: str, value: IntegerValue, step: float | None = None) -> IntegerValue:
        """A value that is flat in the module, made flat in the network."""
        if len(value.layout.module_shape) != 1 or len(value.shape) == 1:
            return value
        name = self.unique(name)
        operation = Flatten(name=name, inputs=(value.tensor,), output=name)
        places = value.layout.places
        _, layout = self.operation(node, operation, (value,), lambda shape: Layout(shape, places), step=step)
        return replace(value.spread(layout), tensor=name)

    def channels_first(self, node: str, name: str, value: IntegerValue) -> IntegerValue:
        """The value with its channels, axis 0 in the module, last in the network."""
        shape = value.layout.module_shape
        if value.layout.is_channels_first:
            return value
        if len(shape) not in (2, 3):
            raise LoweringError(name, f"its input has shape {shape}", "give it (channels, length) or an image")
        return self.arrange(node, name, value, Layout.channels_first((*shape[1:], shape[0])))

    def _channels_last(self, node: str, name: str, value: IntegerValue) -> IntegerValue:
        if len(value.layout.module_shape) == 1 == len(value.shape):
            return value
        return self.arrange(node, name, value, Layout.same(value.layout.module_shape))

    def arrange(self, node: str, name: str, value: IntegerValue, wanted: Layout) -> IntegerValue:
        """The value in another layout, by a Reshape where the order stays and by a Permute where it does not."""
        order = value.layout.places.reshape(-1)[wanted.inverse]
        in_order = np.array_equal(order, np.arange(order.size))
        if in_order and value.shape[-1] == wanted.shape[-1]:
            return self._reshaped(node, name, replace(value, layout=wanted), value.shape)
        flat = replace(value, layout=Layout(value.shape, np.arange(order.size)))
        flat = self._flat(node, f"{name}.flatten", flat)
        if not in_order:
            flat = self._permuted(node, f"{name}.order", flat, order)
        if len(wanted.shape) == 1:
            return replace(flat, layout=wanted)
        step = value.grid_step
        if step is None:
            raise LoweringError(name, "its input is rearranged before a quantizer", "put a quantizer first")
        shaped = replace(flat, layout=Layout(flat.shape, wanted.places))
        made = self._reshaped(node, name, replace(shaped, layout=wanted), flat.shape)
        return grid_value(made.tensor, wanted, made.dtype, uniform(step, wanted.shape[-1]))

    def _reshaped(self, node: str, name: str, value: IntegerValue, shape: tuple[int, ...]) -> IntegerValue:
        """`value`, whose layout is wanted already, from a tensor of `shape`."""
        if value.shape == shape:
            return value
        name = self.unique(f"{name}.reshape")
        operation: Operation = (
            Flatten(name=name, inputs=(value.tensor,), output=name)
            if len(value.shape) == 1
            else Reshape(name=name, inputs=(value.tensor,), output=name, shape=value.shape)
        )
        before = replace(value, layout=Layout.same(shape))
        self.operation(node, operation, (before,), lambda _: value.layout)
        return replace(value, tensor=name)

    def _permuted(self, node: str, name: str, value: IntegerValue, order: IntArray) -> IntegerValue:
        name = self.unique(name)
        operation = Permute(name=name, inputs=(value.tensor,), output=name, order=order)
        self.operation(node, operation, (value,), lambda shape: value.layout)
        back = np.argsort(order)

        def moved(step: RealFunction) -> RealFunction:
            return lambda x: step(x[:, back])[:, order]

        return replace(
            value,
            tensor=name,
            lo=value.lo[order],
            hi=value.hi[order],
            steps=tuple(moved(step) for step in value.steps),
            slope=None if value.slope is None else value.slope[order],
            offset=None if value.offset is None else value.offset[order],
            rising=value.rising[order],
        )

    # Values and names

    def integers(self, name: str, value: Value) -> IntegerValue:
        """`value`, which must be a function of integers. Raises LoweringError otherwise."""
        if isinstance(value, RealInput):
            raise LoweringError(name, "sees the real input of the network", QUANTIZE_FIRST)
        if isinstance(value, PaddedValue):
            raise LoweringError(name, "sees padding", "pad directly before the convolution or pool")
        if not isinstance(value, IntegerValue):
            raise LoweringError(name, "does not follow scores but indices or numbers", "put it before them")
        return value

    @staticmethod
    def merge_pads(name: str, value: Value, window: Window) -> Window:
        """`window` with the padding that stands before its layer."""
        if not isinstance(value, PaddedValue):
            return window
        if window.is_padded and window.pad_value != value.value:
            raise LoweringError(name, "pads with another value than the padding before it", "pad once")
        if len(value.pads) != len(window.kernel):
            raise LoweringError(name, f"has padding on {len(value.pads)} axes before it", "pad its spatial axes")
        return replace(window.padded(value.pads), pad_value=value.value)

    def unique(self, name: str) -> str:
        """`name`, with a number when it is taken (a layer that is called twice)."""
        found, number = name, 1
        while found in self.names:
            found, number = f"{name}_{number}", number + 1
        self.names.add(found)
        return found


def _integer_pad(name: str, window: Window, step: float) -> int:
    if not window.is_padded:
        return 0
    integer = int(np.rint(window.pad_value / step))
    if not math.isfinite(window.pad_value) or integer * step != window.pad_value:
        raise LoweringError(
            name, f"pads with {window.pad_value}, no multiple of its input's scale {step}", "pad with 0 or a multiple"
        )
    return integer
