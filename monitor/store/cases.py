"""Cases and the events they hold.

What comes in: references, case ids, events. What goes out: locked cases, every version of their
events, and how many of those told were new. It does not care what the events mean.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from monitor.clocks.timeline import age
from monitor.model import Event, Instant
from monitor.store.rows import (
    EVENT_COLUMNS,
    INSERTED_EVENT_COLUMNS,
    event_of,
    event_row,
    insert_rows,
)
from monitor.store.tables import case_, event

CLEARED = "cleared"
"""Kind of the retraction that a snapshot makes by no longer holding a fact."""

MOVED = "moved"
"""Kind of the retraction that is left behind where a source gave an event another reference."""

_EVENT_SELECTED = [
    case_.c.reference if name == "reference" else event.c[name]
    for name in (*EVENT_COLUMNS, "attributes")
]


class LockedCases(NamedTuple):
    """Cases that this transaction alone may change."""

    ids: Mapping[str, int]
    """Reference → case id."""
    new: frozenset[int]
    """Those that did not exist before."""


def lock_cases(connection: Connection, references: Collection[str]) -> LockedCases:
    """Make sure that cases exist and lock them, in ascending order of their ids."""
    wanted = sorted(references)
    before = _ids_of(connection, wanted)
    insert_rows(connection, case_, ("reference",), [(r,) for r in wanted if r not in before])
    ids = _ids_of(connection, wanted) if len(before) < len(wanted) else before
    lock_case_ids(connection, ids.values())
    return LockedCases(ids, frozenset(ids.values()) - frozenset(before.values()))


def lock_case_ids(connection: Connection, case_ids: Iterable[int]) -> None:
    """Lock cases in ascending order, so that two transactions never wait for each other."""
    if connection.dialect.name == "sqlite":
        return
    ids = sorted(case_ids)
    asked = select(case_.c.id).where(case_.c.id.in_(ids)).order_by(case_.c.id).with_for_update()
    connection.execute(asked).all()


def _ids_of(connection: Connection, references: Sequence[str]) -> dict[str, int]:
    asked = select(case_.c.reference, case_.c.id).where(case_.c.reference.in_(references))
    return {reference: case_id for reference, case_id in connection.execute(asked)}


class Told(NamedTuple):
    """An event with the line of the file that told it."""

    event: Event
    line: int


class Appended(NamedTuple):
    """What became of the events of a batch: every one of them is in one of the four counts."""

    new: int
    known: int
    amended: int
    conflicting: int
    changed_cases: frozenset[int]


def append_events(
    connection: Connection,
    told: Sequence[Told],
    *,
    cases: LockedCases,
    batch_id: int,
    is_snapshot: bool,
) -> Appended:
    """Store the events of a batch that are not known already; they are of one feed.

    A snapshot feed without revisions resends everything: what differs from the newest version then
    becomes a newer one, as of the moment it was received.
    """
    versions = _stored_versions(connection, told, cases)
    rows: list[tuple[object, ...]] = []
    counts = {"new": 0, "known": 0, "amended": 0, "conflicting": 0}
    changed: set[int] = set()
    for fact, line in told:
        case_id = cases.ids[fact.reference]
        stored = versions.setdefault(fact.identity, [])
        outcome, version = _compare(fact, stored, is_snapshot=is_snapshot)
        counts[outcome] += 1
        if outcome == "known":
            continue
        rows.append(event_row(version, case_id=case_id, batch_id=batch_id, line=line))
        stored.append((case_id, version))
        changed.add(case_id)
        for elsewhere, left in _left_behind(stored):
            rows.append(event_row(left, case_id=elsewhere, batch_id=batch_id, line=line))
            changed.add(elsewhere)
    insert_rows(connection, event, INSERTED_EVENT_COLUMNS, rows)
    return Appended(**counts, changed_cases=frozenset(changed))


Stored = list[tuple[int, Event]]
"""(case id, version) of one identity."""


def _stored_versions(
    connection: Connection, told: Sequence[Told], cases: LockedCases
) -> dict[bytes, Stored]:
    """Versions already stored of the identities that are told.

    An identity made of content names its case, so a new case cannot hold it; an identity that the
    source gave may have been told under another reference.
    """
    asked_for = {
        fact.identity
        for fact, _ in told
        if cases.ids[fact.reference] not in cases.new or fact.content not in fact.identity
    }
    if not asked_for:
        return {}
    asked = (
        select(event.c.case_id, *_EVENT_SELECTED)
        .join(case_, case_.c.id == event.c.case_id)
        .where(
            event.c.feed == told[0].event.feed,
            event.c.identity.in_([*asked_for, *map(_cleared_identity, asked_for)]),
            event.c.undone == 0,
        )
    )
    versions: dict[bytes, Stored] = {}
    for row in connection.execute(asked):
        stored = event_of(row[1:])
        identity = stored.retracts if stored.kind == CLEARED else stored.identity
        versions.setdefault(identity, []).append((row[0], stored))
    return versions


def _compare(fact: Event, stored: Stored, *, is_snapshot: bool) -> tuple[str, Event]:
    """How an event relates to the stored versions of its identity, and the version to store."""
    versions = [version for _, version in stored if version.kind not in (MOVED, CLEARED)]
    if not versions:
        return "new", fact
    newest = max(versions, key=age)
    was_cleared = any(v.kind == CLEARED and age(v) >= age(newest) for _, v in stored)
    if is_snapshot:
        if newest.content == fact.content and not was_cleared:
            return "known", fact
        return "amended", fact._replace(revision=fact.received_at)
    if any(v.content == fact.content and age(v) == age(fact) for v in versions):
        return "known", fact
    ties = any(age(version) == age(fact) for version in versions)
    return ("conflicting" if ties else "amended"), fact


def _left_behind(stored: Stored) -> Iterable[tuple[int, Event]]:
    """Retractions for the cases that held an event which its source has moved to another.

    Every case but those of the newest version gets one that is as new as the newest.
    """
    told = [(case_id, v) for case_id, v in stored if v.kind not in (MOVED, CLEARED)]
    newest = max((version for _, version in told), key=age)
    at_newest = {case_id for case_id, version in told if age(version) == age(newest)}
    for case_id in sorted({case for case, _ in stored} - at_newest):
        left = _moved(newest, case_id)
        if all(version.identity != left.identity or age(version) < age(left)
               for case, version in stored if case == case_id):
            stored.append((case_id, left))
            yield case_id, left


def _moved(newest: Event, case_id: int) -> Event:
    return newest._replace(
        identity=b"moved:%d:" % case_id + newest.identity,
        kind=MOVED,
        retracts=newest.identity,
        links="",
        child="",
        category="",
        risk="",
        attributes=(),
    )


def cleared_events(
    connection: Connection,
    feed: str,
    identities: Sequence[bytes],
    *,
    has_revisions: bool,
    now: Instant,
) -> list[Event]:
    """Retractions of what a snapshot told before and no longer holds: (identities) of one feed.

    A fact that is cleared already, or never was, gives none. Where the source numbers its
    revisions, a later one says by its number that a fact is back; without, the time of receipt.
    """
    asked = (
        select(*_EVENT_SELECTED)
        .join(case_, case_.c.id == event.c.case_id)
        .where(event.c.feed == feed, event.c.undone == 0)
        .where(event.c.identity.in_([*identities, *map(_cleared_identity, identities)]))
    )
    told: dict[bytes, list[Event]] = {}
    for row in connection.execute(asked):
        stored = event_of(row)
        told.setdefault(stored.retracts or stored.identity, []).append(stored)
    newest = [max(versions, key=lambda v: (age(v), v.kind == CLEARED)) for versions in told.values()]
    return [
        _cleared(version, revision=version.revision if has_revisions else now, now=now)
        for version in newest
        if version.kind != CLEARED
    ]


def _cleared_identity(identity: bytes) -> bytes:
    return b"cleared:" + identity


def _cleared(version: Event, *, revision: int, now: Instant) -> Event:
    return _moved(version, 0)._replace(
        identity=_cleared_identity(version.identity),
        kind=CLEARED,
        revision=revision,
        received_at=now,
    )


def events_of(connection: Connection, case_ids: Collection[int]) -> dict[int, list[Event]]:
    """Every version of every event of some cases."""
    found: dict[int, list[Event]] = {case_id: [] for case_id in case_ids}
    asked = (
        select(event.c.case_id, *_EVENT_SELECTED)
        .join(case_, case_.c.id == event.c.case_id)
        .where(event.c.case_id.in_(sorted(case_ids)), event.c.undone == 0)
    )
    for row in connection.execute(asked):
        found[row[0]].append(event_of(row[1:]))
    return found


def linked_case_ids(connection: Connection, case_ids: Collection[int]) -> frozenset[int]:
    """The cases given and all that link events, live or not, join to them, however far."""
    reached, ahead = set(case_ids), set(case_ids)
    while ahead:
        ahead = {case_id for pair in _links_of(connection, ahead) for case_id in pair} - reached
        reached |= ahead
    return frozenset(reached)


def linked_groups(connection: Connection, case_ids: Collection[int]) -> list[frozenset[int]]:
    """The given cases that link events, live or not, join to others, group by group."""
    group: dict[int, set[int]] = {}
    for pair in _links_of(connection, case_ids):
        together = set().union(*(group.get(case_id, {case_id}) for case_id in pair))
        group.update(dict.fromkeys(together, together))
    return [frozenset(members) for members in {id(m): m for m in group.values()}.values()]


def _links_of(connection: Connection, case_ids: Collection[int]) -> set[tuple[int, int]]:
    """(case, case) of every link event at either end of which one of the cases is."""
    ids = sorted(case_ids)
    target = case_.alias("target")
    asked = (
        select(event.c.case_id, target.c.id)
        .join(target, event.c.links == target.c.reference)
        .where(event.c.links != "", event.c.undone == 0)
    )
    told = connection.execute(asked.where(event.c.case_id.in_(ids)))
    named = connection.execute(asked.where(target.c.id.in_(ids)))
    return {(a, b) for rows in (told, named) for a, b in rows}


def references_of(connection: Connection, case_ids: Collection[int]) -> dict[int, str]:
    """Case id → its reference."""
    asked = select(case_.c.id, case_.c.reference).where(case_.c.id.in_(sorted(case_ids)))
    return {case_id: reference for case_id, reference in connection.execute(asked)}


def set_merged(connection: Connection, merged_into: Mapping[int, int | None]) -> None:
    """Record which case stands for which; None: it stands for itself."""
    for case_id, root in merged_into.items():
        changed = case_.c.merged_into.is_distinct_from(root)
        connection.execute(
            update(case_).where(case_.c.id == case_id, changed).values(merged_into=root)
        )


def mark_dirty(connection: Connection, case_ids: Collection[int]) -> None:
    """Give cases a cause to be folded again."""
    connection.execute(
        update(case_).where(case_.c.id.in_(sorted(case_ids))).values(dirty=case_.c.dirty + 1)
    )


def mark_all_dirty(connection: Connection) -> None:
    """Give every case a cause to be folded again: the rulebook has changed."""
    connection.execute(update(case_).values(dirty=case_.c.dirty + 1))


def mark_assessed(connection: Connection, case_ids: Iterable[int]) -> None:
    """Every cause so far of these cases is answered."""
    ids = sorted(case_ids)
    asked = update(case_).where(case_.c.id.in_(ids), case_.c.dirty != case_.c.assessed)
    connection.execute(asked.values(assessed=case_.c.dirty))


def dirty_case_ids(connection: Connection, *, limit: int) -> list[int]:
    """Cases that have a cause to be folded which no fold has answered."""
    asked = select(case_.c.id).where(case_.c.dirty != case_.c.assessed).order_by(case_.c.id)
    return list(connection.scalars(asked.limit(limit)))


def standing_case_ids(connection: Connection, references: Collection[str]) -> dict[str, int]:
    """Reference → the case that stands for it, after links."""
    asked = select(case_.c.reference, case_.c.id, case_.c.merged_into)
    rows = connection.execute(asked.where(case_.c.reference.in_(sorted(references))))
    return {reference: merged or case_id for reference, case_id, merged in rows}


