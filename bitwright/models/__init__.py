"""Networks people deploy: the MLP family of FINN, its data, its training, and trained checkpoints."""

from __future__ import annotations

from bitwright.models.accuracy_table import AccuracyRow, accuracy_report, data_for, markdown_table
from bitwright.models.augmentation import Augmentation, augment
from bitwright.models.checkpoint import (
    Checkpoint,
    CheckpointInfo,
    load_checkpoint,
    load_pretrained,
    save_checkpoint,
    shipped_checkpoints,
)
from bitwright.models.data import Dataset, load
from bitwright.models.mlp import MLP, PRECISIONS, TOPOLOGIES, Precision, canonical_precision, create
from bitwright.models.recipes import recipe
from bitwright.models.training import Recipe, TrainingResult, accuracy, predict_classes, train

__all__ = [
    "MLP",
    "PRECISIONS",
    "TOPOLOGIES",
    "AccuracyRow",
    "Augmentation",
    "Checkpoint",
    "CheckpointInfo",
    "Dataset",
    "Precision",
    "Recipe",
    "TrainingResult",
    "accuracy",
    "accuracy_report",
    "augment",
    "canonical_precision",
    "create",
    "data_for",
    "load",
    "load_checkpoint",
    "load_pretrained",
    "markdown_table",
    "predict_classes",
    "recipe",
    "save_checkpoint",
    "shipped_checkpoints",
    "train",
]
