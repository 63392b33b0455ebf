"""Why a row, or one fact of it, was set aside.

What comes in: nothing. What goes out: the shape of a refusal.
It holds declared columns only, and never says a value in its words: a row that cannot be read may
hold anything, a name included.
"""

from __future__ import annotations

import re
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGEST_SIZE: Final = 16
"""Bytes of every digest of this room."""

_KEPT: Final = 200
"""Characters of a set-aside value that are kept: enough to mend it."""

UNFIT: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff\\ud800-\\udfff]"
)
"""Control characters, invisible and direction marks, and what could not be decoded."""


class Reason(StrEnum):
    """What was wrong, as a code that can be counted."""

    MISSING = "missing"
    NO_EVENT = "no event"
    UNREADABLE_TIME = "unreadable time"
    NO_SUCH_TIME = "no such local time"
    FUTURE = "in the future"
    OUT_OF_RANGE = "out of range"
    PATTERN = "pattern"
    UNMAPPED = "unmapped value"
    TOO_LONG = "too long"
    UNFIT_CHARACTERS = "unfit characters"
    NOT_A_REVISION = "not a revision"
    WRONG_CELLS = "wrong number of cells"
    QUOTES = "broken quotes"
    LINE_TOO_LONG = "line too long"
    NUL = "nul bytes"
    NOT_JSON = "not a JSON object"
    NOT_PLAIN = "not a plain value"
    CUT_OFF = "cut off"
    UNDECODABLE = "undecodable"


class Rejected(NamedTuple):
    """One row, or one fact of a row, that was set aside. Nothing of it is in any event."""

    line: int
    """Where the row begins in its file, counted from 1 with the header."""
    field: str
    """The source's column that is at fault; empty where the row as a whole is."""
    reason: Reason
    expected: str
    """What should have stood there, in words."""
    found: str
    """What kind of thing stood there ("text of 12 characters"), never the thing itself."""
    declared: dict[str, str]
    """Declared columns only; the child is already hashed. Empty where cells cannot be told apart.
    """
    row_digest: bytes
    """Digest of the row, so that the same bad row is recognised when it comes again."""


def kind_of(text: str) -> str:
    """What kind of thing a text is, without saying it."""
    if not text:
        return "nothing"
    if text.isdecimal():
        return f"{len(text)} digits"
    return f"text of {len(text)} character{'s' if len(text) > 1 else ''}"


def presentable(declared: Mapping[str, str]) -> dict[str, str]:
    """Values that can be stored and printed: unfit characters replaced, none of great length."""
    return {
        column: UNFIT.sub("\N{REPLACEMENT CHARACTER}", text[:_KEPT])
        for column, text in declared.items()
        if text
    }


def row_digest(*parts: str) -> bytes:
    """A digest of a row's texts, whatever characters they hold."""
    joined = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return blake2b(joined, digest_size=DIGEST_SIZE).digest()
