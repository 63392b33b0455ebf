from __future__ import annotations

import math
import statistics
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.verdicts import verdict
from monitor.model import DAY, HOUR, MINUTE, Clock, ClockKey, Instant, Verdict
from monitor.report.figures import OnTrial, figures
from monitor.report.measured import Measured, nearest_rank, percentage
from monitor.report.row import ClockRow
from tests.report.rows import FEEDS, NOW, SINCE, UNTIL, counted, late, met, row


def total(*rows: ClockRow, **changes: Any) -> Measured:
    return counted(*rows, **changes).total


# -- which clocks count -----------------------------------------------------------------------


def test_the_cohort_is_the_clocks_whose_due_falls_in_the_period_its_end_excluded() -> None:
    dues = (SINCE - 1, SINCE, UNTIL - 1, UNTIL)
    rows = [row(due_at=due, started_at=due - HOUR) for due in dues]
    assert total(*rows).open_late == 2


def test_met_late_and_overdue_make_the_total_and_each_is_counted_once() -> None:
    found = total(met(), met(), late(), row())
    assert (found.met, found.late, found.open_late, found.of) == (2, 1, 1, 4)


def test_stopped_at_the_due_instant_is_met_and_a_microsecond_later_is_late() -> None:
    due = row().due_at
    assert due is not None
    assert total(row(stopped_at=due)).met == 1
    assert total(row(stopped_at=due + 1, breached_at=due)).late == 1


def test_what_is_pending_is_in_no_share_and_neither_is_what_was_met_before_its_time() -> None:
    """In a week that is not over, the met must not count ahead of those still running."""
    middle = SINCE + 3 * DAY
    ahead = {"started_at": middle - HOUR}
    found = counted(met(), row(**ahead), met(**ahead, stopped_at=middle - MINUTE), as_of=middle)
    assert (found.total.met, found.total.of_all) == (1, 1)
    assert found.backlog.duties == 1


def test_superseded_and_restricted_clocks_and_rules_left_out_are_in_no_figure() -> None:
    found = counted(
        row(superseded_at=SINCE),
        row(restricted=True, risk="high"),
        row(rule="quiet"),
        left_out={"quiet"},
    )
    assert found.total.of_all == found.cases == found.backlog.duties == 0
    assert found.backlog.oldest_high_risk is None


def test_what_is_on_trial_is_counted_apart_and_is_in_no_figure() -> None:
    """Due in the week or open, once each; what gave way or is restricted is nowhere."""
    found = counted(
        met(),
        met(rule="new"),
        row(rule="new", case_id=2),
        row(rule="newer", due_at=None),
        row(rule="new", superseded_at=SINCE),
        row(rule="new", restricted=True),
        met(rule="new", started_at=SINCE - 3 * DAY),
        row(rule="quiet"),
        left_out={"new", "newer", "quiet"},
        trial={("new", 1), ("newer", 1)},
    )
    assert found.on_trial == OnTrial(rules=2, duties=3, counted=0)
    assert found.total.of_all == found.cases == 1
    assert found.backlog.duties == 0


def test_an_older_version_that_nobody_approved_counts_and_is_told_of() -> None:
    """Its rule is approved by now, and what started under it goes on."""
    found = counted(met(), met(rule_version=2), trial={("council-4h", 1)})
    assert found.on_trial == OnTrial(rules=1, duties=1, counted=1)
    assert found.total.of_all == 2


def test_exempt_and_void_stand_beside_with_their_reasons() -> None:
    start = row().started_at
    found = total(
        row(exempt_at=start + HOUR, reason_code="known"),
        row(exempt_at=start + HOUR, reason_code="known"),
        row(exempt_at=start + HOUR),
        row(void_at=start + HOUR),
        row(void_at=start + DAY, breached_at=start + 4 * HOUR),
    )
    assert (found.exempt, found.void, found.void_after_due, found.of) == (3, 2, 1, 0)
    assert found.reasons == (("known", 2), ("", 1))


def test_a_decision_not_to_share_after_due_is_late_at_the_age_of_the_decision() -> None:
    base = row()
    found = total(row(exempt_at=base.started_at + DAY, breached_at=base.due_at))
    assert (found.late, found.decided_late, found.exempt) == (1, 1, 0)
    assert found.span.longest == DAY
    assert not found.span.longest_is_open


