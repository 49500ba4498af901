"""Text against its ground in both themes, read from the style sheet: WCAG AA asks for 4.5 : 1, for shapes 3 : 1."""

import re

import pytest
from django.conf import settings

CSS = (settings.BASE_DIR / "static/css/parley.css").read_text()
TOKENS = dict(re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\)", CSS))
GROUNDS = ("ground", "panel", "rail", "raised", "sunken", "hover")
STATES = ("good", "busy", "bad", "warn", "quiet")
TEXT_PAIRS = [
    *((text, ground) for text in ("text", "text-2", "accent", "bad") for ground in GROUNDS),
    *((state, f"{state}-soft") for state in STATES),
    *(("text", f"{state}-soft") for state in (*STATES, "accent")),
    *((f"code-{part}", "panel") for part in ("key", "string", "number", "word", "name")),
    ("accent", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("on-danger", "danger"),
    ("text-2", "accent-soft"),
]


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str, theme: int) -> float:
    pair = [luminance(TOKENS[name].split(", ")[theme]) for name in (first, second)]
    return (max(pair) + 0.05) / (min(pair) + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_PAIRS)
def test_text_stands_out_from_its_ground(text: str, ground: str, theme: int) -> None:
    assert contrast(text, ground, theme) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("shape", ["line-strong", "accent", "busy", "good", "bad"])
def test_borders_of_fields_and_shapes_of_states_stand_out(shape: str, theme: int) -> None:
    assert contrast(shape, "panel", theme) >= 3
