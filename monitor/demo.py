"""See it work: a small force's morning in half a minute, then in real time.

What comes in: an empty folder. What goes out: an installation in it that runs on generated events,
with a mail server of its own on this machine whose inbox is a folder. Time starts hours back, runs
fast until it has caught up with the present, and then as everywhere. Rules, limits, mails and the
daemon are the real ones; the events are made up and name nobody.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import logging
import random
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from monitor.approving import Account, approve, plan_approval
from monitor.cycle.watched import Watched
from monitor.daemon import AnotherDaemon, Daemon, Pace, only_daemon, system_now
from monitor.ingest.feeds import Feed
from monitor.installation import AlreadyThere, install
from monitor.logs import configure_logs
from monitor.model import DAY, HOUR, MINUTE, Duration, Instant
from monitor.settings import Settings, read_settings
from monitor.wiring import ready
from monitor.worktime.zones import local

HOURS_BACK: Final[Duration] = 5 * HOUR
SECONDS_TO_CATCH_UP: Final = 30
MARKER: Final = ".this-is-a-demonstration"
"""The file that says so, with the digest of every file that was made for somebody to edit."""
EXAMPLE: Final = "try-me.csv"
RUNNING: Final = frozenset({"var", "drop", "inbox", EXAMPLE, MARKER})
"""What a run fills by itself; the rest is made once, and then anybody's to edit."""
NODE: Final = "demonstration"
WIDTH: Final = 100
"""A line in the terminal is no longer than this."""
LONDON: Final = ZoneInfo("Europe/London")

HEARTBEAT: Final[Duration] = 1 * MINUTE
"""How often an export says that its source is alive, though nothing happened."""

SENT_IN_TIME: Final = 0.9
"""Share of the calm cases."""

CALM_CASES: Final = 24
"""Cases of the days before that are there when the demonstration begins."""


def run_demo(folder: Path, *, seconds: float | None) -> int:
    """Run until Ctrl-C, or for so long; returns the exit status.

    What somebody wrote in the folder since the run before is kept aside, not deleted.
    """
    try:
        why = _unusable(folder) or _made_anew(folder)
    except (PermissionError, AlreadyThere):
        why = "is not this account's to write"
    if why:
        click.echo(f"{folder} {why}; choose another folder with --folder", err=True)
        return 2
    with only_daemon(folder / "var", NODE):
        return asyncio.run(_Demonstration(folder).run(seconds=seconds))


def _unusable(folder: Path) -> str:
    """Why a folder cannot be emptied for a demonstration; empty where it can."""
    if not folder.exists() or not any(folder.iterdir()):
        return ""
    if not (folder / MARKER).exists():
        return "holds something else"
    try:
        with only_daemon(folder / "var", NODE):
            return ""
    except AnotherDaemon:
        return "is in use by another demonstration"


def _made_anew(folder: Path) -> str:
    """Make an installation in place of the one before; why not, where work cannot be kept."""
    if work := _work_in(folder):
        kept = folder.resolve()
        kept = kept.with_name(f"{kept.name}-kept-{local(system_now(), LONDON):%Y%m%d-%H%M%S}")
        try:
            folder.resolve().rename(kept)
        except OSError as error:
            return f"holds work of yours ({work[0]}) that cannot be kept aside: {error.strerror}"
        more = f" and {len(work) - 1} more" if len(work) > 1 else ""
        click.echo(f"{work[0]}{more} of the last demonstration: kept in {kept}")
    shutil.rmtree(folder, ignore_errors=True)
    install(folder)
    (folder / MARKER).touch()
    return ""


def _work_in(folder: Path) -> list[str]:
    """The files that a demonstration did not make, or that read otherwise by now."""
    marker = folder / MARKER
    if not marker.exists():
        return []
    try:
        made = json.loads(marker.read_text(encoding="utf-8"))
    except ValueError:  # it ended before it had written them: whatever is there is kept
        made = {}
    return [name for name, digest in _digests(folder).items() if made.get(name) != digest]


def _remember_what_was_made(folder: Path) -> None:
    (folder / MARKER).write_text(json.dumps(_digests(folder)), encoding="utf-8")


