"""Which turns of two conversations answer the same message, and where the others belong between them. Pure."""

from collections.abc import Iterator, Sequence

from conversations.chat.turns import Turn

Pair = tuple[int | None, int | None]  # places of turns; None on the side that was not told this
_Worth = tuple[int, float]


def paired(left: Sequence[Turn], right: Sequence[Turn]) -> Iterator[Pair]:
    """Every turn once, in order. As many as can be stand beside a turn that was sent the same text; of a text that was
    said more than once those nearest in time. The others stand alone, in the order of their time."""
    lefts, rights = 0, 0
    for one, other in (*_told_both(left, right), (len(left), len(right))):
        alone: list[tuple[float, Pair]] = [(left[at].begins_at, (at, None)) for at in range(lefts, one)]
        alone += [(right[at].begins_at, (None, at)) for at in range(rights, other)]
        yield from (pair for _at, pair in sorted(alone, key=lambda found: found[0]))
        if one < len(left) and other < len(right):
            yield one, other
        lefts, rights = one + 1, other + 1


def _told_both(left: Sequence[Turn], right: Sequence[Turn]) -> Iterator[tuple[int, int]]:
    """The longest common row of texts."""
    best = _best(left, right)
    one = other = 0
    while one < len(left) and other < len(right):
        if best[one][other] == best[one + 1][other]:
            one += 1
        elif best[one][other] == best[one][other + 1]:
            other += 1
        else:
            yield one, other
            one, other = one + 1, other + 1


def _best(left: Sequence[Turn], right: Sequence[Turn]) -> list[list[_Worth]]:
    """For the turns from each place on: how many can be paired, and less the seconds that these are apart."""
    best: list[list[_Worth]] = [[(0, 0.0)] * (len(right) + 1) for _ in range(len(left) + 1)]
    for one in reversed(range(len(left))):
        for other in reversed(range(len(right))):
            best[one][other] = max(best[one + 1][other], best[one][other + 1])
            if left[one].sent and left[one].sent == right[other].sent:
                count, apart = best[one + 1][other + 1]
                further = abs(left[one].begins_at - right[other].begins_at)
                best[one][other] = max(best[one][other], (count + 1, apart - further))
    return best
