"""Trained models → a pack folder: graphs, tokenizer, manifest, model card."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import nn

from spencer_desktop.core.pack import CODE_ENCODER, FORMAT, MANIFEST, QUERY_ENCODER, RERANKER, TOKENIZER
from spencer_models.backbones.minilm import Encoder, PairScorer
from spencer_models.config import Recipe
from spencer_models.data.collation import Collator
from spencer_models.export import export_float, quantise
from spencer_models.loop import Report

CARD = "MODEL_CARD.md"

_PROBE_QUERIES = ("open a file", "read all the lines of a text file into a list without the line ends", "x")
_PROBE_CODES = (
    "def read_lines(path):\n    with open(path) as file:\n        return file.read().splitlines()",
    "def total(rows):\n" + "".join(f"    a{i} = rows[{i}] + {i}\n" for i in range(60)) + "    return a0",
    "int main() { return 0; }",
)


@dataclass(frozen=True, slots=True)
class Trained:
    """The three models of a pack and the tokenizer that they share."""

    tokenizer: Tokenizer
    code: Encoder
    query: Encoder
    reranker: PairScorer


def write_graphs(trained: Trained, recipe: Recipe, folder: Path, *, int8: bool, report: Report) -> None:
    """Writes tokenizer.json and the three graphs. EnvironmentFault when a graph does not agree with torch."""
    folder.mkdir(parents=True, exist_ok=True)
    trained.tokenizer.save(str(folder / TOKENIZER), pretty=False)
    collator = Collator(trained.tokenizer)
    texts = collator.texts([*_PROBE_QUERIES, *_PROBE_CODES], recipe.lengths.code)
    pairs = collator.pairs(list(zip(_PROBE_CODES, _PROBE_QUERIES, strict=True)), recipe.lengths.pair)
    graphs: list[tuple[str, nn.Module, str]] = [
        (CODE_ENCODER, trained.code, "vectors"),
        (QUERY_ENCODER, trained.query, "vectors"),
        (RERANKER, trained.reranker, "logits"),
    ]
    for name, model, output in graphs:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            plain = Path(scratch) / name
            difference = export_float(model, plain, pairs if name == RERANKER else texts, output_name=output)
            if int8:
                quantise(plain, folder / name)
            else:
                plain.replace(folder / name)
        report(f"{name}: differs from torch by {difference:.1e}, {(folder / name).stat().st_size / 1e6:.1f} MB")


def write_manifest(
    recipe: Recipe,
    folder: Path,
    *,
    licences: Sequence[Mapping[str, str]],
    rerank_by_default: bool,
    figures: Mapping[str, Any],
) -> None:
    """Writes manifest.json over the files that stand in `folder`."""
    files = {name: _file(folder / name) for name in (TOKENIZER, CODE_ENCODER, QUERY_ENCODER, RERANKER)}
    manifest = {
        "format": FORMAT,
        "name": "default",
        "version": recipe.version,
        "space_id": files[CODE_ENCODER]["sha256"],
        "dimension": 384,
        "max_query_tokens": recipe.lengths.query,
        "max_code_tokens": recipe.lengths.code,
        "max_pair_tokens": recipe.lengths.pair,
        "text": {"query_prefix": "", "code_prefix": ""},
        "rerank": {
            "candidates": recipe.rerank.candidates,
            "recall_scale": recipe.rerank.recall_scale,
            "default": rerank_by_default,
        },
        "files": files,
        "licences": list(licences),
        "figures": dict(figures),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _file(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
