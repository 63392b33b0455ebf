"""Wiring: settings become an installation that is ready to run.

What comes in: settings. What goes out: everything a pass needs, checked; or every fault of every
file at once. Real parts are chosen here and nowhere else. It decides nothing about cases.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

from monitor.cycle.parts import Monitor
from monitor.deliver.compose import Composer, check_templates
from monitor.deliver.smtp import MailServer, Post, UnsafeMailServer
from monitor.escalate.partners import Partners, read_partners
from monitor.escalate.roster import Roster, read_roster
from monitor.faults import Fault, FaultsFound
from monitor.ingest.feeds import Feed, read_feeds
from monitor.logs import get_logger
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.files import read_documents
from monitor.rulebook.language import Alerts, Vocabulary
from monitor.store import cases, intakes, rulebooks
from monitor.store.engine import Engine, open_engine, reading, writing
from monitor.store.schema import SchemaNotCurrent, check_current

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.model import Instant
    from monitor.settings import Settings

log = get_logger("wiring")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The rulebook that governs, and why it is not that of the files, if it is not."""

    rulebook: Rulebook
    fault: str = ""


def ready(settings: Settings, *, now: Instant, actor: str, activate: bool) -> Monitor:
    """An installation that is ready to run.

    `activate`: make the rules folder's content the active rulebook if it differs and can be.
    Raises FaultsFound, SchemaNotCurrent, WrongOwner or UnsafeMailServer.
    """
    engine = open_engine(settings.database_url())
    check_current(engine)
    in_force = _rulebook_in_force(settings, engine, now=now, actor=actor, activate=activate)
    files = read_files(settings, in_force.rulebook)
    if activate:
        _register(engine, files.feeds)
    return Monitor(
        settings=settings,
        engine=engine,
        rulebook=in_force.rulebook,
        rulebook_fault=in_force.fault,
        roster=files.roster,
        partners=files.partners,
        feeds=files.feeds,
        composer=_composer(settings),
        post=_post(settings),
        child_secret=_child_secret(settings),
        node=node_name(settings),
    )


def node_name(settings: Settings) -> str:
    """What this daemon is called among several."""
    return settings.service.node or socket.gethostname()


# -- files ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Everything people configured beside the rules."""

    roster: Roster
    partners: Partners
    feeds: dict[str, Feed]


def read_files(settings: Settings, rulebook: Rulebook) -> Files:
    """Feeds, recipients and partners; raises FaultsFound with the faults of all of them."""
    paths = settings.paths
    faults: list[Fault] = []
    roster = _or_faults(
        lambda: read_roster(settings.path(paths.recipients), rulebook.calendars), faults
    )
    partners = _or_faults(
        lambda: read_partners(settings.path(paths.partners), rulebook.calendars), faults
    )
    feeds = _or_faults(lambda: _feeds(settings.path(paths.feeds), rulebook.vocabulary), faults)
    if roster is None or partners is None or feeds is None:
        raise FaultsFound(faults)
    return Files(roster=roster, partners=partners, feeds=feeds)


def _feeds(folder: Path, vocabulary: Vocabulary) -> dict[str, Feed]:
    return read_feeds(
        folder,
        known_kinds=frozenset(vocabulary.kinds),
        known_attributes=frozenset(vocabulary.attributes),
        known_values={
            "partner": frozenset(vocabulary.partners),
            "category": frozenset(vocabulary.categories),
            "risk": frozenset(vocabulary.risks),
            "decision": frozenset(vocabulary.decisions),
        },
    )


def _or_faults(read: Callable[[], T], faults: list[Fault]) -> T | None:
    try:
        return read()
    except FaultsFound as found:
        faults += found.faults
        return None


def check_everything(settings: Settings) -> list[Fault]:
    """Every fault of rules, feeds, recipients, partners, templates, secrets and database."""
    faults = check_templates(settings.path(settings.paths.templates))
    documents = _or_faults(lambda: read_documents(settings.path(settings.paths.rules)), faults)
    if documents is not None:
        rulebook = build_rulebook(documents)
        _or_faults(lambda: read_files(settings, rulebook), faults)
    _or_faults(lambda: _child_secret(settings), faults)
    try:
        _post(settings)
    except UnsafeMailServer as unsafe:
        faults.append(Fault(file="config/monitor.toml", field="mail", expected=str(unsafe)))
    return faults + _database_faults(settings, documents)


def _database_faults(settings: Settings, documents: Documents | None) -> list[Fault]:
    engine = open_engine(settings.database_url())
    try:
        check_current(engine)
    except SchemaNotCurrent as behind:
        return [Fault(file="database", expected=str(behind))]
    if documents is None:
        return []
    with reading(engine) as connection:
        return rulebooks.refusals(connection, documents)


# -- the rulebook -----------------------------------------------------------------------------


def _rulebook_in_force(
    settings: Settings, engine: Engine, *, now: Instant, actor: str, activate: bool
) -> InForce:
    """The files' rulebook where it can be in force; else the one last accepted, with the reason.

    A daemon that starts is never silent because somebody is editing a rule.
    """
    with (writing if activate else reading)(engine) as connection:
        active = rulebooks.active_rulebook(connection)
        try:
            documents = read_documents(settings.path(settings.paths.rules))
            if refused := rulebooks.refusals(connection, documents):
                raise FaultsFound(refused)
        except FaultsFound as found:
            if active is None:
                raise
            log.error("rules_refused", why=str(found))
            return InForce(rulebook=build_rulebook(active.documents), fault=str(found))
        documents = rulebooks.with_accepted_versions(connection, documents)
        written = build_rulebook(documents, alerts_limit=Alerts(settings.telling.alerts))
        if active is not None and (active.digest == written.digest or not activate):
            return InForce(rulebook=build_rulebook(active.documents))
        if activate:
            digest = rulebooks.activate(connection, written.documents, actor=actor, now=now)
            cases.mark_all_dirty(connection)
            log.info("rulebook_activated", digest=digest[:12])
        return InForce(rulebook=written)


# -- parts ------------------------------------------------------------------------------------


def _register(engine: Engine, feeds: dict[str, Feed]) -> None:
    with writing(engine) as connection:
        for feed in feeds.values():
            intakes.register_feed(connection, feed.name, tolerance=feed.tolerance, lag=feed.lag)


def _composer(settings: Settings) -> Composer:
    return Composer(
        templates=settings.path(settings.paths.templates),
        zone=ZoneInfo(settings.service.zone),
        marking=settings.service.marking,
        sender=settings.mail.sender,
        sender_name=settings.service.name,
        domain=settings.mail.sender.partition("@")[2],
    )


def _post(settings: Settings) -> Post:
    mail = settings.mail
    return Post(
        MailServer(
            host=mail.host,
            port=mail.port,
            security=mail.security,
            allowed_domains=mail.allowed_domains,
            username=mail.username,
            password=settings.mail_password() or "",
            ca_file=settings.path(mail.ca_file) if mail.ca_file else None,
            client_certificate=(
                settings.path(mail.client_certificate) if mail.client_certificate else None
            ),
            client_key=settings.path(mail.client_key) if mail.client_key else None,
            connect_seconds=min(10.0, mail.timeout_seconds),
            exchange_seconds=mail.timeout_seconds,
        )
    )


def _child_secret(settings: Settings) -> bytes:
    text = settings.secret(settings.paths.child_secret_file)
    try:
        return bytes.fromhex(text)
    except ValueError:
        file = str(settings.path(settings.paths.child_secret_file))
        fault = Fault(file=file, expected="32 to 128 hexadecimal digits, as `monitor init` writes")
        raise FaultsFound([fault]) from None
