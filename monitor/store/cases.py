"""Cases and the events they hold.

What comes in: references, case ids, events. What goes out: locked cases, every version of their
events, and how many of those told were new. It does not care what the events mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, update

from monitor.clocks.timeline import age
from monitor.model import Event, Instant
from monitor.store.at_once import insert_columns, insert_rows
from monitor.store.rows import (
    EVENT_COLUMNS,
    event_columns,
    event_of,
    in_parts,
    is_named,
)
from monitor.store.sets import among
from monitor.store.tables import case_, event

CLEARED = "cleared"
"""Kind of the retraction that a snapshot makes by no longer holding a fact."""

MOVED = "moved"
"""Kind of the retraction that is left behind where a source gave an event another reference."""

OWN_KINDS = frozenset({CLEARED, MOVED})
"""What no source says: the monitor concludes it from what a source said before and says now."""

_EVENTS = (
    select(
        event.c.case_id,
        *(case_.c.reference if name == "reference" else event.c[name] for name in EVENT_COLUMNS),
        event.c.attributes,
    )
    .join(case_, case_.c.id == event.c.case_id)
    .where(event.c.undone == 0)
)


class LockedCases(NamedTuple):
    """Cases that this transaction alone may change."""

    ids: Mapping[str, int]
    """Reference → case id."""
    new: frozenset[int]
    """Those that did not exist before."""


def lock_cases(connection: Connection, references: Collection[str]) -> LockedCases:
    """Make sure that cases exist, and lock them with all that are linked to them.

    Whoever stores an event names in `references` its case and the one it links: then everything
    that a fold of it will touch is locked from the start, and in one order.
    """
    before = known_ids(connection, references)
    unknown = sorted(set(references) - before.keys())
    added, all_ours = _add_cases(connection, unknown)
    ids = before | added
    if connection.dialect.name != "sqlite":  # which locks the whole file at the beginning
        lock_linked(connection, ids.values())
    # Where another was first with one of them, which ones are new cannot be told apart.
    return LockedCases(ids, frozenset(added.values()) if all_ours else frozenset())


def _add_cases(connection: Connection, references: Sequence[str]) -> tuple[dict[str, int], bool]:
    """Reference → its case, and whether all of them were made by this transaction."""
    if not references:
        return {}, True
    greatest = connection.scalar(select(func.max(case_.c.id))) or 0
    made = insert_rows(connection, case_, ("reference",), [(each,) for each in references])
    if made < len(references):
        return known_ids(connection, references), False
    # Numbers are handed out in order; to look each up by its reference takes ten times as long.
    newest = select(case_.c.reference, case_.c.id).where(case_.c.id > greatest)
    wanted = frozenset(references)
    return {told: number for told, number in connection.execute(newest) if told in wanted}, True


def lock_linked(connection: Connection, case_ids: Collection[int]) -> list[frozenset[int]]:
    """Lock cases and all that link events join to them; returns the groups of those joined.

    In ascending order of ids, so that two transactions never wait for each other. What was linked
    while this one waited is seen only afterwards: then the locks are let go and taken anew.
    """
    if connection.dialect.name == "sqlite":
        return linked_groups(connection, case_ids)
    while True:
        groups = linked_groups(connection, case_ids)
        attempt = connection.begin_nested()
        _lock(connection, set(case_ids).union(*groups))
        if linked_groups(connection, case_ids) == groups:
            attempt.commit()
            return groups
        attempt.rollback()


def _lock(connection: Connection, case_ids: Collection[int]) -> None:
    asked = select(case_.c.id).order_by(case_.c.id).with_for_update()
    for ids in in_parts(case_ids):
        connection.execute(asked.where(among(connection, case_.c.id, ids))).all()


def known_ids(connection: Connection, references: Collection[str]) -> dict[str, int]:
    """Reference → its own case, for those that exist."""
    asked = select(case_.c.reference, case_.c.id)
    return {
        reference: case_id
        for part in in_parts(references)
        for reference, case_id in connection.execute(
            asked.where(among(connection, case_.c.reference, part))
        )
    }


Told: TypeAlias = tuple[Event, int]
"""An event with the line of the file that told it."""


class _Writing(NamedTuple):
    """Events to be written, by column."""

    events: list[Event]
    case_ids: list[int]
    batch_ids: list[int]
    lines: list[int]

    def add(self, version: Event, *, case_id: int, batch_id: int, line: int) -> None:
        self.events.append(version)
        self.case_ids.append(case_id)
        self.batch_ids.append(batch_id)
        self.lines.append(line)

    def insert(self, connection: Connection) -> None:
        columns = event_columns(
            self.events, case_ids=self.case_ids, batch_ids=self.batch_ids, lines=self.lines
        )
        insert_columns(connection, event, columns)


class Appended(NamedTuple):
    """What became of the events of a batch: every one of them is in one of the four counts."""

    new: int
    known: int
    amended: int
    conflicting: int
    changed_cases: frozenset[int]
    whole: Mapping[int, Sequence[Event]]
    """Changed cases with all their events, so that nobody has to read them again."""


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
    histories = events_of(connection, {cases.ids[fact.reference] for fact, _ in told} - cases.new)
    versions = _stored_versions(connection, told, histories)
    writing = _Writing([], [], [], [])
    counts: Counter[str] = Counter()
    changed: dict[int, list[Event]] = {}
    for fact, line in told:
        case_id = cases.ids[fact.reference]
        stored = versions.setdefault(_identity_told(fact), [])
        outcome, version = _compare(fact, stored, is_snapshot=is_snapshot)
        counts[outcome] += 1
        if outcome == "known":
            continue
        stored.append((case_id, version))
        writing.add(version, case_id=case_id, batch_id=batch_id, line=line)
        changed.setdefault(case_id, []).append(version)
        if len(stored) > 1:
            for place, left in _left_behind(stored):
                writing.add(left, case_id=place, batch_id=batch_id, line=line)
                changed.setdefault(place, []).append(left)
    writing.insert(connection)
    return Appended(
        new=counts["new"],
        known=counts["known"],
        amended=counts["amended"],
        conflicting=counts["conflicting"],
        changed_cases=frozenset(changed),
        whole={
            case_id: [*histories.get(case_id, ()), *events]
            for case_id, events in changed.items()
            if case_id in histories or case_id in cases.new
        },
    )


Stored = list[tuple[int, Event]]
"""(case id, version) of one identity, with what takes it back where it is ours to say."""


def _identity_told(told: Event) -> bytes:
    """The identity that an event is about: of the monitor's own retractions, what they retract."""
    return told.retracts if told.kind in OWN_KINDS else told.identity


