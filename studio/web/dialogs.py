"""Dialogs that ask for a form and no more: components/form_dialog.html."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def form_dialog(
    request: HttpRequest, form: forms.BaseForm, heading: str, label: str = "Save", *, note: str = ""
) -> HttpResponse:
    """`label` is that of the button. A form that was sent and refused comes back with its errors, as 422."""
    context = {"heading": heading, "form": form, "label": label, "note": note}
    status = 422 if request.method == "POST" else 200
    return render(request, "components/form_dialog.html", context, status=status)
