"""Each pre-trained family on a tiny checkpoint in its public format: read, trained, thinned, distilled, exported."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedModel

from spencer_desktop.core.errors import EnvironmentFault, UserError
from spencer_models.backbones.base import Code, Encoder, Features, Pretrained, compress
from spencer_models.backbones.families import FAMILIES, open_backbone
from spencer_models.backbones.scratch import Scratch
from spencer_models.backbones.transformers_stack import TokenBackbone
from spencer_models.export import OnnxModel, export_float32
from tests.models.checkpoints import CHECKPOINTS, LAYERS, WIDTH

QUERIES = ["read a file", "add two numbers", "sort the list", "how many lines", "close it", "is the text json"]
CODES = [
    Code("def read(path):\n    return open(path).read()", "python"),
    Code("int add(int a, int b) { return a + b; }", "java"),
    Code("def sort(list):\n    list.sort()", "python", "Lists.sort"),
    Code("def count(text): return len(text.split())", "python"),
    Code("void close() { file.close(); }", "java"),
    Code("def is_json(text):\n    if parse(text): return True", "python"),
]
TOKENS = 60
TOKEN_FAMILIES = [family for family in CHECKPOINTS if issubclass(FAMILIES[family], TokenBackbone)]

every_family = pytest.mark.parametrize("family", CHECKPOINTS)
every_token_family = pytest.mark.parametrize("family", TOKEN_FAMILIES)


class Checkpoints:
    """Each family's checkpoint, written when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._models: dict[str, PreTrainedModel] = {}

    def folder(self, family: str) -> Path:
        self.model(family)
        return self._root / family

    def model(self, family: str) -> PreTrainedModel:
        """The transformers library's own model with the same weights."""
        if family not in self._models:
            (self._root / family).mkdir()
            self._models[family] = CHECKPOINTS[family](self._root / family)
        return self._models[family]

    def open(self, family: str) -> Pretrained:
        backbone = open_backbone(family, str(self.folder(family)))
        assert isinstance(backbone, Pretrained)
        return backbone


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    return Checkpoints(tmp_path_factory.mktemp("checkpoints"))


def _rows(backbone: TokenBackbone, features: Features) -> list[str]:
    """The tokens of each row, without padding."""
    rows = zip(features["input_ids"].tolist(), features["attention_mask"].sum(1).tolist(), strict=True)
    return [" ".join(backbone.tokenizer.id_to_token(i) for i in ids[:length]) for ids, length in rows]


def _public_states(model: PreTrainedModel, features: Features) -> Tensor:
    model.config.is_decoder = False
    layers = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.no_grad():
        states: Tensor = layers(**features).last_hidden_state
    return states


@every_family
def test_the_vectors_are_those_of_the_public_model(checkpoints: Checkpoints, family: str) -> None:
    backbone = checkpoints.open(family)
    features = backbone.codes(CODES, TOKENS)
    states = _public_states(checkpoints.model(family), features)
    lengths = features["attention_mask"].sum(1).tolist()
    firsts, means = states[:, 0], torch.stack([s[:n].mean(0) for s, n in zip(states, lengths, strict=True)])
    expected = nn.functional.normalize(means if family == "minilm" else firsts, dim=1)
    encoder = backbone.encoder("code").eval()
    with torch.no_grad():
        vectors = encoder(**features)
    torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=0)
    assert (encoder.width, encoder.stack.depth) == (WIDTH, LAYERS)
    assert encoder.input_names == tuple(features)
    encoder.stack.set_attention("sdpa")
    with torch.no_grad():
        torch.testing.assert_close(encoder(**features), expected, atol=1e-5, rtol=0)


@every_family
def test_padding_does_not_change_a_vector(checkpoints: Checkpoints, family: str) -> None:
    backbone = checkpoints.open(family)
    encoder = backbone.encoder("code").eval()
    with torch.no_grad():
        together = encoder(**backbone.codes(CODES, TOKENS))
        alone = torch.cat([encoder(**backbone.codes([code], TOKENS)) for code in CODES])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@every_family
