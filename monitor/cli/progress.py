"""How far long work has come, on a terminal, once it takes longer than anybody likes to wait.

What comes in: what is being done, how much is done, and of how much. What goes out: one line on
standard error that is written over again, and gone at the end; nothing where nobody looks at one,
and nothing within the first two seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO, TypeAlias

QUIET_SECONDS: Final = 2.0
_AGAIN_SECONDS: Final = 0.2
_WIDTH: Final = 24

Told: TypeAlias = Callable[[str, int, int], None]
"""What is being done, how much of it, and of about how much; 0: not known."""


@contextmanager
def progress_told(
    out: TextIO | None = None, *, seconds: Callable[[], float] = time.monotonic
) -> Iterator[Told | None]:
    """What work tells of itself is shown; None where it need not tell."""
    out = sys.stderr if out is None else out
    if not out.isatty():
        yield None
        return
    line = _Line(out, seconds)
    try:
        yield line.told
    finally:
        line.clear()


class _Line:
    def __init__(self, out: TextIO, seconds: Callable[[], float]) -> None:
        self._out, self._seconds = out, seconds
        self._next = seconds() + QUIET_SECONDS
        self._is_shown = False

    def told(self, what: str, done: int, of: int) -> None:
        now = self._seconds()
        if now < self._next:
            return
        self._next = now + _AGAIN_SECONDS
        self._is_shown = True
        self._out.write(f"\r\x1b[K{what} {_bar(done, of)}")
        self._out.flush()

    def clear(self) -> None:
        if self._is_shown:
            self._out.write("\r\x1b[K")
            self._out.flush()


def _bar(done: int, of: int) -> str:
    if not of:
        return f"{done:,}"
    filled = min(done, of) * _WIDTH // of
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {done:,} of {of:,}"
