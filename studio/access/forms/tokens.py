"""Forms of API tokens and of the service accounts that use them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils import timezone

from studio.access import scopes
from studio.access.categories import CATEGORIES, with_views
from studio.access.forms import PLAIN
from studio.access.models import User
from studio.access.permissions import EVERYWHERE, Permission, Scope
from studio.access.scopes import Place

_EVERYWHERE = "everywhere"  # and not an empty value, which the page would call optional
_LIVES = (("7", "In 7 days"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year"), ("never", "Never"))
_OVERLAPS = (
    ("0", "At once"),
    ("1", "In an hour"),
    ("24", "In a day"),
    ("72", "In 3 days"),
    ("168", "In 7 days"),
)


class TokenForm(forms.Form):
    """Offers what `maker` holds and nothing else: no token can be wider than whoever makes it."""

    name = forms.CharField(
        max_length=100,
        help_text="Which script or machine uses it.",
        widget=forms.TextInput(attrs={**PLAIN, "autofocus": True}),
    )
    where = forms.ChoiceField(help_text="Elsewhere it opens nothing.")
    expires = forms.ChoiceField(choices=_LIVES, initial="90")
    permissions = forms.MultipleChoiceField(
        error_messages={"required": "Choose at least one: a token without any can do nothing."},
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, maker: User, places: Iterable[Place]) -> None:
        super().__init__(data)
        self.held = {one for one in Permission if maker.may_somewhere(one)}
        self.places = [place for place in places if _holds_anything(maker, place.scope)]
        where, permissions = self.fields["where"], self.fields["permissions"]
        assert isinstance(where, forms.ChoiceField) and isinstance(permissions, forms.MultipleChoiceField)
        everywhere = [(_EVERYWHERE, "Everywhere")] if _holds_anything(maker, EVERYWHERE) else []
        where.choices = [*everywhere, *scopes.choices(self.places)[1:]]
        permissions.choices = [(one.value, one.label) for one in Permission if one in self.held]

    def clean_permissions(self) -> set[Permission]:
        chosen = {Permission(value) for value in self.cleaned_data["permissions"]}
        return with_views(chosen) & self.held

    @property
    def scope(self) -> tuple[Scope, str]:
        """Where it counts, and that place's name. Of a valid form."""
        value = self.cleaned_data["where"]
        return scopes.chosen(self.places, "" if value == _EVERYWHERE else value)

    @property
    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["expires"]
        return None if days == "never" else timezone.now() + timedelta(days=int(days))

    @property
    def lines(self) -> list[dict[str, object]]:
        """The table of boxes: each subject with those for looking and for changing that may be given."""
        ticked = set(self["permissions"].value() or ())
        found: list[dict[str, object]] = [
            {
                "title": one.title,
                "view": [(one.view, one.view in ticked)] if one.view in self.held else [],
                "modify": [(held, held in ticked) for held in one.modify if held in self.held],
            }
            for one in CATEGORIES
        ]
        return [line for line in found if line["view"] or line["modify"]]


def _holds_anything(person: User, scope: Scope) -> bool:
    return any(where.covers(scope) and permissions for where, permissions in person.granted)


class RotateForm(forms.Form):
    overlap = forms.ChoiceField(
        choices=_OVERLAPS,
        initial="24",
        label="The old token ends",
        help_text="Until then both work, so that nothing stands still while you replace it.",
    )

    @property
    def hours(self) -> timedelta:
        return timedelta(hours=int(self.cleaned_data["overlap"]))


class DescriptionForm(forms.Form):
    description = forms.CharField(max_length=300, required=False, help_text="What it does, and who looks after it.")


class ServiceForm(DescriptionForm):
    username = forms.CharField(
        max_length=150,
        label="Name",
        help_text="As the history shows it, for example nightly-build.",
        validators=[RegexValidator(r"\A[\w.@+-]+\Z", "Letters, digits and . @ + - _ only.")],
        widget=forms.TextInput(attrs={**PLAIN, "autofocus": True}),
    )
    field_order = ("username", "description")
