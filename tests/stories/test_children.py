"""Several children and organisations, grades that change, cases that turn out to be one."""

from __future__ import annotations

from tests.stories.conftest import Begin

DUTY = "significant-harm-council"
SERGEANT = "submitting officer's sergeant"


def test_three_siblings_are_three_duties(begin: Begin) -> None:
    """A sending for one stops only its own."""
    story = begin("Mon 8 March 2027 09:00")
    for child in ("1", "2", "3"):
        story.contact("PPN-2027-004211", category="physical_abuse", child=child)
    story.advance(to="11:00")
    story.told("council", "eastshire", child="2", occurred="10:55")
    story.advance(to="13:01")
    story.expects_mail_to(SERGEANT, at="12:00", saying="2 duties due soon on 1 case")
    story.expects_mail_to(SERGEANT, at="13:00", saying="2 duties overdue on 1 case")
    assert story.says(DUTY) == "met, overdue, overdue"
    story.told("council", "eastshire", child="1")
    story.told("council", "eastshire", child="3")
    story.advance(to="15:00")


def test_a_sending_that_names_no_child_stops_none_of_several(begin: Begin) -> None:
    """It could mean any of them, and doubt stops nothing; it is listed."""
    story = begin("Mon 8 March 2027 09:00")
    for child in ("1", "2"):
        story.contact("PPN-2027-004211", category="physical_abuse", child=child)
    story.told("council", "eastshire", recorded="10:00")
    story.advance(to="11:00")
    assert story.says(DUTY) == "running, running"
    looked_at = story.explained(rule=DUTY).clocks[0].events
    assert any("could mean several" in one.why for one in looked_at)
    story.told("council", "eastshire", child="1")
    story.told("council", "eastshire", child="2")
    story.advance(to="15:00")


def test_found_in_one_council_s_area_and_living_in_another_s(begin: Begin) -> None:
    """Two clocks, one for each council; telling one is not telling the other."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact(
        "PPN-2027-004211",
        category="physical_abuse",
        council="eastshire",
        HOME_COUNCIL_SET="08/03/2027 09:00:00",
        HOME_COUNCIL_CODE="westshire",
    )
    story.told("council", "eastshire", recorded="11:00")
    story.advance(to="13:01")
    story.expects_mail_to(SERGEANT, at="12:00", saying="Westshire", not_saying="Eastshire child")
    story.expects_mail_to(SERGEANT, at="13:00", saying=("Westshire contact centre", "Overdue"))
    assert story.says(DUTY) == "met, overdue"
    story.told("council", "westshire")
    story.advance(to="14:00")


def test_residence_unknown_the_council_where_found_is_to_be_told(begin: Begin) -> None:
    """When the other council becomes known, its clock has the same start."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse", council="eastshire")
    story.told("council", "eastshire", recorded="10:00")
    story.advance(to="11:00")
    assert story.says(DUTY) == "met"
    story.corrected(HOME_COUNCIL_SET="08/03/2027 11:00:00", HOME_COUNCIL_CODE="westshire")
    story.advance(to="12:30")
    story.expects_mail_to(SERGEANT, at="12:00", saying=("Due by 13:00", "Westshire"))
    story.told("council", "westshire")
    story.advance(to="14:00")
    assert story.says(DUTY) == "met, met"


