"""`python -m tests.stack.small_batches`: ingestion in small batches with pauses, so that there is a middle to break."""

import time
from typing import Any

import django
from django.core.management import call_command


def set_up() -> None:
    from conversations.ingest import kafka_intake, kafka_reader, positions

    kafka_reader.BATCH_RECORDS = 50
    advance = positions.advance

    def slowly(*arguments: Any) -> None:
        time.sleep(0.1)  # with the events written and nothing committed
        advance(*arguments)

    positions.advance = slowly  # type: ignore[assignment]
    assert kafka_intake.positions is positions


if __name__ == "__main__":
    django.setup()
    set_up()
    call_command("ingest")
