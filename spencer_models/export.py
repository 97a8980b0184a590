"""torch model → one ONNX file, checked against torch, then int8 weights."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.types import Floats
from spencer_models.data.collation import Tokens

INPUT_NAMES = ("input_ids", "attention_mask", "token_type_ids")
PARITY_LIMIT = 1e-4
OPSET = 18


class OnnxModel:
    """A graph of the pack contract on the CPU: three int64 [n, t] in, float32 out."""

    def __init__(self, path: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])

    def __call__(self, tokens: Tokens) -> Floats:
        """float32 [n, d] of an encoder, float32 [n] of a re-ranker."""
        feed = {name: getattr(tokens, name) for name in INPUT_NAMES}
        return np.asarray(self._session.run(None, feed)[0], np.float32)


def export_float(model: nn.Module, path: Path, probe: Tokens, *, output_name: str) -> float:
    """Writes the float32 graph with free batch and length; returns the largest difference from torch on `probe`.

    EnvironmentFault when it is above 1e-4: then this mixture of torch and ONNX Runtime cannot be trusted.
    """
    model.eval()
    with _quiet():
        _export(model, path, output_name)
    with torch.no_grad():
        expected = model(*(torch.from_numpy(getattr(probe, name)) for name in INPUT_NAMES)).numpy()
    difference = float(np.abs(OnnxModel(path, threads=1)(probe) - expected).max())
    if not difference <= PARITY_LIMIT:
        raise EnvironmentFault(
            f"The exported graph {path.name} differs from torch by {difference:.2g} (allowed: {PARITY_LIMIT})",
            hint="Install the versions of torch and onnxruntime that the `train` extra names.",
        )
    return difference


def _export(model: nn.Module, path: Path, output_name: str) -> None:
    # Batch and length must differ from each other and from 1, or the exporter would fix them as constants.
    ids = torch.ones(2, 7, dtype=torch.int64)
    batch, length = torch.export.Dim("batch"), torch.export.Dim("tokens")
    torch.onnx.export(
        model,
        (ids, ids.clone(), torch.zeros_like(ids)),
        str(path),
        dynamo=True,
        verbose=False,
        input_names=list(INPUT_NAMES),
        output_names=[output_name],
        dynamic_shapes=tuple({0: batch, 1: length} for _ in INPUT_NAMES),
        opset_version=OPSET,
        external_data=False,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter and the quantiser say about their own insides and about libraries not used here."""
    loggers = [logging.getLogger(), logging.getLogger("torch.onnx")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def quantise(source: Path, target: Path) -> None:
    """int8 weights, one scale a channel; activations are quantised at run time. Constant weights only.

    Products of two activations (attention) stay in float: quantising them costs accuracy and saves nothing.
    """
    with _quiet():
        quantize_dynamic(
            source,
            target,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gather"],
            extra_options={"MatMulConstBOnly": True},
        )
    onnx.checker.check_model(onnx.load(target))
