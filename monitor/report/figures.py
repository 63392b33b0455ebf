"""Clocks counted: what share was in time, how long it took, what is open.

What comes in: one small row for each clock, a period, and the instant at which they are looked at.
What goes out: figures by rule, partner, district, unit, category and risk, the open backlog, and
the case to look at first.
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

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from monitor.clocks.verdicts import NO_FEED_IN_DOUBT, TrustedUntil, verdict
from monitor.model import OPEN_VERDICTS, Instant
from monitor.report.backlog import Backlog, NoNotice, OpenDuties
from monitor.report.cohort import Cohort, Part, Took
from monitor.report.measured import Measured
from monitor.report.plain import PlainDuties
from monitor.report.row import ClockRow

if TYPE_CHECKING:
    from monitor.model import Clock

PARTED_BY: Final = ("district", "unit", "category", "risk")
"""By what else duties to partners are parted, beside rule and partner."""

StopFeeds = Mapping[tuple[str, int], Collection[str]]
"""(rule, version) → the feeds on which its stop relies; absent: none."""


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
    parts: Mapping[str, tuple[Part, ...]]
    """`district`, `unit`, `category`, `risk` → the duties to partners parted by it."""
    on_trial: OnTrial = NONE_ON_TRIAL
    lengths: Mapping[str, Took] = field(default_factory=dict, compare=False)
    """Rule → how long each duty to a partner took; of which a picture is made."""


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
    with_spans: bool = False,
) -> Figures:
    """Count clocks at `as_of`, for duties that fell due from `since` up to, and not with, `until`.

    `rows`: in any order, each clock once. `risks`: from the least to the gravest. `left_out`: rules
    of which nothing is to be said, but how many duties they measure where they are on trial.
    `trial`: (rule, version) that nobody has approved. `plain`: clocks that fell due in the period
    and stopped, put together, of which nothing else is to be said; they are not among the rows.
    `with_spans`: how long it took is reckoned of every part too, and not of rules and partners
    alone.
    """
    feeds: StopFeeds = stop_feeds or {}
    cohort, still_open = Cohort(as_of), OpenDuties(as_of, risks, no_notice_rule)
    by_trial: Counter[tuple[str, bool]] = Counter()
    decided_until = min(until, as_of)
    for row in rows:
        is_left_out, is_trial = row.rule in left_out, (row.rule, row.rule_version) in trial
        if row.restricted or row.started_at > as_of or (is_left_out and not is_trial):
            continue
        if row.superseded_at is not None:
            continue  # what took its place counts, also before it did
        says = verdict(
            # A row has those fields of a clock that a verdict reads.
            cast("Clock", row),
            now=as_of,
            stop_feeds=feeds.get((row.rule, row.rule_version), ()),
            trusted_until=trusted_until,
        )
        is_open = says in OPEN_VERDICTS and not _ended_unjudged(row, as_of)
        fell_due = row.due_at is not None and since <= row.due_at < decided_until
        if is_trial and (is_open or fell_due):
            by_trial[row.rule, is_left_out] += 1
        if is_open and not is_left_out:
            still_open.add(row, says)
        if fell_due and not is_left_out:
            cohort.add(row, says)
    for duties in plain:
        is_left_out = duties.group.rule in left_out
        if (duties.group.rule, duties.rule_version) in trial:
            by_trial[duties.group.rule, is_left_out] += len(duties.lengths)
        if not is_left_out:
            cohort.add_plain(duties)
    return Figures(
        since=since,
        until=until,
        as_of=as_of,
        cases=cohort.number_of_cases(),
        total=cohort.measured(),
        rules=cohort.by("rule"),
        partners=cohort.by("partner"),
        backlog=still_open.backlog(),
        no_notice=still_open.no_notice(),
        on_trial=OnTrial(
            rules=len({rule for rule, _ in by_trial}),
            duties=by_trial.total(),
            counted=sum(number for (_, is_out), number in by_trial.items() if not is_out),
        ),
        lengths=cohort.lengths(),
        parts={name: cohort.parts(name, with_spans=with_spans) for name in PARTED_BY},
    )


def _ended_unjudged(row: ClockRow, as_of: Instant) -> bool:
    """Whether a duty is done and only whether in time cannot be said: it waits for nobody."""
    return row.due_at is None and row.stopped_at is not None and row.stopped_at <= as_of
