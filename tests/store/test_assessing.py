"""From told events to stored clocks, on both databases, as an intake does it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, StaticPool, create_engine, event, select, update

from monitor.assess.assess import assess_cases
from monitor.clocks.fold import fold
from monitor.model import HOUR, MINUTE, Clock, ClockKey, Event, KeptClock
from monitor.rulebook.book import Rulebook
from monitor.store import cases, clocks, intakes
from monitor.store.engine import _begin_sqlite, _prepare_sqlite, reading, writing
from monitor.store.tables import case_, clock, metadata
from tests.store.world import (
    T0,
    case_id,
    days,
    kept,
    known_of,
    new_intake,
    rule,
    rulebook,
    take_in,
    told,
)

BOOK = rulebook()
COUNCIL = ClockKey("tell-council")
SUBMIT = ClockKey("submit-notice")


def _health(child: str = "") -> ClockKey:
    return ClockKey("tell-health", child)


def _assess(engine: Engine, *references: str, now: int = T0, book: Rulebook = BOOK) -> None:
    with writing(engine) as connection:
        ids = cases.known_ids(connection, references).values()
        assess_cases(connection, ids, book, tolerances=intakes.tolerances(connection), now=now)


def _say(engine: Engine, reference: str, key: ClockKey, **changes: Any) -> None:
    """As a sweep leaves a clock of which something was said."""
    id_ = kept(engine, reference)[key].id
    with writing(engine) as connection:
        connection.execute(update(clock).where(clock.c.id == id_).values(**changes))


# -- one case ---------------------------------------------------------------------------------


def test_a_contact_starts_the_clocks_of_every_duty(engine: Engine) -> None:
    """Each with the instant of its first warning as its next action."""
    take_in(engine, told("PPN-1"), book=BOOK)
    stored = kept(engine, "PPN-1")
    assert set(stored) == {COUNCIL, SUBMIT, _health()}
    assert stored[COUNCIL].clock.due_at == T0 + 4 * HOUR
    assert stored[COUNCIL].next_action_at == T0 + 3 * HOUR
    assert stored[COUNCIL].revision == 0


def test_what_does_not_change_is_not_written(engine: Engine) -> None:
    """A note about something else leaves every revision as it is."""
    take_in(engine, told("PPN-1"), book=BOOK)
    before = kept(engine, "PPN-1")
    take_in(engine, told("PPN-1", "note"), book=BOOK)
    _assess(engine, "PPN-1")
    assert kept(engine, "PPN-1") == before


def test_a_stop_ends_a_clock_and_its_telling(engine: Engine) -> None:
    take_in(engine, told("PPN-1"), book=BOOK)
    stop = told("PPN-1", "partner_notified", T0 + HOUR, partner="council")
    take_in(engine, stop, book=BOOK, now=T0 + HOUR)
    stopped = kept(engine, "PPN-1")[COUNCIL]
    assert (stopped.clock.stopped_at, stopped.next_action_at) == (T0 + HOUR, None)
    assert stopped.revision == 1


def test_a_clock_of_which_something_was_said_is_looked_at_at_once(engine: Engine) -> None:
    """Fold does not decide what is taken back; the sweep does."""
    take_in(engine, told("PPN-1"), book=BOOK)
    _say(engine, "PPN-1", COUNCIL, steps_done=2, next_action_at=T0 + days(1))
    stop = told("PPN-1", "partner_notified", T0 + HOUR, partner="council")
    take_in(engine, stop, book=BOOK, now=T0 + days(1))
    assert kept(engine, "PPN-1")[COUNCIL].next_action_at == T0 + days(1)
    assert kept(engine, "PPN-1")[COUNCIL].steps_done == 2


def test_tolerance_is_the_feed_s_own(engine: Engine) -> None:
    """A stop a minute before its start counts where the feed's clock may be that much off."""
    with writing(engine) as connection:
        intakes.register_feed(connection, "desk", tolerance=2 * MINUTE, lag=0)
    early = told("PPN-1", "partner_notified", T0 - MINUTE, partner="council")
    take_in(engine, told("PPN-1"), early, book=BOOK)
    assert kept(engine, "PPN-1")[COUNCIL].clock.stopped_at == T0


