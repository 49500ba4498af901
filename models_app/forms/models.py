"""Forms of models: their tags, and which are kept."""

from collections.abc import Mapping

from django import forms

from models_app.models import valid_name


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


class KeepForm(forms.Form):
    """Marks a model to be kept; `drop` is the button that takes the mark away."""

    reason = forms.CharField(
        max_length=200,
        required=False,
        label="Why",
        help_text="Shown where somebody would delete it.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    drop = forms.BooleanField(required=False, widget=forms.HiddenInput)


class ModelRetentionForm(forms.Form):
    newest = forms.IntegerField(
        min_value=1,
        max_value=10_000,
        label="Keep the newest",
        help_text="So many models stay whatever they are. Of the older ones those that something needs.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
