"""The rows of the table, gathered in modules that share a store or a log.

A module has one function, `measure(bench: Bench) -> list[Comparison]`.
"""

from __future__ import annotations

MODULES: dict[str, tuple[int, ...]] = {
    "intake": (1, 2, 3),
    "sweep": (4, 5),
    "delivery": (6,),
    "worktime": (7,),
    "backtest": (8,),
    "digest": (9,),
    "pipeline": (10,),
    "scheduler": (11,),
    "idle": (12,),
}
"""Which rows each module measures."""
