"""Which arguments open a file in which editor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spencer_desktop.core.errors import UserError
from spencer_desktop.gui import editors

ODD = Path("/code/{line} 'x' $(rm).py")


def having(*names: str) -> Callable[[str], str | None]:
    return lambda name: f"/bin/{name}" if name in names else None


@pytest.mark.parametrize(
    ("key", "programs", "argv"),
    [
        ("vscode", ("code",), ["/bin/code", "--goto", f"{ODD}:7"]),
        ("vscode", ("codium",), ["/bin/codium", "--goto", f"{ODD}:7"]),
        ("jetbrains", ("goland",), ["/bin/goland", "--line", "7", str(ODD)]),
        ("zed", ("zed",), ["/bin/zed", f"{ODD}:7"]),
        ("sublime", ("subl",), ["/bin/subl", f"{ODD}:7"]),
        ("emacs", ("emacs",), ["/bin/emacs", "+7", str(ODD)]),
        ("vim", ("vim", "xterm"), ["/bin/xterm", "-e", "/bin/vim", "+7", str(ODD)]),
        ("nvim", ("nvim", "gnome-terminal"), ["/bin/gnome-terminal", "--", "/bin/nvim", "+7", str(ODD)]),
        ("auto", ("zed", "emacs"), ["/bin/zed", f"{ODD}:7"]),
    ],
)
def test_each_editor_gets_the_path_whole(key: str, programs: tuple[str, ...], argv: list[str]) -> None:
    assert editors.command(key, "", ODD, 7, having(*programs)) == argv


def test_without_any_editor_the_system_opens_it() -> None:
    assert editors.command("auto", "", ODD, 7, having()) == editors.system_command(ODD)
    assert editors.system_command(ODD)[-1] == str(ODD)
    assert editors.command(editors.SYSTEM, "", ODD, 7, having("code")) == editors.system_command(ODD)


def test_an_editor_in_a_terminal_needs_one() -> None:
    assert list(editors.installed(having("vim", "code"))) == ["vscode"]
    assert list(editors.installed(having("vim", "kitty"))) == ["vim"]
    with pytest.raises(UserError, match="No terminal"):
        editors.command("vim", "", ODD, 1, having("vim"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX quoting")
@pytest.mark.parametrize(
    ("template", "argv"),
    [
        ("ed {path}:{line}", ["ed", f"{ODD}:7"]),
        ("'my ed' --at={line}", ["my ed", "--at=7", str(ODD)]),
        ("ed", ["ed", str(ODD)]),
    ],
)
def test_a_command_of_ones_own(template: str, argv: list[str]) -> None:
    assert editors.command(editors.CUSTOM, template, ODD, 7) == argv


@pytest.mark.parametrize(
    ("key", "template", "words"),
    [
        ("custom", "  ", "No editor command"),
        ("custom", "ed 'x", "cannot be read"),
        ("vscode", "", "Visual Studio Code is not installed"),
        ("ed", "", "no editor 'ed'"),
    ],
)
def test_what_cannot_be_started_is_said_with_a_remedy(key: str, template: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        editors.command(key, template, ODD, 7, having())
    assert caught.value.hint


def test_windows_batch_files_are_not_given_names_with_commands_in_them(tmp_path: Path) -> None:
    batch = lambda name: str(tmp_path / "bin/code.cmd") if name == "code" else None  # noqa: E731
    plain = Path("/code/a.py")
    assert editors.command("vscode", "", plain, 7, batch)[0].endswith("code.cmd")
    with pytest.raises(UserError, match="commands"):
        editors.command("vscode", "", Path("/code/a&calc&.py"), 7, batch)
    (tmp_path / "Code.exe").touch()
    assert editors.command("vscode", "", Path("/code/a&calc&.py"), 7, batch)[0] == str(tmp_path / "Code.exe")


def test_a_file_is_shown_in_its_folder() -> None:
    argv = editors.reveal_command(Path("/code/src/a.py"))
    assert "src" in argv[-1]
