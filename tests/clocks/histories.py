"""Small histories for tests of the clocks: events, rules, rulebooks, and generated ones.

Instants are ISO 8601 text with an offset, or microseconds. Feeds, children and organisations are
bare words. Everything an event is not told stays unsaid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from hypothesis import strategies as st

from monitor.clocks.fold import fold
from monitor.model import HOUR, MINUTE, Clock, Duration, Event, Instant
from monitor.rulebook.book import Documents, Rulebook, build_rulebook
from monitor.rulebook.language import Holidays, Ladder, Rule, Vocabulary, WrittenCalendar
from monitor.worktime.instants import parse_instant

When: TypeAlias = str | Instant

FEED = "occurrence"
TOLERANCES: Mapping[str, Duration] = {FEED: 5 * MINUTE}

T0 = parse_instant("2027-03-08T18:47:00+00:00")
"""Monday evening: when the contact of most histories here was made."""


def instant(when: When) -> Instant:
    """Text or microseconds as microseconds."""
    return parse_instant(when) if isinstance(when, str) else when


def event(
    kind: str,
    at: When = T0,
    *,
    until: When | None = None,
    received: When | None = None,
    recorded: When | None = None,
    review: When | None = None,
    feed: str = FEED,
    id: str | None = None,  # noqa: A002 — it is the source's own word for it
    revision: int = 0,
    retracts: str = "",
    **said: str,
) -> Event:
    """An event; what is no standing field of one becomes an attribute.

    Without `id` it is known by its content; `received` is a minute after it happened.
    """
    started = instant(at)
    ended = started if until is None else instant(until)
    standing = {name: said.pop(name) for name in list(said) if name in Event._fields}
    attributes = tuple(sorted(said.items()))
    content = _digest(kind, started, ended, recorded, review, retracts, standing, attributes)
    return Event(
        feed=feed,
        identity=content if id is None else id.encode(),
        revision=revision,
        content=content,
        reference="PPN-2027-004211",
        kind=kind,
        occurred_from=started,
        occurred_to=ended,
        recorded_at=None if recorded is None else instant(recorded),
        received_at=started + MINUTE if received is None else instant(received),
        review_at=None if review is None else instant(review),
        retracts=retracts.encode(),
        attributes=attributes,
        **standing,
    )


def contact(at: When = T0, **said: Any) -> Event:
    """First knowledge of a concern of significant harm."""
    return event("contact", at, **{"category": "physical_abuse", **said})


def told(at: When, partner: str = "council", **said: Any) -> Event:
    """A partner was told."""
    return event("partner_notified", at, partner=partner, **said)


def decided(at: When, decision: str, **said: Any) -> Event:
    """A decision about sharing."""
    return event("share_decision", at, decision=decision, **said)


def responsible(at: When, organisation: str, partner: str = "council", **said: Any) -> Event:
    """It became known which organisation is to be told."""
    return event("organisation_responsible", at, partner=partner, organisation=organisation, **said)


def regraded(at: When, **said: Any) -> Event:
    """The risk or the category changed."""
    return event("regraded", at, **said)


def _digest(*said: object) -> bytes:
    return hashlib.blake2b(repr(said).encode(), digest_size=16).digest()


# -- rulebooks --------------------------------------------------------------------------------

VOCABULARY = Vocabulary.model_validate(
    {
        "kinds": {
            kind: kind.replace("_", " ")
            for kind in (
                *("contact", "notice_submitted", "supervised", "triaged", "share_decision"),
                *("partner_notified", "notification_bounced", "notification_confirmed"),
                *("notice_withdrawn", "regraded", "organisation_responsible", "no_notice_needed"),
            )
        },
        "partners": {"council": "the council", "health": "health"},
        "categories": {"physical_abuse": "physical abuse", "neglect": "neglect"},
        "risks": {"standard": "standard", "medium": "medium", "high": "high"},
        "decisions": {"withheld": "withheld", "deferred": "deferred", "shared": "shared"},
        "stages": [
            {"kind": "contact", "title": "contact", "waiting_for": "notice", "holder": "sergeant"},
            {
                "kind": "notice_submitted",
                "title": "submitted",
                "waiting_for": "supervision",
                "holder": "supervisor",
            },
            {"kind": "triaged", "title": "triaged", "waiting_for": "sending", "holder": "mash"},
        ],
        "attributes": {"method": "how it was told", "restricted": "restricted"},
        "restricted_attribute": "restricted",
    }
)

CLOCK_HOURS = WrittenCalendar.model_validate(
    {
        "id": "clock-hours",
        "title": "Clock hours",
        "version": 1,
        "zone": "Europe/London",
        "always_open": True,
    }
)
OFFICE = WrittenCalendar.model_validate(
    {
        "id": "office",
        "title": "Office hours",
        "version": 3,
        "zone": "Europe/London",
        "holidays": "england",
        "weekly": {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
    }
)
ENGLAND = Holidays.model_validate(
    {
        "nation": "England",
        "source": "by hand",
        "source_version": "1",
        "covers_from": "2027-01-01",
        "covers_to": "2027-12-31",
        "days": {"2027-03-26": "Good Friday", "2027-03-29": "Easter Monday"},
    }
)
LADDER = Ladder.model_validate(
    {
        "id": "urgent",
        "title": "Urgent",
        "version": 1,
        "rungs": [
            {"at": "1h before due", "tell": "holder"},
            {"at": "when due", "tell": "holder"},
            {"at": "1h after due", "tell": "inspector"},
            {"at": "4h after due", "tell": "on_call"},
        ],
        "repeat": {"every": "12h", "tell": "on_call", "for_days": 2},
    }
)


def rule(**written: Any) -> Rule:
    """A rule of four clock hours for telling the council; whatever is named is changed."""
    return Rule.model_validate(
        {
            "id": "council",
            "title": "Council told",
            "version": 1,
            "effective": {"from": "2026-01-01"},
            "authority": {
                "class": "local assumption",
                "citation": "none",
                "review_due": "2027-10-31",
            },
            "alerts": "on",
            "partner": "council",
            "start": [{"kind": "contact"}],
            "stop": [{"kind": "partner_notified", "partner": "council"}],
            "exempt": [{"kind": "share_decision", "decision": "withheld"}],
            "void": [{"kind": "notice_withdrawn"}],
            "threshold": "4h",
            "ladder": "urgent",
            **written,
        }
    )


DEFER = {
    "when": [{"kind": "share_decision", "decision": "deferred"}],
    "at_most": "7 calendar days",
}
RESUME = [{"kind": "share_decision", "decision": "shared"}]
CONFIRM = {
    "where": {"method": "verbal"},
    "by": [
        {"kind": "notification_confirmed"},
        {"kind": "partner_notified", "partner": "council", "method": ["email", "portal"]},
    ],
    "within": "12h",
}


def book(*rules: Rule, ladder: Ladder = LADDER) -> Rulebook:
    """These rules, or the one of `rule()`, as a rulebook."""
    return build_rulebook(
        Documents(
            rules=rules or (rule(),),
            ladders=(ladder,),
            calendars=(CLOCK_HOURS, OFFICE),
            holidays={"england": ENGLAND},
            vocabulary=VOCABULARY,
        )
    )


def clocks_of(*events: Event, rules: Iterable[Rule] = ()) -> list[Clock]:
    """What the events fold into."""
    return fold(events, book(*rules), tolerances=TOLERANCES)


def clock_of(*events: Event, rules: Iterable[Rule] = ()) -> Clock:
    """The only clock that the events fold into."""
    (clock,) = clocks_of(*events, rules=rules)
    return clock


# -- generated histories ----------------------------------------------------------------------

RULES = (
    rule(applies={"risk": ["high"]}, defer=DEFER, confirm=CONFIRM),
    rule(id="council-slow", threshold="24h", applies={"risk": ["standard", "medium", "none"]}),
    rule(id="council-each", for_each=["child", "organisation"], threshold="8h"),
    rule(
        id="council-old",
        threshold="6h",
        effective={"from": "2026-01-01"},
        applies={"category": ["physical_abuse"]},
    ),
    rule(
        id="council-old",
        version=2,
        threshold="5h",
        effective={"from": "2027-03-09"},  # five hours into every generated history
        applies={"category": ["physical_abuse"]},
    ),
    rule(
        id="written",
        start=[{"kind": "partner_notified", "partner": "council", "method": "verbal"}],
        each_start=True,
        stop=[{"kind": "partner_notified", "partner": "council", "method": "email"}],
        exempt=[],
        threshold="24h",
    ),
    rule(
        id="triage",
        partner="",
        start=[{"kind": "notice_submitted"}],
        stop=[{"kind": ["triaged", "share_decision"]}],
        exempt=[],
        threshold="1 working day",
        calendar="office",
    ),
)
"""A rule of every sort: by risk, by child and organisation, in two versions, at each start."""

AGAIN = rule(id="council-again", for_each=["child"], threshold="3h", defer=DEFER, resume=RESUME)
GENERATED_RULES = (*RULES, AGAIN)

GENERATED_BOOK = book(*GENERATED_RULES)

_KINDS = (
    *("contact", "contact", "notice_submitted", "triaged", "regraded", "notice_withdrawn"),
    *("partner_notified", "partner_notified", "partner_notified", "share_decision"),
    *("organisation_responsible", "notification_confirmed"),
)
_LATEST: Duration = 48 * HOUR


@st.composite
def generated_events(draw: st.DrawFn) -> Event:
    """One event within two days, on a grid of ten minutes so that ties are common."""

    def one_of(*words: str) -> str:
        return draw(st.sampled_from(words))

    kind = draw(st.sampled_from(_KINDS))
    at = T0 + draw(st.integers(0, _LATEST // (10 * MINUTE))) * 10 * MINUTE
    heard = draw(st.integers(0, 12)) * HOUR
    said: dict[str, str] = {"child": one_of("", "", "a", "b"), "risk": one_of("", "medium", "high")}
    if kind in {"contact", "regraded"}:
        said["category"] = one_of("physical_abuse", "neglect")
    if kind in {"partner_notified", "organisation_responsible"}:
        said["partner"] = one_of("council", "council", "health")
        said["organisation"] = one_of("", "eastshire", "westshire")
    if kind == "partner_notified":
        said["method"] = one_of("email", "verbal")
    if kind == "share_decision":
        said["decision"] = one_of("withheld", "deferred", "shared")
    return event(
        kind,
        at,
        until=at + draw(st.sampled_from((0, 0, HOUR))),
        received=at + heard,
        recorded=draw(st.sampled_from((None, at + heard))),
        feed=one_of(FEED, "sending-log"),
        id=one_of("1", "2", "3", "4", "5", "6", "7", "8"),
        revision=draw(st.integers(0, 2)),
        retracts=one_of("", "", "", "", "", "1", "2", "3"),
        **{name: word for name, word in said.items() if word},
    )


def histories(*, largest: int = 12) -> st.SearchStrategy[list[Event]]:
    """The events of one case: amended, contradicted, retracted and out of order now and then."""
    return st.lists(generated_events(), max_size=largest).map(_accepted_once)


def _accepted_once(events: list[Event]) -> list[Event]:
    """As the store accepts them: the same content of the same event is taken in once."""
    seen: dict[tuple[str, bytes, int, bytes, Instant | None], Event] = {}
    for each in events:
        key = (each.feed, each.identity, each.revision, each.content, each.recorded_at)
        seen.setdefault(key, each)
    return list(seen.values())


def instants() -> st.SearchStrategy[Instant]:
    """Any moment around a generated history."""
    return st.integers(T0 - HOUR, T0 + 2 * _LATEST)
