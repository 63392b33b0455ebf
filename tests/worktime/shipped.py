"""The calendars in `rules/`, compiled as a service would have them, for tests of time alone."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from monitor.worktime.calendar import Calendar, CalendarDefinition, compile_calendar, elapsed

RULES = Path(__file__).parents[2] / "rules"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def read_yaml(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return content


def holiday_titles(nation: str) -> dict[date, str]:
    days = read_yaml(RULES / "holidays" / f"{nation}.yaml")["days"]
    return {date.fromisoformat(day): title for day, title in days.items()}


@cache
def shipped(name: str) -> Calendar:
    """A calendar of `rules/calendars/` by the name of its file."""
    written = read_yaml(RULES / "calendars" / f"{name}.yaml")
    if written.get("always_open"):
        return elapsed(ZoneInfo(written["zone"]))
    return compile_calendar(definition_of(name))


def definition_of(name: str) -> CalendarDefinition:
    """What such a calendar is compiled from, where it has hours."""
    written = read_yaml(RULES / "calendars" / f"{name}.yaml")
    nation = read_yaml(RULES / "holidays" / f"{written['holidays']}.yaml")
    return CalendarDefinition(
        name=written["id"],
        version=str(written["version"]),
        zone=written["zone"],
        weekly={
            WEEKDAYS.index(day): tuple(_span(text) for text in spans)
            for day, spans in written["weekly"].items()
        },
        holidays=holiday_titles(written["holidays"]),
        special={},
        covers_from=date.fromisoformat(nation["covers_from"]),
        covers_to=date.fromisoformat(nation["covers_to"]),
    )


def _span(text: str) -> tuple[int, int]:
    opens, closes = (
        int(hour) * 60 + int(minute)
        for hour, minute in (clock.split(":") for clock in text.split("-"))
    )
    return opens, closes