def _stored_versions(
    connection: Connection, told: Sequence[Told], histories: Mapping[int, Sequence[Event]]
) -> dict[bytes, Stored]:
    """Versions already stored of the identities that are told.

    An identity made of content names its case, so it is there or nowhere; one that the source gave
    may have been told under another reference.
    """
    if not told:  # a batch of rows that were all set aside
        return {}
    feed = told[0][0].feed
    versions: dict[bytes, Stored] = {}
    for case_id, events in histories.items():
        for stored in events:
            if stored.feed == feed:
                versions.setdefault(_identity_told(stored), []).append((case_id, stored))
    named = {_identity_told(fact) for fact, _ in told if is_named(fact)}
    return versions | _versions_of(connection, feed, named) if named else versions


_IS_NAMED = text("event.named")
"""Word for word what the partial index says, so that both databases see that it answers."""


def _versions_of(
    connection: Connection, feed: str, identities: Collection[bytes]
) -> dict[bytes, Stored]:
    versions: dict[bytes, Stored] = {}
    _add_versions(connection, versions, feed, identities)
    elsewhere = {
        own
        for identity, stored in versions.items()
        for own in (
            _cleared_identity(identity),
            *(_moved_identity(version) for _, version in stored),
        )
    }
    _add_versions(connection, versions, feed, elsewhere)
    return versions


def _add_versions(
    connection: Connection, versions: dict[bytes, Stored], feed: str, identities: Collection[bytes]
) -> None:
    asked = _EVENTS.where(event.c.feed == feed, _IS_NAMED)
    for part in in_parts(identities):
        for case_id, *row in connection.execute(asked.where(event.c.identity.in_(part))):
            stored = event_of(row)
            versions.setdefault(_identity_told(stored), []).append((case_id, stored))


