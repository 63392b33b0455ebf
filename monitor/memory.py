"""How this process keeps its memory, where that costs time.

What comes in: nothing. What goes out: a stretch of work in which circles of garbage are looked for
more rarely. It does not care what is worked on.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for circles of garbage more rarely while rows become tuples by the hundred thousand.

    None of them is in a circle, and looking for some takes a tenth of the time of a large file, and
    a quarter of that of a back-test.
    """
    before = gc.get_threshold()
    gc.set_threshold(200_000, 50, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)
