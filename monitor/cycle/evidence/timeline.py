"""One case on one page: every event as known, every clock and why, every alert and to which role.

What comes in: what was asked of a pack, and a reference. What goes out: a page. No name, account or
address is on it; a restricted case has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from monitor import words
from monitor.clocks.timeline import live_facts
from monitor.cycle.explained import CaseExplanation, ClockExplanation, DoneLine, ToldLine
from monitor.cycle.explaining import explain_case_in
from monitor.model import Event
from monitor.report.evidence import Column, Page, Row, Table
from monitor.store import cases, clocks, known

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked

NOBODY: Final = ""
"""The account that may see no restricted case."""

_ALERT: Final[Mapping[str, str]] = {
    "warning": "warning before due",
    "overdue": "overdue",
    "cannot_route": "cannot route",
    "withdrawal": "withdrawal: the alert was false",
    "stopped_late": "ended late, after an alert",
}


def explained(asked: Asked, reference: str) -> CaseExplanation | None:
    """A case as known now, at the end of the period; None where it is not known, or restricted."""
    return explain_case_in(
        asked.monitor,
        asked.connection,
        reference,
        rule=None,
        now=asked.judged_at,
        actor=NOBODY,
    )


def restricted(asked: Asked, references: Iterable[str]) -> frozenset[str]:
    """Those of some references whose case, with all that were ever linked to it, is restricted."""
    ids = cases.known_ids(asked.connection, list(references))
    found = set()
    for reference, case_id in ids.items():
        kept = clocks.clocks_of(asked.connection, known.ever_linked(asked.connection, [case_id]))
        if any(each.clock.restricted for each in kept):
            found.add(reference)
    return frozenset(found)


def page(asked: Asked, case: CaseExplanation, name: str) -> Page:
    """The page of a case."""
    others = [each for each in case.references if each != case.reference]
    joined = f" One case with {words.listed(others)}." if others else ""
    return Page(
        name=name,
        title=f"Case {case.reference}",
        paragraphs=(
            f"Everything that is known of this case now, judged at the end of the period.{joined}",
        ),
        tables=(
            Table(
                name=f"{name}-events",
                title="Every event, as it was received",
                columns=(
                    Column("occurred", "When", "instant"),
                    Column("to", "At the latest", "instant"),
                    Column("what", "What"),
                    Column("about", "Of what"),
                    Column("recorded", "Written down", "instant"),
                    Column("received", "Received", "instant"),
                    Column("feed", "From"),
                    Column("stands", "Does it stand?"),
                ),
                rows=_event_rows(asked, case),
            ),
            Table(
                name=f"{name}-clocks",
                title="Every duty, what it says and why",
                columns=(
                    Column("duty", "Duty"),
                    Column("started", "Started", "instant"),
                    Column("due", "Due by", "instant"),
                    Column("ended", "Ended", "instant"),
                    Column("says", "Says"),
                    Column("why", "Why"),
                ),
                rows=[_clock_row(each, number) for number, each in enumerate(case.clocks, start=1)],
            ),
            Table(
                name=f"{name}-alerts",
                title="Every alert, and what was done about it",
                columns=(
                    Column("decided", "Decided", "instant"),
                    Column("duty", "Of which duty"),
                    Column("what", "What"),
                    Column("role", "To, or by, which role"),
                    Column("sent", "Sent", "instant"),
                    Column("outcome", "Outcome"),
                ),
                rows=_told_rows(asked, case.clocks),
                note="Nobody was told of this case." if not _is_told_of(case.clocks) else "",
            ),
        ),
    )


# -- events -----------------------------------------------------------------------------------


def _event_rows(asked: Asked, case: CaseExplanation) -> list[Row]:
    ids = cases.known_ids(asked.connection, case.references)
    received = [
        one
        for one in known.received_events(asked.connection, ids.values())
        if one.number <= asked.known
    ]
    received.sort(key=lambda one: (one.event.occurred_from, one.number, one.line, one.event[:4]))
    told = live_facts(one.event for one in received if one.is_known(asked.known))
    aside = {event: why.value for event, why in told.set_aside}
    standing = {version for fact in told.facts for version in fact.versions}
    in_doubt = {
        version for fact in told.facts if len(fact.versions) > 1 for version in fact.versions
    }
    rows: list[Row] = []
    seen: set[Event] = set()
    for one in received:
        event = one.event
        if not one.is_known(asked.known):
            stands = f"no: its intake was undone (number {one.undone})"
        elif event in aside:
            stands = f"no: {aside[event]}"
        elif event in seen or event not in standing:
            stands = "told again"
        else:
            stands = "in doubt: it contradicts another" if event in in_doubt else "yes"
            seen.add(event)
        rows.append(_event_row(asked, event, stands))
    return rows


def _event_row(asked: Asked, event: Event, stands: str) -> Row:
    vocabulary = asked.monitor.rulebook.vocabulary
    feed = asked.monitor.feeds.get(event.feed)
    latest = None if event.occurred_to == event.occurred_from else event.occurred_to
    return (
        event.occurred_from,
        latest,
        vocabulary.kinds.get(event.kind, event.kind.replace("_", " ")),
        "; ".join(_about(asked, event)),
        event.recorded_at,
        event.received_at,
        event.feed if feed is None else feed.title.partition(":")[0],
        stands,
    )


def _about(asked: Asked, event: Event) -> Iterator[str]:
    vocabulary, partners = asked.monitor.rulebook.vocabulary, asked.monitor.partners
    if event.organisation:
        yield partners.name(event.partner, event.organisation) or event.organisation
    elif event.partner:
        yield vocabulary.partners.get(event.partner, event.partner)
    if event.child:
        yield f"child {event.child[:8]}"
    if event.category:
        yield vocabulary.categories.get(event.category, event.category)
    if event.risk:
        yield vocabulary.risks.get(event.risk, event.risk)
    if event.decision:
        yield vocabulary.decisions.get(event.decision, event.decision)
    if event.reason_code:
        yield vocabulary.reason_codes.get(event.reason_code, event.reason_code.replace("_", " "))
    if event.links:
        yield f"one case with {event.links}"
    if method := dict(event.attributes).get("method", ""):
        yield f"by {method}"


# -- clocks -----------------------------------------------------------------------------------


def _clock_row(clock: ClockExplanation, number: int) -> Row:
    ended = (clock.stopped_at, clock.exempt_at, clock.void_at, clock.superseded_at)
    says = "not known of" if clock.verdict is None else clock.verdict.replace("_", " ")
    if clock.superseded_at is not None:
        says = "replaced by another duty"
    return (
        f"{number}. {_named(clock)}",
        clock.started_at,
        clock.due_at,
        min((at for at in ended if at is not None), default=None),
        says,
        " ".join([clock.answer, *clock.because]),
    )


def _named(clock: ClockExplanation) -> str:
    about = [clock.organisation_name if clock.organisation else "", _child(clock)]
    shown = ", ".join(each for each in about if each)
    return f"{clock.title} ({shown})" if shown else clock.title


def _child(clock: ClockExplanation) -> str:
    return f"child {clock.child[:8]}" if clock.child else ""


# -- alerts -----------------------------------------------------------------------------------


def _is_told_of(clocks_of_case: Sequence[ClockExplanation]) -> bool:
    return any(each.told or each.done for each in clocks_of_case)


def _told_rows(asked: Asked, clocks_of_case: Sequence[ClockExplanation]) -> list[Row]:
    rows: list[Row] = []
    for number, clock in enumerate(clocks_of_case, start=1):
        duty = f"{number}. {clock.title}"
        rows += (_told_row(asked, duty, each) for each in clock.told)
        rows += (_done_row(duty, each) for each in clock.done if each.from_at <= asked.judged_at)
    return sorted(rows, key=lambda row: (row[0] or 0, str(row[1:])))


def _told_row(asked: Asked, duty: str, told: ToldLine) -> Row:
    role = asked.monitor.roster.title(told.role) if told.role else "nobody"
    what = _ALERT.get(told.kind, told.kind.replace("_", " "))
    return told.decided_at, duty, what, role, told.sent_at, told.outcome


def _done_row(duty: str, done: DoneLine) -> Row:
    reason = f": {done.reason}" if done.reason else ""
    by = done.by or "an account of this force"
    return done.from_at, duty, f"{done.kind.replace('_', ' ')}{reason}", by, None, "done"