def test_a_dirty_case_is_answered_by_a_fold(engine: Engine) -> None:
    take_in(engine, told("PPN-1"))
    with writing(engine) as connection:
        cases.mark_dirty_after(connection, 0, limit=100)
    _assess(engine, "PPN-1")
    with writing(engine) as connection:
        assert cases.dirty_case_ids(connection, limit=5) == []
    assert set(kept(engine, "PPN-1")) == {COUNCIL, SUBMIT, _health()}


# -- placeholders -----------------------------------------------------------------------------


def _children(reference: str, *names: str) -> list[Event]:
    return [told(reference, "note", T0 + MINUTE, child=name) for name in names]


def test_children_inherit_what_was_said_while_they_were_unknown(engine: Engine) -> None:
    """The placeholder is superseded; its successors start where it did and go on telling."""
    take_in(engine, told("PPN-1"), book=BOOK)
    _say(engine, "PPN-1", _health(), steps_done=2, episode=2)
    placeholder = kept(engine, "PPN-1")[_health()]
    take_in(engine, *_children("PPN-1", "a", "b"), book=BOOK, now=T0 + HOUR)

    stored = kept(engine, "PPN-1")
    gone = stored[_health()]
    assert gone.clock.superseded_at == T0 + HOUR
    assert gone.next_action_at == T0 + HOUR, "the sweep settles what was said of it"
    for child in "ab":
        heir = stored[_health(child)]
        assert heir.inherits == (placeholder.id,)
        assert (heir.steps_done, heir.episode) == (2, 2)
        assert heir.clock.started_at == T0


def test_what_was_said_passes_on_within_a_case_and_never_to_another(engine: Engine) -> None:
    """Two cases of one batch: one loses its placeholder, the other is new."""
    take_in(engine, told("PPN-1"), book=BOOK)
    _say(engine, "PPN-1", _health(), steps_done=2)
    take_in(
        engine,
        *_children("PPN-1", "a"),
        told("PPN-2"),
        *_children("PPN-2", "a"),
        book=BOOK,
    )
    assert kept(engine, "PPN-1")[_health("a")].inherits != ()
    stranger = kept(engine, "PPN-2")[_health("a")]
    assert (stranger.inherits, stranger.steps_done) == ((), 0)


# -- links ------------------------------------------------------------------------------------


def _standing(engine: Engine, *references: str) -> dict[str, int]:
    with reading(engine) as connection:
        return cases.standing_case_ids(connection, references)


def _live(engine: Engine, reference: str) -> set[ClockKey]:
    stored = kept(engine, reference)
    return {key for key, each in stored.items() if each.clock.superseded_at is None}


LINK = told("PPN-B", "note", T0 + MINUTE, links="PPN-A", identity=b"link")
UNLINK = told("PPN-A", "note", T0 + HOUR, retracts=b"link", identity=b"unlink")


def test_linked_references_are_one_case(engine: Engine) -> None:
    """The one that sorts first stands for both, and its fold runs over the union."""
    take_in(engine, told("PPN-B", at=T0 - HOUR), told("PPN-A"), book=BOOK)
    take_in(engine, LINK, book=BOOK)
    assert set(_standing(engine, "PPN-A", "PPN-B").values()) == {case_id(engine, "PPN-A")}
    assert _live(engine, "PPN-B") == set()
    assert _live(engine, "PPN-A") == {COUNCIL, SUBMIT, _health()}
    assert kept(engine, "PPN-A")[COUNCIL].clock.started_at == T0 - HOUR


def test_a_stop_under_either_reference_counts(engine: Engine) -> None:
    take_in(engine, told("PPN-A"), told("PPN-B"), LINK, book=BOOK)
    stop = told("PPN-B", "partner_notified", T0 + HOUR, partner="council")
    take_in(engine, stop, book=BOOK)
    assert kept(engine, "PPN-A")[COUNCIL].clock.stopped_at == T0 + HOUR


