"""What the language gained: wrong use of it is a fault with its place, as any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rulebook.test_files import (
    OFFICE,
    RULE,
    VOCABULARY,
    Write,
    faults,
    folder,
    only,
    place,
)

__all__ = ["folder"]

SCHOOL = OFFICE.replace("id: office", "id: school-east")
CORRECTION = "start_correction: { kind: contact, corrects: method, needs: [reason_code] }\n"


def calendar(name: str, text: str) -> dict[str, str | None]:
    return {f"calendars/{name}.yaml": text}


@pytest.mark.parametrize(
    ("text", "line", "field", "expected"),
    [
        (
            RULE + "for_each: [organisation]\nowed_to:\n  - { kind: responsible }\n",
            *(17, "owed_to.0.kind", "contact, partner_notified"),
        ),
        (
            RULE + "for_each: [organisation]\nowed_to:\n  - { kind: contact, basis: found }\n",
            *(17, "owed_to.0.basis", "method"),
        ),
        (RULE + "owed_to:\n  - { kind: contact }\n", 1, "", "add organisation to for_each"),
        (
            RULE.replace("threshold: 4h", "threshold: time on the event within next opening"),
            *(12, "threshold", "a length, such as 24h"),
        ),
        (
            RULE.replace("threshold: 4h", "threshold: time on the event within soon"),
            *(12, "threshold", "4 working hours"),
        ),
    ],
)
def test_a_rule_that_uses_it_wrongly(
    folder: Write,
    text: str,
    line: int,
    field: str,
    expected: str,
) -> None:
    fault = only(folder({"council.yaml": text}))
    assert (place(fault)[1], fault.field) == (line, field)
    assert expected in str(fault)


@pytest.mark.parametrize(
    ("changed", "field", "expected"),
    [
        (
            calendar("school-east", SCHOOL + "instead_of: schools\norganisations: [east]\n"),
            *("instead_of", "clock-hours, office"),
        ),
        (
            calendar(
                "school-east",
                SCHOOL.replace("Europe/London", "UTC")
                + "instead_of: office\norganisations: [east]\n",
            ),
            *("zone", "the zone of the calendar in whose place it stands"),
        ),
        (
            calendar("school-east", SCHOOL + "organisations: [east]\n"),
            *("", "instead_of and organisations go together"),
        ),
        (
            calendar("school-east", SCHOOL + "terms: [{ from: 2027-03-01, to: 2027-02-01 }]\n"),
            *("terms.0", "cannot end on"),
        ),
        (
            {"vocabulary.yaml": VOCABULARY + CORRECTION.replace("contact", "fix")},
            *(
                "start_correction.kind",
                "contact, partner_notified",
            ),
        ),
        (
            {"vocabulary.yaml": VOCABULARY + CORRECTION.replace("method", "which")},
            *(
                "start_correction.corrects",
                "method",
            ),
        ),
        (
            {"vocabulary.yaml": VOCABULARY + CORRECTION.replace("reason_code", "proof")},
            *(
                "start_correction.needs.0",
                "reason_code",
            ),
        ),
    ],
)
def test_a_calendar_or_a_vocabulary_that_uses_it_wrongly(
    folder: Write,
    changed: dict[str, str | None],
    field: str,
    expected: str,
) -> None:
    fault = only(folder(changed))
    assert fault.field == field
    assert fault.line is not None
    assert expected in str(fault)


def test_two_calendars_cannot_stand_in_one_place_for_one_organisation(
    folder: Write,
) -> None:
    east = "instead_of: office\norganisations: [west, east]\n"
    two = calendar("school-east", SCHOOL + east) | calendar(
        "school-west", SCHOOL.replace("east", "west") + east.replace("west, east", "east")
    )

    found = faults(folder(two))
    assert {(Path(each.file).name, each.field) for each in found} == {
        ("school-east.yaml", "organisations.1"),
        ("school-west.yaml", "organisations.0"),
    }
