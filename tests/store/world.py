"""A small rulebook and plausible events, for tests of what is stored."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import Future
from hashlib import blake2b
from itertools import count
from typing import Any

from sqlalchemy import text

from monitor.assess.assess import assess_cases
from monitor.model import DAY, HOUR, ClockKey, Event, Instant, KeptClock
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.language import Ladder, Rule, Vocabulary, WrittenCalendar
from monitor.store import cases, clocks, intakes
from monitor.store.engine import Connection, Engine, reading, writing

T0: Instant = 1_800_000_000 * 1_000_000
"""15 January 2027, 08:00 UTC."""

KINDS = ("contact", "notice_submitted", "partner_notified", "withdrawn", "note")

VOCABULARY = Vocabulary.model_validate(
    {
        "kinds": {kind: kind.replace("_", " ") for kind in KINDS},
        "partners": {"council": "the council", "health": "the health board"},
        "categories": {"child": "child at risk"},
        "risks": {"standard": "standard", "high": "high"},
        "decisions": {"withheld": "withheld"},
        "stages": [
            {"kind": "contact", "title": "met", "waiting_for": "notice", "holder": "officer"},
            {
                "kind": "notice_submitted",
                "title": "submitted",
                "waiting_for": "triage",
                "holder": "sergeant",
            },
        ],
    }
)

CALENDARS = (
    WrittenCalendar.model_validate(
        {
            "id": "clock-hours",
            "title": "Clock hours",
            "version": 1,
            "zone": "Europe/London",
            "always_open": True,
        }
    ),
)

LADDERS = (
    Ladder.model_validate(
        {
            "id": "usual",
            "title": "The usual ladder",
            "version": 1,
            "rungs": [
                {"at": "1h before due", "tell": "holder"},
                {"at": "when due", "tell": "inspector"},
                {"at": "2h after due", "tell": "superintendent"},
            ],
        }
    ),
)


def rule(rule_id: str = "tell-council", **changes: Any) -> Rule:
    """A rule that tells the council of a contact within four hours, but for what is changed."""
    written = {
        "id": rule_id,
        "title": f"The duty {rule_id}",
        "version": 1,
        "effective": {"from": dt.date(2000, 1, 1)},
        "authority": {
            "class": "local assumption",
            "citation": "made up for tests",
            "review_due": dt.date(2099, 1, 1),
        },
        "alerts": "on",
        "partner": "council",
        "start": [{"kind": "contact"}],
        "stop": [{"kind": "partner_notified", "partner": "council"}],
        "void": [{"kind": "withdrawn"}],
        "threshold": "4h",
        "ladder": "usual",
    }
    return Rule.model_validate(written | changes)


def documents(*rules: Rule) -> Documents:
    """Documents of these rules, or of three that count by case, by child and by notice."""
    usual = (
        rule(),
        rule(
            "tell-health",
            partner="health",
            for_each=["child"],
            stop=[{"kind": "partner_notified", "partner": "health"}],
            threshold="24h",
        ),
        rule(
            "submit-notice",
            partner="",
            subject="notice submitted",
            stop=[{"kind": "notice_submitted"}],
            threshold="2h",
        ),
    )
    return Documents(
        rules=rules or usual, ladders=LADDERS, calendars=CALENDARS, vocabulary=VOCABULARY
    )


def rulebook(*rules: Rule) -> Rulebook:
    """The rulebook of those documents."""
    return build_rulebook(documents(*rules))


def told(
    reference: str,
    kind: str = "contact",
    at: Instant = T0,
    *,
    identity: bytes | None = None,
    **fields: Any,
) -> Event:
    """An event of the feed `desk`; without an identity, its content is its identity."""
    feed = fields.pop("feed", "desk")
    received_at = fields.pop("received_at", at + HOUR)
    said = (feed, reference, kind, at, sorted(fields.items()))
    content = blake2b(repr(said).encode(), digest_size=16).digest()
    return Event(
        feed=feed,
        identity=b"%d:" % at + content if identity is None else identity,
        revision=fields.pop("revision", 0),
        content=content,
        reference=reference,
        kind=kind,
        occurred_from=at,
        occurred_to=fields.pop("occurred_to", at),
        recorded_at=fields.pop("recorded_at", None),
        received_at=received_at,
        **fields,
    )


def days(number: float) -> int:
    """So many days as a duration."""
    return int(number * DAY)


_files = count(1)


def new_intake(connection: Connection, *, feed: str = "desk", now: Instant = T0) -> int:
    """An intake of a file that nobody has seen before."""
    intake = intakes.open_intake(
        connection,
        feed_name=feed,
        file_name="extract.csv",
        file_digest=b"file %d" % next(_files),
        mapping_digest="mapping",
        now=now,
    )
    return intake.id


def take_in(
    engine: Engine,
    *events: Event,
    book: Rulebook | None = None,
    is_snapshot: bool = False,
    intake_id: int | None = None,
    now: Instant = T0,
) -> cases.Appended:
    """Store events of one feed as a batch of an intake, and assess what changed, as intake does."""
    with writing(engine) as connection:
        if intake_id is None:
            intake_id = new_intake(connection, feed=events[0].feed, now=now)
        batch_id = intakes.open_batch(connection, intake_id, received_at=now)
        references = {event.reference for event in events}
        references |= {event.links for event in events if event.links}
        locked = cases.lock_cases(connection, references)
        appended = cases.append_events(
            connection,
            [(event, line) for line, event in enumerate(events, start=2)],
            cases=locked,
            batch_id=batch_id,
            is_snapshot=is_snapshot,
        )
        if book is not None:
            assess_cases(
                connection,
                appended.changed_cases,
                book,
                tolerances=intakes.tolerances(connection),
                now=now,
                whole=appended.whole,
            )
        intakes.number_batch(connection, batch_id)
    return appended


def case_id(engine: Engine, reference: str) -> int:
    """The case of a reference."""
    with reading(engine) as connection:
        return cases.known_ids(connection, [reference])[reference]


def kept(engine: Engine, reference: str) -> dict[ClockKey, KeptClock]:
    """The clocks kept of one reference's own case."""
    with reading(engine) as connection:
        ids = cases.known_ids(connection, [reference])
        return {each.clock.key: each for each in clocks.clocks_of(connection, ids.values())}


def until_it_waits(engine: Engine, other: Future[Any]) -> None:
    """Return when another's transaction waits for a lock, or is over without having waited."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not other.done() and not connection.execute(asked).scalar_one():
            pass


def known_of(engine: Engine) -> dict[str, int]:
    """How many rows the main tables have."""
    with reading(engine) as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
            for name in ("case_", "event", "clock")
        }
