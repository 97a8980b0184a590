"""Puts 0.4.0's weights where a run of the recipe `default` looks for them: `python place.py RECIPE CORPUS WORK`.

So `spencer-models reproduce`, `students`, `rerankers` go on from what was trained. The dual encoder is that of 0.3.0
with more of the checkpoint mixed in, made here from the one that stands there. The scores on Algorithm 1's path are
0.3.0's, too; its last candidate was not trained and gets minus infinity, and of its students only the last one's
weights are here.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn

from spencer_models.backbones.checkpoint import write_weights
from spencer_models.config import fingerprint
from spencer_models.distill import Objective
from spencer_models.pipeline import Run
from spencer_models.recipes import read_recipe
from spencer_models.stage import Stage
from spencer_models.students import QueryModel, Students, _Lesson

HERE = Path(__file__).parent
BEFORE = HERE.parent / "default-0.3.0"
MIXED = json.loads((BEFORE / "stages.json").read_text(encoding="utf-8"))["blend"]["share"]
STAGES = {
    name: stage
    for folder in (BEFORE, HERE)
    for name, stage in json.loads((folder / "stages.json").read_text(encoding="utf-8")).items()
}
FURTHER = "student-1-further"
UNTRAINED = {
    "result": {"steps": 0, "seconds": 0.0, "loss": 0.0, "score": 0.0, "best_step": 0},
    "hardware": STAGES["dual"]["done"]["hardware"],
}


def main(recipe: Path, corpus: Path, work: Path) -> None:
    run = Run(read_recipe(recipe), corpus, work, print)
    done(run.dual_stage.folder, STAGES["dual"])
    dual, checkpoint = run.pretrained.encoder("code", BEFORE), run.blended.encoder("code")
    towards(dual, checkpoint, -MIXED / (1 - MIXED))
    save(run, dual, run.dual_stage.folder)
    towards(dual, checkpoint, STAGES["blend"]["share"])
    save(run, dual, run.blend_folder)
    (run.blend_folder / "blend.json").write_text(json.dumps(STAGES["blend"]), encoding="utf-8")
    done(run.cross_stage.folder, STAGES["cross"])
    scorer = run.pretrained.scorer("late", run.blend_folder / "code", joint=2)
    own = {name: tensor.float() for name, tensor in load_file(HERE / "reranker.safetensors").items()}
    assert not scorer.load_state_dict(own, strict=False).unexpected_keys
    write_weights(scorer, run.cross_stage.folder)
    (run.cross_stage.folder / "recall_scale.json").write_text(json.dumps(STAGES["recall_scale"]), encoding="utf-8")
    students = Placed(run)
    students.put_score(run.dual_folder / "query", STAGES["dual"]["score"])
    students.further(students.select()[0])


@torch.no_grad()
def towards(model: nn.Module, other: nn.Module, share: float) -> None:
    """Moves each weight of `model` by `share` of the way to that of `other`."""
    for own, others in zip(model.parameters(), other.parameters(), strict=True):
        own.lerp_(others, share)


def save(run: Run, dual: nn.Module, folder: Path) -> None:
    """One encoder serves both sides."""
    for side in ("code", "query"):
        run.backbone.save(dual, folder / side)


def done(folder: Path, stage: Mapping[str, Any]) -> None:
    """Marks a training as done, with its course."""
    folder.mkdir(parents=True, exist_ok=True)
    metrics = "".join(json.dumps(line) + "\n" for line in stage.get("metrics", ()))
    (folder / "metrics.jsonl").write_text(metrics, encoding="utf-8")
    (folder / "done.json").write_text(json.dumps(stage["done"]) + "\n", encoding="utf-8")


class Placed(Students):
    """Students that are put in their places in the order in which Algorithm 1 asks for them."""

    def _train(
        self, start: QueryModel, removed: int, teacher: QueryModel, objective: Objective, lesson: _Lesson
    ) -> QueryModel:
        run, depth = self._run, start.depth - removed
        parts = (run.students_fingerprint, start.name, removed, teacher.name, objective, lesson.training)
        name = fingerprint(*parts, *lesson.parts)
        stage = Stage(run.work / f"student-{depth}-{objective}-{name}")
        # "5" has one teacher; of the others "a" was taught by the assistant and "e" by the elder.
        taught = "" if depth == 5 else "a" if teacher == start else "e"
        key = FURTHER if lesson.parts[0] == "further" else f"student-{depth}{taught}"
        found = STAGES.get(key, {"done": UNTRAINED, "score": -np.inf})
        done(stage.folder, found)
        if key == FURTHER:
            with tempfile.TemporaryDirectory() as scratch:
                shutil.copyfile(HERE / "student.json", Path(scratch, "config.json"))
                shutil.copyfile(HERE / "student.safetensors", Path(scratch, "model.safetensors"))
                run.pretrained.save(run.pretrained.encoder("query", Path(scratch)), stage.folder)
        else:
            self.put_score(stage.folder, found["score"])
        return QueryModel(stage.folder, depth, name)

    def put_score(self, folder: Path, score: float) -> None:
        path = folder / f"score-{self._metric}-{self._run.recipe.evaluate.pool}.npy"
        np.save(path, np.array(score, np.float32))

    def load(self, model: QueryModel) -> Any:
        """Nothing: every score is there already."""


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
