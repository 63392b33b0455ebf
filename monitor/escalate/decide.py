"""Which alerts a clock owes now, and to whom; and which are to be taken back.

What comes in: a stored clock, what was said about it, who can be reached, which feeds were heard,
and now. What goes out: a decision. It does not care how alerts are kept or mailed.

A clock's decision, in this order:
1. a clock that is closed, or has left its rule, says nothing more; what was said of it as overdue
   and was not true is withdrawn, from everybody who was told;
2. so is what was said of a clock that turns out not to be due yet, and a new episode begins;
3. a warning that lies ahead again begins a new episode, and so does an alert that dropped out
   because the clock was put right, where it was not;
4. steps whose time has come are told: each person once, at the highest of those that person holds;
5. the first step above due waits for the feeds that would show a stop, as long as they may be late;
6. a claim that was not confirmed in time is told to all from whom the alert was withdrawn.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from monitor.clocks.agenda import Step, after_hold, agenda, next_step_at
from monitor.clocks.verdicts import is_closed, verdict
from monitor.escalate.roster import Nobody, Reached, Roster, WaitUntil, Whereabouts
from monitor.model import (
    HOUR,
    MINUTE,
    Alert,
    AlertKind,
    Duration,
    Instant,
    KeptClock,
    SaidAlert,
    Verdict,
)
from monitor.rulebook.book import Duty, Rulebook
from monitor.rulebook.language import HOLDER

HIGHER_RUNGS_WAIT_AT_MOST: Final[Duration] = 6 * HOUR
"""How long past due the rungs above the first wait for a silent feed: by then it is safer to tell
more people of something unconfirmed than to keep quiet."""

SLOW_TO_TELL: Final[Duration] = 5 * MINUTE
"""A step told later than this says why."""

# What an alert's reason may say beside what it is; a mail finds its sentences by these.
UNCONFIRMED: Final = "unconfirmed"
LEARNT_LATE: Final = "learnt after it was due"
CLAIM_LAPSED: Final = "a claim was not confirmed"
WAITED_FOR_DUTY: Final = "waited for duty hours"
WAS_DEFERRED: Final = "was deferred"
TOLD_LATE: Final = "told later than planned"

NOT_YET_DUE = frozenset({Verdict.RUNNING, Verdict.DUE_SOON})
IN_TIME_OR_NOT_OWED = frozenset({Verdict.MET, Verdict.EXEMPT, Verdict.VOID, Verdict.SUPERSEDED})
CLOSED = IN_TIME_OR_NOT_OWED | {Verdict.LATE}


class FeedHeard(NamedTuple):
    """What matters of a feed when its silence is to be read."""

    last_heard_at: Instant | None
    lag: Duration
    """How much later than the fact the feed may tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows for one clock."""

    clock: KeptClock
    alerts: tuple[Alert, ...] = ()
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a decision about any clock of this sweep rests on."""

    rulebook: Rulebook
    roster: Roster
    feeds: Mapping[str, FeedHeard]
    now: Instant


def unsaid(kept: KeptClock, said: Sequence[SaidAlert], *, now: Instant) -> list[int]:
    """Alerts about this very clock that were decided and that nobody needs any more.

    Those of a clock whose place another took are told of that one: ask for no such clock.
    """
    says = verdict(kept.clock, now=now)
    told = [
        alert
        for alert in said
        if alert.alert.clock_id == kept.id
        and alert.alert.kind is not AlertKind.WITHDRAWAL
        and alert.state != "cancelled"
    ]
    if says in CLOSED:
        return [alert.id for alert in told]
    if says in NOT_YET_DUE:
        return [alert.id for alert in told if alert.alert.kind is AlertKind.OVERDUE]
    return []


def decide(
    kept: KeptClock,
    said: Sequence[SaidAlert],
    *,
    has_successor: bool,
    circumstances: Circumstances,
) -> Decision:
    """The decision for one clock.

    `said`: about it and the clocks whose place it took, oldest first, after what `unsaid` names was
    cancelled where nobody had been told yet. `has_successor`: another clock took its place, and
    what was said of this one with it.
    """
    now = circumstances.now
    duty = circumstances.rulebook.duty(kept.clock.key.rule, kept.clock.rule_version)
    says = verdict(kept.clock, now=now)
    if says in CLOSED:
        false = [] if has_successor or says is Verdict.LATE else told_as_overdue(said)
        return _closed(kept, said, false, says, now=now)
    if kept.clock.regraded_at is not None:
        return Decision(clock=_resting(kept), why="the case has left the rule")
    if is_closed(kept.clock):
        return Decision(clock=_until_its_end(kept, now=now), why="its end lies ahead")
    decided = agenda(kept.clock, duty)[: kept.steps_done]
    if says in NOT_YET_DUE and _any_above(decided):
        return Decision(
            clock=_next_episode(kept, duty),
            alerts=tuple(_withdrawals(kept, told_as_overdue(said), says, now=now)),
            why="its time moved ahead",
        )
    if _warns_again(decided, now=now) or _was_cancelled(kept, said, AlertKind.OVERDUE):
        kept = replace(kept, episode=kept.episode + 1, steps_done=0)
    return _tell(kept, duty, said, circumstances)


