"""Forms of training data. A text comes back as it was typed, whatever is wrong with it."""

from collections.abc import Collection

from django import forms

from models_app.services.editing import usable_path
from studio.errors import DomainError

MESSAGE = forms.TextInput(attrs={"placeholder": "What changes, and why", "autocomplete": "off"})


class MessageForm(forms.Form):
    """What every save has: a message, and the revision it began from."""

    message = forms.CharField(max_length=300, required=False, label="Message", widget=MESSAGE)
    base = forms.IntegerField(required=False, widget=forms.HiddenInput)


class EditForm(MessageForm):
    text = forms.CharField(
        strip=False,
        required=False,
        widget=forms.Textarea(
            attrs={
                "data-editor": True,
                "wrap": "off",
                "rows": 26,
                "spellcheck": "false",
                "autocapitalize": "off",
                "autocomplete": "off",
            }
        ),
    )
    field_order = ["text", "message", "base"]


class PathForm(MessageForm):
    path = forms.CharField(
        max_length=300,
        label="Path",
        widget=forms.TextInput(
            attrs={
                "class": "mono",
                "autofocus": True,
                "spellcheck": "false",
                "autocapitalize": "off",
                "autocomplete": "off",
            }
        ),
        help_text="From the project’s folder on, for example <code>data/nlu/menu.yml</code>.",
    )
    field_order = ["path", "message", "base"]

    def __init__(self, *args: object, taken: Collection[str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._taken = taken

    def clean_path(self) -> str:
        try:
            path = usable_path(self.cleaned_data["path"])
        except DomainError as error:
            raise forms.ValidationError(error.message) from error
        if path in self._taken:
            raise forms.ValidationError("There is a file of this name already.")
        return path


class NewFileForm(PathForm, EditForm):
    field_order = ["path", "text", "message", "base"]
