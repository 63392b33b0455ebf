"""What is open, in the words of a digest.

What comes in: what a digest is made of. What goes out: sentences.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from monitor.words import capital, count, day_said, said_of

if TYPE_CHECKING:
    from monitor.report.backlog import Backlog
    from monitor.report.digest_input import DigestInput

_BANDS: Final = ("under 1 day", "1 to 3 days", "3 to 7 days", "7 to 14 days", "over 14 days")


def backlog(known: DigestInput) -> Iterator[str]:
    """What is open, by risk and age, deferred, and longest."""
    backlog = known.figures.backlog
    if not backlog.duties:
        under = " under a rule that is approved" if known.figures.on_trial.duties else ""
        yield f"Nothing is open{under}."
        return
    yield _open_in_all(backlog)
    for risk, ages in backlog.ages.items():
        bands = ", ".join(
            f"{band} {number}" for band, number in zip(_BANDS, ages, strict=True) if number
        )
        yield f"{capital(risk) or 'No risk recorded'} {sum(ages)}: {bands}."
    if oldest := _oldest_high_risk(known):
        yield oldest
    if backlog.deferred or backlog.review_overdue:
        yield (
            f"Deferred until a review: {backlog.deferred}."
            f" Review overdue: {backlog.review_overdue}."
        )
    if backlog.no_due:
        yield (
            f"{count(backlog.no_due, 'duty has', 'duties have')} a due time that cannot be"
            " computed, and so fell due in no week."
        )


def _open_in_all(backlog: Backlog) -> str:
    said = f"{count(backlog.duties, 'duty', 'duties')} on {count(backlog.cases, 'case')}"
    if backlog.overdue == backlog.duties:
        return f"{said}, all overdue." if backlog.duties > 1 else f"{said}, overdue."
    said += f"; {backlog.overdue:,} overdue" if backlog.overdue else "; none overdue"
    return f"{said}{f', {backlog.unknown:,} unknown' if backlog.unknown else ''}."


def _oldest_high_risk(known: DigestInput) -> str:
    """Named where it is not the case to do first: then it is not overdue."""
    case, first = known.figures.backlog.oldest_high_risk, known.figures.backlog.first
    if case is None or (first is not None and first.case_id == case.case_id):
        return ""
    if not (reference := known.references.get(case.case_id)):
        return ""
    since = said_of(case.started_at, at=known.figures.as_of, zone=known.zone)
    return f"Oldest open {case.risk}-risk case: {reference}, clock started {since}."


def no_notice(known: DigestInput) -> Iterator[str]:
    """Contacts that have no notice."""
    found = known.figures.no_notice
    if not found.overdue and not found.within_limit:
        return
    if not found.overdue or found.oldest is None:
        yield (
            f"{count(found.within_limit, 'contact')} flagged with a child"
            f" {'has' if found.within_limit == 1 else 'have'} no notice yet, all within the limit."
        )
        return
    oldest = day_said(found.oldest, at=known.figures.as_of, zone=known.zone)
    verb = "has" if found.overdue == 1 else "have"
    more = f" {found.within_limit} more within the limit." if found.within_limit else ""
    yield (
        f"{count(found.overdue, 'contact')} flagged with a child {verb} neither a notice nor a"
        f" recorded reason for none, past the limit; oldest {oldest}.{more}"
    )
