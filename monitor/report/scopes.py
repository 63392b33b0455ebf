"""Whose figures: the whole force, a district, or a unit.

What comes in: a scope as `recipients.toml` writes it. What goes out: its label, and which columns
of a clock must hold which value for the clock to belong.
It does not care who reads the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Self

from monitor.words import capital

_FORCE: Final = "force"
_PLACES: Final = ("district", "unit")


class Scope(NamedTuple):
    """A part of the force, or all of it."""

    kind: str
    """`force`, `district` or `unit`."""
    value: str = ""
    """What the clock's column of that name holds; empty for the force."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `force`, `district:east`, `unit:mash`; ValueError for anything else."""
        kind, colon, value = text.partition(":")
        if text == _FORCE:
            return cls(_FORCE)
        if kind in _PLACES and colon and value.strip():
            return cls(kind, value.strip())
        msg = f"{text!r} is none of 'force', 'district:NAME', 'unit:NAME'"
        raise ValueError(msg)

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else self.kind

    @property
    def label(self) -> str:
        """`Whole force`, `East district`, `Unit mash-2`."""
        if self.kind == _FORCE:
            return "Whole force"
        if self.kind == "unit":
            return f"Unit {self.value}"
        words = capital(self.value.replace("_", " "))
        return words if "district" in words.casefold() else f"{words} district"

    @property
    def columns(self) -> Mapping[str, str]:
        """Column of a clock → the value it must have; empty: every clock belongs."""
        return {} if self.kind == _FORCE else {self.kind: self.value}
