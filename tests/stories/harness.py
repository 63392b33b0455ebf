"""Whole journeys that read like the requirement: files in, mails out, over the real stages.

What comes in: what happens in a force, at local times in words. What goes out: mails, taken by a
real mail server on loopback, that a story expects one by one. Whatever nobody expected fails the
story when it is closed. Only time is made up: it walks from one instant at which anything can
happen by itself to the next, as the daemon would be woken.

Times are of Europe/London: `Mon 8 March 2027 18:47`, `Tue 9 March 02:47`, `Tue 02:47` or `02:47`,
read forward from now for what is to come and backward for what has happened. A weekday that is
wrong fails.

>>> story.contact("PPN-2027-004211", category="physical_abuse", risk="high", council="eastshire")
>>> story.advance(to="21:47")
>>> story.expects_mail_to("submitting officer's sergeant", saying="Due by 22:47")
"""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import event

from monitor.cycle import confirming, one_pass, people
from monitor.cycle.delivery import next_delivery_at
from monitor.cycle.explained import CaseExplanation
from monitor.cycle.explaining import explain_case
from monitor.cycle.intake import undo_intake
from monitor.cycle.lists import clock_rows
from monitor.cycle.silences import next_silence_at
from monitor.cycle.status import CaseloadStatus, Status, read_status
from monitor.cycle.sweep import next_sweep_at
from monitor.deliver.smtp import MailServer, Post
from monitor.escalate.roster import Digest, Roster
from monitor.model import DAY, MINUTE, Duration, Instant
from monitor.report.periods import digest_due
from monitor.rulebook.book import build_rulebook
from monitor.rulebook.language import Alerts
from monitor.store import actions, intakes, outbox, rulebooks, silences
from monitor.store.engine import Engine, open_engine, reading, writing
from monitor.worktime.zones import instants_of_local, local
from tests.deliver.sink import Sink, running

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.cycle.parts import Monitor
    from monitor.ingest.feeds import Feed

ACCOUNT: Final = "ZZACCOUNT"
"""The account of the operating system that types, which no mail may show."""

LONDON: Final = ZoneInfo("Europe/London")
OCCURRENCE, SENDING_LOG, COMMAND_CONTROL = "occurrence", "sending-log", "command-control"

ALWAYS: Final[Duration] = 0
"""A feed that is heard whenever the story stops."""

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_WHEN: Final = re.compile(
    r"(?:(?P<weekday>[A-Z][a-z]{2}) )?"
    r"(?:(?P<day>\d{1,2}) (?P<month>[A-Z][a-z]+) (?:(?P<year>\d{4}) )?)?"
    r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
)
_OUR_WORDS: Final = {
    "category": {
        "physical_abuse": "PHYS ABUSE",
        "sexual_abuse": "SEX ABUSE",
        "neglect": "NEGLECT",
        "neglect_significant_harm": "NEGLECT SIG HARM",
        "domestic_abuse": "DOM ABUSE",
        "sexual_exploitation": "CSE",
        "missing_child": "MISSING",
        "police_protection": "POL PROTECTION",
        "other_concern": "OTHER",
    },
    "risk": {"high": "H", "medium": "M", "standard": "S", "": ""},
    "decision": {"withheld": "W", "not_for_sharing": "N", "deferred": "D", "shared": "S"},
    "partner": {"council": "LA", "health": "ICB", "school": "SCH"},
    "method": {"email": "EMAIL", "portal": "PORTAL", "letter": "LETTER", "verbal": "PHONE"},
}
"""The sources' words for ours, as the sample feeds map them."""


def opened(url: str) -> Engine:
    """An engine that does not wait for the disk: stories end processes, not machines."""
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _hasten)
    return engine


