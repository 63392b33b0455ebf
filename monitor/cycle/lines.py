"""What a mail says of one duty, gathered from what is stored.

What comes in: an alert's clock, its case and what was said. What goes out: a duty line of plain
values, in which everything that is not known is absent. It does not care how the mail is worded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from monitor import words
from monitor.clocks.agenda import agenda, next_step_at
from monitor.clocks.timeline import live_facts
from monitor.clocks.verdicts import verdict
from monitor.cycle.asked import actions_of, reason_in_words, said_of_role
from monitor.cycle.confirming import BY_HAND
from monitor.cycle.rostering import with_duty
from monitor.escalate.decide import told_as_overdue
from monitor.escalate.orders import PASSED, ActionKind, Orders, orders
from monitor.escalate.roster import BOUNCED, Reached, Whereabouts
from monitor.escalate.telling import (
    CLAIM_LAPSED,
    LEARNT_LATE,
    TOLD_LATE,
    UNCONFIRMED,
    WAITED_FOR_DUTY,
    WAS_DEFERRED,
)
from monitor.letters import (
    DutyLine,
    EndedLate,
    FeedRead,
    NextStep,
    OtherDuty,
    Owner,
    Remaining,
    Route,
    Silence,
    Stage,
    Told,
    Withdrawing,
    Withdrawn,
)
from monitor.model import (
    OPEN_VERDICTS,
    Alert,
    AlertKind,
    Clock,
    Event,
    Instant,
    KeptClock,
    SaidAlert,
    Verdict,
)
from monitor.rulebook.book import Duty
from monitor.rulebook.language import HOLDER, AuthorityClass
from monitor.store import alerts, cases, clocks, intakes
from monitor.store.engine import Connection

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

WHOM: Final = {"council": "the council", "lado": "the LADO"}
"""Partners that a sentence names with an article."""


class CaseFile:
    """Everything stored about one case, read once for all lines that speak of it."""

    def __init__(self, monitor: Monitor, connection: Connection, case_id: int) -> None:
        self.monitor = monitor
        linked = cases.linked_case_ids(connection, [case_id])
        self._references = cases.references_of(connection, linked)
        told = cases.events_of(connection, linked)
        self.facts = live_facts(event for events in told.values() for event in events).facts
        self.clocks = clocks.clocks_of(connection, linked)
        ids = [kept.id for kept in self.clocks]
        self.said = alerts.said_about(connection, ids)
        self.feeds = {row["name"]: row for row in intakes.list_feeds(connection)}
        self.asked = actions_of(connection, self.clocks)
        self.roster = with_duty(monitor.roster, connection)

    def kept(self, clock_id: int) -> KeptClock:
        """One of its clocks."""
        return next(kept for kept in self.clocks if kept.id == clock_id)

    def standing_for(self, clock_id: int) -> list[KeptClock]:
        """The clock itself, or those that took its place with what was said of it."""
        kept = self.kept(clock_id)
        if kept.clock.superseded_at is None:
            return [kept]
        heirs = [
            other
            for other in self.clocks
            if clock_id in other.inherits and other.clock.superseded_at is None
        ]
        return heirs or [kept]

    def reference_of(self, kept: KeptClock) -> str:
        """The reference under which a clock runs."""
        return self._references[kept.case_id]

    def was_told(self, kept: KeptClock, alert: Alert) -> bool:
        """Whether the reader of an alert was told before that this clock is overdue."""
        ids = {kept.id, *kept.inherits}
        said = [told for told in self.said if told.alert.clock_id in ids]
        before = [told for told in told_as_overdue(said) if told.alert[:5] != alert[:5]]
        return any(told.alert.recipient == alert.recipient for told in before)

    def why_you(self, alert: Alert) -> str:
        """Why an alert comes to this reader and not to the one whose turn it was; a sentence."""
        passed = self._passed_by(alert) if alert.rung == PASSED else ""
        instead = self._instead_of(alert)
        return f"{passed} {instead}".strip()

    def _passed_by(self, alert: Alert) -> str:
        acts = (act for act in self.asked[alert.clock_id] if act.number == alert.repeat)
        by = next((said_of_role(self.monitor, act.on_behalf_of) for act in acts), "")
        return f"The {by} has passed this on." if by else "This was passed on."

    def _instead_of(self, alert: Alert) -> str:
        if alert.role == alert.asked_role:
            return ""
        why = alert.reason.rpartition("; ")[2]
        off_duty = f"{self.monitor.roster.title(alert.asked_role)} is off duty"
        return f"{'The ' + why if why == off_duty else words.capital(why)}, so this comes to you."

    def duty_of(self, kept: KeptClock) -> Duty:
        """The version of the rule that governs a clock."""
        return self.monitor.rulebook.duty(kept.clock.key.rule, kept.clock.rule_version)

    def orders_about(self, kept: KeptClock) -> Orders:
        """What people asked of the telling about a clock."""
        ids = {kept.id, *kept.inherits}
        said = [told for told in self.said if told.alert.clock_id in ids]
        return orders(kept, self.asked[kept.id], said)

    def is_late(self, clock_id: int, *, now: Instant) -> bool:
        """Whether a clock ended after it was due."""
        return verdict(self.kept(clock_id).clock, now=now) is Verdict.LATE

    # -- one duty -----------------------------------------------------------------------------

    def line(self, kept: KeptClock, *, alert: Alert | None, now: Instant) -> DutyLine:
        """What can be said of a clock at `now`, because of an alert."""
        clock, duty = kept.clock, self.duty_of(kept)
        rule = duty.rule
        owner = self._owner(kept, now=now)
        return DutyLine(
            reference=self.reference_of(kept),
            due_at=clock.due_at,
            started_at=clock.started_at,
            restricted=clock.restricted,
            partner=rule.partner,
            whom=WHOM.get(rule.partner, rule.partner),
            organisation=self._organisation(clock),
            awaited="" if rule.partner else (rule.subject or rule.title),
            which=self._which(kept),
            ring=self._routes(clock, now=now),
            cannot_route=self._cannot_route(clock),
            mend=_mend(clock),
            risk=clock.risk,
            concern=self._word("categories", clock.category),
            raised=_raised(clock),
            stages=self._stages(clock),
            waiting_for=self._waiting_for(clock),
            waiting_since=clock.stage_at,
            others=self._others(kept, now=now),
            told=self._told(kept, alert),
            owner=owner,
            unowned=owner is None and verdict(clock, now=now) is Verdict.OVERDUE,
            next_steps=self._next_steps(kept, duty, now=now),
            unconfirmed=self._unconfirmed(alert),
            learnt_late=self._learnt_late(alert, now=now),
            reopened=_reopened(alert),
            held=self._held(kept, alert, now=now),
            limit=words.limit(str(rule.threshold)),
            authority=" ".join(filter(None, (_authority(duty), _remark(duty, clock)))),
            rule=rule.id,
            rule_version=rule.version,
        )

    def withdrawn(self, kept: KeptClock, *, alert: Alert, now: Instant) -> Withdrawn:
        """Why what was said of a clock is taken back."""
        clock = kept.clock
        return Withdrawn(
            duty=self.line(kept, alert=None, now=now),
            why=_why_withdrawn(alert),
            told_whom=self._organisation(clock),
            told_at=clock.stopped_at,
            recorded_at=clock.stop_recorded_at or clock.stop_known_at,
            new_due_at=clock.due_at if clock.stopped_at is None else None,
            reason=self._word("reason_codes", clock.reason_code),
            alerts=self._sent_to(kept, alert),
            remaining=self._remaining(kept, now=now),
            confirm_by=clock.confirm_by,
        )

    def ended_late(self, kept: KeptClock) -> EndedLate:
        """How a duty ended of which somebody was told that it is overdue."""
        clock, rule = kept.clock, self.duty_of(kept).rule
        ended_at = clock.stopped_at if clock.stopped_at is not None else clock.exempt_at
        assert ended_at is not None
        assert clock.due_at is not None
        late_by = max(0, ended_at - clock.due_at)
        reference = self.reference_of(kept)
        if clock.restricted:
            return EndedLate(
                reference=reference, ended_at=ended_at, late_by=late_by, restricted=True
            )
        return EndedLate(
            reference=reference,
            ended_at=ended_at,
            late_by=late_by,
            whom=WHOM.get(rule.partner, rule.partner),
            awaited="" if rule.partner else (rule.subject or rule.title),
            decided=clock.stopped_at is None,
            which=self._which(kept),
        )

    def feeds_read(self, kept: KeptClock) -> tuple[FeedRead, ...]:
        """How far the feeds had been read on which a line rests."""
        names = dict.fromkeys((*self.duty_of(kept).rule.stop_feeds, *self._feeds_of_facts()))
        return tuple(
            FeedRead(feed=self._feed_title(name), read_to=row["heard_through"])
            for name in names
            if (row := self.feeds.get(name)) and row["heard_through"] is not None
        )

    # -- its parts ----------------------------------------------------------------------------

    def _organisation(self, clock: Clock) -> str:
        if not clock.key.organisation:
            return ""
        return self.monitor.partners.name(clock.partner, clock.key.organisation)

    def _which(self, kept: KeptClock) -> str:
        """Which child, where the case has several; a child has no name here."""
        if not kept.clock.key.child:
            return ""
        children = sorted({other.clock.key.child for other in self.clocks if other.clock.key.child})
        if len(children) == 1:
            return ""
        return f"child {children.index(kept.clock.key.child) + 1} of {len(children)}"

    def _routes(self, clock: Clock, *, now: Instant) -> tuple[Route, ...]:
        if not clock.partner:
            return ()
        found = self.monitor.partners.routes(clock.partner, clock.key.organisation, now)
        return tuple(Route(name=name, telephone=tel, hours=hours) for name, tel, hours in found)

    def _cannot_route(self, clock: Clock) -> str:
        return f"no {_responsible(clock.partner)} on the record" if clock.cannot_route else ""

    def _word(self, kind: str, code: str) -> str:
        words: dict[str, str] = getattr(self.monitor.rulebook.vocabulary, kind)
        return words.get(code, code)

    def _stages(self, clock: Clock) -> tuple[Stage, ...]:
        titles = {stage.kind: stage.title for stage in self.monitor.rulebook.vocabulary.stages}
        seen: dict[str, Stage] = {}
        for fact in self.facts:
            event = fact.event
            if event.kind in titles and _concerns(event, clock):
                source = self._feed_title(event.feed)
                stage = Stage(what=titles[event.kind], at=event.occurred_from, source=source)
                seen.setdefault(event.kind, stage)
        return tuple(sorted(seen.values(), key=lambda stage: stage.at))

    def _waiting_for(self, clock: Clock) -> str:
        for stage in self.monitor.rulebook.vocabulary.stages:
            if stage.kind == clock.stage:
                return stage.waiting_for
        return ""

    def _others(self, kept: KeptClock, *, now: Instant) -> tuple[OtherDuty, ...]:
        """The other partners' duties of the same child, for context."""
        found: dict[str, OtherDuty] = {}
        for other in self.clocks:
            clock = other.clock
            if other.id == kept.id or not clock.partner or clock.partner == kept.clock.partner:
                continue
            if clock.key.child not in ("", kept.clock.key.child):
                continue
            state = _STATES.get(verdict(clock, now=now))
            if state is not None:
                duty = OtherDuty(partner=clock.partner, due_at=clock.due_at, state=state)
                found.setdefault(clock.partner, duty)
        return tuple(found.values())

    def _told(self, kept: KeptClock, alert: Alert | None) -> tuple[Told, ...]:
        """Who was alerted of this before, in this episode."""
        ids = {kept.id, *kept.inherits}
        return tuple(
            Told(role=self.monitor.roster.title(said.alert.role), at=said.sent_at)
            for said in self.said
            if said.alert.clock_id in ids
            and said.sent_at is not None
            and said.alert.kind is AlertKind.OVERDUE
            and said.alert.episode == kept.episode
            and (alert is None or said.alert[:5] != alert[:5])
            and not self._bounced(said)
        )

    def _bounced(self, said: SaidAlert) -> bool:
        """Whether an alert did not arrive, and somebody else was told instead."""
        step = said.alert._replace(recipient="")[:5]
        return any(
            other.id > said.id
            and other.alert._replace(recipient="")[:5] == step
            and other.alert.recipient != said.alert.recipient
            and other.alert.reason.endswith(BOUNCED)
            for other in self.said
        )

    def _next_steps(self, kept: KeptClock, duty: Duty, *, now: Instant) -> tuple[NextStep, ...]:
        steps, asked = agenda(kept.clock, duty), self.orders_about(kept)
        if asked.closed or next_step_at(kept.clock, steps, kept.steps_done) is None:
            return ()
        rest = asked.resting(now)
        begins = now if rest is None else rest.until_at
        ahead = [
            NextStep(role=self._role_at(kept, duty, step.role, at), at=at)
            for step in steps[kept.steps_done :]
            if step.at is not None and step.rung != "repeat" and (at := max(step.at, begins)) > now
        ]
        return tuple(ahead[:3])

    def _role_at(self, kept: KeptClock, duty: Duty, role: str, at: Instant) -> str:
        """Who would be told for a role at an instant, as far as duty hours show it today."""
        roster = self.roster
        if role == HOLDER:
            passed = self.orders_about(kept).holder(kept)
            stage = kept.clock.stage
            role = passed.to_role if passed else self.monitor.rulebook.vocabulary.holder(stage)
        clock = kept.clock
        place = Whereabouts(clock.district, clock.unit, clock.restricted)
        reach = roster.reach(role, place, at=at, wakes=duty.rule.wakes)
        return roster.title(reach.role if isinstance(reach, Reached) else role)

    def _owner(self, kept: KeptClock, *, now: Instant) -> Owner | None:
        """Who has it in hand; a role, never an account."""
        rest = self.orders_about(kept).taken(now)
        if rest is None:
            return None
        return Owner(
            role=said_of_role(self.monitor, rest.action.on_behalf_of),
            until=rest.until_at,
            reason=reason_in_words(self.monitor, rest.action.kind, rest.action.reason_code),
        )

    def _held(self, kept: KeptClock, alert: Alert | None, *, now: Instant) -> str:
        """Why telling rested until now."""
        if alert is None:
            return ""
        if WAS_DEFERRED in alert.reason:
            return "it was deferred, and the time for review has passed"
        rest = self.orders_about(kept).rested(alert.rung_at, now=alert.decided_at)
        if rest is None:
            return ""
        until = words.when(rest.until_at, at=now, zone=self.monitor.zone)
        how = "taken" if rest.action.kind == ActionKind.TAKE else "silenced"
        by = said_of_role(self.monitor, rest.action.on_behalf_of)
        return f"it was {how} until {until}{f' by the {by}' if by else ''}"

    def _unconfirmed(self, alert: Alert | None) -> Silence | None:
        """The feed that could hold the stop and was not heard since due."""
        if alert is None or UNCONFIRMED not in alert.reason:
            return None
        name, _, _ = alert.reason.partition(f"{UNCONFIRMED}: ")[2].partition(" ")
        row, clock = self.feeds.get(name), self.kept(alert.clock_id).clock
        if row is None:
            return None
        since: Instant | None = row["heard_through"]
        if since is not None and since > max(clock.due_at or 0, clock.known_at - 1):
            return None  # it was heard since this was decided, and showed no stop
        return Silence(feed=self._feed_title(name), since=since)

    def _learnt_late(self, alert: Alert | None, *, now: Instant) -> str:
        """Why an alert comes later than its time."""
        if alert is None:
            return ""
        if LEARNT_LATE in alert.reason:
            return "the record reached the monitor after it was due"
        fell = words.when(alert.rung_at, at=now, zone=self.monitor.zone)
        if WAITED_FOR_DUTY in alert.reason:
            return f"it fell due for telling at {fell} and waited for duty hours"
        return f"it should have been told at {fell}" if TOLD_LATE in alert.reason else ""

    def _sent_to(self, kept: KeptClock, alert: Alert) -> tuple[Instant, ...]:
        """When the alerts went to this address that are taken back now."""
        ids = {kept.id, *kept.inherits}
        about = [told for told in self.said if told.alert.clock_id in ids]
        this = next(told.id for told in about if told.alert[:5] == alert[:5])
        standing = told_as_overdue([told for told in about if told.id < this])
        return tuple(
            told.sent_at
            for told in standing
            if told.alert.recipient == alert.recipient and told.sent_at is not None
        )

    def _remaining(self, kept: KeptClock, *, now: Instant) -> tuple[Remaining, ...]:
        """What is still to be told to partners about the same child."""
        still = [
            Remaining(what=self._still_to_do(other), by=other.clock.due_at)
            for other in self.clocks
            if other.id != kept.id
            and other.clock.partner
            and verdict(other.clock, now=now) in OPEN_VERDICTS
            and other.clock.regraded_at is None
            and other.clock.key.child in ("", kept.clock.key.child)
        ]
        return tuple(sorted(set(still), key=lambda one: (one.by is None, one.by or 0)))

    def _still_to_do(self, kept: KeptClock) -> str:
        rule = self.duty_of(kept).rule
        return rule.subject or f"tell {WHOM.get(rule.partner, rule.partner)}"

    def _feeds_of_facts(self) -> list[str]:
        return [fact.event.feed for fact in self.facts]

    def _feed_title(self, name: str) -> str:
        """A feed as a sentence names it: its title up to the colon."""
        if name == BY_HAND:
            return "confirmed by hand"
        feed = self.monitor.feeds.get(name)
        title = feed.title.partition(":")[0] if feed else name
        return title[:1].lower() + title[1:]


