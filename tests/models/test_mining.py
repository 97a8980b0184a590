"""What is mined from source trees in every language, what is left out and why."""

from __future__ import annotations

import io
import json
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from spencer_desktop.core.chunk_worker import ChunkWorker
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import SkippedFile
from spencer_models.data.filters import MINED_LANGUAGES, TEST_FILE, VENDORED_FILE, function_fault, path_fault
from spencer_models.data.leakage import HeldOut, read_held_out
from spencer_models.data.licences import licence_of_installed
from spencer_models.data.mining import Mined, Package, function_chunker, mine
from spencer_models.data.trees import (
    DAMAGED,
    MAX_FILE_BYTES,
    TOO_LARGE,
    SourceFile,
    Tree,
    find_tree,
    installed_tree,
    package_name,
    source_files,
)
from tests.models.sources import BY_LANGUAGE, GO, PYTHON

NOTHING = HeldOut(frozenset(), frozenset())


@pytest.fixture(scope="module")
def worker() -> Iterator[ChunkWorker]:
    with function_chunker() as worker:
        # Its threads begin with the first file, and belong to all tests.
        worker.chunk("a.py", "python", "x = 1\n")
        yield worker


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _mine(
    worker: ChunkWorker, place: Path, held_out: HeldOut = NOTHING, languages: Sequence[str] = MINED_LANGUAGES
) -> Mined:
    return mine(Package("package", find_tree(place), lambda path: "train"), languages, worker, held_out)


@pytest.mark.parametrize("language", MINED_LANGUAGES)
def test_a_documented_function_is_mined_in_every_language(tmp_path: Path, worker: ChunkWorker, language: str) -> None:
    name, text, symbol = BY_LANGUAGE[language]
    mined = _mine(worker, write(tmp_path, {name: text}))
    pair = next(p for p in mined.pairs if p.symbol == symbol)
    assert pair.query.lower().removeprefix("s ").startswith(("read all the lines of a ", "reads all the lines of a "))
    assert "text" in pair.query.lower()
    assert "@" not in pair.query
    assert (pair.language, pair.source, pair.split) == (language, "package", "train")
    assert "ll the lines of a" in pair.code
    for gone in ("the lines", "@param", "<summary>", "Examples", "///", "/**", "*/", "//", "where the file"):
        assert gone not in pair.bare
    own_lines = [line.strip() for line in pair.bare.splitlines()]
    assert all(line in pair.code for line in own_lines)
    assert any("(" in line and symbol.rpartition(".")[2] in line for line in own_lines)
    assert {p.symbol for p in mined.pairs} <= {symbol, "countLines"}


@pytest.mark.parametrize(
    ("language", "left_out"),
    [
        (
            "python",
            {
                "standard method": 1,
                "constructor": 1,
                "body too short": 1,
                "no documentation": 1,
                "test": 1,
                "documentation too short": 1,
            },
        ),
        ("java", {"constructor": 1, "standard method": 1, "documentation too short": 1}),
        ("javascript", {"constructor": 1, "documentation too short": 1}),
        ("typescript", {}),
        ("go", {"standard method": 1}),
        ("rust", {"test": 1}),
        ("csharp", {"constructor": 1}),
        ("php", {"constructor": 1}),
        ("ruby", {"constructor": 1}),
        ("cpp", {"constructor": 1}),
    ],
)
def test_what_is_left_out_has_its_reason(
    tmp_path: Path, worker: ChunkWorker, language: str, left_out: dict[str, int]
) -> None:
    name, text, _ = BY_LANGUAGE[language]
    mined = _mine(worker, write(tmp_path, {name: text}))
    assert mined.left_out == left_out
    assert mined.functions == len(mined.pairs) + sum(left_out.values())


@pytest.mark.parametrize(
    ("language", "further"),
    [
        ("java", ("It is closed then", "The file must not be empty")),
        ("python", ("The file is closed even when reading fails", "It must be a text file")),
        ("go", ("It closes the file", "The file must not be empty")),
        ("javascript", ("The file is closed then",)),
        ("csharp", ("The file must not be empty",)),
        ("rust", ()),
    ],
)
def test_further_sentences_of_the_documentation_stand_with_their_function(
    tmp_path: Path, worker: ChunkWorker, language: str, further: tuple[str, ...]
) -> None:
    name, text, _ = BY_LANGUAGE[language]
    mined = _mine(worker, write(tmp_path, {name: text}))
    assert mined.sentences == (further,)


