"""What a run left behind, told so that two runs can be compared, and what is wrong with one alone.

What comes in: the database and the mails of a run. What goes out: plain values that name things by
their references, without the times of receipt, decision and sending, which alone may differ.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, select

from monitor.clocks.verdicts import verdict
from monitor.model import MINUTE
from monitor.store import actions, clocks
from monitor.store.engine import open_engine, reading
from monitor.store.tables import (
    action,
    activation,
    alert,
    audit,
    batch,
    case_,
    clock,
    digest_run,
    event,
    feed,
    feed_gap,
    intake,
    message,
    quarantine,
    rule_version,
)
from tests.faults.force import Stage, rows_dropped
from tests.faults.plan import MOST_OF_MOVING, Lived
from tests.faults.sink import Accepted, message_id_of

Fact = tuple[Any, ...]

_MADE_BY_US: Final = frozenset({"cleared", "moved"})
_ABOUT_ITSELF: Final = frozenset({"digest", "operator"})
_WHEN_TOLD: Final = re.compile(r"; (?:told later than planned|learnt after it was due)")
_REFERENCE: Final = re.compile(r"\b(?:PPN-\d{4}-\d{6}|INC-\d{8}-\d{4})\b")
_SILENT: Final = re.compile(r"\(silent[^)]*\)")
_SILENT_IN_SUBJECT: Final = re.compile(r"\| (?:\d+ feeds|[a-z ]+) silent\b")
_MAILS: Final = re.compile(r"\bin \d+ mails?\b")
_TOLD: Final = re.compile(
    r"\b(\d+) alerts? in mails(.*?)(?:; (\d+) still to be sent)?((?:; \d+ NOT DELIVERED)?)\."
)
_TIMES: Final = re.compile(
    r"\b\d+ h \d{1,2}\b|\b\d+ (?:h|min|s|hours?|minutes?|seconds?|days?)\b"
    r"|\b\d{1,2}:\d{2}\b|\b\d{1,2} March\b"
)


@dataclass(frozen=True)
class State:
    """Everything of a run that must be as in any other run of the same files."""

    facts: Mapping[str, Counter[Fact]]
    """Name of a part → its facts and how often each is there."""
    wrong: tuple[str, ...]
    """What contradicts a law, whatever other runs came to."""
    repeats: Mapping[str, int] = field(default_factory=dict)
    """Stated window → how many mails were accepted once more in it."""


def state_of(lived: Lived) -> State:
    """Read a run's database and mails."""
    engine = open_engine(lived.url)
    try:
        with reading(engine) as connection:
            tables = _Tables(connection, lived.plan.stages)
            wrong, repeats = _judge_mails(lived, tables)
            accepted = Counter(mail.message_id for mail in lived.accepted)
            return State(
                facts={
                    "events": tables.events(),
                    "clocks": tables.clocks(),
                    "verdicts": tables.verdicts(),
                    "alerts": tables.alerts(),
                    "intakes": tables.intakes(),
                    "quarantine": tables.quarantined(),
                    "feeds": tables.feeds(),
                    "rules": tables.rules(),
                    "digests": tables.digests(),
                    "actions": tables.actions(),
                    "mails": tables.mails(),
                    "files": _files(lived.folder / "force"),
                },
                wrong=(*_stuck(lived), *tables.accounts(), *tables.left_undone(accepted), *wrong),
                repeats=repeats,
            )
    finally:
        engine.dispose()


def differences(expected: State, found: State) -> list[str]:
    """What one run has and another has not, by part."""
    told = []
    for part, facts in expected.facts.items():
        lost = list((facts - found.facts[part]).elements())
        added = list((found.facts[part] - facts).elements())
        for fact in lost:
            twin = max(added, key=lambda other: _alike(fact, other), default=None)
            if twin is None or _alike(fact, twin) < len(fact) / 2:
                told.append(f"{part}: lost {fact}")
                continue
            added.remove(twin)
            changes = [
                f"{before} became {after}"
                for before, after in zip(fact, twin, strict=False)
                if before != after
            ]
            told.append(f"{part}: of {fact[:2]} {'; '.join(changes)}")
        told += [f"{part}: added {fact}" for fact in added]
    return told


def _alike(one: Fact, other: Fact) -> int:
    return sum(mine == theirs for mine, theirs in zip(one, other, strict=False))


def _stuck(lived: Lived) -> list[str]:
    return [f"never quiet: {lived.stuck}"] if lived.stuck else []


