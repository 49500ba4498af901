"""The colours of a link's page, from one that people choose. Pure."""

import re
from dataclasses import dataclass

from studio.errors import Invalid

ENOUGH = 4.5  # of text on its ground: WCAG AA
# Grounds, panels and the texts on a coloured ground, in light and dark: those of static/css/parley.css.
_LIGHT, _DARK = ("#fbfbfa", "#ffffff"), ("#141617", "#1a1d1e")
_ON_LIGHT, _ON_DARK = "#ffffff", "#08211f"
_HEX = re.compile(r"#[0-9a-f]{6}")
_STEPS = 20

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Shades:
    """What the style sheet calls accent, accent-strong, accent-soft and on-accent, in one of the two looks."""

    accent: str
    strong: str
    soft: str
    on: str


def checked_accent(typed: str, look: str) -> str:
    """As links keep it. Raises Invalid for what is no colour, or too near to the page's own in that look."""
    accent = typed.strip().lower()
    if not accent:
        return ""
    if not _HEX.fullmatch(accent):
        raise Invalid("Write a colour as # and six digits, such as #0b6e75.", field="accent")
    is_dark = look == "dark"
    reached = _least_contrast(accent, is_dark=is_dark)
    if reached < ENOUGH:
        kind, way = ("dark", "lighter") if is_dark else ("light", "darker")
        better = _readable(accent, is_dark=is_dark)
        raise Invalid(
            f"{accent} can hardly be read on a {kind} page: its contrast is {reached:.1f} to 1, and text needs "
            f"{ENOUGH} to 1 (WCAG AA). Choose a {way} one, such as {better}.",
            field="accent",
        )
    return accent


def style_of(accent: str, look: str) -> str:
    """The style sheet of a link: in the look for which the colour was not chosen, a shade that can be read."""
    light = shades(accent if look != "dark" else _readable(accent, is_dark=False), is_dark=False)
    dark = shades(accent if look == "dark" else _readable(accent, is_dark=True), is_dark=True)
    pairs = {
        "accent": (light.accent, dark.accent),
        "accent-strong": (light.strong, dark.strong),
        "accent-soft": (light.soft, dark.soft),
        "on-accent": (light.on, dark.on),
    }
    lines = (f"--{name}: light-dark({one}, {other});" for name, (one, other) in pairs.items())
    return f":root {{ {' '.join(lines)} }}\n"


def shades(accent: str, *, is_dark: bool) -> Shades:
    panel = (_DARK if is_dark else _LIGHT)[1]
    strong = _mixed(accent, "#ffffff" if is_dark else "#000000", 0.18)
    return Shades(accent, strong, _mixed(panel, accent, 0.1), _ON_DARK if is_dark else _ON_LIGHT)


def contrast(first: str, second: str) -> float:
    """As WCAG has it: 1 for the same colour, 21 for black on white."""
    one, other = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (one + 0.05) / (other + 0.05)


def _least_contrast(accent: str, *, is_dark: bool) -> float:
    """Of everything on which, or under which, text stands in this colour."""
    made = shades(accent, is_dark=is_dark)
    grounds = (*(_DARK if is_dark else _LIGHT), made.soft, made.on)
    return min(contrast(accent, ground) for ground in grounds)


def _readable(accent: str, *, is_dark: bool) -> str:
    """The nearest to it that can be read."""
    goal = "#ffffff" if is_dark else "#000000"
    tries = (_mixed(accent, goal, step / _STEPS) for step in range(_STEPS + 1))
    return next(one for one in tries if _least_contrast(one, is_dark=is_dark) >= ENOUGH)


def _mixed(first: str, second: str, share: float) -> str:
    """`share` is that of the second."""
    pairs = zip(_channels(first), _channels(second), strict=True)
    return "#" + "".join(f"{round((one * (1 - share) + other * share) * 255):02x}" for one, other in pairs)


def _channels(colour: str) -> Rgb:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _luminance(colour: str) -> float:
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
