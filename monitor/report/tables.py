"""Tables as files: CSV that no spreadsheet mistakes for formulas, and JSON Lines.

What comes in: columns, rows of plain values as they come, and something to write to. What goes out:
UTF-8 text, a row at a time, of which nothing is kept. It does not care what the rows say.

A text cell of CSV that begins as a formula does gets an apostrophe before it; numbers and instants,
which are written here, are as they are. JSON Lines carries the text as it was.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, Protocol

from monitor.model import DAY, SECOND, Instant
from monitor.report.evidence import Cell, Column, Row
from monitor.worktime.instants import isoformat

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet reads a cell that begins so as a formula, or strips it and then does."""


class Sink(Protocol):
    """What text can be written to."""

    def write(self, text: str, /) -> object:
        """Take some text."""


def write_csv(out: Sink, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    """A header and a line for each row, each ended by LF; returns how many rows there were."""
    out.write(",".join(column.name for column in columns) + "\n")
    as_text = [_IN_CSV.get(column.kind, _number) for column in columns]
    written = 0
    for row in rows:
        cells = [
            "" if cell is None else said(cell) for said, cell in zip(as_text, row, strict=True)
        ]
        out.write(",".join(cells) + "\n")
        written += 1
    return written


def write_json_lines(out: Sink, columns: Sequence[Column], rows: Iterable[Row]) -> int:
    """One JSON object a line, null where there is none; returns how many rows there were."""
    written = 0
    for values in json_rows(columns, rows):
        out.write(json.dumps(values, ensure_ascii=False) + "\n")
        written += 1
    return written


def json_rows(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[dict[str, Cell]]:
    """Rows as JSON holds them: by name, instants in ISO 8601 UTC."""
    names = [sys.intern(column.name) for column in columns]
    instants = [place for place, column in enumerate(columns) if column.kind == "instant"]
    for row in rows:
        values: list[Cell] = [None if cell == "" else cell for cell in row]
        for place in instants:
            values[place] = iso(values[place])
        yield dict(zip(names, values, strict=True))


def iso(cell: Cell) -> str | None:
    """An instant in ISO 8601 UTC, as `isoformat` writes it, and several times as fast."""
    if cell is None or cell == "":
        return None
    instant = int(cell)
    day, rest = divmod(instant, DAY)
    second, fraction = divmod(rest, SECOND)
    after = f".{fraction:06}+00:00" if fraction else "+00:00"
    return f"{_date(day)}T{_time_of_day(second)}{after}"


@lru_cache(maxsize=4096)
def _date(day: Instant) -> str:
    return isoformat(day * DAY)[:10]


@lru_cache(maxsize=1 << 17)
def _time_of_day(second: int) -> str:
    minutes, seconds = divmod(second, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _text(cell: Cell) -> str:
    """As RFC 4180 has it; the library leaves a lone CR bare, which ends a line for many readers."""
    text = str(cell)
    if not _NOT_PLAIN.search(text):
        return text
    text = safe_text(text)
    return '"' + text.replace('"', '""') + '"' if _TO_QUOTE.search(text) else text


_TO_QUOTE: Final = re.compile('[",\r\n]')
_NOT_PLAIN: Final = re.compile('^[=+@\t-]|[",\r\n]')


def safe_text(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _instant(cell: Cell) -> str:
    return iso(cell) or ""


def _flag(cell: Cell) -> str:
    return "true" if cell else "false"


def _number(cell: Cell) -> str:
    return str(cell)


_IN_CSV: Final[dict[str, Callable[[Cell], str]]] = {
    "text": _text,
    "date": _text,
    "instant": _instant,
    "flag": _flag,
}
