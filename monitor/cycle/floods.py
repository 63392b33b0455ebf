"""A mail about very many duties: which are told in full, and which by their reference alone.

What comes in: the alerts that a mail carries. What goes out: those to be told in full, a line for
each of the others, and those of which nothing is to be said any more. The cost of a line in full is
that of reading its case; the others are judged by their clocks alone, all at once, so that ten
thousand duties are one mail and take no longer to write than a hundred.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.clocks.agenda import agenda
from monitor.clocks.verdicts import verdict
from monitor.escalate.decide import CLOSED
from monitor.letters import CASES_IN_FULL, DutyLine
from monitor.model import Alert, AlertKind, Instant, KeptClock
from monitor.store import cases, clocks
from monitor.store.engine import Connection

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

FLOOD: Final = 100
"""Alerts in one mail, from which on it is one."""

Numbered = tuple[int, Alert]
"""The id of an alert, and the alert."""


class Flood(NamedTuple):
    """How a mail about very many duties is written."""

    in_full: list[Numbered]
    in_brief: list[DutyLine]
    """In the order in which to act, after all that are told in full."""
    over: list[int]
    """Ids of alerts of which nothing is to be said any more."""


def parted(
    monitor: Monitor, connection: Connection, told: Sequence[Numbered], *, now: Instant
) -> Flood:
    """The gravest and longest overdue cases in full, the others in brief."""
    if len(told) <= FLOOD:
        return Flood(list(told), [], [])
    kept = {
        each.id: each
        for each in clocks.clocks_by_id(connection, {alert.clock_id for _, alert in told})
    }
    references = cases.references_of(connection, {each.case_id for each in kept.values()})
    in_order = sorted(told, key=lambda one: _place(kept[one[1].clock_id], references))
    in_full: dict[int, list[Numbered]] = {}
    in_brief: dict[int, DutyLine] = {}
    over: list[int] = []
    judged: set[int] = set()
    for id_, alert in in_order:
        clock = kept[alert.clock_id]
        if not _can_be_judged_alone(alert, clock):
            in_full.setdefault(clock.case_id, []).append((id_, alert))
        elif not _is_still_true(monitor, alert, clock, now=now):
            over.append(id_)
        elif clock.case_id in judged or len(judged) < CASES_IN_FULL:
            judged.add(clock.case_id)
            in_full.setdefault(clock.case_id, []).append((id_, alert))
        else:
            in_brief[clock.id] = _line(clock, references[clock.case_id])
    return Flood([one for ones in in_full.values() for one in ones], list(in_brief.values()), over)


def _place(kept: KeptClock, references: dict[int, str]) -> tuple[bool, Instant, str]:
    """As `lines.in_order` has it."""
    clock = kept.clock
    is_high = clock.risk.casefold() == "high" and not clock.restricted
    return not is_high, clock.due_at or 0, references[kept.case_id]


def _can_be_judged_alone(alert: Alert, kept: KeptClock) -> bool:
    """Others may stand in a clock's place; what ended late goes with the mail whole."""
    return kept.clock.superseded_at is None and alert.kind is not AlertKind.STOPPED_LATE


def _is_still_true(monitor: Monitor, alert: Alert, kept: KeptClock, *, now: Instant) -> bool:
    """As `mails.still_true` has it, of a clock in whose place no other stands."""
    clock = kept.clock
    if verdict(clock, now=now) in CLOSED or clock.regraded_at is not None:
        return False
    if alert.kind is AlertKind.CANNOT_ROUTE:
        return clock.cannot_route
    is_overdue = clock.due_at is not None and now > clock.due_at
    if alert.kind is AlertKind.OVERDUE or not is_overdue:
        return is_overdue or alert.kind is not AlertKind.OVERDUE
    duty = monitor.rulebook.duty(clock.key.rule, clock.rule_version)
    return not any(step.kind is AlertKind.OVERDUE for step in agenda(clock, duty))


def _line(kept: KeptClock, reference: str) -> DutyLine:
    clock = kept.clock
    return DutyLine(
        reference=reference, due_at=clock.due_at, restricted=clock.restricted, risk=clock.risk
    )