def test_unknown_stands_beside_the_total_and_lowers_the_share_at_worst() -> None:
    silent = {"sending-log": SINCE}
    found = total(*[met() for _ in range(30)], *[row() for _ in range(10)], trusted_until=silent)
    assert (found.met, found.of, found.unknown) == (30, 30, 10)
    assert (found.percent, found.percent_at_worst) == (100, 75)


def test_a_claim_to_be_confirmed_is_met_and_flagged_and_overdue_once_it_lapsed() -> None:
    claim = met(confirm_by=NOW + 1)
    assert (total(claim).met, total(claim).to_confirm) == (1, 1)
    lapsed = claim._replace(confirm_by=NOW - 1)
    assert (total(lapsed).met, total(lapsed).open_late, total(lapsed).to_confirm) == (0, 1, 0)


def test_who_cannot_be_routed_is_counted_among_the_open_and_late() -> None:
    found = total(row(cannot_route=True), row())
    assert (found.open_late, found.cannot_route) == (2, 1)


def test_regraded_after_overdue_counts_on() -> None:
    found = total(row(regraded_at=SINCE + 2 * DAY))
    assert (found.open_late, found.regraded) == (1, 1)


def test_recorded_late_is_more_than_a_day_after_the_stop_and_only_of_those_that_say() -> None:
    stop = met().stopped_at
    assert stop is not None
    found = total(
        met(),
        met(stop_recorded_at=stop + DAY),
        met(stop_recorded_at=stop + DAY + 1),
    )
    assert (found.recorded, found.recorded_late) == (2, 1)


def test_figures_are_by_rule_and_by_partner_and_their_sums_are_the_total() -> None:
    found = counted(
        met(case_id=1),
        late(case_id=1, rule="council-1d"),
        met(case_id=2, rule="health-1d", partner="health"),
        row(case_id=2, rule="supervised", partner=""),
    )
    assert found.rules["council-1d"].late == 1
    assert (found.partners["council"].met, found.partners["council"].of) == (1, 2)
    assert found.partners[""].open_late == 1
    assert found.cases == 2
    for groups in (found.rules, found.partners):
        assert sum(group.of for group in groups.values()) == found.total.of == 4


# -- how long ---------------------------------------------------------------------------------


def test_open_and_late_enters_at_its_age_so_that_a_backlog_does_not_look_fast() -> None:
    found = total(met(), row()).span
    assert found.number == 2
    assert (found.longest, found.longest_is_open) == (NOW - row().started_at, True)


def test_a_stop_within_the_tolerance_before_its_start_took_no_time() -> None:
    assert total(row(stopped_at=row().started_at - MINUTE)).span.longest == 0


@pytest.mark.parametrize(
    ("number", "has_median", "has_ninetieth"),
    [(4, False, False), (5, True, False), (19, True, False), (20, True, True)],
)
def test_no_90th_percentile_under_20_and_no_median_under_5(
    number: int, has_median: bool, has_ninetieth: bool
) -> None:
    span = total(*[met() for _ in range(number)]).span
    assert (span.median is not None, span.ninetieth is not None) == (has_median, has_ninetieth)


values = st.lists(st.integers(0, 10**12), min_size=1, max_size=300)


@given(values, st.integers(1, 100))
def test_nearest_rank_is_the_least_value_that_so_many_do_not_exceed(
    given_values: list[int], percent: int
) -> None:
    """By its definition, counted naively in exact fractions."""
    expected = min(
        value
        for value in given_values
        if Fraction(sum(other <= value for other in given_values), len(given_values))
        >= Fraction(percent, 100)
    )
    assert nearest_rank(sorted(given_values), percent) == expected


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=300))
def test_nearest_rank_lies_beside_what_the_standard_library_interpolates(
    given_values: list[int],
) -> None:
    ordered = sorted(given_values)
    assert nearest_rank(ordered, 50) == statistics.median_low(ordered)
    cut = statistics.quantiles(ordered, n=10, method="inclusive")[-1]
    place = 0.9 * (len(ordered) - 1)
    slack = 1e-6 * (1 + ordered[-1])
    assert ordered[math.floor(place)] - slack <= cut
    assert nearest_rank(ordered, 90) >= ordered[math.floor(place)]


