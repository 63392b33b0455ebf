"""The rules, ladders and vocabulary that are shipped."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.escalate.partners import read_partners
from monitor.escalate.roster import read_roster
from monitor.model import HOUR, Instant
from monitor.rulebook.book import build_rulebook
from monitor.rulebook.files import read_documents
from monitor.rulebook.language import HOLDER, Alerts, AuthorityClass, Rule
from monitor.rulebook.schema import schemas, write_schemas
from monitor.worktime.limits import Unit
from monitor.worktime.zones import first_instant_of_local, local
from tests.clocks.histories import contact, event

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"
LONDON = ZoneInfo("Europe/London")

DOCUMENTS = read_documents(RULES)
BOOK = build_rulebook(DOCUMENTS)
EACH_RULE = pytest.mark.parametrize("rule", DOCUMENTS.rules, ids=lambda rule: rule.id)


def at(text: str) -> Instant:
    """An instant from local London time."""
    return first_instant_of_local(datetime.fromisoformat(text), LONDON)


def due(rule: str, start: str) -> str:
    """When a rule's clock that starts at a local time is due, in local time."""
    found, why = BOOK.newest(rule).due(at(start), contact(at(start)))
    assert found is not None, why
    return local(found, LONDON).strftime("%a %d %b %H:%M")


def test_the_pack_is_large_enough_to_start_with() -> None:
    assert len(DOCUMENTS.rules) >= 45


@EACH_RULE
def test_a_rule_is_in_the_file_of_its_name(rule: Rule) -> None:
    assert (RULES / f"{rule.id}.yaml").exists()


@EACH_RULE
def test_a_rule_says_on_what_it_rests(rule: Rule) -> None:
    """A citation, a nation, and for an assumed number the word itself."""
    authority = rule.authority
    assert len(authority.citation) > 20
    assert authority.jurisdiction == "England"
    assert authority.note
    assert ("assumption" in authority.note) is authority.number_is_assumed


def test_only_the_seventy_two_hours_of_police_protection_are_law() -> None:
    """No text found sets any other number, and no force may be told that one does."""
    settled = [rule.id for rule in DOCUMENTS.rules if not rule.authority.number_is_assumed]
    assert settled == ["police-protection-ends"]


@EACH_RULE
def test_nobody_has_approved_what_is_shipped(rule: Rule) -> None:
    """Approval is the force's, and no rule here pretends to have it."""
    assert rule.authority.approved_by == ""


@EACH_RULE
def test_its_review_is_not_past(rule: Rule) -> None:
    due = rule.authority.review_due
    assert due >= date.today(), (  # noqa: DTZ011 — a review date has no zone
        f"rules/{rule.id}.yaml was to be reviewed by {due}: check its citation and number, then "
        "set a later review_due"
    )


def test_every_role_that_is_named_is_in_the_recipients_file() -> None:
    roster = read_roster(ROOT / "config" / "recipients.toml", BOOK.calendars)
    named = {rung.tell for ladder in DOCUMENTS.ladders for rung in ladder.rungs}
    named |= {ladder.repeat.tell for ladder in DOCUMENTS.ladders if ladder.repeat}
    named |= {stage.holder for stage in DOCUMENTS.vocabulary.stages}
    assert named - {HOLDER} <= set(roster.file.roles)
    held = {post.role for post in roster.file.posts}
    assert named - {HOLDER} <= held


def test_the_partners_file_reads_and_knows_every_kind_of_partner() -> None:
    partners = read_partners(ROOT / "config" / "partners.toml", BOOK.calendars)
    assert {kind for kind, _ in partners.by_code} == set(DOCUMENTS.vocabulary.partners)


def test_every_ladder_is_used() -> None:
    used = {rule.ladder for rule in DOCUMENTS.rules if rule.ladder}
    assert used == {ladder.id for ladder in DOCUMENTS.ladders}


def test_on_every_ladder_the_holder_is_the_first_to_be_told_that_it_is_overdue() -> None:
    """Except of police protection itself, of which all are told before it must end."""
    for ladder in DOCUMENTS.ladders:
        first = next(rung for rung in ladder.rungs if not rung.is_warning)
        assert first.tell == HOLDER or ladder.id == "police-protection-ends"


@EACH_RULE
def test_a_rule_wakes_people_only_for_hours(rule: Rule) -> None:
    """Limits within four hours, and the one that nobody may miss.

    Supervision is the exception: who owes it is told at the next duty.
    """
    short = rule.threshold.unit is Unit.ELAPSED and rule.threshold.amount <= 4 * HOUR
    short = short and rule.id != "notice-supervised-high"
    assert rule.wakes is (short or rule.id == "police-protection-ends")


@EACH_RULE
def test_what_is_owed_to_a_partner_is_counted_by_child_and_organisation(rule: Rule) -> None:
    """An unborn child is on no record, and an allegation is told once, whatever the children."""
    if not rule.partner:
        assert rule.subject
        assert len(rule.stop_feeds) == 1
    elif not rule.each_start:
        assert rule.stop_feeds == ("sending-log",)
        without_child = {"unborn-child-council", "unborn-child-health", "allegation-lado"}
        expected = ("organisation",) if rule.id in without_child else ("child", "organisation")
        assert rule.for_each == expected


def test_what_measures_a_council_tells_nobody() -> None:
    """A line of the digest: no ladder, and never a mail to police officers about a council."""
    measuring = [rule for rule in DOCUMENTS.rules if "measures the council" in rule.title]
    assert {rule.id for rule in measuring} == {"acknowledged-council", "return-interview"}
    for rule in measuring:
        assert rule.alerts is Alerts.DIGEST
        assert rule.ladder is None
        assert rule.partner == ""


