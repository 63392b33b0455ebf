"""Mail that comes back: delivery reports move alerts to somebody else, answers act for their role.

What comes in: an installation with a Maildir, and now. What goes out: flagged addresses, alerts for
those who stand in, actions, and an account of every mail. A mail is read once, and then moved to a
private folder that is emptied in time. Clocks, episodes and steps are never touched here.

Anybody can write a mail. So a report counts only if it names one of our mails by its Message-ID,
which is random, and the very address that this mail went to; an answer only if it names such a
mail, comes from that address, and our own relay vouches for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from email import message_from_bytes
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from monitor.cycle import people
from monitor.cycle.lines import CaseFile
from monitor.cycle.mails import still_true
from monitor.cycle.rostering import with_duty
from monitor.cycle.telling_operator import tell_operator
from monitor.escalate.orders import about_clock
from monitor.escalate.roster import BOUNCED, Nobody, Reached, Roster, Whereabouts, bounced
from monitor.escalate.watch import BOUNCING
from monitor.faults import FaultsFound
from monitor.ingest.answers import Answer, Command
from monitor.ingest.files import FileChanged, move_to_done, purge_done
from monitor.ingest.mailbox import (
    Automatic,
    Bounce,
    MailIn,
    MailUnreadable,
    Other,
    Picked,
    Reply,
    pick,
    read_mail,
    waiting_mails,
)
from monitor.letters import OperatorLetter, Remedy
from monitor.logs import get_logger
from monitor.model import DAY, SECOND, Alert, AlertKind, Instant, KeptClock
from monitor.store import actions, alerts, mailbox, watch
from monitor.store.engine import Connection, OperationalError, reading, writing
from monitor.store.mailbox import Carried, Ours

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.cycle.parts import Monitor

log = get_logger("mailbox")

Kind: TypeAlias = Literal["bounce", "reply", "automatic", "other"]

START_QUERIED: Final = "query start"
"""Kind of the action: somebody says that a clock's start is wrong. It changes no clock."""

UNREADABLE: Final = "set aside"
"""How the outcome of a mail begins that could not be read."""
NOT_UNDERSTOOD: Final = "not understood"
NOT_BELIEVED: Final = "not believed"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class CameBack:
    """What became of one mail."""

    kind: Kind
    outcome: str
    message_id: int | None = None
    """The mail of ours that it is about."""
    alerts: int = 0
    """How many alerts somebody else is told now."""


