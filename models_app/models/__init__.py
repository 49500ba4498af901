"""Assistants, their training data, their models, the names (tags) models carry, and the trainings that make them."""

from models_app.models.artifacts import (
    MODEL_NAME_PATTERN,
    RESERVED_MODEL_NAMES,
    Artifact,
    Model,
    Tag,
    valid_model_name,
)
from models_app.models.assistants import NAME_PATTERN, Assistant, valid_name
from models_app.models.data import Blob, Revision, RevisionFile
from models_app.models.retention import ModelRetention
from models_app.models.testing import Confusion, LabelScore, ModelTest, StoryFault
from models_app.models.training import PackageLock, TrainingJob, TrainingLog, TrainingSettings
from models_app.models.validation import Finding, Validation

__all__ = [
    "MODEL_NAME_PATTERN",
    "NAME_PATTERN",
    "RESERVED_MODEL_NAMES",
    "Artifact",
    "Assistant",
    "Blob",
    "Confusion",
    "Finding",
    "LabelScore",
    "Model",
    "ModelRetention",
    "ModelTest",
    "PackageLock",
    "Revision",
    "RevisionFile",
    "StoryFault",
    "Tag",
    "TrainingJob",
    "TrainingLog",
    "TrainingSettings",
    "Validation",
    "valid_model_name",
    "valid_name",
]
