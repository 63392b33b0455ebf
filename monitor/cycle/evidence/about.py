"""What the pack is: its period, up to where things are known, and how it is to be read.

What comes in: what was asked. What goes out: a section of words. It reads nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import __version__
from monitor.report.evidence import Column, Passage, Section, Table
from monitor.words import count, moment, period

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked


def section(asked: Asked) -> Section:
    """What this is."""
    return Section(
        name="what-this-is",
        title="What this is",
        paragraphs=tuple(_paragraphs(asked)),
        passages=(Passage("Words used", _WORDS), Passage("How to read a table", _TABLES)),
        tables=(_asked(asked),),
    )


def _paragraphs(asked: Asked) -> list[str]:
    zone = asked.zone
    said = [
        (
            "How timely this force shared what it knew of children at risk with those it owes it"
            f" to: the council, health, schools. The period is {_period(asked)}."
        ),
        (
            "It is made from records of the force's own systems by the safeguarding timeliness"
            f" monitor, release {__version__}. It measures records and not people: “late” means"
            " that no record shows that it was done in time."
        ),
        (
            f"Every clock is judged at the end of the period, {moment(asked.until, zone=zone)}, by"
            f" all that was known when the pack was made: everything up to number {asked.known:,}"
            " of what was ever taken in or done. A record that came after the period about"
            " something within it counts, unless a section says that it speaks of what was known"
            " then."
        ),
        (
            "There is no name in this pack, and no address, no account and no telephone number. A"
            " child is a keyed digest that means nothing outside this installation. Cases that"
            " are restricted to named posts are in no table, no figure and no list."
        ),
        "No figure in this pack is computed from the audit log.",
    ]
    if asked.outside:
        said.append(
            "This copy is for readers outside the force: a table in which any number of duties,"
            " cases or alerts is under ten, zero too, is left out whole, and so are registers that"
            " name cases and the pages of single cases. Each section says what was left out."
        )
    return said


def _period(asked: Asked) -> str:
    zone = asked.zone
    dates = period(asked.since, end=asked.until, zone=zone)
    begins, ends = moment(asked.since, zone=zone), moment(asked.until, zone=zone)
    return f"{dates}: from {begins} to before {ends}"


_WORDS = (
    ("duty", "what a rule says is owed in one case: one clock"),
    ("clock", "one rule on one case, and on one child or organisation where the rule counts so"),
    ("in time", "stopped at or before the instant at which it was due"),
    ("late", "stopped after it was due; or exempted only after it was due"),
    ("overdue", "due, and no record that it was done: it counts as not in time"),
    ("unknown", "it cannot be said: the feed that would show it was not heard, or no due time"),
    ("exempt", "a reasoned decision not to share, taken in time: in no share, and counted"),
    ("void", "withdrawn as made in error: in no share, and counted"),
    ("alert", "one person was to be told of one clock, and why"),
    ("taken", "a person took an overdue clock on, in answer to an alert"),
    ("withdrawn", "an alert that proved false was taken back"),
)
_TABLES = (
    ("shares", "are of those in time, late and overdue; none is printed of fewer than ten duties"),
    ("times", "on the pages are local to the force; in CSV and JSON they are ISO 8601 in UTC"),
    ("long tables", "show their first 500 rows here; the CSV file beside them holds all"),
    ("an en dash", "stands where there is none, or where it is not known"),
)


def _asked(asked: Asked) -> Table:
    rows = [
        ("Named cases", count(len(asked.cases), "reference")),
        ("Random sample", _sample(asked)),
        ("For readers outside the force", "yes" if asked.outside else "no"),
        ("Rulebook in force (digest)", asked.monitor.rulebook.digest),
    ]
    return Table(
        name="what-was-asked",
        title="What this pack was asked for",
        columns=(Column("what", "What"), Column("answer", "Answer")),
        rows=rows,
    )


def _sample(asked: Asked) -> str:
    return f"{count(asked.sample, 'case')}, seed “{asked.seed}”" if asked.sample else "none"
