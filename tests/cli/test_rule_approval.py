"""Approving rules: what is shown first, who may, and what is in force then."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from monitor.approving import Account, approve, plan_approval
from monitor.cli.doors import system_now
from monitor.settings import read_settings
from tests.cli.commands import (
    HIGH,
    LADDER,
    NEEDS_A_PERSON,
    OTHER,
    ROLE,
    WRONG_USE,
    change,
    edit_high,
    extract,
    rows,
    typed,
)
from tests.process.installed import hours_ago, notice


def listed() -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in json.loads(typed("rules", "list", "--json").stdout)}


def take_in(force: Path, *notices: str) -> None:
    path = extract(force / "drop/occurrence", *notices)
    typed("ingest", path, "--feed", "occurrence")


def test_what_is_new_is_on_trial_and_says_so(on_trial: Path) -> None:
    assert {each["state"] for each in listed().values()} == {"trial, not approved"}
    assert {each["alerts"] for each in listed().values()} == {"off"}
    assert "trial, not approved: it measures and tells nobody" in typed("rules", "list").stdout
    said = typed("status", "--service", expect=NEEDS_A_PERSON).stdout
    assert "no rule is approved, so nobody is told anything" in said
    assert "2 rules are not approved and tell nobody" in said


def test_approving_records_who_when_and_what(on_trial: Path) -> None:
    """The account stands in the action and in the audit log, and nowhere else."""
    said = typed("rules", "approve", HIGH, "--by", ROLE, "--yes").stdout
    assert f"rule {HIGH}, version 1" in said
    assert f"ladder {LADDER}, version 1" in said
    assert "before: off" in said
    found = listed()
    assert (found[HIGH]["state"], found[HIGH]["approved_by"]) == ("approved", ROLE)
    assert found[HIGH]["alerts"] == "on"
    assert found[OTHER]["state"] == "trial, not approved"
    kept = rows(on_trial, "SELECT kind, name, version, role, length(digest), number FROM approval")
    assert kept == [("rule", HIGH, 1, ROLE, 64, 1), ("ladder", LADDER, 1, ROLE, 64, 2)]
    acts = rows(on_trial, "SELECT number, kind, target, on_behalf_of, actor <> '' FROM action")
    assert acts[:2] == [
        (1, "approve", f"rule {HIGH}", ROLE, 1),
        (2, "approve", f"ladder {LADDER}", ROLE, 1),
    ]
    assert rows(on_trial, "SELECT operation, subject FROM audit ORDER BY id")[0] == (
        "alteration",
        f"rule {HIGH}",
    )


def test_approving_puts_it_in_force_at_once(on_trial: Path) -> None:
    before = typed("rules", "activate").stdout.splitlines()[-2].split()[-1]
    assert len(before) == 64
    said = typed("rules", "approve", "--all", "--by", ROLE, "--yes").stdout
    (newest,) = rows(on_trial, "SELECT digest FROM activation ORDER BY id DESC LIMIT 1")
    assert f"Rulebook in force: {newest[0][:12]}\n" in said
    assert f"version 1 of {HIGH} is in force from now\n" in said
    assert f"ladder {LADDER}, version 1, is in force from now\n" in said
    assert newest[0] != before
    assert {each["state"] for each in listed().values()} == {"approved"}
    typed("status", "--service")
    assert typed("rules", "approve", "--all", "--by", ROLE).stdout == (
        "It is approved as it stands.\n"
    )


def test_nobody_approves_what_their_account_wrote(approved: Path) -> None:
    """The file is named with its line, and the way to mend it. What is shipped, nobody wrote."""
    edit_high(approved)
    said = typed("rules", "approve", HIGH, "--by", ROLE, "--yes", expect=WRONG_USE).stderr
    assert f"rules/{HIGH}.yaml:2:5: id: found '{HIGH}', this file belongs to the account" in said
    assert "have another account approve it" in said
    assert listed()[HIGH]["state"] == "edited, version 1 runs on"


def test_comments_are_nobody_s_writing(on_trial: Path) -> None:
    path = on_trial / "rules" / f"{HIGH}.yaml"
    path.write_text("# ours\n" + path.read_text("utf-8"), "utf-8")
    typed("rules", "approve", HIGH, "--by", ROLE, "--yes")


def test_an_edited_rule_runs_on_until_somebody_else_approves_it(
    approved: Path, somebody_else: None
) -> None:
    edit_high(approved)
    typed("rules", "activate")
    assert listed()[HIGH]["versions"] == [1]
    said = typed("status", "--service", expect=NEEDS_A_PERSON).stdout
    assert f"edited, and running on as approved before: {HIGH}" in said
    typed("rules", "approve", HIGH, "--by", ROLE, "--yes")
    assert listed()[HIGH]["versions"] == [1, 2]
    typed("status", "--service")


def test_an_edited_ladder_runs_on_until_it_is_approved(approved: Path, somebody_else: None) -> None:
    change(approved, f"ladders/{LADDER}.yaml", "at: 1h before due", "at: 2h before due")
    assert "approved: at: 1h before due" in typed("rules", "diff", expect=NEEDS_A_PERSON).stdout
    before = typed("rules", "activate").stdout
    assert before.startswith("This rulebook is in force already")
    said = typed("rules", "approve", f"ladder/{LADDER}", "--by", ROLE, "--yes").stdout
    assert f"ladder {LADDER} tells of other rules too: {HIGH}" in said
    typed("rules", "diff")


def test_a_rule_and_a_ladder_of_one_name_can_be_told_apart(on_trial: Path) -> None:
    """`no-notice` is both: by itself it is the rule, which takes its ladder with it."""
    said = typed("rules", "approve", f"ladder/{OTHER}", "--by", ROLE, "--yes").stdout
    assert f"rule {OTHER}" not in said
    assert "1 file approved" in said
    assert "1 file approved" in typed("rules", "approve", OTHER, "--by", ROLE, "--yes").stdout


def test_no_is_no(on_trial: Path) -> None:
    said = typed("rules", "approve", HIGH, "--by", ROLE, expect=NEEDS_A_PERSON, answer="n\n").stdout
    assert "To be approved:" in said
    assert "Nothing was approved." in said
    assert rows(on_trial, "SELECT count(*) FROM approval") == [(0,)]


def test_what_is_not_there_is_wrong_use(on_trial: Path) -> None:
    said = typed("rules", "approve", "nothing", "--by", ROLE, expect=WRONG_USE).stderr
    assert "found 'nothing', there is no such rule or ladder; " in said
    assert f"nearest: {OTHER}" in said
    assert "; all: monitor rules list" in said
    assert "--all" in typed("rules", "approve", "--by", ROLE, expect=WRONG_USE).stderr
    typed("rules", "approve", HIGH, "--all", "--by", ROLE, expect=WRONG_USE)
    typed("rules", "approve", HIGH, expect=WRONG_USE)


def test_files_that_change_under_the_question_are_not_approved(
    on_trial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was shown is what is approved."""

    def meanwhile(*_: Any, **__: Any) -> bool:
        change(on_trial, f"{OTHER}.yaml", "alerts: on", "alerts: digest")
        return True

    monkeypatch.setattr("click.confirm", meanwhile)
    said = typed("rules", "approve", HIGH, "--by", ROLE, expect=WRONG_USE).stderr
    assert "files were changed while they were being approved" in said
    assert rows(on_trial, "SELECT count(*) FROM approval") == [(0,)]


