"""Structured logs on standard error, without personal data."""

import sys
import traceback
from pathlib import PurePath
from typing import Any, Final

import structlog

__all__ = ["configure", "logger", "where"]

_FRAMES_MAX: Final = 20


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


def where(error: BaseException) -> list[str]:
    """Tell the places that an error came through, the innermost last, without its sentence.

    For errors met with what a stranger has sent: the sentence may quote him.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_MAX:]
    return [f"{PurePath(each.filename).name}:{each.lineno} {each.name}" for each in frames]