# -- what is open -----------------------------------------------------------------------------


def test_the_backlog_counts_what_is_open_whenever_it_falls_due() -> None:
    found = counted(
        row(started_at=NOW - HOUR),
        row(started_at=NOW - 400 * DAY),
        row(due_at=None),
        met(),
        row(started_at=NOW + 1),
    ).backlog
    assert (found.duties, found.overdue, found.unknown, found.no_due) == (3, 1, 1, 1)


@pytest.mark.parametrize(
    ("age", "band"),
    [(0, 0), (DAY - 1, 0), (DAY, 1), (3 * DAY, 2), (7 * DAY, 3), (14 * DAY - 1, 3), (14 * DAY, 4)],
)
def test_a_band_of_age_begins_where_the_one_before_ends(age: int, band: int) -> None:
    ages = counted(row(started_at=NOW - age)).backlog.ages
    assert ages["medium"] == tuple(int(place == band) for place in range(5))


def test_the_gravest_risk_comes_first_and_what_has_none_last() -> None:
    rows = [row(risk=risk) for risk in ("", "standard", "odd", "high", "medium")]
    assert list(counted(*rows).backlog.ages) == ["high", "medium", "standard", "", "odd"]


def test_deferred_until_a_review_ahead_and_reviews_that_are_overdue_are_apart() -> None:
    found = counted(row(held_until=NOW + 1), row(held_until=NOW)).backlog
    assert (found.deferred, found.review_overdue) == (1, 1)


def test_the_case_to_do_first_is_overdue_of_the_gravest_risk_and_known_longest() -> None:
    found = counted(
        row(case_id=1, risk="medium", started_at=NOW - 30 * DAY),
        row(case_id=2, risk="high", started_at=NOW - 2 * DAY),
        row(case_id=3, risk="high", started_at=NOW - 3 * DAY, stage="supervised", stage_at=5),
        row(case_id=3, risk="high", started_at=NOW - 3 * DAY, rule="health-1d", partner="health"),
        row(case_id=4, risk="high", started_at=NOW - 9 * DAY, due_at=NOW + 1),
    ).backlog
    assert found.first is not None
    assert found.oldest_high_risk is not None
    assert (found.first.case_id, found.oldest_high_risk.case_id) == (3, 4)
    assert [duty.partner for duty in found.first.duties] == ["council", "health"]
    assert (found.first.stage, found.first.stage_at) == ("supervised", 5)
    assert found.high_risk_cases_overdue == 2


def test_a_duty_that_is_not_overdue_is_not_among_those_to_do_first() -> None:
    first = counted(row(), row(rule="health-1d", partner="health", due_at=NOW)).backlog.first
    assert first is not None
    assert [duty.partner for duty in first.duties] == ["council"]


def test_contacts_with_no_notice_past_their_limit_and_within_it() -> None:
    contact = {"rule": "no-notice", "partner": ""}
    found = counted(
        row(**contact),
        row(**contact, started_at=SINCE - 9 * DAY),
        row(**contact, due_at=NOW),
        met(**contact),
    ).no_notice
    assert (found.overdue, found.oldest, found.within_limit) == (2, SINCE - 9 * DAY, 1)


# -- laws -------------------------------------------------------------------------------------


def test_percentages_are_none_under_10_and_only_all_is_100() -> None:
    assert percentage(9, 9) is None
    assert percentage(10, 10) == 100
    assert percentage(0, 10) == 0
    assert percentage(999, 1000) == 99
    assert percentage(1, 1000) == 1
    assert percentage(50, 60) == 83
    assert percentage(1, 40) == 3


instants = st.integers(SINCE - 10 * DAY, NOW + DAY)
maybe = st.none() | instants


