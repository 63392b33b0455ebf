from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.escalate.partners import PartnerRoute, Partners, read_partners
from monitor.faults import FaultsFound
from monitor.model import Instant
from monitor.worktime.calendar import Calendar, CalendarDefinition, compile_calendar
from monitor.worktime.zones import first_instant_of_local
from tests.worktime.shipped import shipped

LONDON = ZoneInfo("Europe/London")
NAMES = ("clock-hours", "council-england", "health-england", "school-england", "mash")
CALENDARS = {name: shipped(name) for name in NAMES}
SAMPLE = Path(__file__).parents[2] / "config" / "partners.toml"

FRONT_DOOR = ("Eastshire children's front door", "01632 960100")
NIGHT_TEAM = ("Eastshire emergency duty team", "01632 960101")

COUNCIL = """
[[partners]]
kind = "council"
code = "eastshire"
name = "Eastshire children's social care"
"""


def at(text: str) -> Instant:
    """An instant from local London time."""
    return first_instant_of_local(datetime.fromisoformat(text), LONDON)


def route(name: str, hours: str | None) -> str:
    said = "" if hours is None else f'hours = "{hours}"\n'
    return f'[[partners.routes]]\nname = "{name}"\ntelephone = "01632 960100"\n{said}'


Reads = Callable[..., Partners]


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    def read(*parts: str, calendars: dict[str, Calendar] = CALENDARS) -> Partners:
        path = tmp_path / "partners.toml"
        path.write_text("".join(parts), encoding="utf-8")
        return read_partners(path, calendars)

    return read


@pytest.fixture(scope="module")
def partners() -> Partners:
    return read_partners(SAMPLE, CALENDARS)


def council_at(partners: Partners, moment: str) -> list[PartnerRoute]:
    return partners.routes("council", "eastshire", at(moment))


def test_by_day_the_day_team_comes_first(partners: Partners) -> None:
    """Monday 10:00: the front door until it closes; the night team opens then."""
    assert council_at(partners, "2027-03-08 10:00") == [
        (*FRONT_DOOR, "open until 17:00"),
        (*NIGHT_TEAM, "opens 17:00"),
    ]


def test_by_night_the_night_team_comes_first(partners: Partners) -> None:
    """Tuesday 02:47: the night team until the front door opens at 08:30 of the same date."""
    assert council_at(partners, "2027-03-09 02:47") == [
        (*NIGHT_TEAM, "open until 08:30"),
        (*FRONT_DOOR, "opens 08:30"),
    ]


def test_another_date_bears_its_weekday(partners: Partners) -> None:
    """Friday 20:00: until Monday, never a bare 08:30 that would read as Saturday's."""
    assert [route.hours for route in council_at(partners, "2027-03-12 20:00")] == [
        "open until Mon 08:30",
        "opens Mon 08:30",
    ]


def test_a_bank_holiday_is_night_for_the_day_team(partners: Partners) -> None:
    """Good Friday at noon: the night team answers, until Tuesday after Easter."""
    best, *_ = council_at(partners, "2027-03-26 12:00")
    assert best == (*NIGHT_TEAM, "open until Tue 08:30")


@pytest.mark.parametrize(
    ("moment", "first"),
    [
        ("2027-03-08 08:29:59", NIGHT_TEAM),
        ("2027-03-08 08:30", FRONT_DOOR),
        ("2027-03-08 16:59:59", FRONT_DOOR),
        ("2027-03-08 17:00", NIGHT_TEAM),
    ],
)
def test_opening_is_open_and_closing_is_closed(
    partners: Partners, moment: str, first: tuple[str, str]
) -> None:
    assert council_at(partners, moment)[0][:2] == first


def test_a_route_without_hours_is_open_at_every_hour(partners: Partners) -> None:
    """By night the desk that never closes comes before the service that opens at nine."""
    assert [
        route.hours for route in partners.routes("health", "eastshire-icb", at("2027-03-08 03:00"))
    ] == [
        "open now",
        "opens 09:00",
    ]


def test_open_routes_keep_the_order_of_the_file(partners: Partners) -> None:
    names = [r.name for r in partners.routes("health", "eastshire-icb", at("2027-03-08 10:00"))]
    assert names == ["Eastshire 0-19 service", "Eastshire hospital safeguarding desk"]


