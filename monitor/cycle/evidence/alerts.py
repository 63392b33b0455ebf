"""Every alert of the period: to which role, when, who took it on, and what followed.

What comes in: what was asked. What goes out: a section; its register is streamed. Addresses and
accounts are nowhere in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from monitor.clocks.verdicts import verdict
from monitor.cycle.asked import said_of_role
from monitor.cycle.exporting import ANOTHER
from monitor.cycle.lists import trusted_until
from monitor.model import Clock, Instant, Verdict
from monitor.report.evidence import Column, Row, Section, Table
from monitor.store import intakes
from monitor.store.exports import ExportedAlert, Span, export_alerts

if TYPE_CHECKING:
    from monitor.clocks.verdicts import TrustedUntil
    from monitor.cycle.evidence.asked import Asked

_KINDS: Final = {
    "warning": "warning",
    "overdue": "overdue",
    "cannot_route": "cannot be routed",
    "withdrawal": "withdrawal",
    "stopped_late": "ended late",
}


def section(asked: Asked) -> Section:
    """Alerts."""
    return Section(
        name="alerts",
        title="Alerts: who was told, who took it on, what followed",
        paragraphs=(
            (
                "Every alert that was decided in the period, its mail sent or not. A person took"
                " it on where a take followed, by a reply or typed in; “an account of this force”"
                " took it where no role was named. What followed is what the clock says at the"
                " end of the period, and not what the alert brought about."
            ),
        ),
        tables=(*_counts(asked), _register(asked)),
    )


# -- counts -----------------------------------------------------------------------------------


def _counts(asked: Asked) -> tuple[Table, Table]:
    """What was told, and what followed: counted in one reading."""
    trusted = trusted_until(intakes.list_feeds(asked.connection))
    told: dict[tuple[str, str], list[int]] = {}
    followed: Counter[tuple[str, str]] = Counter()
    for each in _alerts(asked):
        kind = _KINDS[each.fields["kind"]]
        numbers = told.setdefault((_role(asked, each), kind), [0, 0, 0])
        numbers[0] += 1
        numbers[1] += _sent_at(asked, each) is not None
        numbers[2] += each.taken is not None
        followed[kind, _followed(asked, each, trusted)[0]] += 1
    by_role: list[Row] = [(*key, *numbers) for key, numbers in sorted(told.items())]
    by_outcome: list[Row] = [(*key, number) for key, number in sorted(followed.items())]
    return _by_role(by_role), _by_outcome(by_outcome)


def _by_role(rows: Sequence[Row]) -> Table:
    return Table(
        name="alerts-by-role",
        title="Alerts by role and kind",
        columns=(
            Column("role", "Role"),
            Column("kind", "Kind"),
            Column("alerts", "Alerts", "count"),
            Column("sent", "Sent", "count"),
            Column("taken", "Taken on", "count"),
        ),
        rows=rows,
    )


def _by_outcome(rows: Sequence[Row]) -> Table:
    return Table(
        name="alerts-by-outcome",
        title="What followed, by kind of alert",
        columns=(
            Column("kind", "Kind"),
            Column("followed", "What followed"),
            Column("alerts", "Alerts", "count"),
        ),
        rows=rows,
    )


# -- the register -----------------------------------------------------------------------------


def _register(asked: Asked) -> Table:
    return Table(
        name="alerts",
        title="Every alert",
        columns=(
            Column("decided_at", "Decided", "instant"),
            Column("reference", "Case"),
            Column("rule", "Rule"),
            Column("kind", "Kind"),
            Column("rung", "Step"),
            Column("role", "To which role"),
            Column("reason", "Why"),
            Column("sent_at", "Sent", "instant"),
            Column("delivery", "Mail"),
            Column("taken_by", "Taken on by"),
            Column("taken_at", "Taken on", "instant"),
            Column("followed", "What followed"),
            Column("followed_at", "When", "instant"),
        ),
        rows=_rows(asked),
        note="In the order in which they were decided.",
        is_register=True,
    )


def _rows(asked: Asked) -> Iterator[Row]:
    trusted = trusted_until(intakes.list_feeds(asked.connection))
    for each in _alerts(asked):
        sent_at = _sent_at(asked, each)
        taken = each.taken
        yield (
            each.fields["decided_at"],
            each.reference,
            each.clock.clock.key.rule,
            _KINDS[each.fields["kind"]],
            each.fields["rung"],
            _role(asked, each),
            each.fields["reason"],
            sent_at,
            _delivery(each, sent_at),
            "" if taken is None else said_of_role(asked.monitor, taken.role) or ANOTHER,
            None if taken is None else taken.at,
            *_followed(asked, each, trusted),
        )


def _alerts(asked: Asked) -> Iterator[ExportedAlert]:
    span = Span(asked.since, asked.until)
    return export_alerts(asked.connection, span, known_by=asked.until)


def _role(asked: Asked, each: ExportedAlert) -> str:
    title: str = asked.monitor.roster.title(each.fields["role"] or each.fields["asked_role"])
    return title


def _sent_at(asked: Asked, each: ExportedAlert) -> Instant | None:
    """When its mail was taken by the mail server, if that was in the period."""
    at = each.sent_at
    return at if at is not None and at < asked.until else None


def _delivery(each: ExportedAlert, sent_at: Instant | None) -> str:
    if sent_at is not None:
        return "sent"
    if not each.has_recipient:
        return "nobody to tell"
    if each.fields["state"] == "cancelled" or each.message_state == "cancelled":
        return "cancelled: put right before it was sent"
    return "given up" if each.message_state == "dead" else "not sent in the period"


def _followed(
    asked: Asked, each: ExportedAlert, trusted: TrustedUntil
) -> tuple[str, Instant | None]:
    """What the clock says at the end of the period, and since when."""
    if each.withdrawn_at is not None:
        return "the alert was withdrawn", each.withdrawn_at
    clock = each.clock.clock
    duty = asked.monitor.rulebook.duty(clock.key.rule, clock.rule_version)
    says = verdict(
        clock, now=asked.judged_at, stop_feeds=duty.rule.stop_feeds, trusted_until=trusted
    )
    return _WORDS[says], _since(clock, says)


_WORDS: Final = {
    Verdict.MET: "done in time",
    Verdict.LATE: "done late",
    Verdict.OVERDUE: "still open and overdue",
    Verdict.RUNNING: "still open, not yet due",
    Verdict.DUE_SOON: "still open, due soon",
    Verdict.UNKNOWN: "unknown",
    Verdict.EXEMPT: "exempt",
    Verdict.VOID: "void",
    Verdict.SUPERSEDED: "another clock took its place",
}


def _since(clock: Clock, says: Verdict) -> Instant | None:
    if says in (Verdict.MET, Verdict.LATE):
        return clock.stopped_at if clock.stopped_at is not None else clock.exempt_at
    ends = {
        Verdict.EXEMPT: clock.exempt_at,
        Verdict.VOID: clock.void_at,
        Verdict.SUPERSEDED: clock.superseded_at,
        Verdict.OVERDUE: clock.due_at,
    }
    return ends.get(says)
