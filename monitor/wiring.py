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

from monitor.cycle.nodes import compare_time, older_program
from monitor.cycle.outage import Outage
from monitor.cycle.parts import Monitor
from monitor.cycle.registration import register, registration_faults
from monitor.deliver.compose import Composer, check_templates
from monitor.deliver.smtp import MailServer, Post, UnsafeMailServer, is_allowed
from monitor.escalate.partners import Partners, read_partners
from monitor.escalate.roster import Roster, read_roster
from monitor.faults import Fault, FaultsFound
from monitor.governing import accept, refusals, rulebook_in_force, say_what_waits
from monitor.ingest.feeds import Feed, read_feeds
from monitor.ingest.mailbox import waiting_mails
from monitor.ingest.sources import source_of
from monitor.logs import get_logger
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.files import read_documents
from monitor.rulebook.findings import findings
from monitor.rulebook.language import Vocabulary
from monitor.store import intakes, nodes
from monitor.store.engine import (
    DatabaseGone,
    Engine,
    NotADatabase,
    open_engine,
    reading,
    writing,
)
from monitor.store.schema import SchemaNotCurrent, check_usable
from monitor.worktime.zones import day_of

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.model import Instant
    from monitor.settings import Settings

log = get_logger("wiring")

T = TypeVar("T")

SETTINGS: Final = "config/monitor.toml"


def ready(
    settings: Settings, *, now: Instant, actor: str, activate: bool, only_first: bool = False
) -> Monitor:
    """An installation that is ready to run.

    `activate`: make the rules folder's content the active rulebook if it can be and never was
    before; with `only_first`, only where no rulebook is active yet. Raises FaultsFound,
    SchemaNotCurrent, WrongOwner or UnsafeMailServer.
    """
    engine = open_engine(settings.database_url(), must_exist=True)
    schema = check_usable(engine)
    with reading(engine) as connection:
        governing = nodes.governing(connection)
    may_activate = governing.schema == schema and not (only_first and governing.rulebook)
    in_force = rulebook_in_force(
        settings, engine, node=node_name(settings), activate=activate and may_activate
    )
    files = read_files(settings, in_force.rulebook)
    monitor = Monitor(
        settings=settings,
        engine=engine,
        rulebook=in_force.rulebook,
        rulebook_fault=in_force.fault,
        behind=in_force.behind,
        standings=in_force.standings,
        schema=schema,
        roster=files.roster,
        partners=files.partners,
        feeds=files.feeds,
        composer=composer_of(settings),
        post=_post(settings),
        operator_post=_operator_post(settings),
        child_secret=_child_secret(settings),
        node=node_name(settings),
    )
    # Last, so that a fault in any other file activates nothing.
    if activate:
        _register(engine, files.feeds)
        accept(settings, engine, in_force, actor=actor, now=now)
        register(monitor, now=now)
        say_what_waits(in_force.standings)
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


def check_everything(settings: Settings, *, now: Instant) -> list[Fault]:
    """Every fault of rules, feeds, recipients, partners, templates, secrets and database."""
    faults = check_templates(settings.path(settings.paths.templates))
    if settings.mailbox.folder:
        _or_faults(lambda: waiting_mails(settings.path(settings.mailbox.folder)), faults)
    documents = _or_faults(lambda: read_documents(settings.path(settings.paths.rules)), faults)
    if documents is not None:
        rulebook = build_rulebook(documents)
        files = _or_faults(lambda: read_files(settings, rulebook), faults)
        faults += _unknown_calendar(settings, rulebook)
        faults += _unknown_stop_feeds(rulebook, files.feeds if files else None)
        faults += _unknown_of_feeds(settings, rulebook, files)
        faults += refused_rules(rulebook, files.feeds if files else {}, now=now)
        faults += _out_of_bounds(settings, files.roster if files else None)
    _or_faults(lambda: _child_secret(settings), faults)
    faults += _or_faults(settings.readable_by_all, faults) or []
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


def refused_rules(rulebook: Rulebook, feeds: Mapping[str, Feed], *, now: Instant) -> list[Fault]:
    """Rules that may not come into force with alerts, for what they rest on cannot bear them."""
    sources = {name: source_of(feed) for name, feed in feeds.items()}
    today = day_of(now, ZoneInfo("UTC"))
    return [
        Fault(file=f"{found.about}.yaml", expected=found.what, mend=found.mend)
        for found in findings(rulebook, sources, now=now, today=today)
        if found.refused
    ]


def refuse_on_reload(settings: Settings, *, now: Instant) -> None:
    """Keep rules from coming into force by a reload that `check` would refuse. Raises FaultsFound.

    A daemon that starts is not stopped by them: it is never silent. Files that cannot be read at
    all are said of by `ready`.
    """
    try:
        documents = read_documents(settings.path(settings.paths.rules))
    except FaultsFound:
        return
    refuse_to_govern(settings, documents, now=now)


