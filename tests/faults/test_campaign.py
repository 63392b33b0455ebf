"""The campaign in small: a few named steps on both databases, so that it stays alive."""

from __future__ import annotations

import re

import pytest

from tests.faults import made
from tests.faults.campaign import (
    TAKEN,
    Place,
    Unbroken,
    attempt,
    batch_stored,
    unbroken,
)
from tests.faults.plan import Plan
from tests.faults.steps import HANDED_OVER
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KNOWN_STEPS = {
    "rules made the active ones": r"activation .*rule_version",
    "an intake opened": r"intake",
    "a batch stored": r"batch .*event .*known_number",
    "an intake finished": r"audit .*feed .*intake",
    "cases folded anew": r"case_.* clock|clock",
    "a sweep decided": r"alert .*clock",
    "mails made": r"alert .*message",
    "an outcome recorded": r"audit .*message",
    "a silence noted": r"feed_gap",
    "a digest queued": r"digest_run .*message",
    "the audit log sealed": r"audit",
}
"""What the steps must cover, by the tables that are written; there may be any number of others."""


@pytest.fixture(scope="module", params=made.DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, database: str, request: pytest.FixtureRequest
) -> Place:
    folder = tmp_path_factory.mktemp("campaign")
    server: PostgresServer | None = None
    if database == "postgresql":
        server = request.getfixturevalue("postgres_server")
    return Place(folder, made.make(folder), server)


@pytest.fixture(scope="module")
def whole(place: Place, database: str) -> Unbroken:
    return unbroken(place, database, 1, "unbroken")


def test_an_unbroken_run_comes_to_every_step_that_is_known(whole: Unbroken) -> None:
    """Steps are found, not listed; those that matter must be among them, before and after."""
    for when in ("before", "after"):
        written = [
            " ".join(sorted(tables))
            for step, tables in whole.written.items()
            if step.startswith(when)
        ]
        missing = {
            what
            for what, tables in KNOWN_STEPS.items()
            if not any(re.search(tables, each) for each in written)
        }
        assert not missing
    named = " ".join(whole.steps)
    assert "after reading the rows" in named
    assert HANDED_OVER in named
    assert TAKEN in named
    assert "before os.rename in files" in named


def test_an_unbroken_run_has_everything_happen_that_can(whole: Unbroken) -> None:
    """Warnings, alerts, withdrawals, late stops, rows set aside, amendments, links, digests."""
    facts = whole.state.facts
    assert {fact[5] for fact in facts["alerts"]} >= {
        *("warning", "overdue", "withdrawal", "cannot_route", "stopped_late")
    }
    assert {dict(fact[1:])["kind"] for fact in facts["events"]} >= {"reference_linked", "cleared"}
    assert sum(dict(fact)["events_amended"] for fact in facts["intakes"])
    assert {dict(fact)["state"] for fact in facts["intakes"]} == {"done", "set aside"}
    assert facts["quarantine"]
    assert facts["digests"]
    assert any(fact[0] == "silent" for fact in facts["feeds"])


@pytest.mark.parametrize("at", ["batch stored", TAKEN])
def test_killed_at_a_step_it_carries_on(
    place: Place, database: str, whole: Unbroken, at: str
) -> None:
    """The same events, clocks and verdicts, every rung decided once, every mail sent."""
    step = batch_stored(whole) if at == "batch stored" else at
    plan = Plan(step=step, times=2, act="kill")
    outcome = attempt(place, database, "step", plan, whole.state, at.replace(" ", "-"))
    assert outcome.reached
    assert not outcome.found
    assert set(outcome.repeats) <= {"accepted and not recorded"}
    assert bool(outcome.repeats) == (at == TAKEN)
