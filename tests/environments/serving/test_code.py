"""Which Python code a managed server gets."""

import pytest

from environments.serving.code import Code, code_of
from models_app.models import Assistant, Model
from models_app.services.revisions import save_revision
from tests.factories import make_assistant, make_model

pytestmark = pytest.mark.django_db

PROJECT = {
    "config.yml": b"pipeline:\n- name: sentiment.model.Analyzer\n- name: tagger.Tagger\npolicies: []\n",
    "domain.yml": b"intents: []\n",
    "sentiment/__init__.py": b"",
    "sentiment/model.py": b"class Analyzer: pass\n",
    "sentiment/words.json": b"{}",
    "tagger.py": b"class Tagger: pass\n",
    "actions/actions.py": b"class Action: pass\n",
}


def model_of(assistant: Assistant, files: dict[str, bytes], parent: int | None = None) -> Model:
    model = make_model(assistant)
    model.revision = save_revision(
        actor=None, assistant=assistant, files=files, message="code", parent_number=parent, author_label="Anna"
    )
    model.save()
    return model


def test_it_gets_the_packages_that_its_pipeline_names_whole() -> None:
    code = code_of(model_of(make_assistant(), PROJECT))
    assert set(code.files) == {"sentiment/__init__.py", "sentiment/model.py", "sentiment/words.json", "tagger.py"}


def test_a_model_that_was_uploaded_gets_those_of_the_newest_data() -> None:
    assistant = make_assistant()
    model_of(assistant, PROJECT)
    assert "tagger.py" in code_of(make_model(assistant)).files


def test_an_assistant_without_data_needs_none() -> None:
    assert code_of(make_model(make_assistant())).files == {}


def test_each_model_gets_its_own_version() -> None:
    assistant = make_assistant()
    first = model_of(assistant, PROJECT)
    second = model_of(assistant, PROJECT | {"tagger.py": b"class Tagger: new = True\n"}, parent=1)
    assert code_of(first).digest != code_of(second).digest
    assert b"new" not in code_of(first).files["tagger.py"]


def test_what_a_former_model_needed_is_gone(tmp_path) -> None:
    Code({"old/__init__.py": b""}).write(tmp_path / "code")
    Code({"new.py": b"x = 1"}).write(tmp_path / "code")
    assert [path.name for path in (tmp_path / "code").iterdir()] == ["new.py"]
