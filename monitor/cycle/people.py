"""What people do about telling: take, pass on, silence, close; each is an action.

What comes in: an installation, what is meant, who asks and why. What goes out: numbered actions, or
a refusal in words. Nothing here touches measurement; a claim is confirmed by `confirming`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor import words
from monitor.clocks.verdicts import is_closed, verdict
from monitor.cycle.asked import (
    BY_REPLY,
    actions_of,
    concerned,
    is_hidden,
    reasons,
    standing,
    unknown,
)
from monitor.escalate.orders import (
    ActionKind,
    about_action,
    about_case,
    about_clock,
    about_rule,
    about_rule_of_case,
    orders,
)
from monitor.logs import get_logger
from monitor.model import DAY, HOUR, Action, Instant, KeptClock, Verdict
from monitor.rulebook.language import Alerts
from monitor.store import actions, cases, clocks
from monitor.store.engine import Connection, reading, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

log = get_logger("people")


class Refused(Exception):
    """It cannot be done; the words say why, and what is known instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One action about one clock."""

    number: int
    clock_id: int
    reference: str
    rule: str
    until: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What came of an act about several clocks: what was done, and in words what was not."""

    done: tuple[Done, ...]
    refused: tuple[str, ...]


# -- what is meant ----------------------------------------------------------------------------


def find_clocks(
    monitor: Monitor,
    reference: str,
    *,
    actor: str,
    rule: str = "",
    child: str = "",
    organisation: str = "",
) -> list[int]:
    """Ids of the standing clocks of a case that are meant. `child`: the beginning of its hash.

    Raises Refused where nothing is known of it, or nothing that this account may see.
    """
    with reading(monitor.engine) as connection:
        known = cases.standing_case_ids(connection, [reference])
        linked = cases.linked_case_ids(connection, known.values())
        kept = clocks.clocks_of(connection, linked) if known else []
    if not known or is_hidden(monitor, kept, actor=actor):
        raise Refused(unknown(reference))
    here = [each for each in kept if each.clock.superseded_at is None]
    if rule and rule not in {each.clock.key.rule for each in here}:
        others = words.listed(sorted({each.clock.key.rule for each in here})) or "none"
        raise Refused(f"rule {rule} has no clock of {reference}; those that have: {others}")
    meant = [
        each
        for each in here
        if rule in ("", each.clock.key.rule)
        and each.clock.key.child.startswith(child)
        and organisation in ("", each.clock.key.organisation)
    ]
    if not meant:
        raise Refused(f"no clock of {reference} fits; see: monitor explain {reference}")
    return [each.id for each in meant]


def role_meant(monitor: Monitor, said: str) -> tuple[str, str]:
    """(district, role) of a role or a post in words: `duty_inspector`, `east duty inspector`.

    Raises Refused with the roles there are.
    """
    file = monitor.roster.file
    named = {name: name for name in file.roles} | {r.title: name for name, r in file.roles.items()}
    if said in named:
        return "", named[said]
    district, _, role = said.partition(" ")
    if role in named and district in districts(monitor):
        return district, named[role]
    raise Refused(f"there is no role {said!r}; the roles are: {', '.join(sorted(file.roles))}")


def districts(monitor: Monitor) -> set[str]:
    """The districts that posts are of."""
    return {post.district for post in monitor.roster.file.posts if post.district}


# -- acts about clocks ------------------------------------------------------------------------


def take(
    monitor: Monitor,
    clock_ids: Collection[int],
    *,
    actor: str,
    reason_code: str,
    now: Instant,
    on_behalf_of: str = "",
    until: Instant | None = None,
) -> Recorded:
    """Somebody has overdue clocks in hand: reminders and further rungs rest, to everybody.

    `until`: an instant after now, by default settings' `people.take_hours` on. A clock that another
    took the place of since it was told of means that one. Raises Refused for a reason, role or time
    that cannot be; clocks that cannot be taken are in `refused`.
    """
    people = monitor.settings.people
    reason_code = checked_reason(monitor, ActionKind.TAKE, reason_code)
    by = checked_role(monitor, on_behalf_of)
    longest = now + int(people.take_at_most_hours * HOUR)
    ends = now + int(people.take_hours * HOUR) if until is None else until
    _check_end(monitor, ends, longest, "people.take_at_most_hours", now=now)
    return _each(
        monitor,
        clock_ids,
        Act(ActionKind.TAKE, actor, by, reason_code, now, ends),
        only_overdue=True,
    )


