"""Events stored: each told row is new, known, amended or conflicting, and every version stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from monitor.clocks.timeline import live_facts
from monitor.model import HOUR, MINUTE, Event
from monitor.store import cases, intakes, rows
from monitor.store.engine import reading, writing
from monitor.store.tables import case_, event
from tests.store.world import T0, case_id, new_intake, rulebook, take_in, told, until_it_waits


def _counts(appended: cases.Appended) -> tuple[int, int, int, int]:
    return appended.new, appended.known, appended.amended, appended.conflicting


def _facts(engine: Engine, *references: str) -> list[tuple[str, str, int]]:
    """(reference, kind, time) of what is live when these cases are taken together."""
    with reading(engine) as connection:
        ids = cases.known_ids(connection, references).values()
        events = [each for told in cases.events_of(connection, ids).values() for each in told]
    return [
        (version.reference, version.kind, version.occurred_from)
        for fact in live_facts(events).facts
        for version in fact.versions
    ]


# -- the four outcomes ------------------------------------------------------------------------


def test_an_event_comes_back_as_it_was_told(engine: Engine) -> None:
    """Every field, on both databases."""
    whole = told(
        "PPN-1",
        "partner_notified",
        T0,
        identity=b"\x00\xff",
        revision=7,
        recorded_at=T0 + 1,
        occurred_to=T0 + 2,
        partner="council",
        organisation="eastshire",
        child="ab12",
        category="child",
        risk="high",
        district="north",
        unit="a team",
        decision="withheld",
        reason_code="r1",
        review_at=T0 + HOUR,
        retracts=b"\x01",
        links="PPN-2",
        attributes=(("method", "verbal"), ("zone", "über")),
    )
    take_in(engine, whole)
    with reading(engine) as connection:
        ids = cases.known_ids(connection, ["PPN-1"]).values()
        assert cases.events_of(connection, ids) == {next(iter(ids)): [whole]}


def test_the_same_content_twice_is_one_fact(engine: Engine) -> None:
    """In one batch, in another file, at another time of receipt."""
    first = told("PPN-1")
    assert _counts(take_in(engine, first, first)) == (1, 1, 0, 0)
    again = take_in(engine, first._replace(received_at=T0 + 9 * HOUR))
    assert _counts(again) == (0, 1, 0, 0)
    assert again.changed_cases == frozenset()


def test_a_greater_revision_amends(engine: Engine) -> None:
    """Both versions stay; the newest counts, though it came first."""
    new = told("PPN-1", at=T0 + HOUR, identity=b"1", revision=2)
    old = told("PPN-1", at=T0, identity=b"1", revision=1)
    assert _counts(take_in(engine, new, old)) == (1, 0, 1, 0)
    assert _facts(engine, "PPN-1") == [("PPN-1", "contact", T0 + HOUR)]


def test_without_a_revision_the_later_recorded_amends(engine: Engine) -> None:
    one = told("PPN-1", at=T0, identity=b"1", recorded_at=T0)
    two = told("PPN-1", at=T0 + HOUR, identity=b"1", recorded_at=T0 + HOUR)
    assert _counts(take_in(engine, one, two)) == (1, 0, 1, 0)
    assert _facts(engine, "PPN-1") == [("PPN-1", "contact", T0 + HOUR)]


def test_two_contents_of_one_age_conflict_and_both_are_kept(engine: Engine) -> None:
    one = told("PPN-1", at=T0, identity=b"1")
    two = told("PPN-1", at=T0 + HOUR, identity=b"1")
    assert _counts(take_in(engine, one, two)) == (1, 0, 0, 1)
    assert len(_facts(engine, "PPN-1")) == 2


def test_feeds_do_not_share_identities(engine: Engine) -> None:
    one = told("PPN-1", identity=b"1")
    take_in(engine, one)
    assert _counts(take_in(engine, one._replace(feed="other"))) == (1, 0, 0, 0)


def test_a_retraction_may_come_first(engine: Engine) -> None:
    taken_back = told("PPN-1", "note", identity=b"2", retracts=b"1")
    take_in(engine, taken_back)
    take_in(engine, told("PPN-1", identity=b"1"))
    assert _facts(engine, "PPN-1") == []


def test_more_events_than_one_statement_can_ask_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller with a great batch is answered in parts."""
    monkeypatch.setattr(rows, "MOST_VALUES", 7)
    many = [told(f"PPN-{n}", identity=b"%d" % n) for n in range(40)]
    assert _counts(take_in(engine, *many, book=rulebook())) == (40, 0, 0, 0)
    assert _counts(take_in(engine, *many, book=rulebook())) == (0, 40, 0, 0)


def test_changed_cases_come_with_all_their_events(engine: Engine) -> None:
    """What is at hand is what would be read, of new cases and of old ones."""
    take_in(engine, told("PPN-2"), told("PPN-3"))
    appended = take_in(engine, told("PPN-1"), told("PPN-1", "note"), told("PPN-2", "note"))
    assert set(appended.whole) == {case_id(engine, "PPN-1"), case_id(engine, "PPN-2")}
    with reading(engine) as connection:
        stored = cases.events_of(connection, appended.whole)
    assert {case: set(told) for case, told in appended.whole.items()} == {
        case: set(told) for case, told in stored.items()
    }


