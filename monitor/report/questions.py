"""Two questions that figures raise, and never an accusation.

What comes in: how duties lie about their limit, and how many left it after they were overdue. What
goes out: which of it deserves to be asked about. It does not care who did anything.

Bunching: where people work towards a limit, or times are put right to meet it, many ends lie just
within it and few just beyond; of ambulance trusts a third were found to have done so (G. Bevan and
R. Hamblin, 2009, on the peak at eight minutes). It may have a good reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import sqrt
from typing import Final, NamedTuple

PARTS: Final = 10
"""A limit is parted in tenths of the time allowed."""
FEWEST: Final = 20
"""Of fewer in the last tenth nothing is asked."""
TIMES: Final = 2
"""So many times what its neighbours have."""
DEVIATIONS: Final = 3
"""Standard deviations beyond which chance is left out of account."""


class NearLimit(NamedTuple):
    """How many duties of a rule ended in the tenths of the time allowed about its limit."""

    before_last: int
    """Between eight and nine tenths."""
    last: int
    """Between nine tenths and the limit, which is still in time."""
    after: int
    """Within a tenth after."""

    @property
    def usual(self) -> float:
        """What the last tenth would have if it were like those beside it."""
        return (self.before_last + self.after) / 2

    @property
    def is_bunched(self) -> bool:
        """Whether so many are just within the limit that it deserves a question.

        Counts waver as Poisson's do: the last tenth by the root of what is usual, the mean of the
        other two by the root of its half. It must also be more than the tenth before it: where all
        is in time, nothing ends after the limit and there is nothing to ask.
        """
        beyond = self.last - self.usual
        more = self.last - self.before_last
        return (
            self.last >= FEWEST
            and self.last >= TIMES * self.usual
            and beyond > DEVIATIONS * sqrt(1.5 * max(self.usual, 1))
            and more > DEVIATIONS * sqrt(self.last + self.before_last)
        )


def near_limits(counted: Iterable[tuple[str, int, int]]) -> Mapping[str, NearLimit]:
    """Rule → its duties about the limit. `counted`: (rule, tenth from 0, how many)."""
    found: dict[str, dict[int, int]] = {}
    for rule, tenth, number in counted:
        tenths = found.setdefault(rule, {})
        tenths[tenth] = tenths.get(tenth, 0) + number
    return {
        rule: NearLimit(tenths.get(PARTS - 2, 0), tenths.get(PARTS - 1, 0), tenths.get(PARTS, 0))
        for rule, tenths in found.items()
    }


def bunching(near: Mapping[str, NearLimit], labels: Mapping[str, str]) -> Iterator[str]:
    """A question for each rule whose duties lie bunched within its limit.

    `labels`: rule → its words.
    """
    for rule, found in sorted(near.items()):
        if found.is_bunched:
            yield (
                f"{labels.get(rule, rule)}: in the last 26 weeks {found.last} duties ended in the"
                f" last tenth of the time allowed, {found.before_last} in the tenth before and"
                f" {found.after} in the tenth after. What makes so many end just within the limit?"
            )


def regraded(number: int) -> Iterator[str]:
    """A question on duties that went over to another limit when they were overdue."""
    if number:
        duties = "1 duty was" if number == 1 else f"{number:,} duties were"
        yield (
            f"{duties} regraded to another limit after falling overdue; counted all the same. What"
            " was learnt that changed the grade?"
        )
