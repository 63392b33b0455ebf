"""Clocks counted: what share was in time, how long it took, what is open.

What comes in: one small row for each clock, a period, and the instant at which they are looked at.
What goes out: figures by rule and by partner, the open backlog, and the case to look at first.
It does not care where rows come from or how figures are worded.

The rules of counting (blueprint 5, 7):
- The cohort of a period is the clocks whose due falls in it. Of a period that is not over, only
  what fell due before the figures were taken: what was met early must not count ahead of the rest.
- n is met; d is met, late, and open past due. Unknown, exempt and void stand beside, never in n.
- Nothing pending or superseded, and no restricted case, is in any figure.
- How long: from start to stop, in clock hours. What is open and late enters at its age so far, what
  a decision closed after due at its age then. A percentile is the nearest rank: the smallest value
  that at least so many per cent of the values do not exceed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from monitor.clocks.verdicts import NO_FEED_IN_DOUBT, TrustedUntil, verdict
from monitor.model import DAY, OPEN_VERDICTS, Duration, Instant, Verdict
from monitor.report.plain import Lengths, Ordered, PlainDuties, number_of_different

if TYPE_CHECKING:
    from array import array

    from monitor.model import Clock

NO_PERCENTAGE_UNDER: Final = 10
NO_PERCENTILE_UNDER: Final = 20
NO_MEDIAN_UNDER: Final = 5
RECORDED_LATE_AFTER: Final[Duration] = DAY
AGE_BANDS: Final = (1 * DAY, 3 * DAY, 7 * DAY, 14 * DAY)
"""Where one band of age ends and the next begins; the last is open."""

StopFeeds = Mapping[tuple[str, int], Collection[str]]
"""(rule, version) → the feeds on which its stop relies; absent: none."""


class ClockRow(NamedTuple):
    """What figures need of one clock; every field is a column of the same name."""

    case_id: int
    rule: str
    rule_version: int
    partner: str
    risk: str
    started_at: Instant
    due_at: Instant | None
    due_soon_at: Instant | None
    stopped_at: Instant | None
    exempt_at: Instant | None
    void_at: Instant | None
    superseded_at: Instant | None
    regraded_at: Instant | None
    breached_at: Instant | None
    stop_recorded_at: Instant | None
    confirm_by: Instant | None
    held_until: Instant | None
    stage: str
    stage_at: Instant | None
    restricted: bool
    cannot_route: bool
    reason_code: str


class Span(NamedTuple):
    """How long it took, in clock hours."""

    number: int
    """How many values the others are of."""
    median: Duration | None
    """None under 5."""
    ninetieth: Duration | None
    """90th percentile; None under 20."""
    longest: Duration | None
    longest_is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How the duties of one group did."""

    met: int
    late: int
    """Closed, after due."""
    open_late: int
    unknown: int
    """Past due and not stopped as far as is known, while a feed was not heard."""
    exempt: int
    void: int
    """Made in error; in no share."""
    void_after_due: int
    """Of those void, how many were overdue before."""
    decided_late: int
    """Of those late, how many were never told: a decision closed them after due."""
    to_confirm: int
    """Of those met, how many rest on a claim recorded after due that is still to be confirmed."""
    cannot_route: int
    """Of those open and late, how many name nobody to tell."""
    regraded: int
    """Left the rule after they were overdue; counted on."""
    recorded: int
    """Of those stopped, how many say when that was written down."""
    recorded_late: int
    """Of those, how many were written down more than 24 h after."""
    reasons: tuple[tuple[str, int], ...]
    """Reason code → exempt duties, the most frequent first; "" where none is given."""
    span: Span

    @property
    def of(self) -> int:
        """d: how many are known to be in time or not."""
        return self.met + self.late + self.open_late

    @property
    def of_all(self) -> int:
        """How many there are with the unknown among them."""
        return self.of + self.unknown

    @property
    def not_in_time(self) -> int:
        """Late, or open and late."""
        return self.late + self.open_late

    @property
    def percent(self) -> int | None:
        """Share in time of those known, None under 10."""
        return percentage(self.met, self.of)

    @property
    def percent_at_worst(self) -> int | None:
        """Share in time if every unknown were late, None under 10."""
        return percentage(self.met, self.of_all)


