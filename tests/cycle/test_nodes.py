"""Two nodes on one database: each file once, and nobody decides by what is not in force."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event, text, update

from monitor.approving import Account, approve, plan_approval
from monitor.assess.assess import assess_cases as assess
from monitor.cycle.intake import (
    ELSEWHERE,
    GONE,
    Taken,
    assess_dirty,
    retry_quarantine,
    take_in_file,
    take_in_waiting,
    undo_intake,
)
from monitor.cycle.intake import dirty as dirty_room
from monitor.cycle.intake import waiting as waiting_room
from monitor.cycle.intake.one_file import FileReading
from monitor.cycle.nodes import look_around, not_deciding
from monitor.cycle.parts import Monitor
from monitor.cycle.sweep import sweep
from monitor.cycle.upkeep import keep_up
from monitor.governing import activate_files
from monitor.ingest.files import FileChanged
from monitor.ingest.files import file_digest as digest
from monitor.installation import install
from monitor.model import HOUR, SECOND, Instant
from monitor.rulebook.approval import State
from monitor.settings import Settings, read_settings
from monitor.store import cases, clocks, intakes, nodes, rulebooks
from monitor.store.engine import Connection, database_now, open_engine, reading, writing
from monitor.store.schema import migrate
from monitor.store.tables import intake
from monitor.store.tables import node as node_table
from monitor.wiring import held_back, ready
from monitor.worktime.instants import from_datetime
from tests.approved import approve_all, approve_installed
from tests.postgres import PostgresServer
from tests.process.installed import COLUMNS, KEPT_RULES, hours_ago, notice
from tests.store.world import until_it_waits

NOW: Instant = from_datetime(hours_ago(0))
CALENDAR = "rules/calendars/clock-hours.yaml"


@dataclass
class Force:
    """One database, and installations that work on it."""

    made: Path
    folder: Path
    url: str
    opened: list[Monitor]

    def place(self, name: str) -> Path:
        """Another server's installation."""
        return Path(shutil.copytree(self.made, self.folder / name))

    def settings(self, place: Path, name: str, **intake: Any) -> Settings:
        settings = read_settings(place / "config/monitor.toml")
        return settings.model_copy(
            update={
                "database": settings.database.model_copy(update={"url": SecretStr(self.url)}),
                "service": settings.service.model_copy(update={"node": name}),
                "telling": settings.telling.model_copy(update={"alerts": "on"}),
                "intake": settings.intake.model_copy(update=intake),
            }
        )

    def node(self, place: Path, name: str, *, only_first: bool = False, **intake: Any) -> Monitor:
        """A node, as it starts."""
        settings = self.settings(place, name, **intake)
        monitor = ready(settings, now=NOW, actor="test", activate=True, only_first=only_first)
        self.opened.append(monitor)
        return monitor

    def two(self, **intake: Any) -> tuple[Monitor, Monitor]:
        """Two servers, each with its own folders."""
        one, two = (self.node(self.place(name), name, **intake) for name in ("one", "two"))
        return one, two


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `monitor init` makes, with a few of its rules."""
    folder = tmp_path_factory.mktemp("made") / "force"
    install(folder)
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name not in {*KEPT_RULES, "vocabulary.yaml"}:
            rule.unlink()
    approve_installed(folder)
    return folder


def _furnish(url: str, made: Path) -> None:
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    approve_all(made / "rules", url)


@pytest.fixture(params=["sqlite", "postgresql"])
def force(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[Force]:
    if request.param == "sqlite":
        shutil.copy(made / "var/monitor.db", tmp_path / "shared.db")
        yield from _opened(Force(made, tmp_path, f"sqlite:///{tmp_path}/shared.db", []))
        return
    yield from _on_postgres(request, made, tmp_path)


@pytest.fixture
def on_postgres(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[Force]:
    """For what only several writers at once can show."""
    yield from _on_postgres(request, made, tmp_path)


def _on_postgres(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[Force]:
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(server.template("nodes", lambda url: _furnish(url, made))) as url:
        yield from _opened(Force(made, tmp_path, url, []))


def _opened(force: Force) -> Iterator[Force]:
    yield force
    for monitor in force.opened:
        monitor.engine.dispose()


def drop(node: Monitor, name: str, *rows: str) -> Path:
    path = node.settings.path("drop/occurrence") / name
    path.write_text(",".join(COLUMNS) + "\n" + "".join(rows), "utf-8")
    return path


def some(first: int, many: int) -> list[str]:
    """Rows of as many notices, of which each was submitted and triaged in time."""
    return [
        notice(f"PPN-2027-{n:06}", submitted=hours_ago(48), triaged=hours_ago(47))
        for n in range(first, first + many)
    ]


def late(number: int = 4211) -> str:
    """A notice that nobody triaged within four hours."""
    return notice(f"PPN-2027-{number:06}", submitted=hours_ago(5))


def counted(node: Monitor, what: str) -> int:
    with reading(node.engine) as connection:
        return int(connection.execute(text(f"SELECT {what}")).scalar_one())


def account(node: Monitor) -> list[tuple[Any, ...]]:
    """What was taken in, file by file."""
    asked = "SELECT file_name, state, rows_read, events_new, events_known FROM intake ORDER BY 1"
    with reading(node.engine) as connection:
        return [tuple(row) for row in connection.execute(text(asked))]


def store(node: Monitor, statement: str) -> None:
    with writing(node.engine) as connection:
        connection.execute(text(statement))


def lapse(node: Monitor) -> None:
    """A minute passes in which whoever holds a file says nothing."""
    with writing(node.engine) as connection:
        past = database_now(connection) - SECOND
        connection.execute(intake.update().values(lease_until=past))


def both(*work: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(work)) as pool:
        return [each.result(timeout=100) for each in [pool.submit(each) for each in work]]


# -- one file, one node -----------------------------------------------------------------------


@pytest.mark.parametrize("is_shared", [True, False])
def test_two_nodes_that_get_the_same_files_take_each_in_once(
    force: Force, is_shared: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """From one drop folder or from two: law 2 adds up, and nothing is an error."""
    one, two = force.two(batch_rows=25)
    if is_shared:
        two = replace(two, settings=two.settings.model_copy(update={"root": one.settings.root}))
    files = {f"notices-{n}.csv": some(100 * n, 80) for n in range(4)}
    for name, rows in files.items():
        for node in (one, two)[: 1 if is_shared else 2]:
            drop(node, name, *rows)

    def until_all_is_done(node: Monitor) -> list[Taken]:
        folder = node.settings.path("drop/occurrence")
        taken = []
        while list(folder.iterdir()):
            taken += take_in_waiting(node, now=NOW)
        return taken

    done = both(lambda: until_all_is_done(one), lambda: until_all_is_done(two))
    taken = [each for of_node in done for each in of_node]
    assert account(one) == [(name, "done", 80, 240, 0) for name in sorted(files)]
    assert counted(one, "count(*) FROM event") == sum(t.events_new for t in taken) == 4 * 240
    assert counted(one, "count(*) FROM clock") == counted(one, "count(*) FROM case_") * 3
    assert sorted(t.file for t in taken if t.state == "done") == sorted(files)
    assert {t.state for t in taken} <= {"done", "known already"}
    assert not [line for line in caplog.records if line.levelname in {"WARNING", "ERROR"}]
    assert counted(one, "count(*) FROM feed WHERE red <> ''") == 0


class Killed(BaseException):
    """As a kill: nothing of the program's own runs afterwards."""


