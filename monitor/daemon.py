"""The daemon: four loops that turn by themselves, woken by what is due.

What comes in: an installation. What goes out: turns of intake, sweep, delivery and upkeep until it
is asked to stop. It decides nothing: what is due is asked of the data at every turn, so a late or
doubled tick is harmless. This and the command line are the only places that ask what time it is.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self
from urllib.parse import quote

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.cycle.delivery import deliver, next_delivery_at
from monitor.cycle.dropped import drop_folders, state_of
from monitor.cycle.intake import assess_dirty, take_in_waiting
from monitor.cycle.mailbox import read_mailbox
from monitor.cycle.nodes import Look, look_around
from monitor.cycle.parts import Monitor
from monitor.cycle.sweep import next_sweep_at, sweep
from monitor.cycle.upkeep import keep_up
from monitor.cycle.watch import all_is_well
from monitor.deliver.switch import press
from monitor.logs import get_logger
from monitor.model import SECOND, Duration, Instant
from monitor.store import actions, intakes, nodes, outbox
from monitor.store.engine import is_unusable, why_unusable, writing
from monitor.wiring import outage_of
from monitor.worktime.zones import forget_local_times

if TYPE_CHECKING:
    from monitor.cycle.intake.taken import Taken
    from monitor.cycle.mailbox import CameBack

log = get_logger("daemon")

LOOK_SECONDS: Final = 0.5
"""How often it is asked whether a drop folder changed; to read them all is dearer."""

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
        return system_now() >= self.caught_up_at()

    def caught_up_at(self) -> Instant:
        """The system time from which on it is the present."""
        return self.began_at + (ceil(self.back / (self.speed - 1)) if self.back else 0)

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


class Reading(Protocol):
    """Makes an installation anew from its files."""

    def __call__(self, now: Instant, /, *, only_first: bool) -> Monitor:
        """`only_first`: put no rules in force where some are."""


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
    every: float = SAFETY_POLL_SECONDS
    """Seconds between two ticks."""
    recorded: tuple[str, float] = ("", 0.0)
    """The outcome last recorded, and when."""
    recorded_for: Instant = 0
    """The instant with which the turn worked that was last recorded."""

    async def awake(self) -> None:
        """Go round now. A coroutine: the scheduler would call a plain function in a thread."""
        self.wake.set()


class Daemon:
    """The loops of one process."""

    def __init__(self, monitor: Monitor, *, pace: Pace, reload: Reading | None = None) -> None:
        """Prepare; `reload`: at SIGHUP, and when other rules were put in force."""
        self.monitor = monitor
        self.pace = pace
        self._reload = reload
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._stop = asyncio.Event()
        self._failed = False
        self._looking = threading.Lock()
        self._look: Look | None = None
        self._read_for = ("", 0)
        """For which rulebook, and which state of them, the files were last read again."""
        self.intake = Loop("intake", self._take_in)
        self.sweep = Loop("sweep", self._sweep)
        self.delivery = Loop("delivery", self._deliver)
        self.upkeep = Loop("upkeep", self._keep_up)
        self.switch = Loop("switch", self._ask_switch)
        self.loops: tuple[Loop, ...] = (self.intake, self.sweep, self.delivery, self.upkeep)
        if monitor.settings.watch.switch_url:
            self.loops = (*self.loops, self.switch)
        self._may_be_out_of_reach = True

    async def run(self) -> int:
        """Turn until a signal asks to stop; returns the exit status."""
        self._listen()
        self._look_about(has_started=True)
        self._start_ticking()
        log.info("daemon_started", node=self.monitor.node, rules=self.monitor.rulebook.digest[:12])
        notify_supervisor("READY=1")
        turns = asyncio.get_running_loop()
        threading.Thread(target=self._watch_drop_folders, args=(turns,), daemon=True).start()
        try:
            await asyncio.gather(*(self._keep_turning(loop) for loop in self.loops))
        finally:
            self.monitor.stopping.set()
            self._scheduler.shutdown(wait=False)
            for reload in self._reloads:
                reload.cancel()
            for post in self.monitor.posts:
                await post.close()
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
            loop.add_signal_handler(signal.SIGHUP, self._schedule_reload, self._reload, False)  # noqa: FBT003 - the loop passes no keywords

    def _start_ticking(self) -> None:
        self._set_ticks()
        self._scheduler.start()
        for loop in self.loops:
            loop.wake.set()
        if not self.pace.is_real_time():
            self._wake_in_the_present()

    def _wake_in_the_present(self) -> None:
        """A pace that was faster has left every loop behind by hours: all look once it is over."""
        present = datetime.fromtimestamp(self.pace.caught_up_at() / SECOND, UTC)
        for loop in self.loops:
            run_at = {"run_date": present, "id": f"present {loop.name}"}
            self._scheduler.add_job(loop.awake, "date", **run_at, **_NEVER_LOST)

    def _set_ticks(self) -> None:
        """A tick only wakes a loop: a lost or doubled one changes nothing but when it looks."""
        settings = self.monitor.settings
        periods = (
            (self.intake, settings.intake.poll_seconds),
            (self.sweep, SAFETY_POLL_SECONDS),
            (self.delivery, settings.telling.poll_seconds),
            (self.upkeep, SAFETY_POLL_SECONDS),
            (self.switch, settings.watch.every_seconds),
        )
        for loop, seconds in periods:
            if loop not in self.loops:
                continue
            loop.every = seconds
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

    def _watch_drop_folders(self, turns: asyncio.AbstractEventLoop) -> None:
        """Wake intake soon after a file was given its final name; its poll finds what this misses.

        It is woken once more at the next look: a file system may give two changes one time. For a
        thread of its own: a folder on another machine may keep it waiting for ever.
        """
        before, has_changed = None, False
        monitor, folders = self.monitor, drop_folders(self.monitor)
        while not monitor.stopping.wait(LOOK_SECONDS):
            if monitor is not self.monitor:
                monitor, folders = self.monitor, drop_folders(self.monitor)
            state = state_of(folders)
            if state != before or has_changed:
                with suppress(RuntimeError):  # no turn is to come any more
                    turns.call_soon_threadsafe(self.intake.wake.set)
            before, has_changed = state, state != before

    async def _keep_turning(self, loop: Loop) -> None:
        while True:
            await self._woken(loop)
            if self._stop.is_set():
                return
            loop.wake.clear()
            async with loop.turning:
                await self._turn(loop)
            self._feed_watchdog()
            if loop.failures:
                await self._pause_or_end(loop)

    async def _woken(self, loop: Loop) -> None:
        """Wait for a tick; where none comes, the machine's time was set back: begin them anew.

        The scheduler would wait until the time has come again at which it was to tick.
        """
        silence = 2 * max(loop.every, SAFETY_POLL_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(loop.wake.wait(), silence)
            return
        log.warning("time_was_set_back", loop=loop.name)
        self._set_ticks()

    async def _turn(self, loop: Loop) -> None:
        """One turn, whatever comes of it."""
        now = self.pace.now()
        loop.since = time.monotonic()
        try:
            outcome = await self._work(loop, now)
            loop.failures = 0
            self._database_is_there()
        except Exception as error:
            loop.failures += 1
            outcome = f"failed: {type(error).__name__}"
            log.exception("turn_failed", loop=loop.name, in_a_row=loop.failures)
            await self._mind_database(error, now)
        loop.since = None
        await self._record(loop, outcome, now)

    def _database_is_there(self) -> None:
        if self._may_be_out_of_reach:
            self._may_be_out_of_reach = False
            outage_of(self.monitor.settings).is_over()

    async def _mind_database(self, error: Exception, now: Instant) -> None:
        """Where the database itself cannot be used, what it says is told without it."""
        if is_unusable(error):
            self._may_be_out_of_reach = True
            outage = outage_of(self.monitor.settings)
            await outage.goes_on(why_unusable(error), now=now)

    async def _work(self, loop: Loop, now: Instant) -> str:
        """Look around first: what governs, or the time, may have changed since the last turn."""
        look = await asyncio.to_thread(self._look_about, is_upkeep=loop is self.upkeep)
        if self._must_read_again(look):
            return "reads its files again"
        if look.not_claiming and loop is not self.upkeep:
            return f"holds back: {look.not_claiming}"
        outcome = await loop.turn(now)
        decides = loop in (self.intake, self.sweep, self.upkeep)
        return (
            f"{outcome}; holds back: {look.not_deciding}"
            if look.not_deciding and decides
            else outcome
        )

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
        if self._goes_well():
            notify_supervisor("WATCHDOG=1")

    def _goes_well(self) -> bool:
        longest = time.monotonic() - LONGEST_TURN_SECONDS
        return not any(each.failures or (each.since or longest) < longest for each in self.loops)

    async def _record(self, loop: Loop, outcome: str, now: Instant) -> None:
        before, at = loop.recorded
        is_lately = time.monotonic() - at < RECORD_SECONDS
        if (
            outcome == before
            and is_lately
            and now - loop.recorded_for < 2 * RECORD_SECONDS * SECOND
        ):
            return
        loop.recorded, loop.recorded_for = (outcome, time.monotonic()), now
        await asyncio.to_thread(self._write_turn, loop.name, outcome, now)

    def _write_turn(self, name: str, outcome: str, now: Instant) -> None:
        try:
            with writing(self.monitor.engine) as connection:
                actions.record_turn(
                    connection, node=self.monitor.node, loop=name, outcome=outcome, now=now
                )
        except Exception:
            log.exception("turn_not_recorded", loop=name)

    # -- several nodes ------------------------------------------------------------------------

    def _look_about(self, *, has_started: bool = False, is_upkeep: bool = False) -> Look:
        """See what governs, and tell of this node: at its start, in upkeep, and at every change."""
        monitor = self.monitor
        look = look_around(monitor, system_now=system_now)
        with self._looking:
            before, self._look = self._look, look
        changed = look.holds_back != (before.holds_back if before else "")
        if changed and look.holds_back:
            log.warning("holds_back", node=monitor.node, why=look.holds_back)
        elif changed:
            log.info("holds_back_no_more", node=monitor.node)
        if changed or has_started or is_upkeep:
            with writing(monitor.engine) as connection:
                if has_started:  # what it held when it ended, nobody holds any more
                    outbox.release_leases(connection, monitor.node)
                    intakes.release_leases(connection, monitor.node)
                nodes.tell_of_node(
                    connection,
                    monitor.node,
                    rulebook=monitor.rulebook.digest,
                    schema=monitor.schema,
                    ahead=look.ahead,
                    holds_back=look.holds_back,
                    has_started=has_started,
                )
                nodes.forget_lost(connection)
        return look

    def _must_read_again(self, look: Look) -> bool:
        """Whether the files may hold what is in force; they are then read again, once.

        Once for each rulebook that is put in force, and for each change of files that lag behind.
        """
        active = look.governing.rulebook
        if self._reload is None or self._stop.is_set():
            return False
        if active == self.monitor.rulebook.digest and not self.monitor.behind:
            return False
        state = active, _changed_at(self.monitor.settings.path(self.monitor.settings.paths.rules))
        if state == self._read_for:
            return False
        self._read_for = state
        self._schedule_reload(self._reload, only_first=True)
        return True

    # -- turns --------------------------------------------------------------------------------

    async def _take_in(self, now: Instant) -> str:
        taken, folded, came_back = await asyncio.to_thread(_take_in_all, self.monitor, now)
        if taken or folded or came_back:
            self.sweep.wake.set()
        if came_back:
            self.delivery.wake.set()
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
        if delivered.more:
            self.delivery.wake.set()
        return "held" if delivered.held else f"{delivered.sent} sent, {delivered.retried} retried"

    async def _keep_up(self, now: Instant) -> str:
        kept = await asyncio.to_thread(keep_up, self.monitor, now=now)
        if kept.digests or kept.silences:
            self.delivery.wake.set()
        return f"{kept.digests} digests"

    async def _ask_switch(self, now: Instant) -> str:
        """Ask the switch outside, while all is well and only then: its own alarm is the message."""
        del now
        url, others = self.monitor.settings.watch.switch_url, self.loops[:-1]
        quiet = time.monotonic() - LONGEST_TURN_SECONDS
        if not url:
            return "off"
        if not all(each.recorded[1] > quiet for each in others) or not self._goes_well():
            return "not asked: a loop does not turn well"
        if not await asyncio.to_thread(all_is_well, self.monitor):
            return "not asked: a fault stands"
        why = await press(url)
        if why and self.switch.recorded[0] != f"not reached: {why}":
            log.warning("switch_not_reached", why=why)
        return f"not reached: {why}" if why else "asked"

    # -- reloading ----------------------------------------------------------------------------

    def _schedule_reload(self, read: Reading, only_first: bool) -> None:  # noqa: FBT001 - a signal's handler
        task = asyncio.ensure_future(self._reload_now(read, only_first=only_first))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload_now(self, read: Reading, *, only_first: bool) -> None:
        """Take new rules and settings into force, or keep the old ones and say why."""
        async with self._reloading:
            try:
                fresh = await asyncio.to_thread(_read_again, read, self.pace.now(), only_first)
            except Exception as error:  # noqa: BLE001 - a fault in a file must not end the service
                log.error("reload_refused", why=str(error))  # noqa: TRY400 - the reason is enough
                for loop in self.loops:
                    loop.wake.set()
                return
            await self._change_over(fresh)
            log.info("reloaded", rules=fresh.rulebook.digest[:12])

    async def _change_over(self, fresh: Monitor) -> None:
        """New turns work with the new parts; the old ones are closed when no turn holds them."""
        old = self.monitor
        self.monitor = replace(fresh, stopping=old.stopping, watched=old.watched)
        self._set_ticks()
        for loop in self.loops:
            loop.wake.set()
        for loop in self.loops:
            async with loop.turning:
                pass
        for post in old.posts:
            await post.close()
        old.engine.dispose()


def settle() -> None:
    """Let go of what only the start needed, and look for garbage no more among what stays.

    Whoever reads the installation anew takes that back first: `gc.unfreeze`.
    """
    forget_local_times()
    gc.collect()
    gc.freeze()


def _take_in_all(monitor: Monitor, now: Instant) -> tuple[list[Taken], int, list[CameBack]]:
    taken = take_in_waiting(monitor, now=now)
    folded = assess_dirty(monitor, now=now)
    return taken, folded, read_mailbox(monitor, now=now)


def _changed_at(folder: Path) -> int:
    """When anything in a folder was last changed, by its file system."""
    times = [0]
    for path in (folder, *folder.rglob("*")):
        with suppress(OSError):
            times.append(path.stat().st_mtime_ns)
    return max(times)


def _read_again(read: Reading, now: Instant, only_first: bool) -> Monitor:  # noqa: FBT001 - for a thread
    fresh = read(now, only_first=only_first)
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
