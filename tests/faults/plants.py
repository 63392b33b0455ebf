"""Faults planted on purpose: a campaign that does not find them would find nothing.

What comes in: the name of one. What goes out: a daemon, in this process alone, with that fault.
"""

# ruff: noqa: PLC0415
# The launcher decides when the rooms of the program are loaded.

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from tests.faults.steps import Trace, replace_everywhere

_here = threading.local()


def commit_moved(trace: Trace) -> None:
    """How far a file was read is committed before the events that were read."""
    from monitor.ingest import batches as reading
    from monitor.store import intakes
    from monitor.store.engine import writing

    del trace
    engine = _remembered_engine()
    opened, progress, batches = intakes.open_intake, intakes.add_progress, reading.batches

    def open_intake(*arguments: Any, **named: Any) -> Any:
        _here.intake = opened(*arguments, **named)
        return _here.intake

    def read_batches(*arguments: Any, **named: Any) -> Iterator[Any]:
        return moved_first(batches(*arguments, **named), _here.intake.id)

    def moved_first(read: Iterator[Any], intake_id: int) -> Iterator[Any]:
        for batch in read:
            with writing(engine()) as connection:
                progress(connection, intake_id, rows_read=batch.rows)
            yield batch

    def add_progress(connection: Any, intake_id: int, **counts: int) -> None:
        progress(connection, intake_id, **(counts | {"rows_read": 0}))

    replace_everywhere(opened, open_intake)
    replace_everywhere(progress, add_progress)
    replace_everywhere(batches, read_batches)


def moved_early(trace: Trace) -> None:
    """A file is moved away before the last commit of its intake."""
    from monitor.ingest import batches as reading
    from monitor.ingest import files

    del trace
    rows, batches, move = files.open_rows, reading.batches, files.move_to_done

    def open_rows(path: Any, *arguments: Any, **named: Any) -> Any:
        _here.path = path
        return rows(path, *arguments, **named)

    def read_batches(*arguments: Any, **named: Any) -> Iterator[Any]:
        return moved_after(batches(*arguments, **named), _here.path)

    def moved_after(read: Iterator[Any], path: Any) -> Iterator[Any]:
        yield from read
        path.rename(path.parents[2] / "var" / "done" / path.name)

    def move_if_there(*arguments: Any, **named: Any) -> Any:
        with suppress(files.FileChanged):
            return move(*arguments, **named)

    replace_everywhere(rows, open_rows)
    replace_everywhere(batches, read_batches)
    replace_everywhere(move, move_if_there)


def told_apart(trace: Trace) -> None:
    """What a sweep decided is committed first, and the alerts that it led to afterwards."""
    from monitor.store import alerts
    from monitor.store.engine import writing

    engine = _remembered_engine()
    insert = alerts.insert_alerts

    def put_off(_connection: Any, decided: Any, *_more: Any) -> int:
        decided = list(decided)
        _here.__dict__.setdefault("alerts", []).extend(decided)
        return len(decided)

    def insert_now() -> None:
        if waiting := _here.__dict__.pop("alerts", []):
            with writing(engine()) as connection:
                insert(connection, waiting)

    replace_everywhere(insert, put_off)
    trace.on_commit = insert_now


def unlocked(trace: Trace) -> None:
    """Nobody locks the cases that a fold is about to read and write."""
    from monitor.store import cases

    del trace
    replace_everywhere(cases.lock_linked, cases.linked_groups)


def mark_before_send(_trace: Trace) -> Callable[[bytes], None]:
    """A mail is recorded as sent before it is handed over."""
    from sqlalchemy import update

    from monitor.store.engine import database_now, writing
    from monitor.store.tables import message

    engine = _remembered_engine()

    def mark(content: bytes) -> None:
        named = re.search(rb"(?im)^Message-ID:\s*(<[^>]+>)", content)
        assert named is not None
        with writing(engine()) as connection:
            connection.execute(
                update(message)
                .where(message.c.message_id == named[1].decode())
                .values(state="sent", sent_at=database_now(connection))
            )

    return mark


def _remembered_engine() -> Callable[[], Any]:
    """The engine that the daemon works with, once it has opened it."""
    from monitor.store import engine as rooms

    original, opened = rooms.open_engine, []

    def open_engine(*arguments: Any, **named: Any) -> Any:
        opened.append(original(*arguments, **named))
        return opened[-1]

    replace_everywhere(original, open_engine)
    return lambda: opened[-1]


PLANTS: dict[str, Callable[[Trace], Callable[[bytes], None] | None]] = {
    "commit-moved": commit_moved,
    "moved-early": moved_early,
    "told-apart": told_apart,
    "unlocked": unlocked,
    "mark-before-send": mark_before_send,
}
