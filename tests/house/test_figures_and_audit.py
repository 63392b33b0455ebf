"""No figure, export or pack is computed from the audit log: section 62(4) of the Act, and a law."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

READERS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "monitor/report/**/*.py",
        "monitor/cycle/evidence/*.py",
        "monitor/cycle/exporting.py",
        "monitor/cycle/weekly.py",
        "monitor/cycle/series.py",
        "monitor/cycle/known_then.py",
        "monitor/store/figures.py",
        "monitor/store/exports.py",
        "monitor/store/evidence.py",
        "monitor/store/known*.py",
        "monitor/store/series.py",
        "monitor/store/steps.py",
    )
    for path in ROOT.glob(pattern)
)
MAY_WRITE = "write_audit"
"""What logs that something left; it reads nothing."""


def audit_words(source: str) -> set[str]:
    """Names, attributes, imports and statements of a module that speak of the audit log."""
    found: set[str] = set()
    tree = ast.parse(source)
    said = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.alias):
            found.add(node.name.rpartition(".")[2])
        elif isinstance(node, ast.Constant) and id(node) not in said:
            found |= {"SQL"} if "from audit" in str(node.value).lower() else set()
    return {word for word in found if "audit" in word or word == "SQL"}


@pytest.mark.parametrize("path", READERS)
def test_what_computes_figures_never_reads_the_audit_log(path: str) -> None:
    assert audit_words((ROOT / path).read_text(encoding="utf-8")) <= {MAY_WRITE}


def test_the_search_finds_what_it_looks_for() -> None:
    """So that the test above can fail."""
    assert audit_words("from monitor.store.tables import audit") == {"audit"}
    assert audit_words("rows = tables.audit.c") == {"audit"}
    assert audit_words("ask('SELECT 1 FROM audit')") == {"SQL"}
    assert audit_words('"""Nothing is read from audit."""') == set()
    assert len(READERS) > 20
