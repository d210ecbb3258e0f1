"""Fully connected layers with weights of 1 to 8 bits, made of Brevitas.

Brevitas takes seconds to import, so it is imported when the first layer is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bitwright.quantize.bits import check_bits

if TYPE_CHECKING:
    from torch import nn


def integer_linear(
    in_features: int, out_features: int, bits: int, *, per_channel: bool = True, bias: bool = False
) -> nn.Module:
    """A `brevitas.nn.QuantLinear` with signed weights of `bits` bits (1 to 8) and a real scale.

    1 bit: {-1, +1} times mean |W|. 2 to 8 bits: the symmetric range [-(2^(bits-1) - 1), 2^(bits-1) - 1], so 2 bits
    are ternary, times max |W| / (2^(bits-1) - 1). `per_channel` takes the scale over each output channel, else over
    the layer. `bias` is real; `lower` folds it exactly. Raises InputError for other `bits`.
    """
    check_bits("integer_linear", bits)
    from bitwright.quantize.brevitas_nn import qnn

    layer: nn.Module = qnn.QuantLinear(
        in_features,
        out_features,
        bias=bias,
        weight_quant=weight_quantizer(bits, per_channel),
    )
    return layer


def weight_quantizer(bits: int, per_channel: bool) -> Any:
    """Brevitas's weight quantizer for `bits` bits, as `integer_linear` describes it."""
    return _binary_weight(per_channel) if bits == 1 else _integer_weight(bits, per_channel)


def _integer_weight(bits: int, per_channel: bool) -> Any:
    from brevitas.quant import Int8WeightPerChannelFloat, Int8WeightPerTensorFloat

    quantizer: Any = Int8WeightPerChannelFloat if per_channel else Int8WeightPerTensorFloat
    return quantizer.let(bit_width=bits)


def _binary_weight(per_channel: bool) -> Any:
    """sign(W) * mean |W|, the scale of XNOR-Net (Rastegari et al., 2016)."""
    from brevitas.core.function_wrapper import TensorClampSte
    from brevitas.inject.enum import ScalingImplType, ScalingPerOutputType, StatsOp
    from brevitas.quant.binary import SignedBinaryWeightPerTensorConst

    output_type = ScalingPerOutputType.CHANNEL if per_channel else ScalingPerOutputType.TENSOR
    return SignedBinaryWeightPerTensorConst.let(
        # Brevitas's own choice clips the stored weights in place, which changes their mean at each call.
        tensor_clamp_impl=TensorClampSte,
        scaling_impl_type=ScalingImplType.STATS,
        scaling_stats_op=StatsOp.AVE,
        scaling_per_output_type=output_type,
    )
