"""What was taken away for good, and what keeps it away."""

from django.db import models

from models_app.models import Assistant


class Tombstone(models.Model):
    """Somebody of whom everything was erased: known by the keyed hash alone, which nothing leads back from.

    What they said up to `up_to` is refused for ever, however often it is sent again; what they say later is welcome.
    """

    assistant = models.ForeignKey(Assistant, on_delete=models.CASCADE, related_name="+", db_index=False)
    sender_key = models.BinaryField(max_length=32)
    up_to = models.FloatField()  # Rasa's time, seconds since 1970; infinite for an id that nobody comes back under
    erased_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["assistant", "sender_key"], name="tombstone_once")]

    def __str__(self) -> str:
        return bytes(self.sender_key).hex()[:16]
