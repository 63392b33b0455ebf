"""A random sample of cases, drawn so that anybody can draw it again: a page for each.

What comes in: what was asked of a pack. What goes out: its section. A case's place in the draw is a
digest of the seed and its reference: the same events and seed give the same cases, on any machine
and database. Each kind of case is in it as far as there are any, in turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from monitor import words
from monitor.clocks.verdicts import verdict
from monitor.cycle.evidence import timeline
from monitor.model import Instant, Verdict
from monitor.report.evidence import Column, Page, Section, Table
from monitor.report.wording import left_out, stop_feeds
from monitor.store import cases, known_since
from monitor.store import figures as stored

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked
    from monitor.model import Clock

LATE: Final = "late or overdue"
EXEMPT: Final = "withheld or not for sharing"
NO_NOTICE: Final = "contact without a notice in time"
IN_TIME: Final = "all in time"
OTHER: Final = "any other"
STRATA: Final = (LATE, EXEMPT, NO_NOTICE, IN_TIME, OTHER)
"""In the order in which they take turns."""


class Drawn(NamedTuple):
    """One case of the sample."""

    reference: str
    stratum: str
    """For which it was drawn; it may be of others too."""


class _Row(NamedTuple):
    """What a verdict needs of a clock; every field is a column of that name."""

    case_id: int
    rule: str
    rule_version: int
    started_at: Instant
    due_at: Instant | None
    due_soon_at: Instant | None
    stopped_at: Instant | None
    exempt_at: Instant | None
    void_at: Instant | None
    superseded_at: Instant | None
    breached_at: Instant | None
    confirm_by: Instant | None


def section(asked: Asked) -> Section:
    """A sample of the cases with a duty that fell due in the period."""
    if not asked.sample or asked.outside:
        why = (
            "Cases are not shown to readers outside the force."
            if asked.sample
            else "No sample was asked for."
        )
        return Section(name="sample", title="Random sample of cases", paragraphs=(why,))
    strata = _strata(asked)
    hidden = known_since.restricted_among(asked.connection, strata)
    of_case = cases.references_of(asked.connection, strata.keys() - hidden)
    named = {of_case[case]: kinds for case, kinds in strata.items() if case in of_case}
    sample = draw(named, number=asked.sample, seed=asked.seed)
    return Section(
        name="sample",
        title="Random sample of cases",
        paragraphs=tuple(_paragraphs(asked, named, sample)),
        tables=(
            Table(
                name="sample",
                title="The cases drawn, in the order of the draw",
                columns=(
                    Column("place", "Place", "number"),
                    Column("reference", "Reference"),
                    Column("drawn_for", "Drawn for"),
                    Column("also", "It has duties that are"),
                ),
                rows=[
                    (place, each.reference, each.stratum, ", ".join(sorted(named[each.reference])))
                    for place, each in enumerate(sample, start=1)
                ],
                is_register=True,
            ),
        ),
        pages=_pages(asked, sample),
    )


def draw(strata: Mapping[str, Iterable[str]], *, number: int, seed: str) -> list[Drawn]:
    """So many cases (reference → its strata), each stratum's next in turn while it has any.

    By the digest of seed and reference: whatever the order in which cases come.
    """
    ordered = sorted(strata, key=lambda reference: _place(reference, seed))
    waiting = {
        stratum: iter([each for each in ordered if stratum in strata[each]]) for stratum in STRATA
    }
    drawn: dict[str, Drawn] = {}
    while waiting and len(drawn) < number:
        for stratum in list(waiting):
            if len(drawn) == number:
                break
            found = next((each for each in waiting[stratum] if each not in drawn), None)
            if found is None:
                del waiting[stratum]
            else:
                drawn[found] = Drawn(found, stratum)
    return list(drawn.values())


def _place(reference: str, seed: str) -> tuple[bytes, str]:
    key = blake2b(seed.encode(), digest_size=32).digest()
    return blake2b(reference.encode(), digest_size=16, key=key).digest(), reference


def _strata(asked: Asked) -> dict[int, set[str]]:
    """Case → what its duties that fell due in the period are."""
    book = asked.monitor.rulebook
    feeds, trusted = stop_feeds(book), stored.trusted_until(asked.connection)
    out, contact = left_out(book), asked.monitor.settings.digest.no_notice_rule
    found: defaultdict[int, set[str]] = defaultdict(set)
    rows = known_since.rows_due(
        asked.connection, _Row._fields, since=asked.since, until=asked.until, where={}
    )
    for row in map(_Row._make, rows):
        # What gave way to another clock, though after the period, is no duty of its own.
        if row.rule in out or row.superseded_at is not None or row.started_at > asked.judged_at:
            continue
        says = verdict(
            # A row has those fields of a clock that a verdict reads.
            cast("Clock", row),
            now=asked.judged_at,
            stop_feeds=feeds.get((row.rule, row.rule_version), ()),
            trusted_until=trusted,
        )
        found[row.case_id].add(_sort(row, says, contact))
    return {case: _of_case(kinds) for case, kinds in found.items()}


def _of_case(kinds: set[str]) -> set[str]:
    """In time is a case whose duties all are; what is only beside others is no sort of its own."""
    return kinds - {IN_TIME, OTHER} or ({OTHER} if OTHER in kinds else {IN_TIME})


def _sort(row: _Row, says: Verdict, no_notice_rule: str) -> str:
    if says in (Verdict.LATE, Verdict.OVERDUE):
        return NO_NOTICE if row.rule == no_notice_rule else LATE
    if says is Verdict.EXEMPT:
        return EXEMPT
    return IN_TIME if says is Verdict.MET else OTHER


def _paragraphs(
    asked: Asked, named: Mapping[str, Iterable[str]], sample: Iterable[Drawn]
) -> Iterator[str]:
    sample = list(sample)
    counted = {stratum: sum(stratum in kinds for kinds in named.values()) for stratum in STRATA}
    drawn = {stratum: sum(each.stratum == stratum for each in sample) for stratum in STRATA}
    yield (
        f"{words.count(len(sample), 'case')} of the {len(named):,} with a duty that fell due in the"
        f" period and that are not restricted, drawn with the seed “{asked.seed}”. A case's place"
        " is a digest of seed and reference, so that the same seed gives the same cases, and"
        " nobody can choose them."
    )
    said = [
        f"{stratum}: {drawn[stratum]:,} drawn of {counted[stratum]:,}"
        for stratum in STRATA
        if counted[stratum]
    ]
    yield (
        "The sorts of cases take turns, so that rare ones are in it as far as there are any: a"
        " share in the sample is no share of all. A case with several duties can be of several"
        f" sorts. {words.capital('; '.join(said))}."
        if said
        else "There is no such case."
    )


def _pages(asked: Asked, sample: Iterable[Drawn]) -> Iterator[Page]:
    for number, each in enumerate(sample, start=1):
        case = timeline.explained(asked, each.reference)
        if case is not None:
            yield timeline.page(asked, case, f"sample-{number:04}")
