"""How sure a pack may be that one of its first K answers is right: logistic regression on their scores.

Whether "nothing good found" can be said is measured: every held-out question is asked twice, of a pool with its answer
and of the same pool without it, so that half of the questions have one. The best score alone would not do: it rises
with the number of codes. How far it stands above the next ones hardly does, and pools of several sizes are fitted
together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spencer_desktop.core.pack import UNLIKELY, ConfidenceCurve
from spencer_desktop.core.types import Floats, Ids
from spencer_models.evaluate import Answers
from spencer_models.plotting import COLOURS, QUIET, new_figure, style

_STEPS = 50
# Keeps the curve finite where no score is of both kinds.
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Observed:
    """The first K scores of each question, float32 [n, k], best first, and whether one of the K was right, bool [n]."""

    scores: Floats
    right: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bin:
    """Questions of like confidence: its mean, the share that was right, and how many they are."""

    confidence: float
    right: float
    n: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """How right a confidence was: the questions in bins of it; of those without a right answer and of those with one,
    the share that was warned of (below `UNLIKELY`)."""

    bins: tuple[Bin, ...]
    warned_wrong: float
    warned_right: float

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of confidence from the share that was right, by question."""
        return sum(b.n * abs(b.confidence - b.right) for b in self.bins) / self.n

    @property
    def n(self) -> int:
        """Questions, each asked twice."""
        return sum(b.n for b in self.bins)


def recalled(answers: Sequence[Answers], k: int) -> dict[str, Observed]:
    """Pool → what recall scored, by cosine, in pools of three sizes: the right codes of one kind of question, all codes
    of that kind, and the codes of all kinds together. A pool that has no more than `k` codes is left out."""
    everything = np.concatenate([a.codes for a in answers])
    first = np.cumsum([0, *(len(a.codes) for a in answers)])
    few = [_asked(a.queries, a.codes[: len(a.queries)], 0, k) for a in answers if len(a.queries) > k]
    own = [_asked(a.queries, a.codes, 0, k) for a in answers if len(a.codes) > k]
    every = [_asked(a.queries, everything, int(start), k) for a, start in zip(answers, first, strict=False)]
    sizes = {"right codes": few, "one kind": own, "all kinds": every if len(everything) > k else []}
    return {name: _joined(parts) for name, parts in sizes.items() if parts}


def reranked(answers: Sequence[Answers], k: int) -> dict[str, Observed]:
    """As `recalled`, what re-ranking the first `k` codes scored, by recall scale · cosine + logit; in one pool each."""
    parts = []
    for asked in answers:
        if asked.logits is not None and asked.logits.shape[1] > k:
            found = asked.found.first(len(asked.logits))
            evidence = np.float32(asked.recall_scale) * found.cosines + asked.logits
            parts.append(_observed(evidence, found.top == np.arange(len(evidence))[:, None], k))
    return {"one kind": _joined(parts)} if parts else {}


def _asked(queries: Floats, codes: Floats, first: int, k: int) -> Observed:
    """Query i is answered by code `first` + i."""
    cosines = queries @ codes.T
    # One more than K: without its own code the next one takes its place.
    top: Ids = np.argsort(-cosines, axis=1, kind="stable")[:, : k + 1]
    own = top == first + np.arange(len(queries))[:, None]
    return _observed(np.take_along_axis(cosines, top, 1), own, k)


def _observed(scores: Floats, own: NDArray[np.bool_], k: int) -> Observed:
    """`scores` [n, > k] in the order of recall; `own` marks the right code. With it first, then without it."""
    others = np.take_along_axis(scores, np.argsort(own, axis=1, kind="stable"), 1)
    both = np.concatenate([scores[:, :k], others[:, :k]])
    right = np.concatenate([own[:, :k].any(1), np.zeros(len(own), np.bool_)])
    return Observed(-np.sort(-both, axis=1).astype(np.float32), right)


def _joined(parts: Sequence[Observed]) -> Observed:
    return Observed(np.concatenate([p.scores for p in parts]), np.concatenate([p.right for p in parts]))


def fitted(seen: Mapping[str, Observed]) -> ConfidenceCurve:
    """The logistic regression of greatest likelihood over all pools together, by Newton's method."""
    joined = _joined(list(seen.values()))
    scores, right = joined.scores.astype(np.float64), joined.right.astype(np.float64)
    features = np.stack([scores[:, 0], scores[:, 0] - scores[:, 1:].mean(1)], axis=1)
    middle, width = features.mean(0), features.std(0)
    width[width == 0] = 1.0
    inputs = np.column_stack([(features - middle) / width, np.ones(len(features))])
    weights = np.zeros(3)
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (likely - right) + _RIDGE * weights
        curvature = inputs.T @ (inputs * (likely * (1 - likely))[:, None]) + _RIDGE * np.eye(3)
        weights -= np.linalg.solve(curvature, gradient)
    slopes = weights[:2] / width
    return ConfidenceCurve(scores.shape[1], *map(float, (*slopes, weights[2] - slopes @ middle)))


def reliability(curve: ConfidenceCurve, seen: Observed, bins: int = 10) -> Reliability:
    """The questions in `bins` of equal width in confidence, those with none left out."""
    confidence = np.array([curve.at(row) or 0.0 for row in seen.scores.tolist()])
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    members = [place == i for i in range(bins)]
    kept = [Bin(float(confidence[m].mean()), float(seen.right[m].mean()), int(m.sum())) for m in members if m.any()]
    warned = confidence < UNLIKELY
    shares = [float(warned[kind].mean()) if kind.any() else 0.0 for kind in (~seen.right, seen.right)]
    return Reliability(tuple(kept), *shares)


def reliability_figure(by_name: Mapping[str, Reliability]) -> Figure:
    """Confidence against the share that was right; on the diagonal a pack is as sure as it is right."""
    figure = new_figure(4.6, 4.2)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0, linestyle="--")
    for colour, (name, found) in zip(COLOURS, by_name.items(), strict=False):
        label = f"{name}: error {found.error:.3f}"
        shares = [b.right for b in found.bins]
        axes.plot([b.confidence for b in found.bins], shares, color=colour, marker="o", markersize=4, label=label)
    style(axes, title="Reliability on held-out questions", x="Confidence", y="Share with a right answer")
    axes.legend(frameon=False, fontsize=8)
    return figure
