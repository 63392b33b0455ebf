"""The rule register: what was in force in the period, who says so, who approved it, what changed.

What comes in: what was asked. What goes out: a section. It does not care how a rule is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from monitor.report.evidence import Column, Row, Section, Table
from monitor.rulebook.aloud import spoken
from monitor.rulebook.approval import Kind
from monitor.rulebook.difference import difference
from monitor.rulebook.versions import last_day
from monitor.store import evidence as stored
from monitor.store import rulebooks
from monitor.worktime.zones import day_of

if TYPE_CHECKING:
    from datetime import date

    from monitor.cycle.evidence.asked import Asked
    from monitor.model import Instant
    from monitor.rulebook.approval import Approval
    from monitor.rulebook.language import Rule

DIGEST_SHOWN = 12


class InForce(NamedTuple):
    """One version of a rule that was in force in the period."""

    rule: Rule
    until: date | None
    """The last date whose starts it governs."""
    on_trial: bool


def section(asked: Asked) -> Section:
    """The rule register."""
    found = rules_in_force(asked)
    return Section(
        name="rule-register",
        title="Rule register",
        paragraphs=(
            (
                "Every rule and version that governed anything that started in the period, or by"
                " which anything due in it is measured. A limit says what kind of text it rests"
                " on; where no text was found that sets the figure, it says that the figure is"
                " the force's own assumption. The rule in force when a clock started governs it,"
                " whatever came after."
            ),
        ),
        tables=(
            _rules(found),
            _versions(asked, found),
            _approvals(asked, found),
            _activations(asked),
            _changes(asked),
        ),
    )


def rules_in_force(asked: Asked) -> list[InForce]:
    """Every version of every rule of the period, by rule and version."""
    first, last = (day_of(at, asked.zone) for at in (asked.since, asked.judged_at))
    documents = asked.monitor.rulebook.documents
    measured = stored.measured_by(asked.connection, since=asked.since, until=asked.until)
    trial = set(documents.trial)
    by_id: dict[str, list[Rule]] = {}
    for rule in sorted(documents.rules, key=lambda rule: (rule.id, rule.version)):
        by_id.setdefault(rule.id, []).append(rule)
    found = []
    for rules in by_id.values():
        for rule, newer in zip(rules, [*rules[1:], None], strict=True):
            until, key = last_day(rule, newer), (rule.id, rule.version)
            governed = rule.effective.from_ <= last and (until is None or until >= first)
            if governed or key in measured:
                found.append(InForce(rule, until, key in trial))
    return found


# -- rules ------------------------------------------------------------------------------------

_TELLS = {"on": "alerts and digest", "digest": "digest only", "off": "nobody: it only measures"}


def _rules(found: list[InForce]) -> Table:
    rows = [
        (
            each.rule.id,
            each.rule.version,
            each.rule.title,
            spoken(each.rule.threshold),
            each.rule.authority.class_.value,
            each.rule.authority.citation,
            each.rule.authority.number_is_assumed,
        )
        for each in found
    ]
    return Table(
        name="rules",
        title="Rules in force in the period, and what they rest on",
        columns=(
            Column("rule", "Rule"),
            Column("version", "Version", "number"),
            Column("title", "Title"),
            Column("limit", "Limit"),
            Column("authority_class", "Rests on"),
            Column("citation", "In the words of its source"),
            Column("figure_is_assumed", "Figure is assumed", "flag"),
        ),
        rows=rows,
        note="Figure is assumed: no text that was found sets this figure; it is the force's own.",
    )


def _versions(asked: Asked, found: list[InForce]) -> Table:
    accepted = stored.accepted_at(asked.connection)
    approvals = _newest_approvals(asked)
    rows = [
        _version(each, approvals.get((each.rule.id, each.rule.version)), accepted) for each in found
    ]
    return Table(
        name="rule-versions",
        title="Since when they govern, whom they tell, who approved them",
        columns=(
            Column("rule", "Rule"),
            Column("version", "Version", "number"),
            Column("governs_from", "Governs what starts from", "date"),
            Column("governs_until", "Until", "date"),
            Column("calendar", "Calendar"),
            Column("alerts", "Tells"),
            Column("approved_by", "Approved by"),
            Column("approved_at", "Approved", "instant"),
            Column("accepted_at", "Accepted", "instant"),
            Column("review_due", "To be looked at again by", "date"),
        ),
        rows=rows,
        note="A rule on trial measures and tells nobody: no one has approved it. Accepted: when"
        " this version first came into force here.",
    )


def _version(
    each: InForce, approval: Approval | None, accepted: dict[tuple[str, int], Instant]
) -> Row:
    rule = each.rule
    approval = None if each.on_trial else approval
    return (
        rule.id,
        rule.version,
        rule.effective.from_.isoformat(),
        "" if each.until is None else each.until.isoformat(),
        rule.calendar,
        "nobody: on trial" if each.on_trial else _TELLS[rule.alerts.value],
        _by(approval),
        approval.approved_at if approval and approval.role else None,
        accepted.get((rule.id, rule.version)),
        rule.authority.review_due.isoformat(),
    )


def _by(approval: Approval | None) -> str:
    if approval is None:
        return "nobody"
    return approval.role or "before approvals were kept"


def _newest_approvals(asked: Asked) -> dict[tuple[str, int], Approval]:
    return {
        (each.id, each.version): each
        for each in rulebooks.approvals(asked.connection)
        if each.kind is Kind.RULE and each.approved_at < asked.until
    }


# -- approvals and changes --------------------------------------------------------------------


def _approvals(asked: Asked, found: list[InForce]) -> Table:
    rules = {each.rule.id for each in found}
    ladders = {each.rule.ladder for each in found}
    rows = [
        (each.approved_at, str(each.kind), each.id, each.version, _by(each), each.number or None)
        for each in rulebooks.approvals(asked.connection)
        if each.approved_at < asked.until
        and each.id in (rules if each.kind is Kind.RULE else ladders)
    ]
    return Table(
        name="approvals",
        title="Approvals of these rules and of the ladders by which they tell",
        columns=(
            Column("approved_at", "When", "instant"),
            Column("kind", "What"),
            Column("name", "Name"),
            Column("version", "Version", "number"),
            Column("role", "By which role"),
            Column("number", "Number of the action", "number"),
        ),
        rows=rows,
        note="All up to the end of the period, the oldest first.",
    )


def _activations(asked: Asked) -> Table:
    rows = [
        (
            each.at,
            each.digest[:DIGEST_SHOWN],
            None if each.documents is None else len({rule.id for rule in each.documents.rules}),
        )
        for each in stored.activations(asked.connection, until=asked.until)
    ]
    return Table(
        name="activations",
        title="When a rulebook came into force",
        columns=(
            Column("activated_at", "When", "instant"),
            Column("digest", "Rulebook (first digits of its digest)"),
            Column("rules", "Rules in it", "number"),
        ),
        rows=rows,
        note="All up to the end of the period, the oldest first.",
    )


def _changes(asked: Asked) -> Table:
    return Table(
        name="rule-changes",
        title="What each of them changed of the one before",
        columns=(
            Column("activated_at", "When", "instant"),
            Column("kind", "What"),
            Column("name", "Name"),
            Column("how", "How"),
            Column("field", "Field"),
            Column("before", "Before"),
            Column("after", "After"),
            Column("effect", "Which means"),
        ),
        rows=list(_changed(asked)),
        note="The first rulebook of all is not compared with anything.",
    )


def _changed(asked: Asked) -> Iterator[Row]:
    before = None
    for each in stored.activations(asked.connection, until=asked.until):
        if before is not None and each.documents is not None:
            for changed in difference(before, each.documents):
                named = (each.at, changed.kind, changed.id, changed.how)
                if not changed.changes:
                    yield (*named, "", "", "", "")
                for change in changed.changes:
                    yield (*named, change.field, change.before, change.after, str(change.effect))
        before = each.documents or before
