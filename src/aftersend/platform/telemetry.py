"""Structured logs on standard error, without personal data."""

import sys
from typing import Any

import structlog

__all__ = ["configure", "logger"]


def configure(*, is_json: bool = False) -> None:
    """Send logs to standard error, as text for people or as JSON lines for machines."""
    # Tracebacks are plain: those that show local variables would print keys and passwords.
    renderers: tuple[Any, ...] = (
        (structlog.processors.format_exc_info, structlog.processors.JSONRenderer())
        if is_json
        else (
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def logger(part: str) -> Any:
    """Give the logger of a `part`, e.g. ``collector``."""
    return structlog.get_logger(part=part)
