"""What leaves the force tells of no case, and no count under ten."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.letters import DigestLetter, DigestRow, DigestSpan, DigestTable
from monitor.report.change import WeekPoint, control_chart
from monitor.report.disclosure import FEWEST, for_outside, for_small_unit, is_safe
from tests.report.rows import SINCE, UNTIL, WEEK

counts = st.integers(0, 40)


@st.composite
def digest_rows(draw: st.DrawFn) -> DigestRow:
    met, late, open_late, unknown = draw(st.tuples(counts, counts, counts, counts))
    return DigestRow(
        label="Council",
        met=met,
        of=met + late + open_late,
        late=late,
        open_late=open_late,
        unknown=unknown,
        cannot_route=open_late,
        interval="1-2 %",
        note="Of those late, closed by a decision not to share: 1.",
    )


some_rows = st.lists(digest_rows(), max_size=4).map(tuple)


def letter(**told: Any) -> DigestLetter:
    usual: dict[str, Any] = {
        "at": UNTIL,
        "scope": "Whole force",
        "period_from": SINCE,
        "period_to": UNTIL,
        "headline": ("council 3 of 4 in time",),
        "do_first": "PPN-2027-004211",
        "sentence": "3 of 4",
        "beside": ("1 void",),
        "backlog": ("Oldest open high-risk case: PPN-2027-004212.",),
        "no_notice": ("1 contact",),
        "quality": ("1 notice",),
        "questions": ("why?",),
        "alerts": ("1 alert",),
        "waits": ("median 1 h",),
        "notes": ("Nobody is told of PPN-2027-004213.",),
    }
    return DigestLetter(**(usual | told))


@given(some_rows, some_rows, some_rows)
def test_no_count_under_ten_and_no_case_leaves_the_force(
    rows: tuple[DigestRow, ...], weeks: tuple[DigestRow, ...], parted: tuple[DigestRow, ...]
) -> None:
    tables = (DigestTable(title="by district", rows=parted),) if parted else ()
    told = for_outside(letter(rows=rows, weeks=weeks, tables=tables))
    shown = [*told.rows, *told.weeks, *(row for table in told.tables for row in table.rows)]
    for row in shown:
        assert min(row.met, row.of, row.late, row.of - row.met) >= FEWEST
        assert (row.open_late, row.unknown, row.cannot_route, row.note) == (0, 0, 0, "")
    assert "PPN" not in str(asdict(told))
    assert told.is_outside


@given(some_rows)
def test_a_table_goes_whole_or_stays_whole_and_unknown_is_not_in_time(
    rows: tuple[DigestRow, ...],
) -> None:
    told = for_outside(letter(rows=rows)).rows
    safe = all(min(r.met, r.late + r.open_late + r.unknown) >= FEWEST for r in rows)
    assert len(told) == (len(rows) if safe else 0)
    for before, after in zip(rows, told, strict=False):
        assert (after.met, after.of) == (before.met, before.of + before.unknown)


def test_what_was_left_out_is_said() -> None:
    one = DigestRow(label="Council", met=3, of=4, late=1)
    (note,) = for_outside(letter(rows=(one,), weeks=(one,))).notes
    assert "2 tables left out here, for a count under ten." in note
    (note,) = for_outside(letter()).notes
    assert "left out" not in note


def test_the_longest_of_all_is_one_case_and_stays_inside() -> None:
    row = DigestRow(label="Council", met=30, of=50, late=20)
    spans = (
        DigestSpan(label="Council", number=50, median="3 h", longest="9 d"),
        DigestSpan(label="Health", number=9, median="3 h"),
    )
    told = for_outside(letter(rows=(row,), spans=spans)).spans
    assert [(span.label, span.median, span.longest) for span in told] == [("Council", "3 h", "")]
    small = replace(row, met=3, late=47)
    assert for_outside(letter(rows=(small,), spans=spans)).spans == ()


@given(st.lists(st.tuples(counts, counts), min_size=1, max_size=5))
def test_a_chart_is_safe_where_no_week_has_a_count_under_ten(
    told: list[tuple[int, int]],
) -> None:
    weeks = [WEEK]
    while len(weeks) < len(told):
        weeks.insert(0, weeks[0].earlier)
    points = [WeekPoint(w, met, met + not_) for w, (met, not_) in zip(weeks, told, strict=True)]
    assert is_safe(control_chart(points)) == all(min(each) >= FEWEST for each in told)


def test_a_small_unit_is_told_what_is_open_and_no_share() -> None:
    row = DigestRow(label="Council", met=3, of=4, late=1)
    told = for_small_unit(letter(rows=(row,), headline=("3 of 4", "1 duty overdue")))
    assert told.headline == ("1 duty overdue",)
    assert told.do_first == "PPN-2027-004211"
    assert told.backlog
    assert (told.rows, told.sentence, told.quality, told.waits) == ((), "", (), ())
    assert told.notes[0].startswith("Fewer than ten notices of this unit")
