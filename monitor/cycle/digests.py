"""What the digest of one scope and week says: read, counted and worded.

What comes in: an installation, an edition, a week, now. What goes out: a letter, and up to which
number everything was known that it says. It puts nothing into the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.cycle.asked import people_in_words
from monitor.cycle.charting import ALL, busiest, charted_weeks, length_picture, pictures
from monitor.cycle.counting import count as counted
from monitor.cycle.counting import heard, limits, said, way_of_notices
from monitor.cycle.known_then import KnownPoint, known_point, restated
from monitor.report.digest import digest_letter, named_cases
from monitor.report.digest_input import DigestInput
from monitor.report.disclosure import FEWEST, for_outside, for_small_unit, is_safe
from monitor.report.scopes import Scope
from monitor.report.trust import TakenIn
from monitor.report.wording import wording
from monitor.store import figures as stored
from monitor.store import outbox
from monitor.store.engine import Connection, reading
from monitor.words import moment

if TYPE_CHECKING:
    from monitor.cycle.parts import Monitor
    from monitor.letters import DigestLetter, Picture
    from monitor.model import Instant
    from monitor.report.change import ControlChart
    from monitor.report.periods import Week
    from monitor.report.restated import Restated
    from monitor.report.series import Series


_PARTS = 3
"""Charts, figures, pictures: what a digest is made in."""


class Edition(NamedTuple):
    """A digest of a scope, as its readers may have it."""

    scope: Scope
    is_outside: bool = False
    """Its readers are outside the force."""

    def __str__(self) -> str:
        return f"{self.scope} outside" if self.is_outside else str(self.scope)


def digest_of(
    monitor: Monitor,
    edition: Edition,
    week: Week,
    *,
    now: Instant,
    as_known: str = "now",
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[DigestLetter, int]:
    """The digest of a scope and week, and up to which number what it says was known.

    `as_known`: `now`, `then`, or an instant in ISO 8601; ValueError for anything else. Then, what
    is counted of the week and what was open are as they were known; charts, steps and questions,
    which are of many weeks, are as known now, and the letter says so. `progress` is told what is
    being made, how many parts of it are done, and of how many.
    """
    scope, where = edition.scope, edition.scope.columns
    done = count(1)

    def tell() -> None:
        if progress is not None:
            progress(f"digest, {scope.label}", next(done), _PARTS)

    with reading(monitor.engine) as connection:
        known = known_point(monitor, connection, as_known, scope, week, now=now)
        charts = charted_weeks(monitor, connection, week, now=now, where=where)
        tell()
        if edition.is_outside:
            charts = {each: chart for each, chart in charts.items() if is_safe(chart)}
        found = _found(monitor, connection, scope, week, known, charts, now=now)
        tell()
        if edition.is_outside:  # how many were restated can be one case
            found = replace(found, restated=None, is_outside=True)
        letter = replace(digest_letter(found), pictures=_pictures(monitor, charts, found, edition))
    if scope.kind == "unit" and found.completeness.notices < FEWEST:
        letter = for_small_unit(letter)
    return for_outside(letter) if edition.is_outside else letter, known.number


def _pictures(
    monitor: Monitor,
    charts: Mapping[Series, ControlChart],
    found: DigestInput,
    edition: Edition,
) -> tuple[Picture, ...]:
    """The scope's chart, its districts', and how long the duties of its busiest rule took."""
    if edition.is_outside:
        # The chart of the whole alone: its parts, and bars of a few, are no table to be dropped.
        return pictures({each: charts[each] for each in charts if each == ALL}, edition.scope)
    shown = pictures(charts, edition.scope)
    lengths = found.figures.lengths
    rule = busiest(lengths)
    if not rule:
        return shown
    took = length_picture("lengths", rule, lengths[rule], found.wording, monitor.rulebook)
    return shown if took is None else (*shown, took)


def _found(
    monitor: Monitor,
    connection: Connection,
    scope: Scope,
    week: Week,
    known: KnownPoint,
    charts: Mapping[Series, ControlChart],
    *,
    now: Instant,
) -> DigestInput:
    """Everything that the digest is made of."""
    since, until, where = week.first(monitor.zone), week.end(monitor.zone), scope.columns
    titles = {name: feed.title for name, feed in monitor.feeds.items()}
    period: dict[str, Any] = {"since": since, "until": until}
    then = None if known.as_of == now else known
    figures = counted(monitor, connection, **period, now=known.as_of, where=where, then=then)
    way = way_of_notices(monitor, connection, week, now=now, where=where)
    return DigestInput(
        figures=figures,
        scope=scope,
        week=week,
        wording=wording(monitor.rulebook, feeds=titles, told=monitor.settings.digest.told),
        references=stored.references(connection, named_cases(figures)),
        charts={one.partner: chart for one, chart in charts.items() if not one.district},
        steps=way.steps,
        completeness=way.completeness,
        near=limits(monitor, connection, week, now=now, where=where),
        feeds=heard(connection, since=since, until=min(until, known.as_of)),
        taken_in=TakenIn(**stored.taken_in(connection, **period)),
        said=said(connection, **period, where=where),
        restated=_restated(monitor, connection, scope, week.earlier, now=now),
        people=people_in_words(monitor, connection, where, now=now),
        as_known="" if then is None else _said_of(then, monitor),
        zone=monitor.zone,
    )


def _said_of(then: KnownPoint, monitor: Monitor) -> str:
    at = moment(then.as_of, zone=monitor.zone)
    return (
        f"Shares, lengths and what is open are {then.said}, {at}. Charts, steps, what notices"
        " record and questions are as known now."
    )


def _restated(
    monitor: Monitor, connection: Connection, scope: Scope, week: Week, *, now: Instant
) -> Restated | None:
    """What the week before says otherwise than its digest did; None where none was made."""
    made = outbox.digest_made(connection, scope=str(scope), period=str(week))
    if made is None:
        return None
    return restated(
        monitor,
        connection,
        number_then=made.known,
        as_of_then=made.made_at,
        now=now,
        since=week.first(monitor.zone),
        until=week.end(monitor.zone),
        where=scope.columns,
    )
