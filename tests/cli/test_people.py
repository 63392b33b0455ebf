"""What people do about a duty, and what is refused in words."""

from __future__ import annotations

import json
import os
import pwd
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.commands import IN_TIME, LATE, NEEDS_A_PERSON, WRONG_USE, typed

ME = pwd.getpwuid(os.getuid()).pw_name


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
    assert ME not in explained
    listed = typed("actions", "list").stdout
    assert f"{number}  take {LATE}, rule notice-triaged-high" in listed
    assert f"by {ME} for the MASH sergeant" in listed
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
