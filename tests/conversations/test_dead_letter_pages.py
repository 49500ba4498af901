"""The pages of dead letters: causes, letters, one letter, and what one does there."""

import re

import pytest
from django.test import Client

from conversations.ingest.faults import FAULTS, fault_of
from conversations.models import DeadLetter, DeadLetterRun, Event
from environments.models import Environment
from models_app.models import Assistant
from studio.access.models import Role
from studio.access.permissions import Permission, Scope
from studio.access.services.grants import grant
from tests.clients import client_of
from tests.conversations.dead import CUT, HI, NO_TIME, make_letter
from tests.factories import environment_of, make_person, source_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_client")]


@pytest.fixture
def client(db: None) -> Client:
    return client_of(make_person("annotator"))


def address(assistant: Assistant, rest: str = "") -> str:
    return f"/a/{assistant.slug}/conversations/unreadable/{rest}"


def page(client: Client, assistant: Assistant, rest: str = "", status: int = 200) -> str:
    answer = client.get(address(assistant, rest))
    assert answer.status_code == status
    return answer.content.decode()


def titles(text: str) -> list[str]:
    return re.findall(r'class="row-link text strong"[^>]*>([^<]*)<', text)


def test_letters_are_grouped_by_cause_the_latest_first(client, assistant: Assistant, environment: Environment):
    for record in (CUT, b"oops", NO_TIME):
        make_letter(environment, record)
    text = page(client, assistant)
    assert titles(text) == ["timestamp is missing", "Not JSON"]
    assert re.findall(r'<td class="num">(\d+)', text) == ["1", "2"]


def test_an_empty_screen_says_what_would_be_here(client, assistant: Assistant):
    assert "No dead letters" in page(client, assistant)
    assert "No dead letter matches" in page(client, assistant, "?state=discarded")


def test_state_and_source_narrow_the_list_by_the_address(client, assistant: Assistant, environment: Environment):
    letter = make_letter(environment, CUT)
    assert titles(page(client, assistant, f"?source={letter.source_id}")) == ["Not JSON"]
    DeadLetter.objects.update(state="discarded")
    assert titles(page(client, assistant)) == []
    text = page(client, assistant, "?state=discarded")
    assert titles(text) == ["Not JSON"] and "cause/not-json/?state=discarded" in text


@pytest.mark.parametrize("query", ["?state=eaten", "?source=0", "?source=x"])
def test_a_value_that_cannot_be_is_said_and_matches_nothing(client, assistant: Assistant, environment, query: str):
    make_letter(environment, CUT)
    for rest in ("", "cause/not-json/"):
        assert "field-error" in page(client, assistant, rest + query, 422)


def test_a_cause_opens_to_its_letters_newest_first_in_pages(
    client, assistant: Assistant, environment: Environment, monkeypatch
):
    monkeypatch.setattr("conversations.views.dead_letters.page_of", lambda rows, request: sized(rows, request, 2))
    keys = [make_letter(environment, b"oops %d" % number).pk for number in range(3)]
    make_letter(environment, NO_TIME)
    first = page(client, assistant, "cause/not-json/")
    assert listed(first) == keys[:0:-1]
    older = re.search(r'rel="next" href="([^"]*)"', first)[1].replace("&amp;", "&")
    assert listed(page(client, assistant, "cause/not-json/" + older)) == keys[:1]


def sized(rows, request, size: int):
    from studio.web.keyset import page_of

    return page_of(rows, request, size)


def listed(text: str) -> list[int]:
    return [int(one) for one in re.findall(r'aria-label="Dead letter (\d+)"', text)]


def test_one_field_missing_is_another_cause_than_another(client, assistant: Assistant, environment: Environment):
    make_letter(environment, NO_TIME)
    make_letter(environment, b"{}")
    assert len(listed(page(client, assistant, "cause/missing/?place=timestamp"))) == 1
    assert "None of these waits any more" in page(client, assistant, "cause/missing/")


def test_a_letter_says_where_it_came_from_and_what_is_wrong(client, assistant: Assistant, environment: Environment):
    text = page(client, assistant, str(make_letter(environment, CUT).pk))
    for word in ("Not JSON: ", "rasa", "4711", "RASA_ENVIRONMENT", "production", "test", "<mark>"):
        assert word in text


def test_the_whole_record_is_a_file_to_keep_and_never_a_page(client, assistant: Assistant, environment: Environment):
    evil = b"<script>alert(1)</script>" * 9000
    letter = make_letter(environment, evil)
    answer = client.get(address(assistant, f"{letter.pk}/record"))
    assert answer.content == evil
    assert answer["Content-Disposition"].startswith("attachment") and answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Type"] == "application/octet-stream" and "sandbox" in answer["Content-Security-Policy"]
    shown = page(client, assistant, str(letter.pk))
    assert "<script>alert" not in shown and "The first 64 KB of 220 KB" in shown


def test_mending_a_letter_from_its_page_to_its_conversation(client, assistant: Assistant, environment: Environment):
    letter = make_letter(environment, CUT)
    assert "sender_id" in page(client, assistant, f"{letter.pk}/edit")
    wrong = client.post(address(assistant, f"{letter.pk}/edit"), {"text": NO_TIME.decode()})
    assert wrong.status_code == 422 and "No timestamp." in wrong.content.decode()
    right = client.post(address(assistant, f"{letter.pk}/edit"), {"text": HI.decode()}, follow=True)
    text = right.content.decode()
    assert "Stored: its event" in text and "Open the conversation" in text and "As it was edited" in text
    assert Event.objects.count() == 1
    late = client.get(address(assistant, f"{letter.pk}/edit"), follow=True)
    assert "handled already" in late.content.decode()


