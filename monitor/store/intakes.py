"""Files taken in, rows set aside, and what is known of feeds.

What comes in: counts, rejected rows, instants at which a feed was heard. What goes out: where to go
on reading, and what a person must see. It does not care how a row is read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from monitor.model import Duration, Instant
from monitor.store.cases import lock_linked, undo_events
from monitor.store.rows import in_parts, insert_rows, update_rows
from monitor.store.tables import (
    batch,
    case_,
    event,
    feed,
    feed_gap,
    intake,
    known_number,
    quarantine,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A file being taken in, and from which row on."""

    id: int
    state: str
    rows_read: int
    is_new: bool


def open_intake(
    connection: Connection,
    *,
    feed_name: str,
    file_name: str,
    file_digest: bytes,
    mapping_digest: str,
    now: Instant,
) -> Intake:
    """The intake of a file: a new one, or the one that was begun or finished before.

    A file that was undone, or set aside whole and whose mapping has changed since, begins anew.
    """
    added = insert_rows(
        connection,
        intake,
        (
            "feed",
            "file_name",
            "file_digest",
            "mapping_digest",
            "state",
            "started_at",
            "dropped_columns",
        ),
        [(feed_name, file_name, file_digest, mapping_digest, "reading", now, "{}")],
    )
    asked = (
        select(intake)
        .where(intake.c.feed == feed_name, intake.c.file_digest == file_digest)
        .with_for_update()
    )
    row = connection.execute(asked).mappings().one()
    state, rows_read = row["state"], row["rows_read"]
    if state == "undone" or (state == "set aside" and row["mapping_digest"] != mapping_digest):
        state, rows_read = "reading", 0
        _begin_anew(connection, row["id"], mapping_digest=mapping_digest, now=now)
    return Intake(id=row["id"], state=state, rows_read=rows_read, is_new=bool(added))


def _begin_anew(
    connection: Connection, intake_id: int, *, mapping_digest: str, now: Instant
) -> None:
    counts = [each.name for each in intake.c if each.name.startswith(("rows_", "events_"))]
    connection.execute(
        update(intake)
        .where(intake.c.id == intake_id)
        .values(
            state="reading",
            mapping_digest=mapping_digest,
            started_at=now,
            finished_at=None,
            **dict.fromkeys(counts, 0),
        )
    )


def open_batch(connection: Connection, intake_id: int, *, received_at: Instant) -> int:
    """The id of a new batch; it gets its number when the transaction is about to commit."""
    asked = insert(batch).values(intake_id=intake_id, received_at=received_at)
    return int(connection.execute(asked.returning(batch.c.id)).scalar_one())


def number_batch(connection: Connection, batch_id: int) -> int:
    """Number a batch as the last thing before commit: numbers then are in order of commits."""
    number = next_number(connection)
    connection.execute(update(batch).where(batch.c.id == batch_id).values(number=number))
    return number


def next_number(connection: Connection) -> int:
    """The next number of what is known; holds every other commit until this one is done."""
    insert_rows(connection, known_number, ("id", "last"), [(1, 0)])
    asked = update(known_number).values(last=known_number.c.last + 1)
    return int(connection.execute(asked.returning(known_number.c.last)).scalar_one())


def last_number(connection: Connection) -> int:
    """Up to which number everything is known now."""
    return connection.scalar(select(known_number.c.last)) or 0


def add_progress(connection: Connection, intake_id: int, **counts: int) -> None:
    """Add to the counts of an intake (`rows_read`, `rows_set_aside`, `events_new`…)."""
    added = {name: intake.c[name] + count for name, count in counts.items()}
    connection.execute(update(intake).where(intake.c.id == intake_id).values(**added))


