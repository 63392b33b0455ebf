"""Invented letters, one full and one bare of each kind, to try templates on.

What comes in: nothing. What goes out: letters that use every field, and letters that use almost
none, so that a template is tried on what it will meet. Nothing in them is real: telephone numbers
come from the range kept free for drama.
"""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from monitor.letters import (
    AnyLetter,
    BundleLetter,
    DigestLetter,
    DigestRow,
    DigestSpan,
    DutyLine,
    FeedRead,
    HeardAgain,
    NextStep,
    OperatorLetter,
    OtherDuty,
    OverdueLetter,
    Owner,
    Picture,
    Remaining,
    Remedy,
    Route,
    Silence,
    SilenceLetter,
    SilentFeed,
    Stage,
    Told,
    WarningLetter,
    WithdrawalLetter,
    Withdrawing,
    Withdrawn,
)
from monitor.model import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.model import Instant


def _at(text: str) -> Instant:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


_NIGHT_TEAM: Final = Route(
    name="Eastshire emergency duty team", telephone="01632 960101", hours="open now"
)
_OWN_LIMIT: Final = "It is this force's own limit and is not set by law."

_COUNCIL: Final = DutyLine(
    reference="PPN-2027-004211",
    started_at=_at("2027-03-08 18:47"),
    due_at=_at("2027-03-08 22:47"),
    partner="council",
    whom="the council",
    organisation="Eastshire children's social care",
    ring=(_NIGHT_TEAM,),
    risk="high",
    concern="significant harm",
    stages=(
        Stage(what="contact", at=_at("2027-03-08 18:47"), source="command and control log"),
        Stage(what="submitted", at=_at("2027-03-08 20:05")),
        Stage(what="supervised", at=_at("2027-03-08 21:20")),
    ),
    waiting_for="triage",
    waiting_since=_at("2027-03-08 21:20"),
    place="MASH opens 08:00",
    others=(
        OtherDuty(partner="health", due_at=_at("2027-03-09 18:47"), state="no record yet"),
        OtherDuty(partner="school", state="nothing due"),
    ),
    told=(
        Told(role="force incident manager", at=_at("2027-03-08 22:47")),
        Told(role="duty inspector", at=_at("2027-03-08 23:47")),
    ),
    unowned=True,
    next_steps=(NextStep(role="on-call superintendent", at=_at("2027-03-09 22:47")),),
    limit="4 h",
    authority=_OWN_LIMIT,
    rule="significant-harm-council",
    rule_version=3,
    afterwards="Written confirmation is then due within 24 hours.",
)
_OVERDUE: Final = OverdueLetter(
    at=_at("2027-03-09 02:47"),
    role="on-call DI",
    relay="Ring the on-call DI on 01632 960110 and read this out.",
    duty=_COUNCIL,
    feeds=(
        FeedRead(feed="occurrence system", read_to=_at("2027-03-09 02:44")),
        FeedRead(
            feed="sending log", read_to=_at("2027-03-09 02:45"), note="no gaps since the contact"
        ),
    ),
    answer="Reply TAKEN to show you have it: reminders stop for 2 hours. Reply NOT MINE to pass"
    " it to the duty inspector, or START if the start time is wrong.",
)
_WARNING: Final = WarningLetter(
    at=_at("2027-03-08 21:47"),
    role="force incident manager",
    why_you="MASH closed at 18:00, so this comes to your desk.",
    duty=DutyLine(
        reference=_COUNCIL.reference,
        started_at=_COUNCIL.started_at,
        due_at=_COUNCIL.due_at,
        partner="council",
        whom="the council",
        organisation=_COUNCIL.organisation,
        ring=(_NIGHT_TEAM,),
        risk="high",
        concern="significant harm",
        stages=_COUNCIL.stages,
        waiting_for="triage",
        waiting_since=_COUNCIL.waiting_since,
        next_steps=(
            NextStep(role="you again", at=_at("2027-03-08 22:47")),
            NextStep(role="duty inspector", at=_at("2027-03-08 23:47")),
            NextStep(role="on-call DI", at=_at("2027-03-09 02:47")),
        ),
        limit="4 h",
        authority=_OWN_LIMIT,
        rule="significant-harm-council",
        rule_version=3,
    ),
    feeds=(FeedRead(feed="all feeds", read_to=_at("2027-03-08 21:45"), note="no gaps"),),
)
_DOUBTFUL: Final = OverdueLetter(
    at=_at("2027-03-09 06:00"),
    role="duty inspector",
    redirected="force incident manager",
    still=True,
    duty=DutyLine(
        reference="PPN-2027-004230",
        due_at=_at("2027-03-09 00:00"),
        awaited="supervision of the notice",
        which="child 2 of 3",
        risk="high",
        raised="raised from medium at 20:30, 10 h 00 after contact",
        unconfirmed=Silence(feed="occurrence system", since=_at("2027-03-08 23:10")),
        learnt_late="the record was typed at 06:00 for a contact at 20:00",
        reopened="the message that was counted bounced at 05:40",
        held="deferred until 05:00, and not reviewed",
        owner=Owner(role="custody sergeant", until=_at("2027-03-09 08:00")),
    ),
)
_NO_ROUTE: Final = WarningLetter(
    at=_at("2027-03-08 18:00"),
    duty=DutyLine(
        reference="PPN-2027-003960",
        due_at=_at("2027-03-09 08:30"),
        partner="school",
        cannot_route="no school on the record",
        mend="Find the school before it opens at 08:30; home-educated or no school: tell the"
        " council.",
        risk="medium",
    ),
)
_RESTRICTED: Final = OverdueLetter(
    at=_at("2027-03-09 02:47"),
    duty=DutyLine(
        reference="PPN-2027-004299",
        due_at=_at("2027-03-09 01:00"),
        restricted=True,
        partner="council",
        organisation="Eastshire children's social care",
        risk="high",
        concern="concern that must not be seen",
    ),
)


