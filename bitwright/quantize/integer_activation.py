"""Activations and inputs of 1 to 8 bits, made of Brevitas.

Brevitas takes seconds to import, so it is imported when the first layer is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from bitwright.errors import InputError
from bitwright.quantize.bits import check_bits

if TYPE_CHECKING:
    from torch import nn

COLLECT_BATCHES = 100
"""Training batches over which a scale without a given start is found."""


def integer_activation(bits: int, signed: bool = False, *, max_value: float | None = None) -> nn.Module:
    """A Brevitas activation of `bits` bits (1 to 8) with one learned scale.

    Unsigned: `QuantReLU` onto scale * [0, 2^bits - 1]. Signed: `QuantIdentity` onto the symmetric range
    scale * [-(2^(bits-1) - 1), 2^(bits-1) - 1] (2 bits: ternary); signed with 1 bit is the sign, {-1, +1}.
    The scale starts so that `max_value` is the largest value, or, without it, from the 99.999th percentile of the
    first 100 training batches; then it is trained. Raises InputError for other `bits` or a `max_value` <= 0.
    """
    check_bits("integer_activation", bits)
    from bitwright.quantize.brevitas_nn import qnn

    layer: nn.Module = (qnn.QuantIdentity if signed else qnn.QuantReLU)(
        act_quant=_quantizer("integer_activation", bits, signed, "PARAMETER", max_value)
    )
    return layer


def integer_input(bits: int, *, signed: bool = False, max_value: float | None = 1.0) -> nn.Module:
    """The input quantizer: a `brevitas.nn.QuantIdentity` of `bits` bits (1 to 8). Put it first in a network.

    With a `max_value` the scale is fixed: unsigned inputs are rounded to multiples of max_value / (2^bits - 1) and
    clipped to [0, max_value], signed ones to multiples of max_value / (2^(bits-1) - 1) in [-max_value, max_value].
    So `integer_input(8)` takes uint8 pixels divided by 255. `max_value=None` learns the scale as
    `integer_activation` does. Signed with 1 bit is the sign, {-1, +1}. Raises InputError for other `bits`.
    """
    check_bits("integer_input", bits)
    from bitwright.quantize.brevitas_nn import qnn

    layer: nn.Module = qnn.QuantIdentity(act_quant=_quantizer("integer_input", bits, signed, "CONST", max_value))
    return layer


def fixed_quantizer(bits: int, signed: bool, max_value: float) -> Any:
    """Brevitas's quantizer of `bits` bits with a fixed scale, as `integer_input` describes it."""
    return _quantizer("an input quantizer", bits, signed, "CONST", max_value)


def _quantizer(
    what: str, bits: int, signed: bool, scaling: Literal["PARAMETER", "CONST"], max_value: float | None
) -> Any:
    if max_value is not None and not 0 < float(max_value) < float("inf"):
        raise InputError(f"{what} needs a positive, finite max_value, not {max_value!r}")
    from brevitas.inject.enum import ScalingImplType
    from brevitas.quant import Int8ActPerTensorFloat, Uint8ActPerTensorFloat
    from brevitas.quant.binary import SignedBinaryActPerTensorConst

    if signed and bits == 1:
        return SignedBinaryActPerTensorConst
    quantizer: Any = Int8ActPerTensorFloat.let(narrow_range=True) if signed else Uint8ActPerTensorFloat
    if max_value is None:
        return quantizer.let(bit_width=bits, collect_stats_steps=COLLECT_BATCHES)
    return quantizer.let(bit_width=bits, scaling_impl_type=ScalingImplType[scaling], scaling_init=float(max_value))