def test_dropout_is_as_asked(checkpoints: Checkpoints, family: str) -> None:
    backbone = checkpoints.open(family)
    features = backbone.queries(QUERIES, TOKENS)
    for dropout in (0.0, 0.4):
        encoder = backbone.encoder("query", dropout=dropout).train()
        first, second = (encoder(**features).detach() for _ in range(2))
        assert torch.equal(first, second) == (dropout == 0.0)


@every_family
def test_a_saved_encoder_is_read_back(checkpoints: Checkpoints, family: str, tmp_path: Path) -> None:
    backbone = checkpoints.open(family)
    encoder = compress(backbone.encoder("query"), 1).eval()
    with torch.no_grad():
        nn.init.normal_(next(encoder.parameters()))
    backbone.save(encoder, tmp_path / "saved")
    again = backbone.encoder("query", tmp_path / "saved").eval()
    features = backbone.queries(QUERIES, TOKENS)
    assert again.stack.depth == LAYERS - 1
    with torch.no_grad():
        torch.testing.assert_close(again(**features), encoder(**features), atol=1e-6, rtol=0)


@every_family
def test_a_thinned_copy_has_the_weights_of_its_layers(checkpoints: Checkpoints, family: str) -> None:
    backbone = checkpoints.open(family)
    encoder = backbone.encoder("query").eval()
    features = backbone.queries(QUERIES, TOKENS)
    whole = Encoder(encoder.stack.thinned(range(LAYERS)), encoder.pooling).eval()
    with torch.no_grad():
        torch.testing.assert_close(whole(**features), encoder(**features), atol=0, rtol=0)
    stack, thin = encoder.stack, encoder.stack.thinned([2, 0])
    place = stack.layers_path
    weights, kept = stack.model.state_dict(), thin.model.state_dict()
    lowest = {f"{place}.0.{name}" for name in stack.first_layer_only}
    for name, weight in kept.items():
        source = name
        if name.startswith(f"{place}.") and name not in lowest:
            number, rest = name[len(place) + 1 :].split(".", 1)
            source = f"{place}.{[2, 0][int(number)]}.{rest}"
        assert torch.equal(weight, weights[source]), name
    assert thin.depth == 2
    nn.init.zeros_(next(thin.parameters()))
    assert not torch.equal(next(thin.parameters()), next(stack.parameters())), "the copy shares its weights"


def _contrast(encoder: Encoder, codes: Features, queries: Features) -> Tensor:
    similar = encoder(**queries) @ encoder(**codes).T
    return nn.functional.cross_entropy(similar / 0.05, torch.arange(len(similar)))


def _minimise(module: nn.Module, loss: Callable[[], Tensor], steps: int) -> list[float]:
    optimiser = torch.optim.AdamW(module.parameters(), 3e-3)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        value = loss()
        value.backward()
        optimiser.step()
        losses.append(value.item())
    return losses


@every_family
def test_training_lowers_the_loss(checkpoints: Checkpoints, family: str) -> None:
    backbone = checkpoints.open(family)
    codes, queries = backbone.codes(CODES, TOKENS), backbone.queries(QUERIES, TOKENS)
    encoder = backbone.encoder("code").train()
    losses = _minimise(encoder, lambda: _contrast(encoder, codes, queries), steps=40)
    assert losses[-1] < 0.5 * min(losses[0], math.log(len(CODES)))
    scorer = backbone.scorer("cls").train()
    pairs = backbone.pairs([*zip(CODES, QUERIES, strict=True), *zip(CODES, QUERIES[::-1], strict=True)], TOKENS)
    matched = torch.tensor([1.0] * len(CODES) + [0.0] * len(CODES))
    loss = nn.functional.binary_cross_entropy_with_logits
    losses = _minimise(scorer, lambda: loss(scorer(**pairs), matched), steps=40)
    assert losses[-1] < 0.7 * losses[0]


