"""The walk: what it finds, in which order, and what it says of the rest."""

from __future__ import annotations

import inspect
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.files import VANISHED, WalkLimits, discover_root, walk
from spencer_desktop.core.regular import SPECIAL_FILE, SYMBOLIC_LINK
from spencer_desktop.core.types import FileEntry, SkippedFile

LINKS = pytest.mark.skipif(os.name != "posix", reason="links, pipes and sockets need a POSIX system")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")


def write(root: Path, *paths: str, text: str = "x\n") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def found(root: Path, limits: WalkLimits | None = None) -> list[str]:
    return [item.path for item in walk(root, limits or WalkLimits()) if isinstance(item, FileEntry)]


def reasons(root: Path, limits: WalkLimits | None = None) -> dict[str, str]:
    return {item.path: item.reason for item in walk(root, limits or WalkLimits()) if isinstance(item, SkippedFile)}


def test_files_come_sorted_with_size_time_and_language(tmp_path: Path) -> None:
    write(tmp_path, "b.py", "a/z.rs", "a/b/c.go", "B.txt", "a.c")
    os.utime(tmp_path / "b.py", ns=(1, 1_700_000_000_123_456_700))
    entries = [item for item in walk(tmp_path) if isinstance(item, FileEntry)]
    assert [entry.path for entry in entries] == ["B.txt", "a/b/c.go", "a/z.rs", "a.c", "b.py"]
    assert entries[-1] == FileEntry("b.py", 2, (tmp_path / "b.py").stat().st_mtime_ns, "python")
    assert list(walk(tmp_path)) == list(walk(tmp_path))


def test_a_user_leaves_out_what_no_ignore_file_names_unless_one_brings_it_back(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "a.gen.py", "docs/b.py", "src/docs/c.py", "src/old/d.py", "kept.gen.py")
    limits = WalkLimits(exclude="*.gen.py  /docs/ old")
    assert found(tmp_path, limits) == ["a.py", "src/docs/c.py"]
    assert reasons(tmp_path, limits)["a.gen.py"] == "ignored by the setting exclude"
    write(tmp_path, ".spencerignore", text="!kept.gen.py\n")
    assert found(tmp_path, limits) == [".spencerignore", "a.py", "kept.gen.py", "src/docs/c.py"]
    # A pattern with a slash counts from the folder that is indexed, wherever a repository around it begins.
    for name in (".git/HEAD", ".git/objects/x", ".git/refs/x"):
        write(tmp_path, name)
    assert found(tmp_path / "src", limits) == []


def test_every_file_is_either_found_or_skipped_with_a_reason(tmp_path: Path) -> None:
    write(tmp_path, "a.py", ".env", "node_modules/x/y.js", "logo.png", "deep/er/.gitignore", "deep/er/i.log2")
    write(tmp_path, "deep/er/.gitignore", text="*.log2\n")
    write(tmp_path, "empty.py", text="")
    assert found(tmp_path) == ["a.py", "deep/er/.gitignore"]
    assert reasons(tmp_path) == {
        ".env": "may hold secrets",
        "deep/er/i.log2": "ignored by deep/er/.gitignore",
        "empty.py": "empty",
        "logo.png": "image",
        "node_modules/": "third-party code",
    }


def test_an_empty_folder_gives_nothing(tmp_path: Path) -> None:
    assert list(walk(tmp_path)) == []


def test_a_folder_that_is_excluded_below_the_root_is_indexed_as_the_root(tmp_path: Path) -> None:
    root = tmp_path / ".venv" / "lib" / "site-packages" / "node_modules"
    write(root, "a.js", "node_modules/b.js", "pyvenv.cfg", "CACHEDIR.TAG")
    assert found(root) == ["CACHEDIR.TAG", "a.js", "pyvenv.cfg"]
    assert reasons(root) == {"node_modules/": "third-party code"}


def test_vendored_and_generated_files_can_be_let_in_but_secrets_cannot(tmp_path: Path) -> None:
    write(tmp_path, "node_modules/a.js", "node_modules/.env", "x_pb2.py", "__pycache__/y.py", ".git/config", "id_rsa")
    limits = WalkLimits(include_vendored=True, include_generated=True)
    assert found(tmp_path, limits) == ["node_modules/a.js", "x_pb2.py"]
    assert reasons(tmp_path, limits).keys() == {".git/", "__pycache__/", "id_rsa", "node_modules/.env"}


def test_spencerignore_brings_back_by_name_what_a_built_in_rule_excludes(tmp_path: Path) -> None:
    write(tmp_path, "node_modules/a.js", "third_party/b.c", "sub/x_pb2.py", "y_pb2.py", ".env", ".git/config")
    write(tmp_path, ".spencerignore", text="!*_pb2.py\n!*/\n!n*\n!third_party/\n!sub/x_pb2.py\n!.env\n!.git\n")
    assert found(tmp_path) == [".spencerignore", "sub/x_pb2.py", "third_party/b.c"]
    assert reasons(tmp_path).keys() == {".env", ".git/", "node_modules/", "y_pb2.py"}


def test_large_files_are_left_out_by_size_alone(tmp_path: Path) -> None:
    with (tmp_path / "line.py").open("wb") as file:
        file.truncate(100_000_000)
    write(tmp_path, "ok.py", text="x" * 100)
    write(tmp_path, "big.json", "big.py", text="x" * 300_000)
    assert found(tmp_path) == ["big.py", "ok.py"]
    assert reasons(tmp_path) == {"big.json": "data", "line.py": "too large (100.0 MB, the limit is 2.0 MB)"}
    assert found(tmp_path, WalkLimits(max_bytes=100, max_data_bytes=100)) == ["ok.py"]


