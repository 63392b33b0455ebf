"""Why a clock says what it says: every fact that was looked at, and what came of it.

What comes in: a clock, the facts of its case and its rule. What goes out: each fact with whether it
counted and why, in order of time. It explains the fold and never decides anew: it asks the same
questions of the same facts, and takes the answer from the clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from monitor.clocks.timeline import Fact, Identity, SetAside, Timeline
from monitor.model import Clock, ClockKey, Duration, Event, Instant
from monitor.rulebook.book import Duty


class Part(StrEnum):
    """What a fact could have done to a clock."""

    START = "start"
    GRADE = "grade"
    ROUTE = "route"
    LINK = "link"
    STOP = "stop"
    EXEMPTION = "exemption"
    WITHDRAWAL = "withdrawal"
    DEFERRAL = "deferral"
    CONFIRMATION = "confirmation"
    RETRACTION = "retraction"
    CORRECTION = "correction"


READ_AT_ITS_LATEST = frozenset({Part.STOP, Part.EXEMPTION, Part.WITHDRAWAL, Part.DEFERRAL})
"""Of an interval these take the last instant, all others the first: never flatter the force."""


_OWN_KINDS = frozenset({"cleared", "moved"})
"""Retractions that the monitor concludes itself: they happen when it is told."""


class Considered(NamedTuple):
    """A fact that a rule looked at."""

    part: Part
    event: Event
    at: Instant
    """The end of its interval that was read."""
    counts: bool
    why: str


def considered(
    clock: Clock,
    timeline: Timeline,
    duty: Duty,
    *,
    tolerances: Mapping[str, Duration],
    among: Collection[ClockKey] = (),
    correction: str = "",
) -> list[Considered]:
    """Every fact that could have borne on a clock, and whether it did, in order of time.

    `tolerances`: feed → how much earlier than its start a stop may be. `among`: the keys of the
    clocks that the same rule has of the case, this one's among them. `correction`: the kind of
    event that puts a start right; empty where there is none.
    """
    asked = _Asked(clock, timeline, duty, tolerances, among, correction)
    found = [
        *asked.starts(),
        *asked.grades(),
        *asked.route(),
        *asked.links(),
        *asked.corrections(),
        *asked.endings(),
        *asked.deferrals(),
        *asked.confirmations(),
        *asked.set_aside(),
    ]
    return sorted(found, key=lambda one: (one.at, _PLACES[one.part], one.event[:4]))


_PLACES = {part: place for place, part in enumerate(Part)}


def says_the_same(event: Event, other: Event) -> bool:
    """Whether two tellings of one event say the same of the case, whenever they were told."""
    return _bare(event) == _bare(other)


def _bare(event: Event) -> Event:
    return event._replace(revision=0, content=b"", recorded_at=None, received_at=0)


def part_of(event: Event, duty: Duty) -> Part | None:
    """What an event could do to a clock of a rule, by its kind; None where nothing."""
    asked = (
        (duty.starts, Part.START),
        (duty.stops, Part.STOP),
        (duty.exempts, Part.EXEMPTION),
        (duty.voids, Part.WITHDRAWAL),
        (duty.defers, Part.DEFERRAL),
        (duty.confirms, Part.CONFIRMATION),
    )
    return next((part for matcher, part in asked if matcher(event)), None)


def read_at(event: Event, part: Part) -> Instant:
    """The end of an event's interval that counts for a part."""
    return event.occurred_to if part in READ_AT_ITS_LATEST else event.occurred_from


def _said(event: Event, part: Part, *, counts: bool, why: str) -> Considered:
    return Considered(part, event, read_at(event, part), counts, why)


