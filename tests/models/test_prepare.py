"""A corpus from many sources: splits that share nothing, provenance, the same bytes every time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from spencer_desktop.core.errors import UserError
from spencer_models.data.assembly import OTHER_SPLIT, SURPLUS, Part, assemble, limit_part, split_by_hash
from spencer_models.data.corpus import RERANK, TEST, TRAIN, VALID, Corpus, Labelled, Pair, read_corpus
from spencer_models.data.keys import code_key, query_key
from spencer_models.data.leakage import HeldOut
from spencer_models.data.prepare import build_corpus, prepare_paths
from spencer_models.data.repository import write_repository
from spencer_models.data.sources import DataConfig, FileSource, TreeSource

NOTHING = HeldOut(frozenset(), frozenset())

FUNCTION = '''
def {name}(value):
    """{doc}."""
    first = {name}_of(value)
    return first.{name}
'''


def _word(number: int) -> str:
    """A word for each number: codes that differ in a number alone count as the same."""
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:03}")


def _module(path: Path, names: Sequence[str]) -> Path:
    """A Python file with one documented function for each name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(FUNCTION.format(name=n, doc=f"Return the {n} of a value") for n in names), encoding="utf-8")
    return path


def _pairs_file(path: Path, items: Sequence[tuple[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"query": query, "code": code, "lang": "python"}) for query, code in items]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _build(root: Path, folder: Path, held_out: HeldOut = NOTHING, **values: Any) -> dict[str, Any]:
    config = DataConfig(**{"held_out_share": 0.2, "max_pairs_per_tree": 0, **values})
    return build_corpus(config, [root / "nowhere", root], held_out, folder, lambda line: None)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with two trees, a folder of CodeBERT files, CoSQA and a pair file."""
    root = tmp_path / "data"
    _module(root / "trees/one/a.py", ["width", "height", "depth"])
    _module(root / "trees/two/b.py", ["weight", "width", "age"])
    _pairs_file(root / "asked.jsonl", [(f"how to do {c}", f"call_{c}()") for c in "abcdefghijklmnopqrstuvwxyz"])
    lines = [
        "<CODESPLIT>".join((label, "https://x.org/a.py", "f", f"question about {word}", f"def f ( ) : {code} ( )"))
        for label, word, code in (("1", "trees", "plant"), ("0", "trees", "swim"), ("1", "seas", "swim"))
    ]
    (root / "codebert/python").mkdir(parents=True)
    (root / "codebert/python/train.txt").write_text("\n".join([*lines, "broken"]), encoding="utf-8")
    (root / "codebert/python/valid.txt").write_text(lines[0].replace("trees", "lakes").replace("plant", "row"))
    judged = [
        {"idx": n, "doc": f"python {w} list", "code": f"def {w}(): x", "label": n % 2} for n, w in enumerate("pqr")
    ]
    (root / "cosqa-dev.json").write_text(json.dumps(judged))
    return root


TREES = (
    TreeSource("one", "1.0", TRAIN, path="trees/one", licence="MIT"),
    TreeSource("two", "2.0", TEST, path="trees/two"),
    TreeSource("iniconfig", version("iniconfig"), VALID),
)
FILES = (
    FileSource("codesplit", "codebert/python", name="codebert", licence="C-UDA"),
    FileSource("cosqa", "cosqa-*.json"),
    FileSource("pairs", "asked.jsonl"),
)


def test_two_builds_have_the_same_bytes(root: Path, tmp_path: Path) -> None:
    summaries = [_build(root, tmp_path / name, trees=TREES, files=FILES) for name in ("a", "b")]
    assert summaries[0] == summaries[1]
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")
    assert set(_bytes(tmp_path / "a")) == {"pairs.jsonl", "labelled.jsonl", "sentences.jsonl", "corpus.json"}
    _module(root / "trees/one/a.py", ["width", "height", "depths"])
    changed = _build(root, tmp_path / "c", trees=TREES, files=FILES)
    assert changed["sha256"] != summaries[0]["sha256"]
    assert changed["packages"]["one"]["sha256"] != summaries[0]["packages"]["one"]["sha256"]
    assert changed["packages"]["two"]["sha256"] == summaries[0]["packages"]["two"]["sha256"]


def test_the_summary_says_where_everything_came_from(root: Path, tmp_path: Path) -> None:
    summary = _build(root, tmp_path / "out", trees=TREES, files=FILES)
    corpus = read_corpus(tmp_path / "out")
    assert corpus.summary == summary
    assert summary["packages"]["one"] == {
        "version": "1.0",
        "licence": "MIT",
        "split": "train",
        "sha256": summary["packages"]["one"]["sha256"],
        "functions": 3,
        "kept": 2,
        "languages": {"train": {"python": 2}},
        "left_out": {OTHER_SPLIT: 1},
    }
    codebert = summary["files"]["codebert"]
    assert codebert["format"] == "codesplit"
    assert codebert["licence"] == "C-UDA"
    assert codebert["split"] == {"train": 2, "valid": 1}
    assert codebert["labelled"] == {"train": 3, "valid": 1}
    assert codebert["broken"] == 1
    assert codebert["complaints"] == ["train.txt, line 4: 1 columns where there must be 5"]
    assert summary["files"]["cosqa-*"]["split"] == {"valid": 1}
    assert set(summary["files"]) == {"codebert", "cosqa-*", "asked"}
    assert summary["packages"]["iniconfig"]["licence"] != ""
    assert summary["pairs"] == {split: len(corpus.of(split)) for split in sorted((TRAIN, VALID, TEST))}
    assert sum(summary["labelled"].values()) == len(corpus.labelled) == 7
    assert {p.source for p in corpus.pairs} == {"one", "two", "iniconfig", "codebert", "cosqa-*", "asked"}
    kinds = corpus.kinds(TRAIN)
    assert list(kinds) == ["asked, python", "codebert, python", "mined, python"]
    assert [p for pairs in kinds.values() for p in pairs if p.source == "two"] == [
        p for p in kinds["mined, python"] if p.source == "two"
    ]
    assert sum(map(len, kinds.values())) == len(corpus.of(TRAIN))
    assert corpus.of(TRAIN, "python") == corpus.of(TRAIN)
    assert corpus.of(TRAIN, "java") == ()
    assert {corpus.pairs[s.pair].source for s in corpus.sentences} <= {"one", "two", "iniconfig"}


def test_splits_share_no_question_and_no_code(root: Path, tmp_path: Path) -> None:
    _build(root, tmp_path / "out", trees=TREES, files=FILES)
    corpus = read_corpus(tmp_path / "out")
    for key in ("query", "bare"):
        kinds = {split: {_key(key, p) for p in corpus.of(split)} for split in (TRAIN, VALID, TEST)}
        assert kinds[TRAIN]
        assert kinds[VALID]
        assert kinds[TEST]
        for a, b in ((TRAIN, VALID), (TRAIN, TEST), (VALID, TEST)):
            assert not kinds[a] & kinds[b]


def _key(name: str, pair: Pair) -> str:
    return query_key(pair.query) if name == "query" else code_key(pair.bare)


def _pair(query: str, code: str, split: str) -> Pair:
    return Pair(query, code, code, "", "python", "source", split)


def _part(pairs: Sequence[Pair], *, mined: bool = False, labelled: Sequence[Labelled] = ()) -> Part:
    sentences = [(f"more about {p.query}", "the shared remark") for p in pairs] if mined else [()] * len(pairs)
    return Part("part", mined, list(pairs), list(sentences), list(labelled), Counter())


def test_what_is_asked_in_the_test_leaves_training_whichever_comes_first() -> None:
    first = _part([_pair("open a file", "open(a)", TRAIN), _pair("close a file", "close(a)", TRAIN)])
    second = _part([_pair("Open a File!", "opened(b)", TEST), _pair("shut a file", "close(a)", VALID)])
    assembled = assemble([first, second])
    assert [p.split for p in assembled.pairs] == [TEST, VALID]
    assert first.left_out == {OTHER_SPLIT: 2}
    assert first.pairs == []


def test_what_is_kept_for_the_reranker_gives_way_to_what_the_dual_encoder_saw() -> None:
    kept = _part([_pair("open a file", "open(a)", RERANK), _pair("close a file", "close(a)", RERANK)])
    seen = _part([_pair("Open a file", "opened(b)", TRAIN)])
    assembled = assemble([kept, seen])
    assert [(p.query, p.split) for p in assembled.pairs] == [("close a file", RERANK), ("Open a file", TRAIN)]
    assert kept.left_out == {OTHER_SPLIT: 1}


def test_in_one_split_files_keep_several_answers_and_packages_do_not() -> None:
    pairs = [_pair("open a file", f"open_{c}()", TRAIN) for c in "abba"] + [_pair("???", "open()", TRAIN)]
    files, mined = _part(pairs), _part(pairs, mined=True)
    assert [p.code for p in assemble([files]).pairs] == ["open_a()", "open_b()"]
    assert files.left_out == {"near duplicate": 2, "no word in the question or in the code": 1}
    assert [p.code for p in assemble([mined]).pairs] == ["open_a()"]


def test_labelled_pairs_and_sentences_do_not_carry_the_test_into_training() -> None:
    labelled = [
        Labelled("open a file", "other()", "python", 0, TRAIN),
        Labelled("what else", "opened(b)", "python", 0, TRAIN),
        Labelled("what else", "other()", "python", 1, TRAIN),
        Labelled("open a file", "other()", "python", 0, TEST),
    ]
    part = _part([_pair("write it", "write()", TRAIN)], mined=True, labelled=labelled)
    tested = _part([_pair("open a file", "opened(b)", TEST), _pair("the shared remark", "say()", TEST)])
    assembled = assemble([tested, part])
    assert assembled.labelled == (labelled[2], labelled[3])
    assert [(s.pair, s.text) for s in assembled.sentences] == [(2, "more about write it")]
    assert part.left_out == {f"labelled: {OTHER_SPLIT}": 2}


def test_a_limit_keeps_the_same_pairs_with_their_sentences_in_order() -> None:
    pairs = [_pair(f"question {n}", f"call_{_word(n)}()", TRAIN) for n in range(50)]
    part, again = _part(pairs, mined=True), _part(pairs, mined=True)
    limit_part(part, 8)
    limit_part(again, 8)
    assert part.pairs == again.pairs
    assert len(part.pairs) == 8
    assert part.pairs == [p for p in pairs if p in part.pairs]
    assert [s[0] for s in part.sentences] == [f"more about {p.query}" for p in part.pairs]
    assert part.left_out == {SURPLUS: 42}
    untouched = _part(pairs)
    limit_part(untouched, 0)
    assert untouched.pairs == pairs


def test_what_no_split_is_given_for_is_shared_out_by_question(root: Path, tmp_path: Path) -> None:
    items = [(f"how to do {n}", f"call_{_word(n)}_{m}()") for n in range(400) for m in ("one", "two")]
    _pairs_file(root / "many.jsonl", items)
    summary = _build(root, tmp_path / "out", files=(FileSource("pairs", "many.jsonl"),))
    counts = summary["files"]["many"]["split"]
    assert 120 < counts[VALID] < 200
    assert 120 < counts[TEST] < 200
    splits: dict[str, set[str]] = {}
    for pair in read_corpus(tmp_path / "out").pairs:
        splits.setdefault(pair.query, set()).add(pair.split)
    assert all(len(found) == 1 for found in splits.values())
    assert split_by_hash("x", 0.0, 0.0) == TRAIN
    assert split_by_hash("x", 1.0, 0.0) == VALID
    assert split_by_hash("x", 0.0, 1.0) == TEST


def test_a_given_split_and_limit_are_kept(root: Path, tmp_path: Path) -> None:
    files = (
        FileSource("pairs", "asked.jsonl", split=VALID, max_pairs=5),
        FileSource("codesplit", "codebert", split=TEST),
    )
    summary = _build(root, tmp_path / "out", files=files, languages=["py"])
    assert summary["pairs"] == {TEST: 3, VALID: 5}
    assert summary["files"]["asked"]["left_out"] == {SURPLUS: 21}
    summary = _build(root, tmp_path / "java", files=files, languages=("java",))
    assert summary["pairs"] == {}
    assert summary["files"]["asked"]["left_out"] == {"another language": 26}


def test_nothing_of_a_measuring_set_is_in_the_corpus_and_the_summary_counts_it(root: Path, tmp_path: Path) -> None:
    held_out = HeldOut(
        frozenset(
            {query_key("how to do a"), query_key("question about trees"), query_key("return the age of a value")}
        ),
        frozenset({code_key("call_b()")}),
    )
    summary = _build(root, tmp_path / "out", held_out, trees=TREES, files=FILES)
    corpus = read_corpus(tmp_path / "out")
    assert not any(held_out.holds(x) for x in (*corpus.pairs, *corpus.labelled))
    # Two of the pair file, one pair and two labelled of CodeBERT, one function.
    assert summary["left_out_as_measuring_sets"] == 6
    assert summary["files"]["asked"]["left_out"] == {"stands in a measuring set": 2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trees": (TREES[0], TREES[0])}, "Several sources are called one"),
        ({"files": (FileSource("pairs", "nowhere.jsonl"),)}, "reads nowhere.jsonl, which is not there"),
        ({"files": (FileSource("pairs", "/nowhere.jsonl"),)}, "reads /nowhere.jsonl, which is not there"),
        ({"files": (FileSource("codesearchnet", "codebert"),)}, r"codebert holds no \*\.jsonl\.gz or \*\.jsonl"),
        ({"files": (FileSource("csv", "asked.jsonl"),)}, "no format 'csv'"),
        ({"files": (FileSource("pairs", "asked.jsonl", split="dev"),)}, "no split 'dev'"),
        ({"trees": (TreeSource("x", "1", TRAIN, path="trees/three"),)}, "reads trees/three, which is not there"),
        ({"trees": (TreeSource("x", "1", TRAIN, path="asked.jsonl"),)}, "is neither a folder nor an archive"),
        ({"trees": (TreeSource("numpy", "0.1", TRAIN),)}, r"numpy 0\.1"),
        ({"held_out_share": 0.5}, r"held_out_share is 0\.5"),
        ({"languages": ("klingon",)}, "Unknown language"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_before_anything_is_mined(
    root: Path, tmp_path: Path, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        _build(root, tmp_path / "out", **values)
    assert not (tmp_path / "out").exists()


def test_all_that_is_missing_is_named_at_once(root: Path, tmp_path: Path) -> None:
    trees = (TreeSource("x", "1", TRAIN, path="trees/three"), TreeSource("numpy", "0.1", TRAIN))
    with pytest.raises(UserError) as raised:
        _build(root, tmp_path / "out", trees=trees, files=(FileSource("pairs", "nowhere.jsonl"),))
    for fault in ("trees/three", "numpy 0.1", "nowhere.jsonl"):
        assert fault in str(raised.value)
    assert "pip install numpy==0.1" in raised.value.hint
    assert raised.value.hint.count("--data") == 1


def test_a_missing_or_unfinished_corpus_says_what_to_run(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No corpus") as raised:
        read_corpus(tmp_path)
    assert "prepare" in raised.value.hint
    _build(root, tmp_path / "out", trees=TREES[:1])
    (tmp_path / "out" / "pairs.jsonl").unlink()
    with pytest.raises(UserError, match="No corpus"):
        read_corpus(tmp_path / "out")


def _prepare(paths: Sequence[Path], folder: Path, **values: Any) -> dict[str, Any]:
    options = {"valid": [], "test": [], "held_out_share": 0.2, **values}
    return prepare_paths(paths, folder, NOTHING, report=lambda line: None, **options)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A team's folder: sixty files with two functions each."""
    for n in range(60):
        _module(tmp_path / f"shop/part{n % 3}/file{n}.py", [f"thing_{_word(n)}_{word}" for word in ("size", "cost")])
    return tmp_path / "shop"


