"""Forms of signing in, people and roles."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from studio.access import scopes
from studio.access.categories import with_views
from studio.access.models import Role, User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.scopes import Place

_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


class SignInForm(forms.Form):
    username = forms.CharField(
        max_length=150,
        label="User name",
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autofocus": True, "autocapitalize": "off", "spellcheck": "false"}
        ),
    )
    password = forms.CharField(
        max_length=1000, strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class PasswordForm(forms.Form):
    """`current` is not asked of a person who has no password yet."""

    current = forms.CharField(
        max_length=1000,
        strip=False,
        label="Current password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        max_length=1000,
        strip=False,
        label="New password",
        help_text="At least 10 characters; not your name, and not one of the common ones.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        max_length=1000,
        strip=False,
        label="New password again",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, has_password: bool) -> None:
        super().__init__(data)
        if not has_password:
            del self.fields["current"]

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if "new" in self.cleaned_data and again != self.cleaned_data["new"]:
            raise ValidationError("This is not the same password.")
        return again


class PersonForm(forms.Form):
    name = forms.CharField(max_length=200, required=False, label="Name", help_text="As others read it.")
    email = forms.EmailField(required=False, label="E-mail")


class GrantForm(forms.Form):
    role = forms.ModelChoiceField(Role.objects.none(), to_field_name="name", empty_label="Choose a role")
    where = forms.ChoiceField(required=False, help_text="A role for one assistant also holds in its environments.")

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, places: list[Place], initial: dict[str, Any] | None = None
    ) -> None:
        super().__init__(data, initial=initial)
        self.places = places
        role, where = self.fields["role"], self.fields["where"]
        assert isinstance(role, forms.ModelChoiceField) and isinstance(where, forms.ChoiceField)
        role.queryset = Role.objects.all()
        role.initial = Role.objects.filter(is_default=True).values_list("name", flat=True).first()
        where.choices = scopes.choices(places)

    @property
    def chosen(self) -> tuple[Scope, str]:
        """The scope, and how the grant names it. Of a valid form."""
        value = self.cleaned_data["where"]
        return scopes.chosen(self.places, value) if value else (EVERYWHERE, "")


class NewGrantForm(GrantForm):
    """`person` is whom the user name belongs to; None for a group."""

    PERSON, GROUP = "person", "group"
    person: User | None = None

    kind = forms.ChoiceField(
        choices=[(PERSON, "A person"), (GROUP, "A group of the single sign-on")],
        initial=PERSON,
        widget=forms.RadioSelect,
        label="For",
        help_text="A group’s role is held by whoever the single sign-on says is in it, now and later.",
    )
    who = forms.CharField(
        max_length=255,
        label="Name",
        help_text="The user name, or the group exactly as the single sign-on writes it, such as /operations.",
        widget=forms.TextInput(attrs={**_PLAIN, "list": "known"}),
    )
    field_order = ("kind", "who", "role", "where")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("kind") == self.PERSON and data.get("who"):
            self.person = User.objects.called(data["who"]).first()
            if self.person is None:
                self.add_error("who", "There is nobody of this user name. Add them under People first.")
        return data


class NewPersonForm(PersonForm, GrantForm):
    """Somebody new and what they may do, so that nobody signs in to an empty house."""

    LINK, SINGLE_SIGN_ON = "link", "sso"

    username = forms.CharField(
        max_length=150,
        label="User name",
        validators=[
            RegexValidator(r"\A[\w.@+-]+\Z", "Letters, digits and . @ + - _ only; an e-mail address is one too.")
        ],
        widget=forms.TextInput(attrs={**_PLAIN, "autofocus": True}),
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


class RoleForm(forms.Form):
    name = forms.SlugField(max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    description = forms.CharField(max_length=300, required=False, help_text="What people with this role do.")
    is_default = forms.BooleanField(
        required=False, label="For new people", help_text="Offered first when somebody is added."
    )
    permissions = forms.MultipleChoiceField(
        required=False,
        choices=[(permission.value, permission.label) for permission in Permission],
        widget=forms.CheckboxSelectMultiple,
    )

    def clean_permissions(self) -> set[Permission]:
        return with_views(Permission(value) for value in self.cleaned_data["permissions"])
