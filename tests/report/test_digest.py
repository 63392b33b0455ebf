from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.clocks.steps import Step
from monitor.letters import DigestLetter
from monitor.model import DAY, HOUR, MINUTE, Verdict
from monitor.report.change import ControlChart, WeekPoint, control_chart
from monitor.report.completeness import Completeness
from monitor.report.measured import span_of
from monitor.report.questions import NearLimit
from monitor.report.restated import Change, Restated
from monitor.report.row import ClockRow
from monitor.report.stages import StepFigures, Usual
from monitor.report.trust import FeedState, Said, Silence, TakenIn, feed_hours
from monitor.report.wording import Wording
from tests.report.rows import NOW, SINCE, UNTIL, WEEK, late, letter, met, row

SILENT: dict[str, Any] = {"counted": {"trusted_until": {"sending-log": SINCE}}}
HEALTH: dict[str, Any] = {"rule": "health-1d", "partner": "health"}


def everything(digest: DigestLetter) -> str:
    """Every text of a letter, one after another."""

    def texts(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        if isinstance(value, dict):
            return [text for part in value.values() for text in texts(part)]
        if isinstance(value, list | tuple):
            return [text for part in value for text in texts(part)]
        return []

    return "\n".join(texts(asdict(digest)))


# -- at a glance ------------------------------------------------------------------------------


def test_the_week_in_one_sentence_names_the_partner_furthest_behind() -> None:
    council = [met(case_id=case) for case in range(11)] + [late()]
    health = [met(**HEALTH) for _ in range(8)] + [late(**HEALTH), row(**HEALTH), row(**HEALTH)]
    assert letter(*council, *health).sentence == (
        "the record shows 11 of 12 duties to the council met in time (92 %) and 8 of 11 to health"
        " (73 %); furthest behind is health, with 3 not in time, 2 of them still open."
    )


def test_a_partner_with_few_duties_is_not_called_behind_for_one_of_them() -> None:
    council = [met() for _ in range(12)] + [late() for _ in range(3)]
    sentence = letter(*council, late(**HEALTH)).sentence
    assert "furthest behind is the council, with 3 not in time" in sentence


def test_a_partner_with_few_duties_and_as_many_late_as_any_other_is_behind() -> None:
    health = [met(**HEALTH) for _ in range(11)] + [late(**HEALTH)]
    sentence = letter(*[met() for _ in range(7)], late(), late(), *health).sentence
    assert "furthest behind is the council, with 2 not in time" in sentence


def test_where_all_are_few_the_one_with_the_most_not_in_time_is_behind() -> None:
    sentence = letter(met(), met(), row(), late(), late(**HEALTH)).sentence
    assert sentence == (
        "the record shows 2 of 4 duties to the council met in time and 0 of 1 to health; furthest"
        " behind is the council, with 2 not in time, 1 of them still open."
    )


def test_one_partner_alone_is_behind_nobody() -> None:
    assert letter(met(), row()).sentence == (
        "the record shows 1 of 2 duties to the council met in time; 1 not in time and still open."
    )


def test_a_week_all_in_time_says_so_and_one_with_unknown_never_does() -> None:
    assert letter(met(), met(), met(**HEALTH)).sentence == (
        "all 3 duties to partners that fell due are recorded as met in time."
    )
    assert letter(met()).sentence == (
        "the one duty to a partner that fell due is recorded as met in time."
    )
    assert letter(met(), row(), **SILENT).sentence == (
        "the record shows 1 of 1 duty to the council met in time; of 1 more it is not known,"
        " because a feed was not heard."
    )


def test_a_week_of_nothing_but_unknown_claims_nothing() -> None:
    found = letter(row(), row(), **SILENT)
    assert found.sentence == "of 2 duties nothing is known yet, because a feed was not heard."
    assert found.headline == ("council 0 of 0 (2 unknown) in time", "nothing overdue")


def test_a_week_in_which_nothing_fell_due_says_so_and_asks_whether_that_can_be() -> None:
    found = letter(scope="district:esat")
    assert found.sentence == "no duty to a partner fell due."
    assert found.headline == ("nothing fell due", "nothing overdue")
    assert found.rows == ()
    assert found.spans == ()
    assert found.backlog == ("Nothing is open.",)
    assert "check that the events say 'district:esat'" in found.notes[0]


def test_the_subject_names_as_many_partners_as_it_holds_and_never_half_of_one() -> None:
    found = letter(*(met(partner=f"partner_number_{number}") for number in range(5)))
    assert found.headline[0] == "partner number 0 1 of 1, partner number 1 1 of 1 in time"
    assert len(found.headline[0]) <= 60


def test_the_subject_counts_cases_of_high_risk_that_are_overdue() -> None:
    high = {"risk": "high"}
    found = letter(row(**high, case_id=1), row(**high, case_id=1, **HEALTH), row(case_id=2))
    assert found.headline == ("council 0 of 2, health 0 of 1 in time", "1 high-risk case overdue")
    assert letter(row(), row()).headline[1] == "2 duties overdue"


def test_the_case_to_do_first_is_named_with_what_has_no_record_and_where_it_waits() -> None:
    start = {"started_at": UNTIL - 2 * DAY - 7 * HOUR - 40 * MINUTE, "risk": "high"}
    stage = {"stage": "supervised", "stage_at": UNTIL - 2 * DAY - 6 * HOUR}
    found = letter(row(case_id=3987, **start, **stage), row(case_id=3987, **start, **HEALTH))
    assert found.do_first == (
        "PPN-2027-003987 (high risk): no record that the council or health has been told. Due by"
        " 20:20 on Fri 5 March, overdue 2 d 11 h. Clock started 16:20 on Fri 5 March. Waiting for"
        " triage since 18:00 on Fri 5 March. It is the only high-risk case overdue."
    )


def test_what_cannot_be_routed_and_own_steps_are_said_in_their_own_words() -> None:
    found = letter(row(cannot_route=True), row(rule="supervised", partner=""))
    assert (
        "(medium risk): the record does not say whom to tell as the council; not on the record:"
        " notice supervised." in found.do_first
    )


def test_what_was_sent_already_is_not_said_to_wait_for_sending() -> None:
    stage = {"stage": "triaged", "stage_at": UNTIL - DAY}
    waiting = Wording(waiting_for={"submitted": "supervision", "triaged": "sending"})
    told = letter(row(rule="acknowledged", partner="", **stage), wording=waiting)
    assert "Waiting" not in told.do_first
    assert "Waiting for sending" in letter(row(**stage), wording=waiting).do_first


def test_what_was_not_known_then_is_not_said_not_to_have_fallen_due() -> None:
    found = letter(as_known="As known at that time.")
    assert found.sentence == "of no duty to a partner was it known then that it fell due."
    assert "Nothing was known then that fell due in this week or was open." in found.notes


def test_where_nothing_is_overdue_nothing_is_to_be_done_first() -> None:
    assert letter(met()).do_first == ""
    assert letter(row(), references={}).do_first == ""


# -- rows -------------------------------------------------------------------------------------


def test_a_rows_parts_add_up_and_no_percentage_stands_under_10() -> None:
    (found,) = letter(*[met() for _ in range(8)], row()).rows
    assert (found.label, found.met, found.of, found.percent) == ("Council told, 4 h", 8, 9, None)
    assert (found.late, found.open_late, found.unknown, found.note) == (0, 1, 0, "")


def test_unknown_is_beside_the_total_and_the_share_at_worst_is_said_with_it() -> None:
    (found,) = letter(*[met() for _ in range(12)], late(), row(), row(), **SILENT).rows
    assert (found.met, found.of, found.percent, found.unknown) == (12, 13, 92, 2)
    assert found.note == "With the unknown counted as late: 12 of 15 (80 %)."


def test_a_partner_with_several_limits_has_a_total_above_them() -> None:
    found = letter(met(), late(rule="council-1d"), met(**HEALTH)).rows
    assert [(each.label, each.met, each.of) for each in found] == [
        ("Council, all limits", 1, 2),
        ("Council told, 4 h", 1, 1),
        ("Council told of another concern, 24 h", 0, 1),
        ("Health told, 24 h", 1, 1),
    ]


def test_beside_the_shares_stand_exempt_with_reasons_and_void() -> None:
    start = row().started_at
    found = letter(
        row(exempt_at=start + HOUR, reason_code="known_already"),
        row(exempt_at=start + HOUR),
        row(void_at=start + DAY, breached_at=start + 4 * HOUR),
    )
    assert found.rows == ()
    assert found.beside == (
        "2 exempt by a recorded decision (no reason recorded, 1; known already, 1).",
        "1 void, made in error, 1 of them when already overdue.",
    )


def test_what_is_on_trial_is_said_in_one_line_beside_the_shares() -> None:
    """How many rules and duties: nobody takes a week without them for a week without duties."""
    trial: dict[str, Any] = {"left_out": {"new", "newer"}, "trial": {("new", 1), ("newer", 1)}}
    found = letter(met(), row(rule="new"), row(rule="newer"), row(rule="newer"), counted=trial)
    assert found.beside == (
        (
            "On trial: 2 rules, with 3 duties due in the period or open. Nobody has approved them,"
            " so what they measure is in no figure here."
        ),
    )
    one = letter(met(), row(rule="new"), counted=trial)
    assert one.beside == (
        (
            "On trial: 1 rule, with 1 duty due in the period or open. Nobody has approved it, so"
            " what it measures is in no figure here."
        ),
    )
    assert letter(met()).beside == ()


def test_a_week_of_nothing_but_trials_does_not_read_as_one_without_duties() -> None:
    trial: dict[str, Any] = {"left_out": {"new"}, "trial": {("new", 1)}}
    found = letter(row(rule="new"), row(rule="new"), counted=trial)
    assert found.headline == ("only by rules on trial: 2 duties",)
    assert found.backlog == ("Nothing is open under a rule that is approved.",)
    assert found.sentence == "no duty to a partner fell due under a rule that is approved."
    assert not any("If that cannot be" in note for note in found.notes)


def test_duties_that_an_unapproved_version_measures_on_are_said() -> None:
    found = letter(met(), met(rule_version=2), counted={"trial": {("council-4h", 1)}})
    assert found.beside == ()
    assert found.notes[0] == (
        "Of the duties counted here, 1 is measured by a version of a rule that nobody has approved:"
        " a trial, and not decided policy."
    )


def test_partners_are_told_how_long_it_took_with_what_is_open_at_its_age() -> None:
    own = {"rule": "supervised", "partner": ""}
    found = letter(*[met() for _ in range(20)], row(), *[met(**own) for _ in range(5)])
    (span,) = found.spans
    assert (span.number, span.median, span.ninetieth) == (21, "3 h 00", "3 h 00")
    assert span.ninety_fifth == "3 h 00"
    assert span.longest == "5 d 22 h, still open"


def _step(kind: str, *lengths: int, partner: str = "", **more: Any) -> StepFigures:
    waiting = more.pop("waiting", [])
    return StepFigures(Step(kind, partner), span_of([lengths, waiting], still_open=waiting), **more)


def test_each_step_says_where_it_waits_and_whether_longer_than_usual() -> None:
    usual = Usual(5 * HOUR, 8 * HOUR, 26)
    found = letter(
        steps=(
            _step("supervised", *[9 * HOUR] * 5, usual=usual),
            _step("partner_notified", *[8 * HOUR] * 5, partner="council", usual=usual),
            _step("partner_notified", *[HOUR] * 4, partner="health", usual=None),
            _step(
                "partner_acknowledged",
                *[HOUR] * 5,
                partner="council",
                usual=None,
                waiting=[2 * DAY],
            ),
        )
    )
    assert found.waits == (
        (
            "Submitted to supervised (5): median 9 h 00 (usual 5 h 00 to 8 h 00): LONGER THAN"
            " USUAL; longest 9 h 00."
        ),
        "Told to the council (5): median 8 h 00 (usual 5 h 00 to 8 h 00); longest 8 h 00.",
        "Acknowledged by the council (6): median 1 h 00; longest 2 d, still waiting.",
    )


# -- change or chance -------------------------------------------------------------------------


def _weeks(*met: int, of: int = 20) -> ControlChart:
    weeks = [WEEK]
    while len(weeks) < len(met):
        weeks.insert(0, weeks[0].earlier)
    return control_chart([WeekPoint(w, m, of) for w, m in zip(weeks, met, strict=True)])


USUAL = _weeks(*[17, 15] * 16)
SLOWER = _weeks(*[17, 15] * 13, *[12] * 7)


def test_the_sentence_says_whether_anything_changed() -> None:
    nine = [met() for _ in range(9)]
    assert letter(*nine, late(), charts={"council": USUAL}).sentence.endswith(
        "1 not in time; all within usual variation."
    )
    said = letter(*nine, late(), charts={"council": SLOWER}).sentence
    assert "telling the council has been slower since at least the week of 11 January" in said
    assert "usual" not in letter(*nine, late()).sentence


def test_the_sentence_calls_nothing_usual_where_all_partners_together_have_changed() -> None:
    nine = [met() for _ in range(9)]
    said = letter(*nine, late(), charts={"": SLOWER, "council": USUAL}).sentence
    assert said.endswith(
        "; telling all partners together has been slower since at least the week of 11 January."
    )
    assert "usual" not in said


def test_charts_are_said_in_words_and_their_last_weeks_in_figures() -> None:
    health = [met(rule="health-1d", partner="health") for _ in range(3)]
    found = letter(met(), *health, charts={"": USUAL, "council": USUAL, "health": SLOWER})
    assert [line.split()[0] for line in found.changes] == ["All", "Council", "Health"]
    assert [(each.label, each.met, each.of, each.percent) for each in found.weeks[-1:]] == [
        ("1-7 March 2027", 15, 20, 75)
    ]
    assert len(found.weeks) == 8
    assert len(letter(met(), charts={"": USUAL, "council": USUAL}).changes) == 1


# -- parts ------------------------------------------------------------------------------------


def _of_district(name: str, number: int, first_case: int) -> list[ClockRow]:
    return [met(district=name, case_id=first_case + each) for each in range(number)]


def test_districts_stand_in_the_order_of_their_names_and_small_ones_together() -> None:
    east, west = (
        _of_district("east", 12, 0),
        [late(district="west", case_id=50 + n) for n in range(10)],
    )
    (table,) = letter(*east, *west).tables
    assert [(r.label, r.met, r.of) for r in table.rows] == [("East", 12, 12), ("West", 0, 10)]
    small = [*_of_district("a", 6, 100), *_of_district("b", 4, 200)]
    (table,) = letter(*east, *west, *small).tables
    assert [(r.label, r.of) for r in table.rows] == [
        ("East", 12),
        ("West", 10),
        ("2 others together", 10),
    ]


def test_small_parts_that_have_no_ten_between_them_take_another_with_them() -> None:
    large = [*_of_district("c", 12, 0), *_of_district("d", 11, 100)]
    small = [*_of_district("a", 3, 200), *_of_district("b", 4, 300)]
    (table,) = letter(*large, *small).tables
    assert [(r.label, r.of) for r in table.rows] == [("C", 12), ("3 others together", 18)]


def test_a_single_small_part_takes_the_next_smallest_with_it() -> None:
    """Alone it could be reckoned back from the total."""
    rows = [*_of_district("a", 3, 0), *_of_district("b", 11, 100), *_of_district("c", 12, 200)]
    (table,) = letter(*rows).tables
    assert [(r.label, r.of) for r in table.rows] == [("C", 12), ("2 others together", 14)]


def test_a_grave_risk_is_never_hidden_among_others() -> None:
    """Concerns and risks are nobody's work."""
    rows = [met(risk="standard", case_id=n) for n in range(12)]
    (table,) = letter(*rows, late(risk="high", case_id=90), late(risk="medium", case_id=91)).tables
    assert [(r.label, r.met, r.of) for r in table.rows] == [
        ("High", 0, 1),
        ("Medium", 0, 1),
        ("Standard", 12, 12),
    ]


def test_first_is_a_case_of_which_a_partner_waits_to_be_told() -> None:
    """Of the same risk an older one, in which only a step of the force's own is owed, is next."""
    older = row(case_id=1, risk="high", rule="supervised", partner="", started_at=SINCE - DAY)
    newer = row(case_id=2, risk="high")
    assert letter(older, newer).do_first.startswith("PPN-2027-000002")
    grave = row(case_id=3, risk="high", rule="supervised", partner="")
    assert letter(row(case_id=4), grave).do_first.startswith("PPN-2027-000003")


def test_outside_the_force_no_sentence_says_of_how_many_cases_or_duties() -> None:
    feeds = feed_hours(
        [FeedState("log", SINCE, UNTIL, has_timetable=True)],
        [Silence("log", SINCE + DAY, SINCE + 2 * DAY)],
        since=SINCE,
        until=UNTIL,
    )
    told: dict[str, Any] = {"feeds": feeds, "is_outside": True}
    inside, outside = letter(met(), feeds=feeds), letter(met(), **told)
    assert "(1 case)" in inside.how_to_read
    assert "case" not in outside.how_to_read.replace("outnumber cases", "")
    assert len(inside.coverage) == 2
    assert len(outside.coverage) == 1
    unknown: dict[str, Any] = {"counted": {"trusted_until": {"sending-log": SINCE}}}
    assert "Unknown:" in letter(row(), **unknown).how_to_read
    assert "Unknown:" not in letter(row(), **unknown, **told).how_to_read


def test_a_force_is_not_told_of_its_units() -> None:
    rows = [
        met(unit=name, case_id=n) for name in ("a", "b") for n in range(ord(name), ord(name) + 20)
    ]
    assert letter(*rows).tables == ()
    assert [t.title for t in letter(*rows, scope="district:east").tables] == ["by unit"]


def test_what_is_worth_asking_is_a_question() -> None:
    found = letter(late(regraded_at=SINCE), near={"council-4h": NearLimit(3, 40, 2)}).questions
    assert found == (
        (
            "Council told, 4 h: in the last 26 weeks 40 duties ended in the last tenth of the time"
            " allowed, 3 in the tenth before and 2 in the tenth after. What makes so many end just"
            " within the limit?"
        ),
        (
            "1 duty was regraded to another limit after falling overdue; counted all the same. What"
            " was learnt that changed the grade?"
        ),
    )


def test_notices_tell_what_they_record_beside_how_quick_they_are() -> None:
    notices = Completeness(38, (("the child's views", 31), ("the GP", 29)))
    assert letter(completeness=notices).quality == (
        "Of 38 notices: the child's views recorded in 31 and the GP recorded in 29.",
    )


def test_what_last_week_says_otherwise_is_told_and_nothing_too() -> None:
    def said(*changes: Change) -> str:
        return letter(restated=Restated(number_then=1, as_of_then=SINCE, changes=changes)).coverage[
            -1
        ]

    assert said() == "Restated since last week's digest: nothing."
    assert said(Change(Verdict.OVERDUE, Verdict.MET, 2)) == (
        "Restated since last week's digest: 2 duties were overdue and are in time as known now."
    )


# -- the rest ---------------------------------------------------------------------------------


def test_the_backlog_is_said_by_risk_and_age_the_gravest_first() -> None:
    found = letter(
        row(case_id=1, started_at=NOW - HOUR),
        row(case_id=2, started_at=NOW - 20 * DAY),
        row(case_id=3, risk="high", started_at=NOW - HOUR),
        row(case_id=3, risk="", due_at=None),
        row(case_id=3, risk="", held_until=NOW),
    ).backlog
    assert found == (
        "5 duties on 3 cases; 2 overdue, 1 unknown.",
        "High 1: under 1 day 1.",
        "Medium 2: under 1 day 1, over 14 days 1.",
        "No risk recorded 2: 3 to 7 days 2.",
        "Oldest open high-risk case: PPN-2027-000003, clock started 07:00 on Mon 8 March.",
        "Deferred until a review: 0. Review overdue: 1.",
        "1 duty has a due time that cannot be computed, and so fell due in no week.",
    )


def test_contacts_without_a_notice_are_told_with_the_oldest() -> None:
    contact = {"rule": "no-notice", "partner": ""}
    assert letter(met()).no_notice == ()
    assert letter(row(**contact, due_at=NOW)).no_notice == (
        "1 contact flagged with a child has no notice yet, all within the limit.",
    )
    (said,) = letter(row(**contact), row(**contact), row(**contact, due_at=NOW)).no_notice
    assert said == (
        "2 contacts flagged with a child have neither a notice nor a recorded reason for none,"
        " past the limit; oldest Tue 2 March. 1 more within the limit."
    )


def test_recorded_late_is_told_beside_late_never_as_it() -> None:
    stop = met().stopped_at
    assert stop is not None
    found = letter(met(stop_recorded_at=stop + 2 * DAY), met(stop_recorded_at=stop))
    assert found.quality == ("Of 2 duties done, 1 was recorded more than 24 h afterwards.",)
    assert found.rows[0].late == 0


def test_what_was_said_is_counted_and_what_nobody_got_stands_out() -> None:
    assert letter(said=None).alerts == ()
    assert letter(said=Said()).alerts == ("No alert was sent.",)
    said = Said(told=34, mails=21, taken=19, withdrawals=2, undelivered=1)
    assert letter(said=said).alerts == (
        (
            "34 alerts in 21 mails; 19 taken within 2 h; 2 withdrawals; 0 with nobody to tell;"
            " 1 NOT DELIVERED."
        ),
    )


def test_coverage_says_how_long_each_feed_was_heard_and_what_could_not_be_read() -> None:
    state = FeedState("occurrence", SINCE, NOW, has_timetable=True)
    silent = state._replace(feed="sending-log")
    feeds = feed_hours(
        [state, silent, state._replace(feed="never", first_heard_at=None, last_heard_at=None)],
        [Silence("sending-log", SINCE + 2 * DAY + 14 * HOUR, SINCE + 2 * DAY + 19 * HOUR)],
        since=SINCE,
        until=UNTIL,
    )
    taken = TakenIn(events=1204, conflicting=0, files_set_aside=1, set_aside=3, unmended=2)
    found = letter(met(), feeds=feeds, taken_in=taken)
    heard, account, unread = found.coverage
    assert account == "No duty of the week is unknown on that account."
    assert heard == (
        "Occurrence heard all 168 h; sending log heard 163 h of 168 h (silent Wed 14:00 to 19:00);"
        " never NEVER HEARD."
    )
    assert unread == (
        "Rows that could not be read and were set aside: 3 (2 not mended), beside 1,204 new"
        " events, in the whole force; files set aside whole: 1."
    )
    assert [read.feed for read in found.feeds] == ["occurrence", "sending log"]


def test_many_silences_are_named_in_part_and_one_that_goes_on_says_so() -> None:
    starts = [SINCE + day * DAY for day in range(5)]
    silences = [Silence("log", start, start + HOUR) for start in starts]
    state = FeedState("log", SINCE - DAY, NOW, has_timetable=False)
    feeds = feed_hours([state], silences, since=SINCE, until=UNTIL)
    assert (
        "Tue 00:00 to 01:00, Wed 00:00 to 01:00 and 2 times more)"
        in (letter(feeds=feeds).coverage[0])
    )
    going_on = feed_hours([state], [Silence("log", starts[4], None)], since=SINCE, until=UNTIL)
    assert "silent from 00:00 on Fri 5 March to the end" in letter(feeds=going_on).coverage[0]
    unseen = feed_hours([state], [], since=SINCE, until=UNTIL)
    assert letter(feeds=unseen).coverage == ("Log heard all 168 h, but has no timetable to miss.",)


def test_a_restricted_case_is_nowhere_in_a_digest() -> None:
    hidden = row(case_id=77, risk="high", restricted=True)
    assert letter(hidden) == letter()


# -- laws -------------------------------------------------------------------------------------


@st.composite
def weeks(draw: st.DrawFn) -> list[ClockRow]:
    """A week of a few partners, all kinds of endings among them."""
    start = row().started_at
    endings: list[dict[str, Any]] = [
        {"stopped_at": start + HOUR},
        {"stopped_at": start + DAY, "breached_at": start + 4 * HOUR},
        {"exempt_at": start + HOUR},
        {"void_at": start + HOUR},
        {"cannot_route": True},
        {},
    ]
    partners = (("council-4h", "council"), ("health-1d", "health"), ("supervised", ""))
    found = []
    for case in range(draw(st.integers(0, 30))):
        rule, partner = draw(st.sampled_from(partners))
        ending = draw(st.sampled_from(endings))
        found.append(row(case_id=case, rule=rule, partner=partner, **ending))
    return found


@given(weeks(), st.booleans())
def test_the_arithmetic_of_every_row_agrees_with_what_it_says(
    some: list[ClockRow], silent: bool
) -> None:
    found = letter(*some, **(SILENT if silent else {}))
    for each in found.rows:
        assert each.met + each.late + each.open_late == each.of
        assert each.cannot_route <= each.open_late
        assert (each.percent is None) == (each.of < 10)


@given(weeks(), st.booleans())
def test_no_percentage_of_fewer_than_10_stands_anywhere(some: list[ClockRow], silent: bool) -> None:
    text = everything(letter(*some, **(SILENT if silent else {})))
    for _, whole in re.findall(r"(\d+) of (\d+)[^();,.\d]*\(\d+ %\)", text):
        assert int(whole) >= 10


@given(weeks(), st.booleans())
def test_it_speaks_of_records_in_whole_sentences(some: list[ClockRow], silent: bool) -> None:
    found = letter(*some, **(SILENT if silent else {}))
    sentences = (*found.beside, *found.waits, *found.backlog, *found.quality, *found.notes)
    for sentence in (found.sentence, *sentences):
        assert sentence.endswith(".")
        assert "  " not in sentence
    assert not re.search(r"\bNone\b|[bB]reach|at risk|\bfail", everything(found))
