"""The official `rasa studio` command's requests, as contracts describe them: operations, shapes, names of fields."""

import base64
import json

import pytest
from django.test import Client
from graphql import parse

from environments.rasa_studio import names
from environments.rasa_studio.schema import ONE_THING
from environments.rasa_studio.views import MOST_TOKENS
from models_app.models import Assistant, Revision
from models_app.services.revisions import files_of, newest_revision, save_revision
from parley_cli.project import packed, unpacked
from studio.access.models import User
from studio.access.permissions import Permission, Scope
from studio.audit.models import AuditEvent
from tests.access.api import Caller
from tests.factories import PASSWORD, environment_of, make_assistant, make_person

pytestmark = pytest.mark.django_db
NLU = 'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - hey\n'
DOMAIN = 'version: "3.1"\nintents:\n- greet\nentities:\n- name\n'
CONFIG = "recipe: default.v1\nlanguage: en\npipeline: []\npolicies: []\n"
FLOWS = "flows:\n  hello:\n    steps:\n    - action: utter_hello\n"

LICENSE = "query LicenseDetails { licenseDetails { valid scopes __typename } }"
BY_NAME = """query AssistantByName($input: AssistantByNameInput!) { assistantByName(input: $input) {
  ... on Assistant { id name mode } ... on AssistantByName_AssistantNotFound { _ } } }"""
UPLOAD = "mutation UploadModernAssistant($input: UploadModernAssistantInput!) { uploadModernAssistant(input: $input) }"
IMPORT = "mutation ImportFromEncodedYaml($input: ImportFromEncodedYamlInput!) { importFromEncodedYaml(input: $input) }"
EXPORT = """query ExportAsEncodedYaml($input: ExportAsEncodedYamlInput!) { exportAsEncodedYaml(input: $input) {
  ... on ExportModernAsEncodedYamlOutput { nlu flows domain endpoints config prompts { rephraser } }
  ... on ExportClassicAsEncodedYamlOutput { nlu domain } } }"""
DELETE = """mutation DeleteAssistant($input: DeleteAssistantInput!) { deleteAssistant(input: $input) {
  ... on Assistant { id name } ... on DeleteAssistant_AssistantNotFound { _ } } }"""


@pytest.fixture(autouse=True)
def _empty(redis_client) -> None: ...


class Command:
    def __init__(self, text: str) -> None:
        self.text = text

    def ask(self, query: str, /, **wanted: object) -> dict[str, object]:
        body = json.dumps({"query": query, "variables": {"input": wanted} if wanted else {}})
        headers = {"Authorization": f"Bearer {self.text}"}
        answer = Client(enforce_csrf_checks=True).post(
            "/api/graphql/", body, content_type="application/json", headers=headers
        )
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
        return answer.json()

    def data(self, query: str, /, **wanted: object) -> object:
        answer = self.ask(query, **wanted)
        assert "errors" not in answer, answer
        return next(iter(answer["data"].values()))

    def refused(self, query: str, /, **wanted: object) -> str:
        return self.ask(query, **wanted)["errors"][0]["message"]

    def export(self, name: str, **more: object) -> dict[str, str]:
        found = self.data(EXPORT, assistantName=name, **more)
        prompts = found.pop("prompts")
        return {key: base64.b64decode(value).decode() for key, value in found.items()} | {"prompts": prompts}


@pytest.fixture
def admin() -> User:
    return make_person("admin", username="admin")


@pytest.fixture
def command(admin) -> Command:
    return Command(Caller(admin).text)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_the_token_that_a_sign_in_gives_is_what_the_command_shows(admin) -> None:
    admin.set_password(PASSWORD)
    admin.save()
    form = {"grant_type": "password", "client_id": "admin-cli", "scope": "openid", "username": "admin"}
    given = (
        Client().post("/auth/realms/rasa-studio/protocol/openid-connect/token", {**form, "password": PASSWORD}).json()
    )
    found = Command(given["access_token"]).data(LICENSE)
    assert found == {"valid": True, "scopes": [], "__typename": "LicenseDetails"}


