"""Forms that give a role."""

from collections.abc import Mapping
from typing import Any

from django import forms

from studio.access import scopes
from studio.access.forms import PLAIN
from studio.access.models import Role, User
from studio.access.permissions import EVERYWHERE, Scope
from studio.access.scopes import Place


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
        widget=forms.TextInput(attrs={**PLAIN, "list": "known"}),
    )
    field_order = ("kind", "who", "role", "where")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("kind") == self.PERSON and data.get("who"):
            self.person = User.objects.called(data["who"]).first()
            if self.person is None:
                self.add_error("who", "There is nobody of this user name. Add them under People first.")
        return data
