"""PyTorch's own operators on integers in float64, where every sum is exact: what a network's operation must give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bitwright.graph import (
    Add,
    Concat,
    Conv,
    Duplicate,
    Flatten,
    IntArray,
    Linear,
    MaxPool,
    Operation,
    Permute,
    Requant,
    Reshape,
    SumPool,
    Threshold,
    Upsample,
)

IMAGE_AXES = 2


def integer_result(operation: Operation, *inputs: IntArray) -> IntArray:
    """The integers that PyTorch gives for an operation that lowering plans; arrays (batch, ...) as in the network."""
    made = _RESULTS[type(operation)](operation, *inputs)
    return made.astype(np.int64, copy=False)


def _linear(operation: Linear, x: IntArray) -> NDArray[Any]:
    weights = torch.from_numpy(operation.weights.astype(np.float64))
    return functional.linear(torch.from_numpy(x.astype(np.float64)), weights).numpy()


def _image(x: IntArray, axes: int) -> Tensor:
    """(batch, *size, channels) as float64 (batch, channels, height, width), a signal with one row."""
    tensor = torch.from_numpy(x.astype(np.float64))
    return tensor.movedim(-1, 1) if axes == IMAGE_AXES else tensor.movedim(-1, 1).unsqueeze(2)


def _back(y: Tensor, axes: int) -> NDArray[Any]:
    result: NDArray[Any] = (y if axes == IMAGE_AXES else y.squeeze(2)).movedim(1, -1).contiguous().numpy()
    return result


def _padded(x: Tensor, padding: tuple[tuple[int, int], ...], value: float) -> Tensor:
    return functional.pad(x, [side for pair in reversed(padding) for side in pair], value=value)


def _both(values: tuple[int, ...], first: int) -> tuple[int, ...]:
    return values if len(values) == IMAGE_AXES else (first, *values)


def _conv(operation: Conv, x: IntArray) -> NDArray[Any]:
    axes = len(operation.kernel)
    weights = torch.from_numpy(np.moveaxis(operation.weights, -1, 1).astype(np.float64))
    image = _padded(_image(x, axes), operation.padding, operation.pad_value)
    sums = functional.conv2d(
        image,
        weights if axes == IMAGE_AXES else weights.unsqueeze(2),
        stride=_both(operation.stride, 1),
        dilation=_both(operation.dilation, 1),
        groups=operation.groups,
    )
    return _back(sums.round(), axes)


def _max_pool(operation: MaxPool, x: IntArray) -> NDArray[Any]:
    axes = len(operation.kernel)
    image = _padded(_image(x, axes), operation.padding, -np.inf)
    largest = functional.max_pool2d(
        image, _both(operation.kernel, 1), _both(operation.stride, 1), 0, _both(operation.dilation, 1)
    )
    return _back(largest, axes)


def _sum_pool(operation: SumPool, x: IntArray) -> NDArray[Any]:
    axes = len(operation.kernel)
    image = _padded(_image(x, axes), operation.padding, 0.0)
    sums = functional.avg_pool2d(image, _both(operation.kernel, 1), _both(operation.stride, 1), divisor_override=1)
    return _back(sums, axes)


def _add(operation: Add, *inputs: IntArray) -> NDArray[Any]:
    parts = [x.astype(np.int64) * multiplier for x, multiplier in zip(inputs, operation.multipliers, strict=True)]
    return np.asarray(np.sum(parts, axis=0))


def _concat(operation: Concat, *inputs: IntArray) -> NDArray[Any]:
    return torch.cat([torch.from_numpy(x.astype(np.int64)) for x in inputs], dim=-1).numpy()


def _upsample(operation: Upsample, x: IntArray) -> NDArray[Any]:
    axes = len(operation.factors)
    factors = tuple(float(factor) for factor in _both(operation.factors, 1))
    return _back(functional.interpolate(_image(x, axes), scale_factor=factors, mode="nearest"), axes)


def _flatten(operation: Flatten, x: IntArray) -> NDArray[Any]:
    return x.reshape(len(x), -1)


def _reshape(operation: Reshape, x: IntArray) -> NDArray[Any]:
    return x.reshape(len(x), *operation.shape)


def _permute(operation: Permute, x: IntArray) -> NDArray[Any]:
    return x[..., operation.order]


def _duplicate(operation: Duplicate, x: IntArray) -> NDArray[Any]:
    return np.concatenate([x, x[..., operation.copies]], axis=-1)


def _signs(operation: Requant, x: IntArray) -> NDArray[Any]:
    return x * operation.multiplier


def _mirror(operation: Threshold, x: IntArray) -> NDArray[Any]:
    return np.where(operation.ascending, x, -x)


_RESULTS: Mapping[type[Operation], Callable[..., NDArray[Any]]] = {
    Linear: _linear,
    Conv: _conv,
    MaxPool: _max_pool,
    SumPool: _sum_pool,
    Add: _add,
    Concat: _concat,
    Upsample: _upsample,
    Flatten: _flatten,
    Reshape: _reshape,
    Permute: _permute,
    Duplicate: _duplicate,
    Requant: _signs,
    Threshold: _mirror,
}
