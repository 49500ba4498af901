"""Sources, unknown environments, dead letters and completeness by the API."""

import pytest

from conversations.models import CompletenessRun, Conversation, DeadLetter, DeadLetterRun, IntakeIncident, IntakeSource
from conversations.services import intake
from conversations.services.dead_letter_runs import carry_out
from models_app.models import Assistant
from studio.access.permissions import Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.errors import Conflict
from tests.conversations.api import Api, api_of
from tests.conversations.dead import CUT, HI, NO_TIME, make_letter
from tests.conversations.events import small_talk
from tests.conversations.fake_rasa import FakeRasa, connect
from tests.factories import environment_of, make_assistant, store_events

pytestmark = pytest.mark.django_db
START = 1_790_000_000.0
KAFKA = {
    "name": "Kafka",
    "servers": ["127.0.0.1:9"],
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_username": "parley",
    "sasl_password": "secret-word",
}


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


@pytest.fixture
def cafe() -> Assistant:
    return make_assistant("cafe")


@pytest.fixture
def api(cafe) -> Api:
    return api_of()


# --- Sources ----------------------------------------------------------------------------------------------------------


def test_a_source_is_added_changed_switched_and_removed(api) -> None:
    made = api.post("/projects/cafe/intake/sources", {**KAFKA, "environment": "worker"})
    source = IntakeSource.objects.get(kind="kafka")
    assert (made.status_code, made.json()) == (
        201,
        {
            "number": source.pk,
            "name": "Kafka",
            "kind": "kafka",
            "status": "failed",
            "word": "Not taken",
            "why": "No ingest process runs, so that events wait.",
            "mend": "Start manage.py ingest.",
            "is_on": True,
            "environment": "worker",
            "other_assistants": [],
            "settings": {
                "servers": ["127.0.0.1:9"],
                "topics": ["rasa_core_events"],
                "group": "parley-cafe",
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "sasl_username": "parley",
                "ssl_ca": "",
                "ssl_certificate": "",
                "ssl_check_hostname": True,
            },
            "events": 0,
            "known_events": 0,
            "waiting_records": 0,
            "open_incidents": 0,
            "alarm": "",
            "newest_event_time": None,
            "last_stored_at": None,
        },
    )
    path = f"/projects/cafe/intake/sources/{source.pk}"
    changed = api.put(path, {"topics": ["other"], "is_on": False}).json()
    assert (changed["settings"]["topics"], changed["is_on"], changed["environment"]) == (["other"], False, "worker")
    assert changed["settings"]["sasl_username"] == "parley"
    assert api.put(path, {"environment": None}).json()["environment"] is None
    assert "secret-word" not in api.get(path).content.decode()
    assert source.pk in [one["number"] for one in api.get("/projects/cafe/intake/sources").json()]
    assert api.post("/projects/cafe/intake/sources", KAFKA).status_code == 409
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert AuditEvent.objects.filter(action=Action.INTAKE_SOURCE_CHANGED).count() == 3


def test_assistants_that_one_does_not_see_stay_bound_and_unnamed(api, cafe) -> None:
    hidden = make_assistant("hidden")
    made = api.post("/projects/cafe/intake/sources", {**KAFKA, "other_assistants": ["hidden"]}).json()
    assert made["other_assistants"] == ["hidden"]
    path = f"/projects/cafe/intake/sources/{made['number']}"
    insider = api_of("admin", Scope(cafe.pk))
    seen = [insider.get(path), *insider.get("/projects/cafe/intake/sources").json()]
    assert seen[0].json()["other_assistants"] == []
    assert "hidden" not in str(seen[1:])
    assert insider.put(path, {"topics": ["other"], "other_assistants": []}).json()["other_assistants"] == []
    assert insider.put(path, {"other_assistants": ["hidden"]}).status_code == 422
    assert list(IntakeSource.objects.get(pk=made["number"]).other_assistants.all()) == [hidden]


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"servers": []}, {"servers": ["nowhere"]}, {"topics": ["a b"]}, {"security_protocol": "X"},
     {"sasl_password": ""}, {"environment": "none"}, {"other_assistants": ["none"]}, {"group": "ä"}],
)  # fmt: skip
def test_what_no_source_can_be_is_refused(api, wrong) -> None:
    assert api.post("/projects/cafe/intake/sources", {**KAFKA, **wrong}).status_code == 422


