"""Setting an installation up and checking it: what each command says, and its exit status."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from monitor import __version__
from tests.cli.commands import NEEDS_A_PERSON, WRONG_USE, typed


def test_the_version_is_the_package_s() -> None:
    assert typed("--version").stdout == f"{__version__}\n"


def test_init_says_what_to_do_next(tmp_path: Path) -> None:
    said = typed("init", tmp_path / "new").stdout
    assert f"cd {tmp_path / 'new'}" in said
    for word in ("monitor check", "monitor once", "monitor run"):
        assert word in said
    assert max(map(len, said.replace(str(tmp_path), "").splitlines())) <= 100


def test_init_leaves_what_is_there(force: Path) -> None:
    assert "is not empty" in typed("init", force, expect=WRONG_USE).stderr


def test_init_says_where_it_may_not_write() -> None:
    """A folder that cannot be made is no traceback."""
    assert "/proc/force" in typed("init", "/proc/force", expect=WRONG_USE).stderr


@pytest.mark.parametrize("before", [True, False])
def test_the_settings_are_named_before_or_after_the_command(
    force: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    monkeypatch.chdir("/")
    named = ["--config", str(force / "config/monitor.toml")]
    words = [*named, "check"] if before else ["check", *named]
    assert typed(*words).stdout == "Everything is in order.\n"


def test_without_settings_it_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = typed("status", expect=WRONG_USE).stderr
    assert said.startswith("config/monitor.toml: there is no such file")
    assert "--config FILE" in said
    assert not list(tmp_path.iterdir())


def test_faults_are_printed_one_a_line(force: Path) -> None:
    """Of all files at once, and counted."""
    rule = force / "rules/no-notice.yaml"
    rule.write_text(rule.read_text().replace("threshold: 24h", "threshold: a day or so"))
    with (force / "config/recipients.toml").open("a") as recipients:
        recipients.write('[[digests]]\nscope = "force"\nto = ["x@elsewhere.example"]\n')
    settings = force / "config/monitor.toml"
    settings.write_text(settings.read_text().replace("council-england", "council-nowhere"))
    (force / "var/child-secret").write_text("zz")
    result = typed("check", expect=WRONG_USE)
    lines = result.stderr.splitlines()
    assert "rules/no-notice.yaml:" in lines[0]
    assert any("32 to 128 hexadecimal digits" in line for line in lines)
    assert lines[-1] == f"{len(lines) - 1} faults."
    assert result.stdout == ""
    rule.write_text(rule.read_text().replace("a day or so", "24h"))
    said = typed("check", expect=WRONG_USE).stderr
    assert "digest.calendar: found 'council-nowhere', there is no such calendar" in said
    assert "found 'x@elsewhere.example', no mail may go to this domain" in said


def test_unknown_settings_stop_every_command(force: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_MAIL_HOTS", "x")
    for words in (["check"], ["status"], ["run"], ["once"], ["migrate"], ["mail", "hold"]):
        assert "MONITOR_MAIL_HOTS" in typed(*words, expect=WRONG_USE).stderr


def test_a_new_database_is_migrated_by_hand(force: Path) -> None:
    """Every command says what to type and makes none by itself; `--plan` changes nothing."""
    for file in (force / "var").glob("monitor.db*"):
        file.unlink()
    for words in (["run"], ["once"], ["check"]):
        assert "`monitor migrate` makes a new one" in typed(*words, expect=WRONG_USE).stderr
    assert "there is no database at" in typed("status", expect=NEEDS_A_PERSON).stdout
    assert not (force / "var/monitor.db").exists()
    (force / "var/monitor.db").touch()
    assert "type `monitor migrate`" in typed("status", expect=WRONG_USE).stderr
    assert "would apply 0001" in typed("migrate", "--plan").stdout
    assert "would apply 0001" in typed("migrate", "--plan").stdout
    assert "applied 0001" in typed("migrate").stdout
    assert typed("migrate").stdout == "The database is current.\n"
    typed("check")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_user_s_database_is_refused(force: Path) -> None:
    """What is written now, its owner could not read later; the message says what to type."""
    os.chown(force / "var/monitor.db", 54_321, 54_321)
    for words in (["status"], ["check"], ["once"], ["migrate"]):
        assert "sudo -u '#54321' monitor" in typed(*words, expect=WRONG_USE).stderr


def test_a_database_that_is_away_needs_a_person(
    force: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens on port 1; the password is not printed; `status` still shows a picture."""
    monkeypatch.setenv("MONITOR_DATABASE_URL", "postgresql://monitor:hunter2@127.0.0.1:1/monitor")
    result = typed("clocks", expect=NEEDS_A_PERSON)
    assert result.stderr.startswith("the database cannot be used now: ")
    assert len(result.stderr.splitlines()) == 1
    assert "hunter2" not in result.output
    result = typed("status", expect=NEEDS_A_PERSON)
    assert "SEE TO: the database cannot be used: " in result.stdout
    assert "CASELOAD\n  not known" in result.stdout
    assert "hunter2" not in result.output
    found = json.loads(typed("status", "--json", expect=NEEDS_A_PERSON).stdout)
    assert (found["service"], found["caseload"]) == (None, None)
    assert len(found["service_faults"]) == 1


def test_the_operator_s_own_relay_is_checked(force: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never in clear to another machine, and not half set."""
    monkeypatch.setenv("MONITOR_OPERATOR_RELAY_HOST", "relay-2.eastshire.police.example")
    typed("check")
    monkeypatch.setenv("MONITOR_OPERATOR_RELAY_SECURITY", "none-loopback-only")
    said = typed("check", expect=WRONG_USE).stderr
    assert "operator: " in said
    assert "would travel in clear" in said
    monkeypatch.setenv("MONITOR_OPERATOR_RELAY_HOST", "")
    monkeypatch.setenv("MONITOR_OPERATOR_RELAY_USERNAME", "timeliness")
    assert "operator.relay_host: is missing" in typed("check", expect=WRONG_USE).stderr


def test_a_file_that_is_no_database_is_said_as_such(force: Path) -> None:
    """Not as a traceback, and it is left as it is."""
    for file in (force / "var").glob("monitor.db*"):
        file.unlink()
    (force / "var/monitor.db").write_text("PPN-2027-004211\n" * 1000)
    for words in (["run"], ["check"], ["clocks"]):
        assert "is not an SQLite database" in typed(*words, expect=WRONG_USE).stderr
    said = " ".join(typed("status", expect=NEEDS_A_PERSON).stdout.split())
    assert "is not an SQLite database" in said
    assert (force / "var/monitor.db").read_text().startswith("PPN-")


def test_a_locked_database_is_said_by_status(force: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits a little, says so, and shows nothing that it does not know."""
    monkeypatch.setattr("monitor.store.engine.BUSY_SECONDS", 0.2)
    holder = sqlite3.connect(force / "var/monitor.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        said = typed("status", expect=NEEDS_A_PERSON).stdout
    finally:
        holder.close()
    assert "SEE TO: the database cannot be used: database is locked" in said
    assert "nothing is overdue" not in said


def test_a_database_that_does_not_answer_does_not_hang_status(
    force: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk or a server that hangs would hang whoever asks."""
    released = threading.Event()
    monkeypatch.setattr("monitor.cli.looking.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("monitor.wiring.ready", lambda *_, **__: released.wait(30))
    try:
        said = typed("status", expect=NEEDS_A_PERSON).stdout
    finally:
        released.set()
    assert "it has not answered for 0.2 s" in said
