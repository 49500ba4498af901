"""Reading a project for training, and what Rasa prints."""

import pytest

from models_app.data.check import Role, check
from models_app.training.output import Progress, failure_message
from models_app.training.project import NotTrainable, read_project

CONFIG = (
    b"language: en\npipeline:\n- name: WhitespaceTokenizer\n- name: my.code.Custom\npolicies:\n- name: RulePolicy\n"
)
DOMAIN = b"intents: [greet]\nresponses: {utter_greet: [{text: hi}]}\n"
NLU = b"nlu:\n- intent: greet\n  examples: |\n    - hi\n"


def test_a_usual_project_is_found_by_what_its_files_hold():
    files = {"config.yml": CONFIG, "domain.yml": DOMAIN, "data/nlu.yml": NLU, "tests/test_stories.yml": b"stories: []"}
    project = read_project(files)
    assert (project.config, project.domain, project.data) == ("config.yml", "domain.yml", ("data/nlu.yml",))
    assert project.components == ("WhitespaceTokenizer", "Custom", "RulePolicy")
    assert project.has_assistant_id is False


def test_a_domain_in_several_files_is_its_folder():
    files = {"config.yml": CONFIG, "domain/a.yml": DOMAIN, "domain/b.yml": b"slots: {}\n", "data/nlu.yml": NLU}
    assert read_project(files).domain == "domain"


def test_training_and_the_data_page_judge_a_file_alike():
    files = {
        "config.yml": CONFIG,
        "domain.yml": DOMAIN,
        "data/nlu.yml": NLU,
        "data/test_drive.yml": NLU.replace(b"greet", b"book_test_drive"),
        "data/test_stories.yml": b"stories: []\n",
        "data/faq.yml": b"nlu:\n- intent: faq/hours\n  examples: |\n    - when\nresponses: {utter_faq/hours: []}\n",
        "tests/nlu.yml": NLU,
        "tests/journey.yml": b"stories: []\n",
    }
    project = read_project(files)
    assert project.domain == "domain.yml"
    assert project.data == ("data/faq.yml", "data/nlu.yml", "data/test_drive.yml")
    roles = check(files).roles
    assert {path for path, found in roles.items() if Role.TESTS in found} == {
        "data/test_stories.yml",
        "tests/journey.yml",
    }
    assert not roles["data/faq.yml"] & {Role.DOMAIN}


def test_a_file_with_a_mistake_goes_to_rasa_which_says_what_is_wrong():
    files = {"config.yml": CONFIG, "domain.yml": DOMAIN, "data/nlu.yml": NLU + b"- intent: [\n"}
    assert read_project(files).data == ("data/nlu.yml",)


@pytest.mark.parametrize(
    ("missing", "word"), [("config.yml", "configuration"), ("domain.yml", "domain"), ("data/nlu.yml", "training data")]
)
def test_what_is_missing_is_named(missing, word):
    files = {"config.yml": CONFIG, "domain.yml": DOMAIN, "data/nlu.yml": NLU}
    del files[missing]
    with pytest.raises(NotTrainable) as caught:
        read_project(files)
    assert word in caught.value.message


def test_progress_follows_the_components_and_never_goes_back():
    progress = Progress(("A", "B", "A", "C"))
    progress.read("2026-01-01 10:00:00 INFO  rasa.engine.training.hooks  - Starting to train component 'A'.\n")
    assert (progress.done, progress.total, progress.step) == (0, 4, "Training A")
    progress.read("Starting to train component 'C'.\nStarting to train component 'A'.")
    assert progress.done == 3


def test_rasas_own_error_is_what_people_read():
    log = (
        "2026-01-01 10:00:00 INFO  rasa.cli - start\nTraceback (most recent call last):\n  File x\n"
        "rasa.shared.exceptions.YamlSyntaxException: Failed to read 'data/nlu.yml'.\n  in line 3\n"
    )
    assert failure_message(log, "It ended.") == "YamlSyntaxException: Failed to read 'data/nlu.yml'.\n  in line 3"


def test_without_an_error_line_the_end_of_the_output_is_shown():
    assert failure_message("one\ntwo\n", "It was killed.") == "It was killed.\none\ntwo"
