"""The sentences of Rasa 3.6, one rule each: what they name, where that stands, and what to do."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from models_app.data.check import Severity
from models_app.validation.places import Place, Places

Where = Callable[[Places, "re.Match[str]"], Iterable[Place | None]]
Meant = Callable[[Places, "re.Match[str]"], bool]
ERROR = Severity.ERROR
SENT_BY_RASA = ("utter_default", "utter_restart")  # by action_default_fallback and action_restart


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    where: Where
    advice: str
    severity: Severity | None = None  # None: as its form tells
    only_match: bool = True  # what stands behind the sentence is Rasa's advice; ours takes its place
    is_meant: Meant | None = None  # whether the data is right as it is, so that there is nothing to find


def _rule(
    pattern: str, where: Where, advice: str, *, error: bool = False, whole: bool = False, is_meant: Meant | None = None
) -> Rule:
    severity = ERROR if error else None
    return Rule(re.compile(pattern, re.DOTALL), where, advice, severity, only_match=not whole, is_meant=is_meant)


def _domain(section: str, group: str = "name") -> Where:
    return lambda places, match: [places.in_domain(section, match[group])]


def _step(*keys: str) -> Where:
    return lambda places, match: [places.step(keys, match["name"])]


def _in_block(*keys: str) -> Where:
    return lambda places, match: [places.step(keys, match["name"], match["story"])]


def _story_of_file(places: Places, match: "re.Match[str]") -> Iterable[Place | None]:
    return [places.story(match["story"]) if match["story"] else None, *_file(places, match)][:1]


def _file(places: Places, match: "re.Match[str]") -> Iterable[Place | None]:
    return [places.line_with(match["path"], (match.groupdict().get("name") or "").strip())]


def _line(places: Places, match: "re.Match[str]") -> Iterable[Place | None]:
    found = match["path"] in places.files
    return [Place(match["path"], int(match["line"]))] if found else []


def _first(*ways: Where) -> Where:
    """The first of several ways that leads somewhere."""

    def where(places: Places, match: "re.Match[str]") -> Iterable[Place | None]:
        for way in ways:
            if found := [place for place in way(places, match) if place is not None]:
                return found
        return []

    return where


def _conflict(places: Places, match: "re.Match[str]") -> Iterable[Place | None]:
    """Where each of the stories goes its own way."""
    for line in match["ways"].splitlines():
        action, _, stories = line.strip().partition(" predicted in ")
        for title in re.findall(r"'(.*?)'(?=,| and |$)", stories):
            yield places.step(("action", "bot"), action, title) or places.story(title)


def _duplicates(section: str) -> Where:
    def where(places: Places, match: "re.Match[str]") -> Iterable[Place | None]:
        for name in re.split(r"', '|, ", match["names"].strip("[]'")):
            yield from list(places.all_in_domain(section, name))[::-1]  # the second is the one too many

    return where


def _is_sent_by_itself(places: Places, match: "re.Match[str]") -> bool:
    """Rasa's own actions send these two, and a form asks for its slots with responses that no story names."""
    return match["name"] in SENT_BY_RASA or match["name"] in places.asked_by_forms


