"""What happens in the force of a campaign: files by stages, so that everything occurs that can.

What comes in: nothing but the stages' times. What goes out: for each stage the time to which the
world is put and the files that are dropped then, always the same ones. Between two stages everybody
waits until nothing is left to do: what a stage leads to does not hang on how fast it went.

Times are of Thursday 5 March 2026 unless a day is said; no summer time, so they are UTC.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from monitor.model import Instant
from monitor.worktime.instants import from_datetime
from tests.process.installed import COLUMNS

RULES: Final = (
    *("exploitation-high-council.yaml", "no-notice.yaml"),
    *("notice-submitted.yaml", "notice-triaged-high.yaml"),
)
BEGINS: Final = dt.datetime(2026, 3, 5, 10, tzinfo=dt.UTC)
BATCH_ROWS: Final = 4


@dataclass(frozen=True)
class Stage:
    """What happens at one time; everything that follows from it is waited for."""

    name: str
    at: Instant
    files: Mapping[str, str] = field(default_factory=dict)
    """Drop folder and file name → text."""
    rules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Rule file → what is replaced in it by what; the daemons are told to read anew."""


def at(written: str) -> dt.datetime:
    """`HH:MM` of the first day, or `D HH:MM` of that month."""
    day, _, clock = written.rpartition(" ")
    hour, minute = clock.split(":")
    return BEGINS.replace(day=int(day or 5), hour=int(hour), minute=int(minute))


def _instant(written: str) -> Instant:
    return from_datetime(at(written))


# -- the occurrence system: everything again each time ----------------------------------------


def _notice(number: int, known: str, submitted: str = "", **more: str) -> dict[str, str]:
    return {
        "PPN_NO": f"PPN-2027-00{number}",
        "CHILD_ID": f"C{number}",
        "ROW_VERSION": "1",
        "CONCERN_TYPE": "PHYS ABUSE",
        "RISK_GRADE": "H",
        "BCU": "east",
        "TEAM": "response",
        "FIRST_KNOWN": known,
        "SUBMITTED": submitted,
        **more,
    }


_EXPLOITED: Final = {
    "CONCERN_TYPE": "CSE",
    "COUNCIL_SET": "04:10",
    "COUNCIL_CODE": "eastshire",
}
_TIMES: Final = frozenset(
    {
        *("FIRST_KNOWN", "SUBMITTED", "SUBMITTED_ENTERED", "SUPERVISED", "TRIAGED", "REGRADED"),
        *("DECIDED", "REVIEW_BY", "COUNCIL_SET", "HEALTH_SET", "LINKED", "CLOSED"),
    }
)

_FIRST: Final = (
    # Overdue when it is learnt of, with a council to be told.
    _notice(1001, "04:00", "04:30", **_EXPLOITED),
    # Due at 13:00: warned of, then triaged in time.
    _notice(1002, "08:30", "09:00"),
    # Told as overdue, then it turns out that it was triaged in time.
    _notice(1003, "04:00", "04:30"),
    # Triaged late, after it was told.
    _notice(1004, "04:00", "04:30", BCU="west"),
    # Told as overdue; then its time is corrected, and it is due only at 16:00.
    _notice(1005, "04:00", "05:00"),
    # The notice of an incident of the control room.
    _notice(1006, "04:20", "04:40", BCU="west"),
    # Told as exempt from sharing before it was due.
    _notice(1007, "04:00", "04:30", **_EXPLOITED, DECIDED="06:00", DECISION="N",
            DECISION_REASON="THRESHOLD"),
    # Two children of one notice.
    _notice(1008, "03:00", "03:30", **_EXPLOITED),
    _notice(1008, "03:00", "03:30", **_EXPLOITED, CHILD_ID="C1008b"),
    # Nobody knows yet which council.
    _notice(1009, "05:00", "05:30", CONCERN_TYPE="CCE"),
    # Sharing waits for a review, which nobody holds.
    _notice(1010, "04:00", "04:30", **_EXPLOITED, DECIDED="05:00", DECISION="D",
            DECISION_REASON="INVESTIGATION", REVIEW_BY="12:00"),
    # Triaged in time, and then the extract no longer says so.
    _notice(1011, "05:00", "05:10", TRIAGED="06:00"),
    # A notice of standard risk, to be raised.
    _notice(1012, "07:00", "07:10", RISK_GRADE="S"),
    # Gone from the next extract.
    _notice(1013, "06:00", "06:10", TRIAGED="07:00"),
    # Withdrawn in error, after it was told as overdue.
    _notice(1014, "03:00", "03:10"),
    *(
        _notice(number, "02:00", "02:10", TRIAGED="03:00", BCU="west")
        for number in range(1021, 1027)
    ),
    # What cannot be read: a time that does not exist, a concern that nobody mapped.
    _notice(1015, "04:00", "04:30", TRIAGED="31/02/2026 10:00:00"),
    _notice(1016, "04:00", "04:30", CONCERN_TYPE="SOMETHING ELSE"),
)  # fmt: skip


