"""Duty rosters: read whole or not at all, in local time."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from monitor.escalate.duty import MOST_FAULTS, Stint, as_text, from_text, read_duty
from monitor.faults import FaultsFound
from monitor.model import HOUR
from monitor.worktime.instants import parse_instant

LONDON = ZoneInfo("Europe/London")
HEADER = "role,district,unit,address,from,until"


def read(*rows: str, header: str = HEADER) -> tuple[Stint, ...]:
    return read_duty(
        "\n".join((header, *rows)) + "\n",
        file="roster.csv",
        roles={"duty_inspector", "mash_sergeant"},
        zone=LONDON,
        may_be_told=lambda address: address.endswith("@force.example"),
    )


def faults_of(*rows: str, header: str = HEADER) -> list[str]:
    with pytest.raises(FaultsFound) as found:
        read(*rows, header=header)
    return [str(fault) for fault in found.value.faults]


def test_a_stint_is_from_and_until_local_times() -> None:
    (stint,) = read("duty_inspector,east,,a@force.example,2027-06-01 22:00,2027-06-02T06:00")
    assert stint.from_at == parse_instant("2027-06-01T21:00:00+00:00")
    assert (stint.until_at - stint.from_at, stint.district, stint.unit) == (8 * HOUR, "east", "")
    assert stint.is_on(stint.from_at)
    assert not stint.is_on(stint.until_at)
    assert from_text(as_text([stint])) == (stint,)


def test_in_the_night_when_clocks_go_back_a_stint_is_as_long_as_it_can_be_meant() -> None:
    (stint,) = read("duty_inspector,,,a@force.example,2027-10-31 01:30,2027-10-31 01:45")
    assert stint.until_at - stint.from_at == HOUR + HOUR // 4


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("inspector,,,a@force.example,2027-06-01 22:00,2027-06-02 06:00", "role: found 'insp"),
        ("duty_inspector,,,a@other.example,2027-06-01 22:00,2027-06-02 06:00", "address: an add"),
        ("duty_inspector,,,a@force.example,01/06/2027,2027-06-02 06:00", "from: found '01/06"),
        ("duty_inspector,,,a@force.example,2027-03-28 01:30,2027-03-28 06:00", "from: found"),
        ("duty_inspector,,,a@force.example,2027-06-02 06:00,2027-06-01 22:00", "until: found"),
        ("duty_inspector,,,a@force.example,2027-06-02 06:00", "as many fields as"),
        ("duty_inspector,,,a@force.example,2027-06-01 22:00,2027-06-02 06:00,x", "as many fields"),
    ],
)
def test_a_fault_has_its_line_and_field_and_no_address(row: str, said: str) -> None:
    good = "mash_sergeant,,,b@force.example,2027-06-01 22:00,2027-06-02 06:00"
    faults = faults_of(good, row)
    assert faults[0].startswith("roster.csv:3:")
    assert said in faults[0]
    assert "@" not in "".join(faults)


def test_wrong_columns_are_told_at_once() -> None:
    said = faults_of("x,y", header="role,phone")
    assert any("phone: no such column" in each for each in said)
    assert any("address: this column is missing" in each for each in said)


def test_an_empty_roster_is_a_fault_and_so_many_faults_end_the_reading() -> None:
    """An empty export would take everybody off duty."""
    assert "there is none" in faults_of()[0]
    assert MOST_FAULTS <= len(faults_of(*["x,,,,,"] * 100)) < MOST_FAULTS + 5
