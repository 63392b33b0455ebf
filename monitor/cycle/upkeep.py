"""Upkeep: what must be noticed though nobody tells it, and what is due by the calendar.

What comes in: an installation and now. What goes out: silences of feeds kept as facts and told,
weekly digests in the outbox, the audit log sealed, files deleted that were kept long enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.cycle import watch
from monitor.cycle.intake import delete_done_files
from monitor.cycle.nodes import holds_back
from monitor.cycle.registration import register
from monitor.cycle.silences import watch_feeds
from monitor.cycle.weekly import queue_digests
from monitor.store import actions
from monitor.store.engine import writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.model import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a round of upkeep came to."""

    silences: int
    """Mails about feeds that fell silent or are heard again."""
    digests: int


def keep_up(monitor: Monitor, *, now: Instant) -> Kept:
    """Notice silent feeds, queue digests, seal the audit log, delete what is old, and watch.

    The watch looks also where something before it fails: that is when it is needed.
    """
    try:
        return _keep_up(monitor, now=now)
    finally:
        watch.look(monitor, now=now)


def _keep_up(monitor: Monitor, *, now: Instant) -> Kept:
    register(monitor, now=now)
    with writing(monitor.engine) as connection:
        silences = watch_feeds(monitor, connection, now=now)
    # A digest is figures by the rules in force: a node with others makes none.
    digests = 0 if holds_back(monitor) else queue_digests(monitor, now=now)
    with writing(monitor.engine) as connection:
        actions.seal_audit(connection)
    delete_done_files(monitor, now=now)
    return Kept(silences=silences, digests=digests)