def test_an_empty_role_approves_nothing(on_trial: Path) -> None:
    """The empty role is kept for what was in force before approvals were."""
    for empty in (" ", "117", "the 1-2"):
        said = typed("rules", "approve", HIGH, "--by", empty, expect=WRONG_USE).stderr
        assert "say in words for which role" in said


def test_a_role_that_nobody_has_here_is_said_before_the_question(on_trial: Path) -> None:
    """It is kept all the same: posts differ from the roles that are told."""
    unknown = "no role of config/recipients.toml is called 'banana'"
    asked = ("rules", "approve", HIGH, "--by")
    said = typed(*asked, "banana", expect=NEEDS_A_PERSON, answer="n\n").stdout
    assert unknown in said.partition("Approve this, as the banana?")[0]
    for known in ("duty_inspector", "Duty Inspector", "the MASH sergeant"):
        said = typed(*asked, known, expect=NEEDS_A_PERSON, answer="n\n").stdout
        assert "no role of" not in said


def test_no_role_has_two_articles(on_trial: Path) -> None:
    said = typed("rules", "approve", "--all", "--by", f"the {ROLE}", "--yes").stdout
    assert f"approved by the {ROLE}." in said
    assert {each["approved_by"] for each in listed().values()} == {ROLE}
    assert "the the" not in typed("rules", "list").stdout


def test_a_role_is_kept_without_its_article_whoever_approves(on_trial: Path) -> None:
    """Not by the command alone: the demonstration approves for itself."""
    settings = read_settings(on_trial / "config/monitor.toml")
    plan = plan_approval(settings, (), everything=True)
    account = Account(frozenset(), name="demonstration")
    approve(settings, plan, role="the demonstration", account=account, now=system_now())
    assert {each["approved_by"] for each in listed().values()} == {"demonstration"}


def limit_accepted(force: Path) -> str:
    asked = f"SELECT content FROM rule_version WHERE rule = '{HIGH}' AND version = 1"
    ((content,),) = rows(force, asked)
    return str(json.loads(content)["threshold"])


