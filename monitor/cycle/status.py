"""What an operator and a supervisor should see at once: the service's health, and the caseload.

What comes in: an installation and now. What goes out: plain values, with what needs a person said
in words. It changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from monitor.cycle.asked import ClosedByHand, SilenceInForce, closed_by_hand, silences_in_force
from monitor.cycle.lists import says, trusted_until
from monitor.cycle.mailbox_status import MailboxStatus, mailbox_status
from monitor.cycle.registration import in_words
from monitor.cycle.rostering import RosterStatus, roster_status
from monitor.cycle.watch import ending_calendars, gone_nodes, nodes_seen, turns_that_matter
from monitor.escalate.watch import (
    BOUNCING,
    CALENDAR,
    DEAD,
    FAILING,
    HELD,
    LOOP,
    NODE,
    RELAY,
    kind_of,
    what_to_do,
)
from monitor.ingest.files import waiting_files
from monitor.model import MINUTE, SECOND, Duration, Instant, Verdict, WatchFault
from monitor.rulebook.approval import Kind, State
from monitor.store import alerts, clocks, intakes, nodes, outbox, relays, watch
from monitor.store.engine import (
    Connection,
    database_now,
    is_unusable,
    reading,
    why_unusable,
)
from monitor.store.identity import word_on_mail
from monitor.store.relays import RelayFault
from monitor.words import when

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from monitor.cycle.parts import Monitor

LOOP_IS_STUCK_AFTER: Final[Duration] = 5 * MINUTE
SEEN_LIVE: Final = frozenset({NODE, LOOP, FAILING, RELAY, HELD, DEAD, BOUNCING, CALENDAR})
"""Faults that the status sees by itself, as they are now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """What is known of one feed."""

    name: str
    last_heard_at: Instant | None
    silent: bool
    red: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopStatus:
    """When a loop last went round."""

    node: str
    loop: str
    turned_at: Instant
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """A daemon, as it last told of itself, by the database's time."""

    name: str
    started_at: Instant
    seen_at: Instant
    unseen_for: Duration
    rulebook: str
    schema: str
    ahead: Duration
    holds_back: str
    is_gone: bool = False
    """Neither it nor any loop of it was seen for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStatus:
    """Something that the watch on the watch found, and that stands."""

    kind: str
    detail: str
    do: str
    """What to do about it."""
    since_at: Instant
    told_at: Instant | None
    """When the operator was last told by mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """How the service itself is."""

    rulebook: str
    alerts_limit: str
    rules_approved: int = 0
    rules_on_trial: tuple[str, ...] = ()
    """Never approved: they measure, and nobody is told anything."""
    rules_edited: tuple[str, ...] = ()
    """Rules, and ladders as `ladder/ID`, that were edited and run on as they were approved."""
    feeds: tuple[FeedStatus, ...]
    loops: tuple[LoopStatus, ...]
    nodes: tuple[NodeStatus, ...] = ()
    watch: tuple[FaultStatus, ...] = ()
    rows_set_aside: int
    files_refused: int
    """Files that were set aside whole and neither taken in since nor dismissed."""
    files_passed_over: tuple[str, ...]
    """Files in drop folders whose names no feed takes."""
    cases_to_assess: int
    messages: dict[str, int]
    mail_held: bool
    held_because: str = ""
    """Why the monitor held mail itself: a code of `registration`; empty where a person did."""
    relays_at_fault: tuple[RelayFault, ...] = ()
    """Mail servers that take no mail at present; everything that goes by them waits."""
    next_action_at: Instant | None
    mailbox: MailboxStatus = field(default_factory=MailboxStatus)
    """Mail that comes back."""
    roster: RosterStatus = field(default_factory=RosterStatus)
    """The duty roster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseloadStatus:
    """What the police have before them."""

    clocks: int
    by_verdict: dict[str, int]
    overdue_by_rule: dict[str, int]
    nobody_to_tell: int
    restricted_open: int = 0
    """Duties of restricted cases: they are in no other count here."""
    restricted_overdue: int = 0
    silences: tuple[SilenceInForce, ...] = ()
    """Of what nobody is told at present, and until when."""
    closed_by_hand: tuple[ClosedByHand, ...] = ()
    """Overdue, and nobody is told of it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything on one screen."""

    at: Instant
    service: ServiceStatus | None
    """None where it was not asked for, or could not be read."""
    caseload: CaseloadStatus | None
    """The same."""
    service_faults: tuple[str, ...]
    """What the operator must see to."""
    caseload_notes: tuple[str, ...]
    """What a supervisor must see to."""


def read_status(monitor: Monitor, *, now: Instant, only: str | None = None) -> Status:
    """The state of the service and of the caseload at `now`, or `only` one of them.

    What cannot be read because the database cannot be used is said as a fault: the rest stands.
    """
    service = caseload = None
    faults: list[str] = []
    try:
        service = _service(monitor, now=now)
        faults += _service_faults(monitor, service, now=now)
        caseload = None if only == "service" else _caseload(monitor, now=now)
    except Exception as error:
        if not is_unusable(error):
            raise
        faults.insert(0, f"the database cannot be used: {why_unusable(error)}. This is not all")
    notes = [] if caseload is None else _caseload_notes(caseload)
    if service is not None:
        notes += service.mailbox.notes()
    return Status(
        at=now,
        service=None if only == "caseload" else service,
        caseload=caseload,
        service_faults=tuple(faults),
        caseload_notes=tuple(notes),
    )


def nothing_known(why: str, *, now: Instant) -> Status:
    """The status of an installation whose database cannot be used at all."""
    fault = f"the database cannot be used: {why}. Nothing else can be said"
    return Status(at=now, service=None, caseload=None, service_faults=(fault,), caseload_notes=())


def _service(monitor: Monitor, *, now: Instant) -> ServiceStatus:
    with reading(monitor.engine) as connection:
        turns = turns_that_matter(monitor, connection)
        return ServiceStatus(
            rulebook=monitor.rulebook.digest[:12],
            alerts_limit=monitor.settings.telling.alerts,
            **_approvals(monitor),
            feeds=tuple(
                FeedStatus(
                    name=row["name"],
                    last_heard_at=row["last_heard_at"],
                    silent=row["trusted_until"] is not None and now > row["trusted_until"],
                    red=row["red"],
                )
                for row in intakes.list_feeds(connection)
            ),
            loops=tuple(
                LoopStatus(
                    node=row["node"],
                    loop=row["loop"],
                    turned_at=row["turned_at"],
                    outcome=row["outcome"],
                )
                for row in turns
            ),
            nodes=tuple(_nodes(connection, nodes_seen(connection, turns), now=now)),
            watch=tuple(map(_standing, watch.open_faults(connection))),
            rows_set_aside=intakes.count_quarantine(connection),
            files_refused=intakes.count_refused_files(connection),
            files_passed_over=tuple(_passed_over(monitor)),
            cases_to_assess=intakes.count_dirty(connection),
            messages=outbox.count_messages(connection),
            mail_held=outbox.mail_is_held(connection),
            held_because=word_on_mail(connection).reason_code,
            relays_at_fault=tuple(relays.relay_faults(connection)),
            next_action_at=clocks.next_action_at(connection),
            mailbox=mailbox_status(monitor, connection, now=now),
            roster=roster_status(connection),
        )


def _approvals(monitor: Monitor) -> dict[str, Any]:
    rules = [each for each in monitor.standings if each.kind is Kind.RULE]
    edited = [each for each in monitor.standings if each.state is State.EDITED]
    return {
        "rules_approved": sum(each.approval is not None for each in rules),
        "rules_on_trial": tuple(each.id for each in rules if each.state is State.TRIAL),
        "rules_edited": tuple(
            each.id if each.kind is Kind.RULE else f"ladder/{each.id}" for each in edited
        ),
    }


def _approval_faults(service: ServiceStatus) -> Iterator[str]:
    """Single rules may be on trial for weeks: that is no fault."""
    if service.rules_on_trial and not service.rules_approved:
        yield "no rule is approved, so nobody is told anything: monitor rules list"
    if edited := ", ".join(service.rules_edited):
        yield f"edited, and running on as approved before: {edited}; see monitor rules diff"


def _standing(fault: WatchFault) -> FaultStatus:
    return FaultStatus(
        kind=kind_of(fault),
        detail=fault.detail,
        do=what_to_do(fault),
        since_at=fault.since,
        told_at=fault.told_at,
    )


def _nodes(
    connection: Connection, seen: Mapping[str, Instant], *, now: Instant
) -> Iterator[NodeStatus]:
    at = database_now(connection)
    for row in nodes.list_nodes(connection):
        yield NodeStatus(
            name=row["name"],
            started_at=row["started_at"],
            seen_at=row["seen_at"],
            unseen_for=max(0, at - row["seen_at"]),
            rulebook=row["rulebook"][:12],
            schema=row["schema"],
            ahead=row["ahead"],
            holds_back=row["holds_back"],
            is_gone=now - seen[row["name"]] > LOOP_IS_STUCK_AFTER,
        )


def _nodes_and_loops(service: ServiceStatus, zone: ZoneInfo, *, now: Instant) -> Iterator[str]:
    """What is seen of them now; the watch may itself stand still."""
    seen = {node.name: node.seen_at for node in service.nodes}
    for loop in service.loops:
        seen[loop.node] = max(loop.turned_at, seen.get(loop.node, loop.turned_at))
    for name, at in gone_nodes(seen, silent_for=LOOP_IS_STUCK_AFTER, now=now):
        since = when(at, at=now, zone=zone)
        yield f"node {name} is gone or stopped: it was last seen at {since}"
    for loop in service.loops:
        if now - seen[loop.node] <= LOOP_IS_STUCK_AFTER:
            yield from _loop_faults(loop, now=now)
    for node in service.nodes:
        if node.holds_back and not node.is_gone:
            off = f" ({abs(node.ahead) / SECOND:.0f} s off)" if abs(node.ahead) > SECOND else ""
            yield f"node {node.name} holds back: {node.holds_back}{off}"


def _loop_faults(loop: LoopStatus, *, now: Instant) -> Iterator[str]:
    if loop.outcome.startswith(("failed", "not reached")):
        yield f"loop {loop.loop} on {loop.node} {loop.outcome}"
    if now - loop.turned_at > LOOP_IS_STUCK_AFTER:
        minutes = (now - loop.turned_at) // MINUTE
        yield f"loop {loop.loop} on {loop.node} has not turned for {minutes} min"


def _passed_over(monitor: Monitor) -> Iterator[str]:
    """Files with their final names that lie in a drop folder and fit no feed's pattern."""
    by_folder: dict[str, list[str]] = {}
    for feed in monitor.feeds.values():
        by_folder.setdefault(feed.folder, []).extend(feed.patterns)
    for folder, patterns in by_folder.items():
        place = monitor.settings.path(folder)
        if place.is_dir():
            taken = set(waiting_files(place, patterns))
            yield from (
                f"{folder}/{path.name}" for path in waiting_files(place, ["*"]) if path not in taken
            )


