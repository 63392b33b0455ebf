from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.report.change import ControlChart, control_chart
from monitor.report.drawing import (
    WIDTH,
    Drawn,
    draw_chart,
    draw_lengths,
    draw_small_multiples,
    paper,
    weeks,
)
from monitor.report.drawing import bars as length_bars
from monitor.report.drawing import panels as drawn_panels
from monitor.report.lengths import Lengths, lengths_in_bars
from tests.report.weeks import STEADY, a_year, in_percent, series

SLOWER = control_chart(in_percent(*STEADY, 50, *[84] * 17, *[75] * 8))
COUNTS = control_chart(series(*[(3, 4)] * 30))
CHECKOUT = Path(__file__).parents[2]


def some_lengths() -> Lengths:
    lengths = lengths_in_bars([3.0] * 18 + [30.0], limit=24, still_open=[100.0])
    assert lengths is not None
    return lengths


def chunks(png: bytes) -> Iterator[tuple[str, bytes]]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    place = 8
    while place < len(png):
        size, kind = struct.unpack_from(">I4s", png, place)
        yield kind.decode(), png[place + 8 : place + 8 + size]
        place += size + 12


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures drawn, to look what is on them."""
    kept: list[Any] = []

    def keep(figure: Any, height: int) -> Drawn:
        kept.append(figure)
        return drawn(figure, height)

    drawn = paper.drawn
    for module in (weeks, length_bars, drawn_panels):
        monkeypatch.setattr(module, "drawn", keep)
    return kept


def words_on(figure: Any) -> list[str]:
    texts = [*figure.texts]
    for axes in figure.axes:
        texts += [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels()]
        texts += axes.get_legend().get_texts() if axes.get_legend() else []
    return [text.get_text() for text in texts if text.get_text()]


def shapes_on(figure: Any) -> list[str]:
    lines = [line for axes in figure.axes for line in axes.lines]
    return [str(line.get_marker()) for line in lines if line.get_marker() != "None"]


# -- the picture --------------------------------------------------------------------------------


def every_picture() -> list[Drawn]:
    return [
        draw_chart(SLOWER, title="Health"),
        draw_chart(COUNTS, title="School"),
        draw_small_multiples([("East", SLOWER), ("West", COUNTS)], title="By district"),
        draw_lengths(some_lengths(), title="Council"),
    ]


def test_a_picture_is_a_png_of_twice_the_pixels_at_which_it_is_shown() -> None:
    for picture in every_picture():
        header = dict(chunks(picture.content))["IHDR"]
        assert struct.unpack(">II", header[:8]) == (2 * picture.width, 2 * picture.height)
        assert picture.width == WIDTH


def test_the_same_input_gives_the_same_bytes() -> None:
    assert [one.content for one in every_picture()] == [one.content for one in every_picture()]


def test_no_date_and_no_name_of_a_program_is_written_into_a_picture() -> None:
    for picture in every_picture():
        kinds = {kind for kind, _ in chunks(picture.content)}
        assert not kinds & {"tEXt", "iTXt", "zTXt", "tIME"}


def test_the_machine_s_own_settings_change_no_picture(tmp_path: Path) -> None:
    """Neither a settings file where the program is started, nor a home that cannot be written."""
    (tmp_path / "matplotlibrc").write_text("lines.linewidth: 9\nfont.family: monospace\n")
    asked = (
        "import sys; from monitor.report.drawing import draw_chart\n"
        "from tests.report.test_drawing import SLOWER\n"
        "sys.stdout.buffer.write(draw_chart(SLOWER, title='Health').content)"
    )
    drawn = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=tmp_path,
        env={"PYTHONPATH": str(CHECKOUT), "HOME": "/proc/nowhere", "LC_ALL": "C"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert drawn.stdout == draw_chart(SLOWER, title="Health").content
    assert drawn.stderr == b""


def test_matplotlib_is_loaded_only_to_draw() -> None:
    asked = (
        "import sys, monitor.cli, monitor.daemon, monitor.cycle.weekly, monitor.report.drawing\n"
        "sys.exit(bool({'matplotlib', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", asked], check=True, timeout=60)


# -- what is on it ------------------------------------------------------------------------------


def test_shape_and_words_say_what_colour_says(figures: list[Any]) -> None:
    draw_chart(SLOWER, title="Health: slower since the week of 11 January")
    said, shapes = words_on(figures[0]), shapes_on(figures[0])

    assert "outside" in said
    assert {"17 weeks above average", "8 weeks below average"} <= set(said)
    assert {"limit 71 %", "average 82 %", "limit 93 %"} <= set(said)
    assert "baseline 26 weeks to 6 September 2026" in said
    assert "Last week 75 of 100 in time (75 %)" in said
    assert (shapes.count("D"), shapes.count("s"), shapes.count("o")) == (1, 25, 26)


def test_weeks_outside_that_are_near_one_another_share_one_word(figures: list[Any]) -> None:
    draw_chart(control_chart(in_percent(*STEADY, 40, 84, 40, 84, 40)), title="Health")

    assert [said for said in words_on(figures[0]) if "outside" in said] == ["3 outside"]


def test_a_limit_beyond_what_a_share_can_be_is_said_to_be_none(figures: list[Any]) -> None:
    draw_chart(control_chart(in_percent(*[90, 99] * 13)), title="Council")

    assert "no upper limit" in words_on(figures[0])


def test_without_limits_it_says_why(figures: list[Any]) -> None:
    draw_chart(control_chart(in_percent(*STEADY[:14])), title="Council")

    assert "No limits yet: 14 of the 26 weeks that limits need." in words_on(figures[0])


def test_few_duties_are_drawn_in_counts_and_it_says_why(figures: list[Any]) -> None:
    draw_chart(COUNTS, title="School")
    said = words_on(figures[0])

    assert "Counts only: a median of 4 duties a week is too few for limits." in said
    assert {"in time", "not in time"} <= set(said)
    assert not any("%" in each for each in said)


def test_words_of_runs_never_lie_on_one_another(figures: list[Any]) -> None:
    shares = [*STEADY, *([81] * 8 + [83] * 8) * 5]
    draw_chart(control_chart(in_percent(*shares)), title="Health, 24 months")
    renderer = figures[0].canvas.get_renderer()
    boxes = [
        text.get_window_extent(renderer)
        for text in figures[0].axes[0].texts
        if text.get_text().endswith(("below", "above"))
    ]

    assert len(boxes) == 10
    assert not any(
        one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place]
    )


@pytest.mark.parametrize("chart", [SLOWER, COUNTS, control_chart(a_year(2, changed=0.6))])
def test_every_word_is_within_the_picture(chart: ControlChart, figures: list[Any]) -> None:
    draw_chart(chart, title="Duties to the council and to others, slower since the week of 1 March")
    draw_small_multiples([("South and the Islands beyond it", chart)], title="By district")
    draw_lengths(some_lengths(), title="Council")
    for figure in figures:
        renderer, whole = figure.canvas.get_renderer(), figure.bbox
        texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
        for text in texts:
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0, text.get_text()
            assert box.y0 >= 0, text.get_text()
            assert box.x1 <= whole.x1, text.get_text()
            assert box.y1 <= whole.y1, text.get_text()


@pytest.mark.parametrize("shares", [[], [(0, 0)] * 30, [(1, 1)], [(10, 10)] * 30, [(0, 10)] * 30])
def test_a_chart_of_next_to_nothing_can_be_drawn(shares: list[tuple[int, int]]) -> None:
    assert draw_chart(control_chart(series(*shares)), title="Council").content


def test_a_title_of_dollars_and_a_very_long_name_is_drawn_as_it_stands(figures: list[Any]) -> None:
    draw_chart(SLOWER, title="$x^2$ " + "of a very long name " * 20)

    [title, *_] = figures[0].texts
    assert title.get_text().startswith("$x^2$ of a very long")
    assert not title.get_parse_math()


# -- panels -------------------------------------------------------------------------------------


def test_panels_stand_in_alphabetical_order_on_the_same_axes(figures: list[Any]) -> None:
    names = ["West", "east", "Öster", "North"]
    random.Random(1).shuffle(names)
    steady = control_chart(in_percent(*STEADY))
    charts = [(name, SLOWER if name == "West" else steady) for name in names]
    draw_small_multiples(charts, title="By district")

    drawn = [axes.texts[0].get_text() for axes in figures[0].axes]
    assert drawn == sorted(names, key=str.casefold)
    assert len({axes.get_ylim() for axes in figures[0].axes}) == 1
    status = {axes.texts[0].get_text(): axes.texts[1].get_text() for axes in figures[0].axes}
    assert (status["West"], status["North"]) == ("8 weeks below", "as usual")


def test_a_panel_with_few_duties_says_its_counts(figures: list[Any]) -> None:
    draw_small_multiples([("East", SLOWER), ("West", COUNTS)], title="By district")

    said = words_on(figures[0])
    assert "counts only" in said
    assert "90 of 120 in time\nin 30 weeks" in said


def test_of_no_panels_there_is_no_picture() -> None:
    with pytest.raises(ValueError, match="no panel"):
        draw_small_multiples([], title="By district")


# -- lengths ------------------------------------------------------------------------------------


def test_lengths_show_the_limit_and_the_open_ones_apart(figures: list[Any]) -> None:
    draw_lengths(some_lengths(), title="Council")
    said = words_on(figures[0])

    assert "limit 24 h" in said
    assert {"told in time 18", "told late 1", "open, at age now +1"} <= set(said)
    assert "+1" in said
    hatched = [bar for bar in figures[0].axes[0].patches if bar.get_hatch() == "////"]
    assert sum(bar.get_height() for bar in hatched) == 1