@pytest.mark.parametrize("text", ["", "x", "a.b.c", f"parley_{'a' * 12}.{'A' * 43}"])
def test_a_token_that_lets_nobody_in_is_an_error_in_words(text) -> None:
    assert "rasa studio login" in Command(text).refused(LICENSE)


def test_an_assistant_is_found_by_its_name(command) -> None:
    make_assistant("cafe")
    assert command.data(BY_NAME, assistantName="cafe") == {"id": "cafe", "name": "cafe", "mode": "MODERN"}
    assert command.data(BY_NAME, assistantName="none") == {"_": None}


@pytest.mark.parametrize("name", ["a\0b", "a\ud800", "日本", "x" * 5000])
def test_a_name_that_nobody_has_is_not_found(command, name) -> None:
    assert command.data(BY_NAME, assistantName=name) == {"_": None}
    assert command.data(DELETE, assistantId=name) == {"_": None}


def test_the_longest_name_is_a_name(command) -> None:
    command.data(UPLOAD, assistantName="B" * 128, nlu=encoded(NLU))
    assert command.export("b" * 128)["nlu"] == NLU


def test_what_is_uploaded_comes_back(command, admin) -> None:
    given = {"domain": DOMAIN, "flows": FLOWS, "config": CONFIG, "nlu": NLU, "endpoints": "models:\n- id: gpt\n"}
    parts = {name: encoded(text) for name, text in given.items()}
    assert command.data(UPLOAD, assistantName="My_Bot", **parts, prompts={"rephraser": "Say it."}) == "My_Bot"
    assert command.export("My_Bot") == {**given, "prompts": {"rephraser": "Say it."}}
    assert command.data(BY_NAME, assistantName="My_Bot")["name"] == "My_Bot"
    row = Assistant.objects.get()
    assert (row.slug, row.title, environment_of(row).name) == ("my_bot", "My_Bot", "production")
    assert newest_revision(row).author == admin
    assert AuditEvent.objects.filter(action="revision-created", actor=admin).count() == 1


def test_what_stands_beside_outlives_a_pull_and_a_push(command, admin) -> None:
    text = "models:\n- id: gpt\n"
    command.data(UPLOAD, assistantName="bot", nlu=encoded(NLU), endpoints=encoded(text), prompts={"rephraser": "Hi."})
    caller = Caller(admin)
    archive = caller.get("/projects/bot/data/archive")
    files = unpacked(b"".join(archive.streaming_content))
    assert files["studio/studio-endpoints.yml"] == text.encode()
    headers = {"Authorization": f"Bearer {caller.text}"}
    sent = packed({**files, "data/nlu.yml": NLU.replace("hey", "hello").encode()})
    saved = Client().post(
        "/api/projects/bot/data/archive?base=1", sent, content_type="application/zip", headers=headers
    )
    assert (saved.status_code, saved.json()["number"]) == (201, 2)
    found = command.export("bot")
    assert (found["endpoints"], found["prompts"], "hello" in found["nlu"]) == (text, {"rephraser": "Hi."}, True)


def test_parts_that_are_not_given_stay(command) -> None:
    command.data(UPLOAD, assistantName="bot", domain=encoded(DOMAIN), config=encoded(CONFIG), nlu=encoded(NLU))
    command.data(UPLOAD, assistantName="bot", nlu=encoded(NLU.replace("hey", "hello")))
    found = command.export("bot")
    assert (found["domain"], found["config"], "hello" in found["nlu"]) == (DOMAIN, CONFIG, True)
    assert (found["flows"], found["endpoints"], found["prompts"]) == ("", "{}\n", {})
    assert Revision.objects.count() == 2


