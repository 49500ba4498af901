"""Dialogs with a form: components/form_dialog.html, and what a service says against what was filled in."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from studio.errors import DomainError


def form_dialog(
    request: HttpRequest, form: forms.BaseForm, heading: str, label: str = "Save", *, note: str = ""
) -> HttpResponse:
    """`label` is that of the button. A form that was sent and refused comes back with its errors, as 422."""
    context = {"heading": heading, "form": form, "label": label, "note": note}
    status = 422 if request.method == "POST" else 200
    return render(request, "components/form_dialog.html", context, status=status)


def refuse(form: forms.BaseForm, error: DomainError) -> None:
    """Show a service's refusal at the field it names, else on top of the form."""
    field = error.details.get("field")
    form.add_error(field if isinstance(field, str) and field in form.fields else None, error.message)
