"""Daemons killed at every named step and at random instants; nothing may come out otherwise.

`python -m tests.faults.campaign --databases sqlite,postgresql --nodes 1,2 --named --kills 50`
prints a table, writes what was found as JSON where it is asked to, and ends with 1 if any run
differs from an unbroken one in more than times. docs/faults.md says what is checked.
"""

# ruff: noqa: T201
# It is a program: what it found, it prints.

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from tests.faults import made
from tests.faults.plan import Lived, Plan
from tests.faults.plants import PLANTS
from tests.faults.run import Run
from tests.faults.state import State, differences, state_of
from tests.faults.steps import ANSWERED, HANDED_OVER
from tests.postgres import PostgresServer, postgres_folder, running_server

KILLS_A_RUN: Final = 5
"""Random kills are spread over runs, so many in each."""

TAKEN: Final = f"{ANSWERED} Accepted"
WINDOWS: Final = ("accepted and not recorded", "after a lapsed lease")


@dataclass(frozen=True)
class Place:
    """Where runs are made: what they copy, and the server for those on PostgreSQL."""

    folder: Path
    made: Path
    server: PostgresServer | None


@dataclass(frozen=True)
class Unbroken:
    """What an unbroken run of one database and number of nodes came to."""

    state: State
    steps: Counter[str]
    written: dict[str, set[str]]
    lasted: tuple[float, ...]


@dataclass
class Outcome:
    """What became of one run that was broken."""

    database: str
    nodes: int
    kind: str
    """`step`, `ending`, `answer`, `suspended` or `random`."""
    point: str
    reached: bool
    kills: int
    found: list[str] = field(default_factory=list)
    """Everything that may not be."""
    repeats: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    """Turns that failed and were made good: no loss, and still to be looked at."""
    seconds: float = 0
    folder: str = ""


def lived_in(place: Place, database: str, plan: Plan, name: str) -> tuple[Lived, State, list[str]]:
    """One run and the state that it left; (run, state, steps of the process that acted)."""
    with made.database(database, place.server, place.made) as url:
        lived = Run(place.made, place.folder / name, url, plan).live()
        return lived, state_of(lived), _steps_of_who_acted(lived)


def _steps_of_who_acted(lived: Lived) -> list[str]:
    """What a process came to after it had done what was ordered."""
    acted = lived.folder / "acted"
    if not acted.exists():
        return []
    _, pid, step = acted.read_text("utf-8").split("\t")
    lines = [line.split("\t") for line in (lived.folder / "trace").read_text("utf-8").splitlines()]
    own = [line[2] for line in lines if line[1] == pid]
    times = lived.plan.times
    places = [place for place, name in enumerate(own) if name == step]
    return own[places[min(times, len(places)) - 1] + 1 :]


def unbroken(place: Place, database: str, nodes: int, name: str) -> Unbroken:
    """The run that all others are compared with; raises where it is not in order itself."""
    lived, state, _ = lived_in(place, database, Plan(nodes=nodes), name)
    if state.wrong or lived.stuck:
        msg = f"an unbroken run on {database} is not in order: {state.wrong}"
        raise AssertionError(msg)
    return Unbroken(state, Counter(lived.steps), lived.written, tuple(lived.lasted))


# -- points -----------------------------------------------------------------------------------


