"""Hours at which nobody would hear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from monitor.escalate.gaps import gaps
from monitor.escalate.partners import Partners, read_partners
from monitor.escalate.roster import Roster, read_roster
from monitor.model import Instant
from monitor.rulebook.language import Ladder
from tests.clocks.histories import T0, book, rule
from tests.worktime.shipped import shipped

CALENDARS = {name: shipped(name) for name in ("mash", "clock-hours", "council-england")}
NOBODY = Partners({}, CALENDARS)
NO_PARTNER = {"partner": "", "subject": "triage"}

Reads = Callable[[str], Roster]


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    def read(text: str) -> Roster:
        path = tmp_path / "recipients.toml"
        path.write_text(text, encoding="utf-8")
        return read_roster(path, CALENDARS)

    return read


def ladder(*roles: str) -> Ladder:
    rungs = [{"at": f"{hours + 1}h after due", "tell": role} for hours, role in enumerate(roles)]
    return Ladder.model_validate({"id": "urgent", "title": "Urgent", "version": 1, "rungs": rungs})


def said(
    roster: Roster,
    *roles: str,
    partners: Partners = NOBODY,
    now: Instant = T0,
    **written: Any,
) -> list[str]:
    rulebook = book(rule(**(NO_PARTNER | written)), ladder=ladder(*roles))
    found = gaps(rulebook, roster, partners, now=now, zone=ZoneInfo("Europe/London"))
    return [f"{each.about}: {each.what}" for each in found]


DESK = """
fallback = "desk"
[roles.desk]
title = "control room desk"
[[posts]]
role = "desk"
address = "desk@force.example"
"""
SERGEANT = """
[roles.sergeant]
title = "MASH sergeant"
hours = "mash"
"""
IN_THE_EAST = """
[[posts]]
role = "sergeant"
district = "east"
address = "east@force.example"
[[posts]]
role = "desk"
district = "west"
address = "west@force.example"
"""


def test_a_role_that_is_always_there_is_no_gap(reads: Reads) -> None:
    assert said(reads(DESK), "desk", wakes=True) == []


def test_a_role_that_is_not_in_the_recipients(reads: Reads) -> None:
    assert said(reads(DESK), "inspector") == [
        "role inspector: council would tell it, and no such role is in the recipients"
    ]


def test_a_role_that_nobody_holds_in_some_district(reads: Reads) -> None:
    found = said(reads(DESK + SERGEANT + IN_THE_EAST), "sergeant")
    assert not [each for each in found if "in east" in each]
    assert [each for each in found if "in west, and nobody holds the role MASH sergeant" in each]


def test_who_is_not_woken_may_wait_for_duty_and_who_is_may_not(reads: Reads) -> None:
    """Only a rule that wakes people needs somebody at night; the hours are said."""
    everywhere = DESK + SERGEANT + IN_THE_EAST.replace('district = "east"\n', "")
    assert said(reads(everywhere), "sergeant") == []
    (at_night,) = said(reads(everywhere), "sergeant", wakes=True)
    assert "it is off duty and nobody stands in: " in at_night
    assert " to Tue 08:00" in at_night
    covered = everywhere.replace('hours = "mash"', 'hours = "mash"\nout_of_hours = "desk"')
    assert said(reads(covered), "sergeant", wakes=True) == []


def test_a_holder_is_whoever_holds_a_stage(reads: Reads) -> None:
    found = said(reads(DESK), "holder")
    assert [each.partition(":")[0] for each in found] == [
        "role mash",
        "role sergeant",
        "role supervisor",
    ]


def test_a_partner_without_a_telephone_is_found(reads: Reads) -> None:
    (found,) = said(reads(DESK), "desk", partner="council", subject="")
    assert found.startswith("partner council: alerts ask people to ring one, and no telephone")


def partners(tmp_path: Path, hours: str) -> Partners:
    path = tmp_path / "partners.toml"
    path.write_text(
        '[[partners]]\nkind = "council"\ncode = "eastshire"\nname = "Eastshire"\n'
        '[[partners.routes]]\nname = "front door"\ntelephone = "01632 960100"\n'
        f'hours = "{hours}"\n',
        encoding="utf-8",
    )
    return read_partners(path, CALENDARS)


def test_a_partner_nobody_answers_at_night_is_found_where_a_rule_wakes(
    reads: Reads, tmp_path: Path
) -> None:
    closed = partners(tmp_path, "council-england")
    asked: dict[str, Any] = {"partner": "council", "subject": "", "partners": closed}
    assert said(reads(DESK), "desk", **asked) == []
    (found,) = said(reads(DESK), "desk", wakes=True, **asked)
    assert found.startswith("partner council eastshire: alerts may come at any hour")
    always = replace(closed, by_code=partners(tmp_path, "").by_code)
    assert said(reads(DESK), "desk", wakes=True, **(asked | {"partners": always})) == []
