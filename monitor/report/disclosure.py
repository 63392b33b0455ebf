"""What may leave the force, and what may be told of a small unit.

What comes in: a digest's letter. What goes out: the same without what could tell of one case or one
person. It does not care who reads it.

For readers outside the force a whole table is left out where any count in it is under ten, none
included: blanking the cell alone would let it be reckoned back from the total. Counts that stand in
sentences are no table, and are left out with everything that names a case.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from monitor.letters import DigestLetter, DigestRow
from monitor.report.measured import percentage
from monitor.words import count

if TYPE_CHECKING:
    from monitor.report.change import ControlChart

FEWEST: Final = 10
"""No count under this leaves the force."""


def is_safe(chart: ControlChart) -> bool:
    """Whether no week of a chart has a count under ten, of those met or of those not."""
    return all(min(point.met, point.of - point.met) >= FEWEST for point in chart.points)


def for_outside(letter: DigestLetter) -> DigestLetter:
    """A digest as readers outside the force may have it: shares, and nothing of any case.

    Unknown counts as not in time: shown apart it would seldom be ten, and left out it would
    flatter. The letter's charts must be safe.
    """
    rows, weeks = _told(letter.rows), _told(letter.weeks)
    tables = tuple(
        replace(table, rows=told) for table in letter.tables if (told := _told(table.rows))
    )
    dropped = bool(letter.rows) - bool(rows) + bool(letter.weeks) - bool(weeks)
    dropped += len(letter.tables) - len(tables)
    return replace(
        letter,
        is_outside=True,
        headline=(),
        do_first="",
        sentence="",
        rows=rows,
        beside=(),
        weeks=weeks,
        tables=tables,
        spans=tuple(replace(s, longest="") for s in letter.spans if rows and s.number >= FEWEST),
        waits=(),
        backlog=(),
        no_notice=(),
        quality=(),
        questions=(),
        alerts=(),
        notes=(_why(dropped),),
    )


def _told(rows: Iterable[DigestRow]) -> tuple[DigestRow, ...]:
    """Rows with what was met and what was not; none at all where a count is under ten."""
    told = tuple(map(_met_or_not, rows))
    return told if all(min(row.met, row.late) >= FEWEST for row in told) else ()


def _met_or_not(row: DigestRow) -> DigestRow:
    of = row.of + row.unknown
    return DigestRow(
        label=row.label,
        met=row.met,
        of=of,
        percent=percentage(row.met, of),
        late=of - row.met,
    )


def _why(dropped: int) -> str:
    left = f"{count(dropped, 'table')} left out here, for a count under ten. " if dropped else ""
    return (
        f"For readers outside the force. {left}Unknown counts as not in time, and nothing tells of"
        " a single case."
    )


def for_small_unit(letter: DigestLetter) -> DigestLetter:
    """The digest of a unit with fewer than ten notices: what is open, and no share of anything.

    Its figures could be one sergeant's work; they are in those of its district.
    """
    return replace(
        letter,
        is_small_unit=True,
        headline=letter.headline[1:],
        sentence="",
        rows=(),
        beside=(),
        changes=(),
        weeks=(),
        pictures=(),
        tables=(),
        spans=(),
        waits=(),
        quality=(),
        questions=(),
        notes=(_SMALL_UNIT, *letter.notes),
    )


_SMALL_UNIT: Final = (
    "Fewer than ten notices of this unit fell due in the week: its figures are in those of its"
    " district and of the force alone."
)
