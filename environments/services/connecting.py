"""What a team puts into the files of its own Rasa server, so that it takes models from here and sends its events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from django.conf import settings

from environments.models import Environment
from environments.services.arrivals import Broker, arrivals_of, brokers_of
from environments.services.checks import channel_url
from environments.services.database import SqlAccess, events_access, is_made
from studio.crypto import decrypt
from studio.rasa.files import Database, Env, Kafka, ModelServer, credentials_yml, endpoints_yml

TOKEN = Env("RASA_X_TOKEN")
EVENTS_PASSWORD = Env("PARLEY_EVENTS_PASSWORD")
START = """PARLEY_REPLICA=$(hostname) rasa run --enable-api --auth-token="$RASA_AUTH_TOKEN" \\
  --endpoints endpoints.yml --credentials credentials.yml"""
RASA_PORT = 5005
SQL, KAFKA, OTHER = "sql", "kafka", "other"


@dataclass(frozen=True, slots=True)
class Tab:
    """One broker to write events to; `word` is the URL's."""

    word: str
    text: str
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """`broker` is the Kafka whose block is in `endpoints`, None for our own table, whose access is `access` once it is
    there. `variables` are lines of shell."""

    endpoints: str
    credentials: str
    variables: str
    start: str
    tabs: Sequence[Tab]
    chosen: str
    broker: Broker | None
    access: SqlAccess | None


def connection_of(environment: Environment, word: str = "", *, may_see_secrets: bool) -> Connection:
    """With the events going where `word` says: `sql`, `kafka-3`, `other`; else where they most likely go."""
    access = events_access(environment) if is_made(environment) else None
    brokers = brokers_of(environment.assistant)
    broker, chosen = _chosen(word, environment, access, brokers)
    return Connection(
        endpoints=_endpoints(environment, broker.block if broker else _table(access)),
        credentials=credentials_yml(channel_url=channel_url(environment)),
        variables=_variables(environment, access, broker, may_see_secrets=may_see_secrets),
        start=START + _port(environment),
        tabs=_tabs(brokers, chosen),
        chosen=chosen,
        broker=broker,
        access=access,
    )


def _chosen(
    word: str, environment: Environment, access: SqlAccess | None, brokers: Sequence[Broker]
) -> tuple[Broker | None, str]:
    """The Kafka whose block is shown, None for the table, and the tab."""
    known = {f"kafka-{one.key}": one for one in brokers}
    if word not in {*known, SQL, KAFKA, OTHER}:
        word = _usual(environment, access, list(known)) if known else SQL
    if word == KAFKA:
        word = next(iter(known), KAFKA)
    return known.get(word), word


def _usual(environment: Environment, access: SqlAccess | None, kafkas: Sequence[str]) -> str:
    """The tab of what brought the newest events. Before any came: Kafka, which somebody has set up on purpose, unless
    the server is ours, which writes into the table."""
    came_by = arrivals_of(environment).came_by
    if came_by and f"kafka-{came_by}" in kafkas:
        return f"kafka-{came_by}"
    is_ours = environment.kind == Environment.Kind.MANAGED
    return SQL if access is not None and (is_ours or came_by is not None) else kafkas[0]


def _tabs(brokers: Sequence[Broker], chosen: str) -> list[Tab]:
    kafkas = [Tab(f"kafka-{one.key}", f"Kafka: {one.name}") for one in brokers] or [Tab(KAFKA, "Kafka")]
    tabs = [Tab(SQL, "Parley’s table"), *kafkas, Tab(OTHER, "RabbitMQ or another")]
    return [replace(tab, is_chosen=tab.word == chosen) for tab in tabs]


def _table(access: SqlAccess | None) -> Database | None:
    if access is None:
        return None
    return Database(access.host, access.port, access.name, access.username, EVENTS_PASSWORD)


def _endpoints(environment: Environment, broker: Database | Kafka | None) -> str:
    base = f"{settings.INTERNAL_URL}/api/projects/{environment.assistant.slug}"
    models = ModelServer(url=f"{base}/models/tags/{environment.name}", token=TOKEN)
    return endpoints_yml(models=models, event_broker=broker)


def _variables(
    environment: Environment, access: SqlAccess | None, broker: Broker | None, *, may_see_secrets: bool
) -> str:
    """For the shell or the container that starts Rasa. Rasa does not start while one of them is unset."""
    secret = "export {}={}".format if may_see_secrets else (lambda name, _value: f"export {name}=…")
    lines = [
        f"export RASA_ENVIRONMENT={environment.name}",
        secret(TOKEN.name, decrypt(environment.model_token_encrypted)),
    ]
    if broker is not None:
        asked = [one for one in (broker.block.username, broker.block.password) if isinstance(one, Env)]
        lines += [f"export {one.name}=  # of the user as whom Rasa writes to the topic" for one in asked]
    elif access is not None:
        lines.append(secret(EVENTS_PASSWORD.name, access.password))
    return "\n".join([*lines, "export RASA_AUTH_TOKEN=  # your own: the server token that you entered here"])


def _port(environment: Environment) -> str:
    """The option for a port of its own; behind https something else listens there."""
    parts = urlsplit(environment.url)
    return f" --port {parts.port}" if parts.scheme == "http" and parts.port not in (None, RASA_PORT) else ""