def read_mailbox(monitor: Monitor, *, now: Instant) -> list[CameBack]:
    """Read every mail that waits, and empty what is kept too long. Nothing where no folder is set.

    A mail that cannot be dealt with for a reason nobody foresaw stays where it is, and keeps no
    other from being read; a fault of the database stops the whole turn.
    """
    settings = monitor.settings.mailbox
    if not settings.folder:
        return []
    try:
        waiting = waiting_mails(monitor.settings.path(settings.folder))
    except FaultsFound as found:
        log.warning("mailbox_missing", why=str(found))
        return []
    read = [_read_or_leave(monitor, path, now=now) for path in waiting]
    for folder in (_done(monitor), _set_aside(monitor)):
        keep = settings.keep_done_days * (DAY // SECOND)
        purge_done(folder, older_than_seconds=keep, now=now)
    return [each for each in read if each is not None]


def _read_or_leave(monitor: Monitor, path: Path, *, now: Instant) -> CameBack | None:
    try:
        picked = pick(path)
        came_back = _apply_once(monitor, picked, now=now)
        was_read = came_back is None or not came_back.outcome.startswith(UNREADABLE)
        move_to_done(path, _done(monitor) if was_read else _set_aside(monitor), picked.digest)
    except OperationalError:
        raise
    except FileChanged:
        log.warning("mail_changed")
        return None
    except Exception:
        log.exception("mail_not_read")
        return None
    return came_back


def _done(monitor: Monitor) -> Path:
    return monitor.settings.path(monitor.settings.paths.done) / "mail"


def _set_aside(monitor: Monitor) -> Path:
    return monitor.settings.path("var/set-aside") / "mail"


def _apply_once(monitor: Monitor, picked: Picked, *, now: Instant) -> CameBack | None:
    """What becomes of a mail; None where it was read before.

    What a report leads to is kept with the account of it or not at all. An answer acts first: read
    again after an interruption, it acts once more, which changes nothing.
    """
    with reading(monitor.engine) as connection:
        if mailbox.is_known(connection, picked.digest):
            return None
    mail = _read(monitor, picked.content)
    if isinstance(mail, Reply):
        came_back = _answered(monitor, mail, now=now)
        with writing(monitor.engine) as connection:
            return _record(connection, picked, came_back, now=now)
    with writing(monitor.engine) as connection:
        if mailbox.is_known(connection, picked.digest):
            return None
        if isinstance(mail, Bounce):
            came_back = _bounced(monitor, connection, mail, now=now)
        else:
            came_back = _without_effect(connection, mail)
        return _record(connection, picked, came_back, now=now)


def _record(
    connection: Connection, picked: Picked, came_back: CameBack, *, now: Instant
) -> CameBack | None:
    is_new = mailbox.record_mail(
        connection,
        picked.digest,
        kind=came_back.kind,
        outcome=came_back.outcome,
        message_id=came_back.message_id,
        now=now,
    )
    log.info("mail_came_back", kind=came_back.kind, outcome=came_back.outcome)
    return came_back if is_new else None


def _read(monitor: Monitor, content: bytes | None) -> MailIn | str:
    """The mail, or why it cannot be read."""
    try:
        return read_mail(content, authserv_id=monitor.settings.mailbox.authserv_id)
    except MailUnreadable as why:
        return f"{UNREADABLE}: {why}"


def _without_effect(connection: Connection, mail: Automatic | Other | str) -> CameBack:
    if isinstance(mail, Automatic):
        ours = mailbox.our_mail(connection, mail.message_ids)
        return CameBack(kind="automatic", outcome="", message_id=ours.id if ours else None)
    return CameBack(kind="other", outcome=mail if isinstance(mail, str) else "")


_TO_BE_ACTED_ON: Final = frozenset({AlertKind.WARNING, AlertKind.OVERDUE, AlertKind.CANNOT_ROUTE})
"""What somebody else is told where it did not arrive. What took something back, or says that it
ended, means nothing to who was never told."""


# -- delivery reports -------------------------------------------------------------------------


def _bounced(monitor: Monitor, connection: Connection, report: Bounce, *, now: Instant) -> CameBack:
    """A report flags the address that our mail went to, if it says that this one failed."""
    ours = mailbox.our_mail(connection, report.message_ids)
    if ours is None:
        return CameBack(kind="bounce", outcome="names no mail of ours")
    went_to = _went_to(ours)
    if went_to.casefold() in report.delayed:
        return CameBack(kind="bounce", outcome="delayed", message_id=ours.id)
    if went_to.casefold() not in report.failed:
        return CameBack(kind="bounce", outcome="names another recipient", message_id=ours.id)
    status = dict(report.statuses).get(went_to.casefold(), "")
    is_new = mailbox.flag_address(connection, went_to, status=status, message_id=ours.id, now=now)
    is_redirected = went_to != ours.address
    moved = 0 if is_redirected else _move(monitor, connection, ours, now=now)
    if is_new:
        told = _letter(monitor, ours, went_to, status, now=now)
        tell_operator(monitor, connection, told, now=now)
        _no_news_to_the_watch(connection, ours.role, now=now)
    outcome = f"failed {status}".rstrip()
    return CameBack(kind="bounce", outcome=outcome, message_id=ours.id, alerts=moved)


def _no_news_to_the_watch(connection: Connection, role: str, *, now: Instant) -> None:
    """The watch goes on reminding of flagged addresses; of this one the operator was told."""
    watch.open_fault(
        connection, BOUNCING, f"mail bounces from 1 address: {role}", now=now, told_at=now
    )


def _went_to(ours: Ours) -> str:
    """The address on the mail as it was sent: another than its own where mail is redirected."""
    return str(message_from_bytes(ours.content)["To"] or "").strip()


def _move(monitor: Monitor, connection: Connection, ours: Ours, *, now: Instant) -> int:
    """What a mail carried, and what waits for its address, is told to whoever stands in."""
    carried = mailbox.not_yet_sent_to(connection, ours.address)
    if ours.kind == alerts.ALERTS:
        carried = [*mailbox.carried_by(connection, ours.id), *carried]
    flagged = mailbox.flagged_addresses(connection)
    roster = replace(with_duty(monitor.roster, connection), unreachable=flagged)
    moved = [
        instead
        for alert, file, kept in _standing(monitor, connection, carried, now=now)
        for instead in _instead(monitor, roster, alert, file, kept, now=now)
    ]
    return alerts.insert_alerts(connection, moved)


def _standing(
    monitor: Monitor, connection: Connection, carried: Iterable[Carried], *, now: Instant
) -> list[tuple[Alert, CaseFile, KeptClock]]:
    """The newest alert of each clock of which it is still to be told."""
    files: dict[int, CaseFile] = {}
    newest: dict[int, tuple[Alert, CaseFile, KeptClock]] = {}
    for _, alert in carried:
        if alert.kind not in _TO_BE_ACTED_ON:
            continue
        case_id = alerts.case_of_clock(connection, alert.clock_id)
        file = files.setdefault(case_id, CaseFile(monitor, connection, case_id))
        for saying in still_true(file, alert, now=now):
            kept = saying.kept
            if kept.id != alert.clock_id or kept.episode == alert.episode:
                newest[kept.id] = (alert, file, kept)
    return list(newest.values())


def _instead(
    monitor: Monitor,
    roster: Roster,
    alert: Alert,
    file: CaseFile,
    kept: KeptClock,
    *,
    now: Instant,
) -> list[Alert]:
    """The alert for whoever stands in; none where that post knows; to nobody where none does."""
    duty = file.duty_of(kept)
    clock = kept.clock
    place = Whereabouts(clock.district, clock.unit, clock.restricted)
    reached = _stand_in(roster, alert.role, place, wakes=duty.rule.wakes, now=now)
    known = monitor.roster.file.roles.get(alert.role)
    why = bounced(known) if known else f"mail {BOUNCED}"
    moved = alert._replace(
        clock_id=kept.id, episode=kept.episode, decided_at=now, reason=f"{alert.reason}; {why}"
    )
    if reached is None:
        return [moved._replace(recipient="", reason=why)]
    if _knows(file, kept, reached.address, alert.kind):
        return []
    return [moved._replace(recipient=reached.address, role=reached.role)]


def _stand_in(
    roster: Roster, role: str, place: Whereabouts, *, wakes: bool, now: Instant
) -> Reached | None:
    """Who is told for a role whose mail came back: another post of it, its cover, the fallback.

    Not the role's next hours of duty: it was to be told already.
    """
    known = roster.file.roles.get(role)
    tried = [role, known.cover] if known else []
    for each in tried:
        reach = roster.reach(each, place, at=now, wakes=wakes) if each else Nobody("")
        if isinstance(reach, Reached):
            return reach
    reach = roster.fallback(place, at=now)
    return reach if isinstance(reach, Reached) else None


def _knows(file: CaseFile, kept: KeptClock, address: str, kind: AlertKind) -> bool:
    """Whether an address was told of a clock already, or is about to be."""
    ids = {kept.id, *kept.inherits}
    return any(
        told.alert.recipient == address
        and told.state != "cancelled"
        and told.alert.kind in (AlertKind.OVERDUE, kind)
        and (told.alert.clock_id != kept.id or told.alert.episode == kept.episode)
        for told in file.said
        if told.alert.clock_id in ids
    )


_EFFECTS: Final = {
    alerts.ALERTS: (
        "What it carried, and is still so, is told to whoever stands in for that role, and so is"
        " whatever comes up until the address is cleared. No clock is touched."
    ),
    alerts.WITHDRAWAL: (
        "It took alerts back. Whoever reads this mailbox may still act on them: tell that post by"
        " another way. New alerts go to whoever stands in, until the address is cleared."
    ),
    "digest": (
        "The digest did not arrive; send it anew when the address is right. New alerts go to"
        " whoever stands in, until the address is cleared."
    ),
    "operator": (
        "Faults of the service are told to the operator's other addresses meanwhile; where there is"
        " none, to whoever is told where nobody else can be."
    ),
}


def _letter(
    monitor: Monitor, ours: Ours, address: str, status: str, *, now: Instant
) -> OperatorLetter:
    return OperatorLetter(
        at=now,
        wrong=f"mail to the {_post_at(monitor, ours.role, address)} bounced",
        service=monitor.settings.service.name,
        effect=_EFFECTS.get(ours.kind, ""),
        facts=(
            f"Address: {address}",
            f"The mail server's code: {status or 'none given'}",
        ),
        steps=(
            Remedy(
                what="Find out whether the mailbox exists and takes mail; else correct its address",
                command=f"edit {monitor.settings.paths.recipients}",
            ),
            Remedy(
                what="When mail arrives there again, let it be used again",
                command=f"monitor mail clear {address}",
            ),
        ),
    )


def _post_at(monitor: Monitor, role: str, address: str) -> str:
    """The title of a role, with the district or unit for which an address holds it."""
    posts = (post for post in monitor.roster.file.posts if post.address == address)
    places = {post.unit or post.district for post in posts if post.role == role} - {""}
    return " ".join([*sorted(places), monitor.roster.title(role)])


# -- answers ----------------------------------------------------------------------------------


def _answered(monitor: Monitor, reply: Reply, *, now: Instant) -> CameBack:
    """What somebody answered, done if it is to be believed and understood."""
    with reading(monitor.engine) as connection:
        ours = mailbox.our_mail(connection, reply.message_ids)
        carried = mailbox.carried_by(connection, ours.id) if ours else []
    if ours is None:
        return CameBack(kind="reply", outcome="names no mail of ours")
    why = _disbelieved(reply, ours)
    meant = _meant(reply.answer, carried)
    if why:
        outcome = f"{NOT_BELIEVED}: {why}"
    elif reply.answer is None or meant is None:
        outcome = f"{NOT_UNDERSTOOD}: {_why_not_understood(reply.answer)}"
    else:
        outcome = _act(monitor, reply.answer.command, meant, ours.role, now=now)
    return CameBack(kind="reply", outcome=outcome, message_id=ours.id)


def _disbelieved(reply: Reply, ours: Ours) -> str:
    if reply.sender != ours.address.casefold():
        return "it comes from another address than the mail went to"
    return reply.doubt


def _why_not_understood(answer: Answer | None) -> str:
    if answer is None:
        return "its first line is no command"
    if answer.numbers:
        return "it names a case that the mail does not number"
    return "it names no case of several"


def _meant(answer: Answer | None, carried: Sequence[Carried]) -> list[int] | None:
    """The clocks that an answer is about; None where it cannot be told which."""
    if answer is None or not carried:
        return None
    lines = {each.line for each in carried}
    chosen = set(answer.numbers)
    if answer.everything or (not chosen and lines == {1}):
        chosen = lines
    elif not chosen or not chosen <= lines - {0}:
        return None
    return sorted({each.alert.clock_id for each in carried if each.line in chosen})


def _act(
    monitor: Monitor, command: Command, clock_ids: Sequence[int], role: str, *, now: Instant
) -> str:
    """Do it, in the name of the role that the mail went to, and say in a word what came of it."""
    if command is Command.START:
        _query_start(monitor, clock_ids, role, now=now)
        return f"{START_QUERIED}: {len(clock_ids)} of {len(clock_ids)}"
    act = people.take if command is Command.TAKEN else people.pass_on
    on_behalf_of = role if role in monitor.roster.file.roles else ""
    try:
        done = act(
            monitor,
            clock_ids,
            actor=actor_of(role),
            reason_code=people.BY_REPLY,
            now=now,
            on_behalf_of=on_behalf_of,
        )
    except people.Refused as why:
        return f"{REFUSED}: {why}"
    total = len(done.done) + len(done.refused)
    outcome = f"{command}: {len(done.done)} of {total}"
    return outcome if done.done else f"{REFUSED}: {outcome}"


def actor_of(role: str) -> str:
    """Who acted, where an answer to a mail did: never an address."""
    return f"mail:{role}"


def _query_start(monitor: Monitor, clock_ids: Sequence[int], role: str, *, now: Instant) -> None:
    with writing(monitor.engine) as connection:
        for clock_id in clock_ids:
            actions.record_action(
                connection,
                kind=START_QUERIED,
                target=about_clock(clock_id),
                actor=actor_of(role),
                reason_code=people.BY_REPLY,
                now=now,
            )
