"""No direct identifier is stored or leaves: marked names are planted in every input and looked for.

A mark in a column that no feed declares is nowhere. A mark in a declared column that cannot hold it
is in quarantine, where the row can be mended, and nowhere else. A person's number is hashed.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from monitor.cli import main
from monitor.ingest.feeds import Feed
from monitor.settings import read_settings
from monitor.wiring import ready
from tests.approved import approve_installed
from tests.process.installed import (
    CHECKOUT,
    COLUMNS,
    KEPT_RULES,
    LONDON,
    Installation,
    Sink,
    hours_ago,
    notice,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

UNDECLARED = "Zebedee Quagmire"
"""A name in a column that no feed declares, and in every such column."""
DECLARED = "Ermintrude Vandeleur"
"""A name in a declared column that holds something else: one row for each column."""
PERSON = "Florence-Rusty-1999"
"""A source's own number of a child."""
NOTE = "Dougal said that Brian was there"
"""Free text."""

MARKS = {
    "undeclared": UNDECLARED,
    "declared": DECLARED,
    "person": PERSON,
    "note": NOTE,
}
BEYOND = {"CHILD_NAME": UNDECLARED, "OFFICER": UNDECLARED, "NARRATIVE": NOTE}
"""Undeclared columns."""


# -- inputs -----------------------------------------------------------------------------------


def occurrence(number: int) -> dict[str, str]:
    submitted = hours_ago(5 if number % 2 else 60)
    cells = notice(f"PPN-2027-{number:06}", submitted=submitted).rstrip("\n").split(",")
    settled = (submitted + timedelta(minutes=5)).astimezone(LONDON)
    return dict(zip(COLUMNS, cells, strict=True)) | {
        "CHILD_ID": f"{PERSON}-{number}",
        "COUNCIL_SET": f"{settled:%d/%m/%Y %H:%M:%S}",
        "COUNCIL_CODE": "eastshire",
        "HEALTH_SET": f"{settled:%d/%m/%Y %H:%M:%S}",
        "HEALTH_CODE": "eastshire-icb",
    }


def sending_log(number: int) -> dict[str, str]:
    at = hours_ago(3)
    return {
        "entry_no": str(number),
        "reference": f"PPN-2027-{number:06}",
        "entry_type": "SENT",
        "recipient_type": "LA",
        "recipient_code": "eastshire",
        "method": "PORTAL",
        "child_id": f"{PERSON}-{number}",
        "happened_at": at.isoformat(),
        "entered_at": (at + timedelta(minutes=5)).isoformat(),
        "message_id": f"M-{number}",
        "cancels_entry_no": "",
    }


def command_control(number: int) -> dict[str, str]:
    at = hours_ago(30).astimezone(LONDON)
    return {
        "INCIDENT_NO": f"INC-{at:%Y%m%d}-{number % 10_000:04}",
        "FLAG_NO": str(number),
        "EXPORTED": f"{at:%Y-%m-%d %H:%M:%S}",
        "BCU": "east",
        "SECTION": "response",
        "INCIDENT_TYPE": "DOMESTIC",
        "PPN_NO": "",
        "ENTRY": "CHILD FLAG SET",
        "ENTRY_TIME": f"{at:%Y-%m-%d %H:%M:%S}",
    }


SOURCES = {
    "occurrence": occurrence,
    "sending-log": sending_log,
    "command-control": command_control,
}


def planted(feed: Feed) -> list[dict[str, str]]:
    """Good rows, and for each declared column one whose cell there is a name.

    All of them have columns that nobody declared.
    """
    make = SOURCES[feed.name]
    columns = feed.declared_columns
    good = [make(number) for number in range(1, 8 * len(columns))]
    spoilt = [
        make(500_000 + number) | {column: PERSON if column in PERSONS else DECLARED}
        for number, column in enumerate(columns)
    ]
    return [row | BEYOND for row in good + spoilt]


PERSONS = {"CHILD_ID", "child_id"}


