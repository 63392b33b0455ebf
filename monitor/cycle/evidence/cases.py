"""The cases of an inspector's list: a page for each, and for those not found what is known of them.

What comes in: what was asked of a pack. What goes out: its section. A restricted case is listed as
restricted, and nothing else is said of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from monitor import words
from monitor.cycle.evidence import timeline
from monitor.report.evidence import Column, Page, Row, Section, Table
from monitor.store import cases_told
from monitor.store.cases import known_ids

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked
    from monitor.cycle.explained import CaseExplanation

RESTRICTED: Final = "restricted: shown only to its named posts"
NEVER_RECEIVED: Final = "never received: no event and no row set aside names it as it is spelt here"
_SET_ASIDE: Final = "set aside: rows that name it could not be read"
_TAKEN_BACK: Final = "no duty: nothing that is known of it now starts one"


def section(asked: Asked) -> Section:
    """What became of each case of the list, in its order, with a page for each that is known."""
    if not asked.cases or asked.outside:
        why = (
            "Cases are not named for readers outside the force."
            if asked.cases
            else "No list of cases was given."
        )
        return Section(name="cases", title="Named cases", paragraphs=(why,))
    hidden = timeline.restricted(asked, asked.cases)
    found: dict[str, CaseExplanation] = {}
    for done, reference in enumerate(asked.cases):
        asked.progress("named cases", done, len(asked.cases))
        case = None if reference in hidden else timeline.explained(asked, reference)
        if case is not None:
            found[reference] = case
    missing = [each for each in asked.cases if each not in found and each not in hidden]
    aside = cases_told.rows_set_aside(asked.connection, missing)
    named = {row.reference for row in aside}
    nearly = _nearly(asked, [each for each in missing if each not in named])
    pages = {each: f"case-{number:04}" for number, each in enumerate(asked.cases, start=1)}
    return Section(
        name="cases",
        title="Named cases",
        paragraphs=tuple(_paragraphs(asked, found, hidden)),
        tables=(
            Table(
                name="named-cases",
                title="The list, and what was found",
                columns=(
                    Column("reference", "Reference"),
                    Column("found", "What was found"),
                    Column("duties", "Duties", "count"),
                ),
                rows=[_row(each, found, hidden, named, nearly) for each in asked.cases],
                is_register=True,
            ),
            *(_aside_table(aside) if aside else ()),
        ),
        pages=_pages(asked, found, pages),
    )


def _nearly(asked: Asked, missing: Sequence[str]) -> dict[str, str]:
    """Reference that is not found → one that is and reads the same but for capitals and spaces."""
    meant = {each: "".join(each.split()).upper() for each in missing}
    known = known_ids(asked.connection, set(meant.values()))
    shown = known.keys() - timeline.restricted(asked, tuple(known))
    return {each: other for each, other in meant.items() if other != each and other in shown}


def _pages(
    asked: Asked, found: Mapping[str, CaseExplanation], pages: Mapping[str, str]
) -> Iterator[Page]:
    for reference, case in found.items():
        yield timeline.page(asked, case, pages[reference])


def _paragraphs(
    asked: Asked, found: Mapping[str, CaseExplanation], hidden: frozenset[str]
) -> Iterator[str]:
    yield (
        f"Of {words.count(len(asked.cases), 'reference')} on the list,"
        f" {words.count(len(found), 'is known and has', 'are known and have')} a page below;"
        f" {words.count(len(hidden), 'is restricted', 'are restricted')}."
    )
    yield (
        "A reference that is not found was either never received, or it stands in a row that was"
        " set aside because it could not be read; a file that was set aside whole is not searched."
        " Nothing can have been purged: this release purges no event."
    )


def _row(
    reference: str,
    found: Mapping[str, CaseExplanation],
    hidden: frozenset[str],
    aside: set[str],
    nearly: Mapping[str, str],
) -> Row:
    if reference in hidden:
        return reference, RESTRICTED, None
    case = found.get(reference)
    if reference in nearly:
        return (
            reference,
            f"not as spelt here; {nearly[reference]} is known: put it on the list",
            None,
        )
    if case is None:
        return reference, _SET_ASIDE if reference in aside else NEVER_RECEIVED, None
    number = sum(each.superseded_at is None for each in case.clocks)
    return reference, "known: see its page" if case.clocks else _TAKEN_BACK, number


def _aside_table(aside: Sequence[cases_told.RowAside]) -> Iterator[Table]:
    yield Table(
        name="named-cases-set-aside",
        title="Rows set aside that name a case of the list",
        columns=(
            Column("reference", "Reference"),
            Column("feed", "Feed"),
            Column("file", "File"),
            Column("line", "Line", "number"),
            Column("field", "Field"),
            Column("reason", "Why"),
            Column("first_seen", "First seen", "instant"),
            Column("last_seen", "Last seen", "instant"),
            Column("state", "Now"),
        ),
        rows=[
            (
                *(row.reference, row.feed, row.file_name, row.line, row.field, row.reason),
                *(row.first_seen_at, row.last_seen_at, row.state),
            )
            for row in aside
        ],
        is_register=True,
    )