class _Tables:
    """The tables of one run, named by references."""

    def __init__(self, connection: Connection, stages: tuple[Stage, ...]) -> None:
        self._connection = connection
        self._stages = stages
        self.rows = {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in (
                *(action, activation, alert, audit, batch, case_, clock, digest_run, event),
                *(feed, feed_gap, intake, message, quarantine, rule_version),
            )
        }
        self._reference = {row["id"]: row["reference"] for row in self.rows["case_"]}
        self._clock = {row["id"]: self._key(row) for row in self.rows["clock"]}
        self.message = {row["id"]: row for row in self.rows["message"]}

    def _key(self, row: Mapping[str, Any]) -> Fact:
        names = ("rule", "child", "organisation", "start")
        return (self._reference[row["case_id"]], *(row[name] for name in names))

    # -- what must be the same ----------------------------------------------------------------

    def events(self) -> Counter[Fact]:
        left_out = {"id", "case_id", "batch_id", "received_at"}
        return Counter(
            (self._reference[row["case_id"]], *_named(row, left_out)) for row in self.rows["event"]
        )

    def clocks(self) -> Counter[Fact]:
        left_out = {
            *("id", "case_id", "known_at", "stop_known_at", "revision", "next_action_at"),
            *("inherits", "superseded_at"),
        }
        return Counter(
            (
                self._key(row),
                ("superseded", row["superseded_at"] is not None),
                ("looked at again", row["next_action_at"] is not None),
                ("inherits", tuple(self._clock[each] for each in row["inherits"] or ())),
                ("stop known", row["stop_known_at"] is not None),
                *_named(row, left_out),
            )
            for row in self.rows["clock"]
        )

    def verdicts(self) -> Counter[Fact]:
        """When each stage is done with everything that it led to."""
        instants = sorted({stage.at + MOST_OF_MOVING + 5 * MINUTE for stage in self._stages})
        kept = clocks.clocks_of(self._connection, list(self._reference))
        return Counter(
            (self._clock[each.id], *(str(verdict(each.clock, now=now)) for now in instants))
            for each in kept
        )

    def alerts(self) -> Counter[Fact]:
        names = ("episode", "rung", "repeat", "recipient", "kind", "role", "asked_role", "state")
        return Counter(
            (
                self._clock[row["clock_id"]],
                *(row[name] for name in names),
                _WHEN_TOLD.sub("", row["reason"]),
                self._state_of_mail(row["message_id"]),
            )
            for row in self.rows["alert"]
        )

    def _state_of_mail(self, message_id: int | None) -> str:
        return "in none" if message_id is None else self.message[message_id]["state"]

    def intakes(self) -> Counter[Fact]:
        """A snapshot whose reading was broken off says nothing of rows that are in it no more."""
        left_out = {"id", "started_at", "finished_at", "lease_token", "lease_until"}
        left_out |= {"file_name", "vanished", "why"}
        return Counter(
            (*_named(row, left_out), ("why", row["why"].rpartition("/")[2]))
            for row in self.rows["intake"]
        )

    def quarantined(self) -> Counter[Fact]:
        left_out = {"id", "intake_id", "first_seen_at", "last_seen_at"}
        return Counter(tuple(_named(row, left_out)) for row in self.rows["quarantine"])

    def feeds(self) -> Counter[Fact]:
        heard = Counter(
            (row["name"], row["red"], row["last_heard_at"] is not None, row["tolerance"])
            for row in self.rows["feed"]
        )
        return heard + Counter(
            ("silent", row["feed"], row["silent_to"] is None) for row in self.rows["feed_gap"]
        )

    def rules(self) -> Counter[Fact]:
        names = ("rule", "version", "measuring_digest")
        accepted = Counter(tuple(row[name] for name in names) for row in self.rows["rule_version"])
        return accepted + Counter(("active", row["digest"]) for row in self.rows["activation"])

    def digests(self) -> Counter[Fact]:
        """Who got which, and what it said; the times that it speaks of may differ."""
        return Counter(
            (
                *(row[name] for name in ("scope", "period", "recipient")),
                _said(self.message[row["message_id"]]["content"]),
            )
            for row in self.rows["digest_run"]
        )

    def actions(self) -> Counter[Fact]:
        return Counter((row["kind"], row["target"]) for row in self.rows["action"])

    def mails(self) -> Counter[Fact]:
        """Who was told of which case in which kind of mail, however it was bundled.

        What the monitor tells its operator about itself depends on what was done to it.
        """
        told: set[Fact] = set()
        for row in self.rows["message"]:
            if row["state"] == "sent" and row["content"] and row["kind"] not in _ABOUT_ITSELF:
                named = set(_REFERENCE.findall(_text(row["content"]))) or {""}
                told |= {(row["kind"], row["address"], each) for each in named}
        return Counter(told)

    # -- what must hold of one run ------------------------------------------------------------

    def accounts(self) -> list[str]:
        """Law 2: every row of every file is accounted for, and the counts add up."""
        wrong = []
        dropped = rows_dropped(self._stages)
        names = {row["file_name"] for row in self.rows["intake"]}
        for row in self.rows["intake"]:
            name, rows = row["file_name"], dropped.get(row["file_name"])
            if row["state"] == "done" and row["rows_read"] != rows:
                wrong.append(f"{name} has {rows} rows and {row['rows_read']} are accounted for")
        if missing := {name for name in dropped if name not in names and "again" not in name}:
            wrong.append(f"no intake of {sorted(missing)}")
        counted = sum(
            row[f"events_{what}"]
            for row in self.rows["intake"]
            for what in ("new", "amended", "conflicting")
        )
        stored = len([row for row in self.rows["event"] if row["kind"] != "moved"])
        if counted != stored:
            wrong.append(f"{counted} events are counted and {stored} are stored")
        numbers = sorted(
            [row["number"] for row in self.rows["batch"] if row["number"] is not None]
            + [row["number"] for row in self.rows["action"]]
        )
        if len(numbers) != len(set(numbers)) or len(numbers) < len(self.rows["batch"]):
            wrong.append("a batch has no number of its own")
        return wrong

    def left_undone(self, accepted: Mapping[str, int]) -> list[str]:
        """What would have to be done still, or was done twice."""
        wrong = [f"{row['reference']} is dirty" for row in self.rows["case_"]
                 if row["dirty"] != row["assessed"]]  # fmt: skip
        wrong += [
            f"alert {row['id']} is {row['state']} in a mail that is {state}"
            for row in self.rows["alert"]
            if (state := self._state_of_mail(row["message_id"])) != "sent"
            and row["state"] != "cancelled"
            and row["recipient"]
            and row["kind"] != "stopped_late"
        ]
        told = Counter(
            row["subject"] for row in self.rows["audit"] if row["operation"] == "disclosure"
        )
        for row in self.rows["message"]:
            most = max(accepted[row["message_id"]], 1) if row["state"] == "sent" else 0
            if not min(most, 1) <= told[f"message {row['id']}"] <= most:
                wrong.append(f"the audit log tells wrongly of message {row['id']}")
        read = Counter(
            row["subject"] for row in self.rows["audit"] if row["operation"] == "collection"
        )
        wrong += [f"{what} was logged {count} times" for what, count in read.items() if count > 1]
        if (at := actions.audit_breaks_at(self._connection)) is not None:
            wrong.append(f"the audit log breaks at {at}")
        return wrong


