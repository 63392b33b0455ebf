"""What holds a node back: other rules than those in force, an older program, a wrong time.

What comes in: an installation, and a connection. What goes out: why this node may not decide, or
may not claim anything, in words for the operator; '' where nothing holds it back. It changes
nothing: a stage asks, and does what it still may.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from monitor.model import SECOND, Duration, Instant
from monitor.store import nodes
from monitor.store.engine import Connection, database_now, reading

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.settings import Settings

ASKED_AGAIN: Final = 3
"""How often the time is compared where the answers take long."""

SHOWN: Final = 12
"""Characters of a digest that people are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a node sees when it looks around."""

    governing: nodes.Governing
    ahead: Duration
    """By how much its time is ahead of the database's; negative where it is behind."""
    not_deciding: str
    """Why it neither assesses nor escalates."""
    not_claiming: str
    """Why it takes on no work at all."""

    @property
    def holds_back(self) -> str:
        """Everything that holds it back."""
        return "; ".join(filter(None, (self.not_claiming, self.not_deciding)))


def not_deciding(monitor: Monitor, connection: Connection) -> str:
    """Why this node may not assess or escalate in this transaction; '' where it may.

    The answer stays true until the transaction ends. To be asked before any row is locked.
    """
    return _differs(monitor, nodes.hold_still(connection))


def holds_back(monitor: Monitor) -> str:
    """The same as of now, for what is not stored with a decision."""
    with reading(monitor.engine) as connection:
        return _differs(monitor, nodes.governing(connection))


def look_around(monitor: Monitor, *, system_now: Callable[[], Instant]) -> Look:
    """What governs, and whether this node may work, as of now.

    `system_now`: this machine's own time, not that of a demonstration.
    """
    with reading(monitor.engine) as connection:
        governing = nodes.governing(connection)
        ahead, is_off = compare_time(monitor.settings, connection, system_now)
    return Look(
        governing=governing,
        ahead=ahead,
        not_deciding=_differs(monitor, governing),
        not_claiming=is_off,
    )


def _differs(monitor: Monitor, governing: nodes.Governing) -> str:
    if governing.schema != monitor.schema:
        return older_program(monitor.schema, governing.schema)
    if monitor.behind:
        return monitor.behind
    if governing.rulebook != monitor.rulebook.digest:
        return other_rules(monitor.rulebook.digest, governing.rulebook)
    return ""


def older_program(own: str, applied: str) -> str:
    """That a database was migrated by a newer program, and what to do."""
    return (
        f"its program knows the database's schema up to {own} and the database is at {applied}:"
        " install the newer version"
    )


def other_rules(own: str, active: str) -> str:
    """That a node's rulebook is not the active one, and what to do."""
    active = f"{active[:SHOWN]} is" if active else "none is"
    return (
        f"its rulebook {own[:SHOWN]} is not the one in force, {active}:"
        " give it the same rules, or put its own in force by monitor rules activate"
    )


def compare_time(
    settings: Settings, connection: Connection, system_now: Callable[[], Instant]
) -> tuple[Duration, str]:
    """(by how much this machine's time is ahead of the database's, why that is too far or '').

    Only what is sure counts: the answer took a while, and half of that may be on either way.
    """
    most = settings.service.max_skew_seconds * SECOND
    asked: list[tuple[Duration, Duration]] = []
    while len(asked) < ASKED_AGAIN:
        ahead, doubt = _compared(connection, system_now)
        if abs(ahead) + doubt <= most:
            return ahead, ""
        asked.append((doubt, ahead))
    doubt, ahead = min(asked)
    if abs(ahead) - doubt <= most:
        return ahead, ""
    how = "ahead of" if ahead > 0 else "behind"
    return ahead, f"its time is {how} the database's: set the machine's time right"


def _compared(
    connection: Connection, system_now: Callable[[], Instant]
) -> tuple[Duration, Duration]:
    """(ahead by how much, give or take how much)."""
    before = system_now()
    at = database_now(connection)
    after = system_now()
    return (before + after) // 2 - at, abs(after - before) // 2
