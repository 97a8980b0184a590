"""The `spencer-models` command: from source trees and recipes to corpora, trained models, tables and model packs.

torch takes seconds to import and stands, like matplotlib, in an optional extra. So that `--help`, a misspelt option and
a missing extra are answered at once and in words, modules that need them are imported by `_torch_side`, not at the top.
"""

from __future__ import annotations

import importlib
import json
import os
import shlex
import sys
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from spencer_desktop.core.errors import EnvironmentFault, SpencerError, UserError
from spencer_models.data.corpus import VALID, read_corpus
from spencer_models.data.fetch import fetch as fetch_packages
from spencer_models.data.leakage import read_held_out
from spencer_models.data.prepare import prepare_paths
from spencer_models.data.repository import write_repository
from spencer_models.job import Job, Step, make_folder
from spencer_models.progress import stderr_report
from spencer_models.toml_config import RECIPES

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Prepare corpora; train, distil, export and evaluate models."
)

RecipeArgument = Annotated[
    str, typer.Argument(help="A recipe: a TOML file, or the name of one that is shipped.", show_default=False)
]
DataOption = Annotated[
    list[Path] | None, typer.Option("--data", help="A folder that the recipe's paths are relative to. May be repeated.")
]
ExcludeOption = Annotated[
    list[Path] | None,
    typer.Option("--exclude", help="A folder of *.json measuring sets, or one: nothing in them is trained on."),
]
CorpusOption = Annotated[
    Path | None,
    typer.Option("--corpus", help="A prepared corpus, in place of the recipe's data.", show_default=False),
]
CheckpointOption = Annotated[
    str, typer.Option(help="The checkpoint to start from, in place of the recipe's: a folder or a hub name.")
]
JudgedOption = Annotated[Path, typer.Option("--corpus", help="A prepared corpus; its validation split is asked.")]
WorkOption = Annotated[Path, typer.Option("--work", help="Where finished steps are kept.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=0, help="CPU threads (0: all cores).")]


@app.command()
def prepare(
    paths: Annotated[list[Path], typer.Argument(help="Source trees: folders, .zip or .tar.gz; each is one package.")],
    out: Annotated[Path, typer.Option("--out", help="The folder that becomes the corpus.")],
    valid: Annotated[list[str] | None, typer.Option("--valid", help="A package held out for validation.")] = None,
    test: Annotated[list[str] | None, typer.Option("--test", help="A package held out for the test.")] = None,
    held_out_share: Annotated[
        float, typer.Option(min=0.01, max=0.4, help="Share of the files for each of both, where no package is named.")
    ] = 0.1,
    exclude: ExcludeOption = None,
) -> None:
    """Mine (documentation, function) pairs from your own code, and print where they came from."""
    make_folder(out)
    held_out = read_held_out(_files(exclude or []))
    summary = prepare_paths(
        paths, out, held_out, valid=valid or [], test=test or [], held_out_share=held_out_share, report=stderr_report()
    )
    typer.echo(json.dumps(summary, indent=1, sort_keys=True))


@app.command()
def repository(
    corpus: Annotated[Path, typer.Argument(help="A prepared corpus.")],
    out: Annotated[Path, typer.Option("--out", help="Where code/ and questions.jsonl are written.")],
    split: Annotated[str, typer.Option(help="train, valid or test.")] = VALID,
    questions: Annotated[int, typer.Option(min=1, help="Questions of each kind.")] = 100,
) -> None:
    """Write a split as a repository without documentation, to index, and questions for `spencer weigh`."""
    typer.echo(f"{write_repository(read_corpus(corpus), split, questions, out):,} functions")


@app.command()
def fetch(
    recipe: RecipeArgument,
    out: Annotated[Path, typer.Option("--out", help="The folder that becomes a data root.")] = Path("corpora"),
) -> None:
    """Bring the packages that a recipe mines from their public registries (PyPI, npm, Debian)."""
    make_folder(out)
    config = _torch_side("spencer_models.recipes").read_recipe(_recipe_path(recipe)).data
    fetch_packages(config, out, stderr_report())


@app.command()
def recipes() -> None:
    """List the shipped recipes, and the folder that they stand in."""
    paths = sorted(RECIPES.glob("*.toml"))
    width = max(len(path.stem) for path in paths)
    for path in paths:
        typer.echo(f"{path.stem:{width}}  {_about(path)}".rstrip())
    typer.echo(RECIPES)


@app.command()
def reproduce(
    recipe: RecipeArgument,
    data: DataOption = None,
    exclude: ExcludeOption = None,
    corpus: CorpusOption = None,
    until: Annotated[Step, typer.Option("--until", help="The last step to do.")] = Step.PACK,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Where tables, figures and results are written; packs stay under --work.",
            show_default="results/RECIPE",
        ),
    ] = None,
    checkpoint: CheckpointOption = "",
    work: WorkOption = Path("runs"),
    threads: ThreadsOption = 0,
    save_minutes: Annotated[
        float, typer.Option("--save-minutes", min=0, help="How often a training is saved, to go on if it is stopped.")
    ] = 5.0,
) -> None:
    """Do everything a recipe says: corpus, dual encoder, re-ranker, students, scores, tables, packs.

    Stopped at any time, the same command goes on.
    """
    path = _recipe_path(recipe)
    job = Job(
        recipe=path,
        roots=tuple(data or ()),
        excluded=tuple(_files(exclude or [])),
        corpus=corpus,
        work=work,
        out=out or Path("results") / path.stem,
        checkpoint=checkpoint,
        threads=threads,
        save_minutes=save_minutes,
        command=shlex.join(["spencer-models", *sys.argv[1:]]),
    )
    typer.echo(_torch_side("spencer_models.chain").do(job, until, stderr_report()))


