"""The same history under two rulebooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.escalate.roster import Roster, read_roster
from monitor.model import HOUR, Event
from monitor.replay.backtest import NO_CLOCK, Backtest, Change, Tally, as_learnt_then
from monitor.rulebook.book import Documents
from monitor.rulebook.language import Rule
from tests.clocks.histories import (
    CLOCK_HOURS,
    ENGLAND,
    LADDER,
    OFFICE,
    T0,
    VOCABULARY,
    contact,
    rule,
    told,
)

DAY = 24 * HOUR
SINCE, UNTIL = T0 - DAY, T0 + 3 * DAY

ROLES = ("sergeant", "supervisor", "mash", "inspector", "on_call")


@pytest.fixture(scope="module")
def roster(tmp_path_factory: pytest.TempPathFactory) -> Roster:
    """Each role has one post, on duty at every hour."""
    path = tmp_path_factory.mktemp("roster") / "recipients.toml"
    path.write_text(
        'fallback = "on_call"\n'
        + "".join(f'[roles.{role}]\ntitle = "{role}"\n' for role in ROLES)
        + "".join(
            f'[[posts]]\nrole = "{role}"\naddress = "{role}@force.example"\n' for role in ROLES
        ),
        encoding="utf-8",
    )
    return read_roster(path, {})


def documents(*rules: Rule) -> Documents:
    return Documents(
        rules=rules,
        ladders=(LADDER,),
        calendars=(CLOCK_HOURS, OFFICE),
        holidays={"england": ENGLAND},
        vocabulary=VOCABULARY,
    )


def tried(
    roster: Roster, before: Documents, after: Documents, *cases: Iterable[Event], **period: int
) -> Tally:
    span = {"since": SINCE, "until": UNTIL} | period
    test = Backtest(before, after, roster, {}, since=span["since"], until=span["until"])
    tally = Tally()
    for events in cases:
        test.try_case(events, tally)
    return tally


def change(before: str, after: str, rule_id: str = "council") -> Change:
    return Change(rule_id, "", "physical_abuse", before, after)


def late_by(hours: float) -> list[Event]:
    """A contact, and the council told so many hours afterwards."""
    at = T0 + int(hours * HOUR)
    return [contact(received=T0), told(at, received=at)]


FOUR, EIGHT = documents(rule()), documents(rule(version=2, threshold="8h"))


def test_a_longer_limit_makes_some_of_what_was_late_met(roster: Roster) -> None:
    tally = tried(roster, FOUR, EIGHT, late_by(3), late_by(6), late_by(9))
    assert tally.cases == 3
    assert tally.clocks == {
        change("met", "met"): 1,
        change("late", "met"): 1,
        change("late", "late"): 1,
    }
    assert set(tally.examples) == {("council", "late", "met")}


def test_it_tells_fewer_people(roster: Roster) -> None:
    """Told late by two hours: under four hours a warning, two rungs; under eight a warning none."""
    tally = tried(roster, FOUR, EIGHT, late_by(6))
    assert len(tally.before) > len(tally.after) == 0


def test_a_rule_that_only_one_rulebook_has_is_no_clock_in_the_other(roster: Roster) -> None:
    both = documents(rule(), rule(id="again"))
    assert tried(roster, FOUR, both, late_by(3)).clocks == {
        change("met", "met"): 1,
        change(NO_CLOCK, "met", "again"): 1,
    }
    assert tried(roster, both, FOUR, late_by(3)).clocks == {
        change("met", "met"): 1,
        change("met", NO_CLOCK, "again"): 1,
    }


def test_the_newest_version_counts_as_if_it_had_always_been_in_force(roster: Roster) -> None:
    """Otherwise a rule that begins tomorrow would change nothing about last year."""
    tomorrow = rule(version=2, threshold="8h", effective={"from": "2030-01-01"})
    tally = tried(roster, FOUR, documents(rule(), tomorrow), late_by(6))
    assert tally.clocks == {change("late", "met"): 1}


def test_only_clocks_that_start_in_the_period_count(roster: Roster) -> None:
    assert tried(roster, FOUR, EIGHT, late_by(6), since=T0 + 1).cases == 1
    assert not tried(roster, FOUR, EIGHT, late_by(6), since=T0 + 1).clocks
    assert tried(roster, FOUR, EIGHT, late_by(6), until=T0).cases == 0


def test_a_history_loaded_at_once_is_told_as_it_would_have_been_then(roster: Roster) -> None:
    loaded = [event._replace(received_at=T0 + 900 * DAY) for event in late_by(6)]
    assert (
        tried(roster, FOUR, EIGHT, loaded).before == tried(roster, FOUR, EIGHT, late_by(6)).before
    )


def test_what_was_recorded_late_is_learnt_when_it_was_recorded() -> None:
    event = contact()._replace(recorded_at=T0 + 5 * HOUR, received_at=T0 + DAY)
    assert as_learnt_then(event).received_at == T0 + 5 * HOUR
    assert as_learnt_then(event._replace(received_at=T0 + HOUR)).received_at == T0 + HOUR


@pytest.mark.parametrize(
    "same", [{}, {"version": 9}, {"title": "Another title"}, {"effective": {"from": "2025-01-01"}}]
)
def test_rules_that_live_alike_are_lived_through_once_and_come_out_alike(
    roster: Roster, same: dict[str, Any]
) -> None:
    tally = tried(roster, FOUR, documents(rule(**same)), late_by(3), late_by(6))
    assert not any(each.is_one for each in tally.clocks)
    assert sorted(tally.before) == sorted(tally.after)


@settings(deadline=None, max_examples=50)
@given(hours=st.lists(st.floats(0, 60), max_size=6), limit=st.integers(1, 20))
def test_splitting_off_what_is_alike_changes_nothing(
    roster: Roster, hours: list[float], limit: int
) -> None:
    """Two rules of which one differs: each comes out as when it is tried alone."""
    other = rule(id="other", threshold=f"{limit}h")
    cases = [late_by(each) for each in hours]
    together = tried(
        roster, documents(rule(), other), documents(rule(threshold="8h"), other), *cases
    )
    alone = tried(roster, FOUR, EIGHT, *cases)
    beside = tried(roster, documents(other), documents(other), *cases)
    assert together.clocks == alone.clocks + beside.clocks
    assert sorted(together.before) == sorted(alone.before + beside.before)
    assert sorted(together.after) == sorted(alone.after + beside.after)


def test_tallies_add_up_in_any_order(roster: Roster) -> None:
    one, two = tried(roster, FOUR, EIGHT, late_by(6)), tried(roster, FOUR, EIGHT, late_by(3))
    left, right = Tally(), Tally()
    for tally, order in ((left, (one, two)), (right, (two, one))):
        for each in order:
            tally.add(each)
    whole = tried(roster, FOUR, EIGHT, late_by(6), late_by(3))
    for tally in (left, right):
        assert (tally.cases, tally.clocks, tally.examples) == (
            whole.cases,
            whole.clocks,
            whole.examples,
        )
