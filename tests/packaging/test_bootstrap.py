"""bootstrap.py on a small project of its own, which pip installs without any index."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "packaging"
sys.path.insert(0, str(SCRIPTS))
bootstrap: Any = importlib.import_module("bootstrap")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake programs are shell scripts")

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "small"
version = "1"
"""
BACKEND = '''
"""Builds an editable wheel whose programs (`spencer`, and those of the gate) print how they were called."""
import pathlib, sys, zipfile

PROGRAMS = ["spencer", "ruff", "mypy", "lint-imports", "pytest"]
INFO = "small-1.dist-info"

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    root = pathlib.Path(__file__).parent
    if (root / "broken").exists():
        sys.exit("the backend is broken")
    files = {
        "small.pth": str(root),
        f"{INFO}/METADATA": "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n"
                            "Provides-Extra: dev\\nProvides-Extra: train\\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{INFO}/entry_points.txt": "[console_scripts]\\n" + "".join(f"{name} = small:main\\n" for name in PROGRAMS),
    }
    record = "".join(f"{name},,\\n" for name in [*files, f"{INFO}/RECORD"])
    wheel = "small-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, wheel), "w") as archive:
        for name, text in {**files, f"{INFO}/RECORD": record}.items():
            archive.writestr(name, text)
    return wheel
'''
SMALL = """
import json, pathlib, sys

def main():
    print(json.dumps([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]), flush=True)
    return 3 if "fail" in sys.argv or (pathlib.Path.cwd() / f"fail-{pathlib.Path(sys.argv[0]).name}").exists() else 0
"""


class Checkout:
    """A checkout of the small project, and the bootstrap in it run as a user runs it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.stamp = self.venv / "bootstrap.json"
        self.log = self.venv / "bootstrap.log"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(self.root / "packaging" / "bootstrap.py"), *arguments]
        return subprocess.Popen(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=100)
        return process.returncode, out, err

    def calls(self, *arguments: str) -> list[list[str]]:
        """The programs that the command started, with their arguments."""
        _, out, err = self.run(*arguments)
        assert out, err
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="module", autouse=True)
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No index and no configuration for pip, an apt-get that does nothing, a compiler."""
    programs = tmp_path_factory.mktemp("programs")
    (programs / "apt-get").write_text("#!/bin/sh\n", encoding="utf-8")
    (programs / "apt-get").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("CXX", sys.executable)
        patch.setenv("PATH", str(programs), prepend=os.pathsep)
        yield


def write_project(root: Path) -> None:
    (root / "packaging").mkdir()
    for script in ("bootstrap.py", "prerequisites.py"):
        shutil.copy(SCRIPTS / script, root / "packaging")
    files = {"pyproject.toml": PYPROJECT, "setup.py": "", "backend.py": BACKEND, "small.py": SMALL}
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def first_run(machine: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, tuple[int, str, str]]:
    """A fresh checkout and what its first `run` said."""
    root = tmp_path_factory.mktemp("checkout with space")
    write_project(root)
    checkout = Checkout(root)
    return checkout, checkout.run("run", "search", "a b", "--help", "--", "-k")


@pytest.fixture
def installed(first_run: tuple[Checkout, tuple[int, str, str]]) -> Checkout:
    """The checkout of the first run, complete whatever the tests before have done to it."""
    checkout, _ = first_run
    assert checkout.run("run")[0] == 0
    return checkout


@pytest.fixture
def bare(tmp_path: Path) -> Checkout:
    root = tmp_path / "checkout"
    root.mkdir()
    write_project(root)
    return Checkout(root)


def test_first_run_installs_and_starts_the_program_with_the_arguments(
    first_run: tuple[Checkout, tuple[int, str, str]],
) -> None:
    checkout, (code, out, err) = first_run
    assert code == 0, err
    assert json.loads(out) == ["spencer", "search", "a b", "--help", "--", "-k"]
    assert f"Installing SPENCER Desktop into {checkout.venv} (the first run takes a few minutes) ..." in err
    assert "Installed in " in err
    assert "Successfully installed" not in err


def test_second_run_touches_nothing_and_is_quick(installed: Checkout) -> None:
    before = installed.log.stat().st_mtime_ns, installed.stamp.stat().st_mtime_ns
    started = time.perf_counter()
    code, out, err = installed.run("run", "status")
    assert time.perf_counter() - started < 2
    assert (code, json.loads(out), err) == (0, ["spencer", "status"], "")
    assert (installed.log.stat().st_mtime_ns, installed.stamp.stat().st_mtime_ns) == before


def test_exit_code_is_the_programs(installed: Checkout) -> None:
    assert installed.run("run", "fail")[0] == 3


def test_without_arguments_the_demo_starts(installed: Checkout) -> None:
    assert installed.calls("run") == [["spencer", "demo"]]


