"""Tables as a page shows them: cells in words, long registers cut, small cells withheld.

What comes in: tables of an evidence pack. What goes out: text for each cell, and what is said of
what is not shown. It does not care how a page looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final

from monitor.report.evidence import Cell, Column, Row, Section, Table
from monitor.words import count, dates, moment

if TYPE_CHECKING:
    from datetime import tzinfo

MOST_ROWS: Final = 500
"""Of one table on a page; its CSV file holds all."""

LEAST: Final = 10
"""Outside the force, a table in which any count is under this is dropped whole; zero is a count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """One column of a table on a page."""

    title: str
    css: str
    """The class of its cells: `n` for numbers, `d` for dates, else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One table as a page shows it."""

    name: str
    title: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    csv: str
    """Its CSV file from the page's folder; empty where it has none."""
    total: int
    """How many rows there are."""

    @property
    def cut(self) -> str:
        """What is said of the rows that are not shown; empty where all are."""
        if self.total <= len(self.rows):
            return ""
        return f"The first {len(self.rows)} of {count(self.total, 'row')}: the CSV file holds all."


_CLASSES: Final = {"number": "n", "count": "n", "share": "n", "date": "d"}


class Head:
    """The first rows of a stream, kept as they pass on their way to a file."""

    def __init__(self, rows: Iterable[Row], most: int = MOST_ROWS) -> None:
        self._rows, self._most = rows, most
        self.first: list[Row] = []
        self.total = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            if self.total < self._most:
                self.first.append(row)
            self.total += 1
            yield row


def shown(table: Table, head: Head, *, zone: tzinfo, csv: str = "") -> Shown:
    """A table whose rows have all passed through `head`."""
    return Shown(
        name=table.name,
        title=table.title,
        headings=tuple(
            Heading(title=column.title, css=_CLASSES.get(column.kind, ""))
            for column in table.columns
        ),
        rows=tuple(
            tuple(
                in_words(cell, column, zone=zone)
                for cell, column in zip(row, table.columns, strict=True)
            )
            for row in head.first
        ),
        note=table.note,
        csv=csv,
        total=head.total,
    )


def in_words(cell: Cell, column: Column, *, zone: tzinfo) -> str:
    """A cell for people: `02:47 on Tue 9 March 2027`, `83.4 %`, `1,204`, `yes`; nothing: a dash."""
    if cell is None or cell == "":
        return "\N{EN DASH}"
    if said := _SAID.get(column.kind):
        return said(cell, zone)
    return cell if isinstance(cell, str) else f"{cell:,}"


def _day(cell: Cell, _zone: tzinfo) -> str:
    day = date.fromisoformat(str(cell))
    return dates(day, day)


def _moment(cell: Cell, zone: tzinfo) -> str:
    return moment(int(cell or 0), zone=zone)


def _share(cell: Cell, _zone: tzinfo) -> str:
    return f"{float(cell or 0) * 100:.1f} %"


def _flag(cell: Cell, _zone: tzinfo) -> str:
    return "yes" if cell else "no"


_SAID: Final = {"instant": _moment, "date": _day, "share": _share, "flag": _flag}


# -- for readers outside the force ------------------------------------------------------------


def for_outside(section: Section) -> tuple[Section, tuple[str, ...]]:
    """A section as it may leave the force, and what is said of what was left out.

    Registers and pages of cases are left out; a table with a count under ten is dropped whole, and
    the picture of it too.
    """
    kept: list[Table] = []
    said: list[str] = []
    for table in section.tables:
        if table.is_register:
            said.append(f"{table.title}: left out, since its rows name cases.")
            continue
        whole = replace(table, rows=list(table.rows))
        if has_small_cell(whole):
            said.append(f"{table.title}: left out whole, since a number in it is under ten.")
        else:
            kept.append(whole)
    names = {table.name for table in kept}
    images = tuple(each for each in section.images if not each.table or each.table in names)
    if any(True for _ in section.pages):
        said.append("Pages of single cases: left out.")
    return replace(section, tables=tuple(kept), images=images, pages=()), tuple(said)


def has_small_cell(table: Table) -> bool:
    """Whether any count in a table is under ten, or is not said."""
    places = [place for place, column in enumerate(table.columns) if column.kind == "count"]
    return any(
        cell is None or (isinstance(cell, int | float) and cell < LEAST)
        for row in table.rows
        for cell in (row[place] for place in places)
    )
