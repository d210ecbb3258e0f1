"""Networks people deploy: FINN's MLPs and convolutional networks, their data, training, and trained checkpoints."""

from __future__ import annotations

from bitwright.models.accuracy_table import DATA, AccuracyRow, accuracy_report, data_for, markdown_table
from bitwright.models.augmentation import Augmentation, augment
from bitwright.models.checkpoint import (
    Checkpoint,
    CheckpointInfo,
    load_checkpoint,
    load_pretrained,
    save_checkpoint,
    shipped_checkpoints,
)
from bitwright.models.classifier import Classifier
from bitwright.models.conv_topologies import CONV_TOPOLOGIES, ConvTopology, Stage
from bitwright.models.convnet import ConvNet
from bitwright.models.create import NETWORKS, create
from bitwright.models.data import Dataset, load
from bitwright.models.example_inputs import input_shape, random_network, settle_norms_, synthetic_inputs
from bitwright.models.mlp import MLP, TOPOLOGIES
from bitwright.models.precision import PRECISIONS, Precision, canonical_precision
from bitwright.models.recipes import recipe
from bitwright.models.resnet import ResNet8
from bitwright.models.training import Recipe, TrainingResult, accuracy, predict_classes, train

__all__ = [
    "CONV_TOPOLOGIES",
    "DATA",
    "MLP",
    "NETWORKS",
    "PRECISIONS",
    "TOPOLOGIES",
    "AccuracyRow",
    "Augmentation",
    "Checkpoint",
    "CheckpointInfo",
    "Classifier",
    "ConvNet",
    "ConvTopology",
    "Dataset",
    "Precision",
    "Recipe",
    "ResNet8",
    "Stage",
    "TrainingResult",
    "accuracy",
    "accuracy_report",
    "augment",
    "canonical_precision",
    "create",
    "data_for",
    "input_shape",
    "load",
    "load_checkpoint",
    "load_pretrained",
    "markdown_table",
    "predict_classes",
    "random_network",
    "recipe",
    "save_checkpoint",
    "settle_norms_",
    "shipped_checkpoints",
    "synthetic_inputs",
    "train",
]
