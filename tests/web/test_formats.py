from datetime import UTC, datetime, timedelta

import pytest

from studio.web import formats

NOW = datetime(2026, 11, 22, 20, 46, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (40, "40 s ago"),
        (119, "1 min ago"),
        (7300, "2 h ago"),
        (86400, "yesterday"),
        (4 * 86400, "4 days ago"),
        (46 * 86400, "7 Oct 2026"),
        (-7300, "in 2 h"),
        (-90000, "tomorrow"),
    ],
)
def test_a_moment_reads_as_its_distance_from_now(seconds: int, words: str) -> None:
    assert formats.relative(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.214, "0.21 s"),
        (34, "34 s"),
        (80, "1 min 20 s"),
        (120, "2 min"),
        (7500, "2 h 5 min"),
        (97200, "1 day 3 h"),
        (345600, "4 days"),
        (-34, "−34 s"),
    ],
)
def test_a_duration_reads_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert formats.duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (8192, "8 KB"),
        (26_004_685, "24.8 MB"),
        (2 * 1024**3, "2 GB"),
        (5 * 1024**4, "5120 GB"),
    ],
)
def test_a_size_reads_in_units_of_1024(count: int, words: str) -> None:
    assert formats.size(count) == words
