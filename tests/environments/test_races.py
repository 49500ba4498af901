"""Many at once, against the real database and the real Redis."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from environments.models import Environment
from environments.services import pointers
from environments.services.promotion import promote, state_of
from studio.errors import Conflict
from tests.factories import environment_of, make_assistant, make_model, make_person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def assistant(transactional_db):
    return make_assistant("default")


@pytest.fixture
def production(assistant) -> Environment:
    return environment_of(assistant)


def at_once(*actions: Callable[[], object]) -> list[object]:
    """Results or errors of all, started at the same moment, each with a connection of its own."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], object]) -> object:
        try:
            barrier.wait(10)
            return action()
        except Conflict as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def test_of_two_people_at_once_one_wins_and_the_other_is_told(assistant, production):
    live = make_model(assistant, "live")
    promote(actor=None, environment=production, model=live)
    ada, bob = make_person("admin", username="ada"), make_person("admin", username="bob")
    wishes = {ada: make_model(assistant, "adas"), bob: make_model(assistant, "bobs")}

    results = at_once(
        *(
            lambda actor=actor, model=model: promote(
                actor=actor, environment=production, model=model, expected_current=live
            )
            for actor, model in wishes.items()
        )
    )

    [lost] = [result for result in results if isinstance(result, Conflict)]
    [won] = [result for result in results if not isinstance(result, Conflict)]
    assert f"{won.actor.username} promoted {won.to_model.name} to production" in lost.message
    assert environment_of(assistant).tag.model == won.to_model


def test_after_any_number_of_promotions_at_once_the_pointer_is_the_last(assistant, production):
    models = [make_model(assistant) for _ in range(6)]

    for _round in range(8):
        at_once(*(lambda model=model: promote(actor=None, environment=production, model=model) for model in models))

        found = pointers.ask("default", "production", pointers.EVERY_TAG, None)
        truth = Environment.objects.select_related("tag").get(pk=production.pk)
        assert found.from_redis
        assert (found.pointer.sha256, found.pointer.generation) == (truth.tag.model.artifact_id, truth.generation)
    promotions = list(production.promotions.order_by("number"))
    assert [promotion.number for promotion in promotions] == list(range(1, len(promotions) + 1))
    assert {state_of(promotion) for promotion in promotions[:-1]} == {"superseded"}


def test_a_late_hook_does_not_bring_an_old_pointer_back(assistant, production):
    promote(actor=None, environment=production, model=make_model(assistant))
    old = pointers.read("default", "production")
    promote(actor=None, environment=production, model=make_model(assistant))

    pointers._set("default", "production", old)

    now = pointers.ask("default", "production", pointers.EVERY_TAG, None).pointer
    assert now == pointers.read("default", "production") != old


def test_a_promotion_that_is_rolled_back_leaves_the_pointer(assistant, production):
    from django.db import transaction

    live = make_model(assistant)
    promote(actor=None, environment=production, model=live)

    with pytest.raises(RuntimeError), transaction.atomic():
        promote(actor=None, environment=production, model=make_model(assistant))
        raise RuntimeError

    assert pointers.ask("default", "production", pointers.EVERY_TAG, None).pointer.sha256 == live.artifact_id
