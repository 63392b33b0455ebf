"""What governs: what was approved, and the rest on trial."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from monitor.rulebook.approval import (
    Approval,
    Governed,
    Kind,
    State,
    content_digest,
    content_text,
    govern,
    missing_calendars,
)
from monitor.rulebook.book import Documents, build_rulebook
from monitor.rulebook.language import Alerts, Ladder, Rule
from tests.store.world import LADDERS, documents, rule

LATER = {"from": dt.date(2027, 3, 1)}


def approved(*contents: Rule | Ladder) -> list[Approval]:
    """Approvals of these, in this order."""
    return [
        Approval(
            Kind.RULE if isinstance(each, Rule) else Kind.LADDER,
            each.id,
            each.version,
            content_digest(each),
            content_text(each),
            "head of safeguarding",
            number,
        )
        for number, each in enumerate(contents)
    ]


def governing(
    written: Documents, *contents: Rule | Ladder, accepted: Iterable[Rule] = ()
) -> Governed:
    return govern(written, accepted=accepted, approvals=approved(*contents))


def states(found: Governed) -> dict[str, str]:
    return {f"{each.kind} {each.id}": each.in_words for each in found.standings}


def running(found: Governed) -> list[tuple[int, str, str]]:
    """(version, threshold, alerts) of each version in force, as it may speak."""
    duties = build_rulebook(found.documents).duties["tell-council"]
    return [(d.rule.version, str(d.rule.threshold), str(d.rule.alerts)) for d in duties]


def ladder(**changes: Any) -> Ladder:
    return LADDERS[0].model_copy(update=changes)


def test_what_nobody_approved_measures_and_tells_nobody() -> None:
    found = governing(documents(rule()))
    assert states(found)["rule tell-council"] == "trial, not approved"
    assert running(found) == [(1, "4h", Alerts.OFF)]
    assert build_rulebook(found.documents).is_trial("tell-council", 1)
    assert [each.id for each in found.waiting] == ["tell-council"]


def test_what_was_approved_is_as_the_files_have_it() -> None:
    """And the documents are the files' own: nothing was added."""
    found = governing(documents(rule()), rule(), *LADDERS)
    assert set(states(found).values()) == {"approved"}
    assert running(found) == [(1, "4h", Alerts.ON)]
    assert found.documents.as_json() == documents(rule()).as_json()
    assert found.waiting == ()


def test_other_wording_under_the_same_version_waits() -> None:
    """Title and alerts stay as approved."""
    found = governing(documents(rule(title="Another", alerts="off")), rule(), *LADDERS)
    assert states(found)["rule tell-council"] == "edited, version 1 runs on as it was approved"
    assert running(found) == [(1, "4h", Alerts.ON)]
    assert found.documents.rules[0].title == "The duty tell-council"


def test_a_new_version_waits_and_the_one_before_runs_on() -> None:
    newer = rule(version=2, threshold="5h", effective=LATER)
    found = governing(documents(newer), rule(), *LADDERS, accepted=[rule()])
    assert states(found)["rule tell-council"] == "edited, version 1 runs on"
    assert running(found) == [(1, "4h", Alerts.ON)]
    after = governing(documents(newer), rule(), *LADDERS, newer, accepted=[rule()])
    assert running(after) == [(1, "4h", Alerts.ON), (2, "5h", Alerts.ON)]


def test_both_versions_may_stand_in_files() -> None:
    newer = rule(version=2, threshold="5h", effective=LATER)
    found = governing(documents(rule(), newer), rule(), *LADDERS)
    assert running(found) == [(1, "4h", Alerts.ON)]
    assert [(s.version, s.state) for s in found.waiting] == [(2, State.EDITED)]


def test_an_edited_ladder_tells_as_it_was_approved() -> None:
    edited = documents(rule()).model_copy(update={"ladders": (ladder(rungs=LADDERS[0].rungs[1:]),)})
    found = governing(edited, rule(), *LADDERS)
    assert states(found)["ladder usual"] == "edited, version 1 runs on as it was approved"
    assert found.documents.ladders == LADDERS


def test_a_ladder_whose_file_is_gone_still_tells_of_what_was_approved_with_it() -> None:
    edited = documents(rule(ladder=None, alerts="digest"))
    bare = edited.model_copy(update={"ladders": ()})
    found = governing(bare, rule(), *LADDERS)
    assert running(found) == [(1, "4h", Alerts.ON)]
    assert found.documents.ladders == LADDERS


def test_the_newest_approval_counts() -> None:
    """Back to wording that was approved once: it is approved anew, or it waits."""
    found = governing(documents(rule()), rule(), rule(title="Another"), *LADDERS)
    assert states(found)["rule tell-council"] == "edited, version 1 runs on as it was approved"
    assert found.documents.rules[0].title == "Another"


def test_a_trial_never_stands_in_the_way_of_what_was_approved() -> None:
    """Version 2 was tried, taken back, and version 1 approved: 2 governs nothing."""
    tried = rule(version=2, threshold="5h", effective=LATER)
    found = governing(documents(rule()), rule(), *LADDERS, accepted=[rule(), tried])
    assert running(found) == [(1, "4h", Alerts.ON)]


def test_clocks_that_started_on_trial_stay_silent() -> None:
    newer = rule(version=2, threshold="5h", effective=LATER)
    found = governing(documents(newer), newer, *LADDERS, accepted=[rule()])
    assert running(found) == [(1, "4h", Alerts.OFF), (2, "5h", Alerts.ON)]


def test_the_same_files_are_known_again_though_versions_were_accepted() -> None:
    """`written` holds what files alone give, `documents` what the database adds."""
    newer = rule(version=2, effective=LATER)
    found = governing(documents(newer), newer, *LADDERS, accepted=[rule()])
    assert [each.version for each in found.written.rules] == [2]
    assert [each.version for each in found.documents.rules] == [1, 2]


def test_a_calendar_that_is_needed_and_gone_is_a_fault() -> None:
    moved = documents(rule(version=2, calendar="elsewhere"))
    calendars = tuple(c.model_copy(update={"id": "elsewhere"}) for c in moved.calendars)
    found = governing(moved.model_copy(update={"calendars": calendars}), rule(), *LADDERS)
    (fault,) = missing_calendars(found)
    assert str(fault).startswith("calendars/clock-hours.yaml: version 1 of rule tell-council is")


def test_an_approval_survives_words_that_the_language_gains() -> None:
    """The hash of a file is compared with what was approved as read today, not as stored."""
    (given, *rest) = approved(rule(), *LADDERS)
    older = given._replace(digest="of an older program")
    found = govern(documents(rule()), accepted=(), approvals=[older, *rest])
    assert found.waiting == ()
