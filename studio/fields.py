"""Columns that hold secrets, so that whoever must know finds them all: key rotation, checks, the operators' pages."""

from typing import Any

from django.db import models


class EncryptedField(models.BinaryField):  # type: ignore[type-arg]
    """What studio.crypto.encrypt makes. To the database, and so to migrations, it is bytes like any other."""

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", list(args), dict(kwargs)
