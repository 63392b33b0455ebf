"""A real log of 150,370 cases with counted truth: taken in and read back by the real command.

The log stays where it is (see `real_logs`): nothing of it is in this repository.
"""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ROME = ZoneInfo("Europe/Rome")
LAST_INSTANT = "2013-06-18T00:00:00+02:00"
VERDICTS = {"overdue_open": {"overdue"}, "pending_open": {"running", "due_soon"}}
"""The truth's words for clocks that were never stopped."""

RECIPIENTS = """
fallback = "operator"
[roles.operator]
title = "operator"
[[posts]]
role = "operator"
address = "operator@eastshire.police.example"
"""


class Log:
    """An installation for the log, driven by the real command."""

    def __init__(self, folder: Path, environment: dict[str, str], *, hours: bool = False) -> None:
        self.folder = folder
        self.environment = environment
        self.monitor("init", str(folder), cwd=folder.parent)
        for name in ("rules", "config/feeds"):
            shutil.rmtree(folder / name)
        shutil.copytree(HERE / "rules", folder / "rules")
        shutil.copytree(HERE / "feeds", folder / "config" / "feeds")
        (folder / "config" / "recipients.toml").write_text(RECIPIENTS, encoding="utf-8")
        (folder / "config" / "partners.toml").write_text("", encoding="utf-8")
        settings = folder / "config" / "monitor.toml"
        text = settings.read_text(encoding="utf-8").replace('"council-england"', '"rome"')
        settings.write_text(text, encoding="utf-8")
        if hours:
            self._count_in_hours()
        self.monitor("check")

    def monitor(self, *arguments: str, cwd: Path | None = None) -> str:
        """What a command prints; it must end well."""
        done = subprocess.run(
            [sys.executable, "-m", "monitor", *arguments],
            cwd=cwd or self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def verdicts(self) -> Iterator[dict[str, str]]:
        """Every clock as it stood at the log's last instant."""
        printed = self.monitor("clocks", "--as-of", LAST_INSTANT, "--format", "csv")
        yield from csv.DictReader(printed.splitlines())

    def counts(self) -> dict[str, Counter[str]]:
        """Rule → verdict → how many."""
        found: dict[str, Counter[str]] = {}
        for clock in self.verdicts():
            found.setdefault(clock["rule"].upper(), Counter())[clock["verdict"]] += 1
        return found

    def _count_in_hours(self) -> None:
        """The same limits in clock hours instead of calendar days."""
        for rule in (self.folder / "rules").glob("r*.yaml"):
            text = rule.read_text(encoding="utf-8")
            for days in (60, 90):
                text = text.replace(f"{days} calendar days", f"{days * 24}h")
            rule.write_text(text.replace("day_ends: same time\n", ""), encoding="utf-8")


@pytest.fixture
def log(tmp_path: Path, bare_environment: dict[str, str]) -> Log:
    """The log's feed and rules, limits in calendar days."""
    return Log(tmp_path / "fines", bare_environment)


@pytest.fixture
def log_in_hours(tmp_path: Path, bare_environment: dict[str, str]) -> Log:
    """The log's feed and rules, limits in clock hours."""
    return Log(tmp_path / "fines", bare_environment, hours=True)


def truth(folder: Path) -> list[dict[str, Any]]:
    """The rules of a truth file."""
    rules: list[dict[str, Any]] = json.loads((folder / "truth.json").read_text())["rules"]
    return rules


def truth_of_cases(folder: Path) -> dict[tuple[str, str], str]:
    """(rule, case) → verdict."""
    with gzip.open(folder / "truth_cases.csv.gz", "rt") as lines:
        return {(row["rule"], row["case_id"]): row["verdict"] for row in csv.DictReader(lines)}


def in_its_words(verdict: str) -> str:
    """A verdict in the truth's words."""
    for theirs, ours in VERDICTS.items():
        if verdict in ours:
            return theirs
    return verdict


@pytest.mark.timeout(120)
def test_a_hundred_traces_in_clock_hours_equal_their_truth_case_by_case(
    log_in_hours: Log, real_logs: Path
) -> None:
    """The small log bears offsets, and its truth counts elapsed seconds."""
    folder = real_logs / "road_traffic_100"
    log_in_hours.monitor("ingest", str(folder / "events.csv.gz"), "--feed", "fines")

    found = {
        (clock["rule"].upper(), clock["reference"]): in_its_words(clock["verdict"])
        for clock in log_in_hours.verdicts()
    }

    expected = truth_of_cases(folder)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.timeout(120)
def test_sixty_calendar_days_are_in_time_across_a_change_of_the_clocks(
    log: Log, real_logs: Path
) -> None:
    """Every penalty was added sixty days after its notification, by the calendar."""
    events = real_logs / "road_traffic_100" / "events.csv.gz"
    log.monitor("ingest", str(events), "--feed", "fines")

    assert log.counts()["R4"] == Counter(met=57)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_log_equals_its_truth_case_by_case(log: Log, real_logs: Path) -> None:
    """561,470 rows: 561,440 new, 30 known already, and every verdict as counted."""
    folder = real_logs / "road_traffic_full"
    printed = log.monitor("ingest", str(folder / "events.csv.gz"), "--feed", "fines")
    assert "561440 new, 30 known already, 0 amended, 0 conflicting; 0 rows set aside" in printed

    found: dict[str, Counter[str]] = {}
    expected = truth_of_cases(folder)
    wrong = []
    for clock in log.verdicts():
        rule, verdict = clock["rule"].upper(), in_its_words(clock["verdict"])
        found.setdefault(rule, Counter())[verdict] += 1
        if expected.pop((rule, clock["reference"]), verdict) != verdict:
            wrong.append(clock)

    assert wrong == []
    assert expected == {}
    assert found == {
        rule["id"]: +Counter(
            {
                "met": rule["met"],
                "late": rule["late"],
                "overdue_open": rule["overdue_open"],
                "pending_open": rule["pending_open"],
            }
        )
        for rule in truth(folder)
    }
    _nothing_undeclared_is_stored(log.folder / "var" / "monitor.db")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_log_in_clock_hours_shows_what_the_change_of_the_clocks_does(
    log_in_hours: Log, real_logs: Path
) -> None:
    """1,440 hours are not 60 days: 17,564 of 79,860 penalties would read late."""
    folder = real_logs / "road_traffic_full"
    log_in_hours.monitor("ingest", str(folder / "events.csv.gz"), "--feed", "fines")
    variant = json.loads((folder / "truth.json").read_text())["variant_instants_Europe_Rome"]

    counts = log_in_hours.counts()

    assert counts["R4"] == Counter(met=62_296, late=17_564)
    assert {rule: (found["met"], found["late"]) for rule, found in counts.items()} == {
        rule["id"]: (rule["met"], rule["late"]) for rule in variant
    }


def _nothing_undeclared_is_stored(database: Path) -> None:
    """The log's other columns (article, points, vehicle class…) leave no trace but their names."""
    with sqlite3.connect(database) as connection:
        (dropped,) = connection.execute("SELECT dropped_columns FROM intake").fetchone()
        assert set(json.loads(dropped)) == {
            *("resource", "article", "dismissal", "lastsent", "matricola"),
            *("notificationtype", "points", "vehicleclass"),
        }
        told = ["partner", "organisation", "child", "category", "risk", "district", "unit"]
        told += ["decision", "reason_code", "links", "attributes"]
        for column in told:
            asked = f"SELECT count(*) FROM event WHERE \"{column}\" <> ''"
            assert connection.execute(asked).fetchone() == (0,), column


def test_the_log_last_instant_is_midnight_in_rome() -> None:
    """The instant at which the truth looks back."""
    assert datetime.fromisoformat(LAST_INSTANT) == datetime(2013, 6, 18, tzinfo=ROME)
