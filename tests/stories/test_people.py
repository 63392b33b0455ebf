"""What people do about telling: taking, passing on, silencing, confirming, closing."""

from __future__ import annotations

from tests.stories.conftest import Begin
from tests.stories.harness import ACCOUNT, Story

DUTY = "significant-harm-council"
REFERENCE = "PPN-2027-004211"
HOLDER = "submitting officer's sergeant"


def an_overdue_case(begin: Begin, **more: object) -> Story:
    """Contact 18:47, due 22:47; the holder was warned and told, the inspector at 23:47."""
    story = begin("Mon 8 March 2027 18:47", **more)
    story.contact(REFERENCE, category="physical_abuse")
    story.advance(to="23:48")
    story.expects_mail_to(HOLDER, at="21:47", saying="Due by 22:47")
    story.expects_mail_to(HOLDER, at="22:47", saying=("Overdue", "No owner yet"))
    story.expects_mail_to("duty inspector", at="23:47", saying="Overdue 1 h 00")
    return story


# -- taking -----------------------------------------------------------------------------------


def test_a_take_rests_every_rung_until_its_end_and_then_tells_once_what_was_missed(
    begin: Begin,
) -> None:
    """Taken at 23:50 for four hours: the DI, due at 02:47, is told at 03:50 and knows why."""
    story = an_overdue_case(begin)
    story.advance(to="23:50")
    assert story.take(by="duty inspector") == ""
    story.advance(to="Tue 03:49")
    story.expects_no_more_mail()
    assert story.says(DUTY) == "overdue"
    story.advance(to="Tue 03:51")
    mail = story.expects_mail_to(
        "on-call DI",
        at="03:50",
        saying=("Overdue 5 h", "taken until 03:50 today by the duty inspector"),
    )
    assert ACCOUNT not in mail.text
    story.told("council", "eastshire")
    story.advance(to="Wed 12:00")