def pass_on(
    monitor: Monitor,
    clock_ids: Collection[int],
    *,
    actor: str,
    reason_code: str,
    now: Instant,
    to_role: str = "",
    on_behalf_of: str = "",
) -> Recorded:
    """Open clocks go on: to a role (`duty_inspector`, `west duty_inspector`), or to the next rung.

    Raises Refused for a reason or role that cannot be; clocks that cannot be passed on are in
    `refused`.
    """
    reason_code = checked_reason(monitor, ActionKind.PASS, reason_code)
    by = checked_role(monitor, on_behalf_of)
    district, role = role_meant(monitor, to_role) if to_role else ("", "")
    to = {name: value for name, value in (("to", role), ("district", district)) if value}
    act = Act(ActionKind.PASS, actor, by, reason_code, now, None, to)
    return _each(monitor, clock_ids, act, only_overdue=False)


def close(
    monitor: Monitor,
    clock_ids: Collection[int],
    *,
    actor: str,
    reason_code: str,
    now: Instant,
    on_behalf_of: str = "",
) -> Recorded:
    """The telling of overdue clocks ends for good; in every figure they stay what they are."""
    reason_code = checked_reason(monitor, ActionKind.CLOSE, reason_code)
    act = Act(ActionKind.CLOSE, actor, checked_role(monitor, on_behalf_of), reason_code, now, None)
    return _each(monitor, clock_ids, act, only_overdue=True)


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to each of several clocks."""

    kind: ActionKind
    actor: str
    by: str
    reason_code: str
    now: Instant
    until: Instant | None
    detail: dict[str, str] | None = None


def _each(
    monitor: Monitor, clock_ids: Collection[int], act: Act, *, only_overdue: bool
) -> Recorded:
    """Lock the clocks, judge each by what it says now, record, and have the sweep look at them."""
    done: list[Done] = []
    refused: list[str] = []
    with writing(monitor.engine) as connection:
        ids = standing(connection, clock_ids)
        meant = clocks.lock_clocks(connection, ids)
        references = cases.references_of(connection, {kept.case_id for kept in meant})
        asked = actions_of(connection, meant)
        for kept in meant:
            reference = references[kept.case_id]
            why = _why_not(monitor, kept, asked[kept.id], act, only_overdue=only_overdue)
            if why:
                refused.append(f"{reference}, {kept.clock.key.rule}: {why}")
            else:
                done.append(record(connection, kept, reference, act))
        clocks.look_again(connection, [each.clock_id for each in done], now=act.now)
    log.info("people_acted", kind=str(act.kind), done=len(done), refused=len(refused))
    return Recorded(done=tuple(done), refused=tuple(refused))


def _why_not(
    monitor: Monitor,
    kept: KeptClock,
    asked: Sequence[Action],
    act: Act,
    *,
    only_overdue: bool,
) -> str:
    """Why something cannot be done to a clock; empty where it can."""
    clock, now = kept.clock, act.now
    says = verdict(clock, now=now)
    if is_closed(clock) or says in (Verdict.MET, Verdict.LATE):
        return f"it is {says.replace('_', ' ')}: nobody is told of it any more"
    if only_overdue and says is not Verdict.OVERDUE:
        due = "" if clock.due_at is None else f" (due by {when(monitor, clock.due_at, now=now)})"
        return f"it is not overdue{due}: there is nothing to {act.kind}"
    if clock.regraded_at is not None:
        return "the case has left this rule: nobody is told of it any more"
    if closed := orders(kept, asked, ()).closed:
        return f"its telling was ended by action {closed.number}: monitor actions end"
    duty = monitor.rulebook.duty(clock.key.rule, clock.rule_version)
    if act.kind is ActionKind.PASS and (duty.ladder is None or duty.rule.alerts is not Alerts.ON):
        return f"this rule tells nobody (alerts: {duty.rule.alerts}), so it goes to nobody"
    return ""


def record(connection: Connection, kept: KeptClock, reference: str, act: Act) -> Done:
    """Keep what was done to one clock, for the telling that it is in."""
    detail = {"episode": str(kept.episode), **(act.detail or {})}
    number = actions.record_action(
        connection,
        kind=act.kind,
        target=about_clock(kept.id),
        actor=act.actor,
        now=act.now,
        on_behalf_of=act.by,
        reason_code=act.reason_code,
        until=act.until,
        detail=json.dumps(detail, sort_keys=True),
    )
    return Done(
        number=number,
        clock_id=kept.id,
        reference=reference,
        rule=kept.clock.key.rule,
        until=act.until,
    )


# -- silence ----------------------------------------------------------------------------------


def silence(
    monitor: Monitor,
    *,
    actor: str,
    reason_code: str,
    until: Instant,
    now: Instant,
    reference: str = "",
    rule: str = "",
    on_behalf_of: str = "",
) -> int:
    """Nobody is told of a case, a rule of a case, or a rule until an instant; measuring goes on.

    Returns the action's number. Raises Refused.
    """
    reason_code = checked_reason(monitor, ActionKind.SILENCE, reason_code)
    by = checked_role(monitor, on_behalf_of)
    longest = now + int(monitor.settings.people.silence_at_most_days * DAY)
    _check_end(monitor, until, longest, "people.silence_at_most_days", now=now)
    if rule and rule not in monitor.rulebook.duties:
        near = words.nearest(rule, monitor.rulebook.duties, list_all="monitor rules list")
        raise Refused(f"there is no rule {rule}; {near}")
    if reference:
        find_clocks(monitor, reference, actor=actor, rule=rule)
    elif not rule:
        raise Refused("say what is to be silent: a reference, --rule, or both")
    with writing(monitor.engine) as connection:
        number = actions.record_action(
            connection,
            kind=ActionKind.SILENCE,
            target=silence_target(reference, rule),
            actor=actor,
            now=now,
            on_behalf_of=by,
            reason_code=reason_code,
            until=until,
        )
    log.info("silenced", number=number)
    return number


def silence_target(reference: str, rule: str) -> str:
    """How a silence names what it is about."""
    if not reference:
        return about_rule(rule)
    return about_rule_of_case(reference, rule) if rule else about_case(reference)


def end(monitor: Monitor, number: int, *, actor: str, now: Instant, kind: str = "") -> Action:
    """Take back a take, a silence or a close, by its number; returns what was taken back.

    `kind`: it must be one of this kind. What was missed meanwhile is told now. Raises Refused.
    """
    with writing(monitor.engine) as connection:
        found = actions.action_by_number(connection, number)
        if found is None or found.kind not in _ENDABLE or kind not in ("", found.kind):
            what = kind or "take, silence or close"
            raise Refused(f"there is no {what} of number {number}: monitor actions list")
        if found.ended_at is not None or (found.until_at is not None and found.until_at <= now):
            raise Refused(f"{found.kind} {number} is over already")
        meant = concerned(connection, found)
        if is_hidden(monitor, meant, actor=actor):
            raise Refused(f"there is no {found.kind} of number {number}: monitor actions list")
        if found.kind != ActionKind.SILENCE:
            open_ones = [kept.id for kept in meant if not is_closed(kept.clock)]
            clocks.look_again(connection, open_ones, now=now)
        elif found.until_at is not None:
            clocks.wake_resting(connection, found.until_at, now=now)
        actions.record_action(
            connection, kind=actions.END, target=about_action(number), actor=actor, now=now
        )
    return found


_ENDABLE: Final = frozenset({ActionKind.TAKE, ActionKind.SILENCE, ActionKind.CLOSE})


# -- checks -----------------------------------------------------------------------------------


def checked_reason(monitor: Monitor, kind: ActionKind, code: str) -> str:
    """A reason code, if it is one of those for an act; raises Refused with those there are."""
    known = reasons(monitor, kind)
    if code == BY_REPLY or code in known:
        return code
    listed = ", ".join(sorted(known))
    if not listed:
        raise Refused(f"rules/vocabulary.yaml defines no action_reasons for {kind}: write them")
    raise Refused(f"there is no reason {code!r} to {kind}; the reasons are: {listed}")


def checked_role(monitor: Monitor, said: str) -> str:
    """A role, or a district and a role, as an action keeps it; raises Refused."""
    if not said:
        return ""
    return " ".join(part for part in role_meant(monitor, said) if part)


def _check_end(
    monitor: Monitor, until: Instant, longest: Instant, setting: str, *, now: Instant
) -> None:
    if until <= now:
        raise Refused("its end lies in the past: give an instant to come")
    if until > longest:
        latest = when(monitor, longest, now=now)
        raise Refused(f"the latest end is {latest} (setting {setting})")


def when(monitor: Monitor, instant: Instant, *, now: Instant) -> str:
    """An instant as people here are told it."""
    return words.when(instant, at=now, zone=monitor.zone)


__all__ = [
    "BY_REPLY",
    "Act",
    "Done",
    "Recorded",
    "Refused",
    "checked_reason",
    "checked_role",
    "close",
    "districts",
    "end",
    "find_clocks",
    "pass_on",
    "record",
    "role_meant",
    "silence",
    "silence_target",
    "take",
    "when",
]
