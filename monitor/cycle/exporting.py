"""Clocks, events, alerts and messages as rows for other programs, written as they are read.

What comes in: an installation, what is wanted, a span of time and something to write to. What goes
out: a file's content, and one line in the audit log: an export is a disclosure. Nothing is held but
the part that is being written, and nothing of a restricted case leaves.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from monitor.cycle.lists import says, trusted_until
from monitor.model import MINUTE, Instant, KeptClock
from monitor.report.evidence import Cell, Column, Row
from monitor.report.parquet import write_parquet
from monitor.report.tables import write_csv, write_json_lines
from monitor.store import actions, exports, intakes
from monitor.store.engine import Connection, reading, writing
from monitor.store.exports import ExportedAlert, Span
from monitor.words import capital

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

WHAT: Final = ("clocks", "events", "alerts", "messages")
FORMATS: Final = ("csv", "jsonl", "parquet")
LEFT_OUT: Final = frozenset({"message_id"})
"""Attributes of events that are in no export: they name a mail, and by it who wrote it."""

Progress = Callable[[int, int], None]
"""Told how many rows went out, and about how many there are."""


class Exported(NamedTuple):
    """What left."""

    rows: int
    sha256: str
    """Of the whole content."""


def export(
    monitor: Monitor,
    what: str,
    form: str,
    out: IO[bytes],
    *,
    span: Span,
    now: Instant,
    actor: str,
    progress: Progress | None = None,
) -> Exported:
    """Write one kind of rows, and log it, whether or not all of it went out.

    `what`: of WHAT. `form`: of FORMATS. `span`: clocks by due, events by received, alerts by
    decided, messages by created. Verdicts are those at `now`. Raises NoParquet before anything is
    written.
    """
    hashed = _Hashed(out)
    counted = _Counted(progress)
    whole = False
    try:
        with reading(monitor.engine) as connection:
            if progress is not None:
                counted.of = exports.about_how_many(connection, what, span, started_by=now)
            columns, rows = table_of(monitor, connection, what, span=span, now=now)
            _write(form, hashed, columns, counted(rows))
        whole = True
    finally:
        detail = {"command": "export", "format": form, "rows": counted.rows, "whole": whole}
        detail |= {"from": span.since, "to": span.until, "sha256": hashed.sha256}
        with writing(monitor.engine) as connection:
            actions.write_audit(
                connection,
                operation="disclosure",
                actor=actor,
                subject=f"export of {what}",
                now=now,
                detail=detail,
            )
    return Exported(counted.rows, hashed.sha256)


def table_of(
    monitor: Monitor, connection: Connection, what: str, *, span: Span, now: Instant
) -> tuple[tuple[Column, ...], Iterator[Row]]:
    """The columns of one kind of rows, and the rows, streamed."""
    if what == "clocks":
        found = exports.export_clocks(connection, span, started_by=now)
        return CLOCK_COLUMNS, _clock_rows(monitor, connection, found, now=now)
    if what == "events":
        names = attributes_told(monitor)
        hidden_by = monitor.rulebook.vocabulary.restricted_attribute or ""
        told = exports.export_events(connection, span, restricted_attribute=hidden_by)
        extra = tuple(Column(f"attribute_{name}", capital(name)) for name in names)
        return (*EVENT_COLUMNS, *extra), (_event_row(row, names) for row in told)
    if what == "alerts":
        alerts = exports.export_alerts(connection, span, known_by=now)
        return ALERT_COLUMNS, map(_alert_row, alerts)
    return MESSAGE_COLUMNS, map(_message_row, exports.export_messages(connection, span))


def attributes_told(monitor: Monitor) -> list[str]:
    """Attributes that the vocabulary declares and that an export has columns for."""
    return sorted(set(monitor.rulebook.vocabulary.attributes) - LEFT_OUT)


# -- writing ----------------------------------------------------------------------------------


def _write(form: str, out: _Hashed, columns: tuple[Column, ...], rows: Iterable[Row]) -> None:
    if form == "parquet":
        write_parquet(out, columns, rows)
    elif form == "jsonl":
        write_json_lines(_AsText(out), columns, rows)
    else:
        write_csv(_AsText(out), columns, rows)


class _Hashed:
    """A binary file of which the digest is kept as it is written."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out, self._digest = out, hashlib.sha256()
        self._at = 0
        self.closed = False

    def write(self, content: bytes) -> int:
        self._digest.update(content)
        self._out.write(content)
        self._at += len(content)
        return len(content)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        self._out.flush()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class _AsText:
    """A binary file as one of text: UTF-8, and line ends as they come."""

    def __init__(self, out: _Hashed) -> None:
        self._out = out

    def write(self, text: str) -> None:
        self._out.write(text.encode())


