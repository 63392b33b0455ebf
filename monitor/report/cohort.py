"""The duties that fell due in a period, put together by what they have in common.

What comes in: clocks with their verdicts, one by one, and plain ones by the group. What goes out:
figures of all of them, and of those of one rule, partner, district, unit, category or risk.
It does not care which clocks are of the period.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.model import DAY, Duration, Instant, Verdict
from monitor.report.measured import Measured, Tally
from monitor.report.plain import Group, PlainDuties, number_of_different

if TYPE_CHECKING:
    from array import array

    from monitor.report.row import ClockRow

RECORDED_LATE_AFTER: Final[Duration] = DAY


class Took(NamedTuple):
    """How long the duties of one rule took, in no order."""

    ended: tuple[Sequence[Duration], ...]
    """From start to end, of those that were stopped or decided."""
    still_open: Sequence[Duration]
    """The ages of those that are open and late."""


class Part(NamedTuple):
    """Those duties of a cohort that have something in common."""

    name: str
    """A district, a category…; empty where the record does not say."""
    cases: int
    duties: Measured


class Cohort:
    """Duties that fell due in the period."""

    def __init__(self, as_of: Instant) -> None:
        self._as_of = as_of
        self._cells: defaultdict[Group, _Cell] = defaultdict(_Cell)

    def add(self, row: ClockRow, says: Verdict) -> None:
        """Count a clock that fell due in the period."""
        group = Group(row.rule, row.partner, row.district, row.unit, row.category, row.risk)
        cell = self._cells[group]
        tally = cell.tally
        tally.verdicts[says] += 1
        cell.cases.add(row.case_id)
        if says is Verdict.MET or says is Verdict.LATE:
            self._add_closed(tally, row, says)
        else:
            self._add_other(tally, row, says)
        if row.regraded_at is not None and says is not Verdict.VOID:
            tally.beside["regraded"] += 1

    def _add_closed(self, tally: Tally, row: ClockRow, says: Verdict) -> None:
        stopped = row.stopped_at
        if stopped is None or stopped > self._as_of:
            stopped = row.exempt_at
            tally.beside["decided late"] += 1
        elif row.stop_recorded_at is not None:
            tally.beside["recorded"] += 1
            if row.stop_recorded_at - stopped > RECORDED_LATE_AFTER:
                tally.beside["recorded late"] += 1
        if stopped is not None:
            # A stop may lie before its start by the tolerance between two systems' times.
            tally.closed.append(max(0, stopped - row.started_at))
        if says is Verdict.MET and row.confirm_by is not None:
            tally.beside["to confirm"] += 1

    def _add_other(self, tally: Tally, row: ClockRow, says: Verdict) -> None:
        if says is Verdict.OVERDUE:
            tally.open_.append(self._as_of - row.started_at)
            if row.cannot_route:
                tally.beside["cannot route"] += 1
        elif says is Verdict.EXEMPT:
            tally.reasons[row.reason_code] += 1
        elif says is Verdict.VOID and row.breached_at is not None:
            tally.beside["void after due"] += 1

    def add_plain(self, duties: PlainDuties) -> None:
        """Count clocks that were stopped, and of which no more is to be said."""
        cell, number = self._cells[duties.group], len(duties.lengths)
        tally = cell.tally
        tally.verdicts[Verdict.LATE if duties.is_late else Verdict.MET] += number
        if duties.is_recorded:
            tally.beside["recorded"] += number
        if duties.is_recorded_late:
            tally.beside["recorded late"] += number
        tally.plain.append(duties.lengths)
        cell.cases_of_plain.append(duties.cases)

    def number_of_cases(self) -> int:
        """How many cases the duties are of."""
        return _number_of_cases(self._cells.values())

    def measured(self) -> Measured:
        """All of them."""
        return _measured(self._cells.values())

    def by(self, field: str) -> dict[str, Measured]:
        """What a field of their group holds → those duties, by its name."""
        return {name: _measured(cells) for name, cells in self._parted(field)}

    def lengths(self) -> dict[str, Took]:
        """Rule → how long its duties took, of duties to partners."""
        return {
            rule: Took(
                ended=tuple(
                    lengths for cell in cells for lengths in (cell.tally.closed, *cell.tally.plain)
                ),
                still_open=[age for cell in cells for age in cell.tally.open_],
            )
            for rule, cells in self._parted("rule", to_partners=True)
        }

    def parts(self, field: str, *, with_spans: bool) -> tuple[Part, ...]:
        """The duties to partners, parted by a field of their group, in order of its names."""
        return tuple(
            Part(name, _number_of_cases(cells), _measured(cells, with_span=with_spans))
            for name, cells in self._parted(field, to_partners=True)
        )

    def _parted(
        self, field: str, *, to_partners: bool = False
    ) -> Iterable[tuple[str, list[_Cell]]]:
        parted: defaultdict[str, list[_Cell]] = defaultdict(list)
        for group, cell in self._cells.items():
            if group.partner or not to_partners:
                parted[getattr(group, field)].append(cell)
        return sorted(parted.items())


class _Cell:
    """The duties of one group."""

    __slots__ = ("cases", "cases_of_plain", "tally")

    def __init__(self) -> None:
        self.tally = Tally()
        self.cases: set[int] = set()
        self.cases_of_plain: list[array[int]] = []


def _number_of_cases(cells: Iterable[_Cell]) -> int:
    cells = list(cells)
    return number_of_different(
        set[int]().union(*(cell.cases for cell in cells)),
        [cases for cell in cells for cases in cell.cases_of_plain],
    )


def _measured(cells: Iterable[_Cell], *, with_span: bool = True) -> Measured:
    whole = Tally()
    for cell in cells:
        whole.include(cell.tally)
    return whole.measured(with_span=with_span)
