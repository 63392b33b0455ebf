"""The command line: what each command says, its exit status, and the shapes that scripts read."""

from __future__ import annotations

import csv
import getpass
import io
import json
import logging
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from monitor import __version__, cli
from monitor.installation import install
from tests.approved import approve_installed
from tests.process.installed import CHECKOUT, COLUMNS, KEPT_RULES, hours_ago, notice

DONE, NEEDS_A_PERSON, WRONG_USE = 0, 1, 2
LATE = "PPN-2027-004211"
IN_TIME = "PPN-2027-004207"
HASH = re.compile(r"[0-9a-f]{32}")

Type = Callable[..., Result]


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "force"
    install(folder)
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name not in {*KEPT_RULES, "vocabulary.yaml"}:
            rule.unlink()
    approve_installed(folder)
    return folder


@pytest.fixture
def force(made_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of this test's own; commands are typed in its folder."""
    shutil.copytree(made_once, tmp_path / "force")
    monkeypatch.chdir(tmp_path / "force")
    return tmp_path / "force"


def typed(*words: str | Path, expect: int = DONE) -> Result:
    """What a command said; its exit status must be as expected."""
    result = CliRunner().invoke(cli.main, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def extract(folder: Path, *rows: str) -> Path:
    path = folder / "notices-1.csv"
    path.write_text(",".join(COLUMNS) + "\n" + "".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def two_cases(force: Path, tmp_path: Path) -> Path:
    """One notice triaged in time and one that waits since five hours."""
    submitted = hours_ago(5)
    rows = (
        notice(LATE, submitted=submitted),
        notice(IN_TIME, submitted=submitted, triaged=submitted + timedelta(hours=1)),
    )
    typed("ingest", extract(tmp_path, *rows), "--feed", "occurrence")
    return force


# -- setting up -------------------------------------------------------------------------------


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


# -- working ----------------------------------------------------------------------------------


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


# -- looking ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("clocks", "--as-of"), ("once", "--now"), ("explain", LATE, "--as-of")],
)
@pytest.mark.parametrize("instant", ["yesterday", "2027-03-09", "2027-03-09T02:47:00"])
def test_an_instant_without_offset_is_wrong_use(words: tuple[str, ...], instant: str) -> None:
    """The message says the form."""
    said = typed(*words, instant, expect=WRONG_USE).stderr
    assert "such as 2027-03-28T23:00:00+01:00" in said


def test_clocks_are_a_table_csv_or_json(two_cases: Path) -> None:
    """The same clocks; a child's hash whole for machines only."""
    table = typed("clocks").stdout
    read = list(csv.DictReader(io.StringIO(typed("clocks", "--format", "csv").stdout)))
    listed = json.loads(typed("clocks", "--format", "json").stdout)
    assert len(table.splitlines()) - 1 == len(read) == len(listed) == 6
    assert [*read[0]] == [*listed[0]]
    assert [*read[0]] == table.splitlines()[0].split()
    verdicts = {(one["rule"], one["reference"]): one["verdict"] for one in listed}
    assert verdicts["notice-triaged-high", LATE] == "overdue"
    assert verdicts["notice-triaged-high", IN_TIME] == "met"


def test_clocks_say_what_was_so_at_an_instant(two_cases: Path) -> None:
    at = hours_ago(3).isoformat()
    listed = json.loads(typed("clocks", "--format", "json", "--as-of", at).stdout)
    verdicts = {(one["rule"], one["reference"]): one["verdict"] for one in listed}
    assert verdicts["notice-triaged-high", LATE] == "running"
    before = hours_ago(24).isoformat()
    assert json.loads(typed("clocks", "--format", "json", "--as-of", before).stdout) == []


def test_explain_says_why(two_cases: Path) -> None:
    said = typed("explain", LATE).stdout
    assert said.startswith(f"{LATE}, at ")
    assert re.search(r"OVERDUE by .*: High-risk notice triaged", said)
    assert max(map(len, said.splitlines())) <= 100


def test_explain_can_be_of_one_rule_at_one_instant(two_cases: Path) -> None:
    at = hours_ago(3)
    words = ("explain", LATE, "--rule", "notice-triaged-high", "--as-of", at.isoformat())
    values = json.loads(typed(*words, "--json").stdout)
    (clock,) = values["clocks"]
    assert clock["rule"] == "notice-triaged-high"
    assert clock["verdict"] is None, "its file came only now"
    assert clock["verdict_as_known_today"] == "running"
    assert datetime.fromisoformat(values["at"]) == at.astimezone(UTC)
    assert {"events", "windows", "told", "because", "governed_by"} <= set(clock)


def test_explain_of_what_is_unknown_needs_a_person(two_cases: Path) -> None:
    assert typed("explain", "PPN-2027-000000", expect=NEEDS_A_PERSON).stderr == (
        "nothing is known of PPN-2027-000000 that may be shown to this account\n"
    )
    said = typed("explain", LATE, "--rule", "no-such-rule", expect=NEEDS_A_PERSON).stderr
    assert said == f"rule no-such-rule has no clock of {LATE} at that time\n"


def in_hours(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")


def test_what_people_do_is_said_with_its_number_and_listed(two_cases: Path) -> None:
    rule = ("--rule", "notice-triaged-high")
    by = ("--by", "MASH sergeant")
    said = typed("take", LATE, *rule, "--reason", "being_traced", *by).stdout
    number = said.split()[0]
    assert said.startswith(f"{number}  {LATE}, notice-triaged-high: taken until ")
    assert max(map(len, said.splitlines())) <= 120
    explained = typed("explain", LATE, *rule).stdout
    assert "for the MASH sergeant: it is being found out whom to tell" in " ".join(
        explained.split()
    )
    assert getpass.getuser() not in explained
    listed = typed("actions", "list").stdout
    assert f"{number}  take {LATE}, rule notice-triaged-high" in listed
    assert f"by {getpass.getuser()} for the MASH sergeant" in listed
    assert "is over" in typed("actions", "end", number).stdout
    assert "is over already" in typed("actions", "end", number, expect=WRONG_USE).stderr
    assert (
        "nobody is told of it any more"
        in typed("close", LATE, *rule, "--reason", "no_record_will_come").stdout
    )
    caseload = typed("status", "--caseload", expect=NEEDS_A_PERSON).stdout
    assert f"closed   {LATE}, notice-triaged-high" in caseload


def test_a_silence_is_seen_in_status_until_it_is_ended(two_cases: Path) -> None:
    words = ("silence", "--rule", "notice-triaged-high", "--reason", "planned_work")
    number = typed(*words, "--until", in_hours(30)).stdout.split()[0]
    said = " ".join(typed("status", "--caseload", expect=NEEDS_A_PERSON).stdout.split())
    assert "silent rule notice-triaged-high until" in said
    assert "work on a system was announced" in said
    values = json.loads(typed("status", "--json", "--caseload", expect=NEEDS_A_PERSON).stdout)
    assert values["caseload"]["silences"][0]["about"] == "rule notice-triaged-high"
    assert "is over" in typed("silence", "--end", number).stdout
    assert "silent" not in typed("status", "--caseload", expect=NEEDS_A_PERSON).stdout


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (("take", IN_TIME, "--reason", "being_traced"), NEEDS_A_PERSON, "nobody is told of it"),
        (("take", "PPN-2027-000000", "--reason", "being_traced"), WRONG_USE, "nothing is known"),
        (("take", LATE, "--reason", "because"), WRONG_USE, "the reasons are: being_decided"),
        (("take", LATE, "--rule", "x", "--reason", "being_traced"), WRONG_USE, "those that have"),
        (
            ("take", LATE, "--reason", "being_traced", "--by", "nobody"),
            WRONG_USE,
            "the roles are: duty_inspector",
        ),
        (
            ("take", LATE, "--reason", "being_traced", "--until", "2020-01-01T00:00:00+00:00"),
            WRONG_USE,
            "its end lies in the past",
        ),
        (("pass", LATE, "--reason", "not_mine"), NEEDS_A_PERSON, "this rule tells nobody"),
        (("pass", LATE, "--reason", "not_mine", "--to", "x"), WRONG_USE, "there is no role 'x'"),
        (("close", LATE, "--reason", "source_gone"), WRONG_USE, "say which rule"),
        (("silence", LATE), WRONG_USE, "a silence has an end and a reason"),
        (
            ("silence", LATE, "--reason", "under_review", "--until", "2999-01-01T00:00:00+00:00"),
            WRONG_USE,
            "(setting people.silence_at_most_days)",
        ),
        (("silence", "--end", "99"), WRONG_USE, "there is no silence of number 99"),
        (("confirm", LATE, "--reason", "log_seen"), WRONG_USE, "by a named role"),
        (
            ("confirm", LATE, "--reason", "log_seen", "--by", "mash_inspector"),
            NEEDS_A_PERSON,
            "no claim is to be confirmed here",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    two_cases: Path, words: tuple[str, ...], status: int, why: str
) -> None:
    result = typed(*words, expect=status)
    assert why in result.stderr
    assert "Traceback" not in result.output
    assert "Nobody has taken" in typed("actions", "list").stdout


def test_looking_at_a_case_is_recorded_with_who_looked(
    two_cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the account's number where it has no name, as in a container."""

    def nameless() -> str:
        raise KeyError

    typed("explain", LATE)
    me = getpass.getuser()
    monkeypatch.setattr(getpass, "getuser", nameless)
    typed("explain", LATE)
    asked = "SELECT actor FROM audit WHERE operation = 'consultation' ORDER BY id"
    database = sqlite3.connect(two_cases / "var/monitor.db")
    actors = [actor for (actor,) in database.execute(asked)]
    database.close()
    assert actors == [me, f"uid {os.getuid()}"]


def test_status_needs_a_person_for_the_service_s_faults_alone(two_cases: Path) -> None:
    """An overdue duty is the police's workload: only `--caseload` answers for it."""
    typed("status")
    typed("status", "--service")
    workload = typed("status", "--caseload", expect=NEEDS_A_PERSON).stdout
    assert re.search(r"SEE TO: 1 dut(y|ies) .*overdue", workload)
    typed("mail", "hold")
    assert "all mail is held" in typed("status", expect=NEEDS_A_PERSON).stdout


def test_status_for_machines_is_json(two_cases: Path) -> None:
    values = json.loads(typed("status", "--json").stdout)
    assert set(values) == {"at", "service", "caseload", "service_faults", "caseload_notes"}
    assert values["caseload"]["by_verdict"]["overdue"] == 1
    only = json.loads(typed("status", "--json", "--service").stdout)
    assert set(only) == {"at", "service", "service_faults"}


def test_what_machines_read_holds_no_log_line(two_cases: Path) -> None:
    """Rules that are refused are logged by a daemon; here they would break the JSON."""
    rule = two_cases / "rules/no-notice.yaml"
    rule.write_text(rule.read_text().replace("threshold: 24h", "threshold: 25h"))
    result = typed("status", "--json", expect=NEEDS_A_PERSON)
    assert "rules folder is refused" in json.loads(result.stdout)["service_faults"][0]
    assert result.stderr == ""


# -- the digest -------------------------------------------------------------------------------


def test_the_digest_is_printed_or_written(two_cases: Path, tmp_path: Path) -> None:
    """Exactly what would be sent, for every scope that somebody reads."""
    assert "THE WEEK IN ONE SENTENCE" in typed("digest", "--scope", "force").stdout
    out = tmp_path / "out"
    written = typed("digest", "--week", "2026-W46", "--out", out).stdout.splitlines()
    assert sorted(map(Path, written)) == sorted(out.iterdir())
    assert {path.suffix for path in out.iterdir()} == {".eml", ".txt", ".html"}
    assert {path.name[:8] for path in out.iterdir()} == {"2026-W46"}


def test_the_digest_is_sent_once(two_cases: Path) -> None:
    first = typed("digest", "--send", "--scope", "force", "--week", "2026-W46").stdout
    assert first == "2 digests put into the outbox\n"
    again = typed("digest", "--send", "--scope", "force", "--week", "2026-W46").stdout
    assert again.splitlines()[0] == "0 digests put into the outbox"


@pytest.mark.parametrize(
    "words",
    [
        ("--week", "2026-W99"),
        ("--week", "last"),
        ("--scope", "borough:east"),
        ("--scope", "district:"),
        ("--scope", "district:nowhere"),
        ("--scope", "unit:nowhere", "--send"),
        ("--week", "2999-W01"),
        ("--week", "2999-W01", "--send"),
        ("--out", "here", "--send"),
    ],
)
def test_a_week_or_scope_that_is_none_is_wrong_use(force: Path, words: tuple[str, ...]) -> None:
    typed("digest", *words, expect=WRONG_USE)
    assert not (force / "here").exists()


# -- rows set aside, intakes, mail ------------------------------------------------------------


@pytest.fixture
def one_bad_row(force: Path, tmp_path: Path) -> Path:
    rows = [notice(f"PPN-2027-{number:06}", submitted=hours_ago(30)) for number in range(9)]
    bad = notice(LATE, submitted=hours_ago(5)).replace("PHYS ABUSE,H", "PHYS ABUSE,X")
    path = extract(tmp_path, *rows, bad)
    typed("ingest", path, "--feed", "occurrence", expect=NEEDS_A_PERSON)
    return force


def test_a_row_set_aside_is_listed_shown_and_mended(one_bad_row: Path) -> None:
    """Its place, its field, what was expected; and taken in once the mapping knows its word."""
    listed = typed("quarantine", "list").stdout
    assert "occurrence, notices-1.csv, line 11" in listed
    number = listed.split()[0]
    shown = typed("quarantine", "show", number).stdout
    assert "RISK_GRADE = X" in shown
    assert typed("quarantine", "list", "--feed", "sending-log").stdout == "No rows are set aside.\n"

    still = typed("quarantine", "retry", expect=NEEDS_A_PERSON).stdout
    assert still == "0 rows taken in, 1 still set aside\n"
    feed = one_bad_row / "config/feeds/occurrence.toml"
    feed.write_text(feed.read_text().replace('"H" = "high"', '"H" = "high"\n"X" = "high"'))
    assert typed("quarantine", "retry").stdout == "1 row taken in, 0 still set aside\n"
    assert typed("quarantine", "list").stdout == "No rows are set aside.\n"
    typed("explain", LATE)


def test_a_row_that_is_not_there_is_wrong_use(force: Path) -> None:
    assert "monitor quarantine list" in typed("quarantine", "show", "7", expect=WRONG_USE).stderr
    typed("quarantine", "show", "seven", expect=WRONG_USE)


def test_an_intake_is_listed_and_undone(two_cases: Path) -> None:
    """What it brought is unknown again."""
    listed = typed("intake", "list").stdout
    assert listed.splitlines()[0] == "1  occurrence, notices-1.csv: done"
    assert "2 rows: 5 new, 0 known already" in listed
    assert typed("intake", "undo", "1").stdout == "intake 1 is undone; 2 cases changed\n"
    left = json.loads(typed("clocks", "--format", "json").stdout)
    assert {clock["verdict"] for clock in left} <= {"superseded"}


def test_an_intake_that_is_not_there_is_wrong_use(force: Path) -> None:
    assert "monitor intake list" in typed("intake", "undo", "7", expect=WRONG_USE).stderr
    assert typed("intake", "list").stdout == "No file was taken in.\n"


def test_mail_is_held_until_it_is_released(force: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts go on being decided."""
    monkeypatch.setenv("MONITOR_TELLING_ALERTS", "on")
    monkeypatch.setenv("MONITOR_MAIL_HOST", "127.0.0.1")
    monkeypatch.setenv("MONITOR_MAIL_PORT", "1")
    assert "monitor mail release" in typed("mail", "hold").stdout
    extract(force / "drop/occurrence", notice(LATE, submitted=hours_ago(5)))
    assert "1 alert, 0 digests, 0 mails sent" in typed("once").stdout
    typed("mail", "release")
    said = typed("once", expect=NEEDS_A_PERSON).stderr
    assert "the mail server takes nothing at present" in said


# -- the limit on what is said ----------------------------------------------------------------


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


# -- the process ------------------------------------------------------------------------------


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
