"""Approval of rules and ladders: what is meant, what it would change, and its record.

What comes in: settings, the names of rules, and who approves. What goes out: a plan to be looked
at; then approvals in the database and the rulebook that they put in force. It does not care how
people are asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from monitor.data import data_folder
from monitor.faults import Fault, FaultsFound
from monitor.governing import Activated, activate_now, governed, limited
from monitor.rulebook.approval import Approved, Governed, Kind, State, content_digest
from monitor.rulebook.book import Documents, Rulebook
from monitor.rulebook.difference import Difference, difference
from monitor.rulebook.files import Page, Pages, read_documents, read_page, read_pages
from monitor.rulebook.findings import Finding, beginning
from monitor.rulebook.language import Ladder, Rule
from monitor.store import actions, nodes, rulebooks
from monitor.store.engine import (
    Connection,
    DatabaseGone,
    NetworkFile,
    NotADatabase,
    WrongOwner,
    in_transaction,
    is_unusable,
    open_engine,
    reading,
)
from monitor.store.schema import SchemaNotCurrent, check_current
from monitor.words import nearest, without_article

if TYPE_CHECKING:
    from monitor.model import Instant
    from monitor.settings import Settings

Approvable: TypeAlias = Rule | Ladder
T = TypeVar("T")


class Account(NamedTuple):
    """Who approves."""

    numbers: frozenset[int]
    """Of the accounts of the operating system: by which the command runs, and who typed it."""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be approved, and what would then govern."""

    pages: tuple[Page[Rule] | Page[Ladder], ...]
    """The files whose content is to be approved; empty where nothing waits."""
    documents: Documents
    """All files of the folder."""
    before: Rulebook
    """What governs without it."""
    after: Rulebook
    """What would govern with it, as far as the installation lets it speak."""
    before_unlimited: Documents
    """What governs without it, as the rules themselves say it."""
    after_unlimited: Documents
    """What would govern with it, as the rules themselves say it."""
    also_told_by: dict[str, tuple[str, ...]]
    """Ladder that is to be approved → the other rules that tell by it."""

    @property
    def contents(self) -> tuple[Approvable, ...]:
        """What would be approved."""
        return tuple(page.content for page in self.pages)

    @property
    def approvables(self) -> tuple[tuple[Approvable, str], ...]:
        """The same, each with its hash."""
        return tuple((content, content_digest(content)) for content in self.contents)

    @property
    def rules(self) -> frozenset[str]:
        """The rules of which somebody may be told otherwise.

        Those that are approved and those that tell by one of the ladders; none on trial.
        """
        ladders = {each.id for each in self.contents if isinstance(each, Ladder)}
        ids = {each.id for each in self.contents if isinstance(each, Rule)}
        trial = set(self.after_unlimited.trial)
        return frozenset(
            rule.id
            for rule in self.after_unlimited.rules
            if (rule.id in ids or rule.ladder in ladders) and (rule.id, rule.version) not in trial
        )

    @property
    def differences(self) -> list[Difference]:
        """What approving it changes, in rules and ladders that were approved before.

        How much a rule may say is as the installation lets it: a rule on trial says nothing.
        """
        names = {content.id for content in self.contents}
        found = difference(self.before.documents, self.after.documents)
        return [each for each in found if each.id in names]

    def beginnings(self, today: date) -> list[Finding]:
        """What was measured already and would change; `today`: the date where the force is."""
        trial = set(self.before.documents.trial)
        rules = self.before.documents.rules
        approved = [rule for rule in rules if (rule.id, rule.version) not in trial]
        meant = [each for each in self.contents if isinstance(each, Rule)]
        return [each for rule in meant for each in beginning(rule, approved, today=today)]