@LINKS
def test_links_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "outside/secret.py", "root/in/a.py")
    root = tmp_path / "root"
    (root / "file.py").symlink_to(tmp_path / "outside" / "secret.py")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "in" / "loop").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "dangling").symlink_to("nowhere")
    assert found(root) == ["in/a.py"]
    assert reasons(root) == dict.fromkeys(["dangling", "file.py", "folder", "in/loop", "self"], SYMBOLIC_LINK)


@LINKS
def test_a_root_that_is_a_link_is_the_folder_it_points_to(tmp_path: Path) -> None:
    write(tmp_path, "real/a.py")
    (tmp_path / "link").symlink_to("real")
    assert discover_root(tmp_path / "link") == tmp_path / "real"
    assert found(tmp_path / "link") == ["a.py"]


@LINKS
def test_pipes_and_sockets_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.py")
        assert reasons(tmp_path) == {"pipe.py": SPECIAL_FILE, "socket.py": SPECIAL_FILE}


@LINUX
def test_odd_names_are_kept_as_they_are(tmp_path: Path) -> None:
    names = ["new\nline.py", os.fsdecode(b"\xff\xfe.py"), " ", "-rf.py", "é.py", "\u202e.py"]
    write(tmp_path, *names, *(f"in/{name}/x.py" for name in names))
    assert sorted(found(tmp_path)) == sorted([*names, *(f"in/{name}/x.py" for name in names)])


@LINUX
def test_paths_longer_than_the_system_takes_are_reported(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(20):
            os.mkdir("d" * 250, dir_fd=here)
            below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    write(tmp_path, "z.py")
    assert found(tmp_path) == ["z.py"]
    assert [reason for reason in reasons(tmp_path).values()] == ["unreadable (File name too long)"]
    shutil.rmtree(tmp_path / ("d" * 250))


@LINUX
def test_deep_folders_are_walked_without_recursion(tmp_path: Path) -> None:
    deep = "/".join(["d"] * 400)
    write(tmp_path, f"{deep}/x.py")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        assert found(tmp_path) == [f"{deep}/x.py"]
    finally:
        sys.setrecursionlimit(limit)


@contextmanager
def scandir_fails(folder: Path, error: OSError) -> Iterator[None]:
    real = os.scandir

    def scandir(path: str) -> object:
        if Path(path) == folder:
            raise error
        return real(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        yield


def test_an_unreadable_folder_is_reported_and_the_walk_goes_on(tmp_path: Path) -> None:
    write(tmp_path, "a/x.py", "b/x.py", "c.py")
    with scandir_fails(tmp_path / "a", PermissionError(13, "Permission denied")):
        assert found(tmp_path) == ["b/x.py", "c.py"]
        assert reasons(tmp_path) == {"a/": "unreadable (Permission denied)"}


def test_a_folder_that_vanishes_before_it_is_read_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "a/x.py", "b.py")
    with scandir_fails(tmp_path / "a", FileNotFoundError(2, "No such file or directory")):
        assert reasons(tmp_path) == {"a/": VANISHED}


def test_what_vanishes_during_the_walk_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b/x.py", "c.py", "d.py")
    items = walk(tmp_path)
    first = next(items)
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "c.py").unlink()
    rest = list(items)
    assert first.path == "a.py"
    assert rest[:2] == [SkippedFile("b", VANISHED), SkippedFile("c.py", VANISHED)]
    assert [item.path for item in rest[2:]] == ["d.py"]


@pytest.mark.parametrize("name", ["missing", "no\0name", "~nobody-of-this-name/x"])
def test_a_root_that_does_not_exist_is_the_users_error(tmp_path: Path, name: str) -> None:
    root = Path(name) if name.startswith("~") else tmp_path / name
    with pytest.raises(UserError) as caught:
        walk(root)
    assert caught.value.hint


def test_a_single_file_as_root_is_refused_with_its_folder_as_the_hint(tmp_path: Path) -> None:
    write(tmp_path, "a.py")
    with pytest.raises(UserError, match="not a folder") as caught:
        walk(tmp_path / "a.py")
    assert str(tmp_path) in caught.value.hint


@LINKS
def test_a_root_in_a_loop_of_links_is_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError):
        walk(tmp_path / "loop")


def test_an_unreadable_root_is_the_users_error(tmp_path: Path) -> None:
    denied = scandir_fails(tmp_path, PermissionError(13, "Permission denied"))
    with denied, pytest.raises(UserError, match="Permission denied") as caught:
        walk(tmp_path)
    assert "permissions" in caught.value.hint


def test_a_junction_of_windows_is_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Junction:
        """What Windows answers for `mklink /J`: a folder with a reparse tag."""

        st_mode = 0o040755
        st_reparse_tag = 0xA0000003

    class Entry:
        name = "junction"
        path = str(tmp_path / "junction")

        def stat(self, *, follow_symlinks: bool) -> Junction:
            assert not follow_symlinks
            return Junction()

    @contextmanager
    def scandir(path: str) -> Iterator[list[Entry]]:
        yield [Entry()]

    monkeypatch.setattr(os, "scandir", scandir)
    assert reasons(tmp_path) == {"junction": SYMBOLIC_LINK}
