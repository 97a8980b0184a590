"""resource_dir in a checkout, an installed wheel and a bundle."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.resources import resource_dir

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "spencer_desktop"
    folder.mkdir()
    return folder


def test_checkout_of_this_project() -> None:
    assert resource_dir() == ROOT / "resources"


def test_checkout(package: Path) -> None:
    (package.parent / "pyproject.toml").touch()
    (package.parent / "resources").mkdir()
    assert resource_dir(package) == package.parent / "resources"


def test_installed_wheel_takes_its_own_folder_only(package: Path) -> None:
    (package.parent / "resources").mkdir()
    with pytest.raises(EnvironmentFault):
        resource_dir(package)
    (package / "resources").mkdir()
    assert resource_dir(package) == package / "resources"


def test_bundle_comes_first(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "resources").mkdir()
    bundle = tmp_path / "bundle"
    (bundle / "resources").mkdir(parents=True)
    monkeypatch.setattr(sys, "_MEIPASS", str(bundle), raising=False)
    assert resource_dir(package) == bundle / "resources"


def test_missing_folder_says_where_and_what_to_do(package: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        resource_dir(package)
    assert str(package / "resources") in str(caught.value)
    assert "again" in caught.value.hint
