"""Packages of public registries: what is asked of them, where it stands afterwards, and that it is mined from there."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spencer_desktop.core.errors import EnvironmentFault, UserError
from spencer_models.cli import app
from spencer_models.data.fetch import fetch, run_command
from spencer_models.data.leakage import HeldOut
from spencer_models.data.prepare import build_corpus, find_sources
from spencer_models.data.sources import DataConfig, TreeSource
from spencer_models.data.trees import source_files, tree_at

MODULE = '''def {name}(rows):
    """Return the {name} of all the rows that were sold."""
    {name} = 0
    for row in rows:
        {name} += row.price
    return {name}
'''

WHEEL = TreeSource("shop", "1.2", "train", origin="pypi:shop")
NPM = TreeSource("ol", "10.6.1", "train", origin="npm:@open/ol")
JAVA = TreeSource("java.base", "17+1", "train", path="usr/src.zip/java.base", origin="debian:jdk-source")
SORTS = TreeSource("sorts", "3-1", "train", origin="debian-source:sorts")
XML = TreeSource("java.xml", "17+1", "test", path="usr/src.zip/java.xml", origin="debian:jdk-source", licence="GPL")


class Registry:
    """Answers the commands with small packages, and remembers them."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, command: Sequence[str], folder: Path) -> None:
        self.asked.append(list(command))
        if "download" in command and "pip" in command:
            _wheel(folder / "shop-1.2-py3-none-any.whl")
        elif command[0] == "npm":
            _npm(folder / "open-ol-10.6.1.tgz")
        elif command[:2] == ["apt-get", "source"]:
            (folder / "sorts-3/debian").mkdir(parents=True)
            (folder / "sorts-3/sums.py").write_text(MODULE.format(name="least"))
            (folder / "sorts-3/debian/copyright").write_text("License: Apache-2.0\n")
            (folder / "sorts_3.orig.tar.xz").write_bytes(b"")
        elif command[0] == "apt-get":
            (folder / "jdk-source_17+1_all.deb").write_bytes(b"")
        elif command[0] == "dpkg-deb":
            _sources(Path(command[-1]) / "usr")
            _copyright(Path(command[-1]))


def _wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("shop/sums.py", MODULE.format(name="total"))
        archive.writestr("shop-1.2.dist-info/METADATA", "Name: shop\nLicense-Expression: MIT\n")


def _npm(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        files = {
            "package/package.json": '{"license": "BSD-2-Clause"}',
            "package/src/sums.py": MODULE.format(name="peak"),
        }
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))


def _copyright(folder: Path) -> None:
    (folder / "usr/share/doc/jdk-source").mkdir(parents=True)
    text = "Files: *\nCopyright: some\nLicense: GPL-2 with exception\n The text.\n\nLicense: MIT\n"
    (folder / "usr/share/doc/jdk-source/copyright").write_text(text)


def _sources(folder: Path) -> None:
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "src.zip", "w") as archive:
        archive.writestr("java.base/sums.py", MODULE.format(name="mean"))
        archive.writestr("java.xml/sums.py", MODULE.format(name="median"))
        archive.writestr("java.base.more/sums.py", MODULE.format(name="range"))


def _config(*trees: TreeSource) -> DataConfig:
    return DataConfig(0.0, 0, trees)


def test_each_package_is_fetched_once_to_a_place_of_its_own(tmp_path: Path) -> None:
    registry, lines = Registry(), list[str]()
    fetch(_config(WHEEL, NPM, JAVA, XML), tmp_path, lines.append, registry)
    assert [command[0] for command in registry.asked] == ["apt-get", "dpkg-deb", "npm", sys.executable]
    assert registry.asked[0] == ["apt-get", "download", "jdk-source=17+1"]
    assert registry.asked[2][-1] == "@open/ol@10.6.1"
    assert registry.asked[3][-1] == "shop==1.2"
    assert lines == ["1 of 3: debian/jdk-source-17+1", "2 of 3: npm/@open+ol-10.6.1.tgz", "3 of 3: pypi/shop-1.2.whl"]
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file())
    assert found == ["debian/jdk-source-17+1/usr/src.zip", "npm/@open+ol-10.6.1.tgz", "pypi/shop-1.2.whl"]
    fetch(_config(WHEEL, NPM, JAVA, XML), tmp_path, lines.append, registry)
    assert len(registry.asked) == 4


