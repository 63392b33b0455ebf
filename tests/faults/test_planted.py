"""A campaign that finds nothing must be one that would have found something."""

from __future__ import annotations

import pytest

from tests.faults import made
from tests.faults.campaign import Place, Unbroken, attempt, unbroken
from tests.faults.plan import Plan
from tests.faults.steps import HANDED_OVER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("planted")
    return Place(folder, made.make(folder), None)


@pytest.fixture(scope="module")
def whole(place: Place) -> Unbroken:
    return unbroken(place, "sqlite", 1, "unbroken")


def step(known: Unbroken, when: str, *tables: str) -> str:
    """The step before or after the first commit that writes some tables, and no others."""
    return next(
        each
        for each, written in known.written.items()
        if each.startswith(when) and written >= set(tables)
    )


def found(place: Place, known: Unbroken, plant: str, at: str, *, times: int = 1) -> str:
    plan = Plan(step=at, times=times, act="kill", plant=plant, patience_seconds=40)
    outcome = attempt(place, "sqlite", "step", plan, known.state, f"{plant or 'none'}-{times}")
    assert outcome.reached
    return "\n".join(outcome.found)


def test_progress_committed_before_the_events_is_found(place: Place, whole: Unbroken) -> None:
    """Killed in between, a batch is passed over for good: its events are missed."""
    red = found(place, whole, "commit-moved", step(whole, "before", "batch", "event"), times=2)
    assert "events: lost" in red


def test_a_file_moved_before_its_last_commit_is_found(place: Place, whole: Unbroken) -> None:
    """Nobody can read to its end what is not there: its intake stays open."""
    red = found(place, whole, "moved-early", step(whole, "before", "audit", "feed", "intake"))
    assert "never quiet" in red


def test_alerts_stored_apart_from_their_decision_are_found(place: Place, whole: Unbroken) -> None:
    """The clock says that its rung was decided, and nobody is ever told.

    Not every sweep decides an alert: of the first few, one does.
    """
    at = step(whole, "after", "clock", "alert")
    tried = (found(place, whole, "told-apart", at, times=times) for times in (1, 2, 3))
    assert any("alerts: lost" in red for red in tried)


def test_a_mail_recorded_as_sent_before_it_is_sent_is_found(place: Place, whole: Unbroken) -> None:
    """The database says that it was sent; no mail server has it."""
    red = found(place, whole, "mark-before-send", HANDED_OVER, times=3)
    assert "sent, they say; none has it" in red


def test_the_same_kill_without_a_planted_fault_is_not_red(place: Place, whole: Unbroken) -> None:
    """What turned the others red is the fault and not the kill."""
    assert not found(place, whole, "", step(whole, "before", "batch", "event"), times=2)
