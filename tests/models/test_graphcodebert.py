"""GraphCodeBERT: what it reads against an input written by hand, and a tiny checkpoint through its whole life."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import RobertaConfig, RobertaForMaskedLM

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.base import Code, Encoder, Features, compress
from spencer_models.backbones.graphcodebert import GraphCodeBert, GraphStack

ADD = Code("def add(a, b):\n    x = a + b\n    return x\n", "python", "Sum.add")
PICK = Code("int pick(int a, int b) { int x = 0; if (a > b) { x = a; } return x; }", "java")
LOOP = Code("def total(items):\n    s = 0\n    for item in items:\n        s = s + item\n    return s\n", "python")
CODES = [ADD, PICK, LOOP, Code("fn f(a: i32) -> i32 { a }", "rust")]
QUERIES = ["the sum of two numbers", "the greater one", "add up all items of a list", "give it back"]


def write_checkpoint(folder: Path, vocabulary: int) -> None:
    """A checkpoint as RoBERTa's are published: a byte-level vocabulary, the masked language model's names."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([code.text for code in CODES] + QUERIES, trainer)
    tokenizer.model.save(str(folder))
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=130,
        type_vocab_size=1,
        initializer_range=0.2,
    )
    (folder / "config.json").write_text(config.to_json_string(use_diff=False), encoding="utf-8")
    weights = RobertaForMaskedLM(config).state_dict()
    weights |= {"roberta.pooler.dense.weight": torch.zeros(32, 32), "roberta.pooler.dense.bias": torch.zeros(32)}
    save_file({name: weight.clone().contiguous() for name, weight in weights.items()}, folder / "model.safetensors")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphcodebert")
    write_checkpoint(folder, vocabulary=300)
    return folder


@pytest.fixture(scope="module")
def backbone(checkpoint: Path) -> GraphCodeBert:
    return GraphCodeBert(checkpoint)


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> GraphCodeBert:
    """Every character is a token, the space before a word included."""
    folder = tmp_path_factory.mktemp("letters")
    write_checkpoint(folder, vocabulary=0)
    return GraphCodeBert(folder)


def vectors(encoder: nn.Module, features: Features) -> Tensor:
    encoder.eval()
    with torch.no_grad():
        return encoder(**features)


def picture(mask: Tensor) -> list[str]:
    return ["".join("1" if cell else "." for cell in row) for row in mask.tolist()]


def spoken(backbone: GraphCodeBert, ids: Tensor) -> str:
    return "".join(backbone.tokenizer.id_to_token(int(number)) for number in ids).replace("Ġ", "_")


def test_positions_and_mask_are_those_of_an_example_worked_by_hand(letters: GraphCodeBert) -> None:
    """Nodes b, a, c, b; b comes from a, c from the second b, which comes from the first."""
    features = letters.codes([Code("b = a\nc = b  # d", "python"), Code("pass", "python")], 64)
    assert spoken(letters, features["input_ids"][0]) == "<s>b_=_a_c_=_b</s>" + "<unk>" * 4
    assert features["position_ids"][0].tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0, 0, 0, 0]
    assert picture(features["attention_mask"][0]) == [
        "11111111111111111",  # <s>
        "11111111111111...",  # b, the first node's
        "1111111111111....",  # space
        "1111111111111....",  # =
        "1111111111111.1..",  # space
        "1111111111111.1..",  # a
        "1111111111111..1.",  # space
        "1111111111111..1.",  # c
        "1111111111111....",  # space
        "1111111111111....",  # =
        "1111111111111...1",  # space
        "1111111111111...1",  # b
        "11111111111111111",  # </s>
        ".1............1..",  # node b: its token, and where its value comes from
        "....11...........",  # node a
        "......11........1",  # node c
        "..........11.1...",  # node b
    ]
    assert spoken(letters, features["input_ids"][1]) == "<s>pass</s>" + "<pad>" * 11
    assert features["position_ids"][1].tolist() == [2, 3, 4, 5, 6, 7] + [1] * 11
    assert picture(features["attention_mask"][1]) == ["1" * 6 + "." * 11] * 6 + ["." * 17] * 11


