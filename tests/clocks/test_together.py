"""Many cases folded at once give the very clocks that each gives by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.columns import histories_of
from monitor.clocks.fold import fold
from monitor.clocks.together import attributes_asked, fold_together, measure
from monitor.model import HOUR, MINUTE, Event
from monitor.rulebook.book import Rulebook, build_rulebook
from monitor.rulebook.files import read_documents
from tests.clocks.histories import (
    CONFIRM,
    DEFER,
    FEED,
    GENERATED_BOOK,
    T0,
    TOLERANCES,
    book,
    contact,
    decided,
    event,
    histories,
    regraded,
    responsible,
    rule,
    told,
)

PACK = build_rulebook(read_documents(Path(__file__).parents[2] / "rules"))

TWO_PARTNERS = book(
    rule(id="council", for_each=["child", "organisation"], defer=DEFER, confirm=CONFIRM),
    rule(id="council-high", threshold="2h", applies={"risk": ["high"]}),
    rule(
        id="health",
        partner="health",
        stop=[{"kind": "partner_notified", "partner": "health"}],
        threshold="2 working days",
        calendar="office",
    ),
    rule(
        id="triage",
        partner="",
        start=[{"kind": "notice_submitted"}],
        stop=[{"kind": ["triaged", "share_decision"]}],
        exempt=[],
        threshold="3 calendar days",
    ),
    rule(id="changed", effective={"from": "2026-01-01", "to": "2027-03-08"}, threshold="6h"),
    rule(id="changed", version=2, effective={"from": "2027-03-09"}, threshold="5h"),
)


def one_by_one(cases: Sequence[list[Event]], rulebook: Rulebook) -> dict[int, object]:
    return {n: fold(case, rulebook, tolerances=TOLERANCES) for n, case in enumerate(cases)}


def at_once(cases: Sequence[list[Event]], rulebook: Rulebook) -> dict[int, object]:
    return dict(fold_together(dict(enumerate(cases)), rulebook, tolerances=TOLERANCES))


@st.composite
def plain_histories(draw: st.DrawFn) -> list[Event]:
    """A case as nearly every case is: one child, one council, nothing said twice differently."""

    def one_of(*words: str) -> str:
        return draw(st.sampled_from(words))

    child, council, trust = one_of("", "a"), one_of("", "eastshire"), one_of("", "east-icb")
    category, risk = one_of("physical_abuse", "neglect", ""), one_of("", "standard", "high")
    known = T0 + draw(st.integers(0, 12)) * HOUR
    events = [
        contact(known, child=child, category=category, risk=risk, id="c", district=one_of("", "e"))
    ]
    for name, partner, code in (("o1", "council", council), ("o2", "health", trust)):
        if code:
            events.append(responsible(known, code, partner, child=child, id=name))
    for number in range(draw(st.integers(0, 4))):
        kind = one_of("notice_submitted", "supervised", "triaged", "contact", "partner_notified")
        at = known + draw(st.integers(-6, 60)) * 10 * MINUTE
        said = {"child": child, "unit": one_of("", "r1", "r2")}
        if kind == "partner_notified":
            said["partner"] = one_of("council", "health")
            said["organisation"] = one_of("", council if said["partner"] == "council" else trust)
            said["method"] = one_of("email", "verbal")
        events.append(
            event(
                kind,
                at,
                until=at + draw(st.sampled_from((0, 0, HOUR))),
                received=at + draw(st.integers(0, 9)) * HOUR,
                recorded=draw(st.sampled_from((None, at + HOUR))),
                feed=one_of(FEED, "sending-log"),
                id=f"e{number}",
                **{name: word for name, word in said.items() if word},  # type: ignore[arg-type]
            )
        )
    return draw(st.permutations(events))


@pytest.mark.parametrize(
    "rulebook", [GENERATED_BOOK, TWO_PARTNERS, PACK], ids=["all", "two", "pack"]
)
@given(cases=st.lists(plain_histories(), min_size=1, max_size=5))
def test_plain_cases_come_out_as_one_by_one(cases: list[list[Event]], rulebook: Rulebook) -> None:
    assert at_once(cases, rulebook) == one_by_one(cases, rulebook)


@pytest.mark.parametrize(
    "rulebook", [GENERATED_BOOK, TWO_PARTNERS, PACK], ids=["all", "two", "pack"]
)
@given(cases=st.lists(st.one_of(histories(), plain_histories()), max_size=5))
def test_so_do_cases_in_which_anything_can_be_said(
    cases: list[list[Event]], rulebook: Rulebook
) -> None:
    assert at_once(cases, rulebook) == one_by_one(cases, rulebook)


def sure(*events: Event, rulebook: Rulebook = TWO_PARTNERS) -> bool:
    """Whether a case is measured by column."""
    found = histories_of([list(events)], declared=attributes_asked(rulebook))
    return bool(measure(found, rulebook, tolerances=TOLERANCES).is_sure[0])


FIRST = contact(T0, child="a", risk="high", id="c")
COUNCIL = responsible(T0, "eastshire", child="a", id="o")
SENT = told(T0 + HOUR, organisation="eastshire", id="s")


def test_a_usual_case_is_measured_by_column() -> None:
    """Otherwise the short way would be right, and never taken."""
    assert sure(FIRST, COUNCIL, SENT)


EARLY = told(T0 - 4 * MINUTE, organisation="eastshire", id="s")


@pytest.mark.parametrize(
    "case",
    [
        pytest.param([FIRST, COUNCIL, SENT._replace(organisation="westshire")], id="another told"),
        pytest.param([FIRST, COUNCIL, EARLY], id="told within the tolerance before"),
        pytest.param([FIRST, COUNCIL, EARLY._replace(feed="other")], id="told too early"),
        pytest.param([FIRST, SENT], id="nobody responsible"),
        pytest.param([COUNCIL, SENT], id="nothing started"),
        pytest.param(
            [
                contact(T0, child="a", id="c"),
                event("supervised", T0 + HOUR, risk="high", received=T0 + 3 * HOUR, id="v"),
            ],
            id="the risk known later",
        ),
        pytest.param(
            [FIRST, event("supervised", T0 + HOUR, unit="r2", id="v"), contact(T0, unit="r1")],
            id="two units",
        ),
        pytest.param(
            [FIRST, told(T0 + HOUR, id="1"), told(T0 + HOUR, id="2", received=T0 + 5 * HOUR)],
            id="told twice at once, learnt apart",
        ),
        pytest.param(
            [contact(T0 + 8 * HOUR, id="1", received=T0), contact(T0 + 2 * HOUR, id="2")],
            id="an earlier contact learnt later, on either side of a new version",
        ),
    ],
)
@pytest.mark.parametrize(
    "rulebook", [GENERATED_BOOK, TWO_PARTNERS, PACK], ids=["all", "two", "pack"]
)
def test_hand_made_cases_too(case: list[Event], rulebook: Rulebook) -> None:
    assert at_once([case, [FIRST]], rulebook) == one_by_one([case, [FIRST]], rulebook)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(SENT._replace(revision=1, content=b"other"), id="amended"),
        pytest.param(event("contact", T0 + HOUR, id="r", retracts="c"), id="retracted"),
        pytest.param(event("contact", T0, id="l", links="PPN-2027-000001"), id="linked"),
        pytest.param(responsible(T0, "eastshire", child="b", id="o2"), id="another child"),
        pytest.param(responsible(T0, "westshire", child="a", id="o2"), id="another council"),
        pytest.param(regraded(T0 + HOUR, risk="medium", id="g"), id="regraded"),
        pytest.param(decided(T0 + HOUR, "withheld", id="w"), id="withheld"),
        pytest.param(decided(T0 + HOUR, "deferred", id="d"), id="deferred"),
        pytest.param(event("notice_withdrawn", T0 + HOUR, id="v"), id="withdrawn"),
        pytest.param(
            told(T0 + MINUTE, method="verbal", recorded=T0 + 90 * HOUR, id="t"), id="claimed late"
        ),
    ],
)
def test_what_must_be_weighed_is_left_to_the_fold(said: Event) -> None:
    assert not sure(FIRST, COUNCIL, SENT, said)
