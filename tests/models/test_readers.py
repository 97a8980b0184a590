"""Ready-made pairs, read from small files in the real formats, whole ones and damaged ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from spencer_desktop.core.errors import UserError
from spencer_models.data.corpus import Labelled, Pair
from spencer_models.data.readers import FORMATS, ReadFile
from spencer_models.data.readers.base import MAX_LINE_BYTES

PYTHON = '''def count_words(self, text):
        """
        Count the words of a text.

        :param text: any text
        """
        words = text.split()
        return len(words)'''
BARE = """def count_words(self, text):
        words = text.split()
        return len(words)"""
TOKENS = "def count_words ( self , text ) : words = text . split ( ) return len ( words )".split()


def _searchnet(**changes: Any) -> dict[str, Any]:
    """One record with all fields of the benchmark's files."""
    record = {
        "repo": "someone/words",
        "path": "words/count.py",
        "func_name": "Counter.count_words",
        "original_string": PYTHON,
        "language": "python",
        "code": PYTHON,
        "code_tokens": TOKENS,
        "docstring": "Count the words of a text.\n\n:param text: any text",
        "docstring_tokens": "Count the words of a text .".split(),
        "sha": "0123456789",
        "url": "https://github.com/someone/words/blob/0123456789/words/count.py#L3-L10",
        "partition": "train",
    }
    return {key: value for key, value in {**record, **changes}.items() if value is not None}


def _lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


def _gzipped(path: Path, *records: Any) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in records).encode()))
    return path


def _read(kind: str, path: Path) -> ReadFile:
    return FORMATS[kind].read(path)


def test_codesearchnet_as_written_keeps_code_and_takes_its_documentation_off(tmp_path: Path) -> None:
    java = "public int size() {\n    int n = 0;\n    return n;\n}"
    records = [_searchnet(), _searchnet(language="java", code=java, func_name="Bag.size", partition="test")]
    found = _read("codesearchnet", _gzipped(tmp_path / "python_train_0.jsonl.gz", *records))
    query = "Count the words of a text ."
    assert found.pairs == (
        Pair(query, PYTHON, BARE, "Counter.count_words", "python", "", "train"),
        Pair(query, java, java, "Bag.size", "java", "", "test"),
    )
    assert (found.labelled, found.broken, found.complaints) == ((), 0, ())


def test_codesearchnet_tokens_are_joined_by_blanks_on_one_line(tmp_path: Path) -> None:
    record = _searchnet(code_tokens=[*TOKENS, '"""two\nlines"""'])
    (pair,) = _read("codesearchnet-tokens", _lines(tmp_path / "x.jsonl", record)).pairs
    assert pair.code == pair.bare == " ".join(TOKENS) + ' """two lines"""'
    assert pair.query == "Count the words of a text ."


def test_codesearchnet_without_tokens_or_partition_falls_back_to_docstring_and_file_name(tmp_path: Path) -> None:
    record = _searchnet(docstring_tokens=None, code_tokens=None, partition=None, func_name=None, code=None)
    for name, split in (("java_valid_3.jsonl", "valid"), ("part.jsonl", ""), ("TestData-dev.jsonl", "valid")):
        (pair,) = _read("codesearchnet", _lines(tmp_path / name, record)).pairs
        assert (pair.query, pair.symbol, pair.split) == ("Count the words of a text.", "", split)
        assert (pair.code, pair.bare) == (PYTHON, BARE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"language": None}, 'no "language"'),
        ({"code": 7}, '"code" is not a text'),
        ({"code": " "}, '"code" is not a text'),
        ({"docstring_tokens": "text"}, '"docstring_tokens" is not a list'),
        ({"docstring_tokens": [], "docstring": ""}, '"docstring" is not a text'),
        ({"partition": "holdout"}, "\"partition\" is 'holdout'"),
        ({"docstring_tokens": ["\ud800"]}, "half a character"),
    ],
)
def test_a_broken_codesearchnet_record_is_told_with_its_line(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    found = _read("codesearchnet", _lines(tmp_path / "x.jsonl", _searchnet(), _searchnet(**change), _searchnet()))
    assert (len(found.pairs), found.broken) == (2, 1)
    assert found.complaints[0].startswith("x.jsonl, line 2: ")
    assert reason in found.complaints[0]


def test_a_truncated_gzip_file_gives_what_came_before_and_a_complaint(tmp_path: Path) -> None:
    path = _gzipped(tmp_path / "x.jsonl.gz", *(_searchnet(func_name=f"f{n * 7919}") for n in range(400)))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    found = _read("codesearchnet", path)
    assert 50 < len(found.pairs) < 400
    assert [p.symbol for p in found.pairs] == [f"f{n * 7919}" for n in range(len(found.pairs))]
    assert found.broken == 1
    assert f"line {len(found.pairs) + 1}: the compressed file is damaged" in found.complaints[0]


@pytest.mark.parametrize(
    "data", [b"", b"plain text", gzip.compress(b"x" * 10_000)[:12], b"\x1f\x8b\x08\x00garbage...."]
)
def test_a_gzip_file_of_which_nothing_can_be_read_is_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"x\.jsonl\.gz holds nothing that can be used \((line 1: |it is empty)"):
        _read("codesearchnet", path)


