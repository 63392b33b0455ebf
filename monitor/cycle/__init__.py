"""The corridor: the stages in order, nothing else.

What comes in: an installation and now. What goes out: one whole pass. The daemon turns the same
stages as independent loops, so that a slow mail server never delays detection; the handover between
two stages is always a row, and a pass that is killed anywhere is carried on by the next.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.cycle.delivery import Delivered, deliver
from monitor.cycle.intake import Taken, assess_dirty, take_in_waiting
from monitor.cycle.mailbox import CameBack, read_mailbox
from monitor.cycle.sweep import Swept, sweep
from monitor.cycle.upkeep import Kept, keep_up

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.model import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one whole pass came to."""

    taken: list[Taken]
    came_back: list[CameBack]
    assessed: int
    swept: Swept
    kept: Kept
    delivered: Delivered


async def one_pass(monitor: Monitor, *, now: Instant) -> Pass:
    """Carry what is waiting from the drop folders to the mail server, once."""
    taken = await asyncio.to_thread(take_in_waiting, monitor, now=now)
    assessed = await asyncio.to_thread(assess_dirty, monitor, now=now)
    came_back = await asyncio.to_thread(read_mailbox, monitor, now=now)
    swept = await asyncio.to_thread(sweep, monitor, now=now)
    kept = await asyncio.to_thread(keep_up, monitor, now=now)
    delivered = await deliver(monitor, now=now)
    return Pass(
        taken=taken,
        came_back=came_back,
        assessed=assessed,
        swept=swept,
        kept=kept,
        delivered=delivered,
    )
