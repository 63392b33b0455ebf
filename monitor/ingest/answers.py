"""What a person answered to one of our mails: the first line that is the person's own decides.

What comes in: the text of a reply. What goes out: one of three commands with the numbers of the
cases it names, or nothing. It guesses at nothing: a line that says more, or something else, is no
command, and whoever reads it is a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

_LONGEST_LINE: Final = 120
"""A command is short; a longer line is prose."""

_MARKING: Final = re.compile(
    r"\W*(?:(?:protective )?(?:marking|classification)\W*)?official(?:\W*sensitive)?\W*",
    re.IGNORECASE,
)
"""What mail programs of a force put above every text."""

_QUOTED_FROM_HERE: Final = re.compile(
    r"-{2,}\s*(?:original message|forwarded message)|_{10,}|(?:from|sent|to|subject)\s*:",
    re.IGNORECASE,
)
_SOMEBODY_WROTE: Final = re.compile(r"on\b.*@.*|.*\bwrote:", re.IGNORECASE)

_WORD: Final = re.compile(r"[a-z]+|\d+|[^\sa-z\d]")
_FILLING: Final = frozenset(
    {"and", "case", "cases", "number", "numbers", "please", "thanks", "thank", "you"}
)
_SIGNS: Final = frozenset(".,;:!&#*()[]\"'`")
"""Marks that change nothing; a dash could mean up to, and a question mark asks."""

_LARGEST_NUMBER: Final = 9999


class Command(StrEnum):
    """All that a reply can do."""

    TAKEN = "taken"
    NOT_MINE = "not mine"
    START = "start"


class Answer(NamedTuple):
    """A command, and which cases of the mail it is about."""

    command: Command
    numbers: tuple[int, ...] = ()
    """As the mail numbers them; empty where it names none."""
    everything: bool = False
    """It says ALL."""


_BEGINNINGS: Final = {
    ("taken",): Command.TAKEN,
    ("not", "mine"): Command.NOT_MINE,
    ("notmine",): Command.NOT_MINE,
    ("start",): Command.START,
}


def read_answer(text: str) -> Answer | None:
    """The command of a reply; None where its first own line is none."""
    first = next(_own_lines(text), "")
    return _command(first) if len(first) <= _LONGEST_LINE else None


def _own_lines(text: str) -> Iterator[str]:
    """The lines that the writer typed, above or below what is quoted."""
    for written in text.replace("\0", "").replace("\N{NO-BREAK SPACE}", " ").splitlines():
        line = written.strip()
        if _QUOTED_FROM_HERE.match(line):
            return
        is_own = line and not line.startswith(">") and not _MARKING.fullmatch(line)
        if is_own and not _SOMEBODY_WROTE.fullmatch(line):
            yield line


def _command(line: str) -> Answer | None:
    words = [word for word in _WORD.findall(line.casefold()) if word not in _SIGNS]
    for beginning, command in _BEGINNINGS.items():
        if tuple(words[: len(beginning)]) == beginning:
            return _with_numbers(command, words[len(beginning) :])
    return None


def _with_numbers(command: Command, words: list[str]) -> Answer | None:
    """Numbers and the word ALL; None where something else is said, or both are."""
    said = [word for word in words if word not in _FILLING]
    numbers = [word for word in said if word.isdecimal() and len(word) <= len(f"{_LARGEST_NUMBER}")]
    everything = "all" in said
    if len(numbers) + said.count("all") != len(said) or (everything and numbers):
        return None
    return Answer(command, tuple(sorted({int(number) for number in numbers})), everything)
