"""Where the elements of a PyTorch tensor (channels first) lie in the network's tensor (channels last)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Places = NDArray[np.int64]

MAX_SEARCHED_AXES = 4
"""Tensors of more axes are images no more; their transpositions are not looked for."""


@dataclass(frozen=True, eq=False)
class Layout:
    """A bijection between the elements of the module's tensor and those of the network's, both without batch.

    `shape` is the network's; `places` has the module's shape, and each entry is the flat (C order) index of that
    element in the network's tensor. Views of the module's tensor are the same views of `places`.
    """

    shape: tuple[int, ...]
    places: Places

    @staticmethod
    def same(shape: tuple[int, ...]) -> Layout:
        """Both tensors alike."""
        return Layout(shape, np.arange(math.prod(shape), dtype=np.int64).reshape(shape))

    @staticmethod
    def channels_first(shape: tuple[int, ...]) -> Layout:
        """The network's (*size, channels) is the module's (channels, *size)."""
        return Layout(shape, np.moveaxis(Layout.same(shape).places, -1, 0))

    @staticmethod
    def by_axes(module_shape: tuple[int, ...], axes: tuple[int, ...]) -> Layout:
        """Axis i of the network is axis `axes[i]` of the module."""
        shape = tuple(module_shape[axis] for axis in axes)
        return Layout(shape, np.transpose(Layout.same(shape).places, np.argsort(axes)))

    @property
    def module_shape(self) -> tuple[int, ...]:
        """The shape of the module's tensor without batch."""
        return self.places.shape

    def view(self, change: Callable[[Places], Places]) -> Layout:
        """The layout behind a reshape or transposition of the module's tensor."""
        return Layout(self.shape, change(self.places))

    @cached_property
    def axes(self) -> tuple[int, ...] | None:
        """For each axis of the network the axis of the module; None when the layout is no transposition."""
        count = len(self.shape)
        if len(self.module_shape) != count or sorted(self.shape) != sorted(self.module_shape):
            return None
        if count > MAX_SEARCHED_AXES:
            return tuple(range(count)) if self.is_same else None
        channels_first = (*range(1, count), 0)
        for axes in (channels_first, *itertools.permutations(range(count))):
            if self.shape == tuple(self.module_shape[axis] for axis in axes):
                candidate = np.transpose(self.places, axes)
                if np.array_equal(candidate.reshape(-1), np.arange(candidate.size)):
                    return axes
        return None

    @property
    def is_same(self) -> bool:
        """Whether both tensors hold the same elements in the same order and shape."""
        return self.module_shape == self.shape and self._in_order

    @property
    def is_channels_first(self) -> bool:
        """Whether this is `channels_first(shape)`."""
        if self.module_shape != (self.shape[-1], *self.shape[:-1]):
            return False
        moved = np.moveaxis(self.places, 0, -1).reshape(-1)
        return np.array_equal(moved, np.arange(moved.size))

    @cached_property
    def _in_order(self) -> bool:
        return np.array_equal(self.places.reshape(-1), np.arange(self.places.size))

    @cached_property
    def inverse(self) -> Places:
        """For each flat element of the network the flat element of the module."""
        return np.argsort(self.places.reshape(-1))

    @cached_property
    def channel_axis(self) -> int | None:
        """The axis of the module along which the network's last axis runs, and it alone; None when there is none."""
        if self.axes is not None:
            return self.axes[-1]
        channels = self.shape[-1]
        index = self.places % channels
        for axis, length in enumerate(self.module_shape):
            line = index[tuple(slice(None) if a == axis else 0 for a in range(index.ndim))]
            spread = line.reshape(tuple(-1 if a == axis else 1 for a in range(index.ndim)))
            if length == channels and bool(np.all(index == spread)):
                return axis
        return None

    @cached_property
    def channel_order(self) -> Places | None:
        """For each channel of the module that of the network; None when they are in the same order."""
        axis = self.channel_axis
        if axis is None:
            return None
        ends = tuple(slice(None) if a == axis else 0 for a in range(self.places.ndim))
        order = self.places[ends] % self.shape[-1]
        return None if np.array_equal(order, np.arange(order.size)) else order

    def channel_values(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the module's channels, in the order of the network's."""
        return values if self.channel_order is None else values[np.argsort(self.channel_order)]

    def to_network(self, x: Tensor) -> Tensor:
        """A module's tensor (batch, *module_shape) as the network's (batch, *shape)."""
        if self.axes is not None:
            return x.permute(0, *(axis + 1 for axis in self.axes)).contiguous()
        flat = x.reshape(len(x), -1)
        return flat[:, torch.from_numpy(self.inverse)].reshape(len(x), *self.shape)

    def to_module(self, y: Tensor) -> Tensor:
        """The inverse of `to_network`."""
        if self.axes is not None:
            return y.permute(0, *(int(axis) + 1 for axis in np.argsort(self.axes))).contiguous()
        flat = y.reshape(len(y), -1)
        return flat[:, torch.from_numpy(np.ascontiguousarray(self.places.reshape(-1)))].reshape(
            len(y), *self.module_shape
        )
