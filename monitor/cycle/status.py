"""What an operator and a supervisor should see at once: the service's health, and the caseload.

What comes in: an installation and now. What goes out: plain values, with what needs a person said
in words. It changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.cycle.lists import says, trusted_until
from monitor.ingest.files import waiting_files
from monitor.model import MINUTE, Duration, Instant, Verdict
from monitor.store import actions, alerts, clocks, intakes, outbox
from monitor.store.engine import reading

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

LOOP_IS_STUCK_AFTER: Final[Duration] = 5 * MINUTE
DAYS_OF_WARNING: Final = 183
"""A calendar's end is told half a year before."""


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
class ServiceStatus:
    """How the service itself is."""

    rulebook: str
    alerts_limit: str
    feeds: tuple[FeedStatus, ...]
    loops: tuple[LoopStatus, ...]
    rows_set_aside: int
    files_refused: int
    """Files that were set aside whole and neither taken in since nor dismissed."""
    files_passed_over: tuple[str, ...]
    """Files in drop folders whose names no feed takes."""
    cases_to_assess: int
    messages: dict[str, int]
    mail_held: bool
    next_action_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseloadStatus:
    """What the police have before them."""

    clocks: int
    by_verdict: dict[str, int]
    overdue_by_rule: dict[str, int]
    nobody_to_tell: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything on one screen."""

    at: Instant
    service: ServiceStatus
    caseload: CaseloadStatus
    service_faults: tuple[str, ...]
    """What the operator must see to."""
    caseload_notes: tuple[str, ...]
    """What a supervisor must see to."""


def read_status(monitor: Monitor, *, now: Instant) -> Status:
    """The state of the service and of the caseload at `now`."""
    service, caseload = _service(monitor, now=now), _caseload(monitor, now=now)
    return Status(
        at=now,
        service=service,
        caseload=caseload,
        service_faults=tuple(_service_faults(monitor, service, now=now)),
        caseload_notes=tuple(_caseload_notes(caseload)),
    )


def _service(monitor: Monitor, *, now: Instant) -> ServiceStatus:
    with reading(monitor.engine) as connection:
        return ServiceStatus(
            rulebook=monitor.rulebook.digest[:12],
            alerts_limit=monitor.settings.telling.alerts,
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
                for row in actions.list_turns(connection)
            ),
            rows_set_aside=intakes.count_quarantine(connection),
            files_refused=intakes.count_refused_files(connection),
            files_passed_over=tuple(_passed_over(monitor)),
            cases_to_assess=intakes.count_dirty(connection),
            messages=outbox.count_messages(connection),
            mail_held=outbox.mail_is_held(connection),
            next_action_at=clocks.next_action_at(connection),
        )


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
    with reading(monitor.engine) as connection:
        trusted = trusted_until(intakes.list_feeds(connection))
        stored = clocks.count_clocks(connection)["stored"]
        for kept in clocks.open_clocks(connection):
            verdict = says(kept, monitor.rulebook, trusted, at=now)
            verdicts[verdict] += 1
            if verdict is Verdict.OVERDUE:
                overdue[kept.clock.key.rule] += 1
        untold = alerts.count_untold(connection)
    return CaseloadStatus(
        clocks=stored,
        by_verdict={str(verdict): verdicts[verdict] for verdict in Verdict if verdicts[verdict]},
        overdue_by_rule=dict(overdue.most_common()),
        nobody_to_tell=untold,
    )


def _service_faults(monitor: Monitor, service: ServiceStatus, *, now: Instant) -> list[str]:
    faults = []
    if monitor.rulebook_fault:
        faults.append("the rules folder is refused and the last accepted rules run: monitor check")
    faults += [f"feed {feed.name} is red: {feed.red}" for feed in service.feeds if feed.red]
    faults += [f"feed {feed.name} is silent" for feed in service.feeds if feed.silent]
    faults += [
        f"loop {loop.loop} on {loop.node} {loop.outcome}"
        for loop in service.loops
        if loop.outcome.startswith("failed")
    ]
    faults += [
        f"loop {loop.loop} on {loop.node} has not turned for {(now - loop.turned_at) // MINUTE} min"
        for loop in service.loops
        if now - loop.turned_at > LOOP_IS_STUCK_AFTER
    ]
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
    if dead := service.messages.get("dead", 0):
        faults.append(f"{dead} mails could not be sent and will not be tried again")
    if retrying := service.messages.get("retrying", 0):
        faults.append(f"{retrying} mails wait to be tried again")
    if service.mail_held:
        faults.append("all mail is held: monitor mail release")
    return faults + _ending_calendars(monitor, now=now)


def _ending_calendars(monitor: Monitor, *, now: Instant) -> list[str]:
    """Calendars whose holidays are known for less than half a year more."""
    day = monitor.today(now)
    used = {duty.rule.calendar for duties in monitor.rulebook.duties.values() for duty in duties}
    return [
        f"calendar {name} ends on {calendar.covers_to}: load newer holidays"
        for name, calendar in monitor.rulebook.calendars.items()
        if name in used
        and calendar.covers_to is not None
        and (calendar.covers_to - day).days < DAYS_OF_WARNING
    ]


def _caseload_notes(caseload: CaseloadStatus) -> list[str]:
    notes = []
    if overdue := caseload.by_verdict.get(Verdict.OVERDUE, 0):
        notes.append(f"{overdue} duties are overdue")
    if unknown := caseload.by_verdict.get(Verdict.UNKNOWN, 0):
        notes.append(f"of {unknown} duties it is unknown whether they are in time")
    if caseload.nobody_to_tell:
        notes.append(f"{caseload.nobody_to_tell} alerts found nobody to be told to")
    return notes
