"""MODEL_CARD.md, rendered from the manifest and the corpus summary of a pack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spencer_models.config import Recipe
from spencer_models.evaluate import POOL

CARD = "MODEL_CARD.md"

_INTRO = """# Model pack "{name}" {version}

Local code search by the method of SPENCER (arXiv 2508.00546): a full code encoder, a query encoder distilled from
it, and a cross-encoder that re-ranks. Made by one command, which can be stopped and started again:

    {command}

- `code_encoder.onnx`: all-MiniLM-L6-v2 as published (6 layers, 384 wide, mean pooling), int8 weights.
- `query_encoder.onnx`: {depth} layers, started from the teacher's layers {layers} (counted from 0) and distilled on
  {texts:,} texts by L_QD + L_DD (Eq. 6 to 8), int8 weights.
- `reranker.onnx`: 6 layers started from the same weights; head "{head}", {loss} loss over one answer and
  {negatives} others, int8 weights.
- `tokenizer.json`: the base model's, unchanged.

The re-ranker is a residual: candidates are ordered by `{scale:g} · cosine + logit`, as in its training. It is
{verdict}.
"""

_RESULTS = """
## Figures

Mean reciprocal rank on held-out questions: those of whole packages ("mined"), and {share:.0%} of the questions of each
file, over pools of at most {pool} functions. No model was trained on them; the code stands without its documentation.
Measured by the command above through the application's own inference. "full" and "distilled" are recall with either
query encoder, "cross@K" the order by the re-ranker alone, "mix@K" the order as shipped.

{table}

int8 weights cost at most {int8_loss:.4f} of the mean MRR. The mean cosine of the student with its teacher is
{cosine:.4f} on {cosine_n:,} held-out questions.
"""

_DATA = """
## Data

{train:,} pairs for training, {valid:,} for validation; corpus SHA-256 `{sha256}`. Pairs whose normalised
question or code stands in a measuring set were left out ({leaked}). The corpus is no part of the pack.

| source | version | licence | split | pairs |
|---|---|---|---|---|
{sources}

## Known weaknesses

Trained on Python and a little Java, C#, SQL and shell; for other languages it relies on what the base model knows. A
model reads the first {code} tokens of a function. Questions in other languages than English were not measured.
"""


def render(recipe: Recipe, summary: Mapping[str, Any], figures: Mapping[str, Any], *, helps: bool) -> str:
    """The card, in Markdown. `summary` is that of the corpus, `figures` are those of the manifest."""
    intro = _INTRO.format(
        name="default",
        version=recipe.version,
        command=figures["command"],
        depth=len(recipe.distill.layers),
        layers=", ".join(map(str, recipe.distill.layers)),
        texts=figures["distilled_on_texts"],
        head=recipe.rerank.head,
        loss=recipe.rerank.loss,
        negatives=recipe.rerank.negatives,
        scale=recipe.rerank.recall_scale,
        verdict="on by default: the mix beats recall on the held-out sets below"
        if helps
        else "off by default: the mix does not beat recall on all of the held-out sets below",
    )
    results = _RESULTS.format(
        share=recipe.corpus.held_out_share,
        pool=POOL,
        table=_table(figures),
        int8_loss=figures["int8_loss"],
        cosine=figures["student"]["mean_cosine"],
        cosine_n=figures["student"]["questions"],
    )
    data = _DATA.format(
        train=summary["pairs"]["train"],
        valid=summary["pairs"]["valid"],
        sha256=summary["sha256"],
        leaked=summary["left_out_as_measuring_sets"],
        sources="\n".join(_sources(summary, recipe.licences)),
        code=recipe.lengths.code,
    )
    return intro + results + data


def _table(figures: Mapping[str, Any]) -> str:
    ways = list(next(iter(figures["mrr"].values())))
    lines = ["| set | n | " + " | ".join(ways) + " |", "|---" * (len(ways) + 2) + "|"]
    for name, by_way in figures["mrr"].items():
        values = " | ".join(f"{by_way[way]:.4f}" for way in ways)
        lines.append(f"| {name} | {figures['questions'][name]} | {values} |")
    return "\n".join(lines)


def _sources(summary: Mapping[str, Any], licences: Mapping[str, str]) -> list[str]:
    rows = [
        f"| {name} | {p['version']} | {p['licence']} | {p['split']} | {p['kept']:,} |"
        for name, p in sorted(summary["packages"].items())
    ]
    for name, file in sorted(summary["files"].items()):
        split = ", ".join(f"{k} {v:,}" for k, v in file["split"].items())
        rows.append(f"| {name} | | {licences.get(name, 'as its owner states')} | {split} | {file['kept']:,} |")
    return rows
