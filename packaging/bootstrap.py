"""Set up and start SPENCER Desktop from a checkout, with nothing but Python 3.10 or newer.

    python3 packaging/bootstrap.py run [ARGS]     install into .venv, then start `spencer ARGS`
    python3 packaging/bootstrap.py test [ARGS]    add the dev and train extras, then run the gate; ARGS go to pytest

The project is installed editable: an edit or a `git pull` is live at once, so that only a change of pyproject.toml,
setup.py, these scripts or the Python version asks for pip again, and any other run touches neither pip nor the network.

Exit codes: those of `spencer`; for `test` 0 or 1; 2 when something is in the way (the error says what to do).
"""

from __future__ import annotations  # An error on this line: SPENCER Desktop needs Python 3.10 or newer.

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from prerequisites import Problem, call, check_python, output_of, provide, say, tail

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parent.parent
WITHOUT_ARGUMENTS = ["demo"]
GATE = (
    ("ruff check", ["ruff", "check", "."]),
    ("ruff format", ["ruff", "format", "--check", "."]),
    ("mypy", ["mypy"]),
    ("import-linter", ["lint-imports"]),
    # By file: what a file's tests share is made once.
    ("pytest", ["pytest", "--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile"]),
)


class Stamp(NamedTuple):
    """What a complete installation was made from: hash of its inputs, extras, and the folder it was made in."""

    key: str = ""
    extras: tuple[str, ...] = ()
    folder: str = ""


class Environment:
    """The .venv of one checkout: is it complete, make it so, and the programs in it.

    Its stamp is written last and removed first: an interrupted installation has none and is repaired by the next run.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.log = self.folder / "bootstrap.log"
        self._stamp = self.folder / "bootstrap.json"
        self._lock = self.folder / "bootstrap.lock"

    def program(self, name: str) -> str:
        """The path of a program that the environment holds, or will hold."""
        if sys.platform == "win32":
            return str(self.folder / "Scripts" / f"{name}.exe")
        return str(self.folder / "bin" / name)

    def prepare(self, extras: Sequence[str]) -> None:
        """Make the environment hold the project with these extras; return at once when it does already.

        Raises Problem or OSError when it cannot be done.
        """
        if self._is_ready(extras):
            return
        self.folder.mkdir(exist_ok=True)
        with exclusive(self._lock):
            if not self._is_ready(extras):
                self._install(extras)

    def _is_ready(self, extras: Sequence[str]) -> bool:
        stamp = self._read_stamp()
        return (
            stamp.key == self.key()
            and set(extras) <= set(stamp.extras)
            and Path(self.program("spencer")).is_file()
            and self._is_sound(stamp)
        )

    def _is_sound(self, stamp: Stamp) -> bool:
        """Whether the interpreter starts, is of our version, has pip, and stands where it was stamped."""
        if stamp.folder not in ("", str(self.folder)):
            return False
        probe = "import sys, importlib.util as u; print(sys.version_info[:2] if u.find_spec('pip') else '')"
        return output_of([self.program("python"), "-I", "-c", probe]) == str(sys.version_info[:2])

    def _install(self, extras: Sequence[str]) -> None:
        started = time.monotonic()
        stamp = self._read_stamp()
        self._stamp.unlink(missing_ok=True)
        rebuild = not self._is_sound(stamp)
        if rebuild:
            self._clear()
        self.log.write_bytes(b"")
        provide(self.log)
        say(f"Installing SPENCER Desktop into {self.folder} (the first run takes a few minutes) ...")
        if rebuild:
            # Not sys.executable: that may be the interpreter of the environment that was just removed.
            base = getattr(sys, "_base_executable", sys.executable)
            self._step([base, "-I", "-m", "venv", str(self.folder)], "The virtual environment could not be made.")
        if stamp.key == self.key():
            extras = sorted({*extras, *stamp.extras})
        target = f".[{','.join(extras)}]" if extras else "."
        # 21.3 is the first that installs a pyproject.toml project editable.
        self._step(self._pip("pip>=21.3"), "pip could not be renewed.")
        self._step(self._pip("--editable", target), "pip could not install the project.")
        self._write_stamp(Stamp(self.key(), tuple(extras), str(self.folder)))
        say(f"Installed in {time.monotonic() - started:.0f} s.")

    def _pip(self, *what: str) -> list[str]:
        quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        return [self.program("python"), "-I", "-m", "pip", "install", *quiet, *what]

    def _step(self, command: Sequence[str], failed: str) -> None:
        # A user-wide `pip install --user` default is an error inside a virtual environment.
        if call(command, self.log, {"PIP_USER": "0"}, self.root) != 0:
            raise Problem(
                f"{tail(self.log)}\n\n{failed} The whole output: {self.log}\n"
                "Check the network connection and the free disk space, then run the same command again."
            )

    def _clear(self) -> None:
        """Empty the folder, keeping the lock that we hold. Raises Problem when it is not a virtual environment."""
        ours = (self._lock.name, self.log.name)
        entries = [entry for entry in self.folder.iterdir() if entry.name not in ours]
        if entries and not (self.folder / "pyvenv.cfg").is_file():
            raise Problem(f"{self.folder} is not a virtual environment. Move it away and run the same command again.")
        # Last, because without it a removal that was cut short could not be taken up again.
        for entry in sorted(entries, key=lambda entry: entry.name == "pyvenv.cfg"):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def key(self) -> str:
        """Hash of all that an installation is made from; another one makes it void."""
        digest = hashlib.sha256(str(sys.version_info[:2]).encode())
        scripts = Path(__file__).parent
        for path in (
            self.root / "pyproject.toml",
            self.root / "setup.py",
            scripts / "bootstrap.py",
            scripts / "prerequisites.py",
        ):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def _read_stamp(self) -> Stamp:
        try:
            stamp = json.loads(self._stamp.read_text(encoding="utf-8"))
            return Stamp(stamp["key"], tuple(stamp["extras"]), stamp["folder"])
        except (OSError, ValueError, KeyError, TypeError):
            return Stamp()

    def _write_stamp(self, stamp: Stamp) -> None:
        partial = self._stamp.with_suffix(".partial")
        partial.write_text(json.dumps(stamp._asdict()), encoding="utf-8")
        partial.replace(self._stamp)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file, waiting for another bootstrap to finish. The system frees it even when we are killed."""
    with path.open("ab") as file:
        if not _try_lock(file):
            say("Another bootstrap is at work on this checkout; waiting for it ...")
            while not _try_lock(file):
                time.sleep(0.2)
        yield


