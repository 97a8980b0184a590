"""A model pack is refused, in words, unless every byte of it is what its manifest promises."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.pack import (
    CODE_ENCODER,
    MANIFEST,
    QUERY_ENCODER,
    RERANKER,
    TOKENIZER,
    ConfidenceCurve,
    open_pack,
)
from spencer_desktop.core.resources import resource_dir
from spencer_desktop.core.types import Stage
from tests.core.tiny_pack import make_pack, write_manifest, write_sealed

FILES = [TOKENIZER, CODE_ENCODER, QUERY_ENCODER, RERANKER]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return make_pack(tmp_path / "pack")


@pytest.fixture(scope="module")
def shared_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pack(tmp_path_factory.mktemp("packs") / "pack")


def refusal(folder: Path) -> str:
    """Why opening or verifying the pack fails."""
    with pytest.raises(UserError) as caught:
        open_pack(folder).verify()
    assert caught.value.hint
    return str(caught.value)


def test_a_whole_pack_is_accepted(pack: Path) -> None:
    opened = open_pack(pack)
    opened.verify()
    assert opened.read(TOKENIZER) == (pack / TOKENIZER).read_bytes()
    assert opened.has_reranker
    assert opened.manifest.rerank is not None
    assert (opened.manifest.rerank.candidates, opened.manifest.rerank.default) == (5, True)
    assert opened.manifest.licences[0]["licence"] == "Apache-2.0"


def test_the_default_pack_is_whole() -> None:
    open_pack(resource_dir() / "models/default").verify()


@given(st.sampled_from(FILES), st.integers(0, 1 << 30), st.integers(1, 255))
def test_any_changed_byte_is_found(shared_pack: Path, name: str, place: int, change: int) -> None:
    path = shared_pack / name
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[place % len(whole)] ^= change
    path.write_bytes(changed)
    try:
        assert f"{name} does not have the SHA-256" in refusal(shared_pack)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_length_is_found(pack: Path, name: str) -> None:
    with (pack / name).open("ab") as file:
        file.write(b"\0")
    assert f"{name} is not" in refusal(pack)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_found(pack: Path, name: str) -> None:
    (pack / name).unlink()
    assert f"{name} cannot be read" in refusal(pack)


def test_weights_in_other_files_are_refused(pack: Path) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    weights.data_location = TensorProto.EXTERNAL
    weights.ClearField("float_data")
    weights.external_data.add(key="location", value="../../etc/passwd")
    graph = helper.make_graph([], "g", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, [2])], [weights])
    (pack / RERANKER).write_bytes(onnx.ModelProto.SerializeToString(helper.make_model(graph)))
    write_manifest(pack)
    assert "keeps weights in other files" in refusal(pack)


def test_no_pack_at_all(tmp_path: Path) -> None:
    assert "There is no model pack" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b'"format"'],
    ids=["empty", "cut", "no text", "deep", "list", "null", "string"],
)
def test_a_manifest_that_is_none(pack: Path, data: bytes) -> None:
    (pack / MANIFEST).write_bytes(data)
    assert "its manifest is not" in refusal(pack)


def test_no_changed_byte_of_a_manifest_goes_unnoticed(pack: Path) -> None:
    whole, chance = (pack / MANIFEST).read_bytes(), random.Random(1)
    before = open_pack(pack).manifest
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        (pack / MANIFEST).write_bytes(data)
        try:
            # White space may become other white space.
            assert open_pack(pack).manifest == before
        except UserError:
            refused += 1
    assert refused > 300
    (pack / MANIFEST).write_text(json.dumps({k: v for k, v in json.loads(whole).items() if k != "sha256"}))
    assert "does not have the SHA-256" in refusal(pack)


def test_a_huge_manifest_is_not_read(pack: Path) -> None:
    with (pack / MANIFEST).open("ab") as file:
        file.write(b" " * (1 << 20))
    assert "larger than 1 MiB" in refusal(pack)


@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_another_format(pack: Path, number: object) -> None:
    write_manifest(pack, format=number)
    assert f"has format {number!r}; this program reads format 1" in refusal(pack)


@pytest.mark.parametrize(
    "change",
    [
        {"name": 3},
        {"dimension": 0},
        {"dimension": True},
        {"dimension": 2.0},
        {"max_query_tokens": "64"},
        {"text": {}},
        {"text": []},
        {"rerank": {"candidates": 5}},
        {"rerank": {"candidates": 0, "recall_scale": 1.0, "default": True}},
        {"rerank": {"candidates": 5, "recall_scale": "x", "default": True}},
        {"files": 3},
        {"files": {TOKENIZER: 3}},
        {"licences": [3]},
        {"licences": [{"name": 3}]},
        {"figures": 3},
    ],
    ids=lambda change: json.dumps(change),
)
def test_a_manifest_with_a_wrong_entry(pack: Path, change: dict[str, Any]) -> None:
    write_manifest(pack, **change)
    assert "its manifest lacks or garbles" in refusal(pack)


@pytest.mark.parametrize(
    "key",
    ["name", "version", "space_id", "dimension", "max_query_tokens", "max_code_tokens", "max_pair_tokens", "text"],
)
def test_a_manifest_without_an_entry(pack: Path, key: str) -> None:
    manifest = json.loads((pack / MANIFEST).read_bytes())
    del manifest[key]
    write_sealed(pack, manifest)
    assert f"lacks or garbles '{key}'" in refusal(pack)


@pytest.mark.parametrize("name", ["../outside", "model.onnx", "/etc/passwd", MANIFEST])
def test_a_file_that_no_pack_has_is_not_opened(pack: Path, name: str) -> None:
    manifest = json.loads((pack / MANIFEST).read_bytes())
    manifest["files"][name] = {"sha256": "0" * 64, "size": 1}
    write_sealed(pack, manifest)
    assert f"lists an unknown file, {name!r}" in refusal(pack)


@pytest.mark.parametrize("name", [TOKENIZER, CODE_ENCODER, QUERY_ENCODER])
def test_a_manifest_without_a_needed_file(pack: Path, name: str) -> None:
    manifest = json.loads((pack / MANIFEST).read_bytes())
    del manifest["files"][name]
    write_sealed(pack, manifest)
    assert f"does not list {name}" in refusal(pack)


def test_a_file_of_absurd_size_is_not_read(pack: Path) -> None:
    manifest = json.loads((pack / MANIFEST).read_bytes())
    manifest["files"][RERANKER]["size"] = 1 << 40
    write_sealed(pack, manifest)
    assert "larger than 2 GiB" in refusal(pack)


def test_the_space_is_named_after_the_code_encoder(pack: Path) -> None:
    write_manifest(pack, space_id="0" * 64)
    assert "space_id is not the hash" in refusal(pack)


CURVE = {"k": 2, "best": 10, "lead": 5.5, "intercept": -5}


def test_a_pack_may_say_how_sure_it_is(pack: Path) -> None:
    assert open_pack(pack).manifest.confidence == {}
    write_manifest(pack, confidence={"recall": CURVE})
    curve = open_pack(pack).manifest.confidence[Stage.RECALL]
    assert curve == ConfidenceCurve(2, 10.0, 5.5, -5.0)
    assert curve.at([0.2, 0.6]) == pytest.approx(1 / (1 + math.exp(-(6 + 5.5 * 0.4 - 5))))
    assert curve.at([0.6, 0.2, 0.1]) == curve.at([0.2, 0.6])
    assert (curve.at([1e9, 0.0]), curve.at([-1e9, -1e9])) == (1.0, pytest.approx(0.0))
    assert curve.at([0.6]) is curve.at([0.6, math.nan]) is None


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("recal", {}),
        ("recall", {"best": None}),
        ("recall", {"best": "10"}),
        ("recall", {"lead": True}),
        ("recall", {"intercept": math.nan}),
        ("recall", {"intercept": 1e999}),
        ("recall", {"best": 10**400}),
        ("recall", {"k": 1}),
    ],
)
def test_a_confidence_that_is_no_curve_is_refused(pack: Path, stage: str, changes: dict[str, object]) -> None:
    write_manifest(pack, confidence={stage: CURVE | changes})
    assert "lacks or garbles" in refusal(pack)
    write_manifest(pack, confidence=[CURVE])
    assert "lacks or garbles" in refusal(pack)


def test_a_reranker_needs_its_defaults_and_its_file(pack: Path) -> None:
    write_manifest(pack, rerank=None)
    assert not open_pack(pack).has_reranker
    (pack / RERANKER).unlink()
    write_manifest(pack)
    opened = open_pack(pack)
    opened.verify()
    assert not opened.has_reranker
