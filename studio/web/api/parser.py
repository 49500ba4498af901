"""Reading the bodies of requests: what no text of PostgreSQL and no answer of ours can hold is refused at the door."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja.parser import Parser

NO_TEXT = "The body holds a character that is none: U+0000 or half of a surrogate pair."


class StrictParser(Parser):
    """JSON as its standard has it: neither NaN nor Infinity; no text with a NUL or a lone surrogate in it.

    Whatever is raised here is answered with 400.
    """

    def parse_body(self, request: HttpRequest) -> Any:
        data = json.loads(request.body, parse_constant=_refuse)
        text = json.dumps(data, ensure_ascii=False)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(NO_TEXT) from None
        if "\\u0000" in text and _has_nul(data):  # the escape may also be meant as it stands
            raise ValueError(NO_TEXT)
        return data


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _has_nul(data: object) -> bool:
    if isinstance(data, str):
        return "\0" in data
    if isinstance(data, dict):
        return any(_has_nul(part) for pair in data.items() for part in pair)
    return isinstance(data, list) and any(_has_nul(part) for part in data)
