"""What has become known of cases since a number: which to fold anew to know what was known then.

What comes in: a number among everything that was ever made known, or an instant. What goes out: ids
of cases, and clocks by when they are due. It does not care what was known, nor of which rulebook.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, text, tuple_

from monitor.model import Instant
from monitor.store.rows import in_parts
from monitor.store.sets import among
from monitor.store.tables import batch, case_, clock, event

MeasuredBy = tuple[str, int, str]
"""(rule, version, calendar version): what measured a clock."""

_ROWS_AT_A_TIME: Final = 2000
_IS_LINK = text("event.links <> ''")
"""Word for word what the partial indexes say, so that both databases see that they answer."""


def cases_told_of_since(connection: Connection, number: int) -> frozenset[int]:
    """Cases of which an event was told, or an intake that told of them undone, after a number."""
    later = select(batch.c.id).where(batch.c.number > number)
    if connection.scalar(later.limit(1)) is None:
        undone = select(event.c.case_id).where(event.c.undone > number)
        return frozenset(connection.scalars(undone.distinct()))
    asked = select(event.c.case_id).where(or_(event.c.batch_id.in_(later), event.c.undone > number))
    return frozenset(connection.scalars(asked.distinct()))


class ToldOf(NamedTuple):
    """Between which numbers something was told of a case, or taken back."""

    first: int
    last: int


def cases_told_of(connection: Connection) -> dict[int, ToldOf]:
    """Case → the numbers of the first and the last that was told of it, or undone."""
    asked = (
        select(
            event.c.case_id,
            func.min(batch.c.number),
            func.max(batch.c.number),
            func.max(event.c.undone),
        )
        .join(batch, batch.c.id == event.c.batch_id)
        .where(batch.c.number.is_not(None))
        .group_by(event.c.case_id)
    )
    rows = connection.execute(asked.execution_options(yield_per=_ROWS_AT_A_TIME))
    return {case_id: ToldOf(first, max(last, undone)) for case_id, first, last, undone in rows}


def groups_ever_linked(
    connection: Connection, case_ids: Collection[int]
) -> dict[int, frozenset[int]]:
    """Case → all that a link event, however it ended, ever joined to it, however far.

    Of the cases given and those that are reached from them; one that never was linked is absent.
    """
    group: dict[int, frozenset[int]] = {}
    reached, ahead = set(case_ids), set(case_ids)
    while ahead:
        pairs = _links_ever(connection, ahead)
        _join(group, pairs)
        ahead = {case_id for pair in pairs for case_id in pair} - reached
        reached |= ahead
    return group


def _join(group: dict[int, frozenset[int]], pairs: Iterable[tuple[int, int]]) -> None:
    for one, other in pairs:
        here = group.get(one, frozenset({one}))
        if one == other or other in here:
            continue
        together = here | group.get(other, frozenset({other}))
        group.update(dict.fromkeys(together, together))


def _links_ever(connection: Connection, case_ids: Collection[int]) -> set[tuple[int, int]]:
    target = case_.alias("target")
    asked = (
        select(event.c.case_id, target.c.id)
        .join(target, event.c.links == target.c.reference)
        .where(_IS_LINK)
    )
    return {
        (told_of, named)
        for ids in in_parts(case_ids)
        for end in (event.c.case_id, target.c.id)
        for told_of, named in connection.execute(asked.where(among(connection, end, ids)))
    }


def all_ever_linked(connection: Connection) -> dict[int, frozenset[int]]:
    """The same of every case."""
    target = case_.alias("target")
    asked = (
        select(event.c.case_id, target.c.id)
        .join(target, event.c.links == target.c.reference)
        .where(_IS_LINK)
        .distinct()
    )
    group: dict[int, frozenset[int]] = {}
    _join(group, [(told_of, named) for told_of, named in connection.execute(asked)])
    return group


def all_case_ids(connection: Connection) -> frozenset[int]:
    """Every case."""
    return frozenset(connection.scalars(select(case_.c.id)))


def measures(connection: Connection) -> set[MeasuredBy]:
    """By which rules, versions and calendars any stored clock is measured."""
    asked = select(clock.c.rule, clock.c.rule_version, clock.c.calendar_version).distinct()
    return {(rule, version, calendar) for rule, version, calendar in connection.execute(asked)}


def cases_measured_by(connection: Connection, measured: Collection[MeasuredBy]) -> frozenset[int]:
    """Cases with a clock that is measured by one of some rules, versions and calendars."""
    if not measured:
        return frozenset()
    columns = tuple_(clock.c.rule, clock.c.rule_version, clock.c.calendar_version)
    asked = select(clock.c.case_id).where(columns.in_(sorted(measured)))
    return frozenset(connection.scalars(asked.distinct()))


def cases_given_way_since(connection: Connection, instant: Instant) -> frozenset[int]:
    """Cases with a clock in whose place another, or none, stands since after an instant."""
    asked = select(clock.c.case_id).where(clock.c.superseded_at > instant)
    return frozenset(connection.scalars(asked.distinct()))


def rows_due(
    connection: Connection,
    fields: Sequence[str],
    *,
    since: Instant,
    until: Instant,
    where: Mapping[str, str],
) -> Iterator[Sequence[Any]]:
    """The named columns of every stored clock due from `since` to before `until`, streamed.

    None of a restricted case. `where`: column → value it must have.
    """
    asked = select(*(clock.c[name] for name in fields)).where(
        and_(clock.c.due_at >= since, clock.c.due_at < until),
        clock.c.restricted.is_(False),
        *(clock.c[name] == told for name, told in where.items()),
    )
    yield from connection.execute(asked.execution_options(yield_per=_ROWS_AT_A_TIME))


def rows_open_at_any(
    connection: Connection, fields: Sequence[str], instants: Collection[Instant]
) -> Iterator[Sequence[Any]]:
    """The named columns of every stored clock that may have been open at one of some instants.

    None of a restricted case. A claim that was not confirmed in time may be open again.
    """
    columns = [clock.c[name] for name in fields]
    is_open = or_(*map(_open_at, sorted(instants)))
    asked = select(*columns).where(clock.c.restricted.is_(False), is_open)
    yield from connection.execute(asked.execution_options(yield_per=_ROWS_AT_A_TIME))


def _open_at(instant: Instant) -> ColumnElement[bool]:
    ends = (clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at)
    not_ended = and_(*(or_(end.is_(None), end > instant) for end in ends))
    return and_(clock.c.started_at <= instant, or_(not_ended, clock.c.confirm_by < instant))


def clocks_of_cases(
    connection: Connection, fields: Sequence[str], case_ids: Collection[int]
) -> Iterator[Sequence[Any]]:
    """The named columns of every stored clock of some cases."""
    asked = select(*(clock.c[name] for name in fields))
    for ids in in_parts(case_ids):
        yield from connection.execute(asked.where(among(connection, clock.c.case_id, ids)))


def restricted_among(connection: Connection, case_ids: Collection[int]) -> frozenset[int]:
    """Those of some cases that are restricted today."""
    asked = select(clock.c.case_id).where(clock.c.restricted.is_(True))
    return frozenset(
        case_id
        for ids in in_parts(case_ids)
        for case_id in connection.scalars(asked.where(among(connection, clock.c.case_id, ids)))
    )
