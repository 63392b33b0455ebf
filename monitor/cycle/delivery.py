"""Delivery: what waits for a person becomes one mail, and mails are handed to the server.

What comes in: an installation and now. What goes out: sent mails and their outcomes. A mail is
claimed under a lease, its bytes frozen, handed over, and its outcome recorded while it holds.
Between the server's acceptance and our record the process may die: the mail is then sent once more,
with the same bytes and Message-ID.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.clocks.agenda import agenda
from monitor.clocks.verdicts import verdict
from monitor.cycle.lines import CaseFile, in_order
from monitor.deliver.smtp import Accepted, GiveUp, Outcome
from monitor.escalate.decide import CLOSED
from monitor.letters import (
    AnyLetter,
    BundleLetter,
    FeedRead,
    OverdueLetter,
    WarningLetter,
    WithdrawalLetter,
)
from monitor.logs import get_logger
from monitor.model import (
    HOUR,
    MINUTE,
    SECOND,
    Alert,
    AlertKind,
    Duration,
    Instant,
    KeptClock,
)
from monitor.store import actions, alerts, outbox
from monitor.store.engine import Connection, reading, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

log = get_logger("delivery")

FIRST_RETRY: Final[Duration] = 1 * MINUTE
LONGEST_RETRY: Final[Duration] = 1 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a round of delivery came to."""

    sent: int = 0
    retried: int = 0
    dead: int = 0
    held: bool = False


async def deliver(monitor: Monitor, *, now: Instant) -> Delivered:
    """Bundle what waits, and send every mail whose time has come."""
    await asyncio.to_thread(bundle, monitor, now=now)
    done = Delivered()
    while not monitor.stopping.is_set():
        claimed = await asyncio.to_thread(_claim, monitor, now=now)
        if claimed is None:
            return done
        if isinstance(claimed, Held):
            return replace(done, held=True)
        done = await _deliver_one(monitor, claimed, done, now=now)
    return done


# -- bundling ---------------------------------------------------------------------------------


def bundle(monitor: Monitor, *, now: Instant) -> int:
    """Put what waits for each person into a mail; returns how many mails were made.

    The first mail to a person goes at once. What comes up within the window after it goes together
    when the window ends, and joins a mail that is not written yet.
    """
    window = monitor.settings.telling.bundle_minutes * MINUTE
    made = 0
    with writing(monitor.engine) as connection:
        for address, role, kind in alerts.waiting_recipients(connection):
            message_id = outbox.unwritten_message(connection, address, kind)
            if message_id is None:
                last = outbox.last_mail_at(connection, address, kind)
                message_id = outbox.queue_message(
                    connection,
                    kind=kind,
                    address=address,
                    role=role,
                    domain=monitor.mail_domain,
                    now=now,
                    not_before=now if last is None else max(now, last + window),
                )
                made += 1
            alerts.put_in_message(connection, address, kind, message_id)
    return made


# -- claiming and freezing --------------------------------------------------------------------


class Held:
    """Somebody has held all mail."""


def _claim(monitor: Monitor, *, now: Instant) -> outbox.Claimed | Held | None:
    """The next mail, under a lease of more than twice the longest exchange."""
    lease = int(2.5 * monitor.settings.mail.timeout_seconds * SECOND)
    with writing(monitor.engine) as connection:
        if outbox.mail_is_held(connection):
            return Held()
        claimed = outbox.claim_messages(
            connection, now=now, lease=lease, limit=1, node=monitor.node
        )
    return claimed[0] if claimed else None


async def _deliver_one(
    monitor: Monitor, claimed: outbox.Claimed, done: Delivered, *, now: Instant
) -> Delivered:
    content = await asyncio.to_thread(_freeze, monitor, claimed, now=now)
    if content is None:
        return done
    recipient = monitor.settings.telling.redirect_all_to or claimed.address
    sender = monitor.settings.mail.sender
    outcome = await monitor.post.send(content, sender=sender, recipient=recipient)
    return await asyncio.to_thread(_record, monitor, claimed, outcome, done, now=now)


