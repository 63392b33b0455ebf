"""Which of a case's events are live: after amendments, conflicts and retractions.

What comes in: every version of every event of one case, in any order. What goes out: facts in order
of time, and what was set aside with the reason. It does not care about rules or about now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from monitor.model import Event, Instant

Identity = tuple[str, bytes]
"""(feed, identity): what makes an event this event."""

Age = tuple[int, int]
"""(revision, recorded_at): the greater is the newer version."""


class SetAside(StrEnum):
    """Why a version of an event counts for nothing."""

    AMENDED = "a newer version of this event counts"
    RETRACTED = "the source took it back"
    RETRACTION = "it takes another event back and says nothing else"


class Fact(NamedTuple):
    """One live event: a single version, or several that contradict each other.

    Doubt starts a clock and never stops one: a contradiction starts at its earliest reading, and
    stops only where every reading does, at the latest (law 5).
    """

    versions: tuple[Event, ...]
    known_at: Instant
    """When the monitor was first told of this event with this kind and this start, or an earlier
    one: a start that is put later was known of before."""
    recorded_at: Instant | None
    """When the source first wrote it down so, where it says."""

    @property
    def event(self) -> Event:
        """The version to speak of: the one of earliest time."""
        return self.versions[0]


class Timeline(NamedTuple):
    """The live facts of a case, earliest first, and what is not among them."""

    facts: tuple[Fact, ...]
    set_aside: tuple[tuple[Event, SetAside], ...]


def live_facts(events: Iterable[Event]) -> Timeline:
    """The facts that hold, whatever the order in which the events came.

    The greatest (revision, recorded_at) of an identity counts; a tie of different contents is a
    conflict and both are kept. A retraction takes out every version not newer than itself.
    """
    events = events if isinstance(events, list) else list(events)
    if _are_each_alone(events):
        alone = [Fact((e,), e.received_at, e.recorded_at) for e in events]
        return Timeline(_in_order(alone), ())
    versions = _by_identity(events)
    retractions = _retractions(versions)
    facts: list[Fact] = []
    set_aside: list[tuple[Event, SetAside]] = []
    for identity, told in versions.items():
        standing = [e for e in told if not _is_retracted(e, identity, retractions, versions)]
        newest = max(map(age, standing), default=None)
        counting = [e for e in standing if age(e) == newest and not e.retracts]
        set_aside += ((e, _why_aside(e, standing)) for e in told if e not in counting)
        if counting:
            facts.append(_fact(counting, told))
    return Timeline(_in_order(facts), tuple(sorted(set_aside, key=lambda aside: aside[0][:4])))


def _are_each_alone(events: Sequence[Event]) -> bool:
    """Whether every event is told once and takes none back: then there is nothing to weigh."""
    identities = {(event.feed, event.identity) for event in events if not event.retracts}
    return len(identities) == len(events)


def age(event: Event) -> Age:
    """How new a version is among those of its identity; unsaid is oldest."""
    return event.revision, -1 if event.recorded_at is None else event.recorded_at


def _by_identity(events: Iterable[Event]) -> dict[Identity, list[Event]]:
    versions: dict[Identity, list[Event]] = {}
    for event in events:
        told = versions.setdefault((event.feed, event.identity), [])
        same = next((n for n, other in enumerate(told) if _says_the_same(event, other)), None)
        if same is None:
            told.append(event)
        elif event.received_at < told[same].received_at:
            told[same] = event
    return versions


def _says_the_same(event: Event, other: Event) -> bool:
    return event.content == other.content and age(event) == age(other)


def _retractions(versions: dict[Identity, list[Event]]) -> dict[Identity, list[Event]]:
    """Retracted identity → the events that take it back."""
    found: dict[Identity, list[Event]] = {}
    for told in versions.values():
        newest = max(map(age, told))
        for event in told:
            if event.retracts and age(event) == newest:
                found.setdefault((event.feed, event.retracts), []).append(event)
    return found


def _is_retracted(
    event: Event,
    identity: Identity,
    retractions: dict[Identity, list[Event]],
    versions: dict[Identity, list[Event]],
    above: tuple[Identity, ...] = (),
) -> bool:
    """Whether a retraction that is itself not taken back takes this version out.

    A circle of retractions (`above`) proves nothing: its members stand.
    """
    for retraction in retractions.get(identity, ()):
        own = (retraction.feed, retraction.identity)
        if own == identity or own in above or age(event) > age(retraction):
            continue
        if not _is_retracted(retraction, own, retractions, versions, (*above, identity)):
            return True
    return False


def _why_aside(event: Event, standing: Sequence[Event]) -> SetAside:
    if event not in standing:
        return SetAside.RETRACTED
    return SetAside.RETRACTION if event.retracts else SetAside.AMENDED


def _fact(counting: list[Event], told: list[Event]) -> Fact:
    ordered = tuple(sorted(counting, key=lambda e: (e.occurred_from, e.content)))
    if len(told) > 1:
        ordered = tuple(_as_first_told(version, told) for version in ordered)
    first = ordered[0]
    by_then = [e for e in told if e.kind == first.kind and e.occurred_from <= first.occurred_from]
    alike = [e for e in by_then if e.occurred_from == first.occurred_from]
    recorded = [e.recorded_at for e in alike if e.recorded_at is not None]
    return Fact(ordered, min(e.received_at for e in by_then), min(recorded, default=None))


def _as_first_told(version: Event, told: Iterable[Event]) -> Event:
    """A version as known since the first that said the same: a row sent again is no news."""
    fact = _said(version)
    return version._replace(received_at=min(e.received_at for e in told if _said(e) == fact))


def _said(version: Event) -> Event:
    """What a version says of the case, without what it says of itself."""
    return version._replace(revision=0, content=b"", recorded_at=None, received_at=0)


def _in_order(facts: list[Fact]) -> tuple[Fact, ...]:
    if len(facts) > 1:
        facts.sort(key=_place_in_time)
    return tuple(facts)


def _place_in_time(fact: Fact) -> tuple[Instant, str, bytes]:
    event = fact.versions[0]
    return event.occurred_from, event.feed, event.identity
