"""The daemon: three loops that turn by themselves, woken by what is due.

What comes in: an installation. What goes out: turns of intake, sweep, delivery and upkeep until it is
asked to stop. It decides nothing: what is due is asked of the data at every turn, so a late or
doubled tick is harmless. This and the command line are the only places that ask what time it is.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.cycle.delivery import deliver, next_delivery_at
from monitor.cycle.intake import assess_dirty, take_in_waiting
from monitor.cycle.parts import Monitor
from monitor.cycle.sweep import next_sweep_at, sweep
from monitor.cycle.upkeep import keep_up
from monitor.logs import get_logger
from monitor.model import SECOND, Duration, Instant
from monitor.store import actions, outbox
from monitor.store.engine import writing

log = get_logger("daemon")

SAFETY_POLL_SECONDS: Final = 30
"""How often a loop looks although nothing woke it."""

FAILURES_IN_A_ROW: Final = 10
"""After so many the process ends, and the supervisor starts it anew."""

PAUSE_AFTER_FAILURE_SECONDS: Final = 5


def system_now() -> Instant:
    """What time it is, in microseconds UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How the monitor's time runs: as the system's, or for a demonstration faster until it has
    caught up with the present."""

    began_at: Instant = 0
    """System time at which it began."""
    back: Duration = 0
    """How far before the present it began."""
    speed: float = 1
    """How much faster than real time it runs until it has caught up."""

    @classmethod
    def catching_up(cls, began_at: Instant, *, back: Duration, seconds: float) -> Self:
        """A pace that begins so far back and is in the present after so many seconds."""
        return cls(began_at, back, (back / SECOND + seconds) / seconds)

    def now(self) -> Instant:
        """The instant that a pass works with."""
        present = system_now()
        fast = self.began_at - self.back + int((present - self.began_at) * self.speed)
        return min(present, fast) if self.back else present

    def is_real_time(self) -> bool:
        """Whether it has caught up."""
        present = system_now()
        return not self.back or (present - self.began_at) * (self.speed - 1) >= self.back

    def seconds_until(self, instant: Instant) -> float:
        """How long to wait for an instant, in real seconds; 0 where it has come."""
        speed = 1 if self.is_real_time() else self.speed
        return max(0.0, (instant - self.now()) / speed / SECOND)


@dataclass
class Loop:
    """One stage, turned again and again."""

    name: str
    turn: Callable[[Instant], Awaitable[str]]
    """Does the work for one instant and says in a word how it went."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0