def _freeze(monitor: Monitor, claimed: outbox.Claimed, *, now: Instant) -> bytes | None:
    """The bytes to send, settled for ever at the first claim; None where nothing is left to say."""
    with writing(monitor.engine) as connection:
        if not outbox.lock_message(connection, claimed):
            return None
        if claimed.content is not None:
            outbox.count_attempt(connection, claimed)
            return claimed.content
        letter, references = _letter(monitor, connection, claimed, now=now)
        if letter is None:
            outbox.cancel_message(connection, claimed)
            return None
        content = monitor.composer.compose(
            letter,
            to=monitor.settings.telling.redirect_all_to or claimed.address,
            message_id=claimed.message_id,
            date=now,
            references=references,
        )
        subject = str(message_from_bytes(content, policy=policy.default)["Subject"])
        outbox.freeze_message(connection, claimed, content=content, subject=subject, now=now)
        return content


class Saying(NamedTuple):
    """One clock that a mail speaks of, because of an alert."""

    alert: Alert
    file: CaseFile
    kept: KeptClock


def _letter(
    monitor: Monitor, connection: Connection, claimed: outbox.Claimed, *, now: Instant
) -> tuple[AnyLetter | None, tuple[str, ...]]:
    """What a mail says, and the thread that it belongs to."""
    files: dict[int, CaseFile] = {}
    told: list[Saying] = []
    for alert_id, alert in alerts.alerts_in_message(connection, claimed.id):
        case_id = alerts.case_of_clock(connection, alert.clock_id)
        file = files.setdefault(case_id, CaseFile(monitor, connection, case_id))
        if saying := _still_true(file, alert, now=now):
            told += saying
        else:
            alerts.cancel_unattempted(connection, [alert_id])
    if not told:
        return None, ()
    letter = (
        _withdrawal(told, now=now) if claimed.kind == alerts.WITHDRAWAL else _alerts(told, now=now)
    )
    cases = {one.file.reference_of(one.kept) for one in told}
    thread = tuple(monitor.composer.message_id(f"case {case}") for case in cases)
    return _for_reader(monitor, claimed, letter), thread if len(thread) == 1 else ()


def _still_true(file: CaseFile, alert: Alert, *, now: Instant) -> list[Saying]:
    """The clocks of which an alert is still to be told.

    Where others took its clock's place, those of them of which it holds; none where what it would
    say has been put right since it was decided.
    """
    if alert.kind is AlertKind.WITHDRAWAL:
        return [Saying(alert, file, file.kept(alert.clock_id))]
    return [
        Saying(alert, file, kept)
        for kept in file.standing_for(alert.clock_id)
        if verdict(kept.clock, now=now) not in CLOSED
        and kept.clock.regraded_at is None
        and not _is_overtaken(file, alert, kept, now=now)
    ]


def _is_overtaken(file: CaseFile, alert: Alert, kept: KeptClock, *, now: Instant) -> bool:
    """Whether what an alert would say is true no more, though its clock runs on.

    A route was found; the clock in whose place it stands now is not yet due; or a warning would
    come after due, where a later step says so. Whoever read "overdue" in a warning would get no
    withdrawal if that proved false.
    """
    if alert.kind is AlertKind.CANNOT_ROUTE:
        return not kept.clock.cannot_route
    due = kept.clock.due_at
    is_overdue = due is not None and now > due
    if alert.kind is AlertKind.OVERDUE or not is_overdue:
        return alert.kind is AlertKind.OVERDUE and not is_overdue
    return any(step.kind is AlertKind.OVERDUE for step in agenda(kept.clock, file.duty_of(kept)))


