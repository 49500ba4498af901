"""Forms of assistants and models."""

from collections.abc import Mapping

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


class TagForm(forms.Form):
    """Adds one tag, or removes the one whose button was pressed."""

    name = forms.CharField(
        max_length=63,
        label="Add a tag",
        validators=[valid_name],
        widget=forms.TextInput(
            attrs={"list": "known-tags", "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
    )
    remove = forms.CharField(max_length=63, required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, str] | None = None) -> None:
        super().__init__(data)
        self.fields["name"].required = not self.data.get("remove")
