from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import HOUR, Instant
from monitor.report.periods import Week, digest_due
from monitor.rulebook.book import build_rulebook
from monitor.rulebook.files import read_documents
from monitor.worktime.calendar import Calendar, elapsed
from monitor.worktime.instants import from_datetime

LONDON = ZoneInfo("Europe/London")
RULES = Path(__file__).parents[2] / "rules"


@pytest.fixture(scope="module")
def england() -> Calendar:
    """The council's office hours, as shipped."""
    return build_rulebook(read_documents(RULES)).calendars["council-england"]


def at(text: str) -> Instant:
    """A local time in London."""
    return from_datetime(dt.datetime.fromisoformat(text).replace(tzinfo=LONDON))


def test_a_week_is_read_and_written_in_the_words_of_iso_8601() -> None:
    week = Week.parse("2026-W45")
    assert str(week) == "2026-W45"
    assert week.label == "2-8 November 2026"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("2026-W49", "30 November - 6 December 2026"),
        ("2026-W53", "28 December 2026 - 3 January 2027"),
        ("2027-W01", "4-10 January 2027"),
    ],
)
def test_a_label_says_once_what_both_dates_share(text: str, label: str) -> None:
    assert Week.parse(text).label == label


@pytest.mark.parametrize(
    "text",
    ["2027-W53", "2026-W00", "2026-W54", "2026W45", "2026-W4", "", "0000-W01", "\uff12026-W45"],
)
def test_what_is_no_week_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(ValueError, match=repr(text)):
        Week.parse(text)


def test_a_week_ends_where_the_next_begins_and_its_last_instant_is_its_own() -> None:
    week = Week.parse("2027-W09")
    assert week.first(LONDON) == at("2027-03-01 00:00")
    assert week.end(LONDON) == at("2027-03-08 00:00")
    assert week.last(LONDON) == week.end(LONDON) - 1


@pytest.mark.parametrize(("text", "hours"), [("2027-W12", 167), ("2027-W43", 169)])
def test_the_week_of_a_clock_change_is_not_168_hours(text: str, hours: int) -> None:
    week = Week.parse(text)
    assert week.end(LONDON) - week.first(LONDON) == hours * HOUR


@given(st.dates(dt.date(1980, 1, 1), dt.date(2090, 1, 1)))
def test_every_date_is_in_one_week_and_the_week_before_touches_it(day: dt.date) -> None:
    week = Week.of(day)
    assert 0 <= (day - week.monday).days < 7
    assert week.earlier.end(LONDON) == week.first(LONDON)
    assert Week.parse(str(week)) == week


@pytest.mark.parametrize(
    ("now", "week"),
    [
        ("2027-03-08 00:00", "2027-W09"),
        ("2027-03-07 23:59", "2027-W08"),
        ("2027-01-04 08:00", "2026-W53"),
    ],
)
def test_the_week_before_an_instant_goes_by_local_dates(now: str, week: str) -> None:
    assert str(Week.before(at(now), LONDON)) == week


def due(calendar: Calendar, now: str, weekday: str = "mon", time: str = "08:00") -> tuple[str, str]:
    """The week whose digest is due, and since when, as local texts."""
    found = digest_due(weekday, time, calendar=calendar, zone=LONDON, now=at(now))
    since = dt.datetime.fromtimestamp(found.since / 1e6, LONDON)
    return str(found.week), since.strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("now", "week", "since"),
    [
        ("2027-03-08 08:00", "2027-W09", "2027-03-08 08:00"),
        ("2027-03-08 07:59", "2027-W08", "2027-03-01 08:00"),
        ("2027-03-14 23:59", "2027-W09", "2027-03-08 08:00"),
        # Easter Monday is 29 March: it goes out on Tuesday.
        ("2027-03-29 12:00", "2027-W11", "2027-03-22 08:00"),
        ("2027-03-30 08:00", "2027-W12", "2027-03-30 08:00"),
    ],
)
def test_the_digest_is_due_at_its_local_time_moved_off_bank_holidays(
    england: Calendar, now: str, week: str, since: str
) -> None:
    assert due(england, now) == (week, since)


def test_a_digest_on_friday_moves_past_good_friday_and_easter_monday(england: Calendar) -> None:
    assert due(england, "2027-03-30 09:00", "fri") == ("2027-W11", "2027-03-30 08:00")


def test_after_downtime_of_months_only_the_latest_week_is_due(england: Calendar) -> None:
    assert due(england, "2027-06-16 12:00")[0] == "2027-W23"


def test_past_the_calendars_horizon_the_digest_goes_out_on_its_date(england: Calendar) -> None:
    assert due(england, "2040-01-02 08:00") == ("2039-W52", "2040-01-02 08:00")


def test_a_time_that_comes_twice_is_its_first_and_one_that_never_comes_the_change() -> None:
    always = elapsed(LONDON)
    autumn = digest_due("sun", "01:30", calendar=always, zone=LONDON, now=at("2027-10-31 12:00"))
    assert autumn.since == at("2027-10-31 01:30")
    spring = digest_due("sun", "01:30", calendar=always, zone=LONDON, now=at("2027-03-28 12:00"))
    assert spring.since == at("2027-03-28 02:00")


def test_words_that_are_no_weekday_are_refused() -> None:
    with pytest.raises(ValueError, match="monday"):
        digest_due("monday", "08:00", calendar=elapsed(LONDON), zone=LONDON, now=0)


@given(st.integers(at("2021-02-01 00:00"), at("2027-12-01 00:00")))
def test_a_digest_is_never_due_early_and_its_week_is_over(england: Calendar, now: Instant) -> None:
    found = digest_due("mon", "08:00", calendar=england, zone=LONDON, now=now)
    assert found.week.end(LONDON) <= found.since <= now
    later = digest_due("mon", "08:00", calendar=england, zone=LONDON, now=found.since)
    assert later == found
