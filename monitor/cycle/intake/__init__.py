"""Files in: what waits in the drop folders is read, stored and assessed, batch by batch.

What comes in: an installation and now. What goes out: stored events, clocks and an account of every
row. `waiting` chooses the files, `one_file` reads one, `storing` writes a batch, `hearing` says
when a feed was heard; `mending` and `dirty` bring up to date what a person or a new rule changed.
"""

from monitor.cycle.intake.dirty import assess_dirty
from monitor.cycle.intake.mending import retry_quarantine, undo_intake
from monitor.cycle.intake.taken import ELSEWHERE, GONE, Taken
from monitor.cycle.intake.waiting import delete_done_files, take_in_file, take_in_waiting

__all__ = [
    "ELSEWHERE",
    "GONE",
    "Taken",
    "assess_dirty",
    "delete_done_files",
    "retry_quarantine",
    "take_in_file",
    "take_in_waiting",
    "undo_intake",
]
