"""The pages' own forms and filters, asked by programs: what they refuse, and what they take, for the description."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS

from studio.errors import Invalid

_TYPES: tuple[tuple[type[forms.Field], str], ...] = (
    (forms.BooleanField, "boolean"),
    (forms.FloatField, "number"),
    (forms.IntegerField, "integer"),
)


def checked(form: forms.Form, called: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a form makes of its data. Raises Invalid, which names each place; `called` are other names of fields."""
    if form.is_valid():
        return form.cleaned_data
    names = called or {}
    errors = [
        {"where": "" if name == NON_FIELD_ERRORS else names.get(name, name), "message": str(text)}
        for name, texts in form.errors.items()
        for text in texts
    ]
    first = ": ".join(filter(None, errors[0].values()))
    raise Invalid(f"The request is not what it must be. {first}", errors=errors)


def described(fields: Mapping[str, forms.Field], more: Mapping[str, str] | None = None) -> dict[str, Any]:
    """For `openapi_extra`: each field of a filter as a parameter of the address. `more` are names for the same."""
    found = [_parameter(name, field, str(field.label or "")) for name, field in fields.items()]
    found += [_parameter(name, fields[of], f"The same as `{of}`.") for name, of in (more or {}).items()]
    return {"parameters": found}


def _parameter(name: str, field: forms.Field, about: str) -> dict[str, Any]:
    kind = next((word for type_, word in _TYPES if isinstance(field, type_)), "string")
    schema: dict[str, Any] = {"type": kind}
    # Choices that every assistant has; others come with the rows.
    if isinstance(field, forms.ChoiceField) and (values := [str(value) for value, _label in field.widget.choices]):
        schema["enum"] = values
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": about}
