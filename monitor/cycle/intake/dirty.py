"""Cases that have a cause to be folded again: a new rule, a link, a mended row, an intake undone.

What comes in: an installation and now. What goes out: their clocks as they should be. It does not
care what the cause was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.assess.assess import assess_cases
from monitor.cycle.nodes import not_deciding
from monitor.store import cases, intakes, rulebooks
from monitor.store.engine import Connection, in_transaction, reading

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.model import Instant


def assess_dirty(monitor: Monitor, *, now: Instant, at_once: int = 500) -> int:
    """Fold every case that has a cause to be; returns how many.

    A node that is held back folds none; one that is asked to stop leaves the rest.
    """
    with reading(monitor.engine) as connection:
        if not rulebooks.folds_wait(connection):
            return 0
    folded = 0
    while not monitor.stopping.is_set() and in_transaction(monitor.engine, rulebooks.spread):
        pass
    while not monitor.stopping.is_set():
        some = in_transaction(monitor.engine, lambda c: _assess_some(monitor, c, now, at_once))
        if some is None:
            break
        folded += some
    return folded


def _assess_some(
    monitor: Monitor, connection: Connection, now: Instant, at_once: int
) -> int | None:
    """How many were folded; None where none waits, or this node may not."""
    if not_deciding(monitor, connection):
        return None
    waiting = cases.dirty_case_ids(connection, limit=at_once)
    if not waiting:
        return None
    dirty = cases.lock_dirty(connection, waiting)
    assess_cases(
        connection, dirty, monitor.rulebook, tolerances=intakes.tolerances(connection), now=now
    )
    return len(dirty)
