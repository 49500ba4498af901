"""Talk with a real Rasa: taking back what was said, stories out of what was said, and an action server that is missing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conversations.chat.actions import trouble_after
from conversations.chat.rewinding import take_back
from conversations.chat.sending import say
from conversations.chat.sessions import begin_talk, note_answered
from conversations.chat.targets import Target
from conversations.chat.transcript import as_stored, conversation_of, remembered, turns_since
from conversations.chat.why import why
from conversations.models import Conversation, Event, TalkSession
from conversations.presentation.applied import applied
from conversations.presentation.stories import stories_of
from conversations.services.stories import NEW_FILES, save_stories
from environments.models import Environment
from models_app.services.revisions import files_of, save_revision, write_files
from studio.crypto import encrypt
from studio.rasa.commands import story_test_arguments, train_arguments, validate_arguments
from studio.rasa.process import Spec
from tests.factories import environment_of, make_assistant, make_model, make_person, store_events
from tests.rasa_fixtures import SMALL, SQLITE_TRACKERS, STARTER, RunningRasa, running_rasa, wait_for_end

pytestmark = [pytest.mark.rasa, pytest.mark.django_db(transaction=True)]

BROKER = "event_broker:\n  type: file\n  path: {folder}/published.log\n"
ACTIONS = "action_endpoint:\n  url: http://127.0.0.1:9/webhook\n"


@pytest.fixture(scope="module")
def rasa(rasa_processes, trained_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRasa]:
    folder = tmp_path_factory.mktemp("rasa")
    endpoints = (SQLITE_TRACKERS + BROKER + ACTIONS).format(folder=folder)
    with running_rasa(rasa_processes, folder, endpoints=endpoints, model=trained_model) as server:
        yield server


@pytest.fixture
def session(transactional_db, redis_client, rasa: RunningRasa) -> TalkSession:
    return talk_with(rasa, environment_of(make_assistant()))


def talk_with(rasa: RunningRasa, environment: Environment) -> TalkSession:
    Environment.objects.filter(pk=environment.pk).update(
        kind="connected",
        url=rasa.url,
        server_token_encrypted=encrypt(rasa.token),
        private_key_encrypted=encrypt(rasa.keys.private_pem),
    )
    environment.refresh_from_db()
    return begin_talk(actor=make_person("admin"), target=Target(environment))


def speak(session: TalkSession, *texts: str) -> list[str]:
    """What was answered last."""
    for text in texts:
        turn, _ = say(session=session, text=text)
        note_answered(session, text)
    return turn.said


def state(rasa: RunningRasa, session: TalkSession) -> dict[str, Any]:
    tracker = rasa.client.tracker(session.sender_id)
    slots = {name: value for name, value in tracker["slots"].items() if name != "session_started_metadata"}
    return {"slots": slots, "loop": tracker["active_loop"].get("name"), "action": tracker["latest_action_name"]}


def published(rasa: RunningRasa, session: TalkSession) -> list[bytes]:
    """The server is that of all tests here; each has a conversation of its own."""
    lines = [line for line in (rasa.log.parent / "published.log").read_bytes().splitlines() if line]
    return [line for line in lines if json.loads(line)["sender_id"] == session.sender_id]


def place_of(session: TalkSession, text: str) -> str:
    return next(turn.place for turn in remembered(session) if turn.sent == text)


def test_rasa_stands_where_it_stood_also_within_a_form(rasa: RunningRasa, session: TalkSession):
    said = ["hello", "I want to book a table", "for 4 people", "saturday"]
    before = []
    for text in said:
        before.append(state(rasa, session) if session.first_text else None)
        speak(session, text)
    assert before[3]["loop"] == "book_table_form"
    for at in (3, 2, 1):
        taken = take_back(session=session, place=place_of(session, said[at]))
        assert (taken.text, taken.count) == (said[at], 1)
        assert state(rasa, session) == before[at], said[at]

    answers = speak(session, "I want to book a table")
    assert answers
    assert state(rasa, session)["loop"] == "book_table_form"
    ours = applied(as_stored(rasa.client.tracker(session.sender_id)["events"]))
    assert [one.kind for one in ours if one.kind == "user"] == ["user", "user"]

    # What Rasa published is what it remembers, and what the page shows.
    store_events(session.environment, *published(rasa, session))
    conversation = conversation_of(session)
    assert conversation is not None
    assert conversation.events.count() == len(rasa.client.tracker(session.sender_id)["events"])
    shown = [(turn.sent, turn.is_undone) for turn in turns_since(conversation, 0.0) if turn.asked]
    assert shown == [(text, text != "hello") for text in said] + [("I want to book a table", False)]
    assert shown == [(turn.sent, turn.is_undone) for turn in remembered(session) if turn.asked]


def test_several_messages_at_once_and_all_of_them(rasa: RunningRasa, session: TalkSession):
    speak(session, "hello")
    after_hello = state(rasa, session)
    speak(session, "I want to book a table", "for 4 people", "do you have wifi", "saturday")
    assert take_back(session=session, place=place_of(session, "I want to book a table")).count == 4
    assert state(rasa, session) == after_hello
    assert take_back(session=session, place="").text == "hello"
    assert state(rasa, session)["action"] == "action_listen"
    assert speak(session, "hello")


def test_what_is_replaced_by_put_stays_in_rasas_store_and_is_published_to_nobody(
    rasa: RunningRasa, session: TalkSession
):
    """Why rewinding is by `rewind`: a Rasa that does better would be a reason to look again."""
    speak(session, "hello", "do you have wifi")
    events = rasa.client.tracker(session.sender_id)["events"]
    count = len(published(rasa, session))
    until = next(at for at, one in enumerate(events) if one.get("text") == "do you have wifi")
    path = f"/conversations/{session.sender_id}/tracker/events"
    assert rasa.client._ask("PUT", path, json=events[:until]).status == 200
    assert len(rasa.client.tracker(session.sender_id)["events"]) == len(events)
    assert len(published(rasa, session)) == count


def test_a_turn_is_explained_from_memory_as_from_its_events(rasa: RunningRasa, session: TalkSession):
    speak(session, "hello", "I want to book a table for 4 people")
    remembered_why = why(session, "", 0.0)
    store_events(session.environment, *published(rasa, session))
    stored_why = why(session, "", 0.0)
    assert remembered_why is not None and stored_why is not None
    assert (remembered_why.event, stored_why.event is not None) == (None, True)
    assert remembered_why.place == stored_why.place
    for one in (remembered_why.turn, stored_why.turn):
        assert one.loop == "book_table_form"
        assert [slot.name for slot in one.changed if slot.value] == ["people"]
        assert one.decisions[0].policy == "RulePolicy"
        assert len(one.message.understanding.ranking) > 5
    assert remembered_why.turn.marked == stored_why.turn.marked


def test_stories_out_of_it_are_read_validated_and_tested_by_rasa(
    rasa: RunningRasa, session: TalkSession, rasa_processes, trained_model: Path, tmp_path: Path
):
    speak(session, "hello", "do you have wifi", "I want to book a table", "for 4 people", "saturday", "cancel", "bye")
    store_events(session.environment, *published(rasa, session))
    conversation = Conversation.objects.select_related("assistant").get()
    files = {str(path.relative_to(STARTER)): path.read_bytes() for path in STARTER.rglob("*.yml")}
    save_revision(actor=None, assistant=conversation.assistant, files=files, message="", parent_number=None)
    events = Event.objects.filter(conversation=conversation)
    for kind in ("training", "test"):
        stories = stories_of(events, kind, f"kept as {kind}")
        revision = save_stories(
            actor=make_person("admin", username=kind),
            conversation=conversation,
            stories=stories,
            kind=kind,
            path=NEW_FILES[kind],
        )
    assert f"conversation {conversation.pk}" in revision.message
    folder = tmp_path / "project"
    folder.mkdir()
    write_files(files_of(revision), folder)

    log = folder / "validate.log"
    handle = rasa_processes.start(Spec(validate_arguments("config.yml", "domain.yml", ["data"]), folder, log))
    assert wait_for_end(rasa_processes, handle, 300).code == 0, log.read_text()

    (folder / "only").mkdir()
    (folder / "only" / "test_kept.yml").write_bytes((folder / NEW_FILES["test"]).read_bytes())
    log = folder / "test.log"
    arguments = story_test_arguments(model=str(trained_model), stories="only", out="results")
    assert wait_for_end(rasa_processes, rasa_processes.start(Spec(arguments, folder, log)), 300).code == 0, (
        log.read_text()
    )
    report = json.loads((folder / "results" / "story_report.json").read_text())
    assert report["conversation_accuracy"]["correct"] == report["conversation_accuracy"]["total"] > 0, (
        folder / "results" / "failed_test_stories.yml"
    ).read_text()


ORDERING = {
    **SMALL,
    "domain.yml": b'version: "3.1"\nintents: [greet]\nactions: [action_order]\nresponses:\n  utter_greet:\n  - text: Hello\n',
    "data/rules.yml": b'version: "3.1"\nrules:\n- rule: greet\n  steps:\n  - intent: greet\n  - action: action_order\n'
    b"  - action: utter_greet\n",
}


@pytest.fixture
def ordering_model(rasa_processes, tmp_path: Path) -> Path:
    """An assistant that runs a custom action before it greets."""
    folder = tmp_path / "ordering"
    folder.mkdir()
    write_files(ORDERING, folder)
    arguments = train_arguments(
        config="config.yml", domain="domain.yml", data=["data"], out="out", model_name="ordering"
    )
    handle = rasa_processes.start(Spec(arguments, folder, folder / "train.log"))
    assert wait_for_end(rasa_processes, handle, 200).code == 0, (folder / "train.log").read_text()
    return folder / "out" / "ordering.tar.gz"


def test_of_a_missing_action_server_rasa_says_nothing_and_we_do(
    rasa_processes, ordering_model: Path, tmp_path: Path, transactional_db, redis_client
):
    endpoints = (SQLITE_TRACKERS + ACTIONS).format(folder=tmp_path)
    with running_rasa(rasa_processes, tmp_path / "rasa", endpoints=endpoints, model=ordering_model) as server:
        environment = environment_of(make_assistant())
        environment.tag.model = make_model(environment.assistant, "ordering", ordering_model.read_bytes())
        environment.tag.save(update_fields=["model"])
        session = talk_with(server, environment)
        assert speak(session, "hi") == ["Hello"]  # it goes on with the next action, as if nothing were
        events = [
            one for one in server.client.tracker(session.sender_id)["events"] if one["event"] != "session_started"
        ]
        names = [one.get("name") for one in events if one["event"] == "action"]
        assert names[-3:] == ["action_order", "utter_greet", "action_listen"]
        assert "action_execution_rejected" not in {one["event"] for one in events}
        assert "Couldn't connect to the server" in server.log.read_text()
        assert trouble_after(session, 0.0) == ""  # of a server of others nobody knows which one it has
        session.environment.action_server_url = "http://127.0.0.1:9/webhook"
        assert "action_order should have run" in trouble_after(session, 0.0)
