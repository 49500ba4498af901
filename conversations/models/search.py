"""What conversations are found by."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from conversations.models.conversations import PERSON, Conversation
from conversations.querysets import SavedFilterQuerySet
from models_app.models import Assistant


class Term(models.Model):
    """A word or name that occurs in an assistant's conversations, so that parts of it can be looked up."""

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=1)  # search/terms.py says which there are
    value = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assistant", "kind", "value"], name="term_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class SearchEntry(models.Model):
    """All terms of one conversation, as numbers. Apart from the conversation, whose row changes with every event:
    this one changes only when something new was said or done, and so does its index."""

    # A trigger deletes it with the conversation, as it does its events.
    conversation = models.OneToOneField(
        Conversation, on_delete=models.CASCADE, primary_key=True, related_name="entry", db_constraint=False
    )
    terms = ArrayField(models.BigIntegerField())
    day = models.IntegerField()  # of the last event, counted from 1970: what is recent is found without all the rest

    class Meta:
        indexes = [
            GinIndex(fields=["terms"], name="search_entry_terms", gin_pending_list_limit=512),
            models.Index(fields=["day"]),
        ]

    def __str__(self) -> str:
        return f"{len(self.terms)} terms of {self.conversation_id}"


class SavedFilter(models.Model):
    """A list of conversations that somebody comes back to: the filters and the order of its address, under a name."""

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="saved_filters")
    owner = models.ForeignKey(PERSON, on_delete=models.CASCADE, related_name="saved_filters")
    name = models.CharField(max_length=80)
    query = models.TextField()  # of the address, without cursors
    is_shared = models.BooleanField(default=False)  # with everybody who sees the assistant's conversations
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["assistant", "owner", "name"], name="saved_filter_name")]

    def __str__(self) -> str:
        return self.name
