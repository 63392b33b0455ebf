"""Row 8: a million cases and two partners, tried under another limit; pandas does it beside it.

A history of generated cases of significant harm, written into the store as rows: a contact, who is
responsible for the child, and what was sent to the council and to health. Once with nothing but the
contact and what was sent ("two events a clock"), once with all. Ours is `monitor backtest` in one
process with the rules as they are shipped and the council's limit doubled: every case is weighed,
and where it is not plain folded by itself. The peer says of each clock whether it was in time, and
nothing else. What both say is compared.

Not compared, since pandas has no word for it: who would have been told, on all cores.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Bench, Comparison, Sample, environment
from monitor.installation import install
from monitor.model import DAY, HOUR

_BEGINS: Final = 1_767_312_000_000_000
_SPAN: Final = 300 * DAY
_RECEIVED: Final = _BEGINS + 400 * DAY
_UNTIL: Final = "2026-12-20T00:00:00+00:00"
_RULES: Final = ("significant-harm-council", "significant-harm-health")
_PARTNERS: Final = (("council", "eastshire", 1.5), ("health", "east-icb", 8.0))

Row = tuple[Any, ...]


def measure(bench: Bench) -> list[Comparison]:
    cases = 400 if bench.is_smoke else 1_000_000
    return [
        comparison
        for name, whole in (("two events a clock", False), ("all events", True))
        for comparison in _tried(bench, name, cases, whole=whole)
    ]


def _tried(bench: Bench, name: str, cases: int, *, whole: bool) -> list[Comparison]:
    folder = bench.folder / name.replace(" ", "-")
    install(folder)
    _change_the_limit(folder)
    _monitor(folder, "migrate")
    _fill(folder / "var" / "monitor.db", cases, whole=whole)
    peer = None
    if bench.peers.is_ready:
        peer = bench.peers.run("pandas_backtest.py", folder / "var" / "monitor.db", bench.repeats)
    ours = [_back_test(folder, "--verdicts-only", "--workers", "1") for _ in range(bench.repeats)]
    if peer is not None:
        assert _said(ours[0]) == peer["clocks"], (_said(ours[0]), peer["clocks"])
    events = f"{ours[0]['events']:,} events"
    telling = events
    if whole:  # without it nobody is responsible for any child, of which everybody would be told
        began = time.perf_counter()
        _back_test(folder)
        telling = f"who would be told too, on all cores: {time.perf_counter() - began:.0f} s"
    shutil.rmtree(folder)
    return [
        _comparison(
            f"{cases:,} cases, {name}: computing",
            ours,
            peer,
            ("computing",),
            events,
            small=bench.is_smoke,
        ),
        _comparison(
            f"{cases:,} cases, {name}: reading and computing",
            ours,
            peer,
            ("reading", "computing"),
            telling,
            small=bench.is_smoke,
        ),
    ]


def _comparison(
    work: str,
    ours: list[dict[str, Any]],
    peer: dict[str, Any] | None,
    parts: tuple[str, ...],
    note: str,
    *,
    small: bool,
) -> Comparison:
    seconds = tuple(sum(run[f"{part}_seconds"] for part in parts) for run in ours)
    mine = Sample("ours", "s", tuple(max(each, 0.001) for each in seconds))
    others: tuple[Sample, ...] = ()
    if peer is not None:
        theirs = zip(*(peer[part] for part in parts), strict=True)
        others = (Sample("pandas", "s", tuple(map(sum, theirs))),)
    rate = others[0].median / mine.median if others else None
    return Comparison(
        row=8,
        work=work,
        ours=mine,
        others=others,
        ratio=rate,
        ratio_says="of its rate",
        target="at least 2 times pandas' rate",
        is_met=None if rate is None or small else rate >= 2,
        note=note if others else f"{note}; without the peers' environment",
    )


# -- the installation -------------------------------------------------------------------------


def _change_the_limit(folder: Path) -> None:
    shutil.copytree(folder / "rules", folder / "rules-tried")
    rule = folder / "rules-tried" / f"{_RULES[0]}.yaml"
    changed, number = re.subn(r"(?m)^threshold: 4h$", "threshold: 8h", rule.read_text("utf-8"))
    assert number == 1, rule
    rule.write_text(changed, "utf-8")


def _monitor(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "monitor", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _back_test(folder: Path, *words: str) -> dict[str, Any]:
    rules = [word for rule in _RULES for word in ("--rule", rule)]
    period = ["--from", "2026-01-01", "--to", _until()]
    said = _monitor(folder, "backtest", "--rules", "rules-tried", *rules, *period, *words, "--json")
    told: dict[str, Any] = json.loads(said)
    return told


def _until() -> str:
    """The end of the history, or now where that comes first: nothing is tried ahead of now."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    return min(now, _UNTIL)


