"""Rasa 3.6.21 itself: one project with every common fault, and where each is found to stand."""

import pytest

from models_app.models import Finding, TrainingJob, Validation
from models_app.services import training
from models_app.services.assistants import add_assistant
from models_app.services.revisions import save_revision
from models_app.services.validation import request_validation
from models_app.training import run

pytestmark = [pytest.mark.rasa, pytest.mark.django_db]

CONFIG = """\
recipe: default.v1
language: en
pipeline:
  - name: WhitespaceTokenizer
  - name: CountVectorsFeaturizer
  - name: LogisticRegressionClassifier
policies:
  - name: MemoizationPolicy
  - name: RulePolicy
assistant_id: x
"""
DOMAIN = """\
version: "3.1"

intents:
  - greet
  - book
  - inform
  - never_used
  - no_examples

entities:
  - city
  - {ghost: {roles: [from]}}

slots:
  city:
    type: text
    mappings:
      - type: from_entity
        entity: city
  party:
    type: text
    mappings:
      - type: from_text
        conditions:
          - active_loop: no_such_form
  guests:
    type: text
    mappings:
      - type: from_text
        conditions:
          - active_loop: booking_form
  size:
    type: categorical
    values: [small, large, null]
    mappings:
      - type: custom
  ratio:
    type: float
    initial_value: 7
    min_value: 0
    max_value: 1
    mappings:
      - type: custom

forms:
  booking_form:
    required_slots:
      - city
      - not_a_slot

responses:
  utter_greet:
    - text: Hello
  utter_never:
    - text: Never said
  utter_booked:
    - text: Booked

actions:
  - utter_only_listed
  - action_known
"""
NLU = """\
version: "3.1"
nlu:
  - intent: greet
    examples: |
      - hello
      - good morning
      - same words
  - intent: book
    examples: |
      - book a table in [Rome](city)
      - a table please
      - same words
      no dash here
  - intent: inform
    examples: |
      - in [Paris](city)
      - [Oslo](town)
  - intent: not_in_domain
    examples: |
      - strange
      - stranger
  - intent: never_used
    examples: |
      - nothing
      - nothing at all
  - intent: empty_one
    examples:
  - synonym: Rome
    examples: |
      - roma
  - synonym: Roma
    examples: |
      - roma
"""
STORIES = """\
version: "3.1"
stories:
  - story: hello
    steps:
      - intent: greet
      - action: utter_greet
  - story: hello otherwise
    steps:
      - intent: greet
      - action: utter_booked
  - story: unknown things
    steps:
      - intent: book
      - action: action_unknown
      - action: utter_missing
  - story: unknown intent
    steps:
      - intent: phantom
      - action: utter_greet
  - story: unknown form
    steps:
      - intent: book
      - action: other_form
      - active_loop: other_form
  - story: typo
    steps:
      - action: utter_greet
  - story: no steps
  - story: ends in checkpoint
    steps:
      - intent: inform
      - checkpoint: nowhere
"""
RULES = """\
version: "3.1"
rules:
  - rule: book it
    steps:
      - intent: inform
      - action: booking_form
      - active_loop: booking_form
"""
FAULTY = {
    "config.yml": CONFIG,
    "domain.yml": DOMAIN,
    "data/nlu.yml": NLU,
    "data/stories.yml": STORIES,
    "data/rules.yml": RULES,
}
SOUND = {
    "config.yml": CONFIG,
    "domain.yml": """\
version: "3.1"
intents: [greet, bye]
responses:
  utter_greet:
  - text: Hello
  utter_bye:
  - text: Bye
""",
    "data/nlu.yml": """\
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hello
    - good morning
- intent: bye
  examples: |
    - bye
    - see you
""",
    "data/rules.yml": """\
version: "3.1"
rules:
- rule: greet
  steps:
  - intent: greet
  - action: utter_greet
- rule: bye
  steps:
  - intent: bye
  - action: utter_bye
""",
}


@pytest.fixture
def assistant(settings, tmp_path, rasa_runtime):
    settings.JOBS_DIR, settings.ARTIFACTS_DIR = tmp_path / "jobs", tmp_path / "artifacts"
    settings.RASA_DIR = rasa_runtime.folder.parent
    return add_assistant(actor=None, slug="cafe", title="Café")


def save(assistant, files):
    content = {path: text.encode() for path, text in files.items()}
    save_revision(actor=None, assistant=assistant, files=content, message="", parent_number=None)


def do(job):
    run.run_training(job.pk)
    return TrainingJob.objects.get(pk=job.pk)


def validate(assistant, files):
    save(assistant, files)
    job = do(request_validation(actor=None, assistant=assistant))
    assert job.state == "done", job.message
    return job


def where(finding):
    return [f"{path}:{line}" for path, line in [(finding.path, finding.line), *finding.others] if path]


