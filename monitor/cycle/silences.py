"""Feeds that fall silent: kept as facts, told to those who rely on them, and told when it is over.

What comes in: an installation and now. What goes out: silences opened and closed, and mails in the
outbox: one to an address about all feeds of which it is to hear. It is a watch with a ladder of its
own, not a rule: who is told, and how long after the timetable says so, is in the feed's file.

Somebody is told of a silence once, then daily while it lasts, and once that it is over. What was
told is kept in the transaction that puts the mail into the outbox, by one node at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from monitor.cycle.telling_operator import reachable
from monitor.escalate.roster import Reached, WaitUntil, Whereabouts
from monitor.ingest.feeds import Silence
from monitor.ingest.timetable import trusted_until
from monitor.letters import HeardAgain, Remedy, SilenceLetter, SilentFeed
from monitor.logs import get_logger
from monitor.model import DAY, MINUTE, Instant
from monitor.store import intakes, mailbox, outbox, silences
from monitor.store.engine import Connection, reading
from monitor.store.outbox import OPERATOR
from monitor.store.silences import Gap, Knows
from monitor.words import lasting

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.ingest.feeds import Feed

log = get_logger("silences")

SILENCE: Final = "silence"
"""The kind of mail that tells anybody but the operator."""

FIRST_SILENT: Final = 1
"""A feed is silent from one microsecond after its timetable."""


def watch_feeds(monitor: Monitor, connection: Connection, *, now: Instant) -> int:
    """Keep silences as facts, and tell of them; returns how many mails that made."""
    silences.take_silences_turn(connection)
    _keep_facts(monitor, connection, now=now)
    owed = _owed(monitor, connection, now=now)
    mails = [mail for mail in _mails(monitor, connection, owed, now=now) if mail.at <= now]
    for mail in mails:
        _send(monitor, connection, mail, owed, now=now)
    return len(mails)


def next_silence_at(monitor: Monitor, *, now: Instant) -> Instant | None:
    """When the next thing happens by itself: a feed falls silent, or somebody is to be told."""
    with reading(monitor.engine) as connection:
        owed = _owed(monitor, connection, now=now)
        ahead = [mail.at for mail in _mails(monitor, connection, owed, now=now)]
        ahead += owed.later
        ahead += [
            row["trusted_until"] + FIRST_SILENT
            for row in intakes.list_feeds(connection)
            if row["trusted_until"] is not None
        ]
    return min((at for at in ahead if at > now), default=None)


# -- facts ------------------------------------------------------------------------------------


def _keep_facts(monitor: Monitor, connection: Connection, *, now: Instant) -> None:
    """Open what has begun, close what is over, by the timetables of today."""
    relied_on = _relied_on(monitor)
    for row in intakes.list_feeds(connection):
        name = row["name"]
        feed = monitor.feeds.get(name)
        if feed is not None:
            until = _trusted(monitor, feed, row, now=now)
        else:
            until = row["trusted_until"] if name in relied_on else None
        if until != row["trusted_until"]:
            silences.trust_until(connection, name, until)
        if until is None or now <= until:
            silences.close_gaps(connection, name, now=now)
        elif intakes.open_gap(connection, name, silent_from=row["heard_through"] or until):
            log.warning("feed_silent", feed=name)


def _trusted(
    monitor: Monitor, feed: Feed, row: Mapping[Any, Any], *, now: Instant
) -> Instant | None:
    """Until when a feed need not have been heard; one never heard is expected from now on."""
    heard: Instant | None = row["heard_through"]
    if heard is None and feed.heartbeat is not None and row["trusted_until"] is not None:
        until: Instant = row["trusted_until"]
        return until
    since = now if heard is None else heard
    return trusted_until(feed, since, calendars=monitor.rulebook.calendars)


def _relied_on(monitor: Monitor) -> frozenset[str]:
    """Feeds whose stops rules in force rely on, configured or not."""
    duties = monitor.rulebook.duties.values()
    return frozenset(name for each in duties for duty in each for name in duty.rule.stop_feeds)


# -- who is owed what -------------------------------------------------------------------------


class _Reader(NamedTuple):
    """Whom to tell at an instant, and for which districts."""

    address: str
    role: str
    districts: frozenset[str]
    """Empty: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owed:
    """What is to be told to whom, without regard to what else is waiting."""

    feeds: Mapping[str, Mapping[Any, Any]]
    gaps: Mapping[str, Gap]
    knows: Sequence[Knows]
    readers: Mapping[str, _Reader]
    """Address → who reads it."""
    silent: Mapping[str, Mapping[str, bool]]
    """Address → feed that is silent, of which it knows or is to know → whether that is news."""
    repeats: Mapping[str, Instant]
    """Address → when it is to be told again."""
    over: Mapping[str, Sequence[Knows]]
    """Address → silences of which it knows and that are over."""
    later: Sequence[Instant]
    """When somebody is to be told who is not to be told yet."""


