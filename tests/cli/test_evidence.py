"""The pack that an inspector is handed: whole, the same whenever it is made, and fit to be read."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from monitor.cycle.evidence.pack import SECTIONS, NotEmpty, PeriodNotOver, Wanted, make_pack
from monitor.model import DAY, HOUR, Instant
from monitor.settings import read_settings
from monitor.wiring import ready
from tests.approved import approve_installed
from tests.cli.commands import IN_TIME, LATE, WRONG_USE, extract, rows, typed
from tests.process.installed import KEPT_RULES, hours_ago, notice

ASKED: dict[str, Any] = {"cases": (LATE, "PPN-2027-009999"), "sample": 2, "seed": "a"}
"""A list of which one is known, and a sample of all there are."""
AT = re.compile(r"This pack was made at [^.]*")


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with two cases, on which packs are made and nothing is changed."""
    from monitor.installation import install  # noqa: PLC0415 - as the other fixtures do it

    folder = tmp_path_factory.mktemp("evidence") / "force"
    install(folder)
    for rule in (folder / "rules").glob("*.yaml"):
        if rule.name not in {*KEPT_RULES, "vocabulary.yaml"}:
            rule.unlink()
    approve_installed(folder)
    submitted = hours_ago(30)
    cases = (
        notice(LATE, submitted=submitted),
        notice(IN_TIME, submitted=submitted, triaged=submitted + timedelta(hours=1)),
    )
    file = extract(folder.parent, *cases)
    config = ("--config", folder / "config/monitor.toml")
    typed("ingest", file, "--feed", "occurrence", *config)
    return folder


def make(force: Path, out: Path, *, now: Instant, **wanted: Any) -> None:
    """Make a pack of the three days to an instant."""
    monitor = ready(
        read_settings(force / "config/monitor.toml"), now=now, actor="test", activate=False
    )
    until = wanted.pop("until")
    asked = Wanted(since=until - 3 * DAY, until=until, **wanted)
    make_pack(monitor, asked, out, now=now, actor="zebedee")
    monitor.engine.dispose()


@pytest.fixture(scope="module")
def until(force: Path) -> Instant:
    """The end of the period: after everything that was taken in."""
    assert force.exists()
    return time.time_ns() // 1000


