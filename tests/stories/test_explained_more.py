"""Four more hard cases, explained by the real command and held to the word."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from monitor.cycle.reassess import Purpose, restate
from monitor.governing import governed, limited
from monitor.rulebook.book import Documents, build_rulebook
from monitor.rulebook.files import read_documents
from monitor.rulebook.language import Ladder, Rule
from monitor.store import rulebooks
from monitor.store.engine import writing
from monitor.store.tables import rule_version
from tests.stories.harness import Story
from tests.stories.told_aloud import CASE, HARM, BeginPinned, Tell, as_of, reads

OTHER = "other-concern-council"


def clocks_of(said: str, rule: str) -> list[dict[str, Any]]:
    """The clocks of one rule, as `--json` has them."""
    return [clock for clock in json.loads(said)["clocks"] if clock["rule"] == rule]


# -- a start put right --------------------------------------------------------------------------


def test_a_start_put_right_with_grounds(begin_pinned: BeginPinned, tell: Tell) -> None:
    """Both dues are kept; why, on whose word and on what evidence is said."""
    story = begin_pinned("Mon 8 March 2027 22:47")
    story.contact(CASE, category="physical_abuse")
    story.advance(to="23:30")
    story.corrected(
        FIRST_KNOWN_WAS="08/03/2027 21:17:00",
        PUT_RIGHT_AT="08/03/2027 23:30:00",
        PUT_RIGHT_BY="duty_inspector",
        EVIDENCE="CALL-2211",
    )
    story.advance(to="Tue 03:00")
    reads("put-right", tell(story))
    (clock,) = clocks_of(tell(story, "--json"), HARM)
    assert clock["due_before_at"] == "2027-03-09T02:47:00+00:00"
    assert clock["due_at"] == "2027-03-09T01:17:00+00:00"
    reads("put-right-as-of", tell(story, *as_of("Mon 23:00", story)))
    story.told("council", "eastshire")
    story.advance(to="Tue 04:00")
    story.take_all_mail()


def test_a_start_put_right_without_evidence_stands_as_it_was(
    begin_pinned: BeginPinned, tell: Tell
) -> None:
    """It moves nothing, and says what it lacks."""
    story = begin_pinned("Mon 8 March 2027 22:47")
    story.contact(CASE, category="physical_abuse")
    story.corrected(FIRST_KNOWN_WAS="08/03/2027 22:17:00", PUT_RIGHT_BY="duty_inspector")
    story.advance(to="23:30")
    reads("not-put-right", tell(story))
    story.told("council", "eastshire")
    story.advance(to="23:40")
    story.take_all_mail()


# -- a claim that lapsed --------------------------------------------------------------------------


def test_a_claim_that_nobody_confirmed(begin_pinned: BeginPinned, tell: Tell) -> None:
    """In time while it waited to be confirmed; overdue again since, from its own due time."""
    story = begin_pinned("Mon 8 March 2027 22:47")
    story.contact(CASE, category="physical_abuse")
    story.told("council", "eastshire", occurred="Tue 02:10", recorded="Tue 07:30", method="verbal")
    story.advance(to="Wed 03:00")
    reads("claim-waits", tell(story))
    story.advance(to="Wed 08:00")
    reads("claim-lapsed", tell(story))
    (clock,) = clocks_of(tell(story, "--json"), HARM)
    (claim,) = [event for event in clock["events"] if event["part"] == "stop"]
    assert (clock["verdict"], claim["counts"]) == ("overdue", False)
    story.told("council", "eastshire", method="email")
    story.advance(to="Wed 12:00")
    reads("claim-lapsed-told", tell(story))
    story.take_all_mail()


# -- a rule on trial ------------------------------------------------------------------------------


def puts_in_force(story: Story, force: Path) -> None:
    """What the files hold, as far as it is approved, as a start would."""
    with writing(story.monitor.engine) as connection:
        found = governed(connection, read_documents(force / "rules"))
        rulebooks.activate(connection, found.documents, actor="story", now=story.now)
    rulebook = limited(story.monitor.settings, found.documents)
    story.monitor = replace(story.monitor, rulebook=rulebook, standings=found.standings)
    story.again()


def approves(story: Story, force: Path, *ids: str) -> None:
    """The named rules with their ladders, on behalf of the MASH inspector."""
    documents = read_documents(force / "rules")
    rules = [rule for rule in documents.rules if rule.id in ids]
    named = {rule.ladder for rule in rules}
    with writing(story.monitor.engine) as connection:
        ladders = [ladder for ladder in documents.ladders if ladder.id in named]
        approved: list[Rule | Ladder] = [*rules, *ladders]
        for content in approved:
            rulebooks.approve(connection, content, role="MASH inspector", now=story.now, number=0)
    puts_in_force(story, force)


def test_a_rule_on_trial_then_approved_then_edited(
    begin_pinned: BeginPinned, tell: Tell, force: Path
) -> None:
    """It measures and tells nobody; approved, it tells; edited, it runs on as approved."""
    story = begin_pinned("Mon 8 March 2027 09:00")
    with writing(story.monitor.engine) as connection:
        connection.execute(delete(rule_version))  # those of the installation's own files
    puts_in_force(story, force)
    story.contact(CASE, category="physical_abuse")
    story.advance(to="13:30")
    story.expects_no_more_mail()
    reads("trial", tell(story))
    (clock,) = clocks_of(tell(story, "--json"), HARM)
    assert (clock["governed_by"]["on_trial"], clock["next"], clock["told"]) == (True, None, [])
    approves(story, force, HARM)
    story.advance(to="14:00")
    reads("approved", tell(story))
    file = force / f"rules/{HARM}.yaml"
    edited = file.read_text(encoding="utf-8").replace("version: 1", "version: 2")
    file.write_text(edited.replace("threshold: 4h", "threshold: 2h"), encoding="utf-8")
    puts_in_force(story, force)
    story.advance(to="14:30")
    reads("edited", tell(story))
    (clock,) = clocks_of(tell(story, "--json"), HARM)
    governed_by = clock["governed_by"]
    assert (governed_by["on_trial"], governed_by["is_edited"]) == (False, True)
    assert (governed_by["version"], governed_by["threshold"]) == (1, "4h")
    reads("approved-as-of", tell(story, *as_of("13:15", story)))
    story.told("council", "eastshire")
    story.advance(to="15:00")
    story.take_all_mail()


# -- measured anew on purpose ---------------------------------------------------------------------


def proclaims(story: Story, force: Path, day: str) -> None:
    """The council says afterwards that it was closed on a day, in a new version of its calendar."""
    file = force / "rules/calendars/council-england.yaml"
    written = file.read_text(encoding="utf-8")
    corrected = written.replace("version: 1\n", "version: 2\n", 1)
    corrected = corrected.replace("special: {}", f"special: {{ {day}: [] }}")
    assert corrected.count(day) == 1
    file.write_text(corrected, encoding="utf-8")
    activates(story, read_documents(force / "rules"))


def activates(story: Story, documents: Documents) -> None:
    """Documents of which every one is approved."""
    with writing(story.monitor.engine) as connection:
        rulebooks.activate(connection, documents, actor="story", now=story.now)
    story.monitor = replace(story.monitor, rulebook=build_rulebook(documents))
    story.again()


def test_a_clock_measured_anew_on_purpose(
    begin_pinned: BeginPinned, tell: Tell, force: Path
) -> None:
    """Late by the calendar of then; met by the corrected one, once somebody said so."""
    story = begin_pinned("Mon 8 March 2027 10:00")
    story.contact(CASE, category="other_concern", risk="standard")
    story.advance(to="Wed 11:00")
    story.told("council", "eastshire")
    story.advance(to="Thu 09:00")
    proclaims(story, force, "2027-03-09")
    story.advance(to="Thu 12:00")
    reads("not-restated", tell(story))
    story.advance(to="Fri 09:00")
    purpose = Purpose(actor="story", role="mash_inspector", reason_code="calendar_corrected")
    (restated,) = restate(story.monitor, {OTHER}, purpose, now=story.now)
    assert (restated.before, restated.after) == ("late", "met")
    story.advance(to="Fri 10:00")
    reads("restated", tell(story))
    (clock,) = clocks_of(tell(story, "--json"), OTHER)
    (anew,) = clock["restated"]
    assert (anew["verdict_before"], anew["verdict_after"]) == ("late", "met")
    assert clock["due_before_at"] == anew["due_before_at"] == "2027-03-09T17:00:00+00:00"
    assert clock["due_at"] == anew["due_after_at"] == "2027-03-10T17:00:00+00:00"
    for when in ("Wed 12:00", "Thu 12:00"):
        said = tell(story, *as_of(when, story))
        reads(f"restated-as-of-{when[:3].lower()}", said)
        (clock,) = clocks_of(tell(story, *as_of(when, story), "--json"), OTHER)
        assert (clock["verdict"], clock["verdict_as_known_today"]) == ("late", "met")
    story.take_all_mail()
