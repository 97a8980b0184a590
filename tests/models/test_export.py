"""Exported graphs say what torch says, and a pack of them is one that the application takes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.inference import Models, choose_device
from spencer_desktop.core.pack import open_pack
from spencer_models.backbones.minilm import Encoder, PairScorer, compress
from spencer_models.config import Recipe, read_recipe
from spencer_models.data.collation import Collator, Tokens
from spencer_models.evaluate import Scores, ValidSet, evaluate, rerank_helps, table
from spencer_models.export import OnnxModel, export_float
from spencer_models.packing import Trained, quantise_graphs, write_graphs, write_manifest
from tests.models.tiny import tiny_bert, tiny_tokenizer

ROOT = Path(__file__).parents[2]
LENGTHS = {"query": 16, "code": 32, "pair": 48}
TEXTS = ["read the lines of a file", "sort", "def parse(text): return json of text", "x"]


def _recipe() -> Recipe:
    recipe = read_recipe(ROOT / "resources/recipes/v0.toml")
    return replace(recipe, lengths=replace(recipe.lengths, **LENGTHS))


def _trained() -> Trained:
    bert = tiny_bert(layers=1)
    scorer = PairScorer(tiny_bert(layers=1, seed=3), "interaction")
    torch.manual_seed(8)
    nn.init.normal_(scorer.weight)
    return Trained(tiny_tokenizer(), Encoder(bert).eval(), Encoder(compress(bert, [0])).eval(), scorer.eval())


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("float", "int8")}
    write_graphs(_trained(), _recipe(), folders["float"], print)
    quantise_graphs(folders["float"], folders["int8"], print)
    licences = [{"name": "n", "licence": "l", "part": "p"}]
    for folder in folders.values():
        write_manifest(_recipe(), folder, dimension=32, licences=licences, rerank_by_default=True, figures={})
    return folders


def _torch(model: nn.Module, tokens: Tokens) -> np.ndarray:
    with torch.no_grad():
        parts = (tokens.input_ids, tokens.attention_mask, tokens.token_type_ids)
        return model(*(torch.from_numpy(part) for part in parts)).numpy()


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_float_graphs_equal_torch_for_any_batch_and_length(packs: Mapping[str, Path], rows: int) -> None:
    trained, collator = _trained(), Collator(tiny_tokenizer())
    texts = collator.texts(TEXTS[:rows], 32)
    pairs = collator.pairs([(t, "open file") for t in TEXTS[:rows]], 48)
    for name, model, tokens in (
        ("code_encoder", trained.code, texts),
        ("query_encoder", trained.query, texts),
        ("reranker", trained.reranker, pairs),
    ):
        found = OnnxModel(packs["float"] / f"{name}.onnx", threads=1)(tokens)
        np.testing.assert_allclose(found, _torch(model, tokens), atol=1e-5)
    assert found.shape == (rows,)


def test_int8_graphs_stay_near_and_are_small_single_files(packs: Mapping[str, Path]) -> None:
    tokens = Collator(tiny_tokenizer()).texts(TEXTS, 32)
    plain, small = (OnnxModel(packs[kind] / "code_encoder.onnx", threads=1)(tokens) for kind in ("float", "int8"))
    assert (plain * small).sum(1).min() > 0.97
    for name in ("code_encoder", "query_encoder", "reranker"):
        path = packs["int8"] / f"{name}.onnx"
        graph = onnx.load(path, load_external_data=False).graph
        kinds = {node.op_type for node in graph.node}
        assert "MatMulInteger" in kinds
        assert all(not tensor.external_data for tensor in graph.initializer)
        assert [i.name for i in graph.input] == ["input_ids", "attention_mask", "token_type_ids"]


def test_the_application_reads_and_runs_the_pack(packs: Mapping[str, Path]) -> None:
    pack = open_pack(packs["int8"])
    pack.verify()
    manifest = pack.manifest
    assert manifest.space_id == hashlib.sha256((packs["int8"] / "code_encoder.onnx").read_bytes()).hexdigest()
    assert (manifest.dimension, manifest.max_pair_tokens) == (32, 48)
    assert manifest.rerank is not None
    assert manifest.rerank.default
    models = Models(pack, choose_device("cpu", 1))
    vectors = models.code_encoder.encode(TEXTS)
    expected = OnnxModel(packs["int8"] / "code_encoder.onnx", threads=1)(
        Collator(tiny_tokenizer()).texts([TEXTS[0]], 32)
    )
    assert float((vectors[0] * expected[0]).sum()) > 0.99
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert models.reranker is not None
    assert models.reranker.score("open file", TEXTS).shape == (4,)


def test_a_graph_that_differs_from_torch_is_not_written_as_if_it_did_not(tmp_path: Path) -> None:
    class Forgetful(nn.Module):
        """Answers otherwise while it is exported: what the graph holds is not what torch says."""

        def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
            offset = 0.0 if torch.compiler.is_exporting() else 1.0
            return (input_ids + attention_mask + token_type_ids).float().sum(1) + offset

    probe = Collator(tiny_tokenizer()).texts(TEXTS, 16)
    with pytest.raises(EnvironmentFault, match="differs from torch"):
        export_float(Forgetful(), tmp_path / "f.onnx", probe, output_name="logits")


def test_evaluation_counts_as_a_naive_version_does(packs: Mapping[str, Path]) -> None:
    models = Models(open_pack(packs["float"]), choose_device("cpu", 1))
    codes = ("def read file path", "sort the list", "parse json text", "add number to key", "print the name", "max min")
    valid = ValidSet("s", ("read a file", "parse of json", "the name of a key"), codes)
    scores = evaluate(models, [valid], ks=(3,))["s"]
    cosines = models.query_encoder.encode(valid.queries) @ models.code_encoder.encode(codes).T
    assert models.reranker is not None
    recall, mixed = [], []
    for gold, query in enumerate(valid.queries):
        order = list(np.argsort(-cosines[gold]))
        recall.append(1 / (order.index(gold) + 1))
        head = sorted(
            order[:3],
            key=lambda i: -(20.0 * cosines[gold][i] + models.reranker.score(query, [codes[i]])[0]),
        )
        mixed.append(1 / ((head + order[3:]).index(gold) + 1))
    assert scores["distilled"].mrr == pytest.approx(np.mean(recall), abs=1e-4)
    assert scores["mix@3"].mrr == pytest.approx(np.mean(mixed), abs=1e-4)
    assert scores["full"].n == 3
    assert table({"s": scores}).splitlines()[-1].startswith("mean")


@pytest.mark.parametrize(
    ("gains", "helps"), [((0.03, 0.01), True), ((0.03, -0.004), True), ((0.03, -0.02), False), ((-0.001, 0.0), False)]
)
def test_reranking_is_on_only_where_it_helps(gains: tuple[float, ...], helps: bool) -> None:
    scores = {
        str(n): {"distilled": Scores(0.5, 0.5, 0.5, 9), "mix@10": Scores(0.5 + gain, 0.5, 0.5, 9)}
        for n, gain in enumerate(gains)
    }
    assert rerank_helps(scores, 10) is helps


def test_the_shipped_pack_is_whole() -> None:
    folder = ROOT / "resources/models/default"
    pack = open_pack(folder)
    pack.verify()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 110e6
    figures = json.loads((folder / "manifest.json").read_text())["figures"]
    assert figures["command"].startswith("spencer-models pack ")


def test_a_flipped_byte_is_noticed(packs: Mapping[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(packs["int8"], folder)
    path = folder / "query_encoder.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Exception, match=r"query_encoder\.onnx does not have the SHA-256"):
        open_pack(folder).verify()
