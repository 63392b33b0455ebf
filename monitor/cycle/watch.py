"""The watch on the watch: what should have happened by itself and did not is noticed and told.

What comes in: an installation and now. What goes out: faults of the service, each opened once and
ended when it is gone, in one mail to the operator. It mends only what is safe to mend: a clock
without a next step is put before the assessment again. Each question is answered by an index, or
for a part of the rows at each look.

What stands first in a queue must have stood there at every look for `late_minutes`: years of
history that are being taken in, or a machine that was suspended, are no fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from monitor.clocks.agenda import agenda, next_step_at
from monitor.cycle.asked import closed_among
from monitor.cycle.telling_operator import tell_operator
from monitor.cycle.weekly import missed_digest
from monitor.escalate import watch as faults
from monitor.escalate.watch import KINDS, Finding, Judged, is_well, judge, letter, to_be_told
from monitor.logs import get_logger
from monitor.model import DAY, MINUTE, Duration, Instant, KeptClock, WatchFault
from monitor.rulebook.language import Alerts
from monitor.store import actions, cases, mailbox, nodes, relays
from monitor.store import watch as kept
from monitor.store.engine import Connection, RowMapping, reading, writing
from monitor.words import count, lasting, when

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

log = get_logger("watch")

CLOCKS_AT_A_LOOK: Final = 20_000
"""So many ids of clocks are looked through at a look: a million in 25 minutes."""
RECOMPUTED_AT_A_LOOK: Final = 200
"""So many of them are worked out anew, at most."""
AUDIT_ROWS_AT_A_LOOK: Final = 1_000
HELD_IS_LONG: Final[Duration] = 1 * DAY
DEAD_IS_NEWS_FOR: Final[Duration] = 7 * DAY
NOBODY_IS_NEWS_FOR: Final[Duration] = 1 * DAY
FORGOTTEN_AFTER: Final[Duration] = 7 * DAY
"""A node that was not seen for so long is no fault, as long as another is."""
SWITCH: Final = "switch"
"""The loop that asks the switch outside, which tells of itself by staying away."""
MAIN_RELAY, OPERATORS_RELAY = "relay", "operator's relay"
"""What delivery calls them."""
DAYS_OF_WARNING: Final = 183
"""A calendar's end is told half a year before."""


def look(monitor: Monitor, *, now: Instant) -> int:
    """Notice what is wrong, end what is over, tell the operator; returns the faults that stand."""
    if now < monitor.watched.begins_at:
        return 0
    with reading(monitor.engine) as connection:
        findings = list(_findings(monitor, connection, now=now))
        standing = kept.open_faults(connection)
        last_told_at = kept.last_told_at(connection)
    findings += _missed_digests(monitor, now=now)
    judged = judge(findings, standing, left_open=_not_seen_yet(monitor))
    if judged.is_news or _is_owed(monitor, standing, last_told_at, now=now):
        standing = _keep(monitor, findings, now=now)
    if monitor.watched.unset:
        with writing(monitor.engine) as connection:
            _assess_again(connection, monitor.watched.unset)
    return len(standing)


def all_is_well(monitor: Monitor) -> bool:
    """Whether no fault stands that may keep the service from doing what it is for."""
    with reading(monitor.engine) as connection:
        return is_well(kept.open_faults(connection))


# -- keeping and telling ----------------------------------------------------------------------


def _keep(monitor: Monitor, findings: Iterable[Finding], *, now: Instant) -> list[WatchFault]:
    """One node at a time: what another has kept or told meanwhile is seen first."""
    with writing(monitor.engine) as connection:
        standing = kept.open_faults(connection, to_write=True)
        judged = judge(findings, standing, left_open=_not_seen_yet(monitor))
        _write(connection, judged, now=now)
        standing = kept.open_faults(connection)
        last_told_at = kept.last_told_at(connection)
        if _is_owed(monitor, standing, last_told_at, now=now):
            _tell(monitor, connection, standing, since=last_told_at, now=now)
    for finding in judged.begun:
        log.error("watch_fault", what=finding.what, detail=finding.detail)
    for fault in judged.ended:
        log.info("watch_fault_ended", what=fault.what)
    return standing


def _write(connection: Connection, judged: Judged, *, now: Instant) -> None:
    for finding in judged.begun:
        told_at = now if KINDS[finding.kind].is_told_elsewhere else None
        kept.open_fault(connection, finding.what, finding.detail, told_at=told_at, now=now)
    for fault_id, detail in judged.changed:
        kept.describe(connection, fault_id, detail)
    kept.end_faults(connection, [fault.id for fault in judged.ended], now=now)