def _split_line(label: str, address: str, name: str, query: str, code: str) -> str:
    return "<CODESPLIT>".join((label, address, name, query, code))


ADDRESS = "https://github.com/someone/words/blob/abc/words/count.{}#L3-L10"


def test_codesplit_gives_all_lines_as_labelled_and_the_matched_ones_as_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "train_valid" / "java"
    folder.mkdir(parents=True)
    path = folder / "train.txt"
    lines = [
        _split_line("1", ADDRESS.format("py"), "count_words", "Count the words .", "def count_words ( text ) : pass"),
        _split_line("0", ADDRESS.format("py"), "count_words", "Close the file .", "def count_words ( text ) : pass"),
        _split_line("1", "", "Bag.size", "Number of things .", "int size ( ) { return n ; }"),
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    found = _read("codesplit", path)
    assert found.pairs == (
        Pair("Count the words .", *["def count_words ( text ) : pass"] * 2, "count_words", "python", "", "train"),
        Pair("Number of things .", *["int size ( ) { return n ; }"] * 2, "Bag.size", "java", "", "train"),
    )
    assert [(x.label, x.query, x.language, x.split) for x in found.labelled] == [
        (1, "Count the words .", "python", "train"),
        (0, "Close the file .", "python", "train"),
        (1, "Number of things .", "java", "train"),
    ]


def test_in_a_codesplit_test_batch_equal_addresses_make_a_pair(tmp_path: Path) -> None:
    addresses = [f"https://github.com/a/b/blob/c/d.py#L{n}" for n in range(3)]
    lines = [_split_line("1", q, c, f"question {q[-1]}", f"code {c[-1]}") for q in addresses for c in addresses]
    path = tmp_path / "batch_0.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = _read("codesplit", path)
    assert [(p.query, p.code, p.symbol, p.split) for p in found.pairs] == [
        (f"question {n}", f"code {n}", "", "test") for n in range(3)
    ]
    assert found.labelled == ()


def test_broken_codesplit_lines_are_counted_and_the_first_few_told(tmp_path: Path) -> None:
    good = _split_line("1", ADDRESS.format("php"), "f", "Count the words .", "function f ( ) { }").encode()
    broken = [
        b"1<CODESPLIT>too<CODESPLIT>few",
        _split_line("2", ADDRESS.format("php"), "f", "query", "code").encode(),
        _split_line("1", ADDRESS.format("php"), "f", " ", "code").encode(),
        _split_line("1", "nowhere", "f", "query", "code").encode(),
        good.replace(b"words", b"w\xf6rter"),
        b"<CODESPLIT>" * 9,
    ]
    path = tmp_path / "valid.txt"
    path.write_bytes(b"\n".join([*broken, b"", good]))
    found = _read("codesplit", path)
    assert (len(found.pairs), len(found.labelled), found.broken) == (1, 1, 6)
    assert found.pairs[0].split == "valid"
    reasons = ["3 columns", "the label is '2'", "is empty", "which language", "not UTF-8"]
    assert len(found.complaints) == len(reasons)
    for number, (complaint, reason) in enumerate(zip(found.complaints, reasons, strict=True), start=1):
        assert complaint.startswith(f"valid.txt, line {number}: ")
        assert reason in complaint


def _cosqa(**changes: Any) -> dict[str, Any]:
    record = {
        "idx": "cosqa-train-7",
        "doc": "python count words in text",
        "code": PYTHON,
        "code_tokens": " ".join(TOKENS),
        "docstring_tokens": "Count the words of a text .",
        "label": 1,
    }
    return {**record, **changes}


@pytest.mark.parametrize(
    ("name", "split"),
    [("cosqa-train.json", "train"), ("cosqa-dev.json", "valid"), ("cosqa-retrieval-test-500.json", "test")],
)
def test_cosqa_gives_every_judgement_as_labelled_and_right_ones_as_pairs(tmp_path: Path, name: str, split: str) -> None:
    path = tmp_path / name
    records = [_cosqa(retrieval_idx=3), _cosqa(doc="python open a file", label=0), _cosqa(label=2), [], _cosqa(doc="")]
    path.write_text(json.dumps(records, indent=1), encoding="utf-8")
    found = _read("cosqa", path)
    assert found.pairs == (Pair("python count words in text", PYTHON, BARE, "count_words", "python", "", split),)
    assert found.labelled == (
        Labelled("python count words in text", PYTHON, "python", 1, split),
        Labelled("python open a file", PYTHON, "python", 0, split),
    )
    assert found.broken == 3
    assert [c.split(":")[0] for c in found.complaints] == [f"{name}, record {n}" for n in (3, 4, 5)]
    assert '"label" is 2, neither 0 nor 1' in found.complaints[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"line 1: not JSON"),
        (b'[\n{"doc": "x"},\n{"doc"', r"line 3: not JSON"),
        (b"[" * 200_000, r"line 1: not CoSQA \(nested too deeply\)"),
        (b'{"def f(): pass": 1}', r"line 1: not CoSQA \(no list of records\)"),
        (b'[\n{"doc": "\xff"}]', r"line 2: not UTF-8"),
        (b"[]", r"nothing that can be used \(it is empty\)"),
        (b'[{"doc": "x"}]', r'nothing that can be used \(record 1: no "code"\)'),
    ],
)
def test_a_file_that_is_not_cosqa_is_an_error_that_names_the_place(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "cosqa-train.json"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"cosqa-train\.json.*" + message):
        _read("cosqa", path)


