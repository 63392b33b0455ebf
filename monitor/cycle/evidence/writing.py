"""An evidence pack on disk: pages, CSV, JSON, pictures, and what each file's digest is.

What comes in: sections, one after the other, and what makes pages. What goes out: a folder of
files. Each table is read once, row by row, on its way into CSV and JSON; of a long one a page has
the first rows. It does not care what anything says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from monitor.report.evidence import Page, Row, Section, Table
from monitor.report.laid_out import Head, Shown, for_outside, shown
from monitor.report.tables import json_rows, write_csv

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MANIFEST, SUMS, FIGURES = "manifest.json", "SHA256SUMS", "figures.json"

Render = Callable[..., str]
"""The name of a template and what it is told → a page."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)


class WrittenFile(NamedTuple):
    """One file of the pack."""

    sha256: str
    size: int


class Link(NamedTuple):
    """A page, from the folder's own place."""

    href: str
    title: str


@dataclass(frozen=True, slots=True)
class WrittenSection:
    """One section, as the table of contents has it."""

    number: int
    link: Link
    pages: tuple[Link, ...]
    left_out: tuple[str, ...]


class PackFolder:
    """A folder that a pack is written into, file after file."""

    def __init__(self, folder: Path, render: Render, *, zone: ZoneInfo, outside: bool) -> None:
        self._folder, self._render, self._zone = folder, render, zone
        self._outside = outside
        self.files: dict[str, WrittenFile] = {}
        self.sections: list[WrittenSection] = []
        self._names: set[str] = set()
        self._figures: _Figures | None = None

    @contextmanager
    def figures(self) -> Iterator[None]:
        """While it lasts, every table goes into `figures.json` as well."""
        with self.new_file(FIGURES) as file:
            self._figures = _Figures(file)
            yield
            self._figures.end()
        self._figures = None

    def add(self, section: Section) -> WrittenSection:
        """Write a section: its tables, pictures, pages, and the page that shows them."""
        left_out: tuple[str, ...] = ()
        if self._outside:
            section, left_out = for_outside(section)
        number = len(self.sections) + 1
        stem = f"{number:02}-{_checked(section.name)}"
        tables = [self._table(section.title, table) for table in section.tables]
        images = [
            {"href": self._picture(image.name, image.content), "image": image}
            for image in section.images
        ]
        pages = tuple(self._page(section, page) for page in section.pages)
        href = f"{stem}.html"
        self.page(
            href,
            "evidence/section.html",
            number=number,
            section=section,
            tables=[each for each in tables if each is not None],
            images=images,
            pages=pages,
            left_out=left_out,
        )
        written = WrittenSection(number, Link(href, section.title), pages, left_out)
        self.sections.append(written)
        return written

    def page(self, name: str, template: str, **said: object) -> None:
        """Write one page."""
        with self.new_file(name) as file:
            file.write(self._render(template, **said))

    def json(self, name: str, values: object) -> None:
        """Write plain values."""
        with self.new_file(name) as file:
            file.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")

    def seal(self, **said: object) -> str:
        """Write the manifest, and the sums that it is checked by; returns the manifest's digest."""
        files = [
            {"name": name, "sha256": each.sha256, "bytes": each.size}
            for name, each in sorted(self.files.items())
        ]
        self.json(MANIFEST, {**said, "files": files})
        sums = [f"{each.sha256}  {name}\n" for name, each in sorted(self.files.items())]
        manifest = self.files[MANIFEST].sha256
        with self.new_file(SUMS) as file:
            file.writelines(sums)
        return manifest

    @contextmanager
    def new_file(self, name: str) -> Iterator[_Text]:
        """A text file of the pack, whose digest is kept."""
        path = self._folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("xb") as file:
            text = _Text(file)
            yield text
        self.files[name] = text.written

    def _picture(self, name: str, content: bytes) -> str:
        href = f"pictures/{_checked(name)}.png"
        with self.new_file(href) as file:
            file.write_bytes(content)
        return href

    # -- tables and pages -------------------------------------------------------------------------

    def _table(self, section: str, table: Table) -> Shown | None:
        """Write a table as CSV and JSON; answers what a page shows of it."""
        csv = f"csv/{self._only(table.name)}.csv"
        head = Head(table.rows)
        with self.new_file(csv) as file:
            write_csv(file, table.columns, self._told(section, table.name, table, head))
        return shown(table, head, zone=self._zone, csv=csv) if table.is_on_page else None

    def _page(self, section: Section, page: Page) -> Link:
        """Write the page of one case; its tables are in `figures.json` under the page's name."""
        href = f"cases/{self._only(page.name)}.html"
        tables = []
        for table in page.tables:
            head = Head(table.rows, most=1_000_000)
            name = f"{page.name}/{table.name}"
            for _ in self._told(section.title, name, table, head):
                pass
            tables.append(shown(table, head, zone=self._zone))
        self.page(href, "evidence/case.html", page=page, section=section, tables=tables)
        return Link(href, page.title)

    def _told(self, section: str, name: str, table: Table, rows: Iterable[Row]) -> Iterator[Row]:
        """Rows on their way to a file, which go into `figures.json` as they pass."""
        figures = self._figures
        if figures is None:
            yield from rows
            return
        figures.begin(section, name, table)
        for row in rows:
            figures.row(table, row)
            yield row
        figures.end_table()

    def _only(self, name: str) -> str:
        """A name that no other table or page has."""
        if name in self._names:
            msg = f"two tables or pages are called {name}"
            raise ValueError(msg)
        self._names.add(name)
        return _checked(name)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        msg = f"{name!r} cannot be the name of a file: small letters, digits and hyphens"
        raise ValueError(msg)
    return name


class _Text:
    """A text file as UTF-8 with the line ends it is given, and its digest."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._digest, self._size = file, hashlib.sha256(), 0

    def write(self, text: str) -> None:
        self.write_bytes(text.encode())

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def write_bytes(self, content: bytes) -> None:
        self._digest.update(content)
        self._size += len(content)
        self._file.write(content)

    @property
    def written(self) -> WrittenFile:
        return WrittenFile(self._digest.hexdigest(), self._size)


class _Figures:
    """All tables as one JSON document, written as their rows pass."""

    def __init__(self, file: _Text) -> None:
        self._file, self._is_first, self._has_rows = file, True, False
        file.write('{"tables": [')

    def begin(self, section: str, name: str, table: Table) -> None:
        columns = [
            {"name": column.name, "title": column.title, "kind": column.kind}
            for column in table.columns
        ]
        said = {"name": name, "section": section, "title": table.title, "note": table.note}
        text = json.dumps({**said, "columns": columns}, ensure_ascii=False)
        self._file.write(("\n" if self._is_first else ",\n") + text[:-1] + ', "rows": [')
        self._is_first, self._has_rows = False, False

    def row(self, table: Table, row: Row) -> None:
        (values,) = json_rows(table.columns, [row])
        text = json.dumps(list(values.values()), ensure_ascii=False)
        self._file.write((",\n" if self._has_rows else "\n") + text)
        self._has_rows = True

    def end_table(self) -> None:
        self._file.write("\n]}" if self._has_rows else "]}")

    def end(self) -> None:
        self._file.write("\n]}\n")
