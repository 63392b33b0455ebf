"""What an operator and a supervisor should know of mail that comes back.

What comes in: an installation and now. What goes out: plain values, and in words what needs a
person. It changes nothing.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor import words
from monitor.cycle.mailbox import NOT_BELIEVED, NOT_UNDERSTOOD, REFUSED, START_QUERIED
from monitor.escalate.orders import about_clock
from monitor.faults import FaultsFound
from monitor.ingest.mailbox import waiting_mails
from monitor.model import DAY, MINUTE, Duration, Instant
from monitor.store import actions, mailbox

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from monitor.cycle.parts import Monitor
    from monitor.store.engine import Connection

UNREAD_IS_A_FAULT_AFTER: Final[Duration] = 5 * MINUTE
ANSWERS_ARE_SHOWN_FOR: Final[Duration] = DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxStatus:
    """How mail that comes back stands."""

    flagged: tuple[str, ...] = ()
    """Addresses to which mail bounces."""
    missing: bool = False
    """The Maildir that is configured is not there."""
    unread: int = 0
    """Mails that wait for longer than they should."""
    set_aside: int = 0
    """Mails that could not be read and that nobody has looked at."""
    without_effect: int = 0
    """Answers of the last day that were not understood, not believed, or refused."""
    starts_queried: int = 0
    """Answers of the last day that say a start is wrong."""

    def faults(self) -> Iterator[str]:
        """What the operator must see to."""
        for address in self.flagged:
            yield f"mail to {address} bounces, and its role is stood in for: monitor mail flagged"
        if self.missing:
            yield "the mailbox is not there: see mailbox.folder in config/monitor.toml"
        if self.unread:
            waiting = words.count(self.unread, "mail")
            yield f"{waiting} that came back cannot be taken in: the log says why"
        if self.set_aside:
            yield (
                f"{words.count(self.set_aside, 'mail')} that came back could not be read:"
                " look at var/set-aside/mail and remove what you have seen"
            )

    def notes(self) -> Iterator[str]:
        """What a supervisor must see to."""
        if self.without_effect:
            said = words.count(self.without_effect, "answer")
            yield f"{said} to alerts had no effect since yesterday: monitor mail returned"
        if self.starts_queried:
            said = words.count(self.starts_queried, "answer")
            yield f"{said} since yesterday say that a start is wrong: monitor mail returned"


def mailbox_status(monitor: Monitor, connection: Connection, *, now: Instant) -> MailboxStatus:
    """How mail that comes back stands at `now`."""
    folder = monitor.settings.mailbox.folder
    counts = mailbox.count_mails_in(connection, since=now - ANSWERS_ARE_SHOWN_FOR)
    is_missing, unread = _waiting(monitor, now=now) if folder else (False, 0)
    return MailboxStatus(
        flagged=tuple(sorted(mailbox.flagged_addresses(connection))),
        missing=is_missing,
        unread=unread,
        set_aside=_files_in(monitor.settings.path("var/set-aside") / "mail"),
        without_effect=_count(counts, NOT_UNDERSTOOD, NOT_BELIEVED, REFUSED),
        starts_queried=_count(counts, START_QUERIED),
    )


def start_queries(
    monitor: Monitor, connection: Connection, clock_ids: Collection[int], *, now: Instant
) -> list[str]:
    """Who said by when that the start of a clock is wrong, in words, oldest first."""
    found = actions.actions_about(connection, [about_clock(each) for each in clock_ids])
    return [
        f"its start is queried: an answer of the {_role(monitor, each.actor)},"
        f" {words.moment(each.from_at, zone=monitor.zone)}"
        for each in found
        if each.kind == START_QUERIED and each.from_at <= now
    ]


def _role(monitor: Monitor, actor: str) -> str:
    return monitor.roster.title(actor.partition(":")[2])


def _waiting(monitor: Monitor, *, now: Instant) -> tuple[bool, int]:
    """(whether the Maildir is missing, how many mails have waited in it for too long)."""
    try:
        waiting = waiting_mails(monitor.settings.path(monitor.settings.mailbox.folder))
    except FaultsFound:
        return True, 0
    before = now - UNREAD_IS_A_FAULT_AFTER
    return False, sum(_lay_down_at(path) < before for path in waiting)


def _lay_down_at(path: Path) -> Instant:
    with suppress(FileNotFoundError):
        return path.lstat().st_mtime_ns // 1000
    return 1 << 62  # gone meanwhile: it waits for nobody


def _files_in(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def _count(counts: dict[tuple[str, str], int], *beginnings: str) -> int:
    return sum(
        count
        for (kind, outcome), count in counts.items()
        if kind == "reply" and outcome.startswith(beginnings)
    )
