"""Forms of people."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from studio.access.forms import PLAIN
from studio.access.forms.grants import GrantForm
from studio.access.scopes import Place


class PersonForm(forms.Form):
    name = forms.CharField(max_length=200, required=False, label="Name", help_text="As others read it.")
    email = forms.EmailField(required=False, label="E-mail")


class NewPersonForm(PersonForm, GrantForm):
    """Somebody new and what they may do, so that nobody signs in to an empty house."""

    LINK, SINGLE_SIGN_ON = "link", "sso"

    username = forms.CharField(
        max_length=150,
        label="User name",
        validators=[
            RegexValidator(r"\A[\w.@+-]+\Z", "Letters, digits and . @ + - _ only; an e-mail address is one too.")
        ],
        widget=forms.TextInput(attrs={**PLAIN, "autofocus": True}),
    )
    comes_by = forms.ChoiceField(
        choices=[(LINK, "A sign-in link that you give them"), (SINGLE_SIGN_ON, "Single sign-on")],
        widget=forms.RadioSelect,
        label="They come in by",
        help_text="By single sign-on, whoever first signs in there under this user name is this person.",
    )
    field_order = ("username", "name", "email", "comes_by", "role", "where")

    def __init__(self, data: Mapping[str, Any] | None = None, *, places: list[Place], has_single_sign_on: bool) -> None:
        super().__init__(data, places=places, initial={"comes_by": self.SINGLE_SIGN_ON})
        if not has_single_sign_on:
            del self.fields["comes_by"]

    @property
    def awaits_identity(self) -> bool:
        return self.cleaned_data.get("comes_by") == self.SINGLE_SIGN_ON
