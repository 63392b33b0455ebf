"""`monitor run` as a process: signals, kills, bad rules and a slow mail server."""

from __future__ import annotations

import csv
import re
import signal
import socket
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.approved import approve_installed
from tests.process.installed import Installation, Running, Sink, eventually, hours_ago, notice

pytestmark = pytest.mark.slow

CASE = "PPN-2027-004211"
OTHER = "PPN-2027-004212"
RULE = "rules/notice-triaged-high.yaml"


def change(installation: Installation, file: str, before: str, after: str) -> None:
    path = installation.folder / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def started(installation: Installation, **more: str) -> Running:
    daemon = installation.start(**more)
    daemon.wait_for("daemon_started")
    return daemon


# -- the usual day ----------------------------------------------------------------------------


def test_a_file_is_dropped_and_a_mail_arrives(installation: Installation, sink: Sink) -> None:
    """A file under a temporary name is left alone; under its final name it leads to one mail."""
    drop = installation.folder / "drop" / "occurrence"
    whole = installation.drop(notice(CASE, submitted=hours_ago(5)))
    part = whole.rename(drop / "notices-1.csv.tmp")
    daemon = started(installation)
    eventually(lambda: installation.rows("SELECT * FROM loop_turn WHERE loop = 'intake'"))
    assert part.exists()
    assert not sink.taken

    part.rename(whole)
    mail = eventually(lambda: sink.mails(CASE))[0]
    assert "Overdue" in mail["Subject"]
    eventually(lambda: not list(drop.iterdir()))
    assert [path.stat().st_mode & 0o077 for path in (installation.folder / "var/done").iterdir()]
    assert daemon.end() == 0
    assert len(sink.mails(CASE)) == 1
    assert daemon.lines("daemon_stopped")[0]["failed"] is False


def test_the_log_names_references_and_outcomes_but_no_mailbox(
    installation: Installation, sink: Sink
) -> None:
    """JSON, a line a fact."""
    installation.drop(notice(CASE, submitted=hours_ago(5)))
    daemon = started(installation)
    daemon.wait_for("mail_outcome")
    assert daemon.end() == 0
    assert sink.taken
    text = daemon.log.read_text(encoding="utf-8")
    assert all(line.startswith("{") for line in text.splitlines())
    assert "@" not in text


# -- signals ----------------------------------------------------------------------------------


def test_sigterm_finishes_the_mail_in_hand_and_begins_no_other(
    installation: Installation, sink: Sink
) -> None:
    """The server takes its time: the process waits for its answer, records it and exits 0."""
    sink.slow = True
    installation.decide(connections="1")
    change(installation, "config/recipients.toml", 'hours = "mash"\n', "")
    installation.drop(notice(CASE, submitted=hours_ago(5)), notice(OTHER, submitted=hours_ago(7)))
    daemon = started(installation)
    eventually(lambda: sink.taken)
    daemon.send(signal.SIGTERM)
    with pytest.raises(Exception, match="timed out"):
        daemon.process.wait(timeout=0.5)

    sink.open_gate()
    assert daemon.process.wait(timeout=30) == 0
    states = [row["state"] for row in installation.rows("SELECT state FROM message ORDER BY id")]
    assert states.count("sent") == len(sink.taken) == 1


def test_sigint_ends_it_as_sigterm_does(installation: Installation, sink: Sink) -> None:
    assert not sink.taken
    assert started(installation).end(signal.SIGINT) == 0


def test_a_second_daemon_of_one_installation_is_refused(
    installation: Installation, sink: Sink
) -> None:
    """It would take over the leases of the first; a kill leaves no lock behind."""
    assert not sink.taken
    daemon = started(installation)
    assert "runs here already" in installation.type("run", expect=2)
    assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    assert started(installation).end() == 0


# -- killed -----------------------------------------------------------------------------------


def test_killed_while_the_server_has_a_mail_it_is_sent_again_as_the_same(
    installation: Installation, sink: Sink
) -> None:
    """The stated window: taken by the server, not yet recorded. Same bytes, same Message-ID."""
    sink.slow = True
    installation.drop(notice(CASE, submitted=hours_ago(5)))
    daemon = started(installation)
    eventually(lambda: sink.taken)
    assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    decided = installation.rows("SELECT id FROM alert")

    sink.open_gate()
    again = started(installation)
    eventually(lambda: len(sink.taken) == 2)
    eventually(lambda: installation.rows("SELECT id FROM message WHERE state = 'sent'"))
    assert again.end() == 0
    assert sink.taken[0] == sink.taken[1]
    assert len({mail["Message-ID"] for mail in sink.mails()}) == 1
    assert installation.rows("SELECT id FROM alert") == decided


