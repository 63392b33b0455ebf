"""From when, and until when, a rule covers a case."""

from __future__ import annotations

from monitor.clocks.coverage import Coverage, Return, coverage, value_at
from monitor.model import HOUR, MINUTE, Event
from monitor.rulebook.match import attribute_reader
from tests.clocks.histories import T0, contact, event, regraded

RISKS = ("standard", "medium", "high")
ASKED_HIGH = (("risk", attribute_reader("risk"), frozenset({"high"})),)
ASKED_LOW = (("risk", attribute_reader("risk"), frozenset({"standard", "medium", ""})),)
ASKED_NEGLECT = (("category", attribute_reader("category"), frozenset({"neglect"})),)
KNOWN = T0 + MINUTE


def covered(
    events: list[Event], asked: tuple[tuple[str, object, frozenset[str]], ...]
) -> Coverage | None:
    return coverage(T0, KNOWN, events, asked, risks=RISKS)  # type: ignore[arg-type]  # short


def test_a_case_that_always_had_the_value_is_covered_from_its_start() -> None:
    assert covered([contact(risk="high")], ASKED_HIGH) == Coverage(T0, KNOWN, None, None)


def test_a_case_that_never_had_the_value_is_not_covered() -> None:
    assert covered([contact(risk="medium")], ASKED_HIGH) is None
    assert covered([contact()], ASKED_HIGH) is None


def test_not_said_is_a_value_that_a_rule_may_ask_for() -> None:
    assert covered([contact()], ASKED_LOW) == Coverage(T0, KNOWN, None, None)


def test_what_was_said_first_only_later_holds_from_the_start() -> None:
    """The concern was the same; only its name came later. It was known when it was received."""
    events = [contact(), regraded(T0 + 10 * HOUR, risk="high", received=T0 + 11 * HOUR)]
    assert covered(events, ASKED_HIGH) == Coverage(T0, T0 + 11 * HOUR, None, None)


def test_a_risk_that_rises_starts_the_faster_rule_when_it_was_known() -> None:
    events = [contact(risk="medium"), regraded(T0 + 10 * HOUR, risk="high")]
    found = covered(events, ASKED_HIGH)
    assert found is not None
    assert (found.started_at, found.raised_after) == (T0 + 10 * HOUR, 10 * HOUR)


def test_a_risk_that_falls_gives_the_slower_rule_no_later_start() -> None:
    """Law 5: lowering the grade must not buy time."""
    events = [contact(risk="high"), regraded(T0 + 2 * HOUR, risk="medium")]
    found = covered(events, ASKED_LOW)
    assert found is not None
    assert (found.started_at, found.raised_after) == (T0, None)


def test_a_category_that_changes_is_new_knowledge() -> None:
    events = [contact(), regraded(T0 + 3 * HOUR, category="neglect")]
    found = covered(events, ASKED_NEGLECT)
    assert found is not None
    assert found.started_at == T0 + 3 * HOUR


def test_a_case_leaves_a_rule_when_its_risk_falls() -> None:
    events = [contact(risk="high"), regraded(T0 + 2 * HOUR, risk="medium")]
    found = covered(events, ASKED_HIGH)
    assert found is not None
    assert found.left_at == T0 + 2 * HOUR


def test_coming_back_is_not_leaving() -> None:
    events = [
        contact(risk="high"),
        regraded(T0 + 2 * HOUR, risk="medium"),
        regraded(T0 + 3 * HOUR, risk="high"),
    ]
    back = Return(T0 + 2 * HOUR, T0 + 3 * HOUR + MINUTE)
    assert covered(events, ASKED_HIGH) == Coverage(T0, KNOWN, None, None, (back,))


def test_leaving_twice_counts_the_last_time() -> None:
    events = [
        contact(risk="high"),
        regraded(T0 + 2 * HOUR, risk="medium"),
        regraded(T0 + 3 * HOUR, risk="high"),
        regraded(T0 + 4 * HOUR, risk="standard"),
        regraded(T0 + 5 * HOUR, risk="medium"),
    ]
    found = covered(events, ASKED_HIGH)
    assert found is not None
    assert found.left_at == T0 + 4 * HOUR


def test_a_risk_that_rises_does_not_end_the_slower_rule() -> None:
    """The faster clock starts then; the slower one goes on, or raising would buy time."""
    events = [contact(risk="medium"), regraded(T0 + 10 * HOUR, risk="high")]
    found = covered(events, ASKED_LOW)
    assert found is not None
    assert found.left_at is None


def test_two_values_at_one_instant_are_both_believed() -> None:
    events = [contact(risk="high"), event("contact", T0, feed="other", risk="medium")]
    assert covered(events, ASKED_HIGH) is not None
    assert covered(events, ASKED_LOW) is not None


def test_the_value_at_an_instant_is_the_latest_said_by_then() -> None:
    events = [contact(risk="medium"), regraded(T0 + HOUR, risk="high")]
    read = attribute_reader("risk")
    assert [value_at(events, read, T0 + at) for at in (-HOUR, 0, HOUR - 1, HOUR)] == [
        "medium",
        "medium",
        "medium",
        "high",
    ]
    assert value_at([event("triaged", T0)], read, T0) == ""
