"""Reports of errors to Sentry: which, where in the code, and the ids by which the log has the rest.

Nothing that people or assistants say gets there. A report is not thinned out but made anew from what may go: error
messages, variables, requests, arguments of jobs and whatever an integration adds later stay here.
"""

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

IDS = frozenset(
    {
        "request_id",
        "job_id",
        "function",
        "training",
        "slot",
        "run",
        "attempt",
        "promotion",
        "environment",
        "conversation",
        "talk",
        "source",
        "reader",
        "task",
        "token_key",
    }
)
_KEPT = frozenset(
    {"event_id", "timestamp", "level", "platform", "release", "environment", "server_name", "sdk", "transaction"}
)
_FRAME = frozenset(
    {"filename", "abs_path", "module", "function", "lineno", "in_app", "pre_context", "context_line", "post_context"}
)


def is_address(dsn: str) -> bool:
    parts = urlsplit(dsn)
    return parts.scheme in {"http", "https"} and bool(parts.username and parts.hostname and parts.path.strip("/"))


def configure(dsn: str, *, environment: str, release: str) -> None:
    """Report to `dsn` from now on; nothing without one."""
    if not dsn:
        return
    # Here, because every start of every process would pay for them.
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.django import DjangoIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.rq import RqIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        release=release,
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            AtexitIntegration(callback=_end_silently),
            DedupeIntegration(),
            ExcepthookIntegration(),
            ThreadingIntegration(propagate_scope=False),
            DjangoIntegration(transaction_style="url", middleware_spans=False, signals_spans=False),
            RqIntegration(),
        ],
        max_request_body_size="never",
        include_local_variables=False,
        max_breadcrumbs=0,
        send_client_reports=False,
        auto_session_tracking=False,
        before_send=only_what_may_go,
    )


def report(_logger: object, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A processor of our own log lines: errors that a process caught and goes on after are reported too."""
    sentry_sdk = sys.modules.get("sentry_sdk")  # there only where it is configured
    if name not in {"error", "exception", "critical"} or sentry_sdk is None or not sentry_sdk.get_client().is_active():
        return event
    failure = _exception_of(event.get("exc_info"))
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("log", str(event.get("event", "")))  # a word of ours; what is said of it beside is in the log
        for key in IDS & event.keys():
            scope.set_tag(key, str(event[key]))
        if failure is not None:
            sentry_sdk.capture_exception(failure)
        else:
            sentry_sdk.capture_message(str(event.get("event", "")), level="error")
    return event


def only_what_may_go(event: "Event", _hint: "Hint") -> "Event":
    """A report made of the parts that hold nothing of anybody."""
    given: Mapping[str, Any] = event
    made: dict[str, Any] = {key: given[key] for key in _KEPT if key in given}
    if (given.get("transaction_info") or {}).get("source") not in {"route", "task"}:
        made.pop("transaction", None)  # an address as it came
    tags = {key: str(value) for key, value in (given.get("tags") or {}).items() if key in IDS | {"log"}}
    about = structlog.contextvars.get_contextvars()
    made["tags"] = {key: str(about[key]) for key in IDS & about.keys()} | tags
    if "log" in tags and "exception" not in given:
        made["message"] = tags["log"]
    if "exception" in given:
        made["exception"] = {"values": [_exception(one) for one in given["exception"].get("values", ())]}
    runtime = (given.get("contexts") or {}).get("runtime")
    if runtime:
        made["contexts"] = {"runtime": runtime}
    return made  # type: ignore[return-value]


def _exception(one: Mapping[str, Any]) -> dict[str, Any]:
    """Class and place. Its message is left here: messages quote what they stumble over."""
    frames = (one.get("stacktrace") or {}).get("frames", ())
    return {
        "type": one.get("type"),
        "module": one.get("module"),
        "mechanism": {key: value for key, value in (one.get("mechanism") or {}).items() if key in {"type", "handled"}},
        "stacktrace": {"frames": [{key: frame[key] for key in _FRAME if key in frame} for frame in frames]},
    }


def _exception_of(found: object) -> BaseException | None:
    if isinstance(found, BaseException):
        return found
    return sys.exc_info()[1] if found is True else None


def _end_silently(_pending: int, _timeout: float) -> None:
    logging.getLogger(__name__).debug("the last reports are sent")
