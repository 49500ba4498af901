"""Forms of flags and tags."""

from django import forms

from conversations.models.review import LONGEST_TAG
from conversations.services.marks import LONGEST_NOTE, tag_name
from studio.errors import DomainError


class NoteForm(forms.Form):
    note = forms.CharField(
        required=False,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="For your team. Leave it empty to have none.",
    )


class TagForm(forms.Form):
    name = forms.CharField(
        label="Tag",
        max_length=LONGEST_TAG,
        widget=forms.TextInput(attrs={"list": "tag-names", "autocomplete": "off", "autofocus": True}),
        help_text="A word or two, such as “refund”. Letters a to z, digits, spaces and dashes.",
    )
    note = forms.CharField(required=False, max_length=LONGEST_NOTE, widget=forms.Textarea(attrs={"rows": 2}))

    def clean_name(self) -> str:
        try:
            return tag_name(self.cleaned_data["name"])
        except DomainError as error:
            raise forms.ValidationError(error.message) from error
