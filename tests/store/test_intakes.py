"""Intakes: resumed where they were left, undone, taken in again; rows set aside; feeds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select

from monitor.model import HOUR
from monitor.store import cases, intakes
from monitor.store.engine import reading, writing
from monitor.store.intakes import Intake, RowSetAside
from monitor.store.tables import batch, event
from tests.store.world import T0, case_id, kept, new_intake, rulebook, take_in, told


def _open(engine: Engine, *, mapping: str = "mapping", digest: bytes = b"file") -> Intake:
    with writing(engine) as connection:
        return intakes.open_intake(
            connection,
            feed_name="desk",
            file_name="extract.csv",
            file_digest=digest,
            mapping_digest=mapping,
            now=T0,
        )


def _finish(engine: Engine, intake_id: int, state: str) -> None:
    with writing(engine) as connection:
        intakes.finish_intake(
            connection,
            intake_id,
            state=state,
            dropped_columns={"notes": 3},
            vanished=1,
            now=T0 + HOUR,
        )


def _undo(engine: Engine, intake_id: int) -> frozenset[int]:
    """As the command does, up to the folding."""
    with writing(engine) as connection:
        intakes.lock_cases_of(connection, intake_id)
        number = intakes.next_number(connection)
        touched = intakes.undo_intake(connection, intake_id, number=number)
        cases.mark_dirty(connection, touched)
    return touched


def _stored(engine: Engine, intake_id: int) -> dict[str, Any]:
    with reading(engine) as connection:
        found = intakes.intake_by_id(connection, intake_id)
    assert found is not None
    return dict(found)


# -- one file ---------------------------------------------------------------------------------


def test_an_interrupted_intake_goes_on_where_it_was_left(engine: Engine) -> None:
    first = _open(engine)
    assert (first.state, first.rows_read, first.is_new) == ("reading", 0, True)
    with writing(engine) as connection:
        intakes.add_progress(connection, first.id, rows_read=4000, events_new=3990)
        intakes.add_progress(connection, first.id, rows_read=100, events_new=100)
    again = _open(engine)
    assert again == Intake(id=first.id, state="reading", rows_read=4100, is_new=False)
    assert _stored(engine, first.id)["events_new"] == 4090


def test_a_finished_file_is_known_and_its_account_kept(engine: Engine) -> None:
    first = _open(engine)
    assert _stored(engine, first.id)["dropped_columns"] == {}
    _finish(engine, first.id, "done")
    again = _open(engine, mapping="another mapping")
    assert (again.id, again.state, again.is_new) == (first.id, "done", False)
    stored = _stored(engine, first.id)
    assert stored["dropped_columns"] == {"notes": 3}
    assert (stored["vanished"], stored["finished_at"]) == (1, T0 + HOUR)
    with reading(engine) as connection:
        assert [each["id"] for each in intakes.list_intakes(connection, limit=5)] == [first.id]


def test_a_file_set_aside_begins_anew_only_under_another_mapping(engine: Engine) -> None:
    first = _open(engine)
    with writing(engine) as connection:
        intakes.add_progress(connection, first.id, rows_read=10, rows_set_aside=9)
    _finish(engine, first.id, "set aside")
    assert _open(engine).state == "set aside"
    anew = _open(engine, mapping="mended")
    assert (anew.id, anew.state, anew.rows_read) == (first.id, "reading", 0)
    stored = _stored(engine, first.id)
    assert (stored["rows_set_aside"], stored["finished_at"]) == (0, None)


def test_batches_are_numbered_in_the_order_of_their_commits(engine: Engine) -> None:
    """Not in that of their beginning; actions take their numbers from the same row."""
    intake_id = _open(engine).id
    with writing(engine) as connection:
        ids = [intakes.open_batch(connection, intake_id, received_at=T0) for _ in range(3)]
        numbers = [intakes.number_batch(connection, ids[place]) for place in (2, 0)]
        assert intakes.next_number(connection) == 3
        assert numbers == [1, 2]
        numbered = select(batch.c.id, batch.c.number).order_by(batch.c.id)
        assert [row.number for row in connection.execute(numbered)] == [2, None, 1]
        assert intakes.last_number(connection) == 3


def test_a_number_that_is_not_committed_is_given_again(engine: Engine) -> None:
    """There is no gap in what is known."""
    with engine.connect() as connection:
        with connection.begin() as unsure:
            assert intakes.next_number(connection) == 1
            unsure.rollback()
        with connection.begin():
            assert intakes.next_number(connection) == 1


# -- undone -----------------------------------------------------------------------------------


def test_what_an_intake_brought_is_unknown_once_it_is_undone(engine: Engine) -> None:
    """And known again when the file is taken in again; as known then, both can be told."""
    first = _open(engine)
    take_in(engine, told("PPN-1"), intake_id=first.id)
    take_in(engine, told("PPN-1", "note"))
    assert _undo(engine, first.id) == {case_id(engine, "PPN-1")}
    assert _kinds(engine, "PPN-1") == ["note"]

    again = _open(engine)
    assert (again.id, again.state, again.rows_read) == (first.id, "reading", 0)
    assert take_in(engine, told("PPN-1"), intake_id=again.id).new == 1
    assert _kinds(engine, "PPN-1") == ["contact", "note"]
    assert _undo(engine, first.id) == {case_id(engine, "PPN-1")}
    with reading(engine) as connection:
        undone = connection.scalars(select(event.c.undone).where(event.c.kind == "contact"))
        assert len(set(undone)) == 2


def _kinds(engine: Engine, reference: str) -> list[str]:
    with reading(engine) as connection:
        ids = cases.known_ids(connection, [reference]).values()
        told = cases.events_of(connection, ids)
    return sorted(event.kind for events in told.values() for event in events)


def test_undoing_a_move_puts_the_event_back(engine: Engine) -> None:
    """Though the retraction that the move left was written by another intake."""
    moved = told("PPN-B", identity=b"1", revision=2)
    mover = new = 0
    with writing(engine) as connection:
        mover, new = new_intake(connection), new_intake(connection)
    take_in(engine, moved, intake_id=mover)
    take_in(engine, told("PPN-A", identity=b"1", revision=1), intake_id=new)
    assert _kinds(engine, "PPN-A") == ["contact", cases.MOVED]
    touched = _undo(engine, mover)
    assert touched == {case_id(engine, "PPN-A"), case_id(engine, "PPN-B")}
    assert _kinds(engine, "PPN-A") == ["contact"]


def test_undoing_one_move_of_two_leaves_the_other(engine: Engine) -> None:
    with writing(engine) as connection:
        ids = [new_intake(connection) for _ in range(3)]
    for revision, (reference, intake_id) in enumerate(zip("ABC", ids, strict=True)):
        version = told(f"PPN-{reference}", identity=b"1", revision=revision)
        take_in(engine, version, intake_id=intake_id)
    _undo(engine, ids[2])
    assert _kinds(engine, "PPN-A") == ["contact", cases.MOVED]
    assert _kinds(engine, "PPN-B") == ["contact"]


def test_undoing_a_link_touches_both_ends(engine: Engine) -> None:
    """The case at the far end holds the clocks of both, and has to be folded too."""
    with writing(engine) as connection:
        linking = new_intake(connection)
    take_in(engine, told("PPN-A"), told("PPN-B"), book=rulebook())
    take_in(engine, told("PPN-B", "note", links="PPN-A"), intake_id=linking, book=rulebook())
    assert _undo(engine, linking) == {case_id(engine, "PPN-A"), case_id(engine, "PPN-B")}
    assert kept(engine, "PPN-B")


# -- rows set aside ---------------------------------------------------------------------------


def _row(digest: bytes = b"row", *, field: str = "when", line: int = 7) -> RowSetAside:
    return RowSetAside(
        line=line,
        field=field,
        reason="time",
        expected="a time such as 2027-01-31 09:30",
        declared={"when": "31/31/2027", "unit": "é"},
        digest=digest,
    )


def _set_aside(engine: Engine, intake_id: int, *rows: RowSetAside, now: int = T0) -> None:
    with writing(engine) as connection:
        intakes.set_rows_aside(connection, rows, feed_name="desk", intake_id=intake_id, now=now)


def test_a_row_seen_twice_is_kept_once(engine: Engine) -> None:
    """First and last seen are told apart; another field of it is another entry."""
    intake_id = _open(engine).id
    _set_aside(engine, intake_id, _row(), _row(field="unit"), _row())
    _set_aside(engine, intake_id, _row(line=99), now=T0 + HOUR)
    with reading(engine) as connection:
        rows = {row["field"]: row for row in intakes.list_quarantine(connection)}
    assert set(rows) == {"when", "unit"}
    seen = rows["when"]
    assert (seen["first_seen_at"], seen["last_seen_at"], seen["line"]) == (T0, T0 + HOUR, 7)
    assert seen["declared"] == {"when": "31/31/2027", "unit": "é"}
    assert seen["file_name"] == "extract.csv"


def test_a_mended_row_is_out_of_sight_until_it_is_seen_again(engine: Engine) -> None:
    intake_id = _open(engine).id
    _set_aside(engine, intake_id, _row())
    with writing(engine) as connection:
        (row,) = intakes.list_quarantine(connection, feed_name="desk")
        intakes.mark_mended(connection, [row["id"]])
        assert intakes.count_quarantine(connection) == 0
        assert intakes.list_quarantine(connection) == []
        found = intakes.quarantined_row(connection, row["id"])
        assert found is not None
        assert found["state"] == "mended"
    _set_aside(engine, intake_id, _row(), now=T0 + HOUR)
    with reading(engine) as connection:
        assert intakes.count_quarantine(connection) == 1
        assert intakes.list_quarantine(connection, feed_name="other") == []


# -- feeds ------------------------------------------------------------------------------------


def test_a_feed_that_is_heard_ends_its_silence(engine: Engine) -> None:
    with writing(engine) as connection:
        intakes.register_feed(connection, "desk", tolerance=5, lag=7)
        intakes.register_feed(connection, "desk", tolerance=6, lag=7)
        assert intakes.open_gap(connection, "desk", silent_from=T0)
        assert not intakes.open_gap(connection, "desk", silent_from=T0)
        intakes.set_red(connection, "desk", "a bad file")
        intakes.heard(connection, "desk", now=T0 + HOUR, trusted_until=T0 + 2 * HOUR)
        (feed,) = intakes.list_feeds(connection)
        assert (feed["last_heard_at"], feed["trusted_until"]) == (T0 + HOUR, T0 + 2 * HOUR)
        assert (feed["red"], feed["tolerance"]) == ("", 6)
        assert intakes.tolerances(connection) == {"desk": 6}
        (gap,) = intakes.list_gaps(connection, since=T0, until=T0 + 1)
        assert (gap["silent_from"], gap["silent_to"]) == (T0, T0 + HOUR)
        assert intakes.list_gaps(connection, since=T0 + HOUR, until=T0 + 2 * HOUR) == []


def test_a_feed_s_references_are_those_that_it_told_and_that_stand(engine: Engine) -> None:
    with writing(engine) as connection:
        undone = new_intake(connection)
    take_in(engine, told("PPN-1"), told("PPN-2"))
    take_in(engine, told("PPN-3", feed="other"))
    take_in(engine, told("PPN-4"), intake_id=undone)
    _undo(engine, undone)
    with reading(engine) as connection:
        assert intakes.known_references(connection, "desk") == {"PPN-1", "PPN-2"}
