"""Promotions by the API: asked for, followed until they have ended, and taken back."""

import threading
import time

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from environments.models import Promotion, Replica
from environments.services.birth import create_environment
from environments.services.promotion import promote
from environments.services.transitions import state_of
from models_app.models import Model
from models_app.services.models import delete_model
from studio.access.permissions import Permission, Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.web import waiting
from tests.environments.api_client import Program
from tests.environments.polling import Poller
from tests.factories import environment_of, make_model, make_person

PRODUCTION = "/projects/default/environments/production"
PROMOTIONS = f"{PRODUCTION}/promotions"


@pytest.fixture
def otter(assistant) -> Model:
    return make_model(assistant, "otter")


@pytest.fixture
def heron(assistant) -> Model:
    return make_model(assistant, "heron")


@pytest.fixture
def admin(assistant) -> Program:
    return Program(make_person("admin", username="ada"))


def test_a_model_is_promoted(admin, otter, production) -> None:
    answer = admin.post(PROMOTIONS, {"model": "otter", "reason": "Better"})
    row = Promotion.objects.get()
    assert (answer.status_code, answer["Location"]) == (201, f"/api{PROMOTIONS}/1")
    assert answer.json() == {
        "project": "default",
        "environment": "production",
        "number": 1,
        "state": "switched",
        "ended": False,
        "model": "otter",
        "hash": otter.artifact_id,
        "from_model": None,
        "actor": "ada",
        "reason": "Better",
        "requested_at": row.requested_at.timestamp(),
        "ended_at": None,
        "url": f"/api{PROMOTIONS}/1",
    }
    event = AuditEvent.objects.get(action=Action.PROMOTED)
    assert (event.actor, event.reason) == (admin.user, "Better")


def test_out_of_service_is_a_promotion_to_null(admin, otter, production) -> None:
    promote(actor=None, environment=production, model=otter)
    body = admin.post(PROMOTIONS, {"model": None}).json()
    assert (body["model"], body["from_model"], body["state"], body["ended"]) == (None, "otter", "running", True)
    assert admin.post(PROMOTIONS, {}).status_code == 422


class TestExpected:
    def test_who_is_slower_is_told_what_is_live(self, admin, otter, heron, production) -> None:
        promote(actor=None, environment=production, model=heron)
        for stale in (None, "otter", otter.artifact_id):
            refused = admin.post(PROMOTIONS, {"model": "otter", "expected_current": stale})
            assert (refused.status_code, refused.json()["reason"]) == (409, "Stale")
            assert refused.json()["details"] == {"current": "heron", "hash": heron.artifact_id, "actor": "Parley"}
        assert admin.post(PROMOTIONS, {"model": "otter", "expected_current": heron.artifact_id}).status_code == 201
        assert admin.post(PROMOTIONS, {"model": "heron", "expected_current": "otter"}).status_code == 201

    def test_the_same_request_again_does_nothing_again(self, admin, otter, production) -> None:
        body = {"model": "otter", "expected_current": None}
        assert admin.post(PROMOTIONS, body).status_code == 201
        again = admin.post(PROMOTIONS, body)
        assert (again.status_code, again.json()["details"]["current"]) == (409, "otter")
        assert admin.post(PROMOTIONS, {"model": "otter"}).json()["reason"] == "AlreadyLive"
        assert Promotion.objects.count() == 1

    def test_an_idempotency_key_gives_the_first_answer_again(self, admin, otter) -> None:
        body, key = {"model": "otter"}, {"Idempotency-Key": "job-7"}
        first, again = admin.post(PROMOTIONS, body, **key), admin.post(PROMOTIONS, body, **key)
        assert (again.status_code, again.json(), again["Location"]) == (201, first.json(), first["Location"])
        assert Promotion.objects.count() == 1


@pytest.mark.parametrize(
    "body", [{"model": "none"}, {"model": ""}, {"model": 7}, {"model": "otter", "reason": "x" * 2001}]
)
def test_what_cannot_be_promoted(admin, otter, body) -> None:
    assert admin.post(PROMOTIONS, body).status_code == 422
    assert not Promotion.objects.exists()