def _caseload(monitor: Monitor, *, now: Instant) -> CaseloadStatus:
    verdicts: Counter[str] = Counter()
    overdue: Counter[str] = Counter()
    restricted: Counter[str] = Counter()
    with reading(monitor.engine) as connection:
        trusted = trusted_until(intakes.list_feeds(connection))
        stored = clocks.count_clocks(connection)["stored"]
        for kept in clocks.open_clocks(connection):
            verdict = says(kept, monitor.rulebook, trusted, at=now)
            if kept.clock.restricted:
                restricted[verdict] += 1
                continue
            verdicts[verdict] += 1
            if verdict is Verdict.OVERDUE:
                overdue[kept.clock.key.rule] += 1
        untold = alerts.count_untold(connection)
        silences = tuple(silences_in_force(monitor, connection, now=now))
        closed = tuple(closed_by_hand(monitor, connection, now=now))
    return CaseloadStatus(
        clocks=stored,
        by_verdict={str(verdict): verdicts[verdict] for verdict in Verdict if verdicts[verdict]},
        overdue_by_rule=dict(overdue.most_common()),
        nobody_to_tell=untold,
        restricted_open=restricted.total(),
        restricted_overdue=restricted[Verdict.OVERDUE],
        silences=silences,
        closed_by_hand=closed,
    )


