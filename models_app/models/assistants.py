"""Assistants, and what names of assistants and tags look like."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from models_app.querysets import AssistantQuerySet

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,62}"
valid_name = RegexValidator(
    rf"^{NAME_PATTERN}\Z",
    "Use 1 to 63 small letters, digits, dots, dashes and underscores, beginning with a letter or digit.",
)
PERSON = settings.AUTH_USER_MODEL


class Assistant(models.Model):
    """One bot: its data, models, environments and conversations. The slug never changes, servers poll it."""

    slug = models.CharField(max_length=63, validators=[valid_name])
    title = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = AssistantQuerySet.as_manager()

    class Meta:
        ordering = ["title"]
        constraints = [
            models.UniqueConstraint(fields=["slug"], condition=Q(deleted_at=None), name="assistant_slug_unique")
        ]

    def __str__(self) -> str:
        return self.title