def test_a_function_too_long_for_one_chunk_is_mined_once(tmp_path: Path, worker: ChunkWorker) -> None:
    body = "".join(f"    total_{n} = compute(total_{n}, {n})\n" for n in range(400))
    mined = _mine(worker, write(tmp_path, {"a.py": f'def total(x):\n    """Compute all the totals."""\n{body}'}))
    (pair,) = mined.pairs
    assert pair.query == "Compute all the totals"
    assert 2_000 < len(pair.bare) <= 8_000


def test_whole_files_are_left_out_by_path_and_content(tmp_path: Path, worker: ChunkWorker) -> None:
    files = {
        "kept.py": PYTHON,
        "tests/test_a.py": PYTHON,
        "_vendor/b.py": PYTHON,
        "node_modules/x/a.js": PYTHON,
        "made.py": "# Code generated by a tool. DO NOT EDIT.\n" + PYTHON,
        "words_pb2.py": PYTHON,
        "large.py": PYTHON + "#" * MAX_FILE_BYTES,
        "secret.py": PYTHON,
        ".gitignore": "secret.py\n",
        "notes.txt": PYTHON,
    }
    write(tmp_path, files)
    (tmp_path / "zero.py").write_bytes(b"x = 1\0")
    mined = _mine(worker, tmp_path)
    assert [p.symbol for p in mined.pairs] == ["Reader.read_lines"]
    assert {reason: n for reason, n in mined.left_out.items() if reason.endswith("(files)")} == {
        "test file (files)": 1,
        "generated (files)": 2,
        "too large (files)": 1,
        "ignored (files)": 1,
        "binary (files)": 1,
    }


def test_undecodable_and_broken_sources_are_passed_over(tmp_path: Path, worker: ChunkWorker) -> None:
    write(tmp_path, {"broken.py": "def f(:\n   '''x\n", "deep.py": "x = " + "(" * 20_000, "windows.py": ""})
    (tmp_path / "windows.py").write_bytes(PYTHON.replace("\n", "\r\n").encode())
    (tmp_path / "latin.py").write_bytes(PYTHON.replace("text file.", "caf\xe9 text.").encode("latin-1"))
    mined = _mine(worker, tmp_path)
    assert [p.query for p in mined.pairs] == ["Read all the lines of a text file"]
    assert "\r" not in mined.pairs[0].code
    assert mined.left_out["documentation not English"] == 1


def test_a_question_and_a_code_are_mined_once(tmp_path: Path, worker: ChunkWorker) -> None:
    renamed = PYTHON.replace("Read all the lines", "Fetch every line")
    reworked = PYTHON.replace("with open(path)", "with closed(path)")
    mined = _mine(worker, write(tmp_path, {"a.py": PYTHON, "b.py": renamed, "c.py": reworked}))
    assert len(mined.pairs) == 1
    assert mined.left_out["near duplicate"] == 2


def test_only_the_languages_asked_for_are_looked_at(tmp_path: Path, worker: ChunkWorker) -> None:
    place = write(tmp_path, {name: text for name, text, _ in BY_LANGUAGE.values()})
    assert {p.language for p in _mine(worker, place, languages=("go", "python")).pairs} == {"go", "python"}


def test_nothing_of_a_measuring_set_is_mined(tmp_path: Path, worker: ChunkWorker) -> None:
    place = write(tmp_path / "tree", {"a.py": PYTHON})
    by_query, by_code = tmp_path / "query.json", tmp_path / "code.json"
    by_query.write_text(json.dumps([{"query": "read ALL the lines of a text file!", "code": "x"}]))
    bare = "def read_lines(self, path):\n with open(path) as file:\n  return file.read().splitlines()"
    by_code.write_text(json.dumps({"corpus": [bare], "queries": [{"q": "something else", "gold": 0}]}))
    for held_out in (by_query, by_code):
        mined = _mine(worker, place, read_held_out([held_out]))
        assert mined.pairs == ()
        assert mined.left_out["stands in a measuring set"] == 1
    assert len(_mine(worker, place, read_held_out([])).pairs) == 1


def test_a_file_that_is_no_measuring_set_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for content in ('{"queries": 3}', "[", '["text"]', "3", '[{"query": 3, "code": "x"}]', "[" * 100_000):
        path.write_text(content)
        with pytest.raises(UserError, match=r"x\.json is not a measuring set"):
            read_held_out([path])
    with pytest.raises(UserError, match="cannot be read"):
        read_held_out([tmp_path / "nowhere.json"])


