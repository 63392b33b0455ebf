"""The benchmarks are kept alive: every row runs at a tiny size, without peers and without a log.

Nothing here judges a time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measure import Comparison, Peers, Sample, in_turn
from benchmarks.rows import MODULES
from benchmarks.table import number, table

CHECKOUT = Path(__file__).parents[2]
MAY_BE_NOTHING = "% of a core"
"""The system counts a processor's time in hundredths of a second."""

pytestmark = pytest.mark.slow


def test_every_module_of_rows_is_named_and_every_row_is_measured() -> None:
    folder = CHECKOUT / "benchmarks" / "rows"
    written = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert written == set(MODULES)
    assert sorted(row for rows in MODULES.values() for row in rows) == list(range(1, 13))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_row_runs_at_a_tiny_size(
    module: str, tmp_path: Path, bare_environment: dict[str, str]
) -> None:
    rows = MODULES[module]
    told = smoke(rows, tmp_path / "told.json", bare_environment)
    assert {each["row"] for each in told} == set(rows)
    for each in told:
        for sample in (each["ours"], *each["others"]):
            least = 0 if sample["unit"] == MAY_BE_NOTHING else sys.float_info.min
            assert sample["values"], each
            assert min(sample["values"]) >= least, each
        assert each["is_met"] is None, "a tiny size says nothing about a target"


def smoke(rows: tuple[int, ...], file: Path, environment: dict[str, str]) -> list[dict[str, Any]]:
    """What the command writes of some rows."""
    asked = ("--rows", ",".join(map(str, rows)), "--json", str(file))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--smoke", "--without-peers", *asked],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["machine"]["noise_seconds"]
    told: list[dict[str, Any]] = written["rows"]
    return told


def test_what_is_compared_is_timed_forwards_and_backwards_in_turn() -> None:
    asked: list[str] = []

    def timed(name: str) -> float:
        asked.append(name)
        return float(len(asked))

    told = in_turn(3, {"a": lambda: timed("a"), "b": lambda: timed("b")})
    assert asked == ["a", "b", "b", "a", "a", "b"]
    assert told == {"a": [1.0, 4.0, 5.0], "b": [2.0, 3.0, 6.0]}


def test_the_table_says_what_was_missed_and_fits_a_hundred_columns() -> None:
    missed = Comparison(
        row=1,
        work="take in a log that has a long name indeed",
        ours=Sample("monitor", "s", (0.0031, 0.003, 0.0042)),
        others=(Sample("script", "s", (0.002,)), Sample("raw inserts", "s", (0.001,))),
        ratio=1.55,
        ratio_says="times the script",
        target="≤1.5",
        is_met=False,
        note="said once",
    )
    printed = table([missed, missed])
    assert "3.1 ms (3 to 4.2)" in printed
    assert "1.55 times the" in printed
    assert "≤1.5: MISSED" in printed
    assert printed.count("said once") == 1
    assert max(map(len, printed.splitlines())) <= 100


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (12.345, "s", "12.3 s"),
        (0.0000021, "s", "2.1 µs"),
        (0.0000000042, "s", "4.2 ns"),
        (0.0, "s", "0 ns"),
        (561470, "rows/s", "561,470 rows/s"),
        (0.25, "% of a core", "0.25 % of a core"),
    ],
)
def test_figures_are_said_to_three_places(value: float, unit: str, said: str) -> None:
    assert number(value, unit) == said


def test_without_their_environment_there_are_no_peers(tmp_path: Path) -> None:
    assert not Peers(tmp_path / "python").is_ready
