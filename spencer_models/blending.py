"""Back from what training forgets: part of a public checkpoint's weights mixed into the trained ones.

Not in the paper: WiSE-FT (Wortsman et al., arXiv 2109.01903). A model trained on the documentation of packages finds
functions by documentation better and loses some of what its checkpoint knew of questions as people ask them; of the
straight line between the two, a stretch has most of both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spencer_desktop.core.errors import UserError

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""How much of the checkpoint may be mixed in."""

Scores = Mapping[str, float]
"""Kind of question → how well it is answered."""


@dataclass(frozen=True, slots=True)
class Blend:
    """The chosen share; what the checkpoint scores, and what each share that was tried, as text, does."""

    share: float
    checkpoint: Scores
    tried: Mapping[str, Scores]


@torch.no_grad()
def blend(
    model: nn.Module,
    checkpoint: nn.Module,
    score: Callable[[], Scores],
    allowed: float,
    asked: Collection[str] = (),
) -> Blend:
    """Mixes into `model` the smallest share with which no kind of question loses more than `allowed` against
    `checkpoint`, a model of the same shape; where none is enough, the one whose worst kind loses least.

    With `asked`, sources of questions, all shares are tried, and of those that lose little enough the one is taken with
    which these kinds, "SOURCE, LANGUAGE", do best. `score` tells how good `model` is with the weights that it has at
    that moment. UserError when a source has no kind.
    """
    trained = _copied(model)
    before = _copied(checkpoint)
    _mix(model, trained, before, 1.0)
    at_checkpoint = score()
    kinds = _kinds_of(asked, at_checkpoint)
    tried: dict[float, Scores] = {}
    for share in SHARES:
        _mix(model, trained, before, share)
        tried[share] = score()
        if not kinds and _loss(tried[share], at_checkpoint) <= allowed:
            break
    least = min(max(allowed, _loss(scores, at_checkpoint)) for scores in tried.values())
    fit = [share for share, scores in tried.items() if _loss(scores, at_checkpoint) <= least]
    chosen = max(fit, key=lambda share: sum(tried[share][kind] for kind in kinds))
    _mix(model, trained, before, chosen)
    return Blend(chosen, at_checkpoint, {f"{share:g}": scores for share, scores in tried.items()})


def _kinds_of(sources: Collection[str], scores: Scores) -> list[str]:
    found = {kind: kind.rpartition(", ")[0] for kind in scores}
    for source in sources:
        if source not in found.values():
            raise UserError(
                f"dual.asked names {source!r}, of which there are no validation questions",
                hint=f"There are those of {', '.join(sorted(set(found.values())))}.",
            )
    return [kind for kind, source in found.items() if source in sources]


def _loss(scores: Scores, reference: Scores) -> float:
    """By how much the kind that lost most is worse."""
    return max(reference[kind] - value for kind, value in scores.items())


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _mix(model: nn.Module, trained: Mapping[str, Tensor], before: Mapping[str, Tensor], share: float) -> None:
    mixed = {
        name: torch.lerp(value, before[name].to(value.device), share) if value.is_floating_point() else value
        for name, value in trained.items()
    }
    model.load_state_dict(mixed)