PAIR = '{"query": "open a file", "code": "open(path)", "lang": "Python"}'
BROKEN = [
    "{",
    "[]",
    '{"query": "q"}',
    '{"query": " ", "code": "c", "lang": "x"}',
    '{"query": 1, "code": 2, "lang": 3}',
    "[" * 100_000,
    '{"query": "\\ud800", "code": "c", "lang": "x"}',
]


def test_damaged_lines_of_a_pair_file_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes("\n".join([*BROKEN, "", PAIR]).encode() + b"\r\n\xff\xfe\n")
    found = _read("pairs", path)
    assert found.pairs == (Pair("open a file", "open(path)", "open(path)", "", "python", "", ""),)
    assert found.broken == len(BROKEN) + 1
    assert found.complaints[0].startswith("pairs.jsonl, line 1: not JSON (")
    assert len(found.complaints) == 5


def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + PAIR.encode())
    assert len(_read("pairs", path).pairs) == 1


def test_an_unknown_language_is_kept_as_it_is_called(tmp_path: Path) -> None:
    path = _lines(tmp_path / "x.jsonl", *({"query": "q", "code": "c", "lang": x} for x in ("ABAP", "C#", "golang")))
    assert [p.language for p in _read("pairs", path).pairs] == ["abap", "csharp", "go"]


def test_an_endless_line_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"x" * (MAX_LINE_BYTES * 2 + 10) + b"\n" + PAIR.encode())
    found = _read("pairs", path)
    assert (len(found.pairs), found.broken) == (1, 1)
    assert "line 1: longer than 16 MiB" in found.complaints[0]


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_a_file_of_another_kind_names_itself_and_what_was_expected(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_text("<html>\n<body>\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"wrong\.jsonl.*line 1: ") as raised:
        _read(kind, path)
    assert "must be" in raised.value.hint


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_a_file_that_is_not_there_or_a_folder_is_an_error(tmp_path: Path, kind: str) -> None:
    for path in (tmp_path / "nowhere.jsonl", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            _read(kind, path)
