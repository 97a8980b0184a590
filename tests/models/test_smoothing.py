"""Smoothing leaves a graph's answers as they are and brings its int8 form nearer to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from spencer_models.export import OnnxModel, export_float32, export_int8
from spencer_models.smoothing import smooth


class Outlying(nn.Module):
    """Two layers whose inputs have one channel a hundred times as large as the others, as in transformers."""

    input_names = ("x",)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(32, 64), nn.Linear(64, 16)
        self.register_buffer("scale", torch.ones(32))
        self.scale[3] = 100.0

    def forward(self, x: Tensor) -> Tensor:
        # Of three dimensions, as in a transformer: of two, a layer is another operator.
        states = self.second(torch.relu(self.first(x[:, None] * self.scale)))
        return nn.functional.normalize(states[:, 0], dim=1)


@pytest.fixture(scope="module")
def samples() -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [{"x": torch.randn(8, 32, generator=generator)} for _ in range(4)]


def cosines(path: Path, wanted: list[np.ndarray], samples: list[dict[str, Tensor]]) -> float:  # type: ignore[type-arg]
    graph = OnnxModel(path)
    return float(np.mean([(graph(s) * w).sum(1).mean() for s, w in zip(samples, wanted, strict=True)]))


def test_int8_stands_nearer_when_large_channels_are_smoothed(tmp_path: Path, samples: list[dict[str, Tensor]]) -> None:
    model = Outlying()
    plain, fused, smoothed = (tmp_path / f"{name}.onnx" for name in ("plain", "fused", "smoothed"))
    probes = [samples[0], {"x": samples[1]["x"][:3]}]
    export_float32(model, plain, fused, probes, output_name="vectors")
    with torch.no_grad():
        wanted = [model(**sample).numpy() for sample in samples]
    smooth(plain, smoothed, samples)
    for sample, answer in zip(samples, wanted, strict=True):
        np.testing.assert_allclose(OnnxModel(smoothed)(sample), answer, atol=1e-5)
    found = {}
    for name, seen in (("by what is read", samples), ("by nothing", [{"x": torch.zeros(1, 32)}])):
        export_int8(plain, tmp_path / "int8.onnx", probes, seen)
        found[name] = cosines(tmp_path / "int8.onnx", wanted, samples)
    assert found["by what is read"] > 0.999
    assert 1 - found["by what is read"] < (1 - found["by nothing"]) / 2
    # The second layer narrows: its weights have scales in blocks.
    products = [node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node if "MatMul" in node.op_type]
    assert products.count("MatMulNBits") == 1 < len(products)


def test_no_sum_of_two_products_leaves_16_bits(tmp_path: Path, samples: list[dict[str, Tensor]]) -> None:
    """Processors without VNNI add two products of 8-bit activations and weights in 16 bits, which must hold them."""
    plain, fused = tmp_path / "plain.onnx", tmp_path / "fused.onnx"
    export_float32(Outlying(), plain, fused, samples[:1], output_name="vectors")
    export_int8(plain, tmp_path / "int8.onnx", samples[:1], samples)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = [constants[node.input[1]] for node in graph.node if node.op_type == "MatMulInteger"]
    assert len(weights) == 1
    assert weights[0].dtype == np.int8
    largest = np.abs(weights[0].astype(int)).max()
    assert largest > 60
    assert 2 * 255 * largest < 2**15


def test_weights_that_two_products_share_stay(tmp_path: Path, samples: list[dict[str, Tensor]]) -> None:
    class Twice(nn.Module):
        input_names = ("x",)

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layer = nn.Linear(32, 32, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            states = self.layer(torch.tanh(self.layer(x[:, None])))
            return nn.functional.normalize(states[:, 0], dim=1)

    model = Twice()
    plain, fused, smoothed = (tmp_path / f"{name}.onnx" for name in ("plain", "fused", "smoothed"))
    export_float32(model, plain, fused, samples[:1], output_name="vectors")
    smooth(plain, smoothed, samples)
    with torch.no_grad():
        np.testing.assert_allclose(OnnxModel(smoothed)(samples[0]), model(**samples[0]).numpy(), atol=1e-5)
