"""What the terminal shows: status and clocks, as lines and as plain values.

What comes in: what was found. What goes out: text for people, JSON and CSV for machines. Times for
people are local and say their zone; times for machines are ISO 8601 UTC.
"""

from __future__ import annotations

import csv
import json
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, TextIO

from monitor.words import lasting, moment
from monitor.worktime.instants import isoformat
from monitor.worktime.zones import local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.cycle.lists import ClockRow
    from monitor.cycle.status import (
        CaseloadStatus,
        FeedStatus,
        LoopStatus,
        ServiceStatus,
        Status,
    )
    from monitor.model import Instant

CLOCK_COLUMNS: Final = (
    "rule",
    "reference",
    "child",
    "organisation",
    "started_at",
    "due_at",
    "stopped_at",
    "verdict",
)
CLOCK_FIELDS: Final = (*CLOCK_COLUMNS, "on_trial")
"""Of each clock, for machines: fields may be added at the end, and keep their name and meaning."""
ON_TRIAL: Final = "*"
"""Marks a verdict in the table."""
LEGEND: Final = (
    f"{ON_TRIAL} on trial: nobody has approved this rule. It measures, it tells nobody, and what it"
    " says is no decided policy."
)
WIDTH: Final = 100
"""Columns of a line of words; a screen narrower than this wraps it."""
CHILD_SHOWN: Final = 8
"""So much of a child's hash tells the children of one case apart."""
_MEASURED: Final = 500
"""Rows from which a table's widths are taken: the rest streams."""
_SHORTENED: Final = (0, 3, 1)
"""Columns that are cut, in this order, where a screen is too narrow: rule, organisation,
reference."""
_LEAST: Final = 9


def write_clocks(
    rows: Iterable[ClockRow], form: str, out: TextIO, *, at: Instant, zone: ZoneInfo
) -> None:
    """Every clock as it comes: a table for people, CSV or one JSON list for machines."""
    if form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(CLOCK_FIELDS)
        writer.writerows((*_cells(row), json.dumps(row.on_trial)) for row in rows)
    elif form == "json":
        _write_json(rows, out)
    else:
        table = _table(rows, at=at, zone=zone, screen=_screen(out))
        out.writelines(line + "\n" for line in table)


def _write_json(rows: Iterable[ClockRow], out: TextIO) -> None:
    out.write("[")
    for number, row in enumerate(rows):
        cells = zip(CLOCK_COLUMNS, _cells(row), strict=True)
        values = {name: cell or None for name, cell in cells} | {"on_trial": row.on_trial}
        out.write(("," if number else "") + "\n" + json.dumps(values))
    out.write("\n]\n")


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


# -- the table --------------------------------------------------------------------------------


def _screen(out: TextIO) -> int | None:
    """How wide the screen is; None where nobody looks at one."""
    return shutil.get_terminal_size().columns if out.isatty() else None


def _table(
    rows: Iterable[ClockRow], *, at: Instant, zone: ZoneInfo, screen: int | None
) -> Iterator[str]:
    """A heading and a line for each row, as wide as its first rows ask and the screen allows.

    Beneath it what the mark of a rule on trial means, where any bears it.
    """
    marked = False

    def shown() -> Iterator[tuple[str, ...]]:
        nonlocal marked
        for row in rows:
            marked = marked or row.on_trial
            yield _short_cells(row, at=at, zone=zone)

    lines = shown()
    first = list(islice(lines, _MEASURED))
    widths = _widths([CLOCK_COLUMNS, *first], screen)
    for cells in chain([CLOCK_COLUMNS], first, lines):
        yield _table_line(cells, widths)
    if marked:
        yield ""
        yield from textwrap.wrap(LEGEND, screen or WIDTH)


def _short_cells(row: ClockRow, *, at: Instant, zone: ZoneInfo) -> tuple[str, ...]:
    times = (row.started_at, row.due_at, row.stopped_at)
    return (
        row.rule,
        row.reference,
        row.child[:CHILD_SHOWN],
        row.organisation,
        *(_short(time, at=at, zone=zone) for time in times),
        f"{row.verdict} {ON_TRIAL}" if row.on_trial else str(row.verdict),
    )


def _short(instant: Instant | None, *, at: Instant, zone: ZoneInfo) -> str:
    """`21 Nov 20:20`, local; the date alone in another year than that of the list."""
    if instant is None:
        return "-"
    civil = local(instant, zone)
    return f"{civil:%d %b %H:%M}" if civil.year == local(at, zone).year else f"{civil:%d %b %Y}"


def _widths(lines: Sequence[Sequence[str]], screen: int | None) -> list[int]:
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    for column in _SHORTENED if screen else ():
        too_wide = sum(widths) + 2 * (len(widths) - 1) - (screen or 0)
        if too_wide > 0:
            widths[column] = max(_LEAST, widths[column] - too_wide)
    return widths


