"""Which references are one case: the components that live links make.

What comes in: the events of some cases that link events join, live or not. What goes out: groups of
cases that are one today, each with the one that stands for it. It does not care about rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from monitor.clocks.timeline import live_facts
from monitor.model import Event


class Joined(NamedTuple):
    """Cases that are one."""

    root: int
    """The case that stands for all: that of the reference that sorts first, whatever came first."""
    members: tuple[int, ...]


def joined_cases(
    events: Mapping[int, Sequence[Event]], references: Mapping[int, str]
) -> list[Joined]:
    """Groups of cases, by the links that hold. `events` and `references` are by case id."""
    if len(events) == 1:
        (alone,) = events
        return [Joined(alone, (alone,))]
    case_of = {reference: case_id for case_id, reference in references.items()}
    group = {case_id: {case_id} for case_id in events}
    # Together, since what takes a link back may have been told under the other reference.
    for fact in live_facts(event for told in events.values() for event in told).facts:
        case_id, other = case_of[fact.event.reference], case_of.get(fact.event.links)
        if other is not None and group[other] is not group[case_id]:
            _merge(group, case_id, other)
    groups = {min(members): members for members in group.values()}
    return [_joined(members, references) for _, members in sorted(groups.items())]


def _merge(group: dict[int, set[int]], one: int, other: int) -> None:
    together = group[one] | group[other]
    for case_id in together:
        group[case_id] = together


def _joined(members: set[int], references: Mapping[int, str]) -> Joined:
    ordered = sorted(members, key=lambda case_id: references[case_id])
    return Joined(ordered[0], tuple(ordered))
