from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.mapping import MappedRow, compile_mapper, map_rows
from monitor.ingest.rejected import Reason, Rejected
from monitor.model import MINUTE, Event
from monitor.worktime.instants import parse_instant
from tests.ingest.sources import (
    LOG,
    LOG_ROW,
    RECEIVED,
    WIDE,
    WIDE_ROW,
    feed_of,
    map_cells,
    mapper_of,
)

PLANTED = "Zebedee Quillfeather"


def only_event(mapped: MappedRow) -> Event:
    """The one event of a row that holds nothing else."""
    assert not mapped.rejected
    (event,) = mapped.events
    return event


def only_refusal(mapped: MappedRow) -> Rejected:
    """The one refusal of a row that brings nothing in."""
    assert not mapped.events
    (rejected,) = mapped.rejected
    return rejected


# --- one row, one fact


def test_a_row_becomes_an_event() -> None:
    event = only_event(map_cells(mapper_of(LOG), LOG_ROW))
    assert event._replace(content=b"") == Event(
        feed="log",
        identity=b"71",
        revision=0,
        content=b"",
        reference="PPN-2027-004211",
        kind="partner_notified",
        occurred_from=parse_instant("2027-03-08T22:30:00Z"),
        occurred_to=parse_instant("2027-03-08T22:30:00Z"),
        recorded_at=None,
        received_at=RECEIVED,
        organisation="EASTSHIRE",
    )
    assert len(event.content) == 16


def test_every_field_of_an_event_can_be_filled() -> None:
    fields = ["partner", "organisation", "category", "risk", "district", "unit", "decision"]
    columns = {name: name.upper() for name in [*fields, "reason_code", "links", "method"]}
    mapper = mapper_of(
        LOG,
        columns={
            **columns,
            "reference": "REF",
            "child": "CHILD",
            "revision": "REV",
            "recorded_at": "REC",
            "review_at": "REVIEW",
        },
        retracts=["CANCELS"],
    )
    row = {name: f" {name.lower()} " for name in columns.values()}
    row |= {**LOG_ROW, "CHILD": "N-1", "REV": "4", "CANCELS": "70"}
    row |= {"REC": "2027-10-31 01:30", "REVIEW": "2027-10-31 01:30"}
    event = only_event(map_cells(mapper, row))
    assert [getattr(event, name) for name in fields] == fields
    assert event.reason_code == "reason_code"
    assert event.links == "links"
    assert event.attributes == (("method", "method"),)
    assert event.revision == 4
    assert event.retracts == b"70"
    assert len(event.child) == 32
    assert event.recorded_at == parse_instant("2027-10-31T01:30:00Z"), "recorded: the later reading"
    assert event.review_at == parse_instant("2027-10-31T00:30:00Z"), "review: the earlier reading"


def test_constants_stand_where_no_column_does() -> None:
    event = only_event(map_cells(mapper_of(LOG, constants={"partner": "council"}), LOG_ROW))
    assert event.partner == "council"


