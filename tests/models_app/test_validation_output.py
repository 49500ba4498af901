"""Rasa's words as Rasa 3.6.21 printed them, and the finding that becomes of each. The real one: tests/rasa."""

import pytest

from models_app.data.check import Severity
from models_app.validation.meaning import findings
from models_app.validation.output import Said, ValidationOutput
from models_app.validation.places import Place, Places

RASA = "/opt/rasa/lib/python3.10/site-packages/rasa"
WARNS = f"{RASA}/shared/utils/io.py:100: UserWarning: "
FILES = {
    "config.yml": b"recipe: default.v1\nlanguage: en\npipeline: []\npolicies: []\n",
    "domain.yml": b"""version: "3.1"
intents: [greet, "never used"]
slots:
  party:
    type: text
    mappings:
    - type: from_text
      conditions:
      - active_loop: no_such_form
forms:
  booking_form:
    required_slots:
    - not_a_slot
responses:
  utter_greet:
  - text: greet
  utter_never:
  - text: utter_greet
actions:
- action_known
""",
    "data/nlu.yml": b"""version: "3.1"
nlu:
- intent: greet
  examples: |
    - hello
    - same [words](thing)
- intent: stranger
  # a remark
  examples: |
    # another
    - same words
    - only here
""",
    "data/stories.yml": b"""version: "3.1"
stories:
- story: one
  steps:
  - intent: greet
  - action: utter_greet
- story: two
  steps:
  - or:
    - intent: greet
    - intent: phantom
  - action: utter_gone
  - action: action_gone
  - active_loop: gone_form
""",
}


def found(output: str, files=None):
    reader = ValidationOutput()
    reader.read(output)
    return findings(reader.said(), Places(files or FILES), ["/jobs/1-1"])


def only(output: str):
    (finding,) = found(output)
    return finding.severity.value, [f"{place.path}:{place.line}" for place in finding.places]


@pytest.mark.parametrize(
    ("said", "severity", "places"),
    [
        (
            "The intent 'never used' is listed in the domain file, but is not found in the NLU training data.",
            "warning",
            ["domain.yml:2"],
        ),
        (
            "There is a message in the training data labeled with intent 'stranger'. This intent is not listed in your "
            "domain. You should need to add that intent to your domain file!\n  More info at https://rasa.com/docs",
            "warning",
            ["data/nlu.yml:7"],
        ),
        (
            "The example 'same words' was found labeled with multiple different intents in the training data. Each "
            "annotated message should only appear with one intent. You should fix that conflict The example is labeled "
            "with: greet, stranger.",
            "warning",
            ["data/nlu.yml:6", "data/nlu.yml:11"],
        ),
        ("The intent 'never used' is not used in any story or rule.", "warning", ["domain.yml:2"]),
        (
            "The intent 'phantom' is used in your stories, but it is not listed in the domain file. You should add it.",
            "warning",
            ["data/stories.yml:11"],
        ),
        (
            "The action 'utter_gone' is used in the stories, but is not a valid utterance action. Please make sure the "
            "action is listed in your domain and there is a template defined with its name.",
            "warning",
            ["data/stories.yml:12"],
        ),
        ("The utterance 'utter_never' is not used in any story or rule.", "warning", ["domain.yml:17"]),
        (
            "The action 'action_gone' is used in the 'two' block, but it is not listed in the domain file. You should",
            "error",
            ["data/stories.yml:13"],
        ),
        (
            "The form 'gone_form' is used in the 'two' block, but it is not listed in the domain file. You should add",
            "error",
            ["data/stories.yml:14"],
        ),
        (
            "The form slot 'not_a_slot' in form 'booking_form' is not present in the domain slots.Please add the slot.",
            "error",
            ["domain.yml:13"],
        ),
        (
            "Slot 'party' has a mapping condition for form 'no_such_form' which is not listed in domain forms. Please",
            "error",
            ["domain.yml:9"],
        ),
        (
            "Issue found in 'data/stories.yml': \nFound intent 'phantom' in stories which is not part of the domain.",
            "warning",
            ["data/stories.yml:11"],
        ),
        ("The config file is missing the 'assistant_id' mandatory key.", "warning", ["config.yml:1"]),
    ],
)
def test_a_warning_of_rasa_becomes_a_finding_at_its_place(said, severity, places):
    assert only(WARNS + said + "\n") == (severity, places)