RULES = (
    # rasa/validator.py, in its order
    _rule(
        r"The intent '(?P<name>.+?)' is listed in the domain file, but is not found in the NLU training data\.",
        _domain("intents"),
        "Add examples of it to an NLU file, or take it out of the domain.",
    ),
    _rule(
        r"There is a message in the training data labeled with intent '(?P<name>.+?)'\. "
        r"This intent is not listed in your domain\.",
        lambda places, match: [places.in_nlu("intent", match["name"])],
        "Add the intent to the domain’s intents, or correct its name.",
    ),
    _rule(
        r"The example '(?P<name>.*?)' was found labeled with multiple different intents in the training data\."
        r".*?The example is labeled with: (?P<intents>[^\n]*)\.",
        lambda places, match: places.examples(match["name"]),
        "Keep it in one intent: Rasa cannot learn to tell them apart by it.",
        whole=True,
    ),
    _rule(
        r"The intent '(?P<name>.+?)' is used in your stories, but it is not listed in the domain file\.",
        _step("intent"),
        "Add the intent to the domain’s intents, or correct its name in the story.",
    ),
    _rule(
        r"The intent '(?P<name>.+?)' is not used in any story or rule\.",
        _first(_domain("intents"), lambda places, match: [places.in_nlu("intent", match["name"])]),
        "Say in a story or a rule what follows it, or take it out.",
    ),
    _rule(
        r"The action '(?P<name>.+?)' is used in the stories, but is not a valid utterance action\.",
        _step("action"),
        "Add a response of that name to the domain, or correct the name.",
    ),
    _rule(
        r"The utterance '(?P<name>utter_ask_.+?|utter_default|utter_restart)' is not used in any story or rule\.",
        _domain("responses"),
        "No form of the domain was seen to ask for that slot. If an action server does, it can stay.",
        is_meant=_is_sent_by_itself,
    ),
    _rule(
        r"The utterance '(?P<name>.+?)' is not used in any story or rule\.",
        _domain("responses"),
        "Use it in a story or a rule, or delete it. A response that only an action server sends can stay.",
    ),
    _rule(
        r"The form '(?P<name>.+?)' is used in the '(?P<story>.*?)' block, but it is not listed in the domain file\.",
        _in_block("active_loop", "action"),
        "Add the form to the domain’s forms, or correct its name.",
        error=True,
    ),
    _rule(
        r"The action '(?P<name>.+?)' is used in the '(?P<story>.*?)' block, but it is not listed in the domain file\.",
        _in_block("action"),
        "Add the action to the domain’s actions, or correct its name.",
        error=True,
    ),
    _rule(
        r"The form slot '(?P<name>.+?)' in form '(?P<form>.+?)' is not present in the domain slots\.",
        lambda places, match: [places.form_slot(match["form"], match["name"])],
        "Add the slot to the domain’s slots, or correct its name in the form.",
        error=True,
    ),
    _rule(
        r"Slot '(?P<name>.+?)' has a mapping condition for form '(?P<form>.+?)' which is not listed in domain forms\.",
        lambda places, match: [places.slot_condition(match["name"], match["form"])],
        "Add the form to the domain’s forms, or correct its name in the condition.",
        error=True,
    ),
    _rule(
        r"Slot '(?P<name>.+?)' has a mapping condition for form '(?P<form>.+?)', but it's not present in "
        r"'.+?' form's 'required_slots'\.",
        lambda places, match: [places.slot_condition(match["name"], match["form"])],
        "Add the slot to the form’s required_slots, or take the condition away.",
        error=True,
    ),
    _rule(
        r"The intent (?P<name>\S+) in the domain file is using the MappingPolicy format which has now been "
        r"deprecated\.",
        _domain("intents"),
        "Take “triggers” away and write a rule instead.",
        error=True,
    ),
    _rule(
        r"Story structure conflict (?:after (?P<kind>\w+) '(?P<name>.*?)'|at the beginning of stories):\n(?P<ways>.*)",
        _conflict,
        "The same conversation goes on in two ways. Make the stories differ before this point, or join them.",
    ),
    _rule(
        r"The config file (?:'(?P<path>.+?)' )?is missing (?:the|a unique value for the) '(?P<name>\w+)' mandatory "
        r"key\.",
        lambda places, match: [places.file_key("pipeline", match["name"])],
        "Set it in the configuration.",
    ),
    # What reading the domain says
    _rule(
        r"Action '(?P<name>.+?)' is listed as a response action in the domain file, but there is no matching response "
        r"defined\.",
        _domain("actions"),
        "Add a response of that name to the domain, or take it out of the actions.",
    ),
    _rule(
        r"Categorical slot '(?P<name>.+?)' has `null` listed as a possible value in the domain file",
        lambda places, match: [places.slot_part(match["name"], "values")],
        "Take the value away, or write it in quotation marks.",
    ),
    _rule(
        r"Categorical slot '(?P<name>.+?)' is set to a value \('.*?'\) that is not specified in the domain\.",
        _first(_step("slot_was_set"), _domain("slots")),
        "Add the value to the slot’s values in the domain.",
    ),
    _rule(
        r"Float slot \('(?P<name>.+?)'\) created with an initial value .+?max \(.*?\) values\.",
        lambda places, match: [places.slot_part(match["name"], "initial_value")],
        "Choose an initial value within min_value and max_value.",
    ),
    _rule(
        r"Entities: '(?P<names>.*?)' are explicitly included and excluded for intent '(?P<name>.+?)'\.",
        _domain("intents"),
        "Name each entity in use_entities or in ignore_entities, not in both.",
    ),
    _rule(
        r"Slot '(?P<name>.+?)' uses a 'from_(?:entity|intent)' mapping for a non-existent (?:entity|intent) '.*?'\.",
        lambda places, match: [places.slot_part(match["name"], "mappings")],
        "Add it to the domain, or correct the mapping.",
    ),
    _rule(
        r"Intents are not unique! Found multiple intents with name\(s\) (?P<names>\[.*?\])\.",
        _duplicates("intents"),
        "Name each intent once.",
        error=True,
    ),
    _rule(
        r"Duplicate (?P<section>actions|slots|entities) in domain\. These \w+ occur more than once in the domain: "
        r"'(?P<names>.*?)'\.",
        lambda places, match: _duplicates(match["section"])(places, match),
        "Name each of them once.",
        error=True,
    ),
    _rule(
        r"In the `domain\.yml` file, the (?P<kind>intent|entity) '(?P<name>.+?)' cannot have value of `.*?`\.",
        lambda places, match: [places.in_domain("intents" if match["kind"] == "intent" else "entities", match["name"])],
        "Take the colon behind the name away, or say something of it below.",
        error=True,
    ),
    _rule(
        r"The contents of form '(?P<name>.+?)' were specified as '.*?'\.",
        _domain("forms"),
        "Write required_slots below the form.",
        error=True,
    ),
    _rule(
        r"If you use the `ignored_intents` parameter in your form, then the keyword `required_slots` is required\.",
        lambda places, match: [places.file_key("forms", "ignored_intents")],
        "Add required_slots to the form.",
        error=True,
    ),
    _rule(
        r"Your domain uses an invalid slot mapping of type '.*?' for slot '(?P<name>.+?)'\.",
        lambda places, match: [places.slot_part(match["name"], "mappings")],
        "Rasa knows from_entity, from_text, from_intent, from_trigger_intent and custom.",
        error=True,
    ),
    # What `rasa train` says of data and configuration before the first component trains
    _rule(
        r"Intent '(?P<name>.+?)' has only \d+ training examples! Minimum is \d+, training may fail\.",
        lambda places, match: [places.in_nlu("intent", match["name"])],
        "Add examples.",
    ),
    _rule(
        r"Entity (?:entity )?'?(?P<name>.+?)'? has only \d+ training examples! The minimum is \d+",
        lambda places, match: [places.entity_in_nlu(match["name"])],
        "Annotate it in more examples.",
    ),
    _rule(
        r"You have defined training data consisting of entity examples, but your NLU configuration does not include an "
        r"entity extractor",
        lambda places, match: [places.file_key("pipeline", "pipeline")],
        "Add an extractor such as DIETClassifier to the pipeline.",
        is_meant=lambda places, match: (
            bool(places.entities_in_nlu) and places.has_pattern_extractor and places.entities_in_nlu <= places.patterns
        ),
    ),
    _rule(
        r"You have defined training data consisting of lookup tables, but your NLU configuration does not include any "
        r"components that uses the features created from the lookup table\.",
        lambda places, match: [places.file_key("pipeline", "pipeline")],
        "Let DIETClassifier or CRFEntityExtractor use them, or extract by them alone with RegexEntityExtractor.",
        is_meant=lambda places, match: places.has_pattern_extractor,
    ),
    _rule(
        r"Found (?:a rule-based policy|rule-based training data)[^.]*\.",
        lambda places, match: [places.file_key("policies", "policies")],
        "Write rules, or take RulePolicy out; rules need it.",
    ),
    _rule(
        r"Can't load class for name '(?P<name>.+?)'\.",
        lambda places, match: [places.component(match["name"])],
        "Correct the name; a component of your own is named with its module, and its file belongs to the data.",
        error=True,
        whole=True,
    ),
    # What reading stories and rules says
    _rule(
        r"Issue found in '(?P<path>.+?)': The (?:story|rule) has no steps\.",
        lambda places, match: [places.story_without_steps(match["path"])],
        "Give it steps, or delete it; it is left out.",
    ),
    _rule(
        r"Unresolved slots found in stories/rules.*?Tried to set slots \"\[(?P<names>.*?)\]\" that are not present",
        lambda places, match: [places.step(("slot_was_set",), name) for name in re.findall(r"'(.*?)'", match["names"])],
        "Add the slot to the domain’s slots, or correct its name.",
        error=True,
    ),
    _rule(
        r"Issue found in '(?P<path>.+?)':\s*Found intent '(?P<name>.+?)' in stories which is not part of the domain\.",
        _first(_step("intent"), _file),
        "Add the intent to the domain’s intents, or correct its name in the story.",
    ),
    _rule(
        r"Unsatisfied (?:start|end) checkpoint '(?P<name>.+?)' in block '(?P<story>.*?)'\.",
        _in_block("checkpoint"),
        "A checkpoint needs a story that ends with it and one that begins with it.",
    ),
    _rule(
        r"Issue found in '(?P<path>[^']+)'.*?Found an unexpected step in the (?:story|rule) '(?P<story>.*?)'",
        _first(_story_of_file, _file),
        "A step is an intent, an action, a slot, a form or a checkpoint; this one is left out.",
        whole=True,
    ),
    _rule(
        r"Issue found in '(?P<path>[^']+)' while parsing (?:story|rule) '(?P<story>.*?)'",
        _first(_story_of_file, _file),
        "",
        whole=True,
    ),
    # What reading NLU files says
    _rule(
        r"Issue found while processing '(?P<path>.+?)': Intent '(?P<name>.+?)' has no examples\.",
        lambda places, match: [
            places.in_nlu("intent", match["name"]) or places.line_with(match["path"], match["name"])
        ],
        "Add examples, or delete the intent.",
    ),
    _rule(
        r"Unexpected block found in '(?P<path>.+?)' while processing intent '(?P<name>.+?)':",
        lambda places, match: [
            places.in_nlu("intent", match["name"]) or places.line_with(match["path"], match["name"])
        ],
        "Write its examples as a block of lines, each with “- ” in front.",
        whole=True,
    ),
    _rule(
        r"Issue found while processing '(?P<path>.+?)': The item '(?P<item>.*?)' contains an example that doesn't "
        r"start with a '-' symbol: (?P<name>[^\n]*)",
        _file,
        "Begin every example with “- ”; this one is left out.",
    ),
    _rule(
        r"Found inconsistent entity synonyms while .*?, overwriting (?P<name>.*?)->(?P<old>.*?) with .*?->(?P<new>.*?) "
        r"during merge\.",
        lambda places, match: [
            places.in_nlu("synonym", match["new"]),
            places.in_nlu("synonym", match["old"]),
        ],
        "Keep the text as a synonym of one value.",
    ),
    # What any file can have
    _rule(
        r"Failed to read '(?P<path>.+?)'\..*?line (?P<line>\d+), column \d+.*found unexpected end of stream",
        _line,
        "Mend the YAML of this file: what begins here has no end.",
        error=True,
        whole=True,
    ),
    _rule(
        r"Failed to read '(?P<path>.+?)'\..*line (?P<line>\d+), column \d+",
        _line,
        "Mend the YAML of this file.",
        error=True,
        whole=True,
    ),
    _rule(
        r"Failed to validate '(?P<path>.+?)'\..*?\n\s+in [^\n]*?:(?P<line>\d+):",
        _line,
        "",
        error=True,
        whole=True,
    ),
    _rule(
        r"The file (?P<path>\S+) could not be loaded as domain file\.",
        _file,
        "Mend the YAML of this file.",
        error=True,
    ),
    _rule(
        r"Training data file (?P<path>\S+) (?:has a (?:lower|greater) format version|must specify 'version' as string)",
        lambda places, match: [places.line_with(match["path"], "version")],
        'Write version: "3.1" at the top.',
        whole=True,
    ),
    _rule(
        r"Loading domain from '.*?' failed\. Using empty domain\.", lambda places, match: [], "", error=True, whole=True
    ),
)