def _try_lock(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Become `spencer ARGS` (on Windows, which has no exec: run it and pass its exit code on)."""
    environment.prepare([])
    command = [environment.program("spencer"), *(arguments or WITHOUT_ARGUMENTS)]
    if sys.platform == "win32":
        return subprocess.run(command, check=False).returncode
    os.execv(command[0], command)


def test(environment: Environment, arguments: Sequence[str]) -> int:
    """Run every step of the gate, also after one has failed, so that one run shows everything there is to repair."""
    environment.prepare(["dev", "train"])
    results = []
    for name, (program, *options) in GATE:
        say(f"== {name}")
        started = time.monotonic()
        command = [environment.program(program), *options, *(arguments if program == "pytest" else [])]
        status = subprocess.run(command, cwd=environment.root, check=False).returncode
        results.append((status, f"{'ok' if status == 0 else 'FAILED':<7}{time.monotonic() - started:7.1f} s  {name}"))
        say(results[-1][1])
    say("\n".join(["", "The gate:", *(line for _, line in results)]))
    return 1 if any(status for status, _ in results) else 0


COMMANDS = {"run": run, "test": test}


def main(argv: Sequence[str], root: Path = ROOT) -> int:
    """The exit code of the command (`run` does not come back on POSIX)."""
    if not argv or argv[0] not in COMMANDS:
        print(__doc__)
        return 0 if list(argv) in (["-h"], ["--help"]) else 2
    try:
        check_python(sys.version_info[:3], sys.maxsize.bit_length() + 1)
        return COMMANDS[argv[0]](Environment(root), argv[1:])
    except Problem as problem:
        say(str(problem))
    except OSError as error:
        say(
            f"{error}\nCheck that {root} can be written, that the disk is not full and that no program runs from .venv."
        )
    except KeyboardInterrupt:
        say("Interrupted. The same command completes what is missing.")
        return 130
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
