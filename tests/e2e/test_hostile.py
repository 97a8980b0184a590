"""Files, folders and questions that nobody would make on purpose, or somebody would."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from spencer_desktop.core import indexer
from spencer_desktop.core.files import FileContent, WalkLimits, read_file
from spencer_desktop.core.types import SkippedFile
from tests.e2e.conftest import Indexed
from tests.e2e.harness import LINUX, POSIX, PackedFakes, spencer, unprivileged, write_settings
from tests.fakes import write_tree

# Far above what any of this takes, far below what it took where something grows without bound.
SECONDS = 20.0


def skipped(name: str, data: Path) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in spencer("list", "--skipped", name, "--json", data=data).json}


def lexical(text: str, data: Path) -> list[str]:
    done = spencer("search", text, "--mode", "lexical", "--json", data=data)
    assert done.code == (0 if done.paths else 1)
    return done.paths


# Folders


@pytest.mark.parametrize("repository", [True, False], ids=["repository", "folder"])
def test_an_empty_folder_is_indexed_and_answers_nothing(
    root: Path, data: Path, models: PackedFakes, repository: bool
) -> None:
    if repository:
        write_tree(root, {".git/HEAD": "ref: refs/heads/main\n", ".git/objects/x": "", ".git/refs/x": ""})
    done = spencer("index", root, "--json", data=data)
    assert (done.code, done.json["added"], done.json["encoded"]) == (0, 0, 0)
    for mode in ("hybrid", "semantic", "lexical", "regex"):
        nothing = spencer("search", "anything", "--mode", mode, data=data)
        assert (nothing.code, nothing.out) == (1, "")
        assert "Nothing found." in nothing.err
    assert spencer("status", data=data).code == 0


def test_a_plain_folder_is_as_good_as_a_repository(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"a.txt": "some words\n"})
    assert spencer("index", root, data=data).code == 0
    assert lexical("words", data) == ["a.txt"]


def test_what_is_no_folder_is_refused(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"a.txt": "some words\n"})
    for path in (root / "none", root / "a.txt", root / "a.txt" / "x"):
        done = spencer("index", root, path, data=data)
        assert done.code == 2
        assert str(path) in done.err
    assert not data.exists(), "one wrong path must not leave half of the request done"


@POSIX
def test_what_cannot_be_read_is_told_and_the_rest_is_indexed(shared_tmp: Path, models: PackedFakes) -> None:
    root, data = shared_tmp / "code", shared_tmp / "data"
    write_tree(root, {"closed/a.txt": "hidden words\n", "b.txt": "secret words\n", "c.txt": "open words\n"})
    data.mkdir()
    data.chmod(0o777)
    (root / "b.txt").chmod(0)
    (root / "closed").chmod(0)
    with unprivileged():
        done = spencer("index", root, "--json", data=data)
        assert (done.code, done.json["added"]) == (0, 1)
        reasons = skipped("code", data)
        assert reasons.keys() == {"closed/", "b.txt"}
        assert all("Permission denied" in reason for reason in reasons.values())
        assert lexical("words", data) == ["c.txt"]
    (root / "b.txt").chmod(0o644)
    with unprivileged():
        assert spencer("index", "--json", data=data).json["added"] == 1, "what can be read again is read"
    root.chmod(0)
    with unprivileged():
        fault = spencer("index", data=data)
        assert fault.code == 2
        assert str(root) in fault.err
        assert sorted(lexical("words", data)) == ["b.txt", "c.txt"]
        assert spencer("list", data=data).code == 0
        assert spencer("index", root / "closed", data=data).code == 2
    root.chmod(0o755)
    (root / "closed").chmod(0o755)


@POSIX
def test_links_that_lead_in_circles_are_not_followed(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"a/b.txt": "some words\n"})
    (root / "a/up").symlink_to(root)
    (root / "self").symlink_to("self")
    assert spencer("index", root, data=data).code == 0
    assert lexical("words", data) == ["a/b.txt"]
    assert set(skipped("code", data)) == {"a/up", "self"}
    circle = spencer("index", root / "self", data=data)
    assert circle.code == 2
    assert "self" in circle.err
    assert spencer("index", root / "a/up", data=data).code == 0, "a link that is asked for is followed"


@POSIX
def test_a_pipe_is_never_opened(root: Path, data: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(root, {"a.txt": "some words\n", "b.txt": "becomes a pipe\n"})
    os.mkfifo(root / "pipe.txt")

    def swap(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    before_reading(monkeypatch, "b.txt", swap)
    assert spencer("index", root, data=data).code == 0
    assert set(skipped("code", data)) == {"b.txt", "pipe.txt"}
    assert lexical("words", data) == ["a.txt"]


# Contents


def test_a_line_of_100_megabytes_costs_nothing(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"huge.py": b"x" * 100_000_000, "a.txt": "some words\n"})
    began = time.monotonic()
    assert spencer("index", root, data=data).code == 0
    assert time.monotonic() - began < SECONDS
    assert "too large" in skipped("code", data)["huge.py"]
    assert lexical("words", data) == ["a.txt"]


def test_the_longest_line_that_is_read_is_found(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"long.md": "marker " + "x" * 2_000_000, "long.py": "marker = " + "1" * 1_900_000})
    began = time.monotonic()
    assert spencer("index", root, data=data).code == 0
    assert sorted(lexical("marker", data)) == ["long.md", "long.py"]
    assert sorted(spencer("search", "^marker", "--mode", "regex", "--json", data=data).paths) == ["long.md", "long.py"]
    assert len(spencer("search", "marker", data=data).out) < 10_000
    assert time.monotonic() - began < SECONDS


def test_bytes_that_are_no_text(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(
        root,
        {
            "nul.py": b"marker = 1\n\0\n",
            "latin.py": "def marker_caf\xe9():\n    return 'na\xefve'\n".encode("latin-1"),
            "wide.py": "def marker_wide():\n    return '\xe9'\n".encode("utf-16"),
            "noise.txt": b"marker_noise \xff\xfe\x80\xed\xa0\x80\n",
        },
    )
    assert spencer("index", root, data=data).code == 0
    assert skipped("code", data) == {"nul.py": "binary"}
    found = spencer("search", "marker", "--mode", "regex", "--json", data=data)
    assert sorted(found.paths) == ["latin.py", "noise.txt", "wide.py"]
    assert "\ufffd" in "".join(hit["snippet"] for hit in found.json["hits"])
    assert spencer("search", "marker", "--mode", "regex", data=data).code == 0


@LINUX
def test_names_of_any_bytes_survive_the_way_there_and_back(root: Path, data: Path, models: PackedFakes) -> None:
    names = [b"line\nbreak.txt", b"latin-\xe9.txt", b"\xed\xa0\x80.txt", b"quote\"'.txt", b" .txt", b"-k.txt"]
    names += [b"f\xff/.gitignore", b"f\xff/kept.txt"]
    folder = os.fsencode(root) + b"/top-\xff\n"
    for name in [*names, b"f\xff/ignored.txt"]:
        path = Path(os.fsdecode(folder + b"/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("ignored.txt\nsome words\n")
    top = Path(os.fsdecode(folder))
    report = spencer("index", top, "--json", data=data)
    assert (report.code, report.json["added"]) == (0, len(names))
    found = spencer("search", "words", "-k", "20", "--mode", "lexical", "--json", data=data)
    assert sorted(os.fsencode(path) for path in found.paths) == sorted(names)
    (listed,) = spencer("list", "--json", data=data).json
    assert os.fsencode(listed["root"]) == folder
    (left_out,) = spencer("list", "--skipped", top, "--json", data=data).json
    assert os.fsencode(left_out["path"]) == b"f\xff/ignored.txt"
    assert spencer("list", "--skipped", listed["name"], data=data).code == 0
    for repository in (top, listed["name"]):
        assert spencer("search", "words", "--repo", repository, data=data).code == 0
    place = os.fsdecode(folder + b"/latin-\xe9.txt")
    assert spencer("similar", f"{place}:1", data=data).code == 0
    assert spencer("index", "--json", data=data).json["unchanged"] == len(names)
    assert spencer("remove", top, "--json", data=data).json["root"] == str(top)


@pytest.mark.parametrize(("name", "code"), [("a.py", "x = {}\n"), ("a.c", "int x = {};\n")], ids=["python", "c"])
def test_nested_parentheses_end_at_the_deadline(
    root: Path, data: Path, models: PackedFakes, user_home: Path, name: str, code: str
) -> None:
    write_settings(user_home, "parse_seconds = 1\n")
    nested = code.format("(" * 50_000 + "1" + ")" * 50_000)
    write_tree(root, {name: f"{nested}\n\nmarker = 1;\n", "b.py": "def after(): pass\n"})
    began = time.monotonic()
    assert spencer("index", root, data=data).code == 0
    assert time.monotonic() - began < SECONDS
    assert lexical("marker", data) == [name]
    assert spencer("search", "after", "--json", data=data).json["hits"][0]["symbol"] == "after"


# Files that do not hold still


def before_reading(patch: pytest.MonkeyPatch, name: str, change: Callable[[Path], None]) -> None:
    """Let `change` happen to a file between the walk and the reading of it, once."""
    pending = [name]

    def disturbed(root: Path, path: str, limits: WalkLimits) -> FileContent | SkippedFile:
        if path in pending:
            pending.remove(path)
            change(root / path)
        return read_file(root, path, limits)

    patch.setattr(indexer, "read_file", disturbed)


def test_a_file_that_vanishes_before_it_is_read(
    root: Path, data: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a.txt": "first words\n", "b.txt": "second words\n"})
    before_reading(monkeypatch, "a.txt", Path.unlink)
    done = spencer("index", root, "--json", data=data)
    assert (done.code, done.json["added"], done.json["faults"]) == (0, 1, [])
    assert skipped("code", data) == {"a.txt": "vanished"}
    assert lexical("words", data) == ["b.txt"]
    assert spencer("index", data=data).code == 0
    assert skipped("code", data) == {}


def test_a_file_that_is_rewritten_before_it_is_read(
    root: Path, data: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a.txt": "first words\n"})
    # As long as before, and quick enough for a clock that ticks in steps.
    before_reading(monkeypatch, "a.txt", lambda path: rewrite_unnoticed(path, "later words\n"))
    assert spencer("index", root, data=data).code == 0
    assert lexical("later", data) == ["a.txt"]
    rewrite_unnoticed(root / "a.txt", "final words\n")
    assert spencer("index", "--json", data=data).json["changed"] == 1
    assert lexical("final", data) == ["a.txt"]
    assert lexical("later", data) == []


def rewrite_unnoticed(path: Path, text: str) -> None:
    times = path.stat()
    path.write_text(text)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_file_that_never_holds_still_keeps_what_was_known_of_it(
    root: Path, data: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, {"a.txt": "first words\n", "b.txt": "second words\n"})
    assert spencer("index", root, data=data).code == 0
    fstat = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        with (root / "a.txt").open("a") as file:
            file.write("more\n")
        return fstat(descriptor)

    write_tree(root, {"a.txt": "other words\n"})
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", growing)
        done = spencer("index", "--json", data=data)
    assert (done.code, done.json["removed"], done.json["changed"]) == (0, 0, 0)
    assert lexical("first", data) == ["a.txt"]
    assert "changed while it was read" in skipped("code", data).values()
    assert spencer("index", "--json", data=data).json["changed"] >= 1
    assert lexical("other", data) == ["a.txt"]


# Questions


@pytest.fixture
def asked(odd: Indexed, models: PackedFakes) -> Path:
    """The data folder of an index to ask."""
    return odd.data


@pytest.mark.parametrize("text", [" ", "", "\t\n", "\u3000\xa0"], ids=ascii)
@pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical", "regex"])
def test_a_question_of_spaces_is_refused(asked: Path, text: str, mode: str) -> None:
    done = spencer("search", text, "--mode", mode, data=asked)
    assert (done.code, done.out) == (2, "")
    assert "The question is empty" in done.err
    assert "for example" in done.err


@pytest.mark.parametrize(
    ("text", "found"),
    [("->", ["a.c"]), ("!=", ["a.c"]), ("::", ["b.rs"]), ("🦀", ["c.py"]), ("->->", []), ("(", ["a.c"]), ("\\", [])],
)
@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
def test_a_question_of_punctuation_is_searched_literally(asked: Path, text: str, found: list[str], mode: str) -> None:
    done = spencer("search", text, "--mode", mode, "--json", data=asked)
    assert done.code == (0 if found else 1)
    assert sorted(set(done.paths))[: len(found)] == found
    assert all(text in hit["snippet"] for hit in done.json["hits"])


@pytest.mark.parametrize("text", ["解析日期", "привет мир", "ПРИВЕТ", "день", "مرحبا", "🦀 مرحبا"])
def test_a_question_need_not_be_english(asked: Path, text: str) -> None:
    for mode in ("hybrid", "semantic", "lexical"):
        assert spencer("search", text, "--mode", mode, "--json", data=asked).paths[0] == "c.py"
    assert spencer("search", text, data=asked).code == 0


@pytest.mark.parametrize("unit", ["next ", "x", "->", "日", "\ud83e", "a.b", '"', "( "], ids=ascii)
@pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical", "regex"])
def test_a_question_of_a_megabyte_is_answered_or_refused_at_once(
    asked: Path, tmp_path: Path, unit: str, mode: str
) -> None:
    batch = tmp_path / "questions.jsonl"
    batch.write_text(json.dumps({"id": 1, "query": unit * (1_000_000 // len(unit))}) + '\n{"id": 2, "query": "next"}\n')
    began = time.monotonic()
    done = spencer("search", "--batch", batch, "--json", "--mode", mode, data=asked)
    assert time.monotonic() - began < SECONDS
    assert (done.code, [line["id"] for line in done.lines]) == (0, [1, 2])
    assert done.lines[1]["hits"]


@pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical", "regex"])
def test_bytes_of_a_question_that_are_no_text(asked: Path, mode: str) -> None:
    done = spencer("search", os.fsdecode(b"\xff\xfe next"), "--mode", mode, data=asked)
    assert done.code == (2 if mode == "regex" else 0)
    assert spencer("search", "next\0", "--mode", mode, data=asked).code == (1 if mode == "regex" else 0)


def test_filters_that_match_nothing_or_mean_nothing(asked: Path) -> None:
    assert spencer("search", "next", "--path", "no/such/*", data=asked).code == 1
    assert spencer("search", "->", "--path", "no/such/*", data=asked).code == 1
    language = spencer("search", "next", "--lang", "pythn", data=asked)
    assert (language.code, "python" in language.err) == (2, True)
    repository = spencer("search", "next", "--repo", "nope", data=asked)
    assert (repository.code, "project" in repository.err) == (2, True)
    assert spencer("search", "next", "-k", "0", data=asked).code == 2
    for glob, code in {"[": 1, "**": 0, "!x": 1, "/": 1, "*" * 200: 0, "[" * 200: 1, "../*": 1, "\x1b": 1}.items():
        assert spencer("search", "next", "--path", glob, data=asked).code == code, glob


@pytest.mark.parametrize("glob", ["!", "\\", "[z-a]"])
def test_a_glob_that_cannot_be_read_is_refused(asked: Path, glob: str) -> None:
    done = spencer("search", "next", "--path", glob, data=asked)
    assert (done.code, glob in done.err) == (2, True)


# Patterns


def test_a_pattern_that_drives_others_mad_is_quick(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"a.txt": "a" * 100_000 + "!\n" + "marker\n"})
    assert spencer("index", root, data=data).code == 0
    began = time.monotonic()
    for pattern in ("(a+)+$", "(a|aa)+$", "(a*)*b", "(.*)(.*)(.*)(.*)marker$", "((a{1,30}){1,30}){1,1}$"):
        assert spencer("search", pattern, "--mode", "regex", data=data).code in (0, 1)
    assert time.monotonic() - began < SECONDS
    assert spencer("search", "^marker$", "--mode", "regex", "--json", data=data).json["hits"][0]["start_line"] == 2


@pytest.mark.parametrize(
    "pattern",
    ["(", "[", "a{2,1}", "*", "(?=a)", "(?<!a)b", r"(a)\1", "a{1000000}", "\\", r"\xZZ", "((a{100}){100}){100}"],
)
def test_a_pattern_that_cannot_be_read_is_refused(indexed: Indexed, pattern: str) -> None:
    done = spencer("search", "--mode", "regex", "--", pattern, data=indexed.data)
    assert (done.code, done.out) == (2, "")
    assert "RE2" in done.err
    assert "look-around" in done.err


@pytest.mark.parametrize("pattern", ["", "x*", "^", "$", "\n", r"\s+", "(?s).*"], ids=ascii)
def test_a_pattern_that_matches_everywhere_points_at_real_lines(indexed: Indexed, pattern: str) -> None:
    done = spencer("search", "--mode", "regex", "--json", "-k", "1000", "--", pattern, data=indexed.data)
    if not pattern.strip():
        assert done.code == 2
        return
    for hit in done.json["hits"]:
        lines = (indexed.root / hit["path"]).read_text("utf-8").split("\n")
        assert lines[hit["start_line"] - 1] == hit["snippet"]
