"""The dual encoder's training (paper, section 2.1): Eq. 1 to 4, then with mined hard negatives."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import Ids
from spencer_models.backbones.base import Backbone, Code, Encoder, Features
from spencer_models.cached_gradient import Encode, Pass, backward
from spencer_models.config import DualConfig, TextConfig, TrainingConfig
from spencer_models.data.collation import ShuffledBatches
from spencer_models.examples import PART_ROWS, Example, parts_of
from spencer_models.losses import (
    code_contrast,
    cross_contrast,
    info_nce,
    late_contrast,
    margin_ranking,
    query_contrast,
)
from spencer_models.machine import Machine
from spencer_models.mixing import Mix


class DualEncoder(nn.Module):
    """The two sides; one module serves both where they share their weights."""

    def __init__(self, query: nn.Module, code: nn.Module) -> None:
        super().__init__()
        self.query = query
        self.code = code


@dataclass(frozen=True, slots=True)
class DualBatch:
    """Features of the queries, of their codes and of the hard negatives of all, in parts."""

    queries: list[Features]
    codes: list[Features]
    hard: list[Features]


class DualTask:
    """Trains both encoders on examples, each once an epoch where no `mix` is given; `hard` int64 [examples, m] are
    numbers of examples whose codes are wrong (-1: none). `shown`: an example's number and the batch's → it, as that
    batch shows it."""

    def __init__(
        self,
        dual: DualEncoder,
        backbone: Backbone,
        examples: Sequence[Example],
        config: DualConfig,
        text: TextConfig,
        machine: Machine,
        validate: Callable[[], float],
        seed: int,
        mix: Mix | None = None,
        hard: Ids | None = None,
        shown: Callable[[int, int], Example] | None = None,
    ) -> None:
        if "late" in config.contrasts and not isinstance(dual.code, Encoder):
            raise UserError(
                f'The family {backbone.family} has no tokens to compare: leave "late" out of dual.contrasts'
            )
        self._dual = dual
        self._backbone = backbone
        self._examples = examples
        self._config = config
        self._text = text
        self._machine = machine
        self._validate = validate
        self._seed = seed
        self._hard = hard
        self._shown = shown or (lambda number, turn: examples[number])
        lengths = mix.lengths if mix else [len(e.code.text) for e in examples]
        times, groups = (mix.times, mix.groups) if mix else (None, None)
        self._batches = ShuffledBatches(lengths, config.training.batch, seed, times=times, groups=groups)

    def batch(self, number: int, progress: float) -> DualBatch:
        chosen = self._batches.at(number)
        # What is shown may be longer than what batches are made by; parts of like length waste less.
        examples = sorted((self._shown(i, number) for i in chosen), key=lambda example: len(example.code.text))
        hard = [self._examples[i].code for i in self._hard_of(number, chosen)]
        rows = part_rows(self._config.training, self._machine)
        codes: list[Code] = [e.code for e in examples]
        return DualBatch(
            parts_of([e.query for e in examples], rows, lambda part: self._backbone.queries(part, self._text.query)),
            parts_of(codes, rows, self._code_features),
            parts_of(hard, rows, self._code_features),
        )

    def _code_features(self, codes: Sequence[Code]) -> Features:
        return self._backbone.codes(codes, self._text.code)

    def _hard_of(self, number: int, chosen: Ids) -> list[int]:
        """Some of each example's mined ones, drawn by the batch's number; those of the batch itself are left out."""
        if self._hard is None:
            return []
        random = np.random.default_rng([self._seed, number])
        drawn: dict[int, None] = {}
        own = set(chosen.tolist())
        for row in chosen:
            mined = self._hard[row][self._hard[row] >= 0]
            count = min(self._config.hard_negatives, len(mined))
            drawn |= dict.fromkeys(int(i) for i in random.choice(mined, count, replace=False) if int(i) not in own)
        return list(drawn)

    def backward(self, batch: DualBatch) -> float:
        config = self._config
        code = self._encode(self._dual.code, self._text.code)
        passes = {
            "queries": Pass(self._encode(self._dual.query, self._text.query), batch.queries),
            "codes": Pass(code, batch.codes),
        }
        if config.objective == "contrastive" and "query" in config.contrasts:
            passes["queries_again"] = passes["queries"]
        if config.objective == "contrastive" and "code" in config.contrasts:
            passes["codes_again"] = passes["codes"]
        if batch.hard:
            passes["hard"] = Pass(code, batch.hard)
        names = list(passes)

        def loss_of(vectors: Sequence[Tensor]) -> Tensor:
            by_name = dict(zip(names, vectors, strict=True))
            # The mean, not the equation's sum, keeps the clipping limit independent of the batch size.
            return self._loss(by_name) / len(by_name["codes"])

        return backward(list(passes.values()), loss_of, self._machine, cached=config.training.micro_batch > 0)

    def _encode(self, encoder: nn.Module, tokens: int) -> Encode:
        """Vectors, followed by those of their tokens where "late" needs them."""
        if not self._late:
            return encoder
        assert isinstance(encoder, Encoder)
        return partial(encoder.with_tokens, tokens)

    @property
    def _late(self) -> bool:
        return self._config.objective == "contrastive" and "late" in self._config.contrasts

    def _loss(self, outputs: dict[str, Tensor]) -> Tensor:
        config = self._config
        vectors = {name: rows[:, 0] for name, rows in outputs.items()} if self._late else outputs
        codes, queries = vectors["codes"], vectors["queries"]
        if config.objective == "margin":
            # The next question of the batch, which the seed shuffled, stands for a random one.
            return margin_ranking(codes, queries, queries.roll(1, dims=0), config.margin)
        settings: dict[str, Any] = {"temperature": config.temperature, "literal": config.literal}
        loss = codes.new_zeros(())
        if "code" in config.contrasts:
            loss = loss + code_contrast(codes, vectors["codes_again"], **settings)
        if "query" in config.contrasts:
            loss = loss + query_contrast(queries, vectors["queries_again"], **settings)
        if "cross" in config.contrasts:
            loss = loss + cross_contrast(codes, queries, **settings)
        if "search" in config.contrasts:
            loss = loss + info_nce(queries, codes, config.temperature, literal=config.literal)
        if "hard" in vectors:
            # Only the direction of a search has codes to choose among.
            loss = loss + info_nce(queries, torch.cat([codes, vectors["hard"]]), config.temperature)
        if self._late:
            among = torch.cat([outputs[name][:, 1:] for name in ("codes", "hard") if name in outputs])
            # The best of many tokens differ half as much as means over them do.
            loss = loss + late_contrast(outputs["queries"][:, 1:], among, config.temperature / 2)
        return loss

    def validate(self) -> float:
        return self._validate()


def part_rows(training: TrainingConfig, machine: Machine) -> int:
    """Rows that go through the layers together: all where there is a GPU, or as many as the recipe says."""
    return training.micro_batch or (PART_ROWS if machine.device.type == "cpu" else sys.maxsize)
