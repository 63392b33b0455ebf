"""The demonstration: what a newcomer sees in half a minute, and what it leaves behind."""

from __future__ import annotations

import errno
import random
import re
import signal
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from monitor import demo
from monitor.daemon import only_daemon
from monitor.demo import EXAMPLE, MARKER, WIDTH, _Notice, _Story, run_demo, written
from monitor.ingest.feeds import Feed
from monitor.installation import AlreadyThere, install
from monitor.model import HOUR, MINUTE, Instant
from monitor.settings import read_settings
from monitor.wiring import ready
from tests.process.installed import CHECKOUT, eventually

BEGAN: Instant = 1_800_000_000_000_000
MAIL = re.compile(r"^(\d\d:\d\d)  (\S+) +(.+)$", re.MULTILINE)


# -- its folder -------------------------------------------------------------------------------


def test_a_folder_that_holds_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert run_demo(tmp_path, seconds=0) == 2
    assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_where_another_one_runs_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / MARKER).touch()
    with only_daemon(tmp_path / "var", demo.NODE):
        assert run_demo(tmp_path, seconds=0) == 2
    assert "in use by another demonstration" in capsys.readouterr().err
    assert (tmp_path / MARKER).exists()


def test_what_somebody_wrote_in_it_is_kept_aside_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule that was edited, and a copy to practise on; what a run fills by itself is not work."""
    folder = tmp_path / "demo"
    demo._made_anew(folder)
    demo._remember_what_was_made(folder)
    for name in ("drop/occurrence/notices-mine.csv", "var/done/notices-mine.csv", EXAMPLE):
        (folder / name).write_text("PPN-2027-004299")
    demo._made_anew(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    demo._remember_what_was_made(folder)
    rule = folder / "rules/significant-harm-council.yaml"
    rule.write_text(rule.read_text().replace("threshold: 4h", "threshold: 6h"))
    (folder / "rules-tried").mkdir()
    (folder / "rules-tried/mine.yaml").write_text("mine")
    capsys.readouterr()
    demo._made_anew(folder)
    (said,) = capsys.readouterr().out.splitlines()
    (kept,) = tmp_path.glob("demo-kept-*")
    assert said.startswith("rules/significant-harm-council.yaml and 1 more")
    assert str(kept) in said
    assert "6h" in (kept / "rules/significant-harm-council.yaml").read_text()
    assert (kept / "rules-tried/mine.yaml").read_text() == "mine"
    assert "4h" in rule.read_text()
    assert not (folder / "rules-tried").exists()


def test_work_that_cannot_be_kept_aside_is_left_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / MARKER).touch()
    (tmp_path / "mine.yaml").write_text("mine")

    def refused(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "rename", refused)
    assert run_demo(tmp_path, seconds=0) == 2
    said = capsys.readouterr().err
    assert "mine.yaml) that cannot be kept aside: Device or resource busy" in said
    assert (tmp_path / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "no"), AlreadyThere("not empty")])
def test_a_folder_of_another_account_is_left_alone(
    error: Exception,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It can be neither emptied nor made."""

    def refused(_folder: Path) -> None:
        raise error

    monkeypatch.setattr(demo, "install", refused)
    assert run_demo(tmp_path / "demo", seconds=0) == 2
    assert "is not this account's to write; choose another" in capsys.readouterr().err


# -- its story --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Feed]:
    """The feeds that are shipped: the demonstration writes for them."""
    folder = tmp_path_factory.mktemp("made") / "force"
    install(folder)
    settings = read_settings(folder / "config" / "monitor.toml")
    made = ready(settings, now=BEGAN, actor="test", activate=True)
    made.engine.dispose()
    return dict(made.feeds)


def test_the_story_writes_only_columns_that_the_feeds_declare(feeds: dict[str, Feed]) -> None:
    """Otherwise half of it would be dropped while it is read."""
    story = _Story(BEGAN)
    told = list(story.until(BEGAN + 6 * HOUR))
    assert {feed for feed, _ in told} == set(feeds)
    for feed, rows in told:
        for row in rows:
            assert set(row) <= set(feeds[feed].declared_columns)


