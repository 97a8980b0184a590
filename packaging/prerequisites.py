"""What pip cannot bring: what this machine lacks of it, installed where we may, else told. Standard library only.

It is read by Pythons older than the project needs, so that they can be told: no syntax newer than 3.7 here.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PYTHON_NEEDED = (3, 10)
# Without these pip fails. Whatever else is missing is told, and the installation goes on.
NEEDED_BY_PIP = ("python", "venv", "compiler", "headers")
PACKAGES = {
    "apt-get": {"venv": "python{v}-venv", "compiler": "g++", "headers": "python{v}-dev", "git": "git"},
    "dnf": {"venv": "python{v}", "compiler": "gcc-c++", "headers": "python{v}-devel", "git": "git"},
    "zypper": {"venv": "python{nodot}", "compiler": "gcc-c++", "headers": "python{nodot}-devel", "git": "git"},
    "pacman": {"venv": "python", "compiler": "gcc", "headers": "python", "git": "git"},
}
INSTALL = {
    "apt-get": ["apt-get", "install", "-y", "--no-install-recommends"],
    "dnf": ["dnf", "install", "-y"],
    "zypper": ["zypper", "install", "-y"],
    "pacman": ["pacman", "-S", "--needed"],
}
MANAGER_OF = {
    "debian": "apt-get",
    "ubuntu": "apt-get",
    "fedora": "dnf",
    "rhel": "dnf",
    "centos": "dnf",
    "suse": "zypper",
    "opensuse": "zypper",
    "arch": "pacman",
}
# soname: (package of Debian and Ubuntu, package of Arch); RPM systems install by soname. These are the libraries that
# PySide6-Essentials 6.12 does not bring for QtCore, QtGui, QtWidgets and the xcb and wayland platforms (DT_NEEDED,
# transitively), beyond what a compiler and Python need themselves. The tests compare them with the installed wheel.
QT_LIBRARIES = {
    "libEGL.so.1": ("libegl1", "libglvnd"),
    "libGL.so.1": ("libgl1", "libglvnd"),
    "libX11-xcb.so.1": ("libx11-xcb1", "libx11"),
    "libX11.so.6": ("libx11-6", "libx11"),
    "libdbus-1.so.3": ("libdbus-1-3", "dbus"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig"),
    "libfreetype.so.6": ("libfreetype6", "freetype2"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libgthread-2.0.so.0": ("libglib2.0-0", "glib2"),
    "libwayland-client.so.0": ("libwayland-client0", "wayland"),
    "libwayland-cursor.so.0": ("libwayland-cursor0", "wayland"),
    "libwayland-egl.so.1": ("libwayland-egl1", "wayland"),
    "libxcb-cursor.so.0": ("libxcb-cursor0", "xcb-util-cursor"),
    "libxcb-glx.so.0": ("libxcb-glx0", "libxcb"),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "xcb-util-wm"),
    "libxcb-image.so.0": ("libxcb-image0", "xcb-util-image"),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1", "xcb-util-keysyms"),
    "libxcb-randr.so.0": ("libxcb-randr0", "libxcb"),
    "libxcb-render-util.so.0": ("libxcb-render-util0", "xcb-util-renderutil"),
    "libxcb-render.so.0": ("libxcb-render0", "libxcb"),
    "libxcb-shape.so.0": ("libxcb-shape0", "libxcb"),
    "libxcb-shm.so.0": ("libxcb-shm0", "libxcb"),
    "libxcb-sync.so.1": ("libxcb-sync1", "libxcb"),
    "libxcb-util.so.1": ("libxcb-util1", "xcb-util"),
    "libxcb-xfixes.so.0": ("libxcb-xfixes0", "libxcb"),
    "libxcb-xkb.so.1": ("libxcb-xkb1", "libxcb"),
    "libxcb.so.1": ("libxcb1", "libxcb"),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0", "libxkbcommon-x11"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon"),
    "libzstd.so.1": ("libzstd1", "zstd"),
}
WORDS = {
    "python": "a complete Python (this one is without its venv module or its C headers)",
    "venv": "Python's venv module",
    "compiler": "a C++ compiler (hnswlib is compiled on installation)",
    "headers": "Python's C headers (hnswlib is compiled on installation)",
    "git": "git (to read ignore rules and branches)",
}
BUILD_TOOLS = (
    'winget install --id Microsoft.VisualStudio.2022.BuildTools -e --override "--wait --passive '
    '--add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"'
)


class Problem(Exception):
    """This machine or checkout stands in the way; the text says what to do."""


class Machine(NamedTuple):
    """What the advice depends on. `missing`: keys of WORDS and of QT_LIBRARIES, in the order to report them."""

    platform: str
    manager: str
    is_root: bool
    python: str
    missing: tuple[str, ...]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def output_of(command: Sequence[str]) -> str:
    """What the command prints, stripped; "" when it does not start or fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def call(command: Sequence[str], log: Path, extra_environment: Mapping[str, str], cwd: Path | None = None) -> int:
    """Run the command with its output added to `log`; its exit code, 127 when it does not start."""
    with log.open("ab") as output:
        try:
            environment = {**os.environ, **extra_environment}
            return subprocess.run(command, stdout=output, stderr=output, env=environment, cwd=cwd).returncode
        except OSError as error:
            output.write(f"{command[0]}: {error}\n".encode())
            return 127


