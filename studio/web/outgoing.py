"""The one door for HTTP requests that we make to addresses people typed in.

Whoever may enter an address could otherwise make us speak to what only this machine can reach: the database's host, a
cloud's metadata service. So every connection goes to a public address or to a host that PARLEY_RASA_HOSTS lists, and it
is checked at the moment of connecting, on the very address that is connected to: a name that resolves differently a
second later gains nothing. No redirect is followed, no answer is read beyond a limit or a deadline, no cookie is kept,
and no error text carries the address' query, where tokens are.
"""

import ipaddress
import json as jsonlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

CONNECT_SECONDS = 5.0
DEFAULT_SECONDS = 10.0
DEFAULT_LIMIT = 20 * 1024**2
_CHUNK = 65536
# Ports of mail, shells, databases and the like: what is sent there is no request to a web server.
_NOT_HTTP = frozenset(
    {20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 79, 109, 110, 111, 113, 119, 123, 135, 137}
    | {139, 143, 161, 179, 389, 427, 445, 465, 512, 513, 514, 515, 530, 543, 548, 554, 563, 587, 601, 631, 636, 989}
    | {990, 993, 995, 1433, 1521, 1719, 1720, 1723, 2049, 2181, 3306, 3389, 3659, 4045, 5060, 5061, 5432, 5672, 5900}
    | {6000, 6379, 6380, 6566, 9042, 9092, 9093, 10080, 11211, 27017, 27018}
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class OutgoingError(Exception):
    """A request got no usable answer. `message` is a sentence for people, without the address' query.

    `may_have_arrived` unless it is certain that the server was never connected to.
    """

    def __init__(self, message: str, *, may_have_arrived: bool = False) -> None:
        super().__init__(message)
        self.message, self.may_have_arrived = message, may_have_arrived


class MalformedAddress(OutgoingError):
    """Not an http or https address."""


class UnknownHost(OutgoingError):
    """The name does not resolve."""


class ForbiddenHost(OutgoingError):
    """A private address that is not listed."""


class Refused(OutgoingError):
    """Nothing listens there, or the network does not lead there."""


class TimedOut(OutgoingError):
    """No connection, or no whole answer, within the time."""


class NotTrusted(OutgoingError):
    """TLS failed: an unknown authority, a wrong name, or no TLS at all."""


class Broken(OutgoingError):
    """The connection ended in the middle, or what came was not HTTP."""


class TooLarge(OutgoingError):
    """The answer is longer than we read."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    def json(self) -> Any:
        """The body as JSON; ValueError when it is none."""
        return jsonlib.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def request(
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    json: object = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = DEFAULT_SECONDS,
    connect: float = CONNECT_SECONDS,
    limit: int = DEFAULT_LIMIT,
    hosts: Sequence[str] | None = None,
) -> Answer:
    """Send one request and read its whole answer, whatever its status. Raises an OutgoingError.

    `timeout`: seconds for everything, `connect`: at most so many of them for the connection; `limit`: bytes of body;
    `hosts`: private hosts that may be called, by name, with wildcards (`*.internal`), by address or network
    (`10.0.0.0/8`); those of the settings when not given.
    """
    host = host_of(url)
    session = _session(tuple(settings.RASA_HOSTS if hosts is None else hosts))
    started = time.monotonic()
    try:
        with session.request(
            method,
            url,
            params=params,
            json=json,
            data=form,
            headers=headers,
            timeout=(min(connect, timeout), timeout),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = _read(response, limit, started + timeout)
            return Answer(response.status_code, response.headers, body, time.monotonic() - started)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _explain(error, host, timeout) from None  # the cause's text holds the whole address, tokens included


def host_of(url: str) -> str:
    """Host and port of an http or https address, for messages; MalformedAddress for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise MalformedAddress("This is not an address. It must look like https://rasa.example.com:5005.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise MalformedAddress("The address must begin with http:// or https:// and name a host.")
    if parts.username is not None or parts.password is not None:
        raise MalformedAddress("The address must not hold a user name or password. Enter the token in its own field.")
    if port in _NOT_HTTP or port in _our_ports():
        raise MalformedAddress(f"{port} is not a port of a web server.")
    return f"{parts.hostname}:{port}" if port else parts.hostname


def _our_ports() -> set[int]:
    """Where our own PostgreSQL and Redis listen."""
    database = str(settings.DATABASES["default"].get("PORT") or "")
    return {int(database or 5432), urlsplit(settings.REDIS_URL).port or 6379}


def refuse_private(url: str, *, resolve: bool = True) -> None:
    """For an address that another program calls, such as Rasa an action server: ForbiddenHost when we would not.

    A name that is not known yet passes, and without `resolve` every name does: within a transaction nobody waits for
    an answer. Who calls later resolves it anew, so this is less than what our own requests get.
    """
    host_of(url)
    name = urlsplit(url).hostname or ""
    try:
        flags = 0 if resolve else socket.AI_NUMERICHOST
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError):
        return
    if not any(is_allowed(name, str(entry[4][0]), settings.RASA_HOSTS) for entry in found):
        raise _forbidden(name)


def allowed_addresses(name: str, port: int) -> list[str]:
    """Where `name` may be connected to at `port`, by whatever protocol; the rules are those of our own requests.

    UnknownHost and ForbiddenHost say why there is nothing. Takes as long as the name's resolution does.
    """
    if port in _our_ports():
        raise MalformedAddress(f"Parley's own database or Redis listens at port {port}.")
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UnknownHost(f"The name of {name} is not known. Check it for typing errors.") from None
    allowed = [address for entry in found if is_allowed(name, address := str(entry[4][0]), settings.RASA_HOSTS)]
    if not allowed:
        raise _forbidden(name)
    return allowed


def _forbidden(host: str) -> ForbiddenHost:
    return ForbiddenHost(
        f"{host} is a private address, and PARLEY_RASA_HOSTS does not list it. Ask whoever runs Parley to add it there."
    )


# --- Sessions -----------------------------------------------------------------------------------------------------

_local = threading.local()


def _forget_sessions() -> None:  # a fork would share the parent's open connections
    global _local
    _local = threading.local()


os.register_at_fork(after_in_child=_forget_sessions)


def _session(hosts: tuple[str, ...]) -> requests.Session:
    """This thread's session: connections are kept open, which saves a handshake for each message of a chat."""
    sessions: dict[tuple[str, ...], requests.Session] = _local.__dict__.setdefault("sessions", {})
    if hosts not in sessions:
        session = requests.Session()
        session.trust_env = False  # a proxy would resolve names behind our check; ~/.netrc would add credentials
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers["User-Agent"] = f"Parley/{settings.VERSION}"
        for scheme in ("http://", "https://"):
            session.mount(scheme, _CheckingAdapter(hosts))
        sessions[hosts] = session
    return sessions[hosts]


class _Forbidden(urllib3.exceptions.HTTPError):
    pass


class _CheckingAdapter(HTTPAdapter):
    """Connects only where `hosts` and the address allow it."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._hosts = hosts
        super().__init__(pool_connections=16, pool_maxsize=2, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools_for(self._hosts)


def _pools_for(hosts: tuple[str, ...]) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, hosts)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connect(self, hosts)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _connect(connection: HTTPConnection, hosts: tuple[str, ...]) -> socket.socket:
    """A socket to the first allowed address of the connection's host; TLS and `Host` still use the name."""
    name = connection.host.strip("[]")
    try:
        found = socket.getaddrinfo(name, connection.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise urllib3.exceptions.NameResolutionError(name, connection, socket.gaierror(str(error))) from error
    allowed = [str(entry[4][0]) for entry in found if is_allowed(name, str(entry[4][0]), hosts)]
    if not allowed:
        raise _Forbidden(name)
    problem: OSError | None = None
    for address in allowed:
        try:
            sock = socket.create_connection((address, connection.port), _seconds(connection.timeout))
        except OSError as failed:
            problem = failed
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    if isinstance(problem, TimeoutError):
        raise urllib3.exceptions.ConnectTimeoutError(connection, "no answer") from problem
    raise urllib3.exceptions.NewConnectionError(connection, str(problem)) from problem


def _seconds(timeout: object) -> float:
    return float(timeout) if isinstance(timeout, int | float) else CONNECT_SECONDS


def is_allowed(name: str, address: str, hosts: Sequence[str]) -> bool:
    """Whether `address`, which `name` resolved to, may be connected to."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = _within(ip) or ip
    if ip.is_global and not ip.is_multicast:
        return True
    return any(_matches(listed, name, ip) for listed in hosts)


def _within(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for: mapped, by 6to4 or by NAT64."""
    translated = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
    return ip.ipv4_mapped or ip.sixtofour or translated


def _matches(listed: str, name: str, ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return ip in ipaddress.ip_network(listed, strict=False)
    except ValueError:
        return fnmatchcase(name.lower().rstrip("."), listed.lower())


# --- Reading and explaining ---------------------------------------------------------------------------------------


def _read(response: requests.Response, limit: int, deadline: float) -> bytes:
    """The body. A timeout of the socket starts anew with every byte, so a slow drip needs the deadline as well."""
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"The answer is larger than {limit:,} bytes.", may_have_arrived=True)
        if time.monotonic() > deadline:
            raise requests.ReadTimeout
    return bytes(body)


_NAME_ERRORS = (
    urllib3.exceptions.NameResolutionError,
    urllib3.exceptions.LocationValueError,
    requests.exceptions.InvalidURL,
)


def _explain(error: Exception, host: str, timeout: float) -> OutgoingError:
    """Our error for one of requests' or urllib3's, which nest each other in several ways."""
    causes = _causes(error)

    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if among(_Forbidden):
        return _forbidden(host)
    if among(*_NAME_ERRORS):
        return UnknownHost(f"The name of {host} is not known. Check the address for typing errors.")
    if among(urllib3.exceptions.NewConnectionError):  # before its base class, ConnectTimeoutError
        return Refused(f"{host} refused the connection. Is the server running, and is this its port?")
    if among(urllib3.exceptions.ConnectTimeoutError):
        return TimedOut(f"{host} cannot be reached: the attempt to connect got no answer.")
    if among(requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError):
        return TimedOut(f"{host} did not answer within {timeout:g} seconds.", may_have_arrived=True)
    if among(ssl.SSLError, requests.exceptions.SSLError, urllib3.exceptions.SSLError):
        return NotTrusted(f"No secure connection to {host}: it is not trusted, or it does not speak https.")
    return Broken(f"The connection to {host} ended before a whole answer came.", may_have_arrived=True)


def _causes(error: BaseException) -> list[BaseException]:
    """`error` and what it wraps: as cause, as `reason`, or as an argument."""
    causes: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(causes) < 20:
        current = waiting.pop()
        if isinstance(current, BaseException):
            causes.append(current)
            waiting += [current.__cause__, getattr(current, "reason", None), *current.args]
    return causes