def _digests(folder: Path) -> dict[str, str]:
    """File within the folder → digest of its content, of all that no run fills by itself."""
    files = {path.relative_to(folder): path for path in sorted(folder.rglob("*"))}
    return {
        str(name): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if name.parts[0] not in RUNNING and path.is_file()
    }


@dataclass
class _Demonstration:
    """One run, in its folder."""

    folder: Path
    pace: Pace = field(init=False)

    async def run(self, *, seconds: float | None) -> int:
        made_at = system_now() - HOURS_BACK
        inbox = _Inbox(self.folder / "inbox", self._started())
        with inbox.listening() as port:
            _configure(self.folder, port)
            _remember_what_was_made(self.folder)
            configure_logs("text", level=logging.ERROR)  # the mails speak for themselves
            settings = read_settings(self.folder / "config" / "monitor.toml")
            _approve(settings, now=made_at)
            monitor = ready(settings, now=made_at, actor="demonstration", activate=True)
            # Ten minutes pass in a second: on a slow machine the making ready took hours of it.
            inbox.pace = self._started()
            begins_at = self.pace.caught_up_at() + MINUTE
            monitor = replace(monitor, watched=Watched(begins_at=begins_at))
            daemon = Daemon(monitor, pace=self.pace)
            _say_hello(self.folder, self.pace.now())
            beside = (
                asyncio.create_task(self._feed(_Exporter(self.folder, monitor.feeds))),
                asyncio.create_task(_stop_after(daemon, seconds)),
            )
            status = await daemon.run()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        _say_goodbye(self.folder, inbox)
        return status

    def _started(self) -> Pace:
        """Time begins hours back, now."""
        self.pace = Pace.catching_up(system_now(), back=HOURS_BACK, seconds=SECONDS_TO_CATCH_UP)
        return self.pace

    async def _feed(self, exporter: _Exporter) -> None:
        """Write what a force's systems would export, as the hours pass."""
        story = _Story(self.pace.now())
        while not self.pace.is_real_time():
            self._export(story, exporter)
            await asyncio.sleep(0.7)
        now = self.pace.now()
        _write_example(self.folder, exporter.feeds["occurrence"], now)
        _say_real_time(self.folder, now)
        while True:
            self._export(story, exporter)
            await asyncio.sleep(20)

    def _export(self, story: _Story, exporter: _Exporter) -> None:
        now = self.pace.now()
        for feed, rows in story.until(now):
            exporter.drop(feed, rows, now)


async def _stop_after(daemon: Daemon, seconds: float | None) -> None:
    if seconds is not None:
        await asyncio.sleep(seconds)
        daemon.stop()


def _write_example(folder: Path, feed: Feed, now: Instant) -> None:
    """A file that a newcomer can drop in: nobody was told of this contact, and it is late."""
    notice = _Notice("PPN-2027-004299", now - 5 * HOUR, "PHYS ABUSE", "H", random.Random(1))
    rows = [notice.row(known_at=now)]
    (folder / EXAMPLE).write_text(written(feed, rows), encoding="utf-8")


# -- the installation -------------------------------------------------------------------------


def _configure(folder: Path, port: int) -> None:
    """What a force would decide, decided for the demonstration."""
    file = folder / "config" / "monitor.toml"
    text = file.read_text(encoding="utf-8")
    decided = {
        "name": '"Demonstration"',
        "alerts": '"on"',
        "bundle_minutes": "0",
        "poll_seconds": "0.5",
        "host": '"127.0.0.1"',
        "port": str(port),
        "security": '"none-loopback-only"',
    }
    for key, value in decided.items():
        text, found = re.subn(rf"(?m)^{key} = (\"[^\"]*\"|\S+)", f"{key} = {value}", text)
        if found != 1:
            msg = f"the shipped settings name {key} {found} times, not once"
            raise ValueError(msg)
    file.write_text(text, encoding="utf-8")


def _approve(settings: Settings, *, now: Instant) -> None:
    """The sample set tells somebody here; no force has approved it."""
    plan = plan_approval(settings, (), everything=True)
    nobody = Account(frozenset(), name="demonstration")
    approve(settings, plan, role="the demonstration", account=nobody, now=now)