@EACH_RULE
def test_a_warning_comes_after_the_start(rule: Rule) -> None:
    """On a plain Tuesday morning nobody is warned before anything has happened."""
    duty = BOOK.newest(rule.id)
    start = at("2027-06-08 10:00")
    due_at, _ = duty.due(start, contact(start))
    assert due_at is not None
    assert start < due_at
    assert (duty.ladder is not None) or rule.alerts is Alerts.DIGEST


@pytest.mark.parametrize(
    ("category", "risk", "rules"),
    [
        ("physical_abuse", "high", {"significant-harm-council", "significant-harm-health"}),
        ("neglect", "", {"other-concern-council", "other-concern-health"}),
        (
            "domestic_abuse",
            "high",
            {"domestic-abuse-high-council", "domestic-abuse-health", "domestic-abuse-school"},
        ),
        (
            "domestic_abuse",
            "",
            {"domestic-abuse-council", "domestic-abuse-health", "domestic-abuse-school"},
        ),
        ("sexual_exploitation", "high", {"exploitation-high-council", "exploitation-health"}),
        ("criminal_exploitation", "medium", {"exploitation-council", "exploitation-health"}),
        ("unborn_child", "", {"unborn-child-council", "unborn-child-health"}),
        ("allegation", "", {"allegation-council", "allegation-lado"}),
    ],
)
def test_a_contact_owes_each_partner_once(category: str, risk: str, rules: set[str]) -> None:
    """No concern falls between two rules, and none is counted for one partner by two."""
    said = contact(at("2027-06-08 10:00"), category=category, risk=risk)
    owed = {
        rule.id
        for rule in DOCUMENTS.rules
        if rule.partner
        and rule.ladder is not None
        and BOOK.newest(rule.id).starts(said)
        and all(read(said) in values for _, read, values in BOOK.newest(rule.id).applies)
    }
    assert owed == rules


@pytest.mark.parametrize(
    ("kind", "risk", "rules"),
    [
        ("missing_reported", "high", {"missing-high-council"}),
        ("missing_reported", "", {"missing-council"}),
        ("missing_found", "high", {"missing-found-council", "return-interview"}),
        ("police_protection_started", "", {"police-protection-council", "police-protection-ends"}),
        ("child_died", "", {"child-death-council"}),
        ("custody_arrived", "", set()),
        ("bail_refused", "", {"custody-accommodation"}),
        ("trafficking_identified", "", {"trafficking-council"}),
        ("package_received", "", {"online-abuse-address-check"}),
        ("strategy_decided", "", {"strategy-discussion"}),
        ("case_transferred", "", {"transfer-accepted"}),
        ("notice_submitted", "high", {"notice-supervised-high", "notice-triaged-high"}),
        ("notice_submitted", "medium", {"notice-supervised", "notice-triaged-medium"}),
        ("notice_submitted", "standard", {"notice-supervised", "notice-triaged-standard"}),
        ("notice_submitted", "", {"notice-supervised", "notice-triaged-medium"}),
    ],
)
def test_what_other_events_start(kind: str, risk: str, rules: set[str]) -> None:
    said = event(kind, at("2027-06-08 10:00"), risk=risk)
    started = {
        rule.id
        for rule in DOCUMENTS.rules
        if BOOK.newest(rule.id).starts(said)
        and all(read(said) in values for _, read, values in BOOK.newest(rule.id).applies)
    }
    assert started == rules


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("significant-harm-council", "2027-03-08 18:47", "Mon 08 Mar 22:47"),
        ("significant-harm-health", "2027-10-30 22:00", "Sun 31 Oct 21:00"),
        ("significant-harm-health", "2027-03-27 22:00", "Sun 28 Mar 23:00"),
        ("other-concern-council", "2027-03-25 09:00", "Tue 30 Mar 17:00"),
        ("other-concern-council", "2026-12-24 23:00", "Tue 29 Dec 17:00"),
        ("other-concern-health", "2027-03-25 09:00", "Wed 31 Mar 17:00"),
        ("police-protection-ends", "2027-03-26 18:00", "Mon 29 Mar 19:00"),
        ("notice-triaged-medium", "2027-03-25 17:00", "Thu 01 Apr 11:00"),
        ("domestic-abuse-school", "2027-03-09 23:40", "Wed 10 Mar 08:30"),
        ("domestic-abuse-school", "2027-03-10 02:00", "Wed 10 Mar 08:30"),
        ("domestic-abuse-school", "2027-03-10 08:30", "Thu 11 Mar 08:30"),
        ("domestic-abuse-school", "2027-03-12 23:40", "Mon 15 Mar 08:30"),
        ("domestic-abuse-school", "2027-03-25 16:00", "Tue 30 Mar 08:30"),
    ],
)
def test_when_a_duty_is_due(rule: str, start: str, expected: str) -> None:
    """Over weekends, Easter, Christmas and both changes of the clocks."""
    assert due(rule, start) == expected


@pytest.mark.parametrize("name", sorted(schemas()))
def test_the_schema_for_editors_is_up_to_date(name: str, tmp_path: Path) -> None:
    """If it fails: monitor.rulebook.schema.write_schemas(Path("rules/schema")) writes it anew."""
    write_schemas(tmp_path)
    assert (RULES / "schema" / name).read_text() == (tmp_path / name).read_text()


def test_every_file_names_its_schema_first() -> None:
    """An editor checks a file against the schema that its first line names."""
    for path in [*RULES.glob("*.yaml"), *(RULES / "ladders").glob("*.yaml")]:
        first = path.read_text().splitlines()[0]
        named = first.removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / named).exists(), path


def test_the_classes_of_authority_are_all_words_that_a_mail_can_say() -> None:
    assert {rule.authority.class_ for rule in DOCUMENTS.rules} <= set(AuthorityClass)