def test_a_draft_may_change_while_no_clock_is_measured_by_it(on_trial: Path) -> None:
    """Nobody approved it; the last content is what counts, and the rest of the folder too."""
    typed("rules", "activate")
    change(on_trial, f"{HIGH}.yaml", "threshold: 4h", "threshold: 3h")
    assert listed()[HIGH]["state"] == "trial, not approved"
    typed("rules", "activate")
    assert limit_accepted(on_trial) == "3h"


def test_a_draft_by_which_clocks_are_measured_needs_a_version(on_trial: Path) -> None:
    """What a trial showed on record stays explained by what it was measured by."""
    typed("once")
    take_in(on_trial, notice("PPN-2027-004211", submitted=hours_ago(5)))
    change(on_trial, f"{HIGH}.yaml", "threshold: 4h", "threshold: 3h")
    assert "set version to 2" in typed("rules", "list", expect=WRONG_USE).stderr
    change(on_trial, f"{HIGH}.yaml", "version: 1\n", "version: 2\n")
    assert listed()[HIGH]["state"] == "trial, not approved"
    assert limit_accepted(on_trial) == "4h"


def test_clocks_on_trial_are_marked_wherever_they_are_listed(on_trial: Path) -> None:
    """A star after the verdict, with what it means beneath; a field of its own for machines."""
    take_in(on_trial, notice("PPN-2027-004211", submitted=hours_ago(5)))
    table = typed("clocks").stdout
    assert re.search(rf"{HIGH} .*overdue ?\*", table)
    assert "* on trial: nobody has approved this rule" in table
    read = json.loads(typed("clocks", "--format", "json").stdout)
    assert {clock["on_trial"] for clock in read} == {True}
    typed("rules", "approve", "--all", "--by", ROLE, "--yes")
    assert "*" not in typed("clocks").stdout
    read = json.loads(typed("clocks", "--format", "json").stdout)
    assert {clock["on_trial"] for clock in read} == {False}


# -- versions that reach back -----------------------------------------------------------------


def approving(force: Path, *, begins: str, answer: str = "n\n") -> str:
    """What is said before anything of a new version is approved, as one line."""
    edit_high(force, begins=begins)
    said = typed("rules", "approve", HIGH, "--by", ROLE, answer=answer, expect=NEEDS_A_PERSON)
    assert max(map(len, said.stdout.splitlines())) <= 100
    return " ".join(said.stdout.partition("\nApprove this")[0].split())


def test_a_version_that_began_already_is_marked_before_anybody_says_yes(
    approved: Path, somebody_else: None
) -> None:
    """From which day, and what becomes of what started since."""
    day = f"{hours_ago(72):%Y-%m-%d}"
    said = approving(approved, begins=day)
    assert f"TAKE CARE: rule {HIGH}: version 2 begins on {day}, which is past: once it is" in said
    assert "what has ended since keeps its measure until `monitor reassess`" in said
    assert "does (2026-01-01)" not in said
    checked = typed("rules", "check", expect=NEEDS_A_PERSON).stdout
    assert f"version 2 begins on {day}, which is past" in checked
    typed("rules", "approve", HIGH, "--by", ROLE, "--yes")
    assert "which is past" not in typed("rules", "check", expect=NEEDS_A_PERSON).stdout


def test_a_version_that_begins_before_the_approved_one_is_marked(
    approved: Path, somebody_else: None
) -> None:
    said = approving(approved, begins="2025-12-01")
    assert "version 2 begins on 2025-12-01, before the approved version 1 does (2026-01-01)" in said
    assert "version 1 would govern nothing. To mend it: set effective.from to a day to come" in said
    checked = typed("rules", "check", "--json", expect=NEEDS_A_PERSON).stdout
    found = [each["what"] for each in json.loads(checked) if each["about"] == HIGH]
    assert any("version 1 would govern nothing" in each for each in found)


def test_a_version_that_begins_on_a_day_to_come_is_not_marked(
    approved: Path, somebody_else: None
) -> None:
    assert "TAKE CARE" not in approving(approved, begins="2099-01-01")
    assert "begins on 2099-01-01" not in typed("rules", "check", expect=NEEDS_A_PERSON).stdout


def test_the_first_approval_of_what_measures_on_trial_is_not_marked(on_trial: Path) -> None:
    said = typed("rules", "approve", "--all", "--by", ROLE, answer="n\n", expect=NEEDS_A_PERSON)
    assert "TAKE CARE" not in said.stdout


