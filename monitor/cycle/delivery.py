"""Delivery: what waits for a person becomes one mail, and mails are handed to the server.

What comes in: an installation and now. What goes out: sent mails and their outcomes. A mail is
claimed under a lease, its bytes frozen, handed over, and its outcome recorded while it holds.
Between the server's acceptance and our record the process may die: the mail is then sent once more,
with the same bytes and Message-ID.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from monitor.cycle.books import Route
from monitor.cycle.bundling import bundle
from monitor.cycle.sending import Delivered, Round
from monitor.model import Instant
from monitor.store import outbox, relays
from monitor.store.engine import reading

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

__all__ = ["Delivered", "bundle", "deliver", "next_delivery_at"]


async def deliver(monitor: Monitor, *, now: Instant) -> Delivered:
    """Bundle what waits, and send every mail whose time has come.

    Each relay has its own round: one at fault holds up nothing that goes by another.
    """
    await asyncio.to_thread(bundle, monitor, now)
    refill = partial(bundle, monitor)
    rounds = [Round(monitor, route, now=now, refill=refill) for route in _routes(monitor)]
    ended = await asyncio.gather(*(each.run() for each in rounds), return_exceptions=True)
    done = Delivered()
    for each in ended:
        if isinstance(each, BaseException):
            raise each
        done = _together(done, each)
    return done


def _routes(monitor: Monitor) -> list[Route]:
    """The relays, and which mails go by each."""
    if monitor.operator_post is None:
        return [Route(name="relay", post=monitor.post, share="all")]
    return [
        Route(name="relay", post=monitor.post, share="others"),
        Route(name="operator's relay", post=monitor.operator_post, share="operator"),
    ]


def _together(one: Delivered, other: Delivered) -> Delivered:
    return Delivered(
        sent=one.sent + other.sent,
        retried=one.retried + other.retried,
        dead=one.dead + other.dead,
        held=one.held or other.held,
        relay_at_fault=one.relay_at_fault or other.relay_at_fault,
        more=one.more or other.more,
    )


def next_delivery_at(monitor: Monitor) -> Instant | None:
    """When the next mail's time comes, or a relay at fault is tried again."""
    with reading(monitor.engine) as connection:
        resting = {each.relay: each.wait_until for each in relays.relay_faults(connection)}
        found = [
            resting.get(route.name) or outbox.next_message_at(connection, route.share)
            for route in _routes(monitor)
        ]
    return min((at for at in found if at is not None), default=None)
