"""The vocabulary of an assistant's newest training data."""

from functools import lru_cache

from models_app.data.vocabulary import Vocabulary, vocabulary
from models_app.models import Assistant, Revision
from models_app.services.revisions import files_of, newest_revision


def words_of(assistant: Assistant) -> Vocabulary:
    """Empty for an assistant without training data. Nobody changes it: others are given the same."""
    newest = newest_revision(assistant)
    return _words(newest.pk, bytes(newest.digest)) if newest else Vocabulary()


@lru_cache(maxsize=16)
def _words(pk: int, digest: bytes) -> Vocabulary:
    """A revision never changes."""
    return vocabulary(files_of(Revision.objects.get(pk=pk)))
