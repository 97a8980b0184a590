"""What a distilled query encoder saves: both encoders timed in turn on the same questions (paper, Table 3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from scipy.stats import ttest_rel

from spencer_models.results import Timing

Encode: TypeAlias = Callable[[str], object]
"""Encodes one question and returns when the vector is there (on a GPU: when it is back in main memory)."""

WARM_UP = 20
"""Questions before the first that counts: first calls allocate memory and choose kernels."""


def time_encoders(
    distilled: Encode,
    original: Encode,
    texts: Sequence[str],
    *,
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Times both encoders on each of the texts, one at a time, `rounds` times over.

    The two answer one question right after each other, and which is first alternates between questions and rounds, so
    that what slows the machine for a while slows both. A text's time is the median of its rounds. `reduction` compares
    the sums of these; `p_value` is that of a paired two-sided t-test over them, so `texts` are two at least. `clock`
    gives seconds.
    """
    for text in texts[:WARM_UP]:
        distilled(text)
        original(text)
    encoders = (distilled, original)
    seconds = np.empty((rounds, len(texts), 2))
    for turn in range(rounds):
        for row, text in enumerate(texts):
            first = (turn + row) % 2
            for which in (first, 1 - first):
                started = clock()
                encoders[which](text)
                seconds[turn, row, which] = clock() - started
    medians = np.median(seconds, axis=0)
    distilled_seconds, original_seconds = (float(total) for total in medians.sum(0))
    return Timing(
        distilled_seconds=distilled_seconds,
        original_seconds=original_seconds,
        reduction=1 - distilled_seconds / original_seconds,
        p_value=float(ttest_rel(medians[:, 0], medians[:, 1]).pvalue),
        n=len(texts),
        rounds=rounds,
    )
