"""Histories read by column are those that are read event by event, on both databases."""

from __future__ import annotations

from monitor.clocks.columns import histories_from, histories_of
from monitor.model import HOUR, Event
from monitor.store import cases, histories, intakes
from monitor.store.engine import Engine, reading, writing
from tests.clocks.histories import T0, contact, responsible, told

ASKED = frozenset({"feed", "category", "risk", "district", "method"})
CASES = (
    [
        contact(T0, child="a", risk="high", id="1", district="east"),
        responsible(T0, "eastshire", child="a", id="2"),
        told(T0 + HOUR, method="email", recorded=T0 + 2 * HOUR + 1, id="3", feed="occurrence"),
    ],
    [contact(T0 + 5, id="4"), told(T0 + HOUR, until=T0 + 3 * HOUR, id="5")],
    [contact(T0, id="6"), contact(T0, id="6", revision=1, risk="medium")],
    [contact(T0, id="7"), contact(T0, id="8", retracts="7")],
    [contact(T0, id="9", links="PPN-1")],
)


def kept(engine: Engine) -> list[int]:
    """Ids of the cases, in their order."""
    with writing(engine) as connection:
        names = [f"PPN-{number}" for number in range(len(CASES))]
        locked = cases.lock_cases(connection, names)
        intakes.take_feed(connection, "occurrence")
        intake = intakes.open_intake(
            connection,
            feed_name="occurrence",
            file_name="a.csv",
            file_digest=b"1" * 16,
            mapping_digest="m",
            now=T0,
            node="node",
        )
        batch = intakes.open_batch(connection, intake.id, received_at=T0)
        events = [
            (each._replace(reference=name), 1)
            for name, case in zip(names, CASES, strict=True)
            for each in case
        ]
        cases.append_events(connection, events, cases=locked, batch_id=batch, is_snapshot=False)
    return [locked.ids[name] for name in names]


def test_columns_say_what_the_events_say(engine: Engine) -> None:
    ids = kept(engine)
    with reading(engine) as connection:
        columns = histories.events_by_column(connection, ids, asked=ASKED)
        whole: list[list[Event]] = list(cases.events_of(connection, ids).values())
    places = [ids.index(case_id) for case_id in columns["case_id"]]
    read = histories_from(len(ids), places, columns)
    made = histories_of(whole, declared=ASKED)
    for name in ("kind", "partner", "organisation", "child", *ASKED):
        assert sorted(zip(places, read.words.texts(read.said[name]), strict=True)) == sorted(
            zip(made.case.tolist(), made.words.texts(made.said[name]), strict=True)
        ), name
    for name in ("occurred_from", "occurred_to", "received_at", "recorded_at"):
        mine, theirs = getattr(read, name).tolist(), getattr(made, name).tolist()
        assert sorted(zip(places, mine, strict=True)) == sorted(
            zip(made.case.tolist(), theirs, strict=True)
        ), name


def test_cases_that_must_be_weighed_are_named(engine: Engine) -> None:
    """Amended, retracting, linking; and the same are found where events are at hand."""
    ids = kept(engine)
    with reading(engine) as connection:
        weighed = histories.to_be_weighed(connection, ids)
    assert weighed == set(ids[2:])
    plain = histories_of(list(CASES), declared=ASKED).is_plain
    assert plain.tolist() == [case_id not in weighed for case_id in ids]