def test_an_ambiguous_time_is_an_interval() -> None:
    event = only_event(map_cells(mapper_of(LOG), LOG_ROW | {"SENT": "2027-10-31 01:30"}))
    assert event.occurred_from == parse_instant("2027-10-31T00:30:00Z")
    assert event.occurred_to == parse_instant("2027-10-31T01:30:00Z")


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"REF": ""}, "REF", Reason.MISSING),
        ({"REF": "PPN-27-4211"}, "REF", Reason.PATTERN),
        ({"REF": "xPPN-2027-004211"}, "REF", Reason.PATTERN),
        ({"REF": "PPN-2027-004211\n1"}, "REF", Reason.UNFIT_CHARACTERS),
        ({"REF": "P" * 81}, "REF", Reason.TOO_LONG),
        ({"ORG": "E" * 61}, "ORG", Reason.TOO_LONG),
        ({"ORG": "EAST\x1fSHIRE"}, "ORG", Reason.UNFIT_CHARACTERS),
        ({"ORG": "EAST\u202eSHIRE"}, "ORG", Reason.UNFIT_CHARACTERS),
        ({"ORG": "EAST\udce9SHIRE"}, "ORG", Reason.UNFIT_CHARACTERS),
        ({"ORG": "Eastshire council"}, "ORG", Reason.PATTERN),
        ({"ID": "seventy one"}, "ID", Reason.PATTERN),
        ({"ID": " "}, "ID", Reason.MISSING),
        ({"ID": "7\x001"}, "ID", Reason.UNFIT_CHARACTERS),
        ({"SENT": ""}, "SENT", Reason.NO_EVENT),
        ({"SENT": "soon"}, "SENT", Reason.UNREADABLE_TIME),
        ({"SENT": "2027-03-28 01:30"}, "SENT", Reason.NO_SUCH_TIME),
        ({"SENT": "2028-01-01 12:05:00.000001"}, "SENT", Reason.FUTURE),
    ],
)
def test_a_row_that_cannot_be_read_says_which_column_and_why(
    change: dict[str, str], field: str, reason: Reason
) -> None:
    rejected = only_refusal(map_cells(mapper_of(LOG), LOG_ROW | change))
    assert (rejected.field, rejected.reason, rejected.line) == (field, reason, 2)
    assert rejected.expected
    assert rejected.declared.keys() <= {"REF", "ORG", "ID", "SENT"}
    assert all(text.isprintable() for text in rejected.declared.values())


def test_a_feed_may_say_what_its_codes_look_like() -> None:
    """Without a word of the feed, two words in a column of codes may be a name."""
    row = LOG_ROW | {"ORG": "Eastshire council", "ID": "71 b"}
    codes = {"organisation": "[A-Z][a-z]+ council", "identity": r"\d+ [a-z]"}
    assert only_event(map_cells(mapper_of(LOG, codes=codes), row)).organisation == row["ORG"]
    other = only_refusal(map_cells(mapper_of(LOG, codes=codes), row | {"ORG": "EASTSHIRE"}))
    assert (other.field, other.reason) == ("ORG", Reason.PATTERN)


def test_the_future_begins_beyond_the_tolerance() -> None:
    mapper = mapper_of(LOG, future_tolerance="5 min")
    sent = LOG_ROW | {"SENT": "2028-01-01T12:05:00Z"}
    assert map_cells(mapper, sent).events
    assert map_cells(mapper, sent, received_at=RECEIVED - 1).rejected


def test_a_day_that_is_not_over_is_not_in_the_future() -> None:
    event = only_event(map_cells(mapper_of(LOG), LOG_ROW | {"SENT": "2028-01-01"}))
    assert event.occurred_to > RECEIVED + 5 * MINUTE


def test_a_record_of_the_future_is_set_aside() -> None:
    """The greatest time of recording counts, so a false one would win for ever."""
    mapper = mapper_of(LOG, columns={"reference": "REF", "recorded_at": "REC"})
    rejected = only_refusal(map_cells(mapper, LOG_ROW | {"REC": "2038-01-01 12:00"}))
    assert (rejected.field, rejected.reason) == ("REC", Reason.FUTURE)


@pytest.mark.parametrize(
    ("written", "revision"),
    [("", 0), ("7", 7), ("2027-03-08T22:30:00Z", parse_instant("2027-03-08T22:30:00Z"))],
)
def test_a_revision_is_a_number_or_a_time(written: str, revision: int) -> None:
    mapper = mapper_of(LOG, columns={"reference": "REF", "revision": "REV"})
    assert only_event(map_cells(mapper, LOG_ROW | {"REV": written})).revision == revision


@pytest.mark.parametrize("written", ["-1", "1.5", "v7", "9" * 19])
def test_what_is_no_revision_is_set_aside(written: str) -> None:
    mapper = mapper_of(LOG, columns={"reference": "REF", "revision": "REV"})
    rejected = only_refusal(map_cells(mapper, LOG_ROW | {"REV": written}))
    assert (rejected.field, rejected.reason) == ("REV", Reason.NOT_A_REVISION)


