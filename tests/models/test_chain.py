"""A whole recipe on a tiny backbone: from its sources to tables and figures; what is finished is not done again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import open_pack
from spencer_models.backbones.checkpoint import WEIGHTS_NAME
from spencer_models.backbones.families import open_backbone
from spencer_models.chain import do
from spencer_models.choices import compare_packs
from spencer_models.data.corpus import RERANK, TRAIN, read_corpus, write_corpus
from spencer_models.job import Job, Step
from spencer_models.ladder import compare as compare_students
from spencer_models.origin import origin_of
from spencer_models.pipeline import Run
from spencer_models.recipes import read_recipe
from spencer_models.release import measure_pack
from spencer_models.reproduce import Reproduction
from spencer_models.rerankers import compare
from spencer_models.results import (
    ASSISTANTS,
    CROSS,
    DIRECT_DISTILL,
    DIRECT_TRAIN,
    DUAL,
    DUAL_FOR_CROSS,
    LOSSES,
    NO_DISTILL_RECALL,
    SPENCER,
    SPENCER_NO_DISTILL,
    SPENCER_RECALL,
    layers_way,
    read_results,
)
from spencer_models.scoring import read_ranks
from spencer_models.students import Students
from tests.models.tiny import WORDS, tiny_checkpoint

RECIPE = """
name = "tiny"
version = "1"
seed = 4
precision = "float32"

[backbone]
family = "minilm"
checkpoint = "{checkpoint}"
shared = {shared}

[text]
query = 16
code = 32
pair = 48

[data]
held_out_share = 0.25
max_pairs_per_tree = 0
files = [{{ format = "pairs", path = "asked.jsonl" }}]

[dual]
hard_epochs = 1
hard_depth = 8
forgotten = 0.0
[dual.training]
epochs = 2
batch = 16
learning_rate = 1e-3
validations = 2

[cross]
negatives = 3
depth = 12
[cross.training]
epochs = 1
batch = 8
learning_rate = 1e-3
validations = 1

[distill]
sizes = [2, 1]
queries = "all"
[distill.training]
epochs = 1
batch = 32
learning_rate = 1e-3
validations = 1

[distill.further]
studied = 60
[distill.further.training]
epochs = 2
batch = 16
learning_rate = 1e-3
validations = 1

[assistants]
removed = 1
threshold = 0.9

[export]
gate = 1.0

