"""Registers of a pack, on both databases: of their period, in an order, without accounts."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine, insert, update

from monitor.model import HOUR
from monitor.store import actions, intakes, rulebooks
from monitor.store import evidence as stored
from monitor.store.engine import reading, writing
from monitor.store.tables import clock, intake, quarantine
from tests.store.world import T0, documents, kept, new_intake, rule, rulebook, take_in, told

PERIOD = {"since": T0, "until": T0 + 10 * HOUR}


def test_rulebooks_come_in_the_order_in_which_they_came_into_force(engine: Engine) -> None:
    """One after the period is not of it."""
    first = documents()
    second = documents(*first.rules[1:], rule(version=2, effective={"from": "2001-01-01"}))
    with writing(engine) as connection:
        for at, each in ((T0, first), (T0 + HOUR, second), (T0 + 20 * HOUR, first)):
            rulebooks.activate(connection, each, actor="somebody", now=at)
    with reading(engine) as connection:
        found = stored.activations(connection, until=PERIOD["until"])
        assert [each.at for each in found] == [T0, T0 + HOUR]
        assert [len(each.documents.rules) for each in found if each.documents] == [3, 3]
        accepted = stored.accepted_at(connection)
    assert accepted["tell-council", 1] == T0
    assert accepted["tell-council", 2] == T0 + HOUR


def test_versions_that_measure_what_was_due(engine: Engine) -> None:
    take_in(engine, told("PPN-1"), book=rulebook())
    with reading(engine) as connection:
        found = stored.measured_by(connection, **PERIOD)
        assert found == {("tell-council", 1), ("submit-notice", 1)}


def test_cases_with_a_decision_come_whole_and_once(engine: Engine) -> None:
    """Linked ones as one, those without a decision not, and a restricted one not."""
    withheld: dict[str, Any] = {"kind": "note", "decision": "withheld", "at": T0 + HOUR}
    take_in(engine, told("PPN-1"), told("PPN-1", **withheld), told("PPN-2"))
    take_in(engine, told("PPN-3", links="PPN-4"), told("PPN-3", **withheld))
    take_in(engine, told("PPN-4", **withheld))
    take_in(engine, told("PPN-5", attributes=(("restricted", "yes"),), **withheld))
    take_in(engine, told("PPN-6", kind="note", decision="withheld", at=T0 + 20 * HOUR))
    with reading(engine) as connection:
        found = {
            each.reference: len(each.events)
            for each in stored.cases_with_decisions(
                connection, ["withheld"], until=PERIOD["until"], restricted_by="restricted"
            )
        }
        assert found == {"PPN-1": 2, "PPN-3": 3}
        hidden = stored.restricted_references(connection, "restricted")
        assert hidden == {"PPN-5"}


def test_what_came_in_is_counted_by_feed(engine: Engine) -> None:
    with writing(engine) as connection:
        ids = [new_intake(connection, feed="desk", now=T0 + n * HOUR) for n in range(3)]
        ids.append(new_intake(connection, feed="desk", now=T0 + 20 * HOUR))
        for id_ in ids:
            counts = {"rows_read": 10, "events_new": 8, "rows_set_aside": 2}
            intakes.add_progress(connection, id_, **counts)
        columns = {"NAME": 10, "NOTE": 5}
        values = update(intake).where(intake.c.id == ids[0])
        connection.execute(values.values(state="done", dropped_columns=columns))
        connection.execute(update(intake).where(intake.c.id == ids[1]).values(state="undone"))
        connection.execute(update(intake).where(intake.c.id == ids[2]).values(state="set aside"))
    with reading(engine) as connection:
        (row,) = stored.files_taken_in(connection, **PERIOD)
        assert (row["feed"], row["files"], row["rows_read"], row["events_new"]) == (
            *("desk", 2),
            *(20, 16),
        )
        assert (row["files_set_aside"], row["files_undone"]) == (1, 1)
        assert stored.columns_dropped(connection, **PERIOD) == {"desk": (2, 15)}
        refused = stored.files_refused(connection, **PERIOD)
        assert [(each[0], each[2]) for each in refused] == [
            (ids[1], "undone"),
            (ids[2], "set aside"),
        ]


def test_rows_set_aside_are_counted_by_field_and_reason(engine: Engine) -> None:
    with writing(engine) as connection:
        id_ = new_intake(connection)
        for number, (field, state, at) in enumerate(
            (("A", "open", T0), ("A", "mended", T0), ("B", "open", T0), ("B", "open", T0 - 1))
        ):
            connection.execute(
                insert(quarantine).values(
                    feed="desk",
                    row_digest=b"%d" % number,
                    field=field,
                    intake_id=id_,
                    reason="unreadable time",
                    expected="a time",
                    declared={},
                    state=state,
                    first_seen_at=at,
                    last_seen_at=at,
                )
            )
    with reading(engine) as connection:
        found = [tuple(each) for each in stored.rows_set_aside(connection, **PERIOD)]
    assert found == [
        ("desk", "A", "unreadable time", 2, 1),
        ("desk", "B", "unreadable time", 1, 1),
    ]


def test_acts_of_a_period_say_when_they_were_taken_back_and_by_no_account(engine: Engine) -> None:
    with writing(engine) as connection:
        said: dict[str, Any] = {
            "actor": "zebedee",
            "on_behalf_of": "inspector",
            "reason_code": "r1",
        }
        number = actions.record_action(
            connection, kind="silence", target="rule x", now=T0, until=T0 + HOUR, **said
        )
        actions.record_action(
            connection, kind="end", target=f"action {number}", now=T0 + 5, actor="zebedee"
        )
        actions.record_action(connection, kind="take", target="clock 1", now=T0 - 1, **said)
        restated = [{"rule": "tell-council", "before": "late", "after": "met"}]
        detail = json.dumps(restated)
        actions.record_action(
            connection, kind="restate", target="case x", now=T0, detail=detail, **said
        )
    with reading(engine) as connection:
        found = list(stored.actions_between(connection, **PERIOD))
        again = list(stored.restatements(connection, **PERIOD))
    assert [(each.number, each.kind, each.ended_at) for each in found] == [
        (number, "silence", T0 + 5),
        (number + 1, "end", None),
        (number + 3, "restate", None),
    ]
    assert found[0].until_at == T0 + HOUR
    assert "zebedee" not in str(found)
    assert again == [("tell-council", "late", "met")]


def test_a_clock_is_named_by_its_case_and_rule(engine: Engine) -> None:
    take_in(engine, told("PPN-1"), book=rulebook())
    ids = {each.id: key.rule for key, each in kept(engine, "PPN-1").items()}
    hidden = min(ids)
    with writing(engine) as connection:
        connection.execute(update(clock).where(clock.c.id == hidden).values(restricted=True))
    with reading(engine) as connection:
        found = stored.named_by_clock(connection, ids)
    assert found == {id_: ("PPN-1", name, id_ == hidden) for id_, name in ids.items()}


def test_events_of_the_period_that_came_after_it_are_counted(engine: Engine) -> None:
    """In the period by when it happened, after it by when it was received; its end is after it."""
    end = PERIOD["until"]
    take_in(engine, told("PPN-1", received_at=end - 1), told("PPN-2", received_at=end))
    take_in(
        engine, told("PPN-3", at=end, received_at=end), told("PPN-4", at=T0 - 1, received_at=end)
    )
    with reading(engine) as connection:
        assert stored.events_received_after(connection, **PERIOD) == 1