class _Counted:
    """Rows, counted as they pass."""

    def __init__(self, progress: Progress | None) -> None:
        self.rows, self.of, self._progress = 0, 0, progress

    def __call__(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            yield row
            self.rows += 1
            if self._progress is not None and not self.rows % _TOLD_EVERY:
                self._progress(self.rows, self.of)


_TOLD_EVERY: Final = 1000


# -- clocks -----------------------------------------------------------------------------------

_FIELDS: Final = (
    *("rule_version", "calendar_version", "partner", "district", "unit", "category", "risk"),
    *("due_unknown", "due_before", "due_soon_at", "exempt_at", "void_at", "superseded_at"),
    *("regraded_at", "breached_at", "known_at", "stop_known_at", "stop_recorded_at"),
    *("confirm_by", "held_from", "held_until", "stage", "stage_at", "reason_code"),
    "cannot_route",
)
"""Of a clock, as they are stored."""

_fields_of: Final = attrgetter(*_FIELDS)

_INSTANTS: Final = frozenset(
    {"due_before", "confirm_by", "held_from", "held_until", "review_at"}
    | {"occurred_from", "occurred_to"}
)
_NUMBERS: Final = frozenset({"rule_version", "revision", "repeat", "episode", "id", "attempts"})


def _column(name: str) -> Column:
    title = capital(name.replace("_", " "))
    if name.endswith("_at") or name in _INSTANTS:
        return Column(name, title, "instant")
    if name in _NUMBERS:
        return Column(name, title, "number")
    return Column(name, title, "flag" if name in {"cannot_route", "on_trial", "undone"} else "text")


CLOCK_COLUMNS: Final = (
    *map(_column, ("rule", "reference", "child", "organisation")),
    *map(_column, ("started_at", "due_at", "stopped_at", "verdict", "on_trial")),
    *map(_column, _FIELDS),
    Column("raised_after_minutes", "Raised after, minutes", "number"),
    _column("episode"),
)


def _clock_rows(
    monitor: Monitor,
    connection: Connection,
    found: Iterable[tuple[str, KeptClock]],
    *,
    now: Instant,
) -> Iterator[Row]:
    trusted = trusted_until(intakes.list_feeds(connection))
    trial = frozenset(monitor.rulebook.documents.trial)
    for reference, kept in found:
        clock = kept.clock
        raised = clock.raised_after
        stopped = clock.stopped_at
        yield (
            clock.key.rule,
            reference,
            clock.key.child,
            clock.key.organisation,
            clock.started_at,
            clock.due_at,
            stopped if stopped is not None and stopped <= now else None,
            says(kept, monitor.rulebook, trusted, at=now).value,
            (clock.key.rule, clock.rule_version) in trial,
            *_fields_of(clock),
            None if raised is None else raised // MINUTE,
            kept.episode,
        )


# -- events -----------------------------------------------------------------------------------

EVENT_COLUMNS: Final = (
    _column("reference"),
    *map(_column, exports.EVENT_FIELDS[:-1]),
)


def _event_row(row: Iterable[Any], attributes: Iterable[str]) -> Row:
    *told, undone, text = row
    said: dict[str, str] = json.loads(text) if text else {}
    return (*told, bool(undone), *(said.get(name, "") for name in attributes))


# -- alerts -----------------------------------------------------------------------------------

ALERT_COLUMNS: Final = (
    *map(_column, ("reference", "rule", "child", "organisation")),
    *map(_column, exports.ALERT_FIELDS),
    Column("message", "Message", "number"),
    *map(_column, ("sent_at", "taken_by", "taken_at")),
)
ANOTHER: Final = "an account of this force"
"""Who acted, where no role was named; accounts are in no export."""


def _alert_row(each: ExportedAlert) -> Row:
    key, taken = each.clock.clock.key, each.taken
    return (
        each.reference,
        key.rule,
        key.child,
        key.organisation,
        *(each.fields[name] for name in exports.ALERT_FIELDS),
        each.message,
        each.sent_at,
        "" if taken is None else taken.role or ANOTHER,
        None if taken is None else taken.at,
    )


# -- messages ---------------------------------------------------------------------------------

MESSAGE_COLUMNS: Final = (
    Column("number", "Number", "number"),
    *map(_column, exports.MESSAGE_FIELDS[1:]),
    _column("outcome"),
    _column("reply_code"),
)
_REPLY_CODE: Final = re.compile(r"[2-5][0-9]{2}\b")
_OUTCOMES: Final = {"sent": "taken", "dead": "given up", "cancelled": "nothing left to say"}


def _message_row(row: Iterable[Any]) -> Row:
    """The server's own words may hold an address: only its code is told."""
    *told, said = row
    state, attempts = str(told[3]), int(told[-1])
    code = _REPLY_CODE.match(said)
    outcome: Cell = _OUTCOMES.get(state, "to be tried again" if attempts else "")
    return (*told, outcome, code[0] if code else "")