def test_a_merge_keeps_what_was_said_of_the_losing_clocks(engine: Engine) -> None:
    """The winner has a clock of its own already: it takes over what was said under both."""
    take_in(engine, told("PPN-A", at=T0 + MINUTE), told("PPN-B"), book=BOOK)
    _say(engine, "PPN-B", COUNCIL, steps_done=3)
    losing = kept(engine, "PPN-B")[COUNCIL]
    take_in(engine, LINK, book=BOOK, now=T0 + HOUR)
    winning = kept(engine, "PPN-A")[COUNCIL]
    assert winning.inherits == (losing.id,)
    assert winning.steps_done == 3
    assert winning.next_action_at == T0 + HOUR
    assert kept(engine, "PPN-B")[COUNCIL].clock.superseded_at == T0 + HOUR
    settled = kept(engine, "PPN-A")
    _assess(engine, "PPN-B", now=T0 + 2 * HOUR)
    assert kept(engine, "PPN-A") == settled


def test_a_link_that_is_taken_back_parts_the_cases(engine: Engine) -> None:
    """Though the retraction was told under the other reference."""
    take_in(engine, told("PPN-A"), told("PPN-B", at=T0 - HOUR), LINK, book=BOOK)
    take_in(engine, UNLINK, book=BOOK)
    standing = _standing(engine, "PPN-A", "PPN-B")
    assert standing["PPN-A"] != standing["PPN-B"]
    assert kept(engine, "PPN-A")[COUNCIL].clock.started_at == T0
    assert kept(engine, "PPN-B")[COUNCIL].clock.started_at == T0 - HOUR
    assert _live(engine, "PPN-B") == {COUNCIL, SUBMIT, _health()}


def test_an_intake_that_is_undone_parts_what_it_linked(engine: Engine) -> None:
    with writing(engine) as connection:
        linking = new_intake(connection)
    take_in(engine, told("PPN-A"), told("PPN-B", at=T0 - HOUR), book=BOOK)
    take_in(engine, LINK, book=BOOK, intake_id=linking)
    with writing(engine) as connection:
        number = intakes.next_number(connection)
        cases.mark_dirty(connection, intakes.undo_intake(connection, linking, number=number))
        dirty = cases.dirty_case_ids(connection, limit=10)
    assert len(dirty) == 2
    _assess(engine, "PPN-A", "PPN-B")
    with reading(engine) as connection:
        assert set(connection.scalars(select(case_.c.merged_into))) == {None}
    assert kept(engine, "PPN-A")[COUNCIL].clock.started_at == T0
    assert _live(engine, "PPN-B") == {COUNCIL, SUBMIT, _health()}


def test_a_chain_of_links_is_one_case_whichever_link_came_first(engine: Engine) -> None:
    links = [told(f"PPN-{n}", "note", links=f"PPN-{n + 1}") for n in range(1, 5)]
    random.Random(3).shuffle(links)
    for link in links:
        take_in(engine, link, book=BOOK)
    take_in(engine, told("PPN-5"), book=BOOK)
    assert _live(engine, "PPN-1") == {COUNCIL, SUBMIT, _health()}
    standing = _standing(engine, *(f"PPN-{n}" for n in range(1, 6)))
    assert set(standing.values()) == {case_id(engine, "PPN-1")}


# -- several at once --------------------------------------------------------------------------


def test_two_nodes_that_fold_one_case_at_once_leave_one_set_of_clocks(engine: Engine) -> None:
    """Each adds events of its own to the same few cases; the last fold has seen all of them."""
    events = [
        told(f"PPN-{n % 3}", kind, T0 + n * MINUTE, partner="council", child="abc"[n % 3])
        for n, kind in enumerate(("contact", "note", "partner_notified", "notice_submitted") * 6)
    ]

    def tell(part: list[Event]) -> None:
        for each in part:
            take_in(engine, each, book=BOOK)

    with ThreadPoolExecutor(3) as nodes:
        for done in [nodes.submit(tell, events[n::3]) for n in range(3)]:
            done.result(timeout=90)
    for reference in ("PPN-0", "PPN-1", "PPN-2"):
        stored = {each.clock for each in kept(engine, reference).values() if _stands(each)}
        assert stored == set(_folded(events, reference))


