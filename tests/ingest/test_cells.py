from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.cells import REMEMBERED, Memo, Unfit, child_digest, moments, person_digest
from monitor.ingest.rejected import Reason, kind_of
from monitor.model import SECOND
from monitor.worktime.instants import isoformat, parse_instant
from tests.ingest.sources import LOG, SECRET, feed_of

TIMES = [
    # written, first, last
    ("2027-03-08T22:30:00Z", "2027-03-08T22:30:00Z", ""),
    ("2027-03-08 22:30:00+02:00", "2027-03-08T20:30:00Z", ""),
    ("2027-07-08 22:30", "2027-07-08T21:30:00Z", ""),
    ("2027-07-08T22:30:15.250", "2027-07-08T21:30:15.25Z", ""),
    ("08/07/2027 22:30", "2027-07-08T21:30:00Z", ""),
    ("  08/07/2027 22:30 ", "2027-07-08T21:30:00Z", ""),
    # the hour that comes twice is both hours; with its offset it is one
    ("2027-10-31 01:30", "2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"),
    ("2027-10-31T01:30:00+00:00", "2027-10-31T01:30:00Z", ""),
    # a day: the whole of it, however long
    ("2027-07-08", "2027-07-07T23:00:00Z", "2027-07-08T22:59:59.999999Z"),
    ("2027-10-31", "2027-10-30T23:00:00Z", "2027-10-31T23:59:59.999999Z"),
    ("2027-03-28", "2027-03-28T00:00:00Z", "2027-03-28T22:59:59.999999Z"),
]


@pytest.mark.parametrize(("written", "first", "last"), TIMES)
def test_times_are_read_in_the_zone_of_the_feed(written: str, first: str, last: str) -> None:
    moment = moments(feed_of(LOG))[written]
    assert moment is not None
    assert (moment.first, moment.last) == (parse_instant(first), parse_instant(last or first))


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("2027-03-28 01:30", Reason.NO_SUCH_TIME),
        ("28/03/2027 01:30", Reason.NO_SUCH_TIME),
        ("2027-02-29", Reason.UNREADABLE_TIME),
        ("2027-13-01 10:00", Reason.UNREADABLE_TIME),
        ("03/28/2027 10:00", Reason.UNREADABLE_TIME),
        ("2027-03-08 24:00", Reason.UNREADABLE_TIME),
        ("20270308", Reason.UNREADABLE_TIME),
        ("2027-W10-1", Reason.UNREADABLE_TIME),
        ("yesterday", Reason.UNREADABLE_TIME),
        ("9999-12-31T23:59:59-14:00", Reason.OUT_OF_RANGE),
        ("1969-12-31T23:59:59Z", Reason.OUT_OF_RANGE),
        ("0202-03-08 10:00", Reason.OUT_OF_RANGE),
    ],
)
def test_what_is_no_time_is_unfit(written: str, reason: Reason) -> None:
    with pytest.raises(Unfit) as unfit:
        moments(feed_of(LOG))[written]
    assert unfit.value.reason is reason
    assert written not in unfit.value.expected + unfit.value.found


def test_a_bare_date_may_be_the_start_of_its_day() -> None:
    moment = moments(feed_of(LOG, bare_date="midnight"))["2027-07-08"]
    assert moment is not None
    assert moment.first == moment.last == parse_instant("2027-07-07T23:00:00Z")


@pytest.mark.parametrize("bare_date", ["midnight", "day"])
def test_a_date_whose_midnight_does_not_exist_begins_when_it_begins(bare_date: str) -> None:
    """In Beirut the clocks go forward at midnight."""
    moment = moments(feed_of(LOG, bare_date=bare_date, timezone="Asia/Beirut"))["2022-03-27"]
    assert moment is not None
    assert moment.first == parse_instant("2022-03-26T22:00:00Z")


def test_an_empty_time_is_no_time() -> None:
    assert moments(feed_of(LOG))["  "] is None


@given(st.lists(st.integers(0, 4_000_000_000), min_size=2, max_size=5))
def test_prefixes_sort_as_times_do(seconds: list[int]) -> None:
    times = moments(feed_of(LOG))
    read = [times[isoformat(second * SECOND)] for second in sorted(seconds)]
    assert [moment.prefix for moment in read if moment] == sorted(
        moment.prefix for moment in read if moment
    )


def test_a_memo_reads_once_and_stays_bounded() -> None:
    read: list[str] = []

    def length(text: str) -> int:
        read.append(text)
        return len(text)

    memo = Memo(length)
    assert memo["abc"] == memo["abc"] == 3
    assert read == ["abc"]
    for number in range(REMEMBERED + 10):
        assert memo[str(number)] == len(str(number))
    assert len(memo) <= REMEMBERED


def test_a_child_is_the_same_in_its_case_and_unknown_outside() -> None:
    person = person_digest("N-77001", SECRET)
    here = child_digest("PPN-2027-004211", person, SECRET)
    assert here == child_digest("PPN-2027-004211", person_digest(" N-77001 ", SECRET), SECRET)
    assert here != child_digest("PPN-2027-004212", person, SECRET)
    assert here != child_digest("PPN-2027-004211", person_digest("N-77002", SECRET), SECRET)
    assert person != person_digest("N-77001", b"another secret of tests")
    assert len(here) == 32


@pytest.mark.parametrize(
    ("text", "kind"), [("", "nothing"), ("71", "2 digits"), ("a", "text of 1 character")]
)
def test_the_kind_of_a_text_does_not_say_it(text: str, kind: str) -> None:
    assert kind_of(text) == kind
