"""The filters of the people and grants pages. They live in the URL: every value here is a query parameter."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from studio.access import scopes
from studio.access.models import Grant, Role, User
from studio.access.permissions import Permission
from studio.access.rights import holding
from studio.access.scopes import Place

EVERYWHERE_VALUE = "everywhere"  # an empty value means any place

_SELECT = {"class": "select"}


def _select(label: str, any_word: str = "any") -> forms.ChoiceField:
    field = forms.ChoiceField(required=False, label=label, widget=forms.Select(attrs={**_SELECT, "aria-label": label}))
    field.empty_word = f"{label}: {any_word}"  # type: ignore[attr-defined]
    return field


class _Filter(forms.Form):
    def _offer(self, name: str, choices: Sequence[tuple[str, object]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", field.empty_word), *choices]  # type: ignore[attr-defined]

    @property
    def is_used(self) -> bool:
        return any(self.data.get(name) for name in self.fields if name != "sort")


class PeopleFilter(_Filter):
    q = forms.CharField(required=False, max_length=200, label="Text", strip=True)
    role = _select("Role")
    state = _select("State")
    sort = forms.ChoiceField(
        required=False,
        choices=[("", "Newest first"), ("name", "By user name")],
        label="Order",
        widget=forms.Select(attrs={**_SELECT, "aria-label": "Order"}),
    )

    STATES: Mapping[str, tuple[str, Q]] = {
        "active": ("Active", Q(is_active=True, awaits_identity=False, kind=User.Kind.PERSON)),
        "expected": ("Expected", Q(is_active=True, awaits_identity=True)),
        "out": ("Shut out", Q(is_active=False)),
        "service": ("Service account", Q(kind=User.Kind.SERVICE)),
    }

    def __init__(self, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        self._offer("role", [(name, name) for name in Role.objects.values_list("name", flat=True)])
        self._offer("state", [(key, label) for key, (label, _) in self.STATES.items()])

    def apply(self, people: QuerySet[User]) -> QuerySet[User]:
        """Who matches; with an invalid value nobody does, and the page says why."""
        if not self.is_valid():
            return people.none()
        data = self.cleaned_data
        if data["q"]:
            people = people.filter(
                Q(username__icontains=data["q"]) | Q(name__icontains=data["q"]) | Q(email__icontains=data["q"])
            )
        if data["state"]:
            people = people.filter(self.STATES[data["state"]][1])
        return people.filter(holding(Grant.objects.filter(role__name=data["role"]))) if data["role"] else people


class GrantFilter(_Filter):
    q = forms.CharField(required=False, max_length=200, label="Text", strip=True)
    role = _select("Role")
    where = _select("Where", "anywhere")
    source = _select("Source")

    def __init__(self, data: Mapping[str, Any], *, places: Sequence[Place]) -> None:
        super().__init__(data)
        self.places = places
        self._offer("role", [(name, name) for name in Role.objects.values_list("name", flat=True)])
        self._offer("where", [(EVERYWHERE_VALUE, "Everywhere"), *scopes.choices(places)[1:]])
        self._offer("source", Grant.Source.choices)

    def apply(self, grants: QuerySet[Grant]) -> QuerySet[Grant]:
        """What matches; with an invalid value nothing does, and the page says why."""
        if not self.is_valid():
            return grants.none()
        data = self.cleaned_data
        if data["q"]:
            person = Q(user__username__icontains=data["q"]) | Q(user__name__icontains=data["q"])
            grants = grants.filter(person | Q(group__icontains=data["q"]))
        conditions = {"role__name": data["role"], "source": data["source"]}
        grants = grants.filter(**{name: value for name, value in conditions.items() if value})
        return self._by_place(grants, data["where"])

    def _by_place(self, grants: QuerySet[Grant], where: str) -> QuerySet[Grant]:
        if not where:
            return grants
        scope, _ = scopes.chosen(self.places, "" if where == EVERYWHERE_VALUE else where)
        return grants.filter(assistant_id=scope.assistant_id, environment_id=scope.environment_id)


class PlaceFilter(forms.Form):
    """The place that a page about rights looks at; everywhere when none is named."""

    where = forms.ChoiceField(
        required=False, label="Where", widget=forms.Select(attrs={**_SELECT, "aria-label": "Where"})
    )

    def __init__(self, data: Mapping[str, Any], *, places: Sequence[Place]) -> None:
        super().__init__(data)
        self.places = places
        field = self.fields["where"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = scopes.choices(places)

    @property
    def place(self) -> Place | None:
        """None for everywhere. KeyError, which the views turn into 404, for a place that is not offered."""
        value = str(self.data.get("where") or "")
        return {scopes.encode(one.scope): one for one in self.places}[value] if value else None


class WhoFilter(PlaceFilter, _Filter):
    permission = _select("May", "anything")

    def __init__(self, data: Mapping[str, Any], *, places: Sequence[Place]) -> None:
        super().__init__(data, places=places)
        self._offer("permission", [(one.value, one.label) for one in Permission])