def written(feed: Feed, rows: list[dict[str, str]]) -> str:
    """As the feed's source writes it."""
    if feed.format == "jsonl":
        return "".join(json.dumps(row | {"extra": {"name": UNDECLARED}}) + "\n" for row in rows)
    columns = [*rows[0]]
    lines = [feed.delimiter.join(columns)]
    lines += [feed.delimiter.join(row[column] for column in columns) for row in rows]
    return "\n".join(lines) + "\n"


# -- one run, and everything that came of it --------------------------------------------------


@dataclass
class Outcome:
    """What an installation stored and said."""

    folder: Path
    told: dict[str, str] = field(default_factory=dict)
    """Where it was said → everything that was said there."""


@pytest.fixture(scope="module", autouse=True)
def log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def outcome(
    tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]
) -> Iterator[Outcome]:
    folder = tmp_path_factory.mktemp("marked") / "force"
    made = Installation(folder.parent, bare_environment | {"PYTHONPATH": str(CHECKOUT)})
    made.type("init", str(folder))
    made.folder = folder
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name not in {*KEPT_RULES, "vocabulary.yaml"}:
            rule.unlink()
    approve_installed(folder)
    sink = Sink()
    with sink.listening() as port:
        made.mail_to(port)
        for feed in _feeds(folder).values():
            name = f"notices-{feed.name}.{feed.format}"
            text = written(feed, planted(feed))
            (folder / feed.folder / name).write_text(text, encoding=feed.encoding)
        log = made.type("once", expect=1)
        _drop_what_is_refused_whole(made)
        log += made.type("once", expect=1)
        yield Outcome(folder, _said(made, sink) | {"the log of a pass": log})


def _feeds(folder: Path) -> dict[str, Feed]:
    settings = read_settings(folder / "config" / "monitor.toml")
    monitor = ready(settings, now=0, actor="test", activate=False)
    monitor.engine.dispose()
    return dict(monitor.feeds)


def _drop_what_is_refused_whole(made: Installation) -> None:
    """A file of which nothing can be read, and one whose heading is a person's row."""
    drop = made.folder / "drop" / "occurrence"
    rows = "".join(f"{DECLARED},{UNDECLARED},{NOTE}\n" for _ in range(50))
    (drop / "notices-bare.csv").write_text(rows, encoding="utf-8")
    bad = notice(DECLARED, submitted=hours_ago(5))
    (drop / "notices-bad.csv").write_text(",".join(COLUMNS) + "\n" + bad * 50, encoding="utf-8")


def _said(made: Installation, sink: Sink) -> dict[str, str]:
    mails = [mail.as_string() for mail in sink.mails()]
    bodies = [
        part.get_content()
        for mail in sink.mails()
        for part in mail.walk()
        if "text" in str(part) and not part.is_multipart()
    ]
    assert mails, "nothing was mailed: the test shows nothing"
    late = "PPN-2027-000001"
    words = {
        "status": ("status",),
        "status as JSON": ("status", "--json"),
        "clocks": ("clocks",),
        "clocks as JSON": ("clocks", "--format", "json"),
        "clocks as CSV": ("clocks", "--format", "csv"),
        "an explanation": ("explain", late),
        "an explanation as JSON": ("explain", late, "--json"),
        "a refused look-up": ("explain", "nobody"),
        "the intakes": ("intake", "list"),
        "the quarantine": ("quarantine", "list"),
        "the digest": ("digest", "--week", f"{datetime.now(LONDON):%G-W%V}", "--scope", "force"),
        "a check": ("check",),
        **{
            f"an export of {what}": ("export", what)
            for what in ("clocks", "events", "alerts", "messages")
        },
    }
    told = {where: _typed(made.folder, *typed) for where, typed in words.items()}
    assert late in told["an explanation"]
    out = made.folder / "out"
    _typed(made.folder, "digest", "--out", str(out))
    written_out = "".join(path.read_text(encoding="utf-8") for path in out.iterdir())
    told |= {"mails": "\n".join(mails + bodies), "written digests": written_out}
    return told | {"the evidence": _pack(made.folder, late)}


