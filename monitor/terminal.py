"""What the terminal shows: status, clocks and explanations, as lines and as plain values.

What comes in: what was found. What goes out: text for people, JSON and CSV for machines. Times for
people are local and say their zone; times for machines are ISO 8601 UTC.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from monitor.words import lasting, moment
from monitor.worktime.instants import isoformat

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.cycle.explaining import CaseExplanation, ClockExplanation
    from monitor.cycle.lists import ClockRow
    from monitor.cycle.status import Status
    from monitor.model import Instant

CLOCK_COLUMNS = (
    "rule",
    "reference",
    "child",
    "organisation",
    "started_at",
    "due_at",
    "stopped_at",
    "verdict",
)
_WIDTHS = (28, 18, 16, 14, 20, 20, 20, 10)


def write_clocks(rows: Iterable[ClockRow], form: str, out: TextIO) -> None:
    """Every clock as it comes: a table, CSV, or one JSON list."""
    if form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(CLOCK_COLUMNS)
        writer.writerows(_cells(row) for row in rows)
    elif form == "json":
        out.write("[")
        for number, row in enumerate(rows):
            values = {name: cell or None for name, cell in zip(CLOCK_COLUMNS, _cells(row), strict=True)}
            out.write(("," if number else "") + "\n" + json.dumps(values))
        out.write("\n]\n")
    else:
        out.write(_table_line(CLOCK_COLUMNS) + "\n")
        for row in rows:
            out.write(_table_line(_cells(row)) + "\n")


def _cells(row: ClockRow) -> tuple[str, ...]:
    return (
        row.rule,
        row.reference,
        row.child,
        row.organisation,
        _iso(row.started_at),
        _iso(row.due_at),
        _iso(row.stopped_at),
        str(row.verdict),
    )


def _iso(instant: Instant | None) -> str:
    return "" if instant is None else isoformat(instant)


def _table_line(cells: Iterable[str]) -> str:
    padded = (f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))
    return "  ".join(padded).rstrip()


# -- status -----------------------------------------------------------------------------------


def status_values(found: Status, only: str | None) -> dict[str, Any]:
    """The status as plain values; instants as ISO 8601 UTC."""
    values = _dated(asdict(found))
    hidden = {"service": ("caseload", "caseload_notes"), "caseload": ("service", "service_faults")}
    return {name: value for name, value in values.items() if name not in hidden.get(only or "", ())}


def _dated(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _dated(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_dated(item) for item in value]
    if isinstance(value, int) and (name == "at" or name.endswith("_at")):
        return isoformat(value)
    return value


def status_lines(found: Status, only: str | None, *, zone: ZoneInfo) -> Iterator[str]:
    """One screen: what needs a person first, then how things are."""
    yield f"At {moment(found.at, zone=zone)}"
    if only != "caseload":
        yield from _service_lines(found)
    if only != "service":
        yield from _caseload_lines(found)


def _service_lines(found: Status) -> Iterator[str]:
    service = found.service
    yield ""
    yield "SERVICE"
    for fault in found.service_faults:
        yield f"  SEE TO: {fault}"
    if not found.service_faults:
        yield "  nothing needs the operator"
    yield f"  rules {service.rulebook}, alerts limited to: {service.alerts_limit}"
    for feed in service.feeds:
        heard = "never heard" if feed.last_heard_at is None else f"heard {_ago(found, feed.last_heard_at)}"
        yield f"  feed {feed.name}: {heard}{', SILENT' if feed.silent else ''}"
    for loop in service.loops:
        yield f"  loop {loop.loop} on {loop.node}: turned {_ago(found, loop.turned_at)}, {loop.outcome}"
    mails = ", ".join(f"{count} {state}" for state, count in sorted(service.messages.items()) if count)
    yield f"  mail: {mails or 'none yet'}"
    yield f"  rows set aside: {service.rows_set_aside}; cases to assess: {service.cases_to_assess}"


def _caseload_lines(found: Status) -> Iterator[str]:
    caseload = found.caseload
    yield ""
    yield "CASELOAD"
    for note in found.caseload_notes:
        yield f"  SEE TO: {note}"
    open_now = ", ".join(f"{count} {verdict}" for verdict, count in caseload.by_verdict.items())
    yield f"  clocks: {caseload.clocks} in all; not stopped: {open_now or 'none'}"
    for rule, count in caseload.overdue_by_rule.items():
        yield f"  overdue: {count} of {rule}"


def _ago(found: Status, instant: Instant) -> str:
    return f"{lasting(max(0, found.at - instant))} ago"


# -- explanations -----------------------------------------------------------------------------


def explanation_lines(found: CaseExplanation, *, zone: ZoneInfo) -> Iterator[str]:
    """A case's clocks in words: what runs since when and why, what counted and what did not."""
    yield f"{found.reference}, as it was at {moment(found.at, zone=zone)}"
    if len(found.references) > 1:
        yield f"One case under the references {', '.join(found.references)}."
    for clock in found.clocks:
        yield ""
        yield from _clock_lines(clock, zone=zone)


def _clock_lines(clock: ClockExplanation, *, zone: ZoneInfo) -> Iterator[str]:
    about = ", ".join(part for part in (clock.organisation, clock.child) if part)
    yield f"{clock.rule} (version {clock.version}){': ' + about if about else ''}: {clock.verdict.upper()}"
    yield f"  {clock.title}. {clock.authority}"
    yield f"  Runs since {moment(clock.started_at, zone=zone)}; threshold {clock.threshold}."
    if clock.due_at is not None:
        yield f"  Due {moment(clock.due_at, zone=zone)}."
    for line in clock.because:
        yield f"  {line}"
    for window in clock.windows:
        span = f"{moment(window.from_at, zone=zone)} to {moment(window.to_at, zone=zone)}"
        yield f"    {'counted' if window.counted else 'not counted'}: {span}{' (' + window.why + ')' if window.why else ''}"
    for considered in clock.events:
        mark = "+" if considered.counts else "-"
        yield f"  {mark} {considered.kind} {moment(considered.at, zone=zone)} ({considered.feed}): {considered.why}"
    for told in clock.told:
        when = "not sent" if told.sent_at is None else f"sent {moment(told.sent_at, zone=zone)}"
        yield f"  told {told.role}: {told.kind}, {told.reason}; {when}"