class TestWho:
    def test_nobody_without_a_token(self, otter) -> None:
        for method, path in (("POST", PROMOTIONS), ("GET", PROMOTIONS), ("POST", f"{PRODUCTION}/rollback")):
            assert Client().generic(method, f"/api{path}").status_code == 401

    def test_protected_environments_ask_for_that_right(self, otter) -> None:
        annotator = Program(make_person("annotator"))
        for path in (PROMOTIONS, f"{PRODUCTION}/rollback"):
            assert annotator.post(path, {"model": "otter"}).status_code == 403
        worker = PROMOTIONS.replace("production", "worker")
        assert annotator.post(worker, {"model": "otter"}).status_code == 201
        assert AuditEvent.objects.filter(action=Action.ACCESS_REFUSED, actor=annotator.user).exists()

    def test_a_token_may_less_than_its_person(self, otter) -> None:
        may = frozenset({Permission.ENVIRONMENTS_VIEW, Permission.MODELS_VIEW, Permission.ENVIRONMENTS_MODIFY})
        assert Program(make_person("admin"), may).post(PROMOTIONS, {"model": "otter"}).status_code == 403

    def test_a_model_that_one_does_not_see_is_none(self, assistant, otter) -> None:
        may = frozenset({Permission.ENVIRONMENTS_VIEW, Permission.ENVIRONMENTS_MODIFY_PROTECTED})
        blind = Program(make_person("admin"), may)
        refused = blind.post(PROMOTIONS, {"model": "otter"})
        assert (refused.status_code, refused.json()["reason"]) == (422, "NoModel")

    def test_of_an_environment_that_one_does_not_see_there_is_nothing(self, assistant, otter, production) -> None:
        promote(actor=None, environment=production, model=otter)
        worker = environment_of(assistant, "worker")
        promote(actor=None, environment=worker, model=otter)
        guest = Program(make_person("annotator", Scope(assistant.pk, worker.pk)))
        assert guest.get(f"{PROMOTIONS}/1").status_code == 404
        assert guest.get(PROMOTIONS).status_code == 404
        assert [row["environment"] for row in guest.get("/projects/default/promotions").json()] == ["worker"]


class TestFollowing:
    def test_to_nobody(self, admin, otter, promote_to_production) -> None:
        promote_to_production(otter)
        body = admin.get(f"{PROMOTIONS}/1").json()
        assert (body["state"], body["ended"], body["live"], body["running"]) == ("switched", False, 0, 0)
        assert (body["current"], body["replicas"]) == (True, [])

    def test_until_every_server_runs_it(self, admin, otter, poller, promote_to_production) -> None:
        promote_to_production(otter)
        poller.poll()
        taken = admin.get(f"{PROMOTIONS}/1").json()
        assert (taken["state"], taken["live"], taken["replicas"][0]["status"]) == ("switched", 1, "busy")
        poller.poll()
        body = admin.get(f"{PROMOTIONS}/1").json()
        assert (body["state"], body["ended"], body["live"], body["running"]) == ("running", True, 1, 1)
        assert (body["message"], body["replicas"]) == (
            "Running 1 of 1",
            [
                {
                    "name": "rasa-1",
                    "named": True,
                    "status": "running",
                    "message": "Running",
                    "model": "otter",
                    "hash": otter.artifact_id,
                }
            ],
        )
        states = [(one["state"], one["detail"]) for one in body["transitions"]]
        assert states == [
            ("requested", {}), ("switched", {}), ("first-running", {"replica": "rasa-1"}), ("running", {"replicas": 1}),
        ]  # fmt: skip
        assert body["ended_at"] == body["transitions"][-1]["at"]

    def test_one_that_does_not_load(self, admin, otter, client, production, promote_to_production) -> None:
        promote_to_production(otter)
        broken = Poller(client, production, "rasa-1", loads=False)
        for _ in range(3):
            broken.poll()
        body = admin.get(f"{PROMOTIONS}/1").json()
        assert (body["state"], body["ended"], body["message"]) == ("failed", True, "Did not load on 1")
        assert body["transitions"][-1]["detail"] == {"replicas": ["rasa-1"]}

    def test_one_that_another_replaced(self, admin, otter, heron, promote_to_production) -> None:
        promote_to_production(otter)
        promote_to_production(heron)
        body = admin.get(f"{PROMOTIONS}/1").json()
        assert (body["state"], body["ended"], body["current"]) == ("superseded", True, False)
        assert (body["message"], body["live"], body["replicas"]) == ("Replaced before it ran", 0, [])

    def test_asking_again_costs_nothing_while_nothing_happens(
        self, admin, otter, poller, promote_to_production
    ) -> None:
        promote_to_production(otter)
        poller.poll()
        poller.poll()
        first = admin.get(f"{PROMOTIONS}/1")
        poller.poll()
        Replica.objects.update(last_seen_at=Replica.objects.get().last_seen_at)
        assert admin.get(f"{PROMOTIONS}/1", **{"If-None-Match": first["ETag"]}).status_code == 304

    @pytest.mark.parametrize("number", ["0", "-1", "2", str(10**30), "x", "1.5"])
    def test_a_number_that_there_is_not(self, admin, otter, promote_to_production, number) -> None:
        promote_to_production(otter)
        assert admin.get(f"{PROMOTIONS}/{number}").status_code in {404, 422}


