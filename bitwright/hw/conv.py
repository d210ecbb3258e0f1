"""Conv in hardware: a sliding-window unit and a matrix-vector unit (FINN, Umuroglu et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bitwright.errors import FoldingError
from bitwright.graph import Conv, Linear, Operation, Requant, TensorSpec, Threshold
from bitwright.graph.ops.sliding import SlidingWindow
from bitwright.graph.types import IntType
from bitwright.hw.folding import LayerFolding
from bitwright.hw.linear import LayerShape, TailFactory, matrix_vector_unit
from bitwright.hw.stage import Stage
from bitwright.hw.window import WindowStage
from bitwright.hw.window_schedule import WindowSchedule


def on_image(window: SlidingWindow) -> SlidingWindow:
    """A window over a signal as one over an image of a single row."""
    if len(window.size) == 2:
        return window
    return SlidingWindow(
        (1, *window.size), (1, *window.kernel), (1, *window.stride), ((0, 0), *window.padding), (1, *window.dilation)
    )


def matrix(op: Conv) -> Linear:
    """The layer as one matrix: a row for each output, its inputs element by element of the kernel."""
    return Linear(
        name=op.name,
        inputs=op.inputs,
        output=op.output,
        weights=op.weights.reshape(len(op.weights), -1),
        weight_type=op.weight_type,
        bias=op.bias,
    )


def pad_in_type(op: Conv, dtype: IntType) -> int:
    """The value that stands in for padding in the stream: the padding itself where the type has it."""
    return op.pad_value if dtype.contains(np.array([op.pad_value])) else dtype.lo


def position_classes(op: Conv, source: TensorSpec) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Classes of positions by the part of their window in the padding, where the stream cannot hold the padding.

    (rows, columns) numbers of the classes, and (classes, outputs) what each output gets wrong by the value that stands
    in for the padding. None when the stream holds the padding as it is.
    """
    window = on_image(op.window(source))
    gap = op.pad_value - pad_in_type(op, source.dtype)
    if not gap or not window.padded:
        return None
    (height, width), (rows, columns) = window.size, window.taps
    row_outside, column_outside = (rows < 0) | (rows >= height), (columns < 0) | (columns >= width)
    row_kinds, row_class = np.unique(row_outside, axis=0, return_inverse=True)
    column_kinds, column_class = np.unique(column_outside, axis=0, return_inverse=True)
    classes = row_class.reshape(-1, 1) * len(column_kinds) + column_class.reshape(1, -1)
    taps = op.weights.astype(np.int64).sum(axis=-1).reshape(len(op.weights), *window.kernel)
    outside = row_kinds[:, None, :, None] | column_kinds[None, :, None, :]
    offsets = gap * np.einsum("rcyx,oyx->rco", outside.astype(np.int64), taps)
    return classes, offsets.reshape(-1, len(op.weights))


def tiled(op: Operation | None, classes: int, outputs: int) -> Operation | None:
    """A Threshold or Requant with its rows once for each class of positions."""
    if classes == 1 or op is None:
        return op

    def tile(values: NDArray[np.int64]) -> NDArray[np.int64]:
        every = np.broadcast_to(values, (outputs, *values.shape[1:]))
        return np.tile(every, (classes, *(1,) * (values.ndim - 1)))

    if isinstance(op, Threshold):
        return replace(op, thresholds=tile(op.thresholds), ascending=tile(op.ascending))
    assert isinstance(op, Requant)
    return replace(op, multiplier=tile(op.multiplier), offset=tile(op.offset))


def is_pointwise(window: SlidingWindow) -> bool:
    """Whether every window is one pixel and every pixel one window."""
    return window.out == window.size and all(k == 1 for k in window.kernel) and not window.padded


def window_schedule(op: Conv, source: TensorSpec, lanes: LayerFolding) -> tuple[WindowSchedule, int]:
    """The schedule of the layer's sliding-window unit at a folding, and the channels of a word."""
    window = on_image(op.window(source))
    channels, per_group = source.shape[-1], op.weights.shape[-1]
    if op.groups > 1 and per_group == 1:
        word = max(1, lanes.pe * op.groups // len(op.weights))
        return WindowSchedule(window, channels // word, channels // word, lanes.simd, lanes.pixels), word
    word = min(lanes.simd, per_group)
    return WindowSchedule(window, channels // word, op.groups, lanes.simd // word, lanes.pixels), word


def with_depth(schedule: WindowSchedule, name: str, buffers: Mapping[str, int]) -> WindowSchedule:
    """The schedule with the chosen depth of its line buffer. Raises FoldingError for one that gets stuck."""
    if name not in buffers:
        return schedule
    if buffers[name] < schedule.least_depth:
        raise FoldingError(
            f"line buffer '{name}': {buffers[name]} words hold no whole window; it needs {schedule.least_depth}"
        )
    return replace(schedule, words_kept=buffers[name])


def conv_stages(
    name: str,
    op: Conv,
    source: TensorSpec,
    make_tail: TailFactory,
    lanes: LayerFolding,
    buffers: Mapping[str, int],
) -> list[Stage]:
    """The stages of the layer in the order of the data's way; the last one is the matrix-vector unit."""
    window = on_image(op.window(source))
    stages: list[Stage] = []
    vectors = source
    if not is_pointwise(window) or lanes.pixels > 1:
        schedule, word = window_schedule(op, source, lanes)
        depthwise = op.groups > 1 and op.weights.shape[-1] == 1
        unit = WindowStage(
            f"{name}_window",
            source,
            word,
            with_depth(schedule, f"{name}_window", buffers),
            pad=pad_in_type(op, source.dtype),
            tapwise=depthwise,
        )
        stages.append(unit)
        vectors = unit.result
    found = position_classes(op, source)
    shape = LayerShape(op.groups, lanes.pixels, *(found or (None, None)))
    streamed = lanes.weights == "stream"
    layer = matrix_vector_unit(
        name, matrix(op), vectors, make_tail, pe=lanes.pe, simd=lanes.simd, shape=shape, streamed=streamed
    )
    return [*stages, layer]
