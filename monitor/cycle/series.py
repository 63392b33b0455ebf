"""Weekly shares of years, for control charts: as known now.

What comes in: an installation, an open transaction, the first and the last week. What goes out:
a series of weeks for each partner and district, and for all together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from monitor.clocks.verdicts import verdict
from monitor.model import Clock, Instant, Verdict
from monitor.report.change import WeekPoint
from monitor.report.periods import Week
from monitor.report.row import ClockRow
from monitor.report.series import Counted, Series, is_counted, series
from monitor.report.wording import left_out, stop_feeds
from monitor.store import figures as stored
from monitor.store.series import plain_weeks

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.store.engine import Connection


def weekly_shares(
    monitor: Monitor,
    connection: Connection,
    *,
    first: Week,
    last: Week,
    where: Mapping[str, str],
    now: Instant,
) -> Mapping[Series, tuple[WeekPoint, ...]]:
    """Duties to partners met, of all known in time or not, in each week from first to last."""
    weeks = _weeks(first, last)
    starts = [week.first(monitor.zone) for week in weeks]
    until, apart = last.end(monitor.zone), left_out(monitor.rulebook)
    plain = plain_weeks(connection, starts, until=until, as_of=now, where=where, left_out=apart)
    judged = Counter(
        (bisect_right(starts, due) - 1, row.partner, row.district, says is Verdict.MET)
        for row, due, says in _judged(monitor, connection, starts[0], until, where, now=now)
        if row.rule not in apart
    )
    return series(
        weeks,
        [
            *(Counted(*each) for each in plain),
            *(Counted(*alike, number) for alike, number in judged.items()),
        ],
    )


def _weeks(first: Week, last: Week) -> Sequence[Week]:
    weeks = [last]
    while weeks[-1] > first:
        weeks.append(weeks[-1].earlier)
    return weeks[::-1]


def _judged(
    monitor: Monitor,
    connection: Connection,
    since: Instant,
    until: Instant,
    where: Mapping[str, str],
    *,
    now: Instant,
) -> Iterator[tuple[ClockRow, Instant, Verdict]]:
    """The clocks due in a span that are not plain, each with its due and its verdict."""
    feeds, trusted = stop_feeds(monitor.rulebook), stored.trusted_until(connection)
    rows = stored.clock_rows(
        connection,
        ClockRow._fields,
        since=since,
        until=until,
        as_of=now,
        where=where,
        with_plain=False,
    )
    for row in map(ClockRow._make, rows):
        due = row.due_at
        if not row.partner or due is None or not since <= due < min(until, now):
            continue
        if row.superseded_at is not None:
            continue  # what took its place counts
        says = verdict(
            cast("Clock", row),  # a row has those fields of a clock that a verdict reads
            now=now,
            stop_feeds=feeds.get((row.rule, row.rule_version), ()),
            trusted_until=trusted,
        )
        if is_counted(says):
            yield row, due, says
