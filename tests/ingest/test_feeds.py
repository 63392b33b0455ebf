from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.faults import FaultsFound
from monitor.ingest.feeds import Feed, read_feeds
from monitor.model import HOUR, MINUTE
from tests.ingest.sources import LOG, WIDE, feed_of

SAMPLES = Path(__file__).parents[2] / "config" / "feeds"
KINDS = frozenset(
    {
        "contact",
        "notice_submitted",
        "supervised",
        "triaged",
        "share_decision",
        "partner_notified",
        "partner_acknowledged",
        "notification_bounced",
        "notification_confirmed",
        "notice_withdrawn",
        "no_notice_needed",
        "regraded",
        "police_protection_started",
        "police_protection_ended",
        "missing_reported",
        "missing_found",
        "organisation_responsible",
        "reference_linked",
        "review_held",
        "custody_arrived",
        "bail_refused",
        "child_died",
        "return_interview_offered",
        "accommodation_requested",
        "transfer_accepted",
    }
)
ATTRIBUTES = frozenset(
    {
        *("method", "message_id", "child_flag"),
        *("voice_of_child", "school_recorded", "gp_recorded"),
    }
)
GOOD = r"""
title = "A sending log"
folder = "drop"
mode = "append"
timezone = "Europe/London"
bare_date = "midnight"
reference_pattern = 'PPN-\d{4}-\d{6}'
identity = ["ID"]

[columns]
reference = "REF"

[[events]]
kind = "partner_notified"
time = "SENT"
"""


def read(folder: Path, **known_values: frozenset[str]) -> dict[str, Feed]:
    """Read a folder under the vocabulary of these tests."""
    return read_feeds(
        folder, known_kinds=KINDS, known_attributes=ATTRIBUTES, known_values=known_values
    )


def faults_in(folder: Path, text: str, **known_values: frozenset[str]) -> list[str]:
    """What is said about one file, each fault without its folder."""
    (folder / "log.toml").write_text(text)
    with pytest.raises(FaultsFound) as found:
        read(folder, **known_values)
    return [str(fault).removeprefix(f"{folder}/") for fault in found.value.faults]


def test_the_sample_feeds_are_read_and_use_every_kind() -> None:
    feeds = read(SAMPLES)
    used = {source.kind for feed in feeds.values() for source in feed.events}
    used |= {word for feed in feeds.values() for word in feed.values.get("kind", {}).values()}
    assert sorted(feeds) == ["command-control", "occurrence", "sending-log"]
    assert used - {""} == KINDS


def test_a_feed_is_named_by_its_file_and_has_plain_defaults(tmp_path: Path) -> None:
    (tmp_path / "log.toml").write_text(GOOD)
    feed = read(tmp_path)["log"]
    assert feed.name == "log"
    assert feed.patterns == ("*.csv", "*.csv.gz")
    assert feed.encoding == "utf-8-sig"
    assert feed.tolerance == feed.future_tolerance == 5 * MINUTE
    assert feed.declared_columns == ("REF", "ID", "SENT")


def test_json_lines_are_looked_for_under_their_own_names() -> None:
    assert feed_of(LOG, format="jsonl").patterns == ("*.jsonl", "*.jsonl.gz")