def _alerts(told: Sequence[Saying], *, now: Instant) -> AnyLetter:
    """A warning, an alert, or a bundle of several; of one clock only the newest is told."""
    newest = {one.kept.id: one for one in told}.values()
    lines = in_order(
        (one.file.line(one.kept, alert=one.alert, now=now), one.kept) for one in newest
    )
    feeds = _feeds_read(newest)
    still = all(one.file.was_told(one.kept, one.alert) for one in newest)
    if len(lines) > 1:
        duties = tuple(line for line, _ in lines)
        return BundleLetter(at=now, feeds=feeds, duties=duties, still=still)
    (line, _), (saying,) = lines[0], newest
    why_you = saying.file.why_you(saying.alert)
    if line.due_at is not None and now > line.due_at:
        return OverdueLetter(at=now, feeds=feeds, duty=line, still=still, why_you=why_you)
    return WarningLetter(at=now, feeds=feeds, duty=line, why_you=why_you)


def _withdrawal(told: Sequence[Saying], *, now: Instant) -> WithdrawalLetter:
    items = tuple(one.file.withdrawn(one.kept, alert=one.alert, now=now) for one in told)
    return WithdrawalLetter(at=now, feeds=_feeds_read(told), items=items)


def _feeds_read(told: Iterable[Saying]) -> tuple[FeedRead, ...]:
    """How far the feeds were read on which the lines of a mail rest, each feed once."""
    shown = (one for one in told if not one.kept.clock.restricted)
    feeds = {feed.feed: feed for one in shown for feed in one.file.feeds_read(one.kept)}
    return tuple(feeds.values())


def _for_reader(monitor: Monitor, claimed: outbox.Claimed, letter: AnyLetter) -> AnyLetter:
    title = monitor.roster.title(claimed.role)
    redirected = title if monitor.settings.telling.redirect_all_to else ""
    return replace(letter, role=title, redirected=redirected)


# -- recording --------------------------------------------------------------------------------


def _record(
    monitor: Monitor, claimed: outbox.Claimed, outcome: Outcome, done: Delivered, *, now: Instant
) -> Delivered:
    with writing(monitor.engine) as connection:
        if isinstance(outcome, Accepted):
            outbox.record_sent(connection, claimed, outcome=outcome.reply, now=now)
            _audit_disclosure(connection, claimed, now=now)
            done = replace(done, sent=done.sent + 1)
        elif isinstance(outcome, GiveUp) or _is_too_old(monitor, claimed, now=now):
            outbox.record_dead(connection, claimed, outcome=outcome.reason)
            done = replace(done, dead=done.dead + 1)
        else:
            at = now + retry_after(claimed.attempts + 1)
            outbox.record_retry(connection, claimed, outcome=outcome.reason, next_attempt_at=at)
            done = replace(done, retried=done.retried + 1)
    log.info("mail_outcome", message=claimed.id, kind=claimed.kind, outcome=type(outcome).__name__)
    return done


def _is_too_old(monitor: Monitor, claimed: outbox.Claimed, *, now: Instant) -> bool:
    return now - claimed.created_at > monitor.settings.mail.give_up_hours * HOUR


def retry_after(attempts: int) -> Duration:
    """How long to wait after so many attempts: twice as long each time, up to an hour.

    A quarter of jitter lets mails not all come back together.
    """
    wait = min(FIRST_RETRY << min(attempts - 1, LONGEST_RETRY.bit_length()), LONGEST_RETRY)
    return int(wait * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load, keeps no secret


def _audit_disclosure(connection: Connection, claimed: outbox.Claimed, *, now: Instant) -> None:
    actions.write_audit(
        connection,
        operation="disclosure",
        actor="system:delivery",
        subject=f"message {claimed.id}",
        now=now,
        detail={"kind": claimed.kind, "role": claimed.role, "message_id": claimed.message_id},
    )


def next_delivery_at(monitor: Monitor) -> Instant | None:
    """When the next mail's time comes."""
    with reading(monitor.engine) as connection:
        return outbox.next_message_at(connection)
