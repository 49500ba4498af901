"""Environments by the API: Rasa Enterprise's list, and everything their pages can do."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from environments.models import Environment, ManagedServer, Replica
from environments.services.birth import create_environment
from environments.services.environments import note_server
from environments.services.managed import folder_of, log_path, run_here
from environments.services.promotion import promote
from models_app.services.tags import set_tag
from studio.access.permissions import Permission, Scope
from studio.audit.actions import Action
from studio.audit.models import AuditEvent
from studio.crypto import decrypt
from studio.schema import Schema
from tests.environments.api_client import Program
from tests.factories import environment_of, make_assistant, make_model, make_person

LIST = "/projects/default/environments"
PRODUCTION = f"{LIST}/production"
WORKER = f"{LIST}/worker"


@pytest.fixture
def admin(assistant) -> Program:
    return Program(make_person("admin", username="ada"))


@pytest.fixture
def annotator(assistant) -> Program:
    return Program(make_person("annotator"))


def named(name: str) -> Environment:
    return Environment.objects.current().get(name=name)


def test_one_environment_tells_all_but_secrets(admin, assistant, production) -> None:
    model = make_model(assistant, "otter")
    promotion = promote(actor=None, environment=production, model=model)
    body = admin.get(PRODUCTION).json()
    assert body == {
        "name": "production",
        "url": "",
        "token": "",
        "has_token": False,
        "kind": "unset",
        "protected": True,
        "action_server_url": "",
        "rasa_version": None,
        "model": {
            "model": "otter",
            "hash": model.artifact_id,
            "trained_at": model.trained_at.timestamp() if model.trained_at else None,
            "version": model.rasa_version,
        },
        "status": "silent",
        "message": "Not set up",
        "live": 0,
        "running": 0,
        "promotion": {"number": 1, "state": "switched", "requested_at": promotion.requested_at.timestamp()},
        "server": None,
        "created_at": production.created_at.timestamp(),
    }


class TestRasaEnterprisesList:
    def put(self, program: Program, *rows: dict[str, str]):
        return program.put("/environments", list(rows))

    def test_a_script_says_where_its_servers_are(self, admin) -> None:
        answer = self.put(
            admin,
            {"name": "production", "url": "http://rasa-production:5005", "token": "secret-1"},
            {"name": "staging", "url": "http://rasa-staging:5005/", "token": "secret-2"},
        )
        assert answer.status_code == 201
        assert [row["name"] for row in answer.json()] == ["production", "staging", "worker"]
        staging = named("staging")
        assert (staging.kind, staging.url) == ("connected", "http://rasa-staging:5005")
        assert decrypt(staging.server_token_encrypted) == "secret-2"
        assert "secret" not in answer.content.decode()
        changed = AuditEvent.objects.filter(action=Action.ENVIRONMENT_CHANGED).get()
        assert (changed.actor, changed.after["url"]) == (admin.user, "http://rasa-production:5005")

    def test_what_get_gives_may_be_put_again_and_changes_nothing(self, admin) -> None:
        self.put(admin, {"name": "production", "url": "http://rasa:5005", "token": "secret-1"})
        run_here(actor=None, environment=named("worker"))
        before = admin.get("/environments").json()
        events = AuditEvent.objects.count()
        rows = [{key: row[key] for key in ("name", "url", "token")} for row in before]
        assert admin.put("/environments", rows).json() == before
        assert decrypt(named("production").server_token_encrypted) == "secret-1"
        assert AuditEvent.objects.count() == events

    def test_all_of_it_or_nothing(self, admin) -> None:
        refused = self.put(
            admin,
            {"name": "staging", "url": "http://rasa:5005", "token": ""},
            {"name": "Not a name", "url": "http://rasa:5005", "token": ""},
        )
        assert (refused.status_code, refused.json()["details"]) == (422, {"field": "name"})
        assert not Environment.objects.filter(name="staging").exists()

    def test_each_name_asks_its_own_permission(self, annotator) -> None:
        address = {"url": "http://rasa:5005", "token": ""}
        assert self.put(annotator, {"name": "worker", **address}, {"name": "production", **address}).status_code == 403
        assert named("worker").kind == "unset"
        assert self.put(annotator, {"name": "worker", **address}, {"name": "new", **address}).status_code == 201

    def test_one_that_is_not_seen_is_refused_like_a_new_one(self, assistant) -> None:
        worker = environment_of(assistant, "worker")
        outsider = Program(make_person("annotator", Scope(assistant.pk, worker.pk)))
        for name in ("production", "nothing"):
            answer = self.put(outsider, {"name": name, "url": "http://rasa:5005", "token": ""})
            assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
        assert [row["name"] for row in outsider.get("/environments").json()] == ["worker"]

    def test_a_protected_one_that_a_token_does_not_see_asks_for_its_right_as_well(self, admin) -> None:
        token = Program(admin.user, frozenset({Permission.ENVIRONMENTS_MODIFY}))
        address = {"url": "http://rasa:5005", "token": "secret-1"}
        assert self.put(token, {"name": "worker", **address}, {"name": "production", **address}).status_code == 403
        assert (named("production").url, named("worker").url) == ("", "")
        assert self.put(token, {"name": "worker", **address}).status_code == 201

    @pytest.mark.parametrize("body", [{}, [1], [{"url": "x"}], [{"name": 1, "url": "", "token": ""}], None, "x"])
    def test_what_is_no_such_list_is_refused(self, admin, body) -> None:
        assert admin.put("/environments", body).status_code == 422

    def test_nobody_without_a_token(self, assistant) -> None:
        assert Client().get("/api/environments").status_code == 401
        assert Client().put("/api/environments", "[]", content_type="application/json").status_code == 401


class TestAdding:
    def test_a_server_of_the_team(self, admin, assistant) -> None:
        answer = admin.post(LIST, {"name": "staging", "url": "http://rasa:5005/", "token": "secret-1"})
        assert (answer.status_code, answer.json()["kind"], answer.json()["has_token"]) == (201, "connected", True)
        assert named("staging").database_key  # the table for its events
        event = AuditEvent.objects.filter(action=Action.ENVIRONMENT_CREATED).latest("pk")
        assert (event.actor, event.target_label) == (admin.user, "staging")

    def test_one_that_runs_here(self, admin) -> None:
        answer = admin.post(LIST, {"name": "staging", "kind": "managed"}).json()
        assert (answer["kind"], answer["server"]["wanted"], answer["server"]["state"]) == ("managed", True, "waiting")

    def test_it_takes_over_the_tag_of_its_name(self, admin, assistant) -> None:
        set_tag(actor=None, model=make_model(assistant, "otter"), name="staging")
        assert admin.post(LIST, {"name": "staging"}).json()["model"]["model"] == "otter"

    def test_a_protected_one_asks_for_that_right(self, admin, annotator) -> None:
        assert annotator.post(LIST, {"name": "live", "protected": True}).status_code == 403
        assert admin.post(LIST, {"name": "live", "protected": True}).json()["protected"] is True
        assert annotator.delete(f"{LIST}/live").status_code == 403

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"name": "production"}, 409),
            ({"name": "No Spaces"}, 422),
            ({"name": "a", "url": "rasa"}, 422),
            ({"name": "a", "kind": "connected"}, 422),
            ({"name": "a", "kind": "managed", "url": "http://rasa:5005"}, 422),
            ({"name": "a", "kind": "tried"}, 422),
            ({"name": "a", "token": "x" * 501}, 422),
            ({}, 422),
        ],
    )
    def test_what_cannot_be_added(self, admin, body, status) -> None:
        assert admin.post(LIST, body).status_code == status
        assert Environment.objects.current().count() == 2


class TestChanging:
    def test_a_name_and_an_address(self, admin, production) -> None:
        admin.put(PRODUCTION, {"kind": "connected", "url": "http://rasa:5005", "token": "secret-1"})
        answer = admin.put(PRODUCTION, {"name": "live", "url": "http://rasa:5006"})
        assert (answer.status_code, answer.json()["url"], answer.json()["kind"]) == (
            200,
            "http://rasa:5006",
            "connected",
        )
        assert decrypt(named("live").server_token_encrypted) == "secret-1"
        assert admin.get(PRODUCTION).status_code == 404

    def test_from_the_team_to_here_and_back(self, admin, production) -> None:
        admin.put(PRODUCTION, {"kind": "connected", "url": "http://rasa:5005", "token": "secret-1"})
        here = admin.put(
            PRODUCTION, {"kind": "managed", "action_server_url": "http://actions.example.org:5055/webhook"}
        )
        assert (here.json()["kind"], here.json()["url"], here.json()["has_token"]) == ("managed", "", False)
        assert here.json()["action_server_url"] == "http://actions.example.org:5055/webhook"
        assert admin.put(PRODUCTION, {"kind": "managed"}).status_code == 200  # once more
        assert admin.put(PRODUCTION, {"kind": "connected"}).status_code == 422  # where?
        back = admin.put(PRODUCTION, {"kind": "connected", "url": "http://rasa:5005"})
        assert (back.json()["kind"], back.json()["server"]) == ("connected", None)
        assert not ManagedServer.objects.get(environment=production).wanted

    def test_all_of_it_or_nothing(self, admin, production) -> None:
        assert admin.put(PRODUCTION, {"kind": "managed", "name": "worker"}).status_code == 409
        assert named("production").kind == "unset"
        assert admin.put(PRODUCTION, {"url": "http://rasa:5005"}).status_code == 422  # nobody said whose it is

    @pytest.mark.parametrize("body", [[], [1, 2], "x", 7, None, True])
    def test_what_is_no_object_is_no_change(self, admin, body) -> None:
        assert admin.put(PRODUCTION, body).status_code == 422

    def test_who_may_not(self, annotator) -> None:
        assert annotator.put(PRODUCTION, {"name": "mine"}).status_code == 403
        assert annotator.delete(PRODUCTION).status_code == 403
        assert annotator.put(WORKER, {"name": "mine"}).status_code == 200
        assert Program(make_person("tester")).put(PRODUCTION, {"name": "mine"}).status_code == 404

    def test_a_token_without_the_right_may_not_either(self, assistant) -> None:
        token = Program(make_person("admin"), frozenset({Permission.ENVIRONMENTS_VIEW}))
        assert token.put(WORKER, {"name": "mine"}).status_code == 403
        assert token.put("/environments", [{"name": "worker", "url": "http://x:1", "token": ""}]).status_code == 403
        assert token.post(LIST, {"name": "mine"}).status_code == 403

    def test_it_is_removed(self, admin, production) -> None:
        answer = admin.delete(PRODUCTION)
        assert (answer.status_code, answer.content) == (204, b"")
        assert AuditEvent.objects.filter(action=Action.ENVIRONMENT_REMOVED, actor=admin.user).exists()
        assert admin.delete(PRODUCTION).status_code == 404


def test_the_list_costs_the_same_for_many(admin, assistant) -> None:
    def cost() -> int:
        admin.get("/user")  # the first use of a token is written down
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(LIST).status_code == 200
        return len(queries)

    before = cost()
    for number in range(4):
        made = create_environment(actor=None, assistant=assistant, name=f"e{number}", kind="managed")
        promote(actor=None, environment=made, model=make_model(assistant))
    assert cost() <= before + 1  # the transitions of promotions, for all at once
    part = admin.get(f"{LIST}?limit=2&offset=1")
    assert ([row["name"] for row in part.json()], part["X-Total-Count"]) == (["e0", "e1"], "6")


class TestConnecting:
    def test_its_files_and_its_token(self, admin, production) -> None:
        body = admin.get(f"{PRODUCTION}/connection").json()
        token = decrypt(production.model_token_encrypted)
        assert body["model_token"] == token
        assert f"export RASA_X_TOKEN={token}" in body["variables"]
        assert "/api/projects/default/models/tags/production" in body["endpoints_yml"]
        assert token not in body["endpoints_yml"] + body["credentials_yml"]
        assert body["brokers"][0] == {"name": "sql", "title": "Parley’s table"}
        assert body["broker"] == "sql"

    def test_who_may_not_modify_it_reads_no_secret(self, annotator, production) -> None:
        answer = annotator.get(f"{PRODUCTION}/connection")
        assert answer.json()["model_token"] is None
        assert decrypt(production.model_token_encrypted) not in answer.content.decode()
        assert annotator.get(f"{WORKER}/connection").json()["model_token"]

    def test_the_files_themselves(self, annotator) -> None:
        body = annotator.get(f"{PRODUCTION}/connection").json()
        for name, text in (("endpoints.yml", body["endpoints_yml"]), ("credentials.yml", body["credentials_yml"])):
            file = annotator.get(f"{PRODUCTION}/{name}")
            assert (file["Content-Type"], file.content.decode()) == ("application/yaml", text)

    def test_the_table_for_its_events(self, admin) -> None:
        assert "event_broker" not in admin.get(f"{PRODUCTION}/endpoints.yml").content.decode()
        for _ in range(2):
            assert admin.post(f"{PRODUCTION}/event-table").json() == {"ready": True, "sql": ""}
        assert "event_broker" in admin.get(f"{PRODUCTION}/endpoints.yml").content.decode()


class TestServers:
    def test_the_replicas_say_what_they_run(self, admin, assistant, production, poller, promote_to_production) -> None:
        model = make_model(assistant, "otter")
        promote_to_production(model)
        poller.poll()
        poller.poll()
        row = Replica.objects.get()
        assert admin.get(f"{PRODUCTION}/replicas").json() == [
            {
                "name": "rasa-1",
                "named": True,
                "status": "running",
                "message": "Running",
                "model": "otter",
                "hash": model.artifact_id,
                "rasa_version": None,
                "runs_since": row.runs_since.timestamp(),
                "first_seen_at": row.first_seen_at.timestamp(),
                "last_seen_at": row.last_seen_at.timestamp(),
                "interval": row.interval,
            }
        ]

    def test_the_checklist(self, annotator) -> None:
        body = annotator.get(f"{PRODUCTION}/checks").json()
        assert body["good"] is False
        assert body["checks"][0] == {
            "status": "silent",
            "word": "No server",
            "message": "production is not set up: no Rasa server is connected to it, and none runs here for it.",
            "mend": "",
            "line": "",
            "at": None,
        }

    def test_a_server_that_runs_here_is_steered(self, admin, production) -> None:
        assert admin.post(f"{PRODUCTION}/server/stop").status_code == 409
        run_here(actor=None, environment=production)
        stopped = admin.post(f"{PRODUCTION}/server/stop")
        assert (stopped.status_code, stopped.json()["wanted"], stopped["Location"]) == (202, False, f"/api{PRODUCTION}")
        assert admin.post(f"{PRODUCTION}/server/stop").json()["reason"] == "Conflict"
        assert admin.post(f"{PRODUCTION}/server/start").json()["wanted"] is True
        assert admin.post(f"{PRODUCTION}/server/restart").status_code == 202
        assert admin.post(f"{PRODUCTION}/server/explode").status_code == 422
        done = {Action.SERVER_STOPPED, Action.SERVER_STARTED, Action.SERVER_RESTARTED}
        assert done <= set(AuditEvent.objects.filter(actor=admin.user).values_list("action", flat=True))

    def test_its_log_is_read_on(self, admin, production, settings, tmp_path) -> None:
        settings.SERVERS_DIR = tmp_path
        assert admin.get(f"{PRODUCTION}/server/log").json() == {"text": "", "offset": 0}
        folder_of(production).mkdir()
        log_path(production).write_text("one\ntwo\n")
        assert admin.get(f"{PRODUCTION}/server/log").json() == {"text": "one\ntwo\n", "offset": 8}
        assert admin.get(f"{PRODUCTION}/server/log?offset=4").json() == {"text": "two\n", "offset": 8}
        assert admin.get(f"{PRODUCTION}/server/log?offset={10**30}").status_code == 422

    def test_its_log_asks_the_right_to_read_conversations(self, assistant) -> None:
        may = frozenset({Permission.ENVIRONMENTS_VIEW, Permission.ENVIRONMENTS_MODIFY_PROTECTED})
        assert Program(make_person("admin"), may).get(f"{PRODUCTION}/server/log").status_code == 403


class TestStatus:
    def test_what_runs_where(self, admin, assistant, production, poller, promote_to_production) -> None:
        model = make_model(assistant, "otter")
        promotion = promote_to_production(model)
        poller.poll()
        poller.poll()
        body = admin.get("/projects/default/status").json()
        assert [row["environment"] for row in body] == ["production", "worker"]
        assert body[0] == {
            "project": "default",
            "environment": "production",
            "kind": "unset",
            "protected": True,
            "model": {
                "model": "otter",
                "hash": model.artifact_id,
                "trained_at": model.trained_at.timestamp() if model.trained_at else None,
                "version": model.rasa_version,
            },
            "status": "running",
            "message": "Running 1 of 1",
            "live": 1,
            "running": 1,
            "promotion": {"number": 1, "state": "running", "requested_at": promotion.requested_at.timestamp()},
            "replicas": [
                {
                    "name": "rasa-1",
                    "named": True,
                    "status": "running",
                    "message": "Running",
                    "model": "otter",
                    "hash": model.artifact_id,
                }
            ],
            "health": "failed",
            "health_message": "No ingest process runs, so that events wait.",
        }

    def test_of_every_assistant_that_one_sees(self, admin, assistant) -> None:
        inn = make_assistant("inn")
        body = admin.get("/status").json()
        assert [(row["project"], row["environment"]) for row in body] == [
            ("default", "production"), ("default", "worker"), ("inn", "production"), ("inn", "worker"),
        ]  # fmt: skip
        guest = Program(make_person("annotator", Scope(inn.pk, environment_of(inn, "worker").pk)))
        assert [(row["project"], row["environment"]) for row in guest.get("/status").json()] == [("inn", "worker")]
        assert guest.get("/projects/default/status").status_code == 404

    def test_it_costs_the_same_for_many(self, admin, assistant) -> None:
        def cost() -> int:
            admin.get("/user")  # the first use of a token is written down
            with CaptureQueriesContext(connection) as queries:
                assert admin.get("/status").status_code == 200
            return len(queries)

        for name in ("production", "worker"):
            promote(actor=None, environment=environment_of(assistant, name), model=make_model(assistant))
        before = cost()
        for number in range(4):
            made = create_environment(actor=None, assistant=assistant, name=f"e{number}", kind="managed")
            promote(actor=None, environment=made, model=make_model(assistant))
        make_assistant("inn")
        assert cost() <= before


class TestHealth:
    def test_in_rasa_enterprises_shape_and_for_everybody(self, client, production, poller) -> None:
        note_server(environment=production, version="3.6.21", minimum_compatible_version="3.5.0")
        poller.poll()
        assert client.get("/api/health").json() == {
            "production": {"version": "3.6.21", "minimum_compatible_version": "3.5.0", "status": 200},
            "worker": {"version": "", "minimum_compatible_version": "", "status": 503},
            "database_migration": {
                "status": "completed",
                "progress_in_percent": 100.0,
                "pending": 0,
                "message": "",
            },
        }

    def test_before_there_is_an_assistant(self, client, db) -> None:
        assert client.get("/api/health").json()["worker"]["status"] == 404

    def test_while_migrations_run(self, client, db, monkeypatch) -> None:
        monkeypatch.setattr("studio.health._migrated.is_set", lambda: False)
        monkeypatch.setattr("studio.schema.read", lambda: Schema(tuple(f"app.{n:04}" for n in range(25)), (), 100))
        migration = client.get("/api/health").json()["database_migration"]
        assert (migration["status"], migration["progress_in_percent"]) == ("in_progress", 75.0)
        assert (migration["pending"], migration["message"]) == (25, "It waits for manage.py migrate.")

    def test_a_licence_is_taken_and_needed_by_nobody(self, annotator) -> None:
        body = {"valid": True, "expires": None, "message": "Parley needs no licence."}
        assert annotator.get("/license").json() == body
        put = annotator.post("/license", {"license": "a.b.c"})
        assert (put.status_code, put.json()) == (201, body)
        assert annotator.delete("/license").status_code == 204
        assert Client().get("/api/license").status_code == 401
