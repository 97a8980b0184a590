"""Self-adaptive teaching-assistant selection (paper, section 3.3, Algorithm 1).

The listing speaks of the code encoder; section 3.2 and all tables distil the query encoder, and so does this: the code
encoder stays fixed and serves validation. As in the listing, the first student is kept even when its drop is above the
threshold; the path says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, TypeVar

from spencer_models.results import AssistantPath, PathStep

M = TypeVar("M")


class Distiller(Protocol[M]):
    """Makes and judges the models of the path; a pupil that was made before is handed out again (resume)."""

    def depth(self, model: M) -> int:
        """Layers of a model."""

    def score(self, model: M) -> float:
        """Validation of a query encoder with the fixed code encoder; higher is better."""

    def pupil(self, start: M, removed: int, teacher: M) -> M:
        """ModelDistillation: `start` without `removed` of its layers, then taught by `teacher`."""

    def record(self, path: AssistantPath) -> None:
        """Called after every step with the path so far."""


def select_assistants(
    teacher: M, distiller: Distiller[M], *, metric: str, removed: int, threshold: float
) -> tuple[M, AssistantPath]:
    """The student that Algorithm 1 keeps, and the whole path.

    `metric` names the distiller's score. `removed` is P, in layers; `threshold` is T, a difference of scores. The loop
    ends when the drop reaches T or no `removed` layers are left to take. Of two equally good pupils that of the
    assistant is taken, as in the listing. ValueError when `removed` is not between 1 and the teacher's layers.
    """
    if not 0 < removed < distiller.depth(teacher):
        raise ValueError(f"{removed} layers cannot be taken from a teacher of {distiller.depth(teacher)}")
    full = distiller.score(teacher)
    first = distiller.pupil(teacher, removed, teacher)
    score = distiller.score(first)
    near = full - score < threshold
    step = PathStep(distiller.depth(first), distiller.depth(teacher), "first", score, chosen=True, kept=near)
    path = AssistantPath(metric, distiller.depth(teacher), full, threshold, removed, (step,), step.layers)
    distiller.record(path)
    student, elder, assistant = first, teacher, first
    while full - score < threshold and distiller.depth(assistant) > removed:
        by_elder = distiller.pupil(assistant, removed, elder)
        by_assistant = distiller.pupil(assistant, removed, assistant)
        scores = distiller.score(by_elder), distiller.score(by_assistant)
        elder_wins = scores[0] > scores[1]
        score = max(scores)
        near = full - score < threshold
        steps = (
            PathStep(
                distiller.depth(by_elder), distiller.depth(elder), "from A1", scores[0], elder_wins, elder_wins and near
            ),
            PathStep(
                distiller.depth(by_assistant),
                distiller.depth(assistant),
                "from A2",
                scores[1],
                not elder_wins,
                not elder_wins and near,
            ),
        )
        # The teacher of the worse pupil is replaced: the assistant by the new pupil, or the elder by the assistant.
        elder, assistant = (elder, by_elder) if elder_wins else (assistant, by_assistant)
        student = assistant if near else student
        path = replace(path, steps=path.steps + steps, student_layers=distiller.depth(student))
        distiller.record(path)
    return student, path