def test_no_council_on_record_is_told_to_the_holder_at_once(begin: Begin) -> None:
    """With the field to fill; once it is filled the clock goes on from its own start."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse", council=None)
    story.advance(to="09:30")
    story.expects_mail_to(
        SERGEANT, at="09:00", saying=("Cannot route, council", "Record the council responsible")
    )
    story.corrected(COUNCIL_SET="08/03/2027 11:30:00", COUNCIL_CODE="eastshire", known="11:30")
    story.advance(to="13:01")
    story.expects_mail_to(SERGEANT, at="12:00", saying=("Due by 13:00", "Eastshire"))
    story.expects_mail_to(SERGEANT, at="13:00", saying=("Overdue", "Eastshire"))
    story.told("council", "eastshire", occurred="12:50")
    story.advance(to="14:00")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")


def test_what_was_not_yet_sent_about_an_unknown_council_is_told_of_the_known_one(
    begin: Begin,
) -> None:
    """Mail is held while the council becomes known: the alert tells of the clock that runs now."""
    story = begin("Mon 8 March 2027 09:00")
    story.hold_mail()
    story.contact("PPN-2027-004211", category="physical_abuse", council=None)
    story.advance(to="13:30")
    story.corrected(COUNCIL_SET="08/03/2027 13:30:00", COUNCIL_CODE="eastshire")
    story.advance(to="13:40")
    story.release_mail()
    story.advance(to="13:41")
    story.expects_mail_to(
        SERGEANT,
        saying=("Overdue", "Eastshire children's social care"),
        not_saying="Record the council",
    )
    story.told("council", "eastshire", occurred="12:30")
    story.advance(to="13:50")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")


def test_raised_from_medium_to_high_at_hour_ten_starts_the_faster_clock_then(
    begin: Begin,
) -> None:
    """Its 24 hours run from the raising, and the mail says so."""
    fast = "domestic-abuse-high-council"
    story = begin("Mon 8 March 2027 09:00", rules=[fast])
    story.contact("PPN-2027-004211", category="domestic_abuse", risk="medium")
    story.supervised()
    story.advance(to="Mon 19:00")
    assert story.says(fast) == ""
    story.regraded("high")
    story.advance(to="Tue 17:59")
    assert story.says(fast) == "running"
    story.advance(to="Tue 18:00")
    story.advance(to="Wed 08:01")
    for who in ("MASH sergeant", "duty inspector", "on-call DI"):
        story.expects_mail_to(
            who, at="Wed 08:00", saying=("Overdue 13 h 00", "raised 10 h 00 after")
        )
    story.told("council", "eastshire")
    story.advance(to="Wed 12:00")


def test_lowered_after_it_was_overdue_ends_the_telling_and_not_the_measuring(
    begin: Begin,
) -> None:
    """Regraded after overdue: measured on until its stop, no longer told."""
    rule = "exploitation-high-council"
    story = begin("Mon 8 March 2027 09:00", rules=[rule])
    story.contact("PPN-2027-004211", category="sexual_exploitation", risk="high")
    story.advance(to="13:30")
    story.expects_mail_to(SERGEANT, at="12:00", saying="Due by 13:00")
    story.expects_mail_to(SERGEANT, at="13:00", saying="Overdue")
    story.regraded("medium")
    story.advance(to="Tue 13:30")
    assert story.says(rule) == "overdue"
    story.told("council", "eastshire")
    story.advance(to="Tue 14:00")
    assert story.says(rule) == "late"


def test_two_references_that_turn_out_to_be_one_case(begin: Begin) -> None:
    """Duplicates of one contact: what was said is kept, and one ladder goes on."""
    rule = "notice-submitted"
    story = begin("Mon 8 March 2027 08:00", rules=[rule])
    story.contact("PPN-2027-004211", category="neglect", risk="medium")
    story.contact("PPN-2027-004212", category="neglect", risk="medium")
    story.advance(to="20:30")
    story.expects_mail_to(SERGEANT, at="19:00", saying="2 duties due soon on 2 cases")
    story.expects_mail_to(SERGEANT, at="20:00", saying="2 duties overdue on 2 cases")
    story.linked("PPN-2027-004212", "PPN-2027-004211")
    story.advance(to="Tue 00:01")
    story.expects_mail_to(
        "duty inspector", at="Tue 00:00", saying=("Overdue 4 h 00", "PPN-2027-004211")
    )
    assert story.says(rule, "PPN-2027-004211") == "overdue"
    story.submitted("PPN-2027-004211", at="Mon 12:00")
    story.advance(to="Tue 01:00")
    story.expects_mail_to(SERGEANT, saying="Alert withdrawn")
    story.expects_mail_to("duty inspector", saying="Alert withdrawn")


def test_the_contact_of_an_incident_is_stopped_by_the_notice_it_is_linked_to(
    begin: Begin,
) -> None:
    """The incident's contact needs a notice; the link makes the notice's submission count."""
    rule = "no-notice"
    story = begin("Mon 8 March 2027 08:00", rules=[rule])
    story.incident("INC-20270308-0001", "CHILD FLAG SET")
    story.advance(to="Mon 12:00")
    assert story.says(rule, "INC-20270308-0001") == "running"
    story.contact("PPN-2027-004211", category="neglect", at="08:00")
    story.submitted("PPN-2027-004211", at="11:00")
    story.incident("INC-20270308-0001", "PPN LINKED", notice="PPN-2027-004211")
    story.advance(to="Wed 12:00")
    assert story.says(rule, "INC-20270308-0001") == "met"


def test_a_link_does_not_take_a_sending_back(begin: Begin) -> None:
    """A notice that was shared stays shared when another notice is linked to it."""
    story = begin("Mon 8 March 2027 09:00")
    story.contact("PPN-2027-004211", category="physical_abuse")
    story.told("council", "eastshire", recorded="10:00")
    story.advance(to="12:30")
    story.contact("PPN-2027-004212", category="physical_abuse")
    story.linked("PPN-2027-004212", "PPN-2027-004211")
    story.advance(to="13:30")
    assert "met" in story.says(DUTY, "PPN-2027-004211")
    story.told("council", "eastshire", reference="PPN-2027-004212")
    story.advance(to="15:00")