def finish_intake(
    connection: Connection,
    intake_id: int,
    *,
    state: str,
    dropped_columns: Mapping[str, int],
    vanished: int,
    now: Instant,
    why: str = "",
) -> None:
    """Close an intake: `done`, or `set aside` where the file cannot be believed, and why."""
    connection.execute(
        update(intake)
        .where(intake.c.id == intake_id)
        .values(
            state=state,
            dropped_columns=dict(dropped_columns),
            vanished=vanished,
            finished_at=now,
            why=why,
        )
    )


def intake_by_id(connection: Connection, intake_id: int) -> RowMapping | None:
    """One intake, or None."""
    found = connection.execute(select(intake).where(intake.c.id == intake_id)).mappings()
    return found.one_or_none()


def list_intakes(connection: Connection, *, limit: int) -> Sequence[RowMapping]:
    """The newest intakes."""
    asked = select(intake).order_by(intake.c.id.desc()).limit(limit)
    return connection.execute(asked).mappings().all()


def first_received_at(connection: Connection) -> Instant | None:
    """When the first file was taken in; None where none was."""
    at: Instant | None = connection.scalar(select(func.min(intake.c.started_at)))
    return at


def lock_cases_of(connection: Connection, intake_id: int) -> None:
    """Lock every case of which an intake told something, and those linked to them.

    Before a number is taken: whoever holds the number must never wait for a case.
    """
    told_of = select(event.c.case_id).join(batch).where(batch.c.intake_id == intake_id)
    lock_linked(connection, set(connection.scalars(told_of.distinct())))


def undo_intake(connection: Connection, intake_id: int, *, number: int) -> frozenset[int]:
    """Make unknown again, as of a number, what one intake brought; returns the cases it changes."""
    connection.execute(update(intake).where(intake.c.id == intake_id).values(state="undone"))
    batches = connection.scalars(select(batch.c.id).where(batch.c.intake_id == intake_id))
    return undo_events(connection, list(batches), number=number)


# -- rows set aside ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSetAside:
    """A row, or one field of it, that could not be read: declared fields only."""

    line: int
    field: str
    reason: str
    expected: str
    declared: Mapping[str, str]
    digest: bytes
    """What makes the row this row, wherever it stands."""


def set_rows_aside(
    connection: Connection,
    rows: Iterable[RowSetAside],
    *,
    feed_name: str,
    intake_id: int,
    now: Instant,
) -> None:
    """Keep rows that could not be read; one seen before is seen again, not kept twice."""
    rows = list(rows)
    key, first = ("feed", "row_digest", "field"), ("intake_id", "line", "reason", "expected")
    kept = [
        (
            *(feed_name, row.digest, row.field),
            *(intake_id, row.line, row.reason, row.expected),
            json.dumps(dict(row.declared), ensure_ascii=False),
            *("open", now, now),
        )
        for row in rows
    ]
    columns = (*key, *first, "declared", "state", "first_seen_at", "last_seen_at")
    insert_rows(connection, quarantine, columns, kept)
    seen = [("open", now, feed_name, row.digest, row.field) for row in rows]
    update_rows(connection, quarantine, ("state", "last_seen_at"), key, seen)


def list_quarantine(
    connection: Connection, *, feed_name: str | None = None, limit: int = 200
) -> Sequence[RowMapping]:
    """Rows set aside that nobody has mended, newest first, with the file they came from."""
    asked = (
        select(quarantine, intake.c.file_name, intake.c.file_digest)
        .join(intake)
        .where(quarantine.c.state == "open")
        .order_by(quarantine.c.id.desc())
        .limit(limit)
    )
    if feed_name is not None:
        asked = asked.where(quarantine.c.feed == feed_name)
    return connection.execute(asked).mappings().all()


def quarantined_row(connection: Connection, row_id: int) -> RowMapping | None:
    """One row set aside, with the file it came from; or None."""
    asked = select(quarantine, intake.c.file_name, intake.c.file_digest).join(intake)
    found = connection.execute(asked.where(quarantine.c.id == row_id)).mappings()
    return found.one_or_none()


