"""Structured logs on standard error, with secrets taken out of the finished line before it is written."""

import logging
import re

import structlog

from studio.sentry import report

# What comes before a secret: a parameter or a key of that name, a header, an address that is a secret itself.
_SECRET = re.compile(
    r"""(\b\w*(?:token|password|secret|code)=)[^&\s"']+
    |(["']\w*(?:token|password|secret)["']:\s*["'])[^"']+
    |(Bearer\ )[A-Za-z0-9._~+/=-]+
    |((?<![\w/])/(?:s|sign-in)/)[^/\s"'?]+
    |(/(?:s|sign-in)/)[\w-]{20,}
    |(://[^:/@\s]*:)[^@/\s]+(?=@)
    |(\bparley_[A-Za-z0-9]+\.)[A-Za-z0-9_-]+""",
    re.IGNORECASE | re.VERBOSE,
)
_NOT_PRINTED = re.compile(r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# What PostgreSQL quotes of a row in its errors: whole lines below the message, and a value at the message's end.
_ROW = re.compile(
    r"""\n(?:DETAIL|CONTEXT|QUERY|STATEMENT|LINE\ \d+):.*?(?=\n(?:HINT:|\n(?:The\ above|During\ handling))|\Z)
    |(?<=[a-z]:\ )"[^\n]*"(?=\n|\Z)""",
    re.DOTALL | re.VERBOSE,
)
_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
)


def redact(text: str) -> str:
    """`text` with secrets replaced by three dots: parameters, Bearer headers, secret addresses, passwords of URLs."""
    return _SECRET.sub(lambda match: f"{next(filter(None, match.groups()))}...", text)


def without_rows(text: str) -> str:
    """`text` without what PostgreSQL quotes of rows: they hold what people said."""
    return _ROW.sub(lambda match: "" if match.group().startswith("\n") else '"..."', text)


def _quote_no_rows(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: without_rows(value) if isinstance(value, str) else value for key, value in event.items()}


class WithoutSenders(logging.Filter):
    """Takes Rasa's sender ids, which can be telephone numbers, out of the addresses that Django logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        match = getattr(getattr(record, "request", None), "resolver_match", None)
        sender = match.kwargs.get("sender") if match is not None else None
        if sender and isinstance(record.args, tuple):
            record.args = tuple(_without(sender, one) if isinstance(one, str) else one for one in record.args)
        return True


def _without(sender: str, text: str) -> str:
    """Django escapes what is no ASCII of the addresses that it logs."""
    return text.replace(sender, "...").replace(sender.encode("unicode_escape").decode("ascii"), "...")


class Formatter(structlog.stdlib.ProcessorFormatter):
    """One format for our own logs and for those of libraries; tracebacks are redacted too."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def formatter(*, json: bool) -> Formatter:
    """`key=value` lines for people, JSON lines when PARLEY_LOG_JSON is set."""
    return Formatter(
        foreign_pre_chain=list(_SHARED),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _quote_no_rows,
            structlog.processors.JSONRenderer() if json else _for_people,
        ],
    )


_key_values = structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])


def _for_people(logger: object, name: str, event: structlog.typing.EventDict) -> str:
    """The line, and a traceback as lines of its own below it."""
    traceback = event.pop("exception", "")
    line = _key_values(logger, name, event)
    return f"{line}\n{_indented(traceback)}" if traceback else line


def _indented(traceback: str) -> str:
    """No line of it looks like one of ours, and no character of it commands the terminal: people write error texts."""
    lines = "\n".join(f"  | {line}" for line in traceback.split("\n"))
    return _NOT_PRINTED.sub(lambda match: repr(match.group())[1:-1], lines)


def configure() -> None:
    """Send what structlog is given through the standard library's logging, whose levels and format then hold."""
    structlog.configure(
        processors=[*_SHARED, report, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
