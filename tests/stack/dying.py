"""`python -m tests.stack.dying STEP`: ingestion that is killed at one step of its second batch, as by `kill -9`."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django
from django.core.management import call_command

BATCH_RECORDS = 50  # so that a few records are several batches


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying(function: Callable[..., Any], *, before: bool, at: int = 2) -> Callable[..., Any]:
    """`function`, at whose second call the process dies: before it began, or when it is done."""
    calls = iter(range(1, 1_000_000))

    def call(*arguments: Any, **named: Any) -> Any:
        is_last = next(calls) == at
        if is_last and before:
            die()
        result = function(*arguments, **named)
        if is_last:
            die()
        return result

    return call


def set_up(step: str) -> None:
    from conversations.ingest import kafka_intake, kafka_reader, positions, write

    kafka_reader.BATCH_RECORDS = BATCH_RECORDS
    places: dict[str, tuple[Any, str, bool]] = {
        "before decoding": (kafka_intake, "read", True),
        "before the batch is handed over": (kafka_intake.KafkaIntake, "_hand_over", True),
        "before it is stored": (kafka_intake, "store", True),
        "before its events": (write, "_store_or_halve", True),
        "after its events": (write, "_store_or_halve", False),
        "before the position": (positions, "advance", True),
        "before the commit": (positions, "advance", False),
        "after the commit": (kafka_intake.KafkaIntake, "_store_once", False),
        "before the group is told": (kafka_reader.KafkaReader, "commit", True),
        "after the group was told": (kafka_reader.KafkaReader, "commit", False),
    }
    holder, name, before = places[step]
    setattr(holder, name, dying(getattr(holder, name), before=before))


if __name__ == "__main__":
    django.setup()
    set_up(sys.argv[1])
    call_command("ingest")
