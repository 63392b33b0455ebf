"""The outbox: mails from their making to their outcome.

What comes in: mails to make, outcomes of sending. What goes out: mails claimed under a lease. A
mail is claimed, handed to the server, and its outcome recorded only while the lease still holds: at
least once, and a repeat bears the same Message-ID and bytes. Leases run by the database's time.
Mails to the operator may go by a relay of their own; which they are, is asked by `share`.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    bindparam,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from monitor.model import Duration, Instant
from monitor.store.engine import database_now
from monitor.store.tables import action, digest_run, message

OPERATOR: Final = "operator"
"""The kind of mail that tells the operator of a fault of the service itself."""

Share: TypeAlias = Literal["all", "operator", "others"]
"""Which mails are meant: those to the operator, those to everybody else, or all of them."""


class Claimed(NamedTuple):
    """A mail that this process alone may send until its lease lapses."""

    id: int
    kind: str
    address: str
    role: str
    message_id: str
    content: bytes | None
    """The frozen bytes; None where the mail was never claimed before."""
    attempts: int
    lease_token: str
    created_at: Instant


def new_message_id(domain: str) -> str:
    """A Message-ID that nobody can guess: a delivery report that names it has seen the mail."""
    return f"<{secrets.token_hex(16)}@{domain}>"


def queue_message(
    connection: Connection,
    *,
    kind: str,
    address: str,
    role: str,
    domain: str,
    now: Instant,
    not_before: Instant,
    message_id: str = "",
    content: bytes | None = None,
    subject: str = "",
) -> int:
    """A new mail in the outbox.

    Its Message-ID is settled here; its bytes too, where they are given.
    """
    asked = insert(message).values(
        kind=kind,
        address=address,
        role=role,
        state="queued",
        created_at=now,
        message_id=message_id or new_message_id(domain),
        next_attempt_at=not_before,
        content=content,
        subject=subject,
        frozen_at=None if content is None else now,
    )
    return int(connection.execute(asked.returning(message.c.id)).scalar_one())


def last_mail_at(connection: Connection, address: str, kind: str) -> Instant | None:
    """When the newest mail of a kind to an address was written, or made where it still waits."""
    asked = select(func.max(func.coalesce(message.c.frozen_at, message.c.created_at))).where(
        message.c.address == address, message.c.kind == kind, message.c.state != "cancelled"
    )
    at: Instant | None = connection.scalar(asked)
    return at


def unwritten_message(connection: Connection, address: str, kind: str) -> int | None:
    """A mail of a kind to an address that waits and whose bytes are not settled; locked."""
    asked = (
        select(message.c.id)
        .where(
            message.c.address == address,
            message.c.kind == kind,
            message.c.state == "queued",
            message.c.content.is_(None),
        )
        .order_by(message.c.id)
        .limit(1)
        .with_for_update()
    )
    return connection.scalar(asked)


def is_due(connection: Connection, *, now: Instant, share: Share = "all") -> bool:
    """Whether a mail's time has come that nobody holds."""
    free = _may_be_claimed(now, share, database_now(connection))
    return connection.scalar(select(message.c.id).where(free).limit(1)) is not None


def _may_be_claimed(now: Instant, share: Share, database_time: Instant) -> ColumnElement[bool]:
    lease_until = message.c.lease_until
    return (
        (message.c.state == "queued")
        & (message.c.next_attempt_at <= now)
        & or_(lease_until.is_(None), lease_until < database_time)
        & _among(share)
    )


def _among(share: Share) -> ColumnElement[bool]:
    if share == "all":
        return true()
    return message.c.kind == OPERATOR if share == "operator" else message.c.kind != OPERATOR


