"""Distillation and re-ranking on tiny random models: they learn, they start where they should, they resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.minilm import Encoder, PairScorer, compress, load_bert, save_bert
from spencer_models.config import RerankConfig
from spencer_models.cross import GroupSampler, Pool, train_reranker
from spencer_models.data.collation import Collator, ShuffledBatches, batches_by_length
from spencer_models.distill import QueryCorpus, Teaching, distil, mean_cosine
from spencer_models.encode import encode, encode_once, tensors
from spencer_models.loop import Plan
from tests.models.tiny import WORDS, tiny_bert, tiny_tokenizer

COLLATOR = Collator(tiny_tokenizer())


def _ignore(line: str) -> None:
    pass


def _texts(count: int, length: int, seed: int) -> tuple[str, ...]:
    random = np.random.default_rng(seed)
    return tuple(" ".join(random.choice(WORDS, length)) for _ in range(count))


def _plan(steps: int, learning_rate: float) -> Plan:
    return Plan(learning_rate, 0.1, 0.0, seed=5, precision="float32", steps=steps)


def test_distillation_brings_the_student_to_the_teacher(tmp_path: Path) -> None:
    teacher = Encoder(tiny_bert(layers=2))
    student = Encoder(compress(teacher.bert, [0]))
    texts, codes = _texts(64, 5, 1), _texts(16, 12, 2)
    vectors = encode(teacher, COLLATOR, texts, 16, "float32", _ignore)
    teaching = Teaching(
        QueryCorpus(texts, np.arange(64) % 16), vectors, encode(teacher, COLLATOR, codes, 32, "float32", _ignore)
    )
    before = mean_cosine(encode(student, COLLATOR, texts, 16, "float32", _ignore), vectors)
    distil(student, teaching, COLLATOR, _plan(60, 3e-3), batch=16, max_tokens=16, folder=tmp_path, report=_ignore)
    after = mean_cosine(encode(student, COLLATOR, texts, 16, "float32", _ignore), vectors)
    assert after > before + 0.02
    assert after > 0.97


def test_compress_takes_the_named_layers_and_saves_losslessly(tmp_path: Path) -> None:
    bert = tiny_bert(layers=3)
    small = compress(bert, [0, 2])
    assert small.config.num_hidden_layers == 2
    assert torch.equal(small.encoder.layer[1].output.dense.weight, bert.encoder.layer[2].output.dense.weight)
    save_bert(small, tmp_path)
    loaded = load_bert(tmp_path)
    tokens = tensors(COLLATOR.texts(_texts(3, 4, 1), 16))
    assert torch.equal(Encoder(small).eval()(*tokens), Encoder(loaded).eval()(*tokens))


def test_wrong_layers_folders_and_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="3 layers"):
        compress(tiny_bert(layers=3), [3])
    with pytest.raises(UserError, match=r"No safetensors checkpoint"):
        load_bert(tmp_path)
    save_bert(tiny_bert(layers=1), tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 1', '"num_hidden_layers": 2'))
    with pytest.raises(UserError, match="do not fit"):
        load_bert(tmp_path)


def _pool(name: str, seed: int, encoder: Encoder) -> Pool:
    """Codes that hold the words of their questions, and others."""
    queries = _texts(40, 3, seed)
    codes = tuple(f"{q} {noise}" for q, noise in zip(queries, _texts(40, 6, seed + 100), strict=True))
    vectors = [encode(encoder, COLLATOR, texts, 32, "float32", _ignore) for texts in (queries, codes)]
    return Pool(name, queries, codes, vectors[0], vectors[1])


@pytest.fixture(scope="module")
def pools() -> list[Pool]:
    encoder = Encoder(tiny_bert(layers=1))
    return [_pool("a", 1, encoder), _pool("b", 2, encoder), _pool("unused", 3, encoder)]


def test_groups_hold_the_answer_first_and_others_of_the_same_pool(pools: list[Pool]) -> None:
    sampler = GroupSampler(pools, {"a": 0.7, "b": 0.3}, depth=12, negatives=3, seed=1)
    answers = {q: c for p in pools for q, c in zip(p.queries, p.codes, strict=True)}
    of_pool = {c: p.name for p in pools for c in p.codes}
    groups = [g for step in range(30) for g in sampler.groups(step, step / 30, 4)]
    for group in groups:
        assert group.codes[0] == answers[group.query]
        assert group.codes[0] not in group.codes[1:]
        assert len(group.codes) == len(group.cosines) == 4
        assert len({of_pool[c] for c in group.codes}) == 1
    share = sum(of_pool[g.codes[0]] == "a" for g in groups) / len(groups)
    assert 0.5 < share < 0.9
    assert not any(of_pool[g.codes[0]] == "unused" for g in groups)


def test_groups_depend_on_the_step_alone_and_get_harder(pools: list[Pool]) -> None:
    first, second = (GroupSampler(pools, {"a": 1.0}, depth=12, negatives=3, seed=1) for _ in range(2))
    first.groups(0, 0.0, 9)
    for a, b in zip(first.groups(7, 0.5, 4), second.groups(7, 0.5, 4), strict=True):
        assert (a.query, a.codes) == (b.query, b.codes)
    early, late = (
        np.mean([g.cosines[1:].mean() for step in range(40) for g in first.groups(step, progress, 4)])
        for progress in (0.0, 0.99)
    )
    assert late > early


@pytest.mark.parametrize(("head", "loss"), [("cls", "pointwise"), ("interaction", "listwise")])
def test_the_reranker_starts_at_the_recall_order_and_learns(
    tmp_path: Path, pools: list[Pool], head: str, loss: str
) -> None:
    scorer = PairScorer(tiny_bert(layers=1, seed=4), head)
    pairs = [(c, q) for q, c in zip(pools[0].queries, pools[0].codes, strict=True)]
    tokens = tensors(COLLATOR.pairs(pairs, 32))
    assert torch.equal(scorer(*tokens), torch.zeros(40))
    sampler = GroupSampler(pools, {"a": 0.5, "b": 0.5}, depth=12, negatives=3, seed=1)
    config = RerankConfig(
        head=head, loss=loss, minutes=0, groups=8, negatives=3, max_tokens=32, learning_rate=0.0, warmup=0.1,
        weight_decay=0.0, dropout=0.0, recall_scale=5.0, depth=12, candidates=4, mix={},
    )  # fmt: skip
    losses: list[float] = []
    for steps in (1, 40):
        result = train_reranker(scorer, sampler, COLLATOR, config, _plan(steps, 5e-3), tmp_path / str(steps), _ignore)
        losses.append(result.loss)
    assert losses[1] < 0.8 * losses[0]


def test_a_pool_without_reachable_answers_is_an_error(pools: list[Pool]) -> None:
    pool = pools[0]
    lost = Pool("a", pool.queries, pool.codes, -pool.code_vectors, pool.code_vectors)
    with pytest.raises(UserError, match="No question's answer"):
        GroupSampler([lost], {"a": 1.0}, depth=2, negatives=1, seed=1)


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(UserError, match="max"):
        PairScorer(tiny_bert(), "max")


def test_encoding_keeps_order_and_is_done_once(tmp_path: Path) -> None:
    encoder = Encoder(tiny_bert())
    texts = ["read a file", "sort", "parse json text from path of the file", "x"]
    rows = encode(encoder, COLLATOR, texts, 16, "float32", _ignore)
    for text, row in zip(texts, rows, strict=True):
        alone = encode(encoder, COLLATOR, [text], 16, "float32", _ignore)[0]
        np.testing.assert_allclose(row, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    path = tmp_path / "v" / "texts.npy"
    kept = encode_once(path, encoder, COLLATOR, texts, 16, "float32", _ignore)
    np.testing.assert_allclose(kept, rows, atol=1e-3)
    other = encode_once(path, Encoder(tiny_bert(seed=9)), COLLATOR, texts, 16, "float32", _ignore)
    np.testing.assert_array_equal(other, kept)


def test_batches_cover_everything_once_an_epoch() -> None:
    lengths = [int(x) for x in np.random.default_rng(0).integers(1, 90, 1003)]
    batches = ShuffledBatches(lengths, 8, seed=2)
    for epoch in (0, 1):
        seen = np.concatenate([batches.at(step) for step in range(126 * epoch, 126 * (epoch + 1))])
        assert sorted(seen.tolist()) == list(range(1003))
    assert ShuffledBatches(lengths, 8, seed=2).at(130).tolist() == batches.at(130).tolist()
    spread = [np.ptp([lengths[i] for i in batches.at(step)]) for step in range(126)]
    assert np.median(spread) < 10
    assert sorted(i for batch in batches_by_length(lengths, 7, 300) for i in batch) == list(range(1003))


def test_pairs_are_cut_longest_first_and_the_query_has_type_one() -> None:
    tokens = COLLATOR.pairs([("read " * 40, "open the file"), ("x", "y")], 16)
    assert tokens.input_ids.shape == (2, 16)
    assert tokens.token_type_ids[0].tolist() == [0] * 12 + [1] * 4
    assert tokens.attention_mask[1].tolist() == [1] * 5 + [0] * 11
