from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.escalate.roster import (
    Nobody,
    Reached,
    Roster,
    WaitUntil,
    Whereabouts,
    read_roster,
)
from monitor.faults import FaultsFound
from monitor.model import Instant
from monitor.worktime.zones import first_instant_of_local
from tests.worktime.shipped import shipped

LONDON = ZoneInfo("Europe/London")
CALENDARS = {"mash": shipped("mash"), "clock-hours": shipped("clock-hours")}
SAMPLE = Path(__file__).parents[2] / "config" / "recipients.toml"

EAST = Whereabouts("east", "", restricted=False)
WEST = Whereabouts("west", "", restricted=False)
EAST_RESTRICTED = Whereabouts("east", "", restricted=True)

ROLES = """
fallback = "desk"
[roles.sergeant]
title = "MASH sergeant"
hours = "mash"
out_of_hours = "desk"
cover = "inspector"
[roles.inspector]
title = "inspector"
cover = "desk"
[roles.desk]
title = "control room desk"
"""


def post(role: str, address: str, **where: str | bool) -> str:
    said = "".join(
        f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
        for name, value in where.items()
    )
    return f'[[posts]]\nrole = "{role}"\naddress = "{address}@force.example"\n{said}'


DESK = post("desk", "desk", restricted=True)


def at(text: str) -> Instant:
    """An instant from local London time."""
    return first_instant_of_local(datetime.fromisoformat(text), LONDON)


OPEN = at("2027-03-08 10:00")
NIGHT = at("2027-03-08 23:00")
FRIDAY_NIGHT = at("2027-03-12 23:00")

Reads = Callable[..., Roster]


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    def read(*parts: str) -> Roster:
        path = tmp_path / "recipients.toml"
        path.write_text("".join(parts), encoding="utf-8")
        return read_roster(path, CALENDARS)

    return read


def test_on_duty_the_post_itself_is_told(reads: Reads) -> None:
    roster = reads(ROLES, post("sergeant", "mash"), DESK)
    reached = roster.reach("sergeant", EAST, at=OPEN, wakes=False)
    assert reached == Reached("mash@force.example", "sergeant", "")


def test_off_duty_an_urgent_rule_tells_who_is_there_and_says_why(reads: Reads) -> None:
    roster = reads(ROLES, post("sergeant", "mash"), DESK)
    reached = roster.reach("sergeant", EAST, at=NIGHT, wakes=True)
    assert reached == Reached("desk@force.example", "desk", "MASH sergeant is off duty")


def test_off_duty_any_other_rule_waits_for_duty(reads: Reads) -> None:
    """Friday night: until Monday 08:00, not into the weekend."""
    roster = reads(ROLES, post("sergeant", "mash"), DESK)
    assert roster.reach("sergeant", EAST, at=FRIDAY_NIGHT, wakes=False) == WaitUntil(
        at("2027-03-15 08:00")
    )


@pytest.mark.parametrize(
    ("moment", "on_duty"),
    [("2027-03-08 07:59:59", False), ("2027-03-08 08:00", True), ("2027-03-08 18:00", False)],
)
def test_duty_begins_at_opening_and_ends_at_closing(
    reads: Reads, moment: str, on_duty: bool
) -> None:
    roster = reads(ROLES, post("sergeant", "mash"), DESK)
    reached = roster.reach("sergeant", EAST, at=at(moment), wakes=False)
    assert isinstance(reached, Reached) is on_duty


def test_the_closest_post_is_told(reads: Reads) -> None:
    """The unit's before the district's before the force's, whatever their order in the file."""
    roster = reads(
        ROLES,
        post("inspector", "force"),
        post("inspector", "east", district="east"),
        post("inspector", "team", district="east", unit="team-a"),
        DESK,
    )

    def told(place: Whereabouts) -> str:
        reached = roster.reach("inspector", place, at=OPEN, wakes=False)
        assert isinstance(reached, Reached)
        return reached.address.partition("@")[0]

    assert told(Whereabouts("east", "team-a", restricted=False)) == "team"
    assert told(Whereabouts("east", "team-b", restricted=False)) == "east"
    assert told(WEST) == "force"
    assert told(Whereabouts("", "", restricted=False)) == "force"


def test_where_nobody_holds_a_role_its_cover_is_told(reads: Reads) -> None:
    roster = reads(ROLES, post("inspector", "east", district="east"), DESK)
    reached = roster.reach("inspector", WEST, at=OPEN, wakes=False)
    assert reached == Reached("desk@force.example", "desk", "nobody holds the role inspector here")


def test_a_restricted_case_passes_over_posts_that_may_not_know(reads: Reads) -> None:
    """The cover may know; the sergeant and the inspector are never asked."""
    roster = reads(ROLES, post("sergeant", "mash"), post("inspector", "insp"), DESK)
    reached = roster.reach("sergeant", EAST_RESTRICTED, at=OPEN, wakes=False)
    assert isinstance(reached, Reached)
    assert reached.address == "desk@force.example"


