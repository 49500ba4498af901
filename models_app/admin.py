"""The tables of this app on the operators' pages."""

from models_app.models import (
    Artifact,
    Assistant,
    Blob,
    Confusion,
    Finding,
    LabelScore,
    Model,
    ModelRetention,
    ModelTest,
    PackageLock,
    Revision,
    RevisionFile,
    StoryFault,
    Tag,
    TrainingJob,
    TrainingLog,
    TrainingSettings,
    Validation,
)
from studio.operators.site import show

show(Assistant, ("pk", "slug", "title", "created_at", "deleted_at"), ("=pk", "slug", "title"))
show(
    Revision,
    ("pk", "assistant_id", "number", "message", "author_label", "created_at"),
    ("=pk", "=assistant__id", "message"),
)
show(RevisionFile, ("pk", "revision_id", "path"), ("=pk", "=revision__id", "=path"))
show(Blob, ("key_word", "size"), ("=size",))
show(Artifact, ("pk", "size", "stored_at", "freed_at", "checked_at", "problem"), ("^sha256", "=problem"))
show(
    Model,
    ("pk", "assistant_id", "name", "size", "origin", "rasa_version", "created_at", "deleted_at"),
    ("=pk", "=assistant__id", "name"),
)
show(ModelRetention, ("pk", "assistant_id", "newest", "is_on", "last_run_at"), ("=pk", "=assistant__id"))
show(Tag, ("pk", "assistant_id", "name", "kind", "model_id", "moved_at"), ("=pk", "=assistant__id", "name"))
show(
    TrainingJob,
    (
        *("pk", "assistant_id", "number", "kind", "priority", "state", "attempt", "worker"),
        *("requested_by_label", "requested_at", "finished_at"),
    ),
    ("=pk", "=assistant__id", "=state", "=worker"),
)
show(PackageLock, ("pk",), ("^sha256", "packages"))
show(TrainingLog, ("pk", "job_id", "attempt", "at"), ("=pk", "=job__id"))
show(
    TrainingSettings,
    ("pk", "rasa_version", "validate_first", "test_after", "minutes", "memory_mb"),
    ("=assistant__id",),
)
show(
    Validation,
    ("pk", "assistant_id", "revision_id", "job_id", "rasa_version", "errors", "warnings", "finished_at"),
    ("=pk", "=assistant__id", "=revision__id", "=job__id"),
)
show(Finding, ("pk", "validation_id", "severity", "path", "line"), ("=pk", "=validation__id", "=path"))
show(
    ModelTest,
    ("pk", "model_id", "stories", "stories_correct", "accuracy", "macro_f1", "at"),
    ("=job__id", "=model__id"),
)
show(LabelScore, ("pk", "test_id", "kind", "name", "f1", "support"), ("=pk", "=test__job__id", "=name"))
show(Confusion, ("pk", "test_id", "expected", "predicted", "count"), ("=pk", "=test__job__id", "=expected"))
show(StoryFault, ("pk", "test_id", "name", "path", "is_warning"), ("=pk", "=test__job__id"))
