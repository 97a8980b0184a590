"""The three tasks on tiny random models: what they feed, that they learn, and where they start."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.base import Code, compress, compress_scorer, kept_layers
from spencer_models.backbones.minilm import MiniLM
from spencer_models.config import (
    EQUATION_4,
    CrossConfig,
    DualConfig,
    EvaluateConfig,
    MixConfig,
    TextConfig,
    TrainingConfig,
)
from spencer_models.cross import CrossTask, GroupSampler, LabelledSampler, labelled_examples, random_examples
from spencer_models.data.collation import ShuffledBatches, batches_by_length
from spencer_models.data.corpus import VALID, Corpus, Labelled, Pair
from spencer_models.data.negatives import hard_negatives
from spencer_models.data.queries import training_query
from spencer_models.distill import (
    DistillTask,
    Objective,
    QueryCorpus,
    Teaching,
    all_queries,
    further_queries,
    queries_of_examples,
)
from spencer_models.dual import DualEncoder, DualTask
from spencer_models.encode import once
from spencer_models.examples import Example, Examples, pools
from spencer_models.loop import FitResult, Plan, Task, fit
from spencer_models.losses import late_interaction
from spencer_models.mixing import mix_of
from spencer_models.retrieval import recall, rerank
from spencer_models.validation import Reading, Validation
from tests.models.regression import MACHINE, ignore
from tests.models.tiny import WORDS, tiny_checkpoint

TEXT = TextConfig(query=16, code=32, pair=48)
TRAINING = TrainingConfig(epochs=1, batch=16, learning_rate=5e-3, dropout=0.0)


def _texts(count: int, length: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, length)) for _ in range(count)]


def _examples(count: int, seed: int) -> list[Example]:
    """Codes that hold the words of their questions, and others."""
    queries, noise = _texts(count, 3, seed), _texts(count, 6, seed + 100)
    return [Example(q, Code(f"{q} {n}", "python")) for q, n in zip(queries, noise, strict=True)]


def _fit(task: Task, model: torch.nn.Module, folder: Path, steps: int, rate: float) -> FitResult:
    return fit(model, task, Plan(steps, rate, 0.1, 0.0, seed=5, validations=1), MACHINE, folder, ignore)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> MiniLM:
    return MiniLM(tiny_checkpoint(tmp_path_factory.mktemp("base"), layers=3))


@pytest.fixture(scope="module")
def reading(backbone: MiniLM) -> Reading:
    return Reading(backbone, TEXT, MACHINE, ignore)


def _mrr(dual: DualEncoder, reading: Reading, examples: list[Example]) -> float:
    queries = reading.queries(dual.query, [e.query for e in examples])
    codes = reading.codes(dual.code, [e.code for e in examples])
    return float((1 / recall(queries, codes, 5).ranks).mean())


@pytest.mark.parametrize(
    ("shared", "changes"),
    [
        (True, {}),
        (False, {"contrasts": ("cross",), "literal": True, "temperature": 0.2}),
        (True, {"contrasts": ("search",)}),
        (True, {"contrasts": ("search", "late")}),
        (False, {"objective": "margin", "margin": 0.5}),
    ],
)
def test_dual_training_ranks_the_answers_of_unseen_questions_higher(
    tmp_path: Path, backbone: MiniLM, reading: Reading, shared: bool, changes: dict[str, object]
) -> None:
    code = backbone.encoder("code", dropout=0.1)
    dual = DualEncoder(code if shared else backbone.encoder("query", dropout=0.1), code)
    unseen = _examples(60, 7)
    before = _mrr(dual, reading, unseen)
    config = replace(DualConfig(TRAINING), **changes)  # type: ignore[arg-type]
    task = DualTask(
        dual, backbone, _examples(96, 1), config, TEXT, MACHINE, lambda: _mrr(dual, reading, unseen), seed=2
    )
    result = _fit(task, dual, tmp_path, 60, 3e-3)
    assert result.score > before + 0.1


@pytest.mark.parametrize("contrasts", [EQUATION_4, ("search", "late")])
def test_micro_batches_change_memory_and_nothing_else(backbone: MiniLM, contrasts: tuple[str, ...]) -> None:
    dual = DualEncoder(backbone.encoder("query"), backbone.encoder("code"))
    gradients = []
    for micro_batch in (0, 3):
        dual.zero_grad()
        config = DualConfig(replace(TRAINING, batch=8, micro_batch=micro_batch), contrasts=contrasts)
        task = DualTask(dual, backbone, _examples(32, 1), config, TEXT, MACHINE, lambda: 0.0, seed=2)
        batch = task.batch(1, 0.0)
        assert len(batch.codes) == (3 if micro_batch else 1)
        task.backward(batch)
        gradients.append(torch.cat([p.grad.flatten() for p in dual.parameters() if p.grad is not None]))
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("contrasts", [("cross",), ("late",)])
def test_hard_negatives_join_the_batch_and_raise_its_loss(backbone: MiniLM, contrasts: tuple[str, ...]) -> None:
    dual = DualEncoder(*(2 * [backbone.encoder("code")]))
    examples = _examples(32, 1)
    hard = (np.arange(32)[:, None] + np.array([[1, 2]])) % 32
    hard[5] = -1
    losses = []
    for mined in (None, hard):
        config = DualConfig(replace(TRAINING, batch=8), contrasts=contrasts, hard_negatives=2)
        task = DualTask(dual, backbone, examples, config, TEXT, MACHINE, lambda: 0.0, 2, hard=mined)
        batch = task.batch(0, 0.0)
        losses.append(task.backward(batch))
    rows = sum(len(part["input_ids"]) for part in batch.hard)
    assert 0 < rows <= 16
    assert losses[1] > losses[0]


@pytest.fixture(scope="module")
def vectors(backbone: MiniLM, reading: Reading) -> tuple[list[Example], np.ndarray, np.ndarray]:
    examples = _examples(80, 3)
    encoder = backbone.encoder("code")
    queries = reading.queries(encoder, [e.query for e in examples])
    return examples, queries, reading.codes(encoder, [e.code for e in examples])


CROSS = CrossConfig(replace(TRAINING, batch=4), negatives=3, depth=12, head="interaction", loss="listwise")


def _sampler(vectors: tuple[list[Example], np.ndarray, np.ndarray], config: CrossConfig = CROSS) -> GroupSampler:
    examples, queries, codes = vectors
    mined = hard_negatives(queries, codes, [e.query for e in examples], config.depth)
    return GroupSampler(examples, queries, codes, mined, config, seed=1)


def test_only_questions_in_doubt_are_learnt_from(vectors) -> None:  # type: ignore[no-untyped-def]
    examples, queries, codes = vectors
    every = _sampler(vectors)
    mined = hard_negatives(queries, codes, [e.query for e in examples], CROSS.depth)
    apart = np.abs(mined.own - (queries * codes[mined.codes[:, 0]]).sum(1))
    middle = float(np.median(apart[every.reachable]))
    some = _sampler(vectors, replace(CROSS, doubt=middle))
    assert 0 < len(some.reachable) < len(every.reachable)
    assert set(some.reachable) == {i for i in every.reachable if apart[i] <= middle}
    with pytest.raises(UserError, match="none is in doubt"):
        _sampler(vectors, replace(CROSS, doubt=float(apart.min()) / 2))


def test_groups_hold_the_answer_first_then_others_and_their_cosines(vectors) -> None:  # type: ignore[no-untyped-def]
    examples, queries, codes = vectors
    sampler = _sampler(vectors)
    place = {e.query: i for i, e in enumerate(examples)}
    for number in range(10):
        draw = sampler.draw(number, number / 10)
        assert draw.labels.tolist() == len(draw.pairs) // 4 * [1, 0, 0, 0]
        for start in range(0, len(draw.pairs), 4):
            row = place[draw.pairs[start][1]]
            assert draw.pairs[start][0] == examples[row].code
            others = draw.pairs[start + 1 : start + 4]
            assert all(query == examples[row].query and code != examples[row].code for code, query in others)
            numbers = [next(i for i, e in enumerate(examples) if e.code == c) for c, _ in draw.pairs[start : start + 4]]
            np.testing.assert_allclose(draw.cosines[start : start + 4], codes[numbers] @ queries[row], rtol=1e-5)


def test_groups_depend_on_their_number_alone_and_get_harder(vectors) -> None:  # type: ignore[no-untyped-def]
    first, second = _sampler(vectors), _sampler(vectors)
    first.draw(0, 0.0)
    assert first.draw(7, 0.5).pairs == second.draw(7, 0.5).pairs
    early, late = (
        np.mean([first.draw(n, progress).cosines.reshape(-1, 4)[:, 1:].mean() for n in range(40)])
        for progress in (0.0, 0.99)
    )
    assert late > early


def test_every_reachable_question_is_asked_once_an_epoch(vectors) -> None:  # type: ignore[no-untyped-def]
    sampler = _sampler(vectors)
    examples = vectors[0]
    per_epoch = math.ceil(len(sampler.reachable) / 4)
    asked = [pairs[0][1] for n in range(per_epoch) for pairs in np.array_split(sampler.draw(n, 0.5).pairs, 1)]
    assert len(asked) == per_epoch
    queries = {q for n in range(per_epoch) for _, q in sampler.draw(n, 0.5).pairs}
    assert queries == {examples[i].query for i in sampler.reachable}


def test_questions_whose_answer_is_far_down_are_an_error_when_there_is_no_other(vectors) -> None:  # type: ignore[no-untyped-def]
    examples, _, codes = vectors
    with pytest.raises(UserError, match="No question's answer"):
        _sampler((examples, -codes, codes), replace(CROSS, depth=2, negatives=1))


def test_labelled_pairs_are_drawn_as_they_stand_once_an_epoch() -> None:
    labelled = [Labelled(f"q{i}", f"c{i}", "python", i % 2, "train") for i in range(10)]
    sampler = LabelledSampler(labelled_examples(labelled), 4, seed=1)
    for epoch in (0, 1):
        draws = [sampler.draw(3 * epoch + n, 0.0) for n in range(3)]
        found = sorted((q, c.text, int(y)) for d in draws for (c, q), y in zip(d.pairs, d.labels, strict=True))
        assert found == sorted((x.query, x.code, x.label) for x in labelled)
    assert sampler.draw(0, 0.0).pairs != sampler.draw(3, 0.0).pairs


def test_random_pairs_are_as_many_unmatched_as_matched_and_give_no_question_its_own_code() -> None:
    examples = _examples(20, 1)
    drawn = random_examples(examples, seed=3)
    assert [x for x, label in drawn if label == 1] == examples
    own = {e.query: e.code for e in examples}
    wrong = [x for x, label in drawn if label == 0]
    assert sorted(x.query for x in wrong) == sorted(own)
    assert {x.code.text for x in wrong} == {c.text for c in own.values()}
    assert all(x.code != own[x.query] for x in wrong)
    assert random_examples(examples, seed=3) == drawn != random_examples(examples, seed=4)


@pytest.mark.parametrize(
    ("head", "loss", "scale"), [("cls", "pointwise", 0.0), ("interaction", "listwise", 0.0), ("cls", "listwise", 5.0)]
)
def test_the_reranker_starts_at_nothing_and_learns(
    tmp_path: Path,
    backbone: MiniLM,
    vectors,  # type: ignore[no-untyped-def]
    head: str,
    loss: str,
    scale: float,
) -> None:
    config = replace(CROSS, head=head, loss=loss, recall_scale=scale)
    scorer = backbone.scorer(head)
    pairs = [(e.code, e.query) for e in vectors[0][:9]]
    assert torch.equal(scorer(**backbone.pairs(pairs, 48)), torch.zeros(9))
    task = CrossTask(scorer, backbone, _sampler(vectors, config), config, 48, MACHINE, lambda: 0.0)
    first = task.backward(task.batch(0, 0.0))
    result = _fit(task, scorer, tmp_path, 120, 4e-3)
    assert result.loss < 0.8 * first


@pytest.mark.parametrize("joint", [0, 2])
def test_a_late_reranker_starts_as_the_encoder_that_it_is_made_of(backbone: MiniLM, vectors, joint: int) -> None:  # type: ignore[no-untyped-def]
    encoder = backbone.encoder("code").eval()
    pairs = [(e.code, e.query) for e in vectors[0][:9]]
    queries = encoder.with_tokens(16, **backbone.queries([query for _, query in pairs], 16))
    codes = encoder.with_tokens(32, **backbone.codes([code for code, _ in pairs], 32))
    cosines = (queries[:, 0] * codes[:, 0]).sum(1)
    expected = 20 * (cosines + late_interaction(queries[:, 1:], codes[:, 1:]).diagonal())
    scorer = backbone.scorer("late", joint=joint).eval()
    assert scorer.stack.depth == encoder.stack.depth + joint
    torch.testing.assert_close(scorer(**backbone.pairs(pairs, 48)), expected)


def test_a_late_reranker_learns_on(tmp_path: Path, backbone: MiniLM, vectors) -> None:  # type: ignore[no-untyped-def]
    scorer = backbone.scorer("late", joint=1)
    scorer.freeze()
    before = {name: value.clone() for name, value in scorer.state_dict().items()}
    config = replace(CROSS, head="late", joint=1)
    task = CrossTask(scorer, backbone, _sampler(vectors, config), config, 48, MACHINE, lambda: 0.0)
    first = task.backward(task.batch(0, 0.0))
    assert _fit(task, scorer, tmp_path, 60, 3e-3).loss < 0.8 * first
    assert scorer.weight[scorer.stack.width + 1 :].abs().max() > 0
    moved = {name for name, value in scorer.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.partition("encoder.layer.")[2][:1] for name in moved} == {"", "3"}
    assert {name for name in moved if "encoder" not in name} == {"weight", "bias"} & moved


def test_joint_layers_see_code_and_question_together_and_stay_when_layers_go(backbone: MiniLM, vectors) -> None:  # type: ignore[no-untyped-def]
    scorer = backbone.scorer("late", joint=1).eval()
    read = [backbone.pairs([(example.code, "read file")], 48) for example in vectors[0][:2]]
    stages = [scorer.stack.apart(3, **features)[:2] for features in read]
    asked = [
        [states[features["token_type_ids"] == 1] for states in two] for two, features in zip(stages, read, strict=True)
    ]
    torch.testing.assert_close(asked[0][0], asked[1][0])
    assert not torch.allclose(asked[0][1], asked[1][1], atol=0.01)
    small = compress_scorer(scorer, 2)
    assert (small.stack.depth, small.joint) == (2, 1)
    assert torch.equal(
        small.stack.state_dict()["model.encoder.layer.1.output.dense.weight"],
        scorer.stack.state_dict()["model.encoder.layer.3.output.dense.weight"],
    )


def test_a_shallow_reranker_learns_the_scores_of_a_deep_one(
    tmp_path: Path,
    backbone: MiniLM,
    vectors,  # type: ignore[no-untyped-def]
) -> None:
    torch.manual_seed(1)
    teacher = backbone.scorer("interaction").eval()
    torch.nn.init.normal_(teacher.weight, std=0.5)
    student = compress_scorer(teacher, 1)
    assert student.stack.depth == 1
    assert torch.equal(student.weight, teacher.weight)
    sampler = _sampler(vectors)
    task = CrossTask(student, backbone, sampler, CROSS, 48, MACHINE, lambda: 0.0, teacher)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    first = task.backward(task.batch(0, 0.0))
    result = _fit(task, student, tmp_path, 120, 3e-3)
    assert result.loss < 0.5 * first
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    perfect = CrossTask(teacher, backbone, sampler, CROSS, 48, MACHINE, lambda: 0.0, teacher)
    assert perfect.backward(perfect.batch(0, 0.0)) == pytest.approx(0, abs=1e-6)


def test_logits_come_back_in_the_order_of_the_pairs(backbone: MiniLM, vectors) -> None:  # type: ignore[no-untyped-def]
    """A scorer whose loss is the sum of the logits weighed by the labels gets the gradient of exactly those pairs."""
    scorer = backbone.scorer("cls")
    torch.nn.init.normal_(scorer.weight)
    task = CrossTask(scorer, backbone, _sampler(vectors), CROSS, 48, MACHINE, lambda: 0.0)
    batch = task.batch(0, 0.0)
    with torch.no_grad():
        rows = torch.cat([scorer(**part) for part in batch.parts])
        draw = _sampler(vectors).draw(0, 0.0)
        alone = torch.cat([scorer(**backbone.pairs([pair], 48)) for pair in draw.pairs])
    torch.testing.assert_close(rows[torch.argsort(batch.order)], alone, rtol=1e-4, atol=1e-5)


def _mean_cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum(1).mean())


def _teaching(backbone: MiniLM, reading: Reading) -> tuple[Teaching, list[str]]:
    teacher = backbone.encoder("query")
    texts = _texts(64, 5, 1)
    corpus = QueryCorpus(tuple(texts), np.arange(64) % 16)
    codes = [Code(text, "python") for text in _texts(16, 12, 2)]
    return Teaching(corpus, reading.queries(teacher, texts), reading.codes(teacher, codes)), texts


@pytest.mark.parametrize("objective", ["loss_single", "loss_dual", "loss_spencer", "loss_contra", "direct_train"])
def test_each_objective_lowers_its_loss(
    tmp_path: Path, backbone: MiniLM, reading: Reading, objective: Objective
) -> None:
    teaching, texts = _teaching(backbone, reading)
    student = compress(backbone.encoder("query", dropout=0.0), 2)
    training = replace(TRAINING, batch=16)
    dual = DualConfig(TRAINING, temperature=0.05)
    task = DistillTask(student, backbone, teaching, objective, training, TEXT, MACHINE, lambda: 0.0, 3, dual)
    before = _mean_cosine(reading.queries(student, texts), teaching.queries)
    first = task.backward(task.batch(0, 0.0))
    result = _fit(task, student, tmp_path, 60, 3e-3)
    assert result.loss < 0.8 * first
    after = _mean_cosine(reading.queries(student, texts), teaching.queries)
    if objective in ("loss_single", "loss_spencer"):
        assert after > max(0.9, before)


def test_layers_are_kept_evenly_with_the_first_and_the_last(backbone: MiniLM) -> None:
    assert kept_layers(12, 3) == (0, 1, 3, 4, 6, 7, 8, 10, 11)
    assert kept_layers(6, 3) == (0, 2, 5)
    assert kept_layers(6, 4) == (0, 5)
    assert kept_layers(6, 5) == (5,)
    assert kept_layers(6, 6) == ()
    assert compress(backbone.encoder("query"), 1).stack.depth == 2
    with pytest.raises(UserError, match="4 layers cannot be taken from a model of 3"):
        compress(backbone.encoder("query"), 4)


def test_without_any_layer_an_encoder_looks_its_tokens_up(backbone: MiniLM) -> None:
    look_up = compress(backbone.encoder("query"), 3).eval()
    assert look_up.stack.depth == 0
    features = backbone.queries(["read file", "list"], 16)
    states, _ = look_up.stack(**features)
    torch.testing.assert_close(states, look_up.stack.model.embeddings(features["input_ids"]))  # type: ignore[operator]
    assert look_up(**features).shape == (2, 32)


def test_the_query_corpora_are_distinct_and_point_at_their_code() -> None:
    pairs = [
        Pair("Returns the parsed value", "c", "c", "Reader.parse_value", "python", "s", "train"),
        Pair("Returns the parsed value", "d", "d", "f", "python", "s", "train"),
    ]
    examples = Examples(pairs, TEXT)
    assert queries_of_examples(examples).texts == ("Returns the parsed value",)
    everything = all_queries(pairs, [])
    assert "reader parse value" in everything.texts
    assert everything.examples[everything.texts.index("Returns the parsed value")] == 0
    assert len(set(everything.texts)) == len(everything.texts) == len(everything.examples)
    further = further_queries(pairs, [])
    assert further.texts[: len(everything.texts)] == everything.texts
    assert {training_query(pair) for pair in pairs} < set(further.texts)
    assert any("python" in text for text in further.texts)


def test_pools_are_whole_and_what_is_dropped_is_counted() -> None:
    pairs = [Pair(f"q{i}", f"c{i}", f"c{i}", "", "python", "s", "test") for i in range(25)]
    whole, dropped = pools(pairs, 10)
    assert ([len(p.queries) for p in whole], dropped) == ([10, 10], 5)
    asked = [q for p in whole for q in p.queries]
    assert asked != sorted(asked)
    assert all(c.text == "c" + q[1:] for p in whole for q, c in zip(p.queries, p.codes, strict=True))
    assert pools(list(reversed(pairs)), 10)[0] == whole
    assert [len(p.queries) for p in pools(pairs, 10, whole=False)[0]] == [10, 10, 5]


def test_validation_counts_each_kind_of_question_once(backbone: MiniLM, reading: Reading) -> None:
    pairs = tuple(
        Pair(q, f"{q} {q}", f"{q} {q}", "", language, "s", VALID)
        for language, count in (("python", 60), ("java", 50), ("c", 6))
        for q in _texts(count, 4, count)
    )
    config = EvaluateConfig(valid_reranked=5, candidates=3, most_candidates=4)
    validation = Validation(reading, config, Corpus(pairs, (), (), {"packages": {}}), 55)
    # A few questions are left out where other kinds have many, and stand where none has.
    assert [len(p.queries) for p in validation.pools] == [50, 55]
    few = Corpus(pairs[-6:], (), (), {"packages": {}})
    assert [len(p.queries) for p in Validation(reading, config, few, 20).pools] == [6]
    encoder = backbone.encoder("code")
    dual = DualEncoder(encoder, encoder)
    by_language = []
    for pool in validation.pools:
        found = recall(reading.queries(encoder, pool.queries), reading.codes(encoder, pool.codes), 3)
        by_language.append(float((1 / found.ranks).mean()))
    assert validation.dual(dual) == pytest.approx(np.mean(by_language))
    recalls = validation.recalls(dual.query, validation.codes(dual.code))
    assert [len(r.ranks) for r in recalls] == [min(5, len(p.queries)) for p in validation.pools]
    scorer = backbone.scorer("cls")
    # An untrained re-ranker gives every candidate the same logit: ties count against the answer.
    pure = validation.reranked(scorer, recalls, 0.0)
    mixed = validation.reranked(scorer, recalls, 5.0)
    assert mixed == pytest.approx(np.mean([(1 / r.ranks).mean() for r in recalls]))
    assert pure < mixed
    assert validation.best_scale(scorer, recalls) == 1.0
    with pytest.raises(UserError, match="no pairs for validation"):
        Validation(reading, EvaluateConfig(), Corpus((), (), (), {"packages": {}}), 20)


def test_reranking_appends_the_remainder_in_recall_order() -> None:
    codes = np.eye(4, dtype=np.float32)
    queries = np.array([[0.9, 0.8, 0.7, 0.1], [0.2, 0.1, 0.9, 0.8]], np.float32)
    found = recall(queries, codes, 3)
    assert found.ranks.tolist() == [1, 4]
    assert found.top.tolist() == [[0, 1, 2], [2, 3, 0]]
    logits = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]], np.float32)
    assert rerank(found, logits, 3, 0.0).tolist() == [3, 4]
    assert rerank(found, logits, 2, 0.0).tolist() == [2, 4]
    assert rerank(found, logits, 3, 100.0).tolist() == [1, 4]


def test_the_answer_stands_last_among_equals_and_its_own_logit_is_read() -> None:
    codes = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    found = recall(np.array([[1, 0]], np.float32), codes, 3)
    assert (found.ranks.tolist(), found.top.tolist()) == ([2], [[1, 0, 2]])
    logits = np.array([[-5.0, 5.0, 0.0]], np.float32)
    assert rerank(found, logits, 3, 0.0).tolist() == [1]


def test_threads_do_not_change_each_others_lengths(backbone: MiniLM) -> None:
    texts = ["read the lines of a file into a list " * 3] * 50

    def width(max_tokens: int) -> int:
        return backbone.queries(texts, max_tokens)["input_ids"].shape[1]

    with ThreadPoolExecutor(2) as pool:
        lengths = [5, 9] * 60
        assert list(pool.map(width, lengths)) == lengths


def test_encoding_keeps_order_and_is_done_once(tmp_path: Path, backbone: MiniLM, reading: Reading) -> None:
    encoder = backbone.encoder("query").train()
    texts = ["read a file", "sort", "parse json text from path of the file", "x"]
    rows = reading.queries(encoder, texts)
    assert encoder.training
    for text, row in zip(texts, rows, strict=True):
        np.testing.assert_allclose(row, reading.queries(encoder, [text])[0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    assert reading.queries(encoder, []).shape == (0, 32)
    path = tmp_path / "v" / "texts.npy"
    np.testing.assert_allclose(once(path, lambda: rows), rows, atol=1e-3)
    np.testing.assert_allclose(once(path, lambda: -rows), rows, atol=1e-3)


def test_batches_cover_everything_once_an_epoch() -> None:
    lengths = [int(x) for x in np.random.default_rng(0).integers(1, 90, 1003)]
    batches = ShuffledBatches(lengths, 8, seed=2)
    for epoch in (0, 1):
        seen = np.concatenate([batches.at(step) for step in range(126 * epoch, 126 * (epoch + 1))])
        assert sorted(seen.tolist()) == list(range(1003))
    assert ShuffledBatches(lengths, 8, seed=2).at(130).tolist() == batches.at(130).tolist()
    assert [len(ShuffledBatches([1] * n, 4, seed=0).at(0)) for n in (1, 4, 5)] == [1, 4, 5]
    nine = ShuffledBatches([1] * 9, 4, seed=0)
    assert sorted(len(nine.at(step)) for step in (0, 1)) == [4, 5]
    spread = [np.ptp([lengths[i] for i in batches.at(step)]) for step in range(126)]
    assert np.median(spread) < 10
    assert sorted(i for batch in batches_by_length(lengths, 7, 300) for i in batch) == list(range(1003))


def test_no_batch_has_one_row_alone() -> None:
    zeros, twice = np.zeros(9, np.int64), np.array([2] + 8 * [1])
    assert [len(b) for b in (ShuffledBatches([1] * 9, 8, 0, groups=zeros).at(n) for n in range(1))] == [9]
    once_more = ShuffledBatches([1] * 9, 4, 0, times=twice)
    batches = [once_more.at(n).tolist() for n in range(once_more.per_epoch)]
    assert sorted(row for batch in batches for row in batch) == [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert all(len(set(batch)) == len(batch) >= 4 for batch in batches)


def test_a_sample_shows_each_source_as_often_as_training_does() -> None:
    pairs = [Pair(f"q{n}", "c", "c", "", "python", "asked" if n % 10 == 0 else "mined", "train") for n in range(2000)]
    mix = mix_of(pairs, MixConfig(repeats={"asked": 4}, together="source"))
    assert int(mix.times.sum()) == 1800 + 4 * 200
    chosen = mix.sample(300, seed=1)
    assert chosen.tolist() == sorted(set(chosen.tolist())) == mix.sample(300, seed=1).tolist()
    share = np.mean([pairs[i].source == "asked" for i in chosen])
    assert 0.25 < share < 0.36
    assert mix.of(chosen).times.tolist() == [1] * 300
    assert mix.of(mix.sample(0, 1)).times.tolist() == mix.times.tolist()
    groups = mix.of(chosen).groups
    assert groups is not None
    assert len(set(groups.tolist())) == 2
    assert mix_of(pairs, MixConfig()).groups is None
    rest = mix_of(pairs, MixConfig(repeats={"asked": 0}))
    assert all(pairs[i].source != "asked" for i in rest.sample(0, 1))
    assert len(rest.sample(0, 1)) == np.count_nonzero(rest.times) < len(pairs)
    assert rest.of(rest.sample(0, 1)).times.min() == 1
    with pytest.raises(UserError, match="leaves no pair"):
        mix_of(pairs, MixConfig(repeats=dict.fromkeys({pair.source for pair in pairs}, 0)))
    with pytest.raises(UserError, match=r"mix\.repeats names 'askd'"):
        mix_of(pairs, MixConfig(repeats={"askd": 2}))


def test_batches_show_what_is_repeated_in_different_batches_and_keep_groups_together() -> None:
    random = np.random.default_rng(1)
    groups, times = random.integers(0, 5, 400), random.integers(1, 4, 400)
    batches = ShuffledBatches([1] * 400, 8, seed=3, times=times, groups=groups)
    for epoch in (0, 1):
        count = batches.per_epoch
        seen = [batches.at(step) for step in range(count * epoch, count * (epoch + 1))]
        assert np.bincount(np.concatenate(seen)).tolist() == times.tolist()
        assert all(len(set(batch.tolist())) == len(batch) > 1 for batch in seen)
        # What fills no batch of one group: at most 7 of each of 5 groups in each of 3 copies.
        assert sum(len(batch) for batch in seen if len(set(groups[batch])) > 1) <= 7 * 5 * 3
    assert batches.at(3).tolist() != batches.at(3 + batches.per_epoch).tolist()
