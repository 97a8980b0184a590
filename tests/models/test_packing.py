"""Packs are whole, the application takes them and computes what torch computes, and what costs too much is none."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from torch import nn

from spencer_desktop.core.errors import EnvironmentFault, UserError
from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import MANIFEST, TOKENIZER, ConfidenceCurve, open_pack
from spencer_desktop.core.types import Stage
from spencer_models.backbones.base import Code, Encoder
from spencer_models.backbones.checkpoint import checkpoint_folder
from spencer_models.backbones.codebert import CodeBert
from spencer_models.backbones.cradle import Cradle
from spencer_models.backbones.minilm import MiniLM
from spencer_models.backbones.scorer import PairScorer
from spencer_models.backbones.transformers_stack import TokenBackbone
from spencer_models.backbones.vocabulary import Shape
from spencer_models.card import CARD, Card
from spencer_models.confidence import Bin, Reliability
from spencer_models.data.corpus import Corpus, Pair, write_corpus
from spencer_models.evaluate import Answers, QuestionSet, by_length, evaluate, means, rerank_helps, table
from spencer_models.origin import RunRecord
from spencer_models.packing import VARIANTS, PackSpec, Trained, check_feeding, write_manifest
from spencer_models.release import Packed, describe, gated, gated_packs, make_pack, measure_pack
from spencer_models.results import AssistantPath, PathStep
from spencer_models.retrieval import Recall
from tests.models.checkpoints import write_codebert
from tests.models.tiny import tiny_checkpoint

ROOT = Path(__file__).parents[2]
SPEC = PackSpec(
    name="tiny",
    version="3",
    query_tokens=16,
    code_tokens=32,
    pair_tokens=48,
    candidates=3,
    recall_scale=20.0,
    licences=[{"name": "n", "licence": "l", "part": "base weights"}],
    gate=0.5,
    weights=True,
)
TEXTS = ["read the lines of a file", "sort", "def parse(text): return json of text", "x"]
CURVE = ConfidenceCurve(10, 8.0, 2.0, -3.0)
QUESTIONS = QuestionSet(
    "s",
    ("read a file", "parse of json", "the name of a key"),
    ("def read file path", "sort the list", "parse json text", "add number to key", "print the name", "max min"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """What was trained, the folder with its packs, and what `make_pack` gave and said."""

    trained: Trained
    folder: Path
    packed: Packed
    said: Sequence[str]

    def models(self, variant: str) -> Models:
        return Models(open_pack(self.folder / variant), choose_device("cpu", 1))


def _made(backbone: TokenBackbone, code: Encoder, query: Encoder, scorer: PairScorer | None, folder: Path) -> Made:
    models = [model for model in (code, query, scorer) if model]
    for model in models:
        # As in training; what is exported is a copy.
        model.train().stack.set_attention("sdpa")
    said: list[str] = []
    trained = Trained(backbone, code, query, scorer)
    packed = make_pack(trained, SPEC, _measure, folder, said.append)
    assert all(model.training for model in models)
    for model in models:
        model.eval()
    return Made(trained, folder, packed, said)


def _measure(folder: Path) -> Mapping[str, float]:
    return means(evaluate(Models(open_pack(folder), choose_device("cpu", 1)), [QUESTIONS], ks=(3,)))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Encoders of one layer each, for tracing takes its time, and a re-ranker whose second layer reads jointly."""
    backbone = MiniLM(tiny_checkpoint(tmp_path_factory.mktemp("bert"), layers=3))
    stack = backbone.stack(backbone.folder)
    scorer = PairScorer(stack.thinned([1, 2]), "late", joint=1)
    torch.manual_seed(8)
    nn.init.normal_(scorer.weight)
    code, query = (Encoder(stack.thinned([layer]), "mean") for layer in (0, 1))
    return _made(backbone, code, query, scorer, tmp_path_factory.mktemp("bert-packs"))


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One encoder for both sides; its padding token is number 1, and positions are counted from it."""
    checkpoint = tmp_path_factory.mktemp("roberta")
    write_codebert(checkpoint)
    backbone = CodeBert(checkpoint)
    encoder = Encoder(backbone.stack(checkpoint).thinned([0]), "cls")
    return _made(backbone, encoder, encoder, None, tmp_path_factory.mktemp("roberta-packs"))


@pytest.fixture(params=["bert", "roberta"])
def made(request: pytest.FixtureRequest) -> Made:
    found: Made = request.getfixturevalue(request.param)
    return found


def test_a_pack_is_a_checkpoint_of_its_code_encoder(made: Made) -> None:
    backbone = type(made.trained.backbone)(checkpoint_folder(str(made.folder / "int8")))
    again = backbone.encoder("code").eval()
    codes = [Code(text, "python") for text in TEXTS]
    with torch.no_grad():
        found = again(**backbone.codes(codes, SPEC.code_tokens))
        wanted = made.trained.code(**made.trained.backbone.codes(codes, SPEC.code_tokens))
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    # float16 keeps eleven bits.
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)
    pack = open_pack(made.folder / "int8")
    assert {"model.safetensors", "config.json"} <= set(pack.manifest.files)


def test_the_application_computes_what_torch_computes(made: Made) -> None:
    trained, models = made.trained, made.models("float32")
    codes = [Code(text, "python") for text in TEXTS]
    with torch.no_grad():
        # Each alone in torch, all in one batch with the application's padding there.
        vectors = torch.cat([trained.code(**trained.backbone.codes([code], 32)) for code in codes])
        queries = torch.cat([trained.query(**trained.backbone.queries([text], 16)) for text in TEXTS])
    np.testing.assert_allclose(models.code_encoder.encode(TEXTS), vectors, atol=1e-5)
    np.testing.assert_allclose(models.query_encoder.encode(TEXTS), queries, atol=1e-5)


def test_the_application_scores_what_torch_scores(bert: Made) -> None:
    backbone, scorer, reranker = bert.trained.backbone, bert.trained.scorer, bert.models("float32").reranker
    assert isinstance(backbone, MiniLM)
    assert scorer
    assert reranker
    with torch.no_grad():
        logits = torch.cat([scorer(**backbone.pairs([(Code(t, "python"), "open file")], 48)) for t in TEXTS])
    assert np.ptp(logits.numpy()) > 0.1
    np.testing.assert_allclose(reranker.score("open file", TEXTS), logits, atol=1e-4)


def test_every_variant_is_a_whole_pack_near_the_float32_one(made: Made) -> None:
    plain = made.models("float32").code_encoder.encode(TEXTS)
    for variant, nearest in (("float32", 0.999999), ("int8", 0.97), ("float16", 0.999)):
        models = made.models(variant)
        models.pack.verify()
        vectors = models.code_encoder.encode(TEXTS)
        assert float((vectors * plain).sum(1).min()) > nearest
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
        assert models.query_encoder.encode(TEXTS[:1]).shape == (1, made.trained.code.width)
        assert models.pack.has_reranker == (made.trained.scorer is not None)
        if models.reranker:
            assert np.isfinite(models.reranker.score("open file", TEXTS)).all()


def test_layers_are_fused_and_weights_quantised(bert: Made) -> None:
    for variant, attention in (("float32", "Attention"), ("float16", "Attention"), ("int8", "MultiHeadAttention")):
        kinds = [n.op_type for n in onnx.load(bert.folder / variant / "code_encoder.onnx").graph.node]
        assert [kinds.count(kind) for kind in (attention, "SkipLayerNormalization", "Softmax")] == [1, 2, 0]
        # The six products with weights of one layer, of which one narrows.
        quantised = [kinds.count("MatMulInteger"), kinds.count("MatMulNBits")]
        assert quantised == ([5, 1] if variant == "int8" else [0, 0])


def test_graphs_stand_alone_and_keep_nothing_of_the_machine_they_were_made_on(made: Made) -> None:
    for path in made.folder.rglob("*.onnx"):
        graph = onnx.load(path, load_external_data=False).graph
        assert not any(t.external_data for t in graph.initializer)
        assert {i.name for i in graph.input} == set(made.trained.code.input_names)
        assert not any(trace in path.read_bytes() for trace in (b"site-packages", b"spencer_models", b".py"))
    size = {variant: (made.folder / variant / "code_encoder.onnx").stat().st_size for variant in VARIANTS}
    assert max(size["int8"], size["float16"]) < size["float32"]


def test_the_manifest_says_what_was_asked_for(bert: Made) -> None:
    manifest = open_pack(bert.folder / "int8").manifest
    assert (manifest.name, manifest.version, manifest.dimension) == ("tiny", "3", 32)
    assert (manifest.max_query_tokens, manifest.max_code_tokens, manifest.max_pair_tokens) == (16, 32, 48)
    assert (manifest.query_prefix, manifest.code_prefix) == ("", "")
    assert manifest.rerank
    assert (manifest.rerank.candidates, manifest.rerank.recall_scale, manifest.rerank.default) == (3, 20.0, False)
    assert sorted(path.name for path in bert.folder.iterdir()) == sorted(VARIANTS)
    assert {path.name for path in (bert.folder / "int8").iterdir()} == {*manifest.files, MANIFEST}


def test_what_a_variant_costs_is_measured_and_said(bert: Made) -> None:
    assert bert.packed.means["float32"] == _measure(bert.folder / "float32")
    assert set(bert.packed.costs) == {"int8", "float16"}
    assert any(line.startswith("query_encoder.onnx: differs from torch by") for line in bert.said)
    assert any(line.startswith("int8: mean MRR full 0.") for line in bert.said)


@pytest.mark.parametrize(("mixed", "cost"), [(0.602, -0.001), (0.599, 0.001), (0.5971, 0.0029)])
def test_a_cheap_variant_passes_the_gate(mixed: float, cost: float) -> None:
    plain = {"distilled": 0.5, "mix@10": 0.6}
    assert gated(plain, {"distilled": 0.501, "mix@10": mixed}, 0.003) == pytest.approx(cost)


def test_one_way_of_ranking_that_loses_too_much_closes_the_gate() -> None:
    with pytest.raises(EnvironmentFault, match=r"costs 0\.0040 .*allowed: 0\.003"):
        gated({"distilled": 0.5, "mix@10": 0.6}, {"distilled": 0.52, "mix@10": 0.596}, 0.003)


def test_a_variant_above_the_gate_is_left_without_a_manifest(bert: Made, tmp_path: Path) -> None:
    shutil.copytree(bert.folder, tmp_path, dirs_exist_ok=True)
    found = {"float32": 0.7, "int8": 0.699, "float16": 0.6}
    with pytest.raises(EnvironmentFault, match=r"float16 is no pack\. It costs 0\.1"):
        gated_packs(
            bert.trained, replace(SPEC, gate=0.003), lambda folder: {"full": found[folder.name]}, tmp_path, print
        )
    assert [(tmp_path / variant / MANIFEST).is_file() for variant in VARIANTS] == [True, True, False]


def test_a_tokenizer_that_frames_texts_otherwise_is_noticed(bert: Made, tmp_path: Path) -> None:
    shutil.copytree(bert.folder / "float32", tmp_path, dirs_exist_ok=True)
    check_feeding(bert.trained, SPEC, tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / TOKENIZER))
    tokenizer.post_processor = TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
    tokenizer.save(str(tmp_path / TOKENIZER))
    write_manifest(bert.trained, SPEC, tmp_path, rerank_by_default=False, figures={})
    with pytest.raises(UserError, match=r"minilm make no pack: the application feeds code_encoder\.onnx otherwise"):
        check_feeding(bert.trained, SPEC, tmp_path)


def test_weights_in_another_file_are_refused(bert: Made, tmp_path: Path) -> None:
    shutil.copytree(bert.folder / "float32", tmp_path, dirs_exist_ok=True)
    graph = onnx.load(tmp_path / "code_encoder.onnx")
    onnx.save(graph, tmp_path / "code_encoder.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(UserError, match="keeps weights in other files"):
        write_manifest(bert.trained, SPEC, tmp_path, rerank_by_default=False, figures={})


def test_models_that_read_more_than_tokens_are_exported_and_make_no_pack(tmp_path: Path) -> None:
    codes = [Code("def add(a, b):\n    c = a + b\n    return c", "python")]
    vocabulary = tmp_path / "vocabulary"
    vocabulary.mkdir()
    shape = Shape(12, 8, {"statements": 6, "words": 4, "description": 30})
    Cradle.prepare(codes, ["add numbers"], vocabulary, shape=shape)
    backbone = Cradle(vocabulary)
    trained = Trained(backbone, backbone.encoder("code"), backbone.encoder("query"), None)
    said: list[str] = []
    packed = make_pack(trained, SPEC, _measure, tmp_path / "out", said.append)
    assert packed == Packed({}, {})
    assert "holds graphs but no pack" in said[-1]
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"float32/code_encoder.onnx", "float32/query_encoder.onnx"}


def test_a_described_pack_has_its_figures_and_a_card(bert: Made, tmp_path: Path) -> None:
    shutil.copytree(bert.folder, tmp_path, dirs_exist_ok=True)
    steps = (PathStep(5, 6, "first", 0.899, True, True), PathStep(4, 5, "from A2", -math.inf, False, False))
    path = AssistantPath("R@3", 6, 0.9, 0.01, 1, steps, 5)
    card = Card(
        command="spencer-models reproduce tiny",
        base="tiny, 2 layers, mean pooling",
        student_layers=1,
        dual={},
        distilled={"epochs": 2, "learning_rate": 1e-05},
        reranker={"loss": "listwise"},
        path=path,
        mrr={"python": {"full": 0.75, "mix@3": 0.81}, "java": {"full": 0.5}},
        questions={"python": 1200, "java": 30},
        measured="int8",
        pool=500,
        reliability={"recall, one kind": Reliability((Bin(0.25, 0.2, 40), Bin(0.75, 0.85, 60)), 0.4, 0.05)},
        lengths={"up to 32": (0.8, 12), "over 256": (0.5, 3)},
        corpus={
            "sha256": "abc",
            "pairs": {"train": 5000, "valid": 300},
            "left_out_as_measuring_sets": 4,
            "packages": {"rich": {"version": "15", "licence": "MIT", "split": "valid", "kept": 300}},
            "files": {"docs": {"licence": "", "split": {"train": 5000}, "kept": 5000}},
        },
        hardware="a processor, 2 threads",
        hours=1.25,
        history=[RunRecord("0.9", "spencer-models reproduce earlier", 0.5, "another processor")],
        spoken={"en": (0.9, 40), "de": (0.4, 40)},
        weaknesses=["English questions only."],
    )
    sure = {Stage.RECALL: CURVE}
    describe(bert.trained, SPEC, bert.packed, tmp_path, rerank_by_default=True, card=card, confidence=sure)
    for variant in VARIANTS:
        pack = open_pack(tmp_path / variant)
        pack.verify()
        assert pack.manifest.rerank
        assert pack.manifest.rerank.default
        assert pack.manifest.figures["mrr"]["python"] == {"full": 0.75, "mix@3": 0.81}
        assert [made["version"] for made in pack.manifest.figures["history"]] == ["0.9", SPEC.version]
        assert pack.manifest.confidence == {Stage.RECALL: CURVE}
        assert pack.manifest.figures["cost"]["int8"] == pytest.approx(bert.packed.costs["int8"], abs=1e-4)
    text = (tmp_path / "int8" / CARD).read_text(encoding="utf-8")
    for expected in (
        "tiny, 2 layers, mean pooling, as published.",
        "1 layer, chosen by Algorithm 1 (see below), distilled (epochs 2, learning rate 1e-05).",
        "`20 · cosine + logit`. It is on by default.",
        "It took 1.2 hours on a processor, 2 threads.",
        "| python | 1,200 | 0.7500 | 0.8100 |\n| java | 30 | 0.5000 |  |",
        "| 5 | 6 layers (first) | 0.8990 | kept |",
        "| 4 | 5 layers (from A2) | not trained |  |",
        "| rich | 15 | MIT | valid | 300 |\n| docs |  | as its owner states | train 5,000 | 5,000 |",
        "- English questions only.",
        "| recall, one kind | 100 | 0.080 | 40% | 5% |",
        "| over 256 | 0.5000 | 3 |",
        "    spencer-models reproduce earlier\n\nin 0.5 hours on another processor (version 0.9).",
        "| de | 0.4000 | 40 |",
    ):
        assert expected in text
    assert text == (tmp_path / "float16" / CARD).read_text(encoding="utf-8")


def test_evaluation_counts_as_a_naive_version_does(bert: Made) -> None:
    models = bert.models("float32")
    scores = evaluate(models, [QUESTIONS], ks=(3,))["s"]
    cosines = models.query_encoder.encode(QUESTIONS.queries) @ models.code_encoder.encode(QUESTIONS.codes).T
    assert models.reranker is not None
    recall, mixed = [], []
    for gold, query in enumerate(QUESTIONS.queries):
        order = list(np.argsort(-cosines[gold]))
        recall.append(1 / (order.index(gold) + 1))
        head = sorted(
            order[:3],
            key=lambda i: -(20.0 * cosines[gold][i] + models.reranker.score(query, [QUESTIONS.codes[i]])[0]),
        )
        mixed.append(1 / ((head + order[3:]).index(gold) + 1))
    assert scores["distilled"].mrr == pytest.approx(np.mean(recall), abs=1e-4)
    assert scores["mix@3"].mrr == pytest.approx(np.mean(mixed), abs=1e-4)
    assert scores["full"].n == 3
    assert table({"s": scores}).splitlines()[-1].startswith("mean")


def test_questions_are_asked_in_other_languages_over_the_same_codes(bert: Made, tmp_path: Path) -> None:
    pairs = tuple(Pair(t, t, t, "", "python", "own", "test") for t in TEXTS)
    write_corpus(Corpus(pairs, (), (), {"packages": {}}), tmp_path / "corpus")
    asked = [{"en": TEXTS[0], "de": "lies die Zeilen"}, {"en": "not in it", "de": "fehlt"}]
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    lines = measure_pack(bert.folder / "int8", tmp_path / "corpus", 3, tmp_path / "asked.json").splitlines()
    assert [line.split()[0] for line in lines] == ["MRR", "en", "de", "mean"]
    assert lines[1].endswith(" 1")
    (tmp_path / "asked.json").write_text(json.dumps([{"en": "x"}, {"de": "x"}]))
    with pytest.raises(UserError, match=r"asked.json holds no translations \(every question needs"):
        measure_pack(bert.folder / "int8", tmp_path / "corpus", 3, tmp_path / "asked.json")


def test_scores_by_length_are_those_of_the_questions_whose_code_has_it() -> None:
    sets = [
        QuestionSet("a", ("q", "q"), ("x " * 10, "x " * 300, "x")),
        QuestionSet("b", ("q", "q"), ("x " * 32, "x " * 33)),
    ]
    none = np.zeros((2, 1), np.float32)
    answers = [
        Answers(name, none, none, np.array(ranks), Recall(np.array(ranks), none.astype(np.int64), none), None, 0.0)
        for name, ranks in (("a", [1, 4]), ("b", [2, 5]))
    ]
    found = by_length(answers, sets, lambda code: len(code.split()))
    assert {name: (s.mrr, s.n) for name, s in found.items()} == {
        "up to 32": (0.75, 2),
        "33 to 64": (0.2, 1),
        "over 256": (0.25, 1),
    }


def test_any_pack_is_measured_on_the_test_split_of_a_corpus(bert: Made, tmp_path: Path) -> None:
    def corpus(split: str) -> Path:
        pairs = tuple(Pair(t, t, t, "", "python", "own", split) for t in TEXTS)
        write_corpus(Corpus(pairs, (), (), {"packages": {}}), tmp_path / split)
        return tmp_path / split

    lines = measure_pack(bert.folder / "int8", corpus("test"), 3).splitlines()
    assert [line.split()[0] for line in lines] == ["MRR", "own,", "mean"]
    assert lines[1].endswith(" 3")
    with pytest.raises(UserError, match="no test split"):
        measure_pack(bert.folder / "int8", corpus("train"), 3)


# Of so many questions of each kind re-ranking lifts the answer from the second place to the first, or lowers it so.
@pytest.mark.parametrize(
    ("lifted", "lowered", "helps"),
    [
        ((20, 10), (0, 0), True),
        ((20, 10), (0, 12), True),
        ((20, 0), (0, 12), False),
        ((2, 0), (0, 2), False),
        ((0, 0), (0, 0), False),
    ],
)
def test_reranking_is_on_only_where_it_helps_beyond_chance(
    lifted: tuple[int, ...], lowered: tuple[int, ...], helps: bool
) -> None:
    none = np.zeros((60, 0), np.float32)

    def answers(up: int, down: int) -> Answers:
        ranks = np.array([2] * up + [1] * (60 - up))
        # The own code, 0, stands where its rank says; the logits turn the first `up` and the last `down` around.
        top = np.stack([np.where(ranks == 1, np.arange(60), 99), np.where(ranks == 1, 99, np.arange(60))], axis=1)
        logits = np.tile(np.array([1.0, 0.0], np.float32), (60, 1))
        logits[[*range(up), *range(60 - down, 60)]] = [0.0, 1.0]
        return Answers("", none, none, ranks, Recall(ranks, top, logits * 0), logits, 0.0)

    assert rerank_helps([answers(*x) for x in zip(lifted, lowered, strict=True)], 2) is helps


def test_the_shipped_pack_is_whole() -> None:
    folder = ROOT / "resources/models/default"
    open_pack(folder).verify()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 110e6
    figures = json.loads((folder / MANIFEST).read_text())["figures"]
    assert figures["command"].startswith("spencer-models ")