def refuse_to_govern(settings: Settings, documents: Documents, *, now: Instant) -> None:
    """Keep from coming into force what `check` would refuse. Raises FaultsFound.

    `documents`: those that would govern. Feeds that cannot be read are said of by `ready`.
    """
    rulebook = build_rulebook(documents)
    try:
        feeds = _feeds(settings.path(settings.paths.feeds), rulebook.vocabulary)
    except FaultsFound:
        return
    if refused := refused_rules(rulebook, feeds, now=now):
        raise FaultsFound(refused)


def _unknown_of_feeds(settings: Settings, rulebook: Rulebook, files: Files | None) -> list[Fault]:
    """Timetables by calendars, and people to be told of a silence, that are not there."""
    if files is None:
        return []
    calendars, roles = set(rulebook.calendars), {"operator", *files.roster.file.roles}
    written = [
        (feed, "heartbeat.calendar", feed.heartbeat.calendar, calendars)
        for feed in files.feeds.values()
        if feed.heartbeat is not None and feed.heartbeat.calendar
    ]
    written += [
        (feed, "silence.tell", step.role, roles)
        for feed in files.feeds.values()
        for step in feed.silence.tell
    ]
    return [
        Fault(
            file=f"{settings.paths.feeds}/{feed.name}.toml",
            field=field,
            found=repr(name),
            expected=f"there is no such one; known: {', '.join(sorted(known))}",
        )
        for feed, field, name, known in written
        if name not in known
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
    faults: list[Fault] = []
    made: tuple[tuple[str, Callable[[Settings], object]], ...] = (
        ("mail", _post),
        ("operator", _operator_post),
    )
    for field, make in made:
        try:
            make(settings)
        except UnsafeMailServer as unsafe:
            faults.append(Fault(file=SETTINGS, field=field, expected=str(unsafe)))
        except FaultsFound as found:
            faults += found.faults
    if faults:
        raise FaultsFound(faults)


def held_back(settings: Settings, *, system_now: Callable[[], Instant]) -> list[str]:
    """Why a daemon that starts here would not decide, or take on no work: an empty list where none.

    Of an installation that has no fault. Raises as `ready`.
    """
    engine = open_engine(settings.database_url(), must_exist=True)
    try:
        schema = check_usable(engine)
        in_force = rulebook_in_force(settings, engine, node=node_name(settings), activate=True)
        with reading(engine) as connection:
            applied = nodes.governing(connection).schema
            _, is_off = compare_time(settings, connection, system_now)
    finally:
        engine.dispose()
    older = older_program(schema, applied) if applied != schema else ""
    return [why for why in (is_off, older, in_force.behind) if why]


def _check_database(settings: Settings, documents: Documents | None) -> None:
    try:
        engine = open_engine(settings.database_url(), must_exist=True)
    except (DatabaseGone, NotADatabase) as unusable:
        raise FaultsFound([Fault(file="database", expected=str(unusable))]) from None
    try:
        check_usable(engine)
        if documents is not None:
            with reading(engine) as connection:
                refused = refusals(connection, documents)
            refused += registration_faults(settings, engine, node=node_name(settings))
            if refused:
                raise FaultsFound(refused)
    except SchemaNotCurrent as behind:
        raise FaultsFound([Fault(file="database", expected=str(behind))]) from None
    finally:
        engine.dispose()


# -- parts ------------------------------------------------------------------------------------


def _register(engine: Engine, feeds: dict[str, Feed]) -> None:
    with writing(engine) as connection:
        for feed in feeds.values():
            intakes.register_feed(connection, feed.name, tolerance=feed.tolerance, lag=feed.lag)


def composer_of(settings: Settings) -> Composer:
    """What makes an installation's mails and pages."""
    return Composer(
        templates=settings.path(settings.paths.templates),
        zone=ZoneInfo(settings.service.zone),
        marking=settings.service.marking,
        sender=settings.mail.sender,
        sender_name=settings.service.name,
        domain=settings.mail.sender.partition("@")[2],
        reply_to=settings.mailbox.address,
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
            connections=mail.connections,
        )
    )


def outage_of(settings: Settings) -> Outage:
    """What tells the operator when the database cannot be used; made without it."""

    def post() -> Post:
        return _operator_post(settings) or _post(settings)

    return Outage(settings=settings, composer=composer_of(settings), post=post)


def _operator_post(settings: Settings) -> Post | None:
    """The operator's own relay; None where mails to the operator go by the same as all others.

    Raises UnsafeMailServer, and FaultsFound where a part of it is set and its host is not.
    """
    operator = settings.operator
    if not operator.relay_host:
        if operator.relay_username or operator.relay_password_file or operator.relay_ca_file:
            expected = "is missing: the other relay_ settings mean nothing without it"
            fault = Fault(file=SETTINGS, field="operator.relay_host", expected=expected)
            raise FaultsFound([fault])
        return None
    return Post(
        MailServer(
            host=operator.relay_host,
            port=operator.relay_port,
            security=operator.relay_security,
            allowed_domains=settings.mail.allowed_domains,
            username=operator.relay_username,
            password=settings.operator_password() or "",
            ca_file=settings.path(operator.relay_ca_file) if operator.relay_ca_file else None,
            connect_seconds=min(10.0, settings.mail.timeout_seconds),
            exchange_seconds=settings.mail.timeout_seconds,
            connections=1,
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
