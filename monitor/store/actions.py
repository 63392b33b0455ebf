"""What people and the loops did: actions, the turns of loops, and the audit log.

What comes in: who did what to what, when. What goes out: the newest of it. It does not care what an
action leads to; no figure is ever computed from the audit log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from monitor.model import Action, Instant
from monitor.store.at_once import insert_rows, update_rows
from monitor.store.engine import take_turn
from monitor.store.intakes import next_number
from monitor.store.rows import in_parts
from monitor.store.sets import among
from monitor.store.tables import action, audit, loop_turn

END, _ENDED = "end", "action "
"""Kind of the action that takes another back, and how it names that one."""

_ACTION = select(*(action.c[name] for name in Action._fields[:-1]))


def record_action(
    connection: Connection,
    *,
    kind: str,
    target: str,
    actor: str,
    now: Instant,
    on_behalf_of: str = "",
    reason_code: str = "",
    until: Instant | None = None,
    detail: str = "",
) -> int:
    """Keep what somebody did; returns its number among all that was ever made known."""
    number = next_number(connection)
    connection.execute(
        insert(action).values(
            number=number,
            kind=kind,
            target=target,
            actor=actor,
            on_behalf_of=on_behalf_of,
            reason_code=reason_code,
            from_at=now,
            until_at=until,
            detail=detail,
        )
    )
    return number


def actions_about(connection: Connection, targets: Collection[str]) -> list[Action]:
    """Everything that was done to some targets, oldest first, each with when it was taken back."""
    found = [
        Action(*row)
        for part in in_parts(targets)
        for row in connection.execute(_ACTION.where(among(connection, action.c.target, part)))
    ]
    return _with_ends(connection, sorted(found))


def actions_of_kind(connection: Connection, kinds: Collection[str]) -> list[Action]:
    """Everything of some kinds that was ever done, oldest first."""
    asked = _ACTION.where(action.c.kind.in_(sorted(kinds))).order_by(action.c.number)
    return _with_ends(connection, [Action(*row) for row in connection.execute(asked)])


def newest_actions(connection: Connection, kinds: Collection[str], *, limit: int) -> list[Action]:
    """The newest actions of some kinds, newest first."""
    asked = _ACTION.where(action.c.kind.in_(sorted(kinds))).order_by(action.c.number.desc())
    found = [Action(*row) for row in connection.execute(asked.limit(limit))]
    return _with_ends(connection, found)


def action_by_number(connection: Connection, number: int) -> Action | None:
    """One action; None where there is none of this number."""
    row = connection.execute(_ACTION.where(action.c.number == number)).one_or_none()
    return None if row is None else _with_ends(connection, [Action(*row)])[0]


def newest_about(connection: Connection, target: str) -> Action | None:
    """The newest action about a target; None where there is none. It may have been ended."""
    asked = _ACTION.where(action.c.target == target).order_by(action.c.number.desc()).limit(1)
    row = connection.execute(asked).one_or_none()
    return None if row is None else Action(*row)


def _with_ends(connection: Connection, found: Iterable[Action]) -> list[Action]:
    found = list(found)
    if not found:
        return []
    names = {f"{_ENDED}{each.number}" for each in found}
    ends: dict[str, Instant] = {}
    asked = select(action.c.target, func.min(action.c.from_at)).group_by(action.c.target)
    for part in in_parts(names):
        rows = connection.execute(asked.where(action.c.target.in_(part), action.c.kind == END))
        ends.update((target, at) for target, at in rows)
    return [each._replace(ended_at=ends.get(f"{_ENDED}{each.number}")) for each in found]


def record_turn(
    connection: Connection, *, node: str, loop: str, outcome: str, now: Instant
) -> None:
    """A loop of a node went round."""
    insert_rows(connection, loop_turn, ("node", "loop", "turned_at"), [(node, loop, now)])
    connection.execute(
        update(loop_turn)
        .where(loop_turn.c.node == node, loop_turn.c.loop == loop)
        .values(turned_at=now, outcome=outcome)
    )


def list_turns(connection: Connection) -> Sequence[RowMapping]:
    """The last turn of every loop of every node."""
    asked = select(loop_turn).order_by(loop_turn.c.node, loop_turn.c.loop)
    return connection.execute(asked).mappings().all()


def write_audit(
    connection: Connection,
    *,
    operation: str,
    actor: str,
    subject: str,
    now: Instant,
    detail: Mapping[str, Any],
) -> None:
    """Log a processing operation, unchained; the sealer chains it."""
    connection.execute(
        insert(audit).values(
            at=now, operation=operation, actor=actor, subject=subject, detail=dict(detail)
        )
    )


class AuditEntry(NamedTuple):
    """One of several processing operations of one kind."""

    subject: str
    at: Instant
    detail: Mapping[str, Any]


def write_audits(
    connection: Connection, *, operation: str, actor: str, entries: Sequence[AuditEntry]
) -> None:
    """Log processing operations of one kind at once, unchained, as `write_audit` does."""
    if entries:
        said = {"operation": operation, "actor": actor}
        rows = [said | entry._asdict() | {"detail": dict(entry.detail)} for entry in entries]
        connection.execute(insert(audit), rows)


def seal_audit(connection: Connection, *, limit: int = 1000) -> int:
    """Chain what was logged since the last seal: each row's digest covers the one before it.

    SHA-256 over the previous digest and the row's canonical JSON. Returns how many were sealed. One
    sealer at a time. The chain has an order of its own: a row that was logged first may be
    committed last.
    """
    take_turn(connection, "seal audit")
    newest = select(audit.c.sealed, audit.c.chain).where(audit.c.sealed.is_not(None))
    last = connection.execute(newest.order_by(audit.c.sealed.desc()).limit(1)).one_or_none()
    sealed, digest = last or (0, b"")
    waiting = select(audit).where(audit.c.sealed.is_(None)).order_by(audit.c.id).limit(limit)
    rows = []
    for row in connection.execute(waiting).mappings():
        sealed += 1
        digest = hashlib.sha256(digest + canonical(row)).digest()
        rows.append((sealed, digest, row["id"]))
    update_rows(connection, audit, ("sealed", "chain"), ("id",), rows)
    return len(rows)


def audit_breaks_at(connection: Connection) -> int | None:
    """The first sealed row of the audit log that does not follow from those before; None: none."""
    sealed = select(audit).where(audit.c.sealed.is_not(None)).order_by(audit.c.sealed)
    digest = b""
    rows = connection.execute(sealed.execution_options(yield_per=1000)).mappings()
    for place, row in enumerate(rows, start=1):
        digest = hashlib.sha256(digest + canonical(row)).digest()
        if row["sealed"] != place or row["chain"] != digest:
            rows.close()
            return int(row["id"])
    return None


def canonical(row: RowMapping) -> bytes:
    """What the seal of a row of the audit log covers."""
    told = {name: row[name] for name in ("id", "at", "operation", "actor", "subject", "detail")}
    return json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
