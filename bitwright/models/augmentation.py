"""Small random shifts, rotations and zooms of images, for training sets of a few thousand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Augmentation:
    """The largest random change of an image; each is drawn uniformly between minus and plus its value.

    `shift` in pixels on either axis, `rotation` in degrees, `zoom` as a fraction of the size.
    """

    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0

    @property
    def active(self) -> bool:
        """Whether anything changes."""
        return bool(self.shift or self.rotation or self.zoom)


def augment(x: Tensor, image_shape: tuple[int, int], change: Augmentation) -> Tensor:
    """Changed copies of flat images `x` (batch, height * width), bilinear, black outside, by torch's random state."""
    height, width = image_shape
    count = len(x)

    def draw(largest: float) -> Tensor:
        return (2 * torch.rand(count, dtype=x.dtype) - 1) * largest

    angle = draw(math.radians(change.rotation))
    size = 1 + draw(change.zoom)
    cos, sin = torch.cos(angle) / size, torch.sin(angle) / size
    across, down = draw(2 * change.shift / width), draw(2 * change.shift / height)
    affine = torch.stack([torch.stack([cos, -sin, across], 1), torch.stack([sin, cos, down], 1)], 1)
    grid = nn.functional.affine_grid(affine, [count, 1, height, width], align_corners=False)
    moved = nn.functional.grid_sample(x.reshape(count, 1, height, width), grid, align_corners=False)
    return moved.reshape(count, height * width)
