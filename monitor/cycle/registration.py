"""Registration: an installation knows its database again, or holds all mail.

What comes in: an installation and now. What goes out: the private file in which it remembers the
database that it works with, and a hold on all mail where it is now given another one, or one that
was put back to an earlier state: what was sent since would be sent once more. A person releases it.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.faults import Fault
from monitor.logs import get_logger
from monitor.model import HOUR, Duration, Instant
from monitor.store.engine import Connection, Engine, database_now, reading, writing
from monitor.store.identity import (
    Standing,
    hold_mail,
    identify,
    other_node_seen,
    standing,
    word_on_mail,
)

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.settings import Settings

log = get_logger("registration")

FILE: Final = "var/registered.json"
"""What an installation remembers, readable by its owner alone."""

VOUCHES_FOR: Final[Duration] = 6 * HOUR
"""A daemon that was seen so lately vouches for a database that it shares with a new one."""

RESTORED, OTHER, BEHIND, UNKNOWN = "restored", "other database", "behind", "unregistered"

IN_WORDS: Final = {
    RESTORED: "the database was restored from a copy",
    OTHER: "this is not the database that this installation worked with before",
    BEHIND: "the database is behind what this installation saw of it: an older state was put back",
    UNKNOWN: "mails were made in this database, and this installation never worked with it",
}


class Registered(NamedTuple):
    """What an installation remembers of its database."""

    identity: str
    last_number: int
    seen_at: Instant


def register(monitor: Monitor, *, now: Instant) -> str:
    """Remember the database, or hold all mail where it cannot be trusted; returns why, or ''.

    Asked at every start and every round of upkeep: a database can be put back under a daemon.
    """
    file = monitor.settings.path(FILE)
    # What is remembered is read first: of a sound database it can only be less than what is so.
    known = _remembered(file)
    with reading(monitor.engine) as connection:
        found = standing(connection)
        why = _why_not(connection, known, found, node=monitor.node, now=now)
    if why:
        _hold(monitor, why, now=now)
        return why
    if not found.identity:
        with writing(monitor.engine) as connection:
            found = found._replace(identity=identify(connection))
    _remember(file, found, known, now=now)
    return ""


def release(settings: Settings, engine: Engine, *, now: Instant) -> None:
    """A person has released all mail: this database is the right one, as it stands."""
    with writing(engine) as connection:
        identify(connection)
        found = standing(connection)
    _write(settings.path(FILE), Registered(found.identity, found.last_number, now))


def registration_faults(settings: Settings, engine: Engine, *, node: str) -> list[Fault]:
    """What `monitor check` says: why mail is held, or would be at the next start."""
    known = _remembered(settings.path(FILE))
    with reading(engine) as connection:
        word = word_on_mail(connection)
        found, now = standing(connection), database_now(connection)
        why = word.reason_code if word.is_held else ""
        why = why or _why_not(connection, known, found, node=node, now=now)
    if not why:
        return []
    mend = "see docs/backup-and-restore.md, then type `monitor mail release`"
    expected = f"all mail is held: {in_words(why)}"
    return [Fault(file="database", expected=expected, mend=mend)]


def in_words(reason_code: str) -> str:
    """Why mail is held, as people read it."""
    return IN_WORDS.get(reason_code, reason_code)


# -- judging ----------------------------------------------------------------------------------


def _why_not(
    connection: Connection, known: Registered | None, found: Standing, *, node: str, now: Instant
) -> str:
    """Why a database is not simply gone on with; '' where it is.

    One that has no identity was never worked with: there is nothing to be repeated, unless this
    installation remembers another.
    """
    if known is None:
        if not found.identity or not found.has_mails:
            return ""
        return "" if _is_vouched_for(connection, node=node, now=now) else UNKNOWN
    if found.identity == known.identity and found.last_number >= known.last_number:
        return ""
    if _was_released_since(connection, known.seen_at):
        return ""
    return BEHIND if found.identity == known.identity else OTHER


def _is_vouched_for(connection: Connection, *, node: str, now: Instant) -> bool:
    """Whether others work with a shared database: a new node must not silence all of them.

    An SQLite file has nobody else who could.
    """
    if connection.dialect.name != "postgresql":
        return False
    return other_node_seen(connection, node, within=VOUCHES_FOR) or _was_released_since(
        connection, now - VOUCHES_FOR
    )


def _was_released_since(connection: Connection, instant: Instant) -> bool:
    """Whether a person looked at a database after that, at another node perhaps."""
    word = word_on_mail(connection)
    return not word.is_held and word.said_at is not None and word.said_at > instant


def _hold(monitor: Monitor, why: str, *, now: Instant) -> None:
    with writing(monitor.engine) as connection:
        word = word_on_mail(connection)
        if word.is_held and word.reason_code:
            return
        hold_mail(connection, reason_code=why, actor="system:registration", now=now)
    log.error("mail_held", why=in_words(why), release="monitor mail release")


# -- remembering ------------------------------------------------------------------------------


def _remembered(file: Path) -> Registered | None:
    """What a file says; None where there is none that can be read."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        return Registered(str(read["identity"]), int(read["last_number"]), int(read["seen_at"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("registration_unreadable", why=type(error).__name__)
        return None


def _remember(file: Path, found: Standing, known: Registered | None, *, now: Instant) -> None:
    """A folder that cannot be written ends no service: the database is then known by less."""
    is_known = known is not None and known[:2] == (found.identity, found.last_number)
    if is_known:
        return
    try:
        _write(file, Registered(found.identity, found.last_number, now))
    except OSError as error:
        log.warning("registration_not_written", why=error.strerror)


def _write(file: Path, registered: Registered) -> None:
    """Whole or not at all, whatever happens meanwhile."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=file.parent, prefix=".registered-")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as written:
            json.dump(registered._asdict(), written)
            written.flush()
            os.fsync(written.fileno())
        Path(name).replace(file)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
