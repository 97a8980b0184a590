"""Settings, each declared once with type, default and help; read from `settings.toml` in the user's config folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.resources import resource_dir
from spencer_desktop.core.types import Mode

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_APP = "spencer"
DATA_DIR_VARIABLE = "SPENCER_DATA_DIR"


GROUPS = ("indexing", "search", "models", "editor", "appearance")


def _setting(
    group: str, default: Any, help_text: str, choices: tuple[str, ...] = (), least: int = 0, most: int = 1_000_000
) -> Any:
    """A text without `choices` is free."""
    return field(
        default=default,
        metadata={"group": group, "help": help_text, "choices": choices, "least": least, "most": most},
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose. Paths of the data folder and the pack come from the command line or the defaults."""

    data_dir: Path
    pack_dir: Path
    max_file_mib: int = _setting("indexing", 2, "Larger files are skipped, in MiB.", least=1)
    include_vendored: bool = _setting("indexing", False, "Index vendored and build folders too.")
    include_generated: bool = _setting(
        "indexing", False, "Index generated files, such as lock files and compiled protocols, too."
    )
    exclude: str = _setting(
        "indexing", "", "What else is left out of every folder: patterns as in .gitignore, with blanks between them."
    )
    pause_on_battery: bool = _setting("indexing", False, "Index only while the machine is plugged in.")
    pause_under_load: int = _setting(
        "indexing",
        0,
        "Wait while others take more of the processor than so many percent; 0 means never.",
        most=99,
    )
    parse_seconds: int = _setting(
        "indexing", 5, "A file that takes longer to parse is indexed as plain lines.", least=1
    )
    mode: str = _setting(
        "search", "hybrid", "How the window searches unless the question says.", tuple(m.value for m in Mode)
    )
    results: int = _setting("search", 30, "How many answers the window shows.", least=1, most=1_000)
    candidates: int = _setting(
        "search", 0, "How many of the best answers the re-ranker reads; 0 means what the pack advises."
    )
    device: str = _setting("models", "auto", "Where the models run.", ("auto", "cpu", "cuda"))
    threads: int = _setting("models", 0, "Threads for the models; 0 means one for each core.")
    editor: str = _setting(
        "editor",
        "auto",
        "What opens an answer.",
        ("auto", "vscode", "jetbrains", "zed", "sublime", "emacs", "nvim", "vim", "system", "custom"),
    )
    editor_command: str = _setting("editor", "", "The command for the editor custom, such as: myeditor {path}:{line}.")
    theme: str = _setting("appearance", "system", "Light, dark, or as the system has it.", ("system", "light", "dark"))
    code_font: str = _setting("appearance", "", "The font of code; empty means the system's fixed one.")
    code_font_size: int = _setting("appearance", 0, "Its size in points; 0 means the system's.", most=72)
    language: str = _setting("appearance", "system", "The window's language.", ("system", "en", "de"))
    tray: bool = _setting("appearance", False, "Show an icon in the system tray, and stay there when closed.")


def declared() -> tuple[Field[Any], ...]:
    """The fields that `settings.toml` may set, in order."""
    return tuple(f for f in fields(Settings) if f.metadata)


def config_file() -> Path:
    return platformdirs.user_config_path(_APP, appauthor=False) / "settings.toml"


def load_settings(*, data_dir: Path | None = None, file: Path | None = None) -> Settings:
    """Defaults, then `settings.toml`, then the command line. Raises UserError for what cannot be used."""
    path = file or config_file()
    raw: dict[str, Any] = {}
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        raise UserError(
            f"The settings in {path} cannot be read: {error}", hint="Correct or remove the file."
        ) from error
    environment = os.environ.get(DATA_DIR_VARIABLE)
    default = Path(environment) if environment else platformdirs.user_data_path(_APP, appauthor=False)
    pack = raw.pop("pack", None)
    if pack is not None and not isinstance(pack, str):
        raise UserError(f"{path}: pack = {pack!r} is not a text", hint="Give the folder of a model pack, in quotes.")
    pack_dir = _usable(Path(pack), "model pack") if pack else resource_dir() / "models/default"
    return Settings(_usable(data_dir or default, "data folder"), pack_dir, **checked(path, raw))


def _usable(folder: Path, what: str) -> Path:
    """Absolute, with "~" replaced. Raises UserError where that cannot be done, and for a name that is no text."""
    try:
        absolute = folder.expanduser().absolute()
    except (OSError, RuntimeError) as error:  # the current folder is gone; nobody has such a home
        raise UserError(f"The {what} {folder} cannot be found: {error}", hint="Write its path in full.") from error
    try:
        # SQLite takes names as UTF-8 that holds no NUL.
        text = str(absolute).encode("utf-8")
    except UnicodeEncodeError:
        text = b"\0"
    if b"\0" in text:
        raise UserError(f"The name of the {what} {absolute} is no text", hint="Choose a folder with a name in UTF-8.")
    return absolute


def checked(path: Path, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The values, which stand in `path`. Raises UserError for a name or a value that no setting has."""
    known = {f.name: f for f in declared()}
    for name, value in raw.items():
        if name not in known:
            raise UserError(f"{path}: there is no setting {name!r}", hint=f"Known settings: {', '.join(known)}, pack.")
        setting = known[name]
        choices, least, most = (setting.metadata[part] for part in ("choices", "least", "most"))
        out_of_range = isinstance(value, int) and not least <= value <= most
        if type(value) is not type(setting.default) or (choices and value not in choices) or out_of_range:
            wanted = " or ".join(map(repr, choices)) if choices else _WANTED[type(setting.default)].format(least, most)
            raise UserError(f"{path}: {name} = {value!r} is not {wanted}", hint=setting.metadata["help"])
    return dict(raw)


_WANTED = {bool: "true or false", int: "a whole number from {} to {}", str: "a text"}
