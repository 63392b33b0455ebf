"""Every version of a rule, and how it stands: which one holds, which wait, and which are over.

What comes in: what governs, the documents of the files, and a date. What goes out: the versions of
each rule, oldest first. It does not care who is told, nor where approvals are kept.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from monitor.rulebook.approval import Approval, Governed, Kind, State, content_digest
from monitor.rulebook.book import Documents
from monitor.rulebook.language import Rule

WAITS = "waits for approval"


class Version(NamedTuple):
    """One version of a rule, as it is measured by; or, where it waits, as its file has it."""

    rule: Rule
    state: str
    """In words: `in force`, `approved, begins on 2026-12-01`, `waits for approval`; empty where it
    is not known what was approved."""
    holds: bool = False
    """Whether it governs what starts on the date."""
    until: dt.date | None = None
    """The last day whose starts it governs, by its own end or the next version's beginning."""
    approval: Approval | None = None
    waits: bool = False
    """Whether nobody has approved what it says, though the rule was approved otherwise."""


def versions(found: Governed, files: Documents, *, today: dt.date) -> dict[str, list[Version]]:
    """Rule id → its versions in force, oldest first, and then those that wait.

    `today`: the date where the force is.
    """
    by_id: dict[str, list[Rule]] = {rule.id: [] for rule in files.rules}
    for rule in sorted(found.documents.rules, key=lambda rule: rule.version):
        by_id.setdefault(rule.id, []).append(rule)
    return {
        name: [*_running(rules, found, today), *_waiting(name, rules, found, files)]
        for name, rules in by_id.items()
    }


def of_files(files: Documents) -> dict[str, list[Version]]:
    """The same where it is not known what was approved."""
    found: dict[str, list[Version]] = {}
    for rule in sorted(files.rules, key=lambda rule: (rule.id, rule.version)):
        found.setdefault(rule.id, []).append(Version(rule, ""))
    return found


def _running(rules: Sequence[Rule], found: Governed, today: dt.date) -> Iterator[Version]:
    for rule, newer in zip(rules, [*rules[1:], None], strict=True):
        until = last_day(rule, newer)
        holds = rule.effective.from_ <= today and (until is None or today <= until)
        key = (rule.id, rule.version)
        approval = None if key in found.documents.trial else found.approvals.get(key)
        yield Version(
            rule,
            _state(rule, until, today=today, is_approved=approval is not None),
            holds=holds,
            until=until,
            approval=approval,
        )


def last_day(rule: Rule, newer: Rule | None) -> dt.date | None:
    """The last day whose starts a version governs; None where no end is in sight."""
    ends = [rule.effective.to] if rule.effective.to else []
    if newer is not None:
        ends.append(newer.effective.from_ - dt.timedelta(days=1))
    return min(ends, default=None)


def _state(rule: Rule, until: dt.date | None, *, today: dt.date, is_approved: bool) -> str:
    begins = rule.effective.from_
    if until is not None and until < begins:
        said = "never governs"
    elif today < begins:
        said = f"begins on {begins}"
    elif until is not None and until < today:
        said = f"governed until {until}"
    elif is_approved:
        return "in force"
    else:
        return "on trial: measures, tells nobody"
    return f"approved, {said}" if is_approved else f"on trial, {said}: measures, tells nobody"


def _waiting(
    name: str, running: Sequence[Rule], found: Governed, files: Documents
) -> Iterator[Version]:
    """What the files say of a rule and nobody has approved, though something of it was."""
    edited = {
        each.version
        for each in found.standings
        if (each.kind, each.id, each.state) == (Kind.RULE, name, State.EDITED)
    }
    in_force = {rule.version: content_digest(rule) for rule in running}
    for rule in sorted(files.rules, key=lambda rule: rule.version):
        is_meant = rule.id == name and rule.version in edited
        if is_meant and in_force.get(rule.version) != content_digest(rule):
            yield Version(rule, WAITS, waits=True)