def test_nothing_is_exported_before_it_happened() -> None:
    story = _Story(BEGAN)
    early = {row.get("PPN_NO") for _, rows in story.until(BEGAN) for row in rows}
    assert "PPN-2027-004213" not in early
    later = {row.get("PPN_NO") for _, rows in story.until(BEGAN + HOUR) for row in rows}
    assert "PPN-2027-004213" in later
    assert not early & later - {None}


def test_a_source_without_news_says_that_it_is_alive() -> None:
    story = _Story(BEGAN)
    list(story.until(BEGAN + 6 * HOUR))
    assert list(story.until(BEGAN + 6 * HOUR)) == []
    alive = dict(story.until(BEGAN + 6 * HOUR + 10 * MINUTE))
    assert set(alive) == {"occurrence", "sending-log", "command-control"}
    assert not any(alive.values())


def test_the_example_is_a_file_of_the_feed(feeds: dict[str, Feed]) -> None:
    notice = _Notice("PPN-2027-004299", BEGAN, "PHYS ABUSE", "H", random.Random(1))
    heading, line = written(feeds["occurrence"], [notice.row(known_at=BEGAN + HOUR)]).splitlines()
    assert heading.split(",") == list(feeds["occurrence"].declared_columns)
    assert "PPN-2027-004299" in line


# -- the whole of it --------------------------------------------------------------------------


@pytest.mark.slow
def test_half_a_minute_shows_a_warning_an_alert_a_second_rung_and_a_withdrawal(
    tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    """Then time is real, an own file can be dropped in, and Ctrl-C ends it cleanly."""
    folder = tmp_path / "demo"
    out = tmp_path / "out.txt"
    with out.open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "demo", "--folder", "demo", "--seconds", "100"],
            cwd=tmp_path,
            env=bare_environment | {"PYTHONPATH": str(CHECKOUT)},
            stdout=printed,
            stderr=printed,
        )
    try:
        eventually(lambda: "From here on time is real" in out.read_text(), seconds=80)
        fast = out.read_text()
        (folder / EXAMPLE).rename(folder / "drop/occurrence/notices-mine.csv")
        eventually(lambda: len(MAIL.findall(out.read_text())) > len(MAIL.findall(fast)))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()

    mails = MAIL.findall(fast)
    about = [(to, subject) for _, to, subject in mails if "PPN-2027-004207" in subject]
    kinds = [(to, subject.split()[0]) for to, subject in about]
    assert "Due" in [kind for _, kind in kinds]
    overdue = [to for to, kind in kinds if kind == "Overdue"]
    withdrawn = [to for to, kind in kinds if kind == "Alert"]
    assert len(set(overdue)) >= 2, "the second rung is somebody else"
    assert withdrawn
    assert set(withdrawn) <= {to for _, to, _ in mails}
    text = out.read_text()
    # What holds a path is as long as the place where it was installed.
    said = [line for line in text.splitlines() if "/" not in line]
    assert max(map(len, said)) <= WIDTH
    assert "Traceback" not in text
    assert "Ended. " in text
    _assert_inbox(folder / "inbox", count=len(MAIL.findall(text)))


def _assert_inbox(inbox: Path, *, count: int) -> None:
    """Each line is a mail that can be opened, in a mail program and in a browser."""
    mails = sorted(inbox.glob("*.eml"))
    assert "PPN-2027-004299" in mails[-1].with_suffix(".html").read_text(encoding="utf-8")
    assert len(mails) == count
    assert [mail.with_suffix(".html") for mail in mails] == sorted(inbox.glob("*.html"))
    for mail in mails:
        parsed = message_from_bytes(mail.read_bytes(), policy=policy.default)
        assert str(parsed["Subject"]).startswith("OFFICIAL-SENSITIVE | ")
