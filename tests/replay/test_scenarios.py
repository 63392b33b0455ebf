"""Scenarios beside the rules: read, lived through, and shown where they do not hold."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from monitor.faults import FaultsFound
from monitor.replay.difference import difference
from monitor.replay.running import Outcome, run_scenarios
from monitor.replay.scenarios import read_scenarios
from monitor.rulebook.book import Documents
from tests.clocks.histories import CLOCK_HOURS, ENGLAND, LADDER, OFFICE, VOCABULARY, rule

DOCUMENTS = Documents(
    rules=(
        rule(stop_feeds=["sending-log"]),
        rule(id="council-each", for_each=["child", "organisation"], threshold="8h"),
        rule(id="quick", threshold="2h", wakes=True),
    ),
    ladders=(LADDER,),
    calendars=(CLOCK_HOURS, OFFICE),
    holidays={"england": ENGLAND},
    vocabulary=VOCABULARY,
)

EVENTS = """
events:
  - "Mon 8 Mar 2027 18:47  contact  category=neglect"
"""
TOLD_BY_23 = """
  told:
    - "Mon 8 Mar 2027 21:47  warning to sergeant"
    - "Mon 8 Mar 2027 22:47  overdue to sergeant"
"""


def _written(folder: Path, scenario: str, *, rules: str = "council") -> None:
    (folder / "tests").mkdir(exist_ok=True)
    body = indent(dedent(scenario).strip(), "    ")
    text = f'rule: {rules}\nscenarios:\n  - name: "A contact in the evening"\n{body}\n'
    (folder / "tests" / "one.yaml").write_text(text, encoding="utf-8")


def _tried(folder: Path, scenario: str, **how: str) -> Outcome:
    _written(folder, scenario, **how)
    (outcome,) = run_scenarios(read_scenarios(folder, DOCUMENTS), DOCUMENTS)
    return outcome


def _shown(outcome: Outcome) -> str:
    return "\n".join(difference(outcome))


def _expecting(clocks: str, told: str = TOLD_BY_23, *, events: str = EVENTS) -> str:
    at = f'expect:\n- at: "Mon 8 Mar 2027 23:00"\n  clocks:\n    - "{clocks}"\n'
    return f"{events.strip()}\n{at}  {told.strip()}"


def _faults(folder: Path, scenario: str, **how: str) -> list[tuple[int | None, str]]:
    _written(folder, scenario, **how)
    with pytest.raises(FaultsFound) as raised:
        read_scenarios(folder, DOCUMENTS)
    return [(fault.line, str(fault)) for fault in raised.value.faults]


# -- what holds and what does not -------------------------------------------------------------


def test_a_scenario_that_is_right_holds(tmp_path: Path) -> None:
    outcome = _tried(tmp_path, _expecting("overdue, due Mon 8 Mar 2027 22:47"))
    assert outcome.holds
    assert _shown(outcome) == ""


@pytest.mark.parametrize("wrong", ["met", "overdue, due Mon 8 Mar 2027 22:48", "overdue, child A"])
def test_a_clock_that_stands_otherwise_is_shown_beside_what_was_expected(
    tmp_path: Path, wrong: str
) -> None:
    outcome = _tried(tmp_path, _expecting(wrong))
    assert not outcome.holds
    shown = _shown(outcome)
    assert shown.startswith(f"{tmp_path}/tests/one.yaml:3: A contact in the evening")
    assert "at Mon 8 Mar 2027 23:00 (line 7)" in shown
    assert any(
        line.startswith("    line 9") and wrong in line and "22:47" in line
        for line in shown.splitlines()
    )


def test_an_alert_that_nobody_expected_fails(tmp_path: Path) -> None:
    outcome = _tried(tmp_path, _expecting("overdue", "told: []"))
    shown = _shown(outcome)
    assert "(not expected)" in shown
    assert "Mon 8 Mar 2027 21:47  warning to sergeant" in shown


@pytest.mark.parametrize(
    "line",
    [
        "Mon 8 Mar 2027 22:46  overdue to sergeant",
        "Mon 8 Mar 2027 22:47  warning to sergeant",
        "Mon 8 Mar 2027 22:47  overdue to inspector",
        "Mon 8 Mar 2027 22:47  overdue to sergeant, because learnt after it was due",
    ],
)
def test_an_alert_that_does_not_come_fails(tmp_path: Path, line: str) -> None:
    """By its time, its kind, its role and its reason."""
    told = TOLD_BY_23.replace("Mon 8 Mar 2027 22:47  overdue to sergeant", line)
    outcome = _tried(tmp_path, _expecting("overdue", told))
    assert f"{line}" in _shown(outcome)
    assert "(nothing)" in _shown(outcome)


def test_a_clock_that_nobody_expected_fails(tmp_path: Path) -> None:
    scenario = _expecting("overdue, rule council", TOLD_BY_23)
    outcome = _tried(tmp_path, scenario, rules="[council, quick]")
    assert "overdue, due Mon 8 Mar 2027 20:47, rule quick" in _shown(outcome)


def test_what_was_told_is_listed_since_the_time_before(tmp_path: Path) -> None:
    scenario = (
        _expecting("overdue").rstrip()
        + """
