"""Why a clock says what it says: every fact that was looked at, and what came of it.

What comes in: a clock, the facts of its case and its rule. What goes out: each fact with whether it
counted and why, in order of time. It explains the fold and never decides anew: it asks the same
questions of the same facts, and takes the answer from the clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from monitor.clocks.endings import is_as_particular
from monitor.clocks.righted import Righted
from monitor.clocks.timeline import Fact, Identity, SetAside, Timeline
from monitor.model import Clock, ClockKey, Duration, Event, Instant
from monitor.rulebook.book import Duty
from monitor.rulebook.language import StartCorrection


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
    RESUMPTION = "resumption"
    CONFIRMATION = "confirmation"
    RETRACTION = "retraction"
    CORRECTION = "correction"


READ_AT_ITS_LATEST = frozenset({Part.STOP, Part.EXEMPTION, Part.WITHDRAWAL, Part.DEFERRAL})
"""Of an interval these take the last instant, all others the first: never flatter the force."""


_OWN_KINDS = frozenset({"cleared", "moved"})
"""Retractions that the monitor concludes itself: they happen when it is told."""


_TAKEN_BACK = "a later decision to share took it back"
_UNCONFIRMED = "a claim recorded after due that nobody confirmed in time: it ends nothing"


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
    correction: StartCorrection | None = None,
    at: Instant | None = None,
) -> list[Considered]:
    """Every fact that could have borne on a clock, and whether it did, in order of time.

    `tolerances`: feed → how much earlier than its start a stop may be. `among`: the keys of the
    clocks that the same rule has of the case, this one's among them. `correction`: how events that
    put a start right are written; None where there are none. `at`: when it is asked: a claim that
    was to be confirmed by then, and was not, ends nothing; None: it waits still.
    """
    if at is not None and clock.confirm_by is not None and at > clock.confirm_by:
        clock = clock._replace(stopped_at=None)
    asked = _Asked(clock, timeline, duty, tolerances, among, correction)
    found = [
        *asked.starts(),
        *asked.grades(),
        *asked.route(),
        *asked.links(),
        *asked.corrections(),
        *asked.endings(),
        *asked.deferrals(),
        *asked.resumptions(),
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
        (duty.resumes, Part.RESUMPTION),
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
        correction: StartCorrection | None,
    ) -> None:
        self.clock, self.duty, self.tolerances = clock, duty, tolerances
        self.timeline = timeline
        self.among = among
        self.pairs = [(fact, event) for fact in timeline.facts for event in fact.versions]
        self.how, self.ended_at = _ending_of(clock)
        starts = [(f, e) for f, e in self.pairs if duty.starts(e) and not self._not_ours(e)]
        child = clock.key.child
        about = [f for f in timeline.facts if all(v.child in ("", child or v.child) for v in f[0])]
        self.righted = Righted(about, starts, None if duty.rule.each_start else correction)
        began = [self.righted.began(fact, event) for fact, event in starts]
        self.first_known = clock.started_at - (clock.raised_after or 0)
        self.resumed = self.first_known not in began and any(
            duty.resumes(event) and event.occurred_from == clock.started_at
            for _, event in self.pairs
        )
        if self.resumed:
            self.first_known = min(began, default=clock.started_at)
        self.unfounded = self.first_known not in began
        """Whether no start of its own explains it: then the first is taken for it."""
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
            why = self._not_ours(event) or self._why_not_started(fact, event, begun=begun)
            counts = not why
            begun = begun or counts
            why = self._as_recorded(fact, event, why or self._why_started(), counts=counts)
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

    def _why_not_started(self, fact: Fact, event: Event, *, begun: bool) -> str:
        first_known, at = self.first_known, self.righted.began(fact, event)
        if (at == first_known or self.unfounded) and not begun:
            return ""
        if self.duty.rule.each_start:
            return "it starts a clock of its own"
        if at < first_known:
            return "earlier, and the case was not under this rule then"
        if at == first_known:
            return "of the same instant as the start that counts"
        return "a start, but not the earliest"

    def _as_recorded(self, fact: Fact, event: Event, why: str, *, counts: bool) -> str:
        """The same of a start that was put right: it was recorded here, and was elsewhere."""
        if not self.righted.is_moved(fact, event):
            return why
        is_earlier = self.righted.began(fact, event) < event.occurred_from
        said = f"as first recorded; since put right to {'an earlier' if is_earlier else 'a later'}"
        return f"{said} time, at which the clock starts" if counts else f"{said} time: {why}"

    def _why_started(self) -> str:
        if self.resumed:
            return "the concern was first known here; this clock starts where sharing was decided"
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
            if not self.righted.is_correction(event):
                continue
            why = self._not_ours(event) or self.righted.why_not(event)
            counts = not why
            yield _said(event, Part.CORRECTION, counts=counts, why=why or self._why_moved(event))

    def _why_moved(self, correction: Event) -> str:
        if correction.occurred_from == self.first_known and self.clock.raised_after is None:
            return "the start is put right to this time: the clock starts here"
        return "a start is put right to this time"

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
            if part is Part.EXEMPTION and self.resumed:
                return _TAKEN_BACK
            return "it lies before the start and does not count"
        if self.clock.superseded_at is not None:
            return "another clock stands in this one's place"
        if part is Part.STOP and self._could_mean_several(event):
            return "it names no child or organisation and could mean several"
        return ""

    def _ended_by(  # noqa: PLR0911 - each answer is one line, in the order of the fold
        self, fact: Fact, event: Event, part: Part
    ) -> tuple[bool, str]:
        latest = max(version.occurred_to for version in fact.versions)
        if part is Part.EXEMPTION and self.ended_at != latest and self._is_taken_back(event):
            return False, _TAKEN_BACK
        if self.ended_at is None:
            return False, _UNCONFIRMED if self.duty.is_claim(event) else "not counted"
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
            return False, _UNCONFIRMED
        return False, "not counted"

    def _is_taken_back(self, event: Event) -> bool:
        """Whether a decision after this one puts the duty on again."""
        return any(
            self.duty.resumes(other)
            and other.occurred_from > event.occurred_to
            and is_as_particular(other, event)
            for _, other in self.pairs
        )

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

    def resumptions(self) -> Iterator[Considered]:
        """Every decision that could take another back; none where there is nothing to take back."""
        put_off = [
            event for _, event in self.pairs if self.duty.exempts(event) or self.duty.defers(event)
        ]
        for fact, event in self.pairs:
            before = [each for each in put_off if each.occurred_to < event.occurred_from]
            if not before or not self.duty.resumes(event):
                continue
            why, counts = self._why_not_about(fact, event, Part.RESUMPTION), False
            if not why and not any(is_as_particular(event, each) for each in before):
                why = "it does not name whom the decision before it names"
            if not why:
                why, counts = self._why_resumed(event)
            yield _said(event, Part.RESUMPTION, counts=counts, why=why + _doubt(fact))

    def _why_resumed(self, event: Event) -> tuple[str, bool]:
        if self.resumed and event.occurred_from == self.clock.started_at:
            return "the duty is on again from here: the clock starts anew", True
        if event.occurred_from == self.clock.held_until:
            return "it ends the deferral: from here people are told", True
        if self.ended_at is not None and event.occurred_from >= self.ended_at:
            return "it does not take back what ended the clock", False
        return "it takes the decision before it back", True

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
