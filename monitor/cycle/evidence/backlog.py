"""The backlog at chosen dates, as known at each: found again from the events, not looked up.

What comes in: what was asked of a pack. What goes out: its section: for each date what was open, by
risk and age, and whether what is stored and what the events say agree. It does not care how pages
look.

A case of which nothing has become known since a date stood then as it is stored. All others that
were known of by then are folded anew from what had been received by then, under the rulebook then
in force (`anew`). The cases found open as they are stored are folded too, and held to it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from monitor import words
from monitor.clocks.verdicts import TrustedUntil, is_closed, verdict
from monitor.cycle.anew import Anew, StoodThen, Then, by_case, values_of
from monitor.model import OPEN_VERDICTS, Clock, Instant
from monitor.report.backlog import Backlog, OpenCase, OpenDuties
from monitor.report.evidence import Column, Row, Section, Table
from monitor.report.figures import StopFeeds
from monitor.report.row import ClockRow
from monitor.report.wording import left_out, stop_feeds
from monitor.store import cases, clocks, known, known_since
from monitor.worktime.zones import day_of, start_of_day

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked
    from monitor.store.engine import Connection

_BANDS: Final = ("under 1 day", "1 to 3 days", "3 to 7 days", "7 to 14 days", "over 14 days")
_BAND_NAMES: Final = ("under_1_day", "1_to_3_days", "3_to_7_days", "7_to_14_days", "over_14_days")
HELD_TO_EVENTS_AT_MOST: Final = 5_000
"""Cases taken as stored that are folded too; of more, so many evenly spread."""
NAMED_AT_MOST: Final = 20
"""So many references are named of cases that do not agree."""


class Stood(NamedTuple):
    """What was open at a date."""

    at: Instant
    number: int
    """Up to which number everything was known then."""
    backlog: Backlog
    anew: int
    """How many cases were folded anew for it."""


class _Agreement(NamedTuple):
    """How what is stored and what the events say compare."""

    cases: int
    """How many were folded."""
    of: int
    differing: tuple[str, ...]
    """References."""


def section(asked: Asked) -> Section:
    """Backlog at each date asked for; by default at each month's end and at the period's."""
    dates = asked.dates or month_ends(asked)
    stood, agreement = backlog_at(asked, dates)
    oldest = {
        each.backlog.oldest_high_risk.case_id: each.backlog.oldest_high_risk
        for each in stood
        if each.backlog.oldest_high_risk is not None
    }
    references = cases.references_of(asked.connection, oldest)
    return Section(
        name="backlog",
        title="Backlog at chosen dates",
        paragraphs=(*_paragraphs(stood), *_agreed(agreement, asked)),
        tables=(
            Table(
                name="backlog-dates",
                title="What was open at each date, as known at that date",
                columns=_date_columns(asked),
                rows=[_date_row(each, references, asked) for each in stood],
                note="Duties are counted, whenever they fell or fall due; one case can owe several."
                " None of a restricted case, nor of a rule that is switched off.",
            ),
            Table(
                name="backlog-ages",
                title="The same by risk and by age since the start of the duty",
                columns=(
                    Column("date", "Date", "instant"),
                    Column("risk", "Risk"),
                    *(
                        Column(name, title.capitalize(), "count")
                        for name, title in zip(_BAND_NAMES, _BANDS, strict=True)
                    ),
                    Column("all", "All", "count"),
                ),
                rows=list(_age_rows(stood, asked)),
            ),
        ),
    )


def month_ends(asked: Asked) -> tuple[Instant, ...]:
    """The last microsecond of each month that ends within the period, and of the period itself."""
    day = day_of(asked.since, asked.zone).replace(day=1)
    found: list[Instant] = []
    while True:
        day = (day + dt.timedelta(days=32)).replace(day=1)
        last = start_of_day(day, asked.zone) - 1
        if last >= asked.judged_at:
            return (*found, asked.judged_at)
        found.append(last)


# -- as known at each date --------------------------------------------------------------------


@dataclass(slots=True)
class _Date:
    """One date while it is counted."""

    at: Instant
    number: int
    anew: frozenset[int]
    """Cases that do not stand as they are stored; those not known of yet are beside."""
    clocks: Sequence[StoodThen]
    feeds: StopFeeds
    trusted: TrustedUntil
    still_open: OpenDuties
    left_out: Collection[str]
    as_stored: set[int]
    """Cases that are open, and stand as they are stored."""

    def add(self, row: ClockRow) -> bool:
        """Count a clock if it was open; whether it was."""
        if row.rule in self.left_out or row.started_at > self.at or row.restricted:
            return False
        says = verdict(
            # A row has those fields of a clock that a verdict reads.
            cast("Clock", row),
            now=self.at,
            stop_feeds=self.feeds.get((row.rule, row.rule_version), ()),
            trusted_until=self.trusted,
        )
        stopped = row.stopped_at
        is_done = row.due_at is None and stopped is not None and stopped <= self.at
        if says not in OPEN_VERDICTS or is_done:
            return False
        self.still_open.add(row, says)
        return True


def backlog_at(asked: Asked, dates: Sequence[Instant]) -> tuple[list[Stood], _Agreement]:
    """What was open at each date, as known then; and whether store and events agree."""
    connection = asked.connection
    told = known_since.cases_told_of(connection)
    groups = known_since.all_ever_linked(connection)
    counted = _dates(asked, dates, told, groups)
    for done, date in enumerate(counted):
        asked.progress("backlog", done, len(counted))
        for each in date.clocks:
            date.add(_row_of(each))
    rows = known_since.rows_open_at_any(connection, ClockRow._fields, [d.at for d in counted])
    for row in map(ClockRow._make, rows):
        first = _first(row.case_id, told, groups)
        for date in counted:
            if first <= date.number and row.case_id not in date.anew and date.add(row):
                date.as_stored.add(row.case_id)
    open_as_stored = set().union(*(date.as_stored for date in counted))
    return [
        Stood(date.at, date.number, date.still_open.backlog(), len(date.anew)) for date in counted
    ], _agreement(asked, open_as_stored, groups)


def _first(
    case_id: int,
    told: Mapping[int, known_since.ToldOf],
    groups: Mapping[int, frozenset[int]],
) -> int:
    """The number from which on a case, or one that it was ever linked to, was known of."""
    members = groups.get(case_id, (case_id,))
    return min((told[each].first for each in members if each in told), default=0)


def _dates(
    asked: Asked,
    dates: Sequence[Instant],
    told: Mapping[int, known_since.ToldOf],
    groups: Mapping[int, frozenset[int]],
) -> list[_Date]:
    connection, anew = asked.connection, Anew(asked.monitor, asked.connection)
    numbers = [min(asked.known, known.number_known_at(connection, at)) for at in dates]
    spans = _spans(told, groups)
    chosen = []
    for at, number in zip(dates, numbers, strict=True):
        rulebook = anew.rulebook(at)
        told_of = {case for case, (first, last) in spans.items() if first <= number < last}
        touched = anew.touched(told_of, rulebook, number=number, as_of=at)
        linked = {case: groups[case] for case in touched if case in groups}
        chosen.append((at, number, rulebook, touched.union(*linked.values())))
    received = _received(connection, frozenset[int]().union(*(each[3] for each in chosen)))
    return [
        _date(
            asked,
            anew.fold(
                touched,
                {case: groups[case] for case in touched if case in groups},
                rulebook,
                received=received,
                number=number,
                as_of=at,
            ),
            number,
            at,
        )
        for at, number, rulebook, touched in chosen
    ]


def _spans(
    told: Mapping[int, known_since.ToldOf], groups: Mapping[int, frozenset[int]]
) -> Mapping[int, known_since.ToldOf]:
    """Case → between which numbers anything was told of it or of one it was ever linked to."""
    if not groups:
        return told
    spans = dict(told)
    for group in set(groups.values()):
        members = [told[each] for each in group if each in told]
        if members:
            first, last = min(m.first for m in members), max(m.last for m in members)
            spans.update(dict.fromkeys(group, known_since.ToldOf(first, last)))
    return spans


def _received(
    connection: Connection, case_ids: frozenset[int]
) -> Mapping[int, Sequence[known.Received]]:
    return by_case(known.received_events(connection, case_ids)) if case_ids else {}


def _date(asked: Asked, then: Then, number: int, at: Instant) -> _Date:
    book = asked.monitor.rulebook
    return _Date(
        at=at,
        number=number,
        anew=then.cases,
        clocks=then.clocks,
        feeds=stop_feeds(then.rulebook),
        trusted=known.silent_at(asked.connection, at),
        still_open=OpenDuties(
            at, tuple(book.vocabulary.risks), asked.monitor.settings.digest.no_notice_rule
        ),
        left_out=left_out(book),
        as_stored=set(),
    )


# -- what is stored, held to the events --------------------------------------------------------


def _agreement(
    asked: Asked, case_ids: Collection[int], groups: Mapping[int, frozenset[int]]
) -> _Agreement:
    """Fold cases from every event known now, and compare the clocks that are open."""
    step = -(-len(case_ids) // HELD_TO_EVENTS_AT_MOST) or 1
    held = sorted(case_ids)[::step]
    linked = {member: groups[case] for case in held if case in groups for member in groups[case]}
    wanted = frozenset(held).union(linked)
    then = Anew(asked.monitor, asked.connection).fold(
        wanted,
        linked,
        asked.monitor.rulebook,
        received=_received(asked.connection, wanted),
        number=asked.known,
        as_of=asked.now,
    )
    folded: defaultdict[int, set[tuple[object, ...]]] = defaultdict(set)
    kept: defaultdict[int, set[tuple[object, ...]]] = defaultdict(set)
    for each in then.clocks:
        if not is_closed(each.clock):
            folded[each.case_id].add(_course(each.clock))
    for stored in clocks.clocks_of(asked.connection, wanted) if wanted else ():
        if stored.case_id not in then.hidden and not is_closed(stored.clock):
            kept[stored.case_id].add(_course(stored.clock))
    differing = {case for case in folded.keys() | kept.keys() if folded[case] != kept[case]}
    names = cases.references_of(asked.connection, differing) if differing else {}
    return _Agreement(len(held), len(case_ids), tuple(sorted(names.values())))


def _course(clock: Clock) -> tuple[object, ...]:
    return (clock.key, clock.rule_version, clock.started_at, clock.due_at, clock.confirm_by)


def _row_of(each: StoodThen) -> ClockRow:
    return ClockRow._make(values_of(each, ClockRow._fields))


# -- in words ---------------------------------------------------------------------------------


def _paragraphs(stood: Sequence[Stood]) -> Iterator[str]:
    yield (
        "Each date is counted as known at that date: what was received later is not in it, though"
        " it tells of earlier. So these figures are those that could have been given on the day,"
        " and not those that hindsight gives. They were found again from the events: a case of"
        " which more became known since was folded anew from what had been received by then, and"
        " a case of which nothing did is taken as it is stored."
    )
    if unheard := sum(not each.number for each in stood):
        yield (
            f"At {words.count(unheard, 'date')} nothing had been received yet: no count there says"
            " that nothing was open, only that nothing was known."
        )
    yield (
        f"{words.count(sum(each.anew for each in stood), 'case was', 'cases were')} folded anew"
        f" for {words.count(len(stood), 'date')}; a case counts once for each date."
    )


def _agreed(agreement: _Agreement, asked: Asked) -> Iterator[str]:
    if not agreement.cases:
        yield "No case that was open at a date is taken as stored, so none is held to its events."
        return
    said = words.count(agreement.cases, "case")
    if agreement.cases < agreement.of:
        said += f", evenly spread among the {agreement.of:,}"
    if not agreement.differing:
        yield (
            f"What is stored and what the events say agree: {said} taken as stored and open at a"
            " date were folded from their events as well, and gave the same open duties."
        )
        return
    number = len(agreement.differing)
    named = (
        ""
        if asked.outside
        else f": {words.listed(agreement.differing[:NAMED_AT_MOST])}"
        + (f" and {number - NAMED_AT_MOST} more" if number > NAMED_AT_MOST else "")
    )
    yield (
        "WHAT IS STORED AND WHAT THE EVENTS SAY DO NOT AGREE."
        f" Of {said} taken as stored and open at a date, {number:,}"
        f" gave other open duties when folded from their events{named}."
        " The figures of this section are not to be relied on until the operator has found out why"
        " (cases that wait to be folded are one reason: monitor status counts them)."
    )


def _date_columns(asked: Asked) -> tuple[Column, ...]:
    counted = (
        ("duties", "Open duties"),
        ("cases", "Open cases"),
        ("overdue", "Overdue"),
        ("unknown", "Unknown"),
        ("deferred", "Deferred, review ahead"),
        ("review_overdue", "Deferred, review overdue"),
    )
    named = (
        Column("oldest_high_risk", "Oldest open case of the gravest risk"),
        Column("oldest_since", "Its clock started", "instant"),
    )
    return (
        Column("date", "Date", "instant"),
        Column("known", "As known up to number", "number"),
        *(Column(name, title, "count") for name, title in counted),
        *(() if asked.outside else named),
    )


def _date_row(each: Stood, references: Mapping[int, str], asked: Asked) -> Row:
    stood = each.backlog
    counted = (
        *(stood.duties, stood.cases, stood.overdue, stood.unknown),
        *(stood.deferred, stood.review_overdue),
    )
    return (each.at, each.number, *counted, *(() if asked.outside else _oldest(stood, references)))


def _oldest(stood: Backlog, references: Mapping[int, str]) -> Iterable[str | int | None]:
    oldest: OpenCase | None = stood.oldest_high_risk
    return (None, None) if oldest is None else (references[oldest.case_id], oldest.started_at)


def _age_rows(stood: Iterable[Stood], asked: Asked) -> Iterator[Row]:
    said = asked.monitor.rulebook.vocabulary.risks
    for each in stood:
        ages = each.backlog.ages
        for risk in (*reversed(said), *(other for other in ages if other not in said)):
            counted = ages.get(risk, (0,) * len(_BANDS))
            yield (each.at, said.get(risk, risk) or "not graded", *counted, sum(counted))
