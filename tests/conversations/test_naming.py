"""Which of several models with the same bytes gives the name that people see."""

from datetime import timedelta

import pytest
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from conversations.naming import model_names, models_of
from models_app.models import Assistant, Model
from tests.factories import make_model

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("deleted_days_ago", "named"),
    [((None, None, None), "c"), ((None, None, 1), "b"), ((3, 1, 2), "b"), ((1, None, 1), "b")],
)
def test_the_newest_that_is_there_gives_the_name_else_the_one_deleted_last(
    assistant: Assistant, deleted_days_ago: tuple[int | None, ...], named: str
):
    now = timezone.now()
    for name, days in zip("abc", deleted_days_ago, strict=True):
        deleted_at = None if days is None else now - timedelta(days=days)
        Model.objects.filter(pk=make_model(assistant, name).pk).update(rasa_model_id="m-1", deleted_at=deleted_at)
    assert model_names(assistant, ["m-1", "m-2", ""]) == {"m-1": named}
    first = models_of(OuterRef("assistant"), OuterRef("rasa_model_id")).values("name")[:1]
    assert set(Model.objects.annotate(first=Subquery(first)).values_list("first", flat=True)) == {named}
