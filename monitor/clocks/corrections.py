"""Starts that were recorded wrongly, and what puts them right.

What comes in: the facts of a case that say when something really was, and what a start is now taken
to be. What goes out: the start as corrected. It does not care about rules: `fold` asks.

A correction names the kind of event that it puts right, and bears why, on whose word and on what
evidence. One that lacks any of it counts for nothing; of several the earliest counts; and it moves
the earliest record of its kind and no other, so that what else is on record still starts the clock
(law 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.clocks.timeline import Fact
from monitor.model import Event, Instant
from monitor.rulebook.language import StartCorrection
from monitor.rulebook.match import attribute_reader


class Correction(NamedTuple):
    """When the earliest event of a kind really was, and since when that is known."""

    at: Instant
    known_at: Instant


def corrections(facts: Iterable[Fact], written: StartCorrection) -> Mapping[str, Correction]:
    """Kind of event → its correction, of those facts that say all that is needed."""
    corrects = attribute_reader(written.corrects)
    needed = tuple(attribute_reader(name) for name in written.needs)
    found: dict[str, Correction] = {}
    for fact in facts:
        kinds = {corrects(version) for version in fact.versions}
        if len(kinds) != 1 or not all(read(v) for v in fact.versions for read in needed):
            continue
        (kind,) = kinds
        said = Correction(fact.event.occurred_from, fact.known_at)
        found[kind] = min(found.get(kind, said), said)
    return found


def put_right(event: Event, known_at: Instant, correction: Correction) -> tuple[Event, Instant]:
    """A start and since when it is known, as corrected.

    A start that is put later was known of before; one that is put earlier was not.
    """
    if correction.at < event.occurred_from:
        known_at = max(known_at, correction.known_at)
    return event._replace(occurred_from=correction.at), known_at