# --- words


@pytest.mark.parametrize(
    ("mapping", "written", "word"),
    [
        ({"PHYS ABUSE": "physical_abuse"}, " PHYS ABUSE ", "physical_abuse"),
        ({"PHYS ABUSE": "physical_abuse"}, "", ""),
        ({"PHYS ABUSE": "physical_abuse"}, "PHYS", None),
        ({"PHYS ABUSE": "physical_abuse", "*": "other"}, "PHYS", "other"),
        ({"PHYS ABUSE": "physical_abuse", "*": "other"}, "", ""),
        ({"": "not_said"}, "", "not_said"),
    ],
)
def test_words_are_mapped(mapping: dict[str, str], written: str, word: str | None) -> None:
    mapper = mapper_of(
        LOG, columns={"reference": "REF", "category": "CAT"}, values={"category": mapping}
    )
    mapped = map_cells(mapper, LOG_ROW | {"CAT": written})
    if word is None:
        assert only_refusal(mapped).reason is Reason.UNMAPPED
    else:
        assert only_event(mapped).category == word


@pytest.mark.parametrize(
    ("written", "outcome"),
    [("SENT", "partner_notified"), ("NOTE", "ignored"), ("ODD", "rejected"), ("", "rejected")],
)
def test_a_kind_column_says_what_happened(written: str, outcome: str) -> None:
    mapper = mapper_of(
        LOG,
        values={"kind": {"SENT": "partner_notified", "NOTE": ""}},
        events=[{"kind_column": "TYPE", "time": "SENT"}],
    )
    mapped = map_cells(mapper, LOG_ROW | {"TYPE": written})
    if outcome == "ignored":
        assert mapped == MappedRow([], [], [], ignored=1)
    elif outcome == "rejected":
        assert only_refusal(mapped).field == "TYPE"
    else:
        assert only_event(mapped).kind == outcome


@pytest.mark.parametrize("time", ["", "soon", "2031-01-01"])
def test_what_is_no_event_needs_no_time(time: str) -> None:
    mapper = mapper_of(
        LOG,
        values={"kind": {"SENT": "partner_notified", "*": ""}},
        events=[{"kind_column": "TYPE", "time": "SENT"}],
    )
    row = LOG_ROW | {"SENT": time}
    assert map_cells(mapper, row | {"TYPE": "NOTE"}) == MappedRow([], [], [], ignored=1)
    assert only_refusal(map_cells(mapper, row | {"TYPE": "SENT"})).field == "SENT"


# --- one row, several facts


def test_a_wide_row_brings_each_fact_that_is_filled() -> None:
    mapped = map_cells(mapper_of(WIDE), WIDE_ROW)
    assert [event.kind for event in mapped.events] == ["contact", "notice_submitted"]
    assert [event.identity.rsplit(b"#")[1] for event in mapped.events] == [
        b"contact",
        b"notice_submitted",
    ]
    assert {event.category for event in mapped.events} == {"neglect"}
    assert len({event.child for event in mapped.events}) == 1
    assert (mapped.ignored, mapped.unfilled, mapped.rejected) == (1, 0, [])


def test_a_bad_time_sets_only_its_own_fact_aside() -> None:
    mapped = map_cells(mapper_of(WIDE), WIDE_ROW | {"SUBMITTED": "28/03/2027 01:30"})
    assert [event.kind for event in mapped.events] == ["contact"]
    assert [(bad.field, bad.reason) for bad in mapped.rejected] == [
        ("SUBMITTED", Reason.NO_SUCH_TIME)
    ]
    assert b"#notice_submitted" not in b"".join(identity for identity, _ in mapped.cleared)


def test_a_bad_shared_field_sets_the_row_aside_once() -> None:
    mapped = map_cells(mapper_of(WIDE), WIDE_ROW | {"CAT": "ODD"})
    assert only_refusal(mapped).field == "CAT"
    assert mapped.cleared == []


