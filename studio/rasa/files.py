"""Writes the configuration of a Rasa server: endpoints.yml and credentials.yml.

Two readers: the servers that we run get literal values; a team that runs its own gets `${NAME}` where a value differs
per process or is secret. Rasa replaces `${NAME}` only where the whole value is one, unquoted, in block style; quoted,
it takes the text as it stands. So an `Env` is written plain and every other text in double quotes, which also keeps a
password with a `$`, a `#` or a leading zero what it is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

WAIT_BETWEEN_PULLS = 5
REPLICA_HEADER = "X-Parley-Replica"
ENVIRONMENT_HEADER = "X-Parley-Environment"


@dataclass(frozen=True)
class Env:
    """The value of an environment variable of the Rasa server; Rasa does not start while it is unset."""

    name: str


Scalar = str | int | bool | Env
Block = Mapping[str, "Scalar | Block"]


@dataclass(frozen=True)
class ModelServer:
    """Where the server asks for its model, how it names itself, and the environment under whose name its events go."""

    url: str
    token: Scalar
    replica: Scalar = Env("PARLEY_REPLICA")
    environment: Scalar | None = Env("RASA_ENVIRONMENT")
    wait_time_between_pulls: int = WAIT_BETWEEN_PULLS


@dataclass(frozen=True)
class Database:
    """A PostgreSQL database as its own role; the role's search_path chooses the schema.

    `host` is a name, an address, or the folder of a unix socket.
    """

    host: str
    port: int
    name: str
    username: str
    password: Scalar


@dataclass(frozen=True)
class Kafka:
    """A Kafka topic. Rasa's own default for `security_protocol` is SASL_PLAINTEXT, so it is always written.

    `servers` is a list with commas: Rasa hands it to librdkafka as it is. `*_file` are files beside the Rasa server.
    """

    servers: str
    topic: str = "rasa_core_events"
    security_protocol: str = "PLAINTEXT"
    mechanism: str = "PLAIN"
    username: Scalar | None = None
    password: Scalar | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    check_hostname: bool | None = None  # Rasa's own default is not to
    partition_by_sender: bool = False


def endpoints_yml(
    *,
    models: ModelServer | None = None,
    event_broker: Database | Kafka | None = None,
    tracker_store: Database | None = None,
    action_endpoint: str | None = None,
) -> str:
    """An endpoints.yml with the parts that are given, in Rasa's order."""
    parts: dict[str, Block] = {}
    if models is not None:
        parts["models"] = _models(models)
    if event_broker is not None:
        parts["event_broker"] = _event_broker(event_broker)
    if tracker_store is not None:
        parts["tracker_store"] = {"type": "sql", **_database(tracker_store)}
    if action_endpoint is not None:
        parts["action_endpoint"] = {"url": action_endpoint}
    return _document(parts)


def credentials_yml(*, channel_url: str) -> str:
    """A credentials.yml with the `rasa` channel. Rasa fetches our public keys from `<channel_url>/version`."""
    return _document({"rasa": {"url": channel_url.rstrip("/")}})


def _models(models: ModelServer) -> Block:
    headers = {REPLICA_HEADER: models.replica}
    if models.environment is not None:
        headers[ENVIRONMENT_HEADER] = models.environment
    return {
        "url": models.url,
        "token": models.token,
        "wait_time_between_pulls": models.wait_time_between_pulls,
        "headers": headers,
    }


def _event_broker(broker: Database | Kafka) -> Block:
    if isinstance(broker, Database):
        return {"type": "sql", **_database(broker)}
    block: dict[str, Scalar] = {
        "type": "kafka",
        "url": broker.servers,
        "topic": broker.topic,
        "security_protocol": broker.security_protocol,
    }
    if broker.username is not None and broker.password is not None:
        block |= {"sasl_mechanism": broker.mechanism}
        block |= {"sasl_username": broker.username, "sasl_password": broker.password}
    files = {
        "ssl_cafile": broker.ca_file,
        "ssl_certfile": broker.certificate_file,
        "ssl_keyfile": broker.key_file,
        "ssl_check_hostname": broker.check_hostname,
    }
    block |= {name: value for name, value in files.items() if value is not None}
    return block | ({"partition_by_sender": True} if broker.partition_by_sender else {})


def _database(database: Database) -> dict[str, Scalar]:
    return {
        "dialect": "postgresql",
        "url": database.host,
        "port": database.port,
        "db": database.name,
        "username": database.username,
        "password": database.password,
    }


def _document(parts: Mapping[str, Block]) -> str:
    return "\n".join("\n".join(_lines({name: block}, 0)) + "\n" for name, block in parts.items())


def _lines(block: Block, depth: int) -> list[str]:
    lines: list[str] = []
    for name, value in block.items():
        if isinstance(value, Mapping):
            lines += [f"{'  ' * depth}{name}:", *_lines(value, depth + 1)]
        else:
            lines.append(f"{'  ' * depth}{name}: {_scalar(value)}")
    return lines


def _scalar(value: Scalar) -> str:
    if isinstance(value, Env):
        return f"${{{value.name}}}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    # A JSON string is a YAML string in double quotes. Above U+FFFF JSON would write two escapes, which YAML refuses.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\x7f").replace("\x85", "\\x85")