def test_a_conflict_of_stories_leads_to_where_each_goes_its_own_way():
    output = (
        "2026-11-28 14:29:46 WARNING  rasa.validator  - Story structure conflict after intent 'greet':\n"
        "  utter_greet predicted in 'one'\n  utter_gone predicted in 'two'\n\n"
    )
    assert only(output) == ("warning", ["data/stories.yml:6", "data/stories.yml:12"])


def test_every_breach_of_the_format_is_a_finding_of_its_own():
    output = (
        "YamlValidationException: Failed to validate '/jobs/1-1/domain.yml'. Please make sure the file is correct and "
        "all mandatory parameters are specified. Here are the errors found during validation:\n"
        "  in /jobs/1-1/domain.yml:5:\n      Cannot find required key 'mappings'. Path: '/slots/party'\n"
        "  in /jobs/1-1/domain.yml:16:\n      Key 'txt' was not defined. Path: '/responses/utter_greet/0'\n"
    )
    assert [(one.severity.value, one.message, *one.places) for one in found(output)] == [
        ("error", "Cannot find required key 'mappings'.", Place("domain.yml", 4)),
        ("error", "Key 'txt' was not defined.", Place("domain.yml", 16)),
    ]


def test_broken_yaml_is_an_error_in_the_line_where_it_breaks():
    output = (
        "YamlSyntaxException: Failed to read 'data/nlu.yml'. while parsing a block collection\n"
        '  in "data/nlu.yml", line 3, column 3:\n      - intent: greet\n      ^ (line: 3)\n'
        "expected <block end>, but found '<block mapping start>'\n"
        '  in "data/nlu.yml", line 12, column 4:\n       examples: |\n       ^ (line: 12)\n\n'
        "You can use https://yamlchecker.com/ to validate the YAML syntax of your file.\n"
    )
    (one,) = found(output)
    assert (one.severity, one.places) == (Severity.ERROR, (Place("data/nlu.yml", 12),))
    assert one.message == (
        "YamlSyntaxException: Failed to read 'data/nlu.yml'. while parsing a block collection\n"
        "expected <block end>, but found '<block mapping start>'"
    )


def test_a_domain_that_cannot_be_loaded_is_one_error_and_not_one_for_each_intent():
    output = (
        f"{WARNS}Loading domain from 'domain.yml' failed. Using empty domain. Error: 'Duplicate actions in domain. "
        "These actions occur more than once in the domain: 'action_known'.'\n"
        f"{WARNS}Issue found in 'data/stories.yml': \nFound intent 'greet' in stories which is not part of the domain.\n"
        "  More info at https://rasa.com/docs/rasa/stories\n"
        "Encountered empty domain during validation.\n"
    )
    assert only(output) == ("error", ["domain.yml:20"])


def test_what_nothing_is_known_of_stands_without_a_place_before_the_others():
    output = f"{WARNS}The utterance 'utter_never' is not used in any story or rule.\n{WARNS}Something new.\n"
    assert next((one.message, one.places) for one in found(output)) == ("Something new.", ())


def unused(name: str) -> str:
    return f"{WARNS}The utterance '{name}' is not used in any story or rule.\n"


@pytest.mark.parametrize("name", ["utter_ask_day", "utter_ask_booking_form_day", "utter_default", "utter_restart"])
def test_a_response_that_rasa_or_a_form_sends_is_no_finding(name):
    domain = b"forms:\n  booking_form:\n    required_slots:\n    - day\n"
    assert found(unused(name), {"forms.yml": domain}) == []


def test_a_response_that_no_form_was_seen_to_send_is_one():
    (asked,) = found(unused("utter_ask_city"))
    assert asked.severity is Severity.WARNING and "If an action server does, it can stay" in asked.advice
    (other,) = found(unused("utter_never"))
    assert "delete" in other.advice


UNLEARNT = (
    "You have defined training data consisting of entity examples, but your NLU configuration does not include an "
    "entity extractor trained on your training data.",
    "You have defined training data consisting of lookup tables, but your NLU configuration does not include any "
    "components that uses the features created from the lookup table. To make use of the features, add a component.",
)
EXTRACTED = {
    "config.yml": b"pipeline:\n- name: WhitespaceTokenizer\n- name: RegexEntityExtractor\npolicies: []\n",
    "data/nlu.yml": b"""nlu:
- intent: price
  examples: |
    - what is [the cake](dish)
- lookup: dish
  examples: |
    - the cake
""",
}


