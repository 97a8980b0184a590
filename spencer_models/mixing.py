"""Which training examples are shown how often, and beside which others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import Ids
from spencer_models.config import MixConfig
from spencer_models.data.corpus import Pair


@dataclass(frozen=True, slots=True)
class Mix:
    """For each example how often an epoch shows it, the number of the group that it is batched with, and how many
    characters its code has; int64 [n].

    Without `groups` all are batched together.
    """

    times: Ids
    groups: Ids | None
    lengths: Ids

    def of(self, chosen: Ids) -> Mix:
        """The mix of some of the examples: of all, or of a `sample`, in which what is shown often is many already."""
        every = len(chosen) == np.count_nonzero(self.times)
        times = self.times[chosen] if every else np.ones(len(chosen), np.int64)
        return Mix(times, None if self.groups is None else self.groups[chosen], self.lengths[chosen])

    def sample(self, count: int, seed: int) -> Ids:
        """int64 [at most count], ascending: examples drawn as training comes upon them; all where `count` is 0."""
        if not count or count >= np.count_nonzero(self.times):
            return np.flatnonzero(self.times)
        shown = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(self.times)), self.times))
        _, first = np.unique(shown, return_index=True)
        return np.sort(shown[np.sort(first)[:count]])


def mix_of(pairs: Sequence[Pair], config: MixConfig) -> Mix:
    """UserError when a source that is named has no pair, or none is left."""
    sources = {pair.source for pair in pairs}
    for source in config.repeats:
        if source not in sources:
            raise UserError(
                f"mix.repeats names {source!r}, of which there are no pairs", hint="Name a source as [data] does."
            )
    times = np.array([config.repeats.get(pair.source, 1) for pair in pairs], np.int64)
    if not times.any():
        raise UserError("mix.repeats leaves no pair to train on", hint="Leave a source that is to be shown out of it.")
    lengths = np.array([len(pair.bare) for pair in pairs], np.int64)
    if not config.together:
        return Mix(times, None, lengths)
    numbers: dict[str, int] = {}
    keys = [pair.source if config.together == "source" else pair.language for pair in pairs]
    return Mix(times, np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64), lengths)
