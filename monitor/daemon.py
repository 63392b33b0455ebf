"""The daemon: four loops that turn by themselves, woken by what is due.

What comes in: an installation. What goes out: turns of intake, sweep, delivery and upkeep until it
is asked to stop. It decides nothing: what is due is asked of the data at every turn, so a late or
doubled tick is harmless. This and the command line are the only places that ask what time it is.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

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

LONGEST_TURN_SECONDS: Final = 600
"""A loop that is in one turn for longer stands still: the watchdog is not fed."""

RECORD_SECONDS: Final = 20
"""A turn that went as the one before is recorded only so often: an idle disk should rest."""


def system_now() -> Instant:
    """What time it is, in microseconds UTC."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How the monitor's time runs: as the system's, or faster until it has caught up with it."""

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


class AnotherDaemon(Exception):
    """One runs in this installation already, under the same name."""


@contextmanager
def only_daemon(folder: Path, node: str) -> Iterator[None]:
    """Keep a second daemon of one name out: it would take over the first one's mails.

    The lock ends with the process, however that ends. Raises AnotherDaemon.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / f"daemon-{quote(node, safe='')}.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = (
                f"a daemon named {node} runs here already; another node needs its own service.node"
            )
            raise AnotherDaemon(msg) from None
        yield


class RulesRefused(Exception):
    """The rules folder cannot be in force; what is in force goes on."""


@dataclass
class Loop:
    """One stage, turned again and again."""

    name: str
    turn: Callable[[Instant], Awaitable[str]]
    """Does the work for one instant and says in a word how it went."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    turning: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held during a turn."""
    since: float | None = None
    """When the turn in hand began, on the machine's own steady count of seconds."""
    failures: int = 0
    recorded: tuple[str, float] = ("", 0.0)
    """The outcome last recorded, and when."""

    async def awake(self) -> None:
        """Go round now. A coroutine: the scheduler would call a plain function in a thread."""
        self.wake.set()


