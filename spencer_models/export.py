"""torch model → ONNX graphs for CPUs (float32, int8) and GPUs (float16), checked against torch; one file each.

A graph is exported by torch, quantised by ONNX Runtime's tools and fused by onnxscript's rules for ONNX Runtime; the
operators that these put in (com.microsoft) are part of every build of it. What fusing saves of the time of
all-MiniLM-L6-v2 on two threads, as medians of paired runs: 5 to 7 % of int8 for a question of 16 tokens and 8 % for 32
functions of 256; 4 to 13 % and 8 to 12 % of float32.

Why not by the package optimum: its part for ONNX, optimum-onnx, stopped at 0.1.0, which asks for optimum 2.1 and
transformers below 4.58; optimum 2.3.0, which takes transformers 5, has neither `exporters.onnx` nor `onnxruntime`
without it. Beside transformers 5.24 its ORTOptimizer, ORTQuantizer and ORTModel cannot be imported (`is_offline_mode`
and others are gone from `transformers.utils`), and what transformers it allows are versions that must not be installed
or older. Its optimiser wraps `onnxruntime.transformers.optimizer`, made for the graphs of torch's older exporter: in
those of torch 2.13 it finds none of MiniLM's six attention layers, where the rules used here find all.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxscript import ir
from onnxscript.optimizer import optimize
from onnxscript.rewriter.ort_fusions import optimize_for_ort
from torch import Tensor, nn

from spencer_desktop.core.errors import EnvironmentFault
from spencer_desktop.core.types import Floats
from spencer_models.backbones.base import Features, Stack
from spencer_models.smoothing import smooth

PARITY_LIMIT = 1e-4
NORM_LIMIT = 1e-3
OPSET = 18

# Of weights that share a scale, and how exactly MatMulNBits computes: with activations in int8, too.
_BLOCK, _INT8_PRODUCTS = 128, 4

# Above every weight matrix: those of query, key and value become one constant.
_FOLDED_BYTES = 1 << 30


class OnnxModel:
    """A graph on the CPU: features in, float32 out."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        self.input_names = tuple(i.name for i in self._session.get_inputs())

    def __call__(self, features: Features) -> Floats:
        """float32 [n, d] of an encoder, float32 [n] of a re-ranker."""
        return np.asarray(self._session.run(None, {name: features[name].numpy() for name in self.input_names})[0])


