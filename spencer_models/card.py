"""MODEL_CARD.md: what the models of a pack are, how they were made, what of, and how well they answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spencer_desktop.core.pack import UNLIKELY
from spencer_models.confidence import Reliability
from spencer_models.markdown import markdown_table
from spencer_models.origin import RunRecord
from spencer_models.packing import PackSpec
from spencer_models.results import AssistantPath

CARD = "MODEL_CARD.md"

Settings = Mapping[str, object]
"""Name of a setting → its value, in the order in which a reader wants them."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says that the pack itself does not.

    `base` names the checkpoint and its size in words, `pooling` included. `dual`, `distilled` and `reranker` are the
    settings of each training, empty where there was none: then the encoder is the checkpoint's as published, the query
    encoder the code encoder's twin, and there is no re-ranker. `path` is that of Algorithm 1, where it chose the
    student. `mrr`: set → way of ranking → MRR through the application's own inference; `questions`: set → how many.
    They are those of the variant `measured`, each set over one pool of at most `pool` codes. `reliability`: stage of an
    answer and kind of pool → how right its confidence was on the questions that the figures are of; `lengths`: tokens
    of the right code → (MRR of recall, questions); `spoken`: language of a question → the same. `corpus` is the summary
    of the corpus; `history` the packs that this one went on from, the oldest first; `weaknesses` are sentences.
    """

    command: str
    base: str
    student_layers: int
    dual: Settings
    distilled: Settings
    reranker: Settings
    path: AssistantPath | None
    mrr: Mapping[str, Mapping[str, float]]
    questions: Mapping[str, int]
    measured: str
    pool: int
    reliability: Mapping[str, Reliability]
    lengths: Mapping[str, tuple[float, int]]
    corpus: Mapping[str, Any]
    hardware: str
    hours: float
    history: Sequence[RunRecord]
    spoken: Mapping[str, tuple[float, int]]
    weaknesses: Sequence[str]


def render(
    spec: PackSpec,
    card: Card,
    means: Mapping[str, Mapping[str, float]],
    costs: Mapping[str, float],
    *,
    rerank_by_default: bool,
) -> str:
    """The card, in Markdown. `means` and `costs` are those of the variants (`Packed`)."""
    sections = [
        _introduction(spec, card, rerank_by_default=rerank_by_default),
        _variants(means, costs, spec.gate),
        _figures(card),
        _reliability(spec, card) if card.reliability else "",
        _path(card.path) if card.path else "",
        _data(card.corpus),
        _weaknesses(spec, card),
    ]
    return "\n".join(section for section in sections if section)


def _introduction(spec: PackSpec, card: Card, *, rerank_by_default: bool) -> str:
    lines = [
        f'# Model pack "{spec.name}" {spec.version}',
        "",
        "Local code search by the method of SPENCER (arXiv 2508.00546): a full code encoder, a query encoder distilled",
        f"from its twin{', and a cross-encoder that re-ranks' if card.reranker else ''}. Made by one command, which",
        "goes on if it was stopped:",
        "",
        f"    {card.command}",
        "",
        f"It took {card.hours:.1f} hours on {card.hardware}.",
        *_history(card.history),
        "",
        f"- `code_encoder.onnx`: {card.base}, {_trained('trained as a dual encoder', card.dual, 'as published')}.",
        f"- `query_encoder.onnx`: {_query_encoder(card)}.",
    ]
    if card.reranker:
        order = f"`{spec.recall_scale:g} · cosine + logit`" if spec.recall_scale else "the logit"
        default = "on" if rerank_by_default else "off"
        lines += [
            f"- `reranker.onnx`: {_trained('trained', card.reranker, '')}. The {spec.candidates} best answers are",
            f"  ordered by {order}. It is {default} by default.",
        ]
    return "\n".join([*lines, "- `tokenizer.json`: the checkpoint's vocabulary.", ""])


def _history(history: Sequence[RunRecord]) -> list[str]:
    if not history:
        return []
    lines = ["", "It went on from the weights of an earlier version, which was made by", ""]
    for made in history:
        lines += [f"    {made.command}", "", f"in {made.hours:.1f} hours on {made.hardware} (version {made.version})."]
    return lines


def _query_encoder(card: Card) -> str:
    if not card.distilled:
        return "the full query encoder, not distilled"
    choice = ", chosen by Algorithm 1 (see below)" if card.path else ""
    return f"{_layers(card.student_layers)}{choice}, {_trained('distilled', card.distilled, '')}"


def _trained(how: str, settings: Settings, untrained: str) -> str:
    if not settings:
        return untrained
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
    return f"{how} ({told})"


def _variants(means: Mapping[str, Mapping[str, float]], costs: Mapping[str, float], gate: float) -> str:
    ways = list(next(iter(means.values()), {}))
    rows = [
        [variant, *(f"{by_way[way]:.4f}" for way in ways), f"{costs[variant]:.4f}" if variant in costs else ""]
        for variant, by_way in means.items()
    ]
    return "\n".join(
        [
            "## Variants",
            "",
            "Mean reciprocal rank, averaged over the validation sets: int8 weights are for CPUs, float16 for GPUs. The",
            f"cost is the most that any way of ranking loses against float32; at most {gate:g} is allowed.",
            "",
            *markdown_table(["variant", *ways, "cost"], rows),
            "",
        ]
    )


def _figures(card: Card) -> str:
    ways = list(dict.fromkeys(way for by_way in card.mrr.values() for way in by_way))
    rows = [
        [name, f"{card.questions[name]:,}", *(f"{by_way[way]:.4f}" if way in by_way else "" for way in ways)]
        for name, by_way in card.mrr.items()
    ]
    return "\n".join(
        [
            "## Figures",
            "",
            f"Mean reciprocal rank of the {card.measured} pack on questions that no model was trained on, through the",
            f"application's own inference: each set's questions are asked of one pool of at most {card.pool:,}",
            'functions without their documentation; "cross@K" and "mix@K" re-rank the K best of "distilled".',
            "",
            *markdown_table(["set", "questions", *ways], rows),
            "",
        ]
    )


def _reliability(spec: PackSpec, card: Card) -> str:
    rows = [
        [name, f"{found.n:,}", f"{found.error:.3f}", f"{found.warned_wrong:.0%}", f"{found.warned_right:.0%}"]
        for name, found in card.reliability.items()
    ]
    return "\n".join(
        [
            "## Confidence",
            "",
            f"How likely one of the first {spec.candidates} answers is right, fitted on the validation sets with int8",
            "weights and checked on the questions above, each asked twice: of a pool with its code, and without it.",
            f"Warned of are those with a confidence below {UNLIKELY:g}.",
            "",
            *markdown_table(
                ["by, in pools of", "asked", "calibration error", "none right: warned", "one right: warned"], rows
            ),
            "",
        ]
    )


def _path(path: AssistantPath) -> str:
    rows = [
        [
            str(step.layers),
            f"{_layers(step.teacher_layers)} ({step.role})",
            "not trained" if math.isinf(step.score) else f"{step.score:.4f}",
            "kept" if step.kept else "chosen" if step.chosen else "",
        ]
        for step in path.steps
    ]
    return "\n".join(
        [
            "## How the query encoder was chosen",
            "",
            f"By Algorithm 1: {_layers(path.removed_per_step)} less at a time, as long as the validation set's",
            f"{path.metric} is within {path.threshold:g} of the full encoder's, which has",
            f"{_layers(path.teacher_layers)} and {path.teacher_score:.4f}.",
            f"Who taught whom, in layers: {' → '.join(map(str, path.lineage))}.",
            "",
            *markdown_table(["layers", "taught by", path.metric, ""], rows),
            "",
        ]
    )


def _data(corpus: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{count:,} {split}" for split, count in corpus["pairs"].items())
    rows = [
        [name, about["version"], about["licence"] or "as its owner states", about["split"], f"{about['kept']:,}"]
        for name, about in sorted(corpus["packages"].items())
    ]
    rows += [
        [
            name,
            "",
            about["licence"] or "as its owner states",
            ", ".join(f"{split} {count:,}" for split, count in about["split"].items()),
            f"{about['kept']:,}",
        ]
        for name, about in sorted(corpus["files"].items())
    ]
    return "\n".join(
        [
            "## Data",
            "",
            f"Pairs: {counts}; SHA-256 `{corpus['sha256']}`. The corpus is no part of the pack. Left out because their",
            f"question or code stands in a measuring set: {corpus['left_out_as_measuring_sets']:,}.",
            "",
            *markdown_table(["source", "version", "licence", "split", "pairs"], rows),
            "",
        ]
    )


def _weaknesses(spec: PackSpec, card: Card) -> str:
    reads = f"The models read the first {spec.code_tokens} tokens of a function and {spec.query_tokens} of a question"
    reads += f"; the re-ranker reads {spec.pair_tokens} of both." if card.reranker else "."
    rows = [[name, f"{mrr:.4f}", f"{n:,}"] for name, (mrr, n) in card.lengths.items()]
    return "\n".join(
        [
            "## Known weaknesses",
            "",
            *(f"- {sentence}" for sentence in (reads, *card.weaknesses)),
            "",
            "Recall by the length of the right function, over all the questions above:",
            "",
            *markdown_table(["tokens", "MRR", "questions"], rows),
            "",
            *_spoken(card.spoken),
        ]
    )


def _spoken(spoken: Mapping[str, tuple[float, int]]) -> list[str]:
    if not spoken:
        return []
    rows = [[language, f"{mrr:.4f}", f"{n:,}"] for language, (mrr, n) in spoken.items()]
    title = "The same questions in several languages, over the same functions:"
    return [title, "", *markdown_table(["language", "MRR of recall", "questions"], rows), ""]


def _layers(count: int) -> str:
    return f"{count} layer{'' if count == 1 else 's'}"