def test_where_no_cover_is_left_it_is_nobody(reads: Reads) -> None:
    roster = reads(ROLES, post("desk", "desk"))
    assert isinstance(roster.reach("desk", EAST_RESTRICTED, at=OPEN, wakes=True), Nobody)
    assert isinstance(roster.reach("mayor", EAST, at=OPEN, wakes=True), Nobody)


def test_a_circle_of_covers_ends(reads: Reads) -> None:
    roles = ROLES.replace(
        '[roles.desk]\ntitle = "control room desk"',
        '[roles.desk]\ntitle = "control room desk"\ncover = "inspector"',
    )
    roster = reads(roles, post("desk", "desk", district="east"))
    assert isinstance(roster.reach("desk", WEST, at=OPEN, wakes=True), Nobody)


def test_past_the_calendar_s_end_somebody_is_told(reads: Reads) -> None:
    """Nobody knows who is on duty then; telling somebody is safer than waiting."""
    roster = reads(ROLES, post("sergeant", "mash"), DESK)
    reached = roster.reach("sergeant", EAST, at=at("2031-03-10 03:00"), wakes=False)
    assert isinstance(reached, Reached)


def test_the_fallback_is_told_by_night(reads: Reads) -> None:
    roster = reads(ROLES, DESK)
    assert roster.fallback(EAST, at=NIGHT) == Reached("desk@force.example", "desk", "")


def test_every_fault_is_listed_at_once_with_its_line(reads: Reads) -> None:
    roles = ROLES.replace('"desk"', '"dsek"', 1).replace('hours = "mash"', 'hours = "mahs"')
    roles = roles.replace('cover = "inspector"', 'cover = "inspetcor"')
    with pytest.raises(FaultsFound) as found:
        reads(roles, DESK, post("chief", "chief"))
    said = [(fault.line, fault.field, fault.found) for fault in found.value.faults]
    assert said == [
        (2, "fallback", "'dsek'"),
        (7, "roles.sergeant.cover", "'inspetcor'"),
        (5, "roles.sergeant.hours", "'mahs'"),
        (18, "posts.1.role", "'chief'"),
    ]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (post("desk", "de sk"), "posts.0.address"),
        (DESK + 'colour = "red"\n', "posts.0.colour"),
        (DESK + '[[digests]]\nscope = "east"\nto = ["a@force.example"]\n', "digests.0.scope"),
        ("", "posts"),
    ],
)
def test_what_is_missing_or_unknown_is_named(reads: Reads, text: str, field: str) -> None:
    with pytest.raises(FaultsFound) as found:
        reads(ROLES, text)
    assert field in [fault.field for fault in found.value.faults]


# -- the sample that is shipped ---------------------------------------------------------------


def sample() -> Roster:
    return read_roster(SAMPLE, CALENDARS)


def test_in_the_sample_every_role_is_reached_in_every_district_at_every_hour() -> None:
    """An urgent rule finds somebody for each role, in both districts and in a new one."""
    roster = sample()
    for role in roster.file.roles:
        for place in (EAST, WEST, Whereabouts("", "", restricted=False)):
            for moment in (OPEN, NIGHT, FRIDAY_NIGHT):
                reached = roster.reach(role, place, at=moment, wakes=True)
                assert isinstance(reached, Reached), (role, place, moment)


def test_in_the_sample_a_restricted_case_reaches_a_named_post_only() -> None:
    roster = sample()
    named = {post.address for post in roster.file.posts if post.restricted}
    for role in set(roster.file.roles) - {"operator"}:
        reached = roster.reach(role, EAST_RESTRICTED, at=NIGHT, wakes=True)
        assert isinstance(reached, Reached), role
        assert reached.address in named


def test_a_post_to_which_mail_bounces_is_passed_over_for_another_of_the_role(reads: Reads) -> None:
    """The unit's mailbox is broken: the district's is told, and why."""
    roster = reads(
        ROLES,
        post("inspector", "unit", district="east", unit="response"),
        post("inspector", "east", district="east"),
        DESK,
    )
    broken = replace(roster, unreachable=frozenset({"unit@force.example"}))
    place = Whereabouts("east", "response", restricted=False)
    why = "mail to the inspector bounced"
    assert broken.reach("inspector", place, at=OPEN, wakes=False) == Reached(
        "east@force.example", "inspector", why
    )
    assert roster.reach("inspector", place, at=OPEN, wakes=False) == Reached(
        "unit@force.example", "inspector", ""
    )


def test_where_mail_to_every_post_bounces_the_cover_is_told_and_then_nobody(reads: Reads) -> None:
    roster = reads(ROLES, post("inspector", "east", district="east"), DESK)
    why = "mail to the inspector bounced"
    broken = replace(roster, unreachable=frozenset({"east@force.example"}))
    reached = broken.reach("inspector", EAST, at=OPEN, wakes=False)
    assert reached == Reached("desk@force.example", "desk", why)
    both = replace(roster, unreachable=frozenset({"east@force.example", "desk@force.example"}))
    assert both.reach("inspector", EAST, at=OPEN, wakes=False) == Nobody(
        "mail to the control room desk bounced"
    )
    assert both.fallback(EAST, at=OPEN) == Nobody("mail to the control room desk bounced")
