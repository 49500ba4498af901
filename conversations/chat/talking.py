"""Before something is said in one's own Talk, by a page or a program: whether it can be, and may be now."""

from conversations.chat import typed
from conversations.chat.targets import Target
from environments.services import slots
from studio.access.models import User
from studio.errors import Invalid
from studio.web.ratelimit import TooMany, allow

MESSAGES_A_MINUTE = 60


def prepare(person: User, target: Target, text: str) -> None:
    """Raises Invalid, NoSlot (`waking`: soon the same will be heard), or TooMany."""
    if problem := typed.problem_of(text):
        raise Invalid(problem)
    _wake(person, target)
    refuse_flood(person)


def refuse_flood(person: User) -> None:
    """Raises TooMany."""
    if not allow(f"talk:{person.pk}", MESSAGES_A_MINUTE, 60):
        raise TooMany("That was quick. Wait a minute before you go on.", 60)


def _wake(person: User, target: Target) -> None:
    """A message to a model that no slot serves asks for one; it is sent again until it is answered.

    Before anything is counted. What has just failed is not started again by that: its page says why, and has a button.
    """
    if target.model is not None and not slots.answers(target.model.pk):
        slots.wake(actor=person, model=target.model)
        target.address()
