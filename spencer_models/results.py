"""What a run found out, as frozen values: what `evaluate` measures, `results.json` keeps and `tables` renders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import UserError

RESULTS_NAME = "results.json"

# Ways of ranking, by the name that `Results.scores` has for them.
DUAL = "dual"
SPENCER_NO_DISTILL = "spencer_no_distill"
SPENCER = "spencer"
CROSS = "cross"
DUAL_FOR_CROSS = "dual_for_cross"
NO_DISTILL_RECALL = "spencer_no_distill_with_recall"
SPENCER_RECALL = "spencer_with_recall"
LOSSES = {"loss_single": "Single", "loss_dual": "Dual", "loss_spencer": "SPENCER", "loss_contra": "SPENCER+Contra"}
DIRECT_TRAIN = "direct_train"
DIRECT_DISTILL = "direct_distill"
ASSISTANTS = "assistants"


def layers_way(depth: int) -> str:
    """The way "recall by the query encoder directly distilled to `depth` layers" (Table 5)."""
    return f"layers_{depth}"


def layers_of(way: str) -> int:
    """The `depth` that `layers_way` made this way of; 0 for every other way."""
    name, _, depth = way.rpartition("_")
    return int(depth) if name == "layers" and depth.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one way of ranking one test set, averaged over its pools (paper, section 4.4 and 4.5).

    `n` questions in `pools` whole pools; `dropped` stood in an incomplete last pool and were not asked.
    """

    r1: float
    r3: float
    r5: float
    mrr: float
    n: int
    pools: int
    dropped: int

    @property
    def figures(self) -> tuple[float, float, float, float]:
        """R@1, R@3, R@5, MRR: the columns of the paper's tables."""
        return (self.r1, self.r3, self.r5, self.mrr)


@dataclass(frozen=True, slots=True)
class Timing:
    """What the query encoders cost for the same questions, timed in turn (Table 3).

    Seconds are those of `n` questions, the median of `rounds`; `p_value` is that of a paired two-sided t-test over the
    questions' times.
    """

    distilled_seconds: float
    original_seconds: float
    reduction: float
    p_value: float
    n: int
    rounds: int


@dataclass(frozen=True, slots=True)
class PathStep:
    """One distillation of Algorithm 1: a student of `layers` layers, its teacher's layers, its score, and the verdict.

    `role` is "first", "from A1" or "from A2"; `chosen` whether this pupil became A2; `kept` whether it was chosen and
    is within the threshold of the teacher. A score of minus infinity is that of a pupil for whose training there was no
    time: the other one is taken.
    """

    layers: int
    teacher_layers: int
    role: str
    score: float
    chosen: bool
    kept: bool


@dataclass(frozen=True, slots=True)
class AssistantPath:
    """The whole path of Algorithm 1: the full teacher, every step, and the layers of the student that was kept.

    `metric` names what all scores are: "R@5", "MRR".
    """

    metric: str
    teacher_layers: int
    teacher_score: float
    threshold: float
    removed_per_step: int
    steps: tuple[PathStep, ...]
    student_layers: int

    @property
    def lineage(self) -> tuple[int, ...]:
        """Layers of the teacher, of the assistants that taught in turn, and of the student that was kept."""
        taught_by = {step.layers: step.teacher_layers for step in self.steps if step.chosen}
        line = [self.student_layers]
        while line[-1] != self.teacher_layers:
            line.append(taught_by[line[-1]])
        return tuple(reversed(line))


@dataclass(frozen=True, slots=True)
class Results:
    """One run. Outer keys of `scores`, `candidates` and `timing` are test sets (a language: "python", "java").

    `scores`: set → way of ranking → Scores; DUAL_FOR_CROSS is recall for the questions that CROSS was asked, where
    those are not all. `candidates` (Figure 5): set → way (SPENCER or SPENCER_NO_DISTILL, and the two that carry the
    recall score) → K as text → Scores. `data` are counts, for the caption. `layers` is 0 for a backbone that has none
    to take away, `student_layers` where nothing was distilled.
    """

    recipe: str
    backbone: str
    layers: int
    student_layers: int
    command: str
    hardware: str
    data: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, Scores]]
    candidates: Mapping[str, Mapping[str, Mapping[str, Scores]]]
    timing: Mapping[str, Timing]
    path: AssistantPath | None

    @property
    def tested(self) -> set[str]:
        """The test sets that it has figures of."""
        return {*self.scores, *self.candidates, *self.timing}

    def rivals(self, other: Results) -> bool:
        """Whether both are of one backbone and one test set, so that one row of a table cannot hold them."""
        return self.backbone == other.backbone and not self.tested.isdisjoint(other.tested)


def write_results(results: Results, folder: Path) -> None:
    """Writes `results.json` to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(results), indent=1)
    (folder / RESULTS_NAME).write_text(text + "\n", encoding="utf-8")


def read_results(path: Path) -> Results:
    """The results in a file that `write_results` wrote. UserError when it is none."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Results(
            **{
                **raw,
                "scores": {s: _scores(ways) for s, ways in raw["scores"].items()},
                "candidates": {s: {w: _scores(ks) for w, ks in ways.items()} for s, ways in raw["candidates"].items()},
                "timing": {s: Timing(**t) for s, t in raw["timing"].items()},
                "path": _path(raw["path"]),
            }
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} holds no results of a run ({type(error).__name__}: {error})") from error


def _scores(raw: Mapping[str, Mapping[str, Any]]) -> dict[str, Scores]:
    return {name: Scores(**values) for name, values in raw.items()}


def _path(raw: Mapping[str, Any] | None) -> AssistantPath | None:
    if raw is None:
        return None
    return AssistantPath(**{**raw, "steps": tuple(PathStep(**step) for step in raw["steps"])})
