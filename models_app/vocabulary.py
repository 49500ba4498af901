"""The vocabulary of an assistant's newest training data."""

from functools import lru_cache

from models_app.data.vocabulary import Vocabulary, vocabulary
from models_app.models import Assistant, RevisionFile
from models_app.services.revisions import newest_revision


def vocabulary_of(assistant: Assistant) -> Vocabulary:
    """Empty for an assistant without training data. Nobody changes it: others are given the same."""
    newest = newest_revision(assistant)
    return _vocabulary(newest.pk, bytes(newest.digest)) if newest else Vocabulary()


@lru_cache(maxsize=16)
def _vocabulary(pk: int, digest: bytes) -> Vocabulary:
    """A revision never changes."""
    files = RevisionFile.objects.filter(revision=pk).order_by("path").values_list("path", "blob__content")
    return vocabulary({path: bytes(content) for path, content in files})
