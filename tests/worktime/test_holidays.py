"""The pinned bank holidays and opening hours that the monitor ships."""

from __future__ import annotations

from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import holidays
import pytest
from govuk_bank_holidays.bank_holidays import BankHolidays

from tests.worktime.shipped import RULES, holiday_titles, read_yaml, shipped

SUBDIVISIONS = {"england": "ENG", "wales": "WLS", "scotland": "SCT", "northern-ireland": "NIR"}

PROCLAIMED_SINCE: dict[str, dict[date, str]] = {nation: {} for nation in SUBDIVISIONS}
"""Days added to a file by hand, of which the release of the source that it names knows nothing."""

SATURDAY = 5
PROCLAIMED_AFTER_THE_SECOND_SOURCE = {"scotland": {date(2026, 6, 15)}}
"""Days on weekdays that the second source's release does not know yet."""

CALENDARS = sorted((RULES / "calendars").glob("*.yaml"))


def of_the_package(nation: str, first: date, last: date) -> dict[date, str]:
    known = holidays.country_holidays(
        "GB", subdiv=SUBDIVISIONS[nation], years=range(first.year, last.year + 1)
    )
    return {day: title for day, title in known.items() if first <= day <= last}


@pytest.mark.parametrize("nation", SUBDIVISIONS)
def test_the_pinned_days_are_those_of_their_source(nation: str) -> None:
    written = read_yaml(RULES / "holidays" / f"{nation}.yaml")
    if written["source_version"] != version("holidays"):
        pytest.skip(f"pinned from holidays {written['source_version']}, here is another release")
    first = date.fromisoformat(written["covers_from"])
    last = date.fromisoformat(written["covers_to"])
    expected = of_the_package(nation, first, last) | PROCLAIMED_SINCE[nation]
    assert holiday_titles(nation) == expected


@pytest.mark.parametrize("nation", SUBDIVISIONS)
def test_the_pinned_days_are_those_of_a_second_source(nation: str) -> None:
    """The government's own list, as a second package carries it; England and Wales share one."""
    division = nation if nation in {"scotland", "northern-ireland"} else "england-and-wales"
    told = BankHolidays(use_cached_holidays=True).get_holidays(division=division)
    official = {day["date"] for day in told}
    written = set(holiday_titles(nation))
    first, last = max(min(official), min(written)), min(max(official), max(written))
    missing = {day for day in official - written if first <= day <= last}
    more = {day for day in written - official if first <= day <= last and day.weekday() < SATURDAY}
    assert missing == set()
    assert more == PROCLAIMED_AFTER_THE_SECOND_SOURCE.get(nation, set())


@pytest.mark.parametrize("nation", SUBDIVISIONS)
def test_all_of_next_year_is_pinned(nation: str) -> None:
    """When this fails, time has come to pin another year."""
    path = f"rules/holidays/{nation}.yaml"
    written = read_yaml(RULES / "holidays" / f"{nation}.yaml")
    next_year = date.today().year + 1  # noqa: DTZ011 — the year is enough
    mend = (
        f"{path} does not cover {next_year}: take the newest release of {written['source']}, "
        "add its days, move covers_to and source_version, and raise the version of the calendars "
        "that name the file"
    )
    assert written["covers_to"] >= f"{next_year}-12-31", mend
    assert any(day.year == next_year for day in holiday_titles(nation)), mend


@pytest.mark.parametrize("nation", SUBDIVISIONS)
def test_days_stand_in_order_inside_what_is_covered(nation: str) -> None:
    written = read_yaml(RULES / "holidays" / f"{nation}.yaml")
    days = list(written["days"])
    assert days == sorted(days)
    assert written["covers_from"] <= days[0]
    assert days[-1] <= written["covers_to"]


@pytest.mark.parametrize("nation", SUBDIVISIONS)
def test_working_days_are_counted_as_the_source_counts_them(nation: str) -> None:
    """An independent count: the package's own, over weekends and bank holidays."""
    council = shipped(f"council-{nation}")
    known = holidays.country_holidays("GB", subdiv=SUBDIVISIONS[nation], years=range(2019, 2030))
    for offset in range(0, 3_100, 7):
        for weekday in (0, 3, 5):
            day = date(2020, 2, 3) + timedelta(days=offset + weekday)
            assert council.is_working_day(day) == known.is_working_day(day)
            for count in (1, 2, 15, -1):
                assert council.working_day_after(day, count) == known.get_nth_working_day(
                    day, count
                )


@pytest.mark.parametrize(
    ("nation", "day", "title"),
    [
        ("england", date(2027, 3, 29), "Easter Monday"),
        ("northern-ireland", date(2027, 3, 17), "Saint Patrick's Day"),
        ("scotland", date(2027, 1, 4), "New Year Holiday (observed)"),
        ("wales", date(2022, 9, 19), "State Funeral of Queen Elizabeth II"),
    ],
)
def test_days_that_are_known_by_heart(nation: str, day: date, title: str) -> None:
    assert holiday_titles(nation)[day] == title


def test_easter_monday_is_a_working_day_in_scotland_alone() -> None:
    monday = date(2027, 3, 29)
    open_in = [nation for nation in SUBDIVISIONS if monday not in holiday_titles(nation)]
    assert open_in == ["scotland"]


@pytest.mark.parametrize("path", CALENDARS, ids=lambda path: path.stem)
def test_a_calendar_is_named_as_its_file_and_says_what_is_assumed(path: Path) -> None:
    written = read_yaml(path)
    assert written["id"] == path.stem
    assert isinstance(written["version"], int)
    if not written.get("always_open"):
        assert "are an assumption" in path.read_text(encoding="utf-8")


def test_every_calendar_compiles_and_knows_its_weekdays() -> None:
    """Open on an ordinary Wednesday, and on Sunday only where every hour counts."""
    for path in CALENDARS:
        calendar = shipped(path.stem)
        assert calendar.is_working_day(date(2027, 6, 2))
        assert calendar.is_working_day(date(2027, 6, 6)) == (path.stem == "clock-hours")


def test_the_school_calendar_says_that_terms_are_not_loaded() -> None:
    title = read_yaml(RULES / "calendars" / "school-england.yaml")["title"]
    assert "school terms not loaded: next weekday" in title