def _compare(fact: Event, stored: Stored, *, is_snapshot: bool) -> tuple[str, Event]:
    """How an event relates to the stored versions of its identity, and the version to store."""
    if not stored:
        return "new", fact
    if fact.kind == CLEARED:
        return "amended", fact
    if is_snapshot:
        return _compare_snapshot(fact, stored)
    told = [version for _, version in stored if version.kind not in OWN_KINDS]
    ties = [version for version in told if age(version) == age(fact)]
    if any(version.content == fact.content for version in ties):
        return "known", fact
    return ("conflicting" if ties else "amended" if told else "new"), fact


def _compare_snapshot(fact: Event, stored: Stored) -> tuple[str, Event]:
    """What a snapshot says differs from what stands, or is that; it is as new as its receipt."""
    newest = max((version for _, version in stored if version.kind != MOVED), key=age)
    if newest.content == fact.content and newest.kind != CLEARED:
        return "known", fact
    latest = max(version.revision for _, version in stored)
    is_told = any(version.kind not in OWN_KINDS for _, version in stored)
    later = fact._replace(revision=max(fact.received_at, latest + 1))
    return ("amended" if is_told else "new"), later


def _left_behind(stored: Stored) -> list[tuple[int, Event]]:
    """Retractions for the cases that hold an event which its source has since moved to another.

    Every case but those of the newest version gets one that is as new as the newest version there,
    so that it takes out nothing that was told elsewhere, should the cases be linked one day.
    """
    by_case: dict[int, list[Event]] = {}
    for case_id, version in stored:
        by_case.setdefault(case_id, []).append(version)
    if len(by_case) == 1:
        return []
    told = {
        case_id: max(versions, key=age)
        for case_id, here in by_case.items()
        if (versions := [v for v in here if v.kind not in OWN_KINDS])
    }
    newest = max(map(age, told.values()))
    left = [
        (case_id, _moved(last))
        for case_id, last in sorted(told.items())
        if age(last) < newest
        and not any(v.kind == MOVED and age(v) >= age(last) for v in by_case[case_id])
    ]
    stored += left
    return left


def _moved(last: Event) -> Event:
    return _retraction_of(last, kind=MOVED, identity=_moved_identity(last))


def _moved_identity(version: Event) -> bytes:
    return b"moved:%b:%b" % (version.reference.encode(), version.identity)


