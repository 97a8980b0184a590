"""How sure a pack may be that one of its first answers is right: a logistic curve over the best score.

Whether "nothing good found" can be said is measured: every held-out question is asked twice, of its pool and of the
pool without its answer, so that half of the questions have one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spencer_desktop.core.pack import ConfidenceCurve
from spencer_desktop.core.types import Floats
from spencer_models.evaluate import Answers
from spencer_models.plotting import COLOURS, QUIET, new_figure, style

_STEPS = 50
# Keeps the curve finite where no score is of both kinds.
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Observed:
    """The best score of each question, float32 [n], and whether one of the first K answers was right, bool [n]."""

    scores: Floats
    right: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bin:
    """Questions of like confidence: its mean, the share that was right, and how many they are."""

    confidence: float
    right: float
    n: int


def observed(answers: Sequence[Answers], k: int, *, reranked: bool) -> Observed:
    """What the first `k` answers to each question score at best, with and without its own code in the pool.

    The score is the cosine, or where it is `reranked`, recall scale · cosine + logit.
    """
    scores, right = [], []
    for asked in answers:
        found = asked.found
        values = found.cosines
        if reranked:
            assert asked.logits is not None
            values = np.float32(asked.recall_scale) * found.cosines + asked.logits
        own = found.top == np.arange(len(found.top))[:, None]
        # Without its own code the next one takes its place; the list is longer than K for that.
        without = np.where(own, -np.inf, values)
        kept = np.argsort(own, axis=1, kind="stable")[:, :k]
        scores += [values[:, :k].max(1), np.take_along_axis(without, kept, 1).max(1)]
        right += [own[:, :k].any(1), np.zeros(len(own), np.bool_)]
    return Observed(np.concatenate(scores).astype(np.float32), np.concatenate(right))


def fitted(seen: Observed) -> ConfidenceCurve:
    """The logistic curve of the greatest likelihood (Platt scaling), by Newton's method."""
    scores, right = seen.scores.astype(np.float64), seen.right.astype(np.float64)
    middle, width = scores.mean(), scores.std() or 1.0
    inputs = np.stack([(scores - middle) / width, np.ones_like(scores)], axis=1)
    weights = np.zeros(2)
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (likely - right) + _RIDGE * weights
        curvature = inputs.T @ (inputs * (likely * (1 - likely))[:, None]) + _RIDGE * np.eye(2)
        weights -= np.linalg.solve(curvature, gradient)
    slope = float(weights[0] / width)
    return ConfidenceCurve(slope, float(weights[1] - slope * middle))


def reliability(curve: ConfidenceCurve, seen: Observed, bins: int = 10) -> list[Bin]:
    """The questions in `bins` of equal width in confidence, those with none left out."""
    confidence = np.array([curve.at(float(score)) for score in seen.scores])
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    members = [place == i for i in range(bins)]
    return [Bin(float(confidence[m].mean()), float(seen.right[m].mean()), int(m.sum())) for m in members if m.any()]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean distance of confidence from the share that was right, by question."""
    total = sum(b.n for b in bins)
    return sum(b.n * abs(b.confidence - b.right) for b in bins) / total


def reliability_figure(by_name: dict[str, list[Bin]]) -> Figure:
    """Confidence against the share that was right; on the diagonal a pack is as sure as it is right."""
    figure = new_figure(4.6, 4.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0, linestyle="--")
    for colour, (name, bins) in zip(COLOURS, by_name.items(), strict=False):
        label = f"{name}: error {calibration_error(bins):.3f}, n = {sum(b.n for b in bins):,}"
        axes.plot([b.confidence for b in bins], [b.right for b in bins], color=colour, marker="o", label=label)
    style(axes, title="Reliability on held-out questions", x="Confidence", y="Share with a right answer")
    axes.legend(frameon=False, fontsize=8)
    return figure