def _is_owed(
    monitor: Monitor, standing: list[WatchFault], last_told_at: Instant | None, *, now: Instant
) -> bool:
    """Whether a mail is due. None is made only to say that no mail goes out by its own way."""
    has_own_route = monitor.operator_post is not None
    stopped = f"{faults.RELAY}: {OPERATORS_RELAY if has_own_route else MAIN_RELAY}"
    unheard = {stopped} if has_own_route else {stopped, faults.HELD}
    return to_be_told(standing, unheard=unheard, last_told_at=last_told_at, now=now)


def _tell(
    monitor: Monitor,
    connection: Connection,
    standing: list[WatchFault],
    *,
    since: Instant | None,
    now: Instant,
) -> None:
    ended = [] if since is None else kept.ended_faults(connection, since=since)
    service = monitor.settings.service.name
    told = letter(standing, ended, service=service, zone=monitor.zone, now=now)
    tell_operator(monitor, connection, told, now=now)
    kept.mark_told(connection, [fault.id for fault in standing], now=now)


def _not_seen_yet(monitor: Monitor) -> set[str]:
    """Kinds of which nothing can be said before all was looked through once."""
    unseen = set()
    if not monitor.watched.was_round:
        unseen.add(faults.UNSET)
    if not monitor.watched.was_sealed:
        unseen.add(faults.SEAL)
    return unseen


# -- finding ----------------------------------------------------------------------------------


def _findings(monitor: Monitor, connection: Connection, *, now: Instant) -> Iterator[Finding]:
    yield from _nodes_and_loops(monitor, connection, now=now)
    yield from _late_clocks(monitor, connection, now=now)
    yield from _clocks_without_step(monitor, connection)
    yield from _unassessed_cases(monitor, connection, now=now)
    yield from _mail(monitor, connection, now=now)
    yield from _people(connection, now=now)
    yield from _files(monitor, connection, now=now)
    yield from _seal(monitor, connection)
    yield from ending_calendars(monitor, now=now)


def _late(monitor: Monitor) -> Duration:
    return int(monitor.settings.watch.late_minutes * MINUTE)


def _stands_still(monitor: Monitor, what: str, head: str, *, now: Instant) -> bool:
    return monitor.watched.stands_still(what, head, now=now, patience=_late(monitor))


def _nodes_and_loops(
    monitor: Monitor, connection: Connection, *, now: Instant
) -> Iterator[Finding]:
    turns = turns_that_matter(monitor, connection)
    seen = nodes_seen(connection, turns)
    reading_on = bool(kept.files_being_read(connection))
    gone = dict(gone_nodes(seen, silent_for=2 * _late(monitor), now=now))
    for node, at in gone.items():
        detail = f"node {node} was last seen at {when(at, at=now, zone=monitor.zone)}"
        certain = _stands_still(monitor, f"{faults.NODE}: {node}", str(at), now=now)
        yield Finding(faults.NODE, detail, node, is_certain=certain)
    for turn in turns:
        if turn["node"] not in gone and now - seen[turn["node"]] <= FORGOTTEN_AFTER:
            busy = turn["loop"] == "intake" and reading_on
            yield from _loop(monitor, turn, is_busy=busy, now=now)


def turns_that_matter(monitor: Monitor, connection: Connection) -> list[RowMapping]:
    """The last turn of every loop of every node; of the switch only where there is one."""
    has_switch = bool(monitor.settings.watch.switch_url)
    return [turn for turn in actions.list_turns(connection) if has_switch or turn["loop"] != SWITCH]


def nodes_seen(connection: Connection, turns: Iterable[RowMapping]) -> dict[str, Instant]:
    """Node → when it was last seen to do anything."""
    seen = {row["name"]: row["seen_at"] for row in nodes.list_nodes(connection)}
    for turn in turns:
        seen[turn["node"]] = max(turn["turned_at"], seen.get(turn["node"], turn["turned_at"]))
    return seen


def gone_nodes(
    seen: Mapping[str, Instant], *, silent_for: Duration, now: Instant
) -> Iterator[tuple[str, Instant]]:
    """Nodes that were not seen for so long, and when each was last.

    One that was given up days ago is none of them, as long as another is seen.
    """
    others_live = any(now - at <= silent_for for at in seen.values())
    for node, at in seen.items():
        if now - at > silent_for and not (others_live and now - at > FORGOTTEN_AFTER):
            yield node, at


