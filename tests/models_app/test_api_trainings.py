"""Trainings by API: asked for, followed line by line, cancelled; and what tests measured."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from models_app.models import Assistant, Model, TrainingJob
from models_app.services import training
from models_app.services.revisions import newest_revision, save_revision
from studio.access.permissions import EVERYWHERE, Permission
from studio.access.services import tokens
from studio.access.services.service_accounts import make_service
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from tests.factories import make_model, make_person
from tests.models_app.measured import result_of
from tests.models_app.programs import Program, program

pytestmark = pytest.mark.usefixtures("long_connected")
State = TrainingJob.State
JOB = "/api/projects/cafe/training/1"


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def admin(assistant: Assistant) -> Program:
    return program("admin")


def revise(assistant: Assistant, content: bytes = b"1") -> None:
    newest = newest_revision(assistant)
    parent = newest.number if newest else None
    save_revision(actor=None, assistant=assistant, files={"a.yml": content}, message="", parent_number=parent)


@pytest.fixture
def data(assistant: Assistant) -> None:
    revise(assistant)


def claimed() -> TrainingJob:
    job = training.claim(worker="w", versions=["3.6.21"])
    assert job is not None
    return job


@pytest.mark.parametrize("path", ["/training", "/models/jobs"])
def test_a_training_is_accepted_with_where_to_look(admin: Program, data: None, path: str) -> None:
    answer = admin.ask("POST", path)
    assert (answer.status_code, answer["Location"]) == (202, JOB)
    job = TrainingJob.objects.get()
    assert answer.json() == {
        "id": 1,
        "number": 1,
        "kind": "training",
        "state": "queued",
        "state_text": "Next in line",
        "is_ended": False,
        "is_cancelling": False,
        "step": "",
        "step_done": 0,
        "step_total": 0,
        "progress": None,
        "place": 1,
        "starts_in": None,
        "left": None,
        "outlook": "",
        "message": "",
        "revision": 1,
        "model": None,
        "tested": None,
        "with_tests": False,
        "finetune_from": None,
        "epochs_percent": None,
        "is_automatic": False,
        "attempt": 0,
        "rasa_version": "",
        "requested_by": admin.user.username,
        "requested_at": job.requested_at.timestamp(),
        "started_at": None,
        "finished_at": None,
        "url": JOB,
    }
    assert admin.get("/training/1").json() == answer.json()
    assert AuditEvent.objects.get(action=Action.TRAINING_REQUESTED).actor == admin.user


def test_an_older_revision_with_tests(admin: Program, assistant: Assistant, data: None) -> None:
    revise(assistant, b"2")
    told = admin.post("/training", {"revision": 1, "with_tests": True}).json()
    assert (told["revision"], told["with_tests"]) == (1, True)
    assert admin.post("/training", {"revision": 3}).status_code == 404
    assert admin.post("/training", {"revision": 10**30}).status_code == 404


def test_what_waits_or_was_trained_is_said_with_its_names(admin: Program, assistant: Assistant, data: None) -> None:
    admin.post("/training")
    waiting = admin.post("/training", {"force": True})
    assert (waiting.status_code, waiting.json()["details"]) == (409, {"job": 1})
    job = claimed()
    training.finish(job, make_model(assistant, "otter"))
    same = admin.post("/training")
    assert (same.status_code, same.json()["reason"]) == (409, "TrainedAlready")
    assert same.json()["details"] == {"job": 1, "model": "otter"}
    assert admin.post("/training", {"force": True}).json()["number"] == 2


def test_without_data_or_with_nonsense_nothing_is_trained(admin: Program) -> None:
    assert admin.post("/training").status_code == 422
    for body in ({"revision": "x"}, {"epochs_percent": 0}, {"with_tests": "maybe"}, [], '"x"'):
        assert admin.post("/training", body).status_code == 422
    assert admin.ask("POST", "/training", "{").status_code == 400
    assert not TrainingJob.objects.exists()


def test_going_on_from_a_model_says_why_it_cannot(admin: Program, assistant: Assistant, data: None) -> None:
    unknown = admin.post("/training", {"finetune_from": "otter"})
    assert (unknown.status_code, unknown.json()["reason"]) == (422, "Finetune")
    admin.post("/training")
    job = claimed()
    training.keep_facts(job, packages="", config_core_digest=b"x" * 32)
    training.finish(job, make_model(assistant, "otter"))
    other = admin.post("/training", {"finetune_from": "otter"})
    assert (other.status_code, other.json()["message"]) == (
        422,
        "A training cannot go on from otter: another configuration.",
    )


def test_a_token_of_either_kind_stands_behind_people(assistant: Assistant, data: None) -> None:
    person = make_person("admin")
    robot = make_service(actor=None, username="ci", description="")
    with_token = Program(person)
    made = tokens.make(actor=person, user=person, name="ci", permissions=frozenset({Permission.MODELS_MODIFY}))
    with_token.headers = {"Authorization": f"Bearer {made.text}"}
    assert with_token.post("/training").json()["is_automatic"] is True
    assert training.priority_of(robot) == TrainingJob.Priority.AUTOMATION
    assert training.priority_of(person) == TrainingJob.Priority.PERSON


def test_the_same_request_with_the_same_word_is_one_training(admin: Program, data: None) -> None:
    first, again = (admin.post("/training", {}, Idempotency_Key="k") for _ in range(2))
    assert (first.status_code, again.status_code, again["Location"]) == (202, 202, JOB)
    assert again.json() == first.json()
    assert TrainingJob.objects.count() == 1


def test_the_list_is_by_kind_and_state_and_asks_as_often_for_many(
    admin: Program, assistant: Assistant, data: None
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert admin.get("/training").status_code == 200
        return len(asked)

    admin.post("/training")
    queries()
    few = queries()
    for number in range(4):
        revise(assistant, b"%d" % (number + 2))
        admin.post("/training")
    assert queries() == few
    admin.post("/training/3/cancel")
    assert [row["number"] for row in admin.get("/training?state=queued").json()] == [5, 4, 2, 1]
    assert admin.get("/training?kind=test").json() == []
    assert admin.get("/training?kind=x").status_code == 422
    assert admin.get("/training?limit=2")["X-Total-Count"] == "5"


def test_a_running_one_tells_how_far_it_is(admin: Program, data: None) -> None:
    admin.post("/training")
    job = claimed()
    training.advance(job, State.TRAINING)
    training.beat(job, step="DIETClassifier", done=3, total=12)
    first = admin.get("/training/1")
    told = first.json()
    assert (told["state"], told["step"], told["progress"], told["place"]) == ("training", "DIETClassifier", 25, None)
    assert told["started_at"] > 0
    assert admin.get("/training/1", If_None_Match=first["ETag"]).status_code == 304


def test_the_log_goes_on_where_it_was(admin: Program, data: None) -> None:
    admin.post("/training")
    job = claimed()
    training.append_log(job, "one\ntwo\n")
    first = admin.get("/training/1/log").json()
    assert first["lines"] == [{"number": 1, "text": "one"}, {"number": 2, "text": "two"}]
    assert (first["is_ended"], first["state"]) == (False, "preparing")
    assert admin.get(f"/training/1/log?after={first['next']}").json()["lines"] == []
    training.append_log(job, "three\n")
    training.fail(job, "No.")
    more = admin.get(f"/training/1/log?after={first['next']}").json()
    assert (more["lines"], more["is_ended"]) == ([{"number": 3, "text": "three"}], True)
    text = admin.get("/training/1/log.txt")
    assert (text["Content-Type"], text.content) == ("text/plain; charset=utf-8", b"one\ntwo\nthree\n")
    for nonsense in ("x", "1", "1.2.3", "9" * 30 + ".1", "-1.1"):
        assert admin.get(f"/training/1/log?after={nonsense}").status_code == 422


def test_cancelling_ends_one_that_waits_and_not_one_that_ended(admin: Program, data: None) -> None:
    admin.post("/training")
    answer = admin.post("/training/1/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    assert admin.post("/training/1/cancel").status_code == 409


def test_who_may_only_look_starts_and_stops_nothing(assistant: Assistant, admin: Program, data: None) -> None:
    admin.post("/training")
    annotator, tester = program("annotator"), program("tester")
    assert annotator.get("/training/1").status_code == 200
    for path in ("/training", "/models/jobs", "/training/1/cancel"):
        assert annotator.post(path).status_code == 403
    assert tester.get("/training").status_code == 403
    for path in ("/training/1", "/training/1/log", "/training/1/log.txt", "/training/1/tests"):
        assert tester.get(path).status_code == 404
        assert Client().get(f"/api/projects/cafe{path}").status_code == 401
    assert admin.get("/training/99").status_code == 404
    assert admin.get("/training/x").status_code == 422
    assert admin.get(f"/training/{10**40}").status_code == 404


def test_a_test_is_asked_for_and_its_numbers_are_numbers(admin: Program, assistant: Assistant) -> None:
    otter = make_model(assistant, "otter")
    assert admin.post("/models/otter/tests").status_code == 422  # there is no data
    result_of(otter)
    asked = admin.post("/models/otter/tests", {"revision": 1})
    assert (asked.status_code, asked.json()["kind"], asked.json()["tested"]) == (202, "test", "otter")
    assert admin.post("/models/otter/tests").status_code == 409
    (row,) = admin.get("/models/otter/tests").json()
    assert (row["number"], row["model"], row["learned"], row["held_out"]) == (1, "otter", 1000, 266)
    assert 0 < row["macro_f1"] < 1
    (detail,) = admin.get("/training/1/tests").json()
    assert {**row, **detail} == detail
    assert detail["only_learned"] == ["rare"]
    assert detail["faults"][0].keys() == {"name", "path", "is_warning", "text"}
    assert detail["confusions"][0]["examples"]
    assert {score["kind"] for score in detail["scores"]} >= {"intent"}
    assert admin.get("/training/2/tests").json() == []


def test_who_may_not_see_data_sees_numbers_alone(admin: Program, assistant: Assistant) -> None:
    from studio.access.models import Role
    from studio.access.services.grants import grant
    from studio.access.services.roles import save_role

    result_of(make_model(assistant, "otter"))
    save_role(actor=None, role=None, name="some", description="", permissions=frozenset({Permission.MODELS_VIEW}))
    person = make_person(username="some")
    grant(actor=None, person=person, role=Role.objects.get(name="some"), scope=EVERYWHERE)
    (detail,) = Program(person).get("/training/1/tests").json()
    assert detail["faults"] == []
    assert {len(pair["examples"]) for pair in detail["confusions"]} == {0}
    assert detail["scores"]


def test_a_model_that_was_trained_here_names_its_training(admin: Program, assistant: Assistant, data: None) -> None:
    admin.post("/training")
    training.finish(claimed(), make_model(assistant, "otter"))
    assert Model.objects.get().job.number == 1
    assert admin.get("/models").json()[0]["training"] == 1
    assert admin.get("/training/1").json()["model"] == "otter"
