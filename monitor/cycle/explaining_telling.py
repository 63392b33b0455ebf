"""Explaining what was said of a clock: to whom, what people did about it, and what comes next.

What comes in: a clock and a view of its case. What goes out: lines of plain values. It does not
care what the clock measures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from monitor.clocks.agenda import after_hold, agenda
from monitor.clocks.verdicts import is_closed
from monitor.cycle.asked import reason_in_words, said_of_role
from monitor.cycle.explained import DoneLine, NextStep, ToldLine
from monitor.cycle.explaining_measure import concerns
from monitor.escalate.orders import orders
from monitor.model import Instant, KeptClock, SaidAlert
from monitor.rulebook.approval import APPROVE
from monitor.rulebook.language import HOLDER, Alerts

if TYPE_CHECKING:
    from monitor.cycle.explaining_view import View
    from monitor.model import Action
    from monitor.rulebook.book import Duty


def told_lines(view: View, kept: KeptClock) -> Iterator[ToldLine]:
    """What was decided to be told by an instant, and how far it had got."""
    ids = {kept.id, *kept.inherits}
    for said in view.said:
        alert = said.alert
        if alert.clock_id not in ids or alert.decided_at > view.at:
            continue
        sent_at = said.sent_at if said.sent_at is not None and said.sent_at <= view.at else None
        yield ToldLine(
            kind=alert.kind.value,
            role=alert.role,
            reason=alert.reason,
            decided_at=alert.decided_at,
            sent_at=sent_at,
            outcome=_outcome(view, said, sent_at),
        )


def _outcome(view: View, said: SaidAlert, sent_at: Instant | None) -> str:
    if sent_at is not None:
        return "sent"
    if not said.alert.recipient:
        return "nobody to tell"
    if not view.is_now or said.sent_at is not None:
        return "waiting"
    if said.state == "cancelled":
        return "cancelled"
    return "tried" if said.attempted else "waiting"


def done_lines(view: View, kept: KeptClock) -> Iterator[DoneLine]:
    """What people had done by an instant."""
    for action in view.asked.get(kept.id, ()):
        if action.number <= view.number and concerns(action, kept.clock.key):
            ended_at = action.ended_at
            yield DoneLine(
                number=action.number,
                kind=action.kind,
                by=said_of_role(view.monitor, action.on_behalf_of),
                reason_code=action.reason_code,
                reason=_why_done(view, action),
                from_at=action.from_at,
                until_at=action.until_at,
                ended_at=ended_at if ended_at is not None and ended_at <= view.at else None,
            )


def _why_done(view: View, action: Action) -> str:
    """For what reason; of an approval, which has none, which version was approved."""
    if action.kind == APPROVE:
        return f"version {json.loads(action.detail)['version']}"
    return reason_in_words(view.monitor, action.kind, action.reason_code)


def next_step(view: View, kept: KeptClock, duty: Duty) -> tuple[NextStep | None, str]:
    """What is told next, and to which role; or why nothing is."""
    clock = kept.clock
    done = [each for each in view.asked.get(kept.id, ()) if each.number <= view.number]
    said = [each for each in view.said if each.alert.clock_id in {kept.id, *kept.inherits}]
    asked = orders(kept, done, said)
    if is_closed(clock):
        return None, "nothing: this clock is closed"
    if duty.rule.alerts is not Alerts.ON:
        return None, f"nobody is told by this rule{_why_nobody(view, duty)}"
    if clock.regraded_at is not None:
        return None, "nobody: the case left this rule"
    if asked.closed is not None:
        return None, "nobody: its telling was ended by hand"
    ahead = agenda(clock, duty)
    if view.is_now:
        ahead = ahead[kept.steps_done :]
    else:
        ahead = [each for each in ahead if each.at is not None and each.at > view.at]
    step = next((each for each in ahead if each.at is not None), None)
    if step is None or step.at is None:
        return None, "nothing more: the ladder is at its end"
    at = after_hold(clock, step.at)
    if view.is_now and kept.next_action_at is not None:
        at = max(at, kept.next_action_at)
    rest = asked.resting(view.at)
    why = "" if rest is None else f"telling rests until {view.when(rest.until_at)}"
    role = view.rulebook.vocabulary.holder(clock.stage) if step.role == HOLDER else step.role
    return NextStep(rung=step.rung, kind=step.kind.value, role=role, at=at), why


def _why_nobody(view: View, duty: Duty) -> str:
    if view.rulebook.is_trial(duty.rule.id, duty.rule.version):
        return " while it is on trial"
    return ": it is counted in digests" if duty.rule.alerts is Alerts.DIGEST else ": it is off"
