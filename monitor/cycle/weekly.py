"""The weekly digest: figures of each scope, put into the outbox once for each reader.

What comes in: an installation, now, and perhaps a week and a scope. What goes out: digests, written
or queued. A scope, week and reader get one digest, whatever happens in between; after downtime only
the latest week is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.cycle.asked import people_in_words
from monitor.cycle.charting import charted_weeks, pictures
from monitor.cycle.counting import count, heard, limits, said, way_of_notices
from monitor.cycle.known_then import restated
from monitor.cycle.mails import ended_late_for
from monitor.letters import DigestLetter
from monitor.logs import get_logger
from monitor.model import Instant
from monitor.report.digest import DigestInput, digest_letter, named_cases
from monitor.report.periods import DigestDue, Week, digest_due
from monitor.report.restated import Restated
from monitor.report.scopes import Scope
from monitor.report.trust import TakenIn
from monitor.report.wording import wording
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

    scope: Scope
    week: Week
    subject: str
    text: str
    html: str
    """A document that stands alone, its pictures inside."""
    content: bytes

    def write(self, folder: Path) -> list[Path]:
        """Write the mail, its text and its page; returns the files."""
        stem = f"{self.week}-{str(self.scope).replace(':', '-')}"
        files = {
            folder / f"{stem}.eml": self.content,
            folder / f"{stem}.txt": f"Subject: {self.subject}\n\n{self.text}".encode(),
            folder / f"{stem}.html": self.html.encode(),
        }
        for path, content in files.items():
            path.write_bytes(content)
        return list(files)


def make_digests(
    monitor: Monitor, *, now: Instant, week: str | None = None, scope: str | None = None
) -> Iterator[MadeDigest]:
    """Digests of a week (by default the last) for one scope or all that somebody reads.

    Raises ValueError for words that are no week, or for one that has not begun, and UnknownScope.
    """
    chosen = _week(monitor, week, now=now) if week else Week.before(now, monitor.zone)
    readers = _readers(monitor)
    asked = [_scope(monitor, scope)] if scope else list(readers) or [Scope.parse("force")]
    for each in asked:
        letter, _ = _letter(monitor, each, chosen, now=now)
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
        if wanted in (None, each):
            queued += _queue(monitor, each, chosen, addresses, now=now)
    return queued


def missed_digest(monitor: Monitor, *, now: Instant) -> MissedDigest | None:
    """The digests of the latest week that are due and not in the outbox; None where none is."""
    due = None if monitor.settings.telling.alerts == "off" else _due(monitor, now=now)
    if due is None:
        return None
    with reading(monitor.engine) as connection:
        missed = sum(
            len(_owed(connection, scope, due.week, addresses))
            for scope, addresses in _readers(monitor).items()
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
    configured = {*_readers(monitor), *_places_of_posts(monitor)}
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


def _readers(monitor: Monitor) -> dict[Scope, tuple[str, ...]]:
    return {Scope.parse(digest.scope): digest.to for digest in monitor.roster.file.digests}


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
    monitor: Monitor, scope: Scope, week: Week, addresses: tuple[str, ...], *, now: Instant
) -> int:
    with reading(monitor.engine) as connection:
        owed = _owed(connection, scope, week, addresses)
    if not owed:
        return 0
    letter, known = _letter(monitor, scope, week, now=now)
    queued = 0
    for address in owed:
        with writing(monitor.engine) as connection:
            take_turn(connection, "digest")  # else two nodes would both find that none was made
            if not outbox.digest_was_made(
                connection, scope=str(scope), period=str(week), recipient=address
            ):
                _put_into_outbox(monitor, connection, letter, scope, week, address, known, now=now)
                queued += 1
    log.info("digest_queued", scope=str(scope), week=str(week), readers=queued)
    return queued


def _owed(
    connection: Connection, scope: Scope, week: Week, addresses: tuple[str, ...]
) -> list[str]:
    """Readers for whom the digest of a scope and week was not made."""
    return [
        address
        for address in addresses
        if not outbox.digest_was_made(
            connection, scope=str(scope), period=str(week), recipient=address
        )
    ]


def _put_into_outbox(
    monitor: Monitor,
    connection: Connection,
    letter: DigestLetter,
    scope: Scope,
    week: Week,
    address: str,
    known: int,
    *,
    now: Instant,
) -> None:
    """The mail and the record that it was made, together or not at all."""
    redirect = monitor.settings.telling.redirect_all_to
    if redirect:
        letter = replace(letter, redirected=f"a reader of the digest, {scope.label}")
    over = ended_late_for(monitor, connection, address, now=now)
    letter = replace(letter, ended_late=tuple(over.values()))
    name = outbox.new_message_id(monitor.mail_domain)
    made = _made(monitor, letter, scope, week, to=redirect or address, message_id=name, now=now)
    message_id = outbox.queue_message(
        connection,
        kind=DIGEST,
        address=address,
        role=f"reader of {scope}",
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
        scope=str(scope),
        period=str(week),
        recipient=address,
        message_id=message_id,
        known=known,
        now=now,
    )


def _made(
    monitor: Monitor,
    letter: DigestLetter,
    scope: Scope,
    week: Week,
    *,
    to: str,
    message_id: str,
    now: Instant,
) -> MadeDigest:
    rendered = monitor.composer.render(letter)
    content = monitor.composer.compose(letter, to=to, message_id=message_id, date=now)
    return MadeDigest(
        scope=scope,
        week=week,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.page,
        content=content,
    )


# -- what it is made of -----------------------------------------------------------------------


def _letter(
    monitor: Monitor, scope: Scope, week: Week, *, now: Instant
) -> tuple[DigestLetter, int]:
    """The digest of a scope and week as known now, and up to which number that is."""
    since, until, where = week.first(monitor.zone), week.end(monitor.zone), scope.columns
    settings = monitor.settings.digest
    titles = {name: feed.title for name, feed in monitor.feeds.items()}
    with reading(monitor.engine) as connection:
        period: dict[str, Any] = {"since": since, "until": until}
        counted = count(monitor, connection, **period, now=now, where=where)
        way = way_of_notices(monitor, connection, week, now=now, where=where)
        weeks = charted_weeks(monitor, connection, week, now=now, where=where)
        known = DigestInput(
            figures=counted,
            scope=scope,
            week=week,
            wording=wording(monitor.rulebook, feeds=titles, told=settings.told),
            references=stored.references(connection, named_cases(counted)),
            charts={
                series.partner: chart for series, chart in weeks.items() if not series.district
            },
            steps=way.steps,
            completeness=way.completeness,
            near=limits(monitor, connection, week, now=now, where=where),
            feeds=heard(connection, since=since, until=min(until, now)),
            taken_in=TakenIn(**stored.taken_in(connection, **period)),
            said=said(connection, **period, where=where),
            restated=_restated(monitor, connection, scope, week.earlier, now=now),
            people=people_in_words(monitor, connection, where, now=now),
            zone=monitor.zone,
        )
        letter = digest_letter(known)
        return replace(letter, pictures=pictures(weeks, scope)), intakes.last_number(connection)


def _restated(
    monitor: Monitor, connection: Connection, scope: Scope, week: Week, *, now: Instant
) -> Restated | None:
    """What the week before says otherwise than its digest did; None where none was made."""
    made = outbox.digest_made(connection, scope=str(scope), period=str(week))
    if made is None:
        return None
    return restated(
        monitor,
        connection,
        number_then=made.known,
        as_of_then=made.made_at,
        now=now,
        since=week.first(monitor.zone),
        until=week.end(monitor.zone),
        where=scope.columns,
    )
