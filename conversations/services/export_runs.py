"""Files of conversations: small ones are sent at once, large ones are made in the background and kept for a day.

A file is written anew by each process that takes its run up. What is in it is written down before, so that erasing a
conversation ends every file that has it, also one that is just being written.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from conversations.limits import kept, limited
from conversations.models import Conversation, ExportPart, ExportRun
from conversations.services.erasing import hold_exports
from conversations.services.erasure_runs import WORKER
from conversations.services.exporting import Format, content
from conversations.services.selection import chosen_by, divide, without_words
from models_app.models import Assistant
from models_app.services.artifacts import held
from models_app.storage import StoreFull
from models_app.storage.local import LocalStore
from studio.access.models import User
from studio.audit.actions import Action
from studio.audit.services import record
from studio.errors import Conflict, DomainError
from studio.jobs import heartbeat, queues

log = structlog.get_logger()
State = ExportRun.State

AT_ONCE = 10_000  # conversations that are sent without being prepared
PART = 500
KEPT = timedelta(days=1)
OLD = timedelta(days=30)  # of the list of one's files
HELD_FOR = timedelta(seconds=150)  # without a heartbeat
LOST_AFTER = timedelta(seconds=30)
JOB = "conversations.jobs.export"
ERASED = "A conversation in it was deleted, and the file with it. Export again."

# Hashed by PostgreSQL: thousands of ids are looked for among a million in a tenth of a second.
_CONTAINING = """
SELECT DISTINCT run_id FROM conversations_exportpart AS part JOIN conversations_exportrun AS run ON run.id = run_id
WHERE run.state IN ('waiting', 'running', 'done')
    AND EXISTS (SELECT FROM unnest(part.ids) AS one WHERE one = ANY(%s))
"""


class Overtaken(Exception):
    """Another process took the run up, or it was cancelled: nothing more may be written."""


class _Reading:
    """Something to read from, of an iterator's pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int, /) -> bytes:
        """The next piece, whatever its size; empty ones would look like the end."""
        return next((piece for piece in self._pieces if piece), b"")


def store() -> LocalStore:
    """Beside the models, where every machine of the installation finds them."""
    return LocalStore(settings.ARTIFACTS_DIR / "exports")


def count_up_to_limit(*, actor: User, assistant: Assistant, query: str) -> int:
    """How many conversations the filter shows, counted up to one more than are sent at once. Raises Invalid."""
    return chosen_by(query, assistant=assistant, viewer=actor).order_by()[: AT_ONCE + 1].count()


@transaction.atomic
def send_now(*, actor: User, assistant: Assistant, query: str, kind: Format) -> Iterator[bytes]:
    """The file itself. Conflict for more conversations than are sent at once."""
    ids = list(chosen_by(query, assistant=assistant, viewer=actor).values_list("pk", flat=True)[: AT_ONCE + 1])
    if len(ids) > AT_ONCE:
        raise Conflict(f"More than {AT_ONCE:,} conversations are prepared in the background.")
    _record(actor, assistant, query, kind, len(ids))
    return content([ids], kind)


@transaction.atomic
def request_run(*, actor: User, assistant: Assistant, query: str, kind: Format) -> ExportRun:
    chosen_by(query, assistant=assistant, viewer=actor)
    run = ExportRun.objects.create(assistant=assistant, query=query, format=kind, requested_by=actor, limit=kept(actor))
    queues.enqueue(queues.BACKGROUND, JOB, run.pk)
    return run


@transaction.atomic
def cancel(*, actor: User, run: ExportRun) -> None:
    """Whoever writes it ends at the next part. One that is ready is deleted."""
    state = State.EXPIRED if run.state == State.DONE else State.CANCELLED
    if not _give_up([run.pk], state, f"Deleted by {actor.username}." if state == State.EXPIRED else ""):
        raise Conflict("It has ended already.")


def _record(actor: User, assistant: Assistant, query: str, kind: str, count: int) -> None:
    after = {"filter": without_words(query), "as": kind, "conversations": count}
    record(actor, Action.CONVERSATIONS_EXPORTED, assistant_id=assistant.pk, after=after)


# --- What a worker does -----------------------------------------------------------------------------------------------


def work(run_id: int) -> None:
    """Write the file. Safe to call by several at once, and again after a kill."""
    run = _claim(run_id)
    if run is None:
        return
    try:
        _plan(run)
        with store().stage(_Reading(content(_parts(run), Format(run.format)))) as staged, held(staged.sha256):
            store().keep(staged)
            _finish(run, staged.sha256, staged.size)
    except Overtaken:
        log.info("an export was taken over or cancelled", run=run_id)
    except (DomainError, StoreFull) as error:
        _fail(run, error.message)
    except OSError as error:
        log.warning("an export cannot be written", run=run_id, error=str(error))
        _fail(run, "The file could not be written to the disk.")