def test_a_snapshot_clears_what_it_does_not_hold() -> None:
    mapper = mapper_of(WIDE)
    filled = map_cells(mapper, WIDE_ROW | {"STATUS": "VOID", "CLOSED": "2027-03-09 09:00"})
    assert filled.cleared == []
    emptied = map_cells(mapper, WIDE_ROW | {"SUBMITTED": ""})
    assert emptied.cleared == [
        (filled.events[1].identity, "notice_submitted"),
        (filled.events[2].identity, "notice_withdrawn"),
    ]


def test_an_appended_row_clears_nothing() -> None:
    assert map_cells(mapper_of(WIDE, mode="append"), WIDE_ROW).cleared == []


def test_a_filter_takes_any_text_or_none() -> None:
    def outcome(when: str, status: str) -> int:
        events = [{"kind": "contact", "time": "KNOWN", "when": {"STATUS": when}}]
        mapper = mapper_of(WIDE, mode="append", events=events)
        return len(map_cells(mapper, WIDE_ROW | {"STATUS": status}).events)

    assert [outcome("*", status) for status in ("OPEN", " ")] == [1, 0]
    assert [outcome("", status) for status in ("OPEN", " ")] == [0, 1]


def test_a_fact_has_its_own_columns_and_constants_before_the_shared() -> None:
    events = [
        {"kind": "contact", "time": "KNOWN"},
        {
            "name": "again",
            "kind": "regraded",
            "time": "SUBMITTED",
            "columns": {"category": "CAT_AFTER", "child": "OTHER"},
            "constants": {"partner": "health"},
        },
    ]
    row = WIDE_ROW | {"CAT_AFTER": "DA", "OTHER": "N-77002"}
    first, second = map_cells(mapper_of(WIDE, events=events), row).events
    assert (first.category, first.partner) == ("neglect", "")
    assert (second.category, second.partner) == ("domestic_abuse", "health")
    assert second.identity.endswith(b"#again")
    assert first.child != second.child


def test_a_child_is_the_same_in_whichever_column_it_is_named() -> None:
    own = {"kind": "regraded", "time": "SUBMITTED", "columns": {"child": "OTHER"}}
    mapper = mapper_of(WIDE, events=[WIDE["events"][0], own])
    first, second = map_cells(mapper, WIDE_ROW | {"OTHER": WIDE_ROW["CHILD"]}).events
    assert first.child == second.child


def test_a_wide_retraction_names_the_fact_of_its_own_kind() -> None:
    mapper = mapper_of(WIDE, mode="append", identity=["NO"], retracts=["CANCELS"])
    mapped = map_cells(mapper, WIDE_ROW | {"NO": "71", "CANCELS": "70"})
    assert [event.retracts for event in mapped.events] == [b"70#contact", b"70#notice_submitted"]


def test_a_child_not_yet_known_is_no_fault() -> None:
    mapped = map_cells(mapper_of(WIDE), WIDE_ROW | {"CHILD": ""})
    assert [event.child for event in mapped.events] == ["", ""]
    assert mapped.events[0].identity == b"PPN-2027-004211\x1f#contact"


def test_a_row_without_any_fact_says_so() -> None:
    mapper = mapper_of(WIDE, mode="append")
    row = WIDE_ROW | {"KNOWN": "", "SUBMITTED": "", "STATUS": "VOID"}
    rejected = only_refusal(map_cells(mapper, row))
    assert rejected.reason is Reason.NO_EVENT
    assert rejected.expected == "a time in KNOWN or SUBMITTED or CLOSED"


# --- identity and content


def test_content_is_the_identity_where_the_source_has_none() -> None:
    mapper = mapper_of(LOG, identity="content")
    event = only_event(map_cells(mapper, LOG_ROW))
    again = only_event(map_cells(mapper, LOG_ROW | {"ID": "72"}))
    assert event.identity == again.identity
    assert event.identity[8:] == event.content
    assert int.from_bytes(event.identity[:8], "big") - (1 << 63) == event.occurred_from


def test_the_digest_of_content_never_changes() -> None:
    """What was taken in before must be recognised by every later version."""
    event = only_event(map_cells(mapper_of(LOG), LOG_ROW))
    assert event.content.hex() == "b8f327359e2a7fb71b9fda7823bd9d48"


