"""Explaining a case: its clocks at an instant, with everything that led to them.

What comes in: an installation, a reference and an instant. What goes out: plain values: which
facts counted and which not, each window of time counted or not, what was said to whom.

Without an instant it speaks of the clocks as they are stored. Of an earlier instant it folds the
case anew from what had been received by then, under the rulebook in force then, and says beside it
what is known today of the same instant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitor import words
from monitor.assess.links import joined_cases
from monitor.clocks.fold import fold_timeline
from monitor.clocks.timeline import Identity, Timeline, live_facts
from monitor.clocks.verdicts import verdict
from monitor.cycle.asked import actions_of, is_hidden
from monitor.cycle.explained import CaseExplanation, ClockExplanation, Restatement
from monitor.cycle.explaining_clock import explained_clock
from monitor.cycle.explaining_measure import (
    PastRulebooks,
    measured_then,
    restatements,
    rulebook_then,
)
from monitor.cycle.explaining_view import View
from monitor.cycle.lists import says, trusted_until
from monitor.model import Action, Clock, ClockKey, Event, Instant, KeptClock, Verdict
from monitor.rulebook.approval import Approval, Kind
from monitor.rulebook.book import Rulebook
from monitor.store import actions, alerts, cases, clocks, intakes, known, rulebooks
from monitor.store.engine import Connection, reading, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor


def explain_case(
    monitor: Monitor,
    reference: str,
    *,
    rule: str | None,
    now: Instant,
    actor: str,
    as_of: Instant | None = None,
) -> CaseExplanation | None:
    """A case as it is, or as it was at `as_of` as known then; None where nothing is known of it.

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
        return explain_case_in(
            monitor, connection, reference, rule=rule, now=now, actor=actor, as_of=as_of
        )


def explain_case_in(
    monitor: Monitor,
    connection: Connection,
    reference: str,
    *,
    rule: str | None,
    now: Instant,
    actor: str,
    as_of: Instant | None = None,
) -> CaseExplanation | None:
    """The same within a transaction, for one who logs that many cases are looked at."""
    case = _read(connection, reference, now=now, as_of=as_of)
    if case is None or is_hidden(monitor, case.kept, actor=actor):
        return None
    then = None if as_of is None else _as_known_then(monitor, connection, case, as_of=as_of)
    if then is not None and is_hidden(monitor, then.clocks, actor=actor):
        return None
    told = _told(monitor, connection, case, then)
    return CaseExplanation(
        reference=reference,
        references=case.references if then is None else then.references,
        at=case.at,
        as_known_then=then is not None,
        known_number=case.number,
        rulebook=_rulebook_said(monitor, connection, at=case.at),
        clocks=tuple(
            sorted(
                (each for each in told if rule in (None, each.rule)),
                key=_most_urgent_first,
            )
        ),
    )


_URGENCY = (
    *(Verdict.OVERDUE, Verdict.UNKNOWN, Verdict.DUE_SOON, Verdict.RUNNING, None),
    *(Verdict.LATE, Verdict.MET, Verdict.EXEMPT, Verdict.VOID, Verdict.SUPERSEDED),
)


def _most_urgent_first(clock: ClockExplanation) -> tuple[int, Instant, str, str, str]:
    due = clock.started_at if clock.due_at is None else clock.due_at
    return _URGENCY.index(clock.verdict), due, clock.rule, clock.organisation, clock.child


# -- what is stored ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """All that is stored of a case and of those that were ever linked to it."""

    id: int
    at: Instant
    is_now: bool
    number: int
    """What `at` knows, up to this number."""
    newest: int
    """What today knows."""
    received: Sequence[known.Received]
    names: Mapping[int, str]
    """Case id → reference, of all that were ever linked."""
    references: tuple[str, ...]
    """Those that are one case today."""
    kept: Sequence[KeptClock]
    timeline: Timeline
    """As known today."""