def test_queries_are_plain_tokens(letters: GraphCodeBert) -> None:
    features = letters.queries(["a  b", "a"], 64)
    assert spoken(letters, features["input_ids"].flatten()) == "<s>a_b</s><s>a</s><pad><pad>"
    assert features["position_ids"].tolist() == [[2, 3, 4, 5, 6], [2, 3, 4, 1, 1]]
    assert picture(features["attention_mask"][1]) == ["111.."] * 3 + ["....."] * 2


def test_pairs_have_the_code_first_and_the_nodes_last(letters: GraphCodeBert) -> None:
    features = letters.pairs([(Code("b = a", "python"), "sum")], 64)
    assert spoken(letters, features["input_ids"][0]) == "<s>b_=_a</s>sum</s><unk><unk>"
    assert features["position_ids"][0].tolist() == [*range(2, 13), 0, 0]
    mask = picture(features["attention_mask"][0])
    assert [row for row, cells in enumerate(mask) if cells == "1" * 13] == [0, 6, 10]
    assert mask[7:10] == ["1" * 11 + ".."] * 3
    assert mask[1] == "1" * 11 + "1."
    assert mask[11:] == [".1..........1", "....11......."]


def test_what_does_not_fit_is_cut(letters: GraphCodeBert) -> None:
    """A fifth of the places is the nodes', and what the code leaves; a node is where its tokens are."""
    code = Code("b = a\nc = b\nd = c\ne = d\n", "python")
    assert spoken(letters, letters.codes([code], 20)["input_ids"][0]) == "<s>b_=_a_c_=_b_d_</s>" + "<unk>" * 4
    assert spoken(letters, letters.codes([code], 12)["input_ids"][0]) == "<s>b_=_a_c_</s>" + "<unk>" * 2
    assert spoken(letters, letters.codes([code], 11)["input_ids"][0]) == "<s>b_=_a_c</s>" + "<unk>" * 2
    short = letters.codes([Code("b = a\nc = b", "python")], 17)
    assert spoken(letters, short["input_ids"][0]) == "<s>b_=_a_c_=_b</s>" + "<unk>" * 4
    pair = letters.pairs([(code, "abcdefghijklmnopq")], 20)
    assert spoken(letters, pair["input_ids"][0]) == "<s>b_=_a_c</s>abcdef</s>" + "<unk>" * 3
    pair = letters.pairs([(code, "abc")], 20)
    assert spoken(letters, pair["input_ids"][0]) == "<s>b_=_a_c_=_</s>abc</s>" + "<unk>" * 3


def test_without_a_graph_code_reads_like_text(letters: GraphCodeBert) -> None:
    text = "a { b }"
    rust, query = letters.codes([Code(text, "rust")], 64), letters.queries([text], 64)
    assert all(torch.equal(rust[name], query[name]) for name in GraphStack.input_names)


def test_the_symbol_goes_before_the_code(letters: GraphCodeBert) -> None:
    code = Code("b = a", "python", "M.b")
    bare = letters.codes([code], 64)
    whole = GraphCodeBert(letters.folder, symbol_header=True).codes([code], 64)
    assert spoken(letters, bare["input_ids"][0]) == "<s>b_=_a</s><unk><unk>"
    assert spoken(letters, whole["input_ids"][0]) == "<s>M.b_b_=_a</s><unk><unk>"
    assert picture(whole["attention_mask"][0])[11:] == ["....11......1", "........11..."]


def test_lengths_that_the_checkpoint_cannot_read_are_refused(backbone: GraphCodeBert) -> None:
    with pytest.raises(UserError, match="positions for 128"):
        backbone.codes([ADD], 129)
    with pytest.raises(UserError, match="too few"):
        backbone.pairs([(ADD, "x")], 3)


def test_a_node_is_the_mean_of_its_tokens(letters: GraphCodeBert) -> None:
    stack = letters.stack(letters.folder)
    features = letters.codes([Code("b = a\nc = b", "python"), PICK], 64)
    embedded = stack.embedded(**features)
    words = stack.model.embeddings.word_embeddings(features["input_ids"])
    torch.testing.assert_close(embedded[0, 14], words[0, 4:6].mean(0))
    torch.testing.assert_close(embedded[0, 13], words[0, 1])
    assert torch.equal(embedded[0, :13], words[0, :13])