_STATES: Final = {
    Verdict.RUNNING: "no record yet",
    Verdict.DUE_SOON: "no record yet",
    Verdict.OVERDUE: "no record yet",
    Verdict.MET: "told",
    Verdict.LATE: "told",
}


def _responsible(partner: str) -> str:
    return {"health": "health organisation", "lado": "LADO"}.get(partner, partner)


def _concerns(event: Event, clock: Clock) -> bool:
    return not clock.key.child or event.child in ("", clock.key.child)


def _raised(clock: Clock) -> str:
    if clock.raised_after is None:
        return ""
    hours, minutes = divmod(clock.raised_after // 60_000_000, 60)
    return f"raised {hours} h {minutes:02} after the first contact"


def _reopened(alert: Alert | None) -> str:
    if alert is None or CLAIM_LAPSED not in alert.reason:
        return ""
    return "it was recorded afterwards that somebody was told, and nobody confirmed it in time"


def _mend(clock: Clock) -> str:
    return f"Record the {_responsible(clock.partner)} responsible" if clock.cannot_route else ""


def _authority(duty: Duty) -> str:
    """Whose limit it is. A figure that no text sets is never called the law's."""
    authority = duty.rule.authority
    if authority.number_is_assumed:
        if authority.class_ is AuthorityClass.STATUTE:
            return "The duty is set by law; this figure is the force's own and is not."
        return "It is this force's own limit and is not set by law."
    return f"It is set by {authority.citation}."


def _remark(duty: Duty, clock: Clock) -> str:
    """What was not known of the calendar by which the limit is counted."""
    return duty.at(clock.key.organisation).remark


def _why_withdrawn(alert: Alert) -> Withdrawing:
    says = alert.reason
    if says == Verdict.MET:
        return Withdrawing.TOLD_IN_TIME
    if says == Verdict.VOID:
        return Withdrawing.IN_ERROR
    if says == Verdict.EXEMPT:
        return Withdrawing.WITHHELD
    if says == Verdict.SUPERSEDED:
        return Withdrawing.NOT_DUE
    return Withdrawing.LESS_LATE


def in_order(lines: Iterable[tuple[DutyLine, KeptClock]]) -> Sequence[tuple[DutyLine, KeptClock]]:
    """In the order in which to act: the gravest risk first, then the longest overdue."""
    return sorted(
        lines, key=lambda line: (not line[0].high_risk, line[0].due_at or 0, line[0].reference)
    )