# -- the story --------------------------------------------------------------------------------


Rows = list[dict[str, str]]


@dataclass
class _Story:
    """What happens in the demonstration, by the instant at which a system exports it."""

    begins_at: Instant
    chance: random.Random = field(default_factory=lambda: random.Random(20270308))
    scenes: list[tuple[Instant, str, dict[str, str]]] = field(default_factory=list)
    heartbeat_at: Instant = 0

    def __post_init__(self) -> None:
        self._days_before()
        self._told_too_late()
        self._told_in_time_but_written_down_late()
        self._missing_child()
        self._high_risk_waits_for_triage()
        self.scenes.sort(key=lambda scene: scene[0])

    def until(self, now: Instant) -> Iterator[tuple[str, Rows]]:
        """Exports due by an instant: what happened, and empty files that say "still alive"."""
        due = [scene for scene in self.scenes if scene[0] <= now]
        self.scenes = [scene for scene in self.scenes if scene[0] > now]
        by_feed: dict[str, Rows] = {}
        for _, feed, row in due:
            by_feed.setdefault(feed, []).append(row)
        if now >= self.heartbeat_at + HEARTBEAT:
            self.heartbeat_at = now
            by_feed = {"occurrence": [], "sending-log": [], "command-control": []} | by_feed
        yield from by_feed.items()

    def _tell(self, at: Instant, feed: str, row: Mapping[str, str]) -> None:
        self.scenes.append((at, feed, dict(row)))

    def _days_before(self) -> None:
        """Cases of the days before, most of them told in time."""
        for number in range(CALM_CASES):
            contact = self.begins_at - self.chance.randint(8 * HOUR, 9 * DAY)
            category, risk = self.chance.choice(
                [("NEGLECT", "M"), ("EMOT ABUSE", "S"), ("PHYS ABUSE", "H"), ("CSE", "M")]
            )
            notice = _Notice(f"PPN-2027-00{3800 + number}", contact, category, risk, self.chance)
            self._tell(self.begins_at, "occurrence", notice.row(known_at=self.begins_at))
            for line in notice.sendings(self.begins_at):
                self._tell(self.begins_at, "sending-log", line)

    def _told_too_late(self) -> None:
        """Nobody tells the council: a warning, then alerts rung by rung."""
        contact = self.begins_at - 2 * HOUR - 25 * MINUTE
        notice = _Notice("PPN-2027-004211", contact, "PHYS ABUSE", "H", self.chance)
        self._tell(self.begins_at + 2 * MINUTE, "occurrence", notice.row(known_at=self.begins_at))

    def _told_in_time_but_written_down_late(self) -> None:
        """The council was told by portal in time, and the log learns of it hours after."""
        contact = self.begins_at - 2 * HOUR - 45 * MINUTE
        notice = _Notice("PPN-2027-004207", contact, "SEX ABUSE", "H", self.chance)
        self._tell(self.begins_at + 2 * MINUTE, "occurrence", notice.row(known_at=self.begins_at))
        sent = notice.sending("LA", "eastshire", contact + 3 * HOUR + 10 * MINUTE)
        entered = self.begins_at + 3 * HOUR + 20 * MINUTE
        self._tell(entered, "sending-log", sent | {"entered_at": _iso(entered)})

    def _missing_child(self) -> None:
        """Reported missing at high risk; the council is told within the hour."""
        reported = self.begins_at + 20 * MINUTE
        notice = _Notice("PPN-2027-004213", reported, "MISSING", "H", self.chance)
        self._tell(reported + 15 * MINUTE, "occurrence", notice.row(known_at=reported))
        sent = notice.sending("LA", "eastshire", reported + 50 * MINUTE)
        self._tell(reported + 55 * MINUTE, "sending-log", sent)

    def _high_risk_waits_for_triage(self) -> None:
        """Submitted and supervised, then nothing: the triage limit of four hours passes."""
        contact = self.begins_at - 3 * HOUR - 40 * MINUTE
        notice = _Notice("PPN-2027-004203", contact, "NEGLECT", "H", self.chance)
        self._tell(self.begins_at + 3 * MINUTE, "occurrence", notice.row(known_at=self.begins_at))


