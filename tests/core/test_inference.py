"""ONNX graphs: what goes in, in which batches, and that the answers come back in the order of the questions."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.inference import Device, Models, available_cores, choose_device
from spencer_desktop.core.pack import TOKENIZER, open_pack
from spencer_desktop.core.resources import resource_dir
from spencer_desktop.core.text import MAX_CODE_CHARS, code_text
from tests.core.tiny_pack import encoder_graph, make_pack, token, write_manifest

CPU = choose_device("cpu", 1)
CUDA_OFFERED = "CUDAExecutionProvider" in ort.get_available_providers()
CODE = [
    "def add(a, b):\n    return a + b",
    "x",
    "class Session:\n" + "\n".join(f"    def method_{n}(self): return self.value_{n}" for n in range(12)),
    "SELECT name FROM users WHERE id = 3",
    "func Push(item string) { q.items = append(q.items, item) }",
    "for (int i = 0; i < n; i++) sum += values[i];",
    "größe = länge * breite  # 面积",
    "",
]


@pytest.fixture(scope="module")
def default() -> Models:
    return Models(open_pack(resource_dir() / "models/default"), CPU)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(open_pack(make_pack(tmp_path_factory.mktemp("pack"))), CPU)


# The graphs of tiny_pack: (sum of ids, tokens, width of the batch) for a text


def test_answers_come_in_the_order_of_the_texts(tiny: Models) -> None:
    texts = [" ".join(["w5"] * n) for n in range(10)]
    random.Random(3).shuffle(texts)
    rows = tiny.code_encoder.encode(texts)
    ends = token("[CLS]") + token("[SEP]")
    assert rows[:, 0].tolist() == [ends + token("w5") * text.count("w5") for text in texts]
    assert rows[:, 1].tolist() == [2 + text.count("w5") for text in texts]


def test_texts_of_like_length_share_a_batch(tiny: Models) -> None:
    texts = ["w1 " * 10, "w1"] * 64
    rows = tiny.code_encoder.encode(texts)
    assert rows[0::2, 2].tolist() == [12] * 64
    assert rows[1::2, 2].tolist() == [3] * 64


def test_a_batch_holds_so_many_rows_or_padded_tokens(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, manifest={"max_code_tokens": 2_000}, code_encoder=encoder_graph(last="cells"))
    encoder = Models(open_pack(pack), CPU).code_encoder
    texts = ["w1 " * n for n in (1_998, 500, 498, 250, 3)] * 40
    rows = encoder.encode(texts)
    assert rows[:, 1].tolist() == [2_000, 502, 500, 252, 5] * 40
    assert 2_048 < rows[:, 2].max() <= 4_096
    assert rows[4::5, 2].max() <= 64 * 252


def test_a_text_is_cut_to_what_the_pack_says(tiny: Models) -> None:
    assert tiny.code_encoder.encode(["w5 " * 1000])[0, 1] == 12
    assert tiny.query_encoder.encode(["w5 " * 1000])[0, 1] == 6


def test_the_prefix_of_a_side_goes_before_its_texts(tiny: Models) -> None:
    assert tiny.query_encoder.encode(["w5"])[0, 0] - tiny.code_encoder.encode(["w5"])[0, 0] == token("w1")


def test_the_reranker_reads_code_first_and_the_question_second(tiny: Models) -> None:
    assert tiny.reranker is not None
    logits = tiny.reranker.score("w50", ["w9 w9", "w1", "", "w30"])
    separators = token("[SEP]") - token("[CLS]") - token("[SEP]")
    assert logits.tolist() == [token("w50") - n + separators for n in (2 * token("w9"), token("w1"), 0, token("w30"))]
    assert logits.dtype == np.float32
    assert tiny.reranker.score("w50", []).shape == (0,)


def test_nothing_gives_nothing(tiny: Models) -> None:
    rows = tiny.code_encoder.encode([])
    assert rows.shape == (0, 3)
    assert rows.dtype == np.float32


def test_a_pack_without_a_reranker_gives_none(tmp_path: Path) -> None:
    assert Models(open_pack(make_pack(tmp_path, manifest={"rerank": None})), CPU).reranker is None


def refusal(models: Models) -> str:
    with pytest.raises(UserError) as caught:
        models.code_encoder  # noqa: B018 - it is loaded when it is asked for
    assert caught.value.hint
    return str(caught.value)


def test_a_graph_of_another_dimension_is_refused(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, code_encoder=encoder_graph(columns=2))
    assert "instead of [n, 3]" in refusal(Models(open_pack(pack), CPU))


def test_a_graph_with_other_inputs_is_refused(tmp_path: Path) -> None:
    pack = make_pack(tmp_path, code_encoder=encoder_graph(inputs=("input_ids", "attention_mask", "position_ids")))
    assert "position_ids" in refusal(Models(open_pack(pack), CPU))


def test_a_graph_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "cannot be loaded" in refusal(Models(open_pack(make_pack(tmp_path, code_encoder=b"no graph")), CPU))


def test_a_tokenizer_that_is_none_is_refused(tmp_path: Path) -> None:
    pack = make_pack(tmp_path)
    (pack / TOKENIZER).write_text("{}", "utf-8")
    write_manifest(pack)
    assert "its tokenizer cannot be read" in refusal(Models(open_pack(pack), CPU))


def test_nothing_of_a_changed_file_is_parsed(tmp_path: Path) -> None:
    pack = open_pack(make_pack(tmp_path))
    path = tmp_path / TOKENIZER
    path.write_bytes(path.read_bytes()[:-1] + b"]")
    assert "SHA-256" in refusal(Models(pack, CPU))


# The real pack


def test_rows_of_the_default_pack_are_unit_vectors(default: Models) -> None:
    for encoder in (default.code_encoder, default.query_encoder):
        rows = encoder.encode(CODE[-4:])
        assert rows.shape == (4, encoder.dimension)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-4)


def test_a_text_means_the_same_whatever_stands_beside_it(default: Models) -> None:
    together = default.code_encoder.encode(CODE)
    alone = np.concatenate([default.code_encoder.encode([text]) for text in CODE])
    # Not the same vectors: int8 graphs take the scale of their activations from the whole batch.
    assert float((together * alone).sum(axis=1).min()) > 0.95
    assert (together @ alone.T).argmax(axis=1).tolist() == list(range(len(CODE)))


def test_a_very_long_text_is_read_up_to_its_limit(default: Models) -> None:
    long = "value = compute(first, second)\n" * 10_000
    rows = default.code_encoder.encode([code_text("", long), long[:MAX_CODE_CHARS]])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-6)


def test_questions_and_code_meet_in_one_space(default: Models) -> None:
    question = default.query_encoder.encode(["add two numbers"])[0]
    assert int((default.code_encoder.encode(CODE) @ question).argmax()) == 0


# Devices


def test_the_cpu_as_set() -> None:
    device = choose_device("cpu", 3)
    assert (device.providers, device.threads, device.name) == (("CPUExecutionProvider",), 3, "CPU")


def test_no_number_of_threads_means_all_cores() -> None:
    assert choose_device("cpu", 0).threads == available_cores() >= 1


def test_a_build_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert "no CUDA provider" in choose_device("auto", 1).note
    assert choose_device("auto", 1).name == "CPU"
    with pytest.raises(UserError) as caught:
        choose_device("cuda", 1)
    assert "onnxruntime-gpu" in caught.value.hint


def test_a_build_with_cuda_keeps_the_cpu_to_fall_back_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    for wish in ("auto", "cuda"):
        device = choose_device(wish, 1)
        assert device.providers == ("CUDAExecutionProvider", "CPUExecutionProvider")
        assert device.name == "GPU (CUDA)"


@pytest.mark.skipif(not CUDA_OFFERED, reason="this build of ONNX Runtime has no CUDA provider")
def test_one_line_says_where_the_models_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    models = Models(open_pack(make_pack(tmp_path)), choose_device("auto", 1))
    assert models.code_encoder.encode(["w5"])[0, 1] == 3
    on_gpu = models.query_encoder.provider == "CUDAExecutionProvider"
    told = models.device_note()
    assert told.startswith("running on the GPU" if on_gpu else "running on the CPU (CUDA, its driver")
    assert "\n" not in told
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not CUDA_OFFERED, reason="this build of ONNX Runtime has no CUDA provider")
def test_where_the_models_run_is_asked_of_what_is_loaded(tmp_path: Path) -> None:
    pack = open_pack(make_pack(tmp_path, query_encoder=b"no graph"))
    models = Models(pack, Device(("CUDAExecutionProvider", "CPUExecutionProvider"), 1, "running on the GPU (CUDA)"))
    on_gpu = models.code_encoder.provider == "CUDAExecutionProvider"
    assert models.device_note().startswith("running on the GPU" if on_gpu else "running on the CPU (CUDA, its driver")
    assert Models(pack, CPU).device_note() == CPU.note, "on the CPU nothing needs to be loaded"
