"""The orders that the paper found between its ways of ranking: whether runs came out alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spencer_models.paper import BASELINES, Model, set_name
from spencer_models.results import DIRECT_DISTILL, DIRECT_TRAIN, DUAL, SPENCER, SPENCER_NO_DISTILL

RETENTION = 0.98
TIME_CUT = 0.70


@dataclass(frozen=True, slots=True)
class Check:
    """An order: `better` has a higher MRR than each of `worse`."""

    claim: str
    better: str
    worse: tuple[str, ...]


CHECKS = (
    Check("the pipeline stands above the dual encoder", SPENCER, (DUAL,)),
    Check("L_D stands above either of its parts", "loss_spencer", ("loss_single", "loss_dual")),
    Check("directly distilled stands above directly trained", DIRECT_DISTILL, (DIRECT_TRAIN,)),
)


def order_checks(models: Sequence[Model], sets: Sequence[str]) -> list[str]:
    """One line of Markdown for each model, test set and order: it holds or does not, and the two figures."""
    return [
        f"{model.label}, {set_name(name)}: {line}"
        for model in models
        if model.backbone not in BASELINES
        for name in sets
        if model.run(name)
        for line in (*(_order(check, model, name) for check in CHECKS), _retention(model, name))
    ]


def _order(check: Check, model: Model, test_set: str) -> str:
    better = model.scores(check.better, test_set)
    worse = [scores.mrr for way in check.worse if (scores := model.scores(way, test_set))]
    if better is None or len(worse) < len(check.worse):
        return f"{check.claim}: not measured"
    verdict = _verdict(better.mrr > max(worse))
    return f"{check.claim}: {verdict}, MRR {better.mrr:.4f} against {max(worse):.4f} (n = {better.n:,})"


def _retention(model: Model, test_set: str) -> str:
    claim = f"the pipeline keeps {RETENTION:.0%} of its MRR at a time cut of {TIME_CUT:.0%}"
    run = model.run(test_set)
    timing = run.timing.get(test_set) if run else None
    distilled, whole = model.scores(SPENCER, test_set), model.scores(SPENCER_NO_DISTILL, test_set)
    if timing is None or distilled is None or whole is None or whole.mrr == 0:
        return f"{claim}: not measured"
    kept = distilled.mrr / whole.mrr
    verdict = _verdict(kept >= RETENTION and timing.reduction >= TIME_CUT)
    return f"{claim}: {verdict}, {kept:.1%} (n = {distilled.n:,}) at a cut of {timing.reduction:.1%} (n = {timing.n:,})"


def _verdict(holds: bool) -> str:
    return "**holds**" if holds else "**does not hold**"
