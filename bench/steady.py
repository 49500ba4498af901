"""How long after an event was written a page that is asked for would show it, while they come steadily."""

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from bench import intake
from bench.rows import Row

if TYPE_CHECKING:
    from tests.stack.kafka import Kafka

RATE, SECONDS = 500, 30
WARMING = 5  # seconds that joining the group takes
LOOK = 0.02


def row(cluster: "Kafka", log: Path) -> Row:
    cluster.make_topic("steady", intake.PARTITIONS)
    source = intake.make_source(cluster, "steady", "steady", "steady")
    with intake.ingesting(1, log):
        writer = threading.Thread(target=_write, args=(cluster,))
        writer.start()
        waits = sorted(_watch(source.assistant_id)[RATE * WARMING :])
        writer.join()
    late = waits[int(len(waits) * 0.95)]
    what = f"event written to visible at {RATE} events/s, p95"
    return Row(what, f"{late:.2f} s", f"median {waits[len(waits) // 2]:.2f} s", "", "2 s", late <= 2)


def _write(cluster: "Kafka") -> None:
    """As Rasa does, one after the other, with the time of writing as the event's."""
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=cluster.servers)
    began = time.time()
    for number in range(RATE * SECONDS):
        time.sleep(max(0.0, began + number / RATE - time.time()))
        sender = f"steady-{number // 250}-{number % 10}"
        record = f'{{"sender_id": "{sender}", "event": "bot", "timestamp": {time.time()!r}, "text": "{uuid4()}"}}'
        producer.send("steady", record.encode(), headers=[("RASA_ENVIRONMENT", b"production")])
    producer.flush(60)
    producer.close()


def _watch(assistant_id: int) -> list[float]:
    """Of each event, in their order, how long ago it was written when it was first seen."""
    from conversations.models import Event

    last, waits = 0, list[float]()
    until = time.monotonic() + SECONDS * 10
    while len(waits) < RATE * SECONDS and time.monotonic() < until:
        events = Event.objects.filter(conversation__assistant=assistant_id, pk__gt=last).order_by("pk")
        rows = list(events.values_list("pk", "timestamp"))
        now = time.time()
        waits += [now - at for _, at in rows]
        last = rows[-1][0] if rows else last
        time.sleep(LOOK)
    return waits