def _read(
    connection: Connection, reference: str, *, now: Instant, as_of: Instant | None
) -> _Case | None:
    found = cases.known_ids(connection, [reference])
    if reference not in found:
        return None
    case_id = found[reference]
    ever = known.ever_linked(connection, [case_id])
    received = known.received_events(connection, ever)
    names = cases.references_of(connection, ever)
    newest = intakes.last_number(connection)
    members = _members(received, names, case_id, number=newest)
    wanted = members if as_of is None else ever
    return _Case(
        id=case_id,
        at=now if as_of is None else as_of,
        is_now=as_of is None,
        number=newest if as_of is None else known.number_known_at(connection, as_of),
        newest=newest,
        received=received,
        names=names,
        references=tuple(sorted(names[each] for each in members)),
        kept=clocks.clocks_of(connection, wanted),
        timeline=_timeline(received, members, number=newest),
    )


def _members(
    received: Iterable[known.Received], names: Mapping[int, str], case_id: int, *, number: int
) -> frozenset[int]:
    """The cases that were one with a case, as known up to a number."""
    events: dict[int, list[Event]] = {each: [] for each in names}
    for one in received:
        if one.is_known(number):
            events[one.case_id].append(one.event)
    for joined in joined_cases(events, names):
        if case_id in joined.members:
            return frozenset(joined.members)
    return frozenset({case_id})


def _timeline(
    received: Iterable[known.Received], members: Collection[int], *, number: int
) -> Timeline:
    return live_facts(
        one.event for one in received if one.case_id in members and one.is_known(number)
    )


# -- as known then ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Then:
    """A case folded anew from what had been received by an instant."""

    references: tuple[str, ...]
    rulebook: Rulebook
    timeline: Timeline
    clocks: Sequence[KeptClock]
    silent: Mapping[str, Instant]


def _as_known_then(
    monitor: Monitor, connection: Connection, case: _Case, *, as_of: Instant
) -> _Then:
    members = _members(case.received, case.names, case.id, number=case.number)
    timeline = _timeline(case.received, members, number=case.number)
    rulebook = rulebook_then(monitor, connection, as_of=as_of)
    tolerances = intakes.tolerances(connection)
    stored = _by_key(case.kept)
    asked, past = actions_of(connection, case.kept), PastRulebooks(connection, as_of)
    folded = []
    for clock in fold_timeline(timeline, rulebook, tolerances=tolerances):
        beside = stored.get(clock.key)
        since = None if beside is None else _restated_since(monitor, case, beside, asked)
        folded.append(
            measured_then(
                clock, beside, timeline, past, tolerances=tolerances, restated_since=since
            )
        )
    return _Then(
        references=tuple(sorted(case.names[each] for each in members)),
        rulebook=rulebook,
        timeline=timeline,
        clocks=[
            _kept_as(clock, stored.get(clock.key)) for clock in folded if clock.started_at <= as_of
        ],
        silent=known.silent_at(connection, as_of),
    )


def _restated_since(
    monitor: Monitor, case: _Case, kept: KeptClock, asked: Mapping[int, Sequence[Action]]
) -> Restatement | None:
    """The first time after the instant that a clock was measured anew on purpose."""
    found = restatements(monitor, kept.clock.key, asked.get(kept.id, ()))
    return next((each for each in found if each.number > case.number), None)


def _by_key(kept: Iterable[KeptClock]) -> dict[ClockKey, KeptClock]:
    """Of several of one key the one that stands."""
    ordered = sorted(kept, key=lambda each: each.clock.superseded_at is None)
    return {each.clock.key: each for each in ordered}


def _kept_as(clock: Clock, stored: KeptClock | None) -> KeptClock:
    """A clock as it was folded, under the id by which it was spoken of."""
    if stored is None:
        return KeptClock(id=0, case_id=0, clock=clock)
    return KeptClock(
        id=stored.id,
        case_id=stored.case_id,
        clock=clock,
        episode=stored.episode,
        inherits=stored.inherits,
    )