def _pack(folder: Path, late: str) -> str:
    """Every page, table and list of an evidence pack, with a case named."""
    (folder / "list.txt").write_text(late, encoding="utf-8")
    period = ("--from", f"{hours_ago(240):%Y-%m-%d}", "--to", hours_ago(0).isoformat())
    cases = ("--cases", str(folder / "list.txt"), "--sample", "50", "--seed", "a")
    said = _typed(folder, "evidence", *period, "--out", str(folder / "pack"), *cases)
    files = [path for path in (folder / "pack").rglob("*") if path.suffix not in {"", ".png"}]
    assert len(files) > 30
    return said + "".join(path.read_text(encoding="utf-8") for path in files)


def _typed(folder: Path, *words: str) -> str:
    """Everything that a command says, whatever its exit status."""
    settings = str(folder / "config" / "monitor.toml")
    result = CliRunner().invoke(main, ["--config", settings, *words])
    assert isinstance(result.exception, SystemExit | None), result.output
    return result.output


# -- what must hold ---------------------------------------------------------------------------


@pytest.mark.parametrize("mark", MARKS)
def test_no_mark_is_said_anywhere(outcome: Outcome, mark: str) -> None:
    """Neither in a mail, a digest, a log, a list nor an explanation."""
    found = [where for where, text in outcome.told.items() if MARKS[mark] in text]
    assert found == []


@pytest.mark.parametrize("mark", ["undeclared", "person", "note"])
def test_what_is_not_declared_is_not_stored(outcome: Outcome, mark: str) -> None:
    """Not one byte of it: neither in the database nor in the files beside it."""
    files = [path for path in (outcome.folder / "var").glob("monitor.db*") if path.is_file()]
    assert files
    for file in files:
        assert MARKS[mark].encode() not in file.read_bytes()


def test_a_declared_column_that_holds_a_name_is_in_quarantine_alone(outcome: Outcome) -> None:
    """There the row can be mended; no event, clock, alert, mail or record holds it."""
    assert _tables_that_hold(outcome.folder, DECLARED) == {"quarantine"}


def test_a_person_s_number_is_hashed_also_in_quarantine(outcome: Outcome) -> None:
    """A row that is set aside keeps the hash."""
    database = sqlite3.connect(outcome.folder / "var" / "monitor.db")
    (number,) = database.execute(
        "SELECT id FROM quarantine WHERE feed = 'occurrence' AND field <> '' LIMIT 1"
    ).fetchone()
    database.close()
    shown = _typed(outcome.folder, "quarantine", "show", str(number))
    assert "CHILD_ID = " in shown
    assert PERSON not in shown
    assert UNDECLARED not in shown


def test_the_sources_files_are_readable_by_their_owner_alone(outcome: Outcome) -> None:
    """They hold everything, until they are deleted."""
    kept = [
        path
        for folder in ("var/done", "var/set-aside")
        for path in (outcome.folder / folder).iterdir()
    ]
    assert len(kept) >= len(SOURCES)
    for path in (*kept, outcome.folder / "var", outcome.folder / "var" / "monitor.db"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_search_finds_what_it_looks_for(outcome: Outcome, tmp_path: Path) -> None:
    """A search that finds nothing must be able to find something."""
    copy = tmp_path / "var"
    shutil.copytree(outcome.folder / "var", copy)
    database = sqlite3.connect(copy / "monitor.db")
    with database:
        database.execute("UPDATE alert SET reason = ?", (UNDECLARED,))
    database.close()
    assert _tables_that_hold(tmp_path, UNDECLARED) == {"alert"}


def _tables_that_hold(folder: Path, mark: str) -> set[str]:
    database = sqlite3.connect(folder / "var" / "monitor.db")
    tables = [
        name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    found = set()
    for table in tables:
        for row in database.execute(f'SELECT * FROM "{table}"'):
            if mark.encode() in b"\x1f".join(_as_bytes(cell) for cell in row):
                found.add(table)
    database.close()
    return found


def _as_bytes(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode()
