"""Which alerts a clock owes now, and to whom; and which are to be taken back.

What comes in: a stored clock, what was said about it, what people asked, who can be reached, which
feeds were heard, and now. What goes out: a decision. It does not care how alerts are kept or
mailed.

A clock's decision, in this order:
1. a clock that is closed, or has left its rule, says nothing more; what was said of it as overdue
   and was not true is withdrawn, from everybody who was told; what was true and ended late is
   told in the next mail to each of them;
2. so is what was said of a clock that turns out not to be due yet, and a new episode begins;
3. a warning that lies ahead again begins a new episode, and so does an alert that dropped out
   because the clock was put right, where it was not;
4. where somebody ended its telling, nothing more is said; where somebody passed it on, that
   person is told; while somebody has taken or silenced it, all steps rest, and when the rest is
   over, those missed are told as if they came then;
5. steps whose time has come are told: each person once, at the highest of those that person holds;
6. the first step above due waits for the feeds that would show a stop, as long as they may be late;
7. a claim that was not confirmed in time is told to all from whom the alert was withdrawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.clocks.agenda import Step, agenda_again, next_step_at
from monitor.clocks.verdicts import is_closed, verdict
from monitor.escalate.orders import orders
from monitor.escalate.telling import Circumstances, Decision, Telling, tell
from monitor.escalate.waiting import FeedHeard, any_above
from monitor.model import Alert, AlertKind, Instant, KeptClock, SaidAlert, Verdict
from monitor.rulebook.book import Duty

NOT_YET_DUE = frozenset({Verdict.RUNNING, Verdict.DUE_SOON})
IN_TIME_OR_NOT_OWED = frozenset({Verdict.MET, Verdict.EXEMPT, Verdict.VOID, Verdict.SUPERSEDED})
CLOSED = IN_TIME_OR_NOT_OWED | {Verdict.LATE}


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
    return [alert.id for alert in told if _is_needless(alert.alert.kind, says)]


def _is_needless(kind: AlertKind, says: Verdict) -> bool:
    if kind is AlertKind.STOPPED_LATE:
        return says is not Verdict.LATE
    return says in CLOSED or (says in NOT_YET_DUE and kind is AlertKind.OVERDUE)


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
    steps = agenda_again(kept.clock, duty)
    decided = steps[: kept.steps_done]
    if says in NOT_YET_DUE and any_above(decided):
        return Decision(
            clock=_next_episode(kept, duty),
            alerts=tuple(_withdrawals(kept, told_as_overdue(said), says, now=now)),
            why="its time moved ahead",
        )
    if (
        _warns_again(decided, now=now)
        or _was_cancelled(kept, said, AlertKind.OVERDUE)
        or _was_told_to_be_over(kept, said)
    ):
        kept = replace(kept, episode=kept.episode + 1, steps_done=0)
    asked = orders(kept, circumstances.asked.get(kept.id, ()), said)
    if asked.closed is not None:
        return Decision(clock=_resting(kept), why="somebody ended its telling")
    return tell(Telling(kept, duty, said, asked, circumstances, steps))


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
    alerts = _withdrawals(kept, false, says, now=now)
    rested = _resting(kept)
    if alerts or _was_cancelled(kept, said, AlertKind.WARNING, AlertKind.OVERDUE):
        rested = replace(rested, episode=kept.episode + 1, steps_done=0)
    if kept.clock.confirm_by is not None and says is Verdict.MET:
        rested = replace(rested, next_action_at=kept.clock.confirm_by + 1)
    if says is Verdict.LATE:
        alerts += _ended_late(kept, said, now=now)
    return Decision(clock=rested, alerts=tuple(alerts), why=f"it is {says}")


def _ended_late(kept: KeptClock, said: Sequence[SaidAlert], *, now: Instant) -> list[Alert]:
    """For every address that was told in this episode: that it is over, in that reader's next mail.

    It makes no mail of its own.
    """
    here = [told for told in said if told.alert.episode == kept.episode]
    over = [told for told in here if told.alert.kind is AlertKind.STOPPED_LATE]
    know = {told.alert.recipient for told in over if told.state != "cancelled"}
    last_to = {told.alert.recipient: told.alert for told in told_as_overdue(here)}
    return [
        Alert(
            clock_id=kept.id,
            episode=kept.episode,
            rung="ended late",
            repeat=sum(told.alert.recipient == address for told in over),
            recipient=address,
            kind=AlertKind.STOPPED_LATE,
            role=alert.role,
            asked_role=alert.asked_role,
            reason="ended late",
            rung_at=alert.rung_at,
            decided_at=now,
        )
        for address, alert in last_to.items()
        if address and address not in know
    ]


def _was_told_to_be_over(kept: KeptClock, said: Sequence[SaidAlert]) -> bool:
    """Whether somebody has read in this episode that it ended, and it has not."""
    return any(
        told.attempted
        for told in said
        if told.alert.kind is AlertKind.STOPPED_LATE and told.alert.episode == kept.episode
    )


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
    return replace(
        fresh, next_action_at=next_step_at(fresh.clock, agenda_again(fresh.clock, duty), 0)
    )


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


__all__ = ["Circumstances", "Decision", "FeedHeard", "decide", "told_as_overdue", "unsaid"]