class _Asked:
    """One clock, and the facts that are asked about it."""

    def __init__(
        self,
        clock: Clock,
        timeline: Timeline,
        duty: Duty,
        tolerances: Mapping[str, Duration],
        among: Collection[ClockKey],
        correction: str,
    ) -> None:
        self.clock, self.duty, self.tolerances = clock, duty, tolerances
        self.timeline = timeline
        self.among = among
        self.pairs = [(fact, event) for fact in timeline.facts for event in fact.versions]
        self.correction = correction
        self.how, self.ended_at = _ending_of(clock)
        self.first_known = clock.started_at - (clock.raised_after or 0)
        self.corrected = not any(
            event.occurred_from == self.first_known and duty.starts(event)
            for _, event in self.pairs
        )
        self.ended_by_claim = any(
            self.duty.stops(event)
            and self.duty.is_claim(event)
            and event.occurred_to == self.ended_at
            for _, event in self.pairs
        )

    # -- what begins it ---------------------------------------------------------------------

    def starts(self) -> Iterator[Considered]:
        """Every event that could start it."""
        begun = False
        for fact, event in self.pairs:
            if not self.duty.starts(event):
                continue
            why = self._not_ours(event) or self._why_not_started(event, begun=begun)
            counts = not why
            begun = begun or counts
            why = why or self._why_started()
            yield _said(event, Part.START, counts=counts, why=why + _doubt(fact))

    def _not_ours(self, event: Event) -> str:
        """Whom else an event that could start the clock is about; empty where it is this one's."""
        key = self.clock.key
        if key.child and event.child not in ("", key.child):
            return "it is about another child"
        if (
            key.organisation
            and event.partner == self.duty.organisations_of
            and event.organisation not in ("", key.organisation)
        ):
            return f"it is about another organisation, {event.organisation}"
        return ""

    def _why_not_started(self, event: Event, *, begun: bool) -> str:
        first_known = self.first_known
        if (event.occurred_from == first_known or self.corrected) and not begun:
            return ""
        if self.duty.rule.each_start:
            return "it starts a clock of its own"
        if event.occurred_from < first_known:
            return "earlier, and the case was not under this rule then"
        if event.occurred_from == first_known:
            return "of the same instant as the start that counts"
        return "a start, but not the earliest"

    def _why_started(self) -> str:
        if self.corrected:
            return "the clock starts here, as it was put right"
        if self.clock.raised_after is None:
            return "the clock starts here"
        return "the concern was first known here; this clock starts where it was raised"

    def grades(self) -> Iterator[Considered]:
        """How what the rule asks of the case changed; nothing where it never did."""
        for name, read, values in self.duty.applies:
            said = [
                event
                for _, event in self.pairs
                if read(event) and event.child in ("", self.clock.key.child or event.child)
            ]
            said.sort(key=lambda event: event.occurred_from)
            changes = [
                event
                for place, event in enumerate(said)
                if not place or read(event) != read(said[place - 1])
            ]
            for event in changes if len(changes) > 1 else ():
                covered = read(event) in values
                covers = "this rule covers that" if covered else self._not_covered(event)
                why = f"{name} {read(event)}: {covers}"
                if event.occurred_from == self.clock.started_at and self.clock.raised_after:
                    why = f"{name} {read(event)}: the clock starts here"
                yield _said(event, Part.GRADE, counts=covered, why=why)

    def _not_covered(self, event: Event) -> str:
        clock = self.clock
        goes_on = clock.superseded_at is None and clock.regraded_at is None
        if goes_on and event.occurred_from > clock.started_at:
            return "this rule does not ask for that, and its clock goes on"
        return "this rule does not cover that"

    def route(self) -> Iterator[Considered]:
        """The first event that names the organisation to be told."""
        key = self.clock.key
        if not key.organisation:
            return
        naming = (
            event
            for _, event in self.pairs
            if event.organisation == key.organisation
            and event.partner == self.duty.organisations_of
            and event.child in ("", key.child or event.child)
            and part_of(event, self.duty) is None
        )
        for event in naming:
            why = f"it names {key.organisation} as the one to tell"
            yield _said(event, Part.ROUTE, counts=True, why=why)
            return

    def links(self) -> Iterator[Considered]:
        """What made several references one case."""
        for _, event in self.pairs:
            if event.links:
                why = f"it makes {event.reference} and {event.links} one case"
                yield _said(event, Part.LINK, counts=True, why=why)

    def corrections(self) -> Iterator[Considered]:
        """What put the start right, and what was to and did not."""
        for _, event in self.pairs:
            if event.kind != self.correction or not self.correction:
                continue
            counts = self.corrected and event.occurred_from == self.first_known
            why = "the clock's start is put right to this" if counts else "it moves no start here"
            yield _said(event, Part.CORRECTION, counts=counts, why=why)

    # -- what ends it -----------------------------------------------------------------------

    def endings(self) -> Iterator[Considered]:
        """Every event that could end it."""
        for fact, event in self.pairs:
            for matcher, part in (
                (self.duty.stops, Part.STOP),
                (self.duty.exempts, Part.EXEMPTION),
                (self.duty.voids, Part.WITHDRAWAL),
            ):
                if matcher(event):
                    why = self._why_not_about(fact, event, part)
                    if not why and not all(map(matcher, fact.versions)):
                        why = "by another version of it nothing ended, and doubt ends no clock"
                    counts, said = (False, why) if why else self._ended_by(fact, event, part)
                    yield _said(event, part, counts=counts, why=said + _doubt(fact))

    def _why_not_about(  # noqa: PLR0911 - each reason is one line, in the order of the fold
        self, fact: Fact, event: Event, part: Part
    ) -> str:
        """Why an ending is not about this clock; empty where it is."""
        key = self.clock.key
        if key.child and event.child not in ("", key.child):
            return "it is about another child"
        if key.organisation and event.organisation not in ("", key.organisation):
            return f"it is about another organisation, {event.organisation}"
        if self._is_of_others(event, key.child):
            return "it stands under a notice of other children"
        earliest = min(version.occurred_to for version in fact.versions)
        if earliest < self.clock.started_at - self.tolerances.get(event.feed, 0):
            return "it lies before the start and does not count"
        if self.clock.superseded_at is not None:
            return "another clock stands in this one's place"
        if part is Part.STOP and self._could_mean_several(event):
            return "it names no child or organisation and could mean several"
        return ""

    def _ended_by(self, fact: Fact, event: Event, part: Part) -> tuple[bool, str]:
        latest = max(version.occurred_to for version in fact.versions)
        if self.ended_at is None:
            return False, "not counted"
        if max(latest, self.clock.started_at) == self.ended_at:
            if part is not self.how:
                return False, f"a {self.how} of the same instant ends the clock"
            is_early = latest < self.clock.started_at
            early = ", read as at its start: within its feed's tolerance" if is_early else ""
            return True, f"the clock ends here{early}"
        if latest > self.ended_at:
            confirms = self.ended_by_claim and self.duty.confirms(event)
            also = ", and it confirms the claim that ended it" if confirms else ""
            return False, f"the clock had ended by then{also}"
        if self.duty.is_claim(event):
            return (
                False,
                "a claim recorded after due that nobody confirmed in time: it ends nothing",
            )
        return False, "not counted"

    def _is_of_others(self, event: Event, child: str) -> bool:
        """Whether an ending that names no child stands under a reference of other children."""
        if event.child or not child:
            return False
        references = {other.reference for _, other in self.pairs}
        named = {
            other.child
            for _, other in self.pairs
            if other.reference == event.reference and other.child
        }
        return len(references) > 1 and bool(named) and child not in named

    def _could_mean_several(self, event: Event) -> bool:
        own = self.clock.key
        return any(
            (key.child, key.organisation) != (own.child, own.organisation)
            and (not event.child or key.child in ("", event.child))
            and (not event.organisation or key.organisation in ("", event.organisation))
            and not self._is_of_others(event, key.child)
            for key in self.among
        )

    # -- what bears on its telling ----------------------------------------------------------

    def deferrals(self) -> Iterator[Considered]:
        """Every decision to wait."""
        for fact, event in self.pairs:
            if not self.duty.defers(event):
                continue
            why = self._why_not_about(fact, event, Part.DEFERRAL)
            counts = not why and event.occurred_to == self.clock.held_from
            if counts:
                why = "it holds the telling, and not the measurement"
            why = why or "a later deferral stands in its place"
            yield _said(event, Part.DEFERRAL, counts=counts, why=why + _doubt(fact))

    def confirmations(self) -> Iterator[Considered]:
        """What confirms a claim and is no stop itself."""
        for _, event in self.pairs:
            if not self.duty.confirms(event) or self.duty.stops(event):
                continue
            counts = self.ended_by_claim and event.occurred_from >= (self.ended_at or 0)
            why = (
                "it confirms the claim that ended the clock" if counts else "no claim waits for it"
            )
            yield _said(event, Part.CONFIRMATION, counts=counts, why=why)

    # -- what counts for nothing ------------------------------------------------------------

    def set_aside(self) -> Iterator[Considered]:
        """Versions that were amended or taken back, and what took them back."""
        aside = self.timeline.set_aside
        taken: dict[Identity, Event] = {
            (event.feed, event.retracts): event
            for event, why in aside
            if event.retracts and why is SetAside.RETRACTION
        }
        for event, why in aside:
            part = part_of(event, self.duty)
            if event.retracts:
                of = self._retracted(event)
                if of is not None:
                    counts = why is SetAside.RETRACTION
                    said = f"it takes back {_kind(of)}" if counts else str(why)
                    told = _said(event, Part.RETRACTION, counts=counts, why=said)
                    own = event.kind in _OWN_KINDS
                    yield told._replace(at=event.received_at) if own else told
            elif part is not None and not self._is_another_s(event) and not self._stands(event):
                by = taken.get((event.feed, event.identity))
                yield _said(event, part, counts=False, why=_why_aside(why, by))

    def _retracted(self, retraction: Event) -> Event | None:
        """The event that bears on this rule and that a retraction takes back."""
        told = [event for event, _ in self.timeline.set_aside if not event.retracts]
        for event in [*told, *(event for _, event in self.pairs)]:
            if (event.feed, event.identity) != (retraction.feed, retraction.retracts):
                continue
            if part_of(event, self.duty) is not None and not self._is_another_s(event):
                return event
        return None

    def _stands(self, event: Event) -> bool:
        """Whether an amended version says what the one that counts says: a row sent again."""
        return any(says_the_same(event, other) for _, other in self.pairs)

    def _is_another_s(self, event: Event) -> bool:
        return bool(self.clock.key.child) and event.child not in ("", self.clock.key.child)


def _ending_of(clock: Clock) -> tuple[Part | None, Instant | None]:
    ends = (
        (Part.STOP, clock.stopped_at),
        (Part.EXEMPTION, clock.exempt_at),
        (Part.WITHDRAWAL, clock.void_at),
    )
    return next(((part, at) for part, at in ends if at is not None), (None, None))


def _doubt(fact: Fact) -> str:
    if len(fact.versions) < 2:  # noqa: PLR2004 - nothing contradicts it
        return ""
    return "; its source tells it in two ways, and the less flattering is read"


def _why_aside(why: SetAside, by: Event | None) -> str:
    if why is not SetAside.RETRACTED or by is None:
        return str(why)
    said = {
        "cleared": "the source no longer holds it",
        "moved": "the source gave it to another reference",
        "notification_bounced": "it came back undelivered, so it is out",
    }
    return said.get(by.kind, str(why))


def _kind(event: Event) -> str:
    return f"a {event.kind.replace('_', ' ')}"
