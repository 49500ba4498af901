"""Revisions: immutable, numbered, never overwriting somebody else's work."""

import pytest

from models_app.models import Blob
from models_app.services import revisions
from models_app.services.assistants import add_assistant
from studio.errors import Invalid

pytestmark = pytest.mark.django_db


@pytest.fixture
def assistant():
    return add_assistant(actor=None, slug="cafe", title="Café")


def save(assistant, files, parent, message="change"):
    return revisions.save_revision(
        actor=None, assistant=assistant, files=files, message=message, parent_number=parent, author_label="Ana"
    )


def test_a_saved_revision_gives_its_files_back_byte_for_byte(assistant):
    files = {"domain.yml": "intents: [grüß]\r\n".encode(), "data/nlu.yml": b"\xef\xbb\xbfnlu: []\n"}
    revision = save(assistant, files, None)
    assert revision.number == 1
    assert revisions.files_of(revision) == files


def test_equal_data_makes_no_new_revision(assistant):
    first = save(assistant, {"a.yml": b"1", "b.yml": b"2"}, None)
    again = save(assistant, {"b.yml": b"2", "a.yml": b"1"}, 1)
    assert again == first


def test_content_is_kept_once(assistant):
    save(assistant, {"a.yml": b"same", "b.yml": b"same"}, None)
    save(assistant, {"a.yml": b"same", "b.yml": b"other"}, 1)
    assert Blob.objects.count() == 2


def test_saving_on_an_older_revision_is_refused_and_names_who_was_faster(assistant):
    save(assistant, {"a.yml": b"1"}, None)
    newest = save(assistant, {"a.yml": b"2"}, 1)
    with pytest.raises(revisions.NewerRevision) as caught:
        save(assistant, {"a.yml": b"3"}, 1)
    assert caught.value.newest == newest
    assert "Ana saved revision 2" in caught.value.message


def test_changed_paths_names_added_removed_and_changed(assistant):
    old = save(assistant, {"a.yml": b"1", "b.yml": b"2", "c.yml": b"3"}, None)
    new = save(assistant, {"a.yml": b"1", "b.yml": b"9", "d.yml": b"4"}, 1)
    assert revisions.changed_paths(old, new) == ["b.yml", "c.yml", "d.yml"]
    assert revisions.changed_paths(None, new) == ["a.yml", "b.yml", "d.yml"]


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../up.yml", "a/../../b", "a//b.yml", "./a.yml", "a\\b.yml", "a\0b"]
)
def test_paths_that_climb_or_mislead_are_refused(assistant, path):
    with pytest.raises(Invalid):
        save(assistant, {path: b"x"}, None)


def test_a_project_without_files_is_refused(assistant):
    with pytest.raises(Invalid):
        save(assistant, {}, None)
