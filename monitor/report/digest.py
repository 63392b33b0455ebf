"""The weekly digest in words.

What comes in: figures of one scope and week, what was said in it, how far it can be trusted. What
goes out: a letter of plain values.
It does not care how the letter looks or travels.

It speaks of records: "no record that the council has been told". What is not known has no line.
The total of a share is what is known to be in time or not; unknown stands beside it, and wherever
there is any, so does the share with all of it counted as late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from monitor.letters import DigestLetter, DigestRow, DigestTable, FeedRead
from monitor.report import digest_glance as glance
from monitor.report import digest_open as open_now
from monitor.report import digest_shares as shares
from monitor.report import digest_trust as trust
from monitor.report.change_words import in_words
from monitor.report.digest_input import DigestInput
from monitor.report.questions import bunching, regraded
from monitor.words import capital, count

if TYPE_CHECKING:
    from monitor.report.figures import Figures

WEEKS_SHOWN: Final = 8
"""So many of the charted weeks stand in figures beneath the picture."""


def named_cases(figures: Figures) -> frozenset[int]:
    """Ids of the cases that a digest names by their reference."""
    cases = (figures.backlog.first, figures.backlog.oldest_high_risk)
    return frozenset(case.case_id for case in cases if case is not None)


def digest_letter(known: DigestInput) -> DigestLetter:
    """The digest of one scope and week, as known at the instant of its figures."""
    figures, wording = known.figures, known.wording
    return DigestLetter(
        at=figures.as_of,
        feeds=tuple(_read_to(known)),
        scope=known.scope.label,
        period_from=figures.since,
        period_to=figures.until,
        headline=(*glance.headline(figures), *glance.silent_in_brief(known)),
        do_first=glance.do_first(known),
        sentence=glance.sentence(known),
        how_to_read=_how_to_read(known),
        rows=tuple(shares.rows(figures, wording)),
        beside=(*shares.beside(figures.total, wording), *shares.on_trial(figures.on_trial)),
        changes=tuple(_changes(known)),
        weeks=tuple(_weeks(known)),
        tables=tuple(_tables(known)),
        spans=tuple(shares.spans(figures, wording)),
        waits=tuple(shares.steps(known)),
        backlog=tuple(open_now.backlog(known)),
        no_notice=tuple(open_now.no_notice(known)),
        quality=tuple(trust.quality(figures.total, known.completeness)),
        questions=tuple(_questions(known)),
        alerts=tuple(trust.alerts(known.said)),
        coverage=tuple(trust.coverage(known)),
        notes=(*known.people, *_general_notes(known)),
    )


def _changes(known: DigestInput) -> Iterator[str]:
    """Change or chance: all partners together, then each of those to whom a duty fell due."""
    together = known.charts.get("")
    partners = [name for name, _ in glance.to_partners(known.figures) if name in known.charts]
    if together is not None and together.points and len(partners) != 1:
        yield in_words(together, "all partners together")
    for name in partners:
        yield in_words(known.charts[name], known.wording.partner(name).removeprefix("the "))


def _weeks(known: DigestInput) -> Iterator[DigestRow]:
    """The last weeks of the chart in figures, for whom no picture says anything."""
    chart = known.charts.get("")
    for point in chart.points[-WEEKS_SHOWN:] if chart else ():
        if point.of:
            yield shares.week_row(point)


_PARTED: Final = (("district", "district"), ("unit", "unit"), ("category", "concern"))


def _tables(known: DigestInput) -> Iterator[DigestTable]:
    """Duties to partners by district, unit, concern and risk; a scope's own part is no table."""
    words = {"category": known.wording.categories, "risk": known.wording.risk_words}
    for name, title in (*_PARTED, ("risk", "risk")):
        if name == "unit" and not known.scope.columns:
            continue  # a force has too many; its districts' own digests show them
        rows = shares.parted(known.figures, name, words.get(name, {}))
        if rows:
            yield DigestTable(title=f"by {title}", rows=rows)


def _questions(known: DigestInput) -> Iterator[str]:
    labels = {rule_id: words.label for rule_id, words in known.wording.rules.items()}
    yield from bunching(known.near, labels)
    yield from map(capital, regraded(known.figures.total.regraded))


def _how_to_read(known: DigestInput) -> str:
    figures = known.figures
    is_told = figures.cases and not known.is_outside
    cases = f" ({count(figures.cases, 'case')})" if is_told else ""
    said = ["duties that fell due from Monday 00:00 to Sunday 24:00, one for each limit, child and"]
    said.append(f"organisation, so duties outnumber cases{cases}.")
    if figures.as_of < figures.until:
        said.append("THE WEEK IS NOT OVER: only what fell due so far is in it.")
    said.append("Still open and past due counts as not in time.")
    if figures.total.unknown and not known.is_outside:
        said.append(
            "Unknown: a feed was not heard, so the record may be incomplete; these stand beside the"
            " total and are never counted as in time."
        )
    said.append("How long is in clock hours, nights and weekends included.")
    said.append("No percentage under 10, no 90th or 95th percentile under 20.")
    if figures.total.interval is not None:
        said.append(
            "The range beside a percentage is where the share behind it lies, as sure as 95 in 100."
        )
    if known.as_known:
        said.append(known.as_known)
    return " ".join(said)


def _general_notes(known: DigestInput) -> Iterator[str]:
    figures = known.figures
    if not figures.cases and not figures.backlog.duties and not figures.on_trial.duties:
        yield _nothing_on_record(known)
    if by_trial := figures.on_trial.counted:
        yield (
            f"Of the duties counted here, {by_trial} {'is' if by_trial == 1 else 'are'} measured by"
            " a version of a rule that nobody has approved: a trial, and not decided policy."
        )
    yield "Restricted cases are in no figure of this mail."


def _nothing_on_record(known: DigestInput) -> str:
    if known.as_known:
        return "Nothing was known then that fell due in this week or was open."
    if not known.scope.columns:
        return (
            "No duty is on the record, neither of this week nor open. If that cannot be, check that"
            " files are taken in: monitor status."
        )
    return (
        f"No duty of {known.scope.label} is on the record, neither of this week nor open. If that"
        f" cannot be, check that the events say {str(known.scope)!r}."
    )


def _read_to(known: DigestInput) -> Iterator[FeedRead]:
    for feed in known.feeds:
        if (read_to := feed.state.last_heard_at) is not None:
            yield FeedRead(feed=known.wording.feed(feed.state.feed), read_to=read_to)