def _changed(
    rows: tuple[dict[str, str], ...], **changes: dict[str, str] | None
) -> tuple[dict[str, str], ...]:
    """The same extract with other cells; a number that is None is gone from it."""
    left = []
    for row in rows:
        change = changes.get(f"n{row['PPN_NO'][-4:]}", {})
        if change is None:
            continue
        version = str(int(row["ROW_VERSION"]) + 1) if change else row["ROW_VERSION"]
        left.append(row | change | {"ROW_VERSION": version})
    return tuple(left)


_SECOND: Final = _changed(
    _FIRST,
    n1002={"TRIAGED": "12:15"},
    n1003={"TRIAGED": "07:00"},
    n1004={"TRIAGED": "11:00"},
    n1005={"SUBMITTED": "12:00"},
    n1009={"COUNCIL_SET": "11:30", "COUNCIL_CODE": "westshire"},
    n1011={"TRIAGED": ""},
    n1012={"REGRADED": "11:00", "RISK_AFTER": "H"},
    n1013=None,
    n1014={"CLOSED": "12:10", "STATUS": "WITHDRAWN IN ERROR", "CLOSE_REASON": "ERROR"},
    n1015={"TRIAGED": "12:05"},
)
_THIRD: Final = _changed(
    _SECOND,
    n1005={"TRIAGED": "15:30"},
    n1009={"TRIAGED": "6 09:00"},
    n1011={"TRIAGED": "06:00"},
    n1012={"TRIAGED": "13:00"},
)


def _extract(rows: tuple[dict[str, str], ...]) -> str:
    lines = [",".join(COLUMNS)]
    for row in rows:
        cells = dict.fromkeys(COLUMNS, "") | {
            name: _local(text) if name in _TIMES else text for name, text in row.items()
        }
        lines.append(",".join(cells[column] for column in COLUMNS))
    return "\n".join(lines) + "\n"


def _local(text: str) -> str:
    return text if not text or "/" in text else f"{at(text):%d/%m/%Y %H:%M:%S}"


# -- the sending log: only what is new --------------------------------------------------------


def _sent(entry: str, number: int, happened: str, **more: str) -> str:
    line = {
        "entry_no": entry,
        "reference": f"PPN-2027-00{number}",
        "entry_type": "SENT",
        "recipient_type": "LA",
        "recipient_code": "eastshire",
        "method": "EMAIL",
        "child_id": "",
        **more,
        "happened_at": at(happened).isoformat(),
        "entered_at": at(more.get("entered_at", happened)).isoformat(),
    }
    return json.dumps(line) + "\n"


_SENT_FIRST: Final = "".join(
    (
        _sent("E1", 1008, "06:00", child_id="C1008"),
        _sent("E2", 1021, "02:30"),
        _sent("E3", 1022, "02:30", entry_type="AUTO-REPLY"),
        _sent("E4", 1023, "02:30", recipient_type="WHO"),
        _sent("E5", 1024, "02:31"),
        _sent("E6", 1025, "02:32"),
        _sent("E7", 1026, "02:33"),
    )
)
_SENT_SECOND: Final = "".join(
    (
        _sent("E8", 1001, "11:50"),
        # A call that was made in time, written down afterwards: to be confirmed.
        _sent("E9", 1008, "06:30", child_id="C1008b", method="PHONE", entered_at="12:00"),
        # What told the council of the first child had come back.
        _sent("E10", 1008, "06:05", entry_type="BOUNCE", cancels_entry_no="E1"),
    )
)
_SENT_THIRD: Final = "".join(
    (
        _sent("E11", 1008, "6 10:00", child_id="C1008"),
        _sent("E12", 1009, "6 11:00", recipient_code="westshire"),
        _sent("E13", 1010, "14:00"),
    )
)


