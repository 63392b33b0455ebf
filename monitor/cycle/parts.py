"""What a pass needs, made once by `wiring` and handed to every stage.

What comes in: nothing. What goes out: the shape of an installation that is ready to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitor.cycle.watched import Watched
from monitor.worktime.zones import day_of

if TYPE_CHECKING:
    from datetime import date

    from monitor.deliver.compose import Composer
    from monitor.deliver.smtp import Post
    from monitor.escalate.partners import Partners
    from monitor.escalate.roster import Roster
    from monitor.ingest.feeds import Feed
    from monitor.model import Instant
    from monitor.rulebook.approval import Standing
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
    behind: str = ""
    """Why this node may not decide though its rulebook is the one in force: its files give another.
    Mails are written by what is in force all the same."""
    standings: tuple[Standing, ...] = ()
    """How each rule and ladder of the files stands to what was approved."""
    schema: str
    """The newest migration that this program knows."""
    roster: Roster
    partners: Partners
    feeds: Mapping[str, Feed]
    composer: Composer
    post: Post
    operator_post: Post | None = None
    """A relay of their own for mails to the operator; they go by `post` where it is None."""
    child_secret: bytes
    node: str
    stopping: Flag = field(default_factory=Flag)
    """Set when the process is asked to end: work stops at the next safe place."""
    watched: Watched = field(default_factory=Watched)
    """What the watch on the watch remembers; a reload keeps it."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which people are told times."""
        return ZoneInfo(self.settings.service.zone)

    @property
    def posts(self) -> tuple[Post, ...]:
        """Every relay that mails go by."""
        return (self.post,) if self.operator_post is None else (self.post, self.operator_post)

    @property
    def mail_domain(self) -> str:
        """What stands after the @ of the sender and of every Message-ID."""
        return self.settings.mail.sender.partition("@")[2]

    def today(self, now: Instant) -> date:
        """The date on which people here are at an instant."""
        return day_of(now, self.zone)
