"""What whoever moves a tag may say besides, in the same words at every door."""

from ninja import Field

from models_app.services.expected import UNSET, Expected
from studio.web.api.bodies import Body

EXPECTED = (
    "What you saw it point at: a model's name or the SHA-256 of its file, null (in an address: nothing) for no model. "
    "409 when somebody was faster. Not compared when it is left out."
)


class Move(Body):
    """`reason` is kept with the move."""

    expected_current: str | None = Field(default=None, max_length=200, description=EXPECTED)
    reason: str = Field(default="", max_length=2000, description="Why; kept with the move.")

    def over(self, other: "Move") -> "Move":
        """What is said here, and of what is not what `other` says."""
        return Move(**{**other.model_dump(exclude_unset=True), **self.model_dump(exclude_unset=True)})

    @property
    def expected(self) -> Expected:
        return (self.expected_current or None) if "expected_current" in self.model_fields_set else UNSET
