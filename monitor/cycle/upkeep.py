"""Upkeep: what must be noticed though nobody tells it, and what is due by the calendar.

What comes in: an installation and now. What goes out: silences kept as facts and told to the
operator, weekly digests in the outbox, the audit log sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.cycle.weekly import queue_digests
from monitor.ingest.timetable import silent_since, trusted_until
from monitor.letters import OperatorLetter, Remedy
from monitor.logs import get_logger
from monitor.model import Instant
from monitor.store import actions, intakes, outbox
from monitor.store.engine import Connection, writing
from monitor.words import moment

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.ingest.feeds import Feed

log = get_logger("upkeep")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a round of upkeep came to."""

    silences: int
    digests: int


def keep_up(monitor: Monitor, *, now: Instant) -> Kept:
    """Notice silent feeds, queue the digests that are due, seal the audit log."""
    with writing(monitor.engine) as connection:
        silences = _notice_silences(monitor, connection, now=now)
    digests = queue_digests(monitor, now=now)
    with writing(monitor.engine) as connection:
        actions.seal_audit(connection)
    return Kept(silences=silences, digests=digests)


def _notice_silences(monitor: Monitor, connection: Connection, *, now: Instant) -> int:
    """A feed past its timetable is a gap and a mail to the operator, once for each silence.

    A feed that was never heard is expected from the first time that it is looked at.
    """
    noticed = 0
    for row in intakes.list_feeds(connection):
        feed = monitor.feeds.get(row["name"])
        since = None if feed is None else _silent_since(connection, feed, row, now=now)
        if feed is None or since is None:
            continue
        if not intakes.open_gap(connection, feed.name, silent_from=since):
            continue
        noticed += 1
        log.warning("feed_silent", feed=feed.name)
        letter = _silent_feed(monitor, feed, row["last_heard_at"], now=now)
        _tell_operator(monitor, connection, letter, now=now)
    return noticed


def _silent_since(
    connection: Connection, feed: Feed, row: Mapping[Any, Any], *, now: Instant
) -> Instant | None:
    """Since when a feed is silent; None where it is not."""
    heard: Instant | None = row["last_heard_at"]
    if heard is not None:
        return silent_since(feed, heard, expected_from=heard, now=now)
    until = row["trusted_until"]
    if until is None and (first := trusted_until(feed, now)) is not None:
        intakes.expect(connection, feed.name, trusted_until=first)
    return until if until is not None and now > until else None


def _silent_feed(
    monitor: Monitor, feed: Feed, heard: Instant | None, *, now: Instant
) -> OperatorLetter:
    ever = "" if heard is not None else "ever "
    since = "" if heard is None else f" since {moment(heard, zone=monitor.zone)}"
    return OperatorLetter(
        at=now,
        wrong=f"nothing {ever}heard from {feed.title.partition(':')[0].lower()}{since}",
        service=monitor.settings.service.name,
        effect=(
            "Clocks that this feed could stop read unknown past that time, and their alerts say"
            " that they are unconfirmed. Everything else goes on."
        ),
        steps=(
            Remedy(
                what="Look whether the extract is still written into its drop folder",
                command=f"ls -l {monitor.settings.path(feed.folder)}",
            ),
            Remedy(what="See what the monitor knows of its feeds", command="monitor status"),
        ),
    )


def _tell_operator(
    monitor: Monitor, connection: Connection, letter: OperatorLetter, *, now: Instant
) -> None:
    for address in monitor.settings.operator.addresses:
        message_id = monitor.composer.message_id(f"operator {letter.wrong} {address} {now}")
        to = monitor.settings.telling.redirect_all_to or address
        content = monitor.composer.compose(letter, to=to, message_id=message_id, date=now)
        outbox.queue_message(
            connection,
            kind="operator",
            address=address,
            role="operator",
            domain=monitor.mail_domain,
            now=now,
            not_before=now,
            message_id=message_id,
            content=content,
            subject=letter.wrong,
        )