def test_stories_and_code_of_an_assistant_stay_when_a_part_is_uploaded(command) -> None:
    cafe = make_assistant("cafe")
    files = {"data/stories.yml": b"stories: []\n", "actions/a.py": b"x = 1\n", "data/all.yml": NLU.encode()}
    save_revision(actor=None, assistant=cafe, files=files, message="", parent_number=None)
    command.data(IMPORT, assistantName="cafe", domain=encoded(DOMAIN), nlu=encoded(NLU.replace("greet", "hi")))
    now = files_of(newest_revision(cafe))
    assert {path: now.get(path) for path in ("data/stories.yml", "actions/a.py")} == {
        "data/stories.yml": b"stories: []\n", "actions/a.py": b"x = 1\n",
    }  # fmt: skip
    assert b"intent: hi" in now["data/all.yml"]
    assert command.export("cafe")["nlu"].count("intent:") == 1


def test_some_intents_and_entities_alone(command) -> None:
    more = NLU + "- intent: bye\n  examples: |\n    - bye\n"
    domain = DOMAIN.replace("- greet\n", "- greet\n- bye\n")
    command.data(UPLOAD, assistantName="bot", domain=encoded(domain), nlu=encoded(more))
    found = command.export("bot", objects=[{"name": ["bye"], "type": "Intent"}])
    assert ("bye" in found["nlu"], "greet" in found["nlu"], "greet" in found["domain"]) == (True, False, False)
    none = command.refused(EXPORT, assistantName="bot", objects=[{"name": ["none"], "type": "Intent"}])
    assert "nothing to download" in none


def test_an_assistant_is_deleted_by_its_id(command) -> None:
    command.data(UPLOAD, assistantName="My_Bot", nlu=encoded(NLU))
    found = command.data(BY_NAME, assistantName="My_Bot")
    assert command.data(DELETE, assistantId=found["id"]) == {"id": "my_bot", "name": "My_Bot"}
    assert command.data(DELETE, assistantId=found["id"]) == {"_": None}
    assert command.data(BY_NAME, assistantName="My_Bot") == {"_": None}


