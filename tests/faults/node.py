"""`monitor run`, watched: `python -m tests.faults.node FOLDER` in an installation.

What comes in: the folder of a run, with the numbers that are shared, and orders in the environment.
What goes out: the real daemon, which does not know. Made up are the time, which is the machine's
and an offset, and how long an idle loop waits before it looks again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import monitor.cli
import monitor.cycle.delivery
import monitor.cycle.intake
import monitor.cycle.sweep
import monitor.daemon
import monitor.wiring
from monitor.cli import doors
from monitor.model import Instant
from monitor.store import cases, clocks, engine
from tests.faults import steps
from tests.faults.plants import PLANTS
from tests.faults.shared import LOOPS, Shared

LOOK_AGAIN_SECONDS = 0.1


def run(folder: Path) -> None:
    """Be the node that the environment names, until the daemon ends."""
    node = os.environ["MONITOR_SERVICE_NODE"]
    ordered = json.loads(os.environ.get("FAULTS_ORDERS", "{}"))
    shared = Shared(folder / "shared")
    shared.forget_turns(node)
    _make_up_time(shared)
    _count_turns(shared, node)
    if meeting := ordered.pop("meet", ""):
        _meet_at(meeting, shared, node)
    plant = ordered.pop("plant", "")
    trace = steps.Trace(str(folder), node, steps.Orders(**ordered))
    planted = PLANTS[plant](trace) if plant else None
    steps.watch_files(trace)
    steps.watch_reading(trace)
    steps.watch_mail(trace, before_send=planted or (lambda _content: None))
    steps.watch_commits(trace)
    trace.step("the process began")
    sys.argv[1:] = ["run"]
    monitor.cli.main()


def _make_up_time(shared: Shared) -> None:
    """The machine's time and the database's are ahead by the same; neither runs faster."""
    database_now = engine.database_now
    steps.replace_everywhere(monitor.daemon.system_now, shared.now)
    steps.replace_everywhere(doors.system_now, shared.now)

    def made_up_now(*given: Any) -> Instant:
        return database_now(*given) + shared.ahead

    steps.replace_everywhere(database_now, made_up_now)
    for name in ("SAFETY_POLL_SECONDS", "PAUSE_AFTER_FAILURE_SECONDS"):
        assert hasattr(monitor.daemon, name), name
        setattr(monitor.daemon, name, LOOK_AGAIN_SECONDS)


def _count_turns(shared: Shared, node: str) -> None:
    """A daemon is known to have nothing to do when every loop has looked and gone round."""
    made = monitor.daemon.Daemon.__init__

    def make(self: Any, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        counted = [loop for loop in self.loops if loop.name in LOOPS]
        assert [loop.name for loop in counted] == list(LOOPS)
        for loop in counted:
            loop.turn = _counted(loop.turn, loop.name, shared, node)

    monitor.daemon.Daemon.__init__ = make  # type: ignore[method-assign]


def _counted(turn: Any, loop: str, shared: Shared, node: str) -> Any:
    async def counted(now: int) -> Any:
        shared.turn_began(node, loop)
        try:
            return await turn(now)
        finally:
            shared.turn_ended(node, loop)

    return counted


def _case(_number: int, references: Collection[str]) -> int:
    """Cases are taken in order, so their numbers say how far a node has come."""
    return max((int(reference[-6:]) for reference in references), default=0)


MEETINGS: dict[str, tuple[Any, str, Callable[..., int] | None]] = {
    "fold": (cases, "lock_cases", _case),
    "decide": (clocks, "due_clocks", None),
}
"""Where two nodes may be made to meet, each inside a transaction that begins its work: at a place
of the work, or (None) whenever both are there."""

PATIENCE_SECONDS = 0.4
MISSES_AT_MOST = 60
"""Whoever waited in vain so often in a row has nobody to wait for."""


def _meet_at(where: str, shared: Shared, node: str) -> None:
    room, name, place_of = MEETINGS[where]
    original = getattr(room, name)
    missed = number = 0

    def wait_first(connection: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal missed, number
        number += 1
        if missed < MISSES_AT_MOST:
            # Not for long: the other may stand behind a lock that is held here.
            if place_of is None:
                came = shared.meet_now(node, patience_seconds=PATIENCE_SECONDS)
            else:
                place = place_of(number, *arguments)
                came = shared.meet(node, place, patience_seconds=PATIENCE_SECONDS)
            missed = 0 if came else missed + 1
            number -= not came
        return original(connection, *arguments, **named)

    steps.replace_everywhere(original, wait_first)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
