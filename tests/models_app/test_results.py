"""Reading what `rasa test` left: files recorded from Rasa 3.6.21, and what may be wrong with them."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from models_app.training import results
from models_app.training.results import Unreadable, read_nlu, read_stories

RECORDED = Path(__file__).parent / "rasa_results"


@pytest.fixture
def nlu(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECORDED / "nlu", tmp_path / "nlu"))


@pytest.fixture
def stories(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECORDED / "stories", tmp_path / "stories"))


def test_the_numbers_of_nlu_are_those_of_rasas_report(nlu: Path):
    report = json.loads((nlu / "intent_report.json").read_text())
    found = read_nlu(nlu)
    assert found.accuracy == report["accuracy"]
    assert (found.macro_f1, found.weighted_f1) == (report["macro avg"]["f1-score"], report["weighted avg"]["f1-score"])
    goodbye = next(score for score in found.scores if score.name == "goodbye")
    assert (goodbye.kind, goodbye.support, goodbye.f1) == ("intent", 6, report["goodbye"]["f1-score"])


def test_averages_are_no_intents(nlu: Path):
    assert not {score.name for score in read_nlu(nlu).scores} & results.AVERAGES


def test_entities_carry_the_extractor_that_found_them(nlu: Path):
    entities = [score for score in read_nlu(nlu).scores if score.kind == "entity"]
    assert {score.extractor for score in entities} == {"RegexEntityExtractor"}
    assert "dish" in {score.name for score in entities}


def test_responses_are_read_where_there_are_any(nlu: Path):
    shutil.copy(nlu / "RegexEntityExtractor_report.json", nlu / "response_selection_report.json")
    assert [s.name for s in read_nlu(nlu).scores if s.kind == "response"].count("dish") == 1


def test_every_error_is_counted_in_exactly_one_pair(nlu: Path):
    errors = json.loads((nlu / "intent_errors.json").read_text())
    expected = Counter((error["intent"], error["intent_prediction"]["name"]) for error in errors)
    assert {(pair.expected, pair.predicted): pair.count for pair in read_nlu(nlu).pairs} == dict(expected)


def test_a_pair_keeps_its_texts_up_to_a_limit(nlu: Path, monkeypatch):
    monkeypatch.setattr(results, "EXAMPLES", 1)
    first = read_nlu(nlu).pairs[0]
    assert (first.count, len(first.examples)) == (2, 1)
    text, confidence = first.examples[0]
    assert text == "what time can I get breakfast"
    assert 0 < confidence < 1


def test_a_message_without_any_intent_is_taken_for_nothing(nlu: Path):
    error = {"text": "hm", "intent": "greet", "intent_prediction": {"name": None, "confidence": 0.0}}
    (nlu / "intent_errors.json").write_text(json.dumps([error]))
    assert [(pair.expected, pair.predicted) for pair in read_nlu(nlu).pairs] == [("greet", "")]


def test_no_errors_file_means_no_errors(nlu: Path):
    (nlu / "intent_errors.json").unlink()
    assert read_nlu(nlu).pairs == ()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"macro avg": {}}'])
def test_a_report_that_is_none_says_so(nlu: Path, content: str):
    (nlu / "intent_report.json").write_text(content)
    with pytest.raises(Unreadable):
        read_nlu(nlu)


def test_stories_are_counted_as_rasa_counts_them(stories: Path):
    found = read_stories(stories)
    assert (found.total, found.correct, found.warned, found.steps_accuracy) == (5, 1, 0, 0.75)
    assert len(found.faults) == 4


def test_a_failed_story_keeps_its_name_its_file_and_what_was_predicted(stories: Path):
    faults = read_stories(stories).faults
    assert faults[0].name.startswith("Wrong action: a greeting that nobody answers")
    assert faults[1].name == "Wrong intent"
    assert faults[1].path == "test-stories/tests/test_broken.yml"
    assert "test-stories" not in faults[1].text
    assert "greet  # predicted: tell_joke: do you know a joke" in faults[1].text


def test_stories_that_only_warn_are_marked(stories: Path):
    (stories / "stories_with_warnings.yml").write_text((stories / "failed_test_stories.yml").read_text())
    assert [fault.is_warning for fault in read_stories(stories).faults] == [False] * 4 + [True] * 4


def test_a_long_story_is_cut_with_a_note(stories: Path, monkeypatch):
    monkeypatch.setattr(results, "TEXT", 40)
    text = read_stories(stories).faults[0].text
    assert text.endswith("# … the rest of this story is left out\n")


def test_no_story_at_all_is_no_result(stories: Path):
    (stories / "story_report.json").write_text("{}")
    with pytest.raises(Unreadable, match="no story"):
        read_stories(stories)
