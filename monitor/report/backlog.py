"""What is open: by age and risk, overdue, unknown, waiting for a review, and what to look at first.

What comes in: clocks that are open at an instant, each with its verdict. What goes out: counts, and
the cases to name. It does not care when anything is due.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.model import DAY, OPEN_VERDICTS, Duration, Instant, Verdict

if TYPE_CHECKING:
    from monitor.report.row import ClockRow

AGE_BANDS: Final = (1 * DAY, 3 * DAY, 7 * DAY, 14 * DAY)
"""Where one band of age ends and the next begins; the last is open."""


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


class OpenDuties:
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
        """Count a clock that is open."""
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
        """Everything that was added."""
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
        """The contacts among it that have no notice."""
        overdue = self._contacts_overdue
        return NoNotice(len(overdue), min(overdue, default=None), self._contacts_within_limit)

    def _first(self, cases: Mapping[int, Sequence[ClockRow]]) -> OpenCase | None:
        if not cases:
            return None
        return self._case(cases[min(cases, key=lambda case_id: self._urgency(cases[case_id]))])

    def _urgency(self, rows: Sequence[ClockRow]) -> tuple[tuple[int, str], bool, Instant, int]:
        """The gravest risk first; among alike those that a partner waits for; then the oldest."""
        gravest = min(self._order(row.risk) for row in rows)
        is_own_step = not any(row.partner for row in rows)
        return gravest, is_own_step, min(row.started_at for row in rows), rows[0].case_id

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
