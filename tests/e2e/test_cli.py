"""The contract of the `spencer` command: exit codes, JSON, and what an index run does and does not do again."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spencer_desktop import cli, cli_output, demo, doctor
from spencer_desktop.core.languages import language_of
from spencer_desktop.core.types import Hit, SearchUpdate, Stage
from spencer_desktop.core.watch_note import drop_note, write_note
from tests.e2e.conftest import Indexed
from tests.e2e.harness import HIT_KEYS, LINUX, POSIX, Outcome, PackedFakes, spencer, write_settings
from tests.fakes import SMALL_PROJECT, FakeReranker, write_tree

FUNCTION = 'def {name}({name}_argument):\n    """Make the {name} of it."""\n    return [{name}_argument] * 3\n'
# A terminal obeys all of these: a color, a window title, the bell, an 8-bit control sequence, going back.
ESCAPES = "\x1b[31m\x1b]0;owned\x07\x9b2J\r"


def functions(*names: str) -> str:
    return "\n\n".join(FUNCTION.format(name=name) for name in names)


# Answers


@pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical"])
def test_a_question_finds_the_code_that_answers_it(indexed: Indexed, mode: str) -> None:
    found = spencer("search", "parse a date", "--mode", mode, "--json", data=indexed.data)
    assert found.code == 0
    assert "app/session.py" in found.paths[:2]
    assert any(hit["symbol"] == "parse_date" for hit in found.json["hits"])


@pytest.mark.parametrize("mode", ["hybrid", "regex"])
def test_hits_point_at_lines_that_hold_the_snippet(indexed: Indexed, mode: str) -> None:
    found = spencer("search", "socket", "--mode", mode, "--json", data=indexed.data)
    hits = found.json["hits"]
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    assert len(hits) >= 2
    for hit in hits:
        assert set(hit) == HIT_KEYS
        lines = (indexed.root / hit["path"]).read_text("utf-8").splitlines()
        assert 1 <= hit["start_line"] <= hit["end_line"] <= len(lines)
        assert hit["snippet"] in "\n".join(lines[hit["start_line"] - 1 : hit["end_line"]])
        assert (hit["repo"], hit["language"]) == ("project", language_of(hit["path"]))


def test_a_batch_is_answered_line_by_line(indexed: Indexed, tmp_path: Path) -> None:
    # Line separators of Unicode may stand in JSON as they are, and end no line of the file.
    asked = [
        ("b", "mix two colors"),
        (7, "first\u2028then\x85parse a date"),
        (None, "→"),
        ("empty", " "),
        ("b", "queue"),
    ]
    batch = tmp_path / "questions.jsonl"
    rows = [json.dumps({"id": key, "query": text}, ensure_ascii=False) for key, text in asked]
    batch.write_text("\ufeff" + "\n\n".join(rows), encoding="utf-8")
    done = spencer("search", "--batch", batch, "--json", "-k", "2", data=indexed.data)
    assert done.code == 0
    assert [line["id"] for line in done.lines] == [key for key, _ in asked]
    for line in done.lines:
        assert set(line) == {"id", "stage", "elapsed_ms", "notice", "confidence", "hits"}
        assert line["elapsed_ms"] >= 0
        assert all(set(hit) == HIT_KEYS for hit in line["hits"])
    assert [len(line["hits"]) for line in done.lines] == [2, 2, 0, 0, 2]
    assert done.lines[0]["hits"][0]["path"] == "app/colors.py"
    assert "question 4" in done.err


@pytest.mark.parametrize(
    "content",
    [b'{"id": 1}', b"[1]", b"x", b'{"id": 1, "query": null}', b"\xff", None],
    ids=["no query", "no object", "no JSON", "no text", "no UTF-8", "no file"],
)
def test_a_batch_that_cannot_be_read_is_refused(indexed: Indexed, tmp_path: Path, content: bytes | None) -> None:
    batch = tmp_path / "questions.jsonl"
    if content is not None:
        batch.write_bytes(b'{"id": 0, "query": "date"}\n' + content)
    done = spencer("search", "--batch", batch, "--json", data=indexed.data)
    assert (done.code, done.out) == (2, "")
    assert "questions.jsonl" in done.err


def test_a_batch_without_any_answer_says_so_by_its_exit_code(indexed: Indexed, tmp_path: Path) -> None:
    batch = tmp_path / "questions.jsonl"
    batch.write_text('{"id": 1, "query": "date"}\n', encoding="utf-8")
    nothing = spencer("search", "--batch", batch, "--path", "*.nope", data=indexed.data)
    assert (nothing.code, nothing.lines[0]["hits"]) == (1, [])
    wrong = spencer("search", "--batch", batch, "--lang", "klingon", data=indexed.data)
    assert wrong.code == 2
    assert "klingon" in wrong.err


def test_the_reranker_has_the_last_word_unless_it_is_switched_off(
    indexed: Indexed, data: Path, models: PackedFakes
) -> None:
    models.reranker = reader = FakeReranker("blend")
    spencer("index", indexed.root, data=data)
    asked = ("search", "close the connection", "--json")
    plain = spencer(*asked, "--no-rerank", data=data).json
    assert (plain["stage"], reader.read) == ("recall", 0)
    reranked = spencer(*asked, "--rerank", data=data).json
    assert reranked["stage"] == "reranked"
    assert reader.read > 0


def test_similar_finds_the_twin_of_a_function(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"a.py": functions("alpha", "beta"), "b.py": functions("gamma", "beta").replace("* 3", "* 4")})
    spencer("index", root, data=data)
    line = (root / "a.py").read_text().splitlines().index("def beta(beta_argument):") + 1
    found = spencer("similar", f"{root / 'a.py'}:{line + 1}", "--json", data=data)
    assert found.code == 0
    assert (found.paths[0], found.json["hits"][0]["symbol"]) == ("b.py", "beta")
    assert all(set(hit) == HIT_KEYS for hit in found.json["hits"])
    elsewhere = spencer("similar", f"{root / 'a.py'}:{line}", "--lang", "rust", data=data)
    assert elsewhere.code == 1


def test_similar_reads_code_that_is_piped_in(indexed: Indexed, monkeypatch: pytest.MonkeyPatch) -> None:
    def pipe(code: str) -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(code.encode())))
        return spencer("similar", "-", "--json", data=indexed.data)

    text = (indexed.root / "app/colors.py").read_text()
    found = pipe(text)
    assert (found.code, found.json["place"], found.paths[0]) == (0, "-", "app/colors.py")
    assert pipe(" \n").code == 2


@pytest.mark.parametrize(
    "place",
    ["app/session.py", "app/session.py:0", "app/session.py:x", ":", "app/none.py:1", "app/session.py:" + "9" * 5000],
    ids=lambda place: place[:20],
)
def test_similar_refuses_what_is_no_place_in_an_indexed_file(indexed: Indexed, place: str) -> None:
    wrong = spencer("similar", f"{indexed.root}/{place}", data=indexed.data)
    assert wrong.code == 2
    assert "error:" in wrong.err


def test_similar_refuses_a_line_without_code(indexed: Indexed) -> None:
    wrong = spencer("similar", f"{indexed.root}/app/colors.py:99", data=indexed.data)
    assert wrong.code == 2
    assert "no code at line 99" in wrong.err


# Exit codes and JSON


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("search date", 0),
        ("search zebra --mode regex", 1),
        ("search date --path 'nothing/*.here'", 1),
        ("search date --path app/", 0),
        ("search date --lang py --repo project", 0),
        ("search", 2),
        ("search date --batch file", 2),
        ("search ''", 2),
        ("search ' \t\n '", 2),
        ("search date -k 0", 2),
        ("search date -k -1", 2),
        ("search date -k many", 2),
        ("search date --mode magic", 2),
        ("search date --lang klingon", 2),
        ("search date --repo nope", 2),
        ("search '(' --mode regex", 2),
        ("list", 0),
        ("list --skipped nope", 2),
        ("remove nope", 2),
        ("remove", 2),
        ("index no-such-folder", 2),
        ("status", 0),
        ("models list", 0),
        ("models verify no-such-pack", 2),
        ("models", 2),
        ("bench --queries 0", 2),
        ("gui --json", 2),
        ("search -webkit", 2),
        ("search -- -webkit", 0),
        ("search --force", 2),
        ("search date --path", 2),
        ("search '->' --path", 2),
        ("search date --path '-/x'", 1),
        ("search '->' --path '-/x' --mode regex", 1),
        ("--data-dir '~no such user/x' list", 2),
        ("nonsense", 2),
        ("", 2),
        ("--version", 0),
        ("--help", 0),
    ],
)
def test_the_exit_code_tells_what_happened(indexed: Indexed, line: str, code: int) -> None:
    done = spencer(*shlex.split(line), data=indexed.data)
    assert done.code == code, done
    assert "Traceback" not in done.err
    if code == 2:
        assert done.err
        assert done.out == ""


def test_without_an_index_every_verb_says_what_to_do(data: Path) -> None:
    for arguments in (["search", "x"], ["similar", "x:1"], ["list", "--skipped", "x"], ["bench"], ["index"]):
        done = spencer(*arguments, data=data)
        assert done.code == 2
        assert "spencer index" in done.err
    listed = spencer("list", data=data)
    assert (listed.code, listed.out) == (1, "")
    assert "spencer index" in listed.err
    assert spencer("list", "--json", data=data) == Outcome(1, "[]\n", "")
    assert spencer("status", data=data).code == 0
    assert not data.exists()


def test_every_verb_speaks_json(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, SMALL_PROJECT | {".env": "SECRET=1\n"})
    report = spencer("index", root, "--json", data=data)
    assert (report.code, report.json["added"], report.json["faults"]) == (0, len(SMALL_PROJECT), [])
    assert report.json["encoded"] == len(models.code_encoder.encoded) > 0
    answer = spencer("search", "date", "--json", data=data)
    assert set(answer.json) == {"query", "mode", "stage", "elapsed_ms", "notice", "confidence", "hits"}
    assert spencer("similar", f"{root}/app/colors.py:1", "--json", data=data).json["hits"]
    (listed,) = spencer("list", "--json", data=data).json
    assert (listed["name"], listed["root"], listed["files"], listed["pending"]) == ("code", str(root), 5, 0)
    assert spencer("list", "--skipped", "code", "--json", data=data).json == [
        {"path": ".env", "reason": "may hold secrets"}
    ]
    status = spencer("status", "--json", data=data).json
    assert status["index"]["vectors"] == report.json["encoded"]
    assert (status["data_dir"], status["repositories"]) == (str(data), [listed])
    assert spencer("remove", "code", "--json", data=data).json == {"removed": "code", "root": str(root)}
    assert spencer("list", "--json", data=data).json == []


def test_the_pack_and_the_installation_are_described_in_json(indexed: Indexed) -> None:
    (pack,) = spencer("models", "list", "--json", data=indexed.data).json
    assert pack["dimension"] > 0
    verified = spencer("models", "verify", "--json", data=indexed.data)
    assert (verified.code, verified.json["ok"]) == (0, True)
    findings = spencer("doctor", "--json", data=indexed.data)
    names = {"python", "git", "model pack", "device", "grammars", "data folder", "disk", "index"}
    assert names <= {row["name"] for row in findings.json}
    assert all(set(row) == {"name", "ok", "detail", "remedy"} for row in findings.json)
    assert findings.code == (0 if all(row["ok"] for row in findings.json) else 2)
    assert next(row for row in findings.json if row["name"] == "index")["detail"].startswith("whole;")


def test_people_get_text(indexed: Indexed) -> None:
    found = spencer("search", "mix two colors", "-k", "1", data=indexed.data)
    assert "app/colors.py:1-3  blend" in found.out
    assert '"""Mix two colors."""' in found.out
    assert str(indexed.root) in spencer("list", data=indexed.data).out
    status = spencer("status", data=indexed.data).out
    assert str(indexed.data) in status
    assert "0 still to encode" in status
    assert "not watched while no window is open" in status
    write_note(indexed.data, {})
    assert "watched by the open window" in spencer("status", data=indexed.data).out
    write_note(indexed.data, {indexed.root: "it is far away"})
    told = spencer("status", data=indexed.data).out
    assert f"in {indexed.root} looked for every half a minute: it is far away" in told
    drop_note(indexed.data)
    assert "licences" in spencer("models", "list", data=indexed.data).out
    assert "every graph runs" in spencer("models", "verify", data=indexed.data).err


def test_doctor_fails_when_something_is_wrong(data: Path, user_home: Path, tmp_path: Path) -> None:
    write_settings(user_home, f"pack = {json.dumps(str(tmp_path / 'no-pack'))}\n")
    data.mkdir()
    (data / "catalog.sqlite3").write_bytes(b"This is no database." * 100)
    done = spencer("doctor", "--json", data=data)
    assert done.code == 2
    wrong = {row["name"]: row for row in done.json if not row["ok"]}
    assert {"model pack", "index"} <= set(wrong)
    assert all(row["remedy"] for row in wrong.values())
    assert "wrong" in spencer("doctor", data=data).out


def test_doctor_names_a_broken_grammar_and_checks_the_rest(
    data: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(language: str) -> None:
        if language == "csharp":
            raise ImportError("no such library")

    def fail(_: object) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(doctor, "load_grammar", load)
    monkeypatch.setattr(shutil, "disk_usage", fail)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    data.write_text("in the way")
    done = spencer("doctor", "--json", data=data)
    wrong = {row["name"]: row for row in done.json if not row["ok"]}
    assert wrong["grammars"]["detail"] == "csharp: no such library"
    assert "tree-sitter-c-sharp" in wrong["grammars"]["remedy"]
    assert "not yours" in wrong["disk"]["detail"]
    assert "Install git" in wrong["git"]["remedy"]
    assert "not a folder" in wrong["data folder"]["detail"]
    assert all(row["remedy"] for row in wrong.values())
    assert done.code == 2


def test_a_bug_is_not_taken_for_nothing_found(data: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> bool:
        raise RuntimeError("this cannot be")

    monkeypatch.setattr(cli, "has_catalog", fail)
    done = spencer("list", data=data)
    assert (done.code, done.out) == (70, "")
    assert done.err.startswith("Traceback")
    assert "this cannot be" in done.err


def test_an_unknown_option_may_have_been_a_question(indexed: Indexed) -> None:
    done = spencer("search", "-webkit", data=indexed.data)
    assert "No such option" in done.err
    assert "spencer search -- " in done.err


@POSIX
def test_a_folder_is_one_repository_however_it_is_spelled(tmp_path: Path, data: Path, models: PackedFakes) -> None:
    root = write_tree(tmp_path / "code", SMALL_PROJECT)
    link = tmp_path / "link"
    link.symlink_to(root, target_is_directory=True)
    assert spencer("index", root, "--json", data=data).json["added"] == len(SMALL_PROJECT)
    assert spencer("index", link, "--json", data=data).json["unchanged"] == len(SMALL_PROJECT)
    assert [row["root"] for row in spencer("list", "--json", data=data).json] == [str(root)]
    assert spencer("remove", link, "--json", data=data).json["root"] == str(root)


@pytest.mark.parametrize("text", ["threads = -1", "devise = 'cpu'", "device = 'tpu'", "x = ", "threads = true"])
def test_settings_that_cannot_be_read_are_refused(text: str, data: Path, user_home: Path) -> None:
    write_settings(user_home, text)
    done = spencer("status", data=data)
    assert done.code == 2
    assert "settings.toml" in done.err


def test_the_data_folder_is_named_by_option_then_variable_then_system(
    root: Path, tmp_path: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch, user_home: Path
) -> None:
    assert Path(spencer("status", "--json").json["data_dir"]).is_relative_to(user_home)
    monkeypatch.setenv("SPENCER_DATA_DIR", str(tmp_path / "variable"))
    assert spencer("status", "--json").json["data_dir"] == str(tmp_path / "variable")
    assert spencer("status", "--json", data=tmp_path / "option").json["data_dir"] == str(tmp_path / "option")
    write_tree(root, {"a.txt": "some words\n"})
    assert spencer("index", root).code == 0
    assert (tmp_path / "variable/catalog.sqlite3").exists()
    assert not (tmp_path / "option").exists()


def test_demo_answers_three_questions(
    root: Path, data: Path, models: PackedFakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(root, SMALL_PROJECT | {"cache.py": "class GraphCache:\n    '''Keep a graph.'''\n"})
    monkeypatch.setattr(demo, "_source", lambda: root)
    done = spencer("demo", "--json", data=data)
    assert (done.code, [answer["query"] for answer in done.json]) == (0, list(demo.QUESTIONS))
    assert done.json[2]["hits"][0]["symbol"] == "GraphCache"
    assert "GraphCache" in spencer("demo", data=data).out
    assert spencer("list", data=data).code == 1, "the user's own index must stay as it is"


def test_bench_measures_a_small_index(root: Path, data: Path, models: PackedFakes) -> None:
    names = [f"word{n:02}" for n in range(12)]
    write_tree(root, {f"{name}.py": functions(name) for name in names})
    spencer("index", root, data=data)
    arguments = ("bench", "--queries", "10", "--chunks", "100", "--rounds", "1")
    done = spencer(*arguments, "--json", data=data)
    assert done.code == 0
    assert done.json["hnswlib"]["recall_at_10"] == 1.0
    assert done.json["latency_ms"]["recall"]["p50"] > 0
    assert done.json["throughput"]["chunks"] == 12
    assert done.json["throughput"]["text_seconds"] > 0
    assert done.json["latency_ms"]["reranked"] is None, "this pack has no re-ranker"
    size = done.json["bytes_per_1000_chunks"]
    write_tree(data, {"demo/catalog.sqlite3": "x" * 1_000_000})
    models.reranker = FakeReranker("word")
    assert spencer(*arguments, "--json", data=data).json["latency_ms"]["reranked"]["p50"] > 0
    models.reranker = None
    shown = spencer(*arguments, data=data).out
    assert "recall@10 1.0 of exact" in shown
    assert "no re-ranker in this pack" in shown
    assert "of this bench's process" in shown
    assert f"{size / 1e6:.2f} MB" in shown, "another index below the data folder must not count"


def test_the_code_encoder_is_warm_before_throughput_is_timed(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {f"word{n:02}.py": functions(f"word{n:02}") for n in range(12)})
    spencer("index", root, data=data)
    models.code_encoder.encoded.clear()
    spencer("bench", "--queries", "10", "--chunks", "100", "--rounds", "1", data=data)
    assert "word" not in models.code_encoder.encoded[0]


def test_fusion_weights_are_compared_on_labelled_questions(
    root: Path, data: Path, tmp_path: Path, models: PackedFakes
) -> None:
    write_tree(root, {f"word{n:02}.py": functions(f"word{n:02}") for n in range(12)})
    spencer("index", root, data=data)
    file = tmp_path / "asked.jsonl"
    rows: list[dict[str, object]] = [
        {"query": "the word03", "path": "word03.py"},
        {"query": "word04", "path": "no.py"},
        {"query": "word06", "path": "word06.py", "line": 900},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    done = spencer("weigh", file, "--json", data=data)
    assert done.code == 0
    # One is found first, one stands in no such file, one has no such line.
    assert (done.json["n"], done.json["alone"]) == (3, {"semantic": 0.3333, "lexical": 0.3333})
    weights = [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0]
    assert done.json["by_weight"] == [{"lexical": w, "plain": 0.3333, "signals": 0.3333} for w in weights]
    assert done.json["by_rerank"] == []
    assert spencer("weigh", file, data=data).out.count("(shipped)") == 1


def test_weights_of_re_ranking_are_compared_where_there_is_a_re_ranker(
    root: Path, data: Path, tmp_path: Path, models: PackedFakes
) -> None:
    models.reranker = reader = FakeReranker("second")
    write_tree(root, {"a.py": "def first():\n    paint(wall)\n", "b.py": "def second():\n    paint(wall, door)\n"})
    spencer("index", root, data=data)
    file = tmp_path / "asked.jsonl"
    file.write_text(json.dumps({"query": "paint wall", "path": "b.py"}))
    found = {row["rerank"]: row["signals"] for row in spencer("weigh", file, "--json", data=data).json["by_rerank"]}
    assert (found[0.0], found[2.0]) == (0.5, 1.0)
    # However many weights are tried, each pair is read once.
    assert reader.read == 2
    assert spencer("weigh", file, data=data).out.count("(shipped)") == 2


def test_the_lexical_weight_that_is_tried_counts(root: Path, data: Path, tmp_path: Path, models: PackedFakes) -> None:
    # By its words the first file answers, and by its vector the second.
    write_tree(root, {"a.py": functions("paint") + "# zebra zebra zebra\n", "b.py": functions("paint")})
    spencer("index", root, data=data)
    file = tmp_path / "asked.jsonl"
    file.write_text(json.dumps({"query": "paint zebra", "path": "a.py"}))
    found = spencer("weigh", file, "--json", data=data).json
    assert found["alone"]["lexical"] == 1.0
    assert found["by_weight"][-1]["plain"] >= found["by_weight"][0]["plain"]


def test_a_question_may_be_answered_by_any_definition_of_some_names(
    root: Path, data: Path, tmp_path: Path, models: PackedFakes
) -> None:
    write_tree(root, {"a.py": "class Wall:\n    def paint(self):\n        return brush(self)\n"})
    spencer("index", root, data=data)
    file = tmp_path / "asked.jsonl"
    rows = [{"query": "paint brush", "symbols": names} for names in (["colour", "paint"], ["Wall.paint"])]
    file.write_text("\n".join(map(json.dumps, rows)))
    # A name is a definition's own, without the class that holds it.
    assert spencer("weigh", file, "--json", data=data).json["alone"]["lexical"] == 0.5


@pytest.mark.parametrize(
    "line",
    [
        '{"query": "word03"}',
        '{"query": "word03", "symbols": []}',
        '{"query": "word03", "symbols": "word"}',
        '{"query": "word03", "symbols": ["word"], "path": "a.py"}',
        '{"query": "", "path": "a.py"}',
        '{"query": null, "path": "a.py"}',
        '{"query": "x", "path": "a.py", "line": -1}',
        '{"query": "x", "path": "a.py", "line": Infinity}',
        "[]",
    ],
)
def test_a_line_that_is_no_labelled_question_is_named(
    line: str, root: Path, data: Path, tmp_path: Path, models: PackedFakes
) -> None:
    write_tree(root, {"a.py": functions("word")})
    spencer("index", root, data=data)
    (tmp_path / "asked.jsonl").write_text("\n" + line)
    done = spencer("weigh", tmp_path / "asked.jsonl", data=data)
    assert done.code == 2
    assert "line 2 is not a labelled question" in done.err
    (tmp_path / "asked.jsonl").write_text("\n")
    assert "has no question" in spencer("weigh", tmp_path / "asked.jsonl", data=data).err


def test_bench_needs_something_to_ask_about(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {f"{n}.txt": f"plain words, number {n}\n" for n in range(12)})
    spencer("index", root, data=data)
    done = spencer("bench", data=data)
    assert done.code == 2
    assert "spencer index" in done.err


# What reaches the terminal


def test_a_snippet_is_shown_as_it_reads_best(capsys: pytest.CaptureFixture[str]) -> None:
    snippet = "        if ready:\r\n            go()\r\n\r\n        wait()\r"
    hit = Hit(1, 0.5, "code", "/code", "a.py", 10, 40, "python", "function", "run", "", snippet, 21)
    cli_output.print_hits((hit, replace(hit, snippet_line=10, snippet="\n".join("abcdefg"))))
    title, *shown = capsys.readouterr().out.split("\n")
    assert title == " 1. a.py:10-40  run  function, python  0.500"
    assert shown[:5] == ["    … line 21", "    if ready:", "        go()", "    wait()", ""]
    assert shown[6:] == [*(f"    {c}" for c in "abcdef"), "    … 1 more line", "", ""]
    assert cli_output.hit_json(1, hit)["snippet"] == snippet
    assert set(cli_output.hit_json(1, hit)) == HIT_KEYS


@LINUX
def test_neither_code_nor_names_drive_the_terminal(tmp_path: Path, data: Path, models: PackedFakes) -> None:
    root = tmp_path / f"code{ESCAPES}"
    write_tree(
        root,
        {
            f"evil{ESCAPES}\n.py": f"def evil():\n    return '{ESCAPES} marker'\n",
            f"folder{ESCAPES}/.gitignore": "hidden.txt\n",
            f"folder{ESCAPES}/hidden.txt": "hidden\n",
        },
    )
    done = [spencer("index", root, data=data)]
    name = str(root)
    done += [spencer("search", f"marker{ESCAPES}", data=data), spencer("search", "evil", "-k", "1", data=data)]
    done += [spencer("list", data=data), spencer("list", "--skipped", name, data=data), spencer("status", data=data)]
    assert [outcome.code for outcome in done] == [0] * len(done)
    done += [
        spencer("search", "x", "--repo", ESCAPES, data=data),
        spencer("search", f"({ESCAPES}", "--mode", "regex", data=data),
    ]
    shutil.rmtree(root)
    done += [
        spencer("index", data=data),
        spencer("similar", f"{name}:1", data=data),
        spencer("remove", name, data=data),
    ]
    for outcome in done:
        shown = outcome.out + outcome.err
        assert not [c for c in shown if c != "\n" and not c.isprintable()], shown
    assert "\\x1b]0;owned\\x07" in done[1].out
    assert "\\x1b]0;owned\\x07" in done[4].out
    (line,) = [line for line in done[2].out.splitlines() if ".py" in line]
    assert "\\n.py:1-2" in line


# What an index run does again


def test_a_second_run_does_nothing_again(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, SMALL_PROJECT)
    first = spencer("index", root, "--json", data=data).json
    before = len(models.code_encoder.encoded)
    second = spencer("index", "--json", data=data).json
    assert (second["encoded"], second["added"], second["changed"], second["removed"]) == (0, 0, 0, 0)
    assert second["unchanged"] == first["added"]
    assert len(models.code_encoder.encoded) == before


def test_an_edited_file_encodes_only_what_is_new_in_it(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"a.py": functions("alpha", "beta", "gamma"), "b.py": functions("delta")})
    spencer("index", root, data=data)
    models.code_encoder.encoded.clear()
    write_tree(root, {"a.py": functions("alpha", "epsilon", "gamma")})
    report = spencer("index", "--json", data=data).json
    assert (report["changed"], report["unchanged"], report["encoded"]) == (1, 1, 1)
    assert "epsilon" in models.code_encoder.encoded[0]
    assert spencer("search", "beta", "--mode", "lexical", data=data).code == 1
    assert spencer("search", "epsilon", "--mode", "lexical", "--json", data=data).json["hits"][0]["start_line"] == 6


def test_a_renamed_file_is_not_encoded_again(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"a.py": functions("alpha", "beta")})
    spencer("index", root, data=data)
    (root / "a.py").rename(root / "z.py")
    report = spencer("index", "--json", data=data).json
    assert (report["added"], report["removed"], report["encoded"]) == (1, 1, 0)
    assert set(spencer("search", "alpha", "--json", data=data).paths) == {"z.py"}


def test_a_deleted_file_is_found_no_more(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"a.py": functions("alpha"), "b.py": functions("beta")})
    spencer("index", root, data=data)
    (root / "a.py").unlink()
    assert spencer("index", "--json", data=data).json["removed"] == 1
    assert spencer("search", "alpha", "--mode", "lexical", data=data).code == 1
    assert spencer("search", "alpha", "--mode", "regex", data=data).code == 1
    assert "a.py" not in spencer("search", "alpha", "--mode", "semantic", "--json", data=data).paths


def test_the_same_file_in_two_roots_is_encoded_once_and_found_twice(
    tmp_path: Path, data: Path, models: PackedFakes
) -> None:
    one, two = (write_tree(tmp_path / name / "src", {"a.py": functions("alpha")}) for name in ("one", "two"))
    report = spencer("index", one, two, "--json", data=data).json
    assert (report["added"], report["encoded"]) == (2, 1)
    hits = spencer("search", "alpha", "--json", data=data).json["hits"]
    assert sorted(hit["repo"] for hit in hits) == ["src", "two/src"]
    (only,) = spencer("search", "alpha", "--repo", two, "--json", data=data).json["hits"]
    assert only["repo"] == "two/src"


def test_a_root_that_vanished_keeps_its_index(tmp_path: Path, data: Path, models: PackedFakes) -> None:
    gone = write_tree(tmp_path / "gone", {"a.py": functions("alpha")})
    stays = write_tree(tmp_path / "stays", {"b.py": functions("beta")})
    spencer("index", gone, stays, data=data)
    gone.rename(tmp_path / "elsewhere")
    write_tree(stays, {"c.py": functions("gamma")})
    report = spencer("index", "--json", data=data)
    assert report.code == 2
    assert [str(gone) in fault for fault in report.json["faults"]] == [True]
    assert report.json["added"] == 1, "one fault must not keep the other folders from being read"
    assert spencer("search", "alpha", "--repo", "gone", data=data).code == 0
    assert "(missing)" in spencer("list", data=data).out
    assert "warning:" in spencer("index", data=data).err


def test_what_a_setting_lets_in_is_read_although_nothing_changed(
    root: Path, data: Path, models: PackedFakes, user_home: Path
) -> None:
    write_tree(root, {"made.py": "# Generated by a tool. DO NOT EDIT.\nmarker = 1\n", "big.md": "marker\n" * 300_000})
    os.utime(root / "made.py", (1, 1))
    assert spencer("index", root, "--json", data=data).json["skipped"] == 2
    write_settings(user_home, "include_generated = true\nmax_file_mib = 4\n")
    assert spencer("index", "--json", data=data).json["added"] == 2


def test_a_removed_repository_leaves_no_trace(tmp_path: Path, data: Path, models: PackedFakes) -> None:
    marker = "Zyxwvutsrq"
    secret = write_tree(
        tmp_path / f"{marker}Root",
        {
            f"{marker}File.py": f'def {marker}Symbol():\n    """{marker}Doc"""\n    return "{marker}Body"\n',
            ".env": marker,
        },
    )
    kept = write_tree(tmp_path / "kept", {"b.py": functions("beta")})
    spencer("index", secret, kept, data=data)

    def traces() -> list[str]:
        return [p.name for p in data.rglob("*") if p.is_file() and marker.lower().encode() in p.read_bytes().lower()]

    assert sorted(traces()) == ["catalog.sqlite3", "folders.json"]
    assert spencer("remove", secret, data=data).code == 0
    assert traces() == []
    assert (secret / f"{marker}File.py").exists()
    assert spencer("search", "beta", data=data).code == 0


@POSIX
def test_the_data_folder_is_for_its_owner_alone(root: Path, data: Path, models: PackedFakes) -> None:
    write_tree(root, {"a.txt": "words\n"})
    spencer("index", root, data=data)
    assert data.stat().st_mode & 0o077 == 0


def test_an_unlikely_answer_is_told_as_one() -> None:
    hit = Hit(1, 0.1, "r", "/r", "a.py", 1, 2, "python", "function", "f", "def f():", "def f(): pass", 1)
    said = {sure: cli_output.notes(SearchUpdate(Stage.RECALL, (hit,), 1.0, "so", sure)) for sure in (None, 0.2, 0.04)}
    assert said[None] == said[0.2] == ["so"]
    assert said[0.04] == ["so", "Probably nothing here answers this (confidence 4%)."]
    assert cli_output.notes(SearchUpdate(Stage.RECALL, (), 1.0, "", 0.04)) == ["Nothing found."]
