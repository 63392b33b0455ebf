"""How each rule of the files stands: its versions, what is approved of them, which files are gone.

What comes in: settings, and what they name: rules and a database. What goes out: plain values for
lists, for reading aloud and for comparing. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from monitor.approving import of_database, where_known
from monitor.governing import governed, limited
from monitor.rulebook.approval import Governed, Kind, Standing
from monitor.rulebook.files import read_documents
from monitor.rulebook.findings import Finding, vanished
from monitor.rulebook.versions import Version, of_files, versions
from monitor.store import rulebooks

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.model import Instant
    from monitor.rulebook.book import Documents, Rulebook
    from monitor.settings import Settings
    from monitor.store.engine import Connection


class VersionLine(NamedTuple):
    """One version of a rule, and how it stands."""

    version: int
    since: str
    until: str
    """The last date whose starts it governs; empty where no end is in sight."""
    state: str
    """`in force`, `approved, begins on 2026-12-01`, `waits for approval`…"""
    holds: bool
    """Whether it governs what starts today."""
    approved_by: str
    """The role; empty where nobody approved it, or before approvals were kept."""
    approved_at: Instant | None


class RuleLine(NamedTuple):
    """A rule of the files, and how it stands."""

    id: str
    title: str
    versions: tuple[int, ...]
    """In force, oldest first."""
    file_version: int
    since: str
    """The date from which the newest of them governs what starts."""
    alerts: str
    """How much the newest may say as the installation stands."""
    state: str
    approved_by: str
    """The role; empty on trial, and where it was in force before approvals were kept."""
    approved_at: Instant | None
    review_due: str
    by_version: tuple[VersionLine, ...]
    """Those in force, and then those that wait."""


def rule_lines(settings: Settings, *, today: date) -> list[RuleLine]:
    """Every rule of the files, by its id. `today`: the date where the force is.

    Raises FaultsFound, SchemaNotCurrent, WrongOwner.
    """
    documents = read_documents(settings.path(settings.paths.rules))
    found = _found(settings, documents)
    book = limited(settings, found.documents)
    newest = {each.id: each for each in found.standings if each.kind is Kind.RULE}
    by_id = versions(found, documents, today=today)
    return [_rule_line(standing, book, by_id[name]) for name, standing in newest.items()]


def _rule_line(standing: Standing, book: Rulebook, found: list[Version]) -> RuleLine:
    duties, approval = book.duties[standing.id], standing.approval
    rule = duties[-1].rule
    return RuleLine(
        id=standing.id,
        title=rule.title,
        versions=tuple(duty.rule.version for duty in duties),
        file_version=standing.version,
        since=rule.effective.from_.isoformat(),
        alerts=str(rule.alerts),
        state=standing.in_words,
        approved_by=approval.role if approval else "",
        approved_at=approval.approved_at if approval else None,
        review_due=rule.authority.review_due.isoformat(),
        by_version=tuple(map(_version_line, found)),
    )


def _version_line(version: Version) -> VersionLine:
    approval = version.approval
    return VersionLine(
        version=version.rule.version,
        since=version.rule.effective.from_.isoformat(),
        until="" if version.until is None else version.until.isoformat(),
        state=version.state,
        holds=version.holds,
        approved_by=approval.role if approval else "",
        approved_at=approval.approved_at if approval else None,
    )


class Readable(NamedTuple):
    """What can be read aloud of a rule."""

    versions: list[Version]
    """Oldest first, and then those that wait; none where there is no such rule."""
    in_force: Documents
    """In which the words of those in force stand; of the files where it is not known what is."""
    is_known: bool
    """Whether it is known what was approved."""


def readable(settings: Settings, documents: Documents, rule: str, *, today: date) -> Readable:
    """Every version of a rule, whether or not the files could come into force as they are."""
    found = where_known(settings, lambda c: rulebooks.governed(c, documents))
    if found is None:
        return Readable(of_files(documents).get(rule, []), documents, is_known=False)
    every = versions(found, documents, today=today)
    return Readable(every.get(rule, []), found.documents, is_known=True)


class Baseline(NamedTuple):
    """That with which other documents are compared."""

    documents: Documents
    called: dict[tuple[str, str], str]
    """(kind, id) of a rule or ladder → `approved` or `on trial`."""


def baseline(settings: Settings, *, with_trial: bool) -> Baseline:
    """What is approved of the files: rules and ladders as they were approved.

    `with_trial`: also what measures on trial. Calendars, holidays and vocabulary, which need no
    approval, are as they are in force; where nothing is in force yet, as they are in the files.
    Raises as `rule_lines`.
    """
    files = read_documents(settings.path(settings.paths.rules))
    found = _found(settings, files)
    active = of_database(settings, rulebooks.active_rulebook)
    in_force = files if active is None else active.documents
    trial = set(found.documents.trial)
    approved = {e.id for e in found.standings if e.kind is Kind.LADDER and e.approval is not None}
    rules = [r for r in found.documents.rules if with_trial or (r.id, r.version) not in trial]
    ladders = [e for e in found.documents.ladders if with_trial or e.id in approved]
    called = {("rule", r.id): "on trial" for r in rules if (r.id, r.version) in trial}
    called |= {("rule", r.id): "approved" for r in rules if (r.id, r.version) not in trial}
    called |= {("ladder", e.id): "approved" if e.id in approved else "on trial" for e in ladders}
    return Baseline(
        found.documents.model_copy(
            update={
                "rules": tuple(rules),
                "ladders": tuple(ladders),
                "calendars": in_force.calendars,
                "holidays": in_force.holidays,
                "vocabulary": in_force.vocabulary,
            }
        ),
        called,
    )


def would_govern(settings: Settings) -> Documents:
    """What the files would put in force, as the rules themselves say it. Raises as `rule_lines`."""
    documents = read_documents(settings.path(settings.paths.rules))
    return _found(settings, documents).documents


def gone_files(settings: Settings, folder: Path | None, *, today: date) -> list[Finding]:
    """Versions that hold and that no file has any more; none without a database to be read."""
    documents = read_documents(folder or settings.path(settings.paths.rules))
    in_files = {(rule.id, rule.version) for rule in documents.rules}

    def ask(connection: Connection) -> list[Finding]:
        found = rulebooks.governed(connection, documents)
        every = versions(found, documents, today=today)
        gone = [
            each
            for of_rule in every.values()
            for each in of_rule
            if (each.rule.id, each.rule.version) not in in_files
        ]
        return list(_said_of_gone(connection, gone, today=today))

    return where_known(settings, ask) or []


def _said_of_gone(connection: Connection, gone: list[Version], *, today: date) -> Iterator[Finding]:
    for each in gone:
        clocks = rulebooks.open_by_version(connection, each.rule.id, each.rule.version)
        yield from vanished(each, open_clocks=clocks, today=today)


def _found(settings: Settings, documents: Documents) -> Governed:
    return of_database(settings, lambda connection: governed(connection, documents))
