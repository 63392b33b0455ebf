"""What was known at an earlier instant, whatever was told, undone or linked since."""

from __future__ import annotations

from sqlalchemy import Engine

from monitor.model import HOUR
from monitor.store import actions, intakes, known, rulebooks
from monitor.store.engine import reading, writing
from tests.store.world import T0, case_id, documents, new_intake, take_in, told


def test_an_event_is_known_from_the_batch_that_told_it_until_its_intake_is_undone(
    engine: Engine,
) -> None:
    with writing(engine) as connection:
        intake = new_intake(connection)
    take_in(engine, told("PPN-1"), intake_id=intake, now=T0)
    take_in(engine, told("PPN-1", "notice_submitted"), now=T0 + 2 * HOUR)
    with writing(engine) as connection:
        number = actions.record_action(
            connection, kind="undo", target=f"intake {intake}", actor="op", now=T0 + 3 * HOUR
        )
        intakes.undo_intake(connection, intake, number=number)
    with reading(engine) as connection:
        received = known.received_events(connection, [case_id(engine, "PPN-1")])

        def kinds(at: int) -> list[str]:
            number = known.number_known_at(connection, at)
            return [one.event.kind for one in received if one.is_known(number)]

        assert kinds(T0 - 1) == []
        assert kinds(T0) == ["contact"]
        assert kinds(T0 + 2 * HOUR) == ["contact", "notice_submitted"]
        assert kinds(T0 + 3 * HOUR) == ["notice_submitted"]
    assert (received[0].intake, received[0].line) == (intake, 2)


def test_cases_that_a_link_joined_once_are_found_though_it_was_undone(engine: Engine) -> None:
    with writing(engine) as connection:
        intake = new_intake(connection)
    take_in(engine, told("PPN-1"), told("PPN-2"))
    take_in(engine, told("PPN-1", "note", links="PPN-2"), intake_id=intake)
    one, other = case_id(engine, "PPN-1"), case_id(engine, "PPN-2")
    with writing(engine) as connection:
        intakes.undo_intake(connection, intake, number=intakes.next_number(connection))
    with reading(engine) as connection:
        assert known.ever_linked(connection, [one]) == {one, other}
        assert known.ever_linked(connection, [other]) == {one, other}


def test_the_rulebook_of_an_instant_is_the_one_last_activated_by_then(engine: Engine) -> None:
    first, second = documents(), documents(documents().rules[0])
    with writing(engine) as connection:
        rulebooks.activate(connection, first, actor="op", now=T0)
        rulebooks.activate(connection, second, actor="op", now=T0 + HOUR)
    with reading(engine) as connection:
        before = known.rulebook_active_at(connection, T0 - 1)
        then = known.rulebook_active_at(connection, T0 + HOUR - 1)
        since = known.rulebook_active_at(connection, T0 + HOUR)
    assert before is None
    assert then is not None
    assert since is not None
    assert then.activated_at == T0
    assert then.documents is not None
    assert len(then.documents.rules) == 3
    assert since.documents is not None
    assert len(since.documents.rules) == 1


def test_the_rulebooks_by_an_instant_come_newest_first(engine: Engine) -> None:
    with writing(engine) as connection:
        for number in range(3):
            rulebooks.activate(connection, documents(), actor="op", now=T0 + number * HOUR)
    with reading(engine) as connection:
        found = [was.activated_at for was in known.rulebooks_until(connection, T0 + HOUR)]
        assert found == [T0 + HOUR, T0]
        assert list(known.rulebooks_until(connection, T0 - 1)) == []


def test_a_feed_is_silent_from_when_it_was_last_heard_until_it_is_heard(engine: Engine) -> None:
    with writing(engine) as connection:
        intakes.register_feed(connection, "desk", tolerance=0, lag=0)
        intakes.open_gap(connection, "desk", silent_from=T0)
        intakes.heard(
            connection,
            "desk",
            now=T0 + HOUR,
            through=T0 + HOUR,
            trusted_until=T0 + 2 * HOUR,
        )
    with reading(engine) as connection:
        assert known.silent_at(connection, T0 - 1) == {}
        assert known.silent_at(connection, T0) == {"desk": T0}
        assert known.silent_at(connection, T0 + HOUR) == {}
