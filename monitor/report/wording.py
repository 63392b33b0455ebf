"""What the rulebook means for figures, and how a digest names what it speaks of.

What comes in: the rulebook. What goes out: which rules are left out, on which feeds their stops
rely, and words for rules, partners, stages and reasons.
It does not care about any clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from monitor.report.figures import StopFeeds
from monitor.rulebook.book import Rulebook
from monitor.rulebook.language import Alerts, Rule
from monitor.words import capital, limit
from monitor.worktime.limits import EventTime

_NAMED: Final[Mapping[str, str]] = MappingProxyType({"council": "the council", "school": "schools"})
"""How a sentence on many duties names a partner where its own word is not enough."""


class RuleWords(NamedTuple):
    """How a digest names a rule."""

    label: str
    """`Council told of significant harm, 4 h`."""
    partner: str
    subject: str
    """What has no record, where it is no partner told: `notice supervised`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a digest names things; what is not in here is named by its own id."""

    rules: Mapping[str, RuleWords] = field(default_factory=dict)
    """In the order in which they are listed."""
    named: Mapping[str, str] = field(default_factory=lambda: _NAMED)
    """Partner → as a sentence on many duties names it: `the council`."""
    named_in_full: Mapping[str, str] = field(default_factory=dict)
    """Partner → as a sentence on one case names it: `the council's children's social care`."""
    risks: tuple[str, ...] = ("standard", "medium", "high")
    """From the least to the gravest."""
    waiting_for: Mapping[str, str] = field(default_factory=dict)
    """Kind of the last completed stage → what comes next."""
    stages: Mapping[str, str] = field(default_factory=dict)
    """Kind of a stage → its title, in the order of the way of a notice."""
    told: str = "partner_notified"
    """The kind of event by which a partner is told."""
    categories: Mapping[str, str] = field(default_factory=dict)
    risk_words: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    feeds: Mapping[str, str] = field(default_factory=dict)
    """Feed → its title."""

    def rule(self, rule_id: str) -> RuleWords:
        """A rule's words."""
        return self.rules.get(rule_id) or RuleWords(rule_id, "", rule_id)

    def partner(self, partner: str) -> str:
        """A partner as a sentence on many duties names it."""
        return self.named.get(partner) or partner.replace("_", " ")

    def in_full(self, partner: str) -> str:
        """A partner as a sentence on one case names it."""
        return self.named_in_full.get(partner) or self.partner(partner)

    def reason(self, code: str) -> str:
        """Why something is exempt."""
        if not code:
            return "no reason recorded"
        return self.reasons.get(code) or code.replace("_", " ")

    def stage_before(self, kind: str) -> str:
        """The title of the stage before; empty for the first."""
        kinds = list(self.stages)
        place = kinds.index(kind)
        return self.stages[kinds[place - 1]] if place else ""

    def feed(self, name: str) -> str:
        """A feed's title, up to its colon."""
        return self.feeds.get(name, name.replace("-", " ")).partition(":")[0]


def wording(
    rulebook: Rulebook, *, feeds: Mapping[str, str] | None = None, told: str = "partner_notified"
) -> Wording:
    """Words of the newest versions and of the vocabulary.

    `feeds`: feed → title. `told`: the kind of event by which a partner is told.
    """
    vocabulary = rulebook.vocabulary
    order = list(vocabulary.partners)
    newest = [rulebook.newest(rule_id).rule for rule_id in rulebook.duties]
    newest.sort(key=lambda rule: _place(rule, order))
    return Wording(
        rules={rule.id: _rule_words(rule) for rule in newest},
        named_in_full=vocabulary.partners,
        risks=tuple(vocabulary.risks),
        waiting_for={stage.kind: stage.waiting_for for stage in vocabulary.stages},
        stages={stage.kind: stage.title for stage in vocabulary.stages},
        told=told,
        categories=vocabulary.categories,
        risk_words=vocabulary.risks,
        reasons=vocabulary.reason_codes,
        feeds=feeds or {},
    )


def left_out(rulebook: Rulebook) -> frozenset[str]:
    """Rules of which nothing is said, not even in a digest."""
    return frozenset(
        rule_id for rule_id in rulebook.duties if rulebook.newest(rule_id).rule.alerts is Alerts.OFF
    )


def stop_feeds(rulebook: Rulebook) -> StopFeeds:
    """The feeds on which the stops of each version of each rule rely."""
    return {
        (rule_id, duty.rule.version): duty.rule.stop_feeds
        for rule_id, duties in rulebook.duties.items()
        for duty in duties
    }


def _place(rule: Rule, partners: list[str]) -> tuple[int, str]:
    """Partners in the order of the vocabulary, the force's own steps after them."""
    place = partners.index(rule.partner) if rule.partner in partners else len(partners)
    return place, rule.id


def _rule_words(rule: Rule) -> RuleWords:
    title = rule.title.rstrip(".")
    if not isinstance(rule.threshold, EventTime):
        said = limit(str(rule.threshold))
        title = title if said in title else f"{title}, {said}"
    if rule.partner and rule.partner not in title.casefold():
        title = f"{rule.partner}: {title}"
    return RuleWords(capital(title), rule.partner, rule.subject or rule.title)
