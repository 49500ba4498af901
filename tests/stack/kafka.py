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
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from studio.embedded import child
from tests.stack.programs import free_port, need

VERSION = "4.1.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "kafka"
CLUSTER = "parley0tests0parley0te"  # 22 letters of URL-safe base64
USER, PASSWORD = "rasa", "kafka-secret"  # at the listener that asks for them
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
listeners=PLAINTEXT://127.0.0.1:{port},NAMED://127.0.0.1:{named},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},NAMED://127.0.0.1:{named},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,NAMED:SASL_PLAINTEXT,SECURE:SSL
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={folder}/server.pem
listener.name.named.sasl.enabled.mechanisms=PLAIN
listener.name.named.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  user_{user}="{password}";
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
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.named_port, self.secure_port, controller = (free_port() for _ in range(4))
        self.ca = _certify(folder / "server.pem")
        self.process: subprocess.Popen[bytes] | None = None
        self._properties = folder / "server.properties"
        ports = {"port": self.port, "named": self.named_port, "secure": self.secure_port, "controller": controller}
        self._properties.write_text(_PROPERTIES.format(**ports, folder=folder, user=USER, password=PASSWORD))
        format_ = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._properties)]
        subprocess.run(_java(*format_), check=True, capture_output=True, cwd=folder)

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def named_servers(self) -> str:
        """The listener with SASL_PLAINTEXT and PLAIN, for USER with PASSWORD."""
        return f"127.0.0.1:{self.named_port}"

    @property
    def secure_servers(self) -> str:
        """The listener with TLS; its certificate is for 127.0.0.1, and `ca` signed it."""
        return f"127.0.0.1:{self.secure_port}"

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
            with contextlib.suppress(OSError, KafkaError), socket.create_connection(("127.0.0.1", self.port), 1):
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
        client = KafkaAdminClient(bootstrap_servers=self.servers, request_timeout_ms=5000)
        try:
            yield client
        finally:
            client.close()

    def make_topic(self, name: str, partitions: int = 3, **config: str) -> None:
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, topic_configs=config)
        with self.admin() as admin:
            admin.create_topics([topic])

    def delete_records(self, topic: str, before: dict[int, int]) -> None:
        """What retention does: everything before these offsets is gone."""
        with self.admin() as admin:
            admin.delete_records({TopicPartition(topic, number): at for number, at in before.items()})

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


def _certify(file: Path) -> str:
    """Write a key and a certificate for 127.0.0.1, as Kafka reads them; returns the PEM of the authority."""
    begun = datetime.now(UTC) - timedelta(hours=1)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name, name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("Tests", "kafka"))
    draft = x509.CertificateBuilder().not_valid_before(begun).not_valid_after(begun + timedelta(days=2))
    draft = draft.issuer_name(ca_name)
    authority = draft.subject_name(ca_name).public_key(ca_key.public_key()).serial_number(1)
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    place = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    server = draft.subject_name(name).public_key(key.public_key()).serial_number(2)
    server = server.add_extension(place, critical=False)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + server.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    return authority.sign(ca_key, hashes.SHA256()).public_bytes(pem).decode()


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
