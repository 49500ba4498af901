"""A real Kafka, one node in KRaft mode, on free ports under a temporary folder, ended with whoever started it.

Its jars (43 MB) come from Maven once and are kept in the user's cache folder. `stop` and `start` are those of an
operator: what was written stays; `kill` is a crash.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    NewTopic,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import KafkaError

from studio.embedded import child
from tests.stack.certificates import Authority
from tests.stack.programs import eventually, free_port, need

VERSION = "4.1.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "kafka"
CLUSTER = "parley0tests0parley0te"  # 22 letters of URL-safe base64
USER, GUEST, PASSWORD = "rasa", "guest", "kafka-secret"  # at the listeners that ask for them
LISTENERS = ("plaintext", "named", "secure", "mutual", "both")
START_SECONDS = 120  # 5 on a quiet machine

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>parley</groupId><artifactId>kafka-of-the-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={served},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={served}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,NAMED:SASL_PLAINTEXT,SECURE:SSL,MUTUAL:SSL,BOTH:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.truststore.type=PEM
listener.name.mutual.ssl.truststore.location={folder}/ca.pem
listener.name.named.sasl.enabled.mechanisms=PLAIN
listener.name.named.plain.sasl.jaas.config={plain} required user_{user}="{password}";
listener.name.both.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.both.plain.sasl.jaas.config={plain} required user_{user}="{password}" user_{guest}="{password}";
listener.name.both.scram-sha-256.sasl.jaas.config={scram} required;
listener.name.both.scram-sha-512.sasl.jaas.config={scram} required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{user};User:CN={user}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
num.partitions=3
message.max.bytes=20971520
log.retention.check.interval.ms=1000
"""