# --- What is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"assistantName": "a b", "nlu": encoded(NLU)}, "no spaces"),
        ({"assistantName": "", "nlu": encoded(NLU)}, "1 to 128"),
        ({"assistantName": "a" * 129, "nlu": encoded(NLU)}, "1 to 128"),
        ({"assistantName": "bot"}, "nothing in this upload"),
        ({"assistantName": "bot", "nlu": "%"}, "not base64"),
        ({"assistantName": "bot", "nlu": encoded("nlu: [")}, "data/nlu.yml"),
        ({"assistantName": "bot", "nlu": encoded(NLU), "prompts": ["x"]}, "Prompts"),
        ({"assistantName": "bot", "endpoints": encoded("tracker_store:\n  password: hunter2\n")}, "variable"),
        ({"assistantName": "bot", "endpoints": encoded('models: [{id: a, "api_key": "sk-1"}]\n')}, "variable"),
        ({"assistantName": "a\0b", "nlu": encoded(NLU)}, "no spaces"),
        ({"assistantName": "a\ud800b", "nlu": encoded(NLU)}, "no spaces"),
        ({"assistantName": "bot", "nlu": 1}, "String"),
        ({"nlu": encoded(NLU)}, "assistantName"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_makes_no_assistant(command, wanted, says) -> None:
    assert says in command.refused(UPLOAD, **wanted)
    assert not Assistant.objects.exists()


def test_a_variable_in_the_endpoints_is_no_secret(command) -> None:
    text = "action_endpoint:\n  url: http://actions:5055/webhook\n  token: ${ACTION_TOKEN}\n"
    command.data(UPLOAD, assistantName="bot", nlu=encoded(NLU), endpoints=encoded(text))
    assert command.export("bot")["endpoints"] == text


def test_permissions_are_those_of_the_pages(admin) -> None:
    cafe = make_assistant("cafe")
    save_revision(actor=None, assistant=cafe, files={"data/nlu.yml": NLU.encode()}, message="", parent_number=None)
    annotator = Command(Caller(make_person("annotator", username="anna")).text)
    assert annotator.data(UPLOAD, assistantName="cafe", nlu=encoded(NLU.replace("hey", "hi"))) == "cafe"
    assert "Create, rename and delete assistants" in annotator.refused(UPLOAD, assistantName="new", nlu=encoded(NLU))
    assert "Create, rename and delete assistants" in annotator.refused(DELETE, assistantId="cafe")
    tester = Command(Caller(make_person("tester", username="tess")).text)
    assert "View NLU training data" in tester.refused(EXPORT, assistantName="cafe")
    assert "Modify NLU training data" in tester.refused(UPLOAD, assistantName="cafe", nlu=encoded(NLU + "\n"))
    outsider = Command(
        Caller(
            make_person("annotator", Scope(make_assistant("inn").pk), username="otto"),
            {Permission.NLU_VIEW},
            Scope(Assistant.objects.get(slug="inn").pk),
        ).text
    )
    assert outsider.data(BY_NAME, assistantName="cafe") == {"_": None}
    assert "no such assistant" in outsider.refused(EXPORT, assistantName="cafe")
    assert AuditEvent.objects.filter(action="access-refused").count() >= 2
    assert Assistant.objects.filter(deleted_at=None).count() == 2


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '{"query": 1}',
        '{"query": "{"}',
        '{"query": "{ none }"}',
        '{"query": "query A { licenseDetails { none } }"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_request_is_an_error_and_no_fault(admin, body) -> None:
    headers = {"Authorization": f"Bearer {Caller(admin).text}"}
    answer = Client().post("/api/graphql/", body, content_type="application/json", headers=headers)
    assert (answer.status_code, bool(answer.json()["errors"][0]["message"])) == (200, True)


@pytest.mark.parametrize(
    "query",
    [
        "{ a: licenseDetails { valid } b: licenseDetails { valid } }",
        "query A { licenseDetails { valid } } query B { licenseDetails { valid } }",
        "{ ...F } fragment F on Query { a: licenseDetails { valid } b: licenseDetails { valid } }",
        "{ ... on Query { a: licenseDetails { valid } b: licenseDetails { valid } } }",
        "fragment F on Query { licenseDetails { valid } }",
        "{ licenseDetails { a: valid b: valid } }",
    ],
)
def test_a_request_asks_for_one_thing(command, query) -> None:
    assert command.refused(query) == ONE_THING


@pytest.mark.parametrize("query", [LICENSE, BY_NAME, UPLOAD, IMPORT, EXPORT, DELETE])
def test_what_the_command_asks_is_far_from_the_limit(query) -> None:
    parse(query, max_tokens=MOST_TOKENS // 2)


def test_a_query_without_end_is_not_read(command) -> None:
    many = "{" + " ".join(f"a{number}: licenseDetails {{ valid }}" for number in range(2000)) + "}"
    assert "token" in command.refused(many).lower()
    assert command.refused("{" * 500)


def test_a_body_larger_than_any_assistant_is_refused(command, settings) -> None:
    settings.MAX_DATA_BYTES = 1024
    assert "MB" in command.refused(UPLOAD, assistantName="bot", nlu="A" * 2 * 1024**2)


def test_our_own_faults_are_logged_and_not_told(command, monkeypatch) -> None:
    monkeypatch.setattr("environments.rasa_studio.operations.save_edits", lambda **_: 1 / 0)
    assert "division" not in command.refused(UPLOAD, assistantName="bot", nlu=encoded(NLU))
    assert not Assistant.objects.exists()


def test_other_methods_are_told_which_one_it_is() -> None:
    answer = Client().get("/api/graphql/")
    assert (answer.status_code, answer["Allow"], answer.json()["reason"]) == (405, "POST", "MethodNotAllowed")


@pytest.mark.parametrize("name", ["bot", "My_Bot", "Ünder", "a/b", "B" * 128, "---", "日本"])
def test_a_name_of_theirs_is_an_address_of_ours_and_the_same_each_time(name) -> None:
    slug = names.slug_of(name)
    assert Assistant(slug=slug).clean_fields(exclude=["title", "created_by"]) is None
    assert names.slug_of(slug) == slug == names.slug_of(name.upper()) == names.slug_of(name.lower())