def _friday_case(number: str, partner: str, due: str, **more: object) -> DutyLine:
    return DutyLine(
        reference=f"PPN-2027-00{number}",
        partner=partner,
        whom="the council" if partner == "council" else partner,
        due_at=_at(due),
        **more,  # type: ignore[arg-type]  # the names are those of DutyLine
    )


_FIRST_TOLD: Final = (
    Told(role="force incident manager", at=_at("2027-03-05 20:20")),
    Told(role="duty inspector", at=_at("2027-03-05 21:20")),
    Told(role="on-call DI", at=_at("2027-03-06 00:20")),
    Told(role="superintendent", at=_at("2027-03-06 20:20")),
)
_BUNDLE: Final = BundleLetter(
    at=_at("2027-03-08 07:00"),
    role="MASH DI",
    scope="East district",
    still=True,
    duties=(
        _friday_case(
            "3987",
            "council",
            "2027-03-05 20:20",
            risk="high",
            ring=(
                Route(
                    name="Eastshire emergency duty team",
                    telephone="01632 960101",
                    hours="open until 08:30",
                ),
            ),
            waiting_for="triage",
            waiting_since=_at("2027-03-05 18:05"),
            told=_FIRST_TOLD,
            unowned=True,
        ),
        _friday_case(
            "3960",
            "school",
            "2027-03-05 08:30",
            risk="medium",
            cannot_route="no school on the record",
            mend="Find the school before it opens at 08:30; home-educated or no school: tell the"
            " council.",
            unowned=True,
        ),
        _friday_case("3987", "health", "2027-03-06 16:20", risk="high"),
        _friday_case(
            "3951",
            "council",
            "2027-03-05 17:00",
            risk="medium",
            stages=(Stage(what="triaged", at=_at("2027-03-05 15:10")),),
            waiting_for="sending",
            place="council day team opens 08:30",
            unowned=True,
        ),
        _friday_case(
            "3902",
            "health",
            "2027-03-05 17:00",
            risk="medium",
            waiting_for="triage",
            waiting_since=_at("2027-03-04 08:15"),
            place="0-19 service opens 09:00",
            unowned=True,
        ),
        _friday_case(
            "3874",
            "health",
            "2027-03-04 17:00",
            risk="standard",
            owner=Owner(
                role="MASH sergeant", until=_at("2027-03-08 10:00"), reason="GP being traced"
            ),
        ),
    ),
    answer="Reply TAKEN 1 3 to take cases by number.",
    next_reminder=_at("2027-03-08 13:00"),
    next_reminder_for="only for cases without an owner",
    feeds=(
        FeedRead(feed="occurrence system", read_to=_at("2027-03-08 06:55")),
        FeedRead(feed="sending log", read_to=_at("2027-03-08 06:58"), note="no gaps since Fri"),
    ),
)
_FLOOD: Final = BundleLetter(
    at=_at("2027-03-30 08:10"),
    why_bundled="The sending log was silent from Thu 25 March 18:00 to 08:00 today and has now"
    " been read: this is what is still without a record.",
    duties=tuple(
        DutyLine(
            reference=f"PPN-2027-{5000 + number:06}",
            partner=("council", "health")[number % 2],
            due_at=_at("2027-03-26 09:00") + number * 17 * MINUTE,
            restricted=number == 1,
        )
        for number in range(260)
    ),
)
_TOLD_IN_TIME: Final = WithdrawalLetter(
    at=_at("2027-03-09 03:25"),
    role="duty inspector",
    items=(
        Withdrawn(
            duty=_COUNCIL,
            why=Withdrawing.TOLD_IN_TIME,
            told_whom="Eastshire emergency duty team",
            told_at=_at("2027-03-08 22:15"),
            recorded_at=_at("2027-03-09 03:20"),
            alerts=(
                _at("2027-03-08 22:47"),
                _at("2027-03-08 23:47"),
                _at("2027-03-09 02:47"),
            ),
            remaining=(
                Remaining(what="tell health", by=_at("2027-03-09 18:47")),
                Remaining(what="written confirmation to the council", by=_at("2027-03-09 22:15")),
            ),
            confirm_by=_at("2027-03-09 12:00"),
            confirm_role="MASH sergeant",
        ),
    ),
)
_SEVERAL_WITHDRAWN: Final = WithdrawalLetter(
    at=_at("2027-03-09 09:00"),
    items=tuple(
        Withdrawn(
            duty=DutyLine(
                reference=f"PPN-2027-0043{number:02}",
                partner="health",
                whom="health",
                due_at=_at("2027-03-09 02:00"),
                restricted=why is Withdrawing.WITHHELD,
            ),
            why=why,
            new_due_at=_at("2027-03-10 02:00"),
            reason="corrected by the contact centre",
            alerts=(_at("2027-03-09 02:00"),),
            remaining=(Remaining(what="tell the school"),),
        )
        for number, why in enumerate(Withdrawing)
    ),
)


