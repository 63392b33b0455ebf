"""The log: one line a fact, as JSON for machines or as text at the desk.

What comes in: event names and fields (references, counts, outcomes). What goes out: lines on
standard error. It holds no addresses, no texts and no local variables: a log is read by many.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, Literal

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor


def get_logger(room: str) -> Any:
    """A log whose lines name the room that speaks."""
    return structlog.stdlib.get_logger(room)


_ADDRESS: Final = re.compile(r"[\w.%+-]+@((?:[\w-]+\.)+[\w-]+)")


def configure_logs(form: Literal["json", "text"], *, level: int = logging.INFO) -> None:
    """Send every line from a level on, the libraries' too, to standard error in one form."""
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
                *_shown(form),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for talkative in ("apscheduler", "alembic"):
        logging.getLogger(talkative).setLevel(max(level, logging.WARNING))


def _shown(form: Literal["json", "text"]) -> list[Processor]:
    # Local variables of a traceback may hold what a row said: they are never shown.
    if form == "text":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        return [structlog.processors.format_exc_info, _without_addresses, renderer]
    as_values = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    return [as_values, _without_addresses, structlog.processors.JSONRenderer()]


def _without_addresses(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """What mail servers and faults answer names mailboxes; the log keeps their domain alone."""
    return {name: _masked(value) for name, value in line.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return _ADDRESS.sub(r"(address)@\1", value)
    if isinstance(value, Mapping):
        return {name: _masked(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return value
