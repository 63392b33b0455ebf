"""Telling of an open clock: whom it was passed on to, what its ladder says, and in what words why.

What comes in: a clock that stands, its duty, what was said and asked of it, and the circumstances.
What goes out: a decision. It does not care about clocks that are closed, nor about taking back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from monitor.clocks.agenda import FIRST_LATE, Step, after_hold, next_step_at
from monitor.escalate.orders import PASSED, ActionKind, Orders, Pass
from monitor.escalate.roster import Nobody, Reach, Reached, Roster, WaitUntil, Whereabouts
from monitor.escalate.waiting import FeedHeard, Waiting, any_above, waiting_for_feed
from monitor.model import (
    DAY,
    MINUTE,
    Action,
    Alert,
    AlertKind,
    Duration,
    Instant,
    KeptClock,
    SaidAlert,
)
from monitor.rulebook.book import Duty, Rulebook
from monitor.rulebook.language import HOLDER

SLOW_TO_TELL: Final[Duration] = 5 * MINUTE
"""A step told later than this says why."""

FORGET_UNSAID_AFTER: Final[Duration] = 15 * DAY
"""What goes with the next mail to somebody is no news to a reader who gets none for two weeks."""

# What an alert's reason may say beside what it is; a mail finds its sentences by these.
UNCONFIRMED: Final = "unconfirmed"
LEARNT_LATE: Final = "learnt after it was due"
CLAIM_LAPSED: Final = "a claim was not confirmed"
WAITED_FOR_DUTY: Final = "waited for duty hours"
WAS_DEFERRED: Final = "was deferred"
TOLD_LATE: Final = "told later than planned"
WAS_TAKEN: Final = "was taken"
WAS_SILENCED: Final = "was silenced"
PASSED_ON: Final = "passed on"


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
    asked: Mapping[int, Sequence[Action]] = field(default_factory=dict)
    """Clock → what people did about it, its case or its rule."""
    _reached: dict[tuple[str, Whereabouts, bool], Reach] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def reach(self, role: str, place: Whereabouts, *, wakes: bool) -> Reach:
        """Who is told for a role now: the same for every clock of a place."""
        known = self._reached.get((role, place, wakes))
        if known is None:
            known = self.roster.reach(role, place, at=self.now, wakes=wakes)
            self._reached[role, place, wakes] = known
        return known


class Telling(NamedTuple):
    """An open clock, and all that its telling rests on."""

    kept: KeptClock
    duty: Duty
    said: Sequence[SaidAlert]
    """About it and those whose place it took, oldest first."""
    asked: Orders
    circumstances: Circumstances
    steps: tuple[Step, ...]
    """Its ladder."""

    @property
    def now(self) -> Instant:
        """The instant of the decision."""
        return self.circumstances.now

    @property
    def is_overdue(self) -> bool:
        """Whether due has passed."""
        due = self.kept.clock.due_at
        return due is not None and self.now > due

    def reach(self, role: str, place: Whereabouts, *, at: Instant) -> Reach:
        """Who is told for a role at an instant."""
        wakes, circumstances = self.duty.rule.wakes, self.circumstances
        if at == circumstances.now:
            return circumstances.reach(role, place, wakes=wakes)
        return circumstances.roster.reach(role, place, at=at, wakes=wakes)

    def role_and_place(self, role: str) -> tuple[str, Whereabouts]:
        """The role that a step means, and where.

        The holder is whoever it was passed on to, else the place that follows its last completed
        stage.
        """
        if role != HOLDER:
            return role, _place(self.kept)
        if passed := self.asked.holder(self.kept):
            return passed.to_role, _place(self.kept, passed.to_district)
        stage = self.kept.clock.stage
        return self.circumstances.rulebook.vocabulary.holder(stage), _place(self.kept)


class _Told(NamedTuple):
    """What is told now, how far that brings the ladder, and when to look again."""

    alerts: Mapping[str, Alert]
    """By address."""
    steps_done: int
    at: Instant | None
    waits_for: str
    why: str


def tell(telling: Telling) -> Decision:
    """What is owed of an open clock: to whom it was passed on, and what its ladder says."""
    passed = _passed_on(telling)
    kept = telling.kept
    if passed.steps_done != kept.steps_done:
        kept = replace(kept, steps_done=passed.steps_done)
    rest = telling.asked.resting(telling.now)
    if rest is not None:
        told = _Told({}, kept.steps_done, rest.until_at, "", f"{rest.action.kind}: it rests")
    else:
        told = _climb(telling if kept is telling.kept else telling._replace(kept=kept))
    by_address = {**told.alerts, **{alert.recipient: alert for alert in passed.alerts}}
    beside = [alert for alert in passed.alerts if by_address[alert.recipient] is not alert]
    at = min((each for each in (told.at, passed.wait_until) if each is not None), default=None)
    return Decision(
        clock=replace(
            kept,
            steps_done=told.steps_done,
            waits_for=told.waits_for if told.at == at else "",
            next_action_at=at,
        ),
        alerts=(*_only_highest(telling, by_address), *beside),
        why=PASSED_ON if passed.alerts else told.why,
    )


def _only_highest(telling: Telling, alerts: Mapping[str, Alert]) -> list[Alert]:
    """A person who is told that it is overdue need not be warned as well."""
    needless = AlertKind.WARNING if telling.is_overdue else None
    return [alert for alert in alerts.values() if alert.kind is not needless]


# -- the ladder -------------------------------------------------------------------------------


def _climb(telling: Telling) -> _Told:
    """The steps whose time has come, and when the next one does."""
    kept, duty, now, steps = telling.kept, telling.duty, telling.now, telling.steps
    due = _steps_due(kept, steps, now=now)
    waiting = waiting_for_feed(kept, duty, due, telling.circumstances.feeds, now=now)
    if waiting is not None:
        due = waiting.before
    alerts: dict[str, Alert] = {}
    decided = kept.steps_done
    for position, step in due:
        if step.kind is AlertKind.WARNING and telling.is_overdue:
            decided = position + 1  # it is overdue: nobody need be warned, nor waited for
            continue
        outcome = _alerts_of(telling, step, waiting)
        if isinstance(outcome, WaitUntil):
            look_at = _looked_at(telling, step, outcome.instant)
            return _Told(alerts, decided, look_at, "", "waits for duty hours")
        if step.kind is AlertKind.OVERDUE and not any_above(steps[:decided]):
            alerts |= {alert.recipient: alert for alert in _told_again(telling, step)}
        alerts |= {alert.recipient or step.rung: alert for alert in outcome}
        decided = position + 1
    if waiting is not None and waiting.until is not None:
        feed = waiting.feed
        return _Told(alerts, decided, waiting.until, feed, f"waits for {feed}")
    at = next_step_at(kept.clock, steps, decided)
    return _Told(alerts, decided, at, "", "told" if alerts else "nothing due")


def _looked_at(telling: Telling, step: Step, on_duty_at: Instant) -> Instant:
    """When a step that waits for duty hours is looked at: a warning not after it is overdue."""
    due = telling.kept.clock.due_at
    if step.kind is not AlertKind.WARNING or due is None:
        return on_duty_at
    return max(min(on_duty_at, after_hold(telling.kept.clock, due + FIRST_LATE)), telling.now + 1)


def _steps_due(kept: KeptClock, steps: Sequence[Step], *, now: Instant) -> list[tuple[int, Step]]:
    """(place, step) of what has come due and was not decided."""
    return [
        (position, step)
        for position, step in enumerate(steps)
        if position >= kept.steps_done
        and step.at is not None
        and after_hold(kept.clock, step.at) <= now
    ]


def _told_again(telling: Telling, step: Step) -> list[Alert]:
    """To all from whom an alert was withdrawn on the strength of a claim that then lapsed."""
    kept, now = telling.kept, telling.now
    if not _claim_lapsed(kept, now=now):
        return []
    withdrawn = [
        told.alert
        for told in telling.said
        if told.alert.kind is AlertKind.WITHDRAWAL and told.alert.episode == kept.episode - 1
    ]
    reason = f"overdue; {CLAIM_LAPSED}"
    return [
        _alert(kept, step, told.recipient, told.role, told.role, reason, now=now)
        for told in withdrawn
    ]


def _claim_lapsed(kept: KeptClock, *, now: Instant) -> bool:
    return kept.clock.confirm_by is not None and now > kept.clock.confirm_by


def _alerts_of(telling: Telling, step: Step, waiting: Waiting | None) -> list[Alert] | WaitUntil:
    """The alerts of one step, or until when it waits for duty hours."""
    role, place = telling.role_and_place(step.role)
    reach = telling.reach(role, place, at=telling.now)
    if isinstance(reach, WaitUntil):
        return reach
    reason = _reason(telling, step, waiting, role, place)
    return _alerts_to(telling, step, role, place, reach, reason)


def _alerts_to(
    telling: Telling, step: Step, role: str, place: Whereabouts, reach: Reach, reason: str
) -> list[Alert]:
    """One alert; or where nobody can be told, that fact and the fallback's."""
    kept, now = telling.kept, telling.now
    if isinstance(reach, Reached):
        told = f"{reason}; {reach.why}" if reach.why else reason
        return [_alert(kept, step, reach.address, reach.role, role, told, now=now)]
    assert isinstance(reach, Nobody)
    nobody = _alert(kept, step, "", role, role, reach.why, now=now)
    instead = telling.circumstances.roster.fallback(place, at=now)
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


