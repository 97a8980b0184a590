"""What bootstrap finds missing on a machine, and the exact command it gives for it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "packaging"
sys.path.insert(0, str(SCRIPTS))
prerequisites: Any = importlib.import_module("prerequisites")

posix = pytest.mark.skipif(sys.platform == "win32", reason="the fake programs are shell scripts")

PYTHON_ORG = f"start this script with another Python than {sys.executable}: https://www.python.org/downloads/"
APT = "apt-get install -y --no-install-recommends"


def machine(platform: str, manager: str, *missing: str, root: bool = False, python: str = "3.11") -> Any:
    return prerequisites.Machine(platform, manager, root, python, missing)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (
            machine("linux", "apt-get", "venv", "headers", "compiler", "libglib-2.0.so.0", "libgthread-2.0.so.0"),
            [f"sudo apt-get update && sudo {APT} python3.11-venv python3.11-dev g++ libglib2.0-0"],
        ),
        (
            machine("linux", "apt-get", "compiler", "git", "libxcb-cursor.so.0", root=True),
            [f"apt-get update && {APT} g++ git libxcb-cursor0"],
        ),
        (
            machine("linux", "dnf", "headers", "compiler", "libEGL.so.1", python="3.12"),
            ["sudo dnf install -y python3.12-devel gcc-c++ 'libEGL.so.1()(64bit)'"],
        ),
        (
            machine("linux", "zypper", "headers", "compiler", "libGL.so.1", root=True),
            ["zypper install -y python311-devel gcc-c++ 'libGL.so.1()(64bit)'"],
        ),
        (
            machine("linux", "pacman", "compiler", "libEGL.so.1", "libGL.so.1"),
            ["sudo pacman -S --needed gcc libglvnd"],
        ),
        (
            machine("linux", "", "compiler", "libEGL.so.1"),
            [
                "install with your system's package manager:"
                " a C++ compiler (hnswlib is compiled on installation), libEGL.so.1"
            ],
        ),
        (machine("linux", "apt-get", "python", "compiler", root=True), [PYTHON_ORG, f"apt-get update && {APT} g++"]),
        (machine("darwin", "", "compiler", "git"), ["xcode-select --install"]),
        (machine("darwin", "", "python"), [PYTHON_ORG]),
        (
            machine("win32", "", "compiler", "git"),
            [
                'winget install --id Microsoft.VisualStudio.2022.BuildTools -e --override "--wait --passive '
                '--add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"',
                "winget install --id Git.Git -e",
            ],
        ),
    ],
)
def test_the_exact_command(where: Any, expected: list[str]) -> None:
    assert prerequisites.remedies(where) == expected


@pytest.mark.parametrize(
    ("release", "manager"),
    [
        ({"ID": "debian"}, "apt-get"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "apt-get"),
        ({"ID": "fedora"}, "dnf"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "dnf"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "zypper"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, "pacman"),
        ({"ID": "alpine"}, ""),
        (OSError("no os-release"), ""),
    ],
)
def test_the_package_manager_follows_os_release(
    release: dict[str, str] | OSError, manager: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> dict[str, str]:
        if isinstance(release, OSError):
            raise release
        return release

    monkeypatch.setattr(prerequisites.platform, "freedesktop_os_release", read)
    assert prerequisites.package_manager() == manager


def test_every_manager_knows_every_tool() -> None:
    assert prerequisites.PACKAGES.keys() == prerequisites.INSTALL.keys() == set(prerequisites.MANAGER_OF.values())
    for names in prerequisites.PACKAGES.values():
        assert names.keys() == prerequisites.WORDS.keys() - {"python"}


@pytest.mark.parametrize(
    ("version", "bits", "fits"),
    [((3, 9, 18), 64, False), ((3, 10, 0), 32, False), ((3, 10, 0), 64, True), ((3, 14, 1), 64, True)],
)
def test_python_versions(version: tuple[int, ...], bits: int, fits: bool) -> None:
    if fits:
        prerequisites.check_python(version, bits)
        return
    with pytest.raises(prerequisites.Problem, match=rf"needs a 64-bit Python 3\.10 .* is {version[0]}\.{version[1]}"):
        prerequisites.check_python(version, bits)


@pytest.mark.parametrize("name", ["bootstrap.py", "prerequisites.py"])
def test_an_old_python_without_any_package_can_read_the_scripts(name: str) -> None:
    tree = ast.parse((SCRIPTS / name).read_text(encoding="utf-8"), feature_version=(3, 7))
    imports = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    imports += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert {module.split(".")[0] for module in imports} <= {*sys.stdlib_module_names, "prerequisites"}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the whole PATH of a Debian with all libraries, where the compiler is `made-c++`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("CXX", "made-c++ -pthread")
    monkeypatch.setattr(prerequisites, "loads", lambda soname: True)
    monkeypatch.setattr(prerequisites, "package_manager", lambda: "apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return folder


def add_program(folder: Path, name: str, script: str = "") -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def add_apt(folder: Path, then: str) -> None:
    add_program(folder, "apt-get", f'echo "$DEBIAN_FRONTEND: $*" >> {folder}/calls\n[ "$1" = update ] || {{ {then}; }}')


@posix
def test_survey_names_the_missing_programs(programs: Path) -> None:
    assert prerequisites.survey().missing == ("compiler", "git")
    add_program(programs, "made-c++")
    add_program(programs, "git")
    assert prerequisites.survey().missing == ()


@posix
@pytest.mark.parametrize(("prefix", "missing"), [("/usr", ("venv", "headers")), ("/opt/python", ("python",))])
def test_survey_tells_an_incomplete_python_of_the_system_from_any_other(
    prefix: str, missing: tuple[str, ...], programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_program(programs, "made-c++")
    add_program(programs, "git")
    monkeypatch.setattr(sys, "base_prefix", prefix)
    monkeypatch.setattr(prerequisites.sysconfig, "get_path", lambda name: str(tmp_path))
    find = importlib.util.find_spec
    monkeypatch.setattr(prerequisites.importlib.util, "find_spec", lambda n: None if n == "ensurepip" else find(n))
    assert prerequisites.survey().missing == missing


@pytest.mark.skipif(sys.platform != "linux", reason="sonames are Linux's")
def test_libraries_are_tried_with_the_dynamic_linker() -> None:
    assert prerequisites.loads("libc.so.6")
    assert not prerequisites.loads("libno-such-thing.so.1")


@posix
def test_root_on_debian_gets_what_is_missing(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_apt(programs, f"/bin/cp {programs}/apt-get {programs}/made-c++; /bin/cp {programs}/apt-get {programs}/git")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    prerequisites.provide(tmp_path / "log")
    calls = (programs / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["noninteractive: update", f"noninteractive: {APT.removeprefix('apt-get ')} g++ git"]
    assert capsys.readouterr().err == "Installing with apt-get: g++ git ...\n"


@posix
def test_root_on_debian_where_apt_fails_sees_why(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_apt(programs, "echo E: no such package >&2; exit 100")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(prerequisites.Problem, match=r"(?s)C\+\+ compiler.*apt-get install"):
        prerequisites.provide(tmp_path / "log")
    assert "E: no such package" in capsys.readouterr().err


@posix
def test_anyone_else_is_told_the_command_and_nothing_is_started(programs: Path, tmp_path: Path) -> None:
    add_apt(programs, "exit 0")
    with pytest.raises(prerequisites.Problem) as caught:
        prerequisites.provide(tmp_path / "log")
    assert str(caught.value).splitlines()[-1] == f"sudo apt-get update && sudo {APT} g++ git"
    assert not (programs / "calls").exists()


@posix
def test_without_git_or_the_libraries_of_the_window_the_installation_goes_on(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_program(programs, "made-c++")
    monkeypatch.setattr(prerequisites, "loads", lambda soname: soname != "libEGL.so.1")
    monkeypatch.setattr(sys, "platform", "linux")
    prerequisites.provide(tmp_path / "log")
    told = capsys.readouterr().err
    assert "libraries of the window (libEGL.so.1)" in told
    assert f"sudo {APT} git libegl1" in told


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("readelf"), reason="reads ELF files with readelf")
def test_the_list_of_qt_libraries_holds_all_that_the_installed_wheel_needs() -> None:
    spec = importlib.util.find_spec("PySide6")
    if spec is None or spec.origin is None:
        pytest.skip("PySide6 is not installed")
    package = Path(spec.origin).parent
    bundled = {path.name: path for folder in (package, package.parent / "shiboken6") for path in folder.rglob("*.so*")}
    plugins = package / "Qt" / "plugins"
    waiting = [package / f"{name}.abi3.so" for name in ("QtCore", "QtGui", "QtWidgets")]
    waiting += [plugins / "platforms" / f"libq{name}.so" for name in ("xcb", "wayland", "offscreen")]
    for folder in ("xcbglintegrations", "wayland-shell-integration", "wayland-graphics-integration-client"):
        waiting += (plugins / folder).glob("*.so")
    seen: set[Path] = set()
    outside: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in needed(path):
            if name in bundled:
                waiting.append(bundled[name])
            else:
                outside.add(name)
    of_every_system = re.compile(r"(ld-linux.*|lib(c|m|dl|pthread|rt|z|gcc_s|stdc\+\+))\.so\.\d+")
    listed = prerequisites.QT_LIBRARIES.keys()
    assert {name for name in outside if not of_every_system.fullmatch(name)} - listed == set()


def needed(path: Path) -> list[str]:
    text = subprocess.run(["readelf", "-d", str(path)], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text)
