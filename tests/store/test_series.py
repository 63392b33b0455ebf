"""Weeks and tenths counted by the database are those counted clock by clock."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert

from monitor.model import DAY, HOUR, Instant
from monitor.store import series
from monitor.store.engine import reading, writing
from monitor.store.series import plain_tenths, plain_weeks
from monitor.store.tables import case_
from tests.store.weekly_clocks import (
    EDGES,
    LONDON,
    NOT_PLAIN,
    STARTS,
    UNTIL,
    WEEKS,
    clocks,
    is_plain,
    put,
    week_of,
    weeks_from,
)


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """A migrated database of either sort, with one case."""
    with writing(engine) as connection:
        connection.execute(insert(case_).values(id=1, reference="PPN-2027-000001"))
    return engine


def _counted(
    written: list[dict[str, Any]], where: dict[str, str], at: Instant
) -> Counter[tuple[int, str, str, bool]]:
    counts: Counter[tuple[int, str, str, bool]] = Counter()
    for one in written:
        due = one["due_at"]
        if due is None or due >= at or not one["partner"] or one["rule"] == "left-out":
            continue
        if is_plain(one, where, at) and (week := week_of(due)) in WEEKS:
            is_met = one["stopped_at"] <= due
            counts[WEEKS.index(week), one["partner"], one["district"], is_met] += 1
    return counts


_asked = {
    "at": st.sampled_from((UNTIL + DAY, STARTS[20], STARTS[33] + 3 * DAY)),
    "where": st.sampled_from(({}, {"district": "east"})),
}


def _compare_weeks(
    engine: Engine, written: list[dict[str, Any]], at: Instant, where: dict[str, str]
) -> None:
    with writing(engine) as connection:
        put(connection, written)
    with reading(engine) as connection:
        found = list(
            plain_weeks(
                connection, STARTS, until=UNTIL, as_of=at, where=where, left_out=["left-out"]
            )
        )
    expected = _counted(written, where, at)
    assert len(found) == len(expected)
    assert {each[:4]: each[4] for each in found} == expected


def test_every_duty_is_of_the_week_of_its_local_date(engine: Engine) -> None:
    """Over both changes of the clocks, at the microsecond."""

    @given(written=st.lists(clocks(), max_size=30), **_asked)
    def compare(written: list[dict[str, Any]], at: Instant, where: dict[str, str]) -> None:
        _compare_weeks(engine, written, at, where)

    compare()


def test_a_duty_at_every_edge_of_forty_weeks(engine: Engine) -> None:
    """The last microsecond of each, the first of the next, and one more."""
    plain = {
        **dict.fromkeys(NOT_PLAIN),
        "rule": "council-4h",
        "rule_version": 1,
        "partner": "council",
        "district": "east",
        "restricted": False,
        "breached_at": None,
    }
    written = [
        plain | {"started_at": due - 4 * HOUR, "due_at": due, "stopped_at": due} for due in EDGES
    ]
    _compare_weeks(engine, written, UNTIL + DAY, {})
    weeks = Counter(week_of(due) for due in EDGES)
    assert all(weeks[week] == 3 for week in WEEKS)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_few_weeks_about_a_change(engine: Engine, number: int) -> None:
    """Also where the change is at the end of the last."""
    weeks = weeks_from("2026-W43", number)
    starts, until = [week.first(LONDON) for week in weeks], weeks[-1].end(LONDON)
    dues = [start + by for start in (*starts, until) for by in (-1, 0, HOUR, -HOUR)]
    with writing(engine) as connection:
        put(connection, [_done(due) for due in dues])
    with reading(engine) as connection:
        found = plain_weeks(
            connection, starts, until=until, as_of=until + DAY, where={}, left_out=()
        )
        counts = {each[0]: each[4] for each in found}
    expected = Counter(week_of(due) for due in dues)
    assert counts == {place: expected[week] for place, week in enumerate(weeks)}


def _done(due: Instant) -> dict[str, Any]:
    return {
        "rule": "council-4h",
        "rule_version": 1,
        "partner": "council",
        "started_at": due - 4 * HOUR,
        "due_at": due,
        "stopped_at": due,
    }


# -- tenths of the time allowed ---------------------------------------------------------------


def _tenth(one: dict[str, Any]) -> int | None:
    """Which tenth it ended in, by exact parts: each is up to and with its end."""
    allowed, taken = one["due_at"] - one["started_at"], one["stopped_at"] - one["started_at"]
    if not allowed or taken <= 0:
        return None
    part = Fraction(taken * 10, allowed)
    return int(part) - (part.denominator == 1)


def _compare_tenths(
    engine: Engine, written: list[dict[str, Any]], at: Instant, where: dict[str, str]
) -> None:
    with writing(engine) as connection:
        put(connection, written)
    with reading(engine) as connection:
        found = list(
            plain_tenths(
                connection,
                since=STARTS[0],
                until=UNTIL,
                as_of=at,
                where=where,
                rules=["council-4h", "health-1d"],
                tenths=(8, 9, 10),
            )
        )
    expected = Counter(
        (one["rule"], tenth)
        for one in written
        if one["rule"] != "left-out"
        and one["due_at"] is not None
        and STARTS[0] <= one["due_at"] < min(UNTIL, at)
        and is_plain(one, where, at)
        and (tenth := _tenth(one)) in (8, 9, 10)
    )
    assert len(found) == len(expected)
    assert {(rule, tenth): number for rule, tenth, number in found} == expected


def test_tenths_are_those_of_exact_fractions(engine: Engine) -> None:
    @given(written=st.lists(clocks(), max_size=30), **_asked)
    def compare(written: list[dict[str, Any]], at: Instant, where: dict[str, str]) -> None:
        _compare_tenths(engine, written, at, where)

    compare()


def test_what_ended_at_the_due_instant_is_of_the_last_tenth(engine: Engine) -> None:
    """And a microsecond later is of the tenth after."""
    due = STARTS[4]
    ends = [-24 * HOUR // 10, -24 * HOUR // 10 + 1, 0, 1, 24 * HOUR // 10, 24 * HOUR // 10 + 1]
    base = _done(due) | {"started_at": due - 24 * HOUR}
    written = [
        base | {"stopped_at": due + by, "breached_at": due if by > 0 else None} for by in ends
    ]
    with writing(engine) as connection:
        put(connection, written)
    with reading(engine) as connection:
        found = plain_tenths(
            connection,
            since=STARTS[0],
            until=UNTIL,
            as_of=UNTIL,
            where={},
            rules=["council-4h"],
            tenths=(8, 9, 10),
        )
        assert {tenth: number for _, tenth, number in found} == {8: 1, 9: 2, 10: 2}


# -- that it can fail -------------------------------------------------------------------------


def test_weeks_of_seven_days_throughout_are_found_out(
    sqlite: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the changes of the clocks, a duty in the hour of one is of the wrong week."""
    with writing(sqlite) as connection:
        connection.execute(insert(case_).values(id=1, reference="PPN-2027-000001"))
    monkeypatch.setattr(series, "_place", lambda due, starts: (due - starts[0]) // (7 * DAY))

    @settings(max_examples=500, phases=[Phase.generate], database=None)
    @given(st.lists(clocks(), max_size=30))
    def compare(written: list[dict[str, Any]]) -> None:
        _compare_weeks(sqlite, written, UNTIL + DAY, {})

    with pytest.raises(AssertionError):
        compare()