def test_one_package_is_split_by_whole_files(shop: Path, tmp_path: Path) -> None:
    summary = _prepare([shop], tmp_path / "out")
    assert summary["packages"]["shop"]["split"] == "by file"
    assert sum(summary["pairs"].values()) == 120
    assert all(summary["pairs"][split] >= 8 for split in (TRAIN, VALID, TEST))
    by_file: dict[str, set[str]] = {}
    for pair in read_corpus(tmp_path / "out").pairs:
        by_file.setdefault(pair.symbol.split("_")[1], set()).add(pair.split)
    assert all(len(splits) == 1 for splits in by_file.values())


def test_named_packages_are_held_out_whole(shop: Path, root: Path, tmp_path: Path) -> None:
    paths = [shop, root / "trees/one", root / "trees/two"]
    _prepare(paths, tmp_path / "both", valid=["one"], test=["two"])
    corpus = read_corpus(tmp_path / "both")
    assert {(p.source, p.split) for p in corpus.pairs} == {("shop", TRAIN), ("one", VALID), ("two", TEST)}
    assert corpus.summary["packages"]["shop"]["split"] == TRAIN
    _prepare(paths, tmp_path / "one", valid=["one"])
    splits = {(p.source, p.split) for p in read_corpus(tmp_path / "one").pairs}
    assert splits >= {("shop", TRAIN), ("shop", TEST), ("one", VALID)}
    assert ("shop", VALID) not in splits


