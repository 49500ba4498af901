"""Which models of an assistant are kept."""

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from models_app.models.assistants import Assistant

PERSON = settings.AUTH_USER_MODEL


class ModelRetention(models.Model):
    """The newest so many models stay, and those that something needs. Others are deleted by night when it is on."""

    assistant = models.OneToOneField(Assistant, on_delete=models.CASCADE, related_name="model_retention")
    newest = models.PositiveIntegerField(default=20, validators=[MinValueValidator(1), MaxValueValidator(10_000)])
    is_on = models.BooleanField(default=False)
    last_run_at = models.DateTimeField(null=True)
    last_deleted = models.PositiveIntegerField(default=0)  # models, by the last run
    last_freed = models.PositiveBigIntegerField(default=0)  # bytes
    changed_by = models.ForeignKey(PERSON, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"the newest {self.newest} models"
