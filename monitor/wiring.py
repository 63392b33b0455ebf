"""Wiring: settings become an installation that is ready to run.

What comes in: settings. What goes out: everything a pass needs, checked; or every fault of every
file at once. Real parts are chosen here and nowhere else. It decides nothing about cases.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

from monitor.cycle.parts import Monitor
from monitor.deliver.compose import Composer, check_templates
from monitor.deliver.smtp import MailServer, Post, UnsafeMailServer, is_allowed
from monitor.escalate.partners import Partners, read_partners
from monitor.escalate.roster import Roster, read_roster
from monitor.faults import Fault, FaultsFound
from monitor.ingest.feeds import Feed, read_feeds
from monitor.logs import get_logger
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.files import read_documents
from monitor.rulebook.language import Alerts, Vocabulary
from monitor.store import cases, intakes, rulebooks
from monitor.store.engine import Connection, Engine, open_engine, reading, writing
from monitor.store.schema import SchemaNotCurrent, check_current

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.model import Instant
    from monitor.settings import Settings

log = get_logger("wiring")

T = TypeVar("T")

SETTINGS: Final = "config/monitor.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The rulebook that governs, and why it is not that of the files, if it is not."""

    rulebook: Rulebook
    fault: str = ""
    to_accept: Documents | None = None
    """What has to be made the active rulebook first."""


def ready(settings: Settings, *, now: Instant, actor: str, activate: bool) -> Monitor:
    """An installation that is ready to run.

    `activate`: make the rules folder's content the active rulebook if it differs and can be.
    Raises FaultsFound, SchemaNotCurrent, WrongOwner or UnsafeMailServer.
    """
    engine = open_engine(settings.database_url())
    check_current(engine)
    in_force = _rulebook_in_force(settings, engine, activate=activate)
    files = read_files(settings, in_force.rulebook)
    monitor = Monitor(
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
    # Last, so that a fault in any other file activates nothing.
    if activate:
        _register(engine, files.feeds)
        _accept(engine, in_force, actor=actor, now=now)
    return monitor


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
        files = _or_faults(lambda: read_files(settings, rulebook), faults)
        faults += _unknown_calendar(settings, rulebook)
        faults += _unknown_stop_feeds(rulebook, files.feeds if files else None)
        faults += _out_of_bounds(settings, files.roster if files else None)
    _or_faults(lambda: _child_secret(settings), faults)
    _or_faults(lambda: _check_post(settings), faults)
    _or_faults(lambda: _check_database(settings, documents), faults)
    return faults


def _unknown_stop_feeds(rulebook: Rulebook, feeds: Mapping[str, Feed] | None) -> list[Fault]:
    """Rules whose stops are to come from feeds that are not there."""
    if feeds is None:
        return []
    known = ", ".join(sorted(feeds)) or "none is configured"
    return [
        Fault(
            file=f"{rule.id}.yaml",
            field="stop_feeds",
            found=repr(name),
            expected=f"there is no such feed; known: {known}",
        )
        for rule in rulebook.documents.rules
        for name in rule.stop_feeds
        if name not in feeds
    ]


def _unknown_calendar(settings: Settings, rulebook: Rulebook) -> list[Fault]:
    name = settings.digest.calendar
    if name in rulebook.calendars:
        return []
    known = ", ".join(sorted(rulebook.calendars))
    expected = f"there is no such calendar; known: {known}"
    return [Fault(file=SETTINGS, field="digest.calendar", found=repr(name), expected=expected)]


def _out_of_bounds(settings: Settings, roster: Roster | None) -> list[Fault]:
    """Addresses to which no mail may go: found here, and not when the first mail is refused."""
    written: list[tuple[str, str, str]] = [
        (SETTINGS, "operator.addresses", address) for address in settings.operator.addresses
    ]
    if redirect := settings.telling.redirect_all_to:
        written.append((SETTINGS, "telling.redirect_all_to", redirect))
    if roster is not None:
        file = settings.paths.recipients
        written += [(file, f"posts.{post.role}", post.address) for post in roster.file.posts]
        written += [
            (file, f"digests.{digest.scope}", address)
            for digest in roster.file.digests
            for address in digest.to
        ]
    allowed = settings.mail.allowed_domains
    return [
        Fault(
            file=file,
            field=field,
            found=repr(address),
            expected="no mail may go to this domain",
            mend="correct the address, or add its domain to mail.allowed_domains",
        )
        for file, field, address in dict.fromkeys(written)
        if allowed and not is_allowed(address.partition("@")[2].lower(), allowed)
    ]


def _check_post(settings: Settings) -> None:
    try:
        _post(settings)
    except UnsafeMailServer as unsafe:
        fault = Fault(file=SETTINGS, field="mail", expected=str(unsafe))
        raise FaultsFound([fault]) from None


def _check_database(settings: Settings, documents: Documents | None) -> None:
    engine = open_engine(settings.database_url())
    try:
        check_current(engine)
        if documents is not None:
            with reading(engine) as connection:
                refused = rulebooks.refusals(connection, documents)
            if refused:
                raise FaultsFound(refused)
    except SchemaNotCurrent as behind:
        raise FaultsFound([Fault(file="database", expected=str(behind))]) from None
    finally:
        engine.dispose()


# -- the rulebook -----------------------------------------------------------------------------


def _rulebook_in_force(settings: Settings, engine: Engine, *, activate: bool) -> InForce:
    """The files' rulebook where it can be in force; else the one last accepted, with the reason.

    A daemon that starts is never silent because somebody is editing a rule.
    """
    try:
        documents = read_documents(settings.path(settings.paths.rules))
    except FaultsFound as found:
        with reading(engine) as connection:
            return _last_accepted(settings, connection, found)
    with reading(engine) as connection:
        if refused := rulebooks.refusals(connection, documents):
            return _last_accepted(settings, connection, FaultsFound(refused))
        documents = rulebooks.with_accepted_versions(connection, documents)
        active = rulebooks.active_rulebook(connection)
    written = _limited(settings, documents)
    if active is not None and active.digest == written.digest:
        return InForce(rulebook=written)
    if activate:
        return InForce(rulebook=written, to_accept=documents)
    return InForce(rulebook=written if active is None else _limited(settings, active.documents))


def _last_accepted(settings: Settings, connection: Connection, found: FaultsFound) -> InForce:
    active = rulebooks.active_rulebook(connection)
    if active is None:
        raise found
    log.error("rules_refused", why=str(found))
    return InForce(rulebook=_limited(settings, active.documents), fault=str(found))


def _accept(engine: Engine, in_force: InForce, *, actor: str, now: Instant) -> None:
    """Make new documents the active rulebook, unless another node did so meanwhile.

    What rules say without the installation's limit is kept: the limit may be lifted later.
    """
    if in_force.to_accept is None:
        return
    digest = in_force.rulebook.digest
    with writing(engine) as connection:
        active = rulebooks.active_rulebook(connection)
        if active is not None and active.digest == digest:
            return
        rulebooks.activate(connection, in_force.to_accept, actor=actor, now=now, digest=digest)
        cases.mark_all_dirty(connection)
    log.info("rulebook_activated", digest=digest[:12])


def _limited(settings: Settings, documents: Documents) -> Rulebook:
    return build_rulebook(documents, alerts_limit=Alerts(settings.telling.alerts))


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
