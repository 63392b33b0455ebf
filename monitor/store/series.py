"""Weeks counted by the set, for charts: of years, without a row for each clock.

What comes in: where weeks begin, and which clocks are asked of. What goes out: counts by week,
partner and district. It does not care how clocks that are not plain are judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal, select
from sqlalchemy.types import BigInteger

from monitor.model import DAY, Instant
from monitor.store.figures import is_plain, told_of
from monitor.store.histories import plain, plain_rows
from monitor.store.tables import clock

_WEEK = 7 * DAY


def plain_weeks(
    connection: Connection,
    starts: Sequence[Instant],
    *,
    until: Instant,
    as_of: Instant,
    where: Mapping[str, str],
    left_out: Collection[str],
) -> Iterator[tuple[int, str, str, bool, int]]:
    """Duties to partners that were stopped, and of which no more is to be said.

    (week, partner, district, whether in time, how many). `starts`: the first instant of each week,
    one after another; `until`: the end of the last. `left_out`: rules of which nothing is said.
    """
    week = _place(plain(connection, clock.c.due_at), starts)
    is_met = case((clock.c.breached_at.is_(None), 1), else_=0)
    asked = (
        select(week, clock.c.partner, clock.c.district, is_met, func.count())
        .where(
            clock.c.due_at >= starts[0],
            clock.c.due_at < min(until, as_of),
            clock.c.partner != "",
            clock.c.rule.not_in(sorted(left_out)),
            *is_plain(as_of),
            *told_of(where),
        )
        .group_by(week, clock.c.partner, clock.c.district, is_met)
    )
    for place, partner, district, met, number in plain_rows(connection, asked):
        yield place, partner, district, bool(met), number


def plain_tenths(
    connection: Connection,
    *,
    since: Instant,
    until: Instant,
    as_of: Instant,
    where: Mapping[str, str],
    rules: Collection[str],
    tenths: Sequence[int],
) -> Iterator[tuple[Any, ...]]:
    """(rule, tenth of the time allowed in which they ended, how many), of plain duties.

    The time allowed is from start to due; what ended at the due instant ended in its last tenth.
    """
    started, due = plain(connection, clock.c.started_at), plain(connection, clock.c.due_at)
    taken = plain(connection, clock.c.stopped_at) - started
    tenth = (taken - 1) * 10 // func.nullif(due - started, 0, type_=BigInteger)
    asked = (
        select(clock.c.rule, tenth, func.count())
        .where(
            clock.c.due_at >= since,
            clock.c.due_at < min(until, as_of),
            clock.c.rule.in_(sorted(rules)),
            clock.c.stopped_at > clock.c.started_at,
            tenth.in_(list(tenths)),
            *is_plain(as_of),
            *told_of(where),
        )
        .group_by(clock.c.rule, tenth)
    )
    yield from plain_rows(connection, asked)


def _place(due: ColumnElement[int], starts: Sequence[Instant]) -> ColumnElement[int]:
    """Which of the weeks a due time falls in, by arithmetic.

    Weeks are of seven days but for those in which the clocks change: between two of these their
    starts are evenly apart, and a division says which.
    """
    places = range(len(starts))
    runs = [
        list(run) for _, run in groupby(places, key=lambda place: starts[place] - place * _WEEK)
    ]
    ends = [starts[run[0]] for run in runs[1:]]
    branches: list[tuple[ColumnElement[bool], ColumnElement[int]]] = [
        (due < end, _within(due, starts[run[0]], run)) for run, end in zip(runs, ends, strict=False)
    ]
    last = _within(due, starts[runs[-1][0]], runs[-1])
    return case(*branches, else_=last) if branches else last


def _within(due: ColumnElement[int], start: Instant, run: Sequence[int]) -> ColumnElement[int]:
    """The place within a run; the hour by which its last week may be longer is of that week."""
    weeks = (due - literal(start, BigInteger)) // literal(_WEEK, BigInteger)
    most = literal(run[-1] - run[0], BigInteger)
    return case((weeks > most, most), else_=weeks) + literal(run[0], BigInteger)
