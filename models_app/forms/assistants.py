"""Forms of assistants."""

from django import forms

from models_app.models import valid_name


class AssistantForm(forms.Form):
    title = forms.CharField(max_length=120, label="Name", widget=forms.TextInput(attrs={"autofocus": True}))
    slug = forms.CharField(
        max_length=63,
        label="Address",
        validators=[valid_name],
        widget=forms.TextInput(
            attrs={"data-address-of": "title", "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
        help_text="Part of the addresses that Rasa servers poll, so it can never be changed: small letters, digits, "
        "dots, dashes and underscores.",
    )


class RenameForm(forms.Form):
    title = forms.CharField(max_length=120, label="Name")
