"""What is to go wrong in one run, and what the run came to.

What comes in: nothing. What goes out: the shapes in which a campaign speaks of runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from monitor.model import MINUTE, Duration
from tests.faults.force import STAGES, Stage
from tests.faults.sink import Accepted

PATIENCE_SECONDS: Final = 180
"""A stage that is not quiet by then, in the machine's time, never will be: machines are busy."""

MOST_OF_MOVING: Final[Duration] = 12 * MINUTE
"""By how much in all a stage may be moved on: less than lies between any two of its steps."""


@dataclass(frozen=True)
class Plan:
    """What goes wrong in one run."""

    nodes: int = 1
    step: str = ""
    times: int = 1
    act: str = ""
    """`kill`, `stop` or `terminate`, at the step; or `hang up`, `kill at answer`, by the sink."""
    kill_after_terminate: int = 0
    random_kills: int = 0
    seed: int = 0
    plant: str = ""
    meet: str = ""
    stages: tuple[Stage, ...] = STAGES
    settings: tuple[tuple[str, str], ...] = ()
    patience_seconds: float = PATIENCE_SECONDS
    lasts: tuple[float, ...] = ()
    """How long each stage of an unbroken run took: random kills fall within."""

    def __str__(self) -> str:
        """What was tried, in words."""
        if self.random_kills:
            return f"{self.random_kills} kills at random, seed {self.seed}"
        if self.act in {"hang up", "kill at answer"}:
            return f"{self.act}, mail {self.times}"
        if self.kill_after_terminate:
            return (
                f"killed {self.kill_after_terminate} steps after being asked to end at {self.step}"
            )
        return f"{self.act} {self.step}, {self.times}" if self.act else "unbroken"


@dataclass
class Ended:
    """One process that ended, or stood still, against its will, and what it held."""

    node: str
    at_step: str
    leased: frozenset[str]
    """Message-IDs of mails that it had claimed and not recorded."""
    was_suspended: bool = False


@dataclass
class Lived:
    """What a run came to."""

    plan: Plan
    folder: Path
    url: str
    accepted: list[Accepted] = field(default_factory=list)
    hung_up_on: list[str] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    lasted: list[float] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    """Every step, in the order in which they were traced."""
    written: dict[str, set[str]] = field(default_factory=dict)
    """Step → the tables that its commits wrote."""
    handed_over: dict[str, list[int]] = field(default_factory=dict)
    """Message-ID → when a daemon began to hand it over, on the machine's steady microseconds."""
    time_moved: list[int] = field(default_factory=list)
    """When the made-up time was moved on, on the same."""
    reached: bool = True
    """Whether the step at which something was to go wrong was come to."""
    meetings: int = 0
    seconds: float = 0
    stuck: str = ""
    complaints: list[str] = field(default_factory=list)
    """What the daemons' logs tell of turns that failed."""
