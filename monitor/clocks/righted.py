"""Which recorded starts of a clock were put right, and what came of each event that was to do so.

What comes in: the facts of a case, those of them that could start a clock, and how corrections are
written. What goes out: when each start really was, and in words why a correction counts or not. It
explains what `corrections` and the fold decided, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from monitor.clocks.corrections import Correction, corrections
from monitor.clocks.timeline import Fact
from monitor.model import Event, Instant
from monitor.rulebook.language import StartCorrection
from monitor.rulebook.match import attribute_reader

_LACKS: Final = {
    "reason_code": "why",
    "corrected_by": "on whose word",
    "evidence": "on what evidence",
}


class Righted:
    """The starts of one clock as recorded, and as put right."""

    def __init__(
        self,
        facts: Iterable[Fact],
        starts: Iterable[tuple[Fact, Event]],
        written: StartCorrection | None,
    ) -> None:
        """`facts`: those about the clock's child; `starts`: of these, what could start it."""
        self._written = written
        self._right: dict[str, Correction] = {}
        self._first: dict[str, tuple[Fact, Event]] = {}
        if written is not None:
            said = [f for f in facts if any(v.kind == written.kind for v in f.versions)]
            self._right.update(corrections(said, written))
        for fact, event in sorted(starts, key=lambda pair: pair[1].occurred_from):
            self._first.setdefault(event.kind, (fact, event))

    def is_moved(self, fact: Fact, event: Event) -> bool:
        """Whether this is the record that a correction puts right."""
        first = self._first.get(event.kind)
        return event.kind in self._right and first is not None and first[0] is fact

    def began(self, fact: Fact, event: Event) -> Instant:
        """When a start really was."""
        if self.is_moved(fact, event):
            return self._right[event.kind].at
        return event.occurred_from

    def as_recorded(self, correction: Event) -> Event | None:
        """The start, as it was first recorded, that this correction puts right."""
        kind = self._corrects(correction)
        right, first = self._right.get(kind), self._first.get(kind)
        if right is None or first is None or correction.occurred_from != right.at:
            return None
        return first[1]

    def is_correction(self, event: Event) -> bool:
        """Whether an event is of the kind that puts starts right."""
        return self._written is not None and event.kind == self._written.kind

    def why_not(self, correction: Event) -> str:
        """Why a correction moves no start; empty where it does."""
        if lacks := list(self._lacks(correction)):
            return f"it does not say {' or '.join(lacks)}, so it counts for nothing"
        kind = self._corrects(correction)
        if kind not in self._first:
            return f"no {kind.replace('_', ' ')} starts this clock"
        if self._right.get(kind) is None:
            return "its source tells it in two ways, so it counts for nothing"
        if self._right[kind].at != correction.occurred_from:
            return "another correction, to an earlier time, counts"
        return ""

    def _corrects(self, correction: Event) -> str:
        return attribute_reader(self._written.corrects)(correction) if self._written else ""

    def _lacks(self, correction: Event) -> Sequence[str]:
        needed = self._written.needs if self._written else ()
        return [
            _LACKS.get(name, f"its {name.replace('_', ' ')}")
            for name in needed
            if not attribute_reader(name)(correction)
        ]
