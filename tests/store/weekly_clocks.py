"""Clocks of forty weeks over both changes of the clocks, made up for tests, and where they belong.

Due times lie about the ends of weeks, about the changes, or anywhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from sqlalchemy import Connection

from monitor.model import DAY, HOUR, Clock, ClockKey, Instant
from monitor.report.periods import Week
from monitor.store.clocks import insert_clocks
from monitor.store.tables import clock as clock_table

LONDON = ZoneInfo("Europe/London")


def weeks_from(first: str, number: int) -> list[Week]:
    monday = Week.parse(first).monday
    return [Week.of(monday + dt.timedelta(weeks=place)) for place in range(number)]


WEEKS = weeks_from("2026-W10", 40)
"""From March to December 2026: summer time begins on 29 March and ends on 25 October."""
STARTS = [week.first(LONDON) for week in WEEKS]
UNTIL = WEEKS[-1].end(LONDON)
CHANGES = [Week.parse("2026-W13").end(LONDON), Week.parse("2026-W43").end(LONDON)]
EDGES = [start + by for start in (*STARTS, UNTIL) for by in (-1, 0, 1)]


def _dues() -> st.SearchStrategy[Instant]:
    """Due times: about the ends of weeks, about the clock changes, or anywhere."""
    about = [change + by for change in CHANGES for by in range(-3 * HOUR, 3 * HOUR, HOUR // 2)]
    return (
        st.sampled_from(EDGES)
        | st.sampled_from(about)
        | st.integers(STARTS[0] - 7 * DAY, UNTIL + 7 * DAY)
    )


_seldom = st.sampled_from([None] * 7 + [STARTS[3]])


@st.composite
def clocks(draw: st.DrawFn) -> dict[str, Any]:
    due = draw(st.none() | _dues()) if draw(st.integers(0, 9)) == 0 else draw(_dues())
    allowed = draw(st.sampled_from((0, 4 * HOUR, 24 * HOUR)))
    start = (due or STARTS[1]) - allowed
    tenth = allowed // 10
    stopped = draw(
        st.none()
        | st.integers(start - HOUR, start + 30 * HOUR)
        | st.builds(
            lambda parts, by: start + parts * tenth + by, st.integers(7, 12), st.integers(-1, 1)
        )
    )
    return {
        "rule": draw(st.sampled_from(("council-4h", "health-1d", "left-out"))),
        "rule_version": 1,
        "partner": draw(st.sampled_from(("council", "health", ""))),
        "district": draw(st.sampled_from(("east", "west"))),
        "restricted": draw(st.sampled_from((False, False, False, True))),
        "started_at": start,
        "due_at": due,
        "stopped_at": stopped,
        "breached_at": due if due is not None and stopped is not None and stopped > due else None,
        **{name: draw(_seldom) for name in NOT_PLAIN},
    }


NOT_PLAIN = ("exempt_at", "void_at", "superseded_at", "confirm_by", "regraded_at")


def put(connection: Connection, written: Iterable[dict[str, Any]]) -> None:
    connection.execute(clock_table.delete())
    rows = []
    for number, fields in enumerate(written):
        told = {name: value for name, value in fields.items() if name != "rule"}
        key = ClockKey(fields["rule"], child=f"child-{number}")
        rows.append((1, Clock(key=key, known_at=fields["started_at"], **told), (), 0, 1, None))
    insert_clocks(connection, rows)


def is_plain(one: dict[str, Any], where: dict[str, str], at: Instant) -> bool:
    """Told by then, and nothing more to be said of it."""
    return (
        one["stopped_at"] is not None
        and one["stopped_at"] <= at
        and one["started_at"] <= at
        and all(one[name] is None for name in NOT_PLAIN)
        and not one["restricted"]
        and all(one[name] == word for name, word in where.items())
    )


def week_of(instant: Instant) -> Week:
    """By the calendar on the wall in London, and not by any start of a week."""
    at = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=instant)
    return Week.of(at.astimezone(LONDON).date())
