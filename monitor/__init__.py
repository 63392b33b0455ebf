"""The Safeguarding Timeliness Monitor: it tells whether partners were told in time.

The journey of one event:

1. `ingest` reads what a feed left, maps each row to events, sets aside what it cannot read;
2. `store` keeps the events; every later handover is a row there too, so a kill loses nothing;
3. `assess` folds the events of each case that changed into its clocks (`clocks`, `rulebook`);
4. `escalate` says which alerts are now due on those clocks, to whom and why;
5. `deliver` bundles a person's alerts into one message, sends it, records the outcome;
6. `report` turns clocks and what was said into figures, the weekly digest and evidence.

`cycle` is the corridor that walks these in order; `daemon` and `cli` alone ask what time it is.
"""

from __future__ import annotations

__version__ = "0.1.0"