def test_killed_after_it_was_recorded_nothing_is_sent_again(
    installation: Installation, sink: Sink
) -> None:
    installation.drop(notice(CASE, submitted=hours_ago(5)))
    daemon = started(installation)
    eventually(lambda: installation.rows("SELECT id FROM message WHERE state = 'sent'"))
    daemon.end(signal.SIGKILL)

    again = started(installation)
    turned = "SELECT loop FROM loop_turn WHERE loop = 'delivery' AND outcome LIKE '0 sent%'"
    eventually(lambda: installation.rows(turned))
    assert again.end() == 0
    assert len(sink.taken) == 1


def test_killed_in_the_middle_of_a_file_it_reads_on(installation: Installation, sink: Sink) -> None:
    """Every row is there once, and the account of the file adds up as if nothing had happened."""
    installation.decide(batch_rows="20", alerts='"off"')
    count = 1_500
    rows = [
        notice(f"PPN-2027-{number:06}", submitted=hours_ago(48), triaged=hours_ago(47))
        for number in range(count)
    ]
    installation.drop(*rows)
    daemon = started(installation)
    read = "SELECT rows_read FROM intake WHERE rows_read BETWEEN 60 AND 1400"
    eventually(lambda: installation.rows(read))
    daemon.end(signal.SIGKILL)
    (left,) = installation.rows("SELECT state, rows_read FROM intake")
    assert left["state"] == "reading"
    assert left["rows_read"] < count

    again = started(installation)
    eventually(lambda: installation.rows("SELECT id FROM intake WHERE state = 'done'"))
    assert again.end() == 0
    (intake,) = installation.rows("SELECT * FROM intake")
    assert (intake["rows_read"], intake["rows_set_aside"]) == (count, 0)
    assert (intake["events_new"], intake["events_known"]) == (3 * count, 0)
    assert installation.rows("SELECT count(*) AS n FROM event") == [{"n": 3 * count}]
    clocks = list(csv.DictReader(installation.type("clocks", "--format", "csv").splitlines()))
    assert len(clocks) == 3 * count
    assert {clock["verdict"] for clock in clocks} == {"met"}
    assert not sink.taken


# -- rules ------------------------------------------------------------------------------------


def test_sighup_refuses_broken_rules_and_goes_on(installation: Installation, sink: Sink) -> None:
    """The log says why, the database keeps the rulebook, and the next file still leads to mail."""
    daemon = started(installation)
    before = installation.rows("SELECT digest FROM activation")
    change(installation, RULE, "threshold: 4h", "threshold: four hours or so")
    daemon.send(signal.SIGHUP)
    assert "notice-triaged-high.yaml" in daemon.wait_for("reload_refused")["why"]
    assert installation.rows("SELECT digest FROM activation") == before

    installation.drop(notice(CASE, submitted=hours_ago(5)))
    eventually(lambda: sink.mails(CASE))
    told = installation.type("status", "--service", expect=1)
    assert "rules folder is refused" in told
    assert daemon.end() == 0


def test_sighup_refuses_another_measurement_under_the_same_version(
    installation: Installation, sink: Sink
) -> None:
    """Both hashes are named, and what to write instead."""
    daemon = started(installation)
    change(installation, RULE, "threshold: 4h", "threshold: 6h")
    daemon.send(signal.SIGHUP)
    why = daemon.wait_for("reload_refused")["why"]
    assert re.search(r"was [0-9a-f]{12}, is [0-9a-f]{12}", why)
    assert "set version to 2" in why
    assert len(installation.rows("SELECT digest FROM activation")) == 1
    assert daemon.end() == 0
    assert not sink.taken


def test_sighup_takes_changed_rules_into_force(installation: Installation, sink: Sink) -> None:
    """A new version becomes the active rulebook, and mails go on over a fresh connection."""
    daemon = started(installation)
    change(installation, RULE, "version: 1\n", "version: 2\n")
    change(installation, RULE, "from: 2026-01-01", "from: 2026-02-01")
    change(installation, RULE, "threshold: 4h", "threshold: 3h")
    approve_installed(installation.folder)
    daemon.send(signal.SIGHUP)
    daemon.wait_for("reloaded")
    versions = "SELECT version FROM rule_version WHERE rule = 'notice-triaged-high'"
    assert [row["version"] for row in installation.rows(versions)] == [1, 2]
    assert len(installation.rows("SELECT digest FROM activation")) == 2

    installation.drop(notice(CASE, submitted=hours_ago(3.5)))
    assert "Overdue" in eventually(lambda: sink.mails(CASE))[0]["Subject"]
    assert daemon.end() == 0


