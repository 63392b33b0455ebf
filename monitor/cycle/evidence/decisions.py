"""The register of what was withheld, not for sharing and deferred: why, when, and whether reviewed.

What comes in: what was asked. What goes out: a section. It decides nothing about clocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.clocks.timeline import live_facts
from monitor.report.evidence import Column, Row, Section, Table
from monitor.store import evidence as stored

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked
    from monitor.model import Event, Instant

WITHOUT: Final = ("deferred", "not_for_sharing", "withheld")
"""Decisions by which nothing is shared, or not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision that held in the period."""

    reference: str
    event: Event
    reviewed_at: Instant | None
    """When the next decision on the same was taken."""
    review: str


def section(asked: Asked) -> Section:
    """Decisions not to share, or not yet."""
    found = sorted(_decided(asked), key=_order)
    return Section(
        name="decisions",
        title="Withheld, not for sharing and deferred",
        paragraphs=(
            (
                "Every decision not to share, or not yet, that was taken in the period or still"
                " waited for its review in it. Not to share can be right: what is looked at is"
                " that there is a reason, and that a review that was promised took place."
                " Reviewed means that a later decision on the same is on record."
            ),
            (
                "A review is overdue where its time had passed by the end of the period and no"
                f" later decision was on record by then: {_overdue_said(asked, found)}."
            ),
        ),
        tables=(_counts(asked, found), _register(asked, found)),
    )


def _overdue_said(asked: Asked, found: Sequence[Decided]) -> str:
    number = sum(each.review == OVERDUE for each in found)
    if asked.outside:
        return "their number is in the table, where it may be shown"
    return f"{number:,} of {len(found):,}" if found else "there was no such decision"


def _order(each: Decided) -> tuple[int, str, str, str, str]:
    event = each.event
    return (event.occurred_from, each.reference, event.decision, event.partner, event.child)


# -- which held, and what became of them ------------------------------------------------------

REVIEWED, LATE, OVERDUE, AHEAD, NONE = (
    "reviewed by then",
    "reviewed late",
    "overdue: not reviewed",
    "review still ahead",
    "no review was set",
)


def _decided(asked: Asked) -> Iterator[Decided]:
    attribute = asked.monitor.rulebook.vocabulary.restricted_attribute or ""
    for case in stored.cases_with_decisions(
        asked.connection, WITHOUT, until=asked.until, restricted_by=attribute
    ):
        facts = [fact.event for fact in live_facts(case.events).facts]
        decisions = [
            event for event in facts if event.decision and event.occurred_from < asked.until
        ]
        for event in decisions:
            if event.decision not in WITHOUT:
                continue
            reviewed_at = _next(event, decisions)
            if _is_of_period(asked, event, reviewed_at):
                review = _review(event, reviewed_at, asked.judged_at)
                yield Decided(
                    reference=event.reference,
                    event=event,
                    reviewed_at=reviewed_at,
                    review=review,
                )


def _next(event: Event, decisions: Sequence[Event]) -> Instant | None:
    """When something was next decided on the same child, partner and organisation."""
    later = (
        other.occurred_from
        for other in decisions
        if other.occurred_from > event.occurred_from
        and all(
            mine in ("", theirs) or theirs == ""
            for mine, theirs in (
                (event.partner, other.partner),
                (event.child, other.child),
                (event.organisation, other.organisation),
            )
        )
    )
    return min(later, default=None)


def _is_of_period(asked: Asked, event: Event, reviewed_at: Instant | None) -> bool:
    """Taken in it, or taken before and waiting for its review in it."""
    if event.occurred_from >= asked.since:
        return True
    return event.review_at is not None and (reviewed_at is None or reviewed_at >= asked.since)


def _review(event: Event, reviewed_at: Instant | None, at: Instant) -> str:
    if event.review_at is None:
        return NONE if reviewed_at is None else REVIEWED
    if reviewed_at is not None:
        return REVIEWED if reviewed_at <= event.review_at else LATE
    return OVERDUE if event.review_at < at else AHEAD


# -- tables -----------------------------------------------------------------------------------


def _counts(asked: Asked, found: Sequence[Decided]) -> Table:
    counted = Counter(
        (_decision(each.event), _reason(asked, each.event), each.review) for each in found
    )
    return Table(
        name="decisions-by-reason",
        title="Decisions by reason, and whether they were reviewed",
        columns=(
            Column("decision", "Decision"),
            Column("reason", "Reason"),
            Column("review", "Review"),
            Column("decisions", "Decisions", "count"),
        ),
        rows=[(*key, number) for key, number in sorted(counted.items())],
    )


def _register(asked: Asked, found: Sequence[Decided]) -> Table:
    return Table(
        name="decisions",
        title="Every decision",
        columns=(
            Column("decided_at", "Decided", "instant"),
            Column("reference", "Case"),
            Column("decision", "Decision"),
            Column("partner", "Partner"),
            Column("organisation", "Organisation"),
            Column("child", "Child (keyed digest)"),
            Column("reason", "Reason"),
            Column("recorded_at", "Recorded", "instant"),
            Column("review_by", "Review by", "instant"),
            Column("reviewed_at", "Reviewed", "instant"),
            Column("review", "Review"),
        ),
        rows=[_row(asked, each) for each in found],
        note="In the order in which they were taken.",
        is_register=True,
    )


def _row(asked: Asked, each: Decided) -> Row:
    event = each.event
    return (
        event.occurred_from,
        each.reference,
        _decision(event),
        event.partner,
        event.organisation,
        event.child,
        _reason(asked, event),
        event.recorded_at,
        event.review_at,
        each.reviewed_at,
        each.review,
    )


def _decision(event: Event) -> str:
    return event.decision.replace("_", " ")


def _reason(asked: Asked, event: Event) -> str:
    code = event.reason_code
    if not code:
        return "no reason on record"
    return asked.monitor.rulebook.vocabulary.reason_codes.get(code, code.replace("_", " "))
