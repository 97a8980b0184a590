"""Trained models → folders of graphs, and the manifests that make them packs for the application."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import nn

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import (
    CODE_ENCODER,
    CONFIG,
    FORMAT,
    MANIFEST,
    QUERY_ENCODER,
    RERANKER,
    TOKENIZER,
    WEIGHTS,
    ConfidenceCurve,
    manifest_sha256,
    open_pack,
)
from spencer_desktop.core.text import query_text
from spencer_desktop.core.types import Stage
from spencer_models.backbones.base import Backbone, Code, Features, Pretrained
from spencer_models.backbones.checkpoint import read_weights
from spencer_models.backbones.scorer import PairScorer
from spencer_models.backbones.transformers_stack import TokenBackbone
from spencer_models.export import PARITY_LIMIT, OnnxModel, export_float16, export_float32, export_int8
from spencer_models.progress import Report

FLOAT32, INT8, FLOAT16 = "float32", "int8", "float16"
VARIANTS = (FLOAT32, INT8, FLOAT16)
"""Folders of one export: each is a whole pack. int8 is for CPUs, float16 for GPUs."""

_APPLICATION_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
_PARTS = (TOKENIZER, CODE_ENCODER, QUERY_ENCODER, RERANKER, WEIGHTS, CONFIG)

_QUERIES = ("open a file", "read all the lines of a text file into a list without the line ends", "total of the rows")
_CODES = (
    Code("def read_lines(path):\n    with open(path) as file:\n        return file.read().splitlines()", "python"),
    Code(
        "def total(rows):\n" + "".join(f"    a{i} = rows[{i}] + {i}\n" for i in range(60)) + "    return a0", "python"
    ),
    Code("class Main {\n    int main() { return 0; }\n}", "java"),
)


@dataclass(frozen=True, slots=True)
class Trained:
    """What is exported: the two encoders, the re-ranker where there is one, and the backbone that feeds them."""

    backbone: Backbone
    code: nn.Module
    query: nn.Module
    scorer: PairScorer | None


@dataclass(frozen=True, slots=True)
class PackSpec:
    """What a manifest says of a pack beside its files.

    Lengths in tokens; `candidates` are re-ranked, by `recall_scale` · cosine + logit; each of `licences` has a name, a
    licence and a part ("base weights", "training text"); `gate` is what a variant may cost of the mean MRR. With
    `weights` the folder of a pack is a checkpoint of its code encoder, too, in float16. `samples` are codes and
    questions such as the models will read, by which int8 graphs are smoothed.
    """

    name: str
    version: str
    query_tokens: int
    code_tokens: int
    pair_tokens: int
    candidates: int
    recall_scale: float
    licences: Sequence[Mapping[str, str]]
    gate: float = 0.003
    weights: bool = False
    samples: Sequence[tuple[Code, str]] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """One graph to be: its file, its model, what its output is called, two batches of different sizes to try it, and
    batches of what it will read."""

    name: str
    model: nn.Module
    output: str
    probes: tuple[Features, Features]
    samples: Sequence[Features]


_Pairs = Sequence[tuple[Code, str]]


def _parts(trained: Trained, spec: PackSpec) -> Iterator[_Part]:
    backbone = trained.backbone
    tried: _Pairs = list(zip(_CODES, _QUERIES, strict=True))

    def part(name: str, model: nn.Module, output: str, features: Callable[[_Pairs], Features]) -> _Part:
        # Samples one at a time: padding is no text.
        samples = [features([one]) for one in spec.samples or tried]
        return _Part(name, model, output, (features(tried), features(tried[-1:])), samples)

    yield part(CODE_ENCODER, trained.code, "vectors", lambda x: backbone.codes([c for c, _ in x], spec.code_tokens))
    yield part(
        QUERY_ENCODER, trained.query, "vectors", lambda x: backbone.queries([q for _, q in x], spec.query_tokens)
    )
    if trained.scorer:
        assert isinstance(backbone, Pretrained)
        yield part(RERANKER, trained.scorer, "logits", lambda x: backbone.pairs(x, spec.pair_tokens))


def application_tokenizer(trained: Trained) -> Tokenizer | None:
    """The tokenizer with which the application can feed these models; None where they read more than tokens."""
    models = [m for m in (trained.code, trained.query, trained.scorer) if m]
    inputs = {name for model in models for name in model.input_names}  # type: ignore[union-attr]
    if isinstance(trained.backbone, TokenBackbone) and inputs <= _APPLICATION_INPUTS:
        return trained.backbone.tokenizer
    return None


def write_graphs(trained: Trained, spec: PackSpec, folder: Path, report: Report) -> Sequence[str]:
    """Writes the graphs and returns the variants that are folders of `folder` now.

    Where the application can feed the models, these are all of `VARIANTS`, each with tokenizer.json and still without
    a manifest; else float32 alone, which other programs can run. EnvironmentFault when a graph does not agree with
    torch.
    """
    tokenizer = application_tokenizer(trained)
    variants = VARIANTS if tokenizer else (FLOAT32,)
    for variant in variants:
        (folder / variant).mkdir(parents=True, exist_ok=True)
        for name in (MANIFEST, *_PARTS):
            (folder / variant / name).unlink(missing_ok=True)
        if tokenizer:
            tokenizer.save(str(folder / variant / TOKENIZER), pretty=False)
    if tokenizer and spec.weights:
        _write_weights(trained, [folder / variant for variant in variants])
    for part in _parts(trained, spec):
        targets = {variant: folder / variant / part.name for variant in variants}
        if part.name == QUERY_ENCODER and trained.query is trained.code:
            for target in targets.values():
                shutil.copyfile(target.with_name(CODE_ENCODER), target)
            report(f"{part.name}: the same as {CODE_ENCODER}")
            continue
        difference = _write(part, targets)
        sizes = ", ".join(f"{v} {path.stat().st_size / 1e6:.1f} MB" for v, path in targets.items())
        report(f"{part.name}: differs from torch by {difference:.1e}; {sizes}")
    return variants


def _write_weights(trained: Trained, folders: Sequence[Path]) -> None:
    with TemporaryDirectory() as scratch:
        trained.backbone.save(trained.code, Path(scratch))
        weights = {name: tensor.half() for name, tensor in read_weights(Path(scratch)).items()}
        for folder in folders:
            save_file(weights, folder / WEIGHTS)
            shutil.copyfile(Path(scratch) / CONFIG, folder / CONFIG)


def _write(part: _Part, targets: Mapping[str, Path]) -> float:
    with TemporaryDirectory(dir=targets[FLOAT32].parent) as scratch:
        plain = Path(scratch) / part.name
        difference = export_float32(part.model, plain, targets[FLOAT32], part.probes, output_name=part.output)
        if INT8 in targets:
            export_int8(plain, targets[INT8], part.probes, part.samples)
        if FLOAT16 in targets:
            export_float16(targets[FLOAT32], targets[FLOAT16], part.probes)
    return difference


def write_manifest(
    trained: Trained,
    spec: PackSpec,
    folder: Path,
    *,
    rerank_by_default: bool,
    figures: Mapping[str, Any],
    confidence: Mapping[Stage, ConfidenceCurve] | None = None,
) -> None:
    """Writes manifest.json over the files that stand in `folder`. UserError when the application would refuse them."""
    files = {name: _file(folder / name) for name in _PARTS if (folder / name).is_file()}
    rerank = {"candidates": spec.candidates, "recall_scale": spec.recall_scale, "default": rerank_by_default}
    manifest = {
        "format": FORMAT,
        "name": spec.name,
        "version": spec.version,
        "space_id": files[CODE_ENCODER]["sha256"],
        "dimension": trained.code.width,
        "max_query_tokens": spec.query_tokens,
        "max_code_tokens": spec.code_tokens,
        "max_pair_tokens": spec.pair_tokens,
        "text": {"query_prefix": "", "code_prefix": ""},
        "rerank": rerank if trained.scorer else None,
        "confidence": {stage.value: asdict(curve) for stage, curve in (confidence or {}).items()},
        "files": files,
        "licences": [dict(entry) for entry in spec.licences],
        "figures": dict(figures),
    }
    manifest["sha256"] = manifest_sha256(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    open_pack(folder).verify()


def _file(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def check_feeding(trained: Trained, spec: PackSpec, folder: Path) -> None:
    """UserError unless the application's own tokens and padding give the answers that the backbone's give.

    `folder` is the float32 pack of `trained`.
    """
    backbone = trained.backbone
    assert isinstance(backbone, TokenBackbone)
    models = Models(open_pack(folder), choose_device("cpu", 1))
    texts = [backbone.source_text(code) for code in _CODES]
    queries = [query_text(query) for query in _QUERIES]
    for part in _parts(trained, spec):
        if part.name == RERANKER:
            assert models.reranker
            pairs = zip(queries, texts, strict=True)
            found = np.concatenate([models.reranker.score(query, [text]) for query, text in pairs])
        else:
            found = (
                models.code_encoder.encode(texts) if part.name == CODE_ENCODER else models.query_encoder.encode(queries)
            )
        difference = float(np.abs(found - OnnxModel(folder / part.name)(part.probes[0])).max())
        if not difference <= PARITY_LIMIT:
            raise UserError(
                f"Models of the family {backbone.family} make no pack: the application feeds {part.name} otherwise"
                f" than the training did (the answers differ by {difference:.2g})",
                hint='Leave the section "export" out of the recipe.',
            )
