"""What notices record is counted by the notice, and doubt counts as not recorded."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.timeline import Fact, live_facts
from monitor.model import Event
from monitor.report.completeness import Completeness, completeness
from tests.clocks.histories import contact, event

ASKED = {"child_views": "what the child says", "gp_named": "the GP"}
BOTH = {"child_views": "yes", "gp_named": "yes"}


def notice(id_: str = "n", **said: str) -> Event:
    told: dict[str, Any] = said
    return event("notice_submitted", id=id_, **told)


def counted(*cases: list[Event]) -> Completeness:
    facts: list[tuple[Fact, ...]] = [live_facts(case).facts for case in cases]
    return completeness(facts, "notice_submitted", ASKED)


def test_cases_without_a_notice_are_not_among_them() -> None:
    assert counted([contact()], [], [notice(**BOTH)]) == Completeness(
        1, (("what the child says", 1), ("the GP", 1))
    )


def test_yes_alone_is_recorded() -> None:
    found = counted([notice(child_views="no", gp_named="")], [notice(child_views="yes")])
    assert found == Completeness(2, (("what the child says", 1), ("the GP", 0)))


def test_a_notice_of_several_children_records_it_where_it_does_of_each() -> None:
    one, other = notice("1", child="a", **BOTH), notice("2", child="b", child_views="yes")
    assert counted([one, other]) == Completeness(1, (("what the child says", 1), ("the GP", 0)))


def test_a_contradiction_counts_as_not_recorded() -> None:
    yes, no = notice(gp_named="yes"), notice(gp_named="no")
    assert counted([yes, no]).recorded[1] == ("the GP", 0)


def test_what_was_amended_counts_as_it_is_now() -> None:
    later = notice(**BOTH)._replace(revision=1)
    assert counted([notice(), later]).recorded == (("what the child says", 1), ("the GP", 1))


def test_of_nothing_nothing_is_said_and_what_is_asked_keeps_its_order() -> None:
    assert counted() == Completeness(0, (("what the child says", 0), ("the GP", 0)))


@given(st.lists(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=4), max_size=12))
def test_it_is_what_a_count_by_hand_says(cases: list[list[tuple[bool, bool]]]) -> None:
    def told(place: int, views: bool, gp: bool) -> Event:
        said = {"child_views": "yes" if views else "no"} | ({"gp_named": "yes"} if gp else {})
        return notice(f"{place}", **said)

    found = counted(*([told(p, *each) for p, each in enumerate(case)] for case in cases))
    with_notice = [case for case in cases if case]
    assert found.notices == len(with_notice)
    assert [number for _, number in found.recorded] == [
        sum(all(each[place] for each in case) for case in with_notice) for place in (0, 1)
    ]