@st.composite
def rows(draw: st.DrawFn) -> ClockRow:
    """A clock such as the fold makes: closed late exactly where it was closed after due."""
    start = draw(st.integers(SINCE - 10 * DAY, NOW))
    due = draw(st.none() | st.integers(start, NOW + DAY))
    end = draw(st.sampled_from(["stopped_at", "exempt_at", "void_at", "superseded_at", "", ""]))
    at = draw(st.integers(start, NOW + DAY))
    known: dict[str, Any] = {end: at} if end else {}
    if end and due is not None and at > due:
        known["breached_at"] = due
    return row(
        case_id=draw(st.integers(1, 6)),
        rule=draw(st.sampled_from(["council-4h", "health-1d", "no-notice"])),
        risk=draw(st.sampled_from(["", "standard", "high"])),
        started_at=start,
        due_at=due,
        confirm_by=draw(maybe) if end == "stopped_at" else None,
        restricted=draw(st.booleans()),
        cannot_route=draw(st.booleans()),
        **known,
    )


many = st.lists(rows(), max_size=40)


@given(many, st.randoms(use_true_random=False), instants)
def test_the_order_of_rows_changes_nothing(
    some: list[ClockRow], random: Any, as_of: Instant
) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)
    assert counted(*some, as_of=as_of) == counted(*shuffled, as_of=as_of)


@given(many, instants)
def test_a_silent_feed_never_makes_the_share_at_worst_better(
    some: list[ClockRow], silent_since: Instant
) -> None:
    """Whatever turns from overdue to unknown: it stays in the total at worst, and never in n."""
    heard, silent = total(*some), total(*some, trusted_until={"sending-log": silent_since})
    assert silent.met == heard.met
    assert silent.of_all == heard.of_all
    assert silent.not_in_time + silent.unknown == heard.not_in_time + heard.unknown


@given(many.filter(bool), st.data())
def test_losing_the_record_of_a_stop_never_flatters(
    some: list[ClockRow], data: st.DataObject
) -> None:
    """A stop that is missing from the data can only lower what is met, never the total."""
    place = data.draw(st.integers(0, len(some) - 1))
    lost = some[place]._replace(stopped_at=None, breached_at=None, confirm_by=None)
    before, after = total(*some), total(*some[:place], lost, *some[place + 1 :])
    if some[place].stopped_at is None:
        return
    assert after.met <= before.met
    assert after.of_all == before.of_all
    assert (after.percent_at_worst or 0) <= (before.percent_at_worst or 0)
    assert (after.span.longest or 0) >= (before.span.longest or 0)


@given(many)
def test_every_clock_due_in_the_week_is_in_exactly_one_count(some: list[ClockRow]) -> None:
    found = total(*some)
    expected = [
        one
        for one in some
        if not one.restricted
        and one.due_at is not None
        and SINCE <= one.due_at < UNTIL
        and one.superseded_at is None
        and one.started_at <= NOW
    ]
    assert found.of_all + found.exempt + found.void == len(expected)


@given(rows(), instants)
def test_a_row_says_what_its_clock_says(one: ClockRow, now: Instant) -> None:
    """The counting judges a row by the same function as everybody judges the clock itself."""
    shared = set(Clock._fields) & set(ClockRow._fields)
    clock = Clock(
        key=ClockKey(one.rule),
        known_at=one.started_at,
        **{name: getattr(one, name) for name in shared},
    )
    trusted = {"sending-log": SINCE}
    says = verdict(clock, now=now, stop_feeds=FEEDS.get((one.rule, 1), ()), trusted_until=trusted)
    since = one.due_at if one.due_at is not None else SINCE
    found = figures(
        [one._replace(restricted=False)],
        since=since,
        until=since + 1,
        as_of=now,
        stop_feeds=FEEDS,
        trusted_until=trusted,
    )
    is_elsewhere = one.superseded_at is not None  # what took its place counts
    if one.due_at is None or one.due_at >= now or one.started_at > now or is_elsewhere:
        assert found.total.of_all == 0
        return
    counts = {
        Verdict.MET: found.total.met,
        Verdict.LATE: found.total.late,
        Verdict.OVERDUE: found.total.open_late,
        Verdict.UNKNOWN: found.total.unknown,
        Verdict.EXEMPT: found.total.exempt,
        Verdict.VOID: found.total.void,
    }
    assert counts == {name: int(name is says) for name in counts}
