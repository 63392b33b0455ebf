"""Mail servers at fault: since when, why, and until when nobody tries them.

What comes in: faults and recoveries of a relay. What goes out: whether it may be tried. What is
kept here is shared by all nodes and outlives a restart: a password that is refused is not tried by
every node, nor again by a daemon that is started anew. It does not care what was at fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, delete, exists, or_, select, update

from monitor.model import Duration, Instant
from monitor.store.at_once import insert_rows
from monitor.store.tables import action, relay_fault


class RelayFault(NamedTuple):
    """A mail server that takes no mail at present, whoever it is for."""

    relay: str
    reason: str
    """What it said, or what was wrong with the way to it; it names no address."""
    failures: int
    """How often it was tried in vain since it last took a mail."""
    since: Instant
    tried_at: Instant
    wait_until: Instant
    """Nobody tries it before, unless somebody releases mail meanwhile."""


def relay_faults(connection: Connection) -> list[RelayFault]:
    """The relays at fault, by name."""
    asked = select(*(relay_fault.c[name] for name in RelayFault._fields))
    return [RelayFault(*row) for row in connection.execute(asked.order_by(relay_fault.c.relay))]


def begin_probe(connection: Connection, relay: str, *, now: Instant, until: Instant) -> bool:
    """Take it on to try a relay at fault; False where its wait is not over, or another took it on.

    The wait is over at its time, or when somebody released mail since it was last tried. `until`:
    when another may try if nothing is heard of this probe.
    """
    released = exists().where(
        action.c.kind == "release mail", action.c.from_at > relay_fault.c.tried_at
    )
    taken = (
        update(relay_fault)
        .where(relay_fault.c.relay == relay, or_(relay_fault.c.wait_until <= now, released))
        .values(tried_at=now, wait_until=until)
    )
    return connection.execute(taken).rowcount == 1


def record_fault(
    connection: Connection,
    relay: str,
    *,
    reason: str,
    now: Instant,
    wait: Callable[[int], Duration],
) -> RelayFault:
    """A relay was tried in vain at `now`; `wait` says how long it rests after so many failures."""
    while not (known := _locked(connection, relay)):  # it may recover elsewhere in between
        first = (relay, reason, 0, now, now, now)
        insert_rows(connection, relay_fault, RelayFault._fields, [first])
    failures = known[0].failures + 1
    fault = known[0]._replace(
        reason=reason, failures=failures, tried_at=now, wait_until=now + wait(failures)
    )
    connection.execute(
        update(relay_fault).where(relay_fault.c.relay == relay).values(fault._asdict())
    )
    return fault


def _locked(connection: Connection, relay: str) -> list[RelayFault]:
    columns = (relay_fault.c[name] for name in RelayFault._fields)
    asked = select(*columns).where(relay_fault.c.relay == relay).with_for_update()
    return [RelayFault(*row) for row in connection.execute(asked)]


def record_recovery(connection: Connection, relay: str) -> bool:
    """A relay took a mail, or had nothing against one; True where it had been at fault."""
    gone = delete(relay_fault).where(relay_fault.c.relay == relay)
    return connection.execute(gone).rowcount == 1
