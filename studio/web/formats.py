"""Times, durations and sizes as people read them. static/js/times.js keeps the same words for relative times."""

from datetime import datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def relative(moment: datetime, now: datetime) -> str:
    """`just now`, `40 s ago`, `2 h ago`, `yesterday`, `4 days ago`; beyond 30 days the date. `in 2 h` when ahead."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) >= 30 * _DAY:
        return f"{moment.day} {moment:%b %Y}"
    if abs(seconds) < 3:
        return "just now"
    ahead = seconds < 0
    days = int(abs(seconds) // _DAY)
    if days == 1:
        return "tomorrow" if ahead else "yesterday"
    span = f"{days} days" if days else _largest_unit(abs(seconds))
    return f"in {span}" if ahead else f"{span} ago"


def _largest_unit(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{int(seconds)} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min"
    return f"{int(seconds // _HOUR)} h"


def absolute(moment: datetime) -> str:
    """`22 Nov 2026, 20:46:19 UTC`; the moment must be in UTC, as all of ours are."""
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def duration(seconds: float) -> str:
    """The two largest units: `0.21 s`, `34 s`, `1 min 20 s`, `2 h 5 min`, `4 days`, `1 day 3 h`."""
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 10:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _pair(f"{whole // _MINUTE} min", whole % _MINUTE, "s")
    if whole < _DAY:
        return _pair(f"{whole // _HOUR} h", whole % _HOUR // _MINUTE, "min")
    days = whole // _DAY
    return _pair("1 day" if days == 1 else f"{days} days", whole % _DAY // _HOUR if days < 4 else 0, "h")


def _pair(first: str, rest: int, unit: str) -> str:
    return f"{first} {rest} {unit}" if rest else first


def size(count: int) -> str:
    """`512 bytes`, `8 KB`, `24.8 MB`: units of 1024, one decimal from MB on."""
    if count < 1024:
        return "1 byte" if count == 1 else f"{count} bytes"
    if count < 1024**2:
        return f"{round(count / 1024)} KB"
    power, unit = (2, "MB") if count < 1024**3 else (3, "GB")
    return f"{count / 1024**power:.1f}".removesuffix(".0") + f" {unit}"
