"""`manage.py ingest` on a real Kafka topic, watched from outside: what it stored when, and how much memory it has."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ground import CHECKOUT, peak_megabytes

if TYPE_CHECKING:
    from conversations.models import IntakeSource
    from tests.stack.kafka import Kafka

PARTITIONS = 4  # the same for two processes
PATIENCE = 3600.0
LOOK = 0.05  # seconds


@dataclass
class Run:
    """How many records were taken at which moments; the middle of it counts, without start and stragglers."""

    looks: list[tuple[float, int]] = field(default_factory=list)
    megabytes: float = 0.0

    @property
    def rate(self) -> float:
        most = self.looks[-1][1]
        middle = [look for look in self.looks if 0.15 * most <= look[1] <= 0.9 * most]
        (began, first), (ended, last) = middle[0], middle[-1]
        return (last - first) / (ended - began)


@contextlib.contextmanager
def ingesting(count: int, log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    with log.open("ab") as file:
        command = [sys.executable, "manage.py", "ingest"]
        running = [subprocess.Popen(command, cwd=CHECKOUT, stdout=file, stderr=file) for _ in range(count)]
    try:
        yield running
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(30)


def publish(kafka: "Kafka", topic: str, records: Iterable[bytes]) -> None:
    """Kafka and its client at their quickest: larger batches than Rasa's are no advantage for who reads."""
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=kafka.servers, batch_size=128 * 1024, linger_ms=20)
    headers = [("RASA_ENVIRONMENT", b"production")]
    for number, record in enumerate(records):
        producer.send(topic, record, headers=headers, partition=number % PARTITIONS)
    producer.flush(120)
    producer.close()


def make_source(kafka: "Kafka", topic: str, assistant: str, group: str) -> "IntakeSource":
    """A source of that topic for an assistant, made unless it is there; it begins at the topic's beginning."""
    from conversations.ingest.kafka_settings import KafkaSettings, keep_settings
    from conversations.models import IntakeSource
    from environments.services.birth import create_assistant
    from models_app.models import Assistant

    owner = Assistant.objects.filter(slug=assistant).first()
    owner = owner or create_assistant(actor=None, slug=assistant, title=assistant)
    row = IntakeSource(kind=IntakeSource.Kind.KAFKA, name=group, assistant=owner)
    keep_settings(row, KafkaSettings(servers=(kafka.servers,), topics=(topic,), group=group))
    row.save()
    return row


def take(source: "IntakeSource", records: int, log: Path, *, processes: int = 1) -> Run:
    """All records of its topic, with processes of their own that end afterwards."""
    run = Run()
    with ingesting(processes, log) as running:
        until = time.monotonic() + PATIENCE
        while not run.looks or run.looks[-1][1] < records:
            if time.monotonic() > until or any(one.poll() is not None for one in running):
                raise RuntimeError(f"ingest did not take all; see {log}:\n{log.read_text()[-2000:]}")
            source.refresh_from_db(fields=["events_total", "known_total"])
            run.looks.append((time.perf_counter(), source.events_total + source.known_total))
            time.sleep(LOOK)
        run.megabytes = max(peak_megabytes(one.pid) for one in running)
    source.is_on = False
    source.save(update_fields=["is_on"])
    return run