[evaluate]
languages = ["python"]
pool = 10
candidates = 3
most_candidates = 5
cross_questions = 4
timed_questions = 3
timing_rounds = 2
"""


def _write_inputs(folder: Path, shared: bool = True) -> Job:
    checkpoint = tiny_checkpoint(folder / "base", layers=3)
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, 4)) for _ in range(120)]
    codes = [" ".join([text, *random.choice(WORDS, 4)]) for text in texts]
    records = [{"query": t, "code": c, "lang": "python"} for t, c in zip(texts, codes, strict=True)]
    (folder / "data").mkdir()
    (folder / "data/asked.jsonl").write_text("\n".join(json.dumps(r) for r in records), encoding="utf-8")
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE.format(checkpoint=checkpoint.as_posix(), shared=str(shared).lower()), encoding="utf-8")
    return Job(
        recipe,
        (folder / "data",),
        (),
        None,
        folder / "runs",
        folder / "out",
        "",
        1,
        5.0,
        "spencer-models reproduce tiny",
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, list[str]]:
    """The whole recipe, done once, and what it reported."""
    job = _write_inputs(tmp_path_factory.mktemp("chain"))
    lines: list[str] = []
    do(job, Step.SCORES, lines.append)
    return job, lines


def test_the_packs_answer_as_the_application_asks(done: tuple[Job, list[str]]) -> None:
    job, lines = done
    do(job, Step.PACK, lines.append)
    (folder,) = job.work.glob("pack-*")
    results = read_results(job.out / "results.json")
    for variant in ("float32", "int8", "float16"):
        pack = open_pack(folder / variant)
        pack.verify()
        card = (folder / variant / "MODEL_CARD.md").read_text(encoding="utf-8")
        assert job.command in card
        assert pack.manifest.rerank is not None
        assert pack.manifest.rerank.candidates == 3
        models = Models(pack, choose_device("cpu", 1))
        assert models.code_encoder.encode(["read a file"]).shape == (1, 32)
    (corpus,) = job.work.glob("corpus-*")
    table = measure_pack(folder / "float32", corpus, 30)
    assert "distilled" in table
    assert results.student_layers < results.layers
    query, code = (folder / f"float32/{side}_encoder.onnx" for side in ("query", "code"))
    assert query.stat().st_size < code.stat().st_size


def test_without_tables_only_what_a_pack_needs_is_made(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path)
    text = job.recipe.read_text().replace("pool = 10", "pool = 1000\ntables = false")
    job.recipe.write_text(text.replace("gate = 1.0", "gate = 1.0\ncode_tokens = 40\npair_tokens = 50"))
    folder = Path(do(job, Step.PACK, lambda line: None))
    manifest = open_pack(folder / "int8").manifest
    assert (manifest.max_code_tokens, manifest.max_pair_tokens) == (40, 50)
    assert {path.name.partition("-")[2].partition("-")[2].partition("-")[0] for path in job.work.glob("student-*")} == {
        "loss_spencer"
    }
    assert not list(job.work.glob("results-*"))
    assert not list(job.out.iterdir())


def test_packs_stand_side_by_side(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    do(job, Step.PACK, lambda line: None)
    (folder,), (corpus,) = job.work.glob("pack-*"), job.work.glob("corpus-*")
    packs = [folder / "float32", folder / "int8"]
    lines = compare_packs(packs, corpus, 100, [8, 32], lambda line: None).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    header, rows = rows[0], rows[2:]
    assert [row[1] for row in rows] == ["8", "32", "8", "32"]
    assert {len(row) for row in rows} == {len(header)}
    # The last of the packs reads as the training did: these are the figures that the gate saw.
    gated = json.loads((folder / "int8/manifest.json").read_text())["figures"]["validation_mrr"]["int8"]
    assert float(rows[3][header.index("distilled")]) == pytest.approx(gated["distilled"], abs=1e-4)
    assert float(rows[0][header.index("distilled")]) != float(rows[1][header.index("distilled")])
    assert float(rows[3][2]) < float(rows[1][2])


def test_a_pack_is_a_checkpoint_to_go_on_from_and_its_card_says_so(done: tuple[Job, list[str]], tmp_path: Path) -> None:
    job, _ = done
    text = job.recipe.read_text().replace("gate = 1.0", "gate = 1.0\nweights = true")
    first = tmp_path / "first.toml"
    first.write_text(text)
    pack = Path(do(replace(job, recipe=first), Step.PACK, lambda line: None)) / "int8"
    changes = {'version = "1"': 'version = "2"', "hard_epochs = 1\n": "", "epochs = 2\n": "epochs = 0\n"}
    text = text[: text.index("[cross]")] + text[text.index("[export]") :]
    for old, new in {**changes, "[evaluate]": "[evaluate]\ntables = false"}.items():
        text = text.replace(old, new)
    again = tmp_path / "again.toml"
    again.write_text(text)
    (corpus,) = job.work.glob("corpus-*")
    later = replace(job, recipe=again, roots=(), corpus=corpus, work=tmp_path / "runs", checkpoint=str(pack))
    folder = Path(do(later, Step.PACK, lambda line: None))
    before, after = (open_pack(path).manifest for path in (pack, folder / "int8"))
    assert [entry["version"] for entry in after.figures["history"]] == ["1", "2"]
    assert after.licences == before.licences
    card = (folder / "int8/MODEL_CARD.md").read_text(encoding="utf-8")
    assert "from the weights of the pack tiny 1, as published" in card
    texts = ["read a file", "sort the rows"]
    vectors = [
        Models(open_pack(path), choose_device("cpu", 1)).code_encoder.encode(texts) for path in (pack, folder / "int8")
    ]
    # The weights of a pack are float16, and int8 rounds on top.
    np.testing.assert_allclose(*vectors, atol=0.02)


def _runs(job: Job) -> dict[str, int]:
    return {str(p.relative_to(job.work)): p.stat().st_mtime_ns for p in job.work.rglob("*") if p.is_file()}


def test_every_row_and_figure_is_there(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    results = read_results(job.out / "results.json")
    scores = results.scores["python"]
    expected = {DUAL, SPENCER_NO_DISTILL, NO_DISTILL_RECALL, SPENCER, SPENCER_RECALL, CROSS, *LOSSES, DIRECT_TRAIN}
    expected.add(DUAL_FOR_CROSS)
    assert set(scores) == expected | {DIRECT_DISTILL, ASSISTANTS, layers_way(2), layers_way(1)}
    assert (results.layers, results.recipe, results.command) == (3, "tiny", job.command)
    assert set(results.candidates["python"][SPENCER]) == {"2", "3", "4", "5"}
    assert results.candidates["python"][SPENCER]["3"] == scores[SPENCER]
    assert results.timing["python"].n == 3
    assert results.path is not None
    assert results.path.student_layers == results.student_layers
    assert {path.name for path in job.out.iterdir()} >= {"results.json", "tables.md", "figure4.png", "figure5.png"}


def test_scores_say_how_many_questions_they_are_of(done: tuple[Job, list[str]]) -> None:
    results = read_results(done[0].out / "results.json")
    dual, cross = results.scores["python"][DUAL], results.scores["python"][CROSS]
    asked = results.data["pairs"]["test"]["python"]
    assert (dual.n, dual.pools, dual.dropped) == (asked // 10 * 10, asked // 10, asked % 10)
    assert (cross.n, cross.pools) == (asked // 10 * 4, asked // 10)
    same = results.scores["python"][DUAL_FOR_CROSS]
    assert (same.n, same.pools, same.dropped) == (cross.n, cross.pools, cross.dropped)


def test_reranking_leaves_what_stands_behind_k(done: tuple[Job, list[str]]) -> None:
    (folder,) = done[0].work.glob("results-*")
    before = np.concatenate(read_ranks(folder / f"ranking-python-{DUAL}.jsonl"))
    after = np.concatenate(read_ranks(folder / f"ranking-python-{SPENCER_NO_DISTILL}-3.jsonl"))
    assert (after[before > 3] == before[before > 3]).all()
    assert (after[before <= 3] <= 3).all()
    scores = read_results(done[0].out / "results.json").scores["python"]
    # The re-ranker moves nothing over the border of K, so R@3 is that of recall.
    assert scores[SPENCER_NO_DISTILL].r3 == scores[DUAL].r3
    assert scores[SPENCER].r3 == scores[ASSISTANTS].r3


def test_the_students_are_what_the_path_says(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    students = Students(Run(read_recipe(job.recipe), corpus, job.work, print))
    student, path = students.select()
    assert path.teacher_layers == 3
    assert students.load(student).stack.depth == student.depth == path.student_layers
    steps = {(s.layers, s.teacher_layers) for s in path.steps}
    assert steps >= {(2, 3), (1, 3), (1, 2)}
    (record,) = job.work.glob("assistants-*/path.json")
    assert len(json.loads(record.read_text())["steps"]) == len(path.steps)


def test_the_kept_student_goes_on_learning(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    reproduction = Reproduction(Run(read_recipe(job.recipe), corpus, job.work, print), "")
    students = reproduction.students
    assert students
    kept, path = students.select()
    further, same = reproduction.selected
    assert (further.depth, same) == (kept.depth, path)
    before, after = (json.loads((m.folder / "done.json").read_text())["result"]["loss"] for m in (kept, further))
    assert after < before
    assert {stage.folder for stage in students.stages} > {kept.folder, further.folder}
    # Nothing goes on where the recipe asks for nothing, or where no student was kept.
    assert students.further(students.teacher) == students.teacher
    recipe = read_recipe(job.recipe)
    assert recipe.distill
    plain = replace(recipe, distill=replace(recipe.distill, further=None))
    assert Reproduction(Run(plain, corpus, job.work, print), "").selected[0] == kept


def test_questions_about_code_that_was_not_read_stand_beside_code_that_was(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    recipe = read_recipe(job.recipe)
    assert recipe.distill
    assert recipe.distill.further
    distill = replace(recipe.distill, further=replace(recipe.distill.further, codes=20))
    run = Run(replace(recipe, mix=replace(recipe.mix, studied=20), distill=distill), corpus, job.work, print)
    found = Students(run)._further_corpus
    asked = run.sample(60)
    assert set(run.studied.numbers) < set(asked.numbers)
    assert set(found.examples) == set(range(20))
    for place, pair in enumerate(run.studied.pairs):
        assert found.examples[found.texts.index(pair.query)] == place
    unread = set(asked.pairs) - set(run.studied.pairs)
    assert {pair.query for pair in unread} <= set(found.texts)


def test_what_is_finished_is_not_done_again(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    before = _runs(job)
    lines: list[str] = []
    do(job, Step.STUDENTS, lines.append)
    after = _runs(job)
    changed = {name for name in after if before.get(name) != after[name]}
    assert all(name.startswith("assistants-") for name in changed)
    assert not any("steps, loss" in line for line in lines)


def test_a_change_of_the_reranker_keeps_everything_before_it(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    recipe = read_recipe(job.recipe)
    run = Run(recipe, corpus, job.work, print)
    assert recipe.cross
    other = Run(replace(recipe, cross=replace(recipe.cross, negatives=2)), corpus, job.work, print)
    assert other.cross_stage != run.cross_stage
    assert other.dual_folder == run.dual_folder
    judged = replace(recipe, evaluate=replace(recipe.evaluate, candidates=2))
    assert Run(judged, corpus, job.work, print).cross_stage != run.cross_stage
    assert Run(judged, corpus, job.work, print).dual_folder == run.dual_folder
    later = Run(replace(recipe, seed=5), corpus, job.work, print)
    assert later.dual_folder != run.dual_folder
    assert later.students_fingerprint != run.students_fingerprint
    assert Reproduction(other, "").folder != Reproduction(run, "").folder


def test_a_student_of_the_reranker_is_trained_beside_it_and_shipped_where_the_recipe_says(
    done: tuple[Job, list[str]], tmp_path: Path
) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    recipe = tmp_path / "tiny.toml"
    student = "[cross.student]\nlayers = 1\nshipped = true\n[cross.student.training]\n"
    training = "epochs = 1\nbatch = 8\nlearning_rate = 1e-3\nvalidations = 1\n"
    recipe.write_text(job.recipe.read_text() + student + training)
    run, before = Run(read_recipe(recipe), corpus, job.work, print), _runs(job)
    assert run.scorer is run.student_scorer
    assert (run.scorer.stack.depth, run.full_scorer.stack.depth) == (1, 3)
    assert {name: _runs(job)[name] for name in before} == before
    (folder,) = job.work.glob("cross-student-*")
    assert Run(read_recipe(recipe), corpus, job.work, print).scorer.stack.depth == 1
    assert json.loads((folder / "recall_scale.json").read_text()) == run.recall_scale
    unshipped = recipe.with_name("unshipped.toml")
    unshipped.write_text(recipe.read_text().replace("shipped = true", "shipped = false"))
    other = Run(read_recipe(unshipped), corpus, job.work, print)
    assert other.cross_student_stage == run.cross_student_stage
    assert other.scorer.stack.depth == 3
    assert Reproduction(other, "").folder != Reproduction(run, "").folder


def test_vectors_of_what_is_studied_are_not_taken_for_those_of_another_sample(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    recipe = read_recipe(job.recipe)
    run = Run(recipe, corpus, job.work, print)
    fewer = Run(replace(recipe, mix=replace(recipe.mix, studied=30)), corpus, job.work, print)
    assert fewer.dual_stage == run.dual_stage
    assert fewer.hard_stage != run.hard_stage
    queries, codes = run.query_vectors(fewer.studied), run.code_vectors(fewer.studied)
    assert len(queries) == len(codes) == len(fewer.studied.examples) == 30
    texts = [e.query for e in fewer.studied.examples]
    np.testing.assert_allclose(queries, run.reading.queries(run.dual.query, texts), atol=2e-3)
    assert all(fewer.studied.pairs[s.pair].split == "train" for s in fewer.studied.sentences)


def test_the_reranker_learns_from_what_was_kept_for_it_alone(done: tuple[Job, list[str]], tmp_path: Path) -> None:
    job, _ = done
    (folder,) = job.work.glob("corpus-*")
    corpus = read_corpus(folder)
    own = [replace(p, split=RERANK) if p.split == TRAIN and n % 2 else p for n, p in enumerate(corpus.pairs)]
    about = {key: value for key, value in corpus.summary.items() if not key.endswith("sha256")}
    write_corpus(replace(corpus, pairs=tuple(own), summary=about), tmp_path / "corpus")
    recipe = read_recipe(job.recipe)
    untrained = replace(recipe.dual, hard_epochs=0.0, training=replace(recipe.dual.training, epochs=0))
    run = Run(replace(recipe, dual=untrained), tmp_path / "corpus", tmp_path / "runs", print)
    kept = {p.bare for p in own if p.split == RERANK}
    assert len(kept) > 20
    assert {p.bare for p in run.compared.pairs} == kept
    assert not kept & {p.bare for p in run.studied.pairs}
    assert len(run.code_vectors(run.compared)) == len(kept)
    assert recipe.cross
    sampler, groups = run._sampler(recipe.cross)
    assert 0 < groups <= len(kept)
    assert {code.text for number in range(5) for code, _ in sampler.draw(number, 0.0).pairs} <= kept


def test_what_would_fail_after_training_is_told_before(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path)
    text = job.recipe.read_text()
    for tokens in ("code_tokens", "pair_tokens"):
        job.recipe.write_text(text.replace("gate = 1.0", f"gate = 1.0\n{tokens} = 4000"))
        with pytest.raises(UserError, match="4000"):
            do(job, Step.PACK, lambda line: None)
    student = "\n[cross.student]\nlayers = 3\n[cross.student.training]\nepochs = 1\nbatch = 8\nlearning_rate = 1e-3\n"
    job.recipe.write_text(text + student)
    with pytest.raises(UserError, match=r"cross\.student\.layers must be below"):
        do(job, Step.CROSS, lambda line: None)
    assert not list(job.work.glob("dual-*"))


def test_a_dual_encoder_is_a_checkpoint_that_says_where_it_comes_from(
    done: tuple[Job, list[str]], tmp_path: Path
) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    run = Run(read_recipe(job.recipe), corpus, job.work, print)
    again = replace(job, roots=(), corpus=corpus, work=tmp_path, checkpoint=str(run.dual_folder / "code"))
    do(replace(again, command="once more"), Step.DUAL, lambda line: None)
    later = Run(read_recipe(job.recipe, again.checkpoint), corpus, tmp_path, print)
    assert origin_of(run.backbone).runs == ()
    records = origin_of(later.backbone).runs
    assert [made.command for made in records] == [job.command]
    trained = run.dual_stage.result().seconds + run.hard_stage.result().seconds
    assert records[0].hours == pytest.approx(trained / 3600)
    folder = later.dual_folder / "code"
    after = origin_of(open_backbone("minilm", str(folder)))
    assert [made.command for made in after.runs] == [job.command, "once more"]
    assert [entry["name"] for entry in after.licences] == ["minilm", "asked"]
    (folder / "origin.json").write_text('{"runs": []}')
    with pytest.raises(UserError, match="does not say where"):
        origin_of(open_backbone("minilm", str(folder)))


def test_a_checkpoint_of_another_shape_is_not_mixed_in(done: tuple[Job, list[str]], tmp_path: Path) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    other = tiny_checkpoint(tmp_path / "other", layers=2)
    later = replace(job, roots=(), corpus=corpus, work=tmp_path / "runs", checkpoint=str(other))
    with pytest.raises(UserError, match="their shapes differ"):
        do(later, Step.DUAL, lambda line: None)
    assert not list((tmp_path / "runs").glob("dual-*"))


@pytest.mark.parametrize("forgotten", ["1.0", "0.0"])
def test_the_checkpoints_that_are_needed_are_looked_for_before_anything_is_mined(
    tmp_path: Path, forgotten: str
) -> None:
    job = _write_inputs(tmp_path)
    base = (tmp_path / "base").as_posix()
    text = job.recipe.read_text().replace("forgotten = 0.0", f"forgotten = {forgotten}")
    job.recipe.write_text(text.replace(base, (tmp_path / "gone").as_posix()))
    with pytest.raises(UserError, match="neither a folder nor a hub name"):
        do(job, Step.DUAL, lambda line: None)
    assert not list(job.work.glob("corpus-*"))
    started = replace(job, checkpoint=base)
    if forgotten == "0.0":
        with pytest.raises(UserError, match="neither a folder nor a hub name"):
            do(started, Step.DUAL, lambda line: None)
        assert not list(job.work.glob("corpus-*"))
    else:
        do(started, Step.DUAL, lambda line: None)
        assert list(job.work.glob("dual-*"))


def test_what_the_checkpoint_knew_is_mixed_back_in(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    run = Run(read_recipe(job.recipe), corpus, job.work, print)
    found = run.blend
    assert found is not None
    kinds = run.validation.by_kind(run.dual)
    assert found.tried[f"{found.share:g}"] == pytest.approx(kinds)
    trained = run.hard_stage.folder / "code"
    weights = [load_file(folder / WEIGHTS_NAME) for folder in (trained, run.backbone.folder, run.dual_folder / "code")]
    for name, after in weights[2].items():
        torch.testing.assert_close(after, torch.lerp(weights[0][name], weights[1][name], found.share))
    recipe = replace(run.recipe, dual=replace(run.recipe.dual, forgotten=1.0))
    plain = Run(recipe, corpus, job.work, print)
    assert plain.blend is None
    assert plain.dual_folder == run.hard_stage.folder


def test_ways_of_reranking_stand_side_by_side(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    lines = compare(job.recipe, corpus, job.work, "", 1, lambda line: None).splitlines()
    run = Run(read_recipe(job.recipe), corpus, job.work, print)
    recalls = run.validation.recalls(run.dual.query, run.validation.codes(run.dual.code))
    assert f"recall alone {np.mean([(1 / r.ranks).mean() for r in recalls]):.4f}" in lines[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    assert [row[:2] for row in rows] == [["late interaction", "5"], ["cross-encoder, 3 layers", "5"]]
    logits = run.validation.logits(run.scorer, recalls, 5)
    assert float(rows[1][2]) == pytest.approx(run.validation.mean_mrr(recalls, logits, 5, 0.0), abs=1e-4)


def test_a_late_re_ranker_needs_no_recall_score_beside_it(done: tuple[Job, list[str]], tmp_path: Path) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    recipe = tmp_path / "late.toml"
    text = job.recipe.read_text().replace(
        "[cross]\n", '[cross]\ndata = "groups"\nstart = "dual"\nhead = "late"\njoint = 1\n'
    )
    recipe.write_text(text)
    assert Run(read_recipe(recipe), corpus, job.work, print).recall_scale == 0.0


def test_students_stand_side_by_side(done: tuple[Job, list[str]], tmp_path: Path) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    recipe = tmp_path / "sizes.toml"
    recipe.write_text(job.recipe.read_text().replace("sizes = [2, 1]", "sizes = [2, 0]"))
    lines = compare_students(recipe, corpus, job.work, "", 1, lambda line: None).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][2:]
    run = Run(read_recipe(job.recipe), corpus, job.work, print)
    (kept, _) = Students(run).select()
    assert [row[0] for row in rows] == [
        "full",
        "2",
        "0",
        *(f"{kept.depth} ({how})" for how in ("Algorithm 1", "Algorithm 1, further")),
    ]
    assert rows[0][4] == "1.0000"
    recalls = run.validation.recalls(run.dual.query, run.validation.codes(run.dual.code))
    assert float(rows[0][1]) == pytest.approx(np.mean([(1 / r.ranks).mean() for r in recalls]), abs=1e-4)
    assert float(rows[0][3]) == pytest.approx(run.validation.reranked(run.scorer, recalls, run.recall_scale), abs=1e-4)
    assert float(rows[2][6]) < 1


def test_a_recipe_may_leave_out_what_the_baselines_do_not_have(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path)
    text = job.recipe.read_text()
    start, end = text.index("[cross]"), text.index("[export]")
    text = (text[:start] + text[end:]).replace('family = "minilm"', 'family = "codenn"')
    text = text.replace(f'checkpoint = "{(tmp_path / "base").as_posix()}"', "").replace("shared = true", "")
    text = text.replace("hard_epochs = 1", 'objective = "margin"')
    job.recipe.write_text(text)
    do(job, Step.SCORES, lambda line: None)
    results = read_results(job.out / "results.json")
    assert set(results.scores["python"]) == {DUAL}
    assert (results.layers, results.student_layers, results.path) == (0, 0, None)
    assert (results.timing, results.candidates["python"]) == ({}, {})


def test_baselines_refuse_what_they_do_not_have(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path)
    text = job.recipe.read_text().replace('family = "minilm"', 'family = "codenn"').replace("shared = true", "")
    job.recipe.write_text(text.replace(f'checkpoint = "{(tmp_path / "base").as_posix()}"', ""))
    with pytest.raises(UserError, match="starts from nothing"):
        do(job, Step.CROSS, lambda line: None)
    start, end = text.index("[cross]"), text.index("[export]")
    text = (text[:start] + text[end:]).replace("[dual]\n", '[dual]\ncontrasts = ["late"]\n')
    job.recipe.write_text(text.replace(f'checkpoint = "{(tmp_path / "base").as_posix()}"', ""))
    with pytest.raises(UserError, match="no tokens to compare"):
        do(job, Step.DUAL, lambda line: None)


def test_a_look_up_needs_mean_pooling(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path)
    text = job.recipe.read_text().replace("sizes = [2, 1]", "sizes = [0]")
    job.recipe.write_text(text.replace("shared = true", 'shared = true\npooling = "cls"'))
    with pytest.raises(UserError, match="needs mean pooling"):
        do(job, Step.STUDENTS, lambda line: None)
    assert not list(job.work.glob("dual-*"))


@pytest.mark.parametrize(("old", "new"), [("sizes = [2, 1]", "sizes = [3]"), ("removed = 1", "removed = 3")])
def test_more_layers_than_there_are_is_named_before_anything_is_trained(tmp_path: Path, old: str, new: str) -> None:
    job = _write_inputs(tmp_path)
    job.recipe.write_text(job.recipe.read_text().replace(old, new))
    with pytest.raises(UserError, match="The backbone has 3 layers"):
        do(job, Step.STUDENTS, lambda line: None)
    assert not list(job.work.glob("dual-*"))


def test_two_encoders_are_trained_apart_where_they_are_not_shared(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path, shared=False)
    do(job, Step.DUAL, lambda line: None)
    (folder,) = job.work.glob("dual-hard-*")
    assert (folder / "code/model.safetensors").read_bytes() != (folder / "query/model.safetensors").read_bytes()
    assert (folder / "loss.png").is_file()
    assert not (folder / "checkpoint.pt").exists()


def test_a_test_split_below_one_pool_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path)
    job.recipe.write_text(job.recipe.read_text().replace("pool = 10", "pool = 1000"))
    with pytest.raises(UserError, match=r"fewer than one pool of 1000"):
        do(job, Step.SCORES, lambda line: None)
    assert [path.name.partition("-")[0] for path in job.work.iterdir()] == ["corpus"]


def _comparable(path: Path) -> dict[str, Any]:
    """Results without what no two runs share: times, and what the user typed."""
    return {k: v for k, v in json.loads(path.read_text()).items() if k not in ("timing", "command")}


def test_a_chain_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path)
    log = tmp_path / "log"
    start = "from spencer_models.cli import main; main()"
    options = ["--data", str(job.roots[0]), "--until", "scores", "--threads", "1", "--save-minutes", "0"]

    def begin(name: str) -> subprocess.Popen[bytes]:
        places = ["--work", str(tmp_path / name / "runs"), "--out", str(tmp_path / name / "out")]
        program = [sys.executable, "-c", start, "reproduce", str(job.recipe), *options, *places]
        with log.open("ab") as file:
            return subprocess.Popen(program, stdout=file, stderr=file)

    assert begin("whole").wait(timeout=100) == 0, log.read_text()
    # In the middle of the dual encoder, of the re-ranker, and of the second student.
    for pattern, count in (("dual-*", 1), ("cross-*", 1), ("student-*", 2)):
        process = begin("killed")
        while not _is_training(tmp_path / "killed/runs", pattern, count):
            assert process.poll() is None, log.read_text()
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -9
    assert begin("killed").wait(timeout=100) == 0, log.read_text()
    assert "going on from step" in log.read_text()
    found, expected = (_comparable(tmp_path / name / "out/results.json") for name in ("killed", "whole"))
    assert found == expected


def _is_training(runs: Path, pattern: str, count: int) -> bool:
    """Whether a training of this kind, the `count`-th of it, has been saved and is not done."""
    folders = list(runs.glob(pattern))
    return len(folders) == count and any((folder / "checkpoint.pt").is_file() for folder in folders)


def test_what_a_prepared_corpus_makes_meaningless_is_refused(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    (corpus,) = job.work.glob("corpus-*")
    with pytest.raises(UserError, match="--data and --exclude do not change it"):
        do(replace(job, corpus=corpus), Step.DUAL, lambda line: None)


def test_a_place_that_cannot_hold_results_is_named_before_anything_is_done(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path)
    with pytest.raises(UserError, match="cannot be made a folder"):
        do(replace(job, out=job.recipe), Step.SCORES, lambda line: None)
    assert not job.work.exists() or not list(job.work.iterdir())


def test_edited_data_make_another_corpus_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    job = _write_inputs(tmp_path)
    first = Path(do(job, Step.CORPUS, lambda line: None))
    lines = (job.roots[0] / "asked.jsonl").read_text().splitlines()
    (job.roots[0] / "asked.jsonl").write_text("\n".join(lines[:80]), encoding="utf-8")
    second = Path(do(job, Step.CORPUS, lambda line: None))
    assert first != second
    pairs = second / "pairs.jsonl"
    pairs.write_text("".join(pairs.read_text().splitlines(keepends=True)[:10]))
    with pytest.raises(UserError, match=r"pairs\.jsonl is damaged"):
        do(job, Step.DUAL, lambda line: None)


def test_whole_packs_are_not_made_again(done: tuple[Job, list[str]]) -> None:
    job, _ = done
    folder = Path(do(job, Step.PACK, lambda line: None))
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert Path(do(job, Step.PACK, lambda line: None)) == folder
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
