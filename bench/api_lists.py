"""`python -m bench api_lists`: pages of a list of 10,000 models by the API, against the SQL of the same page by hand.

Requests go through the whole of Django in this process, without a network: what is measured is the server's time, its
own SQL, and what is made of the rows. Both take turns.
"""

import hashlib
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.ground import services
from bench.rows import Row

if TYPE_CHECKING:
    from django.test import Client

    from models_app.models import Assistant, Revision

MODELS = int(os.environ.get("BENCH_MODELS") or 10_000)
ROUNDS, WARM_UP = 40, 3
PAGES = (20, 1000)  # models of one answer; no answer has more than the second
TAGGED_EVERY = 50
NAMES_OF_DOMAIN = 200  # of each of three kinds
BATCH = 1000

# What the answer is made of, and no more.
_PAGE = """
SELECT model.name, model.artifact_id, model.trained_at, model.rasa_version, model.size, model.origin,
    model.created_at, model.created_by_label, model.kept_at, revision.number, job.number,
    ARRAY(SELECT tag.name FROM models_app_tag AS tag WHERE tag.model_id = model.id ORDER BY tag.kind, tag.name)
FROM models_app_model AS model
LEFT JOIN models_app_revision AS revision ON revision.id = model.revision_id
LEFT JOIN models_app_trainingjob AS job ON job.model_id = model.id
WHERE model.assistant_id = %(assistant)s AND model.deleted_at IS NULL AND model.id < %(before)s
ORDER BY model.id DESC LIMIT %(limit)s
"""
_COUNT = "SELECT count(*) FROM models_app_model WHERE assistant_id = %(assistant)s AND deleted_at IS NULL"


def run() -> list[Row]:
    with services():
        assistant, client, token = _fill()
        return [_row(*case, assistant, client, token) for case in _cases(assistant)]


def _fill() -> "tuple[Assistant, Client, str]":
    """An assistant with the models, each trained by a job, some tagged; and a token of somebody who may see them."""
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    from models_app.models import Revision
    from studio.access.permissions import Permission
    from studio.access.services import tokens
    from tests.factories import make_assistant, make_person

    assistant, person = make_assistant("bench"), make_person("admin")
    revision = Revision.objects.create(assistant=assistant, number=1, digest=bytes(32), author_label="bench")
    for first in range(0, MODELS, BATCH):
        _store(assistant, revision, range(first, min(MODELS, first + BATCH)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    made = tokens.make(actor=person, user=person, name="bench", permissions=frozenset(Permission))
    return assistant, Client(SERVER_NAME="localhost"), made.text


def _store(assistant: "Assistant", revision: "Revision", numbers: range) -> None:
    from models_app.models import Artifact, Model, Tag, TrainingJob

    domain = {
        kind: {f"{kind}_{number}": "" for number in range(NAMES_OF_DOMAIN)} for kind in ("intents", "slots", "actions")
    }
    facts = {"assistant": assistant, "size": 25_000_000, "rasa_version": "3.6.21", "domain": domain}
    digests = {number: hashlib.sha256(str(number).encode()).hexdigest() for number in numbers}
    Artifact.objects.bulk_create(Artifact(sha256=one, size=25_000_000) for one in digests.values())
    models = Model.objects.bulk_create(
        Model(name=f"model-{number:06}", artifact_id=one, origin="trained", revision=revision, **facts)
        for number, one in digests.items()
    )
    TrainingJob.objects.bulk_create(
        TrainingJob(assistant=assistant, number=number + 1, revision=revision, state="done", model=model)
        for number, model in zip(numbers, models, strict=True)
    )
    tagged = models[::TAGGED_EVERY]
    Tag.objects.bulk_create(Tag(assistant=assistant, name=f"on-{model.name}", model=model) for model in tagged)


def _cases(assistant: "Assistant") -> list[tuple[str, int, int]]:
    """(what, how many, before which model's id): the first page, and one in the middle by its cursor."""
    from models_app.models import Model

    keys = Model.objects.filter(assistant=assistant).order_by("pk").values_list("pk", flat=True)
    places = {"the newest": keys[MODELS - 1] + 1, "the middle": keys[MODELS // 2]}
    return [(what, limit, before) for limit in PAGES for what, before in places.items()]


def _row(what: str, limit: int, before: int, assistant: "Assistant", client: "Client", token: str) -> Row:
    from studio.web.api.paging import cursor_of

    path = f"/api/projects/{assistant.slug}/models?limit={limit}&cursor={cursor_of(str(before))}"
    asked = {"assistant": assistant.pk, "before": before, "limit": limit + 1}
    by_api, by_hand = partial(_ask, client, path, token), partial(_read, asked)
    assert [one["model"] for one in by_api().json()] == [name for name, *_ in by_hand()][:limit]
    ours, theirs = _in_turn(by_api, by_hand)
    return Row(
        f"{limit:,} of {MODELS:,} models by API, {what}",
        f"{ours:.1f} ms",
        f"its SQL by hand {theirs:.1f} ms",
        f"{ours / theirs:.1f} x",
    )


def _ask(client: "Client", path: str, token: str) -> Any:
    answer = client.get(path, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer["X-Total-Count"]) == (200, str(MODELS))
    return answer


def _read(asked: dict[str, int]) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_COUNT, asked)
        assert cursor.fetchone() == (MODELS,)
        cursor.execute(_PAGE, asked)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _in_turn(*steps: Callable[[], object]) -> list[float]:
    """The median of each in ms."""
    found: list[list[float]] = [[] for _ in steps]
    for number in range(ROUNDS + WARM_UP):
        for times, step in zip(found, steps, strict=True):
            began = time.perf_counter()
            step()
            if number >= WARM_UP:
                times.append((time.perf_counter() - began) * 1e3)
    return [statistics.median(times) for times in found]