def named_points(known: Unbroken, nodes: int, *, seed: int) -> Iterator[tuple[str, Plan]]:
    """A run for every step that an unbroken one came to, killed at one of its occurrences."""
    chance = random.Random(f"{seed} {nodes}")
    for step, count in known.steps.items():
        times = chance.randint(1, max(1, count // nodes))
        yield "step", Plan(nodes=nodes, step=step, times=times, act="kill")
    mails = known.steps[TAKEN]
    for act in ("hang up", "kill at answer"):
        yield "answer", Plan(nodes=nodes, times=chance.randint(1, mails), act=act)


def ending_points(
    place: Place, database: str, known: Unbroken, nodes: int
) -> Iterator[tuple[str, Plan]]:
    """Killed at every step that a process still makes after it was asked to end."""
    for number, asked_at in enumerate((batch_stored(known), HANDED_OVER)):
        plan = Plan(nodes=nodes, step=asked_at, times=2, act="terminate")
        _, _, left = lived_in(place, database, plan, f"ending-{database}-{nodes}-{number}")
        for after in range(1, len(left) + 1):
            yield "ending", replace(plan, kill_after_terminate=after)


def suspended_points(known: Unbroken, nodes: int) -> Iterator[tuple[str, Plan]]:
    """Stood still, as a suspended machine does, until its leases had lapsed; then gone on."""
    for step in (HANDED_OVER, TAKEN, batch_stored(known)):
        for times in (1, 2, 3):
            yield "suspended", Plan(nodes=nodes, step=step, times=times, act="stop")


def batch_stored(known: Unbroken) -> str:
    """The step after the commit of a batch of events."""
    return next(
        step
        for step, tables in known.written.items()
        if step.startswith("after") and {"batch", "event"} <= tables
    )


def random_points(
    known: Unbroken, nodes: int, *, kills: int, seed: int
) -> Iterator[tuple[str, Plan]]:
    """Killed at instants that nobody chose."""
    number = 0
    while kills > 0:
        number += 1
        now = min(kills, KILLS_A_RUN)
        kills -= now
        yield (
            "random",
            Plan(nodes=nodes, random_kills=now, seed=seed * 1000 + number, lasts=known.lasted),
        )


# -- trying -----------------------------------------------------------------------------------


def attempt(
    place: Place, database: str, kind: str, plan: Plan, expected: State, name: str
) -> Outcome:
    """Break one run, and compare what it came to; a step that is missed is tried once more."""
    lived, state, _ = lived_in(place, database, plan, name)
    if not lived.reached and plan.times > 1:
        shutil.rmtree(lived.folder)
        plan = replace(plan, times=1)
        lived, state, _ = lived_in(place, database, plan, name)
    found = [*state.wrong, *differences(expected, state)]
    if not found:
        shutil.rmtree(lived.folder)
    return Outcome(
        database=database,
        nodes=plan.nodes,
        kind=kind,
        point=str(plan),
        reached=lived.reached,
        kills=len(lived.ended),
        found=found,
        repeats=dict(state.repeats),
        complaints=[line[:2000] for line in lived.complaints],
        seconds=lived.seconds,
        folder=str(lived.folder) if found else "",
    )


@dataclass(frozen=True)
class Wanted:
    """What a campaign is to try."""

    databases: Sequence[str]
    nodes: Sequence[int]
    named: bool
    kills: int
    seed: int
    plant: str = ""
    only: str = ""
    workers: int = 2
    json: Path | None = None
    """Where everything is written that was found so far."""


def campaign(wanted: Wanted, folder: Path, server: PostgresServer | None = None) -> list[Outcome]:
    """Try everything that is wanted; tells of each run that came out otherwise."""
    with ExitStack() as held:
        if server is None and "postgresql" in wanted.databases:
            server = running_server(held.enter_context(postgres_folder()))
        place = Place(folder, made.make(folder), server)
        pool = held.enter_context(ThreadPoolExecutor(wanted.workers))
        outcomes: list[Outcome] = []
        for database in wanted.databases:
            known = _all_unbroken(pool, place, database, wanted.nodes)
            expected = next(iter(known.values())).state
            for nodes, one in known.items():
                if unlike := differences(expected, one.state):
                    msg = f"unbroken runs of {nodes} nodes differ on {database}: {unlike[:5]}"
                    raise AssertionError(msg)
                points = [
                    (kind, replace(plan, plant=wanted.plant))
                    for kind, plan in _points(place, database, nodes, one, wanted)
                    if re.search(wanted.only, f"{kind} {plan}")
                ]
                for outcome in _try_all(pool, place, database, points, expected):
                    outcomes.append(outcome)
                    if wanted.json:
                        told = [asdict(each) for each in outcomes]
                        wanted.json.write_text(json.dumps(told, indent=1), "utf-8")
        return outcomes


def _all_unbroken(
    pool: ThreadPoolExecutor, place: Place, database: str, nodes: Sequence[int]
) -> dict[int, Unbroken]:
    """Number of nodes → the run that nobody broke."""
    begun = {
        each: pool.submit(unbroken, place, database, each, f"unbroken-{database}-{each}")
        for each in nodes
    }
    return {each: one.result() for each, one in begun.items()}


def _points(
    place: Place, database: str, nodes: int, known: Unbroken, wanted: Wanted
) -> Iterator[tuple[str, Plan]]:
    if wanted.named:
        yield from named_points(known, nodes, seed=wanted.seed)
        if re.search(wanted.only, "ending"):
            yield from ending_points(place, database, known, nodes)
        # Who stands still on SQLite may hold the one lock that there is: nobody can take over.
        if nodes > 1 and database != "sqlite":
            yield from suspended_points(known, nodes)
    share = wanted.kills // (len(wanted.databases) * len(wanted.nodes))
    yield from random_points(known, nodes, kills=share, seed=wanted.seed)


def _try_all(
    pool: ThreadPoolExecutor,
    place: Place,
    database: str,
    points: Sequence[tuple[str, Plan]],
    expected: State,
) -> Iterator[Outcome]:
    """Each as it is done; says at once what came out otherwise."""
    begun = {
        pool.submit(
            attempt, place, database, kind, plan, expected, f"{database}-{plan.nodes}-{number}"
        ): plan
        for number, (kind, plan) in enumerate(points)
    }
    for done in as_completed(begun):
        outcome = done.result()
        if outcome.found:
            print(f"RED {outcome.database}, {outcome.nodes} nodes: {outcome.point}")
            print(f"    {outcome.folder}")
            for found in outcome.found[:6]:
                print(f"    {found[:400]}")
            sys.stdout.flush()
        yield outcome


# -- telling ----------------------------------------------------------------------------------


def table(outcomes: Sequence[Outcome]) -> str:
    """The figures, a line for each database, number of nodes and way of breaking a run."""
    head = (
        *("database", "nodes", "broken by", "points", "not reached", "deaths", "runs not alike"),
        *(f"repeats {window}" for window in WINDOWS),
        *("turns that failed", "seconds"),
    )
    groups: dict[tuple[str, int, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.database, outcome.nodes, outcome.kind), []).append(outcome)
    rows = [head]
    for (database, nodes, kind), group in groups.items():
        rows.append(
            (
                *(database, str(nodes), kind, str(len(group))),
                str(sum(not one.reached for one in group)),
                str(sum(one.kills for one in group)),
                str(sum(bool(one.found) for one in group)),
                *(str(sum(one.repeats.get(window, 0) for one in group)) for window in WINDOWS),
                str(sum(len(one.complaints) for one in group)),
                f"{sum(one.seconds for one in group):.0f}",
            )
        )
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join((lines[0], "|" + "---|" * len(head), *lines[1:]))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.campaign", description=__doc__)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--nodes", default="1,2")
    parser.add_argument("--named", action="store_true", help="kill at every named step")
    parser.add_argument("--kills", type=int, default=0, help="kills at random instants, in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plant", default="", choices=("", *PLANTS), help="a fault on purpose")
    parser.add_argument("--only", default="", help="points whose name matches")
    parser.add_argument("--workers", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--json", type=Path, default=None, help="file for all that was found")
    parser.add_argument("--keep", type=Path, default=None, help="folder for the runs")
    given = parser.parse_args(arguments)
    wanted = Wanted(
        databases=given.databases.split(","),
        nodes=[int(each) for each in given.nodes.split(",")],
        named=given.named,
        kills=given.kills,
        seed=given.seed,
        plant=given.plant,
        only=given.only,
        workers=given.workers,
        json=given.json,
    )
    began = time.monotonic()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="monitor-faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = campaign(wanted, folder)
    print(table(outcomes))
    for step in sorted({one.point for one in outcomes if not one.reached}):
        print(f"not reached: {step}")
    red = any(outcome.found for outcome in outcomes)
    print(f"{len(outcomes)} runs in {time.monotonic() - began:.0f} s, seed {wanted.seed}")
    print("RED" if red else "nothing lost, nothing told twice outside the stated windows")
    if not red and not given.keep:
        shutil.rmtree(folder)
    return int(red)


if __name__ == "__main__":
    sys.exit(main())