class _Positional(nn.Module):
    """The model as the exporter wants it: inputs by position."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *values: Tensor) -> Tensor:
        out: Tensor = self.model(**dict(zip(self.names, values, strict=True)))
        return out


def export_float32(
    model: nn.Module, plain: Path, fused: Path, probes: Sequence[Features], *, output_name: str
) -> float:
    """Writes the float32 graph twice: as it stands in torch (to quantise), and with fused operators (to run).

    Every dimension of every input is free; `model.input_names` are the inputs' names. The first probe is traced. The
    others should be of other sizes: where the trace took a size for a constant, only they show it. Returns the largest
    difference from torch on all probes; EnvironmentFault when it is above 1e-4: then this mixture of torch and ONNX
    Runtime cannot be trusted.
    """
    model = _frozen(model)
    with torch.no_grad():
        expected = [model(**probe).numpy() for probe in probes]
    with _quiet():
        _export(model, plain, probes[0], output_name)
        _check_parity(plain, probes, expected)
        fuse(plain, fused)
        return _check_parity(fused, probes, expected)


def _frozen(model: nn.Module) -> nn.Module:
    """A copy to export, whatever device and mode the model is trained in."""
    frozen = copy.deepcopy(model).cpu().eval()
    for module in frozen.modules():
        if isinstance(module, Stack):
            module.set_attention("eager")
    return frozen


def _export(model: nn.Module, path: Path, probe: Features, output_name: str) -> None:
    names: tuple[str, ...] = model.input_names  # type: ignore[assignment]
    values = tuple(probe[name] for name in names)
    torch.onnx.export(
        _Positional(model, names),
        values,
        str(path),
        dynamo=True,
        verbose=False,
        input_names=list(names),
        output_names=[output_name],
        dynamic_shapes=(tuple(dict.fromkeys(range(v.dim()), torch.export.Dim.AUTO) for v in values),),
        opset_version=OPSET,
        external_data=False,
    )


def _check_parity(path: Path, probes: Sequence[Features], expected: Sequence[Floats]) -> float:
    graph = OnnxModel(path)
    difference = max(float(np.abs(graph(p) - e).max()) for p, e in zip(probes, expected, strict=True))
    if not difference <= PARITY_LIMIT:
        raise EnvironmentFault(
            f"The exported graph {path.name} differs from torch by {difference:.2g} (allowed: {PARITY_LIMIT})",
            hint="Install the versions of torch, onnxscript and onnxruntime that the `train` extra names.",
        )
    return difference


def fuse(source: Path, target: Path) -> None:
    """The same graph in fewer, larger operators (attention, normalisation with its sum, GELU with its bias).

    Notes that the exporter leaves in a graph, such as the paths of the files it was traced from, are dropped.
    """
    graph, _ = optimize_for_ort(ir.load(source), clear_metadata=True)
    optimize(graph, input_size_limit=_FOLDED_BYTES, output_size_limit=_FOLDED_BYTES)
    ir.save(graph, target)


def export_int8(plain: Path, target: Path, probes: Sequence[Features], samples: Sequence[Features]) -> None:
    """int8 weights, one scale a channel; activations are quantised at run time. EnvironmentFault as `export_float16`.

    `samples` are batches of what the model will read, to smooth its activations by. Products that narrow, the second
    of a feed-forward layer, have scales for blocks of 128, of weights and activations: what comes to them is hardest
    to quantise.

    Products of two activations (attention) stay in float: quantising them costs accuracy and saves nothing. What is
    quantised is the plain graph: a fused attention would keep its weights in float.

    Weights take seven bits. Processors without VNNI add two products of 8 bits in a sum of 16, which overflows: in a
    batch, where that happens, the cosine with float32 falls from 0.998 to 0.97. Seven bits cost 0.0006 of it.
    """
    with TemporaryDirectory(dir=target.parent) as scratch, _quiet():
        quantised, smoothed, blocks = (Path(scratch) / name for name in (target.name, "smoothed.onnx", "blocks.onnx"))
        smooth(plain, smoothed, samples)
        _quantise_narrowing(smoothed, blocks)
        quantize_dynamic(
            blocks,
            quantised,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gather"],
            extra_options={"MatMulConstBOnly": True},
        )
        fuse(quantised, target)
    _check_range(target, probes)


def _quantise_narrowing(source: Path, target: Path) -> None:
    """Writes the graph with int8 weights, in blocks, in the products of fewer outputs than inputs."""
    model = onnx.load(source)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    others = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and not _narrows(shapes.get(node.input[1], ()))
    ]
    config = DefaultWeightOnlyQuantConfig(block_size=_BLOCK, is_symmetric=True, accuracy_level=_INT8_PRODUCTS, bits=8)
    quantiser = MatMulNBitsQuantizer(model, nodes_to_exclude=others, algo_config=config)
    quantiser.process()
    onnx.save(quantiser.model.model, target)


def _narrows(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and shape[0] > shape[1]


def export_float16(fused: Path, target: Path, probes: Sequence[Features]) -> None:
    """float16 weights and states, float32 out. EnvironmentFault when an answer is no number or no unit vector."""
    with _quiet():
        onnx.save(convert_float_to_float16(onnx.load(fused), keep_io_types=True), target)
    _check_range(target, probes)


def _check_range(path: Path, probes: Sequence[Features]) -> None:
    graph = OnnxModel(path)
    for answer in map(graph, probes):
        norms = np.linalg.norm(answer, axis=1) if answer.ndim == 2 else np.ones(1)
        if not (np.isfinite(answer).all() and np.abs(norms - 1).max() <= NORM_LIMIT):
            raise EnvironmentFault(
                f"The graph {path} gives answers out of range", hint="This model can be used in float32 only."
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