def _roster_faults(roster: RosterStatus, *, now: Instant) -> Iterator[str]:
    if roster.red:
        yield f"the last duty roster was refused, the one before stands: {roster.red}"
    if roster.until_at is not None and roster.until_at <= now:
        yield "the duty roster has ended, and the standing posts are told: drop a newer one"


def _service_faults(monitor: Monitor, service: ServiceStatus, *, now: Instant) -> list[str]:
    faults = list(_roster_faults(service.roster, now=now))
    if monitor.rulebook_fault:
        faults.append("the rules folder is refused and the last accepted rules run: monitor check")
    faults += _approval_faults(service)
    faults += [f"feed {feed.name} is red: {feed.red}" for feed in service.feeds if feed.red]
    faults += [
        f"the drop folder of feed {feed.name} is not there: create {feed.folder}"
        for feed in monitor.feeds.values()
        if not monitor.settings.path(feed.folder).is_dir()
    ]
    faults += [f"feed {feed.name} is silent" for feed in service.feeds if feed.silent]
    faults += [
        f"{fault.detail}; {fault.do}" for fault in service.watch if fault.kind not in SEEN_LIVE
    ]
    faults += _nodes_and_loops(service, monitor.zone, now=now)
    if service.rows_set_aside:
        faults.append(f"{service.rows_set_aside} rows are set aside: monitor quarantine list")
    if service.files_refused:
        faults.append(
            f"{service.files_refused} files were set aside whole: see monitor intake list;"
            " drop them mended, or dismiss one by monitor intake undo"
        )
    faults += [
        f"{name} fits no feed's pattern and is not read" for name in service.files_passed_over
    ]
    faults += [_relay_fault(monitor, fault, now=now) for fault in service.relays_at_fault]
    if dead := service.messages.get("dead", 0):
        faults.append(f"{dead} mails could not be sent and will not be tried again")
    if retrying := service.messages.get("retrying", 0):
        faults.append(f"{retrying} mails wait to be tried again")
    if service.mail_held:
        why = f" ({in_words(service.held_because)})" if service.held_because else ""
        faults.append(f"all mail is held{why}: monitor mail release")
    faults += service.mailbox.faults()
    return faults + [finding.detail for finding in ending_calendars(monitor, now=now)]


def _relay_fault(monitor: Monitor, fault: RelayFault, *, now: Instant) -> str:
    since, again = (when(at, at=now, zone=monitor.zone) for at in (fault.since, fault.wait_until))
    return (
        f"no mail goes out by the {fault.relay} since {since}: {fault.reason};"
        f" tried again at {again}, or sooner after monitor mail release"
    )


def _caseload_notes(caseload: CaseloadStatus) -> list[str]:
    notes = []
    if overdue := caseload.by_verdict.get(Verdict.OVERDUE, 0):
        notes.append(f"{overdue} duties are overdue")
    if caseload.restricted_overdue:
        notes.append(
            f"{caseload.restricted_overdue} duties of restricted cases are overdue: their own posts"
            " know which"
        )
    if unknown := caseload.by_verdict.get(Verdict.UNKNOWN, 0):
        notes.append(f"of {unknown} duties it is unknown whether they are in time")
    if caseload.nobody_to_tell:
        notes.append(f"{caseload.nobody_to_tell} alerts found nobody to be told to")
    return notes
