"""The daemon's own parts: its pace, its ticks, its turns. Whole processes: tests/process."""

from __future__ import annotations

import asyncio
import inspect
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import RowMapping

from monitor import daemon as room
from monitor.cycle.dropped import drop_folders, state_of
from monitor.cycle.parts import Monitor
from monitor.daemon import AnotherDaemon, Daemon, Loop, Pace, notify_supervisor, only_daemon
from monitor.installation import install
from monitor.model import HOUR, SECOND, Instant
from monitor.rulebook.book import build_rulebook
from monitor.settings import read_settings
from monitor.store import nodes
from monitor.store.engine import open_engine, reading
from monitor.wiring import ready
from tests.approved import approve_installed

BEGAN: Instant = 1_800_000_000 * SECOND


# -- pace -------------------------------------------------------------------------------------


class Machine:
    """The machine's own time, as a test sets it."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> Instant:
        return self.now


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(room, "system_now", machine)
    return machine


def test_a_service_runs_at_the_machine_s_pace(machine: Machine) -> None:
    pace = Pace()
    assert pace.is_real_time()
    assert pace.now() == BEGAN
    assert pace.seconds_until(BEGAN + 90 * SECOND) == 90
    assert pace.seconds_until(BEGAN - SECOND) == 0


def test_a_demonstration_begins_hours_back_and_catches_up(machine: Machine) -> None:
    """Five hours in thirty seconds; then it is the present, and stays so."""
    pace = Pace.catching_up(BEGAN, back=5 * HOUR, seconds=30)
    assert pace.now() == BEGAN - 5 * HOUR
    assert not pace.is_real_time()
    assert pace.seconds_until(BEGAN - 5 * HOUR + 601 * SECOND) == pytest.approx(1, abs=0.01)
    machine.now = BEGAN + 15 * SECOND
    assert pace.now() == pytest.approx(BEGAN + 15 * SECOND - 2.5 * HOUR, abs=SECOND)
    machine.now = BEGAN + 30 * SECOND
    assert pace.is_real_time()
    assert pace.now() == machine.now
    machine.now += 90 * SECOND
    assert pace.now() == machine.now
    assert pace.seconds_until(machine.now + 5 * SECOND) == 5


@given(
    steps=st.lists(st.integers(0, 20 * SECOND), max_size=20),
    back=st.integers(1, 48 * HOUR),
    seconds=st.floats(1, 60),
)
def test_a_pace_never_runs_backwards_nor_ahead(steps: list[int], back: int, seconds: float) -> None:
    """Whatever the moments at which it is asked."""
    machine = Machine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "system_now", machine)
        pace = Pace.catching_up(BEGAN, back=back, seconds=seconds)
        told = [pace.now()]
        for step in steps:
            machine.now += step
            told.append(pace.now())
            assert told[-1] <= machine.now
    assert told == sorted(told)


# -- one of a name ----------------------------------------------------------------------------


def test_a_second_daemon_of_a_name_is_kept_out(tmp_path: Path) -> None:
    """Until the first ends; another name may run beside it."""
    with only_daemon(tmp_path / "var", "one"):
        with (
            pytest.raises(AnotherDaemon, match="named one runs here already"),
            only_daemon(tmp_path / "var", "one"),
        ):
            pass
        with only_daemon(tmp_path / "var", "two/../x"):
            pass
    with only_daemon(tmp_path / "var", "one"):
        assert {path.parent for path in tmp_path.rglob("*.lock")} == {tmp_path / "var"}


# -- the supervisor ---------------------------------------------------------------------------


def test_nothing_is_told_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither without systemd, nor when its socket is gone."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify_supervisor("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/notify")
    notify_supervisor("READY=1")


def test_an_abstract_socket_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its name begins with a zero byte, which systemd writes as an at sign."""
    name = f"monitor-test-{tmp_path.name}-{id(tmp_path)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{name}")
        heard.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify_supervisor("WATCHDOG=1")
        assert heard.recv(100) == b"WATCHDOG=1"


