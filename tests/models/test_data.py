"""The corpus: what is mined, what is left out and why, and that nothing measured is trained on."""

from __future__ import annotations

import json
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest

from spencer_desktop.core.chunking import chunk_file
from spencer_desktop.core.errors import UserError
from spencer_models.config import CorpusConfig
from spencer_models.data.corpus import Pair, read_pair_file, training_text
from spencer_models.data.filters import code_key, first_sentence, later_sentences, path_fault, query_fault, query_key
from spencer_models.data.leakage import HeldOut, read_held_out
from spencer_models.data.mining import Mined, SourceTree, installed_tree, mine
from spencer_models.data.prepare import build_corpus, read_corpus, sample
from spencer_models.data.queries import question, symbol_words, terse, training_query, variants

NOTHING = HeldOut(frozenset(), frozenset())

SOURCE = '''
class Reader:
    def read_lines(self, path):
        """Read all the lines of a text file.

        The file is closed even when reading fails. It must be a text file.

        Args:
            path: where the file stands
        """
        with open(path) as file:
            return file.read().splitlines()

    def __len__(self):
        """Return the number of lines that were read."""
        total = 0
        total += 1
        return total

    def short(self):
        """Return the path of the file that is read."""
        return self.path


def undocumented(a):
    b = a + 1
    c = b + 1
    return c


def test_reading():
    """Check that the lines of a file are read."""
    a = 1
    b = 2
    assert a < b


def vague(a):
    """See above."""
    b = a + 1
    c = b + 1
    return c
'''


def _tree(folder: Path, files: dict[str, str], split: str = "train") -> SourceTree:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return SourceTree("package", "1", (folder,), split)


def _mine(folder: Path, files: dict[str, str], held_out: HeldOut = NOTHING) -> Mined:
    return mine(_tree(folder, files), chunk_file, held_out, set())


def test_one_good_function_is_kept_and_every_other_has_its_reason(tmp_path: Path) -> None:
    mined = _mine(tmp_path, {"a.py": SOURCE, "tests/test_a.py": SOURCE, "_vendor/b.py": SOURCE})
    (pair,) = mined.pairs
    assert pair.query == "Read all the lines of a text file"
    assert pair.symbol == "Reader.read_lines"
    assert '"""Read all' in pair.code
    assert "Read all" not in pair.bare
    assert "with open(path) as file:\n" in pair.bare
    assert [s.text for s in mined.sentences] == [
        "The file is closed even when reading fails",
        "It must be a text file",
    ]
    assert mined.report.functions == 6
    assert mined.report.left_out == Counter(
        {
            "dunder method": 1,
            "body too short": 1,
            "no documentation": 1,
            "test": 1,
            "documentation too short": 1,
            "test file (files)": 1,
            "vendored file (files)": 1,
        }
    )


def test_near_duplicates_are_kept_once(tmp_path: Path) -> None:
    one = 'def one(a):\n    """Compute the sum of all the rows."""\n    b = a + 1  # first\n    return b\n'
    relayed = one.replace("# first", "# second").replace("+ 1", "+ 2").replace("Compute the sum", "Return the number")
    same_words = 'def two(a):\n    """Compute the SUM, of all the rows!"""\n    c = a * a\n    c -= 1\n    return c\n'
    mined = _mine(tmp_path, {"a.py": one, "b.py": relayed, "c.py": same_words})
    assert [p.symbol for p in mined.pairs] == ["one"]
    assert mined.report.left_out["near duplicate"] == 2


def test_what_stands_in_a_measuring_set_is_not_trained_on(tmp_path: Path) -> None:
    by_query, by_code = tmp_path / "q.json", tmp_path / "c.json"
    by_query.write_text(json.dumps([{"query": "read all the lines, of a text file!", "code": "other"}]))
    bare = "def read_lines(self, path):\n  with open(path) as file:\n    return file.read().splitlines()"
    by_code.write_text(json.dumps({"corpus": [bare], "queries": [{"q": "something else", "gold": 0}]}))
    for held_out in (by_query, by_code):
        mined = _mine(tmp_path / held_out.stem, {"a.py": SOURCE}, read_held_out([held_out]))
        assert mined.pairs == ()
        assert mined.report.left_out["stands in a measuring set"] == 1
    assert len(_mine(tmp_path / "free", {"a.py": SOURCE}, read_held_out([])).pairs) == 1


