"""Items made ahead come out as they would have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from monitor.ingest.ahead import ahead


def counted(made: list[int], upto: int = 1000) -> Iterator[int]:
    for number in range(upto):
        made.append(number)
        yield number


def test_all_items_come_in_their_order() -> None:
    assert list(ahead(iter(range(50)))) == list(range(50))


def test_of_nothing_comes_nothing() -> None:
    assert list(ahead(iter(()))) == []


def test_the_next_is_made_while_the_last_is_used() -> None:
    asked = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        asked.set()
        yield 2

    with closing(ahead(items())) as found:
        assert next(found) == 1
        assert asked.wait(10)


def test_no_more_than_one_waits() -> None:
    made: list[int] = []
    with closing(ahead(counted(made))) as found:
        next(found)
        next(found)
    assert made == [0, 1, 2]


def test_what_is_raised_comes_after_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise LookupError

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(LookupError):
        next(found)


def test_closed_before_its_end_it_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with closing(ahead(counted([]))) as found:
        next(found)
    assert set(threading.enumerate()) <= before