class OpenDuty(NamedTuple):
    """A duty that nobody has met so far."""

    rule: str
    partner: str
    due_at: Instant | None
    cannot_route: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase:
    """A case with open duties."""

    case_id: int
    risk: str
    """The gravest of its duties."""
    started_at: Instant
    duties: tuple[OpenDuty, ...]
    """In order of due."""
    stage: str
    stage_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is open at the instant of the figures, whenever it fell or falls due."""

    duties: int
    cases: int
    overdue: int
    unknown: int
    no_due: int
    """Of those open, how many have a due time that cannot be computed."""
    deferred: int
    """Held until a review that lies ahead."""
    review_overdue: int
    ages: Mapping[str, tuple[int, ...]]
    """Risk, the gravest first → duties in each band of age: under 1 day, 1-3, 3-7, 7-14, over."""
    high_risk_cases_overdue: int
    first: OpenCase | None
    """The case to look at first: overdue, of the gravest risk, the longest known. Its overdue
    duties alone."""
    oldest_high_risk: OpenCase | None
    """The longest known open case of the gravest risk there is, overdue or not."""


class NoNotice(NamedTuple):
    """Contacts that have no notice."""

    overdue: int
    oldest: Instant | None
    """Of those overdue."""
    within_limit: int


class OnTrial(NamedTuple):
    """What rules measure that nobody has approved, due in the period or open."""

    rules: int = 0
    duties: int = 0
    counted: int = 0
    """Of these duties, how many stand in the figures: an older version of their rule, that was
    never approved, goes on for what started under it."""


NONE_ON_TRIAL: Final = OnTrial()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One scope in one period."""

    since: Instant
    until: Instant
    """The first instant that is no longer of the period."""
    as_of: Instant
    cases: int
    """How many cases the cohort's duties are of; duties and cases are never summed."""
    total: Measured
    rules: Mapping[str, Measured]
    partners: Mapping[str, Measured]
    """`""` holds the force's own steps."""
    backlog: Backlog
    no_notice: NoNotice
    on_trial: OnTrial = NONE_ON_TRIAL


