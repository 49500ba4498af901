"""`python -m bench ingest`: events taken from a real Kafka topic by `manage.py ingest`, against a bare COPY."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import intake, steady, stores, traffic
from bench.ground import services
from bench.rows import Row

if TYPE_CHECKING:
    from tests.stack.kafka import Kafka

EVENTS = int(os.environ.get("BENCH_EVENTS") or 200_000)
STORED = int(os.environ.get("BENCH_STORED") or 1_000_000)
COMPARED = 50_000  # events of the comparisons
BY_ROW = 3000


def run() -> list[Row]:
    from tests.stack import kafka

    kafka.jars()
    with services(), kafka.running() as cluster, tempfile.TemporaryDirectory() as folder:
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        cluster.make_topic("events", intake.PARTITIONS)
        intake.publish(cluster, "events", traffic.events(EVENTS))
        log = Path(folder, "ingest.log")
        return [*_passes(cluster, log), steady.row(cluster, log)]


def _passes(cluster: "Kafka", log: Path) -> list[Row]:
    """The same topic again and again; everything is compared with what was measured just before and after it."""
    sample = list(traffic.events(COMPARED, seed=2))
    copies = [stores.copy_rate(sample)]
    first = intake.take(intake.make_source(cluster, "events", "one", "first"), EVENTS, log)
    copies.append(stores.copy_rate(sample))
    again = intake.take(intake.make_source(cluster, "events", "one", "again"), EVENTS, log)
    two = intake.take(intake.make_source(cluster, "events", "two", "both"), EVENTS, log, processes=2)
    bulk, by_row = stores.bulk_create_rate(sample), stores.row_by_row_rate(sample[:BY_ROW])
    before = intake.take(intake.make_source(cluster, "events", "before", "before"), EVENTS, log)
    filled = intake.make_source(cluster, "none", "filled", "none").assistant_id
    stores.fill(filled, STORED, sample[0].decode())
    full = intake.take(intake.make_source(cluster, "events", "full", "full"), EVENTS, log)
    bare = sum(copies) / 2
    memory = max(first.megabytes, again.megabytes, two.megabytes, full.megabytes)
    return [
        _ratio(f"{EVENTS:,} events from Kafka, one process", first.rate, "bare COPY", bare, 0.6),
        _ratio("the same", first.rate, "bulk_create, without Kafka", bulk, 5, "x"),
        _ratio("the same", first.rate, "row by row, without Kafka", by_row, None, "x"),
        _ratio("the same topic again, all known", again.rate, "first pass", first.rate, 1, "x"),
        _ratio("two processes", two.rate, "one", first.rate, 1.6, "x"),
        _ratio(f"{STORED:,} more events stored already", full.rate, "before them", before.rate, 0.8, "x"),
        Row("memory of ingest, its peak", f"{memory:.0f} MB", aim="< 200 MB", holds=memory < 200),
    ]


def _ratio(what: str, rate: float, against: str, other: float, aim: float | None, unit: str = "%") -> Row:
    ratio = rate / other
    result = f"{ratio:.0%} of its rate" if unit == "%" else f"{ratio:.2f} x"
    wanted = "" if aim is None else f"{aim:.0%}" if unit == "%" else f"{aim} x"
    holds = None if aim is None else ratio >= aim
    return Row(what, f"{rate:,.0f} /s", f"{against} {other:,.0f} /s", result, wanted, holds)
