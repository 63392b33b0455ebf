"""Weekly shares are those of every clock judged and placed by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from monitor.cycle import series as under_test
from monitor.cycle.parts import Monitor
from monitor.cycle.series import weekly_shares
from monitor.model import DAY, HOUR, Instant
from monitor.report.series import Series
from monitor.store.engine import Engine, reading, writing
from monitor.store.tables import case_, feed
from tests.store.weekly_clocks import (
    LONDON,
    NOT_PLAIN,
    STARTS,
    UNTIL,
    WEEKS,
    clocks,
    put,
    week_of,
)
from tests.store.world import rule, rulebook

SILENT_SINCE = STARTS[25]
"""From here on the feed is not heard on which the council's stops rely."""

told: Any = SimpleNamespace(
    rulebook=rulebook(
        rule("council-4h", stop_feeds=["desk"]),
        rule("health-1d", partner="health"),
        rule("left-out", alerts="off"),
    ),
    zone=LONDON,
)
MONITOR = cast("Monitor", told)


@pytest.fixture
def engine(empty: Engine) -> Engine:
    """A case, and a feed that fell silent."""
    with writing(empty) as connection:
        connection.execute(insert(case_).values(id=1, reference="PPN-2027-000001"))
        connection.execute(insert(feed).values(name="desk", trusted_until=SILENT_SINCE))
    return empty


def _says(one: dict[str, Any], at: Instant) -> str:
    """In time, not in time, or nothing that counts; from the instants alone."""

    def by_then(name: str) -> bool:
        return one[name] is not None and bool(one[name] <= at)

    if one["superseded_at"] is not None or by_then("void_at"):
        return ""  # what took its place counts, also before it did
    if by_then("exempt_at"):
        return "" if one["breached_at"] is None else "not"
    is_confirmed = one["confirm_by"] is None or one["confirm_by"] >= at
    if by_then("stopped_at") and is_confirmed:
        return "met" if one["breached_at"] is None else "not"
    if one["rule"] == "council-4h" and one["due_at"] > SILENT_SINCE:
        return ""
    return "not"


def _by_hand(
    written: list[dict[str, Any]], where: dict[str, str], at: Instant, number: int
) -> dict[Series, list[tuple[int, int]]]:
    weeks = WEEKS[:number]
    those = [
        (one, says, weeks.index(week_of(one["due_at"])))
        for one in written
        if one["partner"]
        and one["rule"] != "left-out"
        and not one["restricted"]
        and one["due_at"] is not None
        and one["due_at"] < at
        and one["started_at"] <= at
        and week_of(one["due_at"]) in weeks
        and all(one[name] == word for name, word in where.items())
        and (says := _says(one, at))
    ]
    found: dict[Series, list[tuple[int, int]]] = {}
    for partner in ("", "council", "health"):
        for district in ("", "east", "west"):
            points = []
            for place in range(number):
                here = [
                    says
                    for one, says, week in those
                    if week == place
                    and partner in {"", one["partner"]}
                    and district in {"", one["district"]}
                ]
                points.append((here.count("met"), len(here)))
            if any(of for _, of in points):
                found[Series(partner, district)] = points
    return found


def _compare(
    engine: Engine, written: list[dict[str, Any]], at: Instant, where: dict[str, str], number: int
) -> None:
    with writing(engine) as connection:
        put(connection, written)
    with reading(engine) as connection:
        found = weekly_shares(
            MONITOR, connection, first=WEEKS[0], last=WEEKS[number - 1], where=where, now=at
        )
    assert all([point.week for point in points] == WEEKS[:number] for points in found.values())
    assert {
        each: [(point.met, point.of) for point in points] for each, points in found.items()
    } == _by_hand(written, where, at, number)


PLAIN = dict.fromkeys(NOT_PLAIN) | {
    "rule": "health-1d",
    "rule_version": 1,
    "partner": "health",
    "district": "east",
    "restricted": False,
    "breached_at": None,
}
_OPEN_ACROSS_A_CHANGE = [
    PLAIN | {"started_at": due - DAY, "due_at": due, "stopped_at": stopped}
    for due in (STARTS[4] - 1, STARTS[4], STARTS[34] - HOUR, STARTS[34] - 1, STARTS[34])
    for stopped in (None, due)
]


def test_they_are_of_every_clock_judged_by_hand(engine: Engine) -> None:
    """Met, late, open, decided, lapsed and unknown; in all and by district; over both changes."""

    @given(
        written=st.lists(clocks(), max_size=30),
        at=st.sampled_from((UNTIL + DAY, STARTS[20], STARTS[33] + 3 * DAY)),
        where=st.sampled_from(({}, {"district": "east"})),
        number=st.sampled_from((40, 40, 5, 1)),
    )
    @example(written=_OPEN_ACROSS_A_CHANGE, at=UNTIL + DAY, where={}, number=40)
    def compare(
        written: list[dict[str, Any]], at: Instant, where: dict[str, str], number: int
    ) -> None:
        _compare(engine, written, at, where, number)

    compare()


def test_of_nothing_there_is_no_series(engine: Engine) -> None:
    _compare(engine, [], UNTIL, {}, 40)


@pytest.mark.parametrize("empty", ["sqlite"], indirect=True)
def test_leaving_out_what_is_open_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """That this can fail: the plain alone would flatter."""
    monkeypatch.setattr(under_test, "is_counted", lambda says: says.value == "met")

    @settings(max_examples=300, phases=[Phase.generate], database=None)
    @given(written=st.lists(clocks(), max_size=30))
    def compare(written: list[dict[str, Any]]) -> None:
        _compare(engine, written, UNTIL + DAY, {}, 40)

    with pytest.raises(AssertionError):
        compare()
