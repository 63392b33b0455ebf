"""What is said of one group of duties: how many were in time, how sure that is, how long it took.

What comes in: counts and lengths as they are found. What goes out: plain figures. It does not care
which duties belong together, nor how a verdict comes about.

How long: from start to stop, in clock hours. A percentile is the nearest rank: the smallest value
that at least so many per cent of the values do not exceed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

from monitor.model import Duration, Verdict
from monitor.report.intervals import Interval, wilson
from monitor.report.plain import Lengths, Ordered

NO_PERCENTAGE_UNDER: Final = 10
NO_PERCENTILE_UNDER: Final = 20
NO_MEDIAN_UNDER: Final = 5


class Span(NamedTuple):
    """How long it took, in clock hours."""

    number: int
    """How many values the others are of."""
    median: Duration | None
    """None under 5."""
    ninetieth: Duration | None
    """90th percentile; None under 20."""
    ninety_fifth: Duration | None
    """95th percentile; None under 20."""
    longest: Duration | None
    longest_is_open: bool


NO_SPAN: Final = Span(0, None, None, None, None, longest_is_open=False)


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

    @property
    def interval(self) -> Interval | None:
        """Where the share in time lies with 95 % confidence, None under 10."""
        return wilson(self.met, self.of) if self.of >= NO_PERCENTAGE_UNDER else None


def added(groups: Iterable[Measured]) -> Measured:
    """Several groups that share no duty, counted as one; how long it took is left out."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for group in groups:
        counts.update({name: getattr(group, name) for name in _COUNTS})
        reasons.update(dict(group.reasons))
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return Measured(
        **{name: counts[name] for name in _COUNTS}, reasons=tuple(ordered), span=NO_SPAN
    )


_COUNTS: Final = tuple(
    each.name for each in fields(Measured) if each.name not in {"reasons", "span"}
)


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


class Tally:
    """Counts of one group, while they grow."""

    __slots__ = ("beside", "closed", "open_", "plain", "reasons", "verdicts")

    def __init__(self) -> None:
        self.verdicts: Counter[Verdict] = Counter()
        self.beside: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.closed: list[Duration] = []
        self.open_: list[Duration] = []
        self.plain: list[Lengths] = []

    def include(self, other: Tally) -> None:
        """Add what another group counted."""
        self.verdicts.update(other.verdicts)
        self.beside.update(other.beside)
        self.reasons.update(other.reasons)
        self.closed += other.closed
        self.open_ += other.open_
        self.plain += other.plain

    def measured(self, *, with_span: bool = True) -> Measured:
        """The figures so far. `with_span` False: nothing is said of how long it took."""
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
            span=self._span() if with_span else NO_SPAN,
        )

    def _span(self) -> Span:
        return span_of([self.closed, self.open_, *self.plain], still_open=self.open_)


def span_of(lengths: Sequence[Lengths], *, still_open: Sequence[Duration] = ()) -> Span:
    """How long it took, of all lengths; those of what is open are among them."""
    ordered = Ordered(lengths)
    number = ordered.number
    if not number:
        return NO_SPAN
    places = [_place_of_rank(number, percent) for percent in (50, 90, 95, 100)]
    median, ninetieth, ninety_fifth, longest = ordered.at(places)
    return Span(
        number=number,
        median=median if number >= NO_MEDIAN_UNDER else None,
        ninetieth=ninetieth if number >= NO_PERCENTILE_UNDER else None,
        ninety_fifth=ninety_fifth if number >= NO_PERCENTILE_UNDER else None,
        longest=longest,
        longest_is_open=bool(still_open) and max(still_open) == longest,
    )
