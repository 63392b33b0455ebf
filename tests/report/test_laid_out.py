"""Tables on a page: cells in words, long ones cut; and what may leave the force."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from monitor.report.evidence import Cell, Column, Image, Kind, Page, Section, Table
from monitor.report.laid_out import Head, for_outside, has_small_cell, in_words, shown

LONDON = ZoneInfo("Europe/London")
COUNTS = (Column("risk", "Risk"), Column("duties", "Duties", "count"))


def table(*duties: Cell, name: str = "backlog", is_register: bool = False) -> Table:
    """One row for each number."""
    rows = [(f"row {place}", number) for place, number in enumerate(duties)]
    return Table(name=name, title="Backlog", columns=COUNTS, rows=rows, is_register=is_register)


@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        (1_804_000_000_000_000, "instant", "15:06 on Tue 2 March 2027"),
        (0.8342, "share", "83.4 %"),
        (1204, "count", "1,204"),
        (-3, "number", "-3"),
        (0, "count", "0"),
        (True, "flag", "yes"),
        (False, "flag", "no"),
        ("2026-01-01", "date", "1 January 2026"),
        ("=x", "text", "=x"),
        (None, "instant", "\N{EN DASH}"),
        ("", "text", "\N{EN DASH}"),
    ],
)
def test_a_cell_is_said_in_words(cell: Cell, kind: Kind, said: str) -> None:
    assert in_words(cell, Column("c", "C", kind), zone=LONDON) == said


def test_a_long_table_shows_its_first_rows_and_says_so() -> None:
    long = table(*range(1203))
    head = Head(long.rows)
    assert sum(1 for _ in head) == 1203
    page = shown(long, head, zone=LONDON, csv="csv/backlog.csv")
    assert len(page.rows) == 500
    assert page.cut == "The first 500 of 1,203 rows: the CSV file holds all."
    short = Head(table(1, 2).rows)
    list(short)
    assert shown(table(1, 2), short, zone=LONDON).cut == ""


@pytest.mark.parametrize(
    ("numbers", "is_small"),
    [((10, 400), False), ((9, 400), True), ((0, 400), True), ((None, 400), True), ((), False)],
)
def test_a_count_under_ten_is_small_and_zero_too(numbers: tuple[Cell, ...], is_small: bool) -> None:
    assert has_small_cell(table(*numbers)) is is_small


def test_outside_the_force_no_register_no_case_and_no_table_with_a_small_cell() -> None:
    """The picture of a table that is dropped goes with it, and all of it is said."""
    section = Section(
        name="backlog",
        title="Backlog",
        tables=(
            table(10, 11, name="kept"),
            table(10, 9, name="small"),
            table(100, name="register", is_register=True),
        ),
        images=(
            Image(name="a", content=b"", alt="a", width=1, height=1, table="kept"),
            Image(name="b", content=b"", alt="b", width=1, height=1, table="small"),
        ),
        pages=(Page(name="case-1", title="Case 1"),),
    )
    left, said = for_outside(section)
    assert [each.name for each in left.tables] == ["kept"]
    assert [each.name for each in left.images] == ["a"]
    assert left.pages == ()
    assert len(said) == 3
    assert list(left.tables[0].rows) == [("row 0", 10), ("row 1", 11)]