@pytest.mark.parametrize("said", UNLEARNT)
def test_an_entity_that_is_found_by_its_pattern_need_not_be_learnt(said):
    assert found(WARNS + said, EXTRACTED) == []


@pytest.mark.parametrize("said", UNLEARNT)
@pytest.mark.parametrize(
    "config",
    [
        b"pipeline:\n- name: WhitespaceTokenizer\n",
        b"pipeline:\n- name: RegexEntityExtractor\n  use_lookup_tables: false\n",
    ],
)
def test_without_an_extractor_that_uses_patterns_it_stands_in_the_configuration(said, config):
    (finding,) = found(WARNS + said, EXTRACTED | {"config.yml": config})
    assert (finding.severity, finding.places) == (Severity.WARNING, (Place("config.yml", 1),))


def test_an_entity_without_a_pattern_is_never_found():
    files = EXTRACTED | {"data/more.yml": b"nlu:\n- intent: price\n  examples: |\n    - by [Anna](person)\n"}
    assert len(found(WARNS + UNLEARNT[0], files)) == 1


def test_an_unknown_message_that_names_a_file_stands_in_it():
    assert only("RasaException: /jobs/1-1/data/nlu.yml:4 is odd.\n") == ("error", ["data/nlu.yml:4"])


def test_a_name_that_stands_nowhere_is_a_finding_without_a_place():
    assert only(WARNS + "The utterance 'utter_elsewhere' is not used in any story or rule.\n") == ("warning", [])


def test_an_end_with_errors_is_told_only_when_none_of_them_was_understood():
    end = "Project validation completed with errors.\n"
    known = f"{WARNS}The form slot 'not_a_slot' in form 'booking_form' is not present in the domain slots.\n"
    assert [one.message for one in found(end)] == [end.strip()]
    assert len(found(known + end)) == 1


def test_what_libraries_say_to_their_developers_and_rasa_to_everybody_is_no_finding():
    output = (
        "/opt/rasa/lib/python3.10/site-packages/sanic/x.py:3: UserWarning: use y.\n"
        f"{RASA}/shared/core/slot_mappings.py:224: UserWarning: Slot auto-fill has been removed in 3.0 and replaced\n"
        "  rasa.shared.utils.io.raise_warning(\n"
        "2026-11-28 14:29:46 INFO     rasa.validator  - Validating intents...\n"
        "Processed story blocks: 100%|██████████| 2/2 [00:00<00:00, 59.97it/s, # trackers=1]\n"
    )
    assert found(output) == []


def test_the_assistants_own_components_are_heard():
    assert only("/jobs/1-1/parts/importer.py:3: UserWarning: domain.yml is odd.\n") == ("warning", ["domain.yml:1"])


def test_output_may_come_cut_anywhere_and_a_warning_twice():
    text = (WARNS + "Issue found in 'x.yml': \nFound nothing.\n  More info at https://rasa.com/docs\n") * 2
    reader = ValidationOutput()
    for letter in text:
        reader.read(letter)
    assert reader.said() == [Said(Severity.WARNING, "Issue found in 'x.yml': \nFound nothing.")]


def test_what_training_says_is_not_about_validation():
    reader = ValidationOutput()
    reader.read(
        "2026-11-28 14:29:46 INFO     rasa.validator  - No story structure conflicts found.\n"
        "2026-11-28 14:29:49 INFO     rasa.engine.training.hooks  - Starting to train component 'RulePolicy'.\n"
        f"{WARNS}Something of a component.\n"
    )
    assert (reader.said(), reader.training_began) == ([], True)


def test_a_list_of_examples_has_its_lines_too():
    nlu = b'version: "3.1"\nnlu:\n- intent: a\n  examples:\n  - text: |\n      - twice\n  - text: plain\n- intent: b\n  examples: |\n    - twice\n'
    places = Places({"nlu.yml": nlu})
    assert places.examples("twice") == [Place("nlu.yml", 6), Place("nlu.yml", 10)]
    assert places.examples("plain") == [Place("nlu.yml", 7)]


def test_a_file_too_large_to_parse_is_searched():
    story = b"- story: s%d\n  steps:\n  - intent: greet\n  - action: utter_greet\n"
    many = (
        b"stories:\n"
        + b"".join(story % number for number in range(8_000))
        + b"- story: last\n  steps:\n  - action: action_gone\n"
    )
    places = Places({"stories.yml": many})
    assert places.step(("action",), "action_gone") == Place("stories.yml", many.count(b"\n"))
