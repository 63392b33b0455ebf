"""What every row of the benchmarks is given and what it answers.

What comes in: things to be timed. What goes out: samples, and comparisons of them. It does not
care what is measured, nor how it is printed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS_PYTHON = ROOT / ".bench" / "bin" / "python"
_NOT_HANDED_DOWN = frozenset({"PYTHONDONTWRITEBYTECODE"})


class PeerFailed(Exception):
    """A peer's script ended with a complaint, which is the message."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing measured several times; `unit` is "s", "rows/s", "mails/s", "MB" and so on."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The least."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The greatest."""
        return max(self.values)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of the table: what we took for some work, beside what others took.

    The ratio is of ours to the first of the others, in the words of `ratio_says` ("times the
    script", "of its rate"); further others are shown beside. None: there is nothing to divide by.
    `is_met` None: the target is not judged here, because the size or a peer is missing.
    """

    row: int
    work: str
    ours: Sample
    others: tuple[Sample, ...]
    ratio: float | None
    ratio_says: str
    target: str
    is_met: bool | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Peers:
    """The peers' own environment, where there is one."""

    python: Path = PEERS_PYTHON

    @property
    def is_ready(self) -> bool:
        """Whether `make bench` has made it."""
        return self.python.is_file()

    def run(self, script: str, *args: object) -> dict[str, Any]:
        """What a script of benchmarks/peers/ printed as JSON; raises PeerFailed."""
        command = [str(self.python), str(HERE / "peers" / script), *map(str, args)]
        try:
            ended = subprocess.run(
                command, env=environment(), capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise PeerFailed(f"{error}: `make bench` makes the environment of peers") from error
        if ended.returncode != 0:
            raise PeerFailed(ended.stderr)
        told: dict[str, Any] = json.loads(ended.stdout)
        return told


@dataclass(frozen=True, slots=True)
class Bench:
    """What a row is given.

    `folder` is empty and for scratch, `log` the folder of the real log or None, `rows` those asked
    for: a module of several rows may leave the others out.
    """

    is_smoke: bool
    repeats: int
    folder: Path
    log: Path | None
    peers: Peers = field(default_factory=Peers)
    rows: frozenset[int] = frozenset(range(1, 13))


def in_turn(repeats: int, work: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """What each piece of work answered, time by time; forwards and backwards in turn.

    So a machine that gets slower or faster meanwhile does so for all of them.
    """
    told: dict[str, list[float]] = {name: [] for name in work}
    for number in range(repeats):
        for name in list(work)[:: -1 if number % 2 else 1]:
            told[name].append(work[name]())
    return told


def environment(**more: str) -> dict[str, str]:
    """What programs of a benchmark run in: this one's, and this project is imported.

    They may keep their compiled modules, as an installed program has them; without, the monitor
    and pandas alike take seconds more to start.
    """
    own = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_DOWN}
    return {**own, "PYTHONPATH": str(ROOT), **more}


def timed(work: Callable[[], object]) -> float:
    """The seconds on the wall that a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