def _place(kept: KeptClock, district: str = "") -> Whereabouts:
    """Where a case is, or where it was passed on to."""
    clock = kept.clock
    if district:
        return Whereabouts(district, "", clock.restricted)
    return Whereabouts(clock.district, clock.unit, clock.restricted)


# -- passing on -------------------------------------------------------------------------------


class _PassedOn(NamedTuple):
    """To whom it goes on."""

    alerts: list[Alert]
    steps_done: int
    wait_until: Instant | None
    """When whoever it was passed on to is on duty; the ladder goes on meanwhile."""


def _passed_on(telling: Telling) -> _PassedOn:
    """What is owed to those to whom people passed a clock on, and how far that brings its ladder.

    A pass waits for no feed and for no rest: somebody has just said that the case is not theirs.
    """
    alerts: list[Alert] = []
    waits: list[Instant] = []
    decided = telling.kept.steps_done
    for passed in telling.asked.to_tell(telling.said) if telling.steps else ():
        role, place, then = _next_holder(telling, passed, decided)
        reach = telling.reach(role, place, at=telling.now)
        if isinstance(reach, WaitUntil):
            waits.append(reach.instant)
            continue
        decided = then
        kind = AlertKind.OVERDUE if telling.is_overdue else AlertKind.WARNING
        step = Step(passed.action.from_at, PASSED, passed.action.number, role, kind)
        reason = f"{'overdue' if telling.is_overdue else 'due soon'}; {PASSED_ON}"
        alerts += _alerts_to(telling, step, role, place, reach, reason)
    return _PassedOn(alerts, decided, min(waits, default=None))


