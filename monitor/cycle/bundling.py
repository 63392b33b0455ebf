"""Which mail carries what waits for a person, and when it goes.

What comes in: an installation and now. What goes out: mails in the outbox, not yet written, and the
alerts that each carries. It does not care what a mail says: that is settled when it is sent.

The first mail to a person goes at once; what comes up in the window after it goes together when the
window ends. Two things are told from the rest. That a case of the gravest risk is overdue waits for
a moment only, whatever was sent before: the window exists for the reader's sake, and at three in
the morning the reader would rather have two mails. And what was overdue for more than a day when it
was first told of (a history that is loaded, a feed that is back, alerts that were switched on) can
wait for the rest of its kind: it comes in batches, and is to be one mail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from monitor.escalate.telling import LEARNT_LATE, TOLD_LATE
from monitor.model import DAY, HOUR, MINUTE, Duration, Instant
from monitor.store import alerts, bundles, outbox
from monitor.store.bundles import Pressing, Unwritten, Waits
from monitor.store.engine import Connection, take_turn, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

GRAVE_WINDOW: Final[Duration] = 2 * MINUTE
"""What comes up within so long after a mail waits for it, however grave: one mail, not five."""

BACKLOG_AFTER: Final[Duration] = 1 * DAY

BACKLOG_WAITS_AT_MOST: Final[Duration] = 1 * HOUR
"""How long a mail of backlog stays open for what goes on coming."""

SWEEP_MAY_TAKE: Final[Duration] = 5 * MINUTE
"""How long a mail waits while clocks are due and undecided, or cases wait to be folded: more may go
into it any moment."""

ALERTS_IN_A_MAIL: Final = 20_000
"""More would make a mail that a relay may find too big; the rest goes in the next."""

READERS_AT_ONCE: Final = 50
"""Served by one transaction: few enough to hold the database for a moment only."""

LOOK_AHEAD: Final[Duration] = 2 * MINUTE
"""A mail about a case waits so long for what comes up next in that case."""


_Reader: TypeAlias = tuple[str, str]
"""An address, and a kind of mail."""


def bundle(monitor: Monitor, now: Instant) -> int:
    """Put what waits for each person into a mail; returns how many mails were made."""
    pressing = _pressing(monitor)
    seen: set[_Reader] = set()
    made = 0
    while True:
        before = len(seen)
        made += _bundle_some(monitor, pressing, seen, now=now)
        if len(seen) - before < READERS_AT_ONCE:
            return made


def _bundle_some(monitor: Monitor, pressing: Pressing, seen: set[_Reader], *, now: Instant) -> int:
    """One transaction, for the next of those who were not `seen`, who are then among them."""
    made = 0
    with writing(monitor.engine) as connection:
        take_turn(connection, "bundle")  # else two nodes would begin a mail each to one person
        more_may_come = bundles.more_may_come(connection, now=now)
        waiting = bundles.waiting(connection, pressing, now=now)
        unseen = [waits for waits in waiting if (waits.address, waits.kind) not in seen]
        for waits in unseen[:READERS_AT_ONCE]:
            seen.add((waits.address, waits.kind))
            if more_may_come and now - waits.since < SWEEP_MAY_TAKE:
                continue
            made += _put_in_a_mail(monitor, connection, waits, pressing, now=now)
    return made


def _pressing(monitor: Monitor) -> Pressing:
    *_, gravest = ("", *monitor.rulebook.vocabulary.risks)
    return Pressing(gravest, (LEARNT_LATE, TOLD_LATE), BACKLOG_AFTER)


def _put_in_a_mail(
    monitor: Monitor, connection: Connection, waits: Waits, pressing: Pressing, *, now: Instant
) -> bool:
    """Into the mail that is still open for this reader, or a new one."""
    window = monitor.settings.telling.bundle_minutes * MINUTE
    at = _goes_at(connection, waits, window, now=now)
    mail = bundles.unwritten(connection, waits.address, waits.kind)
    if mail is None:
        message_id = outbox.queue_message(
            connection,
            kind=waits.kind,
            address=waits.address,
            role=waits.role,
            domain=monitor.mail_domain,
            now=now,
            not_before=at,
        )
    else:
        message_id = mail.id
        stays_backlog = not waits.is_fresh and bundles.carries_backlog_alone(
            connection, mail.id, pressing, now=now
        )
        at = _kept_open(mail, at) if stays_backlog else min(mail.planned_at, at)
        bundles.plan(connection, mail.id, at=at)
    bundles.put_in_message(
        connection, waits.address, waits.kind, message_id, at_most=ALERTS_IN_A_MAIL
    )
    return mail is None


def _goes_at(connection: Connection, waits: Waits, window: Duration, *, now: Instant) -> Instant:
    """When a mail with what waits now is to go."""
    last = bundles.last_written_at(connection, waits.address, waits.kind)
    if last is not None:
        last = min(last, now)  # written later than now: the machine's time was set back since
    if waits.is_grave:
        return now if last is None else max(now, last + min(window, GRAVE_WINDOW))
    at = now if last is None else max(now, last + window)
    if not waits.is_fresh:
        return max(at, now + window)
    if waits.kind == alerts.ALERTS and at - now < LOOK_AHEAD and window:
        until = now + min(window, LOOK_AHEAD)
        step = bundles.next_step_of_cases(connection, waits.address, after=now, until=until)
        at = max(at, step or at)
    return at


def _kept_open(mail: Unwritten, at: Instant) -> Instant:
    """A mail of backlog waits for what goes on coming, for a while."""
    return max(mail.planned_at, min(at, mail.created_at + BACKLOG_WAITS_AT_MOST))