class Kafka:
    """Listeners of every kind. USER may do everything, and so may whoever has no name; GUEST only what is granted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {name: free_port() for name in LISTENERS}
        self.authority = Authority("Tests")
        self.ca = self.authority.pem
        (folder / "ca.pem").write_text(self.ca)
        (folder / "server.pem").write_text("".join(self.authority.issue("kafka", address="127.0.0.1")))
        self.process: subprocess.Popen[bytes] | None = None
        self._properties = folder / "server.properties"
        self._properties.write_text(
            _PROPERTIES.format(
                served=",".join(f"{name.upper()}://127.0.0.1:{port}" for name, port in self._ports.items()),
                controller=free_port(),
                folder=folder,
                user=USER,
                guest=GUEST,
                password=PASSWORD,
                plain="org.apache.kafka.common.security.plain.PlainLoginModule",
                scram="org.apache.kafka.common.security.scram.ScramLoginModule",
            )
        )
        format_ = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._properties)]
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            for name in (USER, GUEST):
                format_ += ["--add-scram", f"{mechanism}=[name={name},password={PASSWORD}]"]
        subprocess.run(_java(*format_), check=True, capture_output=True, cwd=folder)

    @property
    def servers(self) -> str:
        return self.at("plaintext")

    def at(self, listener: str) -> str:
        """`named` has SASL_PLAINTEXT and PLAIN; `secure` TLS, with a certificate for 127.0.0.1 that `ca` signed;
        `mutual` TLS with certificates of both sides; `both` SASL_SSL with every mechanism."""
        return f"127.0.0.1:{self._ports[listener]}"

    def start(self) -> None:
        # A test run that is killed takes its Kafka with it.
        command = [sys.executable, "-I", child.__file__, "SIGKILL", "-", *_java("kafka.Kafka", str(self._properties))]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            with (
                contextlib.suppress(OSError, KafkaError),
                socket.create_connection(("127.0.0.1", self._ports["plaintext"]), 1),
            ):
                with self.admin() as admin:
                    admin.list_topics()
                return
            time.sleep(0.3)
        raise AssertionError(f"Kafka did not start within {START_SECONDS} s; see {self.folder / 'log'}")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: int) -> None:
        if self.process is None:
            return
        for number in (how, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
                break
        self.process = None

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        client = KafkaAdminClient(bootstrap_servers=self.servers, request_timeout_ms=60_000)
        try:
            yield client
        finally:
            client.close()

    def make_topic(self, name: str, partitions: int = 3, **config: str) -> None:
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, topic_configs=config)
        with self.admin() as admin:
            admin.create_topics([topic])

    def make_anew(self, name: str, partitions: int = 3) -> None:
        """Another topic of the same name."""
        with self.admin() as admin:
            admin.delete_topics([name])
        eventually(lambda: name not in self._topics())
        self.make_topic(name, partitions)

    def _topics(self) -> list[str]:
        with self.admin() as admin:
            return list(admin.list_topics())

    def damage(self, topic: str, words: bytes) -> None:
        """Change these bytes on disk, in every batch of the first partition that they are in."""
        for file in (self.folder / "data" / f"{topic}-0").glob("*.log"):
            data = file.read_bytes()
            assert words in data
            with file.open("r+b") as log:
                log.seek(data.index(words))
                log.write(b"?" * len(words))

    def allow(self, user: str, operation: str, *, topic: str = "", group: str = "") -> None:
        what = ResourcePattern(ResourceType.TOPIC, topic) if topic else ResourcePattern(ResourceType.GROUP, group)
        right = ACL(f"User:{user}", "*", ACLOperation[operation.upper()], ACLPermissionType.ALLOW, what)
        with self.admin() as admin:
            admin.create_acls([right])

    def refuse(self, user: str, topic: str) -> None:
        """Take back every right on the topic."""
        what = ResourcePatternFilter(ResourceType.TOPIC, topic, ACLResourcePatternType.LITERAL)
        rights = ACLFilter(f"User:{user}", "*", ACLOperation.ANY, ACLPermissionType.ANY, what)
        with self.admin() as admin:
            admin.delete_acls([rights])

    def ends(self, topic: str) -> dict[int, int]:
        """Where each of its partitions ends."""
        consumer = KafkaConsumer(bootstrap_servers=self.servers)
        try:
            places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
            return {place.partition: end for place, end in consumer.end_offsets(places).items()}
        finally:
            consumer.close()

    def delete_records(self, topic: str, before: dict[int, int]) -> None:
        """What retention does: everything before these offsets is gone."""
        with self.admin() as admin:
            admin.delete_records({TopicPartition(topic, number): at for number, at in before.items()})

    @contextmanager
    def transactions(self) -> Iterator[KafkaProducer]:
        producer = KafkaProducer(bootstrap_servers=self.servers, transactional_id="tests", linger_ms=5)
        producer.init_transactions()
        try:
            yield producer
        finally:
            producer.close()

    def publish(self, topic: str, records: Iterable[bytes], environment: str | None = "production") -> None:
        """As Rasa's broker does: no key, spread over the partitions, the environment's name in a header."""
        headers = [("RASA_ENVIRONMENT", environment.encode())] if environment is not None else []
        producer = KafkaProducer(bootstrap_servers=self.servers, max_request_size=20 * 1024**2, linger_ms=5)
        try:
            for record in records:
                producer.send(topic, record, headers=headers)
            producer.flush(60)
        finally:
            producer.close()


@contextmanager
def running() -> Iterator[Kafka]:
    with tempfile.TemporaryDirectory(prefix="parley-kafka-") as folder:
        kafka = Kafka(Path(folder))
        kafka.start()
        try:
            yield kafka
        finally:
            kafka.kill()


def jars() -> Path:
    """The folder with the jars; they are fetched when this machine has none yet."""
    home = CACHE / f"kafka-{VERSION}"
    if home.is_dir():
        return home
    CACHE.mkdir(parents=True, exist_ok=True)
    need("mvn", "maven")
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        Path(folder, "pom.xml").write_text(_POM)
        plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy-dependencies"
        subprocess.run(["mvn", "-q", "-B", plugin, "-DoutputDirectory=libs"], check=True, cwd=folder)
        shutil.move(f"{folder}/libs", home)
    sys.stderr.write(f"\nKafka {VERSION} is now in {home}.\n")
    return home


def _java(main: str, *arguments: str) -> list[str]:
    need("java", "default-jre-headless (Java 17 or newer)")
    options = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return ["java", *options, "-cp", f"{jars()}/*", main, *arguments]
