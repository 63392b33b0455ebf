"""Clock definitions in words: what starts, stops, exempts and voids each clock, how time counts.

What comes in: what was asked. What goes out: a section, in the words of `monitor rules show`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.cycle.evidence.register import rules_in_force
from monitor.report.evidence import Column, Passage, Section, Table
from monitor.rulebook.aloud import read_aloud

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked


def section(asked: Asked) -> Section:
    """Clock definitions."""
    documents = asked.monitor.rulebook.documents
    titles = {name: role.title for name, role in asked.monitor.roster.file.roles.items()}
    read = [(each.rule, read_aloud(each.rule, documents, titles)) for each in rules_in_force(asked)]
    passages = tuple(
        Passage(
            f"{rule.title} ({rule.id}, version {rule.version})",
            tuple((said.about, said.text) for said in aloud),
        )
        for rule, aloud in read
    )
    rows = [
        (rule.id, rule.version, rule.title, said.about, said.text)
        for rule, aloud in read
        for said in aloud
    ]
    return Section(
        name="clock-definitions",
        title="Clock definitions in words",
        paragraphs=(
            (
                "What each rule says, read aloud from what is in force and not from a description"
                " of it. A clock starts with the earliest record of the concern and stops with"
                " the earliest record that it was done. Of a doubtful time the less favourable"
                " reading counts: a start the earliest, a stop the latest. A correction of a"
                " record is another record; none is edited. Stopped at the due instant is in"
                " time; one microsecond later is late."
            ),
        ),
        passages=passages,
        tables=(
            Table(
                name="definitions",
                title="Clock definitions",
                columns=(
                    Column("rule", "Rule"),
                    Column("version", "Version", "number"),
                    Column("title", "Title"),
                    Column("about", "About"),
                    Column("text", "What it says"),
                ),
                rows=rows,
                is_on_page=False,
            ),
        ),
    )
