"""What is on record of a child at an instant: the stage reached, and what figures group by.

What comes in: a case. What goes out: its last completed stage, and the district, unit, category and
risk as they stood. It does not care about clocks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from monitor.clocks.case import Case, Subject, same_child
from monitor.model import Event, Instant
from monitor.rulebook.language import Vocabulary
from monitor.rulebook.match import ReadAttribute, attribute_reader

RECORDED_FIELDS = ("district", "unit", "category", "risk")
"""What figures group by: each as it stood when the clock started."""


class Record:
    """What is on record of a child: the stage reached, the attributes figures group by."""

    def __init__(self, case: Case, subject: Subject, vocabulary: Vocabulary) -> None:
        self.stage, self.stage_at = _last_stage(case, subject, vocabulary)
        self.restricted = _is_restricted(case, vocabulary)
        telling = [
            event
            for fact in case.facts
            for event in fact.versions
            if (event.district or event.unit or event.category or event.risk)
            and same_child(event, subject)
        ]
        self._said = [_History(telling, read) for read in _RECORDED_READERS] if telling else None

    def at(self, instant: Instant) -> Sequence[str]:
        """RECORDED_FIELDS at an instant: of each the latest said by then, else the first after."""
        if self._said is None:
            return _NOTHING_SAID
        return [history.at(instant) for history in self._said]


class _History:
    """What was said of one attribute, in order of time."""

    __slots__ = ("_said", "_times")

    def __init__(self, events: Iterable[Event], read: ReadAttribute) -> None:
        self._said = sorted((e.occurred_from, value) for e in events if (value := read(e)))
        self._times = [at for at, _ in self._said]

    def at(self, instant: Instant) -> str:
        if not self._said:
            return ""
        by_then = bisect_right(self._times, instant)
        return self._said[by_then - 1 if by_then else 0][1]


def _last_stage(case: Case, subject: Subject, vocabulary: Vocabulary) -> tuple[str, Instant | None]:
    """The furthest completed stage of the notice's way, and when it was completed."""
    for stage in reversed(vocabulary.stages):
        if stage.kind not in case.by_kind:
            continue
        done = [
            fact.event.occurred_to
            for fact in case.by_kind[stage.kind]
            if same_child(fact.event, subject)
        ]
        if done:
            return stage.kind, max(done)
    return "", None


def _is_restricted(case: Case, vocabulary: Vocabulary) -> bool:
    name = vocabulary.restricted_attribute
    if name is None:
        return False
    read = attribute_reader(name)
    return any(read(version) == "yes" for fact in case.facts for version in fact.versions)


_NOTHING_SAID: Final = ("",) * len(RECORDED_FIELDS)

_RECORDED_READERS: tuple[ReadAttribute, ...] = tuple(map(attribute_reader, RECORDED_FIELDS))
