"""What is said of an earlier time is what was stored then, whatever became known since."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.assess.assess import assess_cases
from monitor.cycle.known_then import rows_known_then
from monitor.cycle.parts import Monitor
from monitor.model import DAY, HOUR, Event, Instant
from monitor.report.row import ClockRow
from monitor.rulebook.book import Rulebook, build_rulebook
from monitor.store import actions, cases, intakes, rulebooks
from monitor.store import figures as stored
from monitor.store.engine import Engine, open_engine, reading, writing
from monitor.store.tables import metadata
from tests.clocks.histories import (
    ENGLAND,
    GENERATED_BOOK,
    T0,
    TOLERANCES,
    book,
    contact,
    generated_events,
    rule,
    told,
)
from tests.escalate.desk import EVERYBODY
from tests.replay.stages import database, emptied
from tests.store.world import new_intake, take_in

FEWER = settings(max_examples=max(30, settings().max_examples // 2))
REFERENCES = ("PPN-2027-004211", "PPN-2027-004212", "PPN-2027-004213")
SINCE, UNTIL = T0 - DAY, T0 + 6 * DAY


def monitor(rulebook: Rulebook = GENERATED_BOOK) -> Monitor:
    """As much of an installation as is asked for here."""
    part: Any = SimpleNamespace(rulebook=rulebook, roster=EVERYBODY)
    return cast("Monitor", part)


class Point(NamedTuple):
    """What was stored when a number was the last."""

    number: int
    as_of: Instant
    rows: Counter[ClockRow]


# -- one part after another -------------------------------------------------------------------


class Undo(NamedTuple):
    """An intake of an earlier part is undone."""

    place: int


Part = list[Event] | Undo


@st.composite
def parts(draw: st.DrawFn) -> list[Part]:
    """Files of three cases that are linked now and then, and intakes that are undone."""
    found: list[Part] = []
    for number in range(draw(st.integers(2, 6))):
        if number and not draw(st.integers(0, 3)):
            found.append(Undo(draw(st.integers(0, number - 1))))
            continue
        feed = draw(st.sampled_from(("occurrence", "sending-log")))
        events = draw(st.lists(generated_events(), min_size=1, max_size=5))
        found.append([_placed(draw, each, feed, number) for each in events])
    return found


def _placed(draw: st.DrawFn, each: Event, feed: str, number: int) -> Event:
    reference = draw(st.sampled_from(REFERENCES))
    links = draw(st.sampled_from(("", "", "", *REFERENCES)))
    links = "" if links == reference else links
    own = each.identity
    if draw(st.integers(0, 2)):  # else a source moves it from case to case
        own = b"%b-%b" % (reference[-1].encode(), own)
    content = each.content[:8] + f"{reference} {links} {feed}".encode()
    return each._replace(feed=feed, reference=reference, links=links, identity=own, content=content)


def _live(engine: Engine, told_in: list[Part], rulebook: Rulebook) -> list[Point]:
    points: list[Point] = []
    begun: list[int] = []
    with writing(engine) as connection:
        for feed, tolerance in TOLERANCES.items():
            intakes.register_feed(connection, feed, tolerance=tolerance, lag=0)
    for place, part in enumerate(told_in):
        now = T0 + place * 9 * HOUR
        if isinstance(part, Undo):
            _undo(engine, begun[part.place % len(begun)], rulebook, now=now)
        else:
            with writing(engine) as connection:
                begun.append(new_intake(connection, feed=part[0].feed, now=now))
            take_in(engine, *part, book=rulebook, intake_id=begun[-1], now=now)
        points.append(_point(engine, now))
    return points


def _undo(engine: Engine, intake: int, rulebook: Rulebook, *, now: Instant) -> None:
    with writing(engine) as connection:
        intakes.lock_cases_of(connection, intake)
        number = actions.record_action(
            connection, kind="undo", target=f"intake {intake}", actor="op", now=now
        )
        changed = intakes.undo_intake(connection, intake, number=number)
        assess_cases(connection, changed, rulebook, tolerances=TOLERANCES, now=now)


def _point(engine: Engine, as_of: Instant) -> Point:
    with reading(engine) as connection:
        found = stored.clock_rows(
            connection, ClockRow._fields, since=SINCE, until=UNTIL, as_of=as_of, where={}
        )
        rows = _standing(map(ClockRow._make, found))
        return Point(intakes.last_number(connection), as_of, rows)


def _standing(rows: Iterator[ClockRow]) -> Counter[ClockRow]:
    """Those that figures count: what gave way to another counts nowhere, not even before it did."""
    return Counter(row for row in rows if row.superseded_at is None)


def _then(engine: Engine, point: Point, rulebook: Rulebook) -> Counter[ClockRow]:
    with reading(engine) as connection:
        found = rows_known_then(
            monitor(rulebook),
            connection,
            number=point.number,
            since=SINCE,
            until=UNTIL,
            as_of=point.as_of,
            where={},
        )
        return _standing(found)


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Engine]:
    with database() as engine:
        yield engine


MOVED_AND_UNDONE: list[Part] = [
    [contact(id="1")],
    [contact(id="1", revision=1)._replace(reference=REFERENCES[1])],
    [contact(id="1", revision=2)._replace(reference=REFERENCES[2])],
    Undo(1),
]
"""The source moves a contact from case to case; what it said in between is then undone."""


@FEWER
@given(told_in=parts())
@example(MOVED_AND_UNDONE)
def test_what_was_stored_then_is_found_again(in_memory: Engine, told_in: list[Part]) -> None:
    points = _live(emptied(in_memory), told_in, GENERATED_BOOK)
    for point in points:
        assert _then(in_memory, point, GENERATED_BOOK) == point.rows


@settings(max_examples=10)
@given(data=st.data())
def test_it_is_so_on_postgresql_too(postgres_empty: Engine, data: st.DataObject) -> None:
    told_in = data.draw(parts())
    points = _live(emptied(postgres_empty), told_in, GENERATED_BOOK)
    for point in points:
        assert _then(postgres_empty, point, GENERATED_BOOK) == point.rows


@pytest.fixture(scope="module")
def postgres_empty(postgres_server: Any) -> Iterator[Engine]:
    with postgres_server.database("template0") as url:
        engine = open_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
        metadata.create_all(engine)
        yield engine
        engine.dispose()


# -- another rulebook since -------------------------------------------------------------------


def _lived_under(
    engine: Engine, before: Rulebook, after: Rulebook, *events: Event
) -> tuple[Point, Counter[ClockRow], Counter[ClockRow]]:
    """What was stored under one rulebook, is found again under the next, and is stored now."""
    with writing(engine) as connection:
        rulebooks.activate(connection, before.documents, actor="op", now=T0 - DAY)
    for number, each in enumerate(events):
        take_in(engine, each, book=before, now=T0 + number)
    point = _point(engine, T0 + 9 * HOUR)
    with writing(engine) as connection:
        rulebooks.activate(connection, after.documents, actor="op", now=T0 + 10 * HOUR)
        ids = cases.known_ids(connection, {each.reference for each in events})
        assess_cases(
            connection,
            ids.values(),
            after,
            tolerances=TOLERANCES,
            now=T0 + 10 * HOUR,
        )
    return point, _then(engine, point, after), _point(engine, T0 + 10 * HOUR).rows


OFFICE_RULE = rule(calendar="office", threshold="1 working day")
CORRECTED = {"england": ENGLAND.model_copy(update={"days": {dt.date(2027, 3, 9): "Proclaimed"}})}


def _with_calendar_corrected(rulebook: Rulebook) -> Rulebook:
    documents = rulebook.documents
    calendars = tuple(
        each.model_copy(update={"version": 4}) if each.id == "office" else each
        for each in documents.calendars
    )
    changed = {"calendars": calendars, "holidays": CORRECTED}
    return build_rulebook(documents.model_copy(update=changed))


def test_a_calendar_corrected_since_is_that_of_then(in_memory: Engine) -> None:
    """The clock runs on to another due; the one that had ended keeps its own in both."""
    before = book(OFFICE_RULE)
    ended = told(T0 + HOUR)._replace(reference=REFERENCES[1])
    point, then, now = _lived_under(
        emptied(in_memory),
        before,
        _with_calendar_corrected(before),
        contact(),
        contact()._replace(reference=REFERENCES[1]),
        ended,
    )
    assert then == point.rows
    assert len(then - now) == 1


def test_a_version_put_in_force_since_measures_nothing_then(in_memory: Engine) -> None:
    later = rule(version=2, threshold="2h", effective={"from": "2027-01-01"})
    before, after = book(rule()), book(rule(), later)
    point, then, now = _lived_under(emptied(in_memory), before, after, contact())
    assert then == point.rows
    assert {row.rule_version for row in then} == {1}
    assert {row.rule_version for row in now} == {2}


def test_a_rule_added_since_and_one_left_since_are_as_then(in_memory: Engine) -> None:
    narrowed = rule(version=2, applies={"risk": ["high"]}, effective={"from": "2027-01-01"})
    before, after = book(rule()), book(rule(), narrowed, rule(id="another"))
    point, then, now = _lived_under(emptied(in_memory), before, after, contact(risk="medium"))
    assert then == point.rows
    assert [row.rule for row in then] == ["council"]
    assert [row.rule for row in now] == ["another"]


def test_all_is_folded_anew_where_the_words_that_measure_changed(in_memory: Engine) -> None:
    before = book(rule(applies={"risk": ["high"]}))
    words = before.vocabulary.model_copy(update={"stages": before.vocabulary.stages[1:]})
    after = build_rulebook(before.documents.model_copy(update={"vocabulary": words}))
    point, then, now = _lived_under(emptied(in_memory), before, after, contact(risk="high"))
    assert then == point.rows
    assert then != now


def _ended_before_the_calendar_was_corrected(engine: Engine) -> tuple[Point, Rulebook]:
    """A clock that keeps the measure by which it ended, looked at under the next rulebook."""
    before = book(OFFICE_RULE)
    after = _with_calendar_corrected(before)
    _, _, now = _lived_under(engine, before, after, contact(), told(T0 + HOUR))
    point = _point(engine, T0 + 11 * HOUR)
    assert point.rows == now
    assert [row.due_at for row in now] == [before.duties["council"][0].due(T0, contact())[0]]
    return point, after


def test_a_clock_that_had_ended_keeps_its_measure_then(in_memory: Engine) -> None:
    """Something is told of its case since, so that it is folded anew."""
    engine = emptied(in_memory)
    point, after = _ended_before_the_calendar_was_corrected(engine)
    take_in(engine, told(T0 + 2 * HOUR, "health"), book=after, now=T0 + 12 * HOUR)
    assert _then(engine, point, after) == point.rows


def test_a_clock_restated_since_has_the_due_time_of_then(in_memory: Engine) -> None:
    engine = emptied(in_memory)
    point, after = _ended_before_the_calendar_was_corrected(engine)
    with writing(engine) as connection:
        ids = cases.known_ids(connection, REFERENCES)
        assess_cases(
            connection,
            ids.values(),
            after,
            tolerances=TOLERANCES,
            now=T0 + 12 * HOUR,
            restated=["council"],
        )
    (was,), (is_,) = point.rows, _point(engine, T0 + 12 * HOUR).rows
    assert was.due_at != is_.due_at
    said = {
        "rule": "council",
        "child": "",
        "organisation": "",
        "before": "met",
        "after": "met",
        "due_before": was.due_at,
        "due_after": is_.due_at,
    }
    with writing(engine) as connection:
        actions.record_action(
            connection,
            kind="restate",
            target=f"case {REFERENCES[0]}",
            actor="op",
            now=T0 + 12 * HOUR,
            detail=json.dumps([said]),
        )
    assert _then(engine, point, after) == point.rows
