"""Trying models by the API."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conversations.chat.sessions import begin_talk, note_said
from conversations.chat.targets import Target
from environments.models import Slot
from environments.services import slots, trying
from models_app.models import Model
from studio.access.permissions import Permission, Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.jobs.models import Heartbeat
from tests.environments.api_client import Program
from tests.factories import environment_of, make_assistant, make_model, make_person

TRY = "/projects/default/models/otter/try"
SETTINGS = "/projects/default/settings/trying"
State = Slot.State


@pytest.fixture
def otter(assistant) -> Model:
    return make_model(assistant, "otter")


@pytest.fixture
def annotator(assistant) -> Program:
    return Program(make_person("annotator", username="anna"))


def begin(slot: Slot) -> Slot:
    claimed = slots.claim(worker="host:0")
    assert claimed is not None
    slots.begin(claimed, host="127.0.0.1", port=5005, token="t", rasa="3.6.21", rasa_version="3.6.21")
    assert slots.ready(claimed)
    return Slot.objects.get(pk=slot.pk)


def test_a_model_is_tried(annotator, otter) -> None:
    assert annotator.get(TRY).json() is None
    asked = annotator.post(TRY)
    slot = Slot.objects.get()
    assert (asked.status_code, asked["Location"]) == (202, f"/api{TRY}")
    assert asked.json() == {
        "id": slot.pk,
        "project": "default",
        "model": "otter",
        "state": "waiting",
        "step": "",
        "message": "",
        "place": 1,
        "automatic": False,
        "requested_by": "anna",
        "rasa_version": None,
        "memory": None,
        "peak_memory": None,
        "requested_at": slot.requested_at.timestamp(),
        "started_at": None,
        "ready_at": None,
        "used_at": slot.used_at.timestamp(),
        "ended_at": None,
        "percent": None,
        "usual_seconds": None,
        "workers": 0,
    }
    assert annotator.post(TRY).json()["id"] == slot.pk
    assert AuditEvent.objects.filter(action=Action.SLOT_REQUESTED, actor=annotator.user).count() == 1
    begin(slot)
    body = annotator.get(TRY).json()
    assert (body["state"], body["place"], body["rasa_version"]) == ("running", None, "3.6.21")


def test_it_is_stopped(annotator, otter) -> None:
    assert annotator.delete(TRY).status_code == 204
    slot = begin(slots.ask(actor=None, model=otter))
    answer = annotator.delete(TRY)
    assert (answer.status_code, answer.content) == (204, b"")
    slot.refresh_from_db()
    assert (slot.state, slot.message) == (State.STOPPING, "anna stopped it.")
    assert AuditEvent.objects.get(action=Action.SLOT_STOPPED).actor == annotator.user
    assert annotator.delete(TRY).status_code == 204


def test_nobody_stops_what_others_use(assistant, otter) -> None:
    tester, other = make_person("annotator"), make_person("annotator")
    may = frozenset({Permission.MODELS_VIEW, Permission.TALK})
    slot = slots.ask(actor=None, model=otter)
    note_said(begin_talk(actor=other, target=Target(slot.environment, otter)), "hi")
    refused = Program(tester, may).delete(TRY)
    assert (refused.status_code, refused.json()["message"].partition(".")[0]) == (403, "Others talk to it now")
    assert slots.usable_of(otter.pk) == slot
    assert Program(tester).delete(TRY).status_code == 204  # modifies environments


def test_who_may_try(assistant, otter) -> None:
    assert Client().post(f"/api{TRY}").status_code == 401
    assert Program(make_person("tester")).post(TRY).status_code == 404
    blind = Program(make_person("admin"), frozenset({Permission.MODELS_VIEW}))
    for answer in (blind.post(TRY), blind.get(TRY), blind.delete(TRY)):
        assert answer.status_code == 403
    assert not Slot.objects.exists()


class TestAllOfThem:
    def test_newest_first_with_their_places(self, annotator, assistant, otter) -> None:
        first = slots.ask(actor=None, model=otter)
        second = slots.ask(actor=None, model=make_model(assistant, "heron"))
        elsewhere = slots.ask(actor=None, model=make_model(make_assistant("inn"), "crane"))
        answer = annotator.get("/slots")
        rows = [(row["id"], row["project"], row["place"]) for row in answer.json()]
        assert rows == [(elsewhere.pk, "inn", 3), (second.pk, "default", 2), (first.pk, "default", 1)]
        assert answer["X-Total-Count"] == "3"
        assert [row["id"] for row in annotator.get("/slots?project=inn").json()] == [elsewhere.pk]
        assert annotator.get("/slots?project=none").status_code == 404

    def test_they_cost_the_same_for_many(self, annotator, assistant, otter) -> None:
        def cost() -> int:
            annotator.get("/user")  # the first use of a token is written down
            with CaptureQueriesContext(connection) as queries:
                assert annotator.get("/slots").status_code == 200
            return len(queries)

        slots.ask(actor=None, model=otter)
        before = cost()
        for _ in range(4):
            slots.ask(actor=None, model=make_model(assistant))
        assert cost() == before

    def test_one_of_them_with_its_log(self, annotator, otter) -> None:
        slot = begin(slots.ask(actor=None, model=otter))
        Slot.objects.filter(pk=slot.pk).update(log="Rasa is up", memory=10**10)
        body = annotator.get(f"/slots/{slot.pk}").json()
        assert (body["log"], body["memory"], body["state"]) == ("Rasa is up", 10**10, "running")
        deaf = Program(make_person("admin"), frozenset({Permission.ENVIRONMENTS_MODIFY}))
        assert deaf.get(f"/slots/{slot.pk}").json()["log"] is None

    def test_one_is_stopped_once(self, annotator, otter) -> None:
        slot = slots.ask(actor=None, model=otter)
        assert annotator.delete(f"/slots/{slot.pk}").status_code == 204
        assert Slot.objects.get(pk=slot.pk).state == State.ENDED
        assert annotator.delete(f"/slots/{slot.pk}").status_code == 409

    def test_who_sees_them(self, annotator, assistant, otter) -> None:
        slot = slots.ask(actor=None, model=otter)
        inn = make_assistant("inn")
        guest = Program(make_person("annotator", Scope(inn.pk)))
        assert guest.get("/slots").json() == []
        assert guest.get(f"/slots/{slot.pk}").status_code == 404
        assert guest.delete(f"/slots/{slot.pk}").status_code == 404
        here = Program(make_person("annotator", Scope(assistant.pk, environment_of(assistant, "worker").pk)))
        assert here.get(f"/slots/{slot.pk}").status_code == 404
        assert Program(make_person("tester")).get("/slots").status_code == 403
        for number in ("0", "-1", str(10**30), "x"):
            assert annotator.get(f"/slots/{number}").status_code in {404, 422}


class TestSettings:
    @pytest.fixture
    def admin(self, assistant) -> Program:
        return Program(make_person("admin", username="ada"))

    def test_they_are_changed_at_once(self, admin, assistant) -> None:
        assert admin.get(SETTINGS).json() == {
            "start_after_training": True,
            "idle_minutes": None,
            "action_server_url": "",
        }
        wanted = {
            "start_after_training": False,
            "idle_minutes": 30,
            "action_server_url": "http://actions.example.org:5055/webhook",
        }
        answer = admin.put(SETTINGS, wanted)
        assert (answer.status_code, answer.json()) == (200, wanted)
        assert trying.idle_minutes_of(assistant) == 30
        assert AuditEvent.objects.get(action=Action.TRYING_SETTINGS_CHANGED).actor == admin.user

    @pytest.mark.parametrize(
        "change",
        [{"idle_minutes": 0}, {"idle_minutes": 10**30}, {"action_server_url": "x"}, {"start_after_training": None}],
    )
    def test_what_cannot_be(self, admin, change) -> None:
        assert admin.put(SETTINGS, {"start_after_training": True, **change}).status_code == 422

    def test_who_may(self, annotator) -> None:
        assert annotator.get(SETTINGS).status_code == 403
        assert annotator.put(SETTINGS, {"start_after_training": True}).status_code == 403


def test_how_many_can_run(annotator, otter) -> None:
    now = timezone.now()
    Heartbeat.objects.create(kind=slots.WORKER, name="host:0", at=now, started_at=now)
    assert annotator.post(TRY).json()["workers"] == 1
