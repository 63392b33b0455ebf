"""A feed as rules depend on it: which events it brings, what they say, and how late they may be.

What comes in: a feed as configured. What goes out: what the check of the rulebook asks of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from monitor.rulebook.findings import Brings, Source

if TYPE_CHECKING:
    from monitor.ingest.feeds import EventSource, Feed


def source_of(feed: Feed) -> Source:
    """What a feed's mapping lets it say, and how late it may be."""
    cadence = feed.heartbeat.every if feed.heartbeat else 0
    return Source(
        brings=tuple(each for source in feed.events for each in _brings(feed, source)),
        late=cadence + feed.lag,
    )


def _brings(feed: Feed, source: EventSource) -> Iterator[Brings]:
    """Each kind that one time column can mean."""
    columns = feed.columns | source.columns
    constants = feed.constants | source.constants
    always = {name: frozenset({word}) for name, word in constants.items()}
    sometimes = set()
    for name in columns.keys() - constants.keys():
        if name in feed.values:
            always[name] = frozenset(feed.values[name].values()) | {""}
        else:
            sometimes.add(name)
    kinds = (source.kind,) if source.kind else tuple(feed.values.get("kind", {}).values())
    for kind in sorted(set(kinds) - {""}):
        yield Brings(kind=kind, always=always, sometimes=frozenset(sometimes))
