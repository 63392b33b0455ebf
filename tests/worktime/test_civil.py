"""Whatever a calendar says of instants, it says of datetimes, and in their own zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from monitor.model import DAY, HOUR, Instant
from monitor.worktime import civil
from monitor.worktime.calendar import Calendar, LaidOut, PastHorizon, compile_calendar, elapsed
from monitor.worktime.civil import CivilCalendar
from monitor.worktime.definition import CalendarDefinition
from monitor.worktime.instants import from_datetime, to_datetime
from tests.worktime.instants_of_interest import edges, near
from tests.worktime.oracle import definitions
from tests.worktime.shipped import shipped

LONDON = ZoneInfo("Europe/London")
_A_MICROSECOND = timedelta(microseconds=1)
durations = st.integers(-3 * DAY, 3 * DAY) | st.integers(-72, 72).map(lambda hours: hours * HOUR)


def _zones(calendar: Calendar) -> st.SearchStrategy[tzinfo]:
    """Its own most of all; another object that says the same; and others."""
    others = st.sampled_from((UTC, timezone(timedelta(hours=1)), ZoneInfo("America/New_York")))
    return st.just(calendar.zone) | st.just(ZoneInfo.no_cache(calendar.zone.key)) | others


@settings(max_examples=100)
@given(st.data(), definitions())
def test_datetimes_are_answered_as_instants_are(
    data: st.DataObject, definition: CalendarDefinition
) -> None:
    """Beside openings and closes, while clocks change, in hours that come twice, past horizons."""
    _compare(data, compile_calendar(definition))


def _compare(data: st.DataObject, calendar: Calendar) -> None:
    in_civil_time = CivilCalendar(calendar)
    for _ in range(12):
        start, end = data.draw(near(calendar)), data.draw(near(calendar))
        length, zone = data.draw(durations), data.draw(_zones(calendar))
        moments = to_datetime(start, zone), to_datetime(end, zone)
        lasting = timedelta(microseconds=length)
        _check_between(in_civil_time, moments, lambda: calendar.between(start, end))  # noqa: B023
        _check_add(in_civil_time, moments[0], lasting, lambda: calendar.add(start, length))  # noqa: B023


def _check_between(
    in_civil_time: CivilCalendar, moments: tuple[datetime, datetime], expected: Callable[[], int]
) -> None:
    try:
        wanted = expected()
    except PastHorizon as error:
        with pytest.raises(PastHorizon, match=_literally(error)):
            in_civil_time.between(*moments)
    else:
        assert in_civil_time.between(*moments) == timedelta(microseconds=wanted)


def _check_add(
    in_civil_time: CivilCalendar, start: datetime, lasting: timedelta, expected: Callable[[], int]
) -> None:
    try:
        wanted = expected()
    except PastHorizon as error:
        with pytest.raises(PastHorizon, match=_literally(error)):
            in_civil_time.add(start, lasting)
    else:
        found = in_civil_time.add(start, lasting)
        assert found.tzinfo is start.tzinfo
        # To the fold, by which two times that read the same are told apart.
        assert (found, found.fold) == (at := to_datetime(wanted, found.tzinfo or UTC), at.fold)


def _literally(error: PastHorizon) -> str:
    return str(error).replace("(", r"\(").replace(")", r"\)")


def test_every_edge_of_ten_years_is_met() -> None:
    calendar = shipped("council-england")
    in_civil_time = CivilCalendar(calendar)
    assert calendar.laid_out is not None
    first, last = calendar.laid_out.opens[0], calendar.laid_out.opens[-1]
    starts = [at for at in edges(calendar) if first <= at < last - 8 * DAY]
    at_first = to_datetime(first, LONDON)
    for start in starts[:: len(starts) // 20_000 or 1]:
        moment = to_datetime(start, LONDON)
        added = in_civil_time.add(moment, timedelta(hours=9))
        assert from_datetime(added) == calendar.add(start, 9 * HOUR)
        worked = in_civil_time.between(at_first, moment) // _A_MICROSECOND
        assert worked == calendar.between(first, start)


def test_most_dates_are_answered_by_what_clocks_show() -> None:
    """Without this it would be right and slow: only the dates of a change ask the zone."""
    in_civil_time = CivilCalendar(shipped("council-england"))
    covered = date(2028, 12, 31) - date(2020, 1, 1) + timedelta(days=1)
    slow = covered.days - len(in_civil_time._dates)
    assert slow == 2 * 9  # the two changes in each of nine years
    assert sum(opening is None for opening in in_civil_time._openings) == 2  # the two ends


def test_a_time_that_comes_twice_is_told_apart() -> None:
    """01:30 on 31 October 2027 to 02:00 is half an hour or an hour and a half."""
    throughout = compile_calendar(
        CalendarDefinition(
            name="throughout",
            version="1",
            zone="Europe/London",
            weekly=dict.fromkeys(range(7), ((0, 1440),)),
            holidays={},
            special={},
            covers_from=date(2027, 10, 1),
            covers_to=date(2027, 11, 30),
        )
    )
    in_civil_time = CivilCalendar(throughout)
    first = datetime(2027, 10, 31, 1, 30, tzinfo=LONDON)
    two = datetime(2027, 10, 31, 2, tzinfo=LONDON)
    assert in_civil_time.between(first, two) == timedelta(minutes=90)
    assert in_civil_time.between(first.replace(fold=1), two) == timedelta(minutes=30)
    again = in_civil_time.add(first, timedelta(hours=1))
    assert (again.hour, again.minute, again.fold) == (1, 30, 1)


def test_where_all_time_counts_hours_are_hours() -> None:
    in_civil_time = CivilCalendar(elapsed(LONDON))
    saturday = datetime(2027, 10, 30, 22, tzinfo=LONDON)
    sunday = in_civil_time.add(saturday, timedelta(hours=24))
    assert sunday == datetime(2027, 10, 31, 21, tzinfo=LONDON)
    assert in_civil_time.between(saturday, sunday) == timedelta(hours=24)
    assert in_civil_time.add(sunday, timedelta(hours=-24)) == saturday


def test_a_naive_datetime_is_refused() -> None:
    in_civil_time = CivilCalendar(shipped("council-england"))
    naive, aware = datetime(2027, 3, 25, 10), datetime(2027, 3, 25, 10, tzinfo=LONDON)
    for ask in (
        lambda: in_civil_time.add(naive, timedelta(hours=1)),
        lambda: in_civil_time.between(naive, aware),
        lambda: in_civil_time.between(aware, naive),
    ):
        with pytest.raises(ValueError, match="has no offset from UTC"):
            ask()


# -- that it can fail -------------------------------------------------------------------------


def _changes_of_clocks_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(civil, "_is_steady", lambda *_: True)


def _second_opening_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A date that opens twice is taken for one that opens as long as its first."""
    date_ = CivilCalendar._date

    def first_alone(self: CivilCalendar, midnight: Instant, laid_out: LaidOut) -> object:
        found = date_(self, midnight, laid_out)
        alone = next(
            (
                (opens - midnight, closes - midnight)
                for opens, closes in zip(laid_out.opens, laid_out.closes, strict=True)
                if midnight <= opens < closes <= midnight + DAY
            ),
            None,
        )
        if found is not None or alone is None or midnight < laid_out.opens[0]:
            return found
        return civil._Date(*alone, self.calendar.worked_before(midnight) - alone[0])

    patch.setattr(CivilCalendar, "_date", first_alone)


@pytest.mark.parametrize("plant", [_changes_of_clocks_forgotten, _second_opening_forgotten])
def test_a_planted_fault_is_found(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    @settings(max_examples=2000, phases=[Phase.generate], database=None)
    @given(st.data(), definitions())
    def compare(data: st.DataObject, definition: CalendarDefinition) -> None:
        _compare(data, compile_calendar(definition))

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            compare()
