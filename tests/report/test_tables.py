"""Tables as files: safe in a spreadsheet, exact for a program, and never held whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Instant
from monitor.report.evidence import Column, Row
from monitor.report.tables import iso, json_rows, safe_text, write_csv, write_json_lines
from monitor.worktime.instants import isoformat

COLUMNS = (
    Column("text", "Text"),
    Column("number", "Number", "number"),
    Column("share", "Share", "share"),
    Column("flag", "Flag", "flag"),
    Column("day", "Day", "date"),
    Column("at", "At", "instant"),
)
AT: Instant = 1_804_000_000_000_000

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
formulas = st.builds(
    lambda first, rest: first + rest, st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n"]), texts
)
instants = st.integers(-60_000_000_000_000_000, 250_000_000_000_000_000)


def in_csv(*rows: Row) -> list[list[str]]:
    """What a reader of CSV finds."""
    out = io.StringIO()
    assert write_csv(out, COLUMNS, rows) == len(rows)
    return list(csv.reader(io.StringIO(out.getvalue(), newline="")))


@given(st.one_of(texts, formulas))
def test_no_text_begins_as_a_formula_and_nothing_else_of_it_changes(text: str) -> None:
    _, (cell, *_) = in_csv((text, 1, 0.5, True, "2026-01-01", AT))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell in (text, f"'{text}")
    assert (cell == text) is not text.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_numbers_dates_and_instants_bear_no_apostrophe() -> None:
    """A number below zero begins as a formula would, and is one that we wrote."""
    _, cells = in_csv(("x", -3, -0.25, False, "2026-01-01", -1_000_000))
    assert cells == ["x", "-3", "-0.25", "false", "2026-01-01", "1969-12-31T23:59:59+00:00"]


def test_what_is_not_there_is_an_empty_cell() -> None:
    _, cells = in_csv(("", None, None, None, None, None))
    assert cells == [""] * 6


def test_a_header_a_line_each_and_lf() -> None:
    out = io.StringIO()
    write_csv(out, COLUMNS[:2], [("a", 1), ("b, c", 2)])
    assert out.getvalue() == 'text,number\na,1\n"b, c",2\n'


@given(st.one_of(texts, formulas), instants)
def test_json_lines_carry_the_text_as_it_was(text: str, at: Instant) -> None:
    out = io.StringIO()
    write_json_lines(out, COLUMNS, [(text, 1, 0.5, True, "2026-01-01", at)])
    (line,) = out.getvalue().removesuffix("\n").split("\n")
    read = json.loads(line)
    assert read["text"] == (text or None)
    assert (read["number"], read["flag"], read["at"]) == (1, True, isoformat(at))


@given(instants)
def test_an_instant_reads_as_everywhere_else(at: Instant) -> None:
    assert iso(at) == isoformat(at)


@given(st.integers(-60_000_000_000, 250_000_000_000))
def test_an_instant_to_the_second_reads_as_everywhere_else(seconds: int) -> None:
    assert iso(seconds * 1_000_000) == isoformat(seconds * 1_000_000)


@pytest.mark.parametrize("text", ["", "plain", "a=b", "PPN-2027-004211"])
def test_what_is_no_formula_stays(text: str) -> None:
    assert safe_text(text) is text


class Held:
    """Rows that are counted while anybody holds them."""

    def __init__(self, number: int) -> None:
        self.number, self.now, self.most = number, 0, 0

    def rows(self) -> Iterator[Row]:
        for place in range(self.number):
            yield (Tracked(self, str(place)), place, 0.5, True, "2026-01-01", AT)


class Tracked(str):
    """A text that says when it is let go."""

    __slots__ = ("held",)
    held: Held

    def __new__(cls, held: Held, text: str) -> Self:
        made = super().__new__(cls, text)
        made.held = held
        held.now += 1
        held.most = max(held.most, held.now)
        return made

    def __del__(self) -> None:
        self.held.now -= 1


class Nowhere:
    """A file of which nothing is kept."""

    def write(self, text: str, /) -> int:
        return len(text)


@pytest.mark.parametrize("write", [write_csv, write_json_lines])
def test_a_row_is_let_go_before_the_next_but_one_is_made(write: object) -> None:
    """Memory does not grow with the number of rows."""
    held = Held(20_000)
    assert callable(write)
    assert write(Nowhere(), COLUMNS, held.rows()) == 20_000
    assert held.most <= 3
    assert held.now == 0


def test_rows_of_json_are_by_name() -> None:
    (row,) = json_rows(COLUMNS[:2], [("", 2)])
    assert row == {"text": None, "number": 2}
