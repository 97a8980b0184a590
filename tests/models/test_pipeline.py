"""A whole run on a tiny base model, up to the trained re-ranker; what is finished is not done again."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from spencer_models.backbones.minilm import Encoder, save_bert
from spencer_models.card import render
from spencer_models.config import Recipe, read_recipe
from spencer_models.evaluate import valid_sets
from spencer_models.pipeline import Run
from tests.models.tiny import WORDS, tiny_bert, tiny_tokenizer

RECIPE = Path(__file__).parents[2] / "resources/recipes/v0.toml"


def _recipe() -> Recipe:
    recipe = read_recipe(RECIPE)
    packages = {"train": {"iniconfig": version("iniconfig")}, "valid": {"pluggy": version("pluggy")}}
    return replace(
        recipe,
        threads=1,
        precision="float32",
        corpus=replace(recipe.corpus, held_out_share=0.2, **packages),
        lengths=replace(recipe.lengths, query=16, code=32, pair=48),
        distill=replace(recipe.distill, layers=(0,), minutes=0.01, batch=8),
        rerank=replace(
            recipe.rerank,
            minutes=0.01,
            groups=2,
            negatives=3,
            max_tokens=48,
            depth=12,
            mix={"mined": 0.5, "asked": 0.5},
        ),
    )


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path]:
    """The folder of a base checkpoint, and a pair file."""
    base = tmp_path / "base"
    save_bert(tiny_bert(layers=1), base)
    tiny_tokenizer().save(str(base / "tokenizer.json"))
    pairs = tmp_path / "asked.jsonl"
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 4)) for _ in range(80)]
    codes = [" ".join([text, *random.choice(WORDS, 4)]) for text in texts]
    records = [{"query": t, "code": c, "lang": "python"} for t, c in zip(texts, codes, strict=True)]
    pairs.write_text("\n".join(json.dumps(r) for r in records), encoding="utf-8")
    return base, pairs


def test_each_step_is_done_once_and_follows_what_it_depends_on(tmp_path: Path, inputs: tuple[Path, Path]) -> None:
    base, pairs = inputs
    lines: list[str] = []

    def run(recipe: Recipe) -> Run:
        return Run(recipe, [pairs], [], tmp_path / "runs", lines.append, base)

    first = run(_recipe())
    trained = {k: v.clone() for k, v in first.reranker.state_dict().items()}
    assert any("distilling" in line for line in lines)
    assert first.student.bert.config.num_hidden_layers == 1
    assert first.student_figures()["questions"] > 10

    lines.clear()
    again = run(_recipe())
    for name, value in again.reranker.state_dict().items():
        assert torch.equal(value, trained[name])
    assert lines == []

    other = _recipe()
    other = replace(other, rerank=replace(other.rerank, recall_scale=7.0))
    changed = run(other)
    assert changed.student_folder == first.student_folder
    assert changed.reranker_folder != first.reranker_folder

    pairs.write_text(pairs.read_text() + "\n{broken\n")
    assert run(_recipe()).corpus_folder != first.corpus_folder


def test_held_out_questions_are_in_no_training_text(tmp_path: Path, inputs: tuple[Path, Path]) -> None:
    base, pairs = inputs
    run = Run(_recipe(), [pairs], [], tmp_path / "runs", print, base)
    sets = valid_sets(run.corpus, limit=5)
    assert {s.name for s in sets} == {"asked", "mined"}
    for valid in sets:
        assert len(valid.queries) <= 5 < len(valid.codes)
        assert not set(valid.queries) & set(run.questions.texts)
    assert isinstance(run.teacher, Encoder)


def test_the_card_names_every_source_its_licence_and_the_figures(tmp_path: Path, inputs: tuple[Path, Path]) -> None:
    base, pairs = inputs
    recipe = replace(_recipe(), licences={"asked": "CC BY 1.0"})
    run = Run(recipe, [pairs], [], tmp_path / "runs", print, base)
    _ = run.corpus
    figures = {
        "command": "spencer-models pack x",
        "mrr": {"asked": {"full": 0.5, "mix@10": 0.61239}},
        "questions": {"asked": 12},
        "distilled_on_texts": 1234,
        "student": {"mean_cosine": 0.9, "questions": 10},
        "int8_loss": 0.001,
    }
    card = render(recipe, run.corpus_summary(), figures, helps=False)
    assert "    spencer-models pack x\n" in card
    assert "| asked | 12 | 0.5000 | 0.6124 |" in card
    assert f"| iniconfig | {version('iniconfig')} | MIT | train |" in card
    assert "CC BY 1.0" in card
    assert "off by default" in card
