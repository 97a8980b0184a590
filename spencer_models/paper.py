"""The figures that the paper printed (arXiv 2508.00546), and the models of its tables: runs beside what is expected.

The transcription keeps what is printed, contradictions included: ten printed changes do not follow from the figures
next to them, and SPENCER with UniXcoder on Java has another R@5 in Table 2 than its query encoder in Tables 4 to 6.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.resources import resource_dir
from spencer_models.results import DUAL, Results, Scores, layers_way

Figures = tuple[float, float, float, float]
"""R@1, R@3, R@5, MRR."""

METRICS = ("R@1", "R@3", "R@5", "MRR")

# In the order of the paper's rows; a backbone that the paper does not have stands behind them under its own name.
MODEL_NAMES = {
    "codenn": "CODEnn",
    "cradle": "CRaDLe",
    "codebert": "CodeBERT",
    "graphcodebert": "GraphCodeBERT",
    "codet5": "CodeT5",
    "unixcoder": "UniXcoder",
    "sptcode": "SPTCode",
    "minilm": "MiniLM",
}
BASELINES = ("codenn", "cradle")
"""Have one row: what is not pre-trained is neither distilled nor turned into a cross-encoder."""

PAPER_SETS = ("python", "java")
SET_NAMES = {
    "python": "Python",
    "java": "Java",
    "javascript": "JavaScript",
    "typescript": "TypeScript",
    "go": "Go",
    "rust": "Rust",
    "csharp": "C#",
    "php": "PHP",
    "ruby": "Ruby",
}


@dataclass(frozen=True, slots=True)
class ExpectedTiming:
    """A row of Table 3 as printed: seconds, per cent, and a bound such as "<0.0001"."""

    distilled_seconds: float
    original_seconds: float
    reduction_percent: float
    p_value: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What the paper printed. `scores` and `changes`: number of the table → backbone → way → test set → four numbers.

    `changes` are per cent of the backbone's first row, which has none. Ways are named as in `Results.scores`; the sizes
    of Table 5 are all `layers_…`, the full one too. `timing`: backbone → test set → row of Table 3.
    """

    scores: Mapping[int, Mapping[str, Mapping[str, Mapping[str, Figures]]]]
    changes: Mapping[int, Mapping[str, Mapping[str, Mapping[str, Figures]]]]
    timing: Mapping[str, Mapping[str, ExpectedTiming]]


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the tables: its runs, no two of which have a test set in common, and what the paper has of it."""

    backbone: str
    label: str
    runs: tuple[Results, ...]
    expected: Expected

    def run(self, test_set: str) -> Results | None:
        """The run that was tested on this set."""
        return next((run for run in self.runs if test_set in run.tested), None)

    def scores(self, way: str, test_set: str) -> Scores | None:
        """Obtained scores; the way "all layers" is the dual encoder as trained."""
        run = self.run(test_set)
        if run is None:
            return None
        return run.scores.get(test_set, {}).get(DUAL if way == layers_way(run.layers) else way)

    def printed(self, table: int, way: str, test_set: str) -> Figures | None:
        """The paper's figures."""
        return self.expected.scores[table].get(self.backbone, {}).get(way, {}).get(test_set)

    def ways(self, table: int) -> set[str]:
        """Every way that a run has or that the paper has in this table."""
        obtained = {way for run in self.runs for ways in run.scores.values() for way in ways}
        sizes = {layers_way(run.layers) for run in self.runs if any(DUAL in ways for ways in run.scores.values())}
        return obtained | sizes | set(self.expected.scores[table].get(self.backbone, {}))


def read_expected(path: Path | None = None) -> Expected:
    """The transcription of Tables 2 to 6 that comes with the program, or another of the same form."""
    path = path or resource_dir() / "paper" / "expected.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        timing = {
            backbone: {test_set: ExpectedTiming(**row) for test_set, row in rows.items()}
            for backbone, rows in raw["timing"].items()
        }
        return Expected(_figures(raw["scores"]), _figures(raw["changes"]), timing)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} holds no expected figures ({type(error).__name__}: {error})") from error


def models(results: Iterable[Results], expected: Expected) -> list[Model]:
    """The paper's models and those of the runs, in the order of the tables.

    Runs of one backbone are one model as long as their test sets differ (one recipe for Python, one for Java); of two
    that share a set, each is a model that has the recipe in its label.
    """
    by_backbone: dict[str, list[Results]] = {backbone: [] for backbone in MODEL_NAMES}
    for run in results:
        by_backbone.setdefault(run.backbone, []).append(run)
    out = []
    for backbone, runs in by_backbone.items():
        by_label: dict[str, list[Results]] = {}
        for run in runs:
            by_label.setdefault(_label(run, runs), []).append(run)
        if not runs and any(backbone in table for table in expected.scores.values()):
            by_label = {MODEL_NAMES[backbone]: []}
        out += [Model(backbone, label, tuple(group), expected) for label, group in by_label.items()]
    return out


def all_sets(results: Iterable[Results]) -> list[str]:
    """The paper's test sets, then the others that the runs have."""
    return [*PAPER_SETS, *sorted({name for run in results for name in run.tested} - set(PAPER_SETS))]


def set_name(test_set: str) -> str:
    """What a heading calls a test set."""
    return SET_NAMES.get(test_set, test_set)


def _label(run: Results, runs: Sequence[Results]) -> str:
    name = MODEL_NAMES.get(run.backbone, run.backbone)
    return f"{name} ({run.recipe})" if any(run.rivals(other) for other in runs if other is not run) else name


def _figures(raw: Mapping[str, Any]) -> dict[int, dict[str, dict[str, dict[str, Figures]]]]:
    return {
        int(table.removeprefix("table")): {
            backbone: {way: {name: _four(figures) for name, figures in sets.items()} for way, sets in ways.items()}
            for backbone, ways in backbones.items()
        }
        for table, backbones in raw.items()
    }


def _four(figures: Sequence[float]) -> Figures:
    r1, r3, r5, mrr = figures
    return (r1, r3, r5, mrr)
