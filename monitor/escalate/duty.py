"""A duty roster: who holds a post from when until when, as a force's own system exports it.

What comes in: the text of a CSV file, the roles there are, and the zone of its times. What goes
out: stints, or every fault with its line and field. It does not care where the file lay, nor how
stints are kept.

Columns: `role`, `address`, `from`, `until`, and if they are there `district` and `unit`. Times are
local, `2027-03-08 18:00`; where clocks are put back, a stint is read as long as it can be meant.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from monitor.faults import Fault, FaultsFound
from monitor.model import Instant
from monitor.worktime.zones import NonexistentTime, instants_of_local

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

NEEDED: Final = ("role", "address", "from", "until")
OPTIONAL: Final = ("district", "unit")
MOST_FAULTS: Final = 20
"""More than these are not listed: the file is of another kind."""

_FORMS: Final = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S")


class Stint(NamedTuple):
    """One post's duty: from `from_at` to before `until_at`, microseconds UTC."""

    role: str
    district: str
    unit: str
    address: str
    from_at: Instant
    until_at: Instant

    def is_on(self, at: Instant) -> bool:
        """Whether it is under way at an instant."""
        return self.from_at <= at < self.until_at


def read_duty(
    text: str,
    *,
    file: str,
    roles: Collection[str],
    zone: ZoneInfo,
    may_be_told: Callable[[str], bool],
) -> tuple[Stint, ...]:
    """The stints of a file, whole or not at all; raises FaultsFound.

    `may_be_told`: whether a mail may go to an address at all.
    """
    rows = csv.DictReader(io.StringIO(text))
    faults = list(_columns(rows.fieldnames or (), file))
    stints: list[Stint] = []
    for row in rows if not faults else ():
        reader = _Row(row, file, rows.line_num, roles, zone, may_be_told)
        if stint := reader.stint(faults):
            stints.append(stint)
        if len(faults) >= MOST_FAULTS:
            break
    if not stints and not faults:
        faults.append(Fault(file=file, expected="a row for each stint, and there is none"))
    if faults:
        raise FaultsFound(faults)
    return tuple(sorted(stints))


def _columns(names: Sequence[str], file: str) -> Iterator[Fault]:
    known = f"expected the columns {', '.join(NEEDED)}, and if you like {', '.join(OPTIONAL)}"
    for name in NEEDED:
        if name not in names:
            yield Fault(file=file, line=1, field=name, expected=f"this column is missing; {known}")
    for name in names:
        if name not in (*NEEDED, *OPTIONAL):
            yield Fault(file=file, line=1, field=name, expected=f"no such column is known; {known}")


class _Row:
    """One row while it is read."""

    def __init__(
        self,
        row: Mapping[str | None, str | None],
        file: str,
        line: int,
        roles: Collection[str],
        zone: ZoneInfo,
        may_be_told: Callable[[str], bool],
    ) -> None:
        self.row, self.file, self.line = row, file, line
        self.roles, self.zone, self.may_be_told = roles, zone, may_be_told

    def stint(self, faults: list[Fault]) -> Stint | None:
        """What it says, or None and its faults added."""
        before = len(faults)
        role, address = self._text("role"), self._text("address")
        if None in self.row or None in self.row.values():
            faults.append(self._fault("", "", "as many fields as there are columns"))
        if role not in self.roles:
            faults.append(self._fault("role", role, f"one of: {', '.join(sorted(self.roles))}"))
        if not self.may_be_told(address):
            faults.append(self._fault("address", "", "an address to which mail may go"))
        from_at, until_at = self._time("from", faults), self._time("until", faults)
        if from_at is not None and until_at is not None and from_at[0] >= until_at[1]:
            faults.append(self._fault("until", self._text("until"), "a time after `from`"))
        if len(faults) > before or from_at is None or until_at is None:
            return None
        place = self._text("district"), self._text("unit")
        return Stint(role, *place, address, from_at[0], until_at[1])

    def _time(self, field: str, faults: list[Fault]) -> tuple[Instant, Instant] | None:
        written = self._text(field)
        for form in _FORMS:
            try:
                naive = datetime.strptime(written, form)  # noqa: DTZ007 - it gets its zone next
                return instants_of_local(naive, self.zone)
            except NonexistentTime as gone:
                faults.append(self._fault(field, written, str(gone)))
                return None
            except ValueError:
                continue
        faults.append(self._fault(field, written, "a local time such as 2027-03-08 18:00"))
        return None

    def _text(self, field: str) -> str:
        return (self.row.get(field) or "").strip()

    def _fault(self, field: str, found: str, expected: str) -> Fault:
        shown = repr(found) if found else ""
        return Fault(file=self.file, line=self.line, field=field, found=shown, expected=expected)


def as_text(stints: Sequence[Stint]) -> str:
    """Stints as they are kept."""
    return json.dumps([list(stint) for stint in stints])


def from_text(text: str) -> tuple[Stint, ...]:
    """Stints as they were kept."""
    return tuple(Stint(*each) for each in json.loads(text))
