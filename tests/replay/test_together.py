"""Cases tried together come out as if each had been lived through."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.columns import histories_of
from monitor.model import HOUR, MINUTE, Event
from monitor.replay.backtest import Backtest, Tally
from monitor.rulebook.book import Documents
from tests.clocks.histories import (
    GENERATED_BOOK,
    LADDER,
    T0,
    TOLERANCES,
    contact,
    decided,
    event,
    histories,
    responsible,
    rule,
    told,
)
from tests.clocks.test_together import plain_histories
from tests.escalate.desk import EVERYBODY

SINCE, UNTIL = T0 - HOUR, T0 + 30 * HOUR

COUNCIL = rule(for_each=["child", "organisation"], threshold="4h")
BY_RISK = rule(applies={"risk": ["standard", "none"]}, threshold="6h")
HEALTH = rule(
    id="health",
    partner="health",
    stop=[{"kind": "partner_notified", "partner": "health"}],
    threshold="1 working day",
    calendar="office",
)


def documents(*rules: object) -> Documents:
    return GENERATED_BOOK.documents.model_copy(update={"rules": rules, "ladders": (LADDER,)})


PAIRS = {
    "a longer limit": (
        documents(COUNCIL, HEALTH),
        documents(COUNCIL.model_copy(update={"threshold": BY_RISK.threshold}), HEALTH),
    ),
    "by organisation or not": (documents(COUNCIL), documents(BY_RISK)),
    "by risk": (
        documents(BY_RISK),
        documents(BY_RISK.model_copy(update={"threshold": COUNCIL.threshold})),
    ),
    "a rule more": (documents(HEALTH), documents(HEALTH, COUNCIL)),
    "any sort": (GENERATED_BOOK.documents, documents(COUNCIL, HEALTH)),
}


def tried(before: Documents, after: Documents, *, telling: bool) -> Backtest:
    span = {"since": SINCE, "until": UNTIL}
    return Backtest(before, after, EVERYBODY, TOLERANCES, **span, telling=telling)


def together(test: Backtest, cases: Sequence[list[Event]]) -> tuple[Tally, list[int]]:
    tally = Tally()
    found = histories_of(cases, declared=test.asked)
    left = test.try_together(found, lambda places: [f"case {n}" for n in places], tally)
    return tally, left


@pytest.mark.parametrize("telling", [True, False], ids=["telling", "verdicts"])
@pytest.mark.parametrize("pair", PAIRS)
@given(cases=st.lists(st.one_of(plain_histories(), plain_histories(), histories()), max_size=4))
def test_they_come_out_as_one_by_one(cases: list[list[Event]], pair: str, telling: bool) -> None:
    must_come_out_as_one_by_one(cases, pair, telling=telling)


def must_come_out_as_one_by_one(cases: list[list[Event]], pair: str, *, telling: bool) -> None:
    test = tried(*PAIRS[pair], telling=telling)
    cases = [c for c in cases if any(SINCE <= e.occurred_from < UNTIL for e in c)]
    tally, left = together(test, cases)
    for place in left:
        test.try_case(cases[place], tally)
    alone = Tally()
    for events in cases:
        test.try_case(events, alone)
    assert tally.clocks == alone.clocks
    assert tally.cases == alone.cases
    assert sorted(tally.before) == sorted(alone.before)
    assert sorted(tally.after) == sorted(alone.after)
    assert tally.examples.keys() == alone.examples.keys()


CONTACT = contact(T0, child="a", received=T0 + MINUTE, id="c", category="physical_abuse")
OWED = responsible(T0, "eastshire", child="a", received=T0 + MINUTE, id="o")
IN_TIME = told(T0 + HOUR, organisation="eastshire", received=T0 + HOUR, id="s")
LATE = told(T0 + 7 * HOUR, organisation="eastshire", received=T0 + 7 * HOUR, id="s")


HEALTH_TOLD = told(T0 + HOUR, "health", received=T0 + HOUR, id="h")
UNSAID = contact(T0, received=T0 + MINUTE, id="c", category="physical_abuse")
TO_WHOM_UNSAID = told(T0 + HOUR, received=T0 + HOUR, id="s")


def written_later(kind: str, hours: int, **said: str) -> Event:
    """Something that had happened at once, written down so many hours later."""
    at = T0 + hours * HOUR
    return event(kind, T0, recorded=at, received=at, id="w", **said)  # type: ignore[arg-type]


OWED_LATER = written_later(
    "organisation_responsible", 2, partner="council", organisation="eastshire", child="a"
)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param([CONTACT, TO_WHOM_UNSAID], id="nobody responsible, told in time"),
        pytest.param([CONTACT, OWED_LATER, TO_WHOM_UNSAID], id="responsible later"),
        pytest.param(
            [CONTACT, OWED, written_later("supervised", 20, risk="high")],
            id="a grade written down later, under which another rule applies",
        ),
        pytest.param(
            [UNSAID, OWED._replace(child=""), written_later("supervised", 9, child="a")],
            id="a child written down later",
        ),
        pytest.param(
            [CONTACT, OWED, told(T0 + HOUR, recorded=T0 + 9 * HOUR, received=T0 + 9 * HOUR)],
            id="told in time, written down after due",
        ),
    ],
)
def test_hand_made_cases_too(case: list[Event], pair: str) -> None:
    """Those in which somebody is told before the last of it is known."""
    quiet = [CONTACT, OWED, IN_TIME, HEALTH_TOLD]
    must_come_out_as_one_by_one([[*case, HEALTH_TOLD], quiet], pair, telling=True)


def left_over(*cases: list[Event], telling: bool = True) -> list[int]:
    return together(tried(*PAIRS["a longer limit"], telling=telling), cases)[1]


def test_a_case_that_was_shared_in_time_is_not_lived_through() -> None:
    """Health was told too; nobody is owed anything when its first warning comes."""
    assert left_over([CONTACT, OWED, IN_TIME, HEALTH_TOLD]) == []


def test_one_in_which_somebody_would_be_told_is() -> None:
    assert left_over([CONTACT, OWED, LATE]) == [0]


def test_unless_it_is_not_asked_who_would_be_told() -> None:
    assert left_over([CONTACT, OWED, LATE], telling=False) == []


def test_one_in_which_something_must_be_weighed_is_lived_through_even_so() -> None:
    withheld = decided(T0 + HOUR, "withheld", id="w")
    assert left_over([CONTACT, OWED, withheld], [CONTACT, OWED], telling=False) == [0]