- at: "Tue 9 Mar 2027 00:00"
  clocks:
    - "overdue"
  told:
    - "Mon 8 Mar 2027 23:47  overdue to inspector"
"""
    )
    assert _tried(tmp_path, scenario).holds


def test_an_alert_is_told_apart_by_its_child(tmp_path: Path) -> None:
    """Two children, and a mail that names one of them."""
    scenario = """
events:
  - "Mon 8 Mar 2027 18:47  contact  child=A partner=council organisation=eastshire"
  - "Mon 8 Mar 2027 18:47  contact  child=B partner=council organisation=eastshire"
  - "Mon 8 Mar 2027 20:00  partner_notified  child=A partner=council organisation=eastshire"
expect:
- at: "Tue 9 Mar 2027 02:00"
  clocks:
    - "due soon, child B"
    - "met, child A, stopped Mon 8 Mar 2027 20:00"
  told:
    - "Tue 9 Mar 2027 01:47  warning to sergeant, child B"
"""
    assert _tried(tmp_path, scenario, rules="council-each").holds
    wrong = scenario.replace("sergeant, child B", "sergeant, child A")
    assert not _tried(tmp_path, wrong, rules="council-each").holds


def test_a_role_with_hours_is_told_when_they_begin(tmp_path: Path) -> None:
    roles = 'roles:\n  sergeant: "office"\n'
    assert _tried(tmp_path, roles + _expecting("overdue", "told: []")).holds


def test_out_of_hours_somebody_else_is_told_by_a_rule_that_wakes(tmp_path: Path) -> None:
    roles = 'roles:\n  sergeant: "office, otherwise on_call"\n'
    told = TOLD_BY_23.replace("sergeant", "on_call").replace("21:47", "19:47")
    told = told.replace("22:47", "20:47") + '    - "Mon 8 Mar 2027 21:47  overdue to inspector"\n'
    assert _tried(tmp_path, roles + _expecting("overdue", told), rules="quick").holds


def test_a_silent_feed_is_unknown(tmp_path: Path) -> None:
    feeds = 'feeds:\n  sending-log: "silent from Mon 8 Mar 2027 20:00"\n'
    told = TOLD_BY_23.replace("overdue to sergeant", "overdue to sergeant, because unconfirmed")
    assert _tried(tmp_path, feeds + _expecting("unknown", told)).holds


def test_an_event_is_known_when_it_was_recorded(tmp_path: Path) -> None:
    """Ten minutes before due and recorded after it: overdue meanwhile, then taken back."""
    stop = '  - "Mon 8 Mar 2027 22:37  partner_notified  partner=council  (recorded 22:55)"'
    events = EVENTS.rstrip() + "\n" + stop
    told = TOLD_BY_23 + '    - "Mon 8 Mar 2027 22:55  withdrawal to sergeant"\n'
    says = "met, stopped Mon 8 Mar 2027 22:37, recorded 22:55"
    assert _tried(tmp_path, _expecting(says, told, events=events)).holds


# -- faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "line", "why"),
    [
        ("Mon 8 Mar 2027 18:47", "Tue 8 Mar 2027 18:47", 5, "8 Mar 2027 is a Mon"),
        ("Mon 8 Mar 2027 18:47", "Sun 28 Mar 2027 01:30", 5, "does not exist"),
        ("contact", "contract", 5, "kind 'contract' is not in the vocabulary"),
        ("category=neglect", "category=neglected", 5, "'neglected' is not in the vocabulary"),
        ("category=neglect", "colour=red", 5, "'colour' is nothing that an event says"),
        ("category=neglect", "neglect", 5, "not written as name=value"),
        ("category=neglect", "(heard 19:00)", 5, "none of: recorded, received, review"),
        ("category=neglect", "(received 18:00)", 5, "cannot be received before it happens"),
        ("Mon 8 Mar 2027 23:00", "Mon 8 Mar 2027", 7, "time of day is missing"),
        ('"overdue"', '"breached"', 9, "'breached' is none of: running"),
        ('"overdue"', '"overdue, colour red"', 9, "nothing that is said of a clock"),
        ("warning to sergeant", "warning sergeant", 11, "KIND to ROLE"),
        ("warning to sergeant", "warning to sargeant", 11, "'sargeant' is none of"),
        ("warning to sergeant", "warning to sergeant, colour red", 11, "'colour red' is none of"),
    ],
)
def test_a_line_that_cannot_be_read_is_a_fault_with_its_line(
    tmp_path: Path, before: str, after: str, line: int, why: str
) -> None:
    scenario = _expecting("overdue")
    assert before in scenario
    ((at_line, said),) = _faults(tmp_path, scenario.replace(before, after, 1))
    assert at_line == line
    assert why in said


@pytest.mark.parametrize(
    ("beside", "why"),
    [
        ('feeds:\n  sending-log: "asleep"\n', "'asleep' is none of"),
        ('feeds:\n  sending-log: "up to 1 working day late"\n', "is none of"),
        ('feeds:\n  sending-log: "silent from Tue 8 Mar 2027 20:00"\n', "is a Mon"),
        ('roles:\n  sergeant: "nights"\n', "'nights' is no calendar"),
        ('roles:\n  sergeant: "office, otherwise chief"\n', "'chief' is no role"),
    ],
)
def test_feeds_and_roles_that_cannot_be_read_are_faults(
    tmp_path: Path, beside: str, why: str
) -> None:
    ((at_line, said),) = _faults(tmp_path, beside + _expecting("overdue"))
    assert at_line == 5
    assert why in said


def test_a_rule_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    ((at_line, said),) = _faults(tmp_path, _expecting("overdue"), rules="councils")
    assert at_line == 1
    assert "there is no such rule; there are: council, council-each, quick" in said


def test_every_fault_is_said_at_once(tmp_path: Path) -> None:
    wrong = _expecting("breached").replace("contact", "contract").replace("warning to", "warning")
    assert [line for line, _ in _faults(tmp_path, wrong)] == [5, 9, 11]


def test_expectations_stand_in_the_order_of_time(tmp_path: Path) -> None:
    scenario = _expecting("overdue").rstrip() + '\n- at: "Mon 8 Mar 2027 22:00"\n'
    ((_, said),) = _faults(tmp_path, scenario)
    assert "order of time" in said


def test_a_folder_without_scenarios_has_none(tmp_path: Path) -> None:
    assert read_scenarios(tmp_path, DOCUMENTS) == []
