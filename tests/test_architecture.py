"""The house rules that a machine can check: arrows between modules, what an import brings in, docstrings, sizes."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("spencer_desktop", "spencer_models")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MODULE_LINES = 400
FUNCTION_LINES = 60
# The training libraries are gigabytes; Qt needs libraries that a server does not have.
HEAVY = ("torch", "transformers", "optimum", "spencer_models", "PySide6")

IMPORT_THE_APPLICATION = """
import importlib, json, pkgutil, sys
import spencer_desktop.core
names = [info.name for info in pkgutil.walk_packages(spencer_desktop.core.__path__, "spencer_desktop.core.")]
for name in ["spencer_desktop.cli", *names]:
    importlib.import_module(name)
print(json.dumps({"imported": names, "loaded": sorted(sys.modules)}))
"""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


every_module = pytest.mark.parametrize("path", MODULES, ids=relative)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_import_contracts_hold() -> None:
    lint = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = python("-c", lint)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_application_loads_without_the_training_libraries_and_qt() -> None:
    done = python("-c", IMPORT_THE_APPLICATION)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert "spencer_desktop.core.search" in answer["imported"]
    assert [name for name in HEAVY if name in answer["loaded"]] == []


@pytest.mark.parametrize(("package", "extras"), [("spencer_desktop", ()), ("spencer_models", ("train",))])
def test_every_import_is_of_a_declared_dependency(package: str, extras: tuple[str, ...]) -> None:
    """A package that is only there because another one brought it may be gone after the next installation."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = list(project["dependencies"])
    for extra in extras:
        requirements += project["optional-dependencies"][extra]
    declared = {distribution_name(requirement) for requirement in requirements}
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        f"{path.name}: {module}"
        for path in (ROOT / package).rglob("*.py")
        for module in imported_modules(path) - sys.stdlib_module_names - {*PACKAGES}
        if declared.isdisjoint(distribution_name(name) for name in providers.get(module, [module]))
    }
    assert undeclared == set()


def distribution_name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def imported_modules(path: Path) -> set[str]:
    """The top-level names that the module imports, anywhere in it."""

    def names() -> Iterator[str]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or ""

    return {name.partition(".")[0] for name in names()}


@every_module
def test_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree), "the module says nothing about itself"


@every_module
def test_size(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MODULE_LINES
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    long = {node.name: lines for node in functions if (lines := line_count(node)) > FUNCTION_LINES}
    assert long == {}


def line_count(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_the_wheel_holds_every_resource() -> None:
    pytest.importorskip("setuptools", minversion="77")
    list_data = """
import json
from distutils.core import run_setup
distribution = run_setup("setup.py", ["--quiet"], stop_after="commandline")
# Else the command writes spencer_desktop.egg-info into the checkout.
distribution.include_package_data = False
command = distribution.get_command_obj("build_py")
command.ensure_finalized()
print(json.dumps([[package, target, names] for package, _, target, names in command.data_files]))
"""
    done = python("-c", "import setuptools" + list_data)
    assert done.returncode == 0, done.stderr
    data = {package: (target, names) for package, target, names in json.loads(done.stdout.splitlines()[-1])}
    target, names = data["spencer_desktop.resources"]
    assert Path(target).parts[-2:] == ("spencer_desktop", "resources")
    packaged = {Path(name).as_posix() for name in names}
    # Checkpoints are for training alone, and large.
    kept = (path for path in (ROOT / "resources").rglob("*") if path.parts[len(ROOT.parts) + 1] != "checkpoints")
    resources = {path for path in kept if path.is_file()}
    assert packaged == {path.relative_to(ROOT / "resources").as_posix() for path in resources}