def test_reminders_rest_too_and_whoever_missed_several_is_told_once(begin: Begin) -> None:
    """The DI's reminders of Wed 01:00 and 13:00 fall into a take of a day: one mail at its end."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact(REFERENCE, category="physical_abuse")
    story.advance(to="Tue 13:30")
    for who in (HOLDER, HOLDER, "duty inspector", "on-call DI", "on-call superintendent"):
        story.expects_mail_to(who)
    assert story.take(until="Wed 13:30") == ""
    story.advance(to="Wed 13:31")
    story.expects_mail_to("on-call DI", at="Wed 13:30", saying=("Still overdue", "was taken until"))
    story.told("council", "eastshire")
    story.advance(to="Thu 12:00")


def test_who_took_it_stands_in_mails_by_role_and_in_the_explanation(begin: Begin) -> None:
    """A mail that waits for the relay says meanwhile who has it."""
    story = an_overdue_case(begin)
    story.hold_mail()
    story.advance(to="Tue 02:50")
    assert story.take(by="east duty inspector") == ""
    story.release_mail()
    story.advance(to="Tue 02:51")
    mail = story.expects_mail_to(
        "on-call DI",
        saying="Has an owner: east duty inspector until 06:50 today, reason: it is being found out",
    )
    assert ACCOUNT not in mail.content.decode()
    (clock,) = story.explained(rule=DUTY).clocks
    (done,) = clock.done
    assert (done.kind, done.by, done.reason_code) == (
        "take",
        "east duty inspector",
        "being_traced",
    )
    story.told("council", "eastshire")
    story.advance(to="Tue 12:00")


def test_what_is_not_overdue_cannot_be_taken(begin: Begin) -> None:
    """Nobody can keep a warning from others."""
    story = begin("Mon 8 March 2027 18:47")
    story.contact(REFERENCE, category="physical_abuse")
    story.advance(to="20:00")
    assert "it is not overdue (due by 22:47" in story.take(rule=DUTY)
    assert "nothing is known of PPN-2027-009999" in story.take("PPN-2027-009999")
    assert "those that have: " in story.take(rule="missing-council")
    assert "the roles are: " in story.take(rule=DUTY, by="chief of everything")
    story.told("council", "eastshire")
    story.advance(to="21:00")
    assert "it is met" in story.take(rule=DUTY)


def test_a_take_has_a_longest_end(begin: Begin) -> None:
    """A day, by the setting."""
    story = an_overdue_case(begin)
    assert "the latest end is" in story.take(until="Wed 23:48")
    story.told("council", "eastshire")
    story.advance(to="Tue 00:10")


def test_a_take_that_is_taken_back_tells_at_once_what_was_missed(begin: Begin) -> None:
    """Taken by mistake."""
    story = an_overdue_case(begin)
    assert story.take() == ""
    story.advance(to="Tue 03:00")
    (clock,) = story.explained(rule=DUTY).clocks
    story.end(clock.done[0].number)
    story.advance(to="Tue 03:01")
    story.expects_mail_to("on-call DI", at="03:00", saying="it was taken until 03:00")
    story.told("council", "eastshire")
    story.advance(to="Tue 12:00")


def test_a_take_ends_with_the_clock(begin: Begin) -> None:
    """Told in time after all and taken back: everybody is told anew, though somebody had it."""
    story = an_overdue_case(begin)
    assert story.take(until="Tue 23:00") == ""
    entry = story.told("council", "eastshire", occurred="22:40", recorded="23:55")
    story.advance(to="Tue 00:10")
    story.expects_mail_to(HOLDER, saying="Alert withdrawn")
    story.expects_mail_to("duty inspector", saying="Alert withdrawn")
    story.taken_back(entry)
    story.advance(to="Tue 00:30")
    story.expects_mail_to(HOLDER, saying="verdue 1 h")
    story.expects_mail_to("duty inspector", saying="verdue 1 h")
    story.told("council", "eastshire")
    story.advance(to="Tue 04:00")


# -- passing on -------------------------------------------------------------------------------


def test_not_mine_tells_the_next_of_the_ladder_now_and_the_ladder_goes_on(begin: Begin) -> None:
    """Passed at 23:00: the inspector is told now and not again at 23:47; the DI at 02:47."""
    story = begin("Mon 8 March 2027 18:47")
    story.contact(REFERENCE, category="physical_abuse")
    story.advance(to="23:00")
    story.expects_mail_to(HOLDER)
    story.expects_mail_to(HOLDER)
    assert story.pass_on(by="east submitting officer's sergeant") == ""
    story.advance(to="Tue 02:48")
    story.expects_mail_to(
        "duty inspector",
        at="23:00",
        saying="The east submitting officer's sergeant has passed this on.",
    )
    story.expects_mail_to("on-call DI", at="02:47", saying="Overdue 4 h 00")
    story.told("council", "eastshire")
    story.advance(to="Tue 12:00")


def test_passed_to_a_role_that_role_is_told_at_once_and_then_the_ladder(begin: Begin) -> None:
    """The hub is closed at night: its out-of-hours role is told, then inspector and DI."""
    story = begin("Mon 8 March 2027 18:47")
    story.contact(REFERENCE, category="physical_abuse")
    story.advance(to="23:00")
    story.expects_mail_to(HOLDER)
    story.expects_mail_to(HOLDER)
    assert story.pass_on(to="mash_sergeant") == ""
    story.advance(to="23:48")
    story.expects_mail_to(
        "force incident manager",
        at="23:00",
        saying="This was passed on. The MASH sergeant is off duty, so this comes to you.",
    )
    story.expects_mail_to("duty inspector", at="23:47")
    story.told("council", "eastshire")
    story.advance(to="Tue 12:00")


def test_another_district_s_post_can_be_meant(begin: Begin) -> None:
    """The west has it."""
    story = an_overdue_case(begin)
    assert story.pass_on(to="west duty inspector") == ""
    story.advance(to="23:50")
    story.expects_mail_to("west duty inspector", at="23:48", saying="This was passed on.")
    story.told("council", "eastshire")
    story.advance(to="Tue 02:00")


def test_a_pass_to_a_role_that_nobody_holds_reaches_the_cover(begin: Begin) -> None:
    """It is never lost."""
    story = an_overdue_case(begin)
    story.post_is_vacant("exploitation_di")
    assert story.pass_on(to="on_call_superintendent") == ""
    story.post_is_vacant("on_call_superintendent")
    story.advance(to="23:50")
    story.expects_mail_to(
        "on-call DI", at="23:48", saying="Nobody holds the role on-call superintendent here"
    )
    story.told("council", "eastshire")
    story.advance(to="Tue 02:00")


def test_a_pass_ends_a_take(begin: Begin) -> None:
    """Whoever took it has it no more: the rung that rested is told with it."""
    story = an_overdue_case(begin)
    assert story.take() == ""
    story.advance(to="Tue 03:00")
    story.expects_no_more_mail()
    assert story.pass_on(to="mash_inspector") == ""
    story.advance(to="Tue 03:01")
    story.expects_mail_to("on-call DI", at="03:00")
    story.told("council", "eastshire")
    story.advance(to="Tue 12:00")


# -- silence ----------------------------------------------------------------------------------


def test_a_silence_rests_telling_and_not_measurement_and_is_seen_everywhere(begin: Begin) -> None:
    """Of a case until 06:00: what was missed is told then, each person once."""
    story = begin("Mon 8 March 2027 18:47")
    story.contact(REFERENCE, category="physical_abuse")
    story.advance(to="20:00")
    number = story.silence_telling(REFERENCE, until="Tue 06:00", by="duty inspector")
    (shown,) = story.caseload().silences
    assert (shown.number, shown.about, shown.by) == (number, REFERENCE, "duty inspector")
    story.advance(to="Tue 05:59")
    story.expects_no_more_mail()
    assert story.says(DUTY) == "overdue"
    story.advance(to="Tue 06:01")
    for who in (HOLDER, "duty inspector", "on-call DI"):
        story.expects_mail_to(
            who, at="06:00", saying="it was silenced until 06:00 today by the duty inspector"
        )
    assert story.caseload().silences == ()
    story.told("council", "eastshire")
    story.advance(to="Tue 12:00")


def test_a_silence_of_a_rule_that_is_ended_early_tells_then(begin: Begin) -> None:
    """Of the rule for a week; ended at 05:00."""
    story = begin("Mon 8 March 2027 18:47")
    number = story.silence_telling(rule=DUTY, until="Mon 15 March 09:00")
    story.contact(REFERENCE, category="physical_abuse")
    story.advance(to="Tue 05:00")
    story.expects_no_more_mail()
    story.end(number)
    story.advance(to="Tue 05:01")
    for who in (HOLDER, "duty inspector", "on-call DI"):
        story.expects_mail_to(who, at="05:00", saying="it was silenced until 05:00 today")
    story.told("council", "eastshire")
    story.advance(to="Tue 12:00")


def test_a_false_alert_is_withdrawn_in_a_silence_too(begin: Begin) -> None:
    """Law 9 knows no silence."""
    story = an_overdue_case(begin)
    story.silence_telling(REFERENCE, until="Tue 12:00")
    story.told("council", "eastshire", occurred="22:40", recorded="23:55")
    story.advance(to="Tue 00:10")
    story.expects_mail_to(HOLDER, at="23:55", saying="Alert withdrawn")
    story.expects_mail_to("duty inspector", at="23:55", saying="Alert withdrawn")


# -- confirming -------------------------------------------------------------------------------


def a_call_recorded_after_due(begin: Begin) -> Story:
    """Contact 22:47, due 02:47; called at 02:10, written down at 03:00."""
    story = begin("Mon 8 March 2027 22:47")
    story.contact(REFERENCE, category="physical_abuse")
    story.told("council", "eastshire", occurred="Tue 02:10", recorded="Tue 03:00", method="verbal")
    story.advance(to="Tue 03:01")
    story.expects_mail_to(HOLDER, at="01:47")
    story.expects_mail_to(HOLDER, at="02:47", saying="Overdue")
    story.expects_mail_to(HOLDER, at="03:00", saying="it is to be confirmed")
    return story


def test_a_claim_that_a_named_role_confirms_by_hand_stays_in_time(begin: Begin) -> None:
    """It is a fact of the case, shown by explain, and the deadline goes."""
    story = a_call_recorded_after_due(begin)
    assert "by a named role" in story.confirm(rule=DUTY)
    story.advance(to="Tue 11:00")
    assert story.confirm(rule=DUTY, by="mash_inspector") == ""
    story.advance(to="Thu 12:00")
    assert story.says(DUTY) == "met"
    (clock,) = story.explained(rule=DUTY).clocks
    assert [(each.kind, each.by) for each in clock.done] == [("confirm", "MASH inspector")]
    assert "no claim is to be confirmed" in story.confirm(rule=DUTY, by="mash_inspector")


def test_a_claim_that_lapsed_cannot_be_confirmed_by_hand(begin: Begin) -> None:
    """The record has to say how the partner was told."""
    story = a_call_recorded_after_due(begin)
    story.advance(to="Wed 03:01")
    story.expects_mail_to(HOLDER, at="Wed 03:00", saying="nobody confirmed it in time")
    assert "the claim lapsed at 03:00" in story.confirm(rule=DUTY, by="mash_inspector")
    assert story.says(DUTY) == "overdue"
    story.told("council", "eastshire", method="email")
    story.advance(to="Wed 03:30")


def test_a_confirmation_by_hand_is_undone_like_any_intake(begin: Begin) -> None:
    """Then the claim waits again, and lapses."""
    story = a_call_recorded_after_due(begin)
    assert story.confirm(rule=DUTY, by="mash_inspector") == ""
    story.advance(to="Tue 12:00")
    story.undo_newest_intake("by hand")
    story.advance(to="Wed 03:01")
    story.expects_mail_to(HOLDER, at="Wed 03:00", saying="nobody confirmed it in time")
    story.told("council", "eastshire", method="email")
    story.advance(to="Wed 03:30")


# -- closing ----------------------------------------------------------------------------------


def test_a_close_ends_the_telling_for_good_and_nothing_else(begin: Begin) -> None:
    """It stays overdue in every figure, and status lists it as closed by hand."""
    story = an_overdue_case(begin)
    assert story.close_by_hand(rule=DUTY, by="on_call_di") == ""
    story.advance(to="Mon 22 March 09:00")
    assert story.says(DUTY) == "overdue"
    (closed,) = story.caseload().closed_by_hand
    assert (closed.reference, closed.rule) == (REFERENCE, DUTY)
    assert story.caseload().by_verdict["overdue"] >= 1
    assert "its telling was ended by action" in story.take(rule=DUTY)


def test_a_close_that_is_taken_back_goes_on_telling(begin: Begin) -> None:
    """Closed by mistake."""
    story = an_overdue_case(begin)
    assert story.close_by_hand(rule=DUTY) == ""
    story.advance(to="Tue 04:00")
    (closed,) = story.caseload().closed_by_hand
    story.end(closed.number)
    story.advance(to="Tue 04:01")
    story.expects_mail_to("on-call DI", at="04:00")
    story.told("council", "eastshire")
    story.advance(to="Tue 12:00")


# -- late stops -------------------------------------------------------------------------------


def test_a_late_stop_is_told_in_the_next_mail_and_by_none_of_its_own(begin: Begin) -> None:
    """Shared 2 h 10 late at 00:57; the holder reads it with the next case, the inspector too."""
    story = an_overdue_case(begin)
    story.told("council", "eastshire", occurred="Tue 00:57", recorded="Tue 00:57")
    story.advance(to="Tue 06:00")
    story.expects_no_more_mail()
    story.contact("PPN-2027-004212", category="physical_abuse")
    story.advance(to="Tue 10:01")
    line = f"{REFERENCE}: shared with the council 2 h 10 late, at 00:57 today."
    story.expects_mail_to(HOLDER, at="09:00", saying=("PPN-2027-004212", line))
    story.expects_mail_to(HOLDER, at="10:00", saying="PPN-2027-004212", not_saying=REFERENCE)
    story.advance(to="Tue 11:01")
    story.expects_mail_to("duty inspector", at="11:00", saying=("PPN-2027-004212", line))
    story.told("council", "eastshire", reference="PPN-2027-004212")
    story.advance(to="Tue 13:00")


def test_a_late_stop_that_is_taken_back_before_it_was_told_is_not_told(begin: Begin) -> None:
    """Nobody had read that it was over: the ladder goes on where it was."""
    story = an_overdue_case(begin)
    entry = story.told("council", "eastshire", occurred="Tue 00:57", recorded="Tue 00:57")
    story.advance(to="Tue 01:30")
    story.taken_back(entry)
    story.advance(to="Tue 02:48")
    story.expects_mail_to("on-call DI", at="02:47", saying="Overdue 4 h 00")
    story.told("council", "eastshire")
    story.advance(to="Tue 05:00")


def test_a_late_stop_that_was_told_and_is_taken_back_tells_everybody_anew(begin: Begin) -> None:
    """They believe it done."""
    story = an_overdue_case(begin)
    entry = story.told("council", "eastshire", occurred="Tue 00:57", recorded="Tue 00:57")
    story.advance(to="Tue 01:00")
    story.contact("PPN-2027-004212", category="physical_abuse")
    story.advance(to="Tue 04:01")
    story.expects_mail_to(HOLDER, at="04:00", saying=f"{REFERENCE}: shared")
    story.taken_back(entry, REFERENCE)
    story.told("council", "eastshire", reference="PPN-2027-004212")
    story.advance(to="Tue 05:00")
    story.expects_mail_to(HOLDER, saying=("verdue 5 h", REFERENCE))
    story.expects_mail_to("duty inspector", saying=("verdue 5 h", REFERENCE))
    story.expects_mail_to("on-call DI", saying=("verdue 5 h", REFERENCE))
    story.told("council", "eastshire", reference=REFERENCE)
    story.advance(to="Tue 07:00")


def test_a_reader_of_the_digest_is_told_of_a_late_stop_there(begin: Begin) -> None:
    """The DI reads no other mail before Monday."""
    story = begin("Mon 8 March 2027 18:47", digests=True)
    story.reads_digest("force", "control-room.on-call-di@eastshire.police.example")
    story.contact(REFERENCE, category="physical_abuse")
    story.advance(to="Tue 02:48")
    for who in (HOLDER, HOLDER, "duty inspector", "on-call DI"):
        story.expects_mail_to(who)
    story.told("council", "eastshire", occurred="Tue 03:00", recorded="Tue 03:00")
    story.silence_telling(rule="missing-council", until="Mon 15 March 12:00")
    story.silence_telling(REFERENCE, until="Mon 15 March 12:00")
    story.advance(to="Mon 15 March 08:01")
    story.expects_mail_to(
        "on-call DI",
        saying=(
            "Ended since you were told: PPN-2027-004211: shared with",
            "4 h 13 late, at 03:00 on Tue 9 March.",
            "Nobody is told of rule missing-council until 12:00 today: it is under review.",
            "Nobody is told of PPN-2027-004211 until 12:00 today",
        ),
    )
    story.advance(to="Mon 22 March 08:01")
    story.expects_mail_to("on-call DI", not_saying="Ended since you were told")


# -- restricted cases -------------------------------------------------------------------------


def test_a_restricted_case_is_behind_every_door_but_those_of_its_own_posts(begin: Begin) -> None:
    """Only posts marked for it are told; lists, digest and status do not name it."""
    story = begin("Mon 8 March 2027 18:47", digests=True)
    story.contact(REFERENCE, category="physical_abuse", RESTRICTED="yes")
    story.reads_digest("force", "reader@eastshire.police.example")
    story.advance(to="Tue 02:48")
    for when in ("21:47", "22:47"):
        mail = story.expects_mail_to("force incident manager", at=when, saying=REFERENCE)
        assert "physical abuse" not in mail.content.decode()
    story.expects_mail_to("force incident manager", at="23:47")
    story.expects_mail_to("on-call DI", at="02:47")
    assert story.says(DUTY) == ""
    caseload = story.caseload()
    assert (caseload.by_verdict, caseload.overdue_by_rule) == ({}, {})
    assert caseload.restricted_overdue >= 1
    assert "nothing is known of" in story.take(rule=DUTY)
    assert "nothing is known of" in story.close_by_hand(rule=DUTY)
    assert story.unexplained(REFERENCE) == "nothing is known"
    story.told("council", "eastshire")
    story.advance(to="Mon 15 March 08:01")
    story.expects_mail_to("reader@eastshire.police.example", not_saying=REFERENCE)
