"""Two real daemons on one PostgreSQL, made to begin the same work at the same instant."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from monitor.store.tables import alert, message
from tests.faults import made
from tests.faults.campaign import Place
from tests.faults.force import BOTH_AT_ONCE
from tests.faults.plan import Lived, Plan
from tests.faults.run import Run
from tests.faults.state import differences, state_of, tables_of
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Place:
    folder = tmp_path_factory.mktemp("two-nodes")
    return Place(folder, made.make(folder), postgres_server)


def lived(place: Place, plan: Plan, name: str) -> tuple[Lived, list[str]]:
    """A run of two nodes that meet, and in what it differs from one node left in peace."""
    alone = replace(plan, nodes=1, meet="", plant="")
    with made.database("postgresql", place.server, place.made) as url:
        expected = state_of(Run(place.made, place.folder / f"alone-{name}", url, alone).live())
    assert not expected.wrong
    with made.database("postgresql", place.server, place.made) as url:
        both = Run(place.made, place.folder / name, url, plan).live()
        state = state_of(both)
        _one_alert_a_key_and_one_mail_an_alert(both)
    assert state.repeats == {}
    return both, [*state.wrong, *differences(expected, state)]


def _one_alert_a_key_and_one_mail_an_alert(both: Lived) -> None:
    rows = tables_of(both, alert, message)
    keys = Counter(
        tuple(row[name] for name in ("clock_id", "episode", "rung", "repeat", "recipient"))
        for row in rows["alert"]
    )
    assert set(keys.values()) == {1}
    accepted = Counter(mail.message_id for mail in both.accepted)
    assert set(accepted.values()) == {1}


def test_two_nodes_fold_one_case_at_once_and_no_update_is_lost(place: Place) -> None:
    """Each takes a file about one case, and at every row both wait before they lock the case."""
    one_row = (("MONITOR_INTAKE_BATCH_ROWS", "1"),)
    plan = Plan(nodes=2, meet="fold", stages=BOTH_AT_ONCE, settings=one_row)
    both, unlike = lived(place, plan, "fold")
    assert both.meetings > 5
    assert not unlike


def test_two_nodes_decide_one_rung_at_the_same_instant_and_it_is_told_once(place: Place) -> None:
    """Both begin every sweep together, and look for what is due inside their transactions."""
    both, unlike = lived(place, Plan(nodes=2, meet="decide"), "decide")
    assert both.meetings
    assert not unlike


def test_without_the_lock_an_update_is_lost_and_seen(place: Place) -> None:
    """The same meeting with nobody locking a case: what the first test holds could be untrue."""
    one_row = (("MONITOR_INTAKE_BATCH_ROWS", "1"),)
    plan = Plan(nodes=2, meet="fold", stages=BOTH_AT_ONCE, settings=one_row, plant="unlocked")
    _, unlike = lived(place, plan, "unlocked")
    assert any(each.startswith("clocks") for each in unlike)