def _owed(monitor: Monitor, connection: Connection, *, now: Instant) -> _Owed:
    feeds = {row["name"]: row for row in intakes.list_feeds(connection)}
    gaps = {gap.feed: gap for gap in silences.open_gaps(connection)}
    knows = silences.who_knows(connection)
    informed = {(each.feed, each.address): each for each in knows if _goes_on(each, gaps)}
    flagged = mailbox.flagged_addresses(connection)
    readers: dict[str, _Reader] = {}
    silent: dict[str, dict[str, bool]] = {}
    repeats: dict[str, Instant] = {}
    later: list[Instant] = []
    for (name, address), each in informed.items():
        silent.setdefault(address, {})[name] = False
        again = each.told_at + _policy(monitor, name).repeat
        repeats[address] = min(again, repeats.get(address, again))
    for name, gap in gaps.items():
        until: Instant = feeds[name]["trusted_until"] or gap.silent_from
        for step in _policy(monitor, name).tell:
            at = until + FIRST_SILENT + step.after
            if at > now:
                later.append(at)
                continue
            for reader in _readers(monitor, name, step.role, flagged, now=now):
                if isinstance(reader, WaitUntil):
                    later.append(reader.instant)
                    continue
                _admit(readers, reader)
                silent.setdefault(reader.address, {}).setdefault(name, True)
    over: dict[str, list[Knows]] = {}
    for each in knows:
        if not _goes_on(each, gaps):
            over.setdefault(each.address, []).append(each)
    return _Owed(
        feeds=feeds,
        gaps=gaps,
        knows=knows,
        readers=readers,
        silent=silent,
        repeats=repeats,
        over=over,
        later=later,
    )


def _goes_on(knows: Knows, gaps: Mapping[str, Gap]) -> bool:
    gap = gaps.get(knows.feed)
    return gap is not None and gap.silent_from == knows.since


def _policy(monitor: Monitor, name: str) -> Silence:
    """Who is told of a feed's silence; of one that is not configured any more, the operator."""
    feed = monitor.feeds.get(name)
    return Silence() if feed is None else feed.silence


def _admit(readers: dict[str, _Reader], reader: _Reader) -> None:
    """One address may be read for several districts."""
    known = readers.get(reader.address)
    if known is not None:
        both = known.districts | reader.districts if known.districts and reader.districts else None
        reader = known._replace(districts=both or frozenset())
    readers[reader.address] = reader


def _readers(
    monitor: Monitor, name: str, role: str, flagged: frozenset[str], *, now: Instant
) -> Iterator[_Reader | WaitUntil]:
    """Who is told for a role; while alerts are not on, nobody but the operator."""
    if role == OPERATOR:
        for address in reachable(monitor.settings.operator.addresses, flagged):
            yield _Reader(address, OPERATOR, frozenset())
        return
    if monitor.settings.telling.alerts != "on":
        return
    policy, roster = _policy(monitor, name), replace(monitor.roster, unreachable=flagged)
    for place in _places(monitor, role, policy.districts):
        reach = roster.reach(role, place, at=now, wakes=policy.wakes)
        if isinstance(reach, WaitUntil):
            yield reach
            continue
        if not isinstance(reach, Reached):
            reach = roster.fallback(place, at=now)
        if isinstance(reach, Reached):
            districts = frozenset({place.district} if place.district else ())
            yield _Reader(reach.address, reach.role, districts)


def _places(monitor: Monitor, role: str, served: Sequence[str]) -> list[Whereabouts]:
    """Every place for which the role may be held by another post."""
    posts = monitor.roster.file.posts
    districts = [name for name in dict.fromkeys(post.district for post in posts) if name]
    places = [Whereabouts(name, "", restricted=False) for name in served or districts]
    own = [post for post in posts if post.role == role and post.unit]
    places += [
        Whereabouts(post.district, post.unit, restricted=False)
        for post in own
        if not served or post.district in served
    ]
    return places or [Whereabouts("", "", restricted=False)]


# -- mails ------------------------------------------------------------------------------------


class _Mail(NamedTuple):
    """A mail to one address, and when it may go."""

    address: str
    at: Instant


def _mails(monitor: Monitor, connection: Connection, owed: _Owed, *, now: Instant) -> list[_Mail]:
    """The first goes at once; what comes up in the window after a mail goes when it ends."""
    window = monitor.settings.telling.bundle_minutes * MINUTE
    mails = []
    for address in dict.fromkeys((*owed.silent, *owed.over)):
        at = _owed_at(monitor, address, owed, now=now)
        last = silences.last_told_at(connection, address)
        if at is not None:
            mails.append(_Mail(address, at if last is None else max(at, last + window)))
    return mails


def _owed_at(monitor: Monitor, address: str, owed: _Owed, *, now: Instant) -> Instant | None:
    """From when on an address is owed a mail; None where it knows all there is to know.

    What is news to it was looked at by its duty hours. That a silence is over, or lasts, never
    wakes anybody.
    """
    if any(owed.silent.get(address, {}).values()):
        return now
    at = now if address in owed.over else owed.repeats.get(address)
    role = _reader_of(address, owed).role
    if at is None or role == OPERATOR:
        return at
    anywhere = Whereabouts("", "", restricted=False)
    reach = monitor.roster.reach(role, anywhere, at=max(at, now), wakes=False)
    return reach.instant if isinstance(reach, WaitUntil) else at


