"""Small results of made-up runs, for the tests of what is rendered and drawn from results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from spencer_models.results import (
    ASSISTANTS,
    CROSS,
    DIRECT_DISTILL,
    DIRECT_TRAIN,
    DUAL,
    SPENCER,
    SPENCER_NO_DISTILL,
    AssistantPath,
    PathStep,
    Results,
    Scores,
    Timing,
    layers_way,
)

MRRS = {
    DUAL: 0.50,
    SPENCER_NO_DISTILL: 0.60,
    SPENCER: 0.594,
    CROSS: 0.61,
    "loss_single": 0.47,
    "loss_dual": 0.46,
    "loss_spencer": 0.48,
    "loss_contra": 0.465,
    DIRECT_TRAIN: 0.40,
    DIRECT_DISTILL: 0.45,
    ASSISTANTS: 0.455,
    layers_way(4): 0.49,
    layers_way(2): 0.44,
}

TIMING = Timing(distilled_seconds=3.25, original_seconds=13.0, reduction=0.75, p_value=1e-9, n=2123, rounds=5)

# Six layers, two less each time: the fresh pupil of A2 is better than that of A1, then that of A1, which fails.
PATH = AssistantPath(
    metric="R@5",
    teacher_layers=6,
    teacher_score=0.500,
    threshold=0.01,
    removed_per_step=2,
    steps=(
        PathStep(4, 6, "first", 0.498, chosen=True, kept=True),
        PathStep(2, 6, "from A1", 0.4925, chosen=False, kept=False),
        PathStep(2, 4, "from A2", 0.4951, chosen=True, kept=True),
        PathStep(1, 4, "from A1", 0.4811, chosen=True, kept=False),
        PathStep(1, 2, "from A2", 0.4711, chosen=False, kept=False),
    ),
    student_layers=2,
)


def scores(mrr: float, n: int = 2000) -> Scores:
    return Scores(mrr - 0.1, mrr + 0.1, mrr + 0.2, mrr, n=n, pools=n // 1000, dropped=123)


def run(
    backbone: str = "minilm",
    recipe: str = "minilm-small",
    test_set: str = "python",
    layers: int = 6,
    mrrs: Mapping[str, float] = MRRS,
) -> Results:
    candidates = {
        way: {str(k): scores(mrr - 0.1 / k) for k in (10, 2, 5)}
        for way, mrr in mrrs.items()
        if way in (SPENCER, SPENCER_NO_DISTILL)
    }
    return Results(
        recipe=recipe,
        backbone=backbone,
        layers=layers,
        student_layers=2,
        command=f"spencer-models reproduce {recipe}",
        hardware="2 CPU cores",
        data={test_set: {"train": 41217, "test": 2123}, "corpus": "abc123"},
        scores={test_set: {way: scores(mrr) for way, mrr in mrrs.items()}},
        candidates={test_set: candidates},
        timing={test_set: TIMING},
        path=PATH,
    )


def merged(first: Results, second: Results) -> Results:
    """One run that was tested on the sets of both."""
    return replace(
        first,
        scores={**first.scores, **second.scores},
        candidates={**first.candidates, **second.candidates},
        timing={**first.timing, **second.timing},
    )