def _png(width: int, height: int, grey: int) -> bytes:
    """A plain grey picture."""
    rows = (b"\0" + bytes([grey]) * width) * height
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))
        for kind, held in chunks
    )


_PICTURE: Final = Picture(
    name="weeks",
    content=_png(8, 5, 200),
    alt="Control chart of the weekly share in time, health: 52 weeks from 9 March 2026 to 7 March"
    " 2027. Health 70 %: inside 68 to 94, but the eighth week running below the average of 81.",
    width=552,
    height=345,
)
_DIGEST: Final = DigestLetter(
    at=_at("2027-03-08 07:00"),
    scope="East district",
    period_from=_at("2027-03-01 00:00"),
    period_to=_at("2027-03-01 00:00") + 7 * DAY,
    headline=("council 50 of 60, health 33 of 47 in time", "1 high-risk case open"),
    do_first="PPN-2027-003987 (high risk): no record that council or health has been told; oldest"
    " open high-risk case, contact Fri 5 March 16:20. It is in the MASH DI's 07:00 mail.",
    sentence="councils are recorded as told in time for 50 of 60 duties (83 %), as usual; health"
    " for 33 of 47 (70 %), and health has been slower since the week of 11 January.",
    how_to_read="duties that fell due Mon 00:00 to Sun 24:00, one per child and organisation, so"
    " duties outnumber notices (38 shared or due). Still open and past due counts as late. Unknown"
    " stays in the total and is never counted as in time. No percentage under 10.",
    rows=(
        DigestRow(label="Council, police protection, 1 h", met=2, of=2),
        DigestRow(label="Council, significant harm, 4 h", met=7, of=9, late=1, open_late=1),
        DigestRow(
            label="Council, missing child reported, 4 h or 24 h by risk",
            met=10,
            of=11,
            percent=91,
            late=1,
        ),
        DigestRow(
            label="Council, other concern or domestic abuse, 1 working day",
            met=31,
            of=38,
            percent=82,
            late=4,
            open_late=1,
            unknown=2,
        ),
        DigestRow(label="Health, significant harm, 24 h", met=6, of=9, late=2, open_late=1),
        DigestRow(
            label="Health, other concern, 2 working days",
            met=27,
            of=38,
            percent=71,
            late=5,
            open_late=2,
            unknown=4,
        ),
        DigestRow(
            label="School, domestic abuse, 08:30 next school day",
            met=12,
            of=14,
            percent=86,
            late=1,
            open_late=1,
            cannot_route=1,
            note="Half-term week is not counted.",
        ),
    ),
    beside=(
        (
            "not for sharing, decided with a reason, 12 notices; deferred 3 (1 review overdue since"
            " Sun 09:00); void 1."
        ),
    ),
    changes=(
        "Council 83 %: usual variation (average 85, expected 73 to 97).",
        (
            "Health 70 %: inside 68 to 94, but the eighth week running below the average of 81."
            " By the chart's rule that is a real change, not chance."
        ),
    ),
    pictures=(_PICTURE,),
    spans=(
        DigestSpan(
            label="Council, 1 working day", number=36, median="14 h 10", ninetieth="2 d 3 h"
        ),
        DigestSpan(
            label="Health, 2 working days", number=34, median="1 d 6 h", ninetieth="4 d 1 h"
        ),
        DigestSpan(
            label="Council, significant harm",
            number=9,
            median="2 h 20",
            longest="2 d 14 h, still open",
        ),
    ),
    waits=(
        "Contact to submitted, median 3 h 50 (usually 3 h 10 to 5 h 20).",
        "To triaged 9 h 40 (usually 5 h to 8 h): LONGER THAN USUAL.",
    ),
    backlog=(
        "33 duties, 6 of them overdue.",
        "High 4: under 1 day 2, 1 to 3 days 2.",
        "Medium 15: under 1 day 5, 1 to 3 days 6, 3 to 7 days 4.",
        "Standard 14: under 1 day 4, 1 to 3 days 7, 3 to 7 days 3. Older than 7 days: none.",
    ),
    no_notice=(
        (
            "4 contacts flagged with a child have neither a notice nor a recorded reason for none;"
            " oldest Wed 3 March."
        ),
    ),
    quality=(
        "Of 38 notices: child's views recorded 31, school recorded 33, GP recorded 29.",
        "Of 109 notifications, 6 were recorded more than 24 h after they were made.",
    ),
    alerts=("34 alerts in 21 mails; 19 taken within 2 h, 2 withdrawn, 0 with nobody to tell.",),
    coverage=(
        (
            "Occurrence system heard all 168 h; sending log 162 h 40 of 168 h (silent Wed 14:00 to"
            " 19:20, not re-sent: the 6 unknowns)."
        ),
        "Rows set aside: 3 of 1,204. Restated since last week: 2 duties, late to in time.",
    ),
    notes=("Restricted cases are not in this mail.",),
)
_OPERATOR: Final = OperatorLetter(
    at=_at("2027-03-09 02:47"),
    wrong="the sending log has not been heard",
    service="monitor-1",
    since=_at("2027-03-08 23:10"),
    effect="Alerts that hang on it are held back for 30 min and then say that they are"
    " unconfirmed. Nothing is lost: what arrives later is read with its own times.",
    steps=(
        Remedy(what="See what is waiting and which feed is silent.", command="monitor status"),
        Remedy(what="See whether the export still writes to the drop folder."),
        Remedy(
            what="If rows were set aside, see why.",
            command="monitor quarantine list --feed sending-log",
        ),
    ),
    facts=("Expected every 60 min with a lag of 30 min.", "Last file: 23:10, 41 rows."),
)

