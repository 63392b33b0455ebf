"""One life of an installation: its daemons killed or not, started again, until all is quiet.

What comes in: a set-up made once, a database of its own, and a plan of what goes wrong. What goes
out: what was stored, sent and traced. It judges nothing.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import random
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select

from monitor.model import MINUTE, SECOND, Duration, Instant
from monitor.store.engine import Engine, open_engine, reading
from monitor.store.tables import activation, alert, case_, clock, intake, message
from tests.approved import approve_all
from tests.faults.force import BATCH_ROWS, Stage
from tests.faults.nursery import Nursery, Process
from tests.faults.plan import MOST_OF_MOVING, PATIENCE_SECONDS, Ended, Lived, Plan
from tests.faults.shared import NODES, Shared
from tests.faults.sink import Sink
from tests.faults.steps import HANDED_OVER
from tests.process.installed import CHECKOUT

STUCK_SECONDS: Final = 0.4
"""So long nothing moves before the made-up time is moved on: a lease, or a pause, must end."""

ENDS_AT_MOST: Final = 4
"""Processes that ended although nobody ordered it; more than these will go on doing so."""

SETTINGS: Final = {
    "MONITOR_INTAKE_BATCH_ROWS": str(BATCH_ROWS),
    "MONITOR_INTAKE_POLL_SECONDS": "0.1",
    "MONITOR_TELLING_ALERTS": "on",
    "MONITOR_TELLING_BUNDLE_MINUTES": "1",
    "MONITOR_TELLING_POLL_SECONDS": "0.1",
    "MONITOR_MAIL_HOST": "127.0.0.1",
    "MONITOR_MAIL_SECURITY": "none-loopback-only",
    "MONITOR_MAIL_TIMEOUT_SECONDS": "20",
}
"""Everything is said, at once, to a mail server on this machine; batches are small.

