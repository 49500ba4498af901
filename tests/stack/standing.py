"""`python -m tests.stack.standing`: ingestion that stands still for ever in the middle of sending its second batch."""

import signal
from typing import Any

import django
from django.core.management import call_command

BATCH_RECORDS = 50


def set_up() -> None:
    from conversations.ingest import kafka_reader, write

    kafka_reader.BATCH_RECORDS = BATCH_RECORDS
    row, rows = write._row, iter(range(1, 1_000_000))

    def standing(*arguments: Any) -> tuple[object, ...]:
        if next(rows) == BATCH_RECORDS + BATCH_RECORDS // 2:  # COPY has begun, and waits for the rest
            # To this thread: os.kill reaches the main one first, and this one writes on until that has been woken.
            signal.raise_signal(signal.SIGSTOP)
        return row(*arguments)

    write._row = standing


if __name__ == "__main__":
    django.setup()
    set_up()
    call_command("ingest")
