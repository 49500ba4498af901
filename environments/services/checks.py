"""The checklist of an environment: what its Rasa server says of itself, and what has arrived from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from environments.models import Environment, Replica
from environments.services.address import NoServer, server_of
from environments.services.arrivals import Arrivals, arrivals_of
from environments.services.environments import note_server
from environments.services.overview import Overview, overview_among, replicas_of
from environments.services.replicas import is_live
from studio.rasa import client as rasa
from studio.rasa.client import RasaClient, RasaError, Version
from studio.rasa.compatibility import can_load
from studio.rasa.files import credentials_yml

TIMEOUT_SECONDS = 3.0  # somebody looks at the page


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist. `status` and `word` are of the `{% status %}` tag; `mend` says what to do about it,
    `line` is what to copy for that."""

    status: str
    word: str
    text: str
    mend: str = ""
    line: str = ""
    at: datetime | None = None

    @property
    def is_good(self) -> bool:
        return self.status == "running"


_FAILURES: dict[type[RasaError], tuple[str, str]] = {
    rasa.WrongAddress: ("Wrong address", "Correct the address under Edit."),
    rasa.Refused: (
        "Refused",
        "Start Rasa there, or correct the port. When it ends at once and names a variable, such as RASA_ENVIRONMENT, "
        "export that one first. In a container it has to listen on 0.0.0.0.",
    ),
    rasa.TimedOut: ("Timed out", "Look whether a firewall lies between Parley and the server, and whether it is busy."),
    rasa.Unreachable: ("Unreachable", "Look at its certificate, or at the proxy in front of it."),
    rasa.NotRasa: ("Not Rasa", "Correct the address under Edit: name Rasa's own port, and no path below it."),
    rasa.ApiDisabled: ("No HTTP API", "Add the option to the start command."),
    rasa.WrongToken: ("Wrong token", "The server token is under Edit."),
    rasa.ServerError: ("Server error", "Look into the log of the Rasa server."),
}
_LINES: dict[type[RasaError], str] = {rasa.ApiDisabled: "--enable-api"}


def checklist(environment: Environment) -> list[Check]:
    """All of it. Takes seconds when the server does not answer, so never call it within a transaction."""
    server = check_server(environment)
    environment.refresh_from_db(from_queryset=Environment.objects.select_related("assistant", "tag__model", "server"))
    replicas = replicas_of(environment)
    return [*server, *check_facts(overview_among(environment, replicas), replicas)]


def check_server(environment: Environment) -> list[Check]:
    """Ask the server itself. Takes seconds when it does not answer, so never call it within a transaction."""
    try:
        address = server_of(environment)
    except NoServer as error:
        return [Check("silent", "No server", error.message)]
    client = address.client(TIMEOUT_SECONDS)
    try:
        version = client.version()
    except RasaError as error:
        return [_failure(error)]
    note_server(
        environment=environment,
        version=version.version,
        minimum_compatible_version=version.minimum_compatible_version,
    )
    return [
        Check("running", "Reachable", f"A Rasa server answers at {_shown(environment, address.url)}."),
        _version(environment, version),
        _secured(client),
        _channel(environment, client),
    ]


def check_facts(overview: Overview, replicas: Sequence[Replica], arrived: Arrivals | None = None) -> list[Check]:
    """What polls and events have shown, from our own rows; `replicas` are all of the environment, silent ones too.

    `arrived` is asked for when the caller does not know it.
    """
    environment = overview.environment
    seen = arrivals_of(environment) if arrived is None else arrived
    events = _events(environment, replicas, seen)
    polls = [*_polls(replicas), *_missing(overview), *_nameless(environment, replicas)]
    return [*polls, _model(overview), events]


def _shown(environment: Environment, url: str) -> str:
    return "a port of this machine" if environment.kind == Environment.Kind.MANAGED else url


def _failure(error: RasaError) -> Check:
    word, mend = _FAILURES.get(type(error), ("Failed", ""))
    return Check("failed", word, error.message, mend, _LINES.get(type(error), ""))


def _version(environment: Environment, version: Version) -> Check:
    model = environment.tag.model if environment.tag is not None else None
    minimum = version.minimum_compatible_version
    if model is not None and model.rasa_version and can_load(model.rasa_version, minimum) is False:
        return Check(
            "failed",
            "Too new",
            f"Rasa {version.version} loads models of {minimum} and later; {model.name} is of {model.rasa_version}.",
            "Train the model again, and promote the new one.",
        )
    return Check("running", f"Rasa {version.version}", f"It loads models that were trained with {minimum} or later.")


def _secured(client: RasaClient) -> Check:
    try:
        if not client.is_secured():
            return Check(
                "failed",
                "Unsecured",
                "/status answers without a token: whoever reaches the server can read every conversation.",
                "Start Rasa with a token, and enter the same one under Edit.",
                '--auth-token="$RASA_AUTH_TOKEN"',
            )
        client.status()
    except RasaError as error:
        return _failure(error)
    return Check("running", "Secured", "It answers with the token that is saved here, and not without one.")


def _channel(environment: Environment, client: RasaClient) -> Check:
    try:
        if client.has_rasa_channel():
            return Check("running", "Chat channel", "Its credentials.yml has the rasa channel, over which Talk speaks.")
    except RasaError as error:
        return _failure(error)
    return Check(
        "failed",
        "No chat channel",
        "Its credentials.yml has no rasa channel, so that Talk and shared links cannot speak to it.",
        "Add this to its credentials.yml, and restart it.",
        credentials_yml(channel_url=channel_url(environment)),
    )


def channel_url(environment: Environment) -> str:
    """What credentials.yml names; the server fetches our public key below it."""
    return f"{settings.INTERNAL_URL}/api/projects/{environment.assistant.slug}/environments/{environment.name}"


