"""Many texts → vectors with a torch encoder, kept on disk so that each set is encoded once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spencer_desktop.core.types import Floats
from spencer_models.backbones.minilm import Encoder
from spencer_models.data.collation import Collator, Tokens, batches_by_length
from spencer_models.loop import autocast
from spencer_models.progress import Report

# Larger batches of long texts leave the processor's cache.
_BATCH, _BATCH_TOKENS = 64, 4096
_REPORT_SECONDS = 30.0
_CHARS_PER_TOKEN = 3


def tensors(tokens: Tokens) -> tuple[Tensor, Tensor, Tensor]:
    """input_ids, attention_mask, token_type_ids: int64 [n, t], sharing memory with `tokens`."""
    return (
        torch.from_numpy(tokens.input_ids),
        torch.from_numpy(tokens.attention_mask),
        torch.from_numpy(tokens.token_type_ids),
    )


@torch.inference_mode()
def encode(
    encoder: Encoder, collator: Collator, texts: Sequence[str], max_tokens: int, precision: str, report: Report
) -> Floats:
    """float32 [n, d], unit rows, in the order of `texts`."""
    encoder.eval()
    # Fused attention is three times as fast where no gradient is needed; training and export use the plain one.
    encoder.bert.set_attn_implementation("sdpa")
    rows = np.empty((len(texts), encoder.bert.config.hidden_size), np.float32)
    started = told = time.monotonic()
    # Counting texts would mislead, the longest of which come first.
    costs = [min(len(t), _CHARS_PER_TOKEN * max_tokens) for t in texts]
    work, done = sum(costs), 0
    with autocast(precision):
        for batch in batches_by_length(costs, _BATCH, _CHARS_PER_TOKEN * _BATCH_TOKENS):
            rows[batch] = encoder(*tensors(collator.texts([texts[i] for i in batch], max_tokens))).numpy()
            done += sum(costs[i] for i in batch)
            if time.monotonic() - told >= _REPORT_SECONDS:
                told = time.monotonic()
                left = (told - started) / done * (work - done)
                report(f"encoding {len(texts)} texts: {done / work:4.0%}, under {left / 60 + 1:.0f} min left")
    encoder.bert.set_attn_implementation("eager")
    return rows


def encode_once(
    path: Path,
    encoder: Encoder,
    collator: Collator,
    texts: Sequence[str],
    max_tokens: int,
    precision: str,
    report: Report,
) -> Floats:
    """`encode`, or what an earlier call left at `path`; kept as float16, whose error (1e-3) is below bfloat16's."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = encode(encoder, collator, texts, max_tokens, precision, report)
        temporary = path.with_suffix(".new.npy")
        np.save(temporary, rows.astype(np.float16))
        temporary.replace(path)
    vectors: Floats = np.load(path).astype(np.float32)
    return vectors
