"""What the body of a request holds."""

from typing import Any

from ninja import Schema
from ninja.schema import DjangoGetter
from pydantic import model_validator


class Body(Schema):
    """A JSON object. Schema alone reads its fields off anything, so a list would be a body that leaves them all out."""

    @model_validator(mode="before")
    @classmethod
    def _is_object(cls, values: Any) -> Any:
        given = values._obj if isinstance(values, DjangoGetter) else values
        if not isinstance(given, dict | cls):
            raise ValueError("It must be a JSON object.")
        return values
