"""When each step on the way of a notice was first done.

What comes in: the live facts of a case. What goes out: for each kind asked for, and each partner
where it has one, the first instant at which it was done. It does not care about duties.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from monitor.clocks.timeline import Fact
from monitor.model import Instant


class Step(NamedTuple):
    """A step: a stage of the notice, or something told to or by a partner."""

    kind: str
    partner: str
    """Empty where it concerns no partner."""


def first_done(facts: Iterable[Fact], kinds: Collection[str]) -> dict[Step, Instant]:
    """Step → when it was first done, of the kinds asked for.

    Of a doubtful time the later reading, as for whatever ends a wait; where a fact is told in
    several ways, the last of them (law 5).
    """
    found: dict[Step, Instant] = {}
    for fact in facts:
        event = fact.event
        if event.kind not in kinds:
            continue
        step = Step(event.kind, event.partner)
        at = max(version.occurred_to for version in fact.versions)
        found[step] = min(at, found.get(step, at))
    return found