def _rulebook_said(monitor: Monitor, connection: Connection, *, at: Instant) -> str:
    was = known.rulebook_active_at(connection, at)
    if was is None:
        return "no rulebook was in force then: read under the one that is in force now"
    since = words.said_of(was.activated_at, at=at, zone=monitor.zone)
    if was.documents is None:
        return (
            f"the rulebook in force then, since {since}, can no longer be read:"
            " read under the one that is in force now"
        )
    return f"the rulebook in force since {since} ({was.digest[:12]})"


# -- clock by clock ---------------------------------------------------------------------------


def _told(
    monitor: Monitor, connection: Connection, case: _Case, then: _Then | None
) -> Iterator[ClockExplanation]:
    today = _view_of_today(monitor, connection, case)
    stored = _by_key(case.kept)
    if then is None:
        for kept in case.kept:
            if kept.clock.started_at <= case.at:
                yield explained_clock(today, kept, known_then=True, today=None)
        return
    view = _view_of_then(monitor, connection, case, then)
    for kept in then.clocks:
        beside = stored.get(kept.clock.key)
        yield explained_clock(
            view, kept, known_then=True, today=None if beside is None else (today, beside)
        )
    known_then = {kept.clock.key for kept in then.clocks}
    for kept in case.kept:
        clock = kept.clock
        if clock.key in known_then or clock.started_at > case.at or clock.superseded_at is not None:
            continue
        yield explained_clock(today, kept, known_then=False, today=(today, kept))


def _view_of_today(monitor: Monitor, connection: Connection, case: _Case) -> View:
    """What is known now: of this instant, or of the one that was asked for."""
    trusted = trusted_until(intakes.list_feeds(connection))
    gaps = known.silent_at(connection, case.at)
    base = _view(monitor, connection, case)
    return replace(
        base,
        speaks=lambda kept: says(kept, monitor.rulebook, trusted, at=case.at),
        trusted=trusted,
        silent={feed: gaps.get(feed, until) for feed, until in trusted.items()},
    )


def _view_of_then(monitor: Monitor, connection: Connection, case: _Case, then: _Then) -> View:
    def speaks(kept: KeptClock) -> Verdict:
        clock = kept.clock
        duty = then.rulebook.duty(clock.key.rule, clock.rule_version)
        feeds = duty.rule.stop_feeds
        return verdict(clock, now=case.at, stop_feeds=feeds, trusted_until=then.silent)

    return replace(
        _view(monitor, connection, case),
        told_to=case.number,
        rulebook=then.rulebook,
        timeline=then.timeline,
        clocks=then.clocks,
        speaks=speaks,
        trusted=then.silent,
        silent=then.silent,
    )


def _view(monitor: Monitor, connection: Connection, case: _Case) -> View:
    """What both views share, with what is stored."""
    kept = case.kept
    approved = _approvals(connection, at=case.at)
    spoken_of = {id_ for each in kept for id_ in (each.id, *each.inherits)}
    return View(
        monitor=monitor,
        connection=connection,
        at=case.at,
        is_now=case.is_now,
        number=case.number,
        rulebook=monitor.rulebook,
        timeline=case.timeline,
        clocks=kept,
        speaks=lambda each: verdict(each.clock, now=case.at),
        trusted={},
        silent={},
        tolerances=intakes.tolerances(connection),
        said=alerts.said_about(connection, spoken_of),
        asked=actions_of(connection, kept),
        told_to=case.newest,
        sources={one.event: one for one in case.received},
        by_identity=_by_identity(case.received),
        approvals={(each.id, each.version): each for each in approved},
        first_approvals={each.id: each for each in reversed(approved)},
        past=PastRulebooks(connection, case.at),
    )


def _by_identity(received: Iterable[known.Received]) -> dict[Identity, list[known.Received]]:
    found: dict[Identity, list[known.Received]] = {}
    for one in received:
        found.setdefault((one.event.feed, one.event.identity), []).append(one)
    return found


def _approvals(connection: Connection, *, at: Instant) -> list[Approval]:
    """The approvals of rules by an instant, oldest first."""
    return [
        approval
        for approval in rulebooks.approvals(connection)
        if approval.kind is Kind.RULE and approval.approved_at <= at
    ]
