"""The machine's faults, each with the outcome that docs/machine-faults.md states.

Real daemons in processes of their own, a real mail sink, a real PostgreSQL; the disks are real too
where this account may mount one.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.model import SECOND
from tests.approved import approve_installed
from tests.faults.machine import (
    BUSY,
    MOUNTS,
    PAUSE,
    Machine,
    OwnPostgres,
    environment,
    mounted,
    stopped,
    unreadable,
    unwritable,
)
from tests.process.installed import (
    KEPT_RULES,
    Installation,
    Sink,
    eventually,
    hours_ago,
    notice,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CASE = "PPN-2027-004211"
OTHER = "PPN-2027-004212"
HOUR = 3600
PAGE = Path(__file__).resolve().parents[2] / "docs/machine-faults.md"
EVENTS_TWICE = "SELECT identity FROM event GROUP BY case_id, feed, identity HAVING count(*) > 1"


@pytest.fixture(scope="module")
def made_here(tmp_path_factory: pytest.TempPathFactory, bare_environment: dict[str, str]) -> Path:
    """What `monitor init` makes, with a few of its rules."""
    folder = tmp_path_factory.mktemp("machine") / "force"
    Installation(folder.parent, environment(bare_environment)).type("init", str(folder))
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name not in {*KEPT_RULES, "vocabulary.yaml"}:
            rule.unlink()
    approve_installed(folder)
    return folder


@pytest.fixture
def machine(made_here: Path, tmp_path: Path, bare_environment: dict[str, str]) -> Iterator[Machine]:
    """An installation of this test's own; no daemon of it outlives the test."""
    folder = tmp_path / "force"
    shutil.copytree(made_here, folder)
    made = Machine(Installation(folder, environment(bare_environment)))
    try:
        yield made
    finally:
        made.made.end_all()


@pytest.fixture
def inbox(machine: Machine) -> Iterator[Sink]:
    """A mail server to which the installation sends everything at once."""
    sink = Sink()
    with sink.listening() as port:
        machine.made.mail_to(port)
        machine.made.decide(bundle_minutes="0")
        yield sink


def told_once(inbox: Sink, case: str = CASE) -> None:
    """A case was told of, to each reader once."""
    eventually(lambda: inbox.mails(case))
    told = [(mail["To"], mail["Subject"]) for mail in inbox.mails(case)]
    assert len(told) == len(set(told)), told


def works_on(machine: Machine, inbox: Sink, case: str = OTHER) -> None:
    """Another file leads to a mail, without a restart."""
    machine.made.drop(notice(case, submitted=hours_ago(5)), name=f"notices-{case}.csv")
    told_once(inbox, case)


def many(rows: int) -> list[str]:
    """Notices that alert nobody: they were triaged."""
    at = hours_ago(5)
    return [
        notice(f"PPN-2027-{100_000 + number}", submitted=at, triaged=at + timedelta(minutes=9))
        for number in range(rows)
    ]


def test_the_page_states_every_fault_that_is_tested() -> None:
    """And no test that is not there."""
    here = set(re.findall(r"(?m)^def (test_\w+)", Path(__file__).read_text(encoding="utf-8")))
    here -= {"test_the_page_states_every_fault_that_is_tested"}
    assert set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8"))) == here


# -- time -------------------------------------------------------------------------------------


def test_time_set_back(machine: Machine, inbox: Sink) -> None:
    """The loops go on at once, and what was said is not said again when the hour comes anew."""
    daemon = machine.start(**machine.put_time(0))
    machine.made.drop(notice(CASE, submitted=hours_ago(5)))
    told_once(inbox)
    machine.put_time(-0.9 * HOUR)
    daemon.wait_for("time_was_set_back")
    works_on(machine, inbox)
    machine.put_time(0)
    works_on(machine, inbox, "PPN-2027-004213")
    told_once(inbox)
    assert daemon.end() == 0
    assert not daemon.lines("turn_failed")


