"""What a clock says at an instant."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.fold import fold
from monitor.clocks.verdicts import is_closed, verdict
from monitor.model import DAY, HOUR, OPEN_VERDICTS, Clock, ClockKey, Event, Instant, Verdict
from tests.clocks.histories import GENERATED_BOOK, T0, TOLERANCES, histories, instants

DUE = T0 + 4 * HOUR
SILENT = {"sending-log": T0}
LOG = ("sending-log",)


def clock(**facts: Any) -> Clock:
    plain = Clock(
        key=ClockKey("council"),
        rule_version=1,
        started_at=T0,
        due_at=DUE,
        due_soon_at=DUE - HOUR,
        known_at=T0,
    )
    return plain._replace(**facts)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (T0, Verdict.RUNNING),
        (DUE - HOUR - 1, Verdict.RUNNING),
        (DUE - HOUR, Verdict.DUE_SOON),
        (DUE, Verdict.DUE_SOON),
        (DUE + 1, Verdict.OVERDUE),
        (DUE + 400 * DAY, Verdict.OVERDUE),
    ],
)
def test_an_open_clock(now: Instant, expected: Verdict) -> None:
    """Law 6: at due it is not overdue; one microsecond later it is."""
    assert verdict(clock(), now=now) is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"stopped_at": DUE}, Verdict.MET),
        ({"stopped_at": DUE + 1, "breached_at": DUE}, Verdict.LATE),
        ({"exempt_at": DUE}, Verdict.EXEMPT),
        ({"exempt_at": DUE + 1, "breached_at": DUE}, Verdict.LATE),
        ({"void_at": DUE + 1, "breached_at": DUE}, Verdict.VOID),
        ({"superseded_at": DUE}, Verdict.SUPERSEDED),
        ({"superseded_at": DUE, "stopped_at": DUE}, Verdict.SUPERSEDED),
    ],
)
def test_a_closed_clock(facts: dict[str, Instant], expected: Verdict) -> None:
    assert verdict(clock(**facts), now=DUE + DAY) is expected
    assert is_closed(clock(**facts))


def test_what_is_still_to_come_is_not_said() -> None:
    """As of an earlier instant the clock says what it said then."""
    stopped = clock(stopped_at=DUE + HOUR, breached_at=DUE)
    said = [verdict(stopped, now=now) for now in (T0, DUE, DUE + 1, DUE + HOUR)]
    assert said == [Verdict.RUNNING, Verdict.DUE_SOON, Verdict.OVERDUE, Verdict.LATE]


def test_an_open_clock_whose_feed_was_not_heard_is_unknown() -> None:
    assert verdict(clock(), now=T0, stop_feeds=LOG, trusted_until=SILENT) is Verdict.RUNNING
    assert verdict(clock(), now=T0 + 1, stop_feeds=LOG, trusted_until=SILENT) is Verdict.UNKNOWN


def test_a_feed_heard_up_to_due_is_enough_for_ever() -> None:
    """Silence after due hides no stop that would have been in time."""
    heard = {"sending-log": DUE}
    now = DUE + DAY
    assert verdict(clock(), now=now, stop_feeds=LOG, trusted_until=heard) is Verdict.OVERDUE


def test_another_feed_s_silence_is_no_doubt() -> None:
    now = DUE + DAY
    said = verdict(clock(), now=now, stop_feeds=LOG, trusted_until={"occurrence": T0})
    assert said is Verdict.OVERDUE


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"stopped_at": T0}, Verdict.MET),
        ({"exempt_at": T0}, Verdict.EXEMPT),
        ({"void_at": T0}, Verdict.VOID),
    ],
)
def test_a_closed_clock_is_in_no_doubt(facts: dict[str, Instant], expected: Verdict) -> None:
    said = verdict(clock(**facts), now=DUE, stop_feeds=LOG, trusted_until=SILENT)
    assert said is expected


def test_an_open_clock_without_due_is_unknown() -> None:
    assert verdict(clock(due_at=None, due_soon_at=None), now=DUE) is Verdict.UNKNOWN


def test_a_stop_against_no_known_due_is_unknown_and_never_met() -> None:
    """Law 5: nobody can say that it was in time, so the monitor does not."""
    stopped = clock(due_at=None, due_soon_at=None, stopped_at=DUE)
    assert verdict(stopped, now=DUE + DAY) is Verdict.UNKNOWN


def test_a_claim_counts_up_to_its_deadline() -> None:
    claimed = clock(stopped_at=DUE - HOUR, confirm_by=DUE + HOUR)
    said = [verdict(claimed, now=now) for now in (DUE + HOUR, DUE + HOUR + 1)]
    assert said == [Verdict.MET, Verdict.OVERDUE]
    assert not is_closed(claimed)


_ORDER = (Verdict.RUNNING, Verdict.DUE_SOON, Verdict.OVERDUE)


@given(histories(), instants(), st.booleans())
def test_at_any_now_a_clock_says_exactly_one_thing(
    events: list[Event], now: Instant, silent: bool
) -> None:
    """One verdict; and it is open exactly where nothing has ended the clock by then."""
    trusted = {"sending-log": T0} if silent else {}
    for each in fold(events, GENERATED_BOOK, tolerances=TOLERANCES):
        said = verdict(each, now=now, stop_feeds=LOG, trusted_until=trusted)
        assert said in Verdict
        ended = (each.stopped_at, each.exempt_at, each.void_at, each.superseded_at)
        has_ended = any(at is not None and at <= now for at in ended)
        lapsed = each.confirm_by is not None and now > each.confirm_by
        if lapsed:
            assert said is not Verdict.MET
        else:
            assert (said in OPEN_VERDICTS) is not has_ended


@given(histories(), st.lists(instants(), min_size=2, max_size=6).map(sorted))
def test_as_time_goes_by_a_clock_only_goes_forward(
    events: list[Event], moments: list[Instant]
) -> None:
    """Running, due soon, overdue, then closed for good; only a lapsed claim opens again."""
    for each in fold(events, GENERATED_BOOK, tolerances=TOLERANCES):
        if each.confirm_by is not None:
            continue
        said = [verdict(each, now=now) for now in moments]
        for earlier, later in pairwise(said):
            if earlier in _ORDER and later in _ORDER:
                assert _ORDER.index(earlier) <= _ORDER.index(later)
            elif earlier not in OPEN_VERDICTS and later is not Verdict.SUPERSEDED:
                assert later is earlier
