"""What people fill in, by what it is about."""

from django import forms

from studio.errors import DomainError


def refuse(form: forms.Form, error: DomainError) -> None:
    """Say what a service refused, beside the field that it names."""
    field = error.details.get("field")
    form.add_error(field if isinstance(field, str) else None, error.message)