def test_time_set_forward(machine: Machine, inbox: Sink) -> None:
    """What would be due by then is told, once; set right again, the loops go on."""
    daemon = machine.start(**machine.put_time(0))
    machine.made.drop(notice(CASE, submitted=hours_ago(1)))
    eventually(lambda: machine.rows("SELECT * FROM clock"))
    assert not inbox.mails("Overdue")
    machine.put_time(12 * HOUR)
    told_once(inbox)
    machine.put_time(0)
    machine.made.drop(notice(OTHER, submitted=hours_ago(5)), name="notices-2.csv")
    eventually(lambda: machine.rows(f"SELECT * FROM case_ WHERE reference = '{OTHER}'"))
    daemon.wait_for("time_was_set_back")
    told_once(inbox)
    assert daemon.end() == 0
    assert not daemon.lines("turn_failed")


def test_the_october_night(machine: Machine, inbox: Sink) -> None:
    """The hour that comes twice on people's watches comes once: one mail, when it is due."""
    summer_ends = datetime(2027, 10, 31, 1, tzinfo=UTC)
    ahead = (summer_ends - datetime.now(UTC)).total_seconds()
    # Due by the machine's count at the sixth second of the hour that the watches show again.
    seconds = timedelta(seconds=6)
    machine.made.drop(notice(CASE, submitted=summer_ends - timedelta(hours=4) + seconds))
    due = int((summer_ends + seconds).timestamp()) * SECOND
    daemon = machine.start(**machine.put_time(ahead - 2), TZ="Europe/London")
    eventually(lambda: machine.rows(f"SELECT * FROM clock WHERE due_at = {due}"))
    turned = "SELECT * FROM loop_turn WHERE loop = 'sweep' AND turned_at > {}"
    eventually(lambda: machine.rows(turned.format(due)))
    machine.made.drop(*many(1), name="notices-2.csv")  # so that the feed is heard past due
    overdue = "SELECT min(decided_at) AS at FROM alert WHERE kind = 'overdue'"
    decided = eventually(lambda: machine.one(overdue))
    assert due < decided < due + 10 * 60 * SECOND
    # A mail in hand while the clock leaps may be sent again; this is about what is decided.
    eventually(lambda: inbox.mails("Overdue"))
    eventually(lambda: not machine.rows("SELECT id FROM message WHERE state = 'queued'"))
    machine.put_time(ahead + HOUR)
    eventually(lambda: machine.rows(turned.format(due + HOUR * SECOND * 95 // 100)))
    told_once(inbox)
    assert daemon.end() == 0
    assert not daemon.lines("turn_failed")


def test_a_machine_suspended_with_a_mail_in_hand(machine: Machine, inbox: Sink) -> None:
    """Longer than its lease: it reads the answer that came meanwhile, or tries again later."""
    machine.made.decide(timeout_seconds="2")
    inbox.slow = True
    machine.made.drop(notice(CASE, submitted=hours_ago(5)))
    daemon = machine.start()
    eventually(lambda: inbox.mails(CASE))
    stopped(daemon)
    lapsed = "SELECT count(*) AS n FROM message WHERE lease_until > {} AND state = 'queued'"
    eventually(lambda: not machine.one(lapsed.format(machine_now())))
    inbox.open_gate()
    daemon.send(signal.SIGCONT)
    daemon.wait_for("mail_outcome")
    (mail,) = machine.rows("SELECT state, outcome, lease_until, sent_at FROM message")
    assert mail["outcome"], "taken, or to be sent again with the same bytes"
    assert mail["lease_until"] is None
    assert (mail["state"], mail["sent_at"] is None) in {("sent", False), ("queued", True)}
    assert daemon.end() == 0
    assert not daemon.lines("turn_failed")


def machine_now() -> int:
    return int(datetime.now(UTC).timestamp() * 1e6)


def test_a_suspended_node_whose_mail_another_took_over(
    machine: Machine, inbox: Sink, fresh_postgres: str
) -> None:
    """The other's record stands; the first wakes up to a lost lease and writes nothing."""
    machine.on(fresh_postgres)
    machine.made.decide(timeout_seconds="2")
    inbox.slow = True
    machine.made.drop(notice(CASE, submitted=hours_ago(5)))
    one = machine.start(MONITOR_SERVICE_NODE="one")
    eventually(lambda: inbox.mails(CASE))
    stopped(one)
    inbox.open_gate()
    inbox.slow = False
    two = machine.start(MONITOR_SERVICE_NODE="two")
    sent = "SELECT count(*) AS n FROM message WHERE state = 'sent'"
    eventually(lambda: machine.one(sent))
    before = machine.rows("SELECT id, state, sent_at, outcome, lease_token FROM message ORDER BY 1")
    assert all(row["lease_token"].startswith("two/") for row in before if row["state"] == "sent")
    one.send(signal.SIGCONT)
    one.wait_for("mail_outcome")
    works_on(machine, inbox)
    after = machine.rows("SELECT id, state, sent_at, outcome, lease_token FROM message ORDER BY 1")
    assert [row for row in after if row in before] == before
    assert len({mail["Message-ID"] for mail in inbox.mails(CASE)}) == len(
        {mail["To"] for mail in inbox.mails(CASE)}
    )
    assert (one.end(), two.end()) == (0, 0)


# -- the database -----------------------------------------------------------------------------


def read_so_far(machine: Machine, rows: int) -> None:
    """Wait until more rows of a file were read."""
    eventually(lambda: machine.rows(f"SELECT id FROM intake WHERE rows_read > {rows}"))


def test_postgresql_restarted_in_the_middle_of_a_file(machine: Machine, inbox: Sink) -> None:
    """Cut off as with the power: the same daemon reads on where the last commit was."""
    rows = 300
    with OwnPostgres.running() as own:
        machine.on(own.server.url())
        machine.made.decide(batch_rows="10")
        daemon = machine.start(**{PAUSE: "3"})
        machine.made.drop(*many(rows), notice(CASE, submitted=hours_ago(5)))
        read_so_far(machine, 20)
        own.break_off()
        daemon.wait_for("turn_failed")
        own.come_back()
        assert machine.one("SELECT state FROM intake") == "reading"
        eventually(lambda: machine.one("SELECT state FROM intake") == "done")
        assert machine.one("SELECT rows_read FROM intake") == rows + 1
        assert machine.rows(EVENTS_TWICE) == []
        told_once(inbox)
        works_on(machine, inbox)
        assert daemon.end() == 0


def test_connections_killed_in_the_middle_of_a_file(machine: Machine, inbox: Sink) -> None:
    """Whatever they were doing: what was not committed is done again, and nothing twice."""
    rows = 300
    with OwnPostgres.running() as own:
        machine.on(own.server.url())
        machine.made.decide(batch_rows="10")
        daemon = machine.start(**{PAUSE: "3"})
        machine.made.drop(*many(rows), notice(CASE, submitted=hours_ago(5)))
        for read in (20, 100):
            read_so_far(machine, read)
            own.kill_connections()
        eventually(lambda: machine.one("SELECT state FROM intake") == "done")
        assert machine.one("SELECT rows_read FROM intake") == rows + 1
        assert machine.rows(EVENTS_TWICE) == []
        told_once(inbox)
        works_on(machine, inbox)
        assert daemon.end() == 0


def test_sqlite_locked_for_longer_than_patience(machine: Machine, inbox: Sink) -> None:
    """Turns fail and are tried again; the log says so, and nothing is lost."""
    daemon = machine.start(**{BUSY: "0.3"})
    other = sqlite3.connect(machine.folder / "var/monitor.db", timeout=30, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    machine.made.drop(notice(CASE, submitted=hours_ago(5)))
    failed = daemon.wait_for("turn_failed", times=3)
    assert "locked" in str(failed)
    assert (machine.folder / "drop/occurrence/notices-1.csv").exists()
    other.execute("ROLLBACK")
    other.close()
    told_once(inbox)
    assert daemon.end() == 0


def test_the_disk_is_full(machine: Machine, inbox: Sink) -> None:
    """Nothing is half taken in: the file stays, and is taken in whole when there is room."""
    var, rows = machine.folder / "var", 1500
    kept = var.rename(machine.folder / "var-before")
    var.mkdir(mode=0o700)
    with mounted("-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", at=var):
        shutil.copytree(kept, var, dirs_exist_ok=True)
        machine.made.decide(batch_rows="200")
        daemon = machine.start()
        eventually(lambda: machine.rows("SELECT * FROM loop_turn WHERE loop = 'upkeep'"))
        filler = var / "filler"
        fill(filler)
        dropped = machine.made.drop(*many(rows), notice(CASE, submitted=hours_ago(5)))
        failed = daemon.wait_for("turn_failed", times=2)
        assert "full" in str(failed)
        assert dropped.exists()
        filler.unlink()
        told_once(inbox)
        eventually(lambda: not dropped.exists())
        assert machine.one("SELECT rows_read FROM intake") == rows + 1
        assert machine.rows(EVENTS_TWICE) == []
        assert "SEE TO" not in seen_to(machine)
        assert daemon.end() == 0
        machine.made.end_all()


def fill(file: Path) -> None:
    """Take all the room that is left."""
    with file.open("wb", buffering=0) as taken:
        for size in (1 << 16, 1 << 12):
            with contextlib.suppress(OSError):
                while taken.write(b"\0" * size) == size:
                    pass


def seen_to(machine: Machine) -> str:
    """What status asks the operator to see to, but for what has nothing to do with faults."""
    lines = machine.status().splitlines()
    beside = ("silent", "calendar", "holidays")
    return "\n".join(
        line for line in lines if "SEE TO" in line and not any(word in line for word in beside)
    )


def test_the_database_folder_cannot_be_written(machine: Machine, inbox: Sink) -> None:
    """A daemon that starts says so and ends with 1, for its supervisor to try again."""
    with unwritable(machine.folder / "var"):
        daemon = machine.begin()
        assert daemon.process.wait(timeout=60) == 1
        assert "the database cannot be used now" in daemon.log.read_text(encoding="utf-8")
    machine.start()
    works_on(machine, inbox)


def test_the_database_file_is_deleted(machine: Machine, inbox: Sink) -> None:
    """The daemon ends rather than write what nobody will find; put back, it goes on."""
    file, kept = machine.folder / "var/monitor.db", machine.folder / "kept.db"
    daemon = machine.start()
    works_on(machine, inbox, CASE)
    file.rename(kept)
    dropped = machine.made.drop(notice(OTHER, submitted=hours_ago(5)))
    assert daemon.process.wait(timeout=60) == 1
    assert "was taken away or replaced" in str(daemon.lines("turn_failed"))
    assert dropped.exists()
    assert not file.exists(), "no new one is made in its place"
    assert "monitor migrate" in machine.made.type("run", expect=2)
    kept.replace(file)
    machine.start()
    told_once(inbox, OTHER)
    told_once(inbox)


def test_an_older_state_is_put_in_place(machine: Machine, inbox: Sink) -> None:
    """A snapshot of the disk, say: all mail is held with the reason, until somebody releases it."""
    file, kept = machine.folder / "var/monitor.db", machine.folder / "kept.db"
    machine.made.type("once", expect=None)
    shutil.copy(file, kept)
    daemon = machine.start()
    works_on(machine, inbox, CASE)
    eventually(lambda: machine.rows("SELECT * FROM intake WHERE state = 'done'"))
    remembers_more(machine, kept)
    assert daemon.end() == 0
    for beside in file.parent.glob("monitor.db*"):
        beside.unlink()
    kept.replace(file)
    again = machine.start()
    assert "an older state was put back" in again.wait_for("mail_held")["why"]
    machine.made.drop(notice(OTHER, submitted=hours_ago(5)))
    eventually(lambda: machine.rows("SELECT * FROM message WHERE state = 'queued'"))
    assert "all mail is held (the database is behind" in machine.status()
    assert "mail release" in machine.made.type("check", expect=2)
    assert not inbox.mails(OTHER)
    machine.made.type("mail", "release")
    told_once(inbox, OTHER)
    assert again.end() == 0
    assert not machine.start().lines("mail_held")


def remembers_more(machine: Machine, older: Path) -> None:
    """Wait until the installation has written down that the database went on."""
    copy = sqlite3.connect(older)
    (last,) = copy.execute("SELECT coalesce(max(last), 0) FROM known_number").fetchone()
    copy.close()
    remembered = machine.folder / "var/registered.json"
    number = re.compile(r'"last_number": (\d+)')
    eventually(lambda: int((number.search(remembered.read_text()) or [0, 0])[1]) > last)


def test_sqlite_on_a_network_file_system(machine: Machine, inbox: Sink) -> None:
    """Refused at the start, with the way out."""
    assert not inbox.taken
    mounts = machine.folder / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {machine.folder} nfs4 rw 0 0\n")
    daemon = machine.begin(**{MOUNTS: str(mounts)})
    assert daemon.process.wait(timeout=60) == 2
    said = daemon.log.read_text(encoding="utf-8")
    assert "network file system (nfs4" in said
    assert "postgresql://" in said


# -- folders and files ------------------------------------------------------------------------


def test_the_done_folder_cannot_be_written(machine: Machine, inbox: Sink) -> None:
    """The file is taken in and told of, once; it stays where it is, and its feed is red."""
    done = machine.folder / "var/done"
    with unwritable(done):
        machine.start()
        dropped = machine.made.drop(notice(CASE, submitted=hours_ago(5)))
        told_once(inbox)
        eventually(lambda: "feed occurrence is red" in machine.status())
        assert dropped.exists()
    eventually(lambda: not dropped.exists())
    assert machine.rows(EVENTS_TWICE) == []
    eventually(lambda: "red" not in machine.status())
    told_once(inbox)


def test_the_done_folder_is_gone(machine: Machine, inbox: Sink) -> None:
    """It is made anew, private."""
    shutil.rmtree(machine.folder / "var/done")
    machine.start()
    works_on(machine, inbox)
    (done,) = eventually(lambda: list((machine.folder / "var/done").glob("*.csv")))
    assert done.parent.stat().st_mode & 0o077 == 0


def test_the_drop_folder_cannot_be_written(machine: Machine, inbox: Sink) -> None:
    """Its files are taken in once, and their feed is red while they cannot be taken out of it."""
    dropped = machine.made.drop(notice(CASE, submitted=hours_ago(5)))
    with unwritable(dropped.parent):
        machine.start()
        told_once(inbox)
        eventually(lambda: "feed occurrence is red" in machine.status())
    eventually(lambda: not dropped.exists())
    assert machine.rows(EVENTS_TWICE) == []
    eventually(lambda: "red" not in machine.status())
    told_once(inbox)


def test_the_drop_folder_is_gone_and_comes_back(machine: Machine, inbox: Sink) -> None:
    """Status says which; other feeds go on, and so does this one when it is back."""
    drop = machine.folder / "drop/occurrence"
    away = drop.rename(machine.folder / "away")
    daemon = machine.start()
    daemon.wait_for("drop_folder_missing")
    assert "drop folder of feed occurrence is not there" in machine.status()
    away.rename(drop)
    works_on(machine, inbox)
    assert "drop folder" not in machine.status()
    assert not daemon.lines("turn_failed")


def test_a_file_vanishes_while_it_is_read(machine: Machine, inbox: Sink) -> None:
    """What was read of it stands; dropped again, the rest is read, and nothing twice."""
    rows = 3000
    machine.made.decide(batch_rows="5")
    daemon = machine.start()
    dropped = machine.made.drop(*many(rows))
    whole = dropped.read_bytes()
    eventually(lambda: machine.rows("SELECT id FROM intake WHERE rows_read > 0"))
    dropped.unlink()
    daemon.wait_for("file_changed")
    assert 0 < machine.one("SELECT rows_read FROM intake") <= rows
    machine.made.decide(batch_rows="1000")
    daemon.send(signal.SIGHUP)
    part = dropped.with_suffix(".part")
    part.write_bytes(whole)
    part.rename(dropped)
    eventually(lambda: machine.one("SELECT state FROM intake") == "done")
    assert machine.one("SELECT rows_read FROM intake") == rows
    assert machine.rows(EVENTS_TWICE) == []
    works_on(machine, inbox)


def test_a_file_cannot_be_read(machine: Machine, inbox: Sink) -> None:
    """Its feed is red with the reason, other files go on, and it is taken in when it can be."""
    dropped = machine.made.drop(notice(CASE, submitted=hours_ago(5)))
    with unreadable(dropped):
        machine.start()
        works_on(machine, inbox)
        eventually(lambda: "feed occurrence is red: notices-1.csv" in machine.status())
        assert not inbox.mails(CASE)
    told_once(inbox)
    eventually(lambda: "red" not in machine.status())
