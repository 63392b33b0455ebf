"""What has ended is measured anew only on purpose, and with a record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from monitor.cycle import reassess
from monitor.cycle.intake import assess_dirty, take_in_file
from monitor.cycle.parts import Monitor
from monitor.cycle.people import Refused
from monitor.cycle.reassess import Purpose, Restated, restate
from monitor.installation import install
from monitor.model import Instant
from monitor.settings import read_settings
from monitor.store.engine import Connection, reading
from monitor.wiring import ready
from monitor.worktime.instants import from_datetime
from tests.approved import approve_installed
from tests.process.installed import COLUMNS, notice

RULE = "notice-triaged-medium"
PURPOSE = Purpose(actor="test", role="mash_inspector", reason_code="calendar_corrected")
SUBMITTED = datetime(2027, 3, 8, 9, tzinfo=UTC)  # a Monday
NOW: Instant = from_datetime(datetime(2027, 4, 1, 12, tzinfo=UTC))
IN_TIME, LATE, OPEN = "PPN-2027-000001", "PPN-2027-000002", "PPN-2027-000003"


def medium(reference: str, after: timedelta | None = None, *, version: int = 1) -> str:
    """A notice of medium risk, triaged so long after it was submitted."""
    triaged = None if after is None else SUBMITTED + after
    row = notice(reference, submitted=SUBMITTED, triaged=triaged).split(",")
    row[COLUMNS.index("RISK_GRADE")] = "M"
    row[COLUMNS.index("ROW_VERSION")] = str(version)
    return ",".join(row)


class Force:
    """An installation whose MASH calendar can be corrected."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.monitor = self.start()

    def start(self) -> Monitor:
        settings = read_settings(self.folder / "config/monitor.toml")
        return ready(settings, now=NOW, actor="test", activate=True)

    def take_in(self, *rows: str) -> None:
        path = self.folder / "notices.csv"
        path.write_text(",".join(COLUMNS) + "\n" + "".join(rows), encoding="utf-8")
        feed = self.monitor.feeds["occurrence"]
        assert take_in_file(self.monitor, feed, path, now=NOW, keep=True).state == "done"

    def proclaim(self, day: str) -> None:
        """A holiday becomes known after the fact, in a new version of the calendar."""
        path = self.folder / "rules/calendars/mash.yaml"
        written = path.read_text(encoding="utf-8").replace("version: 1\n", "version: 2\n", 1)
        corrected = written.replace("special: {}", f"special: {{ {day}: [] }}")
        assert corrected != written
        path.write_text(corrected, encoding="utf-8")
        self.monitor.engine.dispose()
        self.monitor = self.start()
        assert assess_dirty(self.monitor, now=NOW) > 0

    def asked(self, what: str) -> list[dict[str, Any]]:
        with reading(self.monitor.engine) as connection:
            return [dict(row) for row in connection.execute(text(what)).mappings()]

    def clock(self, reference: str) -> dict[str, Any]:
        (found,) = self.asked(
            "SELECT clock.* FROM clock JOIN case_ ON case_.id = case_id"
            f" WHERE rule = '{RULE}' AND reference = '{reference}'"
        )
        return found

    def restated(self, purpose: Purpose | None = None, *rules: str) -> list[Restated]:
        return list(restate(self.monitor, rules or (RULE,), purpose, now=NOW))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "force"
    install(folder)
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name not in {f"{RULE}.yaml", "vocabulary.yaml"}:
            rule.unlink()
    approve_installed(folder)
    return folder


@pytest.fixture
def force(made: Path, tmp_path: Path) -> Iterator[Force]:
    """24 working hours of the MASH from Monday at nine: due on Wednesday at one.

    One notice was triaged in time, one a minute late, one waits still.
    """
    folder = Path(shutil.copytree(made, tmp_path / "force"))
    force = Force(folder)
    force.take_in(
        medium(IN_TIME, timedelta(hours=20)),
        medium(LATE, timedelta(days=2, hours=4, minutes=1)),
        medium(OPEN),
    )
    yield force
    force.monitor.engine.dispose()


