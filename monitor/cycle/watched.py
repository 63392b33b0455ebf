"""What the watch on the watch remembers from one look to the next.

What comes in: what stands first in a queue at a look. What goes out: whether it has stood there for
too long. Kept by the process alone: one that starts anew looks anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.model import Duration, Instant
from monitor.store.watch import NOT_SEEN, Seal


@dataclass(slots=True)
class Watched:
    """The memory of one process."""

    begins_at: Instant = 0
    """Nothing is looked at before: time that runs faster than real time makes everything late."""
    standing: dict[str, tuple[str, Instant]] = field(default_factory=dict)
    """What → what stood first, and since when it was seen to."""
    upto: int = 0
    """Up to which clock they were looked through; 0: from the first."""
    was_round: bool = False
    """Whether all clocks were looked through once."""
    unset: set[int] = field(default_factory=set)
    """Clocks that were found without a next step."""
    sealed: Seal = NOT_SEEN
    """How far the audit log was read."""
    was_sealed: bool = False
    """Whether it was read to its end once."""

    def stands_still(self, what: str, head: str, *, now: Instant, patience: Duration) -> bool:
        """Whether the same has stood first at every look for so long."""
        known, since = self.standing.get(what, ("", now))
        if known != head or since > now:
            since = now
        self.standing[what] = (head, since)
        return now - since >= patience

    def forget(self, what: str) -> None:
        """Nothing stands there now."""
        self.standing.pop(what, None)