class Daemon:
    """The loops of one process."""

    def __init__(
        self, monitor: Monitor, *, pace: Pace, reload: Callable[[Instant], Monitor] | None = None
    ) -> None:
        """Prepare; `reload` makes an installation anew from its files, at SIGHUP."""
        self.monitor = monitor
        self.pace = pace
        self._reload = reload
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
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
        with writing(self.monitor.engine) as connection:
            outbox.release_leases(connection, self.monitor.node)
        self._start_ticking()
        log.info("daemon_started", node=self.monitor.node, rules=self.monitor.rulebook.digest[:12])
        notify_supervisor("READY=1")
        try:
            await asyncio.gather(*(self._keep_turning(loop) for loop in self.loops))
        finally:
            self._scheduler.shutdown(wait=False)
            for reload in self._reloads:
                reload.cancel()
            await self.monitor.post.close()
        log.info("daemon_stopped", failed=self._failed)
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
            loop.add_signal_handler(signal.SIGHUP, self._schedule_reload, self._reload)

    def _start_ticking(self) -> None:
        self._set_ticks()
        self._scheduler.start()
        for loop in self.loops:
            loop.wake.set()

    def _set_ticks(self) -> None:
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
                loop.awake,
                "interval",
                seconds=seconds,
                id=f"poll {loop.name}",
                replace_existing=True,
                **_NEVER_LOST,
            )

    def _wake_at(self, loop: Loop, instant: Instant | None, *, after: Instant) -> None:
        """Wake a loop when the next thing is due, in place of any earlier appointment.

        What was due at the turn that has just ended and is waiting still (mail that is held, a
        lease of another node) is left to the poll: waking at once would never end.
        """
        if instant is None or instant <= after or self._stop.is_set():
            return
        wait = timedelta(seconds=min(self.pace.seconds_until(instant), SAFETY_POLL_SECONDS))
        self._scheduler.add_job(
            loop.awake,
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
            async with loop.turning:
                await self._turn(loop)
            self._feed_watchdog()
            if loop.failures:
                await self._pause_or_end(loop)

    async def _turn(self, loop: Loop) -> None:
        """One turn, whatever comes of it."""
        now = self.pace.now()
        loop.since = time.monotonic()
        try:
            outcome = await loop.turn(now)
            loop.failures = 0
        except Exception as error:
            loop.failures += 1
            outcome = f"failed: {type(error).__name__}"
            log.exception("turn_failed", loop=loop.name, in_a_row=loop.failures)
        loop.since = None
        await self._record(loop, outcome, now)

    async def _pause_or_end(self, loop: Loop) -> None:
        """Many failures in a row end the process: its supervisor starts it anew."""
        if loop.failures >= FAILURES_IN_A_ROW:
            self._failed = True
            self.stop()
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), PAUSE_AFTER_FAILURE_SECONDS)
        loop.wake.set()

    def _feed_watchdog(self) -> None:
        """Only progress feeds it: no loop fails, and none is in one turn for too long."""
        longest = time.monotonic() - LONGEST_TURN_SECONDS
        if any(each.failures or (each.since or longest) < longest for each in self.loops):
            return
        notify_supervisor("WATCHDOG=1")

    async def _record(self, loop: Loop, outcome: str, now: Instant) -> None:
        before, at = loop.recorded
        if outcome == before and time.monotonic() - at < RECORD_SECONDS:
            return
        loop.recorded = (outcome, time.monotonic())
        await asyncio.to_thread(self._write_turn, loop.name, outcome, now)

    def _write_turn(self, name: str, outcome: str, now: Instant) -> None:
        try:
            with writing(self.monitor.engine) as connection:
                actions.record_turn(
                    connection, node=self.monitor.node, loop=name, outcome=outcome, now=now
                )
        except Exception:
            log.exception("turn_not_recorded", loop=name)

    # -- turns --------------------------------------------------------------------------------

    async def _take_in(self, now: Instant) -> str:
        taken = await asyncio.to_thread(take_in_waiting, self.monitor, now=now)
        folded = await asyncio.to_thread(assess_dirty, self.monitor, now=now)
        if taken or folded:
            self.sweep.wake.set()
        return f"{len(taken)} files"

    async def _sweep(self, now: Instant) -> str:
        swept = await asyncio.to_thread(sweep, self.monitor, now=now)
        upcoming = await asyncio.to_thread(next_sweep_at, self.monitor)
        self._wake_at(self.sweep, upcoming, after=now)
        if swept.alerts:
            self.delivery.wake.set()
        return f"{swept.clocks} clocks, {swept.alerts} alerts"

    async def _deliver(self, now: Instant) -> str:
        delivered = await deliver(self.monitor, now=now)
        upcoming = await asyncio.to_thread(next_delivery_at, self.monitor)
        self._wake_at(self.delivery, upcoming, after=now)
        return "held" if delivered.held else f"{delivered.sent} sent, {delivered.retried} retried"

    async def _keep_up(self, now: Instant) -> str:
        kept = await asyncio.to_thread(keep_up, self.monitor, now=now)
        if kept.digests or kept.silences:
            self.delivery.wake.set()
        return f"{kept.digests} digests"

    # -- reloading ----------------------------------------------------------------------------

    def _schedule_reload(self, read: Callable[[Instant], Monitor]) -> None:
        task = asyncio.ensure_future(self._reload_now(read))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload_now(self, read: Callable[[Instant], Monitor]) -> None:
        """Take new rules and settings into force, or keep the old ones and say why."""
        async with self._reloading:
            try:
                fresh = await asyncio.to_thread(_read_again, read, self.pace.now())
            except Exception as error:  # noqa: BLE001 - a fault in a file must not end the service
                log.error("reload_refused", why=str(error))  # noqa: TRY400 - the reason is enough
                return
            await self._change_over(fresh)
            log.info("reloaded", rules=fresh.rulebook.digest[:12])

    async def _change_over(self, fresh: Monitor) -> None:
        """New turns work with the new parts; the old ones are closed when no turn holds them."""
        old, self.monitor = self.monitor, replace(fresh, stopping=self.monitor.stopping)
        self._set_ticks()
        for loop in self.loops:
            loop.wake.set()
        for loop in self.loops:
            async with loop.turning:
                pass
        await old.post.close()
        old.engine.dispose()


def _read_again(read: Callable[[Instant], Monitor], now: Instant) -> Monitor:
    fresh = read(now)
    if fresh.rulebook_fault:
        fresh.engine.dispose()
        raise RulesRefused(fresh.rulebook_fault)
    return fresh


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
    with (
        suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
    ):
        channel.sendto(state.encode(), address)