def _retraction_of(version: Event, *, kind: str, identity: bytes) -> Event:
    return version._replace(
        identity=identity,
        kind=kind,
        retracts=version.identity,
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
    stored = _versions_of(connection, feed, identities).values()
    newest = (
        max((version for _, version in told), key=lambda v: (age(v), v.kind == CLEARED))
        for told in stored
    )
    return [
        _cleared(version, revision=version.revision if has_revisions else now, now=now)
        for version in newest
        if version.kind != CLEARED
    ]


def _cleared_identity(identity: bytes) -> bytes:
    return b"cleared:" + identity


def _cleared(version: Event, *, revision: int, now: Instant) -> Event:
    told = _retraction_of(version, kind=CLEARED, identity=_cleared_identity(version.identity))
    return told._replace(revision=max(revision, version.revision), received_at=now)


def undo_events(
    connection: Connection, batch_ids: Collection[int], *, number: int
) -> frozenset[int]:
    """Make unknown, as of a number, what some batches brought; returns the cases that changes.

    Among them are those that a link among these events joined: they part now.
    """
    brought = and_(among(connection, event.c.batch_id, batch_ids), event.c.undone == 0)
    touched = set(connection.scalars(select(event.c.case_id).where(brought).distinct()))
    touched = touched.union(*lock_linked(connection, touched))
    moves = _moves_among(connection, brought)
    connection.execute(update(event).where(brought).values(undone=number))
    for feed, identities in moves.items():
        touched |= _settle_moves(connection, feed, identities, number=number)
    return frozenset(touched)


def _moves_among(connection: Connection, brought: ColumnElement[bool]) -> dict[str, set[bytes]]:
    """Feed → the identities of some events that were ever moved, or that these events moved."""
    named = event.c.retracts.in_(select(event.c.identity).where(brought))
    asked = select(event.c.feed, event.c.retracts).where(
        event.c.kind == MOVED, event.c.undone == 0, or_(brought, named)
    )
    moves: dict[str, set[bytes]] = {}
    for feed, identity in connection.execute(asked.distinct()):
        moves.setdefault(feed, set()).add(identity)
    return moves


def _settle_moves(
    connection: Connection, feed: str, identities: Collection[bytes], *, number: int
) -> set[int]:
    """Conclude anew what was moved, from the versions that are left; the cases that changes."""
    touched: set[int] = set()
    for part in in_parts(identities):
        concluded = and_(
            event.c.kind == MOVED,
            event.c.undone == 0,
            event.c.feed == feed,
            event.c.retracts.in_(part),
        )
        touched.update(connection.scalars(select(event.c.case_id).where(concluded)))
        connection.execute(update(event).where(concluded).values(undone=number))
    writing = _Writing([], [], [], [])
    for stored in _versions_of(connection, feed, identities).values():
        for case_id, left in _left_behind(stored):
            brought_by = _batch_of(connection, case_id, left)
            writing.add(left, case_id=case_id, batch_id=brought_by, line=0)
    writing.insert(connection)
    return touched.union(writing.case_ids)


def _batch_of(connection: Connection, case_id: int, left: Event) -> int:
    """The batch that brought what a retraction takes back."""
    asked = select(func.max(event.c.batch_id)).where(
        event.c.case_id == case_id,
        event.c.feed == left.feed,
        event.c.identity == left.retracts,
        event.c.undone == 0,
    )
    return int(connection.execute(asked).scalar_one())


def events_of(connection: Connection, case_ids: Collection[int]) -> dict[int, list[Event]]:
    """Every version of every event of some cases."""
    found: dict[int, list[Event]] = {case_id: [] for case_id in case_ids}
    for ids in in_parts(case_ids):
        for row in connection.execute(_EVENTS.where(among(connection, event.c.case_id, ids))):
            found[row[0]].append(event_of(row[1:]))
    return found


def ids_since(connection: Connection, since: Instant, *, after: int, limit: int) -> list[int]:
    """The next cases in which something happened at or after an instant, in ascending id."""
    asked = (
        select(event.c.case_id)
        .where(event.c.case_id > after, event.c.undone == 0, event.c.occurred_to >= since)
        .group_by(event.c.case_id)
        .order_by(event.c.case_id)
        .limit(limit)
    )
    return list(connection.execute(asked).scalars())


def linked_case_ids(connection: Connection, case_ids: Collection[int]) -> frozenset[int]:
    """The cases given and all that link events, live or not, join to them, however far."""
    return frozenset(case_ids).union(*linked_groups(connection, case_ids))


def linked_groups(connection: Connection, case_ids: Collection[int]) -> list[frozenset[int]]:
    """The given cases that link events, live or not, join to others, however far: the groups."""
    pairs: set[tuple[int, int]] = set()
    reached, ahead = set(case_ids), set(case_ids)
    while ahead:
        found = _links_of(connection, ahead)
        pairs |= found
        ahead = {case_id for pair in found for case_id in pair} - reached
        reached |= ahead
    group: dict[int, set[int]] = {}
    for pair in pairs:
        together = set().union(*(group.get(case_id, {case_id}) for case_id in pair))
        group.update(dict.fromkeys(together, together))
    return sorted({frozenset(members) for members in group.values()}, key=min)


_IS_LINK = text("event.links <> ''")
"""Word for word what the partial indexes say, so that both databases see that they answer."""


def _links_of(connection: Connection, case_ids: Collection[int]) -> set[tuple[int, int]]:
    """(case, case) of every link event at either end of which one of the cases is."""
    target = case_.alias("target")
    asked = (
        select(event.c.case_id, target.c.id)
        .join(target, event.c.links == target.c.reference)
        .where(_IS_LINK, event.c.undone == 0)
    )
    return {
        (told_of, named)
        for ids in in_parts(case_ids)
        for end in (event.c.case_id, target.c.id)
        for told_of, named in connection.execute(asked.where(among(connection, end, ids)))
    }


def references_of(connection: Connection, case_ids: Collection[int]) -> dict[int, str]:
    """Case id → its reference."""
    asked = select(case_.c.id, case_.c.reference)
    return {
        case_id: reference
        for ids in in_parts(case_ids)
        for case_id, reference in connection.execute(
            asked.where(among(connection, case_.c.id, ids))
        )
    }


def references_standing(connection: Connection, case_ids: Collection[int]) -> dict[int, list[str]]:
    """Case id → every reference for which that case stands, after links; its own among them."""
    asked = select(case_.c.id, case_.c.merged_into, case_.c.reference)
    found: dict[int, list[str]] = {}
    for ids in in_parts(case_ids):
        meant = or_(*(among(connection, each, ids) for each in (case_.c.id, case_.c.merged_into)))
        wanted = set(ids)
        for case_id, merged, reference in connection.execute(asked.where(meant)):
            for standing in wanted.intersection((case_id, merged)):
                found.setdefault(standing, []).append(reference)
    return found


def set_merged(
    connection: Connection, merged_into: Mapping[int, int], *, of: Collection[int]
) -> None:
    """Record which case stands for which; all others `of` some, for themselves."""
    for case_id, root in merged_into.items():
        changed = case_.c.merged_into.is_distinct_from(root)
        connection.execute(
            update(case_).where(case_.c.id == case_id, changed).values(merged_into=root)
        )
    parted = update(case_).where(case_.c.merged_into.is_not(None)).values(merged_into=None)
    for ids in in_parts(set(of) - merged_into.keys()):
        connection.execute(parted.where(among(connection, case_.c.id, ids)))


def mark_dirty(connection: Connection, case_ids: Collection[int]) -> None:
    """Give cases a cause to be folded again."""
    asked = update(case_).values(dirty=case_.c.dirty + 1)
    if connection.dialect.name == "postgresql":
        _lock(connection, case_ids)
    for ids in in_parts(case_ids):
        connection.execute(asked.where(among(connection, case_.c.id, ids)))


def mark_dirty_after(connection: Connection, case_id: int, *, limit: int) -> int | None:
    """Give the next cases after one a cause to be folded again; the last of them, None: no more."""
    asked = select(case_.c.id).where(case_.c.id > case_id).order_by(case_.c.id).limit(limit)
    ids = list(connection.scalars(asked.with_for_update()))
    if not ids:
        return None
    between = case_.c.id.between(ids[0], ids[-1])
    connection.execute(update(case_).where(between).values(dirty=case_.c.dirty + 1))
    return int(ids[-1])


def mark_assessed(connection: Connection, case_ids: Collection[int]) -> None:
    """Every cause so far of these cases is answered."""
    asked = update(case_).where(case_.c.dirty != case_.c.assessed).values(assessed=case_.c.dirty)
    for ids in in_parts(case_ids):
        connection.execute(asked.where(among(connection, case_.c.id, ids)))


_IS_DIRTY = case_.c.dirty != case_.c.assessed


def dirty_case_ids(connection: Connection, *, limit: int) -> list[int]:
    """Cases that have a cause to be folded which no fold has answered, and that nobody folds now.

    They are not locked: that is done with all that are linked to them, in order (`lock_dirty`).
    """
    asked = select(case_.c.id).where(_IS_DIRTY).order_by(case_.c.id).limit(limit)
    if connection.dialect.name == "sqlite":
        return list(connection.scalars(asked))
    glance = connection.begin_nested()
    ids = list(connection.scalars(asked.with_for_update(skip_locked=True)))
    glance.rollback()  # lets go of them
    return ids


def lock_dirty(connection: Connection, case_ids: Collection[int]) -> list[int]:
    """Lock cases and all that are linked to them; those that another has not folded meanwhile."""
    if connection.dialect.name == "sqlite":
        return sorted(case_ids)
    lock_linked(connection, case_ids)
    asked = select(case_.c.id).where(_IS_DIRTY)
    return [
        case_id
        for ids in in_parts(case_ids)
        for case_id in connection.scalars(asked.where(among(connection, case_.c.id, ids)))
    ]


def standing_case_ids(connection: Connection, references: Collection[str]) -> dict[str, int]:
    """Reference → the case that stands for it, after links."""
    asked = select(case_.c.reference, case_.c.id, case_.c.merged_into)
    return {
        reference: merged or case_id
        for part in in_parts(references)
        for reference, case_id, merged in connection.execute(
            asked.where(among(connection, case_.c.reference, part))
        )
    }
