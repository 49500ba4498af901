"""`python -m bench.soak [--minutes 10] [--rate 2000]`: a topic filled at a steady rate while something is killed every
half minute: an ingest process, the broker, or the database. At the end nothing may be lost, doubled or miscounted.

No part of `make bench`: it takes its minutes, and what it finds is yes or no.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench import traffic
from bench.ground import forget_this_installation

EVERY = 30.0  # seconds between kills
PROCESSES = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=2000, help="events a second")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    forget_this_installation()
    prepare_django()
    with tempfile.TemporaryDirectory(prefix="parley-soak-") as folder:
        return soak(Path(folder), options)


def prepare_django() -> None:
    """`tests.stack.stage` reads the settings; what it runs has databases of its own."""
    import os

    import django
    from django.conf import settings

    from studio.embedded import keys

    os.environ |= {"DATABASE_URL": "postgresql://none@none/none", "REDIS_URL": "redis://none"}
    os.environ |= {"PARLEY_SECRET_KEY": keys.password(), "PARLEY_ENCRYPTION_KEYS": keys.encryption_key()}
    os.environ["DJANGO_SETTINGS_MODULE"] = "studio.settings"
    django.setup()
    assert settings.configured


def soak(folder: Path, options: argparse.Namespace) -> int:
    from conversations.ingest.kafka_settings import KafkaSettings
    from tests.stack.kafka import running
    from tests.stack.stage import stage

    with running() as kafka, stage(folder) as house:
        kafka.make_topic("soak", 6)
        house.add_source(KafkaSettings(servers=(kafka.servers,), topics=("soak",)))
        writer = Writer(kafka.servers, options)
        processes = [house.ingest() for _ in range(PROCESSES)]

        def kill_ingest() -> None:
            number = chance.randrange(PROCESSES)
            processes[number].kill()
            processes[number].wait()
            processes[number] = house.ingest()

        def kill_broker() -> None:
            kafka.kill()
            time.sleep(chance.uniform(1, 8))
            kafka.start()

        def kill_database() -> None:
            house.kill_database()
            time.sleep(chance.uniform(1, 8))
            house.start_database()

        chance = random.Random(options.seed)
        killers = {"ingest": kill_ingest, "broker": kill_broker, "database": kill_database}
        writer.start()
        kill_every_half_minute(killers, chance, options.minutes * 60)
        writer.join()
        print(f"{writer.sent:,} events written; waiting for the last {writer.sent - house.events():,}", flush=True)
        began = time.monotonic()
        house.eventually(lambda: house.events() >= writer.sent, seconds=600)
        print(f"stored after {time.monotonic() - began:.1f} s", flush=True)
        return verdict(house, writer.sent)


def kill_every_half_minute(killers: dict[str, Callable[[], None]], chance: random.Random, seconds: float) -> None:
    """Each of them as often as the others, in an order of chance."""
    began = time.monotonic()
    waiting: list[str] = []
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(EVERY, left))
        waiting = waiting or chance.sample(list(killers), len(killers))
        name = waiting.pop()
        print(f"{time.monotonic() - began:6.0f} s: killing {name}", flush=True)
        killers[name]()


class Writer(threading.Thread):
    """Sends each event until Kafka has it, whatever happens to Kafka meanwhile; no two events are the same."""

    def __init__(self, servers: str, options: argparse.Namespace) -> None:
        super().__init__(name="writer")
        self.servers, self.options = servers, options
        self.sent = 0

    def run(self) -> None:
        from kafka import KafkaProducer

        producer = KafkaProducer(
            bootstrap_servers=self.servers, acks="all", retries=1_000_000, linger_ms=20, delivery_timeout_ms=600_000
        )
        began = time.monotonic()
        until = began + self.options.minutes * 60
        for data in traffic.events(sys.maxsize, seed=self.options.seed):
            if time.monotonic() > until:
                break
            time.sleep(max(0.0, began + self.sent / self.options.rate - time.monotonic()))
            producer.send("soak", data, headers=[("RASA_ENVIRONMENT", b"production")])
            self.sent += 1
        producer.flush(600)
        producer.close()


def verdict(house: object, sent: int) -> int:
    from tests.stack.stage import Stage

    assert isinstance(house, Stage)
    stored, dead = house.events(), house.one("SELECT count(*) FROM conversations_deadletter")
    known = house.one("SELECT known_total FROM conversations_intakesource")
    house.manage("rebuild_conversations", "--check")  # fails when a count is not that of a rebuild
    print(f"written {sent:,}, stored {stored:,}, lost {sent - stored:,}, dead letters {dead:,}, come again {known:,}")
    print("every count is that of a rebuild")
    return 0 if stored == sent and not dead else 1


if __name__ == "__main__":
    sys.exit(main())
