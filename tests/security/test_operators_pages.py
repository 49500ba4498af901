"""/admin/ shows every table to those who run Parley, changes nothing, and tells no secret."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import InternalError, connection
from django.db.models import BinaryField
from django.db.models import Model as Table
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations.chat import guests
from conversations.models import (
    DeadLetter,
    ErasurePart,
    ErasureRun,
    Event,
    ExportPart,
    ExportRun,
    IntakeIncident,
    IntakePosition,
    IntakeSource,
    Rating,
    ReadMark,
    ShareLink,
    Tombstone,
)
from conversations.services import tallies
from conversations.services.corrections import Verdict, correct
from conversations.services.inbox import hold
from environments.models import EnvironmentAlias, ManagedServer, Replica, TryingSettings
from models_app.models import (
    Assistant,
    Confusion,
    Finding,
    LabelScore,
    Model,
    ModelRetention,
    ModelTest,
    PackageLock,
    StoryFault,
    TrainingJob,
    TrainingLog,
    TrainingSettings,
    Validation,
)
from studio.access.models import ApiToken, BrowserSession, Identity, SignInFailure, User
from studio.access.services import sign_in
from studio.jobs.models import Heartbeat
from studio.operators import site
from studio.operators.tables import CappedPaginator, is_secret
from studio.rasa.models import RasaRuntime
from tests.clients import client_of
from tests.conversations.events import user
from tests.factories import environment_of, store_events
from tests.house.world import World

pytestmark = pytest.mark.django_db
OURS = [m for m in apps.get_models() if m.__module__.startswith(("studio.", "models_app", "environments", "convers"))]
CANARY = "canary-7f3a"


@pytest.fixture(scope="module")
def world(everything: World, django_db_blocker) -> World:
    with django_db_blocker.unblock():
        _one_of_what_the_world_lacks(everything.people["admin"])
    return everything


def _one_of_what_the_world_lacks(person: User) -> None:
    cafe, now = Assistant.objects.get(slug="cafe"), timezone.now()
    production = environment_of(cafe)
    identity = Identity.objects.create(user=person, issuer="https://id.example.com", subject="s-1")
    BrowserSession.objects.create(
        user=person, session_key=CANARY, by="sso", identity=identity, refresh_token=CANARY.encode()
    )
    ApiToken.objects.create(user=person, name="ci", key="k1", digest=CANARY.encode())
    sign_in.make_link(actor=person, person=person)
    SignInFailure.objects.create(username="x")
    Heartbeat.objects.create(kind="worker", name="w", started_at=now, at=now)
    RasaRuntime.objects.get_or_create(version="3.6.21")
    _of_trainings(TrainingJob.objects.earliest("pk"))
    EnvironmentAlias.objects.create(environment=production, assistant=cafe, name="old")
    ManagedServer.objects.get_or_create(environment=production)
    Replica.objects.create(environment=production, key="r-1", last_seen_at=now)
    TryingSettings.objects.create(assistant=cafe)
    said = Event.objects.filter(kind="user", conversation__assistant=cafe).earliest("pk")
    correct(actor=person, event=said, verdict=Verdict("greet"))
    hold(actor=person, event=said)
    Tombstone.objects.create(assistant=cafe, sender_key=b"k", up_to=1.0)
    ReadMark.objects.create(person=person, conversation=said.conversation, read_until=1.0)
    link = ShareLink.objects.earliest("pk")
    guest, _secret = guests.meet(link=link, about=guests.About())
    session = guests.begin(guest=guest, link=link)
    Rating.objects.create(link=link, session=session, reply="r-1", is_up=True)
    ErasurePart.objects.create(run=ErasureRun.objects.earliest("pk"), number=1, ids=[1])
    ExportPart.objects.create(run=ExportRun.objects.earliest("pk"), number=1, ids=[1])
    tallies.settle()
    store_events(production, user("and later", 1_790_000_900.0, sender="anna"))
    source = IntakeSource.objects.create(
        kind="kafka", name="k", assistant=cafe, settings={"servers": ["k:9092"]}, secrets_encrypted=CANARY.encode()
    )
    place = {"source": source, "topic": "rasa", "partition": 0}
    IntakePosition.objects.create(**place, next_offset=1)
    IntakeIncident.objects.create(**place, kind="overtaken", first_offset=1, end_offset=2)
    DeadLetter.objects.create(
        source=source,
        assistant=cafe,
        fault="not-json",
        record=CANARY.encode(),
        edited=CANARY.encode(),
        reason="no JSON",
    )


def _of_trainings(job: TrainingJob) -> None:
    """What the workers of trainings, tests and validations leave."""
    TrainingLog.objects.create(job=job, attempt=1, text="x")
    TrainingSettings.objects.get_or_create(assistant=job.assistant)
    ModelRetention.objects.get_or_create(assistant=job.assistant)
    PackageLock.objects.create(sha256="0" * 64, packages="rasa==3.6.21\n")
    facts = {"revision": job.revision, "job": job}
    test = ModelTest.objects.create(model=Model.objects.earliest("pk"), **facts)
    LabelScore.objects.create(test=test, kind="intent", name="greet", precision=1, recall=1, f1=1, support=2)
    Confusion.objects.create(test=test, expected="greet", predicted="goodbye", count=1)
    StoryFault.objects.create(test=test, name="Greet", text="- action: utter_greet")
    validation = Validation.objects.create(
        assistant=job.assistant,
        digest=b"d",
        rasa_version="3.6.21",
        errors=1,
        warnings=0,
        finished_at=timezone.now(),
        **facts,
    )
    Finding.objects.create(validation=validation, severity="error", message="No such intent.")


def list_of(model: type[Table]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def test_every_table_of_ours_is_registered_and_no_other() -> None:
    assert set(admin.site._registry) == set(OURS)


def test_every_table_can_be_listed_searched_and_opened_by_an_admin(world) -> None:
    client = client_of(world.people["admin"])
    for model in OURS:
        listed = client.get(list_of(model))
        assert listed.status_code == 200, model
        assert client.get(list_of(model), {"q": "1"}).status_code == 200, model
        assert client.get(list_of(model), {"q": "word"}).status_code == 200, model
        details = set(re.findall(rf'href="({list_of(model)}[^"?/]+/)', listed.content.decode()))
        if model.__name__ == "PromotionTransition" or model.__name__ == "Promotion":
            continue  # nothing was promoted in this world
        assert details, f"{model} has no row that could be opened"
        for address in list(details)[:2]:
            assert client.get(address).status_code == 200, address


def test_nobody_else_gets_in(world) -> None:
    addresses = [reverse("admin:index"), reverse("admin:app_list", kwargs={"app_label": "access"}), *map(list_of, OURS)]
    for name in ("tester", "annotator", "worker_annotator"):
        client = client_of(world.people[name])
        assert {client.get(address).status_code for address in addresses} == {403}
    assert {Client().get(address)["Location"].split("?")[0] for address in addresses} == {"/sign-in"}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_but_looking_is_answered(world, method) -> None:
    client = client_of(world.people["admin"])
    one = f"{list_of(User)}{world.people['tester'].pk}/"
    for address in (reverse("admin:index"), list_of(User), one):
        assert getattr(client, method)(address, {"username": "x"}).status_code == 405


@pytest.mark.parametrize("door", ["add/", "1/delete/", "1/history/", "1/change/"])
def test_the_doors_of_djangos_admin_are_not_there(world, door) -> None:
    assert client_of(world.people["admin"]).get(f"{list_of(User)}{door}").status_code in {302, 404}


@pytest.mark.parametrize("door", ["login/", "logout/", "password_change/", "autocomplete/", "r/1/1/"])
def test_nor_are_its_own_sign_in_and_what_goes_with_it(world, door) -> None:
    assert client_of(world.people["admin"]).get(f"/admin/{door}").status_code == 404


def test_no_secret_column_is_on_any_page(world) -> None:
    client = client_of(world.people["admin"])
    pages = [list_of(model) for model in OURS]
    pages += [
        f"{list_of(type(row))}{row.pk}/"
        for row in (
            world.people["admin"],
            BrowserSession.objects.get(session_key=CANARY),
            DeadLetter.objects.get(record=CANARY.encode()),
        )
    ]
    texts = [client.get(page).content.decode() for page in pages]
    hashed = User.objects.get(username="admin").password
    assert not [page for page, text in zip(pages, texts, strict=True) if CANARY in text or hashed in text]


def test_what_counts_as_secret() -> None:
    named = {f"{m.__name__}.{f.name}" for m in OURS for f in m._meta.concrete_fields if is_secret(f)}
    assert {"User.password", "BrowserSession.session_key", "BrowserSession.refresh_token", "ApiToken.digest"} <= named
    assert all(is_secret(f) for m in OURS for f in m._meta.concrete_fields if isinstance(f, BinaryField))


@pytest.mark.parametrize("lookup", ["password__startswith", "grants__role__name", "session_epoch"])
def test_no_filter_of_the_address_tells_a_secret_letter_by_letter(world, lookup) -> None:
    assert client_of(world.people["admin"]).get(list_of(User), {lookup: "a"}).status_code == 400


def test_the_database_itself_refuses_to_write_within_a_page(world) -> None:
    with pytest.raises(InternalError, match="read-only transaction"), site._reading_only():
        Heartbeat.objects.create(kind="x", name="y")
    Heartbeat.objects.filter(kind="worker").update(busy_with="after it, writing works again")


def test_looking_is_not_logged_by_django_either(world) -> None:
    client_of(world.people["admin"]).get(list_of(User))
    assert not LogEntry.objects.exists()


def test_a_statement_that_takes_too_long_is_given_up_with_a_page_that_says_so(world, monkeypatch) -> None:
    def slow(self, request, *args, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '20ms'; SELECT pg_sleep(2)")

    monkeypatch.setattr("studio.operators.tables.ReadOnlyTable.get_queryset", slow)
    answer = client_of(world.people["admin"]).get(list_of(User))
    assert answer.status_code == 503 and "took too long" in answer.content.decode()


def test_a_large_table_is_not_counted_to_its_end(django_assert_num_queries) -> None:
    with django_assert_num_queries(1) as queries:
        _ = CappedPaginator(User.objects.all(), 100).count
    assert "LIMIT 10000" in queries[0]["sql"]


def test_the_page_of_all_tables_says_how_the_schema_stands(world) -> None:
    assert "<p>Schema: up to date.</p>" in client_of(world.people["admin"]).get(reverse("admin:index")).content.decode()
