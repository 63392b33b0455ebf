"""Conditions of a rule, made ready to be asked of many events.

What comes in: conditions as written. What goes out: a question that an event answers in well under
a microsecond. It does not care which rule asks, nor what follows from the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from monitor.model import Event

if TYPE_CHECKING:
    from monitor.rulebook.language import Condition

Test = Callable[[Event], bool]
ReadAttribute = Callable[[Event], str]

STANDING_ATTRIBUTES = (
    "partner",
    "organisation",
    "category",
    "risk",
    "district",
    "unit",
    "decision",
    "reason_code",
    "feed",
)
"""Fields of every event that a condition may name, beside what the vocabulary declares."""


def attribute_reader(name: str) -> ReadAttribute:
    """How to read an attribute off an event; "not said" is the empty string."""
    if name in STANDING_ATTRIBUTES:
        return attrgetter(name)
    return lambda event: next((value for key, value in event.attributes if key == name), "")


class Matcher:
    """Whether an event meets any of several conditions."""

    __slots__ = ("_tests_of_kind", "kinds")

    def __init__(self, conditions: Iterable[Condition]) -> None:
        tests_of_kind: dict[str, list[Test | None]] = {}
        for condition in conditions:
            for kind in condition.kind:
                tests_of_kind.setdefault(kind, []).append(_test_of(condition))
        self._tests_of_kind = {
            kind: () if None in tests else tuple(test for test in tests if test)
            for kind, tests in tests_of_kind.items()
        }
        self.kinds = tuple(tests_of_kind)

    def __call__(self, event: Event) -> bool:
        """True where any condition of the event's kind is met."""
        tests = self._tests_of_kind.get(event.kind)
        if tests is None:
            return False
        return not tests or any(test(event) for test in tests)


def _test_of(condition: Condition) -> Test | None:
    """The attribute test of a condition; None where the kind alone is enough."""
    asked = [(attribute_reader(name), values) for name, values in condition.where.items()]
    if not asked:
        return None
    return lambda event: all(read(event) in values for read, values in asked)
