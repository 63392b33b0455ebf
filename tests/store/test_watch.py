"""What the watch asks is answered by indexes: a million clocks must not make it slow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, text

from monitor.model import DAY, HOUR, Instant
from monitor.store import actions, watch
from monitor.store.engine import Connection, Engine, reading, writing
from tests.store.world import T0

BIG = ("clock", "message", "alert", "case_", "event", "audit")
"""Tables that grow with the years."""


@contextmanager
def plans(engine: Engine) -> Iterator[list[str]]:
    """The plan of every statement that is executed meanwhile."""
    found: list[str] = []

    def explain(
        connection: Connection, cursor: Any, statement: str, given: Any, context: Any, many: bool
    ) -> None:
        del cursor, context, many
        if statement.startswith("SELECT"):
            raw = connection.connection.cursor()
            raw.execute("EXPLAIN QUERY PLAN " + statement, given)
            found.extend(row[-1] for row in raw.fetchall())
            raw.close()

    event.listen(engine, "before_cursor_execute", explain)
    yield found
    event.remove(engine, "before_cursor_execute", explain)


def ask_everything(connection: Connection, now: Instant) -> None:
    watch.late_clocks(connection, before=now)
    watch.unassessed_cases(connection)
    watch.open_clocks_without_action(
        connection, rules={"significant-harm-council"}, after=0, span=20_000, limit=200
    )
    watch.still_without_action(connection, {1, 2}, rules={"significant-harm-council"})
    watch.unclaimed_mails(connection, before=now)
    watch.mails_without_outcome(connection, before=now)
    watch.mails_not_taken(connection, before=now)
    watch.dead_mails(connection, since=now - DAY)
    watch.alerts_without_reader(connection, since=now - DAY)
    watch.check_seal(connection, watch.NOT_SEEN, limit=100)


def test_no_question_walks_through_a_table_that_grows(sqlite: Engine) -> None:
    """By an index that holds only what is in question, or by a part of the ids."""
    with plans(sqlite) as found, reading(sqlite) as connection:
        ask_everything(connection, T0)
    assert found
    walks = [
        plan
        for plan in found
        if plan.startswith("SCAN ") and plan.split()[1] in BIG and "INDEX" not in plan
    ]
    assert walks == []
    by_id = [plan for plan in found if plan.startswith("SCAN ") and "sqlite_autoindex" in plan]
    assert by_id == []


def test_the_seal_is_followed_in_parts(engine: Engine) -> None:
    """From where it was seen to hold; a changed row, and one that is gone, break it there."""
    with writing(engine) as connection:
        for number in range(10):
            actions.write_audit(
                connection,
                operation="consultation",
                actor="test",
                subject=f"case {number}",
                now=T0,
                detail={},
            )
        actions.seal_audit(connection)
    with reading(engine) as connection:
        first = watch.check_seal(connection, watch.NOT_SEEN, limit=4)
        assert isinstance(first, watch.Seal)
        assert first.place == 4
        last = watch.check_seal(connection, first, limit=100)
        assert isinstance(last, watch.Seal)
        assert last.place == 10
    with writing(engine) as connection:
        connection.execute(text("UPDATE audit SET subject = 'case 99' WHERE sealed = 7"))
    with reading(engine) as connection:
        assert watch.check_seal(connection, watch.NOT_SEEN, limit=4) == first
        broken = watch.check_seal(connection, first, limit=100)
        assert isinstance(broken, watch.Broken)
        assert broken.before.place == 6
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM audit WHERE sealed = 7"))
    with reading(engine) as connection:
        assert isinstance(watch.check_seal(connection, first, limit=100), watch.Broken)


def test_a_fault_is_opened_once_and_again_when_it_comes_back(engine: Engine) -> None:
    with writing(engine) as connection:
        assert watch.open_fault(connection, "late", "1 clock", told_at=None, now=T0)
        assert not watch.open_fault(connection, "late", "2 clocks", told_at=None, now=T0 + 1)
        (fault,) = watch.open_faults(connection)
        watch.mark_told(connection, [fault.id], now=T0 + HOUR)
        watch.end_faults(connection, [fault.id], now=T0 + 2 * HOUR)
        assert watch.open_faults(connection) == []
        assert [each.id for each in watch.ended_faults(connection, since=T0)] == [fault.id]
        assert watch.last_told_at(connection) == T0 + HOUR
        assert watch.open_fault(connection, "late", "1 clock", told_at=None, now=T0 + 3 * HOUR)
