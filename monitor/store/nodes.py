"""Several nodes on one database: what governs all of them, and what each told of itself.

What comes in: what a daemon tells of itself. What goes out: the rulebook and the schema that are in
force, held still while something is decided by them, and the nodes as they were last heard of.
It does not care what a node does about a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, RowMapping, column, delete, func, select, table, update

from monitor.model import DAY, Duration
from monitor.store.at_once import insert_rows
from monitor.store.engine import database_now, share_turn, take_turn
from monitor.store.tables import activation, node

_GOVERN: Final = "change what governs"

FORGOTTEN_AFTER: Final[Duration] = 7 * DAY
"""A node that was not heard of for so long was taken out of service; until then `status` names it.
"""

_VERSION = table("alembic_version", column("version_num"))

_GOVERNING: Final = select(
    select(activation.c.digest).order_by(activation.c.id.desc()).limit(1).scalar_subquery(),
    select(func.max(_VERSION.c.version_num)).scalar_subquery(),
)
"""Built once: to build it costs four times what it costs to ask, and every turn asks."""


class Governing(NamedTuple):
    """What every node has to work by."""

    rulebook: str
    """Digest of the active rulebook; empty where none ever was."""
    schema: str
    """The newest migration that was applied."""


def governing(connection: Connection) -> Governing:
    """The active rulebook and the schema, as of now."""
    rulebook, schema = connection.execute(_GOVERNING).one()
    return Governing(rulebook or "", schema or "")


def hold_still(connection: Connection) -> Governing:
    """The same, and it stays so until this transaction ends.

    To be asked before any row is locked: whoever changes it waits for this one and is waited for
    by the next.
    """
    share_turn(connection, _GOVERN)
    return governing(connection)


def change_what_governs(connection: Connection) -> None:
    """Wait until nobody decides by what is in force; nobody does so again before the commit."""
    take_turn(connection, _GOVERN)


def tell_of_node(
    connection: Connection,
    name: str,
    *,
    rulebook: str,
    schema: str,
    ahead: Duration,
    holds_back: str,
    has_started: bool = False,
) -> None:
    """A daemon tells of itself: what it works by, and what holds it back ('' where nothing does).

    Seen by the database's time: its own may be what is wrong with it.
    """
    at = database_now(connection)
    told = {"rulebook": rulebook, "schema": schema, "ahead": ahead, "holds_back": holds_back}
    columns = ("name", "started_at", "seen_at", "rulebook", "schema")
    insert_rows(connection, node, columns, [(name, at, at, rulebook, schema)])
    started = {"started_at": at} if has_started else {}
    asked = update(node).where(node.c.name == name)
    connection.execute(asked.values(seen_at=at, **started, **told))


def list_nodes(connection: Connection) -> Sequence[RowMapping]:
    """Every daemon that ever told of itself, by name."""
    return connection.execute(select(node).order_by(node.c.name)).mappings().all()


def others_known(connection: Connection, name: str) -> bool:
    """Whether any other daemon works on this database, or did in the last days."""
    since = database_now(connection) - FORGOTTEN_AFTER
    asked = select(node.c.name).where(node.c.name != name, node.c.seen_at > since).limit(1)
    return connection.scalar(asked) is not None


def forget_lost(connection: Connection) -> None:
    """Nodes that were taken out of service are named no more."""
    before = database_now(connection) - FORGOTTEN_AFTER
    connection.execute(delete(node).where(node.c.seen_at < before))
