"""What is wrong with a file a person wrote, said so that the person can mend it.

What comes in: a TOML file, or pydantic's complaints about one file and a way to find a field in it.
What goes out: faults that name file, line, column, field, what stands there, what was expected.
It does not care what the file is for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationError

Location = tuple[int | str, ...]
"""The way to a value inside a document: keys and list positions, outermost first."""

Position = tuple[int, int]
"""Line and column, both counted from 1."""

Locate = Callable[[Location], Position | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong in one file."""

    file: str
    expected: str
    """What should stand there, or what is wrong, in words; ends without a full stop."""
    line: int | None = None
    column: int | None = None
    field: str = ""
    found: str = ""
    mend: str = ""
    """What to do about it, where `expected` does not already say so."""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        said = [f"{place}:"]
        if self.field:
            said.append(f"{self.field}:")
        if self.found:
            said.append(f"found {self.found},")
        said.append(self.expected)
        if self.mend:
            said.append(f"({self.mend})")
        return " ".join(said)


class FaultsFound(Exception):
    """One or more files cannot be used as they stand; every fault is listed, one a line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def faults_of(error: ValidationError, *, file: str, locate: Locate) -> list[Fault]:
    """Every complaint of pydantic about one file, as faults with their places."""
    return [_fault_of(complaint, file=file, locate=locate) for complaint in error.errors()]


def _fault_of(complaint: Mapping[str, Any], *, file: str, locate: Locate) -> Fault:
    location = tuple(complaint["loc"])
    line, column = locate(location) or (None, None)
    expected, mend = _in_words(complaint)
    return Fault(
        file=file,
        line=line,
        column=column,
        field=".".join(str(step) for step in location),
        found=_found(complaint),
        expected=expected,
        mend=mend,
    )


def _found(complaint: Mapping[str, Any]) -> str:
    value = complaint.get("input")
    if complaint["type"] in {"missing", "extra_forbidden"} or isinstance(value, dict | list):
        return ""
    return repr(value)


def _in_words(complaint: Mapping[str, Any]) -> tuple[str, str]:
    kind, context = complaint["type"], complaint.get("ctx", {})
    if kind == "missing":
        return "this field is missing", "add it"
    if kind == "extra_forbidden":
        return "no such field is known here", "remove it, or check its spelling"
    if kind == "value_error":
        return str(context.get("error", complaint["msg"])), ""
    if kind in {"literal_error", "enum"}:
        return f"expected one of {context['expected']}", ""
    message = str(complaint["msg"])
    return message[0].lower() + message[1:], ""


@dataclass(frozen=True, slots=True)
class TomlDocument:
    """A TOML file as plain values, with the line of every key."""

    data: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)

    def locate(self, location: Location) -> Position | None:
        """The line of the nearest key at or above a location; None for an empty file."""
        for length in range(len(location), 0, -1):
            if (line := self.lines.get(location[:length])) is not None:
                return line, 1
        return None


def read_toml(path: Path) -> TomlDocument:
    """Read a TOML file; raises FaultsFound where it is missing, not UTF-8 or not TOML."""
    try:
        text = path.read_text(encoding="utf-8")
        return TomlDocument(tomllib.loads(text), _lines_of_keys(text))
    except FileNotFoundError:
        raise FaultsFound([Fault(file=str(path), expected="there is no such file")]) from None
    except UnicodeDecodeError:
        raise FaultsFound([Fault(file=str(path), expected="the file must be UTF-8 text")]) from None
    except tomllib.TOMLDecodeError as error:
        raise FaultsFound([_not_toml(str(path), str(error))]) from None


def _not_toml(file: str, message: str) -> Fault:
    place = re.search(r"at line (\d+), column (\d+)", message)
    line, column = (int(place[1]), int(place[2])) if place else (None, None)
    words = re.sub(r"\s*\(at [^)]*\)", "", message)
    return Fault(file=file, line=line, column=column, expected=f"this is not TOML: {words}")


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_STEP = r"""(?:"[^"]*"|'[^']*'|[\w-]+)"""
_KEY = re.compile(rf"^\s*({_STEP}(?:\s*\.\s*{_STEP})*)\s*=")


def _lines_of_keys(text: str) -> dict[Location, int]:
    """Where each key stands. The standard library's reader keeps no positions."""
    lines: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    table: Location = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _enter(_steps(header[2]), listed=header[1] == "[[", counts=counts)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_steps(key[1])), number)
    return lines


def _enter(steps: Location, *, listed: bool, counts: dict[Location, int]) -> Location:
    """The location of a table header, with the positions of the lists it goes through."""
    location: Location = ()
    for step in steps[:-1]:
        location = (*location, step)
        if location in counts:
            location = (*location, counts[location] - 1)
    location = (*location, steps[-1])
    if not listed:
        return location
    counts[location] = counts.get(location, 0) + 1
    return (*location, counts[location] - 1)


def _steps(dotted: str) -> Location:
    return tuple(re.findall(r"[\w-]+", dotted.replace('"', "").replace("'", "")))
