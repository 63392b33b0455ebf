"""How many mails fall on whom, at which hour."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import HOUR, MINUTE, Instant
from monitor.replay.load import SHIFT, Alerted, RoleLoad, loads
from monitor.worktime.zones import first_instant_of_local

LONDON = ZoneInfo("Europe/London")


def at(text: str) -> Instant:
    return first_instant_of_local(datetime.fromisoformat(text), LONDON)


NOON = at("2027-03-08 12:00")


def of(*told: Alerted, window: int = 10) -> dict[str, RoleLoad]:
    return {load.role: load for load in loads(told, window=window * MINUTE, zone=LONDON)}


def told(*minutes: int, to: str = "a@force.example", role: str = "inspector") -> list[Alerted]:
    return [Alerted(to, NOON + each * MINUTE, role) for each in minutes]


def test_the_first_alert_is_a_mail_and_the_window_after_it_another() -> None:
    load = of(*told(0, 3, 9, 10))["inspector"]
    assert (load.alerts, load.mails) == (4, 2)


def test_after_a_window_without_news_the_next_goes_at_once() -> None:
    assert of(*told(0, 11, 30))["inspector"].mails == 3


def test_what_comes_up_while_a_mail_waits_goes_with_it() -> None:
    """At 0 a mail, at 10 one for 3 and 9; at 12 another that waits until 20 and takes 19 along."""
    assert of(*told(0, 3, 9, 12, 19))["inspector"].mails == 3


def test_each_person_has_a_window_of_their_own() -> None:
    assert of(*told(0, 1), *told(0, 1, to="b@force.example"))["inspector"].mails == 4


def test_without_a_window_each_alert_is_a_mail_but_those_of_one_instant() -> None:
    assert of(*told(0, 0, 1), window=0)["inspector"].mails == 2


def test_an_alert_that_reaches_nobody_is_no_mail() -> None:
    load = of(*told(0, to=""))["inspector"]
    assert (load.alerts, load.mails, load.busiest_shift) == (1, 0, 0)


def test_hours_are_local_over_the_clock_change() -> None:
    """00:30 UTC is 00:30 in winter and 01:30 in summer."""
    winter, summer = at("2027-03-27 00:30"), at("2027-03-29 01:30")
    assert summer - winter == 48 * HOUR
    load = of(*(Alerted("a@force.example", each, "inspector") for each in (winter, summer)))
    assert [hour for hour, mails in enumerate(load["inspector"].by_hour) if mails] == [0, 1]


def test_any_eight_hours_are_a_shift_though_the_date_changes() -> None:
    night = [at("2027-03-08 22:30"), at("2027-03-08 23:30"), at("2027-03-09 05:30")]
    later = night[0] + SHIFT
    load = of(*(Alerted("a@force.example", each, "inspector") for each in [*night, later]))
    busiest = load["inspector"]
    assert (busiest.busiest_shift, busiest.busiest_on, busiest.at_night) == (3, "2027-03-08", 3)
    assert of(Alerted("a@force.example", later, "x"), window=0)["x"].busiest_shift == 1


def test_more_than_ten_in_eight_hours_is_too_many_at_one_address() -> None:
    """Two districts' posts of one role are two people."""
    ten = told(*range(0, 100, 10))
    assert not of(*ten, *told(480), window=1)["inspector"].is_too_many
    assert of(*ten, *told(479), window=1)["inspector"].is_too_many
    shared = [*ten, *told(479, to="west@force.example")]
    assert not of(*shared, window=1)["inspector"].is_too_many


@given(st.lists(st.integers(0, 72), unique=True, min_size=1))
def test_the_most_in_a_shift_is_what_counting_finds(hours: list[int]) -> None:
    load = of(*told(*(60 * hour for hour in hours)), window=0)["inspector"]
    expected = max(sum(start <= each < start + 8 for each in hours) for start in hours)
    assert load.busiest_shift == expected