def told_as_overdue(said: Sequence[SaidAlert]) -> list[SaidAlert]:
    """Alerts that said a clock is overdue, that somebody may have read, and that stand.

    `said`: oldest first. A warning said nothing that can turn out false. Whoever got a withdrawal
    after an alert holds it no more, whichever clock either was about.
    """
    standing: list[SaidAlert] = []
    for told in said:
        if told.alert.kind is AlertKind.WITHDRAWAL:
            standing = [one for one in standing if one.alert.recipient != told.alert.recipient]
        elif told.alert.kind is AlertKind.OVERDUE and told.attempted:
            standing.append(told)
    return standing


def _any_above(decided: Sequence[Step]) -> bool:
    """Whether a step above due is among those decided."""
    return any(step.kind is AlertKind.OVERDUE and step.at is not None for step in decided)


# -- 1, 2: taking back ------------------------------------------------------------------------


def _closed(
    kept: KeptClock,
    said: Sequence[SaidAlert],
    false: Sequence[SaidAlert],
    says: Verdict,
    *,
    now: Instant,
) -> Decision:
    """A clock that some fact ended: what was said falsely is withdrawn, and it rests.

    Where something was taken back or never sent, a new episode begins: if the clock opens again,
    whoever was to be told is told then.
    """
    alerts = tuple(_withdrawals(kept, false, says, now=now))
    rested = _resting(kept)
    if alerts or _was_cancelled(kept, said, AlertKind.WARNING, AlertKind.OVERDUE):
        rested = replace(rested, episode=kept.episode + 1, steps_done=0)
    if kept.clock.confirm_by is not None and says is Verdict.MET:
        rested = replace(rested, next_action_at=kept.clock.confirm_by + 1)
    return Decision(clock=rested, alerts=alerts, why=f"it is {says}")


def _was_cancelled(kept: KeptClock, said: Sequence[SaidAlert], *kinds: AlertKind) -> bool:
    """Whether something decided in this episode was never sent to the person it was for."""
    return any(
        told.state == "cancelled" and told.alert.recipient and told.alert.kind in kinds
        for told in said
        if told.alert.episode == kept.episode
    )


def _withdrawals(
    kept: KeptClock, false: Sequence[SaidAlert], says: Verdict, *, now: Instant
) -> list[Alert]:
    """One for every address that was told, whoever holds the role now."""
    last_to = {told.alert.recipient: told.alert for told in false if told.alert.recipient}
    return [
        Alert(
            clock_id=kept.id,
            episode=kept.episode,
            rung="withdrawal",
            repeat=0,
            recipient=address,
            kind=AlertKind.WITHDRAWAL,
            role=alert.role,
            asked_role=alert.asked_role,
            reason=str(says),
            rung_at=alert.rung_at,
            decided_at=now,
        )
        for address, alert in last_to.items()
    ]


def _next_episode(kept: KeptClock, duty: Duty) -> KeptClock:
    fresh = replace(kept, episode=kept.episode + 1, steps_done=0, waits_for="")
    return replace(fresh, next_action_at=next_step_at(fresh.clock, agenda(fresh.clock, duty), 0))


def _until_its_end(kept: KeptClock, *, now: Instant) -> KeptClock:
    """A clock that a fact ends of which the latest reading lies ahead: it is looked at then."""
    clock = kept.clock
    ends = (clock.stopped_at, clock.exempt_at, clock.void_at, clock.superseded_at)
    ahead = min(at for at in ends if at is not None and at > now)
    return replace(_resting(kept), next_action_at=ahead)


def _resting(kept: KeptClock) -> KeptClock:
    return replace(kept, next_action_at=None, waits_for="")


# -- 3: warning again -------------------------------------------------------------------------


def _warns_again(decided: Sequence[Step], *, now: Instant) -> bool:
    """Whether a warning was decided whose instant lies ahead again."""
    return any(
        step.kind is AlertKind.WARNING and step.at is not None and step.at > now for step in decided
    )


# -- 4, 5: telling ----------------------------------------------------------------------------