def test_a_connection_is_tried(api) -> None:
    tried = api.post("/projects/cafe/intake/sources/test", KAFKA).json()
    assert tried["problem"]
    number = api.post("/projects/cafe/intake/sources", KAFKA).json()["number"]
    assert api.post(f"/projects/cafe/intake/sources/{number}/test").json()["topics"] == []


def test_after_trouble_it_goes_on(api, cafe) -> None:
    number = api.post("/projects/cafe/intake/sources", KAFKA).json()["number"]
    path = f"/projects/cafe/intake/sources/{number}"
    assert api.post(f"{path}/go-on", {"keep": True}).status_code == 409
    IntakeSource.objects.filter(pk=number).update(alarm="Too many.")
    assert api.post(f"{path}/go-on", {"keep": True}).json()["alarm"] == ""
    incident = IntakeIncident.objects.create(
        source_id=number, kind="overtaken", topic="t", partition=0, first_offset=1, end_offset=4
    )
    assert [one["records"] for one in api.get(f"{path}/incidents").json()] == [3]
    closed = api.post(f"{path}/incidents/{incident.pk}/close", {"note": "Exported again"}).json()
    assert (closed["closed_by"], closed["note"]) == (api.person.username, "Exported again")
    assert api.post(f"{path}/incidents/{incident.pk}/close", {"note": "x"}).status_code == 409
    assert api.post(f"{path}/incidents/{incident.pk}/close", {"note": " "}).status_code == 422
    assert api.post(f"{path}/incidents/99999/close", {"note": "x"}).status_code == 404


def test_a_source_is_changed_and_switched_or_neither(api, monkeypatch) -> None:
    made = api.post("/projects/cafe/intake/sources", KAFKA).json()
    monkeypatch.setattr(intake, "switch_source", refuse)
    path = f"/projects/cafe/intake/sources/{made['number']}"
    assert api.put(path, {"topics": ["other"], "is_on": False}).status_code == 409
    assert api.get(path).json() == made


def refuse(**_: object) -> None:
    raise Conflict("Somebody removed it meanwhile.")


@pytest.mark.parametrize("path", ["sources", "unknown"])
def test_lists_of_intake_are_capped_and_say_so(api, cafe, path) -> None:
    for name in ("one", "two"):
        store_events(environment_of(cafe), *small_talk(START), under=name)
        api.post("/projects/cafe/intake/sources", {**KAFKA, "name": name})
    every = api.get(f"/projects/cafe/intake/{path}?limit=99999")
    assert (every["X-Limit"], every["X-Total-Count"]) == ("1000", str(len(every.json())))
    part = api.get(f"/projects/cafe/intake/{path}?limit=1&offset=1")
    assert (part["X-Limit"], part.json()) == ("1", every.json()[1:2])


def test_an_environment_takes_an_unknown_name_over(api, cafe) -> None:
    store_events(environment_of(cafe), *small_talk(START), under="staging")
    (unknown,) = api.get("/projects/cafe/intake/unknown").json()
    assert (unknown["name"], unknown["conversations"], unknown["environment"]) == ("staging", 1, "")
    assert api.post("/projects/cafe/intake/unknown", {"name": "staging", "environment": "none"}).status_code == 422
    adopted = api.post("/projects/cafe/intake/unknown", {"name": "staging", "environment": "worker"})
    assert adopted.json() == {"environment": "worker", "conversations": 1}
    assert Conversation.objects.get().environment.name == "worker"
    assert api.post("/projects/cafe/intake/unknown", {"name": "no such", "environment": "worker"}).status_code == 409


