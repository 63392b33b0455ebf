"""The rulebook in force: accepted once, never changed under its number, never forgotten."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Engine, text

from monitor.rulebook.book import Documents, build_rulebook
from monitor.rulebook.language import Rule
from monitor.store import rulebooks
from monitor.store.engine import reading, writing
from monitor.store.tables import rule_version
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


def test_whether_any_case_has_a_cause_to_be_folded(engine: Engine) -> None:
    """One that changed, or all of them: a new rulebook governs and has not come round to them."""
    _activate(engine, documents(rule()))
    with writing(engine) as connection:
        while rulebooks.spread(connection):
            pass
        assert not rulebooks.folds_wait(connection)
        connection.execute(
            text("INSERT INTO case_ (reference, dirty, assessed) VALUES ('PPN-1', 2, 1)")
        )
        assert rulebooks.folds_wait(connection)
        connection.execute(text("UPDATE case_ SET assessed = 2"))
        assert not rulebooks.folds_wait(connection)
        connection.execute(text("UPDATE activation SET dirty_from = 0"))
        assert rulebooks.folds_wait(connection)


def _approve(engine: Engine, approved: Rule) -> None:
    with writing(engine) as connection:
        rulebooks.approve(connection, approved, role="head of safeguarding", now=T0, number=1)


def test_an_approved_rule_that_measures_differently_needs_a_new_version(engine: Engine) -> None:
    _activate(engine, documents(rule()))
    _approve(engine, rule())
    (refused,) = _refusals(engine, documents(rule(threshold="5h")))
    assert refused.startswith("tell-council.yaml: version: found 1, this rule measures differently")
    assert "set version to 2" in refused
    assert _refusals(engine, documents(rule(threshold="5h", version=2))) == []


def test_a_draft_by_which_nothing_was_measured_may_change(engine: Engine) -> None:
    """Nobody approved it, and no clock on record is measured by it; what counts is the last."""
    _activate(engine, documents(rule()))
    changed = documents(rule(threshold="5h"))
    assert _refusals(engine, changed) == []
    _activate(engine, changed)
    only = documents(rule(version=2))
    with reading(engine) as connection:
        whole = rulebooks.governed(connection, only).documents
    assert [str(each.threshold) for each in whole.rules if each.version == 1] == ["5h"]


def test_another_version_s_approval_leaves_a_draft_a_draft(engine: Engine) -> None:
    _activate(engine, documents(rule(version=2)))
    _approve(engine, rule())
    assert _refusals(engine, documents(rule(version=2, threshold="5h"))) == []


def test_what_was_approved_is_never_written_over(engine: Engine) -> None:
    """Whatever is activated: what it measures under this number stays as it was."""
    _activate(engine, documents(rule()))
    _approve(engine, rule())
    _activate(engine, documents(rule(threshold="5h")))
    assert _refusals(engine, documents(rule())) == []


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
        whole = rulebooks.governed(connection, second).documents
    book = build_rulebook(whole)
    assert [str(duty.rule.threshold) for duty in book.duties["tell-council"]] == ["4h", "5h"]
    _activate(engine, whole)
    with reading(engine) as connection:
        again = rulebooks.governed(connection, second).documents
    assert again.as_json() == whole.as_json()


def test_what_was_accepted_first_stays_as_it_was(engine: Engine) -> None:
    """Activating the same version again writes nothing over it."""
    _activate(engine, documents(rule()))
    _activate(engine, documents(rule(title="Another title")))
    only = documents(rule(version=2))
    with reading(engine) as connection:
        whole = rulebooks.governed(connection, only).documents
    assert [each.title for each in whole.rules if each.version == 1] == ["The duty tell-council"]


def test_an_accepted_version_is_measured_by_today_s_language(engine: Engine) -> None:
    """The language may learn to say more: what was accepted before is not another rule for that."""
    _activate(engine, documents(rule()))
    with writing(engine) as connection:
        connection.execute(rule_version.update().values(measuring_digest="of an older program"))
    assert _refusals(engine, documents(rule())) == []


def test_approvals_come_back_in_their_order(engine: Engine) -> None:
    first, second = rule(), rule(title="Another title")
    with writing(engine) as connection:
        for number, each in enumerate((first, second), start=1):
            rulebooks.approve(connection, each, role="head of safeguarding", now=T0, number=number)
    with reading(engine) as connection:
        kept = rulebooks.approvals(connection)
        found = rulebooks.governed(connection, documents(first)).documents.rules
    assert kept == [
        rulebooks.as_approval(each, role="head of safeguarding", now=T0, number=number)
        for number, each in enumerate((first, second), start=1)
    ]
    assert [each.title for each in found] == ["Another title"]


def test_what_is_planned_is_reckoned_with_and_not_kept(engine: Engine) -> None:
    planned = [rulebooks.as_approval(rule())]
    with reading(engine) as connection:
        assert rulebooks.governed(connection, documents(rule())).documents.trial
        found = rulebooks.governed(connection, documents(rule()), planned=planned)
        assert not found.documents.trial
        assert rulebooks.approvals(connection) == []
