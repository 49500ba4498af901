"""What people note about conversations: flags, tags, and who has read what. services/review.py alone writes it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from conversations.models.conversations import Conversation, Event
from models_app.models import Assistant

PERSON = settings.AUTH_USER_MODEL
LONGEST_TAG = 40


class ReadMark(models.Model):
    """How far a person has read a conversation; what happened after `read_until` makes it unread again.

    Its rows and those of Mark go with their conversation, whoever deletes it: the database sees to it.
    """

    person = models.ForeignKey(PERSON, on_delete=models.CASCADE, related_name="+", db_index=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="read_marks", db_constraint=False
    )
    read_until = models.FloatField()  # the last_event_at that was shown
    at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "conversation"], name="read_mark_once")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.conversation_id}"


class Mark(models.Model):
    """A flag or a tag, on a conversation or on one of its events; each stands there once, whoever set it."""

    class Kind(models.TextChoices):
        FLAG = "flag", "flag"
        TAG = "tag", "tag"

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+", db_index=False)
    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="marks", db_index=False, db_constraint=False
    )
    # Events go only together with their conversation; an own check would slow their deletion.
    event = models.ForeignKey(
        Event, on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=4, choices=Kind)
    name = models.CharField(max_length=LONGEST_TAG, blank=True)  # of a tag
    note = models.TextField(blank=True)
    by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "event", "kind", "name"], nulls_distinct=False, name="mark_once"
            ),
            models.CheckConstraint(condition=Q(kind="flag", name="") | Q(kind="tag") & ~Q(name=""), name="mark_named"),
        ]
        indexes = [models.Index(fields=["assistant", "name"], name="mark_names")]  # the names that are offered

    def __str__(self) -> str:
        return self.name or self.kind
