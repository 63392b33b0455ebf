"""Duty rosters: a file dropped like a feed says who holds a post at which hours.

What comes in: an installation with a roster folder, and now. What goes out: the roster in force,
kept as an action, so that every node tells the same people; or why a file was refused, and then the
last good one stays. The posts of `recipients.toml` stand wherever no stint is under way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.deliver.smtp import is_allowed
from monitor.escalate.duty import Stint, as_text, from_text, read_duty
from monitor.faults import Fault, FaultsFound
from monitor.ingest.files import FileChanged, file_digest, move_to_done, waiting_files
from monitor.logs import get_logger
from monitor.model import Action, Instant
from monitor.store import actions
from monitor.store.engine import Connection, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.escalate.roster import Roster

log = get_logger("rostering")

ROSTER, REFUSED = "roster", "roster refused"
ACCEPTED_AS, REFUSED_AS = "duty roster", "duty roster refused"
"""What the actions are about: by these the newest is found."""

LARGEST: Final = 5_000_000
"""Bytes: a longer file is no duty roster."""


def take_in_rosters(monitor: Monitor, *, now: Instant) -> int:
    """Take in every roster that waits, the oldest first; returns how many were accepted."""
    if not monitor.settings.people.roster_folder:
        return 0
    folder = monitor.settings.path(monitor.settings.people.roster_folder)
    try:
        waiting = waiting_files(folder, ["*.csv"])
    except FaultsFound as found:
        _refuse(monitor, str(found), now=now)
        return 0
    return sum(_take_in(monitor, path, now=now) for path in waiting)


def _take_in(monitor: Monitor, path: Path, *, now: Instant) -> bool:
    """One file, whole or not at all. Another node may take it first."""
    try:
        digest = file_digest(path)
        stints = _read(monitor, path)
    except FileNotFoundError:
        return False
    except FaultsFound as found:
        log.warning("roster_refused", faults=len(found.faults))
        _refuse(monitor, str(found), now=now)
        _put_away(path, monitor.settings.path("var/set-aside"), digest)
        return False
    _accept(monitor, stints, now=now)
    _put_away(path, monitor.settings.path(monitor.settings.paths.done), digest)
    log.info("roster_taken_in", stints=len(stints))
    return True


def _read(monitor: Monitor, path: Path) -> tuple[Stint, ...]:
    try:
        if path.stat().st_size > LARGEST:
            raise FaultsFound([Fault(file=path.name, expected="a duty roster is not so long")])
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise FaultsFound([Fault(file=path.name, expected="it is not UTF-8 text")]) from None
    allowed = monitor.settings.mail.allowed_domains
    return read_duty(
        text,
        file=path.name,
        roles=frozenset(monitor.roster.file.roles),
        zone=monitor.zone,
        may_be_told=lambda address: is_allowed(address.rpartition("@")[2].lower(), allowed),
    )


def _put_away(path: Path, folder: Path, digest: bytes) -> None:
    try:
        move_to_done(path, folder, digest)
    except (FileNotFoundError, FileChanged):
        log.warning("roster_not_moved")


def _accept(monitor: Monitor, stints: tuple[Stint, ...], *, now: Instant) -> None:
    _keep(monitor, ROSTER, ACCEPTED_AS, as_text(stints), now=now)


def _refuse(monitor: Monitor, why: str, *, now: Instant) -> None:
    _keep(monitor, REFUSED, REFUSED_AS, json.dumps({"why": why.partition("\n")[0]}), now=now)


def _keep(monitor: Monitor, kind: str, about: str, detail: str, *, now: Instant) -> None:
    """Keep it as an action, unless the newest of all says the same."""
    with writing(monitor.engine) as connection:
        newest = _newest(connection)
        if newest is None or (newest.kind, newest.detail) != (kind, detail):
            actions.record_action(
                connection,
                kind=kind,
                target=about,
                actor="system:rostering",
                now=now,
                detail=detail,
            )


def _newest(connection: Connection) -> Action | None:
    found = [actions.newest_about(connection, about) for about in (ACCEPTED_AS, REFUSED_AS)]
    return max((each for each in found if each is not None), default=None)


def with_duty(roster: Roster, connection: Connection) -> Roster:
    """A roster with the stints of the last duty roster that was accepted."""
    accepted = actions.newest_about(connection, ACCEPTED_AS)
    return roster if accepted is None else replace(roster, stints=_stints(accepted.detail))


@lru_cache(maxsize=4)
def _stints(detail: str) -> tuple[Stint, ...]:
    return from_text(detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterStatus:
    """Which duty roster is in force."""

    stints: int = 0
    until_at: Instant | None = None
    """When its last stint ends; None without one."""
    red: str = ""
    """Why the last file was refused."""


def roster_status(connection: Connection) -> RosterStatus:
    """The duty roster in force, and why a newer one is not."""
    accepted = actions.newest_about(connection, ACCEPTED_AS)
    newest = _newest(connection)
    stints = () if accepted is None else _stints(accepted.detail)
    red = ""
    if newest is not None and newest.kind == REFUSED:
        red = json.loads(newest.detail)["why"]
    return RosterStatus(
        stints=len(stints), until_at=max((each.until_at for each in stints), default=None), red=red
    )
