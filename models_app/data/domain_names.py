"""The names that a project's domain declares, for judging whether a story fits it.

Read line by line like an outline: parsing YAML takes a second for every 100 kB.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from models_app.data.check import YAML_SUFFIXES, is_beside_training
from models_app.data.outline import children, top_sections
from models_app.data.yaml_text import decode

SECTIONS = ("intents", "entities", "slots", "forms", "actions", "responses")
# rasa/shared/core/constants.py: DEFAULT_ACTION_NAMES, DEFAULT_INTENTS, DEFAULT_SLOTS
ACTIONS_OF_RASA = frozenset(
    {
        "action_listen",
        "action_restart",
        "action_session_start",
        "action_default_fallback",
        "action_deactivate_loop",
        "action_revert_fallback_events",
        "action_default_ask_affirmation",
        "action_default_ask_rephrase",
        "action_two_stage_fallback",
        "action_unlikely_intent",
        "action_back",
        "action_extract_slots",
    }
)
INTENTS_OF_RASA = frozenset({"restart", "back", "out_of_scope", "session_start", "nlu_fallback"})
SLOTS_OF_RASA = frozenset({"requested_slot", "session_started_metadata"})
_NAME = re.compile(r"""^(?:-\s+)?(?P<quote>["']?)(?P<name>.+?)(?P=quote)\s*(?::.*)?(?:\s#.*)?$""")


@dataclass(frozen=True, slots=True)
class DomainNames:
    """By section of the domain."""

    names: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def has_intent(self, name: str) -> bool:
        return name.partition("/")[0] in self._of("intents") | INTENTS_OF_RASA

    def has_entity(self, name: str) -> bool:
        return name in self._of("entities")

    def has_slot(self, name: str) -> bool:
        return name in self._of("slots") | SLOTS_OF_RASA

    def has_form(self, name: str) -> bool:
        """A loop may be an action of the team's too."""
        return name in self._of("forms") | self._of("actions")

    def has_action(self, name: str) -> bool:
        """Listed, a form, one that Rasa brings, or a response; that of a retrieval intent by its first part."""
        if self.has_form(name) or name in ACTIONS_OF_RASA or name in self._of("responses"):
            return True
        return any(one.startswith(f"{name}/") for one in self._of("responses"))

    def _of(self, section: str) -> frozenset[str]:
        return self.names.get(section, frozenset())


def domain_names(files: Mapping[str, bytes]) -> DomainNames:
    found: dict[str, set[str]] = {section: set() for section in SECTIONS}
    for path, data in files.items():
        pure = PurePosixPath(path)
        if pure.suffix.lower() not in YAML_SUFFIXES or is_beside_training(pure):
            continue
        for section, lines in top_sections(decode(data)):
            if section in found:
                found[section].update(_names(lines))
    return DomainNames({section: frozenset(names) for section, names in found.items()})


def _names(lines: list[str]) -> set[str]:
    return {match["name"].strip() for child in children(lines) if (match := _NAME.match(child))}
