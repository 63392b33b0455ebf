"""Duties that were simply done, in time or late: nearly all, so they are counted without an object.

What comes in: rows by the thousand, each a group and its marks, a case, and how long it took. What
goes out: for each group and marks the lengths and the cases, packed.
It does not care about any duty of which more is to be said: `figures` judges those one by one.

Ten million duties are eighty megabytes here and as many for their cases. So many are put in order
by numpy, which is loaded only then: a daemon whose digests are of a force has no use for it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

from monitor.model import Duration

MANY: Final = 300_000
"""From so many on numpy is worth loading."""

PlainRow: TypeAlias = tuple[str, int, int]
"""Marks and group as one text, case id, microseconds from start to stop.

One text, because it is looked up for every row: seven would take five times as long.
"""

SEPARATOR: Final = "\x1f"
"""Parts marks and the fields of a group; no text that was taken in holds it."""

Lengths: TypeAlias = Sequence[Duration]

_LATE: Final = 1
_RECORDED: Final = 2
_RECORDED_LATE: Final = 4
_VERSION: Final = 8


class Group(NamedTuple):
    """What duties are grouped by; every field is a column of a clock of the same name."""

    rule: str
    partner: str
    """Empty: a step of the force's own."""
    district: str
    unit: str
    category: str
    risk: str


class PlainDuties(NamedTuple):
    """Duties of one group, version and marks."""

    group: Group
    rule_version: int
    is_late: bool
    is_recorded: bool
    """They say when their stop was written down."""
    is_recorded_late: bool
    lengths: Lengths
    cases: array[int]
    """The case of each."""


def plain_duties(parts: Iterable[Sequence[PlainRow]]) -> list[PlainDuties]:
    """Rows put together."""
    packed: dict[str, _Packed] = {}
    for rows in parts:
        for said, case_id, length in rows:
            try:
                add_length, add_case, *_ = packed[said]
            except KeyError:
                add_length, add_case, *_ = packed[said] = _packed()
            add_length(length)
            add_case(case_id)
    return [_duties(said, found) for said, found in packed.items()]


class _Packed(NamedTuple):
    """Numbers as they come, and how one more is added: looked up once, and not for each."""

    add_length: Callable[[int], None]
    add_case: Callable[[int], None]
    lengths: array[int]
    cases: array[int]


def _packed() -> _Packed:
    lengths, cases = array("q"), array("q")
    return _Packed(lengths.append, cases.append, lengths, cases)


def _duties(said: str, found: _Packed) -> PlainDuties:
    marked, *fields = said.split(SEPARATOR)
    marks = int(marked)
    return PlainDuties(
        group=Group(*fields),
        rule_version=marks // _VERSION,
        is_late=bool(marks & _LATE),
        is_recorded=bool(marks & _RECORDED),
        is_recorded_late=bool(marks & _RECORDED_LATE),
        lengths=found.lengths,
        cases=found.cases,
    )


def number_of_different(known: Collection[int], more: Sequence[array[int]]) -> int:
    """How many different numbers there are in all of them."""
    if sum(map(len, more)) < MANY:
        return len(set(known).union(*more))
    import numpy as np  # noqa: PLC0415 - loaded only where there are very many

    together = np.concatenate([np.array([*known], np.int64), *more])
    together.sort()  # numpy's own way to count them is five times as slow
    return bool(together.size) + int(np.count_nonzero(together[1:] != together[:-1]))


class Ordered:
    """Lengths in order, of which some are asked for by their place; none is below zero.

    A stop may lie before its start by the tolerance between two systems' times.
    """

    def __init__(self, parts: Sequence[Lengths]) -> None:
        self.number = sum(map(len, parts))
        self._parts = parts

    def at(self, places: Sequence[int]) -> list[Duration]:
        """Those at some places, counted from 0."""
        if not places:
            return []
        found = self._of_many(places) if self.number >= MANY else sorted(chain(*self._parts))
        return [max(0, int(found[place])) for place in places]

    def _of_many(self, places: Sequence[int]) -> Any:
        import numpy as np  # noqa: PLC0415 - loaded only where there are very many

        together = np.concatenate([np.asarray(part, np.int64) for part in self._parts])
        together.partition(list(places))
        return together