def test_a_holiday_proclaimed_later_leaves_what_has_ended(force: Force) -> None:
    """The open clock is due later and keeps both times; the others stand as they were."""
    before = {each: force.clock(each) for each in (IN_TIME, LATE, OPEN)}
    force.proclaim("2027-03-09")
    for ended in (IN_TIME, LATE):
        assert force.clock(ended) == before[ended] | {"revision": force.clock(ended)["revision"]}
    waiting = force.clock(OPEN)
    assert waiting["due_at"] > before[OPEN]["due_at"] == waiting["due_before"]
    assert waiting["calendar_version"] == "2"


def test_a_look_changes_nothing(force: Force) -> None:
    force.proclaim("2027-03-09")
    before = force.asked("SELECT * FROM clock ORDER BY id")
    looked = force.restated()
    assert {each.reference for each in looked} == {IN_TIME, LATE}
    assert force.asked("SELECT * FROM clock ORDER BY id") == before
    assert force.asked("SELECT * FROM action WHERE kind = 'restate'") == []
    assert force.restated() == looked


def test_a_restatement_is_what_the_look_said_and_is_kept(force: Force) -> None:
    force.proclaim("2027-03-09")
    looked = force.restated()
    assert force.restated(PURPOSE) == looked
    for each in looked:
        assert force.clock(each.reference)["due_at"] == each.due_after != each.due_before
        assert force.clock(each.reference)["calendar_version"] == "2"
    kept = force.asked("SELECT * FROM action WHERE kind = 'restate' ORDER BY target")
    assert [each["target"] for each in kept] == [f"case {IN_TIME}", f"case {LATE}"]
    assert {(each["actor"], each["reason_code"]) for each in kept} == {
        ("test", "calendar_corrected")
    }
    (told,) = json.loads(kept[0]["detail"])
    assert (told["rule"], told["before"], told["after"]) == (RULE, "met", "met")
    assert told["due_before"] < told["due_after"]


def test_once_restated_nothing_is_left(force: Force) -> None:
    force.proclaim("2027-03-09")
    force.restated(PURPOSE)
    assert force.restated() == []
    assert force.restated(PURPOSE) == []
    assert len(force.asked("SELECT * FROM action WHERE kind = 'restate'")) == 2


def test_what_was_late_by_a_holiday_is_met_once_restated(force: Force) -> None:
    assert force.clock(LATE)["breached_at"] is not None
    force.proclaim("2027-03-09")
    assert force.clock(LATE)["breached_at"] is not None, "not before somebody says so"
    said = {each.reference: (each.before, each.after) for each in force.restated(PURPOSE)}
    assert said == {IN_TIME: ("met", "met"), LATE: ("late", "met")}
    assert force.clock(LATE)["breached_at"] is None


def test_a_holiday_after_it_was_due_changes_nothing(force: Force) -> None:
    force.proclaim("2027-03-19")
    assert force.restated(PURPOSE) == []


def test_killed_half_way_the_rest_is_done_by_the_next(
    force: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed stands with its record, and is not done again."""
    force.proclaim("2027-03-09")
    monkeypatch.setattr(reassess, "CASES_AT_ONCE", 1)
    first = next(restate(force.monitor, (RULE,), PURPOSE, now=NOW))
    left = force.restated(PURPOSE)
    assert first.reference not in {each.reference for each in left}
    assert len(force.asked("SELECT * FROM action WHERE kind = 'restate'")) == 2


def test_killed_between_measure_and_record_neither_is_kept(
    force: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    force.proclaim("2027-03-09")

    def killed(connection: Connection, *_: Any, **__: Any) -> None:
        assert connection.in_transaction()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reassess, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            force.restated(PURPOSE)
    assert len(force.restated(PURPOSE)) == 2


def test_other_rules_are_left(force: Force) -> None:
    force.proclaim("2027-03-09")
    assert force.restated(PURPOSE, "notice-submitted") == []


def test_a_reason_must_be_one_that_is_known(force: Force) -> None:
    with pytest.raises(Refused, match="calendar_corrected, rule_corrected"):
        force.restated(replace(PURPOSE, reason_code="because"))


def test_new_facts_about_what_has_ended_measure_by_todays_calendar(force: Force) -> None:
    """Its end is taken back: it is open again, and open clocks follow the calendar."""
    force.proclaim("2027-03-09")
    force.take_in(medium(LATE, version=2))
    assert force.clock(LATE)["calendar_version"] == "2"
