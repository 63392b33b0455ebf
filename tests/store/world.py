"""A small rulebook and plausible events, for tests of what is stored."""

from __future__ import annotations

import datetime as dt
from hashlib import blake2b
from typing import Any

from monitor.model import DAY, HOUR, Event, Instant
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.language import Ladder, Rule, Vocabulary, WrittenCalendar

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
        rule("tell-health", partner="health", for_each=["child"],
             stop=[{"kind": "partner_notified", "partner": "health"}], threshold="24h"),
        rule("submit-notice", partner="", subject="notice submitted",
             stop=[{"kind": "notice_submitted"}], threshold="2h"),
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
