"""Many codes or questions → vectors with a torch encoder, kept on disk so that each set is encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from spencer_desktop.core.types import Floats
from spencer_models.ahead import made_ahead
from spencer_models.backbones.base import Backbone, Code, Features
from spencer_models.data.collation import batches_by_length
from spencer_models.machine import Machine
from spencer_models.progress import Report, Track

T = TypeVar("T")

# On a CPU larger batches of long texts leave the processor's cache.
_BATCH, _BATCH_TOKENS = 64, 4096
_CHARS_PER_TOKEN = 3


def encode_codes(
    encoder: nn.Module, backbone: Backbone, codes: Sequence[Code], max_tokens: int, machine: Machine, report: Report
) -> Floats:
    """float32 [n, d], unit rows, in the order of `codes`."""
    costs = [len(code.text) for code in codes]
    return outputs_of(encoder, lambda part: backbone.codes(part, max_tokens), codes, costs, max_tokens, machine, report)


def encode_queries(
    encoder: nn.Module, backbone: Backbone, queries: Sequence[str], max_tokens: int, machine: Machine, report: Report
) -> Floats:
    """float32 [n, d], unit rows, in the order of `queries`."""
    costs = [len(query) for query in queries]
    return outputs_of(
        encoder, lambda part: backbone.queries(part, max_tokens), queries, costs, max_tokens, machine, report
    )


@torch.inference_mode()
def outputs_of(
    model: nn.Module,
    build: Callable[[Sequence[T]], Features],
    items: Sequence[T],
    costs: Sequence[int],
    max_tokens: int,
    machine: Machine,
    report: Report,
) -> Floats:
    """float32 [n, …]: what `model` makes of the features that `build` makes of each item, in the order of `items`.

    `costs` are characters; of more than `max_tokens` tokens no model reads anything.
    """
    # Counting items would mislead the estimate: the longest come first.
    costs = [min(cost, _CHARS_PER_TOKEN * max_tokens) for cost in costs]
    room = 1 if machine.device.type == "cpu" else 16
    rows: list[Floats] = []
    order: list[int] = []
    done = 0

    def ready(batch: list[int]) -> tuple[list[int], Features]:
        return batch, build([items[i] for i in batch])

    batches = batches_by_length(costs, room * _BATCH, room * _CHARS_PER_TOKEN * _BATCH_TOKENS)
    title = f"encoding {len(items)}"
    with (
        evaluating(model),
        machine.autocast(),
        Track(title, sum(costs), report) as track,
        closing(made_ahead(ready, batches)) as made,
    ):
        for batch, features in made:
            rows.append(model(**machine.features(features)).float().cpu().numpy())
            order += batch
            done += sum(costs[i] for i in batch)
            track.update(done)
    if not rows:
        return np.empty((0, model.width if hasattr(model, "width") else 0), np.float32)  # type: ignore[arg-type]
    out = np.concatenate(rows)
    return out[np.argsort(order)]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout, and with fused attention, which is faster where no gradient is needed."""
    training = model.training
    model.eval()
    stack = getattr(model, "stack", None)
    before = stack.set_attention("sdpa") if stack is not None else ""
    try:
        yield
    finally:
        if stack is not None:
            stack.set_attention(before)
        model.train(training)


def once(path: Path, compute: Callable[[], Floats], kept_as: type[np.floating[Any]] = np.float16) -> Floats:
    """What an earlier call left at `path`, else `compute()`. Vectors lose less as float16 (1e-3) than by bfloat16."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new.npy")
        np.save(temporary, compute().astype(kept_as))
        temporary.replace(path)
    vectors: Floats = np.load(path).astype(np.float32)
    return vectors
