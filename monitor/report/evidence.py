"""What an evidence pack is made of: sections with paragraphs, tables, pictures and pages.

What comes in: words, numbers and instants that others gathered. What goes out: plain values which
one writer turns into pages, CSV and JSON alike. It does not care what they say.

Nothing here holds a name, an address or an account.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Cell: TypeAlias = str | int | float | None
"""None: there is none, or it is not known; an empty cell, and null in JSON."""

Row: TypeAlias = tuple[Cell, ...]

Kind: TypeAlias = Literal["text", "number", "count", "share", "flag", "date", "instant"]
"""How a column's cells are meant.

`number`: shown as it is. `count`: how many duties, cases, notices or alerts; outside the force a
table with one under ten is dropped. `share`: a float from 0 to 1, on pages said in per cent.
`flag`: a bool. `date`: in ISO 8601, on pages said in words. `instant`: microseconds UTC; on pages
said in words in the force's zone, in CSV and JSON in ISO 8601 UTC.
"""


class Column(NamedTuple):
    """One column: its name in CSV and JSON, its heading on the page, what its cells are."""

    name: str
    title: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; its CSV file is called after `name`, which is the only one of a pack."""

    name: str
    title: str
    """Its caption."""
    columns: tuple[Column, ...]
    rows: Iterable[Row]
    """In an order that the same events always give. Read once, so that it may be a stream."""
    note: str = ""
    """Said beneath it."""
    is_register: bool = False
    """Rows that name cases: left out of a pack for outside the force."""
    is_on_page: bool = True
    """False where the page says the same in passages: then it is in CSV and JSON alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture; its file is called after `name`, with `.png`."""

    name: str
    content: bytes
    alt: str
    """What it shows, in words, with its figures."""
    width: int
    """In pixels of a page."""
    height: int
    table: str = ""
    """The name of the table that it draws: where that is dropped, so is the picture."""


class Passage(NamedTuple):
    """Something with a heading of its own, and what is said of it: a word and its meaning each."""

    title: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One case with its timeline, printed on a page of its own."""

    name: str
    """Its file is called after it: small letters, digits and hyphens."""
    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    """Small ones: on the page and in `figures.json`, with no CSV file of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a pack: its page is called after `name`, and numbered in the order of the pack.

    On the page: paragraphs, passages, pictures, tables, and links to its pages.
    """

    name: str
    title: str
    paragraphs: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    tables: tuple[Table, ...] = ()
    images: tuple[Image, ...] = ()
    has_pictures_last: bool = False
    """Whether the tables are the message, and come before the pictures."""
    pages: Iterable[Page] = ()
    """In an order that the same events always give. Read once, so that it may be a stream."""
