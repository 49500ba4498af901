"""manage.py import_data: a folder or a zip becomes the next revision."""

import io
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from models_app.models import Assistant
from models_app.services.revisions import files_of, newest_revision

STARTER = Path(__file__).resolve().parents[2] / "starter"


def run(source: Path, **options: str) -> str:
    out = io.StringIO()
    call_command("import_data", source, assistant="cafe", stdout=out, stderr=out, **options)
    return out.getvalue()


def test_a_folder_becomes_a_revision_and_a_second_import_changes_nothing(assistant: Assistant):
    assert "Revision 1: 11 files, 11 changed." in run(STARTER, message="The café")
    revision = newest_revision(assistant)
    assert (revision.message, revision.author_label) == ("The café", "manage.py import_data")
    assert files_of(revision)["domain.yml"] == (STARTER / "domain.yml").read_bytes()
    assert "nothing changed" in run(STARTER)
    assert newest_revision(assistant).number == 1


def test_a_zip_replaces_what_was_there(assistant: Assistant, tmp_path: Path):
    run(STARTER)
    archive = tmp_path / "project.zip"
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("project/domain.yml", "intents: [greet]\n")
        target.writestr("project/credentials.yml", "rest:\n")
    assert "left out: credentials.yml" in run(archive)
    assert list(files_of(newest_revision(assistant))) == ["domain.yml"]
    assert newest_revision(assistant).message == "Import project.zip"


def test_invalid_yaml_is_refused_with_its_place(assistant: Assistant, tmp_path: Path):
    (tmp_path / "domain.yml").write_text("intents: [greet\n")
    out = io.StringIO()
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_data", tmp_path, assistant="cafe", stdout=out, stderr=out)
    assert "domain.yml, line 2, column 1" in out.getvalue()
    assert newest_revision(assistant) is None


@pytest.mark.parametrize(("name", "sentence"), [("none", "is not a folder"), ("text.zip", "not a zip")])
def test_what_is_no_project_is_refused(assistant: Assistant, tmp_path: Path, name: str, sentence: str):
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(CommandError, match=sentence):
        run(tmp_path / name)


def test_an_unknown_assistant_is_refused(db: None):
    with pytest.raises(CommandError, match="no assistant"):
        run(STARTER)