def claim_messages(
    connection: Connection,
    *,
    now: Instant,
    lease: Duration,
    limit: int,
    node: str,
    share: Share = "all",
) -> list[Claimed]:
    """Mails whose time has come and that nobody else holds, oldest first."""
    database_time = database_now(connection)
    asked = (
        select(message.c.id)
        .where(_may_be_claimed(now, share, database_time))
        .order_by(message.c.next_attempt_at, message.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    token = f"{node}/{secrets.token_hex(16)}"
    ids = list(connection.scalars(asked))
    taken = (
        update(message)
        .where(message.c.id.in_(ids))
        .values(lease_token=token, lease_until=database_time + lease)
        .returning(message)
    )
    rows = connection.execute(taken).mappings().all() if ids else []
    return sorted((_claimed(row) for row in rows), key=lambda claimed: claimed.id)


def _claimed(row: RowMapping) -> Claimed:
    return Claimed(**{name: row[name] for name in Claimed._fields})


def lock_message(connection: Connection, claimed: Claimed) -> bool:
    """Lock a claimed mail; False where the lease on it is lost."""
    asked = select(message.c.id).where(
        message.c.id == claimed.id,
        message.c.state == "queued",
        message.c.lease_token == claimed.lease_token,
    )
    return connection.scalar(asked.with_for_update()) is not None


def release_leases(connection: Connection, node: str) -> int:
    """A node that starts holds nothing: what it held when it ended may be claimed at once."""
    held = message.c.lease_token.startswith(f"{node}/", autoescape=True)
    asked = update(message).where(message.c.state == "queued", held)
    return connection.execute(asked.values(lease_token="", lease_until=None)).rowcount


def freeze_message(
    connection: Connection, claimed: Claimed, *, content: bytes, subject: str, now: Instant
) -> bool:
    """Settle the bytes of a mail for ever and count the attempt that follows.

    False where the lease is lost, or the bytes are settled already.
    """
    return _under_lease(
        connection,
        claimed,
        message.c.content.is_(None),
        content=content,
        subject=subject,
        frozen_at=now,
        attempts=message.c.attempts + 1,
    )


def count_attempts(connection: Connection, claimed: Collection[Claimed]) -> int:
    """Count another attempt at frozen mails, before it is made; at how many the lease stands."""
    return _all_under_lease(connection, claimed, attempts=message.c.attempts + 1)


class Sent(NamedTuple):
    """A mail that the server took."""

    claimed: Claimed
    outcome: str
    at: Instant


def record_sent(connection: Connection, sent: Collection[Sent]) -> int:
    """The server took these mails; of how many the lease stands."""
    if not sent:
        return 0
    taken = (
        update(message)
        .where(
            message.c.id == bindparam("of"),
            message.c.state == "queued",
            message.c.lease_token == bindparam("held_by"),
        )
        .values(
            state="sent",
            sent_at=bindparam("taken_at"),
            outcome=bindparam("said"),
            lease_until=None,
        )
    )
    rows = [
        {
            "of": each.claimed.id,
            "held_by": each.claimed.lease_token,
            "taken_at": each.at,
            "said": each.outcome,
        }
        for each in sent
    ]
    return connection.execute(taken, rows).rowcount


def record_retry(
    connection: Connection, claimed: Claimed, *, outcome: str, next_attempt_at: Instant
) -> bool:
    """The server did not take the mail now; it is tried again."""
    return _under_lease(
        connection, claimed, outcome=outcome, next_attempt_at=next_attempt_at, lease_until=None
    )


def record_dead(connection: Connection, claimed: Claimed, *, outcome: str) -> bool:
    """The mail will not be tried again; a person must look."""
    return _under_lease(connection, claimed, state="dead", outcome=outcome, lease_until=None)


def put_back(connection: Connection, claimed: Collection[Claimed]) -> int:
    """Let go of mails that were not handed over; whoever comes next may claim them.

    An attempt that was counted stays counted: bytes that are settled will be sent, and what they
    say must be withdrawn when it proves false.
    """
    return _all_under_lease(connection, claimed, lease_token="", lease_until=None)


def cancel_message(connection: Connection, claimed: Claimed) -> bool:
    """Everything the mail was to say has been put right: it is not sent."""
    return _under_lease(
        connection, claimed, state="cancelled", outcome="nothing left to say", lease_until=None
    )


def _all_under_lease(connection: Connection, claimed: Collection[Claimed], **values: Any) -> int:
    """Write to mails only while this process's leases on them stand; to how many."""
    if not claimed:
        return 0
    done = connection.execute(
        update(message)
        .where(
            message.c.id.in_(sorted(one.id for one in claimed)),
            message.c.state == "queued",
            message.c.lease_token.in_({one.lease_token for one in claimed}),
        )
        .values(**values)
    )
    return done.rowcount


def _under_lease(
    connection: Connection, claimed: Claimed, *also: ColumnElement[bool], **values: Any
) -> bool:
    """Write to a mail only while this process's lease on it stands."""
    done = connection.execute(
        update(message)
        .where(
            message.c.id == claimed.id,
            message.c.state == "queued",
            message.c.lease_token == claimed.lease_token,
            *also,
        )
        .values(**values)
    )
    return done.rowcount == 1


def next_message_at(connection: Connection, share: Share = "all") -> Instant | None:
    """When the next mail's time comes."""
    asked = select(func.min(message.c.next_attempt_at)).where(
        message.c.state == "queued", _among(share)
    )
    at: Instant | None = connection.scalar(asked)
    return at


def messages_to(connection: Connection, *, states: tuple[str, ...], limit: int) -> list[RowMapping]:
    """Mails in some states, newest first."""
    asked = select(message).where(message.c.state.in_(states)).order_by(message.c.id.desc())
    return list(connection.execute(asked.limit(limit)).mappings())


def count_messages(connection: Connection) -> dict[str, int]:
    """State → how many mails; `retrying`: those queued that did not go out when tried."""
    asked = select(message.c.state, func.count()).group_by(message.c.state)
    counts: dict[str, int] = {state: count for state, count in connection.execute(asked)}  # noqa: C416 - rows are no pairs to dict()
    tried = or_(message.c.attempts > 0, message.c.outcome != "")
    retrying = select(func.count()).where(message.c.state == "queued", tried)
    return counts | {"retrying": connection.scalar(retrying) or 0}


# -- holding all mail -------------------------------------------------------------------------


def mail_is_held(connection: Connection) -> bool:
    """Whether somebody has held all mail and nobody released it since."""
    newest = (
        select(action.c.kind)
        .where(action.c.kind.in_(("hold mail", "release mail")))
        .order_by(action.c.number.desc())
        .limit(1)
    )
    return connection.scalar(newest) == "hold mail"


# -- digests ----------------------------------------------------------------------------------


def digest_was_made(connection: Connection, *, scope: str, period: str, recipient: str) -> bool:
    """Whether a digest of a scope and period went to an address."""
    asked = select(digest_run.c.id).where(
        digest_run.c.scope == scope,
        digest_run.c.period == period,
        digest_run.c.recipient == recipient,
    )
    return connection.scalar(asked) is not None


class DigestMade(NamedTuple):
    """A digest as it was first made for any reader."""

    known: int
    """Up to which number everything was known."""
    made_at: Instant


def digest_made(connection: Connection, *, scope: str, period: str) -> DigestMade | None:
    """The first digest made of a scope and period; None where none was."""
    asked = select(digest_run.c.known, digest_run.c.made_at).where(
        digest_run.c.scope == scope, digest_run.c.period == period
    )
    row = connection.execute(asked.order_by(digest_run.c.id).limit(1)).one_or_none()
    return None if row is None else DigestMade(row.known, row.made_at)


def record_digest(
    connection: Connection,
    *,
    scope: str,
    period: str,
    recipient: str,
    message_id: int,
    known: int,
    now: Instant,
) -> None:
    """A digest was put into the outbox; the unique key lets it be so once."""
    connection.execute(
        insert(digest_run).values(
            scope=scope,
            period=period,
            recipient=recipient,
            message_id=message_id,
            known=known,
            made_at=now,
        )
    )