def test_a_folder_relative_to_where_the_user_stands_is_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    registry = Registry()
    fetch(DataConfig(0.1, 0, trees=(JAVA,)), Path("here"), lambda text: None, registry)
    assert (tmp_path / "here" / JAVA.place.partition("/src.zip")[0]).is_dir()
    assert all(Path(command[-1]).is_absolute() for command in registry.asked if command[0] == "dpkg-deb")


def test_what_was_fetched_is_mined_and_an_archive_in_a_package_by_its_folders(tmp_path: Path) -> None:
    trees = (WHEEL, NPM, JAVA, XML, SORTS)
    fetch(_config(*trees), tmp_path / "root", print, Registry())
    nothing = HeldOut(frozenset(), frozenset())
    summary = build_corpus(_config(*trees), [tmp_path / "root"], nothing, tmp_path / "out", print)
    assert {name: (about["kept"], about["licence"]) for name, about in summary["packages"].items()} == {
        "shop": (1, "MIT"),
        "ol": (1, "BSD-2-Clause"),
        "java.base": (1, "GPL-2 with exception"),
        "java.xml": (1, "GPL"),
        "sorts": (1, "Apache-2.0"),
    }
    tree = tree_at(tmp_path / "root/debian/jdk-source-17+1/usr/src.zip/java.base")
    assert tree
    assert [file.path for file in source_files(tree, ("python",))] == ["sums.py"]


def test_a_package_that_is_not_there_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"reads pypi/shop-1\.2\.whl, which is not there") as raised:
        find_sources(_config(WHEEL), [tmp_path])
    assert raised.value.hint.startswith("`spencer-models fetch` brings it.")


@pytest.mark.parametrize("origin", ["hackage:lens", "pypi", "pypi:"])
def test_an_unknown_origin_is_refused(origin: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"The origin '{origin}' is none"):
        find_sources(_config(TreeSource("lens", "5", "train", origin=origin)), [tmp_path])


def test_a_recipe_without_origins_has_nothing_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no tree with an origin"):
        fetch(_config(TreeSource("x", "1", "train", path="x")), tmp_path, print, Registry())


def test_the_command_reads_the_recipe(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["fetch", "minilm-own", "--out", str(tmp_path)])
    assert "no tree with an origin" in str(result.exception)


def test_a_failed_download_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    def refuse(command: Sequence[str], folder: Path) -> None:
        (folder / "half.whl.part").write_bytes(b"half")
        run_command([sys.executable, "-c", "import sys; sys.exit('No such version')"], folder)

    with pytest.raises(EnvironmentFault, match="No such version"):
        fetch(_config(WHEEL), tmp_path, print, refuse)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    with pytest.raises(EnvironmentFault, match="no-such-program is not installed"):
        run_command(["no-such-program"], tmp_path)


def test_what_cannot_be_had_is_named_after_all_else_was_brought(tmp_path: Path) -> None:
    registry = Registry()

    def run(command: Sequence[str], folder: Path) -> None:
        if command[:2] in (["apt-get", "download"], ["npm", "pack"]):
            raise EnvironmentFault(f"{command[-1]} was not found")
        registry(command, folder)

    lines = list[str]()
    with pytest.raises(
        EnvironmentFault, match=r"^2 of 3 packages cannot be had: jdk.*not found; @open/ol@10"
    ) as raised:
        fetch(_config(WHEEL, NPM, JAVA), tmp_path, lines.append, run)
    assert "versions" in raised.value.hint
    assert [line.partition(" cannot")[0] for line in lines] == [
        "1 of 3: debian/jdk-source-17+1",
        "2 of 3: npm/@open+ol-10.6.1.tgz",
        "3 of 3: pypi/shop-1.2.whl",
    ]
    assert (tmp_path / "pypi/shop-1.2.whl").is_file()


def test_a_command_runs_in_its_folder(tmp_path: Path) -> None:
    run_command([sys.executable, "-c", "open('made', 'w').close()"], tmp_path)
    assert (tmp_path / "made").exists()
