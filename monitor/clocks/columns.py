"""The events of many cases, by column instead of one by one.

What comes in: the events of many cases. What goes out: arrays with a row for each event, those of
one case beside each other, and which cases are plain. It does not care about rules.

A case is plain where nothing has to be weighed before its events are facts: each is told once and
takes none back, none links another case, and no more than one child is named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from monitor.model import Event
from monitor.rulebook.match import STANDING_ATTRIBUTES, attribute_reader
from monitor.worktime.bulk import UNKNOWN, Instants

Codes: TypeAlias = npt.NDArray[np.int32]
"""Texts as numbers of `Words`; 0 is the empty text."""

Flags: TypeAlias = npt.NDArray[np.bool_]

NONE: Final = UNKNOWN
"""Stands where an instant is None."""

WORDS_OF_EVENTS: Final = ("kind", "child", *STANDING_ATTRIBUTES)
"""Texts of an event that rules may ask for, beside what the vocabulary declares."""


class Words:
    """Texts by number, and numbers by text."""

    def __init__(self) -> None:
        self._codes = _Numbering({"": 0})

    def __len__(self) -> int:
        return len(self._codes)

    def codes(self, texts: Sequence[str]) -> Codes:
        """A number for each text; the same for the same."""
        if texts.count("") == len(texts):
            return np.zeros(len(texts), np.int32)
        return np.fromiter(map(self._codes.__getitem__, texts), np.int32, len(texts))

    def among(self, codes: Codes, texts: Iterable[str]) -> Flags:
        """Which numbers are those of some texts."""
        known = [self._codes[text] for text in texts if text in self._codes]
        wanted = np.zeros(len(self._codes), np.bool_)
        wanted[known] = True
        return wanted[codes]

    def texts(self, codes: Codes) -> list[str]:
        """The texts of some numbers."""
        by_code = list(self._codes)
        return [by_code[code] for code in codes.tolist()]


class _Numbering(dict[str, int]):
    def __missing__(self, text: str) -> int:
        number = self[text] = len(self)
        return number


class Histories(NamedTuple):
    """The events of many cases: a row for each, those of a case together."""

    number: int
    """How many cases."""
    case: Instants
    """Which case an event is of, from 0 on; ascending."""
    occurred_from: Instants
    occurred_to: Instants
    received_at: Instants
    recorded_at: Instants
    """NONE where the source does not say."""
    words: Words
    said: Mapping[str, Codes]
    """Attribute → what each event says of it."""
    is_plain: Flags
    """For each case."""

    def of(self, events: Flags) -> Histories:
        """The same cases with some of their events."""
        return self._replace(
            case=self.case[events],
            occurred_from=self.occurred_from[events],
            occurred_to=self.occurred_to[events],
            received_at=self.received_at[events],
            recorded_at=self.recorded_at[events],
            said={name: codes[events] for name, codes in self.said.items()},
        )

    def least(self, rows: Instants, values: npt.NDArray[Any], *, start: int) -> Instants:
        """Of each case the least of some events' values; `start` where there is none.

        `rows`: which events, ascending; `values`: one for each of them.
        """
        found = np.full(self.number, start, np.int64)
        if rows.size:
            cases, begins = _groups(self.case[rows])
            found[cases] = np.minimum.reduceat(values, begins)
        return found

    def greatest(self, rows: Instants, values: npt.NDArray[Any], *, start: int) -> Instants:
        """Of each case the greatest of some events' values; `start` where there is none."""
        found = np.full(self.number, start, np.int64)
        if rows.size:
            cases, begins = _groups(self.case[rows])
            found[cases] = np.maximum.reduceat(values, begins)
        return found

    def flags(self, rows: Instants) -> Flags:
        """Events flagged by their rows."""
        found = np.zeros(self.case.size, np.bool_)
        found[rows] = True
        return found

    def several_children(self) -> Flags:
        """Cases in which more than one child is named."""
        named = np.flatnonzero(self.said["child"])
        children = self.said["child"][named]
        least, greatest = (find(named, children, start=0) for find in (self.least, self.greatest))
        several: Flags = least != greatest
        return several

    def having(self, flags: Flags) -> Flags:
        """Which cases have any of the events that are flagged."""
        found = np.zeros(self.number, np.bool_)
        found[self.case[flags]] = True
        return found


