"""Networks by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from bitwright.errors import InputError
from bitwright.models.classifier import Classifier
from bitwright.models.conv_topologies import CONV_TOPOLOGIES
from bitwright.models.convnet import ConvNet
from bitwright.models.mlp import DIGITS_INPUT, MLP, TOPOLOGIES
from bitwright.models.precision import PRECISIONS, canonical_precision
from bitwright.models.resnet import ResNet8

NETWORKS = (*TOPOLOGIES, *CONV_TOPOLOGIES, "resnet8")
"""The names of all networks."""


def create(name: str, precision: str, seed: int = 0) -> Classifier:
    """An untrained network `name`, one of NETWORKS, at `precision` ("float" to "w1a1").

    Inputs of the quantized MNIST networks have as many bits as the activations (one-bit pixels at w1a1, as in FINN);
    digits always keeps its 17 grey values, and all others take 8-bit inputs. The same seed gives the same weights; the
    caller's random state is left alone. Raises InputError for an unknown name or precision.
    """
    if name not in NETWORKS:
        raise InputError(f"unknown network '{name}'; choose one of {', '.join(NETWORKS)}")
    bits = PRECISIONS[canonical_precision(precision)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == "resnet8":
            return ResNet8(bits.weight_bits, bits.activation_bits)
        if name in CONV_TOPOLOGIES:
            return ConvNet(name, bits.weight_bits, bits.activation_bits)
        if name == "digits" and bits.activation_bits is not None:
            return MLP(TOPOLOGIES[name], bits.weight_bits, bits.activation_bits, *DIGITS_INPUT)
        return MLP(TOPOLOGIES[name], bits.weight_bits, bits.activation_bits)


def from_description(description: Mapping[str, Any]) -> Classifier:
    """The untrained network that `Classifier.description` tells of.

    Raises KeyError, TypeError, ValueError or InputError when it tells of none.
    """
    with torch.random.fork_rng(devices=[]):
        topology = description.get("topology")
        if topology is None:
            return MLP(
                tuple(int(size) for size in description["sizes"]),
                description["weight_bits"],
                description["activation_bits"],
                description["input_bits"],
                float(description.get("input_max", 1.0)),
            )
        if topology == "resnet8":
            return ResNet8(description["weight_bits"], description["activation_bits"])
        if topology not in CONV_TOPOLOGIES:
            raise InputError(f"unknown network '{topology}'; choose one of {', '.join(NETWORKS)}")
        return ConvNet(topology, description["weight_bits"], description["activation_bits"])