# -- mails ------------------------------------------------------------------------------------


def _judge_mails(lived: Lived, tables: _Tables) -> tuple[list[str], dict[str, int]]:
    """Law 3: each at least once; again only as the same, and only in the two stated windows."""
    stored = {row["message_id"]: row for row in tables.rows["message"]}
    wrong = [fault for mail in lived.accepted for fault in _wrong_with(mail, stored)]
    times = Counter(mail.message_id for mail in lived.accepted)
    for message_id, row in stored.items():
        if row["state"] == "sent" and not times[message_id]:
            wrong.append(f"{message_id} to {row['address']} is lost: sent, they say; none has it")
        if row["state"] in {"queued", "dead"}:
            wrong.append(f"{message_id} to {row['address']} is {row['state']}: {row['outcome']}")
    windows = [
        (message_id, window)
        for message_id, count in times.items()
        for window in _windows(lived, message_id, count - 1)
    ]
    wrong += [f"{each} was accepted again outside the windows" for each, in_ in windows if not in_]
    repeats = Counter(window for _, window in windows if window)
    return [*wrong, *_not_in_its_mail(tables)], dict(repeats)


def _wrong_with(mail: Accepted, stored: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    row = stored.get(mail.message_id)
    if row is None or row["content"] is None or row["state"] != "sent":
        yield f"{mail.message_id} was accepted and is not known as sent"
    elif _unwrapped(mail.content) != _unwrapped(bytes(row["content"])):
        yield f"{mail.message_id} was accepted with other bytes than are kept"
    elif mail.recipient != row["address"]:
        yield f"{mail.message_id} went to {mail.recipient}"


def _windows(lived: Lived, message_id: str, again: int) -> Iterable[str]:
    """In which window each repeat falls; '' for one that falls in none."""
    open_windows = ["accepted and not recorded"] * lived.hung_up_on.count(message_id)
    for ended in lived.ended:
        if message_id in ended.leased:
            late = "after a lapsed lease"
            open_windows.append(late if ended.was_suspended else "accepted and not recorded")
    open_windows += _lapsed(lived, message_id)
    return [*open_windows[:again], *[""] * (again - len(open_windows))]


def _lapsed(lived: Lived, message_id: str) -> list[str]:
    """A lease lapses under whoever holds it where the made-up time is moved on meanwhile.

    Claiming comes before handing over, by less than the slowest machine takes for it.
    """
    handed_over = lived.handed_over.get(message_id, [])
    return [
        "after a lapsed lease"
        for one, other in itertools.pairwise(handed_over)
        if any(one - 5_000_000 < moved < other for moved in lived.time_moved)
    ]


def _not_in_its_mail(tables: _Tables) -> list[str]:
    """An alert that is said to be in a mail, of whose case the mail does not speak."""
    wrong = []
    for row in tables.rows["alert"]:
        mail = tables.message.get(row["message_id"]) if row["message_id"] else None
        if mail is None or mail["content"] is None or row["state"] != "in message":
            continue
        reference = tables._clock[row["clock_id"]][0]
        if reference not in _text(mail["content"]) and not reference.startswith("INC"):
            wrong.append(f"alert {row['id']} of {reference} is not in {mail['message_id']}")
    return wrong


def _unwrapped(content: bytes) -> bytes:
    """A mail's bytes, whatever ends its lines on the way, and whatever ends it."""
    return content.replace(b"\r\n", b"\n").rstrip(b"\n")


def _text(content: bytes) -> str:
    mail = message_from_bytes(bytes(content), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    plain = mail.get_body(("plain",))
    assert plain is not None
    return f"{mail['Subject']}\n{plain.get_content()}"


def _said(content: bytes) -> str:
    """A digest's words without times, without how mails were bundled, and on one line.

    It says how many alerts had gone out when it was written, in the same round as the last of them:
    what counts is how many there are. And it says for how long feeds were silent, which hangs on
    whether anybody looked in the second in which hours passed.
    """
    line = _SILENT_IN_SUBJECT.sub("| # silent", " ".join(_text(content).split()))
    line = _MAILS.sub("in mails", _SILENT.sub("(silent)", line))
    return _TIMES.sub("#", _TOLD.sub(_sent_or_to_be_sent, line))


def _sent_or_to_be_sent(found: re.Match[str]) -> str:
    return f"{int(found[1]) + int(found[3] or 0)} alerts told{found[2]}{found[4]}."


# -- files ------------------------------------------------------------------------------------


def _files(home: Path) -> Counter[Fact]:
    """Every file that was dropped lies in a private place.

    Killed in the middle of a move, it may lie there under two names until it is purged.
    """
    kept = {
        (folder, hashlib.sha256(path.read_bytes()).hexdigest()[:16], is_being_moved)
        for folder in ("var/done", "var/set-aside")
        for path in (home / folder).iterdir()
        for is_being_moved in (path.name.startswith("."),)
    }
    named = {(folder, digest) for folder, digest, is_being_moved in kept if not is_being_moved}
    alone = {(folder, digest) for folder, digest, _ in kept} - named
    return Counter(named) + Counter(alone)


def _named(row: Mapping[str, Any], left_out: set[str]) -> list[Fact]:
    return [(name, _plain(value)) for name, value in row.items() if name not in left_out]


def _plain(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    return str(value) if isinstance(value, (dict, list)) else value


def tables_of(lived: Lived, *tables: Table) -> dict[str, Sequence[dict[str, Any]]]:
    """Rows of some tables of a run, for a test that looks closer."""
    engine = open_engine(lived.url)
    try:
        with reading(engine) as connection:
            return {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in tables
            }
    finally:
        engine.dispose()


__all__ = ["State", "differences", "message_id_of", "state_of", "tables_of"]
