"""Tables by district, unit, concern and risk: no row of few cases, and no order by figures."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.letters import DigestRow
from monitor.model import HOUR
from monitor.report.digest_shares import FEWEST_CASES, parted
from monitor.report.row import ClockRow
from tests.report.rows import counted, late, met, row


def duties(**cases: int) -> list[ClockRow]:
    """So many cases of each unit, of one duty each; every third is late."""
    found = []
    for place, (unit, number) in enumerate(cases.items()):
        for each in range(number):
            make = late if each % 3 == 0 else met
            found.append(make(unit=unit, case_id=1000 * place + each))
    return found


def table(*rows: ClockRow) -> tuple[DigestRow, ...]:
    return parted(counted(*rows), "unit", {})


def labels(**cases: int) -> list[str]:
    return [each.label for each in table(*duties(**cases))]


def test_parts_of_ten_cases_each_have_a_row_in_the_order_of_their_names() -> None:
    assert labels(west=10, east=30, north=20) == ["East", "North", "West"]


def test_parts_of_fewer_than_ten_are_told_together() -> None:
    found = table(*duties(a=9, b=40, c=9, d=12))
    assert [each.label for each in found] == ["B", "D", "2 others together"]
    assert (found[-1].of, found[-1].met, found[-1].late) == (18, 12, 6)


def test_one_small_part_takes_the_next_smallest_with_it() -> None:
    """Alone it could be reckoned back from the total."""
    assert labels(a=30, b=9, c=11, d=12) == ["A", "D", "2 others together"]


def test_of_two_equally_small_the_first_by_name_goes_along() -> None:
    assert labels(a=30, b=12, c=9, d=12) == ["A", "D", "2 others together"]


def test_where_nothing_is_left_to_tell_apart_there_is_no_table() -> None:
    assert labels() == []
    assert labels(a=30) == []
    assert labels(a=9, b=9, c=9) == []
    assert labels(a=30, b=9) == []


def test_cases_and_not_duties_say_whether_a_part_is_small() -> None:
    """One case with many duties is one person's work."""
    many = [met(unit="a", case_id=1, rule=f"council-{place}") for place in range(30)]
    found = table(*many, *duties(b=20, c=20))
    assert [each.label for each in found] == ["C", "2 others together"]


def test_a_part_of_which_nothing_is_in_the_total_has_no_row() -> None:
    exempt = [
        row(unit="a", case_id=each, exempt_at=row().started_at + HOUR) for each in range(9000, 9030)
    ]
    assert [each.label for each in table(*exempt, *duties(b=20, c=20))] == ["B", "C"]


def test_the_forces_own_steps_are_in_no_part() -> None:
    own = [met(unit="a", partner="", rule="supervised", case_id=n) for n in range(9000, 9030)]
    assert [each.label for each in table(*own, *duties(b=20, c=20))] == ["B", "C"]


def test_words_of_the_vocabulary_and_what_is_not_recorded() -> None:
    figures = counted(*duties(**{"": 10, "mash": 10, "front_desk": 10}))
    found = parted(figures, "unit", {"mash": "the safeguarding hub"})
    assert [each.label for each in found] == [
        "The safeguarding hub",
        "Front desk",
        "Not recorded",
    ]


_parts = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.tuples(st.integers(1, 25), st.integers(0, 25)),
    max_size=8,
)


def _some(parts: dict[str, tuple[int, int]]) -> list[ClockRow]:
    return [
        (met if each < in_time else late)(unit=unit, case_id=100 * ord(unit) + each)
        for unit, (number, in_time) in parts.items()
        for each in range(number)
    ]


@given(_parts)
def test_rows_add_up_to_the_whole_and_none_is_of_one_small_part(
    parts: dict[str, tuple[int, int]],
) -> None:
    found = table(*_some(parts))
    if not found:
        large = sum(number >= FEWEST_CASES for number, _ in parts.values())
        assert len(parts) < 2 or large < 3
        return
    assert sum(each.of for each in found) == sum(number for number, _ in parts.values())
    *named, last = found
    small = [unit for unit, (number, _) in parts.items() if number < FEWEST_CASES]
    assert all(each.of >= FEWEST_CASES for each in named)
    assert not {unit.upper() for unit in small} & {each.label for each in found}
    if small:
        together = int(last.label.split()[0])
        assert last.label == f"{together} others together"
        assert together >= max(2, len(small))
        assert last.of >= FEWEST_CASES
        assert together + len(named) == len(parts)


@given(_parts, st.data())
def test_their_order_never_depends_on_figures(
    parts: dict[str, tuple[int, int]], data: st.DataObject
) -> None:
    """Whatever the shares, and however many more cases each has: alphabetical."""
    found = [each.label for each in table(*_some(parts))]
    other = {unit: (number, data.draw(st.integers(0, 25))) for unit, (number, _) in parts.items()}
    assert [each.label for each in table(*_some(other))] == found
    named = [label for label in found if not label.endswith("together")]
    assert named == sorted(named)
    assert found[: len(named)] == named
