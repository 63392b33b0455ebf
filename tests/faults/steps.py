"""The named steps of a daemon: every commit that writes, every file moved, every mail handed over.

What comes in: a daemon that is about to run in this process. What goes out: a line in a trace for
every step, and the end of the process, or what else was ordered, at the step that was ordered.
The program knows nothing of it: the engine, the mail door and the file calls are watched from
outside, so that a transaction that somebody adds is a step by itself.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final

from sqlalchemy import Engine, event

_WRITES: Final = re.compile(r'^\s*(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+"?(\w+)', re.IGNORECASE)
_MOVES: Final = frozenset({"os.rename", "os.link", "os.remove"})
HANDED_OVER: Final = "before the mail is handed over"
ANSWERED: Final = "after the mail server said"
_UNREMARKABLE: Final = frozenset({"loop_turn", "node"})
"""Tables in which a daemon only says that it is there."""


@dataclass
class Orders:
    """What is to happen at which step; for the first node that comes there so often."""

    step: str = ""
    times: int = 1
    act: str = ""
    """`kill`, `stop` (as a suspended machine), `terminate`, or nothing."""
    kill_after_terminate: int = 0
    """At which step after it was asked to end the process is killed; 0: it ends in peace."""


@dataclass
class Trace:
    """Where steps are written down, and who acts on orders."""

    folder: str
    node: str
    orders: Orders
    on_commit: Callable[[], None] = field(default=lambda: None)
    """Called after each commit, once the step is past."""
    _file: int = -1
    _since_terminated: int = -1

    def __post_init__(self) -> None:
        self._file = os.open(f"{self.folder}/trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def step(self, name: str, detail: str = "") -> None:
        """One step was reached."""
        now = time.monotonic_ns() // 1000
        line = f"{self.node}\t{os.getpid()}\t{name}\t{detail}\t{now}\n"
        os.write(self._file, line.encode())
        if self._since_terminated >= 0:
            self._since_terminated += 1
            if self._since_terminated == self.orders.kill_after_terminate:
                self._first("killed-at-the-end", name)
                os.kill(os.getpid(), signal.SIGKILL)
        elif self.orders.act and name == self.orders.step and self._is_mine(name):
            self._act()

    def _is_mine(self, name: str) -> bool:
        """Whether the step was reached often enough, by all nodes together, and none acted yet."""
        counted = os.open(f"{self.folder}/reached", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(counted, b".")
            return os.fstat(counted).st_size >= self.orders.times and self._first("acted", name)
        finally:
            os.close(counted)

    def _first(self, file: str, name: str) -> bool:
        try:
            told = os.open(f"{self.folder}/{file}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        os.write(told, f"{self.node}\t{os.getpid()}\t{name}".encode())
        os.close(told)
        return True

    def _act(self) -> None:
        if self.orders.act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.orders.act == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            self._since_terminated = 0
            os.kill(os.getpid(), signal.SIGTERM)


_written = threading.local()
"""What the transaction of this thread has written so far."""


def watch_commits(trace: Trace) -> None:
    """Two steps for each commit that changed something: before it and after it.

    Named by the function and the line that opened the transaction; beside it, what it wrote.
    """

    def wrote(_c: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        found = _WRITES.match(statement)
        # What returns its rows has not counted them yet.
        if found and (cursor.rowcount != 0 or "RETURNING" in statement):
            tables = _written.__dict__.setdefault("tables", set())
            tables.add(found[1].lower())

    event.listen(Engine, "after_cursor_execute", wrote)
    event.listen(Engine, "rollback", lambda _c: _written.__dict__.clear())
    _wrap_the_commit(trace)


def _wrap_the_commit(trace: Trace) -> None:
    from sqlalchemy.engine.default import DefaultDialect  # noqa: PLC0415 - beside its only use

    commit = DefaultDialect.do_commit

    def do_commit(self: Any, connection: Any) -> None:
        tables = sorted(set(_written.__dict__.pop("tables", ())) - _UNREMARKABLE)
        name = f"the commit of {_place()}"
        if tables:
            trace.step(f"before {name}", " ".join(tables))
        commit(self, connection)  # type: ignore[no-untyped-call]  # the library's own
        if tables:
            trace.step(f"after {name}", " ".join(tables))
        trace.on_commit()

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


def _place() -> str:
    """The function of ours, outside the store, in whose name this happens, and its line."""
    frame: FrameType | None = sys._getframe(1)
    nearest = ""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("monitor."):
            function = f"{module.rpartition('.')[2]}.{frame.f_code.co_name}"
            said = f"{function} (line {frame.f_lineno})"
            if not module.startswith("monitor.store."):
                return said
            nearest = nearest or said
        frame = frame.f_back
    return nearest


def watch_files(trace: Trace) -> None:
    """A step before each file is renamed, linked or removed by us."""

    def heard(happening: str, _arguments: tuple[Any, ...]) -> None:
        if happening in _MOVES and (place := _place()):
            trace.step(f"before {happening} in {place}")

    sys.addaudithook(heard)


def watch_reading(trace: Trace) -> None:
    """A step after a file was read: its digest, its rows to the end."""
    from monitor.ingest import files  # noqa: PLC0415 - the launcher decides when rooms are loaded

    after(trace, files, "file_digest", "after reading for the digest")
    closed = files.RowReader.__exit__

    def leave(self: Any, *arguments: Any) -> Any:
        trace.step("after reading the rows")
        return closed(self, *arguments)

    files.RowReader.__exit__ = leave  # type: ignore[method-assign]


def watch_mail(trace: Trace, *, before_send: Callable[[bytes], None]) -> None:
    """A step before a mail is handed over, and one between the server's answer and our record."""
    from monitor.deliver.smtp import Post  # noqa: PLC0415 - as above

    send = Post.send

    async def watched(self: Post, message: bytes, **addressed: Any) -> Any:
        named = re.search(rb"(?im)^Message-ID:\s*(<[^>]+>)", message)
        detail = named[1].decode() if named else ""
        before_send(message)
        trace.step(HANDED_OVER, detail)
        outcome = await send(self, message, **addressed)
        trace.step(f"{ANSWERED} {type(outcome).__name__}", detail)
        return outcome

    Post.send = watched  # type: ignore[method-assign]


def after(trace: Trace, room: Any, name: str, step: str) -> None:
    """A step after each call of a function."""
    original = getattr(room, name)

    def called(*arguments: Any, **named: Any) -> Any:
        answer = original(*arguments, **named)
        trace.step(step)
        return answer

    replace_everywhere(original, called)


def replace_everywhere(original: Any, other: Any) -> None:
    """Put another function in the place of one, wherever a room of ours holds it by name."""
    found = [
        (module, name)
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("monitor")
        for name, held in list(vars(module).items())
        if held is original
    ]
    assert found, original
    for module, name in found:
        setattr(module, name, other)
