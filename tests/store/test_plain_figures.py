"""Clocks that were simply met or late are counted in columns; every figure is what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert

from monitor.model import DAY, HOUR, Clock, ClockKey, Instant
from monitor.report import plain
from monitor.report.cohort import RECORDED_LATE_AFTER
from monitor.report.figures import Figures, figures
from monitor.report.plain import SEPARATOR, Group, plain_duties
from monitor.report.row import ClockRow
from monitor.store import figures as stored
from monitor.store.clocks import insert_clocks
from monitor.store.engine import open_engine, reading, writing
from monitor.store.tables import case_, metadata
from monitor.store.tables import clock as clock_table

SINCE: Instant = 1_804_000_000_000_000
UNTIL: Instant = SINCE + 7 * DAY
NOW: Instant = UNTIL + 8 * HOUR
_CASES = 5
PLAIN: Any = {
    "recorded_late_after": RECORDED_LATE_AFTER,
    "group": Group._fields,
    "separator": SEPARATOR,
}

instants = st.none() | st.integers(SINCE - 2 * DAY, NOW + DAY)
_seldom = st.sampled_from([None] * 6) | instants
"""Most clocks have none of the facts that call for a judgement of their own."""


@st.composite
def clocks(draw: st.DrawFn) -> dict[str, Any]:
    """A clock of any kind, closed late as assessing leaves one: `breached_at` is its due."""
    start = draw(st.integers(SINCE - 3 * DAY, NOW + HOUR))
    due = draw(
        st.integers(SINCE - DAY, NOW + DAY) | st.sampled_from((SINCE, UNTIL - 1, UNTIL, None))
    )
    stopped = draw(st.none() | st.integers(start - HOUR, start + 9 * DAY) | st.just(NOW))
    recorded = draw(st.sampled_from((None, 0, DAY, DAY + 1, -1)))
    return {
        "started_at": start,
        "due_at": due,
        "stopped_at": stopped,
        "breached_at": due if due and stopped and stopped > due else None,
        "stop_recorded_at": None if recorded is None or stopped is None else stopped + recorded,
        "exempt_at": draw(_seldom),
        "void_at": draw(_seldom),
        "superseded_at": draw(_seldom),
        "regraded_at": draw(_seldom),
        "confirm_by": draw(_seldom),
        "partner": draw(st.sampled_from(("council", "health", ""))),
        "unit": draw(st.sampled_from(("", "mash"))),
        "category": draw(st.sampled_from(("", "neglect"))),
        "risk": draw(st.sampled_from(("high", "standard"))),
        "district": draw(st.sampled_from(("east", "east", "west"))),
        "restricted": draw(st.sampled_from((False, False, False, True))),
        "reason_code": draw(st.sampled_from(("", "x"))),
        "rule_version": draw(st.sampled_from((1, 2))),
        "rule": draw(st.sampled_from(("council-4h", "health-1d", "left-out"))),
        "case_id": draw(st.integers(1, _CASES)),
    }


def _put(connection: Connection, written: list[dict[str, Any]]) -> None:
    rows = []
    for number, fields in enumerate(written):
        told = {name: value for name, value in fields.items() if name not in {"rule", "case_id"}}
        key = ClockKey(fields["rule"], child=f"child-{number}")
        clock = Clock(key=key, known_at=fields["started_at"], **told)
        rows.append((fields["case_id"], clock, (), 0, 1, None))
    insert_clocks(connection, rows)


def _empty(engine: Engine) -> None:
    metadata.create_all(engine)
    with writing(engine) as connection:
        cases = [{"id": number, "reference": f"{number}"} for number in range(1, _CASES + 1)]
        connection.execute(insert(case_), cases)


def _one_by_one(connection: Connection, where: dict[str, str], **asked: Any) -> Figures:
    """As figures were counted before: an object for every clock."""
    rows = stored.clock_rows(connection, ClockRow._fields, **_period(asked), where=where)
    return figures(map(ClockRow._make, rows), **asked)


def _in_columns(connection: Connection, where: dict[str, str], **asked: Any) -> Figures:
    read = {**_period(asked), "where": where}
    rows = stored.clock_rows(connection, ClockRow._fields, **read, with_plain=False)
    done = stored.plain_rows(connection, **read, **PLAIN)
    return figures(map(ClockRow._make, rows), **asked, plain=plain_duties(done))


def _period(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: asked[name] for name in ("since", "until", "as_of")}


_trial = st.sampled_from([(), (("council-4h", 2),), (("left-out", 1), ("health-1d", 1))])


def _compare(written: list[dict[str, Any]], asked: dict[str, Any], where: dict[str, str]) -> None:
    engine = open_engine("sqlite:///:memory:")
    _empty(engine)
    with writing(engine) as connection:
        _put(connection, written)
        whole = _one_by_one(connection, where, **asked)
        assert _in_columns(connection, where, **asked) == whole
    engine.dispose()


@st.composite
def asked(draw: st.DrawFn) -> dict[str, Any]:
    """Of a week that is over, or is not; with rules left out, on trial, and a feed in doubt."""
    return {
        "since": draw(st.just(SINCE) | st.integers(SINCE - DAY, UNTIL)),
        "until": UNTIL,
        "as_of": draw(st.just(NOW) | st.integers(SINCE - DAY, NOW + DAY)),
        "left_out": ("left-out",),
        "trial": draw(_trial),
        "stop_feeds": {("council-4h", 1): ("sending-log",)},
        "trusted_until": {"sending-log": SINCE + 3 * DAY},
    }


@pytest.mark.parametrize("many", [1, 10**9], ids=["by numpy", "without it"])
@pytest.mark.parametrize("share", [0, 10**6], ids=["by the index", "row after row"])
def test_figures_are_those_of_every_clock_judged_by_itself(
    many: int, share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "MANY", many)
    monkeypatch.setattr(stored, "_MANY_OF_ALL", share)

    @settings(max_examples=120)
    @given(
        st.lists(clocks(), max_size=40),
        asked(),
        st.sampled_from(({}, {"district": "east"})),
    )
    def compare(written: list[dict[str, Any]], of: dict[str, Any], where: dict[str, str]) -> None:
        _compare(written, of, where)

    compare()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        opened = open_engine(f"sqlite:///{tmp_path / 'monitor.db'}")
    else:
        url: str = request.getfixturevalue("fresh_postgres")
        opened = open_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    _empty(opened)
    yield opened
    opened.dispose()


def _many() -> list[dict[str, Any]]:
    """Five thousand, of every kind, more than are fetched at a time."""
    return [
        {
            "started_at": (start := SINCE + number * 100_000_007 % (6 * DAY)),
            "due_at": start + 4 * HOUR,
            "stopped_at": (stop := start + number * 7_919_000_003 % (9 * HOUR)),
            "breached_at": start + 4 * HOUR if stop > start + 4 * HOUR else None,
            "stop_recorded_at": stop + number % 3 * DAY if number % 5 else None,
            "void_at": stop if number % 97 == 0 else None,
            "partner": ("council", "health", "")[number % 3],
            "district": ("east", "west")[number % 2],
            "restricted": number % 41 == 0,
            "rule_version": 1,
            "rule": ("council-4h", "health-1d")[number % 2],
            "case_id": 1 + number % _CASES,
        }
        for number in range(5_000)
    ]


def test_both_databases_tell_the_same_of_thousands(engine: Engine) -> None:
    with writing(engine) as connection:
        _put(connection, _many())
    of: dict[str, Any] = {"since": SINCE, "until": UNTIL, "as_of": NOW}
    with reading(engine) as connection:
        parts = list(stored.plain_rows(connection, **of, **PLAIN, where={}))
        for where in ({}, {"district": "west"}):
            whole = _one_by_one(connection, where, **of)
            assert _in_columns(connection, where, **of) == whole
    assert len(parts) > 2
    found = [tuple(row) for part in parts for row in part]
    assert len(found) == 4_828  # neither the void nor the restricted
    stopped = {number: number * 7_919_000_003 % (9 * HOUR) for number in range(5_000)}
    named = SEPARATOR.join((f"{8 + 2}", "health-1d", "health", "west", "", "", ""))
    assert (named, 2, stopped[1]) in found
    assert {int(str(said).partition(SEPARATOR)[0]) for said, *_ in found} == {
        8 + late + said for late in (0, 1) for said in (0, 2, 6)
    }


# -- that it can fail -------------------------------------------------------------------------


def _claims_are_plain(patch: pytest.MonkeyPatch) -> None:
    facts = [fact for fact in stored._PLAIN if fact is not clock_table.c.confirm_by]
    patch.setattr(stored, "_PLAIN", facts)


def _regraded_are_plain(patch: pytest.MonkeyPatch) -> None:
    facts = [fact for fact in stored._PLAIN if fact is not clock_table.c.regraded_at]
    patch.setattr(stored, "_PLAIN", facts)


def _what_is_not_over_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stored, "min", max, raising=False)


def _a_day_later_is_late(patch: pytest.MonkeyPatch) -> None:
    read = stored.plain_rows
    patch.setattr(
        stored,
        "plain_rows",
        lambda *of, recorded_late_after, **more: read(
            *of, recorded_late_after=recorded_late_after - 1, **more
        ),
    )


@pytest.mark.parametrize(
    "plant",
    [_claims_are_plain, _regraded_are_plain, _what_is_not_over_counts, _a_day_later_is_late],
)
def test_a_planted_fault_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    @settings(max_examples=2_000, phases=[Phase.generate], database=None)
    @given(st.lists(clocks(), max_size=40), asked())
    def compare(written: list[dict[str, Any]], of: dict[str, Any]) -> None:
        _compare(written, of, {})

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(AssertionError):
            compare()
