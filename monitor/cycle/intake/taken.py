"""What became of one file that waited.

What comes in: nothing. What goes out: the shape of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ELSEWHERE: Final = "taken by another node"
GONE: Final = "gone"
PASSED_OVER: Final = frozenset({ELSEWHERE, GONE})
"""What became of a file that is another node's to take in: nothing to be told."""

CANNOT_BE_TAKEN_IN: Final = "it could not be taken in"
REFUSED_BEFORE: Final = "it was set aside whole before, and its mapping is the same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of one file."""

    feed: str
    file: str
    state: str
    """`done`, `known already`, `set aside`, `left` where it changed while it was read, or one of
    PASSED_OVER."""
    why: str = ""
    rows: int = 0
    events_new: int = 0
    events_known: int = 0
    events_amended: int = 0
    events_conflicting: int = 0
    rows_set_aside: int = 0
    rows_without_event: int = 0

    @property
    def is_read(self) -> bool:
        """Whether the whole file is known, so that its feed speaks up to its end."""
        return self.state in {"done", "known already"} and self.why != REFUSED_BEFORE

    @property
    def is_stuck(self) -> bool:
        """Whether it stays where it is, and will not be read without a person."""
        return self.why.startswith(CANNOT_BE_TAKEN_IN)
