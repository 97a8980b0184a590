"""Puts 0.4.0's weights where a run of the recipe `default` looks for them: `python place.py RECIPE CORPUS WORK`.

The dual encoder is that of 0.3.0 with more of the checkpoint mixed in, made here from the one that stands there. The
scores on Algorithm 1's path are 0.3.0's, too: its students were trained then.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "default-0.3.0"))

import place as before

from spencer_models.backbones.checkpoint import write_weights
from spencer_models.pipeline import Run
from spencer_models.recipes import read_recipe

HERE = Path(__file__).parent
STAGES = json.loads((HERE / "stages.json").read_text(encoding="utf-8"))


def main(recipe: Path, corpus: Path, work: Path) -> None:
    run = Run(read_recipe(recipe), corpus, work, print)
    before.done(run.dual_stage.folder, before.STAGES["dual"])
    checkpoint = run.blended.encoder("code")
    dual = run.pretrained.encoder("code", before.HERE)
    # There it stands with a share of the checkpoint already.
    mixed = before.STAGES["blend"]["share"]
    towards(dual, checkpoint, -mixed / (1 - mixed))
    for side in ("code", "query"):
        run.backbone.save(dual, run.dual_stage.folder / side)
    towards(dual, checkpoint, STAGES["blend"]["share"])
    for side in ("code", "query"):
        run.backbone.save(dual, run.blend_folder / side)
    (run.blend_folder / "blend.json").write_text(json.dumps(STAGES["blend"]), encoding="utf-8")
    before.done(run.cross_stage.folder, STAGES["cross"])
    scorer = run.pretrained.scorer("late", run.blend_folder / "code", joint=2)
    own = {name: tensor.float() for name, tensor in load_file(HERE / "reranker.safetensors").items()}
    assert not scorer.load_state_dict(own, strict=False).unexpected_keys
    write_weights(scorer, run.cross_stage.folder)
    (run.cross_stage.folder / "recall_scale.json").write_text(json.dumps(STAGES["recall_scale"]), encoding="utf-8")
    # Where 0.3.0's student stood in its own run, this one's stands here.
    before.STAGES[before.FURTHER] = STAGES[before.FURTHER]
    before.HERE = HERE
    students = before.Placed(run)
    students.put_score(run.dual_folder / "query", before.STAGES["dual"]["score"])
    students.further(students.select()[0])


@torch.no_grad()
def towards(model: nn.Module, other: nn.Module, share: float) -> None:
    """Moves each weight of `model` by `share` of the way to that of `other`."""
    for own, others in zip(model.parameters(), other.parameters(), strict=True):
        own.lerp_(others, share)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