def test_a_case_that_only_loses_an_event_is_left_to_be_read(engine: Engine) -> None:
    """Its other events were not asked for."""
    take_in(engine, _VERSIONS[0], _VERSIONS[3])
    appended = take_in(engine, _VERSIONS[1])
    assert set(appended.whole) == {case_id(engine, "PPN-B")}


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ("SELECT * FROM event WHERE case_id IN (1, 2) AND undone = 0", "(case_id=?)"),
        ("SELECT * FROM event WHERE feed = 'a' AND identity IN ('b') AND event.named", "named"),
        ("SELECT * FROM event WHERE case_id IN (1) AND event.links <> ''", "ix_event_linking"),
        ("SELECT * FROM event WHERE links IN ('a') AND event.links <> ''", "ix_event_links"),
        ("SELECT * FROM case_ WHERE dirty != assessed", "ix_case_dirty"),
    ],
)
def test_no_question_reads_all_events(sqlite: Engine, asked: str, index: str) -> None:
    """Cost follows what changed, never the backlog."""
    with reading(sqlite) as connection:
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {asked}")).all()
    assert index in plan[0].detail


# -- moved to another reference ---------------------------------------------------------------

_VERSIONS = (
    told("PPN-A", at=T0, identity=b"1", revision=1),
    told("PPN-B", at=T0 + MINUTE, identity=b"1", revision=2),
    told("PPN-B", at=T0 + 2 * MINUTE, identity=b"1", revision=3),
    told("PPN-A", "note", at=T0, identity=b"2"),
)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_an_event_that_is_moved_leaves_its_old_case_in_any_order(
    sqlite: Engine, order: tuple[int, ...]
) -> None:
    for place in order:
        take_in(sqlite, _VERSIONS[place])
    assert _facts(sqlite, "PPN-A") == [("PPN-A", "note", T0)]
    assert _facts(sqlite, "PPN-B") == [("PPN-B", "contact", T0 + 2 * MINUTE)]


def test_an_event_that_is_moved_changes_both_cases(engine: Engine) -> None:
    take_in(engine, _VERSIONS[0])
    appended = take_in(engine, _VERSIONS[1])
    assert _counts(appended) == (0, 0, 1, 0)
    assert appended.changed_cases == {case_id(engine, "PPN-A"), case_id(engine, "PPN-B")}
    assert _facts(engine, "PPN-A") == []


def test_what_was_moved_stands_when_the_two_references_are_one_case(engine: Engine) -> None:
    """The retraction left behind takes out nothing that was told elsewhere."""
    take_in(engine, *_VERSIONS[:2])
    assert _facts(engine, "PPN-A", "PPN-B") == [("PPN-B", "contact", T0 + MINUTE)]


def test_an_event_may_be_moved_back(engine: Engine) -> None:
    back = told("PPN-A", at=T0 + HOUR, identity=b"1", revision=9)
    take_in(engine, _VERSIONS[0], _VERSIONS[1])
    take_in(engine, back)
    assert _facts(engine, "PPN-A") == [("PPN-A", "contact", T0 + HOUR)]
    assert _facts(engine, "PPN-B") == []


# -- snapshots --------------------------------------------------------------------------------


def _snapshot(engine: Engine, *events: Event, now: int) -> tuple[int, int, int, int]:
    heard = [event._replace(received_at=now) for event in events]
    return _counts(take_in(engine, *heard, is_snapshot=True, now=now))


def _clear(engine: Engine, identity: bytes, *, now: int) -> list[Event]:
    """A snapshot that no longer holds a fact."""
    with reading(engine) as connection:
        gone = cases.cleared_events(connection, "desk", [identity], has_revisions=False, now=now)
    if gone:
        assert _counts(take_in(engine, *gone, is_snapshot=True, now=now)) == (0, 0, 1, 0)
    return gone


def test_a_snapshot_tells_again_and_changes_as_it_is_received(engine: Engine) -> None:
    """Without revisions, what differs from the newest version is a newer one."""
    one, two = told("PPN-1", at=T0, identity=b"1"), told("PPN-1", at=T0 + HOUR, identity=b"1")
    assert _snapshot(engine, one, now=T0 + HOUR) == (1, 0, 0, 0)
    assert _snapshot(engine, one, now=T0 + 2 * HOUR) == (0, 1, 0, 0)
    assert _snapshot(engine, two, now=T0 + 3 * HOUR) == (0, 0, 1, 0)
    assert _snapshot(engine, one, now=T0 + 4 * HOUR) == (0, 0, 1, 0)
    assert _facts(engine, "PPN-1") == [("PPN-1", "contact", T0)]