def _loop(monitor: Monitor, turn: RowMapping, *, is_busy: bool, now: Instant) -> Iterator[Finding]:
    """A loop that has not turned for twice the patience, or fails at every look."""
    about, at = f"{turn['loop']} on {turn['node']}", turn["turned_at"]
    if now - at > 2 * _late(monitor) and not is_busy and turn["loop"] != SWITCH:
        what = f"{faults.LOOP}: {about}"
        certain = monitor.watched.stands_still(what, str(at), now=now, patience=MINUTE)
        since = when(at, at=now, zone=monitor.zone)
        detail = f"loop {about} has not turned since {since}"
        yield Finding(faults.LOOP, detail, about, is_certain=certain)
    what = f"{faults.FAILING}: {about}"
    if turn["outcome"].startswith("failed"):
        certain = _stands_still(monitor, what, "", now=now)
        yield Finding(faults.FAILING, f"loop {about} {turn['outcome']}", about, is_certain=certain)
    else:
        monitor.watched.forget(what)


def _late_clocks(monitor: Monitor, connection: Connection, *, now: Instant) -> Iterator[Finding]:
    queue = kept.late_clocks(connection, before=now - _late(monitor))
    if queue is None:
        return monitor.watched.forget(faults.LATE)
    since = when(queue.oldest_at, at=now, zone=monitor.zone)
    detail = f"{_bounded(queue.number, 'clock')} should have been decided, the oldest at {since}"
    certain = _stands_still(monitor, faults.LATE, queue.head, now=now)
    yield Finding(faults.LATE, detail, is_certain=certain)


def _unassessed_cases(
    monitor: Monitor, connection: Connection, *, now: Instant
) -> Iterator[Finding]:
    queue = kept.unassessed_cases(connection)
    if queue is None:
        return monitor.watched.forget(faults.UNASSESSED)
    certain = _stands_still(monitor, faults.UNASSESSED, queue.head, now=now)
    detail = f"{_bounded(queue.number, 'case')} changed and not assessed"
    yield Finding(faults.UNASSESSED, detail, is_certain=certain)


def _bounded(number: int, noun: str) -> str:
    if number > kept.COUNTED:
        return f"more than {count(kept.COUNTED, noun)}"
    return count(number, noun)


# -- clocks without a next step ---------------------------------------------------------------


def _clocks_without_step(monitor: Monitor, connection: Connection) -> Iterator[Finding]:
    """Go on through the open clocks, and see what became of those found before.

    Only where the rulebook here is the active one: another would ask for other steps.
    """
    watched = monitor.watched
    rules = {
        name
        for name, duties in monitor.rulebook.duties.items()
        if any(duty.ladder and duty.rule.alerts is Alerts.ON for duty in duties)
    }
    if nodes.governing(connection).rulebook != monitor.rulebook.digest:
        return
    part = kept.open_clocks_without_action(
        connection,
        rules=rules,
        after=watched.upto,
        span=CLOCKS_AT_A_LOOK,
        limit=RECOMPUTED_AT_A_LOOK,
    )
    before = kept.still_without_action(connection, watched.unset, rules=rules)
    found = [each for each in (*before, *part.clocks) if _wants_step(monitor, each)]
    watched.unset = {each.id for each in found} - closed_among(connection, found)
    watched.upto, watched.was_round = part.upto, watched.was_round or not part.upto
    if watched.unset:
        detail = f"{count(len(watched.unset), 'open clock')} had no next step"
        yield Finding(faults.UNSET, detail)


def _wants_step(monitor: Monitor, each: KeptClock) -> bool:
    duty = monitor.rulebook.duty(each.clock.key.rule, each.clock.rule_version)
    return next_step_at(each.clock, agenda(each.clock, duty), each.steps_done) is not None


def _assess_again(connection: Connection, clock_ids: Iterable[int]) -> None:
    """Give the cases of some clocks a cause to be folded: that sets what is to happen next."""
    found = kept.cases_of(connection, clock_ids)
    cases.mark_dirty(connection, found)
    log.error("clocks_without_step", cases=len(found))


# -- mail, people, files, the seal ------------------------------------------------------------


def _mail(monitor: Monitor, connection: Connection, *, now: Instant) -> Iterator[Finding]:
    """While mail is held, or its server is at fault, that is the fault, and no mail is."""
    held = kept.held_since(connection)
    if held is not None and now - held > HELD_IS_LONG:
        since = when(held, at=now, zone=monitor.zone)
        yield Finding(faults.HELD, f"all mail is held since {since}")
    yield from _dead(connection, now=now)
    yield from _bouncing(connection)
    at_fault = relays.relay_faults(connection)
    unsent = int(monitor.settings.watch.unsent_minutes * MINUTE)
    for relay in at_fault:
        since = when(relay.since, at=now, zone=monitor.zone)
        certain = now - relay.since >= unsent
        detail = f"the {relay.relay} takes no mail since {since}: {relay.reason}"
        yield Finding(faults.RELAY, detail, relay.relay, is_certain=certain)
    if held is None and not at_fault:
        yield from _waiting_mail(monitor, connection, unsent, now=now)


