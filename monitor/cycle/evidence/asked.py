"""What an evidence pack was asked for, handed to every section.

What comes in: an installation, one reading transaction, a period and what was chosen. What goes
out: the same, as plain values. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.model import Instant
    from monitor.store.engine import Connection


def no_progress(_what: str, _done: int, _of: int) -> None:
    """What is told where nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A period and what is asked of it.

    Nothing in a pack depends on anything else, but for the stated time at which it was made.
    """

    monitor: Monitor
    connection: Connection
    """One reading transaction for the whole pack: no section sees what another does not."""
    since: Instant
    until: Instant
    """The first instant that is no longer of the period. Every verdict is that of `judged_at`."""
    now: Instant
    """When the pack is made: said in one place, and no figure depends on it. Not before `until`."""
    known: int
    """Up to which number everything is known: the last one given when the pack was begun."""
    cases: tuple[str, ...] = ()
    """References of an inspector's list, in its order."""
    sample: int = 0
    """How many cases to draw."""
    seed: str = ""
    dates: tuple[Instant, ...] = ()
    """Instants at which the backlog is asked, earliest first, none after `until`; empty: the end of
    each month and of the period."""
    outside: bool = False
    """For readers outside the force: no register, no case, no table with a count under ten."""
    progress: Callable[[str, int, int], None] = no_progress
    """Told what is being made, how much of it is done, and of how much."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which dates are meant."""
        return self.monitor.zone

    @property
    def judged_at(self) -> Instant:
        """The last microsecond of the period, at which verdicts are given."""
        return self.until - 1
