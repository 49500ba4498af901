import os
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from models_app.models import Assistant, Model
from tests.models_app.archives import model_archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A team's models folder: two models, the older one with the later name, and a file that is none."""
    made = tmp_path / "models"
    made.mkdir()
    for age, name in ((200, "z-older"), (100, "a-newer")):
        path = made / f"{name}.tar.gz"
        path.write_bytes(model_archive(model_id=name))
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    (made / "notes.txt").write_text("not a model")
    return made


def run(*arguments: object) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("import_models", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_folder_is_imported_oldest_first(assistant: Assistant, folder: Path):
    out, _ = run(folder, "--assistant", "cafe")
    assert list(Model.objects.order_by("pk").values_list("name", flat=True)) == ["z-older", "a-newer"]
    model = Model.objects.first()
    assert model
    assert (model.origin, model.created_by_label) == ("imported", "manage.py import_models")
    assert "[2/2] a-newer.tar.gz: imported." in out
    assert "2 imported, 0 there already, 0 refused." in out


def test_importing_again_adds_nothing(assistant: Assistant, folder: Path):
    run(folder, "--assistant", "cafe")
    out, _ = run(folder, "--assistant", "cafe")
    assert Model.objects.count() == 2
    assert "0 imported, 2 there already, 0 refused." in out


def test_a_bad_file_gets_a_sentence_and_the_others_go_on(assistant: Assistant, folder: Path):
    (folder / "broken.tar.gz").write_bytes(b"")
    err = StringIO()
    with pytest.raises(CommandError, match="1 of 3 files could not be imported") as failure:
        call_command("import_models", str(folder), "--assistant", "cafe", stdout=StringIO(), stderr=err)
    assert failure.value.returncode == 2
    assert "broken.tar.gz: The file is empty." in err.getvalue()
    assert Model.objects.count() == 2


def test_a_model_of_another_assistant_is_said(assistant: Assistant, folder: Path):
    (folder / "hotel.tar.gz").write_bytes(model_archive(assistant_id="hotel"))
    out, _ = run(folder, "--assistant", "cafe")
    assert "trained for another assistant" in out


def test_an_unknown_assistant_or_an_empty_folder_is_an_error(assistant: Assistant, folder: Path, tmp_path: Path):
    with pytest.raises(CommandError, match="no assistant with the slug nobody"):
        run(folder, "--assistant", "nobody")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match="holds no file"):
        run(tmp_path / "empty", "--assistant", "cafe")
    with pytest.raises(CommandError, match="is not a folder"):
        run(tmp_path / "missing", "--assistant", "cafe")
