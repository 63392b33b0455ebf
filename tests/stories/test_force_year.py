"""A year of a made-up force: a change that was planted is found in its week, and chance is not.

The files are those of `tests/force_year.py`, taken in by the real intake and said by the real
digest. It begins when the rules shipped do, so that all of its 52 weeks have duties.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from monitor.cycle.charting import charted_weeks
from monitor.cycle.intake import take_in_file
from monitor.cycle.parts import Monitor
from monitor.cycle.weekly import MadeDigest, make_digests
from monitor.installation import install
from monitor.model import HOUR, Instant
from monitor.report.change import ControlChart, Side, SignalKind
from monitor.report.periods import Week
from monitor.report.series import Series
from monitor.settings import read_settings
from monitor.store.engine import reading
from monitor.store.schema import migrate
from monitor.wiring import ready
from tests.approved import approve_installed
from tests.force_year import LONDON, Year, write
from tests.stories.harness import opened

FIRST, LAST = Week.parse("2026-W02"), Week.parse("2026-W53")
WEEK_30 = Week.parse("2026-W31")
"""The thirtieth from the first: Monday 27 July 2026."""
NOW: Instant = LAST.end(LONDON) + 8 * HOUR

# Of a hundred charts on which nothing changes about 47 show something somewhere by chance
# (`change`): these seeds are of years in which the charts that are asked of here show nothing.
CHANGED = Year(first=FIRST, seed=15, notices_a_week=30, slower_from=30)
UNCHANGED = Year(first=FIRST, seed=21, notices_a_week=30)


@pytest.fixture(scope="module")
def force(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """An installation as it is shipped, with its rules approved."""
    folder = tmp_path_factory.mktemp("year") / "force"
    install(folder)
    settings = read_settings(folder / "config/monitor.toml")
    engine = opened(settings.database_url())
    migrate(engine)
    engine.dispose()
    approve_installed(folder)
    monitor = ready(settings, now=0, actor="story", activate=True)
    monitor.engine.dispose()
    yield monitor
    monitor.engine.dispose()


@contextmanager
def _lived(force: Monitor, year: Year, folder: Path) -> Iterator[Monitor]:
    """A copy of the force that took in a year."""
    folder.mkdir()
    shutil.copy(force.settings.root / "var/monitor.db", folder / "monitor.db")
    engine = opened(f"sqlite:///{folder / 'monitor.db'}")
    monitor = replace(force, engine=engine)
    for feed, path in write(year, monitor.feeds, folder).items():
        taken = take_in_file(monitor, monitor.feeds[feed], path, now=NOW, keep=True)
        assert taken.state == "done"
    yield monitor
    engine.dispose()


@pytest.fixture(scope="module")
def changed(force: Monitor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """From week 30 on health is told in time in 55 of 100, and before in 82."""
    with _lived(force, CHANGED, tmp_path_factory.mktemp("changed") / "year") as monitor:
        yield monitor


@pytest.fixture(scope="module")
def unchanged(force: Monitor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """A year in which weeks differ by chance alone."""
    with _lived(force, UNCHANGED, tmp_path_factory.mktemp("unchanged") / "year") as monitor:
        yield monitor


def _charts(monitor: Monitor, week: Week = LAST) -> dict[str, ControlChart]:
    """Partner → its chart of the whole force."""
    with reading(monitor.engine) as connection:
        found = charted_weeks(monitor, connection, week, now=NOW, where={})
    return {each.partner: chart for each, chart in found.items() if each == Series(each.partner)}


def _digest(monitor: Monitor, week: str) -> MadeDigest:
    (made,) = make_digests(monitor, now=NOW, week=week, scope="force")
    return replace(made, text=" ".join(made.text.split()))


def test_the_planted_change_is_a_run_that_begins_in_week_30(changed: Monitor) -> None:
    """Of health, whom it concerns, and of all together; nothing stands out before, or beside."""
    charts = _charts(changed)
    for partner in ("health", ""):
        runs = [each for each in charts[partner].signals if each.kind is SignalKind.RUN]
        assert (runs[0].first, runs[0].side) == (WEEK_30, Side.BELOW), partner
        assert min(each.first for each in charts[partner].signals) == WEEK_30
    assert charts["council"].signals == charts["school"].signals == ()


@pytest.mark.parametrize(("week", "is_known"), [("2026-W36", False), ("2026-W37", True)])
def test_seven_weeks_on_it_is_known_and_not_sooner(
    changed: Monitor, week: str, is_known: bool
) -> None:
    """A digest of the sixth week is of six weeks below, which chance does now and then."""
    runs = [
        each
        for each in _charts(changed, Week.parse(week))["health"].now
        if each.kind is SignalKind.RUN
    ]
    assert [each.first for each in runs] == ([WEEK_30] if is_known else [])


def test_the_digest_says_slower_since_that_week(changed: Monitor) -> None:
    """In the one sentence of the week, in the mail's text as on its page."""
    made = _digest(changed, "2026-W37")
    (sentence,) = re.findall(r"THE WEEK IN ONE SENTENCE: (.*?)\.", made.text)
    assert re.search(r"telling health has been slower since at least the week of 27 July", sentence)
    assert "telling the council" not in made.text
    assert "slower since at least the week of 27 July" in " ".join(made.html.split())
    assert "Health" in made.text[made.text.index("CHANGE OR CHANCE") :]
    assert "the seventh week running below the average" in made.text


