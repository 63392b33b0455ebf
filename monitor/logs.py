"""The log: one line a fact, as JSON for machines or as text at the desk.

What comes in: event names and fields (references, counts, outcomes). What goes out: lines on
standard error. It holds no addresses, no texts and no local variables: a log is read by many.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor


def get_logger(room: str) -> Any:
    """A log whose lines name the room that speaks."""
    return structlog.stdlib.get_logger(room)


def configure_logs(form: Literal["json", "text"]) -> None:
    """Send every line, the libraries' too, to standard error in one form."""
    before: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_last(form),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for talkative in ("apscheduler", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)


def _last(form: Literal["json", "text"]) -> list[Processor]:
    # Local variables of a traceback may hold what a row said: they are never shown.
    if form == "text":
        return [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    shown = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    return [shown, structlog.processors.JSONRenderer()]
