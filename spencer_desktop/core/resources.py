"""Where the files that come with the program lie: the default model pack, recipes, icons."""

from __future__ import annotations

import sys
from pathlib import Path

from spencer_desktop.core.errors import EnvironmentFault

_PACKAGE = Path(__file__).resolve().parent.parent


def resource_dir(package: Path = _PACKAGE) -> Path:
    """The folder `resources` of this bundle, installed wheel or checkout.

    `package` is the folder of `spencer_desktop`. Raises EnvironmentFault when the folder is missing.
    """
    bundle = getattr(sys, "_MEIPASS", None)
    candidates = [Path(bundle) / "resources"] if bundle else []
    candidates.append(package / "resources")
    # In an installed wheel the parent is site-packages, where a folder of this name would be someone else's.
    if (package.parent / "pyproject.toml").is_file():
        candidates.append(package.parent / "resources")
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise EnvironmentFault(
        f"The program's own files are missing: no folder {' or '.join(str(path) for path in candidates)}.",
        hint="Install SPENCER Desktop again, or restore the folder `resources` of the checkout.",
    )