def _stands(each: KeptClock) -> bool:
    return each.clock.superseded_at is None


def _folded(events: list[Event], *references: str) -> list[Clock]:
    told_of = [each for each in events if each.reference in references]
    return fold(told_of, BOOK, tolerances={})


# -- law 1 ------------------------------------------------------------------------------------

_REFERENCES = ("PPN-A", "PPN-B", "PPN-C")


@st.composite
def _events(draw: st.DrawFn) -> Event:
    """An event of one of three cases: amended, moved, contradicted, retracted or linked."""
    reference = draw(st.sampled_from(_REFERENCES))
    return told(
        reference,
        draw(st.sampled_from(("contact", "partner_notified", "notice_submitted", "note"))),
        T0 + draw(st.integers(0, 5)) * HOUR,
        identity=draw(st.sampled_from((None, b"1", b"2", b"3"))),
        revision=draw(st.integers(0, 2)),
        partner=draw(st.sampled_from(("council", "health"))),
        child=draw(st.sampled_from(("", "", "a", "b"))),
        links=draw(st.sampled_from(("", "", "", "", *_REFERENCES))),
        retracts=draw(st.sampled_from((b"", b"", b"", b"1", b"2"))),
        received_at=T0,
    )


@pytest.fixture(scope="module")
def two_in_memory() -> Iterator[tuple[Engine, Engine]]:
    """Two databases to be emptied for each history; a new one would cost more than the test."""
    both = _in_memory(), _in_memory()
    yield both
    for engine in both:
        engine.dispose()


def _in_memory() -> Engine:
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    with engine.begin() as connection:
        metadata.create_all(connection)
    return engine


def _emptied(engine: Engine) -> Engine:
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return engine


@settings(max_examples=30)
@given(history=st.lists(_events(), max_size=10), data=st.data())
def test_law_1_batching_order_and_repetition_do_not_matter(
    two_in_memory: tuple[Engine, Engine], history: list[Event], data: st.DataObject
) -> None:
    """However the events come, the clocks that stand are those of one fold over everything."""
    once, many = map(_emptied, two_in_memory)
    if history:
        take_in(once, *history)
        _assess(once, *_REFERENCES)
    arriving = data.draw(st.permutations(history + history[:3]))
    while arriving:
        size = data.draw(st.integers(1, 4))
        batch, arriving = arriving[:size], arriving[size:]
        take_in(many, *batch, book=BOOK)
    assert _standing_clocks(many) == _standing_clocks(once)


def _standing_clocks(engine: Engine) -> dict[str, set[Clock]]:
    found: dict[str, set[Clock]] = {}
    with reading(engine) as connection:
        for reference, each in clocks.all_clocks(connection):
            if _stands(each):
                found.setdefault(reference, set()).add(each.clock)
    return found


def test_rules_of_many_days_hold_for_a_whole_log(engine: Engine) -> None:
    """Some hundred cases in batches that cut through them: each clock is that of its own fold."""
    book = rulebook(
        rule(threshold="60 calendar days", alerts="digest", day_ends="same time"),
        rule("submit-notice", stop=[{"kind": "notice_submitted"}], threshold="90 calendar days"),
    )
    dice = random.Random(5)
    log = [
        told(f"PPN-{case}", kind, T0 + days(dice.randrange(400)), partner="council")
        for case in range(150)
        for kind in ("contact", "notice_submitted", "partner_notified")
    ]
    for first in range(0, len(log), 100):
        take_in(engine, *log[first : first + 100], book=book)
    stored = _standing_clocks(engine)
    for reference in {each.reference for each in log}:
        expected = fold([e for e in log if e.reference == reference], book, tolerances={})
        assert stored[reference] == set(expected)
    assert known_of(engine) == {"case_": 150, "event": 450, "clock": 300}
