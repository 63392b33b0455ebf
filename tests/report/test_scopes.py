from __future__ import annotations

import pytest

from monitor.report.scopes import Scope


@pytest.mark.parametrize(
    ("text", "label", "columns"),
    [
        ("force", "Whole force", {}),
        ("district:east", "East district", {"district": "east"}),
        ("district:north_east", "North east district", {"district": "north_east"}),
        ("district:District 4", "District 4", {"district": "District 4"}),
        ("unit:mash-2", "Unit mash-2", {"unit": "mash-2"}),
        ("unit:a:b", "Unit a:b", {"unit": "a:b"}),
    ],
)
def test_a_scope_says_which_clocks_belong(text: str, label: str, columns: dict[str, str]) -> None:
    scope = Scope.parse(text)
    assert (str(scope), scope.label, dict(scope.columns)) == (text, label, columns)


@pytest.mark.parametrize("text", ["", "Force", "force:east", "district", "district:", "team:x"])
def test_anything_else_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(ValueError, match="none of 'force', 'district:NAME', 'unit:NAME'"):
        Scope.parse(text)