def test_a_file_that_is_no_measuring_set_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for content in ('{"queries": 3}', "[", '["text"]'):
        path.write_text(content)
        with pytest.raises(UserError, match=r"x\.json is not a measuring set"):
            read_held_out([path])


def test_undecodable_and_broken_sources_are_passed_over(tmp_path: Path) -> None:
    tree = _tree(tmp_path, {"a.py": SOURCE, "broken.py": "def f(:\n   '''x\n"})
    (tmp_path / "latin.py").write_bytes(b"# \xe9\xff\n")
    (tmp_path / "empty.py").touch()
    mined = mine(tree, chunk_file, NOTHING, set())
    assert len(mined.pairs) == 1
    assert mined.report.left_out["empty, large or undecodable file (files)"] == 2


def test_a_package_of_another_version_is_refused() -> None:
    with pytest.raises(UserError, match=r"mines numpy 0\.1, but") as raised:
        installed_tree("numpy", "0.1", "train")
    assert raised.value.hint == "pip install numpy==0.1"
    with pytest.raises(UserError, match="not installed"):
        installed_tree("no-such-package-here", "1", "train")


PAIR = '{"query": "open a file", "code": "open(path)", "lang": "python"}'


def test_damaged_lines_are_counted_and_a_wholly_wrong_file_names_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    broken = [
        "{",
        "[]",
        '{"query": "q"}',
        '{"query": " ", "code": "c", "lang": "x"}',
        '{"query": 1, "code": 2, "lang": 3}',
    ]
    path.write_text("\n".join([*broken, PAIR]), encoding="utf-8")
    found = read_pair_file(path)
    assert (len(found.pairs), found.broken) == (1, 5)
    assert found.pairs[0].source == "pairs"
    path.write_bytes(b"\xff\xfe\n" + "\n".join(broken).encode())
    with pytest.raises(UserError, match=r"no usable pair \(line 1:"):
        read_pair_file(path)
    path.write_text("")
    with pytest.raises(UserError, match="it is empty"):
        read_pair_file(path)


def _config(**changes: object) -> CorpusConfig:
    values = {"train": {}, "valid": {}, "held_out_share": 0.3, "max_package_pairs": 5, "max_file_pairs": 500}
    return CorpusConfig(**{**values, **changes})  # type: ignore[arg-type]


def test_a_corpus_is_written_whole_and_the_same_every_time(tmp_path: Path) -> None:
    file = tmp_path / "asked.jsonl"
    lines = [json.dumps({"query": f"how to do {n}", "code": f"call_{n}()", "lang": "python"}) for n in "abcdefghij" * 2]
    lines += [json.dumps({"query": f"how to do {n}", "code": f"other_{n}()", "lang": "python"}) for n in "abcdefghij"]
    file.write_text("\n".join(lines), encoding="utf-8")
    summaries = [
        build_corpus(_config(train={"iniconfig": version("iniconfig")}), [file], NOTHING, chunk_file, folder, print)
        for folder in (tmp_path / "one", tmp_path / "two")
    ]
    assert summaries[0] == summaries[1]
    corpus = read_corpus(tmp_path / "one")
    assert summaries[0]["files"]["asked"]["left_out"] == {"near duplicate": 10}
    asked = [p for p in corpus.pairs if p.source == "asked"]
    assert len(asked) == 20
    splits: dict[str, set[str]] = {}
    for pair in asked:
        splits.setdefault(pair.query, set()).add(pair.split)
    assert all(len(found) == 1 for found in splits.values()), "answers of one question stand in both splits"
    assert {s for found in splits.values() for s in found} == {"train", "valid"}
    assert {corpus.group(p) for p in corpus.pairs} == {"mined", "asked"}
    for sentence in corpus.sentences:
        assert corpus.pairs[sentence.pair].source == "iniconfig"


def test_a_missing_corpus_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No corpus") as raised:
        read_corpus(tmp_path)
    assert "prepare" in raised.value.hint