class Daemon:
    """The loops of one process."""

    def __init__(
        self, monitor: Monitor, *, pace: Pace, reload: Callable[[Instant], Monitor] | None = None
    ) -> None:
        """Prepare; `reload` makes an installation anew from its files, at SIGHUP."""
        self.monitor = monitor
        self.pace = pace
        self._reload = reload
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._stop = asyncio.Event()
        self._failed = False
        self.intake = Loop("intake", self._take_in)
        self.sweep = Loop("sweep", self._sweep)
        self.delivery = Loop("delivery", self._deliver)
        self.upkeep = Loop("upkeep", self._keep_up)
        self.loops = (self.intake, self.sweep, self.delivery, self.upkeep)

    async def run(self) -> int:
        """Turn until a signal asks to stop; returns the exit status."""
        self._listen()
        self._start_ticking()
        with writing(self.monitor.engine) as connection:
            outbox.release_leases(connection, self.monitor.node)
        log.info("daemon_started", node=self.monitor.node, rules=self.monitor.rulebook.digest[:12])
        notify_supervisor("READY=1")
        try:
            await asyncio.gather(*(self._keep_turning(loop) for loop in self.loops))
        finally:
            self._scheduler.shutdown(wait=False)
            await self.monitor.post.close()
        log.info("daemon_stopped")
        return 1 if self._failed else 0

    def stop(self) -> None:
        """Finish what is in hand, then end."""
        notify_supervisor("STOPPING=1")
        self._stop.set()
        self.monitor.stopping.set()
        for loop in self.loops:
            loop.wake.set()

    # -- ticking ------------------------------------------------------------------------------

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        if self._reload is not None:
            loop.add_signal_handler(signal.SIGHUP, self._schedule_reload)

    def _start_ticking(self) -> None:
        """A tick only wakes a loop: a lost or doubled one changes nothing but when it looks."""
        settings = self.monitor.settings
        periods = (
            (self.intake, settings.intake.poll_seconds),
            (self.sweep, SAFETY_POLL_SECONDS),
            (self.delivery, settings.telling.poll_seconds),
            (self.upkeep, SAFETY_POLL_SECONDS),
        )
        for loop, seconds in periods:
            self._scheduler.add_job(
                loop.wake.set, "interval", seconds=seconds, id=f"poll {loop.name}", **_NEVER_LOST
            )
            loop.wake.set()
        self._scheduler.start()

    def _wake_at(self, loop: Loop, instant: Instant | None) -> None:
        """Wake a loop when the next thing is due, in place of any earlier appointment."""
        if instant is None or self._stop.is_set():
            return
        wait = timedelta(seconds=min(self.pace.seconds_until(instant), SAFETY_POLL_SECONDS))
        self._scheduler.add_job(
            loop.wake.set,
            "date",
            run_date=datetime.now(UTC) + wait,
            id=f"due {loop.name}",
            replace_existing=True,
            **_NEVER_LOST,
        )

    async def _keep_turning(self, loop: Loop) -> None:
        while True:
            await loop.wake.wait()
            if self._stop.is_set():
                return
            loop.wake.clear()
            await self._turn(loop)

    async def _turn(self, loop: Loop) -> None:
        """One turn, whatever comes of it; many failures in a row end the process."""
        now = self.pace.now()
        try:
            outcome = await loop.turn(now)
            loop.failures = 0
        except Exception as error:  # noqa: BLE001 - logged, shown in status, and ends us if it stays
            loop.failures += 1
            outcome = f"failed: {type(error).__name__}"
            log.exception("turn_failed", loop=loop.name, in_a_row=loop.failures)
            await self._pause_or_end(loop)
        await asyncio.to_thread(self._record_turn, loop, outcome, now)
        if not any(each.failures for each in self.loops):
            notify_supervisor("WATCHDOG=1")

    async def _pause_or_end(self, loop: Loop) -> None:
        if loop.failures >= FAILURES_IN_A_ROW:
            self._failed = True
            self.stop()
            return
        await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS)
        loop.wake.set()

    def _record_turn(self, loop: Loop, outcome: str, now: Instant) -> None:
        try:
            with writing(self.monitor.engine) as connection:
                actions.record_turn(
                    connection, node=self.monitor.node, loop=loop.name, outcome=outcome, now=now
                )
        except Exception:  # noqa: BLE001 - a database that is away is told by the turns themselves
            log.exception("turn_not_recorded", loop=loop.name)

    # -- turns --------------------------------------------------------------------------------

    async def _take_in(self, now: Instant) -> str:
        taken = await asyncio.to_thread(take_in_waiting, self.monitor, now=now)
        folded = await asyncio.to_thread(assess_dirty, self.monitor, now=now)
        if taken or folded:
            self.sweep.wake.set()
        return f"{len(taken)} files"

    async def _sweep(self, now: Instant) -> str:
        swept = await asyncio.to_thread(sweep, self.monitor, now=now)
        self._wake_at(self.sweep, await asyncio.to_thread(next_sweep_at, self.monitor))
        if swept.alerts:
            self.delivery.wake.set()
        return f"{swept.clocks} clocks, {swept.alerts} alerts"

    async def _deliver(self, now: Instant) -> str:
        delivered = await deliver(self.monitor, now=now)
        self._wake_at(self.delivery, await asyncio.to_thread(next_delivery_at, self.monitor))
        return "held" if delivered.held else f"{delivered.sent} sent, {delivered.retried} retried"

    async def _keep_up(self, now: Instant) -> str:
        kept = await asyncio.to_thread(keep_up, self.monitor, now=now)
        if kept.digests or kept.silences:
            self.delivery.wake.set()
        return f"{kept.digests} digests"

    # -- reloading ----------------------------------------------------------------------------

    def _schedule_reload(self) -> None:
        self._reloading = asyncio.ensure_future(self._reload_now())

    async def _reload_now(self) -> None:
        """Take new rules and settings into force, or keep the old ones and say why."""
        assert self._reload is not None
        try:
            fresh = await asyncio.to_thread(self._reload, self.pace.now())
        except Exception as error:  # noqa: BLE001 - a fault in a file must not end the service
            log.error("reload_refused", why=str(error))
            return
        old, self.monitor = self.monitor, fresh
        await old.post.close()
        log.info("reloaded", rules=fresh.rulebook.digest[:12])
        for loop in self.loops:
            loop.wake.set()


_NEVER_LOST: Final[dict[str, Any]] = {
    "misfire_grace_time": None,
    "coalesce": True,
    "max_instances": 1,
}
"""APScheduler drops a run that is a second late unless it is told not to."""


def notify_supervisor(state: str) -> None:
    """Tell systemd how we are; nothing happens where it does not listen."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(state.encode(), address)