def _next_holder(telling: Telling, passed: Pass, decided: int) -> tuple[str, Whereabouts, int]:
    """(role, place, how many steps are then decided) of a pass.

    Where it names nobody: the next step above due whose role is not that of who passed it on, told
    before its time; after the last one, the fallback.
    """
    place = _place(telling.kept, passed.to_district)
    if passed.to_role:
        return passed.to_role, place, decided
    passer = passed.action.on_behalf_of.rpartition(" ")[2]
    for position, step in enumerate(telling.steps):
        if position < decided or step.at is None or step.kind is not AlertKind.OVERDUE:
            continue
        role, at_place = telling.role_and_place(step.role)
        if role != passer:
            return role, at_place, position + 1 if telling.is_overdue else decided
    return telling.circumstances.roster.file.fallback, place, decided


# -- in words ---------------------------------------------------------------------------------


def _reason(
    telling: Telling, step: Step, waiting: Waiting | None, role: str, place: Whereabouts
) -> str:
    """Why this is told, and why now, in a few words."""
    if step.kind is AlertKind.CANNOT_ROUTE:
        return "cannot route"
    if step.kind is AlertKind.WARNING:
        return "due soon"
    clock = telling.kept.clock
    said = ["overdue"]
    if waiting is not None:
        said.append(f"{UNCONFIRMED}: {waiting.feed} not heard since due")
    if _claim_lapsed(telling.kept, now=telling.now):
        said.append(CLAIM_LAPSED)
    elif clock.due_at is not None and clock.known_at > clock.due_at:
        said.append(LEARNT_LATE)
    late = _why_late(telling, step, role, place, is_explained=len(said) > 1)
    if late in (WAS_TAKEN, WAS_SILENCED) or waiting is None:
        said += [late] if late else []
    return "; ".join(said)


def _why_late(
    telling: Telling, step: Step, role: str, place: Whereabouts, *, is_explained: bool
) -> str:
    """Why a step is told later than its time; empty where it is not, or was said already."""
    assert step.at is not None
    now = telling.now
    if rest := telling.asked.rested(step.at, now=now):
        return WAS_TAKEN if rest.action.kind == ActionKind.TAKE else WAS_SILENCED
    if step.repeat or now - step.at <= SLOW_TO_TELL:
        return ""
    if after_hold(telling.kept.clock, step.at) > step.at:
        return WAS_DEFERRED
    if isinstance(telling.reach(role, place, at=step.at), WaitUntil):
        return WAITED_FOR_DUTY
    is_slow = now - step.at > _lag(telling) + SLOW_TO_TELL
    return TOLD_LATE if is_slow and not is_explained else ""


def _lag(telling: Telling) -> Duration:
    """How long a telling may wait for the feeds of its stop, and be no later than planned."""
    feeds = telling.circumstances.feeds
    heard = (feeds.get(feed) for feed in telling.duty.rule.stop_feeds)
    return max((feed.lag for feed in heard if feed is not None), default=0)
