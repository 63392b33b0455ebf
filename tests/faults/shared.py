"""A few numbers that a campaign and its daemons hold together, in a file mapped by all of them.

The first is how far the made-up time is ahead of the machine's; then, for each node, how many turns
of each loop began and how many ended; then two counters at which nodes meet.
"""

from __future__ import annotations

import mmap
import time
from pathlib import Path
from typing import Final

from monitor.model import Duration, Instant

LOOPS: Final = ("intake", "sweep", "delivery", "upkeep")
NODES: Final = ("node-a", "node-b")

_AHEAD: Final = 0
_TURNS: Final = 1
_MEETING: Final = _TURNS + 2 * len(LOOPS) * len(NODES)
_WORDS: Final = _MEETING + 2 * len(NODES)


class Shared:
    """The mapped numbers; each has one writer, so none needs a lock."""

    def __init__(self, file: Path) -> None:
        """Map a file, and make it where there is none."""
        if not file.exists():
            file.write_bytes(bytes(8 * _WORDS))
        with file.open("r+b") as opened:
            self._words = memoryview(mmap.mmap(opened.fileno(), 8 * _WORDS)).cast("q")

    # -- time ---------------------------------------------------------------------------------

    @property
    def ahead(self) -> Duration:
        """How far the made-up time is ahead of the machine's."""
        return self._words[_AHEAD]

    def now(self) -> Instant:
        """The made-up time; between two steps of it, it goes on as the machine's does."""
        return time.time_ns() // 1000 + self.ahead

    def begin_at(self, instant: Instant) -> None:
        """Let it be this time now."""
        self._words[_AHEAD] = instant - time.time_ns() // 1000

    def put_to(self, instant: Instant) -> None:
        """Let it be this time now, unless it is later already."""
        self._words[_AHEAD] = max(self.ahead, instant - time.time_ns() // 1000)

    # -- turns --------------------------------------------------------------------------------

    def turn_began(self, node: str, loop: str) -> None:
        self._words[self._turns(node, loop)] += 1

    def turn_ended(self, node: str, loop: str) -> None:
        self._words[self._turns(node, loop) + 1] += 1

    def began(self, node: str) -> list[int]:
        """How many turns of each loop of a node have begun."""
        return [self._words[self._turns(node, loop)] for loop in LOOPS]

    def have_turned(self, node: str, since: list[int]) -> bool:
        """Whether a turn of each loop that began after `since` has ended."""
        ended = [self._words[self._turns(node, loop) + 1] for loop in LOOPS]
        return all(now > before for now, before in zip(ended, since, strict=True))

    def forget_turns(self, node: str) -> None:
        """A process of that name begins anew: a turn that was cut short never ends."""
        for loop in LOOPS:
            self._words[self._turns(node, loop)] = self._words[self._turns(node, loop) + 1] = 0

    def _turns(self, node: str, loop: str) -> int:
        return _TURNS + 2 * (NODES.index(node) * len(LOOPS) + LOOPS.index(loop))

    # -- meeting ------------------------------------------------------------------------------

    def meet(self, node: str, place: int, *, patience_seconds: float) -> bool:
        """Wait at a place until the other node has come as far; False where it does not.

        Whoever is behind does not wait.
        """
        mine = _MEETING + NODES.index(node)
        theirs = _MEETING + 1 - NODES.index(node)
        self._words[mine] = place
        give_up = time.monotonic() + patience_seconds
        while self._words[theirs] < place:
            if time.monotonic() > give_up:
                return False
            time.sleep(0.0002)
        self._words[mine + len(NODES)] += self._words[theirs] == place
        return True

    def meet_now(self, node: str, *, patience_seconds: float) -> bool:
        """Wait until the other node waits here as well; False where it does not come in time.

        Unlike `meet` this asks for no common count: the nodes' loops turn at their own pace.
        """
        mine = _MEETING + NODES.index(node)
        theirs = _MEETING + 1 - NODES.index(node)
        patience = int(patience_seconds * 1_000_000)
        came = time.monotonic_ns() // 1_000
        self._words[mine] = came
        met = False
        while not met and time.monotonic_ns() // 1_000 < came + patience:
            met = self._words[theirs] >= came - patience
            time.sleep(0.0002)
        if met:
            self._words[mine + len(NODES)] += 1
            time.sleep(0.002)  # the other has to see it before it is taken back
        self._words[mine] = 0
        return met

    @property
    def meetings(self) -> int:
        """How often both were at one place."""
        return min(self._words[_MEETING + len(NODES) :])