def test_a_name_becomes_an_environment(api, cafe) -> None:
    store_events(environment_of(cafe), *small_talk(START), under="staging")
    made = api.post("/projects/cafe/intake/unknown", {"name": "staging"}).json()
    assert made == {"environment": "staging", "conversations": 1}


def test_who_may_not_change_the_assistant_only_looks(cafe) -> None:
    viewer = api_of("annotator")
    assert viewer.get("/projects/cafe/intake/sources").status_code == 200
    assert viewer.post("/projects/cafe/intake/sources", KAFKA).status_code == 403
    assert viewer.post("/projects/cafe/intake/unknown", {"name": "x"}).status_code == 403
    worker = api_of("annotator", Scope(cafe.pk, environment_of(cafe, "worker").pk))
    assert worker.get("/projects/cafe/intake/sources").status_code == 403


# --- Dead letters -----------------------------------------------------------------------------------------------------


def test_letters_are_listed_by_cause_and_one_by_one(api, cafe) -> None:
    first, second = (make_letter(environment_of(cafe), one) for one in (CUT, NO_TIME))
    causes = api.get("/projects/cafe/dead-letters/causes").json()
    assert [(one["fault"], one["place"], one["count"]) for one in causes] == [
        ("missing", "timestamp", 1),
        ("not-json", "", 1),
    ]
    listed = api.get("/projects/cafe/dead-letters?limit=1")
    assert listed.json() == [
        {
            "number": second.pk,
            "state": "waiting",
            "fault": "missing",
            "place": "timestamp",
            "reason": second.reason,
            "source": second.source_id,
            "environment": "production",
            "topic": "rasa",
            "partition": 2,
            "offset": 4711,
            "is_edited": False,
            "at": second.at.timestamp(),
            "ended_at": None,
            "ended_by": None,
            "note": "",
        }
    ]
    assert listed["X-Total-Count"] == "2"
    assert [one["number"] for one in api.get("/projects/cafe/dead-letters?fault=not-json").json()] == [first.pk]
    assert api.get(f"/projects/cafe/dead-letters?source={10**30}").json() == []
    assert api.get("/projects/cafe/dead-letters?state=odd").status_code == 422
    assert api.get(f"/projects/cafe/dead-letters/{second.pk}").json() == listed.json()[0]
    assert api.get(f"/projects/cafe/dead-letters/{first.pk}/record").content == CUT


def test_a_letter_is_edited_tried_and_discarded(api, cafe) -> None:
    letter = make_letter(environment_of(cafe), CUT)
    path = f"/projects/cafe/dead-letters/{letter.pk}"
    tried = api.put(f"{path}/record", {"record": "{}"}).json()
    assert (tried["state"], tried["fault"], tried["is_edited"]) == ("waiting", "missing", True)
    assert api.post(f"{path}/retry").json()["state"] == "waiting"
    assert api.put(f"{path}/record", {"record": HI.decode()}).json()["state"] == "stored"
    assert api.get(f"{path}/record?version=edited").content == HI
    assert api.post(f"{path}/retry").status_code == 409
    other = make_letter(environment_of(cafe), NO_TIME)
    assert api.post(f"/projects/cafe/dead-letters/{other.pk}/discard", {"reason": " "}).status_code == 422
    gone = api.post(f"/projects/cafe/dead-letters/{other.pk}/discard", {"reason": "load test"}).json()
    assert (gone["state"], gone["note"], gone["ended_by"]) == ("discarded", "load test", api.person.username)
    assert AuditEvent.objects.filter(action=Action.DEAD_LETTER_DISCARDED).count() == 1
    assert Conversation.objects.count() == 1


