"""The paper's tables in Markdown, obtained beside expected: renders what `results` holds and computes no metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import UserError
from spencer_models.figures import write_figures
from spencer_models.orders import order_checks
from spencer_models.paper import (
    BASELINES,
    METRICS,
    Expected,
    ExpectedTiming,
    Model,
    all_sets,
    models,
    read_expected,
    set_name,
)
from spencer_models.results import (
    ASSISTANTS,
    CROSS,
    DIRECT_DISTILL,
    DIRECT_TRAIN,
    DUAL,
    DUAL_FOR_CROSS,
    LOSSES,
    NO_DISTILL_RECALL,
    RESULTS_NAME,
    SPENCER,
    SPENCER_NO_DISTILL,
    SPENCER_RECALL,
    AssistantPath,
    Results,
    Scores,
    Timing,
    layers_of,
    layers_way,
    read_results,
)

TABLES_NAME = "tables.md"
MISSING = "—"

_INTRODUCTION = (
    "Each cell is *obtained* / *expected*: what the runs below found, and what the paper (arXiv 2508.00546) printed; "
    f"{MISSING} where there is none. Percentages are changes of the obtained figure against its model's first row, "
    "those of Cross against Dual on the questions that Cross was asked."
)

Rows = Callable[[Iterable[str]], list[tuple[str, str]]]
"""Of the ways that are known, those that a table shows, in order, each with the row's name."""


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """One of the tables of scores. `compares`: a model's first row alone says nothing and is left out.

    `path` adds the column of what Algorithm 1 chose.
    """

    number: int
    title: str
    rows: Rows
    compares: bool = True
    path: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, lines of a list under it, and a table unless `header` is empty."""

    title: str
    notes: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def _named(names: Mapping[str, str]) -> Rows:
    def rows(known: Iterable[str]) -> list[tuple[str, str]]:
        return [(way, name) for way, name in names.items() if way in set(known)]

    return rows


def _sizes(known: Iterable[str]) -> list[tuple[str, str]]:
    depths = sorted({layers_of(way) for way in known} - {0}, reverse=True)
    return [(layers_way(depth), _layers(depth)) for depth in depths]


def _layers(depth: int) -> str:
    return f"{depth} layer{'s' * (depth != 1)}"


SCORE_TABLES = (
    ScoreTable(
        2,
        "the dual encoder, the pipeline and the cross-encoder",
        _named(
            {
                DUAL: "Dual",
                SPENCER_NO_DISTILL: "SPENCERnoDistill",
                NO_DISTILL_RECALL: "SPENCERnoDistill with recall score",
                SPENCER: "SPENCER",
                SPENCER_RECALL: "SPENCER with recall score",
                DUAL_FOR_CROSS: "Dual for Cross's questions",
                CROSS: "Cross",
            }
        ),
        compares=False,
    ),
    ScoreTable(4, "recall by query encoders distilled with different losses", _named({DUAL: "Original", **LOSSES})),
    ScoreTable(5, "recall by query encoders of different sizes", _sizes),
    ScoreTable(
        6,
        "recall by query encoders that were trained in different ways",
        _named(
            {
                DUAL: "Original",
                DIRECT_TRAIN: "DirectTrain",
                DIRECT_DISTILL: "DirectDistill",
                ASSISTANTS: "SPENCER",
            }
        ),
        path=True,
    ),
)


def render_tables(results: Sequence[Results], expected: Expected, *, compact: bool = False) -> str:
    """Tables 2 to 6, the path of Algorithm 1 and the order checks, in Markdown.

    Rows of the paper that no run has are shown with the expected figures alone; `compact` leaves them out, and the
    columns of sets that no run has.
    """
    rows = [model for model in models(results, expected) if model.runs or not compact]
    sets = [name for name in all_sets(results) if not compact or any(model.run(name) for model in rows)]
    tables = {table.number: _score_section(table, rows, sets, compact) for table in SCORE_TABLES}
    tables[3] = _timing_section(rows, sets, compact)
    sections = [
        Section("Runs", [_run_note(model, run) for model in rows for run in model.runs] or ["None."]),
        Section("Order checks", order_checks(rows, sets) or ["Nothing to check."]),
        *(tables[number] for number in sorted(tables) if tables[number].rows),
        *(_path_section(model, run, run.path) for model in rows for run in model.runs if run.path),
    ]
    text = "\n".join(_markdown(section) for section in sections)
    return f"# The paper's tables\n\n{_INTRODUCTION}\n\n{text}"


def write_tables(sources: Sequence[Path], out: Path, *, compact: bool = False) -> list[Path]:
    """Writes tables.md and the figures as PNG to `out`, and returns what it wrote.

    `sources` are files that `write_results` wrote, or folders that have such files anywhere below; copies count once.
    """
    expected = read_expected()
    results = _read(sources)
    out.mkdir(parents=True, exist_ok=True)
    figures = write_figures(results, expected, out, compact=compact)
    text = render_tables(results, expected, compact=compact)
    if figures:
        links = "\n\n".join(f"![{title}]({path.name})" for title, path in figures.items())
        text += f"\n## Figures\n\n{links}\n"
    tables = out / TABLES_NAME
    tables.write_text(text, encoding="utf-8")
    return [tables, *figures.values()]


def _read(sources: Sequence[Path]) -> list[Results]:
    """The results, each once. UserError when two of one recipe were tested on the same set: no table can show both."""
    found: dict[Path, Results] = {}
    for path in (path for source in sources for path in _result_files(source)):
        results = read_results(path)
        if results in found.values():
            continue
        for other, seen in found.items():
            if seen.rivals(results) and seen.recipe == results.recipe:
                raise UserError(
                    f"{other} and {path} are two results of the recipe {results.recipe} for the same test set",
                    hint="Name the one that the tables are to show.",
                )
        found[path] = results
    return list(found.values())


def _result_files(source: Path) -> list[Path]:
    if source.is_dir():
        found = sorted(source.rglob(RESULTS_NAME))
        if not found:
            raise UserError(f"No {RESULTS_NAME} in {source} or below.", hint="`spencer-models reproduce` writes one.")
        return found
    return [source]


def _score_section(table: ScoreTable, rows: Sequence[Model], sets: Sequence[str], compact: bool) -> Section:
    header = ["Model", *(f"{set_name(name)} {metric}" for name in sets for metric in METRICS)]
    if table.path:
        header.append("Sizes from teacher to student")
    notes: list[str] = []
    lines: list[list[str]] = []
    for model in rows:
        shown = table.rows(model.ways(table.number))
        if compact:
            shown = [(way, name) for way, name in shown if any(model.scores(way, s) for s in sets)]
        if table.compares and len(shown) < 2:
            continue
        for way, name in shown:
            label = model.label if model.backbone in BASELINES else f"{model.label} {name}"
            lines.append([label, *(cell for s in sets for cell in _score_cells(model, table, way, s))])
            if table.path:
                lines[-1].append(_lineages(model) if way == ASSISTANTS else "")
        notes += [_note(model, test_set, shown) for test_set in sets]
    return Section(f"Table {table.number}: {table.title}", [note for note in notes if note], header, lines)


def _score_cells(model: Model, table: ScoreTable, way: str, test_set: str) -> list[str]:
    obtained, base = model.scores(way, test_set), _base(model, way, test_set)
    printed = [f"{figure:.3f}" for figure in model.printed(table.number, way, test_set) or ()]
    found = [f"{figure:.3f}" for figure in obtained.figures] if obtained else []
    if obtained and base and base is not obtained:
        changes = map(_change, obtained.figures, base.figures)
        found = [figure + change for figure, change in zip(found, changes, strict=True)]
    return [_pair(*cell) for cell in zip(found or [""] * len(METRICS), printed or [""] * len(METRICS), strict=True)]


def _base(model: Model, way: str, test_set: str) -> Scores | None:
    """What a way is compared with: the dual encoder, asked the same questions."""
    if way in (CROSS, DUAL_FOR_CROSS) and (same := model.scores(DUAL_FOR_CROSS, test_set)):
        return same
    return model.scores(DUAL, test_set)


def _pair(obtained: str, expected: str) -> str:
    return f"{obtained or MISSING} / {expected or MISSING}" if obtained or expected else MISSING


def _change(value: float, base: float) -> str:
    """As the paper prints it; nothing where the base is 0."""
    if base == 0:
        return ""
    percent = round(100 * (value / base - 1), 1)
    return f" ({'↑' if percent > 0 else '↓' if percent < 0 else ''}{abs(percent):.1f}%)"


def _lineages(model: Model) -> str:
    return "; ".join(
        (f"{', '.join(map(set_name, run.scores))}: " if len(model.runs) > 1 else "") + _arrows(run.path)
        for run in model.runs
        if run.path
    )


def _arrows(path: AssistantPath) -> str:
    return " → ".join(str(layers) for layers in path.lineage)


def _timing_section(rows: Sequence[Model], sets: Sequence[str], compact: bool) -> Section:
    lines: list[list[str]] = []
    notes: list[str] = []
    for model, name in product(rows, sets):
        run = model.run(name)
        timing = run.timing.get(name) if run else None
        printed = model.expected.timing.get(model.backbone, {}).get(name)
        if timing or (printed and not compact):
            cells = map(_pair, _timing_cells(timing), _printed_timing_cells(printed))
            counts = (f"{timing.n:,}", str(timing.rounds)) if timing else (MISSING, MISSING)
            lines.append([f"{model.label} {set_name(name)}", *cells, *counts])
        if run and timing:
            notes.append(f"{model.label}, {set_name(name)}: {timing.n:,} questions; {run.hardware}; {_origin(run)}")
    header = ["Model", "Distilled", "Original", "Time reduction", "P-value", "n", "Rounds"]
    return Section("Table 3: what the query encoders cost", notes, header, lines)


def _timing_cells(timing: Timing | None) -> tuple[str, str, str, str]:
    if timing is None:
        return ("", "", "", "")
    p_value = "<0.0001" if timing.p_value < 0.0001 else f"{timing.p_value:.4f}"
    return (_seconds(timing.distilled_seconds), _seconds(timing.original_seconds), f"{timing.reduction:.1%}", p_value)


def _printed_timing_cells(row: ExpectedTiming | None) -> tuple[str, str, str, str]:
    if row is None:
        return ("", "", "", "")
    seconds = (f"{row.distilled_seconds:.1f}s", f"{row.original_seconds:.1f}s")
    return (*seconds, f"{row.reduction_percent:.1f}%", row.p_value)


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds >= 10 else f"{seconds:.2f}s"


def _path_section(model: Model, run: Results, path: AssistantPath) -> Section:
    notes = [
        f"Teacher: {path.teacher_layers} layers, {path.metric} {path.teacher_score:.4f} on the validation split; "
        f"{_layers(path.removed_per_step)} less per step; "
        f"a chosen pupil is kept as the student while its drop is under {path.threshold:g}.",
        f"Kept: {_layers(path.student_layers)}, by way of {_arrows(path)}; {_origin(run)}",
    ]
    rows = [
        [
            str(step.layers),
            str(step.teacher_layers),
            step.role,
            f"{step.score:.4f}",
            f"{path.teacher_score - step.score:.4f}",
            "yes" if step.chosen else "no",
            "yes" if step.kept else "no",
        ]
        for step in path.steps
    ]
    header = ["Layers", "Teacher's layers", "Teacher", path.metric, "Drop", "Chosen", "Kept"]
    return Section(f"Algorithm 1: the path of {model.label}, {run.recipe}", notes, header, rows)


def _note(model: Model, test_set: str, shown: Sequence[tuple[str, str]]) -> str:
    """How many questions the rows stand for; where they differ, which stand for how many."""
    run = model.run(test_set)
    rows: dict[str, list[str]] = {}
    for way, name in shown:
        if scores := model.scores(way, test_set):
            rows.setdefault(_asked(scores), []).append(name)
    if run is None or not rows:
        return ""
    counts = [f"{asked} ({', '.join(names)})" if len(rows) > 1 else asked for asked, names in rows.items()]
    return f"{model.label}, {set_name(test_set)}: {'; '.join(counts)}; {_origin(run)}"


def _asked(scores: Scores) -> str:
    pools = f"{scores.pools} pool{'s' * (scores.pools != 1)}"
    return f"n = {scores.n:,} in {pools}, {scores.dropped:,} dropped"


def _origin(run: Results) -> str:
    return f"recipe {run.recipe}, `{run.command}`"


def _run_note(model: Model, run: Results) -> str:
    facts = [
        _layers(run.layers) if run.layers else "",
        f"query encoder distilled to {run.student_layers}" if run.student_layers else "",
        _origin(run),
        run.hardware,
        f"data: {', '.join(f'{name} {value}' for name, value in _counts(run.data))}",
    ]
    return f"{model.label}: {'; '.join(fact for fact in facts if fact)}"


def _counts(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for key, value in data.items():
        name = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            out += _counts(value, f"{name} ")
        else:
            out.append((name, f"{value:,}" if isinstance(value, int) else str(value)))
    return out


def _markdown(section: Section) -> str:
    lines = [f"## {section.title}", ""]
    if section.notes:
        lines += [*(f"- {note}" for note in section.notes), ""]
    if section.header:
        align = [":--", *("--:" for _ in section.header[1:])]
        lines += ["| " + " | ".join(cells) + " |" for cells in (section.header, align, *section.rows)]
        lines.append("")
    return "\n".join(lines)
