"""The `spencer-models` command: from a recipe to a model pack, whole or step by step.

torch takes seconds to import and stands in an optional extra. So that `--help`, a misspelt option and a missing extra
are answered at once and in words, the module that needs torch is imported by `_torch_side`, not at the top.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from spencer_desktop.core.errors import EnvironmentFault, SpencerError, UserError
from spencer_models.config import read_recipe
from spencer_models.progress import stderr_report

if TYPE_CHECKING:
    from spencer_models.pipeline import Run

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train, distil, export and evaluate model packs.")

RecipeArgument = Annotated[Path, typer.Argument(help="The recipe, a TOML file.", show_default=False)]
TrainOption = Annotated[
    list[Path] | None,
    typer.Option("--train", help="A folder of *.jsonl pair files, or one such file. May be repeated."),
]
ExcludeOption = Annotated[
    list[Path] | None,
    typer.Option("--exclude", help="A folder of *.json measuring sets, or one: nothing in them is trained on."),
]
WorkOption = Annotated[Path, typer.Option("--work", help="Where finished steps are kept.")]


@app.command()
def prepare(
    recipe: RecipeArgument, train: TrainOption = None, exclude: ExcludeOption = None, work: WorkOption = Path("runs")
) -> None:
    """Mine and filter the corpus, and print where it came from."""
    run = _run(recipe, train, exclude, work)
    typer.echo(json.dumps(run.corpus_summary(), indent=1, sort_keys=True))


@app.command()
def distill(
    recipe: RecipeArgument, train: TrainOption = None, exclude: ExcludeOption = None, work: WorkOption = Path("runs")
) -> None:
    """Distil the query encoder, after the steps before it."""
    run = _run(recipe, train, exclude, work)
    typer.echo(json.dumps(run.student_figures(), indent=1))


@app.command()
def rerank(
    recipe: RecipeArgument, train: TrainOption = None, exclude: ExcludeOption = None, work: WorkOption = Path("runs")
) -> None:
    """Train the re-ranker, after the steps before it."""
    run = _run(recipe, train, exclude, work)
    _ = run.reranker
    typer.echo(run.reranker_folder)


@app.command()
def pack(
    recipe: RecipeArgument,
    out: Annotated[Path, typer.Option("--out", help="The folder that becomes the pack.")],
    train: TrainOption = None,
    exclude: ExcludeOption = None,
    work: WorkOption = Path("runs"),
    questions: Annotated[int, typer.Option(help="Held-out questions of each source to measure with.")] = 150,
) -> None:
    """Make a model pack, from the sources to the checked files. Stopped, it goes on where it was."""
    run, release = _run(recipe, train, exclude, work), _torch_side()
    command = " ".join(["spencer-models", *sys.argv[1:]])
    typer.echo(release.make_pack(run, out, questions, command))


@app.command()
def evaluate(
    recipe: RecipeArgument,
    pack: Annotated[Path, typer.Option("--pack", help="The pack to measure.")],
    train: TrainOption = None,
    exclude: ExcludeOption = None,
    work: WorkOption = Path("runs"),
    questions: Annotated[int, typer.Option(help="Held-out questions of each source to measure with.")] = 150,
) -> None:
    """Measure any pack on the held-out questions of a recipe's corpus."""
    release = _torch_side()
    scores = release.measure(_run(recipe, train, exclude, work), pack, questions)
    typer.echo(release.table(scores))


def _run(recipe: Path, train: list[Path] | None, exclude: list[Path] | None, work: Path) -> Run:
    parsed = read_recipe(recipe)
    pairs, held_out = _files(train or [], "*.jsonl"), _files(exclude or [], "*.json")
    run: Run = _torch_side().Run(parsed, pairs, held_out, work, stderr_report())
    return run


def _torch_side() -> ModuleType:
    """`spencer_models.release`, which stands on torch. EnvironmentFault when the extra is not installed."""
    # Read once, when torch loads. Beside other work, threads that spin at every barrier make training ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return importlib.import_module("spencer_models.release")
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"Training needs {error.name}, which is not installed", hint="pip install 'spencer-desktop[train]'"
        ) from error


def _files(places: list[Path], pattern: str) -> list[Path]:
    """The named files, and the matching ones of named folders, sorted. UserError when a place has none."""
    found: list[Path] = []
    for place in places:
        here = [place] if place.is_file() else sorted(place.glob(pattern))
        if not here:
            raise UserError(f"{place} is neither a file nor a folder with {pattern} in it")
        found += here
    return found


def main() -> None:
    """Entry point: words for what the user can mend, exit code 2; a traceback for what is a bug."""
    try:
        app()
    except SpencerError as error:
        typer.echo(f"Error: {error}", err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        sys.exit(2)
