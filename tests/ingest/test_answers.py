"""The first own line of an answer decides, and only if it says nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.ingest.answers import Answer, Command, read_answer

QUOTED = "\n\nOn Tue, 9 Mar 2027 at 02:47, desk <desk@b.example> wrote:\n> TAKEN\n> NOT MINE\n"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("TAKEN", Answer(Command.TAKEN)),
        ("taken.", Answer(Command.TAKEN)),
        ("  Taken!  ", Answer(Command.TAKEN)),
        ("TAKEN, thanks", Answer(Command.TAKEN)),
        ('"TAKEN"', Answer(Command.TAKEN)),
        ("TAKEN 2", Answer(Command.TAKEN, (2,))),
        ("TAKEN2", Answer(Command.TAKEN, (2,))),
        ("taken 3, 1 and 2.", Answer(Command.TAKEN, (1, 2, 3))),
        ("TAKEN #2", Answer(Command.TAKEN, (2,))),
        ("TAKEN case 2 please", Answer(Command.TAKEN, (2,))),
        ("TAKEN ALL", Answer(Command.TAKEN, (), everything=True)),
        ("NOT MINE", Answer(Command.NOT_MINE)),
        ("Not mine 1", Answer(Command.NOT_MINE, (1,))),
        ("notmine", Answer(Command.NOT_MINE)),
        ("START", Answer(Command.START)),
        ("Start: 2", Answer(Command.START, (2,))),
    ],
)
def test_a_command_is_forgiving_of_case_and_marks(text: str, answer: Answer) -> None:
    assert read_answer(text + QUOTED) == answer


@pytest.mark.parametrize(
    "text",
    [
        *("", "not taken", "TAKEN?", "I have TAKEN it", "taken 1-3", "TAKEN 2 of 3", "TAKEN ALL 2"),
        *("TAKEN NOT MINE", "START over", "Mine", "2", "TAKEN no 2", "TAKEN 2 not 3", "takenn"),
        *("TAKEN 99999", "TAKEN -1", "TAKEN 1/2", "Thanks\nTAKEN", "TAKEN " + "1 " * 100),
    ],
)
def test_what_says_more_or_something_else_is_no_command(text: str) -> None:
    assert read_answer(text + QUOTED) is None


@pytest.mark.parametrize(
    "above",
    [
        *("\n\n", "OFFICIAL\n", "OFFICIAL-SENSITIVE\n\n", "[OFFICIAL - SENSITIVE]\n"),
        *("Classification: OFFICIAL\n", "> TAKEN 1\n>\n", "\N{NO-BREAK SPACE}\n"),
        "On Tue, 9 Mar 2027 at 02:47, desk <desk@b.example> wrote:\n> quoted\n",
        "On Tue, 9 Mar 2027 at 02:47, desk <desk@b.example>\nwrote:\n> quoted\n",
    ],
)
def test_markings_and_what_is_quoted_above_are_passed_over(above: str) -> None:
    assert read_answer(f"{above}TAKEN 2\n") == Answer(Command.TAKEN, (2,))


@pytest.mark.parametrize(
    "separator",
    [
        *("-----Original Message-----", "________________________________", "From: Timeliness"),
        "Sent: Tuesday",
    ],
)
def test_below_a_quoted_mail_nothing_is_the_writers_own(separator: str) -> None:
    assert read_answer(f"\n{separator}\nTAKEN\n") is None


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    """And a command names only numbers that can be printed."""
    answer = read_answer(text)
    assert answer is None or all(0 <= number <= 9999 for number in answer.numbers)
