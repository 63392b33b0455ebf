"""Telling the operator that something is wrong with the service itself: one place for all of it.

What comes in: a letter, and the transaction that knows why it is written. What goes out: a mail in
the outbox for each address of the operator. It does not care what is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.escalate.roster import Reached, Whereabouts
from monitor.letters import OperatorLetter
from monitor.logs import get_logger
from monitor.model import Instant
from monitor.store import mailbox, outbox
from monitor.store.engine import Connection
from monitor.store.outbox import OPERATOR

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

log = get_logger("operator")


def tell_operator(
    monitor: Monitor, connection: Connection, letter: OperatorLetter, *, now: Instant
) -> int:
    """Put a letter into the outbox for the operator; returns how many mails it became.

    An address to which mail bounces is passed over where there is another; where there is none,
    whoever is told when nobody else can be is told of this too. The mails are written here and not
    when they are sent: what they tell of is kept by the same transaction.
    """
    flagged = mailbox.flagged_addresses(connection)
    addresses = reachable(monitor.settings.operator.addresses, flagged)
    if addresses and flagged.issuperset(addresses):
        addresses = _fallback(monitor, flagged, now=now) or addresses
    if not addresses:
        log.error("operator_unknown", wrong=letter.wrong)
    for address in addresses:
        _queue(monitor, connection, letter, address, now=now)
    return len(addresses)


def reachable(addresses: Sequence[str], flagged: Collection[str]) -> tuple[str, ...]:
    """The addresses to which mail does not bounce; all of them where it bounces from each."""
    known = tuple(dict.fromkeys(addresses))
    return tuple(address for address in known if address not in flagged) or known


def _fallback(monitor: Monitor, flagged: frozenset[str], *, now: Instant) -> tuple[str, ...]:
    """The address that is told where nobody else can be, if mail arrives there."""
    roster = replace(monitor.roster, unreachable=flagged)
    reach = roster.fallback(Whereabouts("", "", restricted=False), at=now)
    return (reach.address,) if isinstance(reach, Reached) else ()


def _queue(
    monitor: Monitor, connection: Connection, letter: OperatorLetter, address: str, *, now: Instant
) -> None:
    message_id = outbox.new_message_id(monitor.mail_domain)
    to = monitor.settings.telling.redirect_all_to or address
    content = monitor.composer.compose(letter, to=to, message_id=message_id, date=now)
    outbox.queue_message(
        connection,
        kind=OPERATOR,
        address=address,
        role=OPERATOR,
        domain=monitor.mail_domain,
        now=now,
        not_before=now,
        message_id=message_id,
        content=content,
        subject=letter.wrong,
    )


__all__ = ["OPERATOR", "reachable", "tell_operator"]