def _said(told: dict[str, Any]) -> dict[str, int]:
    """Clocks by what they say, as the peer names it."""
    found: dict[str, int] = {}
    for rule in told["by_rule"]:
        if rule["group"] not in _RULES:
            continue
        partner = rule["group"].rpartition("-")[2]
        turned = {
            (turn["before"], turn["after"]): turn["clocks"]
            for turn in told["changes"]
            if turn["rule"] == rule["group"]
        }
        late_to_met = turned.get(("late", "met"), 0)
        assert sum(turned.values()) == late_to_met, turned
        found |= {
            f"{partner} met met": rule["met_before"],
            f"{partner} late met": late_to_met,
            f"{partner} late late": rule["owed_after"] - rule["met_after"],
        }
    return {name: clocks for name, clocks in sorted(found.items()) if clocks}


# -- the history ------------------------------------------------------------------------------

_COLUMNS: Final = (
    *("case_id", "batch_id", "line", "feed", "identity", "revision", "content", "kind"),
    *("occurred_from", "occurred_to", "recorded_at", "received_at", "partner", "organisation"),
    *("child", "category", "risk", "district", "attributes", "named", "retracts"),
)


def _fill(file: Path, cases: int, *, whole: bool) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.executescript("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN")
    connection.execute(
        "INSERT INTO batch (id, intake_id, number, received_at) VALUES (1, 1, 1, ?)", (_RECEIVED,)
    )
    connection.executemany(
        "INSERT INTO case_ (id, reference, dirty, assessed) VALUES (?, ?, 1, 0)",
        ((number, f"PPN-2026-{number:07}") for number in range(1, cases + 1)),
    )
    marks = ", ".join("?" * len(_COLUMNS))
    connection.executemany(
        f"INSERT INTO event ({', '.join(_COLUMNS)}) VALUES ({marks})", _events(cases, whole=whole)
    )
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _events(cases: int, *, whole: bool) -> Iterator[Row]:
    chance = random.Random(8)
    for case in range(1, cases + 1):
        known = _BEGINS + int(chance.random() * _SPAN)
        child = _digest(f"child {case}")[:8].hex()
        risk = chance.choice(("high", "medium", "standard"))
        district = chance.choice(("east", "west"))
        said = {"category": "physical_abuse", "risk": risk, "district": district, "child": child}
        yield _event(case, "c", "occurrence", "contact", known, **said)
        for partner, organisation, _ in _PARTNERS if whole else ():
            of = {"partner": partner, "organisation": organisation, "child": child}
            yield _event(case, partner, "occurrence", "organisation_responsible", known, **of)
        for partner, organisation, mean in _PARTNERS:
            sent = known + int(chance.expovariate(1 / mean) * HOUR)
            of = {"partner": partner, "organisation": organisation}
            method = {"attributes": '{"method": "email"}'}
            yield _event(
                case, f"s{partner}", "sending-log", "partner_notified", sent, **of, **method
            )


def _event(case: int, name: str, feed: str, kind: str, at: int, **said: str) -> Row:
    identity = f"{case}{name}".encode()
    values: dict[str, Any] = {
        "case_id": case,
        "batch_id": 1,
        "line": case,
        "feed": feed,
        "identity": identity,
        "revision": 0,
        "content": _digest(f"{case}{name}"),
        "kind": kind,
        "occurred_from": at,
        "occurred_to": at,
        "recorded_at": at,
        "received_at": _RECEIVED,
        "named": 1,
        "retracts": b"",
        **said,
    }
    return tuple(values.get(name, "") for name in _COLUMNS)


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()
