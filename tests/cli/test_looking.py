"""What is looked at: clocks, explanations, status, the digest, and the shapes scripts read."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.commands import (
    HIGH,
    IN_TIME,
    LATE,
    NEEDS_A_PERSON,
    OTHER,
    ROLE,
    WRONG_USE,
    extract,
    typed,
)
from tests.process.installed import hours_ago, notice

# -- clocks, explanations, status --------------------------------------------------------------


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
    assert [*read[0]] == [*table.splitlines()[0].split(), "on_trial"]
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


def test_what_a_rule_on_trial_says_is_marked_until_it_is_approved(
    on_trial: Path, tmp_path: Path
) -> None:
    """In the list of clocks and in the weekly digest: it is no decided policy yet."""
    typed(
        "ingest", extract(tmp_path, notice(LATE, submitted=hours_ago(30))), "--feed", "occurrence"
    )
    table = typed("clocks").stdout
    assert "overdue *" in table
    assert "* on trial: nobody has approved this rule." in table
    listed = json.loads(typed("clocks", "--format", "json").stdout)
    assert {each["on_trial"] for each in listed} == {True}
    digest = ("digest", "--week", f"{hours_ago(0):%G-W%V}", "--scope", "force")
    said = " ".join(typed(*digest).stdout.split())
    assert re.search(r"Outside the shares: On trial: \d rules?, with \d dut(y|ies) due", said)
    typed("rules", "approve", HIGH, OTHER, "--by", ROLE, "--yes")
    assert "on trial" not in typed("clocks").stdout
    assert "On trial" not in typed(*digest).stdout


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


def test_looking_at_a_case_is_recorded_with_who_looked(
    two_cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system knows the account, whatever variables say; and who lent it by `sudo`."""
    me, number = pwd.getpwuid(os.getuid()).pw_name, 4_000_000_000
    monkeypatch.setenv("LOGNAME", "chief.constable")
    typed("explain", LATE)
    monkeypatch.setenv("SUDO_UID", str(number))
    typed("explain", LATE)
    asked = "SELECT actor FROM audit WHERE operation = 'consultation' ORDER BY id"
    database = sqlite3.connect(two_cases / "var/monitor.db")
    actors = [actor for (actor,) in database.execute(asked)]
    database.close()
    assert actors == [me, f"uid {number} (by sudo as {me})"]


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


# -- the digest --------------------------------------------------------------------------------


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
