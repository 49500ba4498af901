"""What workers run. The row is the truth: running any of these twice does no harm."""

from structlog.contextvars import bound_contextvars

from conversations.services import completeness, dead_letter_runs, erasure_runs, export_runs, repair


def handle_letters(run_id: int) -> None:
    with bound_contextvars(run=run_id):
        dead_letter_runs.carry_out(run_id)


def check_completeness(run_id: int, after: int) -> None:
    """A slice of a completeness run. The next one takes its turn, so that a long run keeps no other work waiting."""
    with bound_contextvars(run=run_id):
        if repair.work(run_id, after=after):
            completeness.queue(run_id)


def erase(run_id: int, after: int) -> None:
    """A slice of an erasure, as above."""
    with bound_contextvars(run=run_id):
        if erasure_runs.work(run_id, after=after):
            erasure_runs.queue(run_id)


def export(run_id: int) -> None:
    with bound_contextvars(run=run_id):
        export_runs.work(run_id)
