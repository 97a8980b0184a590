"""CODEnn and CRaDLe, very small: vocabularies, what they read, training, saving, export."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from spencer_desktop.core.errors import UserError
from spencer_models.backbones.base import Code, Features
from spencer_models.backbones.codenn import CodeNN
from spencer_models.backbones.cradle import Cradle
from spencer_models.backbones.scratch import PooledLSTM, Scratch
from spencer_models.backbones.vocabulary import UNKNOWN_ID, VOCABULARY_NAME, Shape

CODES = (
    Code("def read_all(path):\n    with open(path) as file:\n        return file.read()", "python"),
    Code("def total(numbers):\n    s = 0\n    for n in numbers:\n        s += n\n    return s", "python"),
    Code("void sortNames(List<String> names) { Collections.sort(names); }", "java"),
    Code("int size(Queue<Job> jobs) { if (jobs == null) return 0; return jobs.size(); }", "java", "Pool.jobCount"),
    Code("def join(parts, mark):\n    return mark.join(str(p) for p in parts)", "python"),
    Code("void stop() { for (Worker w : workers) { w.interrupt(); } }", "java"),
)
QUERIES = (
    "Read the whole text of a file",
    "Add up all numbers",
    "Put names in alphabetical order",
    "How many jobs are waiting",
    "Glue parts together with a mark between them",
    "Interrupt every worker",
)
SHAPES = {
    CodeNN: Shape(12, 8, {"name": 6, "calls": 30, "tokens": 50, "description": 30}),
    Cradle: Shape(12, 8, {"statements": 6, "words": 4, "description": 30}),
}
MARGIN = 0.4


@pytest.fixture(params=SHAPES, ids=lambda kind: kind.family)
def backbone(request: pytest.FixtureRequest, tmp_path: Path) -> Scratch:
    kind: type[Scratch] = request.param
    kind.prepare(CODES, QUERIES, tmp_path, shape=SHAPES[kind])
    return kind(tmp_path)


def pair_of(backbone: Scratch, seed: int = 0, dropout: float = 0.0) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(seed)
    return backbone.encoder("code", dropout=dropout), backbone.encoder("query", dropout=dropout)


def margin_loss(code: nn.Module, query: nn.Module, codes: Features, queries: Features, shift: int) -> Tensor:
    """With the description of another pair as the negative of each."""
    c, q = code(**codes), query(**queries)
    return torch.relu(MARGIN - (c * q).sum(1) + (c * q.roll(shift, 0)).sum(1)).sum()


def trained(backbone: Scratch, steps: int) -> tuple[nn.Module, nn.Module, list[float]]:
    code, query = pair_of(backbone)
    optimizer = torch.optim.Adam([*code.parameters(), *query.parameters()], lr=2e-2)
    codes, queries = backbone.codes(CODES, 64), backbone.queries(QUERIES, 64)
    losses = []
    for step in range(steps):
        loss = margin_loss(code, query, codes, queries, 1 + step % (len(CODES) - 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return code.eval(), query.eval(), losses


def test_training_lowers_the_loss_and_ranks_the_right_code_first(backbone: Scratch) -> None:
    code, query, losses = trained(backbone, 40)
    assert sum(losses[-5:]) < 0.2 * sum(losses[:5])
    with torch.no_grad():
        scores = query(**backbone.queries(QUERIES, 64)) @ code(**backbone.codes(CODES, 64)).T
    assert scores.argmax(1).tolist() == list(range(len(CODES)))


@pytest.mark.parametrize("side", ["code", "query"])
def test_vectors_are_unit_rows_that_do_not_depend_on_what_else_is_in_the_batch(backbone: Scratch, side: str) -> None:
    code, query = pair_of(backbone)
    with torch.no_grad():
        if side == "code":
            together = code(**backbone.codes(CODES, 64))
            alone = [code(**backbone.codes([c], 64)) for c in CODES]
        else:
            together = query(**backbone.queries(QUERIES, 64))
            alone = [query(**backbone.queries([q], 64)) for q in QUERIES]
    assert together.dtype == torch.float32
    assert together.shape == (len(CODES), code.width)
    torch.testing.assert_close(torch.cat(alone), together, atol=1e-6, rtol=0)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(CODES)))


def test_more_padding_does_not_change_vectors(backbone: Scratch) -> None:
    code, _ = pair_of(backbone)
    features = backbone.codes(CODES, 64)
    wider = {k: nn.functional.pad(v, (0, 0, 0, 3) if v.dim() == 3 else (0, 3)) for k, v in features.items()}
    if "words" in wider:
        wider["words"] = nn.functional.pad(wider["words"], (0, 2))
    with torch.no_grad():
        torch.testing.assert_close(code(**wider), code(**features), atol=1e-6, rtol=0)


def test_pooled_lstm_equals_packed_sequences() -> None:
    torch.manual_seed(0)
    pooled = PooledLSTM(5, 3, 0.0)
    packed = nn.LSTM(5, 3, batch_first=True, bidirectional=True)
    backwards = {f"{name}_reverse": weight for name, weight in pooled.back.state_dict().items()}
    packed.load_state_dict(pooled.onward.state_dict() | backwards)
    lengths = torch.tensor([4, 1, 3])
    inputs = torch.randn(3, 4, 5)
    rows, _ = nn.utils.rnn.pad_packed_sequence(
        packed(nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False))[0],
        batch_first=True,
        padding_value=-9.0,
    )
    mask = torch.arange(4) < lengths.unsqueeze(1)
    torch.testing.assert_close(pooled(inputs, mask), rows.amax(1))


def test_the_seed_decides_the_weights(backbone: Scratch) -> None:
    weights = [[e.state_dict() for e in pair_of(backbone, seed)] for seed in (3, 3, 4)]
    for first, again, other in zip(*weights, strict=True):
        assert all(torch.equal(first[k], again[k]) for k in first)
        assert not all(torch.equal(first[k], other[k]) for k in first)


def test_dropout_acts_in_training_only(backbone: Scratch) -> None:
    features = backbone.codes(CODES, 64)
    code, _ = pair_of(backbone, dropout=0.5)
    assert not torch.equal(code(**features), code(**features))
    code.eval()
    assert torch.equal(code(**features), code(**features))


@pytest.mark.parametrize("side", ["code", "query"])
def test_saved_encoders_come_back_equal(backbone: Scratch, side: str, tmp_path: Path) -> None:
    encoder = backbone.encoder("code" if side == "code" else "query").eval()
    features = backbone.codes(CODES, 64) if side == "code" else backbone.queries(QUERIES, 64)
    backbone.save(encoder, tmp_path / side)
    again = type(backbone)(backbone.folder).encoder("code" if side == "code" else "query", tmp_path / side).eval()
    assert torch.equal(again(**features), encoder(**features))


def test_weights_of_the_other_side_do_not_fit(backbone: Scratch, tmp_path: Path) -> None:
    backbone.save(backbone.encoder("query"), tmp_path / "query")
    with pytest.raises(UserError, match="do not fit"):
        backbone.encoder("code", tmp_path / "query")


def test_max_tokens_bounds_every_sequence(backbone: Scratch) -> None:
    sizes = [v.shape for v in (*backbone.codes(CODES, 2).values(), *backbone.queries(QUERIES, 2).values())]
    assert all(shape[0] == len(CODES) and shape[1] <= 2 for shape in sizes)
    longest = backbone.queries(["a word and another " * 20], 512)["words"]
    assert longest.shape == (1, 30)


def test_nothing_at_all_has_a_vector(backbone: Scratch) -> None:
    code, query = pair_of(backbone)
    vectors = torch.cat([code(**backbone.codes([Code("", "python")], 64)), query(**backbone.queries(["", "…"], 64))])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_what_codenn_reads(tmp_path: Path) -> None:
    CodeNN.prepare(CODES, QUERIES, tmp_path)
    backbone = CodeNN(tmp_path)
    features = backbone.codes([CODES[3], CODES[2]], 64)
    read = {k: [[backbone.vocabularies[k].words[i] for i in row if i] for row in v] for k, v in features.items()}
    assert read == {
        "name": [["job", "count"], ["sort", "names"]],
        "calls": [["Queue.size"], ["Collections.sort"]],
        "tokens": [["size", "queue", "job", "jobs"], ["sort", "names", "list", "string", "collections"]],
    }
    assert tuple(features) == backbone.encoder("code").input_names


def test_what_cradle_reads(tmp_path: Path) -> None:
    Cradle.prepare(CODES, QUERIES, tmp_path, shape=SHAPES[Cradle])
    backbone = Cradle(tmp_path)
    features = backbone.codes([CODES[1], CODES[0]], 64)
    words = backbone.vocabularies["words"].words
    assert [[[words[i] for i in row if i] for row in function] for function in features["words"]] == [
        [["total", "numbers"], ["s"], ["n", "numbers"], ["s", "n"], ["s"]],
        [["read", "all", "path"], ["open", "path", "file"], ["file", "read"], [], []],
    ]
    assert features["dependencies"].tolist() == [
        [[0] * 6, [0] * 6, [1, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0]],
        [[0] * 6, [1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0] * 6, [0] * 6],
    ]
    assert tuple(features) == backbone.encoder("code").input_names


def test_dependencies_change_what_cradle_makes_of_the_same_words(tmp_path: Path) -> None:
    Cradle.prepare(CODES, QUERIES, tmp_path, shape=SHAPES[Cradle])
    backbone = Cradle(tmp_path)
    features = backbone.codes(CODES, 64)
    code, _ = pair_of(backbone)
    without = features | {"dependencies": torch.zeros_like(features["dependencies"])}
    assert not torch.allclose(code(**features)[1], code(**without)[1], atol=1e-4)


def test_vocabularies_hold_the_most_frequent_words_and_are_the_same_each_time(tmp_path: Path) -> None:
    queries = ["beta alpha beta", "gamma alphaBeta <unk>", "delta"]
    for folder in ("first", "second"):
        CodeNN.prepare(CODES, iter(queries), tmp_path / folder, size=5)
    assert (tmp_path / "first" / VOCABULARY_NAME).read_bytes() == (tmp_path / "second" / VOCABULARY_NAME).read_bytes()
    backbone = CodeNN(tmp_path / "first")
    vocabulary = backbone.vocabularies["description"]
    assert vocabulary.words == ("<pad>", "<unk>", "beta", "alpha", "delta")
    assert vocabulary.ids(["alpha", "gamma", "<pad>x"]) == [3, UNKNOWN_ID, UNKNOWN_ID]
    assert all(len(v) == 5 for v in backbone.vocabularies.values())
    assert backbone.queries(["Delta omega"], 64)["words"].tolist() == [[4, UNKNOWN_ID]]


def test_a_damaged_or_foreign_vocabulary_is_an_error_with_a_hint(backbone: Scratch, tmp_path: Path) -> None:
    path = tmp_path / VOCABULARY_NAME
    whole = json.loads(path.read_text())
    broken = [
        "{",
        "[]",
        json.dumps(whole | {"words": {}}),
        json.dumps(whole | {"words": {kind: ["<pad>", "<unk>", "a", "a"] for kind in whole["words"]}}),
        json.dumps(whole | {"words": {kind: ["a", "b"] for kind in whole["words"]}}),
        json.dumps(whole | {"shape": whole["shape"] | {"lstm": 0}}),
        json.dumps(whole | {"shape": whole["shape"] | {"lengths": {}}}),
    ]
    for text in broken:
        path.write_text(text)
        with pytest.raises(UserError, match="No usable vocabulary") as caught:
            type(backbone)(tmp_path)
        assert caught.value.hint
    path.write_text(json.dumps(whole | {"family": "other"}))
    with pytest.raises(UserError, match="prepared for the family 'other'"):
        type(backbone)(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match="No usable vocabulary"):
        type(backbone)(tmp_path)


def assert_onnx_equals_torch(encoder: nn.Module, batches: list[Features], path: Path) -> list[np.ndarray]:
    """Exports on the first batch, with free batch and lengths; the vectors that the graph gives for each batch."""
    free = {name: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for name in batches[0]}
    encoder.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            encoder,
            kwargs=batches[0],
            f=str(path),
            dynamo=True,
            verbose=False,
            input_names=list(batches[0]),
            dynamic_shapes=free,
            opset_version=18,
            external_data=False,
        )
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    found = [session.run(None, {name: tensor.numpy() for name, tensor in batch.items()})[0] for batch in batches]
    for batch, vectors in zip(batches, found, strict=True):
        assert np.abs(vectors - encoder(**batch).detach().numpy()).max() < 1e-4
    return found


def test_onnx_ranks_like_torch(backbone: Scratch, tmp_path: Path) -> None:
    code, query = pair_of(backbone)
    nothing, everything = Code("", "python"), Code("\n".join(c.text for c in CODES[:2]), "python", "all_in_one_place")
    inputs = (CODES[:2], CODES, (nothing,), (everything, nothing, CODES[0]))
    batches = [backbone.codes(codes, 64) for codes in inputs]
    vectors = assert_onnx_equals_torch(code, batches, tmp_path / "code.onnx")[1]
    with torch.no_grad():
        expected = code(**batches[1])
        questions = query(**backbone.queries(QUERIES, 64))
    assert np.array_equal((questions.numpy() @ vectors.T).argsort(1), (questions @ expected.T).argsort(1).numpy())


def test_onnx_of_the_description_encoder_equals_torch(tmp_path: Path) -> None:
    CodeNN.prepare(CODES, QUERIES, tmp_path, shape=SHAPES[CodeNN])
    backbone = CodeNN(tmp_path)
    batches = [backbone.queries(queries, 64) for queries in (QUERIES[:2], QUERIES, ["one"], ["", "a b " * 40])]
    assert_onnx_equals_torch(backbone.encoder("query"), batches, tmp_path / "query.onnx")