def _tell(
    kept: KeptClock, duty: Duty, said: Sequence[SaidAlert], circumstances: Circumstances
) -> Decision:
    now = circumstances.now
    steps = agenda(kept.clock, duty)
    due = _steps_due(kept, steps, now=now)
    waiting = _waiting_for_feed(kept, duty, due, circumstances)
    if waiting is not None:
        due = waiting.before
    alerts: dict[str, Alert] = {}
    decided, wait_until = kept.steps_done, None
    for position, step in due:
        outcome = _alert_for(kept, duty, step, waiting, circumstances)
        if isinstance(outcome, WaitUntil):
            wait_until = outcome.instant
            break
        if step.kind is AlertKind.OVERDUE and not _any_above(steps[:decided]):
            alerts |= {alert.recipient: alert for alert in _told_again(kept, step, said, now=now)}
        alerts |= {alert.recipient or step.rung: alert for alert in outcome}
        decided = position + 1
    moved = replace(kept, steps_done=decided, waits_for="")
    at = next_step_at(moved.clock, steps, decided)
    if wait_until is not None:
        at, why = wait_until, "waits for duty hours"
    elif waiting is not None and waiting.until is not None:
        moved, at = replace(moved, waits_for=waiting.feed), waiting.until
        why = f"waits for {waiting.feed}"
    else:
        why = "told" if alerts else "nothing due"
    return Decision(
        clock=replace(moved, next_action_at=at),
        alerts=tuple(_only_highest(alerts, kept, now=now)),
        why=why,
    )


def _told_again(
    kept: KeptClock, step: Step, said: Sequence[SaidAlert], *, now: Instant
) -> list[Alert]:
    """To all from whom an alert was withdrawn on the strength of a claim that then lapsed."""
    if not _claim_lapsed(kept, now=now):
        return []
    withdrawn = [
        told.alert
        for told in said
        if told.alert.kind is AlertKind.WITHDRAWAL and told.alert.episode == kept.episode - 1
    ]
    reason = f"overdue; {CLAIM_LAPSED}"
    return [
        _alert(kept, step, told.recipient, told.role, told.role, reason, now=now)
        for told in withdrawn
    ]


def _claim_lapsed(kept: KeptClock, *, now: Instant) -> bool:
    return kept.clock.confirm_by is not None and now > kept.clock.confirm_by


def _steps_due(kept: KeptClock, steps: Sequence[Step], *, now: Instant) -> list[tuple[int, Step]]:
    """(place, step) of what has come due and was not decided."""
    return [
        (position, step)
        for position, step in enumerate(steps)
        if position >= kept.steps_done
        and step.at is not None
        and after_hold(kept.clock, step.at) <= now
    ]


class _Waiting(NamedTuple):
    """What waits for a feed that has not been heard past due."""

    feed: str
    before: list[tuple[int, Step]]
    """Steps that need not wait."""
    until: Instant | None
    """Until when the others wait; None: no longer, they go out unconfirmed."""


def _waiting_for_feed(
    kept: KeptClock,
    duty: Duty,
    due: Sequence[tuple[int, Step]],
    circumstances: Circumstances,
) -> _Waiting | None:
    """Whether a stop may have happened that a feed had no time to tell.

    The first step above due waits as long as the feed may be late, and then goes out unconfirmed;
    the higher ones wait longer, because they reach more people. A clock learnt of after due waits
    for its feeds to be heard after that: while a history is read, what stopped it may come next.
    """
    above = [position for position, step in due if step.kind is AlertKind.OVERDUE]
    if kept.clock.due_at is None or not above:
        return None
    silent_from = max(kept.clock.due_at, kept.clock.confirm_by or 0)
    unheard = _unheard(duty.rule.stop_feeds, silent_from, kept.clock.known_at, circumstances.feeds)
    if not unheard:
        return None
    silent_from = max(silent_from, kept.clock.known_at)
    first_at = silent_from + max(circumstances.feeds[feed].lag for feed in unheard)
    higher_at = max(first_at, silent_from + HIGHER_RUNGS_WAIT_AT_MOST)
    if circumstances.now >= higher_at:
        return _Waiting(unheard[0], list(due), None)
    if _any_above(agenda(kept.clock, duty)[: kept.steps_done]):
        return _Waiting(unheard[0], [], higher_at)
    if circumstances.now < first_at:
        before = [(position, step) for position, step in due if position < above[0]]
        return _Waiting(unheard[0], before, first_at)
    up_to_first = [(position, step) for position, step in due if position <= above[0]]
    return _Waiting(unheard[0], up_to_first, higher_at if len(up_to_first) < len(due) else None)


