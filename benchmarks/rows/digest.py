"""Row 9: the digest of a year of a large force, and of a nation; DuckDB counts the same beside it.

Clocks of twenty rules that fell due over a year, one in twenty-five of them open, exempt or void,
written into the store as rows. Ours is everything that a digest counts, read from the store; the
peer counts most of it from Parquet. What both count is compared.
"""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.measure import Bench, Comparison, Sample, timed
from monitor.model import DAY, HOUR
from monitor.report.cohort import RECORDED_LATE_AFTER
from monitor.report.figures import figures
from monitor.report.plain import SEPARATOR, Group, plain_duties
from monitor.report.row import ClockRow
from monitor.store import figures as stored
from monitor.store.engine import open_engine, reading
from monitor.store.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from monitor.report.figures import Figures

_BEGINS: Final = 1_767_225_600_000_000
_PERIOD: Final = {"since": _BEGINS, "until": _BEGINS + 365 * DAY, "as_of": _BEGINS + 365 * DAY}
_CASE_OF: Final = 3
PLAIN: Final[dict[str, Any]] = {
    "recorded_late_after": RECORDED_LATE_AFTER,
    "group": Group._fields,
    "separator": SEPARATOR,
}


def measure(bench: Bench) -> list[Comparison]:
    sizes = (("a force", 2_000, 1.0), ("a nation", 6_000, 20.0))
    if not bench.is_smoke:
        sizes = (("a force", 200_000, 1.0), ("a nation", 10_000_000, 20.0))
    return [_digest(bench, name, clocks, most) for name, clocks, most in sizes]


def _digest(bench: Bench, name: str, clocks: int, most: float) -> Comparison:
    folder = bench.folder / name.replace(" ", "-")
    folder.mkdir()
    file = folder / "monitor.db"
    engine = open_engine(f"sqlite:///{file}")
    metadata.create_all(engine)
    fill(file, clocks)
    counted = partial(_figures, engine)
    seconds = tuple(timed(counted) for _ in range(bench.repeats))
    told = _by_duckdb(bench, file, folder)
    wrong = list(_different(counted(), told["total"])) if told else []
    engine.dispose()
    file.unlink()
    ours = Sample("ours", "s", seconds)
    others = (Sample("DuckDB", "s", tuple(told["seconds"])),) if told else ()
    return Comparison(
        row=9,
        work=f"digest of a year of {name}, {clocks:,} clocks",
        ours=ours,
        others=others,
        ratio=ours.median / others[0].median if others else None,
        ratio_says="times DuckDB",
        target=f"≤{most:g} s",
        is_met=None if bench.is_smoke else ours.median <= most,
        note=f"not the same: {', '.join(wrong)}" if wrong else "",
    )


def _figures(engine: Engine) -> Figures:
    """As the weekly digest has them, of a longer period."""
    asked_of_figures: dict[str, Any] = dict(_PERIOD)
    asked = asked_of_figures | {"where": {}}
    with reading(engine) as connection:
        rows = stored.clock_rows(connection, ClockRow._fields, **asked, with_plain=False)
        plain = stored.plain_rows(connection, **asked, **PLAIN)
        return figures(map(ClockRow._make, rows), **asked_of_figures, plain=plain_duties(plain))


def _by_duckdb(bench: Bench, file: Path, folder: Path) -> dict[str, Any]:
    if not bench.peers.is_ready:
        return {}
    return bench.peers.run("digest.py", file, *_PERIOD.values(), folder, bench.repeats)


def _different(ours: Figures, theirs: dict[str, int]) -> list[str]:
    total = ours.total
    told = {
        "met": total.met,
        "late": total.late,
        "open_late": total.open_late,
        "recorded": total.recorded,
        "recorded_late": total.recorded_late,
        "median": total.span.median,
        "ninetieth": total.span.ninetieth,
        "longest": total.span.longest,
    }
    return [name for name, value in told.items() if value != theirs[name]]


def fill(file: Path, clocks: int) -> None:
    """Write clocks into an empty store, three to a case, in order of their cases."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.executescript("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF")
    made = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'clock' AND sql <> ''"
    indexes = [sql for (sql,) in connection.execute(made)]
    for sql in indexes:
        connection.execute(f"DROP INDEX {sql.split()[2]}")
    cases = clocks // _CASE_OF + 1
    connection.execute("BEGIN")
    connection.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        " INSERT INTO case_ (id, reference) SELECT i, printf('PPN-2026-%08d', i) FROM n",
        (cases,),
    )
    connection.execute(_CLOCKS, {"last": clocks - 1, "step": 350 * DAY // cases, **_LENGTHS})
    for sql in indexes:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.close()


_LENGTHS: Final = {"begins": _BEGINS, "hour": HOUR, "limit": DAY}
# Three numbers without order for each clock; SQLite's own would be other ones each time.
_CLOCKS: Final = f"""
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :last),
drawn AS (
  SELECT i, i % 20 AS duty, (i + 7) * 2654435761 % 4294967291 AS a,
    (i + 13) * 2246822519 % 4294967279 AS b, (i + 29) * 3266489917 % 4294967231 AS c FROM n
), lasting AS (
  SELECT i, duty, a, c, :begins + i / {_CASE_OF} * :step + b % :hour AS started_at,
    CASE WHEN a / 1000 % 1000 < 15 THEN 'open' WHEN a / 1000 % 1000 < 27 THEN 'exempt'
      WHEN a / 1000 % 1000 < 40 THEN 'void' ELSE 'stopped' END AS ended,
    CASE WHEN c % 100 < 6 THEN :limit + b * 100 % (200 * :hour) ELSE b * 30 % :limit END AS took
  FROM drawn
)
INSERT INTO clock (case_id, rule, child, organisation, start, rule_version, started_at, due_at,
  stopped_at, exempt_at, void_at, breached_at, known_at, stop_known_at, stop_recorded_at, stage,
  stage_at, partner, district, unit, category, risk, reason_code)
SELECT i / {_CASE_OF} + 1, 'rule-of-a-duty-' || printf('%02d', duty), '', '', '', 1, started_at,
  started_at + :limit,
  CASE WHEN ended = 'stopped' THEN started_at + took END,
  CASE WHEN ended = 'exempt' THEN started_at + :hour END,
  CASE WHEN ended = 'void' THEN started_at + :hour END,
  CASE WHEN ended = 'stopped' AND took > :limit THEN started_at + :limit END,
  started_at, CASE WHEN ended = 'stopped' THEN started_at + took END,
  CASE WHEN ended = 'stopped' AND a % 3 = 0 THEN started_at + took + c * 40 % (30 * :hour) END,
  'notice_supervised', started_at,
  CASE duty % 5 WHEN 0 THEN 'council' WHEN 1 THEN 'health' WHEN 2 THEN 'school'
    WHEN 3 THEN 'probation' ELSE '' END,
  'district ' || duty % 7, 'unit ' || a % 11, 'child_at_risk',
  CASE a % 3 WHEN 0 THEN 'high' WHEN 1 THEN 'medium' ELSE 'standard' END, ''
FROM lasting
"""