class TestWaiting:
    def test_an_ended_one_answers_at_once(self, admin, otter, poller, promote_to_production) -> None:
        promote_to_production(otter)
        poller.poll()
        poller.poll()
        began = time.monotonic()
        assert admin.get(f"{PROMOTIONS}/1?wait=25").json()["state"] == "running"
        assert time.monotonic() - began < 5

    def test_until_the_time_is_over(self, admin, otter, promote_to_production) -> None:
        promote_to_production(otter)
        began = time.monotonic()
        assert admin.get(f"{PROMOTIONS}/1?wait=1").json()["state"] == "switched"
        assert 1 <= time.monotonic() - began < 10
        for much in ("26", "-1", "nan", "inf", "x"):
            assert admin.get(f"{PROMOTIONS}/1?wait={much}").status_code == 422

    def test_until_it_reaches_another_state(self, admin, otter, heron, promote_to_production, monkeypatch) -> None:
        promote_to_production(otter)
        naps: list[float] = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 2:
                promote_to_production(heron)

        monkeypatch.setattr(waiting.time, "sleep", nap)
        assert admin.get(f"{PROMOTIONS}/1?wait=25").json()["state"] == "superseded"
        assert naps == [waiting.EVERY] * 2

    def test_never_so_many_that_nobody_else_is_answered(self, monkeypatch) -> None:
        monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(1))
        asked: list[bool] = []

        def happened() -> bool:
            asked.append(waiting.wait_until(lambda: True, 25))  # a second one, meanwhile
            return True

        assert waiting.wait_until(happened, 25)
        assert asked == [False]
        assert waiting.wait_until(lambda: True, 25)  # its place is free again


class TestRollback:
    def run(self, promote_to_production, poller: Poller, model: Model) -> None:
        promote_to_production(model)
        poller.poll()
        poller.poll()

    def test_to_the_last_that_ran(self, admin, otter, heron, poller, production, promote_to_production) -> None:
        for model in (otter, heron):
            self.run(promote_to_production, poller, model)
        answer = admin.post(f"{PRODUCTION}/rollback", {"reason": "Slower"})
        assert (answer.status_code, answer["Location"]) == (201, f"/api{PROMOTIONS}/3")
        assert (answer.json()["model"], answer.json()["from_model"]) == ("otter", "heron")
        assert (answer.json()["reason"], answer.json()["actor"]) == ("Slower", "ada")

    def test_without_a_word(self, admin, otter, heron, poller, promote_to_production) -> None:
        self.run(promote_to_production, poller, otter)
        promote_to_production(heron)
        assert admin.post(f"{PRODUCTION}/rollback").json()["model"] == "otter"

    def test_with_what_one_saw(self, admin, otter, heron, poller, promote_to_production) -> None:
        self.run(promote_to_production, poller, otter)
        promote_to_production(heron)
        assert admin.post(f"{PRODUCTION}/rollback", {"expected_current": "otter"}).status_code == 409
        assert admin.post(f"{PRODUCTION}/rollback", {"expected_current": "heron"}).status_code == 201
        assert admin.post(f"{PRODUCTION}/rollback", {"expected_current": "heron"}).status_code == 409

    def test_there_is_nothing_to_return_to(self, admin, otter, promote_to_production) -> None:
        promote_to_production(otter)
        refused = admin.post(f"{PRODUCTION}/rollback")
        assert (refused.status_code, refused.json()["reason"]) == (409, "NothingRan")


def test_the_history_is_a_list_of_pages_that_cost_the_same(admin, otter, heron, assistant, production) -> None:
    def cost(path: str) -> int:
        admin.get(path)  # the first use of a token is written down
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(path).status_code == 200
        return len(queries)

    promote(actor=None, environment=production, model=otter)
    before = {path: cost(path) for path in (PROMOTIONS, "/projects/default/promotions")}
    for model in (heron, otter, heron):
        promote(actor=None, environment=production, model=model)
    assert {path: cost(path) for path in before} == before
    first = admin.get(f"{PROMOTIONS}?limit=3")
    assert ([row["number"] for row in first.json()], first["X-Total-Count"]) == ([4, 3, 2], "4")
    rest = admin.get(f"{PROMOTIONS}?limit=3&cursor={first['X-Next-Cursor']}")
    assert [row["number"] for row in rest.json()] == [1]
    assert [row["model"] for row in admin.get("/projects/default/promotions").json()] == ["heron", "otter"] * 2


def test_a_model_that_is_gone_keeps_its_name_in_the_history(admin, assistant, otter, heron) -> None:
    staging = create_environment(actor=None, assistant=assistant, name="staging")
    for model in (otter, heron):
        promote(actor=None, environment=staging, model=model)
    delete_model(actor=None, model=otter)
    first = admin.get("/projects/default/environments/staging/promotions/1").json()
    assert (first["model"], state_of(Promotion.objects.get(number=1))) == ("otter", "superseded")
