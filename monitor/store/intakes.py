"""Files taken in, rows set aside, and what is known of feeds.

What comes in: counts, rejected rows, instants at which a feed was heard. What goes out: where to go
on reading, and what a person must see. It does not care how a row is read.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, func, insert, or_, select, update

from monitor.model import MINUTE, Duration, Instant
from monitor.store.at_once import insert_rows, update_rows
from monitor.store.cases import lock_linked, undo_events
from monitor.store.engine import database_now, share_turn, take_turn
from monitor.store.rows import in_parts
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

LEASE: Final[Duration] = 1 * MINUTE
"""For how long a node that says nothing more keeps a file, by the database's time."""

TAKEN: Final = "taken"
"""The state of an intake that another holds at the moment."""

_HEARING: Final = "hear a feed"


class LeaseLost(Exception):
    """A file was taken over, or undone, while it was read: this transaction must not be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """A file being taken in, and from which row on."""

    id: int
    state: str
    """As stored; TAKEN where another holds it."""
    rows_read: int
    is_new: bool
    lease_token: str = field(default="", compare=False)
    """Under which this one holds it, where it is to be read."""
    held_by: str = ""
    """Who holds it, where another does."""


def open_intake(
    connection: Connection,
    *,
    feed_name: str,
    file_name: str,
    file_digest: bytes,
    mapping_digest: str,
    now: Instant,
    node: str = "",
    lease: Duration = LEASE,
) -> Intake:
    """The intake of a file: a new one, or the one that was begun or finished before.

    A file that is to be read is held by `node` from now on until its lease ends, and by nobody
    else: of two nodes that come to it at once, one reads it. A file that was undone, or set aside
    whole and whose mapping has changed since, begins anew.
    """
    meant = (intake.c.feed == feed_name) & (intake.c.file_digest == file_digest)
    added = 0
    if connection.scalar(select(intake.c.id).where(meant)) is None:
        new = {
            "feed": feed_name,
            "file_name": file_name,
            "file_digest": file_digest,
            "mapping_digest": mapping_digest,
            "state": "reading",
            "started_at": now,
            "dropped_columns": "{}",
        }
        added = insert_rows(connection, intake, tuple(new), [tuple(new.values())])
    asked = select(intake).where(meant).with_for_update(skip_locked=True)
    row = connection.execute(asked).mappings().one_or_none()
    if row is None:  # another stores a part of it at this moment
        return Intake(id=0, state=TAKEN, rows_read=0, is_new=False, held_by="another node")
    state, rows_read = row["state"], row["rows_read"]
    if state == "undone" or (state == "set aside" and row["mapping_digest"] != mapping_digest):
        state, rows_read = "reading", 0
        _begin_anew(connection, row["id"], mapping_digest=mapping_digest, now=now)
    opened = Intake(id=row["id"], state=state, rows_read=rows_read, is_new=bool(added))
    return _held(connection, opened, row, node, lease) if state == "reading" else opened


def _held(
    connection: Connection, opened: Intake, row: RowMapping, node: str, lease: Duration
) -> Intake:
    """A file that is to be read, under a lease; or as another's, whose lease has not ended."""
    database_time = database_now(connection)
    if row["lease_until"] is not None and row["lease_until"] > database_time:
        return replace(opened, state=TAKEN, held_by=row["lease_token"].rpartition("/")[0])
    token = f"{node}/{secrets.token_hex(16)}"
    taken = update(intake).where(intake.c.id == opened.id)
    connection.execute(taken.values(lease_token=token, lease_until=database_time + lease))
    return replace(opened, lease_token=token)


def renew_lease(
    connection: Connection, intake_id: int, token: str, *, lease: Duration = LEASE
) -> None:
    """Hold a file for longer; raises LeaseLost where it is not held any more.

    First in each transaction that stores a part of it: nobody can take the file over meanwhile.
    """
    _under_lease(connection, intake_id, token, lease_until=database_now(connection) + lease)


def release_lease(connection: Connection, intake_id: int, token: str) -> None:
    """Let go of a file that is not read to its end; raises LeaseLost as above."""
    _under_lease(connection, intake_id, token, lease_token="", lease_until=None)


def release_leases(connection: Connection, node: str) -> int:
    """A node that starts holds nothing: the files that it read when it ended may be read on."""
    held = intake.c.lease_token.startswith(f"{node}/", autoescape=True)
    asked = update(intake).where(intake.c.state == "reading", held)
    return connection.execute(asked.values(lease_token="", lease_until=None)).rowcount


def _under_lease(connection: Connection, intake_id: int, token: str, **values: Any) -> None:
    held = (intake.c.state == "reading") & (intake.c.lease_token == token)
    asked = update(intake).where(intake.c.id == intake_id, held)
    if connection.execute(asked.values(**values)).rowcount != 1:
        msg = f"intake {intake_id} is held by another, or was undone"
        raise LeaseLost(msg)


