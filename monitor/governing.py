"""Which rulebook governs here: that of the files, as far as it is approved, or the last accepted.

What comes in: settings, and a database. What goes out: the rulebook that is in force and how each
rule stands, activated or approved where somebody asks for it. It does not care what the other files
of an installation say: `wiring` reads those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.cycle.nodes import other_rules
from monitor.faults import Fault, FaultsFound
from monitor.logs import get_logger
from monitor.rulebook.approval import (
    Governed,
    Kind,
    Standing,
    State,
    missing_calendars,
)
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.files import read_documents
from monitor.rulebook.language import Alerts
from monitor.store import actions, nodes, rulebooks
from monitor.store.engine import Connection, Engine, in_transaction, open_engine, reading
from monitor.store.schema import check_current

if TYPE_CHECKING:
    from monitor.model import Instant
    from monitor.settings import Settings

log = get_logger("governing")

NEWER_PROGRAM: Final = (
    "a newer program accepted or approved rules that this one cannot read: install that version"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The rulebook that governs, and why it is not that of the files, if it is not."""

    rulebook: Rulebook
    fault: str = ""
    behind: str = ""
    """Why nothing is to be decided here, though the rulebook is in force."""
    standings: tuple[Standing, ...] = ()
    """How each rule and ladder of the files stands; empty where they are refused."""
    to_accept: Documents | None = None
    """The files' content, where it has to be made the active rulebook."""


def rulebook_in_force(settings: Settings, engine: Engine, *, node: str, activate: bool) -> InForce:
    """The files' rulebook where it can be in force; else the one last accepted, with the reason.

    A daemon that starts is never silent because somebody is editing a rule. Rules that were in
    force before come back by themselves only where no other node is known: among several, the one
    that has them may merely not have been updated.
    """
    try:
        documents = read_documents(settings.path(settings.paths.rules))
    except FaultsFound as found:
        with reading(engine) as connection:
            return _last_accepted(settings, connection, found)
    with reading(engine) as connection:
        try:
            found_here = governed(connection, documents)
        except FaultsFound as found:
            return _last_accepted(settings, connection, found)
        except ValueError:
            return InForce(rulebook=limited(settings, documents), behind=NEWER_PROGRAM)
        mine = limited(settings, found_here.documents)
        written = limited(settings, found_here.written).digest
        active = _active(connection)
        is_new = not rulebooks.was_active(connection, digest=mine.digest, written=written)
        may_return = not nodes.others_known(connection, node)
    standings = found_here.standings
    if active is not None and active.digest == mine.digest:
        return InForce(rulebook=mine, standings=standings)
    may_accept = activate and (is_new or may_return or active is None)
    if may_accept or active is None:
        accepted = documents if may_accept else None
        return InForce(rulebook=mine, standings=standings, to_accept=accepted)
    in_force = mine if active.documents is None else limited(settings, active.documents)
    behind = other_rules(mine.digest, active.digest)
    return InForce(rulebook=in_force, standings=standings, behind=behind)


def governed(connection: Connection, documents: Documents) -> Governed:
    """What governs of documents that fit together.

    Raises FaultsFound where they cannot follow what was accepted, ValueError where a newer program
    kept what this one cannot read.
    """
    if refused := rulebooks.refusals(connection, documents):
        raise FaultsFound(refused)
    found = rulebooks.governed(connection, documents)
    if missing := missing_calendars(found):
        raise FaultsFound(missing)
    return found


def refusals(connection: Connection, documents: Documents) -> list[Fault]:
    """Why documents could not be in force; an empty list where they could."""
    try:
        governed(connection, documents)
    except FaultsFound as found:
        return list(found.faults)
    except ValueError:
        return [Fault(file="database", expected=NEWER_PROGRAM)]
    return []


class _Active(NamedTuple):
    """The active rulebook; its documents are None where a newer program wrote them."""

    documents: Documents | None
    digest: str


def _active(connection: Connection) -> _Active | None:
    try:
        found = rulebooks.active_rulebook(connection)
    except ValueError:
        return _Active(None, nodes.governing(connection).rulebook)
    return None if found is None else _Active(*found)


def _last_accepted(settings: Settings, connection: Connection, found: FaultsFound) -> InForce:
    active = _active(connection)
    if active is None or active.documents is None:
        raise found
    log.error("rules_refused", why=str(found))
    return InForce(rulebook=limited(settings, active.documents), fault=str(found))


def limited(settings: Settings, documents: Documents) -> Rulebook:
    """The rulebook of documents, as far as the installation lets it speak."""
    return build_rulebook(documents, alerts_limit=Alerts(settings.telling.alerts))


def say_what_waits(standings: Sequence[Standing]) -> None:
    """Put into the log what is on trial, and what runs on as it was approved."""
    trial = [each.id for each in standings if each.state is State.TRIAL and each.kind is Kind.RULE]
    edited = [each.id for each in standings if each.state is State.EDITED]
    if trial or edited:
        log.warning("rules_wait_for_approval", on_trial=trial, edited=edited)


# -- activating -------------------------------------------------------------------------------


class Activated(NamedTuple):
    """The digests of the rulebook that was active, and of the one that is now."""

    before: str
    after: str


def accept(
    settings: Settings, engine: Engine, in_force: InForce, *, actor: str, now: Instant
) -> None:
    """Make new documents the active rulebook, unless another node did so meanwhile.

    What rules say without the installation's limit is kept: the limit may be lifted later.
    """
    if in_force.to_accept is None:
        return
    documents = in_force.to_accept
    done = in_transaction(engine, lambda c: activate_now(c, settings, documents, actor, now))
    log.info("rulebook_activated", digest=done.after[:12])


def activate_files(settings: Settings, *, now: Instant, actor: str) -> Activated:
    """Make the rules folder's content the active rulebook on purpose, an earlier one too.

    Every node with other files holds back from now on. Raises FaultsFound, SchemaNotCurrent (a
    newer program's database too), WrongOwner.
    """
    documents = read_documents(settings.path(settings.paths.rules))
    engine = open_engine(settings.database_url())
    try:
        check_current(engine)
        return in_transaction(
            engine, lambda c: _activate_on_purpose(c, settings, documents, actor, now)
        )
    finally:
        engine.dispose()


def _activate_on_purpose(
    connection: Connection, settings: Settings, documents: Documents, actor: str, now: Instant
) -> Activated:
    done = activate_now(connection, settings, documents, actor, now)
    if done.before != done.after:
        actions.record_action(
            connection, kind="activate rules", target=done.after, actor=actor, now=now
        )
    return done


def activate_now(
    connection: Connection, settings: Settings, documents: Documents, actor: str, now: Instant
) -> Activated:
    """Put what governs of the files in force, in a transaction that may hold more.

    What governs is asked anew: another node may have accepted or approved something meanwhile.
    """
    nodes.change_what_governs(connection)
    before = nodes.governing(connection).rulebook
    found = governed(connection, documents)
    digest, written = (limited(settings, each).digest for each in (found.documents, found.written))
    if before != digest:
        rulebooks.activate(
            connection, found.documents, actor=actor, now=now, digest=digest, written=written
        )
    return Activated(before, digest)