# -- ticks and turns --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    folder = tmp_path_factory.mktemp("made") / "force"
    install(folder)
    approve_installed(folder)
    settings = read_settings(folder / "config" / "monitor.toml")
    made = ready(settings, now=BEGAN, actor="test", activate=True)
    yield made
    made.engine.dispose()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the supervisor was told."""
    told: list[str] = []
    monkeypatch.setattr(room, "notify_supervisor", told.append)
    return told


def turned(
    monitor: Monitor,
    test: Callable[[Daemon], Awaitable[Any]],
    *,
    pace: Pace | None = None,
) -> Any:
    """Run a test on the event loop of a daemon that does not turn by itself."""

    async def whole() -> Any:
        return await test(Daemon(monitor, pace=pace or Pace()))

    return asyncio.run(whole())


def test_no_tick_is_ever_lost_and_none_runs_twice_at_once(monitor: Monitor) -> None:
    """The scheduler would drop what is a second late, and drift with the machine's zone."""

    async def look(daemon: Daemon) -> None:
        daemon._set_ticks()
        daemon._scheduler.start(paused=True)
        daemon._wake_at(daemon.sweep, daemon.pace.now() + 10 * SECOND, after=0)
        jobs = daemon._scheduler.get_jobs()
        assert daemon._scheduler.timezone is UTC
        assert len(jobs) == 5
        for job in jobs:
            assert job.misfire_grace_time is None
            assert job.coalesce is True
            assert job.max_instances == 1
            assert inspect.iscoroutinefunction(job.func), "a plain function would run in a thread"
        daemon._scheduler.shutdown(wait=False)

    turned(monitor, look)


