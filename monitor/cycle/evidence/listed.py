"""The list of cases that an inspector brings.

What comes in: a text file with one reference a line, or a CSV file with a column `reference`. What
goes out: references in the order of the list, each once; or every fault with its line. It does not
care whether anything is known of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.faults import Fault, FaultsFound

if TYPE_CHECKING:
    from pathlib import Path

_COLUMN: Final = "reference"
_LONGEST: Final = 100
_MOST: Final = 1_000
"""So many cases have a page of their own; more is an export."""


class _Found(NamedTuple):
    line: int
    reference: str


def read_list(path: Path) -> tuple[str, ...]:
    """The references of a file. Empty lines and what follows a `#` are passed over.

    Raises FaultsFound: a file that is no text or names nothing, a CSV file without its column, a
    reference that stands there twice or cannot be one.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FaultsFound([Fault(file=str(path), expected=_why_unread(error))]) from None
    found = list(_of_csv(path, text) if _is_csv(path, text) else _of_lines(text))
    faults = list(_faults(str(path), found))
    if faults:
        raise FaultsFound(faults)
    return tuple(each.reference for each in found)


def _why_unread(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "a text file in UTF-8 is expected"
    return f"a file that can be read is expected ({error.strerror})"


def _is_csv(path: Path, text: str) -> bool:
    """By its name, or by a first line that names the column among others."""
    first = text.partition("\n")[0].strip().lower()
    return path.suffix.lower() == ".csv" or _COLUMN in next(csv.reader([first]), ())


def _of_lines(text: str) -> Iterator[_Found]:
    for number, line in enumerate(text.splitlines(), start=1):
        if reference := line.partition("#")[0].strip():
            yield _Found(number, reference)


def _of_csv(path: Path, text: str) -> Iterator[_Found]:
    rows = csv.reader(io.StringIO(text, newline=""))
    header: list[str] = []
    for row in rows:
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if not header:
            header = [cell.lower() for cell in cells]
            if _COLUMN not in header:
                raise FaultsFound([_no_column(path, rows.line_num, cells)])
            continue
        place = header.index(_COLUMN)
        yield _Found(rows.line_num, cells[place] if place < len(cells) else "")


def _no_column(path: Path, line: int, cells: list[str]) -> Fault:
    return Fault(
        file=str(path),
        line=line,
        found=", ".join(cells),
        expected=f"a header with a column {_COLUMN} is expected",
    )


def _faults(file: str, found: list[_Found]) -> Iterator[Fault]:
    if not found:
        yield Fault(file=file, expected="at least one reference is expected")
    if len(found) > _MOST:
        yield Fault(
            file=file,
            found=f"{len(found):,} references",
            expected=f"at most {_MOST:,} are expected",
            mend="export the clocks instead (monitor export clocks), or make several packs",
        )
    seen: dict[str, int] = {}
    for line, reference in found:
        if reference in seen:
            again = f"it stands in line {seen[reference]} already"
            yield Fault(file=file, line=line, found=repr(reference), expected=again)
        elif not reference or len(reference) > _LONGEST or not reference.isprintable():
            yield Fault(
                file=file,
                line=line,
                found=repr(reference[:_LONGEST]),
                expected=f"a reference of at most {_LONGEST} printable characters is expected",
            )
        seen.setdefault(reference, line)