def mark_mended(connection: Connection, row_ids: Collection[int]) -> None:
    """Rows that could be read after all."""
    mended = update(quarantine).values(state="mended")
    for part in in_parts(row_ids):
        connection.execute(mended.where(quarantine.c.id.in_(part)))


def count_quarantine(connection: Connection) -> int:
    """How many rows wait for a person."""
    asked = select(func.count()).select_from(quarantine).where(quarantine.c.state == "open")
    return connection.scalar(asked) or 0


# -- feeds ------------------------------------------------------------------------------------


def register_feed(connection: Connection, name: str, *, tolerance: Duration, lag: Duration) -> None:
    """Make a feed known, with how exact its times are and how late it may be."""
    insert_rows(connection, feed, ("name",), [(name,)])
    connection.execute(update(feed).where(feed.c.name == name).values(tolerance=tolerance, lag=lag))


def heard(
    connection: Connection, name: str, *, now: Instant, trusted_until: Instant | None
) -> None:
    """A file of a feed was taken in: it is heard, and any silence ends."""
    connection.execute(
        update(feed)
        .where(feed.c.name == name)
        .values(last_heard_at=now, heard_through=now, trusted_until=trusted_until, red="")
    )
    connection.execute(
        update(feed_gap)
        .where(feed_gap.c.feed == name, feed_gap.c.silent_to.is_(None))
        .values(silent_to=now)
    )


def expect(connection: Connection, name: str, *, trusted_until: Instant) -> None:
    """A feed that was never heard is silent from an instant on.

    One that was heard, or is expected already, is left as it is.
    """
    is_new = feed.c.last_heard_at.is_(None) & feed.c.trusted_until.is_(None)
    asked = update(feed).where(feed.c.name == name, is_new)
    connection.execute(asked.values(trusted_until=trusted_until))


def set_red(connection: Connection, name: str, why: str) -> None:
    """A file of a feed was refused."""
    connection.execute(update(feed).where(feed.c.name == name).values(red=why))


def open_gap(connection: Connection, name: str, *, silent_from: Instant) -> bool:
    """Keep a silence as a fact; True where it was not kept yet."""
    row = (name, silent_from)
    return insert_rows(connection, feed_gap, ("feed", "silent_from"), [row]) == 1


def list_feeds(connection: Connection) -> Sequence[RowMapping]:
    """Everything known of every feed, by name."""
    return connection.execute(select(feed).order_by(feed.c.name)).mappings().all()


def list_gaps(connection: Connection, *, since: Instant, until: Instant) -> Sequence[RowMapping]:
    """Silences that touch a period."""
    asked = select(feed_gap).where(
        feed_gap.c.silent_from < until,
        (feed_gap.c.silent_to.is_(None)) | (feed_gap.c.silent_to > since),
    )
    return connection.execute(asked.order_by(feed_gap.c.silent_from)).mappings().all()


def tolerances(connection: Connection) -> dict[str, Duration]:
    """Feed → how much earlier than its start a stop may be."""
    rows = connection.execute(select(feed.c.name, feed.c.tolerance))
    return {name: tolerance for name, tolerance in rows}  # noqa: C416 - rows are no pairs to dict()


def count_refused_files(connection: Connection) -> int:
    """How many files were set aside whole and neither taken in since nor dismissed."""
    asked = select(func.count()).select_from(intake).where(intake.c.state == "set aside")
    return connection.scalar(asked) or 0


def count_dirty(connection: Connection) -> int:
    """How many cases have a cause to be folded that no fold has answered."""
    asked = select(func.count()).select_from(case_).where(case_.c.dirty != case_.c.assessed)
    return connection.scalar(asked) or 0


def known_references(connection: Connection, feed_name: str) -> set[str]:
    """Every reference of which a feed has told something."""
    asked = (
        select(case_.c.reference)
        .join(event)
        .where(event.c.feed == feed_name, event.c.undone == 0)
        .distinct()
    )
    return set(connection.scalars(asked))
