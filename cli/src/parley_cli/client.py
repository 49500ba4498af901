"""Parley's HTTP API. Loaded when it is first needed: `parley --help` asks nobody."""

import re
import socket
import ssl
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from parley_cli import __version__, clock
from parley_cli.failures import Code, Failure, code_of

CONNECT, READ = 10, 60  # seconds
PAUSES = (0.3, 1.0, 2.0)  # before each further try of what is safe to send again
PASSING = {502, 503, 504}
LONGEST_PAUSE = 10.0
PATIENT_PAUSE = 2.0
PAGE = 500


class Bearer(AuthBase):
    """A token of ours; as an object, because otherwise requests would rather send what ~/.netrc has."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@dataclass(frozen=True)
class Answer:
    status: int
    data: Any
    headers: Mapping[str, str]


def path_of(*parts: object) -> str:
    """`/api/projects/inn/models/x`, each part quoted."""
    return "/api/" + "/".join(quote(str(part), safe="") for part in parts)


class Client:
    """`renew` gives another token when this one has ended, None when it cannot. Raises Failure for what is no token."""

    patience = 300.0  # seconds for which Parley may be away while one waits for something

    def __init__(self, url: str, token: str = "", renew: Callable[[], str | None] | None = None) -> None:
        if not re.fullmatch(r"[!-~]*", token):
            raise Failure("That is no token: it has blanks or letters that no token has.", Code.NOT_SIGNED_IN)
        self.url, self._renew = url, renew
        self._session = requests.Session()
        self._session.auth = Bearer(token)
        self._session.headers["User-Agent"] = f"parley-cli/{__version__}"
        self._session.headers["Accept"] = "application/json"

    def get(self, *path: object, **params: object) -> Any:
        return self.send("GET", path_of(*path), params=params).data

    def watch(self, *path: object, patience: float | None = None, **params: object) -> Any:
        """As `get`, of what one waits for: Parley may restart meanwhile."""
        patience = self.patience if patience is None else patience
        return self.send("GET", path_of(*path), params=params, patience=patience).data

    def pages(self, *path: object, most: int | None = None, **params: object) -> Iterator[Any]:
        """The items of a list, in as many requests as it takes."""
        cursor: str | None = None
        left = most if most is not None else sys.maxsize
        while left > 0:
            asked = {**params, "limit": min(left, PAGE), "cursor": cursor}
            answer = self.send("GET", path_of(*path), params=asked)
            yield from answer.data
            left -= len(answer.data)
            cursor = answer.headers.get("X-Next-Cursor")
            if not cursor:
                return

    def post(self, *path: object, body: object = None, **params: object) -> Answer:
        """Safe to send again: it carries a word of its own."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        return self.send("POST", path_of(*path), params=params, json={} if body is None else body, headers=headers)

    def put(self, *path: object, body: object = None) -> Answer:
        return self.send("PUT", path_of(*path), json=body)

    def delete(self, *path: object, **params: object) -> Answer:
        return self.send("DELETE", path_of(*path), params=params)

    def send(self, method: str, address: str, **options: Any) -> Answer:
        response = self.ask(method, address, **options)
        if response.status_code == 204 or not response.content:
            return Answer(response.status_code, None, response.headers)
        try:
            return Answer(response.status_code, response.json(), response.headers)
        except ValueError:
            raise self._stranger(response) from None

    def ask(
        self, method: str, address: str, *, again: bool = True, patience: float = 0.0, **options: Any
    ) -> requests.Response:
        """The response of a success. Raises Failure for everything else; what passes by itself is tried again, a few
        times or for so many seconds."""
        options.setdefault("timeout", (CONNECT, READ))
        options["params"] = {key: value for key, value in (options.get("params") or {}).items() if value is not None}
        if self._renew and (token := self._renew()):
            self._session.auth = Bearer(token)
        for pause in _pauses(patience) if again else (None,):
            try:
                response = self._session.request(method, self.url + address, allow_redirects=False, **options)
            except requests.exceptions.InvalidURL as error:
                raise unreachable(self.url, error) from None
            except requests.RequestException as error:
                failure = unreachable(self.url, error)
            else:
                if response.status_code < 300:
                    return response
                failure = self._failure(response)
                wait = _retry_after(response)
                if response.status_code not in PASSING or wait > max(LONGEST_PAUSE, patience):
                    raise failure
                pause = max(pause, wait) if pause is not None else None
            if pause is None:
                raise failure
            clock.pause(pause)
        raise AssertionError

    def _failure(self, response: requests.Response) -> Failure:
        place = response.headers.get("Location", "")
        if 300 <= response.status_code < 400 and place.startswith(("http://", "https://")):
            place = place.partition("/api/")[0]
            return Failure(
                f"{self.url} sends on to {place}. Sign in at that address: parley login --url {place}", Code.USAGE
            )
        try:
            facts = response.json()
            message, reason = str(facts["message"]), str(facts["reason"])
        except (ValueError, KeyError, TypeError):
            return self._stranger(response)
        if response.status_code == 401 and reason == "NotAuthenticated":
            message = f"{self.url} does not accept the token. Sign in again: parley login --url {self.url}"
        return Failure(
            message,
            code_of(response.status_code),
            status=response.status_code,
            reason=reason,
            details=facts.get("details") or {},
            request_id=response.headers.get("X-Request-Id", ""),
        )

    def _stranger(self, response: requests.Response) -> Failure:
        status = response.status_code
        if status in PASSING:
            return Failure(
                f"{self.url} is away just now: what stands before it answers {status}.", Code.UNREACHABLE, status=status
            )
        code = Code.UNREACHABLE if status < 400 else code_of(status)
        return Failure(
            f"{self.url} answered {status}, but not as Parley does. Is the address right?",
            code,
            status=status,
            request_id=response.headers.get("X-Request-Id", ""),
        )


def unreachable(url: str, error: Exception) -> Failure:
    """Why nothing answered, without the names of Python's classes and without an exception's own text."""
    return Failure(_why_not(url, error), Code.UNREACHABLE)


def _why_not(url: str, error: Exception) -> str:
    causes = list(_causes(error))
    if isinstance(error, requests.exceptions.ProxyError):
        return f"The proxy on the way to {url} is away or lets nothing through: see HTTPS_PROXY, HTTP_PROXY, NO_PROXY."
    if isinstance(error, requests.exceptions.SSLError):
        if not any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return f"What answers at {url} speaks no TLS that this machine knows. Is it an address with http://?"
        return f"The certificate of {url} is not trusted here. REQUESTS_CA_BUNDLE names one that is."
    if isinstance(error, requests.exceptions.Timeout):
        return f"{url} did not answer in time."
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"{url}: there is no machine of that name."
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{url}: nothing listens there (connection refused)."
    if isinstance(error, requests.exceptions.InvalidURL):
        return f"{url} is no address that can be asked."
    return f"The connection to {url} broke."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exceptions beneath one of requests, which holds them as arguments, reasons and causes."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _pauses(patience: float) -> Iterator[float | None]:
    """Before each further try; None when there is none."""
    until = clock.now() + patience
    yield from PAUSES
    while clock.now() < until:
        yield PATIENT_PAUSE
    yield None


def _retry_after(response: requests.Response) -> float:
    try:
        return float(response.headers.get("Retry-After", "0"))
    except ValueError:
        return 0.0