@every_family
def test_a_student_nears_its_teacher_and_ranks_in_onnx_as_in_torch(
    checkpoints: Checkpoints, family: str, tmp_path: Path
) -> None:
    backbone = checkpoints.open(family)
    codes, queries = backbone.codes(CODES, TOKENS), backbone.queries(QUERIES, TOKENS)
    teacher = backbone.encoder("query").eval()
    # The lowest layer of CodeT5 knows the positions for all others.
    student = compress(teacher, LAYERS - (2 if family == "codet5" else 1))
    with torch.no_grad():
        vectors, code_vectors = teacher(**queries), teacher(**codes)
    losses = _minimise(student, lambda: (1 - (student(**queries) * vectors).sum(1)).mean(), steps=30)
    assert losses[-1] < 0.5 * losses[0]

    probes = [backbone.queries(["a", "read the file"], TOKENS), codes, queries]
    plain, fused = tmp_path / "plain.onnx", tmp_path / "fused.onnx"
    assert export_float32(student, plain, fused, probes, output_name="vectors") < 1e-4
    graph = OnnxModel(fused)
    assert graph.input_names == student.input_names
    with torch.no_grad():
        expected = student(**queries) @ code_vectors.T
    found = graph(queries) @ code_vectors.numpy().T
    np.testing.assert_array_equal(found.argsort(1), expected.numpy().argsort(1))


FRAMES: Mapping[str, tuple[str, str]] = {
    "minilm": ("[CLS]", "[SEP]"),
    "codebert": ("<s>", "</s>"),
    "codet5": ("<s>", "</s>"),
    "unixcoder": ("<s> <encoder-only> </s>", "</s>"),
}


@every_token_family
def test_special_tokens_frame_texts_and_pairs(checkpoints: Checkpoints, family: str) -> None:
    backbone = checkpoints.open(family)
    assert isinstance(backbone, TokenBackbone)
    start, end = FRAMES[family]
    word = Code("read", "python")
    frame = len(f"{start} {end}".split())
    second = f"{start} " if family == "minilm" else ""
    assert _rows(backbone, backbone.queries(["  read\n", ""], 30)) == [f"{start} read {end}", f"{start} {end}"]
    assert _rows(backbone, backbone.codes([word], 30)) == [f"{start} read {end}"]
    assert _rows(backbone, backbone.pairs([(word, "read")], 30)) == [f"{start} read {end} {second}read {end}"]
    # Only the text is cut; of a pair the longer one first.
    long = "(" * 40
    cut = [f"{start} {'( ' * 5}{end}"]
    assert _rows(backbone, backbone.queries([long], frame + 5)) == cut
    assert _rows(backbone, backbone.codes([Code(long, "python")], frame + 5)) == cut
    pairs: list[tuple[Code, str]] = [(Code(long, "python"), "read"), (word, long)]
    assert _rows(backbone, backbone.pairs(pairs, frame + 6 + len(second.split()))) == [
        f"{start} {'( ' * 4}{end} {second}read {end}",
        f"{start} read {end} {second}{'( ' * 4}{end}",
    ]
    # The application has the tokenizer's file and truncation only.
    alone = Tokenizer.from_str(backbone.tokenizer.to_str())
    alone.enable_truncation(frame + 5)
    assert [" ".join(alone.encode(long).tokens)] == cut


@every_token_family
def test_a_symbol_stands_above_the_code_where_that_is_asked_for(checkpoints: Checkpoints, family: str) -> None:
    source = str(checkpoints.folder(family))
    plain, headed = (open_backbone(family, source, symbol_header=header) for header in (False, True))
    text, code = "def sort(list): pass", Code("def sort(list): pass", "python", "Lists.sort")
    headless, below = Code(text, "python"), Code(f"Lists.sort\n{text}", "python")
    assert torch.equal(plain.codes([code], 50)["input_ids"], plain.codes([headless], 50)["input_ids"])
    assert torch.equal(headed.codes([code], 50)["input_ids"], plain.codes([below], 50)["input_ids"])


@pytest.mark.parametrize(("family", "longest"), [("minilm", 64), ("codebert", 64), ("unixcoder", 128), ("sptcode", 64)])
def test_lengths_beyond_the_positions_are_refused(checkpoints: Checkpoints, family: str, longest: int) -> None:
    backbone = checkpoints.open(family)
    encoder = backbone.encoder("code").eval()
    text = "( " * 200
    with torch.no_grad():
        assert encoder(**backbone.codes([Code(text, "python")], longest)).isfinite().all()
        assert encoder(**backbone.queries([text], longest)).isfinite().all()
    for build in (
        lambda: backbone.codes([Code(text, "python")], longest + 1),
        lambda: backbone.queries([text], longest + 1),
        lambda: backbone.pairs([(Code(text, "python"), text)], longest + 1),
    ):
        with pytest.raises(UserError, match=f"positions for {longest}"):
            build()