def _table_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (_fitted(cell, width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _fitted(cell: str, width: int) -> str:
    """Padded; a cell that a screen has no room for ends in an ellipsis."""
    return f"{cell:<{width}}" if len(cell) <= width else cell[: width - 1] + "…"


# -- status -----------------------------------------------------------------------------------


def status_values(found: Status, only: str | None) -> dict[str, Any]:
    """The status as plain values; instants as ISO 8601 UTC."""
    values: dict[str, Any] = _dated(asdict(found))
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
        yield ""
        yield "SERVICE"
        yield from _to_see(found.service_faults, nothing="nothing needs the operator")
        if found.service is not None:
            yield from _service_lines(found.service, at=found.at)
    if only != "service":
        yield ""
        yield "CASELOAD"
        if found.caseload is None:
            yield "  not known: the database cannot be used"
            return
        yield from _to_see(found.caseload_notes, nothing="nothing is overdue")
        yield from _caseload_lines(found.caseload, zone=zone)


def _to_see(notes: Sequence[str], *, nothing: str) -> Iterator[str]:
    for note in notes:
        yield from wrapped(f"SEE TO: {note}", indent=2)
    if not notes:
        yield f"  {nothing}"


def _service_lines(service: ServiceStatus, *, at: Instant) -> Iterator[str]:
    limits = {"off": "nobody is told", "digest": "weekly digests only", "on": "as each rule says"}
    told = limits.get(service.alerts_limit, service.alerts_limit)
    yield f"  rules    {service.rulebook}; who is told: {told}"
    if trial := service.rules_on_trial:
        yield f"  trial    {len(trial)} rules are not approved and tell nobody: monitor rules list"
    yield from (_feed_line(feed, at=at) for feed in service.feeds)
    gone = {node.name for node in service.nodes if node.is_gone}
    yield from (
        f"  node     {node.name}: not seen for {lasting(max(0, at - node.seen_at))}"
        for node in service.nodes
        if node.is_gone
    )
    yield from (_loop_line(loop, at=at) for loop in service.loops if loop.node not in gone)
    if not service.loops:
        yield "  loops    no daemon has run yet"
    held = ", HELD" if service.mail_held else ""
    yield f"  mail     {_in_words(service.messages) or 'none yet'}{held}"
    yield f"  rows     {service.rows_set_aside} set aside"
    yield f"  cases    {service.cases_to_assess} to assess"


def _feed_line(feed: FeedStatus, *, at: Instant) -> str:
    heard = "never heard"
    if feed.last_heard_at is not None:
        heard = f"heard {_ago(feed.last_heard_at, at=at)}"
    return f"  feed     {feed.name}: {heard}{', SILENT' if feed.silent else ''}"


def _loop_line(loop: LoopStatus, *, at: Instant) -> str:
    return f"  loop     {loop.loop} on {loop.node}: {_ago(loop.turned_at, at=at)}, {loop.outcome}"


def _caseload_lines(caseload: CaseloadStatus, *, zone: ZoneInfo) -> Iterator[str]:
    open_now = _in_words(caseload.by_verdict) or "none"
    yield f"  clocks   {caseload.clocks} in all; not stopped: {open_now}"
    for rule, count in caseload.overdue_by_rule.items():
        yield f"  overdue  {count:>5} {rule}"
    if caseload.restricted_open:
        late = caseload.restricted_overdue
        yield f"  beside   {caseload.restricted_open} restricted, {late} of them overdue"
    for rest in caseload.silences:
        by = f" by the {rest.by}" if rest.by else ""
        until = moment(rest.until_at, zone=zone)
        yield from wrapped(
            f"silent   {rest.about} until {until}{by}: {rest.reason} (number {rest.number})",
            indent=2,
        )
    for closed in caseload.closed_by_hand:
        due = "" if closed.due_at is None else f", due {moment(closed.due_at, zone=zone)}"
        yield from wrapped(
            f"closed   {closed.reference}, {closed.rule}{due}: nobody is told of it any more,"
            f" {closed.reason} (number {closed.number})",
            indent=2,
        )


def _in_words(counts: Mapping[str, int]) -> str:
    """`15 overdue, 1 due soon`."""
    said = (f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    return ", ".join(said)


def _ago(instant: Instant, *, at: Instant) -> str:
    return f"{lasting(max(0, at - instant))} ago"


def wrapped(text: str, *, indent: int = 0) -> list[str]:
    """Text in lines that fit the terminal; those after the first are set in by two more."""
    room = " " * indent
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=room,
        subsequent_indent=room + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
