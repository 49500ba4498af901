"""Structured logs on standard error, with secrets taken out of the finished line before it is written."""

import logging
import re

import structlog

_SECRET = re.compile(r"((?:token|api_token|password|code)=)[^&\s\"']+|(Bearer )[A-Za-z0-9._~+/=-]+", re.IGNORECASE)
_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
)


def redact(text: str) -> str:
    """`text` with the values of token parameters and Bearer headers replaced by three dots."""
    return _SECRET.sub(lambda match: f"{match.group(1) or match.group(2)}...", text)


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
            structlog.processors.JSONRenderer() if json else _for_people,
        ],
    )


_key_values = structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])


def _for_people(logger: object, name: str, event: structlog.typing.EventDict) -> str:
    """The line, and a traceback as lines of its own below it."""
    traceback = event.pop("exception", "")
    line = _key_values(logger, name, event)
    return f"{line}\n{traceback}" if traceback else line


def configure() -> None:
    """Send what structlog is given through the standard library's logging, whose levels and format then hold."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