def test_a_tick_wakes_its_loop_on_the_event_loop(monitor: Monitor) -> None:
    """And soon: a wake from another thread would wait for the next thing to happen."""

    async def look(daemon: Daemon) -> None:
        daemon._scheduler.start()
        daemon._wake_at(daemon.sweep, daemon.pace.now() + SECOND // 5, after=0)
        await asyncio.wait_for(daemon.sweep.wake.wait(), 10)
        daemon._scheduler.shutdown(wait=False)

    turned(monitor, look)


def test_intake_is_woken_by_a_file_s_final_name(monitor: Monitor) -> None:
    """Long before its poll; and once more, for two changes may bear one time."""
    folder = monitor.settings.path(monitor.feeds["occurrence"].folder)

    async def look(daemon: Daemon) -> None:
        turns = asyncio.get_running_loop()
        watching = asyncio.create_task(asyncio.to_thread(daemon._watch_drop_folders, turns))
        await _woken_and_then_quiet(daemon.intake)
        (folder / "notices-1.csv.part").write_text("", "utf-8")
        await _woken_and_then_quiet(daemon.intake)
        (folder / "notices-1.csv.part").rename(folder / "notices-1.txt")
        await _woken_and_then_quiet(daemon.intake)
        daemon.stop()
        await asyncio.wait_for(watching, 10)

    turned(replace(monitor, stopping=threading.Event()), look)


def test_after_a_change_over_the_new_drop_folders_are_watched(
    monitor: Monitor, tmp_path: Path
) -> None:
    settings = monitor.settings.model_copy(update={"root": tmp_path})
    folder = settings.path(monitor.feeds["occurrence"].folder)
    folder.mkdir(parents=True)

    async def look(daemon: Daemon) -> None:
        turns = asyncio.get_running_loop()
        watching = asyncio.create_task(asyncio.to_thread(daemon._watch_drop_folders, turns))
        try:
            await _woken_and_then_quiet(daemon.intake)
            daemon.monitor = replace(daemon.monitor, settings=settings)
            await _woken_and_then_quiet(daemon.intake)
            (folder / "notices-1.csv").write_text("", "utf-8")
            await _woken_and_then_quiet(daemon.intake)
        finally:
            daemon.stop()
        await asyncio.wait_for(watching, 10)

    turned(replace(monitor, stopping=threading.Event()), look)


async def _woken_and_then_quiet(loop: Loop) -> None:
    for _ in range(2):
        await asyncio.wait_for(loop.wake.wait(), 10)
        loop.wake.clear()


def test_a_drop_folder_that_is_gone_wakes_nobody_again_and_again(
    monitor: Monitor, tmp_path: Path
) -> None:
    settings = monitor.settings.model_copy(update={"root": tmp_path})
    assert set(state_of(drop_folders(replace(monitor, settings=settings)))) == {0}


def test_a_new_appointment_takes_the_place_of_the_earlier(monitor: Monitor) -> None:
    async def look(daemon: Daemon) -> None:
        daemon._scheduler.start(paused=True)
        for seconds in (25, 5):
            daemon._wake_at(daemon.sweep, daemon.pace.now() + seconds * SECOND, after=0)
        assert len(daemon._scheduler.get_jobs()) == 1
        daemon._scheduler.shutdown(wait=False)

    turned(monitor, look)


def test_what_was_due_and_waits_still_is_left_to_the_poll(monitor: Monitor) -> None:
    """Mail that is held, or leased to another node: waking at once would never end."""

    async def look(daemon: Daemon) -> None:
        daemon._scheduler.start(paused=True)
        now = daemon.pace.now()
        daemon._wake_at(daemon.delivery, now - HOUR, after=now)
        daemon._wake_at(daemon.delivery, now, after=now)
        daemon._wake_at(daemon.delivery, None, after=now)
        assert daemon._scheduler.get_jobs() == []
        daemon._scheduler.shutdown(wait=False)

    turned(monitor, look)


def other_rules(monitor: Monitor) -> Monitor:
    """The same installation, where other rules were put in force meanwhile."""
    return replace(
        monitor,
        rulebook=build_rulebook(
            monitor.rulebook.documents.model_copy(
                update={
                    "ladders": tuple(
                        each.model_copy(update={"version": 77})
                        for each in monitor.rulebook.documents.ladders
                    )
                }
            )
        ),
    )


def told_of(monitor: Monitor) -> RowMapping:
    with reading(monitor.engine) as connection:
        (row,) = nodes.list_nodes(connection)
    return row


def test_a_node_tells_of_itself_and_of_what_holds_it_back(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At its start, in upkeep, and whenever that changes; the log says it once."""
    said: list[tuple[str, dict[str, Any]]] = []
    for level in ("warning", "info"):
        monkeypatch.setattr(room.log, level, lambda what, **more: said.append((what, more)))
    behind = other_rules(monitor)

    async def look(daemon: Daemon) -> None:
        daemon._look_about(has_started=True)
        row = told_of(monitor)
        assert (row["name"], row["rulebook"]) == (monitor.node, monitor.rulebook.digest)
        assert (row["schema"], row["holds_back"]) == (monitor.schema, "")
        assert abs(row["ahead"]) < SECOND
        daemon.monitor = behind
        daemon._look_about()
        daemon._look_about(is_upkeep=True)
        row = told_of(monitor)
        assert "is not the one in force" in row["holds_back"]
        assert row["rulebook"] == behind.rulebook.digest
        assert [what for what, _ in said] == ["holds_back"]
        daemon.monitor = monitor
        daemon._look_about()
        assert [what for what, _ in said] == ["holds_back", "holds_back_no_more"]
        assert told_of(monitor)["holds_back"] == ""

    turned(monitor, look)


def test_a_node_whose_time_is_off_claims_nothing_until_it_is_right(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upkeep goes on, and says so; a demonstration's faster pace is no wrong time."""
    turns: list[str] = []

    async def turn(_now: Instant) -> str:
        turns.append("turned")
        return "done"

    async def look(daemon: Daemon) -> None:
        for loop in daemon.loops:
            loop.turn = turn
        now = room.system_now
        monkeypatch.setattr(room, "system_now", lambda: now() + 60 * SECOND)
        for loop in (daemon.intake, daemon.sweep, daemon.delivery):
            await daemon._turn(loop)
            assert loop.recorded[0].startswith("holds back: its time is ahead of"), loop.name
        assert turns == []
        await daemon._turn(daemon.upkeep)
        assert turns == ["turned"]
        assert told_of(monitor)["ahead"] // SECOND in {59, 60}
        monkeypatch.setattr(room, "system_now", now)
        for loop in daemon.loops:
            await daemon._turn(loop)
        assert len(turns) == 5

    turned(monitor, look, pace=Pace.catching_up(room.system_now(), back=HOUR, seconds=30))


def test_files_are_read_again_once_when_other_rules_are_put_in_force(monitor: Monitor) -> None:
    """If they give what is in force now, the daemon goes on with them; it puts nothing in force."""
    read: list[bool] = []
    behind = other_rules(monitor)

    def again(_now: Instant, *, only_first: bool) -> Monitor:
        read.append(only_first)
        return replace(monitor, engine=open_engine(monitor.settings.database_url()))

    async def look(daemon: Daemon) -> None:
        daemon.monitor = replace(
            behind, engine=open_engine(monitor.settings.database_url()), post=again_post()
        )
        daemon._reload = again
        daemon.sweep.turn = fine
        await daemon._turn(daemon.sweep)
        assert daemon.sweep.recorded[0] == "reads its files again"
        await asyncio.gather(*daemon._reloads)
        assert daemon.monitor.rulebook.digest == monitor.rulebook.digest
        await daemon._turn(daemon.sweep)
        assert daemon.sweep.recorded[0] == "0 files"
        assert read == [True]
        daemon.monitor.engine.dispose()

    def again_post() -> Any:
        return monitor.post

    turned(monitor, look)


def test_files_that_give_other_rules_still_are_not_read_at_every_turn(monitor: Monitor) -> None:
    """Again only when one of them changes."""
    read: list[bool] = []
    behind = other_rules(monitor)

    def again(_now: Instant, *, only_first: bool) -> Monitor:
        read.append(only_first)
        return replace(behind, engine=open_engine(monitor.settings.database_url()))

    async def look(daemon: Daemon) -> None:
        daemon.monitor = again(0, only_first=True)
        daemon._reload = again
        daemon.sweep.turn = fine
        for _ in range(3):
            await daemon._turn(daemon.sweep)
            await asyncio.gather(*daemon._reloads)
        assert daemon.sweep.recorded[0].startswith("0 files; holds back: its rulebook")
        assert len(read) == 2
        (monitor.settings.path(monitor.settings.paths.rules) / "new.txt").touch()
        await daemon._turn(daemon.sweep)
        await asyncio.gather(*daemon._reloads)
        assert len(read) == 3
        daemon.monitor.engine.dispose()

    turned(monitor, look)


async def failing(_now: Instant) -> str:
    msg = "on purpose"
    raise RuntimeError(msg)


async def fine(_now: Instant) -> str:
    return "0 files"


def a_loop(turn: Callable[[Instant], Awaitable[str]]) -> Loop:
    return Loop("test", turn)


def test_a_turn_that_fails_is_recorded_and_counted(monitor: Monitor) -> None:
    """A turn that goes well begins the count anew."""

    async def look(daemon: Daemon) -> None:
        loop = a_loop(failing)
        await daemon._turn(loop)
        await daemon._turn(loop)
        assert (loop.failures, loop.recorded[0]) == (2, "failed: RuntimeError")
        loop.turn = fine
        await daemon._turn(loop)
        assert (loop.failures, loop.recorded[0]) == (0, "0 files")

    turned(monitor, look)


def test_ten_failures_in_a_row_ask_the_process_to_end(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    monkeypatch.setattr(room, "PAUSE_AFTER_FAILURE_SECONDS", 0)

    async def look(daemon: Daemon) -> None:
        daemon.monitor = cast(
            "Monitor", SimpleNamespace(engine=monitor.engine, node="test", stopping=asyncio.Event())
        )
        loop = a_loop(failing)
        for turn in range(1, 11):
            assert not daemon._stop.is_set(), turn
            await daemon._turn(loop)
            await daemon._pause_or_end(loop)
        assert daemon._stop.is_set()
        assert daemon._failed

    turned(monitor, look)
    assert told == ["STOPPING=1"]


def test_the_watchdog_is_fed_by_progress_alone(monitor: Monitor, told: list[str]) -> None:
    """Not while a loop fails, nor while one stands still, though the others go on."""

    async def look(daemon: Daemon) -> None:
        daemon._feed_watchdog()
        assert told == ["WATCHDOG=1"]
        daemon.intake.failures = 1
        daemon._feed_watchdog()
        daemon.intake.failures = 0
        daemon.delivery.since = time.monotonic() - room.LONGEST_TURN_SECONDS - 1
        daemon._feed_watchdog()
        assert told == ["WATCHDOG=1"]
        daemon.delivery.since = time.monotonic()
        daemon._feed_watchdog()
        assert told == ["WATCHDOG=1", "WATCHDOG=1"]

    turned(monitor, look)


def test_when_a_faster_pace_is_over_every_loop_looks(monitor: Monitor) -> None:
    """Hours have passed in seconds: none may seem to have stood still since."""
    pace = Pace.catching_up(room.system_now(), back=5 * HOUR, seconds=30)

    async def look(daemon: Daemon) -> None:
        daemon._start_ticking()
        daemon._scheduler.pause()
        jobs = {job.id: job for job in daemon._scheduler.get_jobs()}
        for loop in daemon.loops:
            at = jobs[f"present {loop.name}"].trigger.run_date.timestamp()
            assert at == pytest.approx(pace.caught_up_at() / SECOND, abs=0.01)
        daemon._scheduler.shutdown(wait=False)

    turned(monitor, look, pace=pace)


def test_a_turn_hours_later_is_recorded_though_it_went_the_same(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the monitor's own time, which may run faster than the machine's."""
    written: list[Instant] = []

    def keep(_self: Daemon, _name: str, _outcome: str, now: Instant) -> None:
        written.append(now)

    monkeypatch.setattr(Daemon, "_write_turn", keep)

    async def look(daemon: Daemon) -> None:
        loop = a_loop(fine)
        for now in (BEGAN, BEGAN + SECOND, BEGAN + HOUR):
            await daemon._record(loop, "0 files", now)

    turned(monitor, look)
    assert written == [BEGAN, BEGAN + HOUR]


def test_an_idle_turn_is_not_recorded_each_time(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle disk should rest; a change is recorded at once."""
    written: list[str] = []

    def keep(_self: Daemon, _name: str, outcome: str, _now: Instant) -> None:
        written.append(outcome)

    monkeypatch.setattr(Daemon, "_write_turn", keep)

    async def look(daemon: Daemon) -> None:
        loop = a_loop(fine)
        for _ in range(5):
            await daemon._turn(loop)
        assert written == ["0 files"]
        loop.turn = failing
        await daemon._turn(loop)
        assert written == ["0 files", "failed: RuntimeError"]
        loop.recorded = (loop.recorded[0], loop.recorded[1] - room.RECORD_SECONDS - 1)
        await daemon._turn(loop)
        assert len(written) == 3

    turned(monitor, look)
