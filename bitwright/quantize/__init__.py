"""From PyTorch to integers: binary, ternary and few-bit layers, and `lower`, which finds their exact integer form."""

from __future__ import annotations

from bitwright.quantize.binary_activation import BinaryActivation
from bitwright.quantize.binary_conv import BinaryConv1d, BinaryConv2d
from bitwright.quantize.binary_input import BinaryInput
from bitwright.quantize.binary_linear import BinaryLinear
from bitwright.quantize.integer_activation import integer_activation, integer_input
from bitwright.quantize.integer_conv import integer_conv1d, integer_conv2d
from bitwright.quantize.integer_linear import integer_linear
from bitwright.quantize.latent import clip_latent_weights_
from bitwright.quantize.lowering import lower, reference_integers
from bitwright.quantize.post_training import post_training_quantize
from bitwright.quantize.ternary_conv import TernaryConv1d, TernaryConv2d
from bitwright.quantize.ternary_linear import TernaryLinear
from bitwright.quantize.thermometer_input import ThermometerInput
from bitwright.quantize.ties import RoundingTieWarning

__all__ = [
    "BinaryActivation",
    "BinaryConv1d",
    "BinaryConv2d",
    "BinaryInput",
    "BinaryLinear",
    "RoundingTieWarning",
    "TernaryConv1d",
    "TernaryConv2d",
    "TernaryLinear",
    "ThermometerInput",
    "clip_latent_weights_",
    "integer_activation",
    "integer_conv1d",
    "integer_conv2d",
    "integer_input",
    "integer_linear",
    "lower",
    "post_training_quantize",
    "reference_integers",
]