@app.command()
def evaluate(
    pack: Annotated[Path, typer.Argument(help="The model pack to measure.")],
    corpus: Annotated[Path, typer.Option("--corpus", help="A prepared corpus; its test split is asked.")],
    questions: Annotated[int, typer.Option(min=1, help="Questions of each kind.")] = 150,
    translations: Annotated[
        Path | None, typer.Option(help="Ask these instead: a JSON list of test questions in several languages.")
    ] = None,
) -> None:
    """Measure a model pack through the application's own inference."""
    typer.echo(_torch_side("spencer_models.release").measure_pack(pack, corpus, questions, translations))


@app.command()
def choices(
    packs: Annotated[list[Path], typer.Argument(help="Model packs to compare.")],
    corpus: JudgedOption,
    questions: Annotated[int, typer.Option(min=1, help="Questions of each kind.")] = 100,
    code_tokens: Annotated[
        list[int] | None, typer.Option(min=8, help="Read so many tokens of a code. May be repeated.")
    ] = None,
) -> None:
    """Compare packs, lengths and K in quality, size and time: what a pack's defaults are chosen from."""
    bench = _torch_side("spencer_models.choices")
    typer.echo(bench.compare_packs(packs, corpus, questions, code_tokens or [], stderr_report()))


@app.command()
def tables(
    results: Annotated[list[Path], typer.Argument(help="results.json files, or folders that hold them.")],
    out: Annotated[Path, typer.Option("--out", help="Where tables.md and the figures are written.")] = Path("results"),
    compact: Annotated[bool, typer.Option("--compact", help="Leave out what was not run.")] = False,
) -> None:
    """Render the paper's Tables 2 to 6 and Figures 4 and 5, obtained beside expected."""
    make_folder(out)
    for path in _torch_side("spencer_models.tables").write_tables(results, out, compact=compact):
        typer.echo(path)


@app.command()
def rerankers(
    recipe: RecipeArgument,
    corpus: JudgedOption,
    checkpoint: CheckpointOption = "",
    work: WorkOption = Path("runs"),
    threads: ThreadsOption = 0,
) -> None:
    """Compare ways of ordering the first candidates, in quality and time; trains those that are not trained yet."""
    _compare("spencer_models.rerankers", recipe, corpus, checkpoint, work, threads)


@app.command()
def students(
    recipe: RecipeArgument,
    corpus: JudgedOption,
    checkpoint: CheckpointOption = "",
    work: WorkOption = Path("runs"),
    threads: ThreadsOption = 0,
) -> None:
    """Compare students of the query encoder, in quality and time; trains those that are not trained yet."""
    _compare("spencer_models.ladder", recipe, corpus, checkpoint, work, threads)


@app.command()
def throughput(
    recipe: RecipeArgument,
    corpus: Annotated[Path, typer.Option("--corpus", help="A prepared corpus.")],
    steps: Annotated[int, typer.Option(min=2, help="Steps to time.")] = 12,
    threads: ThreadsOption = 0,
) -> None:
    """Time the training loop against bare forward and backward passes over the same batches."""
    bench = _torch_side("spencer_models.throughput")
    typer.echo(bench.measure(_recipe_path(recipe), corpus, steps, threads, stderr_report()))


def _compare(module: str, recipe: str, corpus: Path, checkpoint: str, work: Path, threads: int) -> None:
    bench = _torch_side(module)
    typer.echo(bench.compare(_recipe_path(recipe), corpus, work, checkpoint, threads, stderr_report()))


def _torch_side(module: str) -> ModuleType:
    """A module that stands on the libraries of the extra. EnvironmentFault when it is not installed."""
    # Read once, when torch loads. Beside other work, threads that spin at every barrier make training ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"Training needs {error.name}, which is not installed", hint="pip install 'spencer-desktop[train]'"
        ) from error


def _about(recipe: Path) -> str:
    """The first sentence of the comment that a recipe begins with."""
    lines = takewhile(lambda line: line.startswith("#"), recipe.read_text(encoding="utf-8").splitlines())
    return " ".join(line.lstrip("# ") for line in lines).partition(". ")[0].partition(": ")[0].rstrip(".")


def _recipe_path(recipe: str) -> Path:
    """A recipe's file. UserError when there is none."""
    for path in (Path(recipe), RECIPES / f"{recipe}.toml"):
        if path.is_file():
            return path
    raise UserError(f"There is no recipe {recipe}", hint="`spencer-models recipes` lists those that are shipped.")


def _files(places: list[Path]) -> list[Path]:
    """The named files, and the *.json files of named folders, sorted. UserError when a place has none."""
    found: list[Path] = []
    for place in places:
        here = [place] if place.is_file() else sorted(place.glob("*.json"))
        if not here:
            raise UserError(f"{place} is neither a file nor a folder with *.json in it")
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