def test_a_sample_keeps_sentences_with_their_function(tmp_path: Path) -> None:
    doc = '    """{} the value of the row.\n\n    It is never more than {} of them.\n    """\n'
    body = doc + "    a = 1\n    b = a\n    return b\n"
    functions = {f"f{n}.py": f"def work_{n}(x{n}, {n}):\n" + body.format(n * 3, n * 4) for n in "abcdefgh"}
    mined = _mine(tmp_path, functions)
    assert len(mined.pairs) == 8
    small = sample(mined, 3)
    assert (len(small.pairs), small.report.kept) == (3, 3)
    for sentence in small.sentences:
        letter = small.pairs[sentence.pair].symbol[-1]
        assert letter * 4 in sentence.text
    assert len(small.sentences) == 3


@pytest.mark.parametrize(
    ("doc", "sentence"),
    [
        ("Return the name. More follows.", "Return the name"),
        ("Return the\n  name\n\nMore follows.", "Return the name"),
        ("Call :func:`~os.open` or ``close`` on it", "Call os.open or close on it"),
        ("Uses e.g. this one for it.", "Uses e.g. this one for it"),
        ("Args:\n  x: the value", ""),
        ("", ""),
    ],
)
def test_first_sentence(doc: str, sentence: str) -> None:
    assert first_sentence(doc) == sentence


def test_later_sentences_stop_at_sections_and_examples() -> None:
    doc = (
        "First one here.\n\nThis is the second of them. It is a third one.\n\n>>> f(1)\n2\n\nThis is an example of it."
    )
    assert later_sentences(doc) == ["This is the second of them", "It is a third one"]


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("Return the number of lines", ""),
        ("Too short", "documentation too short"),
        ("TODO: write what this is for", "boilerplate documentation"),
        ("Gibt die Anzahl der Zeilen zurück", "documentation not English"),
        ("Berechnet mehrere Zeilen sofort", "documentation not English"),
        ("a | b | c | [x] {y} -> ===", "documentation not English"),
        ("the word " * 200, "documentation too long"),
    ],
)
def test_query_fault(query: str, fault: str) -> None:
    assert query_fault(query) == fault


def test_paths_of_tests_and_vendored_code_are_left_out() -> None:
    assert path_fault("a/tests/b.py") == path_fault("test_x.py") == path_fault("a/conftest.py") == "test file"
    assert path_fault("a/_vendor/x.py") == path_fault("externals/y.py") == "vendored file"
    assert path_fault("a/latest.py") == path_fault("contest/b.py") == ""


def test_keys_ignore_what_does_not_make_a_difference() -> None:
    assert query_key("How to:  open-a file?") == query_key("how to open a FILE")
    assert code_key('x = "one"  # a\ny = 12') == code_key("x='two'\ny = 7 # b")
    assert code_key("x = 1") != code_key("y = 1")


def test_variants_ask_for_the_same_thing_in_other_words() -> None:
    assert variants("Returns the path of a file", "Reader.filePath") == (
        "Returns the path of a file",
        "returns path file",
        "how to get the path of a file",
        "reader file path",
    )
    assert question("Check whether the list is empty") == "how to check if the list is empty"
    assert question("Parses JSON text") == "how to parse JSON text"
    assert question("The name of this") == "The name of this"
    assert terse("Return True if the value is set") == "return true value set"
    assert symbol_words("HTTPServer.parse_request") == "http server parse request"


def test_training_texts_are_chosen_by_content_and_cover_all_forms() -> None:
    pairs = [
        Pair(
            f"Return the part {n} of it",
            f'def f{n}():\n    """D"""\n    x',
            f"def f{n}():\n    x",
            f"A.f{n}",
            "",
            "",
            "",
        )
        for n in range(200)
    ]
    with_doc = sum('"""' in training_text(p) for p in pairs)
    assert 60 < with_doc < 140
    assert all(training_text(p).startswith("A.f") for p in pairs)
    ways = Counter(variants(p.query, p.symbol).index(training_query(p)) for p in pairs)
    assert set(ways) == {0, 1, 2, 3}
    assert [training_query(p) for p in pairs] == [training_query(p) for p in pairs]
