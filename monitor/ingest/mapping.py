"""A row of a source becomes events, or the reason why it does not.

What comes in: a feed, compiled once; then rows of cells in the order of its declared columns.
What goes out: for each row its events, what was set aside, and (for snapshots) what is cleared.
It does not care where rows come from, nor what is known already.

A fact stands or falls alone: a bad time in one stage's column leaves the row's other facts in. A
field that all of them share takes the whole row out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from monitor.ingest.cells import Unfit, hashed_persons, person_digest, persons
from monitor.ingest.facts import Cells, NoFact, Plan
from monitor.ingest.rejected import Reason, Rejected, presentable, row_digest
from monitor.model import Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from monitor.ingest.feeds import Feed
    from monitor.model import Instant

Row: TypeAlias = tuple[int, Cells] | Rejected
"""A line number with the cells of the row that begins there; or a row that cannot be read."""

SHORTEST_SECRET: Final = 16
LONGEST_SECRET: Final = 64


class MappedRow(NamedTuple):
    """What one row came to.

    Either the row as a whole was set aside, and `rejected` holds that alone; or each fact that the
    feed looks for is counted in exactly one of events, rejected, ignored and unfilled.
    """

    events: list[Event]
    rejected: list[Rejected]
    cleared: list[tuple[bytes, str]]
    """Snapshots only: identity and kind of facts that this row does not hold, or no longer."""
    ignored: int = 0
    """Facts that the feed says are none: a kind mapped to nothing, or a filter not met."""
    unfilled: int = 0
    """Facts whose time is empty: they have not happened yet."""


def compile_mapper(feed: Feed, *, child_secret: bytes) -> Mapper:
    """Make ready to map the rows of a feed; columns are looked up once, here.

    `child_secret` is the installation's own, of 16 to 64 bytes; ValueError where it is not.
    """
    if not SHORTEST_SECRET <= len(child_secret) <= LONGEST_SECRET:
        message = f"the secret for children must have {SHORTEST_SECRET} to {LONGEST_SECRET} bytes"
        raise ValueError(message)
    return Mapper(feed, child_secret)


def map_rows(rows: Iterable[Row], mapper: Mapper, *, received_at: Instant) -> Iterator[MappedRow]:
    """Map what a reader yields; a row that it could not read comes out as set aside."""
    map_row = mapper.map_row
    for row in rows:
        if isinstance(row, Rejected):
            yield MappedRow([], [row], [])
        else:
            yield map_row(row[1], row[0], received_at)


class Mapper:
    """Maps the rows of one feed. Made by `compile_mapper`."""

    def __init__(self, feed: Feed, child_secret: bytes) -> None:
        self.feed = feed
        self.columns = feed.declared_columns
        self._secret = child_secret
        self._clears = feed.mode == "snapshot" and bool(feed.identity_columns)
        self._raw = Plan(feed, secret=child_secret, children=persons(child_secret))
        self._hashed = Plan(feed, secret=child_secret, children=hashed_persons())

    def map_row(self, cells: Cells, line: int, received_at: Instant) -> MappedRow:
        """The facts of one row.

        `received_at` says what lies in the future, and is no part of any identity or content.
        """
        return self._map(self._raw, cells, line, received_at)

    def map_again(self, declared: Mapping[str, str], line: int, received_at: Instant) -> MappedRow:
        """Map what was kept of a row set aside (`Rejected.declared`), its child hashed already.

        Columns that were not kept are taken as empty.
        """
        cells = [declared.get(column, "") for column in self.columns]
        return self._map(self._hashed, cells, line, received_at)

    def _map(self, plan: Plan, cells: Cells, line: int, received_at: Instant) -> MappedRow:
        mapped = MappedRow([], [], [])
        try:
            texts, named = plan.shared(cells)
        except Unfit as unfit:
            mapped.rejected.append(self._rejected(plan, unfit, cells, line))
            return mapped
        latest = received_at + self.feed.future_tolerance
        ignored = unfilled = 0
        for fact in plan.facts:
            try:
                read = fact.read(cells, texts, named, received_at=received_at, latest=latest)
            except Unfit as unfit:
                mapped.rejected.append(self._rejected(plan, unfit, cells, line))
                continue
            if isinstance(read, Event):
                mapped.events.append(read)
                continue
            if read is NoFact.IGNORED:
                ignored += 1
            else:
                unfilled += 1
            if self._clears:
                mapped.cleared.append((fact.identity(named), fact.kind))
        if unfilled == len(plan.facts) and not self._clears:
            mapped.rejected.append(self._rejected(plan, self._no_event(), cells, line))
            return mapped
        return (
            mapped._replace(ignored=ignored, unfilled=unfilled) if ignored or unfilled else mapped
        )

    def _no_event(self) -> Unfit:
        columns = list(dict.fromkeys(source.time for source in self.feed.events))
        unfit = Unfit(Reason.NO_EVENT, f"a time in {' or '.join(columns)}", "nothing")
        return unfit.at(columns[0] if len(columns) == 1 else "")

    def _rejected(self, plan: Plan, unfit: Unfit, cells: Cells, line: int) -> Rejected:
        declared = dict(zip(self.columns, cells, strict=True))
        if plan is self._raw:
            for column in self.feed.child_columns:
                if declared[column].strip():
                    declared[column] = person_digest(declared[column], self._secret)
        kept = presentable(declared)
        texts = (f"{column}={kept[column]}" for column in sorted(kept))
        return Rejected(
            line=line,
            field=unfit.column,
            reason=unfit.reason,
            expected=unfit.expected,
            found=unfit.found,
            declared=kept,
            row_digest=row_digest(self.feed.name, *texts),
        )
