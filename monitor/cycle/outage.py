"""The database cannot be used: the operator is told without it.

What comes in: an installation's settings, a fault of the database, and now. What goes out: a mail
straight to the operator's relay, once a database has been out of reach for a while and at most
hourly. Nothing of it can be kept in the database, so since when is in a small private file, which
outlives the process: a service that cannot reach its database is started anew again and again.

Every node tells by itself: what is broken is what they would agree by.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.cycle.telling_operator import reachable
from monitor.deliver.smtp import Accepted
from monitor.letters import OperatorLetter, Remedy
from monitor.logs import get_logger
from monitor.model import HOUR, MINUTE, Duration, Instant

if TYPE_CHECKING:
    from monitor.deliver.compose import Composer
    from monitor.deliver.smtp import Post
    from monitor.settings import Settings

log = get_logger("outage")

FILE: Final = "var/out-of-reach.json"
TOLD_AGAIN_AFTER: Final[Duration] = 1 * HOUR


class Noted(NamedTuple):
    """What the file says."""

    since: Instant
    tried_at: Instant | None = None
    """When a mail was last made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Keeps count of how long the database has been out of reach, and tells of it."""

    settings: Settings
    composer: Composer
    post: Callable[[], Post]
    """Makes the relay anew: a mail that is needed twice a year keeps no connection."""

    async def goes_on(self, why: str, *, now: Instant) -> bool:
        """The database could not be used just now; returns whether a mail was taken.

        Never raises: whoever calls is in trouble already.
        """
        noted = self._noted(now=now)
        patience = int(self.settings.watch.unreachable_minutes * MINUTE)
        is_owed = noted.tried_at is None or now - noted.tried_at >= TOLD_AGAIN_AFTER
        if now - noted.since < patience or not is_owed:
            return False
        self._note(Noted(noted.since, now))
        try:
            return await self._tell(noted.since, why, now=now)
        except Exception:
            log.exception("outage_not_told")
            return False

    def is_over(self) -> None:
        """The database could be used."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.settings.path(FILE)

    def _noted(self, *, now: Instant) -> Noted:
        """Since when it is out of reach; from now on where nothing sensible is noted.

        A file that could be made and not written, for the disk is full, says so by its own age.
        """
        try:
            text = self._file.read_text(encoding="utf-8")
            made_at = self._file.stat().st_mtime_ns // 1000
            noted = Noted(**json.loads(text)) if text else Noted(made_at)
            if noted.since <= now:
                return noted
        except (OSError, ValueError, TypeError):
            pass
        self._note(Noted(now))
        return Noted(now)

    def _note(self, noted: Noted) -> None:
        """A disk that is full or gone must not keep the mail from going out."""
        with suppress(OSError):
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(noted._asdict(), file)

    async def _tell(self, since: Instant, why: str, *, now: Instant) -> bool:
        letter = _letter(self.settings.service.name, since, why, now=now)
        post = self.post()
        taken = False
        try:
            for address in reachable(self.settings.operator.addresses, ()):
                to = self.settings.telling.redirect_all_to or address
                message_id = self.composer.message_id(f"outage {address} {now}")
                content = self.composer.compose(letter, to=to, message_id=message_id, date=now)
                sender = self.settings.mail.sender
                outcome = await post.send(content, sender=sender, recipient=to)
                log.error("outage_told", outcome=type(outcome).__name__)
                taken = taken or isinstance(outcome, Accepted)
        finally:
            await post.close()
        return taken


def _letter(service: str, since: Instant, why: str, *, now: Instant) -> OperatorLetter:
    return OperatorLetter(
        at=now,
        wrong="the database cannot be used",
        service=service,
        since=since,
        effect=(
            "Nothing is taken in, decided or sent, and nobody is warned of any case. Files wait in"
            " their drop folders, and nothing that was stored is lost. When the database can be"
            " used again the service goes on by itself and tells what it missed."
        ),
        steps=(
            Remedy(what="Look whether the database runs, its disk has room and its host is there"),
            Remedy(what="Read the service's log", command="journalctl -u monitor --since -1h"),
            Remedy(what="See whether it is well again", command="monitor status"),
        ),
        facts=(f"The last fault: {why}.",),
    )
