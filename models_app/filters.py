"""Filters of the models list, which live in its address."""

from collections.abc import Iterable
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet

from models_app.models import Assistant, Model

# The ids are not Django's: a dialog opened over the list has fields of the same names.


def _choice(label: str) -> forms.Select:
    return forms.Select(attrs={"class": "select", "aria-label": label, "id": f"filter-{label.split()[0].lower()}"})


class ModelFilter(django_filters.FilterSet):  # type: ignore[misc]
    name = django_filters.CharFilter(
        lookup_expr="icontains",
        label="Name",
        widget=forms.TextInput(
            attrs={
                "class": "input",
                "type": "search",
                "placeholder": "Filter by name",
                "aria-label": "Name",
                "id": "filter-name",
            }
        ),
    )
    tag = django_filters.ChoiceFilter(field_name="tags__name", empty_label="Tag: any", widget=_choice("Tag"))
    origin = django_filters.ChoiceFilter(
        choices=Model.Origin.choices, empty_label="Origin: any", widget=_choice("Origin")
    )
    rasa = django_filters.ChoiceFilter(
        field_name="rasa_version", empty_label="Rasa: any", widget=_choice("Rasa version")
    )

    def __init__(self, data: Any, queryset: QuerySet[Model], *, assistant: Assistant, tags: Iterable[str]) -> None:
        super().__init__(data, queryset)
        versions = Model.objects.current().filter(assistant=assistant).exclude(rasa_version="")
        self.filters["tag"].extra["choices"] = [(name, name) for name in tags]
        self.filters["rasa"].extra["choices"] = [
            (version, version)
            for version in versions.order_by("-rasa_version").values_list("rasa_version", flat=True).distinct()
        ]