def _waiting_mail(
    monitor: Monitor, connection: Connection, unsent: Duration, *, now: Instant
) -> Iterator[Finding]:
    late = now - _late(monitor)
    if mails := kept.mails_not_taken(connection, before=now - unsent):
        said = f": {mails.outcome}" if mails.outcome else ""
        waited = lasting(now - mails.oldest_at)
        detail = f"{_bounded(mails.number, 'mail')} not taken, the oldest for {waited}{said}"
        yield Finding(faults.NOT_TAKEN, detail)
    for kind, mails, how in (
        (faults.UNCLAIMED, kept.unclaimed_mails(connection, before=late), "that nobody sends"),
        (faults.NO_OUTCOME, kept.mails_without_outcome(connection, before=late), "in hand"),
    ):
        if mails is None:
            monitor.watched.forget(kind)
            continue
        since = when(mails.oldest_at, at=now, zone=monitor.zone)
        certain = _stands_still(monitor, kind, mails.head, now=now)
        detail = f"{_bounded(mails.number, 'mail')} {how}, the oldest due at {since}"
        yield Finding(kind, detail, is_certain=certain)


def _dead(connection: Connection, *, now: Instant) -> Iterator[Finding]:
    if mails := kept.dead_mails(connection, since=now - DEAD_IS_NEWS_FOR):
        said = f", the first because: {mails.outcome}" if mails.outcome else ""
        yield Finding(faults.DEAD, f"{_bounded(mails.number, 'mail')} given up{said}")


def _bouncing(connection: Connection) -> Iterator[Finding]:
    if roles := [row["role"] for row in mailbox.list_flags(connection)]:
        named = ", ".join(dict.fromkeys(role or "an unknown reader" for role in roles))
        yield Finding(
            faults.BOUNCING,
            f"mail bounces from {count(len(roles), 'address', 'addresses')}: {named}",
        )


def _people(connection: Connection, *, now: Instant) -> Iterator[Finding]:
    if number := kept.alerts_without_reader(connection, since=now - NOBODY_IS_NEWS_FOR):
        yield Finding(faults.NOBODY, f"{_bounded(number, 'alert')} of the last day found nobody")


def _files(monitor: Monitor, connection: Connection, *, now: Instant) -> Iterator[Finding]:
    for number, feed, rows in kept.files_being_read(connection):
        what = f"{faults.INTAKE}: {number}"
        certain = _stands_still(monitor, what, str(rows), now=now)
        detail = f"file {number} of feed {feed} is read to row {rows} and not further"
        yield Finding(faults.INTAKE, detail, str(number), is_certain=certain)


def _seal(monitor: Monitor, connection: Connection) -> Iterator[Finding]:
    """Go on along the chain; at its end from its beginning again."""
    watched = monitor.watched
    reached = kept.check_seal(connection, watched.sealed, limit=AUDIT_ROWS_AT_A_LOOK)
    if isinstance(reached, kept.Broken):
        watched.sealed = reached.before
        yield Finding(
            faults.SEAL, f"the audit log does not follow from itself at row {reached.row}"
        )
        return
    is_end = reached.place - watched.sealed.place < AUDIT_ROWS_AT_A_LOOK
    watched.sealed = kept.NOT_SEEN if is_end else reached
    watched.was_sealed = watched.was_sealed or is_end


def ending_calendars(monitor: Monitor, *, now: Instant) -> Iterator[Finding]:
    """Calendars in use whose holidays are known for less than half a year more."""
    day = monitor.today(now)
    used = {duty.rule.calendar for duties in monitor.rulebook.duties.values() for duty in duties}
    for name, calendar in monitor.rulebook.calendars.items():
        ends = calendar.covers_to
        if name in used and ends is not None and (ends - day).days < DAYS_OF_WARNING:
            yield Finding(
                faults.CALENDAR, f"calendar {name} ends on {ends}: load newer holidays", name
            )


def _missed_digests(monitor: Monitor, *, now: Instant) -> Iterator[Finding]:
    missed = missed_digest(monitor, now=now)
    if missed is not None and now - missed.since > _late(monitor):
        certain = _stands_still(monitor, faults.DIGEST, str(missed.week), now=now)
        since = when(missed.since, at=now, zone=monitor.zone)
        readers = count(missed.readers, "reader")
        detail = f"the digest of week {missed.week} was due at {since} and is owed to {readers}"
        yield Finding(faults.DIGEST, detail, is_certain=certain)
    else:
        monitor.watched.forget(faults.DIGEST)