def test_the_check_needs_no_database(approved: Path) -> None:
    edit_high(approved, begins="2025-12-01")
    for file in (approved / "var").glob("monitor.db*"):
        file.unlink()
    assert "would govern nothing" not in typed("rules", "check", expect=NEEDS_A_PERSON).stdout
    assert not (approved / "var/monitor.db").exists()
    (approved / "var/monitor.db").write_text("not a database, but as long as the head of one" * 99)
    typed("rules", "check", expect=NEEDS_A_PERSON)


# -- what it would have told -------------------------------------------------------------------


def test_the_last_weeks_are_shown_before_anything_is_approved(on_trial: Path) -> None:
    """Whoever has the case was to be told, and nobody was: it is on trial."""
    take_in(on_trial, notice("PPN-2027-004211", submitted=hours_ago(30)))
    said = typed("rules", "approve", HIGH, "--by", ROLE, expect=NEEDS_A_PERSON, answer="n\n").stdout
    assert "Mails of the last 28 days by these rules" in said
    assert "supervising sergeant: 2 mails, at most 2 in 8 hours" in said
    assert "TOO MANY" not in said
    assert max(map(len, said.splitlines())) <= 100
    assert rows(on_trial, "SELECT count(*) FROM alert") == [(0,)]


def test_what_is_too_much_for_a_shift_is_said(on_trial: Path) -> None:
    """Eleven notices become late one after the other, all with one post; `--yes` shows it too."""
    late = [notice(f"PPN-2027-{n:06}", submitted=hours_ago(30 + n / 10)) for n in range(11)]
    take_in(on_trial, *late)
    said = typed("rules", "approve", HIGH, "--by", ROLE, "--yes").stdout
    assert re.search(r"at most \d\d in 8 hours: TOO MANY, more than 10", said)


def test_what_is_told_now_stands_beside_what_would_be_told(
    approved: Path, somebody_else: None
) -> None:
    """An hour less time: whoever submitted it hears of notices that were in time before."""
    take_in(approved, notice("PPN-2027-004211", submitted=hours_ago(3.5)))
    edit_high(approved)
    said = typed("rules", "approve", HIGH, "--by", ROLE, "--yes").stdout
    assert re.search(r"^  supervising serge\w*, now ", said, re.MULTILINE)
    assert re.search(r"^    then ", said, re.MULTILINE)
    assert "supervising sergeant: now 1, then 2 mails, at most 2 in 8 hours" in said


def test_after_approving_it_is_said_what_holds_until_when(
    approved: Path, somebody_else: None
) -> None:
    edit_high(approved, begins="2099-12-01")
    said = typed("rules", "approve", HIGH, "--by", ROLE, "--yes").stdout
    assert f"version 2 of {HIGH} begins on 1 December 2099; version 1 holds until then\n" in said
    assert "from now" not in said


# -- what the check refuses --------------------------------------------------------------------


def test_what_the_check_refuses_is_not_approved(approved: Path, somebody_else: None) -> None:
    """With the same words: the limit is over before its feed could show that it was kept."""
    edit_high(approved)
    change(approved, f"{HIGH}.yaml", "threshold: 3h", "threshold: 1 min")
    checked = typed("check", expect=WRONG_USE).stderr
    (words,) = [line for line in checked.splitlines() if line.startswith(f"{HIGH}.yaml: ")]
    before = rows(approved, "SELECT count(*) FROM approval")
    said = typed("rules", "approve", HIGH, "--by", ROLE, "--yes", expect=WRONG_USE)
    assert said.stderr == f"{words}\n"
    assert said.stdout == ""
    assert rows(approved, "SELECT count(*) FROM approval") == before
    assert listed()[HIGH]["versions"] == [1]
    typed("rules", "activate")  # the approved version runs on: nothing of it is refused


def test_what_the_check_refuses_is_not_activated(approved: Path) -> None:
    """A rule that runs approved, and a feed that comes too seldom for it."""
    feed = approved / "config/feeds/occurrence.toml"
    written = feed.read_text(encoding="utf-8")
    assert 'lag = "70 min"' in written
    feed.write_text(written.replace('lag = "70 min"', 'lag = "9 h"'), encoding="utf-8")
    said = typed("rules", "activate", expect=WRONG_USE).stderr
    assert "its limit can be over after" in said


def test_an_approval_is_explained_as_what_it_is(on_trial: Path) -> None:
    """The rule was approved, and which version of it; there is no reason to give."""
    take_in(on_trial, notice("PPN-2027-004211", submitted=hours_ago(5)))
    typed("rules", "approve", HIGH, "--by", f"the {ROLE}", "--yes")
    said = " ".join(typed("explain", "PPN-2027-004211").stdout.split())
    found = re.search(r"= the rule was approved .*?, for the (.*?): version 1 \(number \d+\)", said)
    assert found
    assert found[1] == ROLE
    assert "the the" not in said
    assert "= approve" not in said
