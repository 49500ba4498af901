"""The guests' page in their own language: what it says by itself. What the assistant says is the team's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from django.utils.translation.trans_real import parse_accept_lang_header

# As they call themselves, so that whoever chooses one knows what guests will read.
LANGUAGES = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "it": "Italiano",
    "pt": "Português",
    "nl": "Nederlands",
}
OTHERWISE = "en"
_FOLDER = Path(__file__).parent / "languages"


@dataclass(frozen=True, slots=True)
class Words:
    """The sentences of one language by their names; templates read `words.begin`."""

    language: str
    sentences: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.sentences[name]

    def say(self, name: str, **facts: object) -> str:
        return self.sentences[name].format_map(facts)


@cache
def words_of(language: str) -> Words:
    """Of one of LANGUAGES; English for any other."""
    known = language if language in LANGUAGES else OTHERWISE
    return Words(known, MappingProxyType(json.loads((_FOLDER / f"{known}.json").read_text("utf-8"))))


def spoken(accept_language: str) -> str:
    """The language that a browser would rather have, of those that we have; English when there is none."""
    for wanted, _weight in parse_accept_lang_header(accept_language):
        language = wanted.partition("-")[0]
        if language in LANGUAGES:
            return language
    return OTHERWISE


def asked_for(accept_language: str) -> str:
    """The first language of a browser in two letters, also one that we do not have; empty when it names none."""
    first = next((wanted for wanted, _weight in parse_accept_lang_header(accept_language) if wanted != "*"), "")
    language = first.partition("-")[0]
    return language if len(language) == 2 else ""