SAMPLES: Final[Mapping[str, AnyLetter]] = {
    "overdue": _OVERDUE,
    "overdue-doubtful": _DOUBTFUL,
    "overdue-restricted": _RESTRICTED,
    "overdue-bare": OverdueLetter(
        at=_at("2027-03-09 02:47"), duty=DutyLine(reference="PPN-2027-004211")
    ),
    "warning": _WARNING,
    "warning-no-route": _NO_ROUTE,
    "warning-bare": WarningLetter(
        at=_at("2027-03-09 02:47"), duty=DutyLine(reference="PPN-2027-004211")
    ),
    "bundle": _BUNDLE,
    "bundle-flood": _FLOOD,
    "bundle-bare": BundleLetter(
        at=_at("2027-03-09 02:47"), duties=(DutyLine(reference="PPN-2027-004211"),)
    ),
    "withdrawal": _TOLD_IN_TIME,
    "withdrawal-several": _SEVERAL_WITHDRAWN,
    "withdrawal-bare": WithdrawalLetter(
        at=_at("2027-03-09 02:47"),
        items=(
            Withdrawn(duty=DutyLine(reference="PPN-2027-004211"), why=Withdrawing.TOLD_IN_TIME),
        ),
    ),
    "digest": _DIGEST,
    "digest-bare": DigestLetter(
        at=_at("2027-03-08 07:00"),
        scope="West district",
        period_from=_at("2027-03-01 00:00"),
        period_to=_at("2027-03-01 00:00") + 7 * DAY,
    ),
    "operator": _OPERATOR,
    "operator-bare": OperatorLetter(at=_at("2027-03-09 02:47"), wrong="a loop is not turning"),
    "silence": SilenceLetter(
        at=_at("2027-03-25 19:00"),
        role="duty inspector",
        service="Safeguarding timeliness",
        silent=(
            SilentFeed(
                feed="sending log",
                since=_at("2027-03-25 18:00"),
                expected="every 15 min",
                duties=14,
                high_risk=3,
            ),
        ),
    ),
    "silence-several": SilenceLetter(
        at=_at("2027-03-26 19:00"),
        role="monitor operator",
        service="Safeguarding timeliness",
        silent=(
            SilentFeed(feed="command and control log"),
            SilentFeed(feed="sending log", since=_at("2027-03-25 18:00"), duties=1, is_news=False),
            SilentFeed(feed="custody", since=_at("2027-03-26 15:00"), comes=True, is_news=False),
        ),
        heard=(
            HeardAgain(
                feed="occurrence system",
                silent_from=_at("2027-03-25 18:00"),
                silent_to=_at("2027-03-26 18:52"),
            ),
        ),
        steps=(
            Remedy(
                what="Look whether the extract is still written into its drop folder.",
                command="ls -l drop/command-control",
            ),
            Remedy(what="See what the monitor knows of its feeds.", command="monitor status"),
        ),
    ),
    "silence-over": SilenceLetter(
        at=_at("2027-03-30 08:00"),
        heard=(
            HeardAgain(
                feed="sending log",
                silent_from=_at("2027-03-25 18:00"),
                silent_to=_at("2027-03-30 08:00"),
            ),
        ),
    ),
}
"""By name: the kind of mail, and what is particular about the letter."""