# -- the control room -------------------------------------------------------------------------


def _incidents(*rows: str) -> str:
    head = "INCIDENT_NO;FLAG_NO;EXPORTED;BCU;SECTION;INCIDENT_TYPE;PPN_NO;ENTRY;ENTRY_TIME"
    return "\n".join((head, *rows)) + "\n"


def _incident(number: int, flag: int, entry: str, when: str, *, notice: str = "") -> str:
    written = f"{at(when):%Y-%m-%d %H:%M:%S}"
    cells = (f"INC-20260305-{number:04}", str(flag), written, "east", "A", "DOMESTIC", notice)
    return ";".join((*cells, entry, written))


STAGES: Final = (
    Stage(
        "the first notices",
        _instant("10:00"),
        files={"occurrence/notices-1.csv": _extract(_FIRST)},
    ),
    Stage(
        "the other feeds",
        _instant("10:00"),
        files={
            "command-control/incidents-1.csv": _incidents(
                _incident(1, 1, "CHILD FLAG SET", "04:15"),
                _incident(2, 1, "CHILD FLAG SET", "01:00"),
                _incident(3, 1, "CHILD FLAG SET", "01:30"),
                _incident(3, 2, "NO NOTICE NEEDED", "02:30"),
                _incident(4, 1, "ARRIVED", "02:30"),
            ),
            "sending-log/sent-1.jsonl": _SENT_FIRST,
        },
    ),
    Stage("time goes on", _instant("12:30")),
    Stage(
        "late and corrected",
        _instant("12:30"),
        files={
            "command-control/damaged.csv": "A;B\n1;2\n",
            "command-control/incidents-2.csv": _incidents(
                _incident(1, 2, "PPN LINKED", "12:00", notice="PPN-2027-001006"),
            ),
            "occurrence/notices-2.csv": _extract(_SECOND),
            "sending-log/sent-1-again.jsonl": _SENT_FIRST,
            "sending-log/sent-2.jsonl": _SENT_SECOND,
        },
    ),
    Stage(
        "another limit",
        _instant("13:30"),
        rules={
            "no-notice.yaml": {
                "version: 1": "version: 2",
                "from: 2026-01-01": "from: 2026-03-01",
                "threshold: 24h": "threshold: 8h",
            }
        },
    ),
    Stage("over the weekend", _instant("9 08:30")),
    Stage(
        "the last files",
        _instant("9 08:30"),
        files={
            "command-control/incidents-3.csv": _incidents(
                _incident(2, 2, "NO NOTICE NEEDED", "13:00")
            ),
            "occurrence/notices-3.csv": _extract(_THIRD),
            "sending-log/sent-3.jsonl": _SENT_THIRD,
        },
    ),
)


_SAME_CASES: Final = tuple(
    _notice(number, "04:00", "04:30", **_EXPLOITED) for number in range(2001, 2033)
)

BOTH_AT_ONCE: Final = (
    Stage(
        "cases become known",
        _instant("10:00"),
        files={"occurrence/notices-1.csv": _extract(_SAME_CASES)},
    ),
    Stage(
        "two feeds tell of the same clocks in the same order",
        _instant("10:15"),
        files={
            "occurrence/notices-2.csv": _extract(
                tuple(row | {"FIRST_KNOWN": "03:00", "ROW_VERSION": "2"} for row in _SAME_CASES)
            ),
            "sending-log/sent-1.jsonl": "".join(
                _sent(f"S{number}", number, "06:00") for number in range(2001, 2033)
            ),
        },
    ),
)
"""For two nodes that take one file each: one moves a clock's start, the other stops it, and nothing
repairs later what one of them lost."""


def rows_dropped(stages: tuple[Stage, ...]) -> dict[str, int]:
    """File name → how many rows it has: what every account must come to."""
    return {
        Path(name).name: len(text.splitlines()) - (not name.endswith(".jsonl"))
        for stage in stages
        for name, text in stage.files.items()
    }