def test_the_graph_changes_the_vector(backbone: GraphCodeBert) -> None:
    encoder = backbone.encoder("code")
    features = backbone.codes([ADD], 64)
    nodes = features["position_ids"][0] == 0
    edges = features["attention_mask"].clone()
    edges[0, nodes] &= ~nodes
    whole, without_edges = vectors(encoder, features), vectors(encoder, {**features, "attention_mask": edges})
    without_nodes = vectors(
        encoder,
        {k: v[:, ~nodes] for k, v in features.items() if k != "attention_mask"}
        | {"attention_mask": features["attention_mask"][:, ~nodes][:, :, ~nodes]},
    )
    assert (whole - without_edges).abs().max() > 1e-3
    assert (whole - without_nodes).abs().max() > 1e-3


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_padding_does_not_change_vectors(checkpoint: Path, pooling: str, attention: str) -> None:
    backbone = GraphCodeBert(checkpoint, pooling=pooling)
    encoder = backbone.encoder("code")
    alone = torch.cat([vectors(encoder, backbone.codes([code], 64)) for code in CODES])
    encoder.stack.set_attention(attention)
    together = vectors(encoder, backbone.codes(CODES, 64))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_weights_by_other_names_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    backbone = GraphCodeBert(checkpoint)
    weights = load_file(checkpoint / "model.safetensors")
    del weights["roberta.encoder.layer.1.output.dense.weight"]
    (tmp_path / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"encoder.layer.1.output.dense.weight"):
        backbone.encoder("code", tmp_path)


def train(code_encoder: Encoder, query_encoder: Encoder, codes: Features, queries: Features, steps: int) -> list[float]:
    code_encoder.train()
    query_encoder.train()
    optimiser = torch.optim.AdamW([*code_encoder.parameters(), *query_encoder.parameters()], lr=1e-3)
    losses = []
    for _ in range(steps):
        similar = query_encoder(**queries) @ code_encoder(**codes).T / 0.1
        loss = nn.functional.cross_entropy(similar, torch.arange(len(similar)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_trained_compressed_and_read_back(backbone: GraphCodeBert, tmp_path: Path) -> None:
    torch.manual_seed(0)
    code_encoder, query_encoder = backbone.encoder("code", dropout=0.1), backbone.encoder("query")
    codes, queries = backbone.codes(CODES, 64), backbone.queries(QUERIES, 64)
    losses = train(code_encoder, query_encoder, codes, queries, steps=25)
    assert losses[-1] < 0.5 * losses[0]

    small = compress(code_encoder, 1)
    assert (small.stack.depth, code_encoder.stack.depth) == (2, 3)
    backbone.save(small, tmp_path)
    assert torch.equal(vectors(backbone.encoder("code", tmp_path), codes), vectors(small, codes))

    scorer = backbone.scorer("cls", tmp_path)
    assert vectors(scorer, backbone.pairs(list(zip(CODES, QUERIES, strict=True)), 64)).shape == (4,)


class ByPosition(nn.Module):
    """The exporter names dynamic dimensions by the parameters of `forward`."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, position_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.encoder(input_ids=input_ids, position_ids=position_ids, attention_mask=attention_mask)


def test_onnx_ranks_as_torch_does(backbone: GraphCodeBert, tmp_path: Path) -> None:
    encoder = backbone.encoder("code").eval()
    probe = backbone.codes([ADD, LOOP], 64)
    batch, length = torch.export.Dim("batch"), torch.export.Dim("tokens")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            ByPosition(encoder),
            tuple(probe.values()),
            str(tmp_path / "code.onnx"),
            dynamo=True,
            verbose=False,
            input_names=list(encoder.input_names),
            dynamic_shapes=({0: batch, 1: length}, {0: batch, 1: length}, {0: batch, 1: length, 2: length}),
            external_data=False,
        )
    session = ort.InferenceSession((tmp_path / "code.onnx").read_bytes(), providers=["CPUExecutionProvider"])
    queries = vectors(encoder, backbone.queries(QUERIES, 64)).numpy()
    features = backbone.codes(CODES, 100)
    assert features["input_ids"].shape[1] > probe["input_ids"].shape[1]
    [obtained] = session.run(None, {name: tensor.numpy() for name, tensor in features.items()})
    expected = vectors(encoder, features).numpy()
    assert np.abs(obtained - expected).max() < 1e-4
    assert ((queries @ obtained.T).argsort() == (queries @ expected.T).argsort()).all()