def test_all_faults_of_all_files_are_found_at_once(tmp_path: Path) -> None:
    """One unreadable file hides nothing about the others."""
    (tmp_path / "a.toml").write_text("title = = 1\n")
    (tmp_path / "b.toml").write_text(GOOD.replace('"Europe/London"', '"Mars/Base"'))
    (tmp_path / "c.toml").write_text(GOOD.replace('"partner_notified"', '"partner_nodded"'))
    with pytest.raises(FaultsFound) as found:
        read(tmp_path)
    places = [(Path(fault.file).name, fault.line, fault.field) for fault in found.value.faults]
    assert places == [("a.toml", 1, ""), ("b.toml", 5, "timezone"), ("c.toml", 14, "events.0.kind")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('bare_date = "midnight"', "", "bare_date: this field is missing"),
        ("folder =", "foldr =", "foldr: no such field is known here"),
        ('"append"', '"upsert"', "expected one of 'append' or 'snapshot'"),
        ("'PPN-\\d{4}-\\d{6}'", '"PPN-("', "this is not a regular expression"),
        ('["ID"]', '["ID"]\ntolerance = 5', "give the unit as well"),
        ('["ID"]', '["ID"]\nlag = "soon"', "expected a duration such as '5 min'"),
        ('["ID"]', '["ID"]\ntimes = ["%H:%M"]', "expected 'iso' or a form with day, month"),
        ('["ID"]', '["ID"]\nencoding = "rot13"', "expected the name of a text encoding"),
        ('["ID"]', '["ID"]\nretracts = ["A", "B"]', "as many columns as `identity` lists"),
        ('reference = "REF"', 'category = "CAT"', "no column holds the case's reference"),
        ('reference = "REF"', 'reference = "REF"\nrisc = "R"', "log.toml:12:1: columns.risc"),
        ('time = "SENT"', 'time = "S"\nkind_column = "K"', "either `kind` or `kind_column`"),
        ('kind = "partner_notified"', 'kind_column = "K"', "a kind column needs [values.kind]"),
        ('time = "SENT"', 'time = "S"\n[constants]\nlinks = "X"', "constants.links: expected one"),
        ('time = "SENT"', 'time = "S"\n[values.risk]\nH = "high"', "no column fills this field"),
        ('time = "SENT"', 'time = "S"\n[codes]\nunit = "U"', "codes.unit: no column fills this"),
        ('time = "SENT"', 'time = "S"\n[codes]\nidentity = "U("', "not a regular expression"),
        ('time = "SENT"', 'time = "S"\n[heartbeat]\nevery = "0 s"', "greater than 0"),
        ('time = "SENT"', 'time = "S"\n[heartbeat]\nevery = "1 h"\nfrom = "25:00"', "time of day"),
        (
            'time = "SENT"',
            'time = "S"\n[heartbeat]\nevery = "1 h"\ncalendar = "mash"\nfrom = "07:00"',
            "heartbeat.from: the calendar says on which days",
        ),
        ('time = "SENT"', 'time = "S"\n[silence]\ntell = []', "silence.tell: "),
        (
            'time = "SENT"',
            'time = "S"\n[silence]\ntell = [{ role = "operator", after = "soon" }]',
            "expected a duration such as '5 min'",
        ),
        ('["ID"]', '["ID"]\nfile_time = "log-%Y%m%d"', "a form with day, hour and minute"),
        ('["ID"]', '["ID"]\nfile_time = "log-%Y.%m.%dT%H%M"', "a form with day, hour and minute"),
        ('"append"', '"snapshot"\nname = "logs"', "expected 'log', the name of the file"),
    ],
)
def test_a_fault_says_where_it_is_and_how_to_mend_it(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    assert before in GOOD
    faults = faults_in(tmp_path, GOOD.replace(before, after))
    assert any(said in fault for fault in faults), faults
    assert all(fault.startswith("log.toml") for fault in faults)


def test_a_snapshot_needs_names_for_its_events(tmp_path: Path) -> None:
    text = GOOD.replace('"append"', '"snapshot"').replace('["ID"]', '"content"')
    assert "a snapshot needs columns that name its events" in faults_in(tmp_path, text)[0]


def test_two_facts_of_one_kind_need_names(tmp_path: Path) -> None:
    text = GOOD + '[[events]]\nkind = "partner_notified"\ntime = "SENT_2"\n'
    faults = faults_in(tmp_path, text)
    assert ["a name that no other event here has" in fault for fault in faults] == [True, True]


def test_words_are_checked_where_the_vocabulary_lists_them(tmp_path: Path) -> None:
    partners = frozenset({"council", "health"})
    constant = GOOD + 'constants = { partner = "counsel" }\n'
    assert "'counsel' is no partner" in faults_in(tmp_path, constant, partner=partners)[0]
    mapped = GOOD.replace("[[ev", 'partner = "P"\n[values.partner]\nLA = "counsel"\n[[ev')
    assert "log.toml:15:1: values.partner.LA" in faults_in(tmp_path, mapped, partner=partners)[0]
    unmapped = GOOD.replace("[[ev", 'partner = "P"\n[[ev')
    assert "must be mapped to words" in faults_in(tmp_path, unmapped, partner=partners)[0]


def test_two_feeds_cannot_take_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "log.toml").write_text(GOOD)
    (tmp_path / "other.toml").write_text(GOOD)
    with pytest.raises(FaultsFound, match="the feed 'log' takes"):
        read(tmp_path)


def test_heartbeat_hours_are_minutes_of_the_day() -> None:
    heartbeat = feed_of(LOG, heartbeat={"every": "2 h", "from": "07:30", "to": "24:00"}).heartbeat
    assert heartbeat is not None
    assert (heartbeat.every, heartbeat.from_, heartbeat.to) == (2 * HOUR, 450, 1440)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"title": "Another title"}, True),
        ({"folder": "elsewhere"}, True),
        ({"lag": "1 h"}, True),
        ({"heartbeat": {"every": "1 h"}}, True),
        ({"silence": {"tell": [{"role": "duty_inspector"}]}}, True),
        ({"file_time": "log-%Y%m%dT%H%M"}, True),
        ({"timezone": "Europe/Rome"}, False),
        ({"bare_date": "midnight"}, False),
        ({"columns": {"reference": "REF"}}, False),
    ],
)
def test_the_mapping_digest_covers_what_decides_how_rows_read(
    change: dict[str, Any], *, same: bool
) -> None:
    assert (feed_of(LOG, **change).mapping_digest == feed_of(LOG).mapping_digest) is same


def test_declared_columns_are_every_column_that_is_read() -> None:
    assert set(feed_of(WIDE).declared_columns) == {
        *("REF", "CHILD", "CAT", "VERSION"),
        *("KNOWN", "SUBMITTED", "CLOSED", "STATUS"),
    }