def test_all_letters_of_a_cause_are_handled(api, cafe) -> None:
    make_letter(environment_of(cafe), CUT)
    wish = {"act": "discard", "fault": "not-json"}
    assert api.post("/projects/cafe/dead-letters/runs", wish).status_code == 422
    begun = api.post("/projects/cafe/dead-letters/runs", {**wish, "reason": "load test"})
    assert (begun.status_code, begun.json()["total"], begun.json()["state"]) == (202, 1, "waiting")
    path = begun["Location"].removeprefix("/api")
    carry_out(begun.json()["number"])
    assert (api.get(path).json()["state"], api.get(path).json()["discarded"]) == ("done", 1)
    assert api.delete(path).status_code == 409
    assert DeadLetter.objects.get().state == "discarded"
    assert api.post("/projects/cafe/dead-letters/runs", {"act": "retry", "fault": "none"}).status_code == 409
    assert api.post("/projects/cafe/dead-letters/runs", {"act": "retry", "fault": "x", "source": 0}).status_code == 404
    make_letter(environment_of(cafe), CUT)
    other = api.post("/projects/cafe/dead-letters/runs", {"act": "retry", "fault": "not-json"}).json()
    assert api.delete(f"/projects/cafe/dead-letters/runs/{other['number']}").status_code == 204
    assert DeadLetterRun.objects.latest("pk").state == "stopped"


def test_letters_are_seen_where_one_may_read(cafe) -> None:
    letter = make_letter(environment_of(cafe), CUT)
    worker = api_of("annotator", Scope(cafe.pk, environment_of(cafe, "worker").pk))
    assert worker.get("/projects/cafe/dead-letters").json() == []
    assert worker.get(f"/projects/cafe/dead-letters/{letter.pk}").status_code == 404
    assert api_of("tester").get("/projects/cafe/dead-letters").status_code == 403


# --- Completeness -----------------------------------------------------------------------------------------------------

CHECKS = "/projects/cafe/environments/production/completeness"


@pytest.fixture
def rasa(cafe):
    server = FakeRasa()
    connect(environment_of(cafe), server)
    yield server
    server.close()


def test_events_are_compared_and_the_comparison_is_stopped(api, cafe, rasa) -> None:
    begun = api.post(CHECKS, {"since": START, "sample": 10})
    assert (begun.status_code, begun.json()["state"], begun.json()["sample"]) == (202, "waiting", 10)
    path = begun["Location"].removeprefix("/api")
    assert api.post(CHECKS, {}).status_code == 409
    assert api.post(f"{path}/backfill").status_code == 409
    assert api.get(CHECKS).json() == [api.get(path).json()]
    assert api.get(f"{path}/findings").json() == []
    assert api.delete(path).status_code == 204
    assert api.get(path).json()["state"] == "stopped"
    assert api.post(f"{path}/backfill").json()["repairs"] is True
    assert AuditEvent.objects.filter(action=Action.REPAIR_REQUESTED).count() == 1


def test_the_time_of_an_incident_is_repaired(api, cafe, rasa) -> None:
    source = api.post("/projects/cafe/intake/sources", KAFKA).json()["number"]
    incident = IntakeIncident.objects.create(
        source_id=source, kind="overtaken", topic="t", partition=0, first_offset=1, end_offset=4, since=START
    )
    begun = api.post(CHECKS, {"incident": incident.pk}).json()
    assert (begun["incident"], begun["repairs"], begun["since"]) == (incident.pk, True, START - 3600)
    assert api.post(CHECKS, {"incident": 99999}).status_code == 404


def test_who_may_not_modify_the_environment_compares_nothing(api, cafe, rasa) -> None:
    assert api_of("annotator").get(CHECKS).status_code == 200
    assert api_of("annotator").post(CHECKS, {}).status_code == 403
    assert api.post("/projects/cafe/environments/worker/completeness", {}).json()["reason"] == "NoServer"
    for wrong in ({"since": -1}, {"sample": 0}, {"until": 1e300}, {"sample": "x"}):
        assert api.post(CHECKS, wrong).status_code == 422
    assert not CompletenessRun.objects.exists()
