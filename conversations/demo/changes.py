"""The working days of a demo team: what they changed in the starter's words, and why they released it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One edit of a file of the starter, and the tag its model gets."""

    path: str
    before: str
    after: str
    message: str
    reason: str
    tag: str


CHANGES = (
    Change(
        "domain.yml",
        "We're open Tuesday to Sunday, 8:00 to 22:00. The kitchen closes at 21:00, and on Mondays we all sleep in.",
        "We're open Tuesday to Sunday, 8:00 to 23:00 until the end of summer. The kitchen closes at 22:00, "
        "and on Mondays we all sleep in.",
        "Longer summer hours",
        "Summer hours begin on Monday",
        "summer-hours",
    ),
    Change(
        "domain.yml",
        "Cards, phones and cash are all fine. We split bills, too.",
        "Cards, phones and cash are all fine. We split bills, too, down to the last crumb.",
        "A friendlier answer about paying",
        "",
        "baseline",
    ),
    Change(
        "domain.yml",
        "Dogs are welcome inside and out. The water bowl and the first biscuit are on us.",
        "Dogs are welcome inside and out, on a lead. The water bowl and the first biscuit are on us.",
        "Dogs on a lead, after a complaint",
        "Asked for by the floor team",
        "before-menu",
    ),
)