def test_otherwise_waits_for_the_last_of_several_day_teams_to_close(reads: Reads) -> None:
    """Council hours end at 17:00, the hub's at 18:00: the night team begins at 18:00."""
    partners = reads(
        COUNCIL, route("Day", "council-england"), route("Hub", "mash"), route("Night", "otherwise")
    )
    hours = {r.name: r.hours for r in council_at(partners, "2027-03-08 16:00")}
    assert hours["Night"] == "opens 18:00"
    hours = {r.name: r.hours for r in council_at(partners, "2027-03-08 18:00")}
    assert hours["Night"] == "open until Tue 08:00"


def test_otherwise_never_opens_beside_a_desk_that_never_closes(reads: Reads) -> None:
    """Its hours are not said, rather than said wrongly, and it comes last."""
    partners = reads(COUNCIL, route("Night", "otherwise"), route("Desk", "clock-hours"))
    assert [(r.name, r.hours) for r in council_at(partners, "2027-03-08 16:00")] == [
        ("Desk", "open now"),
        ("Night", ""),
    ]


def test_past_the_calendar_s_end_hours_are_not_said(partners: Partners) -> None:
    """The telephone stays: only what is not known is dropped."""
    assert council_at(partners, "2031-03-10 10:00") == [(*FRONT_DOOR, ""), (*NIGHT_TEAM, "")]


def test_more_than_a_week_away_bears_the_date(reads: Reads) -> None:
    """A weekday alone would mean another week."""
    closed = compile_calendar(
        CalendarDefinition(
            name="rare",
            version="1",
            zone="Europe/London",
            weekly={0: ((540, 1020),)},
            holidays={date(2027, 3, 8): "closed"},
            special={},
            covers_from=date(2027, 1, 1),
            covers_to=date(2027, 12, 31),
        )
    )
    partners = reads(COUNCIL, route("Clinic", "rare"), calendars={"rare": closed})
    (only,) = council_at(partners, "2027-03-02 12:00")
    assert only.hours == "opens Mon 15 March 09:00"


def test_names_and_unknown_partners(partners: Partners) -> None:
    """Nobody is told to ring a partner that is not known to be the right one."""
    assert partners.name("council", "eastshire") == "Eastshire children's social care"
    assert partners.name("council", "northshire") == ""
    assert partners.name("health", "eastshire") == ""
    assert partners.routes("council", "", at("2027-03-08 10:00")) == []


def test_every_fault_is_listed_at_once_with_its_line(reads: Reads) -> None:
    with pytest.raises(FaultsFound) as found:
        reads(
            COUNCIL,
            route("Day", "councils"),
            COUNCIL,
            route("Night", "otherwise"),
        )
    said = [(fault.line, fault.field, fault.found) for fault in found.value.faults]
    assert said == [
        (9, "partners.0.routes.0.hours", "'councils'"),
        (13, "partners.1.code", "'eastshire'"),
        (18, "partners.1.routes.0.hours", "'otherwise'"),
    ]


def test_misspelt_hours_leave_otherwise_nothing_to_be_otherwise_to(reads: Reads) -> None:
    """Two faults: the spelling, and that so far no other route keeps known hours."""
    with pytest.raises(FaultsFound, match=r"(?s)'councils'.*'otherwise'"):
        reads(COUNCIL, route("Day", "councils"), route("Night", "otherwise"))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (COUNCIL, "partners.0.routes"),
        (
            COUNCIL + route("Day", None).replace("01632 960100", "ask"),
            "partners.0.routes.0.telephone",
        ),
        (COUNCIL.replace('"council"', '"church"') + route("Day", None), "partners.0.kind"),
        (COUNCIL + 'email = "x"\n' + route("Day", None), "partners.0.email"),
    ],
)
def test_what_is_missing_or_unknown_is_named(reads: Reads, text: str, field: str) -> None:
    with pytest.raises(FaultsFound) as found:
        reads(text)
    assert field in [fault.field for fault in found.value.faults]


def test_an_installation_may_know_no_partner_yet(reads: Reads) -> None:
    """Mails then name nobody to ring."""
    assert reads("").routes("council", "eastshire", at("2027-03-08 10:00")) == []
