"""The rulebook that is in force: accepted versions and the active one.

What comes in: documents, and approvals of what they say. What goes out: the documents that govern,
with every version ever accepted; or why new ones are refused. It does not care where documents were
written, nor who may approve.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from monitor.faults import Fault
from monitor.model import Instant
from monitor.rulebook.approval import Approval, Governed, Kind, content_digest, content_text, govern
from monitor.rulebook.book import Documents, build_rulebook, measuring_digest
from monitor.rulebook.language import Ladder, Rule
from monitor.store.at_once import insert_rows
from monitor.store.cases import mark_dirty_after
from monitor.store.nodes import change_what_governs
from monitor.store.tables import activation, approval, case_, clock, rule_version

CASES_AT_ONCE = 5_000
"""Marked by one transaction: few enough to hold up an intake for a moment only."""


class Active(NamedTuple):
    """The active rulebook's documents and digest."""

    documents: Documents
    digest: str


def active_rulebook(connection: Connection) -> Active | None:
    """What was last activated; None in a new database."""
    newest = select(activation.c.documents, activation.c.digest).order_by(activation.c.id.desc())
    row = connection.execute(newest.limit(1)).one_or_none()
    return None if row is None else Active(Documents.from_json(row.documents), row.digest)


def governed(
    connection: Connection, documents: Documents, *, planned: Iterable[Approval] = ()
) -> Governed:
    """What governs of documents, with what was accepted and approved before.

    `planned`: approvals to reckon with beside those that are kept. A clock that started under an
    earlier version is measured by it still. Raises ValueError where a newer program kept what this
    one cannot read.
    """
    accepted = [
        Rule.model_validate_json(content)
        for (content,) in connection.execute(select(rule_version.c.content))
    ]
    return govern(documents, accepted=accepted, approvals=[*approvals(connection), *planned])


def refusals(connection: Connection, documents: Documents) -> list[Fault]:
    """Rules that were accepted and are gone, or measure differently under the same version.

    A draft may: a version that nobody approved and by which no clock on record is measured.
    """
    accepted = _accepted(connection)
    present = {rule.id for rule in documents.rules}
    faults = [_gone(rule) for rule in sorted({rule for rule, _ in accepted} - present)]
    for rule in documents.rules:
        before = accepted.get((rule.id, rule.version))
        if before is None or before == (digest := measuring_digest(rule)):
            continue
        if not _is_draft(connection, rule):
            faults.append(_changed_without_version(rule, before, digest))
    return faults


def _accepted(connection: Connection) -> dict[tuple[str, int], str]:
    """Rule and version → the digest of what was accepted."""
    asked = select(
        rule_version.c.rule,
        rule_version.c.version,
        rule_version.c.content,
        rule_version.c.measuring_digest,
    )
    return {
        (rule, version): _digest_of(content, digest)
        for rule, version, content, digest in connection.execute(asked)
    }


def _is_draft(connection: Connection, rule: Rule) -> bool:
    """Whether nobody approved this version, and no clock on record is measured by it."""
    measured = select(clock.c.id).where(
        clock.c.rule == rule.id, clock.c.rule_version == rule.version
    )
    answered_for = select(approval.c.id).where(
        approval.c.kind == Kind.RULE,
        approval.c.name == rule.id,
        approval.c.version == rule.version,
    )
    return not any(connection.scalar(asked.limit(1)) for asked in (measured, answered_for))


def _digest_of(content: str, digest: str) -> str:
    """What an accepted version measures, in today's language: it may have learnt to say more."""
    try:
        return measuring_digest(Rule.model_validate_json(content))
    except ValueError:  # a newer program accepted it
        return digest


def _gone(rule: str) -> Fault:
    return Fault(
        file=f"{rule}.yaml",
        expected="this rule was accepted and its clocks run, and its file is gone",
        mend="put it back, and retire it by setting effective.to to its last day",
    )


def _changed_without_version(rule: Rule, before: str, digest: str) -> Fault:
    return Fault(
        file=f"{rule.id}.yaml",
        field="version",
        found=str(rule.version),
        expected=(
            f"this rule measures differently from the version {rule.version} that was accepted"
            f" (was {before[:12]}, is {digest[:12]})"
        ),
        mend=(
            f"put version {rule.version} back as it was, copy the file as"
            f" {rule.id}-{rule.version + 1}.yaml, and there set version to {rule.version + 1} and"
            " effective.from to a day to come"
        ),
    )


def open_by_version(connection: Connection, rule: str, version: int) -> int:
    """How many clocks that nothing has ended are measured by a version of a rule."""
    ended = (clock.c.stopped_at, clock.c.exempt_at, clock.c.void_at, clock.c.superseded_at)
    asked = select(func.count()).where(clock.c.rule == rule, clock.c.rule_version == version)
    found = connection.scalar(asked.where(*(column.is_(None) for column in ended)))
    return found or 0