def _hasten(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One mail as the mail server took it."""

    to: str
    subject: str
    text: str
    """The plain part on one line."""
    at: Instant
    """When it arrived, in the story's time."""
    message_id: str
    content: bytes

    def __str__(self) -> str:
        return f"{_said(self.at)} to {self.to}: {self.subject}"


@dataclass
class Inbox(Sink):
    """The mail server: what it took, and what it answers."""

    now: Instant = 0
    arrived: list[Arrived] = field(default_factory=list)
    is_down: bool = False
    """Says "not now" to every mail."""
    loses_its_answer: bool = False
    """Takes a mail and hangs up before it says so."""

    async def handle_DATA(  # noqa: N802 - the sink library's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Take a mail, or refuse it for now."""
        if self.is_down:
            return "451 not now"
        answer = await super().handle_DATA(server, session, envelope)
        if answer.startswith("250"):
            self.arrived.append(_arrived(envelope, self.now))
        if self.loses_its_answer and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return answer


def _arrived(envelope: Envelope, now: Instant) -> Arrived:
    assert isinstance(envelope.content, bytes)
    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    plain = mail.get_body(("plain",))
    assert plain is not None
    (to,) = envelope.rcpt_tos
    return Arrived(
        to=to,
        subject=str(mail["Subject"]),
        text=" ".join(str(plain.get_content()).split()),
        at=now,
        message_id=str(mail["Message-ID"]),
        content=envelope.content,
    )


class Story:
    """One force, from its first contact to its last mail."""

    def __init__(
        self, monitor: Monitor, folder: Path, *, begins: str, never_heard: Iterable[str] = ()
    ) -> None:
        """`monitor`: an installation whose database and drop folders are this story's own."""
        self.monitor = monitor
        self.folder = folder
        self.now = _instant(begins)
        self.reference = ""
        """The case that was spoken of last."""
        self._url = monitor.settings.database_url()
        self._feeds = {name: _Source(name) for name in monitor.feeds}
        self.silence(*never_heard)
        self._unexpected: list[Arrived] = []
        self._drops = 0
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()
        self._inbox = Inbox()
        self._runner.run(self._open_inbox())
        self._turn()

    async def _open_inbox(self) -> None:
        port = await self._open.enter_async_context(running(self._inbox))
        self._server = MailServer(
            host="127.0.0.1",
            port=port,
            security="none-loopback-only",
            allowed_domains=self.monitor.settings.mail.allowed_domains,
            exchange_seconds=10,
        )
        self.monitor = replace(self.monitor, post=Post(self._server))

    # -- what happens -------------------------------------------------------------------------

    def contact(
        self,
        reference: str,
        *,
        category: str,
        risk: str = "high",
        council: str | None = "eastshire",
        health: str | None = "eastshire-icb",
        child: str = "1",
        district: str = "east",
        at: str = "",
        known: str = "",
        **columns: str,
    ) -> None:
        """Police first know of a concern. `known`: when the occurrence system has it."""
        happened = self._past(at, known)
        self._notice(
            reference,
            child,
            known,
            {
                "CONCERN_TYPE": _OUR_WORDS["category"][category],
                "RISK_GRADE": _OUR_WORDS["risk"][risk],
                "BCU": district,
                "TEAM": "response",
                "FIRST_KNOWN": happened,
                **_responsible("COUNCIL", council, happened),
                **_responsible("HEALTH", health, happened),
                **columns,
            },
        )

    def submitted(self, reference: str = "", *, at: str = "", **more: str) -> None:
        """A notice was submitted."""
        self._stage(reference, "SUBMITTED", at, more)

    def supervised(self, reference: str = "", *, at: str = "", **more: str) -> None:
        """A supervisor reviewed it."""
        self._stage(reference, "SUPERVISED", at, more)

    def triaged(self, reference: str = "", *, at: str = "", **more: str) -> None:
        """The hub graded it."""
        self._stage(reference, "TRIAGED", at, more)

    def regraded(self, risk: str, reference: str = "", *, at: str = "", **more: str) -> None:
        """The risk was changed."""
        self._stage(reference, "REGRADED", at, {"RISK_AFTER": _OUR_WORDS["risk"][risk], **more})

    def decided(
        self,
        decision: str,
        reference: str = "",
        *,
        at: str = "",
        review: str = "",
        **more: str,
    ) -> None:
        """Somebody decided to withhold, not to share, or to wait until a review."""
        told = {"DECISION": _OUR_WORDS["decision"][decision], "DECISION_REASON": "INVESTIGATION"}
        if review:
            told["REVIEW_BY"] = _written(self._future(review))
        self._stage(reference, "DECIDED", at, told | more)

    def withdrawn_in_error(self, reference: str = "", *, at: str = "", **more: str) -> None:
        """The notice was made in error."""
        error = {"STATUS": "WITHDRAWN IN ERROR", "CLOSE_REASON": "ERROR"}
        self._stage(reference, "CLOSED", at, error | more)

    def linked(self, reference: str, other: str, *, at: str = "", known: str = "") -> None:
        """Two references turn out to be one case."""
        self._stage(reference, "LINKED", at, {"LINKED_TO": other, "known": known})

    def corrected(
        self, reference: str = "", *, child: str = "1", known: str = "", **columns: str
    ) -> None:
        """Somebody writes other things into the occurrence record."""
        self._notice(reference or self.reference, child, known, columns)

    def told(
        self,
        partner: str,
        organisation: str,
        *,
        reference: str = "",
        occurred: str = "",
        recorded: str = "",
        heard: str = "",
        method: str = "portal",
        child: str = "",
        entry: str = "",
    ) -> str:
        """A partner was told. `recorded`: written down; `heard`: when the extract has it.

        Returns the number of the line, by which it can be taken back.
        """
        written_at = self._future(recorded) if recorded else self.now
        happened = _instant(occurred, before=written_at) if occurred else written_at
        number = entry or f"E{len(self._feeds[SENDING_LOG].rows) + 1}"
        named = reference or self.reference
        self._line(
            self._future(heard) if heard else written_at,
            {
                "entry_no": number,
                "reference": named,
                "entry_type": "SENT",
                "recipient_type": _OUR_WORDS["partner"][partner],
                "recipient_code": organisation,
                "method": _OUR_WORDS["method"][method],
                "happened_at": _iso(happened),
                "entered_at": _iso(written_at),
                "child_id": _child(named, child) if child else "",
            },
        )
        return number

    def taken_back(self, entry: str, reference: str = "", *, kind: str = "CANCEL") -> None:
        """A line of the sending log was wrong, or what it sent came back (`BOUNCE`)."""
        self._line(
            self.now,
            {
                "entry_no": f"{entry}-{kind}",
                "cancels_entry_no": entry,
                "reference": reference or self.reference,
                "entry_type": kind,
                "happened_at": _iso(self.now),
                "entered_at": _iso(self.now),
            },
        )

    def confirmed(self, partner: str, organisation: str, reference: str = "") -> None:
        """A supervisor confirms a notification that was recorded afterwards."""
        self._line(
            self.now,
            {
                "entry_no": f"C{len(self._feeds[SENDING_LOG].rows) + 1}",
                "reference": reference or self.reference,
                "entry_type": "CONFIRMED",
                "recipient_type": _OUR_WORDS["partner"][partner],
                "recipient_code": organisation,
                "happened_at": _iso(self.now),
                "entered_at": _iso(self.now),
            },
        )

    def incident(
        self, reference: str, entry: str, *, at: str = "", known: str = "", notice: str = ""
    ) -> None:
        """An entry of the command and control log, in its own words."""
        happened = self._past(at, known)
        source = self._feeds[COMMAND_CONTROL]
        row = {
            "INCIDENT_NO": reference,
            "FLAG_NO": str(len(source.rows) + 1),
            "BCU": "east",
            "SECTION": "response",
            "INCIDENT_TYPE": "CONCERN",
            "PPN_NO": notice,
            "ENTRY": entry,
            "ENTRY_TIME": f"{local(happened, LONDON):%Y-%m-%d %H:%M:%S}",
            "EXPORTED": "1",
        }
        source.rows.append((self._future(known) if known else self.now, row))
        self.reference = reference

    def _stage(self, reference: str, column: str, at: str, more: Mapping[str, str]) -> None:
        told = dict(more)
        known, child = told.pop("known", ""), told.pop("child", "1")
        told[column] = _written(self._past(at, known))
        self._notice(reference or self.reference, child, known, told)

    def _notice(self, reference: str, child: str, known: str, columns: Mapping[str, Any]) -> None:
        self.reference = reference
        row = {"PPN_NO": reference, "CHILD_ID": _child(reference, child)}
        row |= {name: _written(told) for name, told in columns.items()}
        self._feeds[OCCURRENCE].rows.append((self._future(known) if known else self.now, row))

    def _line(self, known_at: Instant, line: dict[str, str]) -> None:
        self.reference = line["reference"]
        self._feeds[SENDING_LOG].rows.append((known_at, line))

    def _past(self, at: str, known: str) -> Instant:
        """When something happened; it may be written down only later."""
        latest = self._future(known) if known else self.now
        return _instant(at, before=latest) if at else self.now

    def _future(self, text: str) -> Instant:
        return _instant(text, after=self.now)

    # -- the feeds ----------------------------------------------------------------------------

    def silence(self, *feeds: str) -> None:
        """Nothing more is heard of these feeds."""
        for name in feeds:
            self._feeds[name].every = None

    def resume(self, *feeds: str) -> None:
        """They are heard again, with all that they had to say meanwhile."""
        for name in feeds:
            self._feeds[name].every = ALWAYS

    def replay(self, feed: str, *, files: int, apart: Duration = 0) -> None:
        """It is heard again, with all that it had to say: in several files, the newest first.

        `apart`: how long after one file the next comes; 0: they come together.
        """
        source = self._feeds[feed]
        rows = source.export(self.now, is_snapshot=False)
        size = max(1, -(-len(rows) // files))
        source.replayed = [rows[at : at + size] for at in range(0, len(rows), size)]
        source.every, source.next_at = (apart, self.now) if apart else (ALWAYS, 0)

    def file_times(self, feed: str, form: str) -> None:
        """The feed's file names say to when they reach."""
        changed = self.monitor.feeds[feed].model_copy(update={"file_time": form})
        self.monitor = replace(self.monitor, feeds={**self.monitor.feeds, feed: changed})

    def keep_back(self, feed: str) -> list[dict[str, str]]:
        """What a source has to say goes into no file of its own, though it is heard."""
        return self.not_exported(feed)

    def switch_on(self, *rules: str) -> None:
        """These rules alert from now on: the rulebook is accepted anew, as a start would."""
        documents = self.monitor.rulebook.documents
        told = tuple(
            rule.model_copy(update={"alerts": Alerts.ON}) if rule.id in rules else rule
            for rule in documents.rules
        )
        rulebook = build_rulebook(documents.model_copy(update={"rules": told}))
        with writing(self.monitor.engine) as connection:
            rulebooks.activate(connection, rulebook.documents, actor="story", now=self.now)
        self.monitor = replace(self.monitor, rulebook=rulebook)
        self._turn()

    def not_exported(self, feed: str) -> list[dict[str, str]]:
        """What a source has to say and has not said, to be put into a file by the story."""
        return self._feeds[feed].export(self.now, is_snapshot=False)

    def drop_file(self, feed: str, *, name: str, rows: Iterable[Mapping[str, str]] = ()) -> None:
        """A file of a feed comes under a name of its own, beside those that the story writes."""
        known = self.monitor.feeds[feed]
        written = self.folder / known.folder / name
        columns = known.declared_columns
        written.write_text(_file(known.format, known.delimiter, columns, rows), "utf-8")

    def hear(self, feed: str, *, every: Duration, next_at: str) -> None:
        """A feed is heard by a timetable, and in between not."""
        source = self._feeds[feed]
        source.every, source.next_at = every, self._future(next_at)

    def declare(self, feed: str, *, every: Duration, lag: Duration) -> None:
        """Another timetable is configured for a feed: it is expected this often, and this late."""
        known = self.monitor.feeds[feed]
        assert known.heartbeat is not None
        heartbeat = known.heartbeat.model_copy(update={"every": every})
        changed = known.model_copy(update={"heartbeat": heartbeat, "lag": lag})
        self.monitor = replace(self.monitor, feeds={**self.monitor.feeds, feed: changed})
        with writing(self.monitor.engine) as connection:
            intakes.register_feed(connection, feed, tolerance=known.tolerance, lag=lag)
        if self._feeds[feed].every == ALWAYS:
            self._turn()

    # -- time ---------------------------------------------------------------------------------

    def at(self, when: str) -> None:
        """Go to an instant; the same as `advance`."""
        self.advance(to=when)

    def advance(self, *, to: str) -> None:
        """Go to an instant, stopping wherever anything can happen by itself."""
        until = self._future(to)
        self._turn()
        while self.now < until:
            self.now = min([until, *self._wakes()])
            self._turn()

    def down(self, *, until: str) -> None:
        """The monitor does not run; its sources do."""
        self.now = self._future(until)
        self.restart()
        self._turn()

    def again(self) -> None:
        """Another pass at the same instant."""
        self._turn()

    def restart(self) -> None:
        """The process ends and another begins on the same database and folders."""
        self._runner.run(self.monitor.post.close())
        self.monitor.engine.dispose()
        self.monitor = replace(self.monitor, engine=opened(self._url), post=Post(self._server))
        with writing(self.monitor.engine) as connection:
            outbox.release_leases(connection, self.monitor.node)

    def _wakes(self) -> Iterator[Instant]:
        """Every instant after now at which anything can happen by itself."""
        found = [next_sweep_at(self.monitor), next_delivery_at(self.monitor)]
        found += [source.wakes_at(self.now) for source in self._feeds.values()]
        if self._somebody_knows() or not all(
            source.every == ALWAYS for source in self._feeds.values()
        ):
            found.append(next_silence_at(self.monitor, now=self.now))
        if self.monitor.roster.file.digests:
            found.append(self._next_digest())
        yield from (at for at in found if at is not None and at > self.now)

    def _somebody_knows(self) -> bool:
        """Whether somebody was told of a silence and not yet that it is over."""
        with reading(self.monitor.engine) as connection:
            return bool(silences.who_knows(connection))

    def _next_digest(self) -> Instant:
        digest = self.monitor.settings.digest
        calendar = self.monitor.rulebook.calendars[digest.calendar]
        ahead = (
            digest_due(
                digest.weekday, digest.at, calendar=calendar, zone=LONDON, now=self.now + days * DAY
            ).since
            for days in range(1, 15)
        )
        return next(at for at in ahead if at > self.now)

    def _turn(self) -> None:
        """One pass at this instant, over what the sources have written by now."""
        for source in self._feeds.values():
            if source.is_heard(self.now):
                self._drop(source)
        self._inbox.now = self.now
        self._runner.run(one_pass(self.monitor, now=self.now))
        swept = next_sweep_at(self.monitor)
        assert swept is None or swept > self.now, "the sweep left something undone"
        self._unexpected += self._inbox.arrived
        self._inbox.arrived.clear()

    def _drop(self, source: _Source) -> None:
        feed = self.monitor.feeds[source.name]
        if source.replayed:
            for _ in range(1 if source.every else len(source.replayed)):
                self._write(feed, source.replayed.pop())
            if not source.replayed:
                source.every = ALWAYS
            return
        self._write(feed, source.export(self.now, is_snapshot=feed.mode == "snapshot"))

    def _write(self, feed: Feed, rows: list[dict[str, str]]) -> None:
        self._drops += 1
        written = self.folder / feed.folder / f"notices-{self._drops:05}.{feed.format}"
        part = written.with_suffix(".part")
        part.write_text(_file(feed.format, feed.delimiter, feed.declared_columns, rows), "utf-8")
        part.rename(written)

    # -- people and mail servers --------------------------------------------------------------

    def hold_mail(self) -> None:
        """Somebody types `monitor mail hold`."""
        self._act("hold mail")

    def release_mail(self) -> None:
        """Somebody types `monitor mail release`."""
        self._act("release mail")

    def _act(self, kind: str) -> None:
        with writing(self.monitor.engine) as connection:
            actions.record_action(
                connection, kind=kind, target="mail", actor="operator", now=self.now
            )

    def take(self, reference: str = "", *, rule: str = "", by: str = "", until: str = "") -> str:
        """Somebody types `monitor take`; returns the refusal, empty where there was none."""
        return self._acts(
            people.take, reference, rule, by, "being_traced", until=self._maybe(until)
        )

    def pass_on(self, reference: str = "", *, rule: str = "", by: str = "", to: str = "") -> str:
        """Somebody types `monitor pass`."""
        return self._acts(people.pass_on, reference, rule, by, "not_mine", to_role=to)

    def close_by_hand(self, reference: str = "", *, rule: str = "", by: str = "") -> str:
        """Somebody types `monitor close`."""
        return self._acts(people.close, reference, rule, by, "no_record_will_come")

    def confirm(self, reference: str = "", *, rule: str = "", by: str = "") -> str:
        """Somebody types `monitor confirm`."""
        return self._acts(confirming.confirm, reference, rule, by, "partner_confirmed")

    def silence_telling(
        self, reference: str = "", *, rule: str = "", until: str, by: str = ""
    ) -> int:
        """Somebody types `monitor silence`; returns its number."""
        return people.silence(
            self.monitor,
            actor=ACCOUNT,
            reason_code="under_review",
            until=self._future(until),
            now=self.now,
            reference=reference,
            rule=rule,
            on_behalf_of=by,
        )

    def undo_newest_intake(self, feed: str) -> None:
        """Somebody types `monitor intake undo`."""
        with reading(self.monitor.engine) as connection:
            newest = next(
                row for row in intakes.list_intakes(connection, limit=50) if row["feed"] == feed
            )
        undo_intake(self.monitor, newest["id"], actor=ACCOUNT, now=self.now)

    def end(self, number: int) -> None:
        """Somebody types `monitor actions end`."""
        people.end(self.monitor, number, actor=ACCOUNT, now=self.now)

    def _acts(
        self, act: Any, reference: str, rule: str, by: str, reason_code: str, **more: Any
    ) -> str:
        """Do it to every clock of a case that fits; whatever cannot be done is said."""
        try:
            meant = people.find_clocks(
                self.monitor, reference or self.reference, actor=ACCOUNT, rule=rule
            )
            recorded = act(
                self.monitor,
                meant,
                actor=ACCOUNT,
                reason_code=reason_code,
                now=self.now,
                on_behalf_of=by,
                **more,
            )
        except people.Refused as refused:
            return str(refused)
        return "" if recorded.done else "; ".join(recorded.refused)

    def _maybe(self, when: str) -> Instant | None:
        return self._future(when) if when else None

    def mail_server(self, *, is_down: bool = False, loses_its_answer: bool = False) -> None:
        """How the mail server behaves from now on."""
        self._inbox.is_down, self._inbox.loses_its_answer = is_down, loses_its_answer

    def decide(self, section: str, **values: Any) -> None:
        """Change settings of one section, as a restart with another file would."""
        settings = self.monitor.settings
        changed = getattr(settings, section).model_copy(update=values)
        self.monitor = replace(
            self.monitor, settings=settings.model_copy(update={section: changed})
        )

    def post_moves(self, role: str, address: str) -> None:
        """Another mailbox holds a role from now on, everywhere."""
        file = self.monitor.roster.file
        posts = tuple(
            post.model_copy(update={"address": address}) if post.role == role else post
            for post in file.posts
        )
        self._use_roster(file.model_copy(update={"posts": posts}))

    def reads_digest(self, scope: str, address: str) -> None:
        """One mailbox reads the digest of a scope, and no other any."""
        digest = Digest(scope=scope, to=(address,))
        self._use_roster(self.monitor.roster.file.model_copy(update={"digests": (digest,)}))

    def post_is_vacant(self, *roles: str, no_cover: bool = False) -> None:
        """Nobody holds these roles; with `no_cover`, nobody stands in either."""
        file = self.monitor.roster.file
        posts = tuple(post for post in file.posts if post.role not in roles)
        known = dict(file.roles)
        for role in roles if no_cover else ():
            known[role] = known[role].model_copy(update={"cover": None, "out_of_hours": None})
        self._use_roster(file.model_copy(update={"posts": posts, "roles": known}))

    def _use_roster(self, file: Any) -> None:
        roster = Roster.of(file, self.monitor.rulebook.calendars)
        self.monitor = replace(self.monitor, roster=roster)

    # -- what is expected ---------------------------------------------------------------------

    def expects_mail_to(
        self,
        who: str,
        *,
        saying: str | Iterable[str] = (),
        not_saying: str | Iterable[str] = (),
        at: str = "",
    ) -> Arrived:
        """A mail came to a role (by its title or name) or address, and says these phrases.

        `at`: when it arrived. The earliest that fits counts as expected from now on.
        """
        addresses = self._addresses(who)
        when = _instant(at, before=self.now) if at else None
        for mail in self._unexpected:
            fits = mail.to in addresses and _says(mail, saying)
            if fits and (when is None or mail.at // MINUTE == when // MINUTE):
                self._unexpected.remove(mail)
                wrong = [phrase for phrase in _phrases(not_saying) if _says(mail, phrase)]
                assert not wrong, f"{mail}\n{mail.text}\nmust not say {wrong}"
                return mail
        wanted = f"a mail to {who} ({', '.join(sorted(addresses))}) saying {_phrases(saying)}"
        if when is not None:
            wanted += f" at {_said(when)}"
        raise AssertionError(f"{_said(self.now)}: expected {wanted}.\n{self._what_came(addresses)}")

    def take_all_mail(self) -> list[Arrived]:
        """Every mail that came and was not expected one by one, all expected from now on."""
        taken, self._unexpected = self._unexpected, []
        return taken

    def expects_no_more_mail(self) -> None:
        """Every mail so far was expected."""
        if self._unexpected:
            raise AssertionError(
                f"{_said(self.now)}: nobody expected these.\n{self._what_came(all)}"
            )

    def says(self, rule: str, reference: str = "") -> str:
        """The verdict of the one clock of a rule now; of several, joined by commas."""
        named = reference or self.reference
        rows = clock_rows(self.monitor, as_of=self.now, reference=named)
        return ", ".join(
            sorted(
                str(row.verdict) for row in rows if row.rule == rule and row.verdict != "superseded"
            )
        )

    def explained(
        self, reference: str = "", rule: str | None = None, *, as_of: str = ""
    ) -> CaseExplanation:
        """Why a case says what it says, or said at an earlier time as known then."""
        named = reference or self.reference
        at = _instant(as_of, before=self.now) if as_of else None
        found = explain_case(self.monitor, named, rule=rule, now=self.now, actor="story", as_of=at)
        assert found is not None
        return found

    def caseload(self) -> CaseloadStatus:
        """What `monitor status --caseload` would show."""
        caseload = self.status().caseload
        assert caseload is not None
        return caseload

    def drops_roster(self, *rows: str, header: str = "role,district,address,from,until") -> None:
        """The duty system writes a roster into its folder, which the next turn takes in."""
        self.decide("people", roster_folder="drop/duty-roster")
        folder = self.folder / "drop/duty-roster"
        folder.mkdir(parents=True, exist_ok=True)
        self._drops += 1
        file = folder / f"roster-{self._drops:05}.csv"
        file.write_text("\n".join((header, *rows)) + "\n", "utf-8")

    def unexplained(self, reference: str) -> str:
        """What somebody reads who may not see a case, and asks why it says what it says."""
        found = explain_case(self.monitor, reference, rule=None, now=self.now, actor=ACCOUNT)
        return "nothing is known" if found is None else "explained"

    def status(self) -> Status:
        """What `monitor status` would show."""
        return read_status(self.monitor, now=self.now)

    def close(self) -> None:
        """The end: whatever nobody expected, and whatever waits unsaid, fails."""
        try:
            self._turn()
            self._turn()
            self.expects_no_more_mail()
            for name in {row["PPN_NO"] for _, row in self._feeds[OCCURRENCE].rows}:
                if self._feeds[OCCURRENCE].told_once(name):
                    self.explained(name)
        finally:
            self.release()

    def release(self) -> None:
        """Give everything back without asking whether the story came true."""
        self._runner.run(self.monitor.post.close())
        self._runner.run(self._open.aclose())
        self._runner.close()
        self.monitor.engine.dispose()

    def _addresses(self, who: str) -> set[str]:
        if "@" in who:
            return {who}
        if who == "operator":
            return set(self.monitor.settings.operator.addresses)
        place, _, role = who.partition(" ")
        file = self.monitor.roster.file
        districts = {post.district for post in file.posts if post.district}
        named, district = (role, place) if place in districts else (who, "")
        found = {
            post.address
            for post in file.posts
            if named in (post.role, file.roles[post.role].title)
            and (not district or post.district == district)
        }
        if not found:
            found = {f"{who}@{self.monitor.mail_domain}"}
        return found

    def _what_came(self, addresses: Any) -> str:
        if not self._unexpected:
            return "No mail is left."
        lines = ["These mails are left:"]
        for mail in self._unexpected:
            lines.append(f"  {mail}")
            if addresses is all or mail.to in addresses:
                lines.append(f"      {mail.text}")
        return "\n".join(lines)


@dataclass
class _Source:
    """One of the force's systems."""

    name: str
    every: Duration | None = ALWAYS
    """How often it is heard; None: not at all."""
    next_at: Instant = 0
    rows: list[tuple[Instant, dict[str, str]]] = field(default_factory=list)
    """(from when the system has it, what it has), in the order in which the story tells it."""
    exported: int = 0
    replayed: list[list[dict[str, str]]] = field(default_factory=list)
    """Files that are still to be written of what was kept back, the last one next."""

    def wakes_at(self, now: Instant) -> Instant | None:
        """When it will next have something to say that it has not said."""
        if self.every is None:
            return None
        if self.every:
            return self.next_at
        return min((at for at, _ in self.rows if at > now), default=None)

    def is_heard(self, now: Instant) -> bool:
        """Whether it writes a file at this instant."""
        if self.every is None or (self.every and now < self.next_at):
            return False
        if self.every:
            self.next_at = now + self.every
        return True

    def told_once(self, reference: str) -> bool:
        """Whether a reference was ever in a file."""
        return any(row.get("PPN_NO") == reference for _, row in self.rows[: self.exported])

    def export(self, now: Instant, *, is_snapshot: bool) -> list[dict[str, str]]:
        """The rows of the file that it writes now: all, or those that are new."""
        self.rows.sort(key=lambda told: told[0])
        known = [row for at, row in self.rows if at <= now]
        new, self.exported = known[self.exported :], len(known)
        return _whole(known) if is_snapshot else new


def _whole(known: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """One row for each notice and child, as it stands after all that was written into it."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for told in known:
        row = rows.setdefault((told["PPN_NO"], told["CHILD_ID"]), {"ROW_VERSION": "0"})
        row |= told
        row["ROW_VERSION"] = str(int(row["ROW_VERSION"]) + 1)
    return list(rows.values())


def _responsible(who: str, code: str | None, since: Instant) -> dict[str, str]:
    return {} if code is None else {f"{who}_SET": _written(since), f"{who}_CODE": code}


def _child(reference: str, number: str) -> str:
    return f"C{reference[-4:]}-{number}"


def _file(
    kind: str, delimiter: str, columns: Iterable[str], rows: Iterable[Mapping[str, str]]
) -> str:
    if kind == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows)
    out = io.StringIO()
    writer = csv.DictWriter(
        out, list(columns), restval="", delimiter=delimiter, lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


# -- words ------------------------------------------------------------------------------------


def _phrases(said: str | Iterable[str]) -> list[str]:
    return [said] if isinstance(said, str) else list(said)


def _says(mail: Arrived, phrases: str | Iterable[str]) -> bool:
    everything = f"{mail.subject}\n{mail.text}".replace("\N{NO-BREAK SPACE}", " ")
    return all(phrase in everything for phrase in _phrases(phrases))


def _instant(text: str, *, after: Instant | None = None, before: Instant | None = None) -> Instant:
    """The instant of a local time in words: the first from `after` on, or last up to `before`."""
    read = _WHEN.fullmatch(text)
    assert read is not None, f"{text!r} is no time such as 'Mon 8 March 2027 18:47' or '18:47'"
    time = dt.time(int(read["hour"]), int(read["minute"]), int(read["second"] or 0))
    anchor = after if after is not None else before
    if read["day"]:
        year = int(read["year"]) if read["year"] else local(anchor or 0, LONDON).year
        day = dt.date(year, _MONTHS.index(read["month"]) + 1, int(read["day"]))
        if read["weekday"]:
            assert _WEEKDAYS[day.weekday()] == read["weekday"], f"{text}: it is no such weekday"
        return _of_local(day, time)
    assert anchor is not None, f"{text!r} names no date"
    step = dt.timedelta(days=1 if after is not None else -1)
    day = local(anchor, LONDON).date()
    while True:
        found = _of_local(day, time)
        is_there = found >= anchor if after is not None else found <= anchor
        if is_there and read["weekday"] in (None, _WEEKDAYS[day.weekday()]):
            return found
        day += step


def _of_local(day: dt.date, time: dt.time) -> Instant:
    first, _ = instants_of_local(dt.datetime.combine(day, time), LONDON)
    return first


def _said(instant: Instant) -> str:
    shown = local(instant, LONDON)
    return f"{_WEEKDAYS[shown.weekday()]} {shown.day} {_MONTHS[shown.month - 1]} {shown:%H:%M}"


def _written(told: Instant | str) -> str:
    """An instant as the occurrence system writes it; text as it is."""
    return told if isinstance(told, str) else f"{local(told, LONDON):%d/%m/%Y %H:%M:%S}"


def _iso(instant: Instant) -> str:
    return local(instant, LONDON).replace(microsecond=0).isoformat()


__all__ = ["ALWAYS", "Arrived", "Inbox", "Story", "opened"]
