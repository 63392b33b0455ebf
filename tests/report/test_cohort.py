"""Every figure of a cohort against a plain reckoning of its own, over the same made-up clocks.

The reckoning shares no line with what it checks: what a clock says is read from its instants here,
parts are sieves over one list, percentiles are found by counting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from monitor.model import DAY, HOUR, MINUTE, Duration, Instant
from monitor.report import cohort, measured
from monitor.report.figures import PARTED_BY, Figures, figures
from monitor.report.measured import Measured, Span, added
from monitor.report.row import ClockRow
from tests.report.rows import NOW, SINCE, UNTIL, row

SILENT_SINCE = SINCE + 4 * DAY
RELIES = {"council-4h": ("sending-log",)}

# -- made up ----------------------------------------------------------------------------------

_seldom = st.sampled_from([False] * 9 + [True])
_words = {
    "rule": ("council-4h", "council-1d", "health-1d", "supervised"),
    "district": ("east", "west", ""),
    "unit": ("mash", "response"),
    "category": ("neglect", "physical_abuse"),
    "risk": ("standard", "high", ""),
}
_partners = {"council-4h": "council", "council-1d": "council", "health-1d": "health"}


@st.composite
def clocks(draw: st.DrawFn) -> ClockRow:
    """A clock such as assessing leaves one; most are simply told, a few are anything."""

    def either(name: str) -> str:
        return draw(st.sampled_from(_words[name]))

    rule = either("rule")
    start = SINCE + draw(st.integers(-48, 7 * 24)) * HOUR
    due = start + draw(st.sampled_from((4, 24))) * HOUR
    lasted = draw(st.integers(-1, 40)) * HOUR // 2
    fields: dict[str, Any] = {"stopped_at": start + lasted, "stop_recorded_at": start + lasted}
    if draw(st.booleans()):
        fields["stop_recorded_at"] = draw(st.sampled_from((None, start + lasted + DAY + 1)))
    if draw(st.integers(0, 3)) == 0:
        fields = {}
    for name in ("exempt_at", "void_at", "superseded_at", "regraded_at"):
        if draw(_seldom):
            fields[name] = start + draw(st.integers(0, 60)) * HOUR
    ends = [fields[name] for name in ("stopped_at", "exempt_at", "void_at") if fields.get(name)]
    ended = min(ends, default=None)
    if ended is not None and ended > due:
        fields["breached_at"] = due
    if "stopped_at" in fields and draw(_seldom):
        fields["confirm_by"] = NOW + draw(st.sampled_from((-HOUR, 0, HOUR)))
    return row(
        case_id=draw(st.integers(1, 30)),
        rule=rule,
        partner=_partners.get(rule, ""),
        district=either("district"),
        unit=either("unit"),
        category=either("category"),
        risk=either("risk"),
        started_at=start,
        due_at=None if draw(_seldom) else due,
        restricted=draw(_seldom),
        cannot_route=draw(st.booleans()),
        reason_code=draw(st.sampled_from(("", "known", "threshold"))),
        **fields,
    )


_as_of = st.sampled_from((NOW, SINCE + 3 * DAY, SINCE + 6 * DAY))


def counted(rows: Iterable[ClockRow], as_of: Instant) -> Figures:
    return figures(
        rows,
        since=SINCE,
        until=UNTIL,
        as_of=as_of,
        stop_feeds={(rule, 1): feeds for rule, feeds in RELIES.items()},
        trusted_until={"sending-log": SILENT_SINCE},
        left_out={"supervised-on-trial"},
        with_spans=True,
    )


# -- reckoned plainly -------------------------------------------------------------------------


def _says(one: ClockRow, at: Instant) -> str:
    """What a clock due before `at` says then, from its instants alone."""

    def happened(instant: Instant | None) -> bool:
        return instant is not None and instant <= at

    assert one.due_at is not None
    if one.superseded_at is not None:
        return "nothing"  # what took its place counts, also before it did
    if happened(one.void_at):
        return "void"
    if happened(one.exempt_at):
        return "exempt" if one.breached_at is None else "late"
    lapsed = one.confirm_by is not None and one.confirm_by < at
    if happened(one.stopped_at) and not lapsed:
        return "met" if one.breached_at is None else "late"
    if one.rule in RELIES and one.due_at > SILENT_SINCE:
        return "unknown"
    return "open"


def _of_the_week(rows: Iterable[ClockRow], at: Instant) -> list[tuple[ClockRow, str]]:
    due = [
        one
        for one in rows
        if one.due_at is not None
        and SINCE <= one.due_at < min(UNTIL, at)
        and one.started_at <= at
        and not one.restricted
    ]
    return [(one, says) for one in due if (says := _says(one, at)) != "nothing"]


def _length(one: ClockRow, says: str, at: Instant) -> Duration | None:
    if says == "open":
        return at - one.started_at
    if says not in {"met", "late"}:
        return None
    # A stop that lies ahead is none yet: then it was a decision that ended it.
    is_stopped = one.stopped_at is not None and one.stopped_at <= at
    end = one.stopped_at if is_stopped else one.exempt_at
    assert end is not None
    return max(0, end - one.started_at)


def _percentile(lengths: Sequence[Duration], percent: int, fewest: int) -> Duration | None:
    """The least that so many per cent do not exceed, by trying each."""
    if len(lengths) < fewest:
        return None
    return min(
        each
        for each in lengths
        if 100 * sum(other <= each for other in lengths) >= percent * len(lengths)
    )


def _reckoned(some: list[tuple[ClockRow, str]], at: Instant) -> dict[str, Any]:
    said = Counter(says for _, says in some)
    lengths = [each for one, says in some if (each := _length(one, says, at)) is not None]
    still_open = [at - one.started_at for one, says in some if says == "open"]
    ended = [
        one
        for one, says in some
        if says in {"met", "late"} and one.stopped_at is not None and one.stopped_at <= at
    ]
    recorded = [
        one.stop_recorded_at - (one.stopped_at or 0)
        for one in ended
        if one.stop_recorded_at is not None
    ]
    known = said["met"] + said["late"] + said["open"]
    return {
        "met": said["met"],
        "late": said["late"],
        "open_late": said["open"],
        "unknown": said["unknown"],
        "exempt": said["exempt"],
        "void": said["void"],
        "of": known,
        "of_all": known + said["unknown"],
        "percent": _percent(said["met"], known),
        "percent_at_worst": _percent(said["met"], known + said["unknown"]),
        "void_after_due": sum(s == "void" and one.breached_at is not None for one, s in some),
        "decided_late": said["met"] + said["late"] - len(ended),
        "to_confirm": sum(s == "met" and one.confirm_by is not None for one, s in some),
        "cannot_route": sum(s == "open" and one.cannot_route for one, s in some),
        "regraded": sum(s != "void" and one.regraded_at is not None for one, s in some),
        "recorded": len(recorded),
        "recorded_late": sum(late > 24 * HOUR for late in recorded),
        "reasons": Counter(one.reason_code for one, s in some if s == "exempt"),
        "span": Span(
            number=len(lengths),
            median=_percentile(lengths, 50, 5),
            ninetieth=_percentile(lengths, 90, 20),
            ninety_fifth=_percentile(lengths, 95, 20),
            longest=max(lengths, default=None),
            longest_is_open=bool(still_open) and max(still_open) == max(lengths),
        ),
    }


def _percent(part: int, whole: int) -> int | None:
    if whole < 10:
        return None
    nearest = min(range(101), key=lambda percent: (abs(100 * part - percent * whole), -percent))
    if nearest == 100 and part < whole:
        return 99
    return 1 if nearest == 0 and part else nearest


def _said(found: Measured) -> dict[str, Any]:
    plain = {name: getattr(found, name) for name in _reckoned([], NOW)}
    assert [number for _, number in found.reasons] == sorted(dict(found.reasons).values())[::-1]
    return plain | {"reasons": Counter(dict(found.reasons))}


def _compare(rows: list[ClockRow], at: Instant) -> None:
    found, week = counted(rows, at), _of_the_week(rows, at)
    assert _said(found.total) == _reckoned(week, at)
    assert found.cases == len({one.case_id for one, _ in week})
    for field, groups in (("rule", found.rules), ("partner", found.partners)):
        assert list(groups) == sorted({getattr(one, field) for one, _ in week})
        for name, group in groups.items():
            those = [each for each in week if getattr(each[0], field) == name]
            assert _said(group) == _reckoned(those, at), (field, name)
    to_partners = [each for each in week if each[0].partner]
    for field in PARTED_BY:
        names = sorted({getattr(one, field) for one, _ in to_partners})
        assert [part.name for part in found.parts[field]] == names
        for part in found.parts[field]:
            those = [each for each in to_partners if getattr(each[0], field) == part.name]
            assert _said(part.duties) == _reckoned(those, at), (field, part.name)
            assert part.cases == len({one.case_id for one, _ in those})


# -- the same ---------------------------------------------------------------------------------


@given(st.lists(clocks(), max_size=60), _as_of)
def test_every_figure_by_every_part_is_what_a_plain_reckoning_says(
    rows: list[ClockRow], at: Instant
) -> None:
    _compare(rows, at)


@settings(max_examples=20)
@given(st.lists(clocks(), min_size=30, max_size=45))
def test_so_it_is_where_there_are_enough_for_percentiles(some: list[ClockRow]) -> None:
    """Each four times over, told a minute apart."""
    rows = [
        one if one.stopped_at is None else one._replace(stopped_at=one.stopped_at - sooner * MINUTE)
        for one in some
        for sooner in range(4)
    ]
    _compare(rows, NOW)


_COUNTS = (
    *("met", "late", "open_late", "unknown", "exempt", "void", "void_after_due", "decided_late"),
    *("to_confirm", "cannot_route", "regraded", "recorded", "recorded_late", "of", "of_all"),
)


@given(st.lists(clocks(), max_size=80))
def test_parts_add_up_to_the_whole(rows: list[ClockRow]) -> None:
    """By rule and by partner to the total; by the others to what is to partners."""
    found = counted(rows, NOW)
    for groups in (found.rules, found.partners):
        _adds_up(groups.values(), found.total)
    to_partners = added(group for name, group in found.partners.items() if name)
    for field in PARTED_BY:
        _adds_up([part.duties for part in found.parts[field]], to_partners)


def _adds_up(groups: Iterable[Measured], whole: Measured) -> None:
    groups = list(groups)
    for name in _COUNTS:
        assert sum(getattr(group, name) for group in groups) == getattr(whole, name), name
    assert sum((Counter(dict(g.reasons)) for g in groups), Counter()) == Counter(
        dict(whole.reasons)
    )
    together = added(groups)
    assert (together.reasons, together.span.number) == (whole.reasons, 0)
    assert all(getattr(together, name) == getattr(whole, name) for name in _COUNTS)


@pytest.mark.parametrize("number", [9, 10, 19, 20])
def test_no_percentage_under_10_and_no_percentile_under_20(number: int) -> None:
    start = row().started_at
    rows = [row(stopped_at=start + place * HOUR // 10) for place in range(number)]
    found = counted(rows, NOW).total
    assert (found.percent is None, found.interval is None) == (number < 10, number < 10)
    assert (found.span.ninety_fifth is None, found.span.ninetieth is None) == (
        (True, True) if number < 20 else (False, False)
    )
    if number == 20:
        # Of 20 values the 18th is the 90th percentile and the 19th the 95th.
        assert (found.span.ninetieth, found.span.ninety_fifth) == (17 * HOUR // 10, 18 * HOUR // 10)


def test_what_is_open_and_late_is_in_the_95th_percentile_at_its_age() -> None:
    """18 told after an hour and two open for days: the slowest are not left out."""
    start = row().started_at
    rows = [row(stopped_at=start + HOUR) for _ in range(18)] + [row(rule="council-1d")] * 2
    span = counted(rows, NOW).total.span
    assert (span.ninetieth, span.ninety_fifth) == (HOUR, NOW - start)
    assert (span.longest, span.longest_is_open) == (NOW - start, True)


# -- that it can fail -------------------------------------------------------------------------


def _a_percentile_later(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(measured, "_place_of_rank", lambda number, percent: number * percent // 101)


def _unknown_counts_as_met(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(measured.Measured, "of", property(lambda self: self.met + self.late))


def _an_hour_late_is_recorded_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cohort, "RECORDED_LATE_AFTER", DAY + 1)


def _percentages_of_nine(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(measured, "NO_PERCENTAGE_UNDER", 9)


@pytest.mark.parametrize(
    "plant",
    [
        _a_percentile_later,
        _unknown_counts_as_met,
        _an_hour_late_is_recorded_late,
        _percentages_of_nine,
    ],
)
def test_a_planted_fault_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    @settings(max_examples=500, phases=[Phase.generate], database=None)
    @given(st.lists(clocks(), min_size=20, max_size=60))
    def compare(rows: list[ClockRow]) -> None:
        _compare(rows, NOW)

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(AssertionError):
            compare()
