"""The figures of the period: how many duties were in time, how sure that is, how long they took.

What comes in: what a pack was asked for. What goes out: a section with a table for each way in
which duties are put together, and a picture of how long the duties of each rule took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from monitor.cycle.charting import length_picture
from monitor.cycle.counting import count, way_in_period
from monitor.model import HOUR, Duration
from monitor.report.digest_shares import step_label, told_apart
from monitor.report.evidence import Cell, Column, Image, Row, Section, Table
from monitor.report.measured import added
from monitor.report.wording import wording

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked
    from monitor.report.cohort import Part, Took
    from monitor.report.completeness import Completeness
    from monitor.report.figures import Figures
    from monitor.report.measured import Measured, Span
    from monitor.report.stages import StepFigures
    from monitor.report.wording import Wording
    from monitor.rulebook.book import Rulebook

_SHARES: Final = (
    Column("in_time", "In time", "count"),
    Column("known", "Of known", "count"),
    Column("share", "Share", "share"),
    Column("share_low", "95 % from", "share"),
    Column("share_high", "to", "share"),
    Column("share_unknown_late", "Share, unknown as late", "share"),
    Column("late", "Late", "count"),
    Column("open_late", "Open and late", "count"),
    Column("unknown", "Unknown", "count"),
)
_BESIDE: Final = (
    Column("exempt", "Exempt", "count"),
    Column("void", "Void", "count"),
    Column("void_after_due", "Void when already overdue", "count"),
    Column("decided_late", "Late by a decision after due", "count"),
    Column("to_confirm", "In time, to be confirmed", "count"),
    Column("cannot_route", "Cannot route", "count"),
    Column("regraded", "Regraded after overdue", "count"),
    Column("recorded", "Stops with a time of record", "count"),
    Column("recorded_late", "Recorded over 24 h after", "count"),
)
_LASTING: Final = (
    Column("lengths", "Lengths", "count"),
    Column("median_h", "Median, h", "number"),
    Column("p90_h", "90th percentile, h", "number"),
    Column("p95_h", "95th percentile, h", "number"),
    Column("longest_h", "Longest, h", "number"),
    Column("longest_is_open", "Longest is open", "flag"),
)
_UNDER_TEN: Final = (
    "An empty share: fewer than ten duties. An empty percentile: fewer than 20 lengths; an empty"
    " median: fewer than five."
)


def section(asked: Asked) -> Section:
    """Everything that is counted of the period."""
    monitor, words = asked.monitor, wording(asked.monitor.rulebook)
    period: dict[str, Any] = {"since": asked.since, "until": asked.until, "now": asked.judged_at}
    asked.progress("figures", 0, 2)
    counted = count(monitor, asked.connection, **period, where={}, with_spans=True)
    asked.progress("figures", 1, 2)
    way = way_in_period(monitor, asked.connection, **period, where={})
    found = Section(
        name="figures",
        title="Timeliness in the period",
        paragraphs=_how_counted(counted),
        tables=(
            *_tables(counted, words),
            _steps(way.steps, words),
            _quality(way.completeness),
        ),
        images=tuple(_pictures(counted.lengths, words, monitor.rulebook)),
        has_pictures_last=True,
    )
    return _without_single_cases(found) if asked.outside else found


def _without_single_cases(section: Section) -> Section:
    """Without the longest, which is one case's, and the pictures, whose bars may stand for few."""
    said = "The longest lengths, and the pictures of lengths, are left out: they tell of few cases."
    return replace(
        section,
        paragraphs=(*section.paragraphs, said),
        tables=tuple(map(_without_longest, section.tables)),
        images=(),
    )


def _without_longest(table: Table) -> Table:
    kept = [
        place for place, each in enumerate(table.columns) if not each.name.startswith("longest_")
    ]
    return replace(
        table,
        columns=tuple(table.columns[place] for place in kept),
        rows=[tuple(row[place] for place in kept) for row in table.rows],
    )


def _how_counted(counted: Figures) -> tuple[str, ...]:
    cohort = (
        "Counted are the duties that fell due in the period, one for each limit, child and"
        f" organisation: {counted.total.of_all:,} with a verdict on {counted.cases:,} cases. Duties"
        " and cases are never summed. In time: met by the due instant. Known: met, late, or open"
        " past due; what is open and late counts as not in time."
    )
    beside = (
        "Unknown (a feed was not heard, or a due time cannot be computed), exempt and void stand"
        " beside the share and never in it. The range of a share is the 95 % score interval"
        " (Wilson), which takes duties for independent of each other; those of one notice are not."
    )
    lengths = (
        "Lengths are from start to end in clock hours, nights and weekends included. What is open"
        " and late enters at its age at the end of the period. Percentiles are by nearest rank."
    )
    parts = (
        "Parts are in order of their names. A district or unit of fewer than ten cases is put"
        " together with others, so that no row speaks of one person's work."
    )
    return cohort, beside, lengths, parts


# -- tables -----------------------------------------------------------------------------------