@pytest.mark.parametrize(
    "change",
    [{"ORG": "WESTSHIRE"}, {"REF": "PPN-2027-004212"}, {"SENT": "2027-03-08T22:30:00.000001Z"}],
)
def test_other_content_has_another_digest(change: dict[str, str]) -> None:
    mapper = mapper_of(LOG)
    before, after = (map_cells(mapper, row) for row in (LOG_ROW, LOG_ROW | change))
    assert only_event(before).content != only_event(after).content


def test_an_attribute_that_is_empty_changes_no_digest() -> None:
    """So that a column may be declared later, and what is known stays known."""
    with_method = mapper_of(LOG, columns=LOG["columns"] | {"method": "METHOD"})
    before = only_event(map_cells(mapper_of(LOG), LOG_ROW))
    after = only_event(map_cells(with_method, LOG_ROW))
    assert before == after
    assert only_event(map_cells(with_method, LOG_ROW | {"METHOD": "verbal"})).content != (
        before.content
    )


@pytest.mark.parametrize("field", ["recorded_at", "revision"])
def test_content_covers_recording_and_revision_where_declared(field: str) -> None:
    declared = mapper_of(LOG, columns={"reference": "REF", field: "X"})
    contents = {
        only_event(map_cells(declared, LOG_ROW | {"X": text})).content
        for text in ("2027-03-08 23:00", "2027-03-08 23:01")
    }
    assert len(contents) == 2


def test_fields_do_not_run_into_one_another() -> None:
    """One text in one field is not the same text in its neighbour."""
    mapper = mapper_of(LOG, columns={"reference": "REF", "district": "D", "unit": "U"})
    rows = [LOG_ROW | {"D": "A", "U": ""}, LOG_ROW | {"D": "", "U": "A"}]
    assert len({only_event(map_cells(mapper, row)).content for row in rows}) == 2


texts = st.text(max_size=30)
times = st.sampled_from(
    [
        "",
        "2027-03-08 18:47",
        "28/03/2027 01:30",
        "2027-10-31 01:30",
        "2027-03-08",
        "2031-01-01",
        "x",
    ]
)
wide_rows = st.fixed_dictionaries(
    {
        "REF": st.sampled_from(["PPN-2027-004211", "PPN-2027-004212", "", "PPN"]) | texts,
        "CHILD": st.sampled_from(["", "N-77001"]) | texts,
        "CAT": st.sampled_from(["", "NEG", "DA"]) | texts,
        "VERSION": st.sampled_from(["", "1", "2"]) | texts,
        "KNOWN": times | texts,
        "SUBMITTED": times,
        "CLOSED": times,
        "STATUS": st.sampled_from(["OPEN", "VOID"]) | texts,
    }
)


@given(row=wide_rows, mode=st.sampled_from(["append", "snapshot"]))
def test_a_row_yields_facts_or_says_why_not(row: dict[str, str], mode: str) -> None:
    mapper = mapper_of(WIDE, mode=mode)
    mapped = map_cells(mapper, row)
    facts = len(mapped.events) + len(mapped.rejected) + mapped.ignored + mapped.unfilled
    whole_row = not mapped.events and len(mapped.rejected) == 1 and facts == 1
    assert whole_row or facts == len(mapper.feed.events)
    if mode == "append":
        assert mapped.events or mapped.rejected or mapped.ignored
    if mode == "append" or mapped.rejected == [] or not whole_row:
        assert len(mapped.cleared) == (mapped.ignored + mapped.unfilled) * (mode == "snapshot")
    for event in mapped.events:
        stored = f"{event.reference}{event.category}{event.child}{event.kind}"
        assert stored.isprintable()
        assert event.occurred_from <= event.occurred_to