def test_rules_on_trial_tell_nobody_until_they_are_approved(
    installation: Installation, sink: Sink
) -> None:
    """The daemon that runs takes the approval up by itself, and tells what was already late."""
    database = sqlite3.connect(installation.folder / "var/monitor.db")
    database.execute("DELETE FROM approval")
    database.commit()
    database.close()
    daemon = started(installation)
    assert "notice-triaged-high" in daemon.wait_for("rules_wait_for_approval")["on_trial"]
    installation.drop(notice(CASE, submitted=hours_ago(5)))
    eventually(lambda: "overdue" in installation.type("clocks"))
    assert not sink.taken
    role = ("--by", "head of safeguarding", "--yes")
    installation.type("rules", "approve", "notice-triaged-high", *role)
    assert "Overdue" in eventually(lambda: sink.mails(CASE))[0]["Subject"]
    daemon.wait_for("reloaded")
    assert daemon.end() == 0


def test_a_reload_during_a_slow_mail_lets_it_finish(installation: Installation, sink: Sink) -> None:
    """The old connection is closed only when no turn holds it: the mail goes out once."""
    sink.slow = True
    installation.drop(notice(CASE, submitted=hours_ago(5)))
    daemon = started(installation)
    eventually(lambda: sink.taken)
    change(installation, "config/monitor.toml", "bundle_minutes = 10", "bundle_minutes = 0")
    daemon.send(signal.SIGHUP)
    threading.Event().wait(3)
    sink.open_gate()
    daemon.wait_for("reloaded")
    eventually(lambda: installation.rows("SELECT id FROM message WHERE state = 'sent'"))
    assert daemon.end() == 0
    assert len(sink.taken) == 1


def test_it_starts_on_the_last_accepted_rules(installation: Installation, sink: Sink) -> None:
    """A rules folder that cannot be used silences nobody; status is red, and `check` says why."""
    assert started(installation).end() == 0
    change(installation, RULE, "threshold: 4h", "threshold: 6h")
    installation.drop(notice(CASE, submitted=hours_ago(5)))
    daemon = started(installation)
    assert "measures differently" in daemon.wait_for("rules_refused")["why"]
    assert "Overdue 1 h" in eventually(lambda: sink.mails(CASE))[0]["Subject"]
    assert daemon.end() == 0
    assert "rules folder is refused" in installation.type("status", expect=1)
    assert "set version to 2" in installation.type("check", expect=2)


def test_it_does_not_start_on_broken_rules_that_were_never_accepted(
    installation: Installation,
) -> None:
    change(installation, RULE, "threshold: 4h", "threshold: soon")
    assert "notice-triaged-high.yaml" in installation.type("run", expect=2)


# -- its supervisor ---------------------------------------------------------------------------


@pytest.fixture
def supervisor() -> Iterator[tuple[str, socket.socket]]:
    """What systemd listens on."""
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        address = str(Path(folder) / "notify")
        heard.bind(address)
        heard.settimeout(30)
        yield address, heard


def test_it_tells_its_supervisor_how_it_is(
    installation: Installation, sink: Sink, supervisor: tuple[str, socket.socket]
) -> None:
    """READY once it listens to signals, WATCHDOG with progress, STOPPING before it ends."""
    address, heard = supervisor
    daemon = installation.start(NOTIFY_SOCKET=address)
    assert heard.recv(100) == b"READY=1"
    assert heard.recv(100) == b"WATCHDOG=1"
    assert daemon.end() == 0
    told = {heard.recv(100)}
    while b"STOPPING=1" not in told:
        told.add(heard.recv(100))
    assert told <= {b"WATCHDOG=1", b"STOPPING=1"}
    assert not sink.taken


IMPATIENT = """
import monitor.daemon
monitor.daemon.PAUSE_AFTER_FAILURE_SECONDS = 0.01
from monitor.cli import main
main(["run"])
"""


def test_ten_failures_in_a_row_end_it(
    installation: Installation, sink: Sink, supervisor: tuple[str, socket.socket]
) -> None:
    """It exits 1 for its supervisor to start it anew, and does not feed the watchdog meanwhile."""
    address, heard = supervisor
    daemon = installation.start("-c", IMPATIENT, NOTIFY_SOCKET=address)
    daemon.wait_for("daemon_started")
    broken = sqlite3.connect(installation.folder / "var/monitor.db", timeout=30)
    broken.execute("PRAGMA foreign_keys = OFF")
    broken.execute("ALTER TABLE clock RENAME TO gone")
    broken.commit()
    broken.close()
    installation.drop(notice(CASE, submitted=hours_ago(5)))
    assert daemon.process.wait(timeout=60) == 1
    failures = daemon.lines("turn_failed")
    assert max(line["in_a_row"] for line in failures) == 10
    assert "locals" not in str(failures)
    assert heard.recv(100) == b"READY=1"
    assert not sink.taken
