"""Model packs that somebody else made: refused with a reason before they are used, and never a crash."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from spencer_desktop.core.pack import CODE_ENCODER, MANIFEST, QUERY_ENCODER, RERANKER, TOKENIZER
from tests.core.tiny_pack import DIMENSION, encoder_graph, graph_of, make_pack, write_manifest, write_sealed
from tests.e2e.harness import POSIX, spencer, write_settings
from tests.fakes import write_tree


@pytest.fixture
def pack(tmp_path: Path, user_home: Path) -> Path:
    """A small whole pack, set as the one to use."""
    folder = make_pack(tmp_path / "pack")
    write_settings(user_home, f"pack = {json.dumps(str(folder))}\n")
    return folder


def change_manifest(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: write_manifest(folder, **changes)


def change_file(name: str, data: bytes | None) -> Callable[[Path], None]:
    """Another content (None: no file) that the manifest does not tell of."""

    def change(folder: Path) -> None:
        (folder / name).unlink()
        if data is not None:
            (folder / name).write_bytes(data)

    return change


def forge(name: str, data: bytes) -> Callable[[Path], None]:
    """Another content, and a manifest that agrees with it."""

    def change(folder: Path) -> None:
        (folder / name).write_bytes(data)
        write_manifest(folder)

    return change


def rewrite_manifest(data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / MANIFEST).write_bytes(data)


def list_file(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_text())
        manifest["files"][name] = {"sha256": "0" * 64, "size": 1}
        write_sealed(folder, manifest)

    return change


def external_data() -> bytes:
    """A graph whose weights are in a file of the attacker's choice."""
    model = onnx.load_from_string(encoder_graph())
    tensor = helper.make_tensor("weights", TensorProto.FLOAT, [1], [0.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    model.graph.initializer.append(tensor)
    return bytes(model.SerializeToString())


def constant_graph(values: list[float], shape: list[Any], *, ids: str = "input_ids", flat: bool = False) -> bytes:
    """Gives each text the same row, whatever `shape` promises."""
    row = helper.make_tensor("row", TensorProto.FLOAT, [1, len(values)], values)
    nodes = [
        helper.make_node("Constant", [], ["row"], value=row),
        helper.make_node("ReduceSum", [ids, "axis"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "zero"], ["zeros"]),
        helper.make_node("Cast", ["zeros"], ["base"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["base", "row"], ["wide" if flat else "out"]),
    ]
    if flat:
        nodes.append(helper.make_node("Reshape", ["wide", "all"], ["out"]))
    return graph_of(nodes, {"axis": [1], "zero": [0], "all": [-1]}, [ids, "attention_mask"], shape)


def failing_graph() -> bytes:
    """Loads, and fails on every input: a word that its table does not have."""
    table = helper.make_tensor("table", TensorProto.FLOAT, [1, DIMENSION], [1.0] * DIMENSION)
    nodes = [
        helper.make_node("Constant", [], ["table"], value=table),
        helper.make_node("ReduceSum", ["attention_mask", "axis"], ["far"], keepdims=0),
        helper.make_node("Gather", ["table", "far"], ["out"]),
    ]
    return graph_of(nodes, {"axis": [1]}, ["input_ids", "attention_mask"], ["n", DIMENSION])


BEFORE_PARSING: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "no model pack"),
    "no manifest": (lambda folder: (folder / MANIFEST).unlink(), "no model pack"),
    "no JSON": (rewrite_manifest(b"{"), "not JSON"),
    "no text": (rewrite_manifest(b"\xff\xfe\xfd"), "not JSON"),
    "nested JSON": (rewrite_manifest(b"[" * 500_000), "not JSON"),
    "a list": (rewrite_manifest(b"[]"), "not a JSON object"),
    "an empty object": (rewrite_manifest(b"{}"), "format None"),
    "a huge manifest": (rewrite_manifest(b" " * 2_000_000), "larger than 1 MiB"),
    "format 2": (change_manifest(format=2), "format 2"),
    "dimension 0": (change_manifest(dimension=0), "positive whole number"),
    "dimension by words": (change_manifest(dimension="three"), "positive whole number"),
    "limitless texts": (change_manifest(max_code_tokens=10**30), "positive whole number"),
    "another space": (change_manifest(space_id="0" * 64), "space_id"),
    "files as a list": (change_manifest(files=[]), "manifest"),
    "a file above the folder": (list_file("../outside.onnx"), "unknown file, '../outside.onnx'"),
    "an absolute file": (list_file("/etc/passwd"), "unknown file, '/etc/passwd'"),
    "a pickle": (list_file("model.pkl"), "unknown file, 'model.pkl'"),
    "a wrong hash": (change_file(QUERY_ENCODER, encoder_graph()[:-1] + b"\0"), "SHA-256"),
    "a wrong size": (change_file(TOKENIZER, b"{}"), "bytes long"),
    "a missing file": (change_file(CODE_ENCODER, None), "cannot be read"),
    "an empty graph": (forge(QUERY_ENCODER, b""), "positive whole number"),
    "weights elsewhere": (forge(QUERY_ENCODER, external_data()), "weights in other files"),
}

WHEN_LOADED: dict[str, tuple[Callable[[Path], object], str]] = {
    "garbage for a graph": (forge(QUERY_ENCODER, b"\x08\x09garbage"), "cannot be loaded"),
    "garbage for a tokenizer": (forge(TOKENIZER, b'{"model": 3}'), "tokenizer"),
    "other inputs": (forge(QUERY_ENCODER, constant_graph([1.0] * 3, ["n", 3], ids="ids")), "takes ['attention_mask'"),
    "another dimension": (forge(QUERY_ENCODER, constant_graph([1.0] * 5, ["n", 5])), "instead of [n, 3]"),
    "no rows": (forge(QUERY_ENCODER, constant_graph([1.0], ["m"], flat=True)), "instead of [n, 3]"),
}

WHEN_USED: dict[str, tuple[Callable[[Path], object], str]] = {
    "more columns than promised": (forge(CODE_ENCODER, constant_graph([1.0] * 5, ["n", "d"])), "instead of"),
    "no numbers": (forge(CODE_ENCODER, constant_graph([float("nan")] * 3, ["n", 3])), "numbers"),
    "endless numbers": (forge(CODE_ENCODER, constant_graph([float("inf")] * 3, ["n", 3])), "numbers"),
    "a graph that fails": (forge(CODE_ENCODER, failing_graph()), CODE_ENCODER),
}


def refused(folder: Path, data: Path, why: str, *arguments: str) -> None:
    done = spencer(*arguments, data=data)
    assert done.code == 2, done
    assert done.out == ""
    assert str(folder) in done.err
    assert why in done.err
    assert len(done.err.splitlines()) == 2, "one line that says what is wrong, one that says what to do"


@pytest.mark.parametrize("case", BEFORE_PARSING)
def test_a_pack_that_breaks_its_promise_is_refused(pack: Path, data: Path, case: str) -> None:
    change, why = BEFORE_PARSING[case]
    change(pack)
    refused(pack, data, why, "models", "verify")
    refused(pack, data, why, "models", "verify", str(pack))


@pytest.mark.parametrize("case", WHEN_LOADED)
def test_a_pack_of_the_wrong_shape_is_refused(pack: Path, data: Path, case: str) -> None:
    change, why = WHEN_LOADED[case]
    change(pack)
    refused(pack, data, why, "models", "verify")


@pytest.mark.parametrize("case", WHEN_USED)
def test_a_pack_that_fails_at_work_spoils_no_index(pack: Path, root: Path, data: Path, case: str) -> None:
    change, why = WHEN_USED[case]
    change(pack)
    write_tree(root, {"a.txt": "w1 w2 words\n"})
    refused(pack, data, why, "index", str(root), "--json")
    make_pack(pack)
    assert spencer("search", "w2", "--mode", "lexical", data=data).code == 0
    assert spencer("index", "--json", data=data).json["encoded"] == 1
    assert spencer("search", "w2", "--mode", "semantic", data=data).code == 0


@pytest.mark.parametrize(
    "graph",
    [constant_graph([1.0, 2.0], ["n", "m"]), constant_graph([float("nan")], ["n", "m"]), failing_graph()],
    ids=["two columns", "no numbers", "fails"],
)
def test_a_reranker_that_fails_at_work_is_refused(pack: Path, root: Path, data: Path, graph: bytes) -> None:
    write_tree(root, {"a.txt": "w1 w2 words\n", "b.txt": "w2 w3 words\n"})
    assert spencer("index", root, data=data).code == 0
    assert spencer("search", "w2 words", "--json", data=data).json["stage"] == "reranked"
    forge(RERANKER, graph)(pack)
    refused(pack, data, RERANKER, "search", "w2 words", "--json")
    assert spencer("search", "w2 words", "--no-rerank", data=data).code == 0


def test_a_whole_pack_works(pack: Path, root: Path, data: Path) -> None:
    write_tree(root, {"a.txt": "w1 w2 words\n", "b.txt": "w7 words\n"})
    assert spencer("models", "verify", "--json", data=data).json["graphs"] == 3
    assert spencer("models", "list", "--json", data=data).json[0]["directory"] == str(pack)
    assert spencer("index", root, "--json", data=data).json["encoded"] == 2
    assert set(spencer("search", "w7", "--json", data=data).paths) == {"a.txt", "b.txt"}


@pytest.mark.parametrize("verb", [["index"], ["search", "x"], ["list"], ["status"], ["models", "list"], ["bench"]])
def test_without_its_pack_every_verb_says_where_it_looked(pack: Path, root: Path, data: Path, verb: list[str]) -> None:
    shutil.rmtree(pack)
    refused(pack, data, "no model pack", *verb)


@POSIX
def test_a_pipe_for_a_manifest_does_not_stop_the_program(pack: Path, data: Path) -> None:
    (pack / MANIFEST).unlink()
    os.mkfifo(pack / MANIFEST)
    done = spencer("models", "verify", data=data)
    assert done.code == 2
    assert str(pack) in done.err


def test_what_a_pack_says_of_itself_does_not_drive_the_terminal(pack: Path, data: Path) -> None:
    evil = "\x1b]0;owned\x07"
    write_manifest(pack, name=evil, version=evil, licences=[{"name": evil, "licence": evil}])
    for verb in (["models", "list"], ["status"]):
        done = spencer(*verb, data=data)
        assert done.code == 0
        assert not [c for c in done.out if c != "\n" and not c.isprintable()]
    write_manifest(pack, dimension=evil)
    assert "\x1b" not in spencer("models", "list", data=data).err
