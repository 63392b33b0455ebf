"""What was known at an earlier instant, and which file told each event.

What comes in: cases and an instant, or a number among everything that was ever made known. What
goes out: the events that had been told by then, the rulebook that was in force, and where each
event was read. It does not care what any of it means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, Row, func, or_, select

from monitor.model import Event, Instant
from monitor.rulebook.book import Documents
from monitor.store.cases import MOVED
from monitor.store.rows import EVENT_COLUMNS, event_of, in_parts
from monitor.store.tables import action, activation, batch, case_, event, feed_gap


class Received(NamedTuple):
    """An event with where and when the monitor was told of it."""

    case_id: int
    event: Event
    number: int
    """Its batch's place among everything that was ever made known."""
    intake: int
    """The intake that brought it, as `monitor intake list` numbers it."""
    line: int
    undone: int
    """The number of the action that undid its intake; 0 where none did."""

    def is_known(self, number: int) -> bool:
        """Whether it was known up to a number."""
        return self.number <= number and (not self.undone or self.undone > number)


class WasActive(NamedTuple):
    """A rulebook that was in force."""

    activated_at: Instant
    digest: str
    documents: Documents | None
    """None where today's program cannot read what was written then."""


def number_known_at(connection: Connection, instant: Instant) -> int:
    """Up to which number everything was known at an instant; 0 where nothing was."""
    batches = select(func.max(batch.c.number)).where(batch.c.received_at <= instant)
    actions = select(func.max(action.c.number)).where(action.c.from_at <= instant)
    return max(connection.scalar(batches) or 0, connection.scalar(actions) or 0)


def ever_linked(connection: Connection, case_ids: Collection[int]) -> frozenset[int]:
    """The cases given and all that a link event, however it ended, ever joined to them."""
    reached, ahead = set(case_ids), set(case_ids)
    target = case_.alias("target")
    asked = (
        select(event.c.case_id, target.c.id)
        .join(target, event.c.links == target.c.reference)
        .where(event.c.links != "")
    )
    while ahead:
        found = {
            case_id
            for ids in in_parts(ahead)
            for pair in connection.execute(
                asked.where(or_(event.c.case_id.in_(ids), target.c.id.in_(ids)))
            )
            for case_id in pair
        }
        ahead = found - reached
        reached |= ahead
    return frozenset(reached)


def received_events(
    connection: Connection, case_ids: Collection[int], *, up_to: int | None = None
) -> list[Received]:
    """Every version of every event ever told of some cases, in the order in which it was stored.

    `up_to`: none that was first told after this number.
    """
    asked = (
        select(
            event.c.case_id,
            batch.c.number,
            batch.c.intake_id,
            event.c.line,
            event.c.undone,
            *(
                case_.c.reference if name == "reference" else event.c[name]
                for name in EVENT_COLUMNS
            ),
            event.c.attributes,
        )
        .join(case_, case_.c.id == event.c.case_id)
        .join(batch, batch.c.id == event.c.batch_id)
        .where(batch.c.number.is_not(None) if up_to is None else batch.c.number <= up_to)
        .order_by(event.c.id)
    )
    found = [
        Received(case_id, event_of(row), number, intake, line, undone)
        for ids in in_parts(case_ids)
        for case_id, number, intake, line, undone, *row in connection.execute(
            asked.where(event.c.case_id.in_(ids))
        )
    ]
    return _with_conclusions(connection, found)


def _with_conclusions(connection: Connection, found: list[Received]) -> list[Received]:
    """The same, where what was moved was concluded anew as of the undoing that made it so.

    An undoing takes back every such conclusion about an event and stores those that still hold,
    under the batch of the event: whatever stands after it was concluded by it, or later.
    """
    moved = {(one.event.feed, one.event.retracts) for one in found if one.event.kind == MOVED}
    if not moved:
        return found
    undone = _conclusions_undone(connection, moved)
    return [
        one._replace(number=max([one.number, *_before(undone, one)]))
        if one.event.kind == MOVED
        else one
        for one in found
    ]


def _before(undone: Mapping[tuple[str, bytes], Collection[int]], one: Received) -> list[int]:
    numbers = undone.get((one.event.feed, one.event.retracts), ())
    return [number for number in numbers if not one.undone or number < one.undone]


def _conclusions_undone(
    connection: Connection, moved: Collection[tuple[str, bytes]]
) -> dict[tuple[str, bytes], set[int]]:
    """(feed, identity) → the numbers at which it was undone that an event had been moved."""
    numbers: dict[tuple[str, bytes], set[int]] = {}
    for feed in {feed for feed, _ in moved}:
        for identities in in_parts({identity for of, identity in moved if of == feed}):
            told_of = select(event.c.case_id).where(
                event.c.feed == feed, event.c.identity.in_(identities)
            )
            asked = select(event.c.retracts, event.c.undone).where(
                event.c.case_id.in_(told_of), event.c.kind == MOVED, event.c.undone != 0
            )
            for identity, number in connection.execute(asked.where(event.c.feed == feed)):
                numbers.setdefault((feed, identity), set()).add(number)
    return numbers


def rulebook_active_at(connection: Connection, instant: Instant) -> WasActive | None:
    """The rulebook that was in force at an instant; None where none had been activated."""
    return next(rulebooks_until(connection, instant), None)


def rulebooks_until(connection: Connection, instant: Instant) -> Iterator[WasActive]:
    """Every rulebook that was in force by an instant, the newest first; each is read when asked."""
    asked = select(activation.c.id).where(activation.c.activated_at <= instant)
    for id_ in connection.scalars(asked.order_by(activation.c.id.desc())).all():
        yield _was_active(connection.execute(_ACTIVE.where(activation.c.id == id_)).one())


_ACTIVE: Final = select(activation.c.activated_at, activation.c.digest, activation.c.documents)


def _was_active(row: Row[Any, Any, Any]) -> WasActive:
    try:
        documents = Documents.from_json(row.documents)
    except ValidationError:
        documents = None
    return WasActive(row.activated_at, row.digest, documents)


def silent_at(connection: Connection, instant: Instant) -> dict[str, Instant]:
    """Feed → since when it was silent at an instant, for those that were."""
    asked = select(feed_gap.c.feed, feed_gap.c.silent_from).where(
        feed_gap.c.silent_from <= instant,
        feed_gap.c.silent_to.is_(None) | (feed_gap.c.silent_to > instant),
    )
    rows = connection.execute(asked.order_by(feed_gap.c.silent_from.desc()))
    return {row.feed: row.silent_from for row in rows}
