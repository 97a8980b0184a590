"""Exported graphs say what torch says, whatever their inputs look like, and say so when they do not."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from spencer_desktop.core.errors import EnvironmentFault
from spencer_models.backbones.base import Features
from spencer_models.export import OnnxModel, export_float16, export_float32


class Toy(nn.Module):
    """Encodes a length, a square and something of another length."""

    input_names: tuple[str, ...] = ("ids", "square", "others")

    def __init__(self, size: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(9, 8)
        self.out = nn.Linear(8, 8)
        self.size = size

    def forward(self, ids: Tensor, square: Tensor, others: Tensor) -> Tensor:
        mixed = square.float() @ self.table(ids) * self.size
        pooled = self.out(mixed).sum(1) + self.table(others).sum(1)
        return nn.functional.normalize(pooled, dim=1)


def _features(batch: int, length: int, other_length: int) -> Features:
    random = torch.Generator().manual_seed(length)
    return {
        "ids": torch.randint(9, (batch, length), generator=random),
        "square": torch.rand((batch, length, length), generator=random) > 0.3,
        "others": torch.randint(9, (batch, other_length), generator=random),
    }


def test_every_dimension_of_every_input_is_free(tmp_path: Path) -> None:
    # Sizes that are alike in the traced probe are not thereby the same.
    probes = [_features(4, 4, 4), _features(1, 6, 3), _features(2, 1, 9)]
    difference = export_float32(Toy(), tmp_path / "p.onnx", tmp_path / "f.onnx", probes, output_name="vectors")
    assert difference < 1e-5
    inputs = onnx.load(tmp_path / "f.onnx").graph.input
    assert [(i.name, len(i.type.tensor_type.shape.dim)) for i in inputs] == [("ids", 2), ("square", 3), ("others", 2)]
    assert OnnxModel(tmp_path / "f.onnx")(_features(3, 5, 7)).shape == (3, 8)


def test_a_graph_for_one_size_only_is_refused(tmp_path: Path) -> None:
    class Rigid(Toy):
        def forward(self, ids: Tensor, square: Tensor, others: Tensor) -> Tensor:
            # A choice by a size in Python is made while tracing, once and for all.
            return super().forward(ids, square, others if others.shape[1] == 5 else others[:, :1])

    probes = [_features(2, 3, 5), _features(2, 3, 4)]
    with pytest.raises(EnvironmentFault, match="differs from torch"):
        export_float32(Rigid(), tmp_path / "p", tmp_path / "f", probes, output_name="vectors")


def test_a_graph_that_differs_from_torch_is_refused(tmp_path: Path) -> None:
    class Forgetful(Toy):
        """Answers otherwise while it is exported: what the graph holds is not what torch says."""

        def forward(self, ids: Tensor, square: Tensor, others: Tensor) -> Tensor:
            return super().forward(ids, square, others) + (0.0 if torch.compiler.is_exporting() else 1.0)

    with pytest.raises(EnvironmentFault, match="differs from torch by 1"):
        export_float32(Forgetful(), tmp_path / "p", tmp_path / "f", [_features(2, 3, 5)], output_name="vectors")


def test_states_beyond_float16_are_noticed(tmp_path: Path) -> None:
    probes = [_features(2, 3, 5)]
    export_float32(Toy(size=1e6), tmp_path / "p", tmp_path / "f", probes, output_name="vectors")
    with pytest.raises(EnvironmentFault, match="out of range"):
        export_float16(tmp_path / "f", tmp_path / "h", probes)
