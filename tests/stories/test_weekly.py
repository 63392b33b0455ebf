"""The weekly digest comes once for each scope, week and reader, on its day."""

from __future__ import annotations

import pytest

from tests.stories.conftest import Begin
from tests.stories.harness import Story

ON_BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"])

READERS = (
    ("safeguarding.superintendent", "force"),
    ("mash.inspector", "force"),
    ("east.superintendent", "east"),
    ("west.superintendent", "west"),
)


def _expect_digests(story: Story, week: str, *, at: str) -> None:
    for reader, _ in READERS:
        story.expects_mail_to(
            f"{reader}@eastshire.police.example", at=at, saying=("Timeliness", week)
        )
    story.expects_no_more_mail()


@ON_BOTH
def test_it_comes_on_monday_at_eight_once_for_each_reader(begin: Begin) -> None:
    """Another pass and a restart change nothing."""
    story = begin("Mon 1 March 2027 09:00", rules=[], digests=True)
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.told("council", "eastshire", recorded="10:00")
    story.advance(to="Mon 8 March 08:05")
    _expect_digests(story, "1-7 March 2027", at="08:00")
    story.again()
    story.restart()
    story.advance(to="Mon 8 March 12:00")
    story.expects_no_more_mail()
    story.advance(to="Mon 15 March 08:05")
    _expect_digests(story, "8-14 March 2027", at="Mon 15 March 08:00")


def test_after_downtime_only_the_latest_week_is_sent(begin: Begin) -> None:
    """Three weeks are missed: one digest, of the last."""
    story = begin("Mon 1 March 2027 09:00", rules=[], digests=True)
    story.down(until="Wed 24 March 10:00")
    _expect_digests(story, "15-21 March 2027", at="Wed 24 March 10:00")


def test_it_moves_off_a_bank_holiday(begin: Begin) -> None:
    """Easter Monday is no day for it: Tuesday is."""
    story = begin("Tue 23 March 2027 09:00", rules=[], digests=True)
    story.advance(to="Tue 30 March 07:59")
    story.expects_no_more_mail()
    story.advance(to="Tue 30 March 08:05")
    _expect_digests(story, "22-28 March 2027", at="08:00")


def test_nothing_is_sent_of_a_week_before_anything_was_known(begin: Begin) -> None:
    """Installed on a Tuesday: the first digest is of that week, not of the one before."""
    story = begin("Tue 2 March 2027 09:00", rules=[], digests=True)
    story.advance(to="Mon 8 March 07:59")
    story.expects_no_more_mail()


def test_what_was_shared_late_and_what_is_open_stand_in_it(begin: Begin) -> None:
    """One told in time, one late, one open: 1 of 3."""
    story = begin("Mon 1 March 2027 09:00", rules=[], digests=True)
    for number in (1, 2, 3):
        story.contact(f"PPN-2027-00421{number}", category="physical_abuse")
    story.told("council", "eastshire", reference="PPN-2027-004211", recorded="10:00")
    story.told("council", "eastshire", reference="PPN-2027-004212", recorded="16:00")
    story.advance(to="Mon 8 March 08:05")
    for reader, _ in READERS[1:]:
        story.expects_mail_to(f"{reader}@eastshire.police.example")
    story.expects_mail_to(
        "safeguarding.superintendent",
        saying=("council 1 of 3", "Council told of significant harm, 4 h: 1 of 3. Late 1, open"),
    )
