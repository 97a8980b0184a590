"""Trained models → packs: exported, quantised, gated on what that costs, described."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import EnvironmentFault, UserError
from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import MANIFEST, ConfidenceCurve, open_pack
from spencer_desktop.core.types import Stage
from spencer_models.card import CARD, Card, render
from spencer_models.data.corpus import TEST, read_corpus
from spencer_models.evaluate import evaluate, question_sets, table, translated_sets
from spencer_models.origin import RunRecord
from spencer_models.packing import FLOAT32, VARIANTS, PackSpec, Trained, check_feeding, write_graphs, write_manifest
from spencer_models.progress import Report

Means = Mapping[str, float]
"""Way of ranking → mean MRR over the validation sets."""


@dataclass(frozen=True, slots=True)
class Packed:
    """The packs that were made: variant → what `measure` found; variant → what it costs. Empty where none could be."""

    means: Mapping[str, Means]
    costs: Mapping[str, float]


def gated(plain: Means, variant: Means, gate: float) -> float:
    """The most that any way of ranking loses of its mean MRR. EnvironmentFault when it is more than `gate`."""
    cost = max(plain[way] - variant[way] for way in plain)
    if not cost <= gate:
        raise EnvironmentFault(
            f"It costs {cost:.4f} of the mean MRR (allowed: {gate})",
            hint="Use the float32 pack, or allow more as export.gate in the recipe.",
        )
    return cost


def make_pack(
    trained: Trained, spec: PackSpec, measure: Callable[[Path], Means], folder: Path, report: Report
) -> Packed:
    """Writes the packs float32/, int8/ and float16/ to `folder`, each with a manifest that has no figures yet.

    Models that the application cannot feed are exported in float32 and make no pack. EnvironmentFault when a graph
    does not agree with torch, and as `gated_packs`.
    """
    if write_graphs(trained, spec, folder, report) == VARIANTS:
        return gated_packs(trained, spec, measure, folder, report)
    report(
        f"{folder / FLOAT32} holds graphs but no pack: the application feeds tokens alone, and models of the family "
        f"{trained.backbone.family} read more"
    )
    return Packed({}, {})


def gated_packs(
    trained: Trained, spec: PackSpec, measure: Callable[[Path], Means], folder: Path, report: Report
) -> Packed:
    """Makes packs of the graphs that stand in `folder`.

    `measure` ranks the validation sets with the pack in a folder. EnvironmentFault when a variant is above the gate: it
    is left without a manifest, and so is no pack.
    """
    means: dict[str, Means] = {}
    for variant in VARIANTS:
        write_manifest(trained, spec, folder / variant, rerank_by_default=False, figures={})
        if variant == FLOAT32:
            check_feeding(trained, spec, folder / variant)
        means[variant] = measure(folder / variant)
        report(f"{variant}: mean MRR " + ", ".join(f"{way} {value:.4f}" for way, value in means[variant].items()))
    costs = {}
    for variant in VARIANTS[1:]:
        try:
            costs[variant] = gated(means[FLOAT32], means[variant], spec.gate)
        except EnvironmentFault as fault:
            (folder / variant / MANIFEST).unlink()
            raise EnvironmentFault(f"{folder / variant} is no pack. {fault}", hint=fault.hint) from fault
    return Packed(means, costs)


def describe(
    trained: Trained,
    spec: PackSpec,
    packed: Packed,
    folder: Path,
    *,
    rerank_by_default: bool,
    card: Card,
    confidence: Mapping[Stage, ConfidenceCurve],
) -> None:
    """Writes the final manifests and MODEL_CARD.md of the packs that `make_pack` wrote to `folder`."""
    own = RunRecord(spec.version, card.command, card.hours, card.hardware)
    figures: dict[str, Any] = {
        "command": card.command,
        "mrr": {name: dict(ways) for name, ways in card.mrr.items()},
        "questions": dict(card.questions),
        "validation_mrr": {variant: dict(ways) for variant, ways in packed.means.items()},
        "cost": {variant: round(cost, 4) for variant, cost in packed.costs.items()},
        "corpus_sha256": card.corpus["sha256"],
        "history": [*map(asdict, card.history), asdict(own)],
    }
    text = render(spec, card, packed.means, packed.costs, rerank_by_default=rerank_by_default)
    for variant in packed.means:
        write_manifest(
            trained,
            spec,
            folder / variant,
            rerank_by_default=rerank_by_default,
            figures=figures,
            confidence=confidence,
        )
        (folder / variant / CARD).write_text(text, encoding="utf-8")


def measure_pack(pack: Path, corpus: Path, questions: int, translations: Path | None = None) -> str:
    """The scores of any pack on at most so many questions of each kind of a corpus's test split, as a table.

    `translations` is a JSON list of objects, language code → the question, of which "en" is as it stands in the corpus:
    with it these are asked instead, by language.
    """
    read = read_corpus(corpus)
    if translations:
        sets = translated_sets(read, read_translations(translations))
        if not sets:
            raise UserError(f"None of the questions in {translations} is in the corpus's test split")
    else:
        sets = question_sets(read, TEST, questions)
    if not sets:
        raise UserError(f"The corpus at {corpus} has no test split", hint="Prepare it with --test, naming a package.")
    return table(evaluate(Models(open_pack(pack), choose_device("auto", 0)), sets))


def read_translations(path: Path) -> list[dict[str, str]]:
    """As `measure_pack` takes them. UserError when the file holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        languages = {frozenset(entry) for entry in found}
        if len(languages) != 1 or "en" not in next(iter(languages)):
            raise ValueError('every question needs the same languages, "en" among them')
        if not all(isinstance(text, str) for entry in found for text in entry.values()):
            raise ValueError("every question must be a text")
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} holds no translations ({error})") from error
    return list(found)
