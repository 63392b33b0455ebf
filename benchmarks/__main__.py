"""Measure the rows asked for and print the table.

python -m benchmarks [--rows 1,4,7] [--smoke] [--repeats N] [--log FOLDER]
                     [--without-peers] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks.machine import PROBES, Machine, Noise, load, machine
from benchmarks.measure import ROOT, Bench, Comparison, Peers
from benchmarks.rows import MODULES
from benchmarks.table import as_json, table, wrapped
from monitor.logs import configure_logs

_ALL = frozenset(row for rows in MODULES.values() for row in rows)
_NEED_THE_LOG = frozenset({1, 3})
_NAMED = "TIMELINESS_REAL_LOGS"


def main(words: list[str]) -> int:
    """Measure, print, write; 1 where a target was missed, 2 where a row could not be measured."""
    asked = _parser().parse_args(words)
    configure_logs("text", level=logging.ERROR)
    log = _folder_of_the_log(asked.log)
    rows = asked.rows
    if log is None and not asked.smoke and rows & _NEED_THE_LOG:
        _say(f"rows 1 and 3 are left out: no real log; name its folder by --log or in {_NAMED}")
        rows -= _NEED_THE_LOG
    repeats = asked.repeats or (1 if asked.smoke else 3)
    peers = Peers(Path(os.devnull)) if asked.without_peers else Peers()
    bench = Bench(asked.smoke, repeats, Path(), log, peers, rows)
    told, failed, beneath = _measured(bench)
    print(f"\n{table(told)}\n\n{wrapped(str(beneath))}")
    if asked.json:
        rows_told = [as_json(one) for one in told]
        whole = {"machine": beneath.as_json(), "rows": rows_told, "failed": failed}
        asked.json.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    if failed:
        _say(f"could not be measured: {', '.join(failed)}")
        return 2
    return 1 if any(one.is_met is False for one in told) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="The monitor beside what a user would pick instead, on the same work.",
    )
    parser.add_argument("--rows", type=_rows, default=_ALL, help="such as 1,4,7; all of them else")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--repeats", type=int, help="how often each is timed, 3 unless said")
    parser.add_argument("--log", type=Path, help="the folder of the real log's events.csv.gz")
    parser.add_argument("--without-peers", action="store_true", help="leave the others out")
    parser.add_argument("--json", type=Path, help="write everything into this file as well")
    return parser


def _rows(words: str) -> frozenset[int]:
    rows = frozenset(int(word) for word in words.split(","))
    if strange := rows - _ALL:
        raise argparse.ArgumentTypeError(f"there are rows 1 to 12, not {sorted(strange)}")
    return rows


def _folder_of_the_log(named: Path | None) -> Path | None:
    if named is None and _NAMED in os.environ:
        named = Path(os.environ[_NAMED]) / "road_traffic_full"
    if named is None or not (named / "events.csv.gz").exists():
        return None
    return named.resolve()


def _measured(bench: Bench) -> tuple[list[Comparison], list[str], Machine]:
    """The comparisons in the order of their rows, the modules that failed, and the machine."""
    before, noise = load(), Noise()
    names = [name for name, theirs in MODULES.items() if bench.rows & set(theirs)]
    probes = -(-PROBES // (len(names) + 1))
    told: list[Comparison] = []
    failed: list[str] = []
    noise.probe(probes)
    for name in names:
        with tempfile.TemporaryDirectory(prefix="monitor-bench-") as folder:
            try:
                told += _of_module(name, replace(bench, folder=Path(folder)))
            except Exception:  # noqa: BLE001 - a row at fault keeps no other from being measured
                traceback.print_exc()
                failed.append(name)
        noise.probe(probes)
    under = machine(load_before=before, noise=noise)
    return sorted(told, key=lambda one: one.row), failed, under


def _of_module(name: str, bench: Bench) -> list[Comparison]:
    _say(f"{name}: measuring…")
    began = time.perf_counter()
    told: list[Comparison] = import_module(f"benchmarks.rows.{name}").measure(bench)
    _say(f"{name}: {time.perf_counter() - began:.0f} s")
    return [one for one in told if one.row in bench.rows]


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if Path.cwd() != ROOT:
        sys.exit(f"to be run in {ROOT}, because it uses the tests' PostgreSQL and rules")
    sys.exit(main(sys.argv[1:]))
