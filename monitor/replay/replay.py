"""The history of linked cases, lived through: which clocks stand, and what was told to whom when.

What comes in: events with the instants at which they were received, a rulebook, a roster, and how
feeds are heard. What goes out: the clocks as they stand, and all that was told. It does what the
stages do, at every instant at which something was received and at every one at which something can
happen by itself; only the rows are kept in memory.
It does not care about mails: one is taken as it is decided, and nobody acts on any.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from monitor.assess.links import joined_cases
from monitor.assess.reconcile import Changes, reconcile
from monitor.clocks.fold import fold
from monitor.clocks.verdicts import verdict
from monitor.escalate.decide import Circumstances, decide, unsaid
from monitor.escalate.roster import Roster
from monitor.escalate.telling import FORGET_UNSAID_AFTER
from monitor.model import (
    Alert,
    AlertKind,
    Clock,
    ClockKey,
    Duration,
    Event,
    Instant,
    KeptClock,
    SaidAlert,
    Verdict,
)
from monitor.replay.hearing import ALWAYS_HEARD, Hearing
from monitor.replay.quiet import Quiet
from monitor.rulebook.book import Duty, Rulebook
from monitor.rulebook.language import Alerts


class Standing(NamedTuple):
    """One clock as it stands."""

    reference: str
    """Of the case; of linked ones, that which stands for all."""
    kept: KeptClock
    verdict: Verdict


class Told(NamedTuple):
    """Something that was decided to be told."""

    at: Instant
    reference: str
    clock: ClockKey
    kind: AlertKind
    """`stopped_late` makes no mail of its own: it goes with the reader's next."""
    rung: str
    repeat: int
    episode: int
    role: str
    asked_role: str
    recipient: str
    """An address; empty where nobody could be told."""
    reason: str


class Replayed(NamedTuple):
    """What a history came to."""

    clocks: tuple[Standing, ...]
    """Every clock that the events fold into, in the order of cases and rules."""
    told: tuple[Told, ...]
    """In the order in which it was decided."""


def replay(
    events: Iterable[Event],
    *,
    rulebook: Rulebook,
    roster: Roster,
    tolerances: Mapping[str, Duration],
    until: Instant,
    hearing: Hearing = ALWAYS_HEARD,
) -> Replayed:
    """Live through the events of one case, or of several that link events join.

    `until`: what is received or falls due later is not looked at. `tolerances`: feed → how much
    earlier than its start a stop may be.
    """
    return Replayer(rulebook, roster, tolerances, hearing).replay(events, until=until)


class Replayer:
    """The same for many cases: what does not change from one to the next is made ready once."""

    def __init__(
        self,
        rulebook: Rulebook,
        roster: Roster,
        tolerances: Mapping[str, Duration],
        hearing: Hearing = ALWAYS_HEARD,
    ) -> None:
        self._given = rulebook, roster, tolerances, hearing
        self._quiet = Quiet(rulebook)

    def replay(self, events: Iterable[Event], *, until: Instant) -> Replayed:
        """Live through the events of one case, or of several that link events join."""
        received = sorted((e for e in events if e.received_at <= until), key=_received_at)
        quiet_until = self._quiet.until(received)
        early = [event for event in received if event.received_at < quiet_until]
        if early:
            life = _Life(*self._given)
            life.learn(early, now=early[-1].received_at)
            if not life.cannot_route():
                return life.live(received[len(early) :], until=until)
        return _Life(*self._given).live(received, until=until)


def _received_at(event: Event) -> Instant:
    return event.received_at


