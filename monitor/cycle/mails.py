"""What a mail says, settled when it is first claimed: what has been put right since drops out.

What comes in: a claimed mail that is not written yet, and now. What goes out: its letter and the
thread it belongs to, or nothing where nothing is left to say. It does not care how a letter is
worded, when it is sent, or whether it arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from monitor.clocks.agenda import agenda
from monitor.clocks.verdicts import verdict
from monitor.cycle.floods import Flood, parted
from monitor.cycle.lines import CaseFile, in_order
from monitor.escalate.decide import CLOSED
from monitor.letters import (
    AnyLetter,
    BundleLetter,
    DutyLine,
    EndedLate,
    FeedRead,
    OverdueLetter,
    WarningLetter,
    WithdrawalLetter,
)
from monitor.model import Alert, AlertKind, Instant, KeptClock
from monitor.store import alerts, mailbox, outbox
from monitor.store.engine import Connection

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor


class Saying(NamedTuple):
    """One clock that a mail speaks of, because of an alert."""

    alert: Alert
    file: CaseFile
    kept: KeptClock


def letter_of(
    monitor: Monitor, connection: Connection, claimed: outbox.Claimed, *, now: Instant
) -> tuple[AnyLetter | None, tuple[str, ...]]:
    """What a mail says, and the thread that it belongs to."""
    files: dict[int, CaseFile] = {}
    told: list[Saying] = []
    over: dict[int, Saying] = {}
    case_of: dict[int, str] = {}
    carried = alerts.alerts_in_message(connection, claimed.id)
    # A round goes by the time at which it began: what was decided since is not judged by that.
    now = max([now, *(alert.decided_at for _, alert in carried)])
    is_flood = claimed.kind == alerts.ALERTS
    flood = parted(monitor, connection, carried, now=now) if is_flood else Flood(carried, [], [])
    alerts.cancel_unattempted(connection, flood.over)
    for alert_id, alert in flood.in_full:
        case_id = alerts.case_of_clock(connection, alert.clock_id)
        if (file := files.get(case_id)) is None:
            file = files[case_id] = CaseFile(monitor, connection, case_id)
        if alert.kind is AlertKind.STOPPED_LATE and file.is_late(alert.clock_id, now=now):
            over[alert_id] = Saying(alert, file, file.kept(alert.clock_id))
        elif saying := still_true(file, alert, now=now):
            told += saying
            case_of[alert_id] = file.reference_of(saying[0].kept)
        else:
            alerts.cancel_unattempted(connection, [alert_id])
    if not told:
        alerts.wait_for_another(connection, over)
        return None, ()
    letter = (
        _withdrawal(told, now=now)
        if claimed.kind == alerts.WITHDRAWAL
        else _alerts(told, flood.in_brief, now=now)
    )
    mailbox.number_lines(connection, _numbers(letter, case_of))
    cases = {one.file.reference_of(one.kept) for one in told}
    thread = tuple(monitor.composer.message_id(f"case {case}") for case in cases)
    ended_late = tuple(one.file.ended_late(one.kept) for one in over.values())
    letter = replace(letter, ended_late=ended_late)
    return _for_reader(monitor, claimed, letter), thread if len(thread) == 1 else ()


def ended_late_for(
    monitor: Monitor, connection: Connection, address: str, *, now: Instant
) -> dict[int, EndedLate]:
    """Alert → how it ended, of what an address was told and that a digest may say to it.

    A restricted case is in no digest: that waits for a mail of alerts.
    """
    found: dict[int, EndedLate] = {}
    for alert_id, alert in alerts.waiting_for_next_mail(connection, address):
        file = CaseFile(monitor, connection, alerts.case_of_clock(connection, alert.clock_id))
        kept = file.kept(alert.clock_id)
        if file.is_late(kept.id, now=now) and not kept.clock.restricted:
            found[alert_id] = file.ended_late(kept)
    return found


def still_true(file: CaseFile, alert: Alert, *, now: Instant) -> list[Saying]:
    """The clocks of which an alert is still to be told.

    Where others took its clock's place, those of them of which it holds; none where what it would
    say has been put right since it was decided.
    """
    if alert.kind is AlertKind.WITHDRAWAL:
        return [Saying(alert, file, file.kept(alert.clock_id))]
    if alert.kind is AlertKind.STOPPED_LATE:
        return []
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


def _alerts(told: Sequence[Saying], in_brief: Sequence[DutyLine], *, now: Instant) -> AnyLetter:
    """A warning, an alert, or a bundle of several; of one clock only the newest is told."""
    newest = {one.kept.id: one for one in told}.values()
    lines = in_order(
        (one.file.line(one.kept, alert=one.alert, now=now), one.kept) for one in newest
    )
    feeds = _feeds_read(newest)
    still = all(one.file.was_told(one.kept, one.alert) for one in newest)
    if len(lines) > 1 or in_brief:
        duties = (*(line for line, _ in lines), *in_brief)
        reasons = {one.file.why_you(one.alert) for one in newest}
        why_you = reasons.pop() if len(reasons) == 1 else ""
        return BundleLetter(at=now, feeds=feeds, duties=duties, still=still, why_you=why_you)
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
    answer = _how_to_answer(monitor, letter)
    return replace(letter, role=title, redirected=redirected, answer=answer)


def _numbers(letter: AnyLetter, case_of: dict[int, str]) -> dict[int, int]:
    """Alert → the number under which a mail tells of its case; those without one are left out."""
    if not isinstance(letter, BundleLetter):
        return dict.fromkeys(case_of, 1)
    numbers = {case.reference: number for number, case in enumerate(letter.in_full, start=1)}
    return {alert: numbers[case] for alert, case in case_of.items() if case in numbers}


def _how_to_answer(monitor: Monitor, letter: AnyLetter) -> str:
    """What an answer to a mail can do, in words; empty where nobody reads answers."""
    settings = monitor.settings
    if not settings.mailbox.takes_answers or settings.telling.redirect_all_to:
        return ""
    rest = f"reminders stop for {settings.people.take_hours:g} h"
    is_late = isinstance(letter, OverdueLetter)
    if isinstance(letter, BundleLetter):
        is_late = letter.overdue > 0
        if len(letter.cases) > 1:
            taking = f"TAKEN 2 takes case 2 ({rest}), TAKEN 1 2 several, TAKEN ALL all; "
            return (
                f"To answer, reply from this mailbox: {taking if is_late else ''}NOT MINE 2 passes"
                " case 2 on; START 2 says that its start time is wrong. Without a number nothing"
                " is done."
            )
    if isinstance(letter, BundleLetter | OverdueLetter | WarningLetter):
        taking = f"TAKEN shows that you have it ({rest}), "
        return (
            f"To answer, reply from this mailbox: {taking if is_late else ''}NOT MINE passes it"
            " on, START says that its start time is wrong."
        )
    return ""
