"""Words in the training data, by file and line."""

import pytest
from django.test import Client

from models_app.data.search import SHOWN, search
from models_app.models import Assistant
from studio.access.permissions import Permission
from studio.text_search import LINES_SHOWN
from tests.factories import make_person
from tests.models_app.test_data_pages import FILES, admin, person_with, revision, save

__all__ = ["admin", "revision"]
FIND = "/a/cafe/data/find"


def test_lines_are_numbered_as_editors_do_and_say_what_was_searched_for() -> None:
    rules, domain = sorted(search(FILES, "UTTER_greet"), key=lambda one: one.path == "domain.yml")
    assert [(rules.path, rules.total), (domain.path, domain.total)] == [("data/rules.yml", 1), ("domain.yml", 1)]
    assert [(line.number, line.text) for line in rules.lines] == [(6, "  - action: utter_greet")]
    assert domain.lines[0].found == (("  ", False), ("utter_greet", True), (":", False))


def test_a_whole_name_is_not_one_that_it_begins() -> None:
    files = {"a.yml": b"greet:\ngreet_again:\n- regreet\n- GREET\n- greet-again\n- faq/greet\n- greet/there\n"}
    (found,) = search(files, '"greet"')
    assert [line.number for line in found.lines] == [1, 4, 7]
    assert search(files, '"greet_"') == []


def test_of_a_line_that_is_too_long_what_stands_around_the_first_place_is_shown() -> None:
    (found,) = search({"a.json": b"[" + b"1, " * 300_000 + b'"greet"' + b", 1" * 300_000 + b"]"}, "greet")
    (line,) = found.lines
    assert ("greet", True) in line.found
    assert line.text[0] == line.text[-1] == "…" and len(line.text) == SHOWN + 2


def test_lines_are_counted_as_the_page_of_a_file_counts_them() -> None:
    text = "a\u2028b\x0bc\r\nd\rgreet\n"
    (found,) = search({"a.yml": text.encode()}, "greet")
    assert found.lines[0].number == 3


def test_more_than_a_page_holds_is_counted() -> None:
    found = search({"a.yml": b"x\n" * LINES_SHOWN, "b.yml": b"x\nx\n"}, "x")
    assert [(one.path, len(one.lines), one.total) for one in found] == [
        ("a.yml", LINES_SHOWN, LINES_SHOWN),
        ("b.yml", 0, 2),
    ]


@pytest.mark.parametrize("words", ["nowhere", "(", "\n"])
def test_what_no_line_holds_is_said(words: str, admin: Client) -> None:
    html = admin.get(FIND, {"q": words}).content.decode()
    assert ("No line holds this" in html) == bool(words.strip())


def test_each_line_leads_into_its_file(admin: Client) -> None:
    html = admin.get(FIND, {"q": "utter_greet"}).content.decode()
    assert 'href="/a/cafe/data/file/domain.yml#L5"' in html
    assert "2 lines in 2 files" in html


def test_an_older_revision_is_searched_as_it_was(admin: Client, assistant: Assistant) -> None:
    save(assistant, domain=FILES["domain.yml"].replace(b"Hello!", b"Good day!"))
    assert "No line holds this" in admin.get(FIND, {"q": "Hello!"}).content.decode()
    html = admin.get(FIND, {"q": "Hello!", "revision": "1"}).content.decode()
    assert 'href="/a/cafe/data/file/domain.yml?revision=1#L6"' in html


def test_of_files_that_one_may_not_see_nothing_is_found(client: Client, revision) -> None:
    client.force_login(person_with(Permission.NLU_VIEW))
    html = client.get(FIND, {"q": "greet"}).content.decode()
    assert "data/nlu.yml" in html
    assert "rules.yml" not in html


def test_without_any_right_to_data_there_is_no_page(client: Client, revision) -> None:
    client.force_login(make_person())
    assert client.get(FIND, {"q": "greet"}).status_code in (403, 404)