def _polls(replicas: Sequence[Replica]) -> Iterator[Check]:
    now = timezone.now()
    live = [replica for replica in replicas if is_live(replica, now)]
    if live:
        servers = "1 server asks" if len(live) == 1 else f"{len(live)} servers ask"
        yield Check("running", "Polls", f"{servers} for the model.", at=max(replica.last_seen_at for replica in live))
        if not all(replica.named for replica in live):
            yield Check(
                "warning",
                "Unnamed",
                "A server does not say its name, so that a model which it cannot load goes unnoticed.",
                "Set the variable in its start command; the headers block of endpoints.yml sends it.",
                "PARLEY_REPLICA=$(hostname)",
            )
    elif replicas:
        last = max(replica.last_seen_at for replica in replicas)
        mend = "Look whether Rasa runs, and whether it reaches Parley."
        yield Check("failed", "Silent", "No server asks for the model any more.", mend, at=last)
    else:
        mend = "Put the models block into endpoints.yml, set RASA_X_TOKEN and restart Rasa."
        yield Check("silent", "No polls yet", "No server has asked for the model with this environment's token.", mend)


def _missing(overview: Overview) -> Iterator[Check]:
    if overview.live and overview.missing:
        servers = "1 server that asked" if overview.missing == 1 else f"{overview.missing} servers that asked"
        text = f"{servers} for the model within the last hour fell silent."
        mend = "Look whether Rasa runs there, and whether it reaches Parley. One taken away is forgotten after an hour."
        yield Check("warning", f"{overview.missing} silent", text, mend)


def _nameless(environment: Environment, replicas: Sequence[Replica]) -> Iterator[Check]:
    """Rasa says RASA_ENVIRONMENT only beside an event on Kafka; the header tells before one is lost that way. A server
    of ours always has it."""
    if environment.kind != Environment.Kind.CONNECTED:
        return
    now = timezone.now()
    if any(is_live(replica, now) and not replica.claims for replica in replicas):
        yield Check(
            "warning",
            "Name unknown",
            "A server does not say its RASA_ENVIRONMENT. Where none is set, events are of RASA_ENVIRONMENT_NOT_SET.",
            "Set the variable where Rasa starts; the headers block of endpoints.yml sends it.",
            f"export RASA_ENVIRONMENT={environment.name}",
        )


def _model(overview: Overview) -> Check:
    model = overview.model
    if model is None:
        return Check("silent", "No model", "Nothing is promoted here yet.", "Promote a model.")
    if not overview.live:
        return Check("silent", "Not known", f"{model.name} is promoted; no server has said what it runs.")
    if overview.running == overview.live:
        return Check("running", "Right model", f"{overview.running} of {overview.live} run {model.name}.")
    mend = "The log of the server says why. Return to the last model that ran." if overview.status == "failed" else ""
    return Check(overview.status, overview.text, f"{model.name} is promoted.", mend)


def _claimed(environment: Environment, replicas: Sequence[Replica]) -> Check | None:
    """What is wrong with the RASA_ENVIRONMENT of the servers that poll, when they say it. Over SQL their events come
    here all the same; over Kafka nothing but that name tells where they belong."""
    now = timezone.now()
    names = {row.claims for row in replicas if row.claims and is_live(row, now)} - {environment.name}
    if not names:
        return None
    former = {alias.name for alias in environment.aliases.all()}
    told = ", ".join(sorted(names))
    line = f"export RASA_ENVIRONMENT={environment.name}"
    if names <= former:
        text = f"A server still has RASA_ENVIRONMENT={told}, the former name. Its events count as those of this one."
        return Check("warning", "Former name", text, "Set the variable where Rasa starts, at its next restart.", line)
    text = f"A server has RASA_ENVIRONMENT={told}, so that its events go out under that name."
    return Check("failed", "Another name", text, "Set the variable where Rasa starts, and restart it.", line)


def _events(environment: Environment, replicas: Sequence[Replica], seen: Arrivals) -> Check:
    line = f"export RASA_ENVIRONMENT={environment.name}"
    if seen.error:
        return Check("failed", "Events fail", seen.error, at=seen.last_at)
    if claimed := _claimed(environment, replicas):
        return claimed
    if seen.strangers and seen.last_at is None:
        names = ", ".join(seen.strangers)
        mend = "Set the variable where Rasa starts, and restart it."
        return Check("failed", "Another name", f"Events arrive under the name {names}.", mend, line)
    if not seen.is_taken:
        return Check("failed", "Not taken", "No ingest process runs, so that events wait.", "Start manage.py ingest.")
    if seen.missing_since is not None:
        mend = "Look for errors of the event broker in the log of the Rasa server; what it dropped is not sent again."
        text = "Talk got an answer, and its events did not come."
        return Check("failed", "Events missing", text, mend, at=seen.missing_since)
    if seen.lag:
        text = f"{seen.lag:,} records of it wait to be stored."
        return Check("busy", "Catching up", text, at=seen.last_at)
    if seen.dead:
        text = "Events arrive, and some could not be read or stored. They are kept until somebody handles them."
        mend = "Dead letters, under Conversations, says what is wrong with each."
        return Check("warning", seen.dead, text, mend, at=seen.last_at)
    if seen.last_at is None:
        mend = "Put the event_broker block into endpoints.yml, restart Rasa, and say something to it."
        return Check("silent", "No events yet", "No conversation has come back from it.", mend)
    names = ", ".join(name or "(none)" for name in seen.names) or environment.name
    return Check("running", "Events", f"Its conversations arrive under the name {names}.", at=seen.last_at)
