"""Intakes: resumed where they were left, undone, taken in again; rows set aside; feeds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from monitor.model import HOUR, SECOND
from monitor.store import cases, intakes
from monitor.store.engine import reading, writing
from monitor.store.intakes import TAKEN, Intake, LeaseLost, RowSetAside
from monitor.store.tables import batch, event
from tests.store.world import T0, case_id, kept, new_intake, rulebook, take_in, told


def _open(
    engine: Engine,
    *,
    mapping: str = "mapping",
    digest: bytes = b"file",
    node: str = "one",
    lease: int = intakes.LEASE,
) -> Intake:
    with writing(engine) as connection:
        return intakes.open_intake(
            connection,
            feed_name="desk",
            file_name="extract.csv",
            file_digest=digest,
            mapping_digest=mapping,
            now=T0,
            node=node,
            lease=lease,
        )


def _let_go(engine: Engine, held: Intake) -> None:
    with writing(engine) as connection:
        intakes.release_lease(connection, held.id, held.lease_token)


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
    _let_go(engine, first)
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


# -- one node a file --------------------------------------------------------------------------

LAPSED = -SECOND
"""A lease that is over when it is given."""


def test_a_file_is_held_by_one_node_until_its_lease_ends(engine: Engine) -> None:
    first = _open(engine, lease=LAPSED)
    second = _open(engine, node="two")
    assert (second.state, second.id) == ("reading", first.id)
    third = _open(engine, node="three")
    assert (third.state, third.held_by, third.lease_token) == (TAKEN, "two", "")


def test_two_processes_of_one_name_do_not_share_a_file(engine: Engine) -> None:
    """A lease is a process's own: the command beside the daemon waits as another node does."""
    assert _open(engine).lease_token
    assert _open(engine).state == TAKEN


def _go_on(connection: Connection, held: Intake, act: Any) -> None:
    intakes.add_progress(connection, held.id, rows_read=7)
    act(connection, held.id, held.lease_token)


def test_who_lost_a_file_can_store_nothing_of_it(engine: Engine) -> None:
    """Neither go on, nor finish it, nor let go of what is another's."""
    lost, held = _open(engine, lease=LAPSED), _open(engine, node="two")
    for act in (intakes.renew_lease, intakes.release_lease):
        with pytest.raises(LeaseLost), writing(engine) as connection:
            _go_on(connection, lost, act)
    with pytest.raises(LeaseLost), writing(engine) as connection:
        intakes.finish_intake(
            connection,
            lost.id,
            state="done",
            dropped_columns={},
            vanished=0,
            now=T0,
            lease_token=lost.lease_token,
        )
    stored = _stored(engine, held.id)
    assert (stored["rows_read"], stored["state"]) == (0, "reading")
    assert stored["lease_token"] == held.lease_token


def test_a_lease_that_ended_and_that_nobody_took_goes_on(engine: Engine) -> None:
    """A node that was suspended for an hour and comes back alone has lost nothing."""
    held = _open(engine, lease=LAPSED)
    with writing(engine) as connection:
        intakes.renew_lease(connection, held.id, held.lease_token)
    assert _open(engine, node="two").held_by == "one"


def test_a_file_that_is_finished_is_held_by_nobody(engine: Engine) -> None:
    held = _open(engine)
    _finish(engine, held.id, "done")
    assert _open(engine, node="two").state == "done"
    assert (_stored(engine, held.id)["lease_token"], _stored(engine, held.id)["lease_until"]) == (
        "",
        None,
    )


def test_a_node_that_starts_lets_go_of_its_own_files_alone(engine: Engine) -> None:
    mine, by_hand = _open(engine), _open(engine, digest=b"other", node="one, by hand")
    theirs = _open(engine, digest=b"third", node="one/two")
    with writing(engine) as connection:
        assert intakes.release_leases(connection, "one") == 2, "its name is the beginning of theirs"
    assert by_hand.lease_token
    assert _open(engine).id == mine.id
    assert _open(engine, digest=b"other").state == TAKEN
    assert theirs.lease_token


def test_what_is_undone_while_it_is_read_is_lost_to_its_reader(engine: Engine) -> None:
    held = _open(engine)
    _undo(engine, held.id)
    with pytest.raises(LeaseLost), writing(engine) as connection:
        intakes.renew_lease(connection, held.id, held.lease_token)
    assert _open(engine, node="two").state == "reading", "dropped again, it begins anew"


def test_a_file_of_which_a_part_is_being_stored_is_passed_over_at_once(postgres: Engine) -> None:
    """Nobody waits for another's transaction only to hear that the file is taken."""
    held = _open(postgres, lease=LAPSED)
    with writing(postgres) as storing:
        intakes.renew_lease(storing, held.id, held.lease_token, lease=LAPSED)
        with ThreadPoolExecutor(1) as other:
            seen = other.submit(_open, postgres, node="two").result(timeout=30)
    assert (seen.state, seen.held_by) == (TAKEN, "another node")


def test_of_many_that_open_a_new_file_one_reads_it(engine: Engine) -> None:
    with ThreadPoolExecutor(6) as pool:
        opened = list(pool.map(lambda n: _open(engine, node=f"node {n}"), range(6)))
    assert sorted(each.state for each in opened) == ["reading", *[TAKEN] * 5]


def test_a_row_set_aside_is_mended_by_one(engine: Engine) -> None:
    held = _open(engine)
    _set_aside(engine, held.id, _row())
    with reading(engine) as connection:
        (row,) = intakes.list_quarantine(connection)

    def mend() -> bool:
        with writing(engine) as connection:
            taken = intakes.take_row(
                connection, row["id"], intake_id=held.id, feed_name=row["feed"]
            )
            if taken:
                intakes.mark_mended(connection, [row["id"]])
            return taken

    with ThreadPoolExecutor(4) as pool:
        done = [each.result() for each in [pool.submit(mend) for _ in range(4)]]
    assert sorted(done) == [False, False, False, True]


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
        intakes.heard(
            connection,
            "desk",
            now=T0 + HOUR,
            through=T0 + HOUR,
            trusted_until=T0 + 2 * HOUR,
        )
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