def approvals(connection: Connection) -> list[Approval]:
    """Every approval, in the order in which they were given."""
    asked = select(
        approval.c.kind,
        approval.c.name,
        approval.c.version,
        approval.c.digest,
        approval.c.content,
        approval.c.role,
        approval.c.approved_at,
        approval.c.number,
    ).order_by(approval.c.id)
    return [Approval(Kind(kind), *rest) for kind, *rest in connection.execute(asked)]


def as_approval(
    content: Rule | Ladder, *, role: str = "", now: Instant = 0, number: int = 0
) -> Approval:
    """A rule or ladder, approved as it stands; `number`: of the action."""
    kind = Kind.RULE if isinstance(content, Rule) else Kind.LADDER
    digest, text = content_digest(content), content_text(content)
    return Approval(kind, content.id, content.version, digest, text, role, now, number)


def approve(
    connection: Connection, content: Rule | Ladder, *, role: str, now: Instant, number: int
) -> None:
    """Keep an approval."""
    row = as_approval(content, role=role, now=now, number=number)._asdict()
    connection.execute(insert(approval).values(name=row.pop("id"), **row))


def was_active(connection: Connection, *, digest: str, written: str) -> bool:
    """Whether a rulebook was ever the active one: by its digest, or by that of its files alone.

    The same files give another rulebook once later versions of their rules were accepted.
    """
    asked = select(activation.c.id).where(
        or_(activation.c.digest == digest, activation.c.written == written)
    )
    return connection.scalar(asked.limit(1)) is not None


def activate(
    connection: Connection,
    documents: Documents,
    *,
    actor: str,
    now: Instant,
    digest: str = "",
    written: str = "",
) -> str:
    """Accept every version and make the documents the active rulebook; returns its digest.

    `digest`: of the rulebook as it runs, where the installation limits what these documents say;
    `written`: of what its files alone give. No transaction that decides runs beside this one.
    Every case has a cause to be folded again: `spread` tells them so.
    """
    change_what_governs(connection)
    _forget_earlier_drafts(connection, documents.rules)
    rows = [
        (
            rule.id,
            rule.version,
            measuring_digest(rule),
            rule.model_dump_json(by_alias=True),
            now,
        )
        for rule in documents.rules
    ]
    columns = ("rule", "version", "measuring_digest", "content", "accepted_at")
    insert_rows(connection, rule_version, columns, rows)
    digest = digest or build_rulebook(documents).digest
    connection.execute(
        insert(activation).values(
            digest=digest,
            documents=documents.as_json(),
            activated_at=now,
            actor=actor,
            written=written or digest,
            dirty_from=None if connection.scalar(select(case_.c.id).limit(1)) is None else 0,
        )
    )
    return digest


def _forget_earlier_drafts(connection: Connection, rules: Iterable[Rule]) -> None:
    """What was accepted of drafts that say something else now: nothing was measured by it."""
    accepted = _accepted(connection)
    for rule in rules:
        is_other = accepted.get((rule.id, rule.version)) not in {None, measuring_digest(rule)}
        if is_other and _is_draft(connection, rule):
            connection.execute(
                delete(rule_version).where(
                    rule_version.c.rule == rule.id, rule_version.c.version == rule.version
                )
            )


def folds_wait(connection: Connection) -> bool:
    """Whether any case has a cause to be folded, or is to be given one.

    For who asks often and mostly in vain: it takes no lock.
    """
    return bool(connection.scalar(_FOLDS_WAIT))


_FOLDS_WAIT: Final = select(
    or_(
        exists(select(activation.c.id).where(activation.c.dirty_from.is_not(None))),
        exists(select(case_.c.id).where(case_.c.dirty != case_.c.assessed)),
    )
)


def spread(connection: Connection, *, limit: int = CASES_AT_ONCE) -> bool:
    """Give the next cases their cause to be folded under a new rulebook; whether more are left.

    A part at a time, each in a transaction of its own, so that nobody waits long for a case. How
    far it has come is kept with it: whoever comes next goes on. Cases that are made meanwhile are
    folded under the new rulebook from the start.
    """
    waiting = activation.c.dirty_from.is_not(None)
    newest = select(activation.c.id, activation.c.dirty_from).where(waiting)
    newest = newest.order_by(activation.c.id.desc()).limit(1).with_for_update(skip_locked=True)
    found = connection.execute(newest).one_or_none()
    if found is None:
        return False
    last = mark_dirty_after(connection, found.dirty_from, limit=limit)
    if last is None:  # what an earlier one had left was done with it
        done = update(activation).where(waiting, activation.c.id <= found.id)
        connection.execute(done.values(dirty_from=None))
        return False
    connection.execute(
        update(activation).where(activation.c.id == found.id).values(dirty_from=last)
    )
    return True