def _send(
    monitor: Monitor, connection: Connection, mail: _Mail, owed: _Owed, *, now: Instant
) -> None:
    """One mail about all that its reader is to know, and the record of it."""
    silent, over = owed.silent.get(mail.address, {}), owed.over.get(mail.address, ())
    reader = owed.readers.get(mail.address) or _reader_of(mail.address, owed)
    silences.end_told(connection, over, now=now)
    told = [
        Knows(name, mail.address, reader.role, owed.gaps[name].silent_from, now) for name in silent
    ]
    silences.keep_told(connection, told)
    letter = _letter(monitor, connection, reader, silent, over, owed, now=now)
    if not letter.silent and not letter.heard:
        return
    redirect = monitor.settings.telling.redirect_all_to
    key = f"silence {mail.address} {now} {sorted(silent)} {[each.feed for each in over]}"
    message_id = monitor.composer.message_id(key)
    content = monitor.composer.compose(
        letter, to=redirect or mail.address, message_id=message_id, date=now
    )
    outbox.queue_message(
        connection,
        kind=OPERATOR if reader.role == OPERATOR else SILENCE,
        address=mail.address,
        role=reader.role,
        domain=monitor.mail_domain,
        now=now,
        not_before=now,
        message_id=message_id,
        content=content,
        subject=monitor.composer.render(letter).subject,
    )


def _reader_of(address: str, owed: _Owed) -> _Reader:
    """Somebody who was told before, and who need not hold the role any more."""
    role = next(each.role for each in owed.knows if each.address == address)
    return _Reader(address, role, frozenset())


def _letter(
    monitor: Monitor,
    connection: Connection,
    reader: _Reader,
    silent: Mapping[str, bool],
    over: Sequence[Knows],
    owed: _Owed,
    *,
    now: Instant,
) -> SilenceLetter:
    hanging = _hanging(monitor, connection, reader, now=now) if silent else {}
    in_order = sorted(silent, key=lambda name: (not silent[name], name))
    title = monitor.roster.title(reader.role)
    return SilenceLetter(
        at=now,
        role=title,
        redirected=title if monitor.settings.telling.redirect_all_to else "",
        service=monitor.settings.service.name,
        silent=tuple(
            _silent_feed(monitor, owed.feeds[name], hanging.get(name, (0, 0)), is_news=silent[name])
            for name in in_order
        ),
        heard=tuple(_heard_again(monitor, connection, over)),
        steps=_steps(monitor, in_order) if reader.role == OPERATOR else (),
    )


def _silent_feed(
    monitor: Monitor, row: Mapping[Any, Any], hanging: tuple[int, int], *, is_news: bool
) -> SilentFeed:
    feed = monitor.feeds.get(row["name"])
    beat = None if feed is None else feed.heartbeat
    read_to, heard = row["heard_through"], row["last_heard_at"]
    return SilentFeed(
        feed=_title(monitor, row["name"]),
        since=read_to,
        expected="" if beat is None else f"every {lasting(beat.every)}",
        is_news=is_news,
        comes=read_to is not None and heard - read_to > (feed.lag if feed else 0),
        duties=hanging[0],
        high_risk=hanging[1],
    )


def _heard_again(
    monitor: Monitor, connection: Connection, over: Sequence[Knows]
) -> Iterator[HeardAgain]:
    for each in sorted(over):
        ended = silences.gap_ended_at(connection, each.feed, silent_from=each.since)
        if ended is not None:
            title = _title(monitor, each.feed)
            yield HeardAgain(feed=title, silent_from=each.since, silent_to=ended)


def _hanging(
    monitor: Monitor, connection: Connection, reader: _Reader, *, now: Instant
) -> dict[str, tuple[int, int]]:
    """Feed → how many open duties of a reader's districts hang on it, and how many of high risk."""
    *_, gravest = ("", *monitor.rulebook.vocabulary.risks)
    counted: dict[str, tuple[int, int]] = {}
    for row in silences.open_clocks_by_rule(connection, by=now + DAY, gravest_risk=gravest):
        duties = monitor.rulebook.duties.get(row.rule, ())
        if not duties or (reader.districts and row.district not in reader.districts):
            continue
        for feed in duties[-1].rule.stop_feeds:
            clocks, grave = counted.get(feed, (0, 0))
            counted[feed] = (clocks + row.clocks, grave + row.gravest)
    return counted


def _steps(monitor: Monitor, silent: Sequence[str]) -> tuple[Remedy, ...]:
    configured = [monitor.feeds[name] for name in silent if name in monitor.feeds]
    folders = " ".join(str(monitor.settings.path(feed.folder)) for feed in configured)
    status = Remedy(what="See what the monitor knows of its feeds.", command="monitor status")
    if not folders:
        return (status,)
    look = "Look whether the extract is still written into its drop folder."
    return (Remedy(what=look, command=f"ls -l {folders}"), status)


def _title(monitor: Monitor, name: str) -> str:
    """A feed as a sentence names it: its title up to the colon."""
    feed = monitor.feeds.get(name)
    title = name if feed is None else feed.title.partition(":")[0]
    return title[:1].lower() + title[1:]