def test_before_it_the_digest_says_that_all_is_as_usual(changed: Monitor) -> None:
    made = _digest(changed, "2026-W30")
    assert "all within usual variation" in made.text
    assert "slower since" not in made.text


def test_a_year_of_chance_alone_shows_nothing(unchanged: Monitor) -> None:
    """Though its weeks differ by more than 20 in 100: of all, of the council and of health."""
    charts = _charts(unchanged)
    assert set(charts) == {"", "council", "health", "school"}
    for partner in ("", "council", "health"):
        assert charts[partner].limits is not None
        assert charts[partner].signals == (), partner
    shares = [point.share for point in charts["health"].with_share]
    assert max(shares) - min(shares) > 0.2
    made = _digest(unchanged, str(LAST))
    assert "all within usual variation" in made.text
    assert "slower" not in made.text


# -- who may see what -------------------------------------------------------------------------


def _made(monitor: Monitor, scope: str, *, week: str = str(LAST), **asked: Any) -> MadeDigest:
    (made,) = make_digests(monitor, now=NOW, week=week, scope=scope, **asked)
    return made


def _pictures(made: MadeDigest) -> list[str]:
    mail = message_from_bytes(made.content, policy=policy.default)
    shown = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    alternatives = re.findall(r'<img[^>]* alt="([^"]+)"', made.html)
    assert len(alternatives) == len(shown)
    return [str(part["Content-ID"]).strip("<").split("-")[0].split(".")[0] for part in shown]


def test_the_force_sees_its_chart_and_its_districts_and_a_district_its_own(
    changed: Monitor,
) -> None:
    assert _pictures(_made(changed, "force"))[:2] == ["weeks", "districts"]
    east = _made(changed, "district:east")
    assert _pictures(east)[0] == "weeks"
    assert "districts" not in _pictures(east)
    assert "West" not in east.text


def test_readers_outside_the_force_are_told_of_no_case(changed: Monitor) -> None:
    inside, outside = _made(changed, "force"), _made(changed, "force", outside=True)
    assert "PPN-" in inside.text
    assert "PPN-" not in outside.content.decode() + outside.html
    assert "For readers outside the force." in " ".join(outside.text.split())
    assert str(outside.edition) == "force outside"


def test_a_week_is_told_as_it_was_known_then(changed: Monitor) -> None:
    """Everything came a year later, so that nothing was known when its digest was due."""
    then = " ".join(_made(changed, "force", week="2026-W40", as_known="then").text.split())
    assert "as known when its digest would have been due (none was made)" in then
    assert "Nothing is open." in then
    now = " ".join(_made(changed, "force", week="2026-W40").text.split())
    assert "Nothing is open." not in now
    assert "as known when" not in now