def _tables(counted: Figures, words: Wording) -> Iterator[Table]:
    rules = sorted(counted.rules.items())
    yield from _of(
        "rule",
        "By rule",
        (Column("rule", "Rule"), Column("title", "Duty")),
        [((name, words.rule(name).label), group) for name, group in rules],
    )
    partners = [
        ((words.partner(name) if name else "own steps",), group)
        for name, group in sorted(counted.partners.items())
    ]
    yield from _of(
        "partner",
        "By partner; the force's own steps apart",
        (Column("partner", "Partner"),),
        partners,
    )
    for field, title, known_as in (
        ("district", "district", {}),
        ("unit", "unit", {}),
        ("category", "concern", words.categories),
        ("risk", "risk", words.risk_words),
    ):
        yield from _of(
            field,
            f"Duties to partners, by {title}",
            (Column(field, title.capitalize()),),
            [((name,), group) for name, group in _rolled_up(field, counted.parts[field], known_as)],
        )
    yield Table(
        name="figures-exempt-reasons",
        title="Why duties were exempt",
        columns=(
            Column("rule", "Rule"),
            Column("reason_code", "Code"),
            Column("reason", "Reason"),
            Column("duties", "Duties", "count"),
        ),
        rows=[
            (name, code, words.reason(code), number)
            for name, group in rules
            for code, number in group.reasons
        ],
    )


def _of(
    field: str, title: str, named: tuple[Column, ...], groups: Sequence[tuple[Row, Measured]]
) -> Iterator[Table]:
    """Shares, how long it took, and what stands beside: a table each, to be read on one page."""
    for kind, said, columns, cells in (
        ("figures", "shares", _SHARES, _shares),
        ("lengths", "how long", _LASTING, _lasting_of),
        ("beside", "beside the shares", _BESIDE, _beside),
    ):
        yield Table(
            name=f"{kind}-by-{field}",
            title=f"{title}: {said}",
            columns=(*named, *columns),
            rows=[(*names, *cells(group)) for names, group in groups],
            note="" if kind == "beside" else _UNDER_TEN,
        )


def _rolled_up(
    field: str, parts: Iterable[Part], known_as: Mapping[str, str]
) -> Iterator[tuple[str, Measured]]:
    found = list(parts)
    told, small = told_apart(field, found)
    for part in found:
        if part in told:
            yield known_as.get(part.name, part.name) or "not recorded", part.duties
    if small:
        yield f"{len(small)} others together", added(part.duties for part in small)


def _shares(group: Measured) -> Row:
    known = group.interval
    share: Cell = None if known is None else round(group.met / group.of, 4)
    worst: Cell = None if group.percent_at_worst is None else round(group.met / group.of_all, 4)
    low_high = (None, None) if known is None else (round(known.low, 4), round(known.high, 4))
    return (
        *(group.met, group.of, share, *low_high, worst),
        *(group.late, group.open_late, group.unknown),
    )


def _beside(group: Measured) -> Row:
    return (
        *(group.exempt, group.void, group.void_after_due, group.decided_late, group.to_confirm),
        *(group.cannot_route, group.regraded, group.recorded, group.recorded_late),
    )


def _lasting_of(group: Measured) -> Row:
    return _lasting(group.span)


def _lasting(span: Span) -> Row:
    lengths = (span.median, span.ninetieth, span.ninety_fifth, span.longest)
    return span.number, *map(_hours, lengths), span.longest_is_open


def _hours(length: Duration | None) -> Cell:
    return None if length is None else round(length / HOUR, 2)


def _steps(steps: Iterable[StepFigures], words: Wording) -> Table:
    return Table(
        name="figures-by-step",
        title="How long each step took, from the step before it",
        columns=(Column("step", "Step"), *_LASTING),
        rows=[(step_label(each.step, words), *_lasting(each.span)) for each in steps],
        note="Of cases whose first duty to a partner fell due in the period; where such a case is"
        " open past due, the step that it waits for enters at its age.",
    )


def _quality(completeness: Completeness) -> Table:
    return Table(
        name="figures-completeness",
        title="What notices record, beside how quick they are",
        columns=(
            Column("what", "Recorded"),
            Column("notices_with", "Notices with it", "count"),
            Column("notices", "Notices", "count"),
        ),
        rows=[(what, number, completeness.notices) for what, number in completeness.recorded],
        note="Marks alone are looked at, never a word that was written.",
    )


# -- pictures ---------------------------------------------------------------------------------


def _pictures(lengths: Mapping[str, Took], words: Wording, rulebook: Rulebook) -> Iterator[Image]:
    """How long the duties of each rule took, where there are enough of them to have a shape."""
    for rule, took in lengths.items():
        picture = length_picture(f"lengths-{rule}", rule, took, words, rulebook)
        if picture is not None:
            yield Image(
                name=picture.name,
                content=picture.content,
                alt=picture.alt,
                width=picture.width,
                height=picture.height,
                table="lengths-by-rule",
            )