@every_family
def test_lengths_without_room_for_a_token_are_refused(checkpoints: Checkpoints, family: str) -> None:
    backbone = checkpoints.open(family)
    for build in (
        lambda: backbone.codes(CODES, 2),
        lambda: backbone.queries(QUERIES, 2),
        lambda: backbone.pairs([(CODES[0], QUERIES[0])], 3),
    ):
        with pytest.raises(UserError, match="too few"):
            build()


def test_codet5_has_no_limit_of_length(checkpoints: Checkpoints) -> None:
    backbone = checkpoints.open("codet5")
    with torch.no_grad():
        vectors = backbone.encoder("code").eval()(**backbone.codes([Code("( " * 700, "python")], 1200))
    assert vectors.isfinite().all()


def test_the_lowest_layer_of_codet5_keeps_the_relative_positions(checkpoints: Checkpoints) -> None:
    stack = checkpoints.open("codet5").stack(checkpoints.folder("codet5"))
    name = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    bias = stack.model.state_dict()[name]
    for layers in ([1, 2], [1, 0]):
        thin = stack.thinned(layers).model.state_dict()
        assert torch.equal(thin[name], bias)
        assert sum("relative_attention_bias" in key for key in thin) == 1


def test_codet5_has_one_table_of_embeddings(checkpoints: Checkpoints, tmp_path: Path) -> None:
    backbone = checkpoints.open("codet5")
    stack = backbone.stack(backbone.folder)
    assert stack.model.shared.weight is stack.model.encoder.embed_tokens.weight
    shutil.copytree(backbone.folder, tmp_path / "other")
    weights = load_file(tmp_path / "other/model.safetensors")
    weights["encoder.embed_tokens.weight"] = weights.pop("shared.weight")
    save_file(weights, tmp_path / "other/model.safetensors")
    other = backbone.stack(tmp_path / "other")
    assert torch.equal(other.model.shared.weight, stack.model.shared.weight)


def test_every_token_of_unixcoder_sees_the_last_one(checkpoints: Checkpoints) -> None:
    backbone = checkpoints.open("unixcoder")
    assert json.loads((backbone.folder / "config.json").read_text())["is_decoder"]
    encoder = backbone.encoder("query").eval()
    with torch.no_grad():
        one, other = encoder(**backbone.queries(["((a", "((b"], 20))
    assert (one - other).abs().max() > 1e-3


def test_names_with_a_prefix_and_weights_of_heads_are_understood(checkpoints: Checkpoints, tmp_path: Path) -> None:
    backbone = checkpoints.open("codebert")
    shutil.copytree(backbone.folder, tmp_path / "masked")
    weights = {f"roberta.{name}": weight for name, weight in load_file(backbone.folder / "model.safetensors").items()}
    weights["lm_head.bias"] = torch.zeros(3)
    weights["roberta.embeddings.position_ids"] = torch.arange(66)[None]
    save_file(weights, tmp_path / "masked/model.safetensors")
    features = backbone.queries(QUERIES, TOKENS)
    with torch.no_grad():
        expected = backbone.encoder("query").eval()(**features)
        found = backbone.encoder("query", tmp_path / "masked").eval()(**features)
    assert torch.equal(found, expected)


def _own_weight(folder: Path, change: Callable[[Tensor], Tensor | None]) -> None:
    """Puts another tensor, or none, in the place of one of the last layer's."""
    path = folder / "model.safetensors"
    weights = load_file(path)
    name = next(name for name in sorted(weights) if f".{LAYERS - 1}." in name and "decoder" not in name)
    changed = change(weights.pop(name))
    save_file(weights if changed is None else {**weights, name: changed}, path)


def _config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _unlink(folder: Path, *patterns: str) -> None:
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()


