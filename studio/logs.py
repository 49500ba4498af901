"""Structured logs on standard error, with secrets taken out before they are written."""

import logging
import re

import structlog

_SECRET = re.compile(r"((?:token|api_token|password|code)=)[^&\s\"']+|(Bearer )[A-Za-z0-9._~+/=-]+", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` with the values of token parameters and Bearer headers replaced by three dots."""
    return _SECRET.sub(lambda match: f"{match.group(1) or match.group(2)}...", text)


class RedactSecrets(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True


def formatter(*, json: bool) -> structlog.stdlib.ProcessorFormatter:
    """The one format of our logs: `key=value` lines for people, JSON lines when PARLEY_LOG_JSON is set."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"])
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
