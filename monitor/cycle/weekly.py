"""The weekly digest: figures of each scope, put into the outbox once for each reader.

What comes in: an installation, now, and perhaps a week and a scope. What goes out: digests, written
or queued. A scope, week and reader get one digest, whatever happens in between; after downtime only
the latest week is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from monitor.cycle.digests import Edition, digest_of
from monitor.cycle.mails import ended_late_for
from monitor.letters import DigestLetter
from monitor.logs import get_logger
from monitor.model import Instant
from monitor.report.periods import DigestDue, Week, digest_due
from monitor.report.scopes import Scope
from monitor.store import alerts, intakes, outbox
from monitor.store import figures as stored
from monitor.store.engine import Connection, reading, take_turn, writing

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor

log = get_logger("weekly")

DIGEST = "digest"


class UnknownScope(ValueError):
    """Words that are no scope, or a place of which nothing is known."""


class MissedDigest(NamedTuple):
    """Digests that are due and are not in the outbox."""

    week: Week
    since: Instant
    """When they fell due."""
    readers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeDigest:
    """One digest, exactly as it would be sent."""

    edition: Edition
    week: Week
    subject: str
    text: str
    html: str
    """A document that stands alone, its pictures inside."""
    content: bytes

    def write(self, folder: Path) -> list[Path]:
        """Write the mail, its text and its page; returns the files."""
        stem = f"{self.week}-{str(self.edition).replace(':', '-').replace(' ', '-')}"
        files = {
            folder / f"{stem}.eml": self.content,
            folder / f"{stem}.txt": f"Subject: {self.subject}\n\n{self.text}".encode(),
            folder / f"{stem}.html": self.html.encode(),
        }
        for path, content in files.items():
            path.write_bytes(content)
        return list(files)


def make_digests(
    monitor: Monitor,
    *,
    now: Instant,
    week: str | None = None,
    scope: str | None = None,
    as_known: str = "now",
    outside: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[MadeDigest]:
    """Digests of a week (by default the last) for one scope or all that somebody reads.

    `as_known`: `now`, `then` (when the week's own digest was made) or an instant in ISO 8601.
    `outside`: as readers outside the force have it. `progress`: see `digest_of`. Raises ValueError
    for words that are no week or no instant, or for what has not begun, and UnknownScope.
    """
    chosen = _week(monitor, week, now=now) if week else Week.before(now, monitor.zone)
    readers = _readers(monitor)
    editions = list(readers) or [Edition(Scope.parse("force"))]
    if scope:
        editions = [Edition(_scope(monitor, scope))]
    if outside:
        editions = list(dict.fromkeys(each._replace(is_outside=True) for each in editions))
    for each in editions:
        letter, _ = digest_of(monitor, each, chosen, now=now, as_known=as_known, progress=progress)
        to = (readers.get(each) or ("reader@" + monitor.mail_domain,))[0]
        name = monitor.composer.message_id(f"digest {each} {chosen} {to}")
        yield _made(monitor, letter, each, chosen, to=to, message_id=name, now=now)


def queue_digests(
    monitor: Monitor, *, now: Instant, week: str | None = None, scope: str | None = None
) -> int:
    """Put the digests that are due, or were asked for, into the outbox; returns how many.

    Nothing is due before the installation knew anything of that week. Raises ValueError for words
    that are no week, or for one that has not begun, and UnknownScope.
    """
    settings = monitor.settings
    wanted = _scope(monitor, scope) if scope else None
    if settings.telling.alerts == "off" and week is None:
        return 0
    due = None if week else _due(monitor, now=now)
    chosen = _week(monitor, week, now=now) if week else due and due.week
    if chosen is None:
        return 0
    queued = 0
    for each, addresses in _readers(monitor).items():
        if wanted in (None, each.scope):
            queued += _queue(monitor, each, chosen, addresses, now=now)
    return queued


def missed_digest(monitor: Monitor, *, now: Instant) -> MissedDigest | None:
    """The digests of the latest week that are due and not in the outbox; None where none is."""
    due = None if monitor.settings.telling.alerts == "off" else _due(monitor, now=now)
    if due is None:
        return None
    with reading(monitor.engine) as connection:
        missed = sum(
            len(_owed(connection, edition, due.week, addresses))
            for edition, addresses in _readers(monitor).items()
        )
    return MissedDigest(due.week, due.since, missed) if missed else None


def _week(monitor: Monitor, text: str, *, now: Instant) -> Week:
    week = Week.parse(text)
    if week.first(monitor.zone) > now:
        msg = f"{text} has not begun: nothing can be known of it"
        raise ValueError(msg)
    return week


def _scope(monitor: Monitor, text: str) -> Scope:
    """A scope that has a reader, or of which a clock tells; raises UnknownScope for any other.

    Figures of a mistyped district would read as a week in which nothing happened.
    """
    try:
        scope = Scope.parse(text)
    except ValueError as error:
        raise UnknownScope(str(error)) from None
    configured = {each.scope for each in _readers(monitor)} | set(_places_of_posts(monitor))
    with reading(monitor.engine) as connection:
        is_known = scope in configured or not scope.columns
        if is_known or stored.is_told_of(connection, scope.columns):
            return scope
        told_of = stored.places(connection, scope.kind)
    named = {str(each) for each in configured} | {f"{scope.kind}:{place}" for place in told_of}
    msg = f"nothing is known of {text!r}; known: {', '.join(sorted({'force', *named}))}"
    raise UnknownScope(msg)


def _places_of_posts(monitor: Monitor) -> Iterator[Scope]:
    for post in monitor.roster.file.posts:
        for kind, place in (("district", post.district), ("unit", post.unit)):
            if place:
                yield Scope(kind, place)


def _readers(monitor: Monitor) -> dict[Edition, tuple[str, ...]]:
    """Edition → its readers, each once."""
    readers: dict[Edition, tuple[str, ...]] = {}
    for digest in monitor.roster.file.digests:
        edition = Edition(Scope.parse(digest.scope), digest.outside)
        readers[edition] = tuple(dict.fromkeys((*readers.get(edition, ()), *digest.to)))
    return readers


def _due(monitor: Monitor, *, now: Instant) -> DigestDue | None:
    """The latest week whose digest is due; None where it ended before anything was received."""
    digest = monitor.settings.digest
    due = digest_due(
        digest.weekday,
        digest.at,
        calendar=monitor.rulebook.calendars[digest.calendar],
        zone=monitor.zone,
        now=now,
    )
    with reading(monitor.engine) as connection:
        first = intakes.first_received_at(connection)
    return None if first is None or first >= due.week.end(monitor.zone) else due


def _queue(
    monitor: Monitor, edition: Edition, week: Week, addresses: tuple[str, ...], *, now: Instant
) -> int:
    with reading(monitor.engine) as connection:
        owed = _owed(connection, edition, week, addresses)
    if not owed:
        return 0
    letter, known = digest_of(monitor, edition, week, now=now)
    queued = 0
    for address in owed:
        with writing(monitor.engine) as connection:
            take_turn(connection, "digest")  # else two nodes would both find that none was made
            if not outbox.digest_was_made(
                connection, scope=str(edition), period=str(week), recipient=address
            ):
                _put_into_outbox(
                    monitor, connection, letter, edition, week, address, known, now=now
                )
                queued += 1
    log.info("digest_queued", scope=str(edition), week=str(week), readers=queued)
    return queued


def _owed(
    connection: Connection, edition: Edition, week: Week, addresses: tuple[str, ...]
) -> list[str]:
    """Readers for whom the digest of a scope and week was not made."""
    return [
        address
        for address in addresses
        if not outbox.digest_was_made(
            connection, scope=str(edition), period=str(week), recipient=address
        )
    ]


def _put_into_outbox(
    monitor: Monitor,
    connection: Connection,
    letter: DigestLetter,
    edition: Edition,
    week: Week,
    address: str,
    known: int,
    *,
    now: Instant,
) -> None:
    """The mail and the record that it was made, together or not at all."""
    redirect = monitor.settings.telling.redirect_all_to
    if redirect:
        letter = replace(letter, redirected=f"a reader of the digest, {edition.scope.label}")
    over = ended_late_for(monitor, connection, address, now=now)
    letter = replace(letter, ended_late=tuple(over.values()))
    name = outbox.new_message_id(monitor.mail_domain)
    made = _made(monitor, letter, edition, week, to=redirect or address, message_id=name, now=now)
    message_id = outbox.queue_message(
        connection,
        kind=DIGEST,
        address=address,
        role=f"reader of {edition}",
        domain=monitor.mail_domain,
        now=now,
        not_before=now,
        message_id=name,
        content=made.content,
        subject=made.subject,
    )
    alerts.let_carry(connection, message_id, over)
    outbox.record_digest(
        connection,
        scope=str(edition),
        period=str(week),
        recipient=address,
        message_id=message_id,
        known=known,
        now=now,
    )


def _made(
    monitor: Monitor,
    letter: DigestLetter,
    edition: Edition,
    week: Week,
    *,
    to: str,
    message_id: str,
    now: Instant,
) -> MadeDigest:
    rendered = monitor.composer.render(letter)
    content = monitor.composer.compose(letter, to=to, message_id=message_id, date=now)
    return MadeDigest(
        edition=edition,
        week=week,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.page,
        content=content,
    )