def test_every_common_fault_is_found_in_its_file_and_line(assistant):
    validate(assistant, FAULTY)
    rows = list(Finding.objects.all())
    errors = {(row.message.split("\n")[0], *where(row)) for row in rows if row.severity == "error"}
    warnings = {(row.message.split("\n")[0], *where(row)) for row in rows if row.severity == "warning"}
    assert errors == {
        (
            "The action 'action_unknown' is used in the 'unknown things' block, but it is not listed in the domain file.",
            "data/stories.yml:14",
        ),
        (
            "The form 'other_form' is used in the 'unknown form' block, but it is not listed in the domain file.",
            "data/stories.yml:23",
        ),
        (
            "Slot 'party' has a mapping condition for form 'no_such_form' which is not listed in domain forms.",
            "domain.yml:25",
        ),
        (
            "Slot 'guests' has a mapping condition for form 'booking_form', but it's not present in 'booking_form' form's 'required_slots'.",
            "domain.yml:31",
        ),
        ("The form slot 'not_a_slot' in form 'booking_form' is not present in the domain slots.", "domain.yml:49"),
    }
    assert warnings == {
        (
            "The example 'same words' was found labeled with multiple different intents in the training data. Each annotated message should only appear with one intent. You should fix that conflict The example is labeled with: book, greet.",
            "data/nlu.yml:7",
            "data/nlu.yml:12",
        ),
        (
            "Issue found while processing 'data/nlu.yml': The item 'book' contains an example that doesn't start with a '-' symbol: no dash here",
            "data/nlu.yml:13",
        ),
        (
            "There is a message in the training data labeled with intent 'not_in_domain'. This intent is not listed in your domain.",
            "data/nlu.yml:18",
        ),
        ("Unexpected block found in 'data/nlu.yml' while processing intent 'empty_one':", "data/nlu.yml:26"),
        (
            "Found inconsistent entity synonyms while reading markdown, overwriting roma->Rome with roma->Roma during merge.",
            "data/nlu.yml:31",
            "data/nlu.yml:28",
        ),
        ("Story structure conflict after intent 'greet':", "data/stories.yml:10", "data/stories.yml:6"),
        ("Story structure conflict after intent 'book':", "data/stories.yml:14", "data/stories.yml:23"),
        (
            "The action 'utter_missing' is used in the stories, but is not a valid utterance action.",
            "data/stories.yml:15",
        ),
        (
            "The intent 'phantom' is used in your stories, but it is not listed in the domain file.",
            "data/stories.yml:18",
        ),
        ("Issue found in 'data/stories.yml': The story has no steps.", "data/stories.yml:28"),
        ("Unsatisfied end checkpoint 'nowhere' in block 'ends in checkpoint'.", "data/stories.yml:32"),
        ("The intent 'never_used' is not used in any story or rule.", "domain.yml:7"),
        (
            "The intent 'no_examples' is listed in the domain file, but is not found in the NLU training data.",
            "domain.yml:8",
        ),
        ("The intent 'no_examples' is not used in any story or rule.", "domain.yml:8"),
        ("Categorical slot 'size' has `null` listed as a possible value in the domain file", "domain.yml:34"),
        (
            "Float slot ('ratio') created with an initial value 7. This value is outside of the configured min (0) and max (1) values.",
            "domain.yml:39",
        ),
        ("The utterance 'utter_never' is not used in any story or rule.", "domain.yml:54"),
        (
            "Action 'utter_only_listed' is listed as a response action in the domain file, but there is no matching response defined.",
            "domain.yml:60",
        ),
    }


@pytest.mark.parametrize(
    ("path", "old", "new", "place"),
    [
        ("domain.yml", "intents: [greet, bye]", "intents: [greet, greet]", ("domain.yml", 2)),
        ("domain.yml", "responses:", "slots:\n  size:\n    type: text\nresponses:", ("domain.yml", 4)),
        ("domain.yml", "responses:", "forms:\n  order:\n    ignored_intents: [bye]\nresponses:", ("domain.yml", 5)),
        ("data/nlu.yml", "- intent: bye\n", "- intent: bye\n   examples: |\n", ("data/nlu.yml", 8)),
        ("data/rules.yml", "  - action: utter_bye", "  - acton: utter_bye", ("data/rules.yml", 10)),
    ],
)
def test_what_rasa_cannot_even_read_is_an_error_in_its_line(assistant, path, old, new, place):
    job = validate(assistant, {**SOUND, path: SOUND[path].replace(old, new)})
    rows = Finding.objects.filter(validation__job=job)
    assert [(row.severity, (row.path, row.line)) for row in rows] == [("error", place)]


def test_sound_data_is_valid_and_its_training_does_not_validate_again(assistant):
    job = validate(assistant, SOUND)
    assert (job.validation.errors, job.validation.warnings) == (0, 0)
    trained = do(training.request_training(actor=None, assistant=assistant))
    log = "".join(trained.log.values_list("text", flat=True))
    assert trained.state == "done"
    assert "not validated again: validation 1 found nothing" in log
    assert "Validating intents" not in log


def test_a_training_stops_at_an_error_and_says_where_it_stands(assistant):
    save(assistant, {**SOUND, "data/rules.yml": SOUND["data/rules.yml"].replace("utter_bye", "action_bye")})
    job = do(training.request_training(actor=None, assistant=assistant))
    assert (job.state, job.attempt) == ("failed", 1)
    assert job.message.startswith("data/rules.yml, line 10: The action 'action_bye' is used in the 'bye' block")
    assert Validation.objects.get().words == "1 error, 1 warning"