def figures(
    rows: Iterable[ClockRow],
    *,
    since: Instant,
    until: Instant,
    as_of: Instant,
    risks: Sequence[str] = ("standard", "medium", "high"),
    stop_feeds: StopFeeds | None = None,
    trusted_until: TrustedUntil = NO_FEED_IN_DOUBT,
    left_out: Collection[str] = (),
    no_notice_rule: str = "no-notice",
    trial: Collection[tuple[str, int]] = (),
    plain: Iterable[PlainDuties] = (),
) -> Figures:
    """Count clocks at `as_of`, for duties that fell due from `since` up to, and not with, `until`.

    `rows`: in any order, each clock once. `risks`: from the least to the gravest. `left_out`: rules
    of which nothing is to be said, but how many duties they measure where they are on trial.
    `trial`: (rule, version) that nobody has approved. `plain`: clocks that fell due in the period
    and stopped, put together, of which nothing else is to be said; they are not among the rows.
    """
    feeds: StopFeeds = stop_feeds or {}
    cohort, still_open = _Cohort(as_of), _Open(as_of, risks, no_notice_rule)
    by_trial: Counter[tuple[str, bool]] = Counter()
    decided_until = min(until, as_of)
    for row in rows:
        is_left_out, is_trial = row.rule in left_out, (row.rule, row.rule_version) in trial
        if row.restricted or row.started_at > as_of or (is_left_out and not is_trial):
            continue
        says = verdict(
            # A row has those fields of a clock that a verdict reads.
            cast("Clock", row),
            now=as_of,
            stop_feeds=feeds.get((row.rule, row.rule_version), ()),
            trusted_until=trusted_until,
        )
        is_open = says in OPEN_VERDICTS and not _ended_unjudged(row, as_of)
        fell_due = row.due_at is not None and since <= row.due_at < decided_until
        if is_trial and (is_open or fell_due) and says is not Verdict.SUPERSEDED:
            by_trial[row.rule, is_left_out] += 1
        if is_open and not is_left_out:
            still_open.add(row, says)
        if fell_due and not is_left_out:
            cohort.add(row, says)
    for duties in plain:
        is_left_out = duties.rule in left_out
        if (duties.rule, duties.rule_version) in trial:
            by_trial[duties.rule, is_left_out] += len(duties.lengths)
        if not is_left_out:
            cohort.add_plain(duties)
    return Figures(
        since=since,
        until=until,
        as_of=as_of,
        cases=cohort.number_of_cases(),
        total=cohort.measured(),
        rules=cohort.grouped_by(rule=True),
        partners=cohort.grouped_by(rule=False),
        backlog=still_open.backlog(),
        no_notice=still_open.no_notice(),
        on_trial=OnTrial(
            rules=len({rule for rule, _ in by_trial}),
            duties=by_trial.total(),
            counted=sum(number for (_, is_out), number in by_trial.items() if not is_out),
        ),
    )


def _ended_unjudged(row: ClockRow, as_of: Instant) -> bool:
    """Whether a duty is done and only whether in time cannot be said: it waits for nobody."""
    return row.due_at is None and row.stopped_at is not None and row.stopped_at <= as_of