@given(row=wide_rows, order=st.permutations(range(3)), seconds=st.integers(0, 10**6))
def test_identity_and_content_are_those_of_the_facts_alone(
    row: dict[str, str], order: list[int], seconds: int
) -> None:
    """Neither the order of columns and events nor the time of receipt is in them."""
    events = [WIDE["events"][index] for index in order]
    columns = dict(reversed(WIDE["columns"].items()))
    here = map_cells(mapper_of(WIDE), row)
    there = map_cells(
        mapper_of(WIDE, events=events, columns=columns), row, received_at=RECEIVED + seconds
    )

    def facts(mapped: MappedRow) -> set[tuple[bytes, bytes]]:
        return {(event.identity, event.content) for event in mapped.events}

    assert facts(here) == facts(there)


@given(one=wide_rows, other=wide_rows)
def test_equal_content_means_equal_fields(one: dict[str, str], other: dict[str, str]) -> None:
    mapper = mapper_of(WIDE)
    events = [*map_cells(mapper, one).events, *map_cells(mapper, other).events]
    fields = {event._replace(identity=b"", received_at=0): event.content for event in events}
    assert len(set(fields.values())) == len(fields)


def test_the_secret_must_be_long_enough() -> None:
    with pytest.raises(ValueError, match="16 to 64 bytes"):
        compile_mapper(feed_of(LOG), child_secret=b"short")


# --- rows set aside, and mapped again


def test_what_a_reader_could_not_read_passes_through() -> None:
    mapper = mapper_of(LOG)
    unreadable = Rejected(3, "", Reason.WRONG_CELLS, "4 cells", "3 cells", {}, b"")
    rows: list[Any] = [(2, [LOG_ROW[name] for name in mapper.columns]), unreadable]
    first, second = map_rows(rows, mapper, received_at=RECEIVED)
    assert len(first.events) == 1
    assert second == MappedRow([], [unreadable], [])


def test_a_row_set_aside_is_mapped_again_once_the_feed_is_mended() -> None:
    """The child kept is hashed, and comes to the same as from the row itself."""
    row = WIDE_ROW | {"CAT": "CSE"}
    values = {"category": {"NEG": "neglect", "CSE": "exploitation"}}
    rejected = only_refusal(map_cells(mapper_of(WIDE), row))
    mended = mapper_of(WIDE, values=values)
    again = mended.map_again(rejected.declared, rejected.line, RECEIVED)
    assert again == map_cells(mended, row)
    assert len(again.events) == 2


def test_a_row_still_bad_is_the_same_row() -> None:
    mapper = mapper_of(WIDE)
    rejected = only_refusal(map_cells(mapper, WIDE_ROW | {"CAT": "ODD"}))
    assert only_refusal(mapper.map_again(rejected.declared, 2, RECEIVED)) == rejected


def test_the_row_digest_tells_bad_rows_apart() -> None:
    mapper = mapper_of(LOG)
    digests = [
        only_refusal(map_cells(mapper, LOG_ROW | {"SENT": "soon", "ID": number})).row_digest
        for number in ("1", "2", "1")
    ]
    assert digests[0] == digests[2] != digests[1]


# --- privacy


@pytest.mark.parametrize("change", [{}, {"REF": "?"}, {"CAT": "ODD"}, {"KNOWN": "soon"}])
def test_a_source_name_of_a_child_is_nowhere(change: dict[str, str]) -> None:
    """Hashed in events, in identities and in what is set aside."""
    mapped = map_cells(mapper_of(WIDE), WIDE_ROW | {"CHILD": PLANTED} | change)
    assert mapped.events or mapped.rejected
    assert "Quillfeather" not in repr(mapped)


@pytest.mark.parametrize(
    "change",
    [{"REF": PLANTED}, {"SENT": PLANTED}, {"ID": PLANTED + "\0"}, {"ORG": PLANTED * 5}],
)
def test_a_refusal_shows_a_value_only_among_the_declared(change: dict[str, str]) -> None:
    rejected = only_refusal(map_cells(mapper_of(LOG), LOG_ROW | change))
    assert "Quillfeather" not in repr(rejected._replace(declared={}))
    assert all(len(text) <= 200 for text in rejected.declared.values())
