"""Trained models → a pack folder: graphs, tokenizer, manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from spencer_desktop.core.pack import CODE_ENCODER, FORMAT, MANIFEST, QUERY_ENCODER, RERANKER, TOKENIZER
from spencer_models.backbones.minilm import Encoder, PairScorer
from spencer_models.config import Recipe
from spencer_models.data.collation import Collator
from spencer_models.export import export_float, quantise
from spencer_models.progress import Report

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


def write_graphs(trained: Trained, recipe: Recipe, folder: Path, report: Report) -> None:
    """Writes tokenizer.json and the three float32 graphs. EnvironmentFault when one does not agree with torch."""
    folder.mkdir(parents=True, exist_ok=True)
    trained.tokenizer.save(str(folder / TOKENIZER), pretty=False)
    collator = Collator(trained.tokenizer)
    texts = collator.texts([*_PROBE_QUERIES, *_PROBE_CODES], recipe.lengths.code)
    pairs = collator.pairs(list(zip(_PROBE_CODES, _PROBE_QUERIES, strict=True)), recipe.lengths.pair)
    for name, model, output, probe in (
        (CODE_ENCODER, trained.code, "vectors", texts),
        (QUERY_ENCODER, trained.query, "vectors", texts),
        (RERANKER, trained.reranker, "logits", pairs),
    ):
        difference = export_float(model, folder / name, probe, output_name=output)
        report(f"{name}: float32, differs from torch by {difference:.1e}")


def quantise_graphs(source: Path, folder: Path, report: Report) -> None:
    """Writes the int8 form of what `write_graphs` wrote to `source`, and copies the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / TOKENIZER, folder / TOKENIZER)
    for name in (CODE_ENCODER, QUERY_ENCODER, RERANKER):
        quantise(source / name, folder / name)
        report(f"{name}: int8, {(folder / name).stat().st_size / 1e6:.1f} MB")


def write_manifest(
    recipe: Recipe,
    folder: Path,
    *,
    dimension: int,
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
        "dimension": dimension,
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