def plan_approval(settings: Settings, names: Collection[str], *, everything: bool = False) -> Plan:
    """What approving these rules and ladders would mean; it changes nothing.

    `names`: ids; `ladder/ID` where a rule has the same. A rule takes its ladder with it.
    `everything`: all that wait. Raises FaultsFound where files are at fault or there is none of a
    name, SchemaNotCurrent, WrongOwner.
    """
    pages = read_pages(settings.path(settings.paths.rules))
    documents = pages.documents()
    engine = open_engine(settings.database_url(), must_exist=True)
    try:
        check_current(engine)
        with reading(engine) as connection:
            found = governed(connection, documents)
            chosen = _chosen(settings, pages, found, names, everything=everything)
            planned = [rulebooks.as_approval(page.content) for page in chosen]
            after = rulebooks.governed(connection, documents, planned=planned)
    finally:
        engine.dispose()
    return Plan(
        pages=chosen,
        documents=documents,
        before=limited(settings, found.documents),
        after=limited(settings, after.documents),
        before_unlimited=found.documents,
        after_unlimited=after.documents,
        also_told_by=_also_told_by(chosen, documents),
    )


def _chosen(
    settings: Settings, pages: Pages, found: Governed, names: Collection[str], *, everything: bool
) -> tuple[Page[Rule] | Page[Ladder], ...]:
    """The pages that are meant and are not approved as they stand."""
    state = {(each.kind, each.id, each.version): each.state for each in found.standings}
    if everything:
        rules = pages.rules
        alone = [page for page in pages.ladders if state[_key(page.content)] is State.EDITED]
    else:
        rules, alone = _named(settings, pages, names)
    taken = {page.content.ladder for page in rules} | {page.content.id for page in alone}
    told_by = [page for page in pages.ladders if page.content.id in taken]
    meant: list[Page[Rule] | Page[Ladder]] = [*rules, *told_by]
    return tuple(page for page in meant if state[_key(page.content)] is not State.APPROVED)


def _named(
    settings: Settings, pages: Pages, names: Collection[str]
) -> tuple[list[Page[Rule]], list[Page[Ladder]]]:
    """The rules, and the ladders by themselves, that names mean; a rule's comes first."""
    rules = [page for page in pages.rules if page.content.id in names]
    known = {page.content.id for page in rules}
    alone = {name.removeprefix("ladder/") for name in names if name not in known}
    ladders = [page for page in pages.ladders if page.content.id in alone]
    unknown = alone - {page.content.id for page in ladders}
    if unknown:
        raise FaultsFound([_no_such(settings, name, pages) for name in sorted(unknown)])
    return rules, ladders


def _key(content: Approvable) -> tuple[Kind, str, int]:
    kind = Kind.RULE if isinstance(content, Rule) else Kind.LADDER
    return kind, content.id, content.version


def _no_such(settings: Settings, name: str, pages: Pages) -> Fault:
    known = {page.content.id for page in pages.rules}
    known |= {page.content.id for page in pages.ladders}
    return Fault(
        file=f"{settings.paths.rules}/",
        found=repr(name),
        expected="there is no such rule or ladder; "
        + nearest(name.removeprefix("ladder/"), known, list_all="monitor rules list"),
    )


def _also_told_by(
    chosen: Collection[Page[Rule] | Page[Ladder]], documents: Documents
) -> dict[str, tuple[str, ...]]:
    ids = {page.content.id for page in chosen if isinstance(page.content, Rule)}
    found = {
        page.content.id: tuple(
            sorted({r.id for r in documents.rules if r.ladder == page.content.id} - ids)
        )
        for page in chosen
        if isinstance(page.content, Ladder)
    }
    return {ladder: rules for ladder, rules in found.items() if rules}


def approve(
    settings: Settings, plan: Plan, *, role: str, account: Account, now: Instant
) -> Activated:
    """Approve what was planned, and put what then governs in force, in one transaction.

    `role`: for which role or post, with or without an article. Raises FaultsFound where the account
    itself wrote what it would approve, or where files changed since they were planned.
    """
    folder, role = settings.path(settings.paths.rules), without_article(role)
    if faults := [*own_writing(settings, plan, account), *_changed_since(plan, folder)]:
        raise FaultsFound(faults)
    engine = open_engine(settings.database_url(), must_exist=True)

    def work(connection: Connection) -> Activated:
        nodes.change_what_governs(connection)
        for content in plan.contents:
            _keep_approval(connection, content, role=role, actor=account.name, now=now)
        return activate_now(connection, settings, plan.documents, account.name, now)

    try:
        check_current(engine)
        return in_transaction(engine, work)
    finally:
        engine.dispose()


