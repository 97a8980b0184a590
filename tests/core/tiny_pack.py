"""A model pack whose graphs are a few nodes, so that what goes into a model can be read off what comes out."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from spencer_desktop.core.pack import CODE_ENCODER, MANIFEST, QUERY_ENCODER, RERANKER, TOKENIZER, manifest_sha256

DIMENSION = 3
WORDS = ["[CLS]", "[SEP]", "[UNK]", *(f"w{n}" for n in range(100))]


def token(word: str) -> int:
    return WORDS.index(word)


def make_pack(folder: Path, *, manifest: dict[str, Any] | None = None, **graphs: bytes) -> Path:
    """Write a pack; `manifest` replaces entries of its manifest, `graphs` (named without suffix) its graphs."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        TOKENIZER: _tokenizer().to_str().encode(),
        CODE_ENCODER: graphs.get("code_encoder", _ENCODER),
        QUERY_ENCODER: graphs.get("query_encoder", _ENCODER),
        RERANKER: graphs.get("reranker", _RERANKER),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    write_manifest(folder, **(manifest or {}))
    return folder


def write_manifest(folder: Path, **changes: Any) -> None:
    """A manifest that agrees with the files as they lie there, but for `changes`."""
    names = [path.name for path in sorted(folder.iterdir()) if path.name != MANIFEST]
    data = {name: (folder / name).read_bytes() for name in names}
    entries = {name: {"sha256": hashlib.sha256(b).hexdigest(), "size": len(b)} for name, b in data.items()}
    manifest = {
        "format": 1,
        "name": "tiny",
        "version": "1",
        "space_id": entries.get(CODE_ENCODER, {}).get("sha256", ""),
        "dimension": DIMENSION,
        "max_query_tokens": 6,
        "max_code_tokens": 12,
        "max_pair_tokens": 9,
        "text": {"query_prefix": "w1 ", "code_prefix": ""},
        "rerank": {"candidates": 5, "recall_scale": 20.0, "default": True},
        "files": entries,
        "licences": [{"name": "tiny", "licence": "Apache-2.0"}],
        "figures": {},
    } | changes
    write_sealed(folder, manifest)


def write_sealed(folder: Path, manifest: dict[str, Any]) -> None:
    """Whatever is in it: one that names its own hash."""
    sealed = {**manifest, "sha256": manifest_sha256(manifest)}
    (folder / MANIFEST).write_text(json.dumps(sealed), "utf-8")


def graph_of(nodes: list[Any], constants: dict[str, list[int]], inputs: list[str], shape: list[Any]) -> bytes:
    """An ONNX file: int64 [n, t] inputs → one float32 output `out`."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"]) for name in inputs],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)],
        [helper.make_tensor(name, TensorProto.INT64, [len(v)], v) for name, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(onnx.ModelProto.SerializeToString(model))


def encoder_graph(
    columns: int = DIMENSION, inputs: tuple[str, ...] = ("input_ids", "attention_mask"), last: str = "width"
) -> bytes:
    """Each text's row: the sum of its token ids, the number of its tokens, and the "width" or "cells" of its batch."""
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["real"]),
        helper.make_node("ReduceSum", ["real", "axis"], ["sum"]),
        helper.make_node("ReduceSum", ["attention_mask", "axis"], ["count"]),
        helper.make_node("Mul", ["attention_mask", "zero"], ["zeros"]),
        helper.make_node("Add", ["zeros", "one"], ["ones"]),
        helper.make_node("ReduceSum", ["ones", "axis"], ["width"]),
        helper.make_node("ReduceSum", ["width", "batch_axis"], ["all"]),
        helper.make_node("Mul", ["count", "zero"], ["none"]),
        helper.make_node("Add", ["none", "all"], ["cells"]),
        helper.make_node("Concat", ["sum", "count", last][:columns], ["row"], axis=1),
        helper.make_node("Cast", ["row"], ["out"], to=TensorProto.FLOAT),
    ]
    return graph_of(nodes, {"axis": [1], "batch_axis": [0], "zero": [0], "one": [1]}, list(inputs), ["n", columns])


def _reranker_graph() -> bytes:
    """The logit of a pair: the ids of its second text, less those of its first."""
    nodes = [
        helper.make_node("Mul", ["token_type_ids", "two"], ["doubled"]),
        helper.make_node("Sub", ["doubled", "one"], ["sign"]),
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["real"]),
        helper.make_node("Mul", ["real", "sign"], ["signed"]),
        helper.make_node("ReduceSum", ["signed", "axis"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["sum"], ["out"], to=TensorProto.FLOAT),
    ]
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    return graph_of(nodes, {"axis": [1], "one": [1], "two": [2]}, inputs, ["n"])


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", token("[CLS]")), ("[SEP]", token("[SEP]"))],
    )
    return tokenizer


_ENCODER = encoder_graph()
_RERANKER = _reranker_graph()
