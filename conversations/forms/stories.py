"""The form by which a conversation is kept as a story."""

from collections.abc import Sequence
from typing import Any

from django import forms

NEW = ""  # the choice of a new file


class StoryForm(forms.Form):
    name = forms.CharField(
        max_length=120,
        label="Name of the story",
        error_messages={"required": "Give the story a name."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    file = forms.ChoiceField(required=False, label="File")
    path = forms.CharField(
        max_length=300,
        required=False,
        label="New file",
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
    )

    def __init__(self, data: Any, *, files: Sequence[str], new_file: str, initial: dict[str, Any]) -> None:
        super().__init__(data, initial={"path": new_file, "file": files[0] if files else NEW, **initial})
        field = self.fields["file"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [*((path, path) for path in files), (NEW, "a new file")]
        self.fields["path"].required = not (data or self.initial).get("file")

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())

    @property
    def chosen_path(self) -> str:
        """Of a valid form."""
        chosen: str = self.cleaned_data["file"] or self.cleaned_data["path"]
        return chosen
