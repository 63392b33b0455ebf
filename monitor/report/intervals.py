"""How sure a share is.

What comes in: how many of how many. What goes out: the interval in which the share behind them lies
with 95 % confidence. It does not care what is counted.
"""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

_Z: Final = 1.959963984540054
"""The normal deviate that one in forty exceeds: 95 % lie between it and its negative."""


class Interval(NamedTuple):
    """From and to, as parts of one."""

    low: float
    high: float

    def holds(self, share: float) -> bool:
        """Whether a share lies within it, its ends included."""
        return self.low <= share <= self.high


def wilson(met: int, of: int) -> Interval:
    """The 95 % score interval of a share (E. B. Wilson, 1927), without correction for continuity.

    It holds for few duties and for shares near none and all, where the usual one does not. It takes
    duties for independent of each other; those of one notice are not, so it is rather too narrow.
    Of nothing anything may be: 0 to 1. Raises ValueError for counts that cannot be.
    """
    if not 0 <= met <= of:
        msg = f"{met} of {of} is no share"
        raise ValueError(msg)
    if not of:
        return Interval(0.0, 1.0)
    share, spread = met / of, _Z * _Z / of
    centre = share + spread / 2
    reach = _Z * sqrt(share * (1 - share) / of + spread / (4 * of))
    low, high = (centre - reach) / (1 + spread), (centre + reach) / (1 + spread)
    # At its ends it is exact; only rounding could say a little less than none or more than all.
    return Interval(low if met else 0.0, high if met < of else 1.0)