DAMAGE: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "a weight is missing": (lambda f: _own_weight(f, lambda w: None), "1 missing"),
    "a weight has another shape": (lambda f: _own_weight(f, lambda w: w[:3]), "1 of another shape"),
    "the weights are cut": (lambda f: _halve(f / "model.safetensors"), "cannot be read"),
    "only a pickle": (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "No safetensors"),
    "no tokenizer": (lambda f: _unlink(f, "*vocab*", "*merges*", "*tokenizer*"), "No tokenizer"),
    "half a tokenizer": (lambda f: [_halve(p) for p in f.glob("[vtn]*o*.json")], "No tokenizer"),
    "another model": (lambda f: _config(f, model_type="gpt2"), "of type 'gpt2'"),
    "no model": (lambda f: _config(f, vocab_size="many"), "does not describe a model"),
    "a smaller model": (lambda f: _config(f, vocab_size=40), "tokens"),
    "the config is cut": (lambda f: _halve(f / "config.json"), "cannot be read"),
}


@every_family
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused_in_words(
    checkpoints: Checkpoints, family: str, damage: str, tmp_path: Path
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(checkpoints.folder(family), folder)
    harm, words = DAMAGE[damage]
    harm(folder)
    with pytest.raises(UserError, match=words):
        open_backbone(family, str(folder)).encoder("code")


def test_the_number_of_heads_must_divide_the_width(checkpoints: Checkpoints, tmp_path: Path) -> None:
    shutil.copytree(checkpoints.folder("codebert"), tmp_path / "odd")
    _config(tmp_path / "odd", num_attention_heads=3)
    with pytest.raises(UserError, match="does not describe a model"):
        open_backbone("codebert", str(tmp_path / "odd")).encoder("code")


def test_a_tokenizer_without_the_mode_is_not_unixcoders(checkpoints: Checkpoints) -> None:
    with pytest.raises(UserError, match="no token <encoder-only>"):
        open_backbone("unixcoder", str(checkpoints.folder("codebert")))


def test_word_pieces_are_read_from_either_form(checkpoints: Checkpoints, tmp_path: Path) -> None:
    backbone = checkpoints.open("minilm")
    shutil.copytree(backbone.folder, tmp_path / "older")
    _unlink(tmp_path / "older", "tokenizer.json")
    older = open_backbone("minilm", str(tmp_path / "older"))
    assert torch.equal(older.queries(QUERIES, 40)["input_ids"], backbone.queries(QUERIES, 40)["input_ids"])


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@every_token_family
def test_a_checkpoint_in_the_hub_cache_needs_no_network(checkpoints: Checkpoints, family: str, hub_cache: Path) -> None:
    kind = FAMILIES[family]
    repository = hub_cache / f"models--{kind.public_checkpoint.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text("0" * 40)
    shutil.copytree(checkpoints.folder(family), repository / "snapshots" / ("0" * 40))
    opened = open_backbone(family, kind.public_checkpoint if family == "minilm" else "")
    assert opened.folder == repository / "snapshots" / ("0" * 40)
    assert isinstance(opened.encoder("code"), Encoder)


def test_a_checkpoint_that_was_never_downloaded_is_named(hub_cache: Path) -> None:
    with pytest.raises(EnvironmentFault, match="microsoft/codebert-base is not on this machine"):
        open_backbone("codebert")


def test_minilm_comes_with_the_training_extra() -> None:
    backbone = open_backbone("minilm")
    assert isinstance(backbone, TokenBackbone)
    assert _rows(backbone, backbone.queries(["read a file"], 32)) == ["[CLS] read a file [SEP]"]


@pytest.mark.parametrize("kind", [kind for kind in FAMILIES.values() if issubclass(kind, Scratch)])
def test_families_from_nothing_are_opened_on_their_vocabulary(kind: type[Scratch], tmp_path: Path) -> None:
    kind.prepare(CODES, QUERIES, tmp_path)
    assert isinstance(open_backbone(kind.family, str(tmp_path)), kind)
    with pytest.raises(UserError, match="is not its folder"):
        open_backbone(kind.family)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UserError, match="Unknown family") as error:
        open_backbone("bert2vec")
    assert all(family in error.value.hint for family in FAMILIES)
    with pytest.raises(UserError, match="no public checkpoint"):
        open_backbone("sptcode")
    with pytest.raises(UserError, match="neither a folder nor a hub name"):
        open_backbone("codebert", "nothing")
