"""The data-quality statement: what the figures of the pack cannot know, and how much of it.

What comes in: what was asked. What goes out: a section: feeds and their silences, what could not be
judged, rows set aside, columns dropped, conflicts, files refused or undone, clocks measured anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from monitor.clocks.verdicts import verdict
from monitor.cycle.lists import trusted_until
from monitor.model import HOUR, Clock, ClockKey, Verdict
from monitor.report.evidence import Column, Section, Table
from monitor.report.trust import FeedHours, FeedState, Silence, feed_hours
from monitor.store import evidence as stored
from monitor.store import figures as counted
from monitor.store import intakes
from monitor.words import count

if TYPE_CHECKING:
    from monitor.cycle.evidence.asked import Asked


def section(asked: Asked) -> Section:
    """Data quality."""
    heard = _heard(asked)
    return Section(
        name="data-quality",
        title="Data quality: what these figures cannot know",
        paragraphs=(
            (
                "What a feed did not say cannot be told from what did not happen. While a feed"
                " with a timetable was silent, a duty that it would show as done is counted as"
                " unknown, never as in time. Rows that could not be read were set aside and not"
                " guessed at; what no mapping declares was dropped before it was stored, and"
                " counted."
            ),
            *_received_after(asked),
        ),
        tables=(
            _feeds(heard),
            _silences(heard),
            _unknown(asked),
            _taken_in(asked),
            _set_aside(asked),
            _refused(asked),
            _restated(asked),
        ),
    )


def _received_after(asked: Asked) -> Iterator[str]:
    """Where history was loaded later, what came with it is in no table of the period."""
    late = stored.events_received_after(asked.connection, since=asked.since, until=asked.until)
    if late:
        yield (
            f"{count(late, 'event')} that happened in the period {'was' if late == 1 else 'were'}"
            " received after it. The tables on files and rows go by when they were received: what"
            " came in, or was set aside, after the period is not in them."
        )


def _heard(asked: Asked) -> tuple[FeedHours, ...]:
    states = [FeedState(**row) for row in counted.feeds_heard(asked.connection)]
    silences = [
        Silence(row["feed"], row["silent_from"], row["silent_to"])
        for row in intakes.list_gaps(asked.connection, since=asked.since, until=asked.until)
    ]
    return feed_hours(states, silences, since=asked.since, until=asked.until)


def _feeds(heard: tuple[FeedHours, ...]) -> Table:
    rows = [
        (
            each.state.feed,
            each.state.has_timetable,
            round(each.period / HOUR, 1),
            round(each.heard / HOUR, 1),
            each.heard / each.period,
            len(each.silences),
            each.silent_at_end,
        )
        for each in heard
    ]
    return Table(
        name="feeds",
        title="How long each feed was heard",
        columns=(
            Column("feed", "Feed"),
            Column("has_timetable", "Its silence would be noticed", "flag"),
            Column("hours", "Hours of the period", "number"),
            Column("heard_hours", "Hours heard", "number"),
            Column("heard_share", "Share heard", "share"),
            Column("silences", "Silences", "number"),
            Column("silent_at_end", "Silent at the end", "flag"),
        ),
        rows=rows,
        note="Before it was first heard a feed counts as silent. A silence counts though it was"
        " caught up afterwards; then it leaves nothing unknown. Where a feed that was heard has no"
        " timetable its silence cannot be noticed, and all of its hours count as heard.",
    )


def _silences(heard: tuple[FeedHours, ...]) -> Table:
    rows = [
        (each.state.feed, start, end, round((end - start) / HOUR, 1))
        for each in heard
        for start, end in each.silences
    ]
    return Table(
        name="feed-gaps",
        title="Silences of feeds",
        columns=(
            Column("feed", "Feed"),
            Column("silent_from", "From", "instant"),
            Column("silent_to", "To", "instant"),
            Column("hours", "Hours", "number"),
        ),
        rows=rows,
    )


# -- what cannot be judged --------------------------------------------------------------------

_NEEDED = (
    *("rule", "rule_version", "started_at", "due_at", "due_unknown", "stopped_at", "exempt_at"),
    *("void_at", "superseded_at", "breached_at", "confirm_by", "partner"),
)


def _unknown(asked: Asked) -> Table:
    """Duties of the period that are unknown at its end, by rule and why."""
    trusted = trusted_until(intakes.list_feeds(asked.connection))
    trial = frozenset(asked.monitor.rulebook.documents.trial)
    found: Counter[tuple[str, str]] = Counter()
    rows = counted.clock_rows(
        asked.connection,
        _NEEDED,
        since=asked.since,
        until=asked.until,
        as_of=asked.judged_at,
        where={},
        with_plain=False,
    )
    for row in rows:
        said = dict(zip(_NEEDED, row, strict=True))
        rule, version = said.pop("rule"), said["rule_version"]
        clock = Clock(key=ClockKey(rule), known_at=said["started_at"], **said)
        is_of_period = clock.due_at is None or asked.since <= clock.due_at < asked.until
        feeds = asked.monitor.rulebook.duty(rule, version).rule.stop_feeds
        says = verdict(clock, now=asked.judged_at, stop_feeds=feeds, trusted_until=trusted)
        if is_of_period and says is Verdict.UNKNOWN and (rule, version) not in trial:
            why = clock.due_unknown or f"not heard: {', '.join(sorted(feeds))}"
            found[rule, why] += 1
    return Table(
        name="unknown",
        title="Duties that cannot be judged at the end of the period",
        columns=(
            Column("rule", "Rule"),
            Column("why", "Why"),
            Column("duties", "Duties", "count"),
        ),
        rows=[(*key, number) for key, number in sorted(found.items())],
        note="Those due in the period, and those still open of which no due time can be computed.",
    )


# -- files and rows ---------------------------------------------------------------------------


def _taken_in(asked: Asked) -> Table:
    span = {"since": asked.since, "until": asked.until}
    dropped = stored.columns_dropped(asked.connection, **span)
    rows = [
        (
            row["feed"],
            *(int(row[name]) for name in _SUMS),
            *dropped.get(row["feed"], (0, 0)),
        )
        for row in stored.files_taken_in(asked.connection, **span)
    ]
    titles = ("Files", "Rows", "Rows set aside", "Events", "Known already", "Amended")
    return Table(
        name="taken-in",
        title="What was taken in, by feed",
        columns=(
            Column("feed", "Feed"),
            *(
                Column(name, title, "number")
                for name, title in zip(_SUMS, (*titles, *_MORE_TITLES), strict=True)
            ),
            Column("columns_dropped", "Undeclared columns, at most in one file", "number"),
            Column("cells_dropped", "Cells of such columns dropped", "number"),
        ),
        rows=rows,
        note="Conflicting: the same event told twice and otherwise, with nothing to say which is"
        " newer; both are kept, and the less favourable reading counts.",
    )


_SUMS = (
    *("files", "rows_read", "rows_set_aside", "events_new", "events_known", "events_amended"),
    *("events_conflicting", "files_set_aside", "files_undone"),
)
_MORE_TITLES = ("Conflicting", "Files set aside whole", "Files undone")


def _set_aside(asked: Asked) -> Table:
    rows = [
        tuple(row)
        for row in stored.rows_set_aside(asked.connection, since=asked.since, until=asked.until)
    ]
    return Table(
        name="quarantine",
        title="Rows set aside in the period, by feed, field and reason",
        columns=(
            Column("feed", "Feed"),
            Column("field", "Field"),
            Column("reason", "Reason"),
            Column("rows", "Rows", "number"),
            Column("open", "Of these not yet mended", "number"),
        ),
        rows=rows,
        note="A row is set aside once, however often it is sent again.",
    )


def _refused(asked: Asked) -> Table:
    return Table(
        name="files-refused",
        title="Files set aside whole, or undone afterwards",
        columns=(
            Column("intake", "Intake", "number"),
            Column("feed", "Feed"),
            Column("state", "What became of it"),
            Column("at", "When it came", "instant"),
        ),
        rows=[
            tuple(row)
            for row in stored.files_refused(asked.connection, since=asked.since, until=asked.until)
        ],
    )


def _restated(asked: Asked) -> Table:
    """Clocks that ended and were measured anew on purpose."""
    found: Counter[tuple[str, str, str]] = Counter()
    for each in stored.restatements(asked.connection, since=asked.since, until=asked.until):
        found[each] += 1
    return Table(
        name="restatements",
        title="Duties that had ended and were measured anew on purpose",
        columns=(
            Column("rule", "Rule"),
            Column("before", "Said before"),
            Column("after", "Says since"),
            Column("duties", "Duties", "count"),
        ),
        rows=[(*key, number) for key, number in sorted(found.items())],
        note="A holiday proclaimed late, or a rule corrected from a date in the past: why, and in"
        " which role, is among the manual actions.",
    )