@dataclass
class _Notice:
    """One notice of one child, as the occurrence system would hold it."""

    reference: str
    contact: Instant
    category: str
    risk: str
    chance: random.Random
    entries: int = 0

    def row(self, *, known_at: Instant) -> dict[str, str]:
        """The wide row of the extract, with the stages that are over by an instant."""
        stages = {
            "FIRST_KNOWN": self.contact,
            "SUBMITTED": self.contact + 40 * MINUTE,
            "SUPERVISED": self.contact + 80 * MINUTE,
            "COUNCIL_SET": self.contact + 40 * MINUTE,
            "HEALTH_SET": self.contact + 40 * MINUTE,
        }
        if known_at - self.contact > 6 * HOUR:
            stages["TRIAGED"] = self.contact + self.chance.randint(2 * HOUR, 5 * HOUR)
        told = {column: _civil(at) for column, at in stages.items() if at <= known_at}
        number = int(self.reference[-3:])
        return told | {
            "CHILD_VIEWS": "Y" if number % 5 else "N",
            "SCHOOL_NAMED": "Y" if number % 7 else "N",
            "GP_NAMED": "Y" if number % 4 else "N",
            "PPN_NO": self.reference,
            "CHILD_ID": f"C{self.reference[-4:]}",
            "ROW_VERSION": "1",
            "CONCERN_TYPE": self.category,
            "RISK_GRADE": self.risk,
            "BCU": self.chance.choice(["east", "west"]),
            "TEAM": "response",
            "COUNCIL_CODE": "eastshire",
            "HEALTH_CODE": "eastshire-icb",
        }

    def sendings(self, until: Instant) -> Iterator[dict[str, str]]:
        """Lines of the sending log: nine in ten were sent in good time."""
        for partner, code, hours in (("LA", "eastshire", 3), ("ICB", "eastshire-icb", 20)):
            slow = 1 if self.chance.random() < SENT_IN_TIME else 12
            at = self.contact + self.chance.randint(HOUR, hours * HOUR) * slow
            if at <= until:
                yield self.sending(partner, code, at)

    def sending(self, partner: str, code: str, at: Instant) -> dict[str, str]:
        """One line of the sending log."""
        self.entries += 1
        return {
            "entry_no": f"{self.reference}-{partner}-{self.entries}",
            "reference": self.reference,
            "entry_type": "SENT",
            "recipient_type": partner,
            "recipient_code": code,
            "method": "PORTAL",
            "happened_at": _iso(at),
            "entered_at": _iso(at + 5 * MINUTE),
            "message_id": f"M-{self.reference}-{partner}-{self.entries}",
        }


def _civil(at: Instant) -> str:
    return f"{local(at, LONDON):%d/%m/%Y %H:%M:%S}"


def _iso(at: Instant) -> str:
    return local(at, LONDON).replace(microsecond=0).isoformat()


# -- exports ----------------------------------------------------------------------------------


class _Exporter:
    """Writes files as the force's systems would."""

    def __init__(self, folder: Path, feeds: Mapping[str, Feed]) -> None:
        self.folder = folder
        self.feeds = feeds
        self.whole: Rows = []
        """What the occurrence system holds: it sends everything again each time."""

    def drop(self, name: str, rows: Rows, now: Instant) -> None:
        """Drop a file under another name first, and rename it when it is whole."""
        feed = self.feeds[name]
        if feed.mode == "snapshot":
            self.whole += rows
            rows = self.whole
        stem = f"notices-{name}-{local(now, LONDON):%Y%m%d-%H%M%S-%f}.{feed.format}"
        drop = self.folder / feed.folder
        part = drop / f"{stem}.part"
        part.write_text(written(feed, rows), encoding="utf-8")
        part.rename(drop / stem)


