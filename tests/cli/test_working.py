"""Taking files in, one pass, the limit on what is said, and the process itself."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.approved import approve_installed
from tests.cli.commands import LATE, NEEDS_A_PERSON, WRONG_USE, extract, typed
from tests.process.installed import CHECKOUT, hours_ago, notice

# -- taking in ---------------------------------------------------------------------------------


def test_ingest_accounts_for_every_row(force: Path, tmp_path: Path) -> None:
    """The file stays where it is; the same file again changes nothing."""
    path = extract(tmp_path, notice(LATE, submitted=hours_ago(5)))
    first = typed("ingest", path, "--feed", "occurrence").stdout
    assert first.splitlines() == [
        "notices-1.csv: done",
        (
            "1 row: 2 new, 0 known already, 0 amended, 0 conflicting; 0 rows set aside,"
            " 0 without an event"
        ),
    ]
    assert typed("ingest", path, "--feed", "occurrence").stdout == "notices-1.csv: known already\n"
    assert path.exists()


def test_ingest_needs_a_person_for_what_it_sets_aside(force: Path, tmp_path: Path) -> None:
    rows = [notice(f"PPN-2027-{number:06}", submitted=hours_ago(30)) for number in range(9)]
    path = extract(tmp_path, *rows, notice("NOT-A-REFERENCE", submitted=hours_ago(30)))
    said = typed("ingest", path, "--feed", "occurrence", expect=NEEDS_A_PERSON).stdout
    assert "10 rows: 18 new" in said
    assert "1 row set aside" in said


def test_ingest_refuses_an_unknown_feed_and_names_those_there_are(
    force: Path, tmp_path: Path
) -> None:
    said = typed("ingest", extract(tmp_path), "--feed", "occurrences", expect=WRONG_USE).stderr
    assert said == (
        "there is no feed 'occurrences'; known: command-control, occurrence, sending-log\n"
    )


def test_ingest_refuses_a_file_that_is_not_there(force: Path) -> None:
    typed("ingest", "nothing.csv", "--feed", "occurrence", expect=WRONG_USE)


def test_once_says_what_a_pass_came_to(force: Path) -> None:
    """Nothing to do is done, too."""
    result = typed("once")
    assert result.stdout == (
        "0 files, 0 new events, 0 clocks decided, 0 alerts, 0 digests, 0 mails sent\n"
    )


def test_once_works_with_the_instant_that_it_is_given(force: Path, tmp_path: Path) -> None:
    """A row of an hour later is from the future then, and set aside."""
    extract(force / "drop/occurrence", notice(LATE, submitted=hours_ago(5)))
    earlier = hours_ago(6).isoformat()
    result = typed("once", "--now", earlier, expect=NEEDS_A_PERSON)
    assert result.stdout.startswith("1 file, 0 new events")
    assert "1 row set aside: monitor quarantine list" in result.stderr


def test_once_needs_a_person_where_mail_is_not_taken(
    force: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_TELLING_ALERTS", "on")
    monkeypatch.setenv("MONITOR_MAIL_HOST", "127.0.0.1")
    monkeypatch.setenv("MONITOR_MAIL_PORT", "1")
    extract(force / "drop/occurrence", notice(LATE, submitted=hours_ago(5)))
    result = typed("once", expect=NEEDS_A_PERSON)
    assert "1 alert, 0 digests, 0 mails sent" in result.stdout
    assert "the mail server takes nothing at present: monitor status" in result.stderr


# -- the limit on what is said -----------------------------------------------------------------


def test_the_limit_on_alerts_can_be_lifted_later(
    force: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was accepted while the installation was quiet speaks when it no longer is.

    Also the older version of a rule, under which clocks still run.
    """
    typed("once")
    rule = force / "rules/notice-triaged-high.yaml"
    newer = rule.read_text().replace("version: 1\n", "version: 2\n")
    rule.write_text(newer.replace("from: 2026-01-01", f"from: {hours_ago(1):%Y-%m-%d}"))
    approve_installed(force)
    monkeypatch.setenv("MONITOR_TELLING_ALERTS", "on")
    typed("mail", "hold")
    extract(force / "drop/occurrence", notice(LATE, submitted=hours_ago(80)))
    said = typed("once").stdout
    assert int(re.findall(r"(\d+) alert", said)[0]) > 0


def test_a_fault_in_another_file_activates_no_rules(force: Path) -> None:
    """Otherwise the database would say one rulebook and the daemon run another."""
    typed("once")
    rule = force / "rules/no-notice.yaml"
    rule.write_text(rule.read_text() + "\n")
    ladder = force / "rules/ladders/no-notice.yaml"
    ladder.write_text(ladder.read_text().replace("version: 1", "version: 2"))
    (force / "config/recipients.toml").write_text("x = 1")
    typed("once", expect=WRONG_USE)
    database = sqlite3.connect(force / "var/monitor.db")
    assert database.execute("SELECT count(*) FROM activation").fetchone() == (1,)
    database.close()


# -- the process -------------------------------------------------------------------------------


def python(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env=environment | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", ["--help", "run --help", "quarantine list --help", "--version"])
def test_help_is_there_at_once(bare_environment: dict[str, str], words: str) -> None:
    """None of the libraries that take seconds to load is loaded to say it."""
    asked = (
        "import sys; from monitor.cli import main\n"
        f"try: main({words.split()})\n"
        "except SystemExit: print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = set(python(bare_environment, "-c", asked).stdout.splitlines()[-1].split())
    assert "click" in loaded
    slow = {"sqlalchemy", "alembic", "jinja2", "css_inline", "pydantic", "pydantic_settings"}
    assert not loaded & {*slow, "apscheduler", "aiosmtplib", "structlog", "ruamel", "asyncio"}
    assert not loaded & {"matplotlib", "numpy", "PIL"}


def test_a_reader_that_leaves_early_is_no_fault(
    two_cases: Path, bare_environment: dict[str, str]
) -> None:
    """`monitor clocks | head -1`."""
    command = (
        f"{sys.executable} -m monitor clocks --format csv | head -n 1; exit ${{PIPESTATUS[0]}}"
    )
    ended = subprocess.run(
        ["bash", "-c", command],
        env=bare_environment | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout.startswith("rule,reference,")
    assert ended.stderr == ""