def test_what_a_team_may_get_wrong_is_said_in_words(shop: Path, root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is nothing at"):
        _prepare([tmp_path / "nowhere"], tmp_path / "out")
    with pytest.raises(UserError, match="No package is called shops") as raised:
        _prepare([shop], tmp_path / "out", valid=["shops"])
    assert raised.value.hint == "The packages are shop."
    with pytest.raises(UserError, match="for validation and for the test"):
        _prepare([shop], tmp_path / "out", valid=["shop"], test=["shop"])
    with pytest.raises(UserError, match="Several sources are called shop"):
        _prepare([shop, shop], tmp_path / "out")
    with pytest.raises(UserError, match="No documented function was found") as raised:
        _prepare([root / "codebert"], tmp_path / "out")
    assert "python" in raised.value.hint
    assert "ruby" in raised.value.hint
    assert not (tmp_path / "out").exists()


def test_a_split_becomes_a_repository_without_documentation(tmp_path: Path) -> None:
    pairs = tuple(
        Pair(f"sum {n}", f'def f{n}():\n    """Sum {n}."""', f"def f{n}():\n    pass", f"f{n}", language, source, VALID)
        for n, (language, source) in enumerate([("python", "npm @a/b"), ("csharp", "two"), ("python", "npm @a/b")])
    )
    corpus = Corpus(pairs, (), (), {"packages": {"npm @a/b": {}}})
    assert write_repository(corpus, VALID, 1, tmp_path) == 3
    files = {p.relative_to(tmp_path / "code").as_posix(): p.read_text() for p in (tmp_path / "code").rglob("*.*")}
    assert sorted(files) == ["npm-a-b/000000.py", "npm-a-b/000001.py", "two/000002.cs"]
    asked = [json.loads(line) for line in (tmp_path / "questions.jsonl").read_text().splitlines()]
    assert len(asked) == 2
    assert all(f"f{question['query'][-1]}()" in files[question["path"]] for question in asked)
    assert not any('"""' in text for text in files.values())
    with pytest.raises(UserError, match="exists already"):
        write_repository(corpus, VALID, 1, tmp_path)
    with pytest.raises(UserError, match="no split 'test'"):
        write_repository(corpus, TEST, 1, tmp_path / "other")
