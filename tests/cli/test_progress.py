"""Progress is told on a terminal, after two seconds, and leaves nothing behind."""

from __future__ import annotations

import io

from monitor.cli.progress import progress_told


class Terminal(io.StringIO):
    """A terminal that keeps what was written."""

    def isatty(self) -> bool:
        return True


def test_nothing_is_told_where_nobody_looks() -> None:
    with progress_told(io.StringIO()) as told:
        assert told is None


def test_nothing_is_told_of_what_is_quick() -> None:
    out, seconds = Terminal(), iter([0.0, 0.5, 1.9])
    with progress_told(out, seconds=lambda: next(seconds)) as told:
        assert told is not None
        told("clocks", 1000, 9000)
        told("clocks", 2000, 9000)
    assert out.getvalue() == ""


def test_what_takes_long_says_how_far_it_is_and_clears_its_line() -> None:
    out, seconds = Terminal(), iter([0.0, 2.0, 2.05, 2.5])
    with progress_told(out, seconds=lambda: next(seconds)) as told:
        assert told is not None
        told("clocks", 3000, 9000)
        told("clocks", 4000, 9000)
        told("clocks", 4500, 0)
    shown = out.getvalue()
    assert "clocks [########................] 3,000 of 9,000" in shown
    assert "4,000" not in shown, "not oftener than anybody can read"
    assert "clocks 4,500" in shown, "of how much is not always known"
    assert shown.endswith("\r\x1b[K")
