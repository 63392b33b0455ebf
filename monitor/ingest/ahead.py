"""The next of a sequence made ready while the last is still being used.

What comes in: an iterator. What goes out: its items in their order, and what it raises, where it
would have. It does not care what the items are.

Reading rows is work of this process; writing them is for the most part work of the database, during
which other threads run. So one thread reads the next rows of a file while another stores the last.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, cast

T = TypeVar("T")

_NO_MORE: Final = object()


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """The items, each made while its predecessor is used; at most one waits.

    Where this is closed before its end, one item more may have been made. The thread has ended
    then, and nobody touches the iterator any more.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        coming = thread.submit(next, items, _NO_MORE)
        while (item := coming.result()) is not _NO_MORE:
            coming = thread.submit(next, items, _NO_MORE)
            yield cast("T", item)