def _keep_approval(
    connection: Connection, content: Approvable, *, role: str, actor: str, now: Instant
) -> None:
    kind, name, version = _key(content)
    target = f"{kind} {name}"
    detail = {"version": version, "digest": content_digest(content)}
    number = actions.record_action(
        connection,
        kind="approve",
        target=target,
        actor=actor,
        now=now,
        on_behalf_of=role,
        detail=json.dumps(detail, sort_keys=True),
    )
    rulebooks.approve(connection, content, role=role, now=now, number=number)
    actions.write_audit(
        connection,
        operation="alteration",
        actor=actor,
        subject=target,
        now=now,
        detail={"approved": version, "digest": detail["digest"]},
    )


def own_writing(settings: Settings, plan: Plan, account: Account) -> list[Fault]:
    """Files that belong to whoever would approve them, unless they came with the program."""
    folder = settings.path(settings.paths.rules)
    return [
        page.fault(
            ("id",),
            found=repr(page.content.id),
            expected="this file belongs to the account that would approve it: nobody approves what"
            " they wrote",
            mend="have another account approve it",
        )
        for page in plan.pages
        if Path(page.file).stat().st_uid in account.numbers
        and not _came_with_the_program(page, folder)
    ]


def _came_with_the_program(page: Page[Rule] | Page[Ladder], folder: Path) -> bool:
    """Whether a file says what the one of this name says that is shipped."""
    shipped = data_folder("rules") / Path(page.file).relative_to(folder)
    if not shipped.is_file():
        return False
    if shipped.read_bytes() == Path(page.file).read_bytes():
        return True
    there = read_page(shipped, type(page.content), [])
    return there is not None and content_digest(there.content) == content_digest(page.content)


def _changed_since(plan: Plan, folder: Path) -> Iterator[Fault]:
    """What was shown is what is approved."""
    if read_documents(folder).as_json() != plan.documents.as_json():
        yield Fault(
            file=str(folder),
            expected="files were changed while they were being approved",
            mend="look at them and approve again",
        )


def waiting_beginnings(settings: Settings, folder: Path | None, *, today: date) -> list[Finding]:
    """The same of all rules of a folder (the settings' own by default) that nobody approved yet.

    Nothing is found where there is no database, or none that this account and program can read.
    Raises FaultsFound for the files.
    """
    documents = read_documents(folder or settings.path(settings.paths.rules))
    approved = _approved_where_known(settings)
    keys = {(rule.id, rule.version) for rule in approved}
    waiting = [rule for rule in documents.rules if (rule.id, rule.version) not in keys]
    return [each for rule in waiting for each in beginning(rule, approved, today=today)]


def _approved_where_known(settings: Settings) -> list[Rule]:
    kept = where_known(settings, lambda c: Approved.of(rulebooks.approvals(c)))
    return [] if kept is None else [rule for rule, _ in kept.rules.values()]


def where_known(settings: Settings, ask: Callable[[Connection], T]) -> T | None:
    """What a database answers; None without one that this account and this program can read."""
    try:
        return of_database(settings, ask)
    except (DatabaseGone, NetworkFile, NotADatabase, SchemaNotCurrent):
        return None
    except (PermissionError, WrongOwner):  # it is another account's
        return None
    except Exception as error:
        if not is_unusable(error):
            raise
        return None


def of_database(settings: Settings, ask: Callable[[Connection], T]) -> T:
    """What the installation's database answers. Raises as `plan_approval`."""
    engine = open_engine(settings.database_url(), must_exist=True)
    try:
        check_current(engine)
        with reading(engine) as connection:
            return ask(connection)
    finally:
        engine.dispose()
