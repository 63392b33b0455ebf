"""What a pass needs, made once by `wiring` and handed to every stage.

What comes in: nothing. What goes out: the shape of an installation that is ready to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from monitor.deliver.compose import Composer
    from monitor.deliver.smtp import Post
    from monitor.escalate.partners import Partners
    from monitor.escalate.roster import Roster
    from monitor.ingest.feeds import Feed
    from monitor.rulebook.book import Rulebook
    from monitor.settings import Settings


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