def _claim(run_id: int) -> ExportRun | None:
    now = timezone.now()
    free = Q(is_held=False) | Q(heartbeat_at__lt=now - HELD_FOR)
    rows = ExportRun.objects.filter(free, pk=run_id, state__in=ExportRun.OPEN)
    facts = {"state": State.RUNNING, "is_held": True, "heartbeat_at": now, "done": 0}
    if not rows.update(attempt=F("attempt") + 1, **facts):
        return None
    return ExportRun.objects.select_related("assistant", "requested_by").get(pk=run_id)


def _held(run: ExportRun) -> QuerySet[ExportRun]:
    return ExportRun.objects.filter(pk=run.pk, attempt=run.attempt, is_held=True, state=State.RUNNING)


def _save(run: ExportRun, **facts: object) -> None:
    if not _held(run).update(heartbeat_at=timezone.now(), **facts):
        raise Overtaken


def _plan(run: ExportRun) -> None:
    """Rights and filter are those of this moment.

    Who erases looks for files that have what is erased. Whoever did so before the parts could be seen is waited for:
    then it is erased before anything is read.
    """
    with transaction.atomic():
        ExportPart.objects.filter(run=run).delete()
        chosen = chosen_by(run.query, assistant=run.assistant, viewer=limited(run.requested_by, run.limit))
        _save(run, total=divide(chosen, ExportPart, run.pk, size=PART))
    with transaction.atomic():
        hold_exports(shared=False)


def _parts(run: ExportRun) -> Iterator[Sequence[int]]:
    """Part by part, each of what the person may see at that moment."""
    last, viewer = -1, limited(run.requested_by, run.limit)
    while part := ExportPart.objects.filter(run=run, number__gt=last).first():
        seen = Conversation.objects.visible_to(viewer).filter(pk__in=part.ids, assistant=run.assistant)
        visible = set(seen.values_list("pk", flat=True))
        yield [pk for pk in part.ids if pk in visible]
        _save(run, done=F("done") + len(part.ids))
        last = part.number


@transaction.atomic
def _finish(run: ExportRun, sha256: str, size: int) -> None:
    now = timezone.now()
    _save(run, state=State.DONE, sha256=sha256, size=size, ended_at=now, expires_at=now + KEPT, is_held=False)
    run.refresh_from_db()
    _record(run.requested_by, run.assistant, run.query, run.format, run.total)


def _fail(run: ExportRun, message: str) -> None:
    _held(run).update(state=State.FAILED, message=message, is_held=False, ended_at=timezone.now())


# --- Taking files away ------------------------------------------------------------------------------------------------


def expire_containing(conversation_ids: list[int]) -> int:
    """No file outlives what is in it: in the transaction that erases these, which holds the exports."""
    with connection.cursor() as cursor:
        cursor.execute(_CONTAINING, [conversation_ids])
        runs = [pk for (pk,) in cursor.fetchall()]
    return _give_up(runs, State.EXPIRED, ERASED) if runs else 0


def _give_up(runs: list[int], state: State, message: str) -> int:
    """In the caller's transaction; the bytes go after it."""
    rows = ExportRun.objects.filter(pk__in=runs, state__in=(*ExportRun.OPEN, State.DONE))
    found = list(rows.values_list("pk", "sha256", "query"))
    count = rows.update(state=state, message=message, is_held=False, ended_at=timezone.now())
    for pk, _, query in found:
        ExportRun.objects.filter(pk=pk).update(query=without_words(query))
    ExportPart.objects.filter(run__in=runs).delete()
    for sha256 in {one for _, one, _ in found if one}:
        transaction.on_commit(partial(_discard, sha256))
    return count


def _discard(sha256: str) -> None:
    """Two runs of the same content share their bytes."""
    with held(sha256):
        if not ExportRun.objects.filter(sha256=sha256, state=State.DONE).exists():
            store().delete(sha256)


def sweep() -> None:
    """By the clock: delete what has expired, and bytes that a crash left behind."""
    now = timezone.now()
    with transaction.atomic():
        expired = ExportRun.objects.filter(state=State.DONE, expires_at__lt=now)
        _give_up(list(expired.values_list("pk", flat=True)), State.EXPIRED, "It was kept for a day.")
    ExportRun.objects.filter(requested_at__lt=now - OLD).exclude(state__in=(*ExportRun.OPEN, State.DONE)).delete()
    store().sweep()
    for sha256 in store().older_than(now - timedelta(hours=1)):
        _discard(sha256)


def resume() -> int:
    """Queue what nobody works on: Redis was away, or a process was killed."""
    if not heartbeat.live(WORKER):
        return 0
    now = timezone.now()
    lost = Q(is_held=False, heartbeat_at__lt=now - LOST_AFTER) | Q(is_held=True, heartbeat_at__lt=now - HELD_FOR)
    keys = list(ExportRun.objects.filter(lost, state__in=ExportRun.OPEN).values_list("pk", flat=True))
    for key in keys:
        queues.enqueue(queues.BACKGROUND, JOB, key)
    return len(keys)