def histories_of(cases: Sequence[Sequence[Event]], *, declared: Collection[str]) -> Histories:
    """The events of some cases by column; `declared`: attributes beside those of every event."""
    events = list(chain.from_iterable(cases))
    case = np.repeat(np.arange(len(cases)), [len(told) for told in cases])
    columns: dict[str, Sequence[Any]] = dict.fromkeys(Event._fields, ())
    if events:
        columns.update(zip(Event._fields, zip(*events, strict=True), strict=True))
    for name in declared:
        if name not in columns:
            columns[name] = list(map(attribute_reader(name), events))
    found = histories_from(len(cases), case, columns)
    found.is_plain[_weighed(found, columns)] = False
    return found


def histories_from(
    number: int, case: npt.ArrayLike, columns: Mapping[str, Sequence[Any]]
) -> Histories:
    """Histories of so many cases whose events are at hand by column already.

    `case`: which case each event is of, ascending. `columns`: by field or attribute; one that is
    not there says nothing. All cases are taken as plain.
    """
    words = Words()
    silent = ("",) * len(columns["kind"])
    texts = {name: columns.get(name, silent) for name in (*WORDS_OF_EVENTS, *columns)}
    return Histories(
        number=number,
        case=np.asarray(case, np.int64),
        occurred_from=_instants(columns["occurred_from"]),
        occurred_to=_instants(columns["occurred_to"]),
        received_at=_instants(columns["received_at"]),
        recorded_at=_or_none(columns["recorded_at"]),
        words=words,
        said={name: words.codes(told) for name, told in texts.items() if name not in _NO_WORDS},
        is_plain=np.ones(number, np.bool_),
    )


_NO_WORDS: Final = frozenset(
    (
        *("occurred_from", "occurred_to", "received_at", "recorded_at", "review_at", "revision"),
        *("identity", "content", "retracts", "reference", "links", "attributes"),
    )
)


def _weighed(found: Histories, columns: Mapping[str, Sequence[Any]]) -> Flags:
    """Cases of which something must be weighed before their events are facts."""
    retracts, links = columns["retracts"], columns["links"]
    doubtful = np.zeros(found.case.size, np.bool_)
    if retracts.count(b"") < len(retracts):
        doubtful |= np.array([bool(each) for each in retracts])
    if links.count("") < len(links):
        doubtful |= np.array([bool(each) for each in links])
    weighed = found.several_children() | found.having(doubtful)
    weighed[_repeated(found.case.tolist(), columns["feed"], columns["identity"])] = True
    return weighed


def _repeated(case: Sequence[int], feed: Sequence[str], identity: Sequence[bytes]) -> list[int]:
    """Cases in which an event is told more than once."""
    named = list(zip(case, feed, identity, strict=True))
    if len(set(named)) == len(named):
        return []
    seen: set[tuple[int, str, bytes]] = set()
    again = {each for each in named if each in seen or seen.add(each)}  # type: ignore[func-returns-value]
    return sorted(set(map(itemgetter(0), again)))


def _instants(values: Sequence[int]) -> Instants:
    return np.fromiter(values, np.int64, len(values))


def _or_none(values: Sequence[int | None]) -> Instants:
    if values.count(None) == len(values):
        return np.full(len(values), NONE)
    return _instants([NONE if value is None else value for value in values])


def _groups(case: Instants) -> tuple[Instants, Instants]:
    """Each case that is there, and where its rows begin."""
    begins = np.flatnonzero(np.concatenate(([True], case[1:] != case[:-1])))
    return case[begins], begins
