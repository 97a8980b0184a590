"""Looking only where something changed comes to the same index as looking everywhere."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.files import WalkLimits, walk
from spencer_desktop.core.index import Index
from spencer_desktop.core.indexer import Indexer, IndexReport
from spencer_desktop.core.rows import Repository
from spencer_desktop.core.types import SkippedFile
from tests.core.material import add_repository, open_index
from tests.fakes import FakeEncoder, write_tree

TREE: dict[str, str | bytes] = {
    "top.txt": "top\n",
    "a/one.txt": "one\n",
    "a/b/two.txt": "two\n",
    "a/b/c/three.txt": "three\n",
    "a-b/four.txt": "four\n",
    "z/five.txt": "five\n",
}
# Some decide what becomes of others: of their folder, of their neighbours, of all below.
FOLDERS = ["", "a/", "a/b/", "a/b/c/", "a-b/", "build/", "a/build/", "a/env/"]
NAMES = ["one.txt", "two.txt", ".gitignore", ".spencerignore", "pyvenv.cfg", "setup.py", "id_rsa", "big.min.js"]
TEXTS = ["one\n", "two\n", "a/\n", "*.txt\n!one.txt\n", "b\n", "!build/\n", ""]

writes = st.tuples(st.just("write"), st.sampled_from(FOLDERS), st.sampled_from(NAMES), st.sampled_from(TEXTS))
deletions = st.tuples(st.just("delete"), st.sampled_from(FOLDERS), st.sampled_from([*NAMES, ""]), st.just(""))
moves = st.tuples(st.just("move"), st.sampled_from(FOLDERS[1:]), st.sampled_from(FOLDERS[1:]), st.just(""))


class Watched:
    """A folder that changes, an index that is told where, and what a watcher would tell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = write_tree(folder / "project", TREE)
        self.index = open_index(folder / "data")
        self.repository = add_repository(self.index, str(self.root))
        self.dirty: set[str] = set()

    def change(self, what: str, folder: str, name: str, text: str) -> None:
        path = self.root / folder / name
        if what == "write":
            made = [p for p in path.parents if p.is_relative_to(self.root) and not p.exists()]
            if path.is_dir() or any(p.is_file() for p in path.parents):
                return
            write_tree(self.root, {folder + name: text})
            self._changed(path, *made)
        elif what == "delete" and path != self.root and path.exists():
            (shutil.rmtree if path.is_dir() else Path.unlink)(path)
            self._changed(path)
        elif what == "move":
            here, there = self.root / folder, self.root / name
            if here.is_dir() and not there.exists() and there.parent.is_dir() and not there.is_relative_to(here):
                here.rename(there)
                self._changed(here, there)

    def _changed(self, *paths: Path) -> None:
        for path in paths:
            folder = path.parent.relative_to(self.root).as_posix()
            self.dirty.add("" if folder == "." else f"{folder}/")

    def look(self) -> IndexReport:
        within = {self.repository.id: frozenset(self.dirty)} if self.dirty else {}
        self.dirty.clear()
        return _indexer(self.index).run([self.repository], within)


def _indexer(index: Index) -> Indexer:
    return Indexer(index, FakeEncoder, limits=WalkLimits(), parse_seconds=20)


def _state(index: Index, repository: Repository) -> tuple[dict[str, list[str]], dict[str, str]]:
    """path → its texts, path → why it is left out."""
    catalog = index.catalog
    texts = {p: [c.text for c in catalog.chunks_at(repository.root, p)] for p in catalog.files(repository.id)}
    return texts, {path: row.reason for path, row in catalog.skipped(repository.id).items()}


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    made.look()
    yield made
    made.index.close()


@given(st.lists(st.lists(st.one_of(writes, deletions, moves), min_size=1, max_size=3), max_size=6))
@settings(max_examples=60)
def test_any_changes_come_to_what_a_fresh_index_holds(rounds: list[list[tuple[str, str, str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(Path(folder))
        watched.look()
        for changes in rounds:
            for change in changes:
                watched.change(*change)
            if watched.dirty:
                watched.look()
        with open_index(Path(folder) / "fresh") as fresh:
            anew = add_repository(fresh, str(watched.root))
            _indexer(fresh).run([anew])
            assert _state(watched.index, watched.repository) == _state(fresh, anew)
        watched.index.close()


def test_only_where_something_changed_is_looked_at(watched: Watched) -> None:
    write_tree(watched.root, {"a/b/two.txt": "other\n", "z/five.txt": "other\n", "a-b/new.txt": "new\n"})
    watched.dirty.add("a/b/")
    report = watched.look()
    assert (report.changed, report.added, report.removed, report.unchanged) == (1, 0, 0, 1)
    # What nobody told of is found when all is looked at.
    report = watched.look()
    assert (report.changed, report.added, report.removed) == (1, 1, 0)


def test_before_the_first_whole_look_all_is_looked_at(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.dirty.add("a/b/")
    assert watched.look().added == len(TREE)
    watched.index.close()


def test_by_other_rules_all_is_looked_at(watched: Watched) -> None:
    indexer = Indexer(watched.index, FakeEncoder, limits=WalkLimits(exclude="z/"), parse_seconds=20)
    assert indexer.run([watched.repository], {watched.repository.id: {"a/b/"}}).removed == 1


def test_a_folder_on_the_way_that_is_left_out_takes_all_below_with_it(watched: Watched) -> None:
    write_tree(watched.root, {".gitignore": "a/\n"})
    watched.dirty.add("a/b/c/")
    assert watched.look().removed == 3
    texts, skipped = _state(watched.index, watched.repository)
    assert set(texts) == {"top.txt", "a-b/four.txt", "z/five.txt"}
    assert skipped == {"a/": "ignored by .gitignore"}


def test_a_walk_within_folders_says_nothing_of_others(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "project", {**TREE, "a/b/empty.txt": "", "a/.gitignore": "c\n", "z/empty.txt": ""})
    found = {f.path: getattr(f, "reason", "") for f in walk(root, within=["a/b/", "gone/"])}
    assert found == {"a/b/two.txt": "", "a/b/empty.txt": "empty", "a/b/c/": "ignored by a/.gitignore"}
    # A file stands where the folder was: of it the folder above is asked.
    assert list(walk(root, within=["a/one.txt/"])) == []
    (root / "z/five.txt").unlink()
    (root / "z/empty.txt").unlink()
    (root / "z").rmdir()
    (root / "z").symlink_to(root / "a")
    assert list(walk(root, within=["z/"])) == []
    assert SkippedFile("z", "symbolic link") in list(walk(root))


def test_a_root_that_is_gone_is_said_whatever_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        walk(tmp_path / "gone", within=["a/"])
