"""Which database this is, how far it has come, and why its mail is held.

What comes in: a connection. What goes out: its identity, the last number that it gave out, and the
newest word on whether mail is held. It does not care what an installation remembers of it.
"""

from __future__ import annotations

import secrets
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from monitor.model import Duration, Instant
from monitor.store.actions import record_action
from monitor.store.at_once import insert_rows
from monitor.store.engine import database_now
from monitor.store.intakes import last_number
from monitor.store.tables import action, installation, message, node

HOLD: Final = "hold mail"
RELEASE: Final = "release mail"


class Standing(NamedTuple):
    """A database, as one that worked with it before would know it again."""

    identity: str
    """Empty where no daemon has worked with it yet."""
    last_number: int
    """The last number given to a batch or an action: it only grows."""
    has_mails: bool
    """Whether anything waits to be sent or was sent."""


class MailWord(NamedTuple):
    """The newest hold or release of all mail."""

    is_held: bool
    reason_code: str
    """Why it is held where the monitor did so itself; empty where a person did, or none did."""
    said_at: Instant | None


def identify(connection: Connection) -> str:
    """The identity of a database; one that has none is given one."""
    made = (1, secrets.token_hex(16), database_now(connection))
    insert_rows(connection, installation, ("id", "identity", "made_at"), [made])
    return str(connection.execute(select(installation.c.identity)).scalar_one())


def standing(connection: Connection) -> Standing:
    """What is known of a database now."""
    return Standing(
        identity=connection.scalar(select(installation.c.identity)) or "",
        last_number=last_number(connection),
        has_mails=connection.scalar(select(message.c.id).limit(1)) is not None,
    )


def word_on_mail(connection: Connection) -> MailWord:
    """Whether mail is held, why, and since when it is so."""
    newest = (
        select(action.c.kind, action.c.reason_code, action.c.from_at)
        .where(action.c.kind.in_((HOLD, RELEASE)))
        .order_by(action.c.number.desc())
        .limit(1)
    )
    kind, reason_code, at = connection.execute(newest).one_or_none() or ("", "", None)
    return MailWord(kind == HOLD, reason_code, at)


def hold_mail(connection: Connection, *, reason_code: str, actor: str, now: Instant) -> None:
    """Send nothing until somebody releases it."""
    record_action(
        connection, kind=HOLD, target="mail", actor=actor, now=now, reason_code=reason_code
    )


def other_node_seen(connection: Connection, name: str, *, within: Duration) -> bool:
    """Whether a daemon of another name worked with this database lately, by its own time."""
    since = database_now(connection) - within
    asked = select(node.c.name).where(node.c.name != name, node.c.seen_at >= since)
    return connection.scalar(asked.limit(1)) is not None
