"""How each version of a rule stands."""

from __future__ import annotations

import datetime as dt

from monitor.rulebook.findings import vanished
from monitor.rulebook.language import Rule
from monitor.rulebook.versions import Version, of_files, versions
from tests.rulebook.test_approval import governing
from tests.store.world import documents, rule

NAME = "tell-council"


def version(number: int, begins: str, ends: str | None = None, limit: str = "4h") -> Rule:
    effective = {"from": begins} | ({"to": ends} if ends else {})
    return rule(version=number, effective=effective, threshold=limit)


FIRST, SECOND = version(1, "2026-01-01"), version(2, "2027-03-01", limit="6h")


def standing(*files: Rule, approved: tuple[Rule, ...], today: str) -> list[Version]:
    written = documents(*files)
    on = dt.date.fromisoformat(today)
    return versions(governing(written, *approved), written, today=on)[NAME]


def said(*files: Rule, approved: tuple[Rule, ...] = (), today: str) -> list[tuple[int, str, bool]]:
    found = standing(*files, approved=approved, today=today)
    return [(each.rule.version, each.state, each.holds) for each in found]


def test_on_the_day_on_which_the_next_begins_the_one_before_is_over() -> None:
    both = (FIRST, SECOND)
    assert said(*both, approved=both, today="2027-02-28") == [
        (1, "in force", True),
        (2, "approved, begins on 2027-03-01", False),
    ]
    assert said(*both, approved=both, today="2027-03-01") == [
        (1, "approved, governed until 2027-02-28", False),
        (2, "in force", True),
    ]
    (first, second) = standing(*both, approved=both, today="2027-02-28")
    assert (first.until, second.until) == (dt.date(2027, 2, 28), None)


def test_what_nobody_approved_waits_and_changes_no_span() -> None:
    found = standing(FIRST, SECOND, approved=(FIRST,), today="2027-04-01")
    states = [(each.rule.version, each.state, each.waits, each.until) for each in found]
    assert states == [(1, "in force", False, None), (2, "waits for approval", True, None)]


def test_an_edit_in_place_waits_beside_what_runs_on() -> None:
    found = standing(version(1, "2026-01-01", limit="5h"), approved=(FIRST,), today="2027-01-01")
    limits = [(str(each.rule.threshold), each.waits) for each in found]
    assert limits == [("4h", False), ("5h", True)]


def test_on_trial_is_never_in_force() -> None:
    trial = "on trial: measures, tells nobody"
    assert said(FIRST, today="2027-01-01") == [(1, trial, True)]
    begins = "on trial, begins on 2027-03-01: measures, tells nobody"
    assert said(FIRST, SECOND, today="2027-01-01") == [(1, trial, True), (2, begins, False)]


def test_a_version_that_ends_or_never_governs_says_so() -> None:
    ended = version(1, "2026-01-01", "2026-06-30")
    assert said(ended, approved=(ended,), today="2026-07-01") == [
        (1, "approved, governed until 2026-06-30", False)
    ]
    back = version(2, "2025-01-01")
    assert said(FIRST, back, approved=(FIRST, back), today="2027-01-01") == [
        (1, "approved, never governs", False),
        (2, "in force", True),
    ]


def test_without_a_database_nothing_is_said_of_approval() -> None:
    assert of_files(documents(SECOND, FIRST))[NAME] == [Version(FIRST, ""), Version(SECOND, "")]


def test_a_version_without_a_file_is_named_while_it_holds_or_clocks_run_by_it() -> None:
    holds = Version(FIRST, "in force", holds=True, until=dt.date(2027, 2, 28))
    (found,) = vanished(holds, open_clocks=0, today=dt.date(2027, 2, 28))
    assert found.what == (
        "no file has version 1 any more: it governs starts from 2026-01-01 to 2027-02-28"
    )
    after = dt.date(2027, 3, 1)
    assert list(vanished(holds, open_clocks=0, today=after)) == []
    (found,) = vanished(holds, open_clocks=2, today=after)
    assert found.what.endswith(", and 2 clocks still run by it")
    assert found.mend.startswith("put version 1 back")
