"""JSON Schema as far as ours go: what an editor would mark in a file.

A keyword that it does not know is an error, so that nothing is taken for checked that is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

_SAYS_NOTHING = {"title", "description", "default", "examples", "$defs", "$schema"}
_OF_OBJECTS = {"properties", "patternProperties", "additionalProperties"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def faults_by_schema(schema: Mapping[str, Any], value: Any) -> list[str]:
    """Where a value, as read from YAML, does not fit: `scenarios.0.at: ...`."""
    return list(_Checker(schema.get("$defs", {})).check(schema, _plain(value)))


def _plain(value: Any) -> Any:
    """As an editor sees it: a date is the text that is written, and every key is text."""
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


class _Checker:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self.definitions = definitions

    def check(self, schema: Mapping[str, Any], value: Any, at: str = "") -> Iterator[str]:
        for keyword, asked in schema.items():
            if keyword in _SAYS_NOTHING or keyword in _OF_OBJECTS:
                continue
            if keyword in {"$ref", "items", "anyOf"}:
                yield from self._within(keyword, asked, value, at)
            elif not _fits(keyword, asked, value):
                yield f"{at or 'it'}: {value!r} is not {keyword} {asked!r}"
        if isinstance(value, dict) and not _OF_OBJECTS.isdisjoint(schema):
            yield from self._object(schema, value, at)

    def _object(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], at: str
    ) -> Iterator[str]:
        known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        patterns = schema.get("patternProperties", {})
        for name, each in value.items():
            here = f"{at}.{name}" if at else name
            asked = [asked for pattern, asked in patterns.items() if re.search(pattern, name)]
            asked += [known[name]] if name in known else []
            for one in asked or ([] if isinstance(other, bool) else [other]):
                yield from self.check(one, each, here)
            if not asked and other is False:
                yield f"{here}: there is no such field"

    def _within(self, keyword: str, asked: Any, value: Any, at: str) -> Iterator[str]:
        if keyword == "$ref":
            yield from self.check(self.definitions[asked.removeprefix("#/$defs/")], value, at)
        elif keyword == "items":
            for place, each in enumerate(value if isinstance(value, list) else ()):
                yield from self.check(asked, each, f"{at}.{place}")
        elif all(list(self.check(each, value, at)) for each in asked):
            yield f"{at}: {value!r} is none of what may stand there"


def _fits(keyword: str, asked: Any, value: Any) -> bool:
    """Whether a value fits what one keyword asks of values of its type."""
    of, fits = _ASKED[keyword]
    return not isinstance(value, of) or bool(fits(asked, value))


def _is_a(asked: str, value: Any) -> bool:
    return isinstance(value, _TYPES[asked]) and (asked == "boolean" or not isinstance(value, bool))


_ASKED: dict[str, tuple[Any, Callable[[Any, Any], object]]] = {
    "type": (object, _is_a),
    "enum": (object, lambda asked, value: value in asked),
    "const": (object, lambda asked, value: value == asked),
    "pattern": (str, re.search),
    "minLength": (str, lambda asked, value: len(value) >= asked),
    "maxLength": (str, lambda asked, value: len(value) <= asked),
    "minItems": (list, lambda asked, value: len(value) >= asked),
    "exclusiveMinimum": (int, lambda asked, value: value > asked),
    "required": (dict, lambda asked, value: set(asked) <= set(value)),
    "propertyNames": (
        dict,
        lambda asked, value: all(
            _fits(each, asked[each], name) for name in value for each in asked
        ),
    ),
}
"""Keyword -> the type of values of which it asks anything, and whether one fits."""
