"""Explaining a case: its clocks at an instant, with everything that led to them.

What comes in: an installation, a reference and an instant. What goes out: plain values: which
events counted and which not, each window of time counted or not, and what was said to whom.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor.clocks.explanation import Considered, because, considered
from monitor.clocks.timeline import Timeline, live_facts
from monitor.cycle.asked import actions_of, is_hidden, reason_in_words, said_of_role
from monitor.cycle.awaiting import awaited
from monitor.cycle.lists import says, trusted_until
from monitor.cycle.mailbox_status import start_queries
from monitor.model import HOUR, Action, Instant, KeptClock, SaidAlert, Verdict
from monitor.rulebook.book import Duty
from monitor.store import actions, alerts, cases, clocks, intakes
from monitor.store.engine import Connection, reading, writing
from monitor.worktime.calendar import PastHorizon, Window

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

LONGEST_SPAN_IN_WINDOWS = 60 * 24 * HOUR
"""Windows of a longer clock would fill pages; its times stand for themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLine:
    """One alert that was decided about a clock."""

    kind: str
    role: str
    reason: str
    decided_at: Instant
    sent_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneLine:
    """Something that a person did about the telling of a clock."""

    number: int
    kind: str
    by: str
    """A role in words; never an account."""
    reason_code: str
    reason: str
    from_at: Instant
    until_at: Instant | None
    ended_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedWindow:
    """A span of time that a working-time threshold counted, or did not."""

    from_at: Instant
    to_at: Instant
    counted: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockExplanation:
    """One clock and why."""

    rule: str
    version: int
    title: str
    authority: str
    child: str
    organisation: str
    verdict: Verdict
    started_at: Instant
    due_at: Instant | None
    threshold: str
    because: tuple[str, ...]
    windows: tuple[CountedWindow, ...]
    events: tuple[Considered, ...]
    told: tuple[ToldLine, ...]
    done: tuple[DoneLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseExplanation:
    """A case at an instant. Instants are microseconds UTC."""

    reference: str
    references: tuple[str, ...]
    at: Instant
    clocks: tuple[ClockExplanation, ...]


def explain_case(
    monitor: Monitor, reference: str, *, rule: str | None, now: Instant, actor: str
) -> CaseExplanation | None:
    """A case as it was at `now`, as known today; None where nothing is known of the reference.

    The same answer for a restricted case, unless this account is one of those that may see it.

    Looking at a case is itself logged.
    """
    with writing(monitor.engine) as connection:
        actions.write_audit(
            connection,
            operation="consultation",
            actor=actor,
            subject=reference,
            now=now,
            detail={"command": "explain"},
        )
    with reading(monitor.engine) as connection:
        standing = cases.standing_case_ids(connection, [reference])
        if reference not in standing:
            return None
        linked = cases.linked_case_ids(connection, [standing[reference]])
        if is_hidden(monitor, clocks.clocks_of(connection, linked), actor=actor):
            return None
        events = cases.events_of(connection, linked)
        timeline = live_facts(
            event for told in events.values() for event in told if event.occurred_from <= now
        )
        return CaseExplanation(
            reference=reference,
            references=tuple(sorted(cases.references_of(connection, linked).values())),
            at=now,
            clocks=tuple(_explained(monitor, connection, linked, timeline, rule=rule, now=now)),
        )


def _explained(
    monitor: Monitor,
    connection: Connection,
    linked: frozenset[int],
    timeline: Timeline,
    *,
    rule: str | None,
    now: Instant,
) -> Iterable[ClockExplanation]:
    kept = clocks.clocks_of(connection, linked)
    trusted = trusted_until(intakes.list_feeds(connection))
    said = alerts.said_about(connection, [clock.id for clock in kept])
    tolerances = intakes.tolerances(connection)
    asked = actions_of(connection, kept)
    for clock in kept:
        if clock.clock.started_at > now or rule not in (None, clock.clock.key.rule):
            continue
        duty = monitor.rulebook.duty(clock.clock.key.rule, clock.clock.rule_version)
        verdict = says(clock, monitor.rulebook, trusted, at=now)
        tolerance = max(tolerances.values(), default=0)
        looked_at = considered(clock.clock, timeline, duty, tolerance=tolerance)
        explained = _explanation(clock, duty, verdict, looked_at, said, now=now)
        queried = start_queries(monitor, connection, [clock.id, *clock.inherits], now=now)
        yield replace(
            explained,
            because=(*explained.because, *queried, *awaited(monitor, clock, duty, now=now)),
            done=tuple(_done(monitor, asked[clock.id], now=now)),
        )


def _done(monitor: Monitor, asked: Iterable[Action], *, now: Instant) -> Iterable[DoneLine]:
    """What people had done by an instant."""
    for action in asked:
        if action.from_at <= now:
            ended_at = action.ended_at
            yield DoneLine(
                number=action.number,
                kind=action.kind,
                by=said_of_role(monitor, action.on_behalf_of),
                reason_code=action.reason_code,
                reason=reason_in_words(monitor, action.kind, action.reason_code),
                from_at=action.from_at,
                until_at=action.until_at,
                ended_at=ended_at if ended_at is not None and ended_at <= now else None,
            )


def _explanation(
    kept: KeptClock,
    duty: Duty,
    verdict: Verdict,
    looked_at: list[Considered],
    said: list[SaidAlert],
    *,
    now: Instant,
) -> ClockExplanation:
    clock, authority = kept.clock, duty.rule.authority
    ids = {kept.id, *kept.inherits}
    return ClockExplanation(
        rule=clock.key.rule,
        version=clock.rule_version,
        title=duty.rule.title,
        authority=f"{authority.class_.value.capitalize()}: {authority.citation}",
        child=clock.key.child,
        organisation=clock.key.organisation,
        verdict=verdict,
        started_at=clock.started_at,
        due_at=clock.due_at,
        threshold=str(duty.rule.threshold),
        because=tuple(because(clock)),
        windows=tuple(_windows(kept, duty, now=now)),
        events=tuple(looked_at),
        told=tuple(
            ToldLine(
                kind=told.alert.kind,
                role=told.alert.role,
                reason=told.alert.reason,
                decided_at=told.alert.decided_at,
                sent_at=told.sent_at,
            )
            for told in said
            if told.alert.clock_id in ids and told.alert.decided_at <= now
        ),
    )


def _windows(kept: KeptClock, duty: Duty, *, now: Instant) -> list[CountedWindow]:
    """Each window of time from the start to the end, due or now, whichever is earliest."""
    clock = kept.clock
    ends = [at for at in (clock.stopped_at, clock.exempt_at, clock.void_at, clock.due_at) if at]
    until = min([*ends, now])
    if until <= clock.started_at or until - clock.started_at > LONGEST_SPAN_IN_WINDOWS:
        return []
    try:
        return [_window(window) for window in duty.calendar.windows(clock.started_at, until)]
    except PastHorizon:
        return []


def _window(window: Window) -> CountedWindow:
    return CountedWindow(
        from_at=window.start, to_at=window.end, counted=window.counted, why=window.why
    )