class _Life:
    """What the stages would have stored by now."""

    def __init__(
        self,
        rulebook: Rulebook,
        roster: Roster,
        tolerances: Mapping[str, Duration],
        hearing: Hearing,
    ) -> None:
        self.rulebook = rulebook
        self.roster = roster
        self.tolerances = tolerances
        self.hearing = hearing
        self.told: list[Told] = []
        self._events: dict[int, list[Event]] = {}
        self._case_of: dict[str, int] = {}
        self._references: dict[int, str] = {}
        self._linked: dict[int, int] = {}
        """Case → the first of those that link events join to it, live or not."""
        self._kept: dict[int, KeptClock] = {}
        self._wanted: dict[int, Collection[Clock]] = {}
        """Case → the clocks that it folds into."""
        self._said: list[SaidAlert] = []
        self._next_at: Instant | None = None

    # -- time ---------------------------------------------------------------------------------

    def live(self, received: Iterable[Event], *, until: Instant) -> Replayed:
        """Learn of events when they were received, and decide wherever anything can happen."""
        for now, told in groupby(received, key=_received_at):
            self.go_to(now - 1)
            self.learn(list(told), now=now)
            self.sweep(now=now)
        self.go_to(until)
        return Replayed(tuple(self.standing(now=until)), tuple(self.told))

    def go_to(self, until: Instant) -> None:
        """Decide wherever something can happen by itself."""
        while (now := self._next_at) is not None and now <= until:
            self._hear(now)
            self.sweep(now=now)

    def _hear(self, now: Instant) -> None:
        """A feed was heard again: clocks that wait for it are looked at now."""
        for kept in list(self._kept.values()):
            if kept.waits_for and self._heard_since(kept, now):
                self._kept[kept.id] = replace(kept, next_action_at=now, waits_for="")

    def _heard_since(self, kept: KeptClock, now: Instant) -> bool:
        return self.hearing.next_at(kept.waits_for, now - 1) == now

    def _set_next(self, *, now: Instant) -> None:
        found = (each for kept in self._kept.values() for each in self._wakes(kept, now))
        self._next_at = min(found, default=None)

    def _wakes(self, kept: KeptClock, now: Instant) -> Iterator[Instant]:
        if kept.next_action_at is not None:
            yield kept.next_action_at
        if kept.waits_for and (at := self.hearing.next_at(kept.waits_for, now)) is not None:
            yield at

    # -- assess -------------------------------------------------------------------------------

    def learn(self, received: Sequence[Event], *, now: Instant) -> None:
        """Fold the cases that changed, and those linked to them, and keep their clocks."""
        touched = {self._take_in(event) for event in received}
        groups = self._groups_of(touched)
        folded: dict[int, list[Clock]] = {}
        for group in groups:
            folded |= self._fold(group)
        self._wanted |= folded
        kept = [kept for kept in self._kept.values() if kept.case_id in folded]
        several = [group for group in groups if len(group) > 1]
        self._write(reconcile(kept, folded, self.rulebook, groups=several, now=now))
        self._set_next(now=now)

    def _take_in(self, event: Event) -> int:
        case_id = self._case(event.reference)
        self._events[case_id].append(event)
        if event.links:
            self._link(case_id, self._case(event.links))
        return case_id

    def _case(self, reference: str) -> int:
        known = self._case_of.get(reference)
        if known is not None:
            return known
        case_id = self._case_of[reference] = len(self._case_of) + 1
        self._references[case_id], self._linked[case_id] = reference, case_id
        self._events[case_id] = []
        return case_id

    def _link(self, one: int, other: int) -> None:
        """Link events join for good, live or not; whether they hold is the fold's to say."""
        first, second = self._linked[one], self._linked[other]
        for case_id, joined in self._linked.items():
            if joined == second:
                self._linked[case_id] = first

    def _groups_of(self, touched: AbstractSet[int]) -> list[list[int]]:
        groups: dict[int, list[int]] = {}
        for case_id, first in self._linked.items():
            groups.setdefault(first, []).append(case_id)
        return [group for group in groups.values() if not touched.isdisjoint(group)]

    def _fold(self, group: Sequence[int]) -> dict[int, list[Clock]]:
        """Case → its clocks; one that another stands for has none of its own."""
        if len(group) == 1:
            (alone,) = group
            return {alone: self._fold_events(self._events[alone])}
        events = {case_id: self._events[case_id] for case_id in group}
        folded: dict[int, list[Clock]] = {case_id: [] for case_id in group}
        for root, members in joined_cases(events, self._references):
            together = [event for case_id in members for event in events[case_id]]
            folded[root] = self._fold_events(together)
        return folded

    def cannot_route(self) -> bool:
        """Whether somebody is to be told now which field to fill."""
        return any(
            clock.cannot_route and self._duty(clock).rule.alerts is Alerts.ON
            for clocks in self._wanted.values()
            for clock in clocks
        )

    def _duty(self, clock: Clock) -> Duty:
        return self.rulebook.duty(clock.key.rule, clock.rule_version)

    def _fold_events(self, events: Iterable[Event]) -> list[Clock]:
        return fold(events, self.rulebook, tolerances=self.tolerances)

    def _write(self, changes: Changes) -> None:
        for new in changes.new:
            number = len(self._kept) + 1
            self._kept[number] = KeptClock(
                id=number,
                case_id=new.case_id,
                clock=new.clock,
                inherits=new.inherits,
                steps_done=new.steps_done,
                episode=new.episode,
                next_action_at=new.next_action_at,
            )
        for changed in changes.updated:
            self._kept[changed.id] = changed

    # -- escalate -----------------------------------------------------------------------------

    def sweep(self, *, now: Instant) -> None:
        """Decide every clock to which something can happen by now, until there is none."""
        if self._said:
            self._forget_unsaid(before=now - FORGET_UNSAID_AFTER)
        while due := self._due(now):
            self._decide_all(due, now=now)
            self._set_next(now=now)
        if self._said:
            self._hand_over(now=now)

    def _due(self, now: Instant) -> list[KeptClock]:
        if self._next_at is None or self._next_at > now:
            return []
        due = [
            (kept.next_action_at, kept.id, kept)
            for kept in self._kept.values()
            if kept.next_action_at is not None and kept.next_action_at <= now
        ]
        return [kept for *_, kept in sorted(due)]

    def _decide_all(self, due: Sequence[KeptClock], *, now: Instant) -> None:
        """Read, decide, write. What nobody was told yet is cancelled before it is decided."""
        succeeded = self._with_successors(due)
        for kept in due:
            if kept.id not in succeeded:
                self._cancel(unsaid(kept, self._about(kept), now=now))
        said = {kept.id: self._about(kept) for kept in due}
        circumstances = Circumstances(
            rulebook=self.rulebook, roster=self.roster, feeds=self.hearing.at(now), now=now
        )
        for kept in due:
            decision = decide(
                kept,
                said[kept.id],
                has_successor=kept.id in succeeded,
                circumstances=circumstances,
            )
            self._kept[kept.id] = decision.clock
            for alert in decision.alerts:
                self._say(alert, kept)

    def _with_successors(self, due: Iterable[KeptClock]) -> set[int]:
        """Those clocks whose place another took over, with what was said."""
        gone = {kept.case_id for kept in due if kept.clock.superseded_at is not None}
        linked = {self._linked[case_id] for case_id in gone}
        return {
            earlier
            for kept in self._kept.values()
            if linked and self._linked[kept.case_id] in linked
            for earlier in kept.inherits
        }

    def _about(self, kept: KeptClock) -> list[SaidAlert]:
        """What was said about a clock and those whose place it took, oldest first."""
        if not self._said:
            return []
        ids = {kept.id, *kept.inherits}
        return [told for told in self._said if told.alert.clock_id in ids]

    def _say(self, alert: Alert, kept: KeptClock) -> None:
        number, state = len(self._said) + 1, "pending" if alert.recipient else "cancelled"
        self._said.append(SaidAlert(number, alert, state, attempted=False, sent_at=None))
        self.told.append(_told(alert, kept.clock.key, self._references[kept.case_id]))

    def _hand_over(self, *, now: Instant) -> None:
        """Every mail goes at once; what waits for its reader's next mail goes with it, if true."""
        waiting = [told for told in self._said if told.state == "pending"]
        written_to = {
            told.alert.recipient
            for told in waiting
            if told.alert.kind not in (AlertKind.WITHDRAWAL, AlertKind.STOPPED_LATE)
        }
        for told in waiting:
            is_mail = told.alert.kind is not AlertKind.STOPPED_LATE
            if not is_mail and told.alert.recipient not in written_to:
                continue
            if is_mail or self._is_late(told.alert.clock_id, now=now):
                self._put(told._replace(state="in message", attempted=True, sent_at=now))
            else:
                self._cancel([told.id])

    def _is_late(self, clock_id: int, *, now: Instant) -> bool:
        return verdict(self._kept[clock_id].clock, now=now) is Verdict.LATE

    def _cancel(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            told = self._said[number - 1]
            if not told.attempted:
                self._put(told._replace(state="cancelled"))

    def _forget_unsaid(self, *, before: Instant) -> None:
        self._cancel(
            told.id
            for told in self._said
            if told.state == "pending" and told.alert.decided_at < before
        )

    def _put(self, told: SaidAlert) -> None:
        self._said[told.id - 1] = told

    # -- as it stands -------------------------------------------------------------------------

    def standing(self, *, now: Instant) -> Iterator[Standing]:
        """The clocks that the events fold into, each with its verdict."""
        heard = self.hearing.at(now)
        trusted = {name: f.trusted_until for name, f in heard.items() if f.trusted_until}
        by_key = {(kept.case_id, kept.clock.key): kept for kept in self._kept.values()}
        for case_id, clocks in self._wanted.items():
            for clock in clocks:
                kept = by_key[case_id, clock.key]
                feeds = self._duty(clock).rule.stop_feeds
                says = verdict(clock, now=now, stop_feeds=feeds, trusted_until=trusted)
                yield Standing(self._references[case_id], kept, says)


def _told(alert: Alert, clock: ClockKey, reference: str) -> Told:
    return Told(
        at=alert.decided_at,
        reference=reference,
        clock=clock,
        kind=alert.kind,
        rung=alert.rung,
        repeat=alert.repeat,
        episode=alert.episode,
        role=alert.role,
        asked_role=alert.asked_role,
        recipient=alert.recipient,
        reason=alert.reason,
    )
