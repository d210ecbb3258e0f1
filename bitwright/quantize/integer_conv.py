"""Convolutions with weights of 1 to 8 bits, made of Brevitas.

Brevitas takes seconds to import, so it is imported when the first layer is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from bitwright.quantize.bits import check_bits
from bitwright.quantize.integer_linear import weight_quantizer

if TYPE_CHECKING:
    from torch import nn

Sizes = int | Sequence[int]


def integer_conv1d(
    in_channels: int,
    out_channels: int,
    kernel_size: Sizes,
    bits: int,
    *,
    stride: Sizes = 1,
    padding: Sizes | Literal["same"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    per_channel: bool = True,
    bias: bool = False,
) -> nn.Module:
    """A `brevitas.nn.QuantConv1d` with signed weights of `bits` bits (1 to 8), scaled as `integer_linear` does.

    Everything else is as in torch.nn.Conv1d; `groups=in_channels` makes it depthwise. Raises InputError
    for other `bits`.
    """
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "bias": bias}
    return _conv("1d", in_channels, out_channels, kernel_size, bits, per_channel, options)


def integer_conv2d(
    in_channels: int,
    out_channels: int,
    kernel_size: Sizes,
    bits: int,
    *,
    stride: Sizes = 1,
    padding: Sizes | Literal["same"] = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    per_channel: bool = True,
    bias: bool = False,
) -> nn.Module:
    """A `brevitas.nn.QuantConv2d` with signed weights of `bits` bits (1 to 8), scaled as `integer_linear` does.

    Everything else is as in torch.nn.Conv2d; `groups=in_channels` makes it depthwise. Raises InputError
    for other `bits`.
    """
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "bias": bias}
    return _conv("2d", in_channels, out_channels, kernel_size, bits, per_channel, options)


def _conv(
    axes: str, fan_in: int, fan_out: int, kernel: Sizes, bits: int, per_channel: bool, options: dict[str, Any]
) -> nn.Module:
    check_bits(f"integer_conv{axes}", bits)
    from bitwright.quantize.brevitas_nn import qnn

    made: Any = qnn.QuantConv1d if axes == "1d" else qnn.QuantConv2d
    layer: nn.Module = made(fan_in, fan_out, kernel, weight_quant=weight_quantizer(bits, per_channel), **options)
    return layer
