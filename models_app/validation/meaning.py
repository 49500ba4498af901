"""From what Rasa said to a finding: how bad, in which file and line, and what to do about it.

Every rule is one sentence of Rasa 3.6 (rasa/validator.py, rasa/shared/core/domain.py, …/yaml_story_reader.py,
…/rasa_yaml.py). What no rule knows is a finding all the same: with the file that it names, or without a place.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from models_app.data.check import Severity
from models_app.validation.output import EMPTY_DOMAIN, ENDED_WITH_ERRORS, Said
from models_app.validation.places import Place, Places
from models_app.validation.rules import RULES

SHOWN = 1_500  # characters of a message; the log has all of it
_FAREWELL = re.compile(r"\s*You can use https://yamlchecker\.com/ to validate the YAML syntax of your file\.")
_LINE_BEHIND = re.compile(r"['\"]?(?::|, line )(\d+)")
_SCHEMA = re.compile(r"^YamlValidationException: Failed to validate '(?P<path>.+?)'")
_SCHEMA_ERROR = re.compile(
    r"\n {2}in [^\n]*?:(?P<line>\d+):\n {6}(?:<SchemaError: error code \d+: )?(?P<message>[^\n]*?)"
    r"(?:: Path: '/'>\.)?(?: Path: '?(?P<keys>/[^\n']*)'?)?(?=\n|$)"
)
_YAML_MARK = re.compile(
    r"\n +in \"[^\n]*line \d+, column \d+:?(?:\n[^\n]*\n *\^ \(line: \d+\))?"
)  # a place says it better
_DOMAIN_FAILED = "Loading domain from "
_UNKNOWN_INTENT = re.compile(r"Found intent '(.+?)' in stories which is not part of the domain\.")
_ONLY_ENDINGS = (ENDED_WITH_ERRORS, EMPTY_DOMAIN)


@dataclass(frozen=True, slots=True)
class Found:
    severity: Severity
    message: str
    advice: str = ""
    places: tuple[Place, ...] = ()  # the first is where it stands, the others belong to it


def findings(said: Iterable[Said], places: Places, folders: Iterable[str] = ()) -> list[Found]:
    """In the order in which people read them: errors first, those without a place before the others.

    `folders` are where Rasa found the files: people know the files by their paths below it.
    """
    prefixes = [f"{folder.rstrip('/')}/" for folder in folders]
    texts = [(one.severity, _without(prefixes, one.text)) for one in said]
    has_no_domain = any(text.startswith(_DOMAIN_FAILED) for _, text in texts)
    found = dict.fromkeys(one for severity, text in texts for one in _found(severity, text, places))
    kept = [one for one in found if not _is_said_better(one.message, has_no_domain, {one.message for one in found})]
    # That it ended with errors is news only when none of them was understood.
    if any(one.severity is Severity.ERROR and one.message not in _ONLY_ENDINGS for one in kept):
        kept = [one for one in kept if one.message not in _ONLY_ENDINGS]
    return sorted(kept, key=lambda one: (one.severity is not Severity.ERROR, one.places[:1]))


def _is_said_better(message: str, has_no_domain: bool, messages: set[str]) -> bool:
    """Reading a story, Rasa calls an intent unknown that its validation calls unknown again, or knows no intent."""
    unknown = _UNKNOWN_INTENT.search(message)
    if unknown is None:
        return False
    again = f"The intent '{unknown[1]}' is used in your stories, but it is not listed in the domain file."
    return has_no_domain or again in messages


def _without(prefixes: Iterable[str], text: str) -> str:
    for prefix in prefixes:
        text = text.replace(prefix, "")
    return text


def _found(severity: Severity, text: str, places: Places) -> Iterable[Found]:
    text = _FAREWELL.sub("", text)
    if (schema := _SCHEMA.match(text)) and (errors := list(_SCHEMA_ERROR.finditer(text))):
        return [_against_schema(schema["path"], error, places) for error in errors]
    for rule in RULES:
        if match := rule.pattern.search(text):
            if rule.is_meant is not None and rule.is_meant(places, match):
                return []
            where = [place for place in rule.where(places, match) if place is not None]
            message = match[0] if rule.only_match else text
            return [Found(rule.severity or severity, _shortened(message), rule.advice, tuple(dict.fromkeys(where)))]
    return [Found(severity, _shortened(text), "", tuple(_named(text, places)))]


def _against_schema(path: str, error: "re.Match[str]", places: Places) -> Found:
    """Rasa names the keys on the way to the fault, and the line where the last of them has its content."""
    keys = (error["keys"] or "").strip("/")
    place = places.at(path, keys.split("/")) if keys else None
    where = place or Place(path, int(error["line"]))
    is_unknown = error["message"].endswith("was not defined.")
    advice = "Rasa knows no such key here: look at its spelling and how it is indented." if is_unknown else ""
    return Found(Severity.ERROR, _shortened(error["message"]), advice, (where,) if path in places.files else ())


def _named(text: str, places: Places) -> Iterable[Place]:
    """The last file that a message names with a line, else the first that it names at all."""
    at = {match.end(): path for path in places.files for match in re.finditer(re.escape(path), text)}
    lines = [(path, _LINE_BEHIND.match(text, end)) for end, path in sorted(at.items())]
    with_line = [Place(path, int(line[1])) for path, line in lines if line]
    return with_line[-1:] or [Place(path, 1) for path, _ in lines[:1]]


def _shortened(text: str) -> str:
    text = _YAML_MARK.sub("", text)
    text = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