TREE = {
    "words-1.0/src/a.py": PYTHON,
    "words-1.0/src/b.go": GO,
    "words-1.0/tests/c.py": PYTHON,
    "words-1.0/README.md": "text",
}


def _zip(path: Path, files: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def _tar(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("words-1.0/link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


def test_an_archive_gives_what_the_folder_gives(tmp_path: Path, worker: ChunkWorker) -> None:
    folder = _mine(worker, write(tmp_path / "folder", TREE))
    for place in (_zip(tmp_path / "words.zip", TREE), _tar(tmp_path / "words.tar.gz", TREE)):
        mined = _mine(worker, place)
        assert (mined.pairs, mined.sentences, mined.sha256) == (folder.pairs, folder.sentences, folder.sha256)
        assert mined.left_out == folder.left_out


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    names = ["../../evil.py", "/etc/evil.py", "..\\..\\evil.py", "a/../../b.py", "C:/x.py"]
    place = tmp_path / "inner"
    place.mkdir()
    members = dict.fromkeys(names, "x = 1\n")
    for archive in (_zip(place / "x.zip", members), _tar(place / "x.tgz", members)):
        files = list(source_files(Tree(archive), ("python",)))
        assert all(isinstance(f, SourceFile) and not f.path.startswith(("/", ".")) for f in files)
        assert sorted(f.path for f in files) == ["C:/x.py", "a/b.py", "etc/evil.py", "evil.py", "evil.py"]
    assert {p.name for p in tmp_path.rglob("*")} == {"inner", "x.zip", "x.tgz"}


def test_a_large_or_damaged_member_of_an_archive_is_left_out(tmp_path: Path) -> None:
    files = {"bomb.py": "#" * 50_000_000, "good.py": "x = 1\n", "spoilt.py": "y = 'something'\n" * 100, "z.min.js": "x"}
    path = _zip(tmp_path / "x.zip", files)
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("spoilt.py").header_offset + len("spoilt.py") + 34
    data = bytearray(path.read_bytes())
    data[offset : offset + 4] = b"\0\0\0\0"
    path.write_bytes(data)
    found = {f.path: f for f in source_files(Tree(path), MINED_LANGUAGES)}
    assert found["bomb.py"] == SkippedFile("bomb.py", TOO_LARGE)
    assert found["spoilt.py"] == SkippedFile("spoilt.py", DAMAGED)
    assert found["z.min.js"] == SkippedFile("z.min.js", "minified")
    assert isinstance(found["good.py"], SourceFile)
    packed = _zip(tmp_path / "lzma.zip", {"a.py": "x = 1\n"}, zipfile.ZIP_LZMA)
    assert list(source_files(Tree(packed), ("python",))) == [SkippedFile("a.py", DAMAGED)]


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    whole = _tar(tmp_path / "x.tar.gz", TREE).read_bytes()
    for name, data in (("a.tar.gz", whole[:200]), ("b.tar.gz", b"text"), ("c.zip", b"PK\x03\x04"), ("d.zip", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=rf"{name} is damaged"):
            list(source_files(Tree(tmp_path / name), ("python",)))


def test_a_tree_is_a_folder_or_an_archive(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is nothing at"):
        find_tree(tmp_path / "nowhere")
    (tmp_path / "a.txt").touch()
    with pytest.raises(UserError, match="neither a folder nor an archive"):
        find_tree(tmp_path / "a.txt")
    _zip(tmp_path / "words-1.0.ZIP", {})
    assert package_name(tmp_path / "words-1.0.ZIP") == "words-1.0"
    assert package_name(_tar(tmp_path / "b.tar.gz", {})) == "b"
    assert package_name(tmp_path / "x" / "..") == tmp_path.name


def test_installed_packages_are_mined_at_their_version(worker: ChunkWorker) -> None:
    tree = installed_tree("pluggy", version("pluggy"))
    mined = mine(Package("pluggy", tree, lambda path: "valid"), ("python",), worker, NOTHING)
    assert any(p.symbol.startswith("PluginManager.") for p in mined.pairs)
    assert "MIT" in licence_of_installed("pluggy")
    with pytest.raises(UserError, match=r"mines numpy 0\.1, but") as raised:
        installed_tree("numpy", "0.1")
    assert raised.value.hint == "pip install numpy==0.1"
    with pytest.raises(UserError, match="not installed"):
        installed_tree("no-such-package-here", "1")


def test_the_standard_library_is_that_of_this_python(worker: ChunkWorker) -> None:
    with pytest.raises(UserError, match=r"mines python-stdlib 2\.7"):
        installed_tree("python-stdlib", "2.7")
    tree = installed_tree("python-stdlib", sysconfig.get_python_version())
    assert tree.files is not None
    assert "textwrap.py" in tree.files
    assert not any("site-packages" in path for path in tree.files)
    assert licence_of_installed("python-stdlib") == "PSF-2.0"


@pytest.mark.parametrize(
    ("language", "tests", "others"),
    [
        (
            "python",
            ["a/tests/b.py", "test_x.py", "a/conftest.py", "x_test.py", "examples/a.py"],
            ["a/latest.py", "contest/b.py", "contests/b.py", "attest.py"],
        ),
        (
            "java",
            ["src/test/java/A.java", "a/ReaderTest.java", "TestReader.java", "AbcIT.java", "jmh/FooBenchmark.java"],
            ["Latest.java", "java/security/spec/Key.java", "Testimony.java", "WAIT.java"],
        ),
        ("javascript", ["a.test.js", "__tests__/a.js", "spec/a.js", "a.spec.mjs"], ["inspect.js", "special/a.js"]),
        ("typescript", ["a.spec.ts", "e2e/a.ts", "a.cy.ts"], ["spec.ts", "latest.ts"]),
        ("go", ["reader_test.go", "testdata/a.go", "mock_reader.go"], ["testing.go", "latest.go"]),
        ("rust", ["tests/a.rs", "benches/b.rs", "src/tests.rs"], ["src/latest.rs"]),
        ("csharp", ["ReaderTests.cs", "Shop.Tests/A.cs", "shop.UnitTests/A.cs"], ["Latest.cs", "Contests/A.cs"]),
        ("php", ["tests/A.php", "ReaderTest.php"], ["Latest.php"]),
        ("ruby", ["spec/a.rb", "a_spec.rb", "test_a.rb"], ["spectacle/a.rb"]),
        ("cpp", ["a_test.cc", "a_unittest.cc", "ReaderTest.cpp"], ["latest.cc"]),
    ],
)
def test_paths_of_tests_by_the_conventions_of_each_language(language: str, tests: list[str], others: list[str]) -> None:
    assert {path: path_fault(path, language) for path in tests} == dict.fromkeys(tests, TEST_FILE)
    assert {path: path_fault(path, language) for path in others} == dict.fromkeys(others, "")


def test_paths_of_vendored_code() -> None:
    for path in ("a/_vendor/x.py", "externals/y.py", "third_party/z.py", "dist/a.py", "node_modules/b.py"):
        assert path_fault(path, "python") == VENDORED_FILE
    assert path_fault("vendors.py", "python") == path_fault("distance/a.py", "python") == ""


BODY = "a()\nb()\nc()"


@pytest.mark.parametrize(
    ("symbol", "language", "fault"),
    [
        ("Reader.__enter__", "python", "standard method"),
        ("Reader.__private", "python", ""),
        ("Reader.__call", "php", "standard method"),
        ("Reader.hashCode", "java", "standard method"),
        ("Reader.hashCode", "csharp", ""),
        ("A.Reader.Reader", "csharp", "constructor"),
        ("Reader.~Reader", "cpp", "constructor"),
        ("Reader.operator==", "cpp", "standard method"),
        ("Reader.operators", "cpp", ""),
        ("Reader.to_s", "ruby", "standard method"),
        ("Reader.fmt", "rust", "standard method"),
        ("Reader.testAll", "java", "test"),
        ("test_all", "python", "test"),
        ("isTest", "java", "test"),
        ("getLatest", "java", ""),
        ("attested", "python", ""),
        ("reader", "go", ""),
    ],
)
def test_function_fault(symbol: str, language: str, fault: str) -> None:
    assert function_fault(symbol, BODY, language) == fault


def test_brackets_and_decorators_do_not_make_a_function_long() -> None:
    assert function_fault("f", "int f()\n{\n  return 1;\n}\n", "java") == "body too short"
    assert function_fault("f", "@property\ndef f(self):\n    return 1", "python") == "body too short"
    assert function_fault("f", "[Pure]\nint f()\n{\n  return 1;\n}\n", "csharp") == "body too short"
    assert function_fault("f", "int f()\n{\n  x();\n  return 1;\n}\n", "java") == ""
