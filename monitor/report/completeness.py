"""Quality beside speed: what notices record, so that no notice is quick by being thin.

What comes in: the live facts of cases. What goes out: how many notices there are, and how many of
them record each thing asked for. It looks at marks, never at a word that was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.clocks.timeline import Fact
from monitor.model import Event

RECORDED = "yes"


class Completeness(NamedTuple):
    """Notices, and how many of them record something."""

    notices: int
    recorded: tuple[tuple[str, int], ...]
    """(what, in words; notices that record it), in the order asked for."""


NOTHING_ASKED = Completeness(0, ())


def completeness(
    cases: Iterable[Iterable[Fact]], notice: str, asked: Mapping[str, str]
) -> Completeness:
    """Of the cases that have a notice, how many record each attribute asked for.

    `notice`: the kind of event by which there is one. `asked`: attribute → what it is, in words. A
    notice of several children records it where it does of each of them, and a contradiction counts
    as not recorded (law 5).
    """
    notices = 0
    recorded = dict.fromkeys(asked, 0)
    for facts in cases:
        told = [event for fact in facts for event in fact.versions if event.kind == notice]
        notices += bool(told)
        for name in asked:
            recorded[name] += bool(told) and all(_says(event, name) for event in told)
    return Completeness(notices, tuple((asked[name], number) for name, number in recorded.items()))


def _says(event: Event, name: str) -> bool:
    return dict(event.attributes).get(name) == RECORDED
