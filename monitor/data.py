"""Where the files that come with the package lie: rules, templates, sample configuration.

What comes in: the name of a folder. What goes out: its path, in the wheel or in a checkout.
It does not care what is in it. A service runs on its own copy (`monitor init`), never on these.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_PLACES = (_PACKAGE / "_data", _PACKAGE.parent)
"""Inside an installed wheel; beside the package in a checkout."""


def data_folder(name: str) -> Path:
    """The folder `rules`, `templates` or `config` as shipped.

    Raises FileNotFoundError where it is in neither place: the installation is incomplete.
    """
    for place in _PLACES:
        if (folder := place / name).is_dir():
            return folder
    message = f"the folder {name!r} did not come with this installation; install it again"
    raise FileNotFoundError(message)
