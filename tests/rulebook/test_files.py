"""A folder of rules, read whole: every fault at once, each with its place and its mend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.faults import Fault, FaultsFound
from monitor.rulebook.book import Documents
from monitor.rulebook.files import read_documents

VOCABULARY = """\
kinds: { contact: "contact", partner_notified: "partner told" }
partners: { council: "the council" }
categories: { neglect: "neglect" }
risks: { standard: "standard", high: "high" }
decisions: { withheld: "withheld" }
stages:
  - { kind: contact, title: "contact", waiting_for: "a notice", holder: sergeant }
attributes: { method: "how it was told" }
"""
RULE = """\
id: council
title: "Council told"
version: 1
effective: { from: 2026-01-01 }
authority: { class: local assumption, citation: "none found", review_due: 2027-10-31 }
alerts: on
partner: council
start:
  - { kind: contact }
stop:
  - { kind: partner_notified, partner: council }
threshold: 4h
calendar: clock-hours
ladder: urgent
"""
CONFIRM = "confirm: { where: { method: verbal }, by: [{ kind: contact }], within: 4h }\n"
LADDER = """\
id: urgent
title: "Urgent"
version: 1
rungs:
  - { at: 1h before due, tell: holder }
  - { at: when due, tell: holder }
"""
CALENDAR = """\
id: clock-hours
title: "Clock hours"
version: 1
zone: Europe/London
always_open: true
"""
OFFICE = """\
id: office
title: "Office hours"
version: 1
zone: Europe/London
holidays: england
weekly: { mon: ["09:00-17:00"] }
"""
HOLIDAYS = """\
nation: England
source: by hand
source_version: "1"
covers_from: 2027-01-01
covers_to: 2027-12-31
days: { 2027-03-26: Good Friday }
"""
WHOLE = {
    "vocabulary.yaml": VOCABULARY,
    "council.yaml": RULE,
    "ladders/urgent.yaml": LADDER,
    "calendars/clock-hours.yaml": CALENDAR,
    "calendars/office.yaml": OFFICE,
    "holidays/england.yaml": HOLIDAYS,
}

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """Writes the whole folder, with some files otherwise (None: not at all)."""

    def write(changed: dict[str, str | None] | None = None) -> Path:
        for name, text in {**WHOLE, **(changed or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            if text is not None:
                path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


def faults(path: Path) -> list[Fault]:
    with pytest.raises(FaultsFound) as found:
        read_documents(path)
    return list(found.value.faults)


def only(path: Path) -> Fault:
    (fault,) = faults(path)
    return fault


def place(fault: Fault) -> tuple[str, int | None, int | None, str]:
    return Path(fault.file).name, fault.line, fault.column, fault.field


def test_a_whole_folder_is_read(folder: Write) -> None:
    documents = read_documents(folder())
    assert isinstance(documents, Documents)
    assert [rule.id for rule in documents.rules] == ["council"]
    assert [calendar.id for calendar in documents.calendars] == ["clock-hours", "office"]
    assert set(documents.holidays) == {"england"}


def test_every_fault_of_every_file_is_listed_at_once(folder: Write) -> None:
    """Three files, four faults, one reading."""
    found = faults(
        folder(
            {
                "council.yaml": RULE.replace("4h", "4 moons").replace("title:", "titel:"),
                "ladders/urgent.yaml": LADDER.replace("when due", "by and by"),
                "calendars/office.yaml": OFFICE.replace("09:00-17:00", "nine to five"),
            }
        )
    )
    assert {(Path(fault.file).name, fault.line) for fault in found} >= {
        ("council.yaml", 2),
        ("council.yaml", 12),
        ("urgent.yaml", 6),
        ("office.yaml", 6),
    }


@pytest.mark.parametrize(
    ("old", "new", "expected_place", "words"),
    [
        ("threshold: 4h", "threshold: 4 moons", (12, 12, "threshold"), "is not a limit"),
        ("threshold: 4h", "threshold: 6", (12, 12, "threshold"), "as in 4h, 45 min, 20s"),
        ("threshold: 4h", "threshold:", (13, 1, "threshold"), "as in 4h, 45 min, 20s"),
        ("version: 1", "version: 0", (3, 10, "version"), "greater than"),
        ("alerts: on", "alerts: loud", (6, 9, "alerts"), "'off', 'digest' or 'on'"),
        ("from: 2026-01-01", "from: soon", (4, 20, "effective.from"), "valid date"),
        ("local assumption", "hearsay", (5, 21, "authority.class"), "'statute'"),
        ("id: council", "id: The Council", (1, 5, "id"), "match pattern"),
        ("ladder: urgent\n", "", (1, 1, ""), "needs a ladder"),
        (
            "{ kind: contact }",
            "{ kind: contact, risk: { a: b } }",
            (9, 5, "start.0"),
            "takes a word",
        ),
        ("calendar: clock-hours", "calender: clock-hours", (13, 11, "calender"), "no such field"),
        ("threshold: 4h\n", "", (1, 1, "threshold"), "missing"),
    ],
)
def test_a_fault_within_a_file(
    folder: Write, old: str, new: str, expected_place: tuple[int, int, str], words: str
) -> None:
    """File, line, column, field, and what should stand there."""
    found = faults(folder({"council.yaml": RULE.replace(old, new)}))
    fault = found[0]
    assert (fault.line, fault.column, fault.field) == expected_place
    assert words in str(fault)


@pytest.mark.parametrize(
    ("old", "new", "expected_place", "said"),
    [
        (
            "calendar: clock-hours",
            "calendar: clock",
            (13, 11, "calendar"),
            ("'clock'", "expected one of: clock-hours, office"),
        ),
        (
            "ladder: urgent",
            "ladder: steep",
            (14, 9, "ladder"),
            ("'steep'", "expected one of: urgent"),
        ),
        (
            "partner: council\n",
            "partner: church\n",
            (7, 10, "partner"),
            ("'church'", "expected one of: council"),
        ),
        (
            "{ kind: contact }",
            "{ kind: contcat }",
            (9, 13, "start.0.kind"),
            ("'contcat'", "expected one of: contact, partner_notified"),
        ),
        (
            "{ kind: contact }",
            "{ kind: contact, risk: [high, dire] }",
            (9, 28, "start.0.risk"),
            ("'dire'", "expected one of: high, standard"),
        ),
        (
            "{ kind: contact }",
            "{ kind: contact, colour: red }",
            (9, 30, "start.0.colour"),
            ("'colour'", "method"),
        ),
        (
            "threshold: 4h",
            "applies: { category: arson }\nthreshold: 4h",
            (12, 22, "applies.category"),
            ("'arson'", "expected one of: neglect"),
        ),
        (
            "threshold: 4h",
            "exempt: [{ kind: contact, decision: maybe }]\nthreshold: 4h",
            (12, 37, "exempt.0.decision"),
            ("'maybe'", "expected one of: withheld"),
        ),
        (
            "threshold: 4h",
            "defer: { when: [{ kind: later }], at_most: 7 calendar days }\nthreshold: 4h",
            (12, 25, "defer.when.0.kind"),
            ("'later'", "contact"),
        ),
        (
            "threshold: 4h",
            CONFIRM.replace("kind: contact", "kind: nod") + "threshold: 4h",
            (12, 52, "confirm.by.0.kind"),
            ("'nod'", "contact"),
        ),
        (
            "threshold: 4h",
            CONFIRM.replace("method", "metod") + "threshold: 4h",
            (12, 28, "confirm.where.metod"),
            ("'metod'", "method"),
        ),
    ],
)
def test_a_word_that_no_other_file_knows(
    folder: Write,
    old: str,
    new: str,
    expected_place: tuple[int, int, str],
    said: tuple[str, str],
) -> None:
    """The fault lists what could stand there instead."""
    fault = only(folder({"council.yaml": RULE.replace(old, new)}))
    assert (fault.line, fault.column, fault.field) == expected_place
    assert fault.found == said[0]
    assert said[1] in fault.expected


def test_not_said_is_a_word_of_every_attribute(folder: Write) -> None:
    text = RULE.replace("{ kind: contact }", "{ kind: contact, risk: [high, none] }")
    assert read_documents(folder({"council.yaml": text}))


def test_a_key_that_stands_twice_is_refused(folder: Write) -> None:
    """The second would silently win otherwise."""
    fault = only(folder({"council.yaml": RULE + "threshold: 400h\n"}))
    assert place(fault)[:2] == ("council.yaml", 15)
    assert 'duplicate key "threshold"' in fault.expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("id: [a\n", 2),
        ("id: a\n  b: c\n", 2),
        ("id: 'a\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("\t- x", 1),
    ],
)
def test_what_is_not_yaml_is_named_with_its_line(folder: Write, text: str, line: int) -> None:
    fault = only(folder({"council.yaml": None, "other.yaml": RULE, "broken.yaml": text}))
    assert (Path(fault.file).name, fault.line) == ("broken.yaml", line)
    assert fault.expected.startswith("this is not YAML: ")


@pytest.mark.parametrize("text", ["", "just words\n", "- a\n- b\n", "42\n"])
def test_what_is_no_mapping_is_a_fault_and_no_crash(folder: Write, text: str) -> None:
    assert place(only(folder({"council.yaml": text})))[0] == "council.yaml"


def test_what_is_not_utf_8_is_a_fault(folder: Write) -> None:
    path = folder()
    (path / "council.yaml").write_bytes(b"id: caf\xe9\n")
    assert only(path).expected == "the file must be UTF-8 text"


def test_a_missing_vocabulary_is_one_fault(folder: Write) -> None:
    """Its words are not also reported as unknown, one by one."""
    fault = only(folder({"vocabulary.yaml": None}))
    assert (Path(fault.file).name, fault.expected) == ("vocabulary.yaml", "there is no such file")


def test_a_folder_without_rules_is_a_fault(folder: Write) -> None:
    assert only(folder({"council.yaml": None})).expected == "a rules folder holds at least one rule"


def test_the_same_rule_and_version_twice_names_both_files(folder: Write) -> None:
    fault = only(folder({"second.yaml": RULE}))
    assert place(fault) == ("second.yaml", 1, 5, "id")
    assert "council.yaml" in fault.expected


def test_a_second_version_is_no_fault(folder: Write) -> None:
    second = RULE.replace("version: 1", "version: 2").replace("2026-01-01", "2027-01-01")
    assert len(read_documents(folder({"council-2.yaml": second})).rules) == 2


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"ladders/other.yaml": LADDER}, "the same ladder"),
        ({"calendars/other.yaml": CALENDAR}, "the same calendar"),
        ({"calendars/office.yaml": OFFICE.replace("england", "narnia")}, "england"),
        ({"calendars/office.yaml": OFFICE.replace("holidays: england\n", "")}, "covers_from"),
        (
            {"calendars/office.yaml": OFFICE.replace('weekly: { mon: ["09:00-17:00"] }', "")},
            "at least one weekday",
        ),
        ({"calendars/office.yaml": OFFICE.replace("London", "Atlantis")}, "not a time zone"),
        ({"calendars/office.yaml": OFFICE.replace("09:00-17:00", "09:00-25:00")}, "no day has"),
    ],
)
def test_faults_of_calendars_and_ladders(
    folder: Write, changed: dict[str, str | None], expected: str
) -> None:
    assert any(expected in fault.expected for fault in faults(folder(changed)))


@pytest.mark.parametrize(
    ("text", "field", "found"),
    [
        (VOCABULARY + "restricted_attribute: restrictd\n", "restricted_attribute", "'restrictd'"),
        (VOCABULARY.replace("kind: contact,", "kind: contcat,"), "stages.0.kind", "'contcat'"),
    ],
)
def test_the_vocabulary_s_own_words_are_checked(
    folder: Write, text: str, field: str, found: str
) -> None:
    """A misspelt marker of restricted cases would silently show them to everybody."""
    fault = only(folder({"vocabulary.yaml": text}))
    assert (fault.field, fault.found) == (field, found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "council.yaml",
            RULE.replace(
                "threshold: 4h",
                "defer: { when: [{ kind: contact }], at_most: time on the event }\nthreshold: 4h",
            ),
        ),
        ("ladders/urgent.yaml", LADDER.replace("1h before due", "time on the event before due")),
    ],
)
def test_a_time_on_the_event_is_no_length(folder: Write, name: str, text: str) -> None:
    """It says when the clock is due, not how long something lasts."""
    assert faults(folder({name: text}))
