"""Examples that wait beside the training data, and taking many into one revision."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from conversations import example_filters
from conversations.ingest.write import Stored
from conversations.models import Correction, Event
from conversations.services import corrections
from conversations.services.corrections import Verdict, correct
from conversations.services.examples import Wishes, accept, bring_back, discard
from models_app.data.examples import Annotation
from models_app.models import Assistant, Revision
from models_app.services import examples as additions
from models_app.services.editing import MissingRights, save_edits
from models_app.services.revisions import files_of, newest_revision, save_revision
from studio.access.models import Role, User
from studio.access.permissions import Permission, Scope
from studio.access.services.grants import grant
from studio.errors import Conflict
from tests.clients import client_of
from tests.conversations.events import user
from tests.factories import make_person

pytestmark = pytest.mark.django_db
Make = Callable[..., Stored]
Say = Callable[..., Correction]

DOMAIN = b"# ours\nintents:\n  - greet\n  - bye\nentities: []\n"
NLU = b"nlu:\n- intent: greet  # c\n  examples: |\n    - hi\n    - hello\n- intent: bye\n  examples: |\n    - bye\n"
FILES = {"domain.yml": DOMAIN, "data/nlu.yml": NLU, "config.yml": b"pipeline: []\n"}


@pytest.fixture
def project(assistant: Assistant) -> Revision:
    return save_revision(actor=None, assistant=assistant, files=FILES, message="", parent_number=None)


@pytest.fixture
def anna(db: None) -> User:
    return make_person("annotator", username="anna")


@pytest.fixture
def say(stored: Make, anna: User) -> Say:
    """Somebody says `text`, and Anna what it was."""

    def make(text: str, intent: str, *annotations: Annotation, by: User | None = None, sender: str = "") -> Correction:
        stored(user(text, 1.0, intent="nlu_fallback", confidence=0.3, sender=sender or f"{text}-{intent}"))
        event = Event.objects.filter(kind="user").latest("pk")
        return correct(actor=by or anna, event=event, verdict=Verdict(intent, annotations))

    return make


def take(actor: User, assistant: Assistant, *rows: Correction, **wishes):
    keys = [row.pk for row in rows] or list(Correction.objects.values_list("pk", flat=True))
    return accept(actor=actor, assistant=assistant, keys=keys, seen_at=timezone.now(), wishes=Wishes(**wishes))


def newest(assistant: Assistant) -> dict[str, str]:
    revision = newest_revision(assistant)
    assert revision is not None
    return {path: data.decode() for path, data in files_of(revision).items()}


def page(person: User, assistant: Assistant, query: str = "", status: int = 200) -> str:
    answer = client_of(person).get(f"/a/{assistant.slug}/examples/{query}")
    assert answer.status_code == status
    return answer.content.decode()


def settle(person: User, assistant: Assistant, query: str = "", **data) -> str:
    data.setdefault("seen_at", timezone.now().isoformat())
    answer = client_of(person).post(f"/a/{assistant.slug}/examples/settle{query}", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_many_become_one_revision_in_the_files_that_have_their_intents(anna, assistant, project, say: Say):
    rows = [say("hey", "greet"), say("good day to Kim", "greet", Annotation(12, 15, "name")), say("see you", "bye")]
    outcome = take(anna, assistant, new_entities=["name"])
    assert outcome.taken == 3 and not outcome.left and outcome.revision.number == project.number + 1
    files = newest(assistant)
    assert files["data/nlu.yml"] == NLU.decode().replace(
        "    - hello\n", "    - hello\n    - hey\n    - good day to [Kim](name)\n"
    ).replace("    - bye\n", "    - bye\n    - see you\n")
    assert files["domain.yml"] == DOMAIN.decode().replace("[]", "[name]")
    assert outcome.revision.message == "3 examples from conversations: greet, bye"
    for row in rows:
        row.refresh_from_db()
        assert (row.state, row.revision, row.settled_by) == ("accepted", outcome.revision, anna)


def test_a_new_intent_goes_into_the_domain_and_a_file_of_its_own(anna, assistant, project, say: Say):
    say("is it vegan", "diet")
    assert take(anna, assistant).left == {"have an intent that the domain does not name": 1}
    assert take(anna, assistant, new_intents=["diet"]).taken == 1
    files = newest(assistant)
    assert "  - bye\n  - diet\n" in files["domain.yml"]
    assert files["data/nlu/from_conversations.yml"].endswith("  - intent: diet\n    examples: |\n      - is it vegan\n")
    say("any nuts", "diet")
    take(anna, assistant)
    assert newest(assistant)["data/nlu/from_conversations.yml"].endswith("      - is it vegan\n      - any nuts\n")


def test_what_is_an_example_already_is_not_written_twice(anna, assistant, project, say: Say):
    say("hi", "greet")
    outcome = take(anna, assistant)
    assert outcome.taken == 1 and outcome.revision == project


def test_a_text_that_is_an_example_of_something_else_waits_or_moves(anna, assistant, project, say: Say):
    say("hello", "bye")
    assert take(anna, assistant).left == {"are examples of something else already": 1}
    assert "In the data as" in page(anna, assistant)
    take(anna, assistant, move=True)
    text = newest(assistant)["data/nlu.yml"]
    assert text.count("- hello") == 1 and "    - bye\n    - hello\n" in text


def test_two_meanings_of_one_text_are_not_taken_together(anna, assistant, project, say: Say):
    one, other = say("moin", "greet", sender="a"), say("moin", "bye", sender="b")
    assert page(anna, assistant).count("choose one") == 2
    assert take(anna, assistant).left == {"contradict another one that was chosen": 2}
    assert take(anna, assistant, one).taken == 1
    assert take(anna, assistant, other).left == {"are examples of something else already": 1}


def test_the_same_said_twice_is_written_once(anna, assistant, project, say: Say):
    say("moin", "greet", sender="a"), say("moin", "greet", sender="b")
    assert take(anna, assistant).taken == 2
    assert newest(assistant)["data/nlu.yml"].count("- moin") == 1


def test_what_cannot_be_written_goes_on_waiting(anna, assistant, project, say: Say):
    say("see [this](that)", "greet")
    assert "Rasa has no way to write them" in page(anna, assistant)
    assert take(anna, assistant).left == {"cannot be written in Rasa’s format": 1}


def test_what_was_changed_since_the_page_was_made_is_not_taken(anna, assistant, project, say: Say):
    row = say("hey", "greet")
    early = row.at - timedelta(seconds=1)
    outcome = accept(actor=anna, assistant=assistant, keys=[row.pk], seen_at=early, wishes=Wishes())
    assert outcome.taken == 0 and outcome.left == {"were changed since the page showed them": 1}


def test_of_two_who_accept_the_same_the_second_is_told(anna, assistant, project, say: Say):
    row = say("hey", "greet")
    assert take(anna, assistant, row).taken == 1
    assert take(anna, assistant, row).left == {"were settled by somebody else meanwhile": 1}
    assert newest(assistant)["data/nlu.yml"].count("- hey") == 1


def test_it_is_done_again_upon_what_somebody_saved_meanwhile(anna, assistant, project, say: Say, monkeypatch):
    say("hey", "greet")
    honest = additions._edits

    def slow(revision: Revision, wanted: additions.Additions):
        edits = honest(revision, wanted)
        if revision == project:
            theirs = {"data/nlu.yml": NLU.replace(b"- hi\n", b"- hi\n    - servus\n")}
            save_edits(actor=anna, assistant=assistant, edits=theirs, message="", base_number=project.number)
        return edits

    monkeypatch.setattr(additions, "_edits", slow)
    assert take(anna, assistant).taken == 1
    text = newest(assistant)["data/nlu.yml"]
    assert "- servus" in text and "- hey" in text


def test_without_training_data_all_go_on_waiting(anna, assistant, say: Say):
    say("hey", "greet")
    with pytest.raises(Conflict, match="no training data"):
        take(anna, assistant, new_intents=["greet"])
    assert Correction.objects.get().state == "pending"


def test_the_domain_is_changed_only_by_who_may(assistant, project, say: Say):
    say("is it vegan", "diet")
    person = make_person()
    role = Role.objects.create(
        name="nlu-only", permissions=[Permission.CONVERSATIONS_VIEW, Permission.NLU_VIEW, Permission.NLU_MODIFY]
    )
    grant(actor=None, person=person, role=role, scope=Scope(assistant.pk))
    with pytest.raises(MissingRights):
        take(person, assistant, new_intents=["diet"])
    assert newest_revision(assistant) == project and Correction.objects.get().state == "pending"


def test_discarded_ones_can_come_back(anna, assistant, project, say: Say):
    keys = [say("hey", "greet").pk]
    assert discard(actor=anna, assistant=assistant, keys=keys) == 1
    with pytest.raises(Conflict):
        discard(actor=anna, assistant=assistant, keys=keys)
    assert "hey" in page(anna, assistant, "?state=discarded")
    assert bring_back(actor=anna, assistant=assistant, keys=keys) == 1
    assert Correction.objects.get().state == "pending"


def listed(text: str) -> list[str]:
    return re.findall(r'class="example anywhere">(\w+)<', text)


def test_what_is_no_example_is_listed_newest_first_and_can_be_undone(anna, assistant, project, say: Say):
    rows = [say(text, "") for text in ("one", "two", "three")]
    discard(actor=anna, assistant=assistant, keys=[say("hey", "greet").pk])
    assert listed(page(anna, assistant, "?state=discarded")) == ["hey"]
    text = page(anna, assistant, "?state=ignored")
    assert listed(text) == ["three", "two", "one"]
    at, undo = re.search(r'value="([^"]*)"[^>]* hx-post="([^"]*)"[^>]*aria-label="Undo: two"', text).groups()
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver/a/{assistant.slug}/examples/?state=ignored"}
    bob = make_person("annotator", username="bob")
    correct(actor=bob, event=rows[1].event, verdict=Verdict("greet"))
    refused = client_of(anna).post(undo, {"said_at": at}, headers=headers)
    assert (refused.status_code, refused["HX-Reswap"], refused.content) == (409, "none", b"")  # so that the row stays
    assert "greet by bob" in refused["HX-Trigger"] and Correction.objects.get(text="two").person == bob
    corrections.undo(actor=bob, event=rows[1].event)
    answer = client_of(anna).post(undo, {"said_at": at}, headers=headers)
    assert answer.status_code == 200 and "hx-swap-oob" not in answer.content.decode()
    assert listed(page(anna, assistant, "?state=ignored")) == ["three", "one"]
    assert not Event.objects.get(pk=rows[1].event_id).is_looked_at


def test_pages_of_what_is_no_example_lead_to_each_other(anna, assistant, say: Say, monkeypatch):
    monkeypatch.setattr(example_filters, "PAGE", 1)
    for text in ("one", "two", "three"):
        say(text, "")
    seen, query = [], "?state=ignored"
    for side in ("after", "after", "before", "before", ""):
        text = page(anna, assistant, query)
        seen += listed(text)
        link = re.search(rf'href="(\?[^"]*{side}=[^"]*)"', text)
        query = link[1].replace("&amp;", "&") if link else ""
    assert seen == ["three", "two", "one", "two", "three"]


def test_who_may_correct_nothing_is_offered_no_undo(assistant, project, say: Say):
    say("hey", "")
    person = make_person()
    role = Role.objects.create(name="reads", permissions=[Permission.CONVERSATIONS_VIEW, Permission.NLU_VIEW])
    grant(actor=None, person=person, role=role, scope=Scope(assistant.pk))
    text = page(person, assistant, "?state=ignored")
    assert listed(text) == ["hey"] and "Undo" not in text


def test_the_page_groups_by_intent_and_says_where_each_comes_from(anna, assistant, project, say: Say):
    row = say("hey", "greet")
    say("is it vegan", "diet")
    text = page(anna, assistant)
    assert re.findall(r'scope="rowgroup"><span class="mono">(\w+)', text) == ["diet", "greet"]
    assert "not in the domain" in text and f"/events/{row.event_id}/panel" in text and "production" in text
    assert "hey" not in page(anna, assistant, "?intent=diet") and "No example matches" in page(
        anna, assistant, "?person=x"
    )


def test_all_that_the_filters_show_are_settled_at_once(anna, assistant, project, say: Say, monkeypatch):
    monkeypatch.setattr("conversations.example_filters.PAGE", 2)
    for number in range(5):
        say(f"hey {number}", "greet")
    say("see you", "bye")
    text = page(anna, assistant, "?intent=greet")
    assert "All 5 that the filters show" in text
    following = re.search(r'rel="next" href="([^"]+)"', text)[1].replace("&amp;", "&")
    assert "hey 2" in page(anna, assistant, following) and "hey 1" in page(
        anna,
        assistant,
        re.search(r'rel="prev" href="([^"]+)"', page(anna, assistant, following))[1].replace("&amp;", "&"),
    )
    assert "5 examples are in revision 2." in settle(anna, assistant, "?intent=greet", everything="1", act="accept")
    assert Correction.objects.waiting().get().intent == "bye"


def test_choosing_nothing_is_said(anna, assistant, project, say: Say):
    assert "Choose at least one" in settle(anna, assistant, act="accept", example="x")


def test_the_data_page_names_how_many_wait(anna, assistant, project, say: Say):
    say("hey", "greet")
    client = client_of(anna)
    assert f"/a/{assistant.slug}/examples/note" in client.get(f"/a/{assistant.slug}/data/").content.decode()
    assert "1 example waits" in client.get(f"/a/{assistant.slug}/examples/note").content.decode()


def test_the_number_of_queries_does_not_grow(anna, assistant, project, say: Say, django_assert_max_num_queries):
    client = client_of(anna)
    for number in range(3):
        say(f"hey {number}", "greet")
    page(anna, assistant)
    with django_assert_max_num_queries(30) as few:
        client.get(f"/a/{assistant.slug}/examples/")
    for number in range(30):
        say(f"hey you {number}", "greet")
    with django_assert_max_num_queries(len(few)):
        client.get(f"/a/{assistant.slug}/examples/")
