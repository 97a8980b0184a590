"""Ignore rules: git itself is the judge wherever git has an opinion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from spencer_desktop.core.files import walk
from spencer_desktop.core.gitignore import FOLDER_MARK, parse
from spencer_desktop.core.ignore import MAX_IGNORE_BYTES, enclosing_top, global_excludes, work_tree_at
from spencer_desktop.core.types import FileEntry, SkippedFile

POSIX = os.name == "posix"
NAMES = ["a", "b", "ab", "a.b", "a b", "[a]", "!a", "#a", "-", "é", "]", "^", "abab", "foo", "foobar"]
ODD_NAMES = ["a ", "a*", "\\a", "a\nb", "a\tb", "?", "a:b"] if POSIX else []
PIECES = [
    *("a", "b", "foo", "bar", ".", "*", "**", "***", "?", "/", "/", "**/", "/**", "/**/", "*/", "[ab]", "[!a]", "[^b]"),
    *("[a-b]", "[]a]", "[!]a]", "[a-]", "[\\]]", "[[:alpha:]]", "[[:punct:][:space:]]", "[[:foo:]]", "[[:]", "[a", "["),
    *("[/]", "[a/b]", "[b-a]", "[a-[:alpha:]]", "[\\a-\\b]", "]", "\\", "\\a", "\\*", "\\/", " ", "\\ ", "!", "#"),
    *("\t", "é", "-", "^", "\r"),
]

name = st.sampled_from(NAMES + ODD_NAMES)
pattern = st.builds(
    lambda start, pieces, end: start + "".join(pieces) + end,
    st.sampled_from(["", "", "!", "/", "!/"]),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6),
    st.sampled_from(["", "", "", "/", " ", "\r"]),
)
# Random pieces seldom match a name; patterns near the names do.
near = st.builds(
    "{}{}{}".format, st.sampled_from(["", "!", "/", "*", "!**/"]), name, st.sampled_from(["", "/", "*", "/*"])
)
ignore_file = st.lists(st.one_of(pattern, near), min_size=1, max_size=6).map("\n".join)
paths = st.lists(st.lists(name, min_size=1, max_size=4).map("/".join), min_size=4, max_size=16)


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True).stdout


def git_files(folder: Path) -> set[str]:
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return {os.fsdecode(path) for path in listed.split(b"\0") if path}


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8", newline="")


def found(root: Path) -> set[str]:
    return {item.path for item in walk(root) if isinstance(item, FileEntry)}


def reasons(root: Path) -> dict[str, str]:
    return {item.path: item.reason for item in walk(root) if isinstance(item, SkippedFile)}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository").resolve()
    git(root, "init", "-q", "--template=")
    return root


@settings(max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    paths=paths,
    rules=st.lists(st.tuples(st.sampled_from(["", "a/", "ab/a/"]), ignore_file), max_size=3),
    exclude=st.one_of(st.just(""), ignore_file),
    at=st.sampled_from(["", "", "a", "ab", "ab/a"]),
)
def test_the_files_found_are_those_that_git_lists(
    repository: Path, paths: list[str], rules: list[tuple[str, str]], exclude: str, at: str
) -> None:
    empty(repository)
    for path in ["a/a", "ab/a/b", *paths]:
        place = repository / path
        if not place.is_dir() and not any(parent.is_file() for parent in place.parents):
            write(repository, {path: "x\n"})
    for folder, text in rules:
        write(repository, {f"{folder}.gitignore": text})
    write(repository, {".git/info/exclude": exclude})
    # Of an ignored folder git says nothing; asked for by name, it is indexed.
    assume(not at or subprocess.run(["git", "check-ignore", "-q", at], cwd=repository, check=False).returncode == 1)
    assert found(repository / at) == git_files(repository / at)


def empty(repository: Path) -> None:
    for child in repository.iterdir():
        if child.is_dir() and child.name != ".git":
            shutil.rmtree(child)
        elif child.is_file():
            child.unlink()


@pytest.mark.parametrize(
    ("line", "path", "ignored"),
    [
        (b"a\\ ", b"a ", True),
        (b"a  ", b"a", True),
        (b"a\\\\ ", b"a\\", True),
        (b"\xef\xbb\xbfa", b"a", True),
        (b"a\r", b"a", True),
        (b"\\#a", b"#a", True),
        (b"#a", b"#a", False),
        (b"\\!a", b"!a", True),
        (b"a/", b"a", False),
        (b"a/", b"a\0", True),
        (b"a/**", b"a\0", False),
        (b"a/**", b"a/b\0", True),
        (b"/a", b"b/a", False),
        (b"foo**/bar", b"foobar", True),
        (b"?", "é".encode(), False),  # git counts bytes
        (b"??", "é".encode(), True),
        (b"\xff*", b"\xffa", True),
        (b"/a[/b]c", b"a/c", False),
        (b"/a[!b]c", b"a/c", False),
        (b"a[", b"a[", False),
        (b"a\\", b"a\\", False),
        (b"*", b"a\nb", True),
        (b"*.b", b"a\n.b", True),
    ],
)
def test_single_lines_mean_what_they_mean_to_git(line: bytes, path: bytes, ignored: bool) -> None:
    match = parse(line).last_match(path, 0, path.rfind(b"/") + 1)
    assert (match is not None) is ignored


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"*a" * 40 + b"b", b"a" * 250),
        (b"/x*" + b"[a-z]*" * 60 + b"!", b"x" + b"a" * 250),
        (b"/" + b"**/a*a*a*a/" * 12 + b"b", b"aaaaaaaaaaaaaaaa/" * 120 + b"c"),
        (b"/" + b"**/*/" * 30 + b"b", b"a/" * 1000 + b"c"),
    ],
)
def test_hostile_patterns_do_not_backtrack_without_end(line: bytes, path: bytes) -> None:
    assert parse(line).last_match(path, 0, path.rfind(b"/") + 1) is None


def test_the_last_pattern_counts_in_a_long_list_too() -> None:
    patterns = parse(b"*.py\n" + b"".join(b"n%d\n" % index for index in range(900)) + b"!a.py\n")
    matches = [patterns.last_match(name, 0, 0) for name in (b"a.py", b"b.py", b"n0", b"n899", b"n900")]
    assert [match and match.negated for match in matches] == [True, False, False, False, None]


def test_folder_marks_tell_folders_from_files() -> None:
    patterns = parse(b"a/\n!b")
    assert patterns.last_match(b"x/a" + FOLDER_MARK, 0, 2) is not None
    assert patterns.last_match(b"x/a", 0, 2) is None
    assert patterns.last_match(b"x/b", 0, 2) is not None


def test_kinds_of_ignore_files_outrank_each_other_whatever_their_folder(tmp_path: Path) -> None:
    write(tmp_path, {f"in/{name}": "x" for name in ("a.py", "b.py", "c.py", "d.py")})
    write(
        tmp_path,
        {"in/.gitignore": "a.py\nb.py\n", ".ignore": "!a.py\nc.py\n", ".spencerignore": "!b.py\n!c.py\nd.py\n"},
    )
    assert found(tmp_path) - {".ignore", ".spencerignore", "in/.gitignore"} == {"in/a.py", "in/b.py", "in/c.py"}
    assert reasons(tmp_path) == {"in/d.py": "ignored by .spencerignore"}


def test_reasons_name_the_file_that_ignores(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(
        tmp_path, {"sub/.gitignore": "build/\n", "sub/build/x.py": "x", "n.log2": "x", ".git/info/exclude": "*.log2\n"}
    )
    assert reasons(tmp_path) == {
        ".git/": "version control data",
        "n.log2": "ignored by .git/info/exclude",
        "sub/build/": "ignored by sub/.gitignore",
    }


@pytest.mark.parametrize("variable", ["HOME", "XDG_CONFIG_HOME"])
def test_global_excludes_come_last_and_count_in_plain_folders(
    tmp_path: Path, user_home: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    if variable == "HOME":
        monkeypatch.delenv("XDG_CONFIG_HOME")
    else:
        monkeypatch.setenv("XDG_CONFIG_HOME", str(user_home / "config"))
    config = ".config" if variable == "HOME" else "config"
    write(user_home, {f"{config}/git/ignore": "*.one\n*.two\n"})
    write(tmp_path, {"a.one": "x", "a.two": "x", ".gitignore": "!*.two\n"})
    assert found(tmp_path) == {".gitignore", "a.two"}
    git(tmp_path, "init", "-q")
    write(tmp_path, {".git/info/exclude": "!*.one\n"})
    assert found(tmp_path) == git_files(tmp_path) == {".gitignore", "a.one", "a.two"}


def test_the_excludes_file_of_the_git_configuration_is_used(tmp_path: Path, user_home: Path) -> None:
    write(user_home, {"mine": "*.one\n", "more": "[core]\nexcludesFile = ~/mine\n"})
    write(user_home, {".gitconfig": "[include]\npath = more\n"})
    write(tmp_path, {"a.one": "x", "b": "x"})
    assert global_excludes(tmp_path) == user_home / "mine"
    assert found(tmp_path) == {"b"}


def test_without_git_the_default_excludes_file_is_used(
    tmp_path: Path, user_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(user_home, {".gitconfig": "[core]\nexcludesFile = ~/mine\n"})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert global_excludes(tmp_path) == user_home / ".config" / "git" / "ignore"


def test_a_broken_git_configuration_does_not_stop_the_walk(tmp_path: Path, user_home: Path) -> None:
    write(user_home, {".gitconfig": "[core\n"})
    write(tmp_path, {"a": "x"})
    assert found(tmp_path) == {"a"}


def test_a_hook_of_another_repository_does_not_mislead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for repository in ("mine", "other"):
        write(tmp_path, {f"{repository}/a.py": "x"})
        git(tmp_path / repository, "init", "-q")
    git(tmp_path / "other", "config", "core.excludesFile", str(tmp_path / "all"))
    write(tmp_path, {"all": "*\n"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert found(tmp_path / "mine") == {"a.py"}


def test_rules_above_the_indexed_folder_apply_up_to_the_top_of_the_repository(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.py\n", "top/.gitignore": "*.one\n/mid/in/d\n", "top/mid/.ignore": "*.two\n"})
    write(tmp_path, {f"top/mid/in/{name}": "x" for name in ("a.one", "b.two", "c.py", "d")})
    git(tmp_path / "top", "init", "-q")
    assert enclosing_top(tmp_path / "top" / "mid" / "in") == tmp_path / "top"
    assert found(tmp_path / "top" / "mid" / "in") == {"c.py"}
    assert reasons(tmp_path / "top" / "mid" / "in")["a.one"] == f"ignored by {tmp_path / 'top' / '.gitignore'}"


def test_an_ignored_folder_is_indexed_when_it_is_asked_for(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(
        tmp_path, {".gitignore": "out/\n*.one\n", "out/in/a.py": "x", "out/in/b.one": "x", "out/in/.gitignore": "c\n"}
    )
    write(tmp_path, {"out/in/c": "x"})
    assert found(tmp_path) == {".gitignore"}
    assert found(tmp_path / "out" / "in") == {"a.py", "b.one", ".gitignore"}


def test_a_nested_repository_has_rules_of_its_own(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "init", "-q", "sub")
    write(tmp_path, {".gitignore": "*.one\n", ".git/info/exclude": "*.two\n", ".spencerignore": "*.three\n"})
    write(tmp_path, {"sub/.gitignore": "/a.four\n", "sub/.git/info/exclude": "*.five\n"})
    write(tmp_path, {f"sub/a.{ending}": "x" for ending in ("one", "two", "three", "four", "five")})
    assert found(tmp_path / "sub") == {f"{path}" for path in (".gitignore", "a.one", "a.two", "a.three")}
    assert found(tmp_path) == {".gitignore", ".spencerignore", "sub/.gitignore", "sub/a.one", "sub/a.two"}
    assert git_files(tmp_path / "sub") == found(tmp_path / "sub")


def test_an_ignored_folder_is_not_entered_even_if_it_is_a_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "init", "-q", "sub")
    write(tmp_path, {".gitignore": "sub/\n", "sub/a": "x"})
    assert found(tmp_path) == {".gitignore"}
    assert reasons(tmp_path)["sub/"] == "ignored by .gitignore"


def test_a_worktree_uses_the_exclude_file_of_its_repository(tmp_path: Path) -> None:
    main, tree = tmp_path / "main", tmp_path / "tree"
    write(main, {"a.py": "x"})
    git(main, "init", "-q")
    git(main, "add", "a.py")
    git(main, "commit", "-q", "-m", "m")
    git(main, "worktree", "add", "-q", str(tree))
    write(main, {".git/info/exclude": "*.one\n"})
    write(tree, {"b.one": "x", "c.py": "x"})
    work_tree = work_tree_at(tree)
    assert work_tree is not None
    assert work_tree.common.resolve() == main / ".git"
    assert found(tree) == git_files(tree) == {"a.py", "c.py"}
    assert reasons(tree)[".git"] == "version control data"


def test_a_submodule_uses_its_own_exclude_file(tmp_path: Path) -> None:
    write(tmp_path, {"library/a.py": "x"})
    git(tmp_path / "library", "init", "-q")
    git(tmp_path / "library", "add", "a.py")
    git(tmp_path / "library", "commit", "-q", "-m", "m")
    git(tmp_path, "init", "-q", "top")
    git(
        tmp_path / "top", "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "library"), "sub"
    )
    assert (tmp_path / "top" / "sub" / ".git").is_file()
    write(tmp_path / "top", {".git/modules/sub/info/exclude": "*.one\n", ".gitignore": "*.two\n"})
    write(tmp_path / "top", {"sub/b.one": "x", "sub/c.two": "x"})
    assert found(tmp_path / "top") == {".gitignore", ".gitmodules", "sub/a.py", "sub/c.two"}


@pytest.mark.parametrize("pointer", ["", "nonsense", "gitdir: nowhere", "gitdir: no\0where", "gitdir: ../loop"])
def test_a_git_file_that_points_nowhere_is_no_repository(tmp_path: Path, pointer: str) -> None:
    write(tmp_path, {".git": pointer})
    assert work_tree_at(tmp_path) is None


def test_an_empty_git_folder_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert work_tree_at(tmp_path) is None


@pytest.mark.skipif(not POSIX, reason="links and pipes need a POSIX system")
def test_ignore_files_that_are_links_or_pipes_are_taken_as_absent(tmp_path: Path) -> None:
    write(tmp_path, {"rules": "*.py\n", "in/a.py": "x", "deep/b.py": "x"})
    (tmp_path / "in" / ".gitignore").symlink_to(tmp_path / "rules")
    os.mkfifo(tmp_path / "deep" / ".gitignore")
    assert found(tmp_path) == {"rules", "in/a.py", "deep/b.py"}


def test_an_enormous_ignore_file_is_not_applied_and_listed(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.py\n" * (MAX_IGNORE_BYTES // 5 + 1), "a.py": "x"})
    assert found(tmp_path) == {"a.py"}
    assert "not applied" in reasons(tmp_path)[".gitignore"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not UTF-8")
def test_names_that_are_not_utf8_are_matched_byte_by_byte(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    for raw in (b"\xff.one", b"\xfe.one", b"\xff\xfe"):
        (tmp_path / os.fsdecode(raw)).write_text("x")
    (tmp_path / ".gitignore").write_bytes(b"\xff*.one\n")
    assert found(tmp_path) == git_files(tmp_path) == {".gitignore", os.fsdecode(b"\xfe.one"), os.fsdecode(b"\xff\xfe")}
