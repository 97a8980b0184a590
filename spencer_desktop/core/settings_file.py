"""Settings written back to their file. Apart from `settings`, because only a window writes them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit

from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.settings import checked, config_file, declared


def save_settings(changes: Mapping[str, Any], *, file: Path | None = None) -> None:
    """Writes values of declared settings to `settings.toml`; everything else in the file, comments too, stays.

    What is set to its default leaves the file. Raises UserError for a value that cannot be, EnvironmentFault when the
    file cannot be written.
    """
    # Through a link to the file that it stands for: a folder of dotfiles, perhaps.
    path = Path(os.path.realpath(file or config_file()))
    checked(path, changes)
    defaults = {f.name: f.default for f in declared()}
    try:
        document = tomlkit.parse(path.read_text("utf-8") if path.exists() else "")
        for name, value in changes.items():
            if value == defaults[name]:
                document.pop(name, None)
            else:
                document[name] = value
        replace_text(path, tomlkit.dumps(document))
    except (OSError, ValueError) as error:
        raise EnvironmentFault(
            f"The settings in {path} cannot be written: {error}", hint="Correct or remove the file, or its permissions."
        ) from error


def replace_text(path: Path, text: str) -> None:
    """Puts a new file in the place of `path`, whole or not at all; makes its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.write_text(text, "utf-8")
        os.replace(fresh, path)  # noqa: PTH105 - over one that is there, on Windows too
    finally:
        fresh.unlink(missing_ok=True)
