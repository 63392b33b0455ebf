"""What a pass needs, made once by `wiring` and handed to every stage.

What comes in: nothing. What goes out: the shape of an installation that is ready to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.worktime.zones import day_of

if TYPE_CHECKING:
    from datetime import date

    from monitor.deliver.compose import Composer
    from monitor.deliver.smtp import Post
    from monitor.escalate.partners import Partners
    from monitor.escalate.roster import Roster
    from monitor.ingest.feeds import Feed
    from monitor.model import Instant
    from monitor.rulebook.book import Rulebook
    from monitor.settings import Settings
    from monitor.store.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """An installation that is ready: everything checked, the database open."""

    settings: Settings
    engine: Engine
    rulebook: Rulebook
    rulebook_fault: str = ""
    """Why the rules folder is not what is in force; empty where it is."""
    roster: Roster
    partners: Partners
    feeds: Mapping[str, Feed]
    composer: Composer
    post: Post
    child_secret: bytes
    node: str
    stopping: Flag = field(default_factory=Flag)
    """Set when the process is asked to end: work stops at the next safe place."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which people are told times."""
        return ZoneInfo(self.settings.service.zone)

    @property
    def mail_domain(self) -> str:
        """What stands after the @ of the sender and of every Message-ID."""
        return self.settings.mail.sender.partition("@")[2]

    def today(self, now: Instant) -> date:
        """The date on which people here are at an instant."""
        return day_of(now, self.zone)