def test_trying_unchanged_tells_what_became_of_it(client, assistant: Assistant, environment: Environment):
    letter = make_letter(environment, CUT)
    text = client.post(address(assistant, f"{letter.pk}/retry"), follow=True).content.decode()
    assert "still cannot be stored" in text
    DeadLetter.objects.update(record=HI)
    client.post(address(assistant, f"{letter.pk}/retry"))
    other = make_letter(environment, CUT)
    DeadLetter.objects.filter(pk=other.pk).update(record=HI)
    text = client.post(address(assistant, f"{other.pk}/retry"), follow=True).content.decode()
    assert "was stored already" in text and Event.objects.count() == 1


def test_discarding_asks_for_a_reason(client, assistant: Assistant, environment: Environment):
    letter = make_letter(environment, CUT)
    assert client.post(address(assistant, f"{letter.pk}/discard"), {"reason": ""}).status_code == 422
    text = client.post(address(assistant, f"{letter.pk}/discard"), {"reason": "a test"}, follow=True).content.decode()
    assert "Discarded" in text and "a test" in text
    assert client.post(address(assistant, f"{letter.pk}/discard"), {"reason": "again"}).status_code == 422


def test_all_of_a_cause_are_tried_with_progress_that_shows_by_itself(client, assistant: Assistant, environment):
    make_letter(environment, NO_TIME)
    rest = "cause/missing/retry?place=timestamp"
    assert "Try 1 letter again" in page(client, assistant, rest)
    answer = client.post(address(assistant, rest))
    assert answer["Location"] == address(assistant, "cause/missing/?place=timestamp")
    live = client.get(answer["Location"], headers={"HX-Request": "true"}).content.decode()
    assert "Waits for a worker" in live and 'hx-trigger="every 2s"' in live and "<html" not in live
    assert client.post(address(assistant, rest)).status_code == 422
    client.post(address(assistant, f"runs/{DeadLetterRun.objects.get().pk}/stop"))
    assert 'hx-trigger="every 2s"' not in client.get(answer["Location"]).content.decode()


def test_who_may_look_but_not_flag_is_offered_nothing_and_refused(assistant: Assistant, environment: Environment):
    letter = make_letter(environment, CUT)
    viewer = make_person()
    role = Role.objects.create(name="viewer", permissions=[Permission.CONVERSATIONS_VIEW])
    grant(actor=None, person=viewer, role=role, scope=Scope(assistant.pk))
    client = client_of(viewer)
    assert "Try again" not in page(client, assistant, str(letter.pk))
    assert "Try all again" not in page(client, assistant, "cause/not-json/")
    for rest in (f"{letter.pk}/retry", f"{letter.pk}/edit", f"{letter.pk}/discard", "cause/not-json/discard"):
        assert client.post(address(assistant, rest), {"reason": "x", "text": "{}"}).status_code == 403


def test_a_role_in_one_environment_shows_its_letters_and_their_number_alone(assistant: Assistant, environment):
    worker = environment_of(assistant, "worker")
    hidden, seen = make_letter(environment, CUT), make_letter(worker, CUT)
    make_letter(environment, CUT, under="unheard-of")
    client = client_of(make_person("annotator", Scope(assistant.pk, worker.pk)))
    assert re.findall(r'<td class="num">(\d+)', page(client, assistant)) == ["1"]
    assert listed(page(client, assistant, "cause/not-json/")) == [seen.pk]
    page(client, assistant, str(hidden.pk), 404)


def test_the_list_of_conversations_says_when_some_wait(client, assistant: Assistant, environment: Environment):
    conversations = f"/a/{assistant.slug}/conversations/"
    assert "dead letter" not in client.get(conversations).content.decode()
    make_letter(environment, CUT)
    text = client.get(conversations).content.decode()
    assert "1 dead letter</a>" in text and address(assistant) in text
    assert "dead letter" not in client_of(make_person("tester")).get(conversations).content.decode()


@pytest.mark.parametrize("rest", ["", "cause/not-json/"])
def test_a_longer_list_asks_the_database_no_more_often(
    client, assistant: Assistant, environment: Environment, rest: str, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    make_letter(environment, CUT)
    page(client, assistant, rest)  # the first request of a session asks for more
    with CaptureQueriesContext(connection) as few:
        page(client, assistant, rest)
    for number in range(9):
        make_letter(environment_of(assistant, "worker"), b"oops %d" % number)
        make_letter(environment, NO_TIME)
    with django_assert_num_queries(len(few)):
        page(client, assistant, rest)
    assert len(few) <= 12


def test_a_letter_asks_little_of_the_database(client, assistant, environment, django_assert_max_num_queries):
    letter = make_letter(environment, CUT)
    with django_assert_max_num_queries(11):
        page(client, assistant, str(letter.pk))


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_a_title_a_cause_and_a_way_out(fault: str) -> None:
    words = fault_of(fault, "timestamp")
    assert all(words) and "{" not in words.title


def test_every_fault_that_is_raised_has_its_words() -> None:
    from pathlib import Path

    from django.conf import settings

    raised = set()
    for path in (Path(settings.BASE_DIR) / "conversations").rglob("*.py"):
        raised |= set(re.findall(r'(?:Undecodable\(|Unreadable\([^"]*)"([a-z0-9-]+)"', path.read_text()))
    assert {"not-json", "missing", "refused", "elsewhere"} <= raised <= set(FAULTS), raised - set(FAULTS)


def test_a_fault_of_a_later_version_is_called_by_its_code() -> None:
    assert fault_of("too-purple").title == "too-purple"


def test_letters_have_their_place_in_the_source_of_the_assistant(assistant: Assistant, environment: Environment):
    assert make_letter(environment, CUT).source == source_of(assistant)
