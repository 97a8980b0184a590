"""Recipes: TOML files, read and checked setting by setting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.pooling import POOLINGS
from spencer_models.backbones.scorer import HEADS
from spencer_models.config import (
    EQUATION_4,
    BackboneConfig,
    CrossConfig,
    DistillConfig,
    DualConfig,
    EvaluateConfig,
    MixConfig,
    Recipe,
    TrainingConfig,
)
from spencer_models.machine import PRECISIONS
from spencer_models.toml_config import from_toml, read_toml

OBJECTIVES = ("contrastive", "margin")
CONTRASTS = (*EQUATION_4, "search", "late")
TOGETHER = ("", "language", "source")
CROSS_LOSSES = ("pointwise", "listwise")
CROSS_DATA = ("labelled", "random", "groups")
QUERY_SOURCES = ("pairs", "all")
STUDENT_SCORES = ("recall", "mrr")


def read_recipe(path: Path, checkpoint: str = "") -> Recipe:
    """The recipe in a TOML file, which starts from another `checkpoint` where one is given.

    UserError naming what is missing, unknown, of the wrong type or out of range.
    """
    recipe = from_toml(Recipe, read_toml(path), path.name)
    for choice in _choices(recipe):
        if choice.value not in choice.known:
            known = ", ".join(filter(None, choice.known))
            raise UserError(f"{path.name}: {choice.name} is {choice.value!r}", hint=f"Known are {known}.")
    for bound in _bounds(recipe):
        if not bound.fits:
            raise UserError(f"{path.name}: {bound.name} is {json.dumps(bound.value)}; it must be {bound.rule}")
    return replace(recipe, backbone=replace(recipe.backbone, start=checkpoint)) if checkpoint else recipe


class Choice(NamedTuple):
    """A setting, its value, and the values that it may have."""

    name: str
    value: str
    known: tuple[str, ...]


class Bound(NamedTuple):
    """A setting, its value, whether it is within its bounds, and the bounds in words that follow "it must be"."""

    name: str
    value: object
    fits: bool
    rule: str


def _choices(recipe: Recipe) -> Iterator[Choice]:
    yield Choice("precision", recipe.precision, PRECISIONS)
    yield Choice("backbone.pooling", recipe.backbone.pooling, ("", *POOLINGS))
    yield Choice("dual.objective", recipe.dual.objective, OBJECTIVES)
    for number, contrast in enumerate(recipe.dual.contrasts):
        yield Choice(f"dual.contrasts[{number}]", contrast, CONTRASTS)
    yield Choice("mix.together", recipe.mix.together, TOGETHER)
    yield Choice("assistants.score", recipe.assistants.score, STUDENT_SCORES)
    if cross := recipe.cross:
        yield Choice("cross.head", cross.head, HEADS)
        yield Choice("cross.loss", cross.loss, CROSS_LOSSES)
        yield Choice("cross.data", cross.data, CROSS_DATA)
        yield Choice("cross.start", cross.start, ("checkpoint", "dual"))
    if recipe.distill:
        yield Choice("distill.queries", recipe.distill.queries, QUERY_SOURCES)


def _bounds(recipe: Recipe) -> Iterator[Bound]:
    yield from _dual_bounds(recipe.dual)
    yield from _mix_bounds(recipe.mix)
    if recipe.cross:
        yield from _cross_bounds(recipe.cross, recipe.backbone)
    if recipe.distill:
        yield from _distill_bounds(recipe.distill)
    yield Bound("assistants.removed", recipe.assistants.removed, recipe.assistants.removed > 0, "at least 1")
    yield from _evaluate_bounds(recipe.evaluate)
    if recipe.export:
        for name in ("code_tokens", "pair_tokens"):
            tokens = getattr(recipe.export, name)
            yield Bound(f"export.{name}", tokens, tokens >= 0, "at least 0")


def _dual_bounds(dual: DualConfig) -> Iterator[Bound]:
    yield Bound("dual.contrasts", dual.contrasts, len(dual.contrasts) > 0, "not empty")
    yield Bound("dual.temperature", dual.temperature, dual.temperature > 0, "above 0")
    yield Bound("dual.hard_epochs", dual.hard_epochs, dual.hard_epochs >= 0, "at least 0")
    yield Bound("dual.forgotten", dual.forgotten, 0 <= dual.forgotten <= 1, "from 0 to 1")
    fits = 0 < dual.hard_negatives <= dual.hard_depth
    yield Bound("dual.hard_negatives", dual.hard_negatives, fits, f"from 1 to dual.hard_depth, {dual.hard_depth}")
    yield from _training_bounds("dual.training", dual.training, may_be_none=True)


def _mix_bounds(mix: MixConfig) -> Iterator[Bound]:
    for source, times in mix.repeats.items():
        yield Bound(f"mix.repeats.{source}", times, times >= 0, "at least 0")
    yield Bound("mix.studied", mix.studied, mix.studied >= 0, "at least 0")


def _cross_bounds(cross: CrossConfig, backbone: BackboneConfig) -> Iterator[Bound]:
    fits = 0 < cross.negatives <= cross.depth
    yield Bound("cross.negatives", cross.negatives, fits, f"from 1 to cross.depth, {cross.depth}")
    fits = cross.head != "late" or (backbone.shared and backbone.pooling != "cls")
    yield Bound("cross.head", cross.head, fits, '"late" only with backbone.shared = true and mean pooling')
    fits = cross.joint == 0 or (cross.joint > 0 and cross.head == "late")
    yield Bound("cross.joint", cross.joint, fits, '0, or above with cross.head = "late"')
    least = cross.depth + 1
    yield Bound("cross.pool", cross.pool, cross.pool == 0 or cross.pool >= least, f"0, or at least {least}")
    yield Bound("cross.doubt", cross.doubt, 0 < cross.doubt <= 2, "above 0, at most 2")
    # A list needs its match at a known place.
    grouped = cross.data == "groups"
    fits = grouped or cross.loss == "pointwise"
    yield Bound("cross.loss", cross.loss, fits, '"pointwise", unless cross.data is "groups"')
    yield from _training_bounds("cross.training", cross.training)
    if cross.student:
        yield Bound("cross.data", cross.data, grouped, '"groups", for a student to learn from')
        more, layers = cross.joint + 1, cross.student.layers
        yield Bound("cross.student.layers", layers, layers >= more, f"at least {more}")
        yield from _training_bounds("cross.student.training", cross.student.training)


def _distill_bounds(distill: DistillConfig) -> Iterator[Bound]:
    yield Bound("distill.sizes", distill.sizes, all(size >= 0 for size in distill.sizes), "at least 0 each")
    second = distill.second_pass_dropout
    yield Bound("distill.second_pass_dropout", second, 0 < second < 1, "between 0 and 1")
    yield from _training_bounds("distill.training", distill.training)
    if distill.further:
        studied = distill.further.studied
        yield Bound("distill.further.studied", studied, studied >= 0, "at least 0")
        yield Bound("distill.further.codes", distill.further.codes, distill.further.codes >= 0, "at least 0")
        yield from _training_bounds("distill.further.training", distill.further.training)


def _evaluate_bounds(config: EvaluateConfig) -> Iterator[Bound]:
    most, pool = config.most_candidates, config.pool
    candidates = f"from 2 to evaluate.most_candidates, {most}"
    yield Bound("evaluate.pool", pool, pool > 1, "at least 2")
    yield Bound("evaluate.candidates", config.candidates, 1 < config.candidates <= most, candidates)
    yield Bound("evaluate.most_candidates", most, 1 < most <= pool, f"from 2 to evaluate.pool, {pool}")
    yield Bound("evaluate.cross_questions", config.cross_questions, config.cross_questions >= 0, "at least 0")
    yield Bound("evaluate.valid_questions", config.valid_questions, config.valid_questions > 0, "at least 1")
    yield Bound("evaluate.valid_reranked", config.valid_reranked, config.valid_reranked > 0, "at least 1")
    yield Bound("evaluate.timed_questions", config.timed_questions, config.timed_questions > 1, "at least 2")
    yield Bound("evaluate.timing_rounds", config.timing_rounds, config.timing_rounds > 0, "at least 1")


def _training_bounds(name: str, training: TrainingConfig, *, may_be_none: bool = False) -> Iterator[Bound]:
    enough, rule = (training.epochs >= 0, "at least 0") if may_be_none else (training.epochs > 0, "above 0")
    yield Bound(f"{name}.epochs", training.epochs, enough, rule)
    yield Bound(f"{name}.batch", training.batch, training.batch > 1, "at least 2")
    yield Bound(f"{name}.learning_rate", training.learning_rate, training.learning_rate > 0, "above 0")
    yield Bound(f"{name}.warmup", training.warmup, 0 < training.warmup < 1, "between 0 and 1")
    yield Bound(f"{name}.dropout", training.dropout, 0 <= training.dropout < 1, "at least 0 and below 1")
    yield Bound(f"{name}.accumulate", training.accumulate, training.accumulate > 0, "at least 1")
    yield Bound(f"{name}.micro_batch", training.micro_batch, training.micro_batch >= 0, "at least 0")
    yield Bound(f"{name}.validations", training.validations, training.validations > 0, "at least 1")