Leases outlast the slowest machine; those of the dead are ended by moving the made-up time on.
"""


class NeverQuiet(Exception):
    """Something was left undone for good; says what."""


@dataclass
class Node:
    """One daemon, and the processes that it was."""

    name: str
    process: Process | None = None
    suspended: bool = False

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.poll() is None and not self.suspended


class _Seen(NamedTuple):
    """How things stood when they last changed."""

    size: int
    """Of the trace."""
    at: float
    began: dict[str, list[int]]
    """Node → how many turns of each loop had begun."""
    left: bool
    """Whether something was left to do."""


@functools.cache
def _nursery() -> Nursery:
    """One for this process, and for as long as it lives."""
    nursery = Nursery()
    atexit.register(nursery.close)
    return nursery


class Run:
    """Drives one life from its first file to the end of its daemons."""

    def __init__(self, made: Path, folder: Path, url: str, plan: Plan) -> None:
        """`made`: an installation to copy; `url`: a database of its own, empty for the copy's."""
        self.plan, self.folder = plan, folder
        self._home = folder / "force"
        folder.mkdir(parents=True)
        shutil.copytree(made, self._home)
        self._shared = Shared(folder / "shared")
        self._shared.begin_at(plan.stages[0].at)
        self._sink = Sink(folder / "mails")
        self._url = url or f"sqlite:///{self._home}/var/monitor.db"
        self._engine: Engine = open_engine(self._url)
        self._nodes = [Node(name) for name in NODES[: plan.nodes]]
        self._random = random.Random(plan.seed)
        self._kill_times: list[float] = []
        self._moved: Duration = 0
        self._port = 0
        self.lived = Lived(plan, folder, self._url)

    def live(self) -> Lived:
        """Run all stages, then ask the daemons to end."""
        began = time.monotonic()
        with self._sink.listening() as port:
            self._prepare_mail(port)
            try:
                for number, stage in enumerate(self.plan.stages):
                    self._play(number, stage)
                self._end()
            except NeverQuiet as never:
                self.lived.stuck = str(never)
            finally:
                for node in self._nodes:
                    if node.process is not None and node.process.poll() is None:
                        node.process.kill()
                        node.process.wait()
                self._engine.dispose()
        self._gather()
        self.lived.seconds = time.monotonic() - began
        return self.lived

    def _prepare_mail(self, port: int) -> None:
        self._port = port
        plan = self.plan
        if plan.act == "hang up":
            self._sink.hang_up_after = plan.times
        if plan.act == "kill at answer":
            self._sink.before_answer = self._kill_whoever_sends

    # -- stages -------------------------------------------------------------------------------

    def _play(self, number: int, stage: Stage) -> None:
        began = time.monotonic()
        self._put_to(stage.at)
        self._moved = 0
        self._drop(stage)
        if plan_kills := self._share_of_kills(number):
            lasts = self.plan.lasts[number]
            self._kill_times = sorted(
                (began + self._random.uniform(0, lasts) for _ in range(plan_kills)), reverse=True
            )
        self._start_missing()
        if stage.rules:
            self._change_rules(stage)
        self._settle(stage)
        self.lived.lasted.append(time.monotonic() - began)

    def _share_of_kills(self, number: int) -> int:
        """Kills are spread over the stages as evenly as they come out, by the seed."""
        stages = len(self.plan.stages)
        chosen = random.Random(self.plan.seed * 31 + 7)
        return sum(chosen.randrange(stages) == number for _ in range(self.plan.random_kills))

    def _drop(self, stage: Stage) -> None:
        for name, text in stage.files.items():
            part = self._home / "drop" / f"{name}.part"
            part.write_text(text, "utf-8")
            part.rename(part.with_suffix(""))

    def _change_rules(self, stage: Stage) -> None:
        for name, changes in stage.rules.items():
            file = self._home / "rules" / name
            text = file.read_text("utf-8")
            for before, after in changes.items():
                assert before in text, before
                text = text.replace(before, after)
            part = file.with_suffix(".part")
            part.write_text(text, "utf-8")
            part.rename(file)
        if stage.rules:
            approve_all(self._home / "rules", self._url)
        for node in self._nodes:
            if node.is_up and node.process is not None:
                node.process.send_signal(signal.SIGHUP)

    # -- processes ----------------------------------------------------------------------------

    def _start_missing(self) -> None:
        for node in self._nodes:
            if node.process is None:
                self._start(node)

    def _start(self, node: Node) -> None:
        self._shared.forget_turns(node.name)
        node.process = _nursery().begin(
            self.folder,
            home=self._home,
            log=self.folder / f"{node.name}.log",
            environment=self._environment(node),
        )

    def _environment(self, node: Node) -> dict[str, str]:
        plan = self.plan
        orders: dict[str, Any] = {"plant": plan.plant, "meet": plan.meet}
        if plan.act in {"kill", "stop", "terminate"}:
            orders |= {
                "step": plan.step,
                "times": plan.times,
                "act": plan.act,
                "kill_after_terminate": plan.kill_after_terminate,
            }
        bare = {name: text for name, text in os.environ.items() if not name.startswith("MONITOR_")}
        return bare | {
            "PYTHONPATH": str(CHECKOUT),
            "MONITOR_SERVICE_NODE": node.name,
            "MONITOR_DATABASE_URL": self._url,
            "MONITOR_MAIL_PORT": str(self._port),
            **SETTINGS,
            "FAULTS_ORDERS": json.dumps(orders),
            **dict(plan.settings),
        }

    def _look_after(self) -> None:
        """Notice who died or stands still; kill whoever is to be killed now; start again."""
        for node in self._nodes:
            if node.process is None:
                continue
            status = node.process.poll()
            if status is None and not node.suspended and self._stands_still(node):
                node.suspended = True
                self._note(node, was_suspended=True)
            if status is not None:
                self._note(node)
                node.process = None
                if len(self.lived.ended) > ENDS_AT_MOST + self.plan.random_kills:
                    raise NeverQuiet(f"{node.name} ends by itself, with {status}")
                if len(self._nodes) == 1 or self.plan.random_kills:
                    self._start(node)
        if self._kill_times and time.monotonic() >= self._kill_times[-1]:
            self._kill_times.pop()
            up = [node for node in self._nodes if node.is_up]
            if up and (process := self._random.choice(up).process) is not None:
                process.kill()
                process.wait()

    def _stands_still(self, node: Node) -> bool:
        if self.plan.act != "stop" or node.process is None or self.lived.ended:
            return False
        state = Path(f"/proc/{node.process.pid}/stat").read_text("utf-8").rpartition(") ")[2][0]
        return state == "T"

    def _note(self, node: Node, *, was_suspended: bool = False) -> None:
        """What a process held when it ended: what it may have handed over and not recorded."""
        held = select(message.c.message_id).where(
            message.c.state == "queued",
            message.c.lease_token.startswith(f"{node.name}/", autoescape=True),
        )
        with reading(self._engine) as connection:
            leased = frozenset(connection.scalars(held))
        last = next((step for name, step, _, _ in reversed(self._trace()) if name == node.name), "")
        self.lived.ended.append(Ended(node.name, last, leased, was_suspended))

    def _kill_whoever_sends(self, number: int, message_id: str) -> None:
        if number != self.plan.times:
            return
        for line in reversed((self.folder / "trace").read_text("utf-8").splitlines()):
            _, pid, step, detail, _ = line.split("\t")
            if detail == message_id and step.startswith("before"):
                os.kill(int(pid), signal.SIGKILL)
                return

    # -- waiting ------------------------------------------------------------------------------

    def _settle(self, stage: Stage) -> None:
        """Until nothing is left to do and every loop that is up has looked and seen it."""
        give_up = time.monotonic() + self.plan.patience_seconds
        seen = self._look()
        while True:
            self._look_after()
            if self._trace_size() != seen.size:
                seen = self._look()
            left, comes_at = self._left_to_do(stage)
            if bool(left) != seen.left:
                seen = self._look(left=bool(left))
            elif self._all_looked(seen.began) and not self._kill_times:
                if not left and comes_at is None and not self._resumed():
                    return
                if self._let_time_come(left, comes_at, since=seen.at):
                    seen = self._look(left=bool(left))
            if time.monotonic() > give_up:
                raise NeverQuiet(f"{stage.name}: {left or 'a loop does not turn'}")
            time.sleep(0.04)

    def _look(self, *, left: bool = False) -> _Seen:
        began = {node.name: self._shared.began(node.name) for node in self._nodes}
        return _Seen(self._trace_size(), time.monotonic(), began, left)

    def _let_time_come(self, left: str, comes_at: Instant | None, *, since: float) -> bool:
        """Where all wait for a time, it comes; whether anything changed by that.

        A mail's next attempt, or the end of a lease of who is no more: every loop has looked at
        what is left, and let it be.
        """
        if not left:
            if comes_at is None:
                return True
            return self._move_on(comes_at - self._shared.now() + SECOND // 10)
        is_stuck = time.monotonic() - since > STUCK_SECONDS
        return is_stuck and self._move_on(2 * MINUTE)

    def _resumed(self) -> bool:
        """Let those go on that stood still; whether there were any."""
        suspended = [node for node in self._nodes if node.suspended]
        for node in suspended:
            assert node.process is not None
            node.process.send_signal(signal.SIGCONT)
            node.suspended = False
        return bool(suspended)

    def _all_looked(self, since: dict[str, list[int]]) -> bool:
        up = [node for node in self._nodes if node.is_up]
        return bool(up) and all(
            self._shared.have_turned(node.name, since[node.name]) for node in up
        )

    def _move_on(self, by: Duration) -> bool:
        by = max(by, 0)
        if self._moved + by > MOST_OF_MOVING:
            return False
        self._moved += by
        self._put_to(self._shared.now() + by)
        return True

    def _put_to(self, instant: Instant) -> None:
        self.lived.time_moved.append(time.monotonic_ns() // 1000)
        self._shared.put_to(instant)

    def _left_to_do(self, stage: Stage) -> tuple[str, Instant | None]:
        """What is due now, in words; else when the next attempt at a mail is due, if any."""
        drop = self._home / "drop"
        if waiting := [path.name for path in drop.rglob("*") if path.is_file()]:
            return f"files wait: {waiting}", None
        now = self._shared.now()
        asked = {
            "intakes": select(func.count()).where(intake.c.state == "reading"),
            "dirty cases": select(func.count()).where(case_.c.dirty != case_.c.assessed),
            # That a clock ended late waits for the next mail to the same address.
            "alerts": select(func.count()).where(
                alert.c.state == "pending", alert.c.kind != "stopped_late"
            ),
            "clocks": select(func.count()).where(clock.c.next_action_at <= now),
            "mails": select(func.count()).where(
                message.c.state == "queued", message.c.next_attempt_at <= now
            ),
        }
        with reading(self._engine) as connection:
            for what, question in asked.items():
                if count := connection.scalar(question):
                    return f"{what} left: {count}", None
            accepted = connection.scalar(select(func.count()).select_from(activation)) or 0
            if accepted < 1 + self._rules_changed(stage):
                return "the new rules are not in force", None
            soonest = select(func.min(message.c.next_attempt_at)).where(message.c.state == "queued")
            return "", connection.scalar(soonest)

    def _rules_changed(self, stage: Stage) -> int:
        so_far = self.plan.stages[: self.plan.stages.index(stage) + 1]
        return sum(bool(each.rules) for each in so_far)

    # -- the end ------------------------------------------------------------------------------

    def _end(self) -> None:
        for node in self._nodes:
            if node.process is None:
                continue
            node.process.send_signal(signal.SIGTERM)
            status = node.process.wait(PATIENCE_SECONDS)
            if status != 0:
                self.lived.complaints.append(f"{node.name} ended with {status}")

    def _trace(self) -> list[tuple[str, str, str, int]]:
        """(node, step, detail, when) of every step so far."""
        try:
            lines = (self.folder / "trace").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        told = (line.split("\t") for line in lines)
        return [(node, step, detail, int(at)) for node, _, step, detail, at in told]

    def _trace_size(self) -> int:
        try:
            return (self.folder / "trace").stat().st_size
        except FileNotFoundError:
            return 0

    def _gather(self) -> None:
        lived = self.lived
        lived.accepted, lived.hung_up_on = self._sink.accepted(), self._sink.hung_up_on
        for _, step, detail, at in self._trace():
            lived.steps.append(step)
            if "commit" in step:
                lived.written.setdefault(step, set()).update(detail.split())
            if step == HANDED_OVER:
                lived.handed_over.setdefault(detail, []).append(at)
        lived.meetings = self._shared.meetings
        if self.plan.act in {"kill", "stop", "terminate"}:
            lived.reached = (self.folder / "acted").exists()
        if self.plan.kill_after_terminate:
            lived.reached = (self.folder / "killed-at-the-end").exists()
        if self.plan.act in {"hang up", "kill at answer"}:
            lived.reached = len(lived.accepted) >= self.plan.times
        for node in self._nodes:
            log = self.folder / f"{node.name}.log"
            text = log.read_text("utf-8") if log.exists() else ""
            lived.complaints += [
                line for line in text.splitlines()
                if '"turn_failed"' in line or '"file_not_taken_in"' in line
                or not line.startswith("{")
            ]  # fmt: skip