def killed_after(batches: int, patch: pytest.MonkeyPatch) -> None:
    """The next node that reads a file ends after so many batches and lets go of nothing."""
    stored, original = [0], FileReading._store

    def store(*arguments: Any, **named: Any) -> None:
        if stored[0] == batches:
            raise Killed
        stored[0] += 1
        original(*arguments, **named)

    patch.setattr(FileReading, "_store", store)
    patch.setattr(FileReading, "_let_go", lambda *_: True)


def test_a_file_whose_reader_died_is_taken_up_where_it_was_left(
    force: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another node, once the lease ends and not before."""
    one, two = force.two(batch_rows=10)
    rows = some(0, 60)
    for node in (one, two):
        drop(node, "notices-1.csv", *rows)
    with monkeypatch.context() as patch:
        killed_after(3, patch)
        with pytest.raises(Killed):
            take_in_waiting(one, now=NOW)
    assert take_in_waiting(two, now=NOW) == []
    assert account(two) == [("notices-1.csv", "reading", 30, 90, 0)]

    lapse(two)
    (taken,) = take_in_waiting(two, now=NOW)
    assert (taken.state, taken.rows) == ("done", 60)
    assert account(two) == [("notices-1.csv", "done", 60, 180, 0)]
    (again,) = take_in_waiting(one, now=NOW)
    assert again.state == "known already"


def test_a_node_that_starts_reads_on_at_once(force: Force, monkeypatch: pytest.MonkeyPatch) -> None:
    one = force.node(force.place("one"), "one", batch_rows=10)
    drop(one, "notices-1.csv", *some(0, 30))
    with monkeypatch.context() as patch:
        killed_after(1, patch)
        with pytest.raises(Killed):
            take_in_waiting(one, now=NOW)
    with writing(one.engine) as connection:
        assert intakes.release_leases(connection, "one") == 1
    (taken,) = take_in_waiting(one, now=NOW)
    assert (taken.state, taken.rows) == ("done", 30)


def test_a_node_that_was_thought_dead_stops_and_keeps_nothing(
    force: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was suspended between two batches for longer than its lease; the other has gone on."""
    one, two = force.two(batch_rows=10)
    for node in (one, two):
        drop(node, "notices-1.csv", *some(0, 40))
    original = FileReading._store
    seen: list[Any] = []

    def store(reading: FileReading, *arguments: Any) -> None:
        if reading._monitor is one and len(seen) < 2:
            seen.append("one")
            if len(seen) == 2:
                lapse(two)
                seen.extend(take_in_waiting(two, now=NOW))
        original(reading, *arguments)

    monkeypatch.setattr(FileReading, "_store", store)
    taken = take_in_file(
        one, one.feeds["occurrence"], drop(one, "notices-1.csv", *some(0, 40)), now=NOW
    )
    assert taken.state == ELSEWHERE
    assert seen[2].state == "done"
    assert account(one) == [("notices-1.csv", "done", 40, 120, 0)]
    assert counted(one, "count(*) FROM event") == 120


def test_a_file_that_is_undone_while_it_is_read_is_put_aside(
    force: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever undoes a wrong file does not want it again at the next turn."""
    one, two = force.two(batch_rows=10)
    drop(one, "notices-1.csv", *some(0, 40))
    original = FileReading._store

    def store(reading: FileReading, held: Any, *rest: Any) -> None:
        if counted(two, "count(*) FROM batch") == 2:
            undo_intake(two, held.id, actor="test", now=NOW)
        original(reading, held, *rest)

    monkeypatch.setattr(FileReading, "_store", store)
    (taken,) = take_in_waiting(one, now=NOW)
    assert (taken.state, taken.why) == ("set aside", "it was undone while it was read")
    assert take_in_waiting(one, now=NOW) == []
    assert counted(one, "count(*) FROM event WHERE undone = 0") == 0
    assert counted(one, "count(*) FROM clock WHERE superseded_at IS NULL") == 0
    assert len(list(one.settings.path("var/set-aside").iterdir())) == 1


def test_a_file_that_another_node_moved_is_no_error(
    force: Force, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Before it was looked at, or after it was taken in."""
    one = force.node(force.place("one"), "one")
    path = drop(one, "notices-1.csv", *some(0, 5))
    feed = one.feeds["occurrence"]
    assert take_in_file(one, feed, path.with_name("notices-2.csv"), now=NOW).state == GONE

    def moved_by_another(moved: Path, *_: Any) -> None:
        moved.unlink()
        raise FileChanged(moved, "it has vanished")

    monkeypatch.setattr(waiting_room, "move_to_done", moved_by_another)
    (taken,) = take_in_waiting(one, now=NOW)
    assert taken.state == "done"
    assert not [line for line in caplog.records if line.levelname in {"WARNING", "ERROR"}]


def test_a_file_by_hand_waits_for_the_node_that_reads_it(
    force: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`monitor ingest` beside a daemon of the same name; the file stays where it is."""
    one = force.node(force.place("one"), "one", batch_rows=10)
    path = drop(one, "notices-1.csv", *some(0, 30))
    with monkeypatch.context() as patch:
        killed_after(1, patch)
        with pytest.raises(Killed):
            take_in_waiting(one, now=NOW)
    feed = one.feeds["occurrence"]
    by_hand = take_in_file(one, feed, path, now=NOW, keep=True)
    assert (by_hand.state, by_hand.why) == (ELSEWHERE, "one reads it")
    assert path.exists()


def test_a_large_file_of_another_is_not_read_again_at_every_turn(
    force: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = force.two(batch_rows=10)
    drop(one, "notices-1.csv", *some(0, 30))
    path = drop(two, "notices-1.csv", *some(0, 30))
    with monkeypatch.context() as patch:
        killed_after(1, patch)
        with pytest.raises(Killed):
            take_in_waiting(one, now=NOW)
    read = [0]

    def file_digest(of: Path) -> bytes:
        read[0] += 1
        return digest(of)

    monkeypatch.setattr(waiting_room, "file_digest", file_digest)
    for _ in range(3):
        assert take_in_waiting(two, now=NOW) == []
    assert read[0] == 1
    path.write_text(path.read_text("utf-8") + some(90, 1)[0], "utf-8")
    (taken,) = take_in_waiting(two, now=NOW)
    assert (taken.state, taken.rows) == ("done", 31)


def test_two_retries_of_one_row_store_it_once(force: Force) -> None:
    one, two = force.two()
    bad = late().replace("PHYS ABUSE", "NO SUCH KIND")
    drop(one, "notices-1.csv", bad)
    take_in_waiting(one, now=NOW)
    assert counted(one, "count(*) FROM quarantine WHERE state = 'open'") == 1
    mended = {}
    for node in (one, two):
        feed = node.feeds["occurrence"]
        categories = feed.values["category"]
        values = {
            **feed.values,
            "category": {**categories, "NO SUCH KIND": categories["PHYS ABUSE"]},
        }
        corrected = feed.model_copy(update={"values": values})
        mended[node.node] = replace(node, feeds={"occurrence": corrected})
    done = both(
        lambda: retry_quarantine(mended["one"], now=NOW),
        lambda: retry_quarantine(mended["two"], now=NOW),
    )
    assert sum(mended for mended, _ in done) == 1
    assert [row[4] for row in account(one)] == [0]


# -- other rules than those in force ----------------------------------------------------------


def change_rules(place: Path, version: int = 2) -> None:
    """Another calendar, which needs nobody's approval: the rulebook is another."""
    file = place / CALENDAR
    text_ = file.read_text("utf-8")
    old = next(line for line in text_.splitlines() if line.startswith("version:"))
    file.write_text(text_.replace(old, f"version: {version}"), "utf-8")


def test_a_node_with_other_rules_stores_and_leaves_the_rest_to_others(force: Force) -> None:
    """Events in, cases dirty, no clock; no alert, no digest. Then a node that may does it all."""
    behind = force.node(force.place("one"), "one")
    newer = force.place("two")
    change_rules(newer)
    governing = force.node(newer, "two")
    drop(behind, "notices-1.csv", late())
    (taken,) = take_in_waiting(behind, now=NOW)
    assert (taken.state, taken.events_new) == ("done", 2)
    assert assess_dirty(behind, now=NOW) == 0
    assert counted(behind, "count(*) FROM clock") == 0
    assert counted(behind, "count(*) FROM case_ WHERE dirty <> assessed") == 1

    assert assess_dirty(governing, now=NOW) == 1
    due = counted(behind, "count(*) FROM clock WHERE next_action_at IS NOT NULL")
    assert due
    held = sweep(behind, now=NOW)
    assert (held.clocks, held.alerts) == (0, 0)
    assert "is not the one in force" in held.held_back
    assert keep_up(behind, now=NOW).digests == 0
    swept = sweep(governing, now=NOW)
    assert swept.alerts > 0
    assert swept.held_back == ""


def test_quarantine_and_undo_leave_the_folding_to_a_node_that_may(force: Force) -> None:
    behind = force.node(force.place("one"), "one")
    drop(behind, "notices-1.csv", late())
    take_in_waiting(behind, now=NOW)
    newer = force.place("two")
    change_rules(newer)
    governing = force.node(newer, "two")
    assess_dirty(governing, now=NOW)
    assert undo_intake(behind, 1, actor="test", now=NOW) == 1
    assert counted(behind, "count(*) FROM clock WHERE superseded_at IS NULL") > 0
    assert assess_dirty(governing, now=NOW) == 1
    assert counted(behind, "count(*) FROM clock WHERE superseded_at IS NULL") == 0


def told(node: Monitor) -> Monitor:
    """A node whose daemon has told of itself."""
    with writing(node.engine) as connection:
        nodes.tell_of_node(
            connection,
            node.node,
            rulebook=node.rulebook.digest,
            schema=node.schema,
            ahead=0,
            holds_back="",
        )
    return node


def active(node: Monitor) -> str:
    with reading(node.engine) as connection:
        return nodes.governing(connection).rulebook


def test_new_rules_come_into_force_with_the_node_that_starts_with_them(force: Force) -> None:
    first = force.node(force.place("one"), "one")
    assert first.behind == ""
    newer = force.place("two")
    change_rules(newer)
    second = force.node(newer, "two")
    assert active(first) == second.rulebook.digest != first.rulebook.digest
    assert second.behind == ""


def test_rules_that_were_in_force_before_come_back_only_on_purpose(force: Force) -> None:
    """A node that was not updated, or was started anew before it was, must not undo an update."""
    old, newer = force.place("one"), force.place("two")
    change_rules(newer)
    first = force.node(old, "one")
    second = told(force.node(newer, "two"))
    again = force.node(old, "one")
    assert active(first) == second.rulebook.digest
    assert again.rulebook.digest == second.rulebook.digest, "its mails are written by what governs"
    assert "is not the one in force" in again.behind
    settings = force.settings(old, "one")
    assert held_back(settings, system_now=lambda: _database_time(again)) == [again.behind]

    before, after = activate_files(settings, now=NOW, actor="role:operator")
    assert (before, after) == (second.rulebook.digest, first.rulebook.digest)
    assert active(first) == first.rulebook.digest
    assert force.node(old, "one").behind == ""
    assert sweep(first, now=NOW).held_back == ""
    assert "is not the one in force" in sweep(second, now=NOW).held_back
    asked = "SELECT kind, target, actor FROM action"
    with reading(first.engine) as connection:
        (action,) = connection.execute(text(asked))
    assert tuple(action) == ("activate rules", after, "role:operator")
    assert activate_files(settings, now=NOW, actor="test") == (after, after)
    assert counted(first, "count(*) FROM action") == 1


def test_a_node_that_is_alone_goes_back_by_itself(force: Force) -> None:
    """Whoever edits a calendar and takes it back, or tries alerts on and off, has one server."""
    place = force.place("one")
    before = told(force.node(place, "one")).rulebook.digest
    written = (place / CALENDAR).read_text("utf-8")
    change_rules(place)
    assert active(force.node(place, "one")) != before
    (place / CALENDAR).write_text(written, "utf-8")
    again = force.node(place, "one")
    assert (active(again), again.behind) == (before, "")


def test_a_node_out_of_service_is_forgotten_after_a_week(force: Force) -> None:
    one, _ = map(told, force.two())
    asked = update(node_table).where(node_table.c.name == "two")
    with writing(one.engine) as connection:
        nodes.forget_lost(connection)
        assert nodes.others_known(connection, "one")
        gone = database_now(connection) - nodes.FORGOTTEN_AFTER - SECOND
        connection.execute(asked.values(seen_at=gone))
        assert not nodes.others_known(connection, "one")
        nodes.forget_lost(connection)
        assert [row["name"] for row in nodes.list_nodes(connection)] == ["one"]


def test_older_files_are_older_though_later_versions_are_known(force: Force) -> None:
    """A node adds to its files every version that was accepted: together they were never active."""
    old, newer = force.place("one"), force.place("two")
    force.node(old, "one")
    rule = newer / "rules/notice-triaged-high.yaml"
    words = rule.read_text("utf-8").replace("version: 1\n", "version: 2\n", 1)
    rule.write_text(words.replace("from: 2026-01-01", f"from: {hours_ago(1):%Y-%m-%d}"), "utf-8")
    change_rules(newer)
    approve_all(newer / "rules", force.url)
    second = told(force.node(newer, "two"))
    again = force.node(old, "one")
    assert active(again) == second.rulebook.digest
    assert again.behind


def test_an_edit_that_nobody_approved_parts_no_nodes(force: Force) -> None:
    """Both run what was approved, so both decide; approved on one, it is in force for both."""
    one = told(force.node(force.place("one"), "one"))
    place = force.place("two")
    ladder = place / "rules/ladders/no-notice.yaml"
    text_ = ladder.read_text("utf-8").replace("at: 4h before due", "at: 3h before due")
    ladder.write_text(text_, "utf-8")
    two = told(force.node(place, "two"))
    assert (two.rulebook.digest, two.behind) == (one.rulebook.digest, "")
    assert [each.id for each in two.standings if each.state is State.EDITED] == ["no-notice"]

    settings = force.settings(place, "two")
    plan = plan_approval(settings, ["ladder/no-notice"])
    nobody = Account(frozenset(), name="test")
    done = approve(settings, plan, role="head of safeguarding", account=nobody, now=NOW)
    assert done == (one.rulebook.digest, active(two))
    assert look_around(one, system_now=lambda: _database_time(one)).not_deciding
    again = force.node(one.settings.root, "one", only_first=True)
    assert (again.rulebook.digest, again.behind) == (done.after, "")


def test_a_command_beside_the_daemon_puts_no_rules_in_force(force: Force) -> None:
    """Unless none are: half-written rules must not govern because somebody took in a file."""
    place = force.place("one")
    first = force.node(place, "one", only_first=True)
    assert active(first) == first.rulebook.digest
    change_rules(place)
    beside = force.node(place, "one", only_first=True)
    assert active(first) == first.rulebook.digest
    assert beside.behind
    settings = force.settings(place, "one")
    assert held_back(settings, system_now=lambda: _database_time(first)) == [], (
        "a reload takes them"
    )


def test_rules_are_put_in_force_only_when_nobody_decides(on_postgres: Force) -> None:
    """And nobody decides by them before that is committed: there is no instant in between."""
    one = on_postgres.node(on_postgres.place("one"), "one")
    newer = on_postgres.place("two")
    change_rules(newer)
    with ThreadPoolExecutor(1) as pool:
        with writing(one.engine) as deciding:
            assert not_deciding(one, deciding) == ""
            starting = pool.submit(on_postgres.node, newer, "two")
            until_it_waits(one.engine, starting)
            assert not starting.done()
            assert nodes.governing(deciding).rulebook == one.rulebook.digest
        second = starting.result(timeout=60)
        with writing(second.engine) as activating:
            nodes.change_what_governs(activating)
            swept = pool.submit(sweep, one, now=NOW)
            until_it_waits(one.engine, swept)
            assert not swept.done()
        assert swept.result(timeout=60).held_back


def test_every_case_is_folded_anew_though_the_node_dies_meanwhile(
    force: Force, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases get their cause part by part; whoever comes next goes on."""
    one = force.node(force.place("one"), "one")
    drop(one, "notices-1.csv", *some(0, 30))
    take_in_waiting(one, now=NOW)
    assert assess_dirty(one, now=NOW) == 0
    newer = force.place("two")
    change_rules(newer)
    two = force.node(newer, "two")
    with writing(two.engine) as connection:
        assert rulebooks.spread(connection, limit=7)
    assert counted(two, "count(*) FROM case_ WHERE dirty <> assessed") == 7
    folded = []

    def assess_cases(connection: Connection, ids: Any, *rest: Any, **named: Any) -> None:
        folded.extend(ids)
        assess(connection, ids, *rest, **named)

    monkeypatch.setattr(dirty_room, "assess_cases", assess_cases)
    assert assess_dirty(two, now=NOW) == len(folded) == len(set(folded)) == 30
    assert assess_dirty(two, now=NOW) == 0


def test_two_nodes_fold_what_is_dirty_side_by_side(force: Force) -> None:
    one, two = force.two()
    drop(one, "notices-1.csv", *some(0, 60))
    take_in_waiting(one, now=NOW)
    with writing(one.engine) as connection:
        cases.mark_dirty_after(connection, 0, limit=100)
    folded = both(
        lambda: assess_dirty(one, now=NOW, at_once=5), lambda: assess_dirty(two, now=NOW, at_once=5)
    )
    assert sum(folded) == 60, "none twice, none not at all"


def test_two_nodes_tell_of_a_silence_once(on_postgres: Force) -> None:
    """Both see at the same moment that a feed has fallen silent; each reader gets one mail."""
    one, two = on_postgres.two()
    drop(one, "notices-1.csv", *some(0, 3))
    take_in_waiting(one, now=NOW)
    later = NOW + 26 * HOUR
    first = both(lambda: keep_up(one, now=later), lambda: keep_up(two, now=later))
    assert min(kept.silences for kept in first) == 0, "one of them has told everybody"
    told = counted(one, "count(*) FROM silence_told")
    assert told > 0
    assert counted(one, "count(*) FROM feed_gap WHERE feed = 'occurrence'") == 1
    again = both(lambda: keep_up(one, now=later), lambda: keep_up(two, now=later))
    assert [kept.silences for kept in again] == [0, 0]
    assert counted(one, "count(*) FROM silence_told") == told


# -- an older program, a wrong time -----------------------------------------------------------


def _database_time(node: Monitor) -> Instant:
    with reading(node.engine) as connection:
        return database_now(connection)


def test_a_program_older_than_the_database_stores_and_does_not_decide(force: Force) -> None:
    one = force.node(force.place("one"), "one")
    store(one, "UPDATE alembic_version SET version_num = '9000'")
    drop(one, "notices-1.csv", late())
    (taken,) = take_in_waiting(one, now=NOW)
    assert (taken.state, taken.events_new) == ("done", 2)
    assert assess_dirty(one, now=NOW) == 0
    assert "is at 9000: install the newer version" in sweep(one, now=NOW).held_back

    again = force.node(force.place("again"), "one")
    assert again.schema == one.schema
    assert sweep(again, now=NOW).held_back
    settings = force.settings(force.folder / "one", "one")
    (why,) = held_back(settings, system_now=lambda: _database_time(one))
    assert "install the newer version" in why


@pytest.mark.parametrize("off", [-7 * SECOND, 7 * SECOND])
def test_a_node_whose_time_is_off_says_so(force: Force, off: int) -> None:
    one = force.node(force.place("one"), "one")
    right = look_around(one, system_now=lambda: _database_time(one))
    assert (right.not_claiming, right.holds_back) == ("", "")
    wrong = look_around(one, system_now=lambda: _database_time(one) + off)
    assert ("ahead of" if off > 0 else "behind") in wrong.not_claiming
    assert abs(wrong.ahead - off) < SECOND
    assert wrong.not_deciding == ""


def test_a_slow_answer_proves_nothing_about_the_time(force: Force) -> None:
    """Half of what the question took may be on either way: it is asked again, and then believed."""
    one = force.node(force.place("one"), "one")
    step = iter(range(100))

    def slow() -> Instant:
        return _database_time(one) + 12 * SECOND * (next(step) % 2)

    assert look_around(one, system_now=slow).not_claiming == ""
    asked = iter(range(100))

    def slow_once() -> Instant:
        at = next(asked)
        return _database_time(one) + (0 if at == 0 else 20 * SECOND)

    assert "ahead of" in look_around(one, system_now=slow_once).not_claiming


# -- the order of locks -----------------------------------------------------------------------


def test_a_clock_that_begins_to_wait_while_its_feed_is_heard_is_woken(on_postgres: Force) -> None:
    """The sweep read "silent" and has not committed; the feed waits with saying that it is not."""
    one = on_postgres.node(on_postgres.place("one"), "one")
    drop(one, "notices-1.csv", late())
    take_in_waiting(one, now=NOW)

    def hear() -> None:
        with writing(one.engine) as connection:
            intakes.heard(
                connection, "sending-log", now=NOW + 1, through=NOW + 1, trusted_until=None
            )
            clocks.wake_waiting_for(connection, "sending-log", now=NOW + 1)

    with ThreadPoolExecutor(1) as pool:
        with writing(one.engine) as sweeping:
            intakes.hold_feeds(sweeping)
            heard = pool.submit(hear)
            until_it_waits(one.engine, heard)
            waits = "UPDATE clock SET waits_for = 'sending-log', next_action_at = :later"
            later = {"later": hours_ago(-9)}
            sweeping.execute(text(waits + " WHERE next_action_at IS NOT NULL"), later)
        heard.result(timeout=60)
    assert counted(one, "count(*) FROM clock WHERE waits_for <> ''") == 0
    with reading(one.engine) as connection:
        assert clocks.next_action_at(connection) == NOW + 1


def test_nodes_that_do_everything_at_once_come_to_what_one_alone_would(on_postgres: Force) -> None:
    """Linked cases, files, sweeps and folds on two nodes: no fault, and the clocks of one fold."""
    one, two = on_postgres.two(batch_rows=7)
    linked = [row.rstrip("\n").split(",") for row in (late(n) for n in range(40))]
    at = COLUMNS.index("LINKED"), COLUMNS.index("LINKED_TO")
    when = linked[0][COLUMNS.index("FIRST_KNOWN")]
    for n, cells in enumerate(linked):
        cells[at[0]], cells[at[1]] = when, f"PPN-2027-{(n * 7 + 3) % 40:06}"
        if n % 3:
            cells[at[0]] = cells[at[1]] = ""
    rows = [",".join(cells) + "\n" for cells in linked]
    for n in range(4):
        drop(one, f"notices-{n}.csv", *rows[n::4])
        drop(two, f"notices-{n}x.csv", *reversed(rows[n::4]))

    def work(node: Monitor) -> None:
        for turn in range(4):
            take_in_waiting(node, now=NOW + turn)
            with writing(node.engine) as connection:
                cases.mark_dirty(connection, cases.dirty_case_ids(connection, limit=3))
            assess_dirty(node, now=NOW + turn, at_once=3)
            sweep(node, now=NOW + turn * HOUR)

    both(lambda: work(one), lambda: work(two), lambda: work(one), lambda: work(two))
    standing = "rule, child, organisation, started_at, due_at, stopped_at, case_id"
    asked = text(f"SELECT {standing} FROM clock WHERE superseded_at IS NULL ORDER BY case_id, rule")
    with reading(one.engine) as connection:
        before = connection.execute(asked).all()
    with writing(one.engine) as connection:
        cases.mark_dirty_after(connection, 0, limit=100)
    assess_dirty(one, now=NOW + 4)
    with reading(one.engine) as connection:
        assert connection.execute(asked).all() == before
    twice = "count(*) FROM (SELECT 1 FROM alert GROUP BY clock_id, episode, rung, repeat, recipient"
    assert counted(one, f"{twice} HAVING count(*) > 1) AS t") == 0
    assert counted(one, "count(*) FROM case_ WHERE dirty <> assessed") == 0


def test_a_feed_is_heard_though_the_process_died_between_two_of_its_files(force: Force) -> None:
    """The first was read while the second waited; the second turns out to be none that can be."""
    node = force.node(force.place("one"), "one")
    drop(node, "notices-1.csv", *some(0, 3))
    folder = node.settings.path(node.feeds["occurrence"].folder)
    (folder / "notices-2.csv").write_text("A;B\n1;2\n", "utf-8")
    take_in_file(node, node.feeds["occurrence"], folder / "notices-1.csv", now=NOW)
    with reading(node.engine) as connection:
        assert intakes.heard_through(connection, "occurrence") is None
    (taken,) = take_in_waiting(node, now=NOW + SECOND)
    assert taken.state == "set aside"
    with reading(node.engine) as connection:
        assert intakes.heard_through(connection, "occurrence") == NOW + SECOND
        assert intakes.read_and_not_heard(connection, "occurrence") == []


def test_a_feed_is_heard_though_nothing_of_it_waits_any_more(force: Force) -> None:
    """Its process died after the first file, and the second was taken away again."""
    node = force.node(force.place("one"), "one")
    drop(node, "notices-1.csv", *some(0, 3))
    folder = node.settings.path(node.feeds["occurrence"].folder)
    (folder / "notices-2.csv").write_text("A;B\n1;2\n", "utf-8")
    take_in_file(node, node.feeds["occurrence"], folder / "notices-1.csv", now=NOW)
    (folder / "notices-2.csv").unlink()
    with reading(node.engine) as connection:
        assert intakes.feeds_not_heard(connection) == {"occurrence"}
    assert take_in_waiting(node, now=NOW + SECOND) == []
    with reading(node.engine) as connection:
        assert intakes.heard_through(connection, "occurrence") == NOW + SECOND
        assert intakes.feeds_not_heard(connection) == set()


def test_an_intake_with_nothing_to_do_waits_for_nobody_who_writes(force: Force) -> None:
    """It turns every few seconds on every node: no lock is taken where nothing waits."""
    node = force.node(force.place("one"), "one")
    assess_dirty(node, now=NOW)
    asked: list[str] = []
    event.listen(node.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    assert take_in_waiting(node, now=NOW) == []
    assert assess_dirty(node, now=NOW) == 0
    assert not [each for each in asked if "IMMEDIATE" in each or "lock" in each.lower()]
    assert len([each for each in asked if each.startswith("SELECT")]) == len(("heard", "folded"))


def test_a_file_that_was_set_aside_stays_so_when_it_comes_again(force: Force) -> None:
    """Also where the process died before it had moved it: it is no file that was taken in."""
    node = force.node(force.place("one"), "one")
    feed = node.feeds["occurrence"]
    file = node.settings.path(feed.folder) / "notices-1.csv"
    for state in ("set aside", "known already"):
        file.write_text("A;B\n1;2\n", "utf-8")
        assert [taken.state for taken in take_in_waiting(node, now=NOW)] == [state]
        with reading(node.engine) as connection:
            assert intakes.heard_through(connection, "occurrence") is None
    assert list(node.settings.path(node.settings.paths.done).glob("*.csv")) == []
    assert len(list(node.settings.path("var/set-aside").glob("*.csv"))) == 1
