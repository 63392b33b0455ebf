"""The steps of cases, for figures on where notices wait.

What comes in: a span of due times, and which kinds of events are steps. What goes out: the cases
that fell due in it, and the first instant of each of their steps. It reads, and never writes.

A case that links join is one: its members are found by the case that stands for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Subquery,
    case,
    func,
    or_,
    select,
    union_all,
)

from monitor.model import Instant
from monitor.store.figures import told_of
from monitor.store.histories import plain, plain_rows
from monitor.store.rows import in_parts
from monitor.store.sets import among
from monitor.store.tables import case_, clock, event


class DueCase(NamedTuple):
    """A duty to a partner of a case, or several to the same."""

    case_id: int
    partner: str
    first_due_at: Instant
    is_open: bool
    """Whether one of them has not ended, and was due before the instant asked of."""


class FirstDone(NamedTuple):
    """A step of a case."""

    case_id: int
    kind: str
    partner: str
    at: Instant


def due_cases(
    connection: Connection,
    *,
    since: Instant,
    until: Instant,
    as_of: Instant,
    where: Mapping[str, str],
    left_out: Collection[str] = (),
) -> Iterator[DueCase]:
    """Every case and partner with a duty due from `since` to before `until`.

    `left_out`: rules of which nothing is said.
    """
    due = clock.c.due_at
    waits = case((_is_open(as_of), 1), else_=0)
    asked = (
        select(
            clock.c.case_id,
            clock.c.partner,
            func.min(plain(connection, due)),
            func.max(waits),
        )
        .where(due >= since, due < until, *_to_partners(where, left_out))
        .group_by(clock.c.case_id, clock.c.partner)
    )
    for case_id, partner, first, is_open in plain_rows(connection, asked):
        yield DueCase(case_id, partner, first, bool(is_open))


def first_done(
    connection: Connection,
    kinds: Collection[str],
    *,
    since: Instant,
    until: Instant,
    where: Mapping[str, str],
    weighed: Collection[int],
    left_out: Collection[str] = (),
) -> Iterator[FirstDone]:
    """The first of each step of those cases, of which every event counts as it is told.

    `weighed`: the cases in which something is told twice, or taken back; they are not here.
    """
    members = _members(since, until, where, left_out)
    at = func.min(plain(connection, event.c.occurred_to))
    asked = (
        select(members.c.root, event.c.kind, event.c.partner, at)
        .join(event, event.c.case_id == members.c.id)
        .where(event.c.undone == 0, event.c.kind.in_(sorted(kinds)))
        .group_by(members.c.root, event.c.kind, event.c.partner)
    )
    for row in plain_rows(connection, asked):
        if row[0] not in weighed:
            yield FirstDone(*row)


def weighed(
    connection: Connection,
    *,
    since: Instant,
    until: Instant,
    where: Mapping[str, str],
    left_out: Collection[str] = (),
) -> set[int]:
    """Those of the cases in which an event is told more than once, or takes another back."""
    members = _members(since, until, where, left_out)
    here = (
        select(members.c.root)
        .join(event, event.c.case_id == members.c.id)
        .where(event.c.undone == 0)
    )
    takes_back = func.count().filter(event.c.retracts != b"")
    asked = here.group_by(members.c.root, event.c.feed, event.c.identity).having(
        or_(func.count() > 1, takes_back > 0)
    )
    return {root for (root,) in plain_rows(connection, asked)}


def members_of(connection: Connection, roots: Collection[int]) -> dict[int, int]:
    """Case id → the case that stands for it, of those that stand for themselves or are joined."""
    root = func.coalesce(case_.c.merged_into, case_.c.id).label("root")
    asked = select(case_.c.id, root)
    return {
        row.id: row.root
        for ids in in_parts(roots)
        for row in connection.execute(
            asked.where(
                or_(*(among(connection, c, ids) for c in (case_.c.id, case_.c.merged_into)))
            )
        )
    }


def _members(
    since: Instant, until: Instant, where: Mapping[str, str], left_out: Collection[str]
) -> Subquery:
    due = clock.c.due_at
    roots = (
        select(clock.c.case_id.label("root"))
        .distinct()
        .where(due >= since, due < until, *_to_partners(where, left_out))
        .cte("roots")
    )
    joined = select(case_.c.merged_into, case_.c.id).join(
        roots, roots.c.root == case_.c.merged_into
    )
    alone = select(roots.c.root.label("root"), roots.c.root.label("id"))
    return union_all(alone, joined).subquery("members")


def _to_partners(where: Mapping[str, str], left_out: Collection[str]) -> list[ColumnElement[bool]]:
    """Duties to partners of a scope, that stand, of rules of which anything is said."""
    stand = [clock.c.partner != "", clock.c.superseded_at.is_(None), *told_of(where)]
    return [*stand, clock.c.rule.not_in(sorted(left_out))] if left_out else stand


def _is_open(as_of: Instant) -> ColumnElement[bool]:
    ends = (clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at)
    is_open = [or_(end.is_(None), end > as_of) for end in ends]
    return clock.c.due_at.__lt__(as_of) & is_open[0] & is_open[1] & is_open[2]