def take_feed(connection: Connection, feed_name: str) -> None:
    """Wait until nobody else stores what a feed tells.

    What one event of a feed is to another, in whatever case that is, is seen only so. Before any
    case is locked.
    """
    take_turn(connection, f"feed {feed_name}")


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
            lease_token="",
            lease_until=None,
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
    lease_token: str = "",
) -> None:
    """Close an intake: `done`, or `set aside` where the file cannot be believed, and why.

    `lease_token`: under which it was read; raises LeaseLost where that no longer stands.
    """
    if lease_token:
        release_lease(connection, intake_id, lease_token)
    connection.execute(
        update(intake)
        .where(intake.c.id == intake_id)
        .values(
            state=state,
            dropped_columns=dict(dropped_columns),
            vanished=vanished,
            finished_at=now,
            why=why,
            lease_token="",
            lease_until=None,
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
    """Lock an intake, and every case of which it told something, and those linked to them.

    In the order in which a file is stored, and before a number is taken: whoever holds the number
    must never wait for a case.
    """
    asked = select(intake.c.feed).where(intake.c.id == intake_id).with_for_update()
    take_feed(connection, connection.execute(asked).scalar_one())
    told_of = select(event.c.case_id).join(batch).where(batch.c.intake_id == intake_id)
    lock_linked(connection, set(connection.scalars(told_of.distinct())))


def undo_intake(connection: Connection, intake_id: int, *, number: int) -> frozenset[int]:
    """Make unknown again, as of a number, what one intake brought; returns the cases it changes."""
    undone = {"state": "undone", "lease_token": "", "lease_until": None}
    connection.execute(update(intake).where(intake.c.id == intake_id).values(**undone))
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


def take_row(connection: Connection, row_id: int, *, intake_id: int, feed_name: str) -> bool:
    """Lock a row set aside, in order to store what it tells; False where another has mended it.

    After its intake and its feed, as whoever stores a file does.
    """
    connection.execute(select(intake.c.id).where(intake.c.id == intake_id).with_for_update())
    take_feed(connection, feed_name)
    still = select(quarantine.c.id).where(quarantine.c.id == row_id, quarantine.c.state == "open")
    return connection.scalar(still.with_for_update()) is not None


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


def heard_through(connection: Connection, name: str) -> Instant | None:
    """To when a feed has told everything; None where it never was heard."""
    at: Instant | None = connection.scalar(select(feed.c.heard_through).where(feed.c.name == name))
    return at


NEWEST: Final = 100
"""Intakes that are looked through for one of which the feed was not heard: it was among the last.
"""


def read_and_not_heard(connection: Connection, name: str) -> list[str]:
    """Names of a feed's files that were read to their end after it was last heard.

    While others waited it was not; whoever was to read those may have died, or found nothing in
    them.
    """
    return [file for of, file in connection.execute(_UNHEARD) if of == name]


def feeds_not_heard(connection: Connection) -> set[str]:
    """Names of the feeds of which there are such files."""
    return {name for name, _ in connection.execute(_UNHEARD)}


def _unheard() -> Select[str, str]:
    newest = select(intake).order_by(intake.c.id.desc()).limit(NEWEST).subquery()
    return (
        select(newest.c.feed, newest.c.file_name)
        .join(feed, feed.c.name == newest.c.feed)
        .where(
            newest.c.state == "done",
            or_(feed.c.last_heard_at.is_(None), newest.c.finished_at > feed.c.last_heard_at),
        )
        .order_by(newest.c.id)
    )


_UNHEARD: Final = _unheard()
"""Built once: every turn of an intake asks."""


def heard(
    connection: Connection,
    name: str,
    *,
    now: Instant,
    through: Instant | None,
    trusted_until: Instant | None,
) -> None:
    """A feed was heard, and has told everything up to `through`; where that ends its silence.

    `through` None: what was read does not say to when it reaches, and nothing but the hearing is
    kept. `trusted_until` None: it has no timetable.

    No sweep decides meanwhile: one that let a clock wait for this feed is seen by whoever wakes it.
    """
    take_turn(connection, _HEARING)
    asked = update(feed).where(feed.c.name == name)
    if through is None:
        connection.execute(asked.values(last_heard_at=now))
        return
    connection.execute(
        asked.values(last_heard_at=now, heard_through=through, trusted_until=trusted_until, red="")
    )
    if trusted_until is None or now <= trusted_until:
        connection.execute(
            update(feed_gap)
            .where(feed_gap.c.feed == name, feed_gap.c.silent_to.is_(None))
            .values(silent_to=now)
        )


def hold_feeds(connection: Connection) -> None:
    """Let no feed be heard until this transaction ends; before any clock is locked."""
    share_turn(connection, _HEARING)


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