def written(feed: Feed, rows: Rows) -> str:
    """Rows as a file of a feed; without rows it says only that the source is alive."""
    if feed.format == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows)
    out = io.StringIO()
    columns = list(feed.declared_columns)
    writer = csv.DictWriter(out, columns, restval="", delimiter=feed.delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


# -- the inbox --------------------------------------------------------------------------------


class _Inbox:
    """A mail server on this machine whose mails are files, and a line each in the terminal."""

    def __init__(self, folder: Path, pace: Pace) -> None:
        folder.mkdir()
        self.folder = folder
        self.pace = pace
        self.mails = 0

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen on a free port of this machine; gives the port."""
        controller = Controller(self, hostname="127.0.0.1", port=_free_port())
        controller.start()
        try:
            yield controller.port
        finally:
            controller.stop()

    async def handle_DATA(  # noqa: N802 - the name that the server calls
        self, _server: object, _session: object, envelope: Envelope
    ) -> str:
        """Keep a mail and say that it came."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content).encode()
        mail = message_from_bytes(raw, policy=policy.default)
        self.mails += 1
        stem = self.folder / f"{self.mails:04}-{str(envelope.rcpt_tos[0]).partition('@')[0]}"
        stem.with_suffix(".eml").write_bytes(raw)
        page = mail.get_body(("html",))
        if page is not None:
            stem.with_suffix(".html").write_text(page.get_content(), encoding="utf-8")
        _say_mail(mail, self.pace.now(), envelope.rcpt_tos[0])
        return "250 kept"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- what the newcomer reads ------------------------------------------------------------------


def _say_hello(folder: Path, now: Instant) -> None:
    click.echo("A small invented force. Five hours pass in half a minute; then time is real.")
    click.echo("Each line is a mail of the monitor: when, to which mailbox, and its subject.")
    click.echo(
        f"They are in {folder}/inbox/ to open: .html for a browser, .eml for a mail program."
    )
    click.echo("Its rules are the demonstration set: samples that no force has approved.")
    click.echo("Ctrl-C ends it.")
    click.echo(f"\n{local(now, LONDON):%A %H:%M}")


def _say_mail(mail: EmailMessage, now: Instant, to: str) -> None:
    """A line: when, to whom, and the subject without its marking and without that time again."""
    subject = re.sub(r" at \d\d:\d\d( [A-Z]{3})?\b", "", str(mail["Subject"]).partition(" | ")[2])
    line = f"{local(now, LONDON):%H:%M}  {_cut(to.partition('@')[0], 20):<20}  "
    click.echo(line + _cut_within(subject, WIDTH - len(line)))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _cut_within(subject: str, width: int) -> str:
    """Cut before the last part, which is the reference."""
    said, bar, last = subject.rpartition(" | ")
    return _cut(said, width - len(bar + last)) + bar + last


def _say_real_time(folder: Path, now: Instant) -> None:
    command = _command()
    tried = (
        ("what is late, silent or failed", "status"),
        (
            "why one clock said what it said",
            "explain PPN-2027-004207 --rule significant-harm-council",
        ),
        ("the weekly digest", "digest --scope force"),
    )
    click.echo(f"\n{local(now, LONDON):%A %H:%M}, the present. From here on time is real.")
    click.echo("Try, in another terminal:")
    for what, arguments in tried:
        click.echo(f"  # {what}")
        click.echo(f"  {command} --config {folder}/config/monitor.toml {arguments}")
    click.echo("  # drop a file in: a contact of five hours ago, told to nobody")
    click.echo(f"  cp {folder}/{EXAMPLE} {folder}/drop/occurrence/notices-mine.csv\n")


def _command() -> str:
    """How `monitor` is typed here: it is seldom on the path of who only typed `make run`."""
    beside = Path(sys.executable).with_name("monitor")
    if shutil.which("monitor") or not beside.exists():
        return "monitor"
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)


def _say_goodbye(folder: Path, inbox: _Inbox) -> None:
    click.echo(f"\nEnded. {inbox.mails} mails are in {folder}/inbox/. What to try next:")
    newest = max(inbox.folder.glob("*.html"), default=None)
    if newest is not None:
        click.echo(f"  open {newest} in a browser")
    click.echo(f"  read {folder}/rules/: one file for each duty, with whose limit it is")
    click.echo(f"  {_command()} init my-force: an installation of your own")
