"""What people and the loops did: actions, the turns of loops, and the audit log.

What comes in: who did what to what, when. What goes out: the newest of it. It does not care what an
action leads to; no figure is ever computed from the audit log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from monitor.model import Instant
from monitor.store.engine import take_turn
from monitor.store.intakes import next_number
from monitor.store.rows import insert_rows, update_rows
from monitor.store.tables import action, audit, loop_turn


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
        )
    )
    return number


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
        digest = hashlib.sha256(digest + _canonical(row)).digest()
        rows.append((sealed, digest, row["id"]))
    update_rows(connection, audit, ("sealed", "chain"), ("id",), rows)
    return len(rows)


def audit_breaks_at(connection: Connection) -> int | None:
    """The first sealed row of the audit log that does not follow from those before; None: none."""
    sealed = select(audit).where(audit.c.sealed.is_not(None)).order_by(audit.c.sealed)
    digest = b""
    rows = connection.execute(sealed.execution_options(yield_per=1000)).mappings()
    for place, row in enumerate(rows, start=1):
        digest = hashlib.sha256(digest + _canonical(row)).digest()
        if row["sealed"] != place or row["chain"] != digest:
            rows.close()
            return int(row["id"])
    return None


def _canonical(row: RowMapping) -> bytes:
    told = {name: row[name] for name in ("id", "at", "operation", "actor", "subject", "detail")}
    return json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
