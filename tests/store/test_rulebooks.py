"""The rulebook in force: accepted once, never changed under its number, never forgotten."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Engine

from monitor.rulebook.book import Documents, build_rulebook
from monitor.store import rulebooks
from monitor.store.engine import reading, writing
from tests.store.world import T0, documents, rule


def _activate(engine: Engine, written: Documents) -> str:
    with writing(engine) as connection:
        return rulebooks.activate(connection, written, actor="role:operator", now=T0)


def _refusals(engine: Engine, written: Documents) -> list[str]:
    with reading(engine) as connection:
        return [str(fault) for fault in rulebooks.refusals(connection, written)]


def test_a_new_database_has_no_rulebook(engine: Engine) -> None:
    with reading(engine) as connection:
        assert rulebooks.active_rulebook(connection) is None
    assert _refusals(engine, documents()) == []


def test_what_was_activated_last_is_in_force(engine: Engine) -> None:
    """It comes back as it was written, with its digest."""
    _activate(engine, documents(rule()))
    digest = _activate(engine, documents())
    with reading(engine) as connection:
        active = rulebooks.active_rulebook(connection)
    assert active is not None
    assert active.digest == digest == build_rulebook(documents()).digest
    assert active.documents.as_json() == documents().as_json()


def test_a_rule_that_measures_differently_needs_a_new_version(engine: Engine) -> None:
    _activate(engine, documents(rule()))
    (refused,) = _refusals(engine, documents(rule(threshold="5h")))
    assert refused.startswith("tell-council.yaml: version: found 1, this rule measures differently")
    assert "set version to 2" in refused
    assert _refusals(engine, documents(rule(threshold="5h", version=2))) == []


def test_wording_ladders_and_alerts_may_change(engine: Engine) -> None:
    _activate(engine, documents(rule()))
    changed = rule(title="Another title", alerts="digest", ladder=None, wakes=True)
    assert _refusals(engine, documents(changed)) == []


def test_an_accepted_version_outlives_its_file(engine: Engine) -> None:
    """The files hold version 2 alone: a clock that started under 1 is measured by 1 still."""
    _activate(engine, documents(rule()))
    later = {"from": dt.date(2027, 3, 1)}
    second = documents(rule(version=2, threshold="5h", effective=later))
    with reading(engine) as connection:
        whole = rulebooks.with_accepted_versions(connection, second)
    book = build_rulebook(whole)
    assert [str(duty.rule.threshold) for duty in book.duties["tell-council"]] == ["4h", "5h"]
    _activate(engine, whole)
    with reading(engine) as connection:
        again = rulebooks.with_accepted_versions(connection, second)
    assert again.as_json() == whole.as_json()


def test_what_was_accepted_first_stays_as_it_was(engine: Engine) -> None:
    """Activating the same version again writes nothing over it."""
    _activate(engine, documents(rule()))
    _activate(engine, documents(rule(title="Another title")))
    only = documents(rule(version=2))
    with reading(engine) as connection:
        whole = rulebooks.with_accepted_versions(connection, only)
    assert [each.title for each in whole.rules if each.version == 1] == ["The duty tell-council"]
