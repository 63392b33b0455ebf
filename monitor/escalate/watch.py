"""What the monitor found wrong with itself: which faults begin and end, and when to tell of them.

What comes in: findings, the faults that stand, and now. What goes out: what is to be opened, ended
and told, and the letter that tells it. It does not care how a finding was made or who is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from monitor.letters import OperatorLetter, Remedy
from monitor.model import DAY, MINUTE, Duration, Instant, WatchFault
from monitor.words import count, listed, when

TOGETHER: Final[Duration] = 10 * MINUTE
"""After a mail, what is found next waits so long to go together."""

_STATUS: Final = Remedy(what="See everything that needs a person", command="monitor status")
_STEPS: Final = 6


class Kind(NamedTuple):
    """One thing that can be wrong."""

    wrong: str
    """For a subject."""
    effect: str
    do: Remedy
    stops_the_switch: bool = True
    """Whether it may keep the service from doing what it is for, now."""
    again_after: Duration = DAY
    """How long it stands before it is told of again."""
    is_told_elsewhere: bool = False
    """Whoever noticed it first told the operator at once: here only that it goes on."""


_LOG: Final = Remedy(what="Read the service's log", command="journalctl -u monitor --since -1h")
_RESTART: Final = Remedy(what="Restart the service", command="systemctl restart monitor")
_MAIL: Final = Remedy(
    what="Look what the mail server answered, and mend the way to it", command="monitor status"
)

NODE, LOOP, FAILING = "node", "loop", "failing"
LATE, UNSET, UNASSESSED = "late", "unset", "unassessed"
RELAY, NOT_TAKEN, UNCLAIMED, NO_OUTCOME = "relay", "not taken", "unclaimed", "no outcome"
DEAD, HELD, BOUNCING, NOBODY = "dead", "held", "bouncing", "nobody"
DIGEST, INTAKE, SEAL, CALENDAR = "digest", "intake", "seal", "calendar"

KINDS: Final[dict[str, Kind]] = {
    NODE: Kind(
        "a node is not seen",
        "Where no other node runs, nothing is taken in, decided or sent.",
        Remedy(what="Look whether the service runs there", command="systemctl status monitor"),
    ),
    LOOP: Kind(
        "a loop does not turn",
        "What that loop does is not done on that node: files, decisions or mails wait.",
        _RESTART,
    ),
    FAILING: Kind(
        "a loop fails again and again",
        "What that loop does is not done on that node: files, decisions or mails wait.",
        _LOG,
    ),
    LATE: Kind(
        "clocks are not decided in time",
        "Warnings and alerts of these clocks are not told. They are decided when the sweep goes on"
        " and nothing is lost.",
        _RESTART,
    ),
    UNSET: Kind(
        "open clocks had no next step",
        "Nobody would have been told of these clocks. Their cases were put before the assessment"
        " again, which sets the step.",
        Remedy(what="Keep the log and report this: it is a fault of the program", command=""),
    ),
    UNASSESSED: Kind(
        "changed cases are not assessed",
        "Their clocks still say what was so before the change.",
        _LOG,
    ),
    RELAY: Kind(
        "no mail is taken by the mail server",
        "Alerts are decided and kept, and go out when the mail server takes mail again; until then"
        " nobody is told of anything by mail.",
        _MAIL,
    ),
    NOT_TAKEN: Kind(
        "mail is not taken",
        "These mails are tried again; whoever they are for is not told meanwhile.",
        _MAIL,
    ),
    UNCLAIMED: Kind(
        "mail waits that nobody sends",
        "Alerts are decided and kept; whoever they are for is not told meanwhile.",
        _RESTART,
    ),
    NO_OUTCOME: Kind(
        "a mail never comes to an end",
        "It is tried again and again without an outcome, and may have arrived more than once.",
        _LOG,
    ),
    DIGEST: Kind(
        "a weekly digest was not made",
        "Its readers do not have the figures of the week. Alerts are not touched by this.",
        Remedy(what="Make it by hand, and read why not", command="monitor digest --send"),
    ),
    INTAKE: Kind(
        "a file is not read on",
        "What its remaining rows tell is not known: clocks may run that were stopped.",
        _LOG,
    ),
    SEAL: Kind(
        "the seal of the audit log is broken",
        "Somebody or something changed or removed a row that was sealed. Alerts and figures are"
        " not touched by this.",
        Remedy(what="Keep a copy of the database as it is, and tell whoever answers for the audit"),
        stops_the_switch=False,
    ),
    DEAD: Kind(
        "mail will not be tried again",
        "Whoever these mails were for was not told by them.",
        Remedy(what="Tell those it was for, and mend the address or the mail server"),
        stops_the_switch=False,
    ),
    NOBODY: Kind(
        "alerts found nobody to be told to",
        "Cases are due or overdue, and the roster names nobody who can be reached for them.",
        Remedy(what="Complete config/recipients.toml, then reload", command="monitor check"),
        stops_the_switch=False,
    ),
    HELD: Kind(
        "all mail is held",
        "Nobody is told of anything by mail until it is released.",
        Remedy(what="Release it, if whoever held it agrees", command="monitor mail release"),
    ),
    BOUNCING: Kind(
        "mail to somebody bounces",
        "Alerts for this role go to its cover.",
        Remedy(
            what="Correct the address in config/recipients.toml, then clear the flag",
            command="monitor mail flagged",
        ),
        stops_the_switch=False,
        again_after=7 * DAY,
        is_told_elsewhere=True,
    ),
    CALENDAR: Kind(
        "a calendar is near its end",
        "Past its end a due time in working days is unknown rather than guessed.",
        Remedy(what="Load newer holidays into rules/holidays/", command="monitor check"),
        stops_the_switch=False,
        again_after=30 * DAY,
    ),
}
"""Kind → what it means, the most pressing first."""

_PRESSING: Final = {name: place for place, name in enumerate(KINDS)}


class Finding(NamedTuple):
    """Something that is not as it should be."""

    kind: str
    detail: str
    """In words, for the status, the log and a mail: no address, no person."""
    about: str = ""
    """Which one of its kind; empty where there is only one."""
    is_certain: bool = True
    """False: it may be work in hand. It opens no fault, and ends none."""

    @property
    def what(self) -> str:
        """The name of the fault that it is."""
        return f"{self.kind}: {self.about}" if self.about else self.kind


class Judged(NamedTuple):
    """What follows for the faults that are kept."""

    begun: tuple[Finding, ...]
    changed: tuple[tuple[int, str], ...]
    """(fault, what is now to be said of it)."""
    ended: tuple[WatchFault, ...]

    @property
    def is_news(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.begun or self.changed or self.ended)


def kind_of(fault: WatchFault) -> str:
    """Of which kind a fault is."""
    return fault.what.partition(":")[0]


def what_to_do(fault: WatchFault) -> str:
    """What to do about a fault, as the rest of a line: `restart the service: systemctl …`."""
    do = _meaning(fault).do
    said = do.what[:1].lower() + do.what[1:]
    return f"{said}: {do.command}" if do.command else said


def judge(
    findings: Iterable[Finding], standing: Collection[WatchFault], *, left_open: Collection[str]
) -> Judged:
    """Findings become faults, and faults that are not found any more have ended.

    `left_open`: kinds of which this look cannot say whether they are gone.
    """
    found = {finding.what: finding for finding in findings}
    known = {fault.what: fault for fault in standing}
    return Judged(
        begun=tuple(
            finding for what, finding in found.items() if finding.is_certain and what not in known
        ),
        changed=tuple(
            (known[what].id, finding.detail)
            for what, finding in found.items()
            if finding.is_certain and what in known and known[what].detail != finding.detail
        ),
        ended=tuple(
            fault
            for what, fault in known.items()
            if what not in found and kind_of(fault) not in left_open
        ),
    )


def is_well(standing: Iterable[WatchFault]) -> bool:
    """Whether nothing that stands may keep the service from doing what it is for."""
    return not any(_meaning(fault).stops_the_switch for fault in standing)


def to_be_told(
    standing: Iterable[WatchFault],
    *,
    unheard: Collection[str],
    last_told_at: Instant | None,
    now: Instant,
) -> bool:
    """Whether the operator is to have a mail: of a new fault, or of one that goes on.

    `unheard`: faults for which none is made, because it would lie until they are over.
    """
    is_owed = any(
        fault.told_at is None or now - fault.told_at >= _meaning(fault).again_after
        for fault in standing
        if fault.what not in unheard
    )
    return is_owed and (last_told_at is None or now - last_told_at >= TOGETHER)


def letter(
    standing: Sequence[WatchFault],
    ended: Sequence[WatchFault],
    *,
    service: str,
    zone: ZoneInfo,
    now: Instant,
) -> OperatorLetter:
    """One mail of all that stands, the most pressing first, and of what is over since the last."""
    ordered = sorted(standing, key=lambda fault: (_place(fault), fault.id))
    kinds = list(dict.fromkeys(_meaning(fault) for fault in ordered))
    is_news = any(fault.told_at is None for fault in ordered)
    still = "" if is_news else "still: "
    others = count(len(ordered) - 1, "other fault")
    return OperatorLetter(
        at=now,
        wrong=f"{still}{kinds[0].wrong}" + (f", and {others}" if len(ordered) > 1 else ""),
        service=service,
        since=ordered[0].since if len(ordered) == 1 and not is_news else None,
        effect=kinds[0].effect,
        steps=tuple(dict.fromkeys([*(kind.do for kind in kinds), _STATUS]))[:_STEPS],
        facts=(
            *(_stands(fault, kinds[0], zone=zone, now=now) for fault in ordered),
            *(f"Over: {_over(fault, zone=zone, now=now)}" for fault in ended),
        ),
    )


def _stands(fault: WatchFault, first: Kind, *, zone: ZoneInfo, now: Instant) -> str:
    """One fault; what it means, where that is not what the mail begins with."""
    began = "New" if fault.told_at is None else f"Since {when(fault.since, at=now, zone=zone)}"
    means = "" if _meaning(fault) == first else f" {_meaning(fault).effect}"
    return f"{began}: {fault.detail}.{means}"


def _over(fault: WatchFault, *, zone: ZoneInfo, now: Instant) -> str:
    times = [fault.since] if fault.ended_at is None else [fault.since, fault.ended_at]
    span = listed([when(at, at=now, zone=zone) for at in times], last="to")
    return f"{_meaning(fault).wrong} ({span})."


def _meaning(fault: WatchFault) -> Kind:
    return KINDS.get(kind_of(fault), KINDS[FAILING])


def _place(fault: WatchFault) -> int:
    return _PRESSING.get(kind_of(fault), 0)
