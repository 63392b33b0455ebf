"""What rules would have told: mails by role and hour, and the most in a shift."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from monitor.cycle.preview import SHIFT, loads
from monitor.model import HOUR, MINUTE, AlertKind, ClockKey, Instant
from monitor.replay.replay import Told

LONDON = ZoneInfo("Europe/London")
T0: Instant = 1_800_000_000_000_000
"""Friday 15 January 2027, 08:00."""


def told(at: Instant, *, role: str = "inspector", recipient: str = "i@force.example") -> Told:
    key = ClockKey(rule="r", child="", organisation="", start="")
    return Told(
        at=at,
        reference=f"PPN-{at}",
        clock=key,
        kind=AlertKind.OVERDUE,
        rung="due",
        repeat=0,
        episode=1,
        role=role,
        asked_role=role,
        recipient=recipient,
        reason="",
    )


def test_mails_are_counted_by_role_and_local_hour() -> None:
    found = loads([told(T0), told(T0 + HOUR), told(T0, role="desk")], zone=LONDON)
    assert [(load.role, load.mails) for load in found] == [("inspector", 2), ("desk", 1)]
    assert [hour for hour, mails in enumerate(found[0].by_hour) if mails] == [8, 9]


def test_what_one_address_is_told_at_one_instant_is_one_mail() -> None:
    (load,) = loads([told(T0)] * 3, zone=LONDON)
    assert load.mails == 1


def test_more_than_ten_in_eight_hours_is_too_much() -> None:
    """At one address: two districts' posts of one role are two people."""
    eleven = [told(T0 + n * MINUTE) for n in range(11)]
    (load,) = loads(eleven, zone=LONDON)
    assert (load.most_in_a_shift, load.is_too_much) == (11, True)
    (load,) = loads(eleven[:10], zone=LONDON)
    assert not load.is_too_much
    shared = [*eleven[:6], *(told(each.at, recipient="west@force.example") for each in eleven[6:])]
    (load,) = loads(shared, zone=LONDON)
    assert (load.mails, load.most_in_a_shift) == (11, 6)


def test_a_shift_ends_after_eight_hours() -> None:
    (load,) = loads([told(T0), told(T0 + SHIFT)], zone=LONDON)
    assert load.most_in_a_shift == 1
    (load,) = loads([told(T0), told(T0 + SHIFT - 1)], zone=LONDON)
    assert load.most_in_a_shift == 2


@given(st.lists(st.integers(0, 72), unique=True, min_size=1))
def test_the_most_in_a_shift_is_what_counting_finds(hours: list[int]) -> None:
    (load,) = loads([told(T0 + hour * HOUR) for hour in hours], zone=LONDON)
    expected = max(sum(start <= each < start + 8 for each in hours) for start in hours)
    assert load.most_in_a_shift == expected
