"""What becomes of stored clocks when a calendar is corrected while they run."""

from __future__ import annotations

import pytest

from monitor.assess.reconcile import reconcile
from monitor.clocks.fold import fold
from monitor.model import DAY, HOUR, Clock, Event, KeptClock
from monitor.rulebook.book import Rulebook, build_rulebook
from monitor.worktime.instants import parse_instant
from tests.clocks.histories import ENGLAND, OFFICE, TOLERANCES, book, contact, rule, told

STARTED = "2027-06-03T10:00:00+01:00"  # a Thursday
DUE = parse_instant("2027-06-04T17:00:00+01:00")
MOVED = parse_instant("2027-06-07T17:00:00+01:00")
MOVED_AGAIN = parse_instant("2027-06-08T17:00:00+01:00")
NOW = parse_instant("2027-06-03T12:00:00+01:00")

AS_IT_WAS = book(rule(threshold="1 working day", calendar="office"))


def proclaimed(*days: str, version: int = 4) -> Rulebook:
    """The same rules, after bank holidays were proclaimed."""
    holidays = {**{str(day): title for day, title in ENGLAND.days.items()}}
    holidays |= dict.fromkeys(days, "proclaimed")
    written = ENGLAND.model_validate(ENGLAND.model_dump() | {"days": holidays})
    office = OFFICE.model_copy(update={"version": version})
    calendars = [office if each.id == "office" else each for each in AS_IT_WAS.documents.calendars]
    return build_rulebook(
        AS_IT_WAS.documents.model_copy(
            update={"holidays": {"england": written}, "calendars": tuple(calendars)}
        )
    )


FRIDAY = proclaimed("2027-06-04")


def folded(rulebook: Rulebook, *events: Event) -> Clock:
    (clock,) = fold([contact(STARTED), *events], rulebook, tolerances=TOLERANCES)
    return clock


def kept(clock: Clock) -> KeptClock:
    return KeptClock(id=1, case_id=7, clock=clock)


def after(old: Clock, new: Clock, rulebook: Rulebook) -> Clock:
    """What stands once the fold under the corrected calendar has been taken up."""
    changes = reconcile([kept(old)], {7: [new]}, rulebook, groups=[], now=NOW)
    assert not changes.new
    return changes.updated[0].clock if changes.updated else old


def test_a_holiday_proclaimed_while_a_clock_runs_moves_its_due_and_keeps_the_one_before() -> None:
    old, new = folded(AS_IT_WAS), folded(FRIDAY)
    assert (old.due_at, new.due_at) == (DUE, MOVED)
    stands = after(old, new, FRIDAY)
    assert (stands.due_at, stands.due_before) == (MOVED, DUE)


def test_it_is_kept_when_the_case_is_folded_again() -> None:
    stands = after(folded(AS_IT_WAS), folded(FRIDAY), FRIDAY)
    stop = told("2027-06-07T09:00:00+01:00")
    again = after(stands, folded(FRIDAY, stop), FRIDAY)
    assert again.due_before == DUE
    assert again.stopped_at is not None


def test_of_two_corrections_the_first_due_stays() -> None:
    once = after(folded(AS_IT_WAS), folded(FRIDAY), FRIDAY)
    both = proclaimed("2027-06-04", "2027-06-07", version=5)
    twice = after(once, folded(both), both)
    assert (twice.due_at, twice.due_before) == (MOVED_AGAIN, DUE)


def test_a_correction_that_is_taken_back_leaves_one_due() -> None:
    once = after(folded(AS_IT_WAS), folded(FRIDAY), FRIDAY)
    back = proclaimed(version=5)
    stands = after(once, folded(back), back)
    assert (stands.due_at, stands.due_before) == (DUE, None)


@pytest.mark.parametrize("version", [3, 4])
def test_a_calendar_that_moves_no_due_leaves_one(version: int) -> None:
    other = proclaimed("2027-08-04", version=version)
    assert after(folded(AS_IT_WAS), folded(other), other).due_before is None


def test_a_start_that_moved_is_no_correction_of_a_calendar() -> None:
    earlier = contact(parse_instant(STARTED) - 2 * DAY)
    moved = folded(AS_IT_WAS, earlier)
    assert after(folded(AS_IT_WAS), moved, AS_IT_WAS).due_before is None


def test_without_a_correction_nothing_is_written() -> None:
    old = folded(AS_IT_WAS)
    changes = reconcile([kept(old)], {7: [old]}, AS_IT_WAS, groups=[], now=NOW + HOUR)
    assert all(each.clock == old for each in changes.updated)