@pytest.fixture(scope="module")
def pack(force: Path, until: Instant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack for inside the force."""
    out = tmp_path_factory.mktemp("pack") / "pack"
    make(force, out, now=until, until=until, **ASKED)
    return out


def files(folder: Path) -> dict[str, bytes]:
    """Every file by its name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# -- the same whenever it is made -------------------------------------------------------------


def test_the_same_records_give_the_same_bytes_at_any_later_time(
    force: Path, pack: Path, until: Instant, tmp_path: Path
) -> None:
    """But for the stated time, which stands in two places, and what is a digest of those."""
    make(force, tmp_path / "later", now=until + 400 * DAY, until=until, **ASKED)
    first, later = files(pack), files(tmp_path / "later")
    assert set(first) == set(later)
    differing = {name for name in first if first[name] != later[name]}
    assert differing == {"index.html", "run.json", "manifest.json", "SHA256SUMS"}
    one, other = (AT.sub("", each["index.html"].decode()) for each in (first, later))
    assert one == other
    said, said_later = (json.loads(each["run.json"]) for each in (first, later))
    assert said.pop("made_at") != said_later.pop("made_at")
    assert said == said_later


def test_what_the_manifest_says_of_each_file_is_so(pack: Path) -> None:
    manifest = json.loads((pack / "manifest.json").read_text())
    found = files(pack)
    listed = {each["name"]: (each["sha256"], each["bytes"]) for each in manifest["files"]}
    assert set(listed) == set(found) - {"manifest.json", "SHA256SUMS"}
    for name, (digest, size) in listed.items():
        assert (hashlib.sha256(found[name]).hexdigest(), len(found[name])) == (digest, size)
    lines = (pack / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    assert set(sums) == set(found) - {"SHA256SUMS"}
    assert all(hashlib.sha256(found[name]).hexdigest() == each for name, each in sums.items())


def test_every_table_is_in_csv_and_in_json_alike(pack: Path) -> None:
    tables = json.loads((pack / "figures.json").read_text())["tables"]
    in_csv = {path.stem for path in (pack / "csv").iterdir()}
    assert {each["name"] for each in tables if "/" not in each["name"]} == in_csv
    for each in tables:
        if "/" in each["name"]:
            continue
        text = (pack / "csv" / f"{each['name']}.csv").read_text(encoding="utf-8")
        header, *lines = csv.reader(io.StringIO(text, newline=""))
        assert header == [column["name"] for column in each["columns"]]
        assert len(lines) == len(each["rows"])


def test_a_folder_that_holds_something_is_refused(
    force: Path, until: Instant, tmp_path: Path
) -> None:
    (tmp_path / "there").write_text("x")
    with pytest.raises(NotEmpty):
        make(force, tmp_path, now=until, until=until)
    assert files(tmp_path) == {"there": b"x"}


def test_a_period_that_is_not_over_is_refused(force: Path, until: Instant, tmp_path: Path) -> None:
    """It would say something else tomorrow."""
    with pytest.raises(PeriodNotOver, match="has not ended"):
        make(force, tmp_path / "pack", now=until - 1, until=until)
    assert not (tmp_path / "pack").exists()


# -- the command ------------------------------------------------------------------------------


def test_the_command_says_what_it_wrote_and_it_is_one_disclosure(
    force: Path, tmp_path: Path, until: Instant
) -> None:
    config = ("--config", force / "config/monitor.toml")
    out, before = tmp_path / "pack", rows(force, "SELECT count(*) FROM audit")[0][0]
    day = f"{hours_ago(72):%Y-%m-%d}"
    end = datetime.fromtimestamp(until / 1e6, UTC).isoformat()
    listed = tmp_path / "list.txt"
    listed.write_text(f"# brought by the inspector\n{LATE}\n")
    words = ("evidence", "--from", day, "--to", end, "--out", out, "--cases", listed)
    said = typed(*words, "--sample", "2", "--seed", "a", *config).stdout
    digest = hashlib.sha256((out / "manifest.json").read_bytes()).hexdigest()
    assert f"manifest sha256 {digest}" in said
    asked = f"SELECT operation, subject, detail FROM audit ORDER BY id LIMIT -1 OFFSET {before}"
    ((operation, subject, detail),) = rows(force, asked)
    assert (operation, subject) == ("disclosure", "evidence pack")
    assert json.loads(detail)["manifest_sha256"] == digest
    again = typed("evidence", "--from", day, "--to", end, "--out", out, *config, expect=WRONG_USE)
    assert "is not empty" in again.stderr
    ahead = f"{hours_ago(-72):%Y-%m-%d}"
    ahead_of = ("evidence", "--from", day, "--out", tmp_path / "ahead", *config)
    assert "has not ended" in typed(*ahead_of, "--to", ahead, expect=WRONG_USE).stderr
    assert "--seed" in typed(*ahead_of, "--to", end, "--sample", "3", expect=WRONG_USE).stderr


# -- fit to be read ---------------------------------------------------------------------------


class Page(HTMLParser):
    """What an assistive technology finds in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def pages(pack: Path) -> list[Path]:
    return sorted(pack.rglob("*.html"))


def test_there_is_a_page_for_each_section_and_one_of_contents(pack: Path) -> None:
    named = [path.name for path in sorted(pack.glob("*.html"))]
    assert len(named) == len(SECTIONS) + 1
    assert [name[:2] for name in named[:-1]] == [f"{n:02}" for n in range(1, len(SECTIONS) + 1)]
    links = {each["href"] for each in read(pack / "index.html").all("a")}
    assert set(named[:-1]) <= links


def test_every_page_is_marked_and_can_be_heard_and_skipped_through(pack: Path) -> None:
    for path in pages(pack):
        page = read(path)
        assert page.all("html") == [{"lang": "en-GB"}], path.name
        assert page.text.count("OFFICIAL-SENSITIVE") >= 2, path.name
        assert len(page.all("h1")) == 1
        assert next(each for each in page.all("a"))["href"] == "#main"
        assert {"id": "main"} in page.all("main")
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert all(below - above <= 1 for above, below in pairwise(levels))
        assert len(page.all("caption")) == len(page.all("table"))
        assert all(each.get("scope") in {"col", "row"} for each in page.all("th"))
        assert all(each.get("alt") for each in page.all("img"))
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))


def test_no_page_asks_for_anything_from_elsewhere(pack: Path) -> None:
    """Nor runs anything; and every link within the pack leads somewhere."""
    for path in pages(pack):
        text, page = path.read_text(encoding="utf-8"), read(path)
        assert not {"script", "iframe", "link", "object", "form"} & {tag for tag, _ in page.tags}
        assert not re.search(r"https?://|url\(|@import|@font-face", text), path.name
        for attributes in (*page.all("a"), *page.all("img")):
            href = attributes.get("href") or attributes.get("src") or ""
            assert href.startswith("#") or (path.parent / href).resolve().is_file(), href


# -- what is in it ----------------------------------------------------------------------------


def table(pack: Path, name: str) -> list[dict[str, str]]:
    text = (pack / "csv" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_rules_are_there_with_who_says_so_and_who_approved_them(pack: Path) -> None:
    assert {each["rule"] for each in table(pack, "rules")} == {
        name.removesuffix(".yaml") for name in KEPT_RULES
    }
    (triaged,) = (each for each in table(pack, "rules") if each["rule"] == "notice-triaged-high")
    assert (triaged["limit"], triaged["figure_is_assumed"]) == ("4 hours", "true")
    assert {each["approved_by"] for each in table(pack, "rule-versions")} == {"test"}
    about = {each["about"] for each in table(pack, "definitions")}
    assert {"The duty", "What ends it", "Who says so"} <= about
    assert len(table(pack, "activations")) == 1
    assert table(pack, "rule-changes") == []


def test_what_was_taken_in_is_counted(pack: Path) -> None:
    (taken,) = table(pack, "taken-in")
    assert (taken["feed"], taken["files"], taken["rows_read"]) == ("occurrence", "1", "2")


def test_no_address_and_no_account_is_in_it(pack: Path) -> None:
    """What people did is there, and in which role, and not by whose account."""
    every = b"".join(files(pack).values()).decode("utf-8", "replace")
    assert "@" not in re.sub(r"@(page|media|top-center|bottom-\w+)|= \+ - or @", "", every)
    assert "zebedee" not in every


def test_a_named_case_and_a_drawn_one_have_a_page_of_their_own(pack: Path) -> None:
    titles = {read(path).text.count(LATE) > 0 for path in (pack / "cases").iterdir()}
    assert len(list((pack / "cases").iterdir())) == 3
    assert titles == {True, False}
    (known, unknown) = table(pack, "named-cases")
    assert (known["reference"], unknown["reference"]) == ASKED["cases"]
    assert unknown[next(iter(set(unknown) - {"reference", "duties"}))].startswith("never received")


# -- with something in every register ---------------------------------------------------------


@pytest.fixture(scope="module")
def busy(force: Path, until: Instant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the force in which people were told and acted, and a decision waits for review."""
    folder = Path(shutil.copytree(force, tmp_path_factory.mktemp("busy") / "force"))
    with sqlite3.connect(folder / "var/monitor.db") as database:
        (clock_id, due_at) = database.execute(
            "SELECT clock.id, due_at FROM clock JOIN case_ ON case_.id = case_id"
            f" WHERE rule = 'notice-triaged-high' AND reference = '{LATE}'"
        ).fetchone()
        database.execute(
            "INSERT INTO alert (clock_id, episode, rung, repeat, recipient, kind, role, asked_role,"
            " reason, rung_at, decided_at, state, line) VALUES (?, 1, 'rung 2', 0,"
            " 'inspector@eastshire.police.example', 'overdue', 'duty_inspector', 'holder',"
            " 'overdue', ?, ?, 'pending', 1)",
            (clock_id, due_at, due_at),
        )
        kinds = (
            ("take", f"clock {clock_id}", "mail:duty_inspector", "duty_inspector", "by_reply"),
            ("clear address", "inspector@eastshire.police.example", "pat", "", ""),
            ("hold", "mail", "pat", "", ""),
            ("silence", f"case {LATE}", "pat", "east duty_inspector", "duplicate"),
            ("end", "action 1004", "pat", "", ""),
        )
        for number, (kind, target, actor, role, reason) in enumerate(kinds, start=1001):
            database.execute(
                "INSERT INTO action (number, kind, target, actor, on_behalf_of, reason_code,"
                " from_at, detail) VALUES (?, ?, ?, ?, ?, ?, ?, '')",
                (number, kind, target, actor, role, reason, due_at + (number - 1000) * HOUR),
            )
        database.execute(
            "INSERT INTO event (case_id, batch_id, line, feed, identity, revision, content, kind,"
            " occurred_from, occurred_to, received_at, partner, decision, reason_code, review_at)"
            " SELECT case_id, batch_id, 9, feed, x'01', 1, x'01', 'share_decided', ?, ?,"
            " received_at, 'council', 'withheld', 'more_detrimental', ?"
            " FROM event WHERE kind = 'contact' LIMIT 1",
            (due_at, due_at, due_at + HOUR),
        )
    database.close()
    return folder


@pytest.fixture(scope="module")
def busy_pack(busy: Path, until: Instant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("busy-pack") / "pack"
    make(busy, out, now=until, until=until)
    return out


def test_an_alert_says_to_which_role_who_took_it_on_and_what_followed(busy_pack: Path) -> None:
    (told,) = table(busy_pack, "alerts")
    assert (told["reference"], told["kind"]) == (LATE, "overdue")
    assert told["role"].lower() == told["taken_by"].lower() == "duty inspector"
    assert told["followed"] == "still open and overdue"
    assert told["delivery"] == "not sent in the period"
    (counted,) = table(busy_pack, "alerts-by-role")
    assert (counted["alerts"], counted["sent"], counted["taken"]) == ("1", "0", "1")


def test_a_decision_whose_review_is_past_is_overdue(busy_pack: Path) -> None:
    (withheld,) = table(busy_pack, "decisions")
    assert (withheld["decision"], withheld["review"]) == ("withheld", "overdue: not reviewed")
    assert "more detrimental to the child" in withheld["reason"]
    page = next(busy_pack.glob("*-decisions.html")).read_text()
    assert "decision was on record by then: 1 of 1." in re.sub(r"\s+", " ", page)


def test_acts_are_told_with_role_and_reason_and_without_account_or_address(
    busy_pack: Path,
) -> None:
    acts = {each["number"]: each for each in table(busy_pack, "manual-actions")}
    assert acts["1001"]["about"] == f"{LATE}, rule notice-triaged-high"
    assert acts["1001"]["reason"] == "by reply to an alert"
    assert acts["1002"]["about"] == ""
    assert acts["1002"]["role"] == "an account of this force"
    assert acts["1004"]["ended_at"] != ""
    every = b"".join(files(busy_pack).values()).decode("utf-8", "replace")
    assert "eastshire.police.example" not in every
    assert "pat" not in re.findall(r"\w+", every)


def test_a_restricted_case_is_nowhere(busy: Path, until: Instant, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(busy, tmp_path / "force"))
    with sqlite3.connect(folder / "var/monitor.db") as database:
        database.execute(
            "UPDATE clock SET restricted = 1 WHERE case_id ="
            f" (SELECT id FROM case_ WHERE reference = '{LATE}')"
        )
    database.close()
    make(folder, tmp_path / "pack", now=until, until=until)
    every = b"".join(files(tmp_path / "pack").values()).decode("utf-8", "replace")
    assert LATE not in every
    assert table(tmp_path / "pack", "alerts") == []


def test_outside_the_force_no_case_is_named_and_what_was_left_out_is_said(
    busy: Path, until: Instant, tmp_path: Path
) -> None:
    make(busy, tmp_path / "pack", now=until, until=until, outside=True)
    every = b"".join(files(tmp_path / "pack").values()).decode("utf-8", "replace")
    assert LATE not in every
    assert IN_TIME not in every
    named = {path.stem for path in (tmp_path / "pack/csv").iterdir()}
    assert "rules" in named
    assert not {"alerts", "decisions", "manual-actions", "alerts-by-role"} & named
    page = next((tmp_path / "pack").glob("*-alerts.html")).read_text()
    assert "Every alert: left out, since its rows name cases." in page
    assert "Alerts by role and kind: left out whole, since a number in it is under ten." in page
    assert "longest_h" not in every
    assert not list((tmp_path / "pack").glob("pictures/lengths-*"))
