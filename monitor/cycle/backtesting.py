"""The stored history under another rulebook, on all cores.

What comes in: a database, two rulebooks and a period. What goes out: a tally of what every clock
says under each, and all that would have been told. Nothing is written. Cases are read in spans of
their ids by processes of their own, so that a million of them are minutes of work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from monitor.clocks.columns import Histories, histories_from
from monitor.escalate.roster import Roster
from monitor.memory import rare_collections
from monitor.replay.backtest import Backtest, Tally
from monitor.rulebook.book import Documents, build_rulebook
from monitor.store import cases, histories, intakes
from monitor.store.engine import Connection, Engine, open_engine, reading

if TYPE_CHECKING:
    from monitor.escalate.roster import RosterFile
    from monitor.model import Duration, Instant

SPAN: Final = 10_000
"""Cases read at once: enough to be worked on by column, and few enough to fit in memory."""

Progress = Callable[[int, int], None]
"""Told after each span: spans done, spans in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be tried; goes to every process."""

    database_url: str
    before: Documents
    after: Documents
    roster: RosterFile
    since: Instant
    until: Instant
    telling: bool = True
    """Whether it is asked who would have been told, too."""


@dataclass(slots=True)
class Tried:
    """What it came to, and what it took."""

    tally: Tally = field(default_factory=Tally)
    telling: bool = True
    """Whether it was asked who would have been told."""
    events: int = 0
    reading_seconds: float = 0
    """Over all processes."""
    computing_seconds: float = 0
    seconds: float = 0
    """From the beginning to the end."""

    def add(self, other: Tried) -> None:
        """Take in what another process came to."""
        self.tally.add(other.tally)
        self.events += other.events
        self.reading_seconds += other.reading_seconds
        self.computing_seconds += other.computing_seconds


def backtest(asked: Asked, *, workers: int, progress: Progress | None = None) -> Tried:
    """Try every case that has an event in the period; `workers`: how many processes.

    Raises what the database raises.
    """
    began = time.perf_counter()
    engine = open_engine(asked.database_url, must_exist=True)
    try:
        with reading(engine) as connection:
            first, last = histories.first_and_last_case(connection)
    finally:
        engine.dispose()
    spans = [(begin, min(begin + SPAN, last + 1)) for begin in range(first, last + 1, SPAN)]
    tried = Tried(telling=asked.telling)
    for number, part in enumerate(_in_processes(asked, spans, workers), start=1):
        tried.add(part)
        if progress:
            progress(number, len(spans))
    tried.seconds = time.perf_counter() - began
    return tried


def _in_processes(asked: Asked, spans: list[tuple[int, int]], workers: int) -> Iterator[Tried]:
    if workers <= 1 or len(spans) <= 1:
        worker = _Worker(asked)
        yield from (worker.try_span(*span) for span in spans)
        worker.engine.dispose()
        return
    # Spawned, for a forked process would share the database's connections.
    with ProcessPoolExecutor(
        min(workers, len(spans)),
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(asked,),
    ) as pool:
        begun = [pool.submit(_try_span, *span) for span in spans]
        for done in as_completed(begun):
            yield done.result()


# -- in a process of its own ------------------------------------------------------------------


class _Worker:
    """Reads spans of cases and tries them."""

    def __init__(self, asked: Asked) -> None:
        self.engine: Engine = open_engine(asked.database_url, must_exist=True)
        with reading(self.engine) as connection:
            tolerances: Mapping[str, Duration] = intakes.tolerances(connection)
        calendars = build_rulebook(asked.before).calendars
        self._backtest = Backtest(
            asked.before,
            asked.after,
            Roster.of(asked.roster, calendars),
            tolerances,
            since=asked.since,
            until=asked.until,
            telling=asked.telling,
        )
        self._period = {"since": asked.since, "until": asked.until}

    def try_span(self, begin: int, end: int) -> Tried:
        """Cases from one id on and before another.

        Linked ones with the first of them that has an event in the period: once. Most cases are
        tried together; those in which something must be weighed, or somebody would be told, are
        read again and lived through one by one.
        """
        tried = Tried()
        began = time.perf_counter()
        with rare_collections(), reading(self.engine) as connection:
            alone, linked = self._cases(connection, begin, end)
            found, events = self._read_together(connection, alone)
            read = time.perf_counter()

            def named(places: Sequence[int]) -> list[str]:
                return _named(connection, [alone[place] for place in places])

            left = self._backtest.try_together(found, named, tried.tally)
            tried_until = time.perf_counter()
            groups = [*([alone[place]] for place in left), *linked]
            weighed = cases.events_of(connection, [each for group in groups for each in group])
        tried.events = events + sum(len(weighed[each]) for group in linked for each in group)
        tried.reading_seconds = read - began + time.perf_counter() - tried_until
        for group in groups:
            self._backtest.try_case([e for each in group for e in weighed[each]], tried.tally)
        tried.computing_seconds = time.perf_counter() - began - tried.reading_seconds
        return tried

    def _read_together(self, connection: Connection, alone: Sequence[int]) -> tuple[Histories, int]:
        """The histories of some cases, in their order, and how many events these are."""
        columns = histories.events_by_column(connection, alone, asked=self._backtest.asked)
        weighed = histories.to_be_weighed(connection, alone)
        case_ids = columns["case_id"]
        found = histories_from(len(alone), _places(case_ids, alone), columns)
        for place, several in enumerate(found.several_children().tolist()):
            if several or alone[place] in weighed:
                found.is_plain[place] = False
        return found, len(case_ids)

    def _cases(
        self, connection: Connection, begin: int, end: int
    ) -> tuple[list[int], list[list[int]]]:
        """Those of a span that stand for themselves, in order, and groups of linked ones."""
        ids = histories.cases_in_period(connection, begin, end, **self._period)
        linked = cases.linked_groups(connection, ids)
        joined = {case_id for group in linked for case_id in group}
        elsewhere = histories.of_these_in_period(connection, joined.difference(ids), **self._period)
        in_period = elsewhere.union(ids)
        groups = [sorted(group) for group in linked if min(group & in_period) >= begin]
        return [case_id for case_id in ids if case_id not in joined], groups


def _named(connection: Connection, case_ids: Sequence[int]) -> list[str]:
    references = cases.references_of(connection, case_ids)
    return [references[case_id] for case_id in case_ids]


def _places(case_ids: Sequence[int], alone: Sequence[int]) -> list[int]:
    place = {case_id: place for place, case_id in enumerate(alone)}
    return list(map(place.__getitem__, case_ids))


_worker: _Worker | None = None


def _begin(asked: Asked) -> None:
    global _worker  # noqa: PLW0603 - a process has one worker, made when it begins
    _worker = _Worker(asked)


def _try_span(begin: int, end: int) -> Tried:
    assert _worker is not None
    return _worker.try_span(begin, end)
