"""The harness itself can fail."""

from __future__ import annotations

import pytest

from tests.stories.conftest import Begin


def test_a_mail_that_nobody_expected_fails_the_story(begin: Begin) -> None:
    """At its end at the latest."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.advance(to="12:30")
    with pytest.raises(AssertionError, match=r"nobody expected these(?s:.*)Due by 13:00"):
        story.expects_no_more_mail()
    story.expects_mail_to("submitting officer's sergeant")
    story.told("council", "eastshire")


def test_an_expected_mail_that_never_came_fails_the_story(begin: Begin) -> None:
    """And says what came instead."""
    story = begin("Mon 8 March 2027 09:00")
    with pytest.raises(AssertionError, match="expected a mail to duty inspector"):
        story.expects_mail_to("duty inspector", saying="Overdue")


def test_a_wrong_weekday_fails(begin: Begin) -> None:
    """8 March 2027 is a Monday."""
    with pytest.raises(AssertionError, match="no such weekday"):
        begin("Tue 8 March 2027 09:00")