def tail(log: Path) -> str:
    """The last 25 lines."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])


def check_python(version: tuple[int, ...], bits: int) -> None:
    """Raise Problem when no wheel of a dependency can fit this interpreter."""
    if version[:2] < PYTHON_NEEDED or bits < 64:
        have = ".".join(str(part) for part in version[:3])
        raise Problem(
            f"SPENCER Desktop needs a 64-bit Python 3.10 or newer; this one is {have}, {bits}-bit.\n"
            "Start this script with a newer one, such as `python3.12 packaging/bootstrap.py ...`"
            " (from your system's packages or https://www.python.org/downloads/)."
        )


def survey() -> Machine:
    """Look at this machine, without the network and without starting anything on Linux."""
    importlib.invalidate_caches()
    missing = []
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        missing.append("venv")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        missing.append("headers")
    if missing and sys.base_prefix != "/usr":
        # Packages of the system complete the system's Python only.
        missing = ["python"]
    if not has_compiler():
        missing.append("compiler")
    if not shutil.which("git"):
        missing.append("git")
    if sys.platform == "linux":
        missing += [soname for soname in QT_LIBRARIES if not loads(soname)]
    return Machine(
        platform=sys.platform,
        manager=package_manager(),
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
        python=f"{sys.version_info[0]}.{sys.version_info[1]}",
        missing=tuple(missing),
    )


def has_compiler() -> bool:
    """Whether setuptools will find the C++ compiler that it is going to call."""
    if sys.platform == "darwin":
        # /usr/bin/c++ exists on every Mac; without the tools it only opens a dialog.
        return shutil.which("xcode-select") is not None and output_of(["xcode-select", "-p"]) != ""
    if sys.platform == "win32":
        programs = os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)")
        vswhere = str(Path(programs, "Microsoft Visual Studio", "Installer", "vswhere.exe"))
        component = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"
        query = [vswhere, "-products", "*", "-prerelease", "-requires", component, "-property", "installationPath"]
        return shutil.which("cl") is not None or output_of(query) != ""
    command = os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++"
    return shutil.which(shlex.split(command)[0]) is not None


def loads(soname: str) -> bool:
    """Whether the dynamic linker finds the library, for this Python's architecture and search path."""
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def package_manager() -> str:
    """One of the keys of INSTALL, or "" on any other system."""
    try:
        release = platform.freedesktop_os_release()
    except (OSError, AttributeError):
        return ""
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((MANAGER_OF[name] for name in names if name in MANAGER_OF), "")


def packages(machine: Machine) -> list[str]:
    """What to ask the package manager for, each name once, in order."""
    names = []
    for thing in machine.missing:
        if thing in PACKAGES[machine.manager]:
            names.append(
                PACKAGES[machine.manager][thing].format(v=machine.python, nodot=machine.python.replace(".", ""))
            )
        elif thing in QT_LIBRARIES and machine.manager in ("dnf", "zypper"):
            names.append(f"{thing}()(64bit)")
        elif thing in QT_LIBRARIES:
            names.append(QT_LIBRARIES[thing][0 if machine.manager == "apt-get" else 1])
    return list(dict.fromkeys(names))


def remedies(machine: Machine) -> list[str]:
    """The commands, or where there is no command the words, that bring what is missing."""
    lines = []
    if "python" in machine.missing:
        lines.append(f"start this script with another Python than {sys.executable}: https://www.python.org/downloads/")
    rest = [thing for thing in machine.missing if thing != "python"]
    if rest and machine.manager:
        sudo = [] if machine.is_root else ["sudo"]
        update = shlex.join([*sudo, "apt-get", "update"]) + " && " if machine.manager == "apt-get" else ""
        lines.append(update + shlex.join([*sudo, *INSTALL[machine.manager], *packages(machine)]))
    elif rest and machine.platform == "darwin":
        lines.append("xcode-select --install")
    elif machine.platform == "win32":
        commands = {"compiler": BUILD_TOOLS, "git": "winget install --id Git.Git -e"}
        lines += [commands[thing] for thing in rest]
    elif rest:
        names = ", ".join(WORDS.get(thing, thing) for thing in rest)
        lines.append(f"install with your system's package manager: {names}")
    return lines


def report(machine: Machine) -> str:
    """What is missing and how to get it, for people."""
    things = [WORDS[thing] for thing in machine.missing if thing in WORDS]
    sonames = [thing for thing in machine.missing if thing in QT_LIBRARIES]
    if sonames:
        things.append(f"libraries of the window ({', '.join(sonames)})")
    return "\n".join(["This machine lacks " + "; ".join(things) + ".", "To install:", *remedies(machine)])


def provide(log: Path) -> None:
    """Install what is missing where we may, else tell. Raises Problem when pip would fail without it."""
    machine = survey()
    names = packages(machine) if machine.manager == "apt-get" and machine.is_root else []
    if names:
        say(f"Installing with apt-get: {' '.join(names)} ...")
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        if call(["apt-get", "update"], log, quiet) or call([*INSTALL["apt-get"], *names], log, quiet):
            say(f"{tail(log)}\n\napt-get could not install them.")
        machine = survey()
    if any(thing in NEEDED_BY_PIP for thing in machine.missing):
        raise Problem(report(machine))
    if machine.missing:
        say(report(machine) + "\nGoing on: the command line works without.")