def percentage(part: int, whole: int) -> int | None:
    """Rounded to the nearest, None under 10; only all is 100 %, and only none is 0 %."""
    if whole < NO_PERCENTAGE_UNDER:
        return None
    if part in (0, whole):
        return 100 if part else 0
    return min(99, max(1, (200 * part + whole) // (2 * whole)))


def nearest_rank(ordered: Sequence[Duration], percent: int) -> Duration:
    """The smallest of some ordered values that at least `percent` of 100 do not exceed."""
    return ordered[_place_of_rank(len(ordered), percent)]


def _place_of_rank(number: int, percent: int) -> int:
    return max(0, -(-percent * number // 100) - 1)


class _Tally:
    """Counts of one group, while they grow."""

    __slots__ = ("beside", "closed", "open_", "plain", "reasons", "verdicts")

    def __init__(self) -> None:
        self.verdicts: Counter[Verdict] = Counter()
        self.beside: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.closed: list[Duration] = []
        self.open_: list[Duration] = []
        self.plain: list[Lengths] = []

    def include(self, other: _Tally) -> None:
        self.verdicts.update(other.verdicts)
        self.beside.update(other.beside)
        self.reasons.update(other.reasons)
        self.closed += other.closed
        self.open_ += other.open_
        self.plain += other.plain

    def measured(self) -> Measured:
        said, beside = self.verdicts, self.beside
        return Measured(
            met=said[Verdict.MET],
            late=said[Verdict.LATE],
            open_late=said[Verdict.OVERDUE],
            unknown=said[Verdict.UNKNOWN],
            exempt=said[Verdict.EXEMPT],
            void=said[Verdict.VOID],
            void_after_due=beside["void after due"],
            decided_late=beside["decided late"],
            to_confirm=beside["to confirm"],
            cannot_route=beside["cannot route"],
            regraded=beside["regraded"],
            recorded=beside["recorded"],
            recorded_late=beside["recorded late"],
            reasons=tuple(sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))),
            span=_span([self.closed, self.open_, *self.plain], self.open_),
        )


class _Cohort:
    """Duties that fell due in the period."""

    def __init__(self, as_of: Instant) -> None:
        self._as_of = as_of
        self._cases: set[int] = set()
        self._cases_of_plain: list[array[int]] = []
        self._cells: defaultdict[tuple[str, str], _Tally] = defaultdict(_Tally)

    def add(self, row: ClockRow, says: Verdict) -> None:
        if says is Verdict.SUPERSEDED:
            return
        tally = self._cells[row.rule, row.partner]
        tally.verdicts[says] += 1
        self._cases.add(row.case_id)
        if says is Verdict.MET or says is Verdict.LATE:
            self._add_closed(tally, row, says)
        else:
            self._add_other(tally, row, says)
        if row.regraded_at is not None and says is not Verdict.VOID:
            tally.beside["regraded"] += 1

    def _add_closed(self, tally: _Tally, row: ClockRow, says: Verdict) -> None:
        stopped = row.stopped_at
        if stopped is None or stopped > self._as_of:
            stopped = row.exempt_at
            tally.beside["decided late"] += 1
        elif row.stop_recorded_at is not None:
            tally.beside["recorded"] += 1
            if row.stop_recorded_at - stopped > RECORDED_LATE_AFTER:
                tally.beside["recorded late"] += 1
        if stopped is not None:
            # A stop may lie before its start by the tolerance between two systems' times.
            tally.closed.append(max(0, stopped - row.started_at))
        if says is Verdict.MET and row.confirm_by is not None:
            tally.beside["to confirm"] += 1

    def _add_other(self, tally: _Tally, row: ClockRow, says: Verdict) -> None:
        if says is Verdict.OVERDUE:
            tally.open_.append(self._as_of - row.started_at)
            if row.cannot_route:
                tally.beside["cannot route"] += 1
        elif says is Verdict.EXEMPT:
            tally.reasons[row.reason_code] += 1
        elif says is Verdict.VOID and row.breached_at is not None:
            tally.beside["void after due"] += 1

    def add_plain(self, duties: PlainDuties) -> None:
        tally, number = self._cells[duties.rule, duties.partner], len(duties.lengths)
        tally.verdicts[Verdict.LATE if duties.is_late else Verdict.MET] += number
        if duties.is_recorded:
            tally.beside["recorded"] += number
        if duties.is_recorded_late:
            tally.beside["recorded late"] += number
        tally.plain.append(duties.lengths)
        self._cases_of_plain.append(duties.cases)

    def number_of_cases(self) -> int:
        return number_of_different(self._cases, self._cases_of_plain)

    def measured(self) -> Measured:
        return _merged(self._cells.values())

    def grouped_by(self, *, rule: bool) -> dict[str, Measured]:
        groups: defaultdict[str, list[_Tally]] = defaultdict(list)
        for (rule_id, partner), tally in self._cells.items():
            groups[rule_id if rule else partner].append(tally)
        return {name: _merged(tallies) for name, tallies in sorted(groups.items())}


def _merged(tallies: Iterable[_Tally]) -> Measured:
    whole = _Tally()
    for tally in tallies:
        whole.include(tally)
    return whole.measured()


def _span(lengths: Sequence[Lengths], still_open: Sequence[Duration]) -> Span:
    """How long it took, of all lengths; those of what is open are among them."""
    ordered = Ordered(lengths)
    number = ordered.number
    if not number:
        return Span(0, None, None, None, longest_is_open=False)
    places = [_place_of_rank(number, percent) for percent in (50, 90, 100)]
    median, ninetieth, longest = ordered.at(places)
    return Span(
        number=number,
        median=median if number >= NO_MEDIAN_UNDER else None,
        ninetieth=ninetieth if number >= NO_PERCENTILE_UNDER else None,
        longest=longest,
        longest_is_open=bool(still_open) and max(still_open) == longest,
    )


class _Open:
    """Duties that are open, whenever they are due."""

    def __init__(self, as_of: Instant, risks: Sequence[str], no_notice_rule: str) -> None:
        self._as_of = as_of
        self._rank = {risk: place for place, risk in enumerate(risks)}
        self._gravest = risks[-1] if risks else ""
        self._no_notice_rule = no_notice_rule
        self._counts: Counter[str] = Counter()
        self._ages: dict[str, list[int]] = {}
        self._cases: set[int] = set()
        self._overdue: defaultdict[int, list[ClockRow]] = defaultdict(list)
        self._high_risk: defaultdict[int, list[ClockRow]] = defaultdict(list)
        self._contacts_overdue: list[Instant] = []
        self._contacts_within_limit = 0

    def add(self, row: ClockRow, says: Verdict) -> None:
        self._counts[says] += 1
        self._cases.add(row.case_id)
        ages = self._ages.setdefault(row.risk, [0] * (len(AGE_BANDS) + 1))
        ages[_band(self._as_of - row.started_at)] += 1
        if row.due_at is None:
            self._counts["no due"] += 1
        if row.held_until is not None:
            ahead = row.held_until > self._as_of
            self._counts["deferred" if ahead else "review overdue"] += 1
        if says is Verdict.OVERDUE:
            self._overdue[row.case_id].append(row)
        if row.risk == self._gravest:
            self._high_risk[row.case_id].append(row)
        if row.rule == self._no_notice_rule:
            self._add_contact(row, says)

    def _add_contact(self, row: ClockRow, says: Verdict) -> None:
        if says is Verdict.OVERDUE:
            self._contacts_overdue.append(row.started_at)
        else:
            self._contacts_within_limit += 1

    def backlog(self) -> Backlog:
        counts = self._counts
        return Backlog(
            duties=sum(counts[says] for says in OPEN_VERDICTS),
            cases=len(self._cases),
            overdue=counts[Verdict.OVERDUE],
            unknown=counts[Verdict.UNKNOWN],
            no_due=counts["no due"],
            deferred=counts["deferred"],
            review_overdue=counts["review overdue"],
            ages={risk: tuple(self._ages[risk]) for risk in sorted(self._ages, key=self._order)},
            high_risk_cases_overdue=sum(
                any(row.risk == self._gravest for row in rows) for rows in self._overdue.values()
            ),
            first=self._first(self._overdue),
            oldest_high_risk=self._first(self._high_risk),
        )

    def no_notice(self) -> NoNotice:
        overdue = self._contacts_overdue
        return NoNotice(len(overdue), min(overdue, default=None), self._contacts_within_limit)

    def _first(self, cases: Mapping[int, Sequence[ClockRow]]) -> OpenCase | None:
        if not cases:
            return None
        return self._case(cases[min(cases, key=lambda case_id: self._urgency(cases[case_id]))])

    def _urgency(self, rows: Sequence[ClockRow]) -> tuple[tuple[int, str], Instant, int]:
        """Of the gravest risk and longest known comes first."""
        gravest = min(self._order(row.risk) for row in rows)
        return gravest, min(row.started_at for row in rows), rows[0].case_id

    def _case(self, rows: Sequence[ClockRow]) -> OpenCase:
        newest = max(rows, key=lambda row: (row.stage_at or 0, row.stage))
        duties = (OpenDuty(row.rule, row.partner, row.due_at, row.cannot_route) for row in rows)
        return OpenCase(
            case_id=newest.case_id,
            risk=min((row.risk for row in rows), key=self._order),
            started_at=min(row.started_at for row in rows),
            duties=tuple(sorted(duties, key=lambda duty: (duty.due_at or 0, duty.rule))),
            stage=newest.stage,
            stage_at=newest.stage_at,
        )

    def _order(self, risk: str) -> tuple[int, str]:
        """The gravest first; words of no known rank last."""
        return -self._rank.get(risk, -1), risk


def _band(age: Duration) -> int:
    return sum(age >= end for end in AGE_BANDS)
