"""The whole chain of a recipe, step by step, up to the one that was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.families import check_family
from spencer_models.config import Recipe, fingerprint
from spencer_models.data.corpus import SUMMARY_NAME, read_corpus
from spencer_models.data.leakage import read_held_out
from spencer_models.data.prepare import build_corpus, pair_files
from spencer_models.job import Job, Step, make_folder
from spencer_models.packs import make_packs
from spencer_models.pipeline import Run
from spencer_models.progress import Report
from spencer_models.recipes import read_recipe
from spencer_models.reproduce import Reproduction
from spencer_models.results import RESULTS_NAME, write_results
from spencer_models.tables import write_tables


def do(job: Job, until: Step, report: Report) -> str:
    """Does every step up to `until` that is not done yet and that the recipe has; returns where the result stands."""
    recipe = read_recipe(job.recipe, job.checkpoint)
    if job.corpus and (job.roots or job.excluded):
        raise UserError(
            "A prepared corpus stands as it is: --data and --exclude do not change it",
            hint="Give --exclude to `spencer-models prepare`, or leave out --corpus.",
        )
    for folder in (job.work, job.out):
        make_folder(folder)
    if job.threads:
        torch.set_num_threads(job.threads)
    if until is not Step.CORPUS:
        # Missing models are told of before the sources are mined.
        backbone = recipe.backbone
        check_family(backbone.family, backbone.start or backbone.checkpoint)
        if recipe.dual.forgotten < 1:
            check_family(backbone.family, backbone.checkpoint)
    corpus = job.corpus or _corpus(job, recipe, report)
    if until is Step.CORPUS:
        if job.corpus:
            read_corpus(corpus)
        return str(corpus)
    run = Run(recipe, corpus, job.work, report, save_seconds=60 * job.save_minutes)
    reproduction = Reproduction(run, job.command)
    tables = recipe.evaluate.tables
    steps: dict[Step, Callable[[], object]] = {
        Step.DUAL: reproduction.dual,
        Step.CROSS: lambda: recipe.cross and run.scorer,
        Step.STUDENTS: lambda: reproduction.query_models if tables else reproduction.students and reproduction.selected,
        Step.SCORES: lambda: _scores(reproduction, job.out),
        Step.PACK: lambda: recipe.export and make_packs(reproduction),
    }
    reproduction.check(scored=tables and until in (Step.SCORES, Step.PACK), packed=until is Step.PACK)
    for step, make in steps.items():
        report(f"step {step.value}")
        made = make()
        if isinstance(made, Path):
            return str(made)
        if step is until:
            break
    return str(job.out if tables and until in (Step.SCORES, Step.PACK) else job.work)


def _corpus(job: Job, recipe: Recipe, report: Report) -> Path:
    """The folder of the recipe's corpus, built if it is not there."""
    excluded = [(path.name, _sha256(path)) for path in job.excluded]
    roots = [str(root.resolve()) for root in job.roots]
    # Trees are known by their versions, pair files by what is in them: copies are the same.
    found = pair_files(recipe.data, job.roots)
    if not (recipe.data.trees or recipe.data.files):
        raise UserError(
            f"The recipe {recipe.name} names no data",
            hint="Name a corpus by --corpus FOLDER; `spencer-models prepare PATH... --out FOLDER` makes one.",
        )
    files = [(path.name, _sha256(path)) for path in found]
    folder = job.work / f"corpus-{fingerprint(recipe.data, excluded, roots, files)}"
    if not (folder / SUMMARY_NAME).is_file():
        report("step corpus")
        build_corpus(recipe.data, job.roots, read_held_out(job.excluded), folder, report)
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _scores(reproduction: Reproduction, out: Path) -> None:
    if not reproduction.recipe.evaluate.tables:
        return
    write_results(reproduction.results(), out)
    write_tables([out / RESULTS_NAME], out)
