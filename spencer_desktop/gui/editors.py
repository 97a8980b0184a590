"""How a place in a file is opened in an editor: always a list of arguments, never a shell. No Qt."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from spencer_desktop.core.errors import UserError

Which = Callable[[str], str | None]
"""Where a program stands, or None: `shutil.which`."""

CUSTOM, SYSTEM = "custom", "system"

_HINT = "Choose another editor in the settings, or give a command of your own such as: myeditor {path}:{line}"


@dataclass(frozen=True, slots=True)
class Editor:
    """`programs` are its names, of which the first that is installed is started, with `arguments`."""

    title: str
    programs: tuple[str, ...]
    arguments: tuple[str, ...]
    in_terminal: bool = False


_JETBRAINS = "idea pycharm webstorm goland clion rider rustrover phpstorm rubymine idea64 pycharm64".split()

EDITORS: Mapping[str, Editor] = MappingProxyType(
    {
        "vscode": Editor("Visual Studio Code", ("code", "codium", "code-insiders"), ("--goto", "{path}:{line}")),
        "jetbrains": Editor("JetBrains IDE", tuple(_JETBRAINS), ("--line", "{line}", "{path}")),
        "zed": Editor("Zed", ("zed", "zeditor"), ("{path}:{line}",)),
        "sublime": Editor("Sublime Text", ("subl", "sublime_text"), ("{path}:{line}",)),
        "emacs": Editor("Emacs", ("emacs",), ("+{line}", "{path}")),
        "nvim": Editor("Neovim", ("nvim",), ("+{line}", "{path}"), in_terminal=True),
        "vim": Editor("Vim", ("vim",), ("+{line}", "{path}"), in_terminal=True),
    }
)
"""Key, as it stands in the settings → editor; beside them `CUSTOM` and `SYSTEM`."""

# What a batch file, or the terminal of Windows, would not leave alone in a name.
_BATCH_MARKS = frozenset('&|<>^%!();"')

# What each terminal wants before the command that it is to run.
_TERMINALS = {
    "ghostty": ("-e",),
    "kitty": (),
    "alacritty": ("-e",),
    "wezterm": ("start", "--"),
    "foot": (),
    "gnome-terminal": ("--",),
    "konsole": ("-e",),
    "xfce4-terminal": ("-x",),
    "x-terminal-emulator": ("-e",),
    "xterm": ("-e",),
    "wt": (),
}


def installed(which: Which = shutil.which) -> Iterator[str]:
    """Keys of the editors that can be started here, the preferred first; each is looked for when it is asked for."""
    for key, editor in EDITORS.items():
        there = any(which(program) for program in editor.programs)
        if there and (not editor.in_terminal or any(which(name) for name in _TERMINALS)):
            yield key


def command(key: str, template: str, path: Path, line: int, which: Which = shutil.which) -> list[str]:
    """The arguments that open `path` (absolute) at `line` (1-based); `template` is that of the key `CUSTOM`.

    The key "auto" is the first editor that is installed, else the system's. UserError when it is not installed or
    the template cannot be read.
    """
    if key == "auto":
        key = next(installed(which), SYSTEM)
    if key == SYSTEM:
        return system_command(path)
    if key == CUSTOM:
        return _custom(template, path, line)
    if key not in EDITORS:
        raise UserError(f"There is no editor {key!r}", hint=f"Known are {', '.join((*EDITORS, SYSTEM, CUSTOM))}.")
    editor = EDITORS[key]
    program = _program(editor, which)
    if program is None:
        raise UserError(f"{editor.title} is not installed, or not on the PATH ({editor.programs[0]})", hint=_HINT)
    argv = [program, *(_filled(argument, path, line) for argument in editor.arguments)]
    argv = [*_terminal(which), *argv] if editor.in_terminal else argv
    if _is_batch(argv[0]) and _BATCH_MARKS.intersection(str(path)):
        raise UserError(
            f"{editor.title} cannot be given the name {path}: Windows would read commands in it", hint=_HINT
        )
    return argv


def _program(editor: Editor, which: Which) -> str | None:
    found = next((found for name in editor.programs if (found := which(name))), None)
    if found and _is_batch(found):
        # Windows hands batch files to its shell; the program that they start stands above them.
        above = Path(found).parent.parent / f"{editor.title.split()[-1]}.exe"
        return str(above) if above.exists() else found
    return found


def _is_batch(program: str) -> bool:
    return program.lower().endswith((".cmd", ".bat"))


def system_command(path: Path) -> list[str]:
    """What opens a file or a folder as the system would; it cannot be told a line."""
    if sys.platform == "darwin":
        return ["open", str(path)]
    return ["explorer", str(path)] if os.name == "nt" else ["xdg-open", str(path)]


def reveal_command(path: Path) -> list[str]:
    """Shows the file in the file manager, selected where that can be asked for."""
    if sys.platform == "darwin":
        return ["open", "-R", str(path)]
    return ["explorer", "/select,", str(path)] if os.name == "nt" else ["xdg-open", str(path.parent)]


def _custom(template: str, path: Path, line: int) -> list[str]:
    try:
        words = shlex.split(template, posix=os.name != "nt")
    except ValueError as error:
        raise UserError(f"The editor command {template!r} cannot be read: {error}", hint=_HINT) from error
    if not words:
        raise UserError("No editor command is set", hint=_HINT)
    if not any("{path}" in word for word in words[1:]):
        words.append("{path}")
    # Windows' backslashes are no escapes, and its quotes stay where they are.
    return [_filled(word.strip('"') if os.name == "nt" else word, path, line) for word in words]


def _filled(argument: str, path: Path, line: int) -> str:
    # The path last: it may hold braces of its own.
    return argument.replace("{line}", str(line)).replace("{path}", str(path))


def _terminal(which: Which) -> list[str]:
    for name, arguments in _TERMINALS.items():
        if program := which(name):
            return [program, *arguments]
    raise UserError("No terminal was found to start the editor in", hint=_HINT)