def _unheard(
    stop_feeds: Collection[str],
    due_at: Instant,
    known_at: Instant,
    feeds: Mapping[str, FeedHeard],
) -> list[str]:
    """Feeds that could show a stop and were not heard since due, or since the clock was known.

    A feed unknown here is no reason to wait.
    """
    known = [(name, feeds[name]) for name in stop_feeds if name in feeds]
    return [
        name
        for name, feed in known
        if feed.lag
        and (
            feed.last_heard_at is None
            or feed.last_heard_at <= due_at
            or feed.last_heard_at < known_at
        )
    ]


def _alert_for(
    kept: KeptClock,
    duty: Duty,
    step: Step,
    waiting: _Waiting | None,
    circumstances: Circumstances,
) -> list[Alert] | WaitUntil:
    """The alerts of one step: one, or where nobody can be told that fact and the fallback's."""
    roster, now = circumstances.roster, circumstances.now
    clock = kept.clock
    place = Whereabouts(clock.district, clock.unit, clock.restricted)
    role = _holder(kept, circumstances) if step.role == HOLDER else step.role
    reach = roster.reach(role, place, at=now, wakes=duty.rule.wakes)
    if isinstance(reach, WaitUntil):
        return reach
    reason = _reason(kept, step, role, place, duty, waiting, circumstances)
    if isinstance(reach, Reached):
        told = f"{reason}; {reach.why}" if reach.why else reason
        return [_alert(kept, step, reach.address, reach.role, role, told, now=now)]
    nobody = _alert(kept, step, "", role, role, reach.why, now=now)
    instead = roster.fallback(place, at=now)
    if isinstance(instead, Reached):
        told = f"{reason}; {reach.why}"
        return [nobody, _alert(kept, step, instead.address, instead.role, role, told, now=now)]
    return [nobody]


def _alert(
    kept: KeptClock,
    step: Step,
    address: str,
    role: str,
    asked_role: str,
    reason: str,
    *,
    now: Instant,
) -> Alert:
    assert step.at is not None
    return Alert(
        clock_id=kept.id,
        episode=kept.episode,
        rung=step.rung,
        repeat=step.repeat,
        recipient=address,
        kind=step.kind,
        role=role,
        asked_role=asked_role,
        reason=reason,
        rung_at=step.at,
        decided_at=now,
    )


def _holder(kept: KeptClock, circumstances: Circumstances) -> str:
    """Whoever has the case: the place that follows its last completed stage."""
    stages = circumstances.rulebook.vocabulary.stages
    for stage in stages:
        if stage.kind == kept.clock.stage:
            return stage.holder
    return stages[0].holder


def _reason(
    kept: KeptClock,
    step: Step,
    role: str,
    place: Whereabouts,
    duty: Duty,
    waiting: _Waiting | None,
    circumstances: Circumstances,
) -> str:
    """Why this is told, and why now, in a few words."""
    clock, now = kept.clock, circumstances.now
    if step.kind is AlertKind.CANNOT_ROUTE:
        return "cannot route"
    if step.kind is AlertKind.WARNING:
        return "due soon"
    said = ["overdue"]
    if waiting is not None:
        said.append(f"{UNCONFIRMED}: {waiting.feed} not heard since due")
    if _claim_lapsed(kept, now=now):
        said.append(CLAIM_LAPSED)
    elif clock.due_at is not None and clock.known_at > clock.due_at:
        said.append(LEARNT_LATE)
    assert step.at is not None
    if step.repeat == 0 and now - step.at > SLOW_TO_TELL and waiting is None:
        off_duty = circumstances.roster.reach(role, place, at=step.at, wakes=duty.rule.wakes)
        if after_hold(clock, step.at) > step.at:
            said.append(WAS_DEFERRED)
        elif isinstance(off_duty, WaitUntil):
            said.append(WAITED_FOR_DUTY)
        elif len(said) == 1 and now - step.at > _lag(duty, circumstances) + SLOW_TO_TELL:
            said.append(TOLD_LATE)
    return "; ".join(said)


def _lag(duty: Duty, circumstances: Circumstances) -> Duration:
    """How long a telling may wait for the feeds of its stop, and be no later than planned."""
    heard = (circumstances.feeds.get(feed) for feed in duty.rule.stop_feeds)
    return max((feed.lag for feed in heard if feed is not None), default=0)


def _only_highest(alerts: Mapping[str, Alert], kept: KeptClock, *, now: Instant) -> list[Alert]:
    """A person who is told that it is overdue need not be warned as well."""
    overdue = kept.clock.due_at is not None and now > kept.clock.due_at
    return [alert for alert in alerts.values() if not (overdue and alert.kind is AlertKind.WARNING)]


__all__ = [
    "Circumstances",
    "Decision",
    "FeedHeard",
    "Nobody",
    "decide",
    "told_as_overdue",
    "unsaid",
]
