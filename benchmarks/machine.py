"""The machine under a run: what it is, how busy it was, and how much it wavered.

What goes out: plain values for the table and the JSON.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

from tests.postgres import NoPostgres, binaries, version_of

PROBES = 10
_TURNS = 1_000_000


@dataclass(slots=True)
class Noise:
    """The same loop timed again and again over the run: what the machine itself adds."""

    seconds: list[float] = field(default_factory=list)

    def probe(self, times: int = 1) -> None:
        """Time it so many times more."""
        for _ in range(times):
            began = time.perf_counter()
            total = 0
            for number in range(_TURNS):
                total += number
            self.seconds.append(time.perf_counter() - began)

    @property
    def spread(self) -> float:
        """From the fastest to the slowest, in % of the median."""
        return 100 * (max(self.seconds) - min(self.seconds)) / statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were measured on; loads are the average of the last minute."""

    cpus: int
    load_before: float
    load_after: float
    python: str
    sqlite: str
    postgresql: str
    noise: Noise

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.cpus} CPUs, load {self.load_before:.1f} before and {self.load_after:.1f} after;"
            f" Python {self.python}, SQLite {self.sqlite}, PostgreSQL {self.postgresql};"
            f" noise: the same loop {len(self.noise.seconds)} times, {self.noise.spread:.0f} %"
            " from fastest to slowest"
        )

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "noise"}
        return {**plain, "noise_seconds": self.noise.seconds, "noise_percent": self.noise.spread}


def load() -> float:
    """The load of the last minute."""
    return os.getloadavg()[0]


def machine(*, load_before: float, noise: Noise) -> Machine:
    """The machine at the end of a run."""
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        load_before=load_before,
        load_after=load(),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        postgresql=_postgresql(),
        noise=noise,
    )


def _postgresql() -> str:
    try:
        return version_of(binaries())
    except NoPostgres:
        return "none"
