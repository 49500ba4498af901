"""Examples that wait, beside the training data: what would happen to each, and taking many into one revision."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from conversations.models import Correction
from conversations.presentation.said import from_facts
from models_app.data.examples import Example, Unwritable, write
from models_app.data.vocabulary import Vocabulary
from models_app.models import Assistant, Revision
from models_app.services.examples import Additions, save_examples
from models_app.vocabulary import vocabulary_of
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict

State = Correction.State
MOST = 2000  # in one step


@dataclass(slots=True)
class Waiting:
    """A correction as an example, and what speaks against it."""

    row: Correction
    example: Example | None = None  # None: Rasa's format has no way to write it
    unwritable: str = ""
    is_known: bool = False  # it is an example of just this already
    elsewhere: list[Example] = field(default_factory=list)  # the same text as an example of something else
    rivals: list[Correction] = field(default_factory=list)  # who waits with the same text and something else
    is_new_intent: bool = False
    new_entities: list[str] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """Whether nothing has to be asked."""
        return self.example is not None and not (self.is_known or self.elsewhere or self.rivals)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What people answer to what has to be asked."""

    move: bool = False  # texts that are examples of something else become examples of this; else they go on waiting
    new_intents: Collection[str] = ()  # that the domain gets; examples of others go on waiting
    new_entities: Collection[str] = ()  # that the domain gets
    message: str = ""


@dataclass(slots=True)
class Outcome:
    """`revision` is None when nothing was taken."""

    revision: Revision | None = None
    taken: int = 0
    left: Counter[str] = field(default_factory=Counter)  # why the others go on waiting


def judge(rows: Iterable[Correction], words: Vocabulary) -> list[Waiting]:
    """Beside the data and beside each other."""
    found = [_alone(row, words) for row in rows]
    by_text: dict[str, list[Waiting]] = defaultdict(list)
    for one in found:
        if one.example is not None:
            by_text[one.example.text].append(one)
    for group in by_text.values():
        for one in group:
            one.rivals = [other.row for other in group if other.example != one.example]
    return found


def _alone(row: Correction, words: Vocabulary) -> Waiting:
    one = Waiting(row)
    if not row.intent:  # no example: there is nothing to compare
        return one
    annotations = from_facts(row.entities)
    one.is_new_intent = not words.knows_intent(row.intent)
    one.new_entities = sorted({found.entity for found in annotations} - words.entities.keys())
    try:
        one.example = Example(row.intent, write(row.text, annotations))
    except Unwritable as error:
        one.unwritable = str(error)
        return one
    same = words.examples.get(one.example.text, [])
    one.is_known = one.example in same
    one.elsewhere = [other for other in same if other != one.example]
    return one


@transaction.atomic
def accept(*, actor: User, assistant: Assistant, keys: Sequence[int], seen_at: datetime, wishes: Wishes) -> Outcome:
    """Take waiting examples, which the page showed at `seen_at`, into one new revision.

    What was changed since then, contradicts another, or has no place goes on waiting, and is counted by its reason.
    Raises what `save_examples` does; then all go on waiting.
    """
    outcome = Outcome()
    waiting = Correction.objects.visible_to(actor).waiting().filter(assistant=assistant, pk__in=keys)
    rows = list(waiting.select_for_update(of=("self",)).order_by("pk")[:MOST])
    outcome.left["were settled by somebody else meanwhile"] = len(set(keys)) - len(rows)
    fresh = [row for row in rows if row.at <= seen_at]
    outcome.left["were changed since the page showed them"] = len(rows) - len(fresh)
    chosen = [one for one in judge(fresh, vocabulary_of(assistant)) if _may_come(one, wishes, outcome.left)]
    outcome.left = +outcome.left
    if not chosen:
        return outcome
    saved = save_examples(
        actor=actor, assistant=assistant, additions=_additions(chosen, wishes), message=_message(chosen, wishes)
    )
    _settle(actor, chosen, saved.revision)
    outcome.revision, outcome.taken = saved.revision, len(chosen)
    return outcome


def _may_come(one: Waiting, wishes: Wishes, left: Counter[str]) -> bool:
    if one.example is None:
        reason = "cannot be written in Rasa’s format"
    elif one.rivals:
        reason = "contradict another one that was chosen"
    elif one.elsewhere and not wishes.move:
        reason = "are examples of something else already"
    elif one.is_new_intent and one.row.intent not in wishes.new_intents:
        reason = "have an intent that the domain does not name"
    else:
        return True
    left[reason] += 1
    return False


def _additions(chosen: Sequence[Waiting], wishes: Wishes) -> Additions:
    return Additions(
        examples=[one.example for one in chosen if one.example is not None],
        taken_out=[other for one in chosen for other in one.elsewhere],
        intents=sorted({one.row.intent.partition("/")[0] for one in chosen if one.is_new_intent}),
        entities=sorted({name for one in chosen for name in one.new_entities} & set(wishes.new_entities)),
    )


def _message(chosen: Sequence[Waiting], wishes: Wishes) -> str:
    if wishes.message:
        return wishes.message
    intents = Counter(one.row.intent for one in chosen)
    names = ", ".join(name for name, _ in intents.most_common(3)) + (" …" if len(intents) > 3 else "")
    return f"{len(chosen)} example{'' if len(chosen) == 1 else 's'} from conversations: {names}"


def _settle(actor: User, chosen: Sequence[Waiting], revision: Revision) -> None:
    rows = Correction.objects.waiting().filter(pk__in=[one.row.pk for one in chosen])
    rows.update(state=State.ACCEPTED, settled_at=timezone.now(), settled_by=actor, revision=revision)


@transaction.atomic
def discard(*, actor: User, assistant: Assistant, keys: Sequence[int]) -> int:
    """They wait no longer; what people said of them is kept. Returns how many."""
    rows = Correction.objects.visible_to(actor).waiting().filter(assistant=assistant, pk__in=keys)
    count = rows.model.objects.filter(pk__in=list(rows.values_list("pk", flat=True))).update(
        state=State.DISCARDED, settled_at=timezone.now(), settled_by=actor
    )
    if not count:
        raise Conflict("They were settled by somebody else meanwhile.")
    record(actor, Action.EXAMPLES_DISCARDED, assistant_id=assistant.pk, after={"examples": count})
    return count


@transaction.atomic
def bring_back(*, actor: User, assistant: Assistant, keys: Sequence[int]) -> int:
    """Discarded ones wait again. Returns how many."""
    discarded = Correction.objects.visible_to(actor).filter(assistant=assistant, pk__in=keys, state=State.DISCARDED)
    rows = Correction.objects.filter(pk__in=list(discarded.exclude(intent="").values_list("pk", flat=True)))
    count = rows.update(state=State.PENDING, settled_at=None, settled_by=None)
    if not count:
        raise Conflict("They wait already, or were settled otherwise meanwhile.")
    record(actor, Action.EXAMPLES_BROUGHT_BACK, assistant_id=assistant.pk, after={"examples": count})
    return count
