"""How a Kafka cluster is reached: the settings that Rasa's own Kafka broker has, as an intake source keeps them."""

import json
import ssl
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from conversations.models import IntakeSource
from studio.crypto import decrypt, encrypt

PROTOCOLS = ("PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
SECRETS = ("sasl_password", "ssl_key")
DEFAULT_TOPIC = "rasa_core_events"


@dataclass(frozen=True)
class KafkaSettings:
    """`servers` and `topics` are lists; `ssl_ca`, `ssl_certificate` and `ssl_key` are PEM, not file names."""

    servers: tuple[str, ...]
    topics: tuple[str, ...] = (DEFAULT_TOPIC,)
    group: str = "parley"
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_ca: str = ""
    ssl_certificate: str = ""
    ssl_key: str = ""
    ssl_check_hostname: bool = True

    @property
    def uses_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        return self.security_protocol.endswith("SSL")


def settings_of(source: IntakeSource) -> KafkaSettings:
    known = {field.name for field in fields(KafkaSettings)}
    secrets = json.loads(decrypt(source.secrets_encrypted) or "{}")
    kept: dict[str, Any] = {name: value for name, value in (source.settings | secrets).items() if name in known}
    return KafkaSettings(**kept | {"servers": tuple(kept["servers"]), "topics": tuple(kept["topics"])})


def keep_settings(source: IntakeSource, settings: KafkaSettings) -> None:
    """Write them into the row's fields, secrets encrypted; the caller saves it."""
    values = asdict(settings)
    secrets = {name: values.pop(name) for name in SECRETS}
    source.settings = values | {"servers": list(settings.servers), "topics": list(settings.topics)}
    source.secrets_encrypted = encrypt(json.dumps(secrets))


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """What kafka-python's clients take to reach the cluster. ValueError or ssl.SSLError for a bad certificate."""
    from conversations.ingest.kafka_hosts import CHECKED  # brings kafka-python, 7 MB for each process of ours

    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.servers),
        "security_protocol": settings.security_protocol,
        "client_id": "parley",
        "proxy_url": CHECKED,
    }
    if settings.uses_sasl:
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password,
        }
    if settings.uses_tls:
        options["ssl_context"] = _tls(settings)
    return options


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=settings.ssl_ca or None)
    context.check_hostname = settings.ssl_check_hostname
    if settings.ssl_certificate:
        with tempfile.TemporaryDirectory() as folder:  # Python reads a key from nowhere but files
            pair = Path(folder, "pair.pem")
            pair.touch(0o600)
            pair.write_text(f"{settings.ssl_certificate}\n{settings.ssl_key}\n")
            context.load_cert_chain(pair)
    return context
