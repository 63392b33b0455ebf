"""What `monitor export` hands out: every row once, safe to open, logged, and nothing restricted."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from tests.cli.commands import IN_TIME, LATE, WRONG_USE, rows, typed
from tests.process.installed import hours_ago

WHAT = ("clocks", "events", "alerts", "messages")


@pytest.mark.parametrize("what", WHAT)
def test_csv_and_json_lines_say_the_same(two_cases: Path, what: str) -> None:
    table = list(csv.DictReader(io.StringIO(typed("export", what).stdout)))
    listed = [
        json.loads(line) for line in typed("export", what, "--format", "jsonl").stdout.splitlines()
    ]
    assert len(table) == len(listed)
    for one, other in zip(table, listed, strict=True):
        assert [*one] == [*other]
        for name, value in other.items():
            said = "" if value is None else str(value)
            assert one[name] == (said.lower() if isinstance(value, bool) else said)


def test_clocks_say_what_the_list_says_and_more(two_cases: Path) -> None:
    """The fields of `monitor clocks` are there under their names, with the same values."""
    read = list(csv.DictReader(io.StringIO(typed("export", "clocks").stdout)))
    listed = list(csv.DictReader(io.StringIO(typed("clocks", "--format", "csv").stdout)))
    assert [{name: one[name] for name in listed[0]} for one in read] == listed
    late = next(
        one for one in read if (one["rule"], one["reference"]) == ("notice-triaged-high", LATE)
    )
    assert (late["verdict"], late["risk"], late["district"]) == ("overdue", "high", "east")
    assert late["cannot_route"] == "false"


def test_events_name_what_was_declared_and_no_identity(two_cases: Path) -> None:
    read = list(csv.DictReader(io.StringIO(typed("export", "events").stdout)))
    assert {one["reference"] for one in read} == {LATE, IN_TIME}
    assert {"kind", "occurred_from", "received_at", "child", "undone"} <= set(read[0])
    assert not {"identity", "content", "attribute_message_id"} & set(read[0])
    assert all(len(one["child"]) == 32 for one in read), "hashed"


def test_a_span_of_dates_has_both_of_them(two_cases: Path) -> None:
    today, tomorrow = (f"{hours_ago(-hours):%Y-%m-%d}" for hours in (0, 24))
    yesterday, before = (f"{hours_ago(hours):%Y-%m-%d}" for hours in (24, 48))
    everything = typed("export", "events").stdout
    assert typed("export", "events", "--from", yesterday, "--to", tomorrow).stdout == everything
    assert len(typed("export", "events", "--to", before).stdout.splitlines()) == 1
    typed("export", "events", "--from", today, "--to", before, expect=WRONG_USE)


def test_a_file_is_new_private_and_its_digest_is_said_and_logged(
    two_cases: Path, tmp_path: Path
) -> None:
    out = tmp_path / "clocks.csv"
    said = typed("export", "clocks", "--out", out).stdout
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    assert said.strip() == f"{out}: 6 clocks, sha256 {digest}"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*.unfinished"))
    (logged,) = rows(two_cases, "SELECT subject, detail FROM audit WHERE operation = 'disclosure'")
    detail = json.loads(logged[1])
    assert logged[0] == "export of clocks"
    assert (detail["rows"], detail["format"], detail["whole"]) == (6, "csv", True)
    assert detail["sha256"] == digest
    again = typed("export", "clocks", "--out", out, expect=WRONG_USE)
    assert "is there already" in again.stderr


def test_each_export_is_one_disclosure(two_cases: Path) -> None:
    for what in WHAT:
        typed("export", what)
    asked = "SELECT subject FROM audit WHERE operation = 'disclosure' ORDER BY id"
    assert rows(two_cases, asked) == [(f"export of {what}",) for what in WHAT]


def test_what_was_broken_off_is_logged_as_such(
    two_cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no file is left that looks whole."""
    from monitor.cycle import exporting  # noqa: PLC0415 - what is broken on purpose

    def broken(*_: object, **__: object) -> int:
        raise OSError("the disk is full")

    monkeypatch.setattr(exporting, "write_csv", broken)
    with pytest.raises(OSError, match="the disk is full"):
        typed("export", "clocks", "--out", tmp_path / "clocks.csv")
    assert not list(tmp_path.glob("clocks*"))
    ((detail,),) = rows(two_cases, "SELECT detail FROM audit WHERE operation = 'disclosure'")
    assert json.loads(detail)["whole"] is False


def test_a_text_that_begins_as_a_formula_is_harmless_in_csv_alone(two_cases: Path) -> None:
    with sqlite3.connect(two_cases / "var/monitor.db") as database:
        database.execute("UPDATE clock SET unit = '=HYPERLINK(1)'")
    database.close()
    assert "'=HYPERLINK(1)" in typed("export", "clocks").stdout
    listed = typed("export", "clocks", "--format", "jsonl").stdout
    assert json.loads(listed.splitlines()[0])["unit"] == "=HYPERLINK(1)"


def test_a_restricted_case_is_in_none(two_cases: Path) -> None:
    with sqlite3.connect(two_cases / "var/monitor.db") as database:
        database.execute(
            "UPDATE clock SET restricted = 1 WHERE case_id ="
            f" (SELECT id FROM case_ WHERE reference = '{LATE}')"
        )
    database.close()
    for what in WHAT:
        assert LATE not in typed("export", what).stdout
    assert IN_TIME in typed("export", "clocks").stdout


def test_parquet_without_its_library_says_what_to_type(
    two_cases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    said = typed("export", "clocks", "--format", "parquet", expect=WRONG_USE).stderr
    assert "pip install 'safeguarding-timeliness-monitor[parquet]'" in said
    assert rows(two_cases, "SELECT * FROM audit WHERE operation = 'disclosure'") == []


def test_parquet_holds_the_same_rows(two_cases: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is the extra parquet")
    typed("export", "clocks", "--format", "parquet", "--out", tmp_path / "clocks.parquet")
    read = parquet.read_table(tmp_path / "clocks.parquet").to_pylist()
    table = list(csv.DictReader(io.StringIO(typed("export", "clocks").stdout)))
    assert [(one["rule"], one["reference"], one["verdict"]) for one in read] == [
        (one["rule"], one["reference"], one["verdict"]) for one in table
    ]
