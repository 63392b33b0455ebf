"""A year of a made-up force, as its sources would have written it: references and times alone.

What comes in: a folder of an installation, a seed, and what is planted. What goes out: files in its
drop folders. The same seed gives the same bytes. Nothing in it is a record of anybody.

Each week has about as many notices as the one before, give or take chance. A notice is of one
child; councils and health are told of it within their limits as often as `in_time` says, but from
`slower_from` on health is told less often in time: the planted change.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from monitor.ingest.feeds import Feed
from monitor.report.periods import Week

LONDON: Final = ZoneInfo("Europe/London")
CONCERNS: Final = ("DOM ABUSE", "OTHER", "PHYS ABUSE", "CSE")
DISTRICTS: Final = {"east": 0.5, "west": 0.35, "north": 0.15}
TEAMS: Final = ("response", "mash", "neighbourhood")


@dataclass(frozen=True, kw_only=True)
class Year:
    """What kind of year it is."""

    first: Week
    weeks: int = 52
    notices_a_week: int = 40
    seed: int = 1
    in_time: Mapping[str, float] = field(
        default_factory=lambda: {"council": 0.85, "health": 0.82, "school": 0.8}
    )
    slower_from: int | None = None
    """The number of a week, 1 the first, from which on health is told later."""
    slower: float = 0.55
    """How often in time from then on."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The rows of each source."""

    occurrence: list[dict[str, str]]
    sending_log: list[dict[str, Any]]


def written(year: Year) -> Written:
    """The year, row after row."""
    chance = random.Random(year.seed)
    numbers, entries = count(1), count(1)
    occurrence: list[dict[str, str]] = []
    sending_log: list[dict[str, Any]] = []
    for place in range(year.weeks):
        monday = year.first.monday + dt.timedelta(weeks=place)
        for _ in range(max(1, round(chance.gauss(year.notices_a_week, year.notices_a_week**0.5)))):
            notice = _notice(chance, monday, next(numbers))
            occurrence.append(notice.row)
            for partner in _partners(notice):
                share = year.in_time[partner]
                if partner == "health" and year.slower_from and place + 1 >= year.slower_from:
                    share = year.slower
                sending_log += _told(chance, notice, partner, share, entries)
    return Written(occurrence=occurrence, sending_log=sending_log)


def write(year: Year, feeds: Mapping[str, Feed], folder: Path) -> dict[str, Path]:
    """Write the year's files beside each other; feed → its file."""
    told = written(year)
    paths = {"occurrence": folder / "notices-year.csv", "sending-log": folder / "year.jsonl"}
    columns = feeds["occurrence"].declared_columns
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(told.occurrence)
    paths["occurrence"].write_text(text.getvalue(), "utf-8")
    lines = "".join(json.dumps(line) + "\n" for line in told.sending_log)
    paths["sending-log"].write_text(lines, "utf-8")
    return paths


@dataclass(frozen=True, kw_only=True)
class _Notice:
    reference: str
    known: dt.datetime
    triaged: dt.datetime | None
    row: dict[str, str]


def _notice(chance: random.Random, monday: dt.date, number: int) -> _Notice:
    day = monday + dt.timedelta(days=chance.randrange(7))
    minute = chance.randrange(24 * 60)
    known = dt.datetime.combine(day, dt.time(minute // 60, minute % 60), tzinfo=LONDON)
    submitted = _later(known, chance.lognormvariate(5.0, 0.5))
    supervised = _later(submitted, chance.lognormvariate(4.5, 0.6))
    triaged = (
        _later(supervised, chance.lognormvariate(5.0, 0.7)) if chance.random() > 0.01 else None
    )
    district = chance.choices(list(DISTRICTS), list(DISTRICTS.values()))[0]
    reference = f"PPN-{known.year}-{number:06}"
    row = {
        "PPN_NO": reference,
        "CHILD_ID": f"C{number}",
        "ROW_VERSION": "1",
        "CONCERN_TYPE": chance.choices(CONCERNS, (30, 50, 12, 8))[0],
        "RISK_GRADE": chance.choices("SMH", (50, 35, 15))[0],
        "BCU": district,
        "TEAM": chance.choice(TEAMS),
        "FIRST_KNOWN": _local(known),
        "SUBMITTED": _local(submitted),
        "CHILD_VIEWS": chance.choices("YN", (80, 20))[0],
        "SCHOOL_NAMED": chance.choices("YN", (85, 15))[0],
        "GP_NAMED": chance.choices("YN", (75, 25))[0],
        "SUPERVISED": _local(supervised),
        "TRIAGED": _local(triaged) if triaged else "",
        "COUNCIL_SET": _local(known),
        "COUNCIL_CODE": "eastshire",
        "HEALTH_SET": _local(known),
        "HEALTH_CODE": "eastshire-0-19",
    }
    if chance.random() < 0.04:
        row |= {
            "DECIDED": _local(_later(submitted, 30)),
            "DECISION": "N",
            "DECISION_REASON": chance.choice(("THRESHOLD", "KNOWN")),
        }
    return _Notice(reference=reference, known=known, triaged=triaged, row=row)


def _partners(notice: _Notice) -> tuple[str, ...]:
    is_for_school = notice.row["CONCERN_TYPE"] == "DOM ABUSE"
    return ("council", "health", "school") if is_for_school else ("council", "health")


_CODES: Final = {"council": "eastshire", "health": "eastshire-0-19", "school": "school-1"}
_LIMITS: Final = {"council": 20, "health": 44, "school": 8}
_HOURS: Final = {
    ("PHYS ABUSE", "council"): 4,
    ("PHYS ABUSE", "health"): 24,
    ("CSE", "council"): 24,
}


def _told(
    chance: random.Random, notice: _Notice, partner: str, share: float, entries: count[int]
) -> Iterator[dict[str, Any]]:
    """The lines of the sending log: one for a partner told, and its answer for most."""
    if "DECIDED" in notice.row:
        return
    limit = _HOURS.get((notice.row["CONCERN_TYPE"], partner), _LIMITS[partner])
    if chance.random() < share:
        at = _later(notice.known, 60 * limit * chance.uniform(0.2, 0.9))
    elif chance.random() < 0.03:
        return  # never on the record
    else:
        at = _later(notice.known, 60 * (limit * 1.3 + 80 + chance.expovariate(1 / 40)))
    entered = _later(at, 10 if chance.random() < 0.93 else 60 * 30)
    line = {
        "reference": notice.reference,
        "child_id": notice.row["CHILD_ID"],
        "recipient_type": {"council": "LA", "health": "ICB", "school": "SCH"}[partner],
        "recipient_code": _CODES[partner],
        "method": "EMAIL",
        "message_id": "",
        "cancels_entry_no": "",
    }
    yield line | {
        "entry_no": str(next(entries)),
        "entry_type": "SENT",
        "happened_at": at.isoformat(),
        "entered_at": entered.isoformat(),
    }
    if partner == "council" and chance.random() < 0.9:
        answered = _later(at, chance.lognormvariate(6, 0.6))
        yield line | {
            "entry_no": str(next(entries)),
            "entry_type": "ACK",
            "happened_at": answered.isoformat(),
            "entered_at": answered.isoformat(),
        }


def _later(moment: dt.datetime, minutes: float) -> dt.datetime:
    """By so many minutes that passed, whatever the clocks did."""
    return (moment.astimezone(dt.UTC) + dt.timedelta(minutes=int(minutes))).astimezone(LONDON)


def _local(moment: dt.datetime) -> str:
    return f"{moment:%d/%m/%Y %H:%M}"
