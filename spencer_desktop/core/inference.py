"""Run a pack's graphs with ONNX Runtime: providers, threads, and batches of like length.

The cost of a batch follows its padded tokens, so texts are sorted by length and batched under a token budget.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime as ort
from tokenizers import Encoding, Tokenizer

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.pack import CODE_ENCODER, QUERY_ENCODER, RERANKER, TOKENIZER, Pack
from spencer_desktop.core.types import Floats

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_BATCH_TOKENS = 4_096
_BATCH_ROWS = 64
_LARGEST = float(np.finfo(np.float16).max)
_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


@dataclass(frozen=True, slots=True)
class Device:
    """Which execution providers to ask ONNX Runtime for. `note` says in one line what was chosen and why."""

    providers: tuple[str, ...]
    threads: int
    note: str

    @property
    def name(self) -> str:
        return "GPU (CUDA)" if self.providers[0] == _CUDA else "CPU"


def choose_device(wish: str, threads: int) -> Device:
    """`wish` is "auto", "cpu" or "cuda"; `threads` 0 means one for each core this process may use.

    Raises UserError for "cuda" where this build of ONNX Runtime has no CUDA provider.
    """
    count = threads or available_cores()
    offered = ort.get_available_providers()
    if wish == "cpu":
        return Device((_CPU,), count, "running on the CPU, as set")
    if _CUDA not in offered:
        if wish == "cuda":
            raise UserError(
                "This build of ONNX Runtime has no CUDA provider",
                hint="Install onnxruntime-gpu, or set device = 'cpu'.",
            )
        return Device((_CPU,), count, "running on the CPU (this build of ONNX Runtime has no CUDA provider)")
    return Device((_CUDA, _CPU), count, "running on the GPU (CUDA)")


def available_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


class _Graph:
    """One ONNX session and the tokenizer settings that feed it."""

    def __init__(self, pack: Pack, name: str, max_tokens: int, row: tuple[int, ...], device: Device) -> None:
        self._pack = pack
        self._name = name
        self._row = row
        self._tokenizer = _tokenizer(pack, max_tokens)
        self._session = _session(pack, name, device)
        self._inputs = {i.name for i in self._session.get_inputs()}
        self._lock = threading.Lock()
        self.provider: str = self._session.get_providers()[0]

    def output_shape(self) -> list[Any]:
        return list(self._session.get_outputs()[0].shape)

    def run(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Floats:
        """float32 [n, *row] in the order of `texts`, which must not be empty. Raises UserError for any other answer."""
        encodings = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(encodings)), key=lambda i: len(encodings[i].ids), reverse=True)
        rows: list[Floats] = [np.empty(0, np.float32)] * len(encodings)
        for batch in _batches(order, encodings):
            result = self._forward([encodings[i] for i in batch])
            for i, row in zip(batch, result, strict=True):
                rows[i] = row
        return np.asarray(rows, dtype=np.float32)

    def _forward(self, encodings: list[Encoding]) -> Floats:
        width = max(len(e.ids) for e in encodings)
        feed = {name: np.zeros((len(encodings), width), np.int64) for name in self._inputs}
        for row, encoding in enumerate(encodings):
            length = len(encoding.ids)
            feed["input_ids"][row, :length] = encoding.ids
            feed["attention_mask"][row, :length] = 1
            if "token_type_ids" in feed:
                feed["token_type_ids"][row, :length] = encoding.type_ids
        try:
            with self._lock:
                answer = np.asarray(self._session.run(None, feed)[0], dtype=np.float32)
        except Exception as error:
            raise _refused(self._pack, f"{self._name} cannot be run ({error})") from error
        if answer.shape != (len(encodings), *self._row):
            raise _refused(self._pack, f"{self._name} gives {list(answer.shape)} for {len(encodings)} texts")
        # Neither NaN nor infinite, here or in the catalogue.
        if not (np.abs(answer) <= _LARGEST).all():
            raise _refused(self._pack, f"{self._name} gives numbers that are none")
        return answer


def _batches(order: Sequence[int], encodings: Sequence[Encoding]) -> list[list[int]]:
    """Split `order` (longest first) so that no batch pads to more than the token budget."""
    batches: list[list[int]] = []
    for i in order:
        width = len(encodings[batches[-1][0]].ids) if batches else 0
        if not batches or len(batches[-1]) >= min(_BATCH_ROWS, max(1, _BATCH_TOKENS // max(1, width))):
            batches.append([])
        batches[-1].append(i)
    return batches


def _tokenizer(pack: Pack, max_tokens: int) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_buffer(pack.read(TOKENIZER))
    except UserError:
        raise
    except Exception as error:
        raise _refused(pack, f"its tokenizer cannot be read ({error})") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _session(pack: Pack, name: str, device: Device) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = device.threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A missing CUDA library is reported by `Models.device_note`, in one line, not by a native log.
    options.log_severity_level = 4
    ort.set_default_logger_severity(4)
    try:
        session = ort.InferenceSession(pack.read(name), options, providers=list(device.providers))
    except UserError:
        raise
    except Exception as error:
        raise _refused(pack, f"{name} cannot be loaded ({error})") from error
    inputs = {i.name: i.type for i in session.get_inputs()}
    if not {"input_ids", "attention_mask"} <= set(inputs) <= _INPUTS or set(inputs.values()) != {"tensor(int64)"}:
        raise _refused(pack, f"{name} takes {sorted(inputs)} instead of int64 {sorted(_INPUTS)}")
    return session


def _refused(pack: Pack, what: str) -> UserError:
    return UserError(
        f"The model pack at {pack.directory} is refused: {what}", hint="Install a pack made for this version."
    )


class OnnxEncoder:
    """An encoder of a pack: texts → unit vectors. Safe to call from several threads."""

    def __init__(self, pack: Pack, name: str, prefix: str, max_tokens: int, device: Device) -> None:
        self._dimension = pack.manifest.dimension
        self._graph = _Graph(pack, name, max_tokens, (self._dimension,), device)
        self._prefix = prefix
        shape = self._graph.output_shape()
        if len(shape) != 2 or (isinstance(shape[1], int) and shape[1] != self._dimension):
            raise _refused(pack, f"{name} gives {shape} instead of [n, {self._dimension}]")

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def provider(self) -> str:
        return self._graph.provider

    def encode(self, texts: Sequence[str]) -> Floats:
        """float32 [n, d], unit rows, in the order of `texts`."""
        if not texts:
            return np.empty((0, self._dimension), np.float32)
        return self._graph.run([self._prefix + t for t in texts])


class OnnxReranker:
    """The cross-encoder of a pack. Safe to call from several threads."""

    def __init__(self, pack: Pack, device: Device) -> None:
        self._graph = _Graph(pack, RERANKER, pack.manifest.max_pair_tokens, (), device)

    def score(self, query: str, codes: Sequence[str]) -> Floats:
        """float32 [n]: one logit for each (code, query) pair; higher is better."""
        if not codes:
            return np.empty(0, np.float32)
        return self._graph.run([(code, query) for code in codes])


class Models:
    """The encoders of a pack, each loaded when it is first asked for."""

    def __init__(self, pack: Pack, device: Device) -> None:
        self.pack = pack
        self.device = device

    @cached_property
    def code_encoder(self) -> OnnxEncoder:
        manifest = self.pack.manifest
        return OnnxEncoder(self.pack, CODE_ENCODER, manifest.code_prefix, manifest.max_code_tokens, self.device)

    @cached_property
    def query_encoder(self) -> OnnxEncoder:
        manifest = self.pack.manifest
        return OnnxEncoder(self.pack, QUERY_ENCODER, manifest.query_prefix, manifest.max_query_tokens, self.device)

    @cached_property
    def reranker(self) -> OnnxReranker | None:
        return OnnxReranker(self.pack, self.device) if self.pack.has_reranker else None

    def device_note(self) -> str:
        """One line: where the models really run, and why. Where CUDA is asked for, some model has to be loaded."""
        if self.device.providers[0] != _CUDA:
            return self.device.note
        # Whichever encoder is loaded already: they all get the same providers.
        loaded: OnnxEncoder = self.__dict__.get("code_encoder") or self.query_encoder
        if loaded.provider != _CUDA:
            return "running on the CPU (CUDA, its driver or its libraries are not usable here)"
        return self.device.note