def test_interrupted_installation_is_completed(installed: Checkout) -> None:
    installed.stamp.unlink()
    marker = installed.venv / "kept"
    marker.touch()
    assert "Installed in " in installed.run("run")[2]
    assert installed.stamp.exists()
    assert marker.exists(), "it was rebuilt where a repair was enough"


def test_changed_dependencies_are_installed(installed: Checkout) -> None:
    pyproject = installed.root / "pyproject.toml"
    text = pyproject.read_text(encoding="utf-8")
    pyproject.write_text(f"{text}\n# changed\n", encoding="utf-8")
    _, _, err = installed.run("run")
    pyproject.write_text(text, encoding="utf-8")
    assert "Installed in " in err


@pytest.mark.parametrize("name", ["pyproject.toml", "setup.py", "packaging/prerequisites.py"])
def test_a_change_of_an_input_makes_the_stamp_void(name: str, installed: Checkout) -> None:
    environment = sibling_environment(installed.root)
    key = environment.key()
    path = installed.root / name
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n# changed\n", encoding="utf-8")
    changed = sibling_environment(installed.root).key()
    path.write_text(text, encoding="utf-8")
    assert changed != key


def sibling_environment(root: Path) -> Any:
    """The Environment class of the checkout's own script: its key covers the scripts beside it."""
    spec = importlib.util.spec_from_file_location("bootstrap_of_checkout", root / "packaging" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Environment(root)


def test_a_program_that_was_removed_comes_back(installed: Checkout) -> None:
    (installed.venv / "bin" / "spencer").unlink()
    assert installed.calls("run", "x") == [["spencer", "x"]]


def test_broken_interpreter_is_replaced(bare: Checkout) -> None:
    bare.venv.mkdir()
    (bare.venv / "pyvenv.cfg").write_text("home = /no/such/python\n", encoding="utf-8")
    (bare.venv / "bin").mkdir()
    (bare.venv / "bin" / "python").symlink_to("/no/such/python/bin/python3")
    (bare.venv / "old").touch()
    assert bare.calls("run", "x") == [["spencer", "x"]]
    assert not (bare.venv / "old").exists()


def test_moved_environment_is_rebuilt(installed: Checkout, tmp_path: Path) -> None:
    moved = Checkout(tmp_path / "moved")
    shutil.copytree(installed.root, moved.root, symlinks=True)
    (moved.venv / "old").touch()
    assert moved.calls("run", "x") == [["spencer", "x"]]
    assert not (moved.venv / "old").exists()
    assert str(moved.root) in (moved.venv / "bin" / "spencer").read_text(encoding="utf-8")


def test_a_folder_that_is_no_environment_is_left_alone(bare: Checkout) -> None:
    bare.venv.mkdir()
    (bare.venv / "diary.txt").write_text("mine", encoding="utf-8")
    code, _, err = bare.run("run")
    assert code == 2
    assert "is not a virtual environment. Move it away" in err
    assert (bare.venv / "diary.txt").read_text(encoding="utf-8") == "mine"


def test_failure_shows_the_end_of_the_output_and_is_tried_again(installed: Checkout) -> None:
    installed.stamp.unlink()
    (installed.root / "broken").touch()
    code, _, err = installed.run("run")
    (installed.root / "broken").unlink()
    assert code == 2
    assert "the backend is broken" in err
    assert f"pip could not install the project. The whole output: {installed.log}" in err
    assert not installed.stamp.exists()
    assert installed.run("run")[0] == 0


def test_the_gate_runs_every_step_and_reports_all(installed: Checkout) -> None:
    (installed.root / "fail-mypy").touch()
    code, out, err = installed.run("test", "-k", "name")
    (installed.root / "fail-mypy").unlink()
    assert code == 1
    assert [json.loads(line) for line in out.splitlines()] == [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
        ["pytest", "--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile", "-k", "name"],
    ]
    summary = [line.split() for line in err.splitlines()[-5:]]
    assert [(line[0], line[-1]) for line in summary] == [
        ("ok", "check"),
        ("ok", "format"),
        ("FAILED", "mypy"),
        ("ok", "import-linter"),
        ("ok", "pytest"),
    ]


def test_run_after_test_installs_nothing_and_the_gate_passes_when_all_steps_do(installed: Checkout) -> None:
    code, _, _ = installed.run("test")
    assert code == 0
    assert json.loads(installed.stamp.read_text(encoding="utf-8"))["extras"] == ["dev", "train"]
    assert installed.run("run")[2] == ""


def test_two_at_once_wait_for_each_other(installed: Checkout) -> None:
    installed.stamp.unlink()
    with bootstrap.exclusive(installed.venv / "bootstrap.lock"):
        process = installed.start("run", "x")
        assert process.stderr is not None
        assert "waiting for it" in process.stderr.readline()
    out, err = process.communicate(timeout=100)
    assert json.loads(out) == ["spencer", "x"], err


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("--help",), 0), (("install",), 2)])
def test_usage(arguments: Sequence[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(arguments) == code
    assert "bootstrap.py run [ARGS]" in capsys.readouterr().out
