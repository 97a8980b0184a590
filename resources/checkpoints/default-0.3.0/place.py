"""Puts these weights where a run of the recipe `default` looks for them: `python place.py RECIPE CORPUS WORK`.

So `spencer-models reproduce`, `students`, `rerankers` go on from what was trained. Algorithm 1's last candidate was not
trained: it gets a score of minus infinity. Of the students on the path only the last one's weights are here.
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
from safetensors.torch import load_file

from spencer_models.backbones.checkpoint import write_weights
from spencer_models.config import fingerprint
from spencer_models.distill import Objective
from spencer_models.pipeline import Run
from spencer_models.recipes import read_recipe
from spencer_models.stage import Stage
from spencer_models.students import QueryModel, Students, _Lesson

HERE = Path(__file__).parent
STAGES = json.loads((HERE / "stages.json").read_text(encoding="utf-8"))
FURTHER = "student-1-further"
UNTRAINED = {
    "result": {"steps": 0, "seconds": 0.0, "loss": 0.0, "score": 0.0, "best_step": 0},
    "hardware": STAGES["dual"]["done"]["hardware"],
}


def main(recipe: Path, corpus: Path, work: Path) -> None:
    run = Run(read_recipe(recipe), corpus, work, print)
    done(run.dual_stage.folder, STAGES["dual"])
    dual = run.pretrained.encoder("code", HERE)
    for side in ("code", "query"):
        run.backbone.save(dual, run.blend_folder / side)
    shutil.copyfile(HERE / "origin.json", run.blend_folder / "code" / "origin.json")
    (run.blend_folder / "blend.json").write_text(json.dumps(STAGES["blend"]), encoding="utf-8")
    done(run.cross_stage.folder, STAGES["cross"])
    scorer = run.pretrained.scorer("late", HERE, joint=2)
    own = {name: tensor.float() for name, tensor in load_file(HERE / "reranker.safetensors").items()}
    assert not scorer.load_state_dict(own, strict=False).unexpected_keys
    write_weights(scorer, run.cross_stage.folder)
    (run.cross_stage.folder / "recall_scale.json").write_text(json.dumps(STAGES["recall_scale"]), encoding="utf-8")
    students = Placed(run)
    students.put_score(run.dual_folder / "query", STAGES["dual"]["score"])
    students.further(students.select()[0])


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
