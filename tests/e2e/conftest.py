"""A data folder and models for the command, and one index made with the real pack that every test may read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.harness import PackedFakes, spencer, use_models
from tests.fakes import SMALL_PROJECT, write_tree

ODD_PROJECT: dict[str, str | bytes] = {
    "a.c": "int next(struct node *p) {\n    return p->next != 0;\n}\n",
    "b.rs": "fn parse() {\n    std::mem::take(x)\n}\n",
    "c.py": 'def 解析日期(文本):\n    return "🦀 مرحبا"\n\n\ndef привет_мир():\n    return "день"\n',
}


@dataclass(frozen=True, slots=True)
class Indexed:
    """A folder of code and the data folder of its index; tests must change neither."""

    root: Path
    data: Path


@pytest.fixture(autouse=True)
def plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have asked for colors."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    return folder


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> PackedFakes:
    """The command runs with these fakes instead of the pack."""
    fakes = PackedFakes()
    use_models(monkeypatch, fakes)
    return fakes


@pytest.fixture
def shared_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that other users may enter, unlike `tmp_path`; it is home as well."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        for name in ("HOME", "XDG_CONFIG_HOME"):
            monkeypatch.setenv(name, str(path / "home"))
        yield path


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    """SMALL_PROJECT, indexed by the real command with the real pack."""
    root = write_tree(tmp_path_factory.mktemp("small") / "project", SMALL_PROJECT)
    data = tmp_path_factory.mktemp("small-data")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
            patch.setenv(name, str(root.parent / "home"))
        done = spencer("index", root, data=data)
    assert done.code == 0, done.err
    return Indexed(root, data)


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    """Code of several languages and scripts, indexed with the fakes; for tests that use the fixture `models` too."""
    root = write_tree(tmp_path_factory.mktemp("odd") / "project", ODD_PROJECT)
    data = tmp_path_factory.mktemp("odd-data")
    with pytest.MonkeyPatch.context() as patch:
        use_models(patch, PackedFakes())
        for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
            patch.setenv(name, str(root.parent / "home"))
        done = spencer("index", root, data=data)
    assert done.code == 0, done.err
    return Indexed(root, data)