def test_two_snapshots_of_one_pass_are_in_order(engine: Engine) -> None:
    """Two files taken in at the same `now`: the second amends, and is no contradiction."""
    for at in (T0, T0 + HOUR, T0 + 2 * HOUR):
        _snapshot(engine, told("PPN-1", at=at, identity=b"1"), now=T0 + 3 * HOUR)
    assert _facts(engine, "PPN-1") == [("PPN-1", "contact", T0 + 2 * HOUR)]


def test_a_field_cleared_in_a_snapshot_takes_its_event_back(engine: Engine) -> None:
    """Until it is filled again, even in the same pass."""
    fact = told("PPN-1", identity=b"1")
    now = T0 + HOUR
    _snapshot(engine, fact, now=now)
    assert len(_clear(engine, b"1", now=now)) == 1
    assert _facts(engine, "PPN-1") == []
    assert _clear(engine, b"1", now=now + HOUR) == []
    assert _snapshot(engine, fact, now=now) == (0, 0, 1, 0)
    assert _facts(engine, "PPN-1") == [("PPN-1", "contact", T0)]
    assert len(_clear(engine, b"1", now=now)) == 1
    assert _facts(engine, "PPN-1") == []


def test_what_a_snapshot_never_told_cannot_be_cleared(engine: Engine) -> None:
    assert _clear(engine, b"never", now=T0) == []


# -- cases and their locks --------------------------------------------------------------------


def test_a_case_exists_once(engine: Engine) -> None:
    """New the first time, known the second; its id stays."""
    with writing(engine) as connection:
        first = cases.lock_cases(connection, ["PPN-2", "PPN-1"])
    with writing(engine) as connection:
        second = cases.lock_cases(connection, ["PPN-1", "PPN-3"])
    assert first.new == frozenset(first.ids.values())
    assert second.ids["PPN-1"] == first.ids["PPN-1"]
    assert second.new == {second.ids["PPN-3"]}


def test_a_dirty_case_is_answered_once(engine: Engine) -> None:
    take_in(engine, told("PPN-1"), told("PPN-2"))
    one = case_id(engine, "PPN-1")
    with writing(engine) as connection:
        cases.mark_dirty(connection, [one])
        cases.mark_dirty(connection, [one])
        assert cases.dirty_case_ids(connection, limit=10) == [one]
        cases.mark_assessed(connection, [one])
        assert cases.dirty_case_ids(connection, limit=10) == []
        cases.mark_dirty_after(connection, 0, limit=100)
        assert len(cases.dirty_case_ids(connection, limit=10)) == 2


def _meanwhile(*works: Any) -> list[Any]:
    """Run functions at once, each in a thread, and answer what they return."""
    with ThreadPoolExecutor(len(works)) as threads:
        return [future.result(timeout=60) for future in [threads.submit(work) for work in works]]


def test_two_nodes_tell_the_same_cases_at_once_and_neither_waits_for_ever(
    postgres: Engine,
) -> None:
    """Opposite orders, half of it linked: no deadlock, one row for each fact, counts add up."""
    events = [
        told(f"PPN-{n}", links=f"PPN-{(n + 7) % 20}" if n % 2 else "", identity=b"%d" % n)
        for n in range(20)
    ]
    ready = Barrier(2)

    def tell(ordered: list[Event]) -> list[tuple[int, int, int, int]]:
        ready.wait()
        return [
            _counts(take_in(postgres, *ordered[n : n + 4], book=rulebook()))
            for n in range(0, 20, 4)
        ]

    both = _meanwhile(lambda: tell(events), lambda: tell(events[::-1]))
    totals = [sum(column) for column in zip(*(each for one in both for each in one), strict=True)]
    assert totals == [20, 20, 0, 0]
    with reading(postgres) as connection:
        assert len(connection.execute(select(event.c.id)).all()) == 20
        assert len(connection.execute(select(case_.c.id)).all()) == 20


def test_a_case_that_is_linked_while_it_is_waited_for_is_locked_too(postgres: Engine) -> None:
    """The link is committed by another between the question and the lock."""
    take_in(postgres, told("PPN-1"), told("PPN-2"))
    first, second = case_id(postgres, "PPN-1"), case_id(postgres, "PPN-2")
    with ThreadPoolExecutor(1) as other:
        with writing(postgres) as connection:
            locked = cases.lock_cases(connection, ["PPN-1", "PPN-2"])
            waiting = other.submit(_locked_groups, postgres, first)
            until_it_waits(postgres, waiting)
            cases.append_events(
                connection,
                [(told("PPN-1", "note", links="PPN-2"), 1)],
                cases=locked,
                batch_id=_new_batch(connection),
                is_snapshot=False,
            )
        assert waiting.result(timeout=60) == [frozenset({first, second})]


def _locked_groups(engine: Engine, case: int) -> list[frozenset[int]]:
    with writing(engine) as connection:
        return cases.lock_linked(connection, [case])


def _new_batch(connection: Any) -> int:
    return intakes.open_batch(connection, new_intake(connection), received_at=T0)
