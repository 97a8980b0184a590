from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import t as students_t

from spencer_models.timing import WARM_UP, time_encoders

TEXTS = [f"question {i}" for i in range(7)]


class Bench:
    """Two encoders that move a clock by hand, and what was asked of them in order."""

    def __init__(self, distilled: Callable[[str, int], float], original: Callable[[str, int], float]) -> None:
        self.now = 100.0
        self.calls: list[tuple[str, str]] = []
        self._seconds = {"distilled": distilled, "original": original}

    def clock(self) -> float:
        return self.now

    def distilled(self, text: str) -> None:
        self._run("distilled", text)

    def original(self, text: str) -> None:
        self._run("original", text)

    def _run(self, name: str, text: str) -> None:
        # How often this encoder saw the text before: 0 is the warm-up, then the rounds.
        seen = self.calls.count((name, text))
        self.calls.append((name, text))
        self.now += self._seconds[name](text, seen)


def number(text: str) -> int:
    return int(text.split()[1])


def test_known_times_give_their_sums_and_reduction() -> None:
    bench = Bench(lambda text, seen: 1.0 + number(text), lambda text, seen: 4.0 + 5 * number(text))
    timing = time_encoders(bench.distilled, bench.original, TEXTS, rounds=3, clock=bench.clock)
    assert timing.distilled_seconds == pytest.approx(7 + 21)
    assert timing.original_seconds == pytest.approx(28 + 105)
    assert timing.reduction == pytest.approx(1 - 28 / 133)
    assert (timing.n, timing.rounds) == (7, 3)


def test_p_value_is_that_of_a_paired_t_test_over_the_questions() -> None:
    # Little of a difference that varies, so that the p-value is far from 0 and from 1.
    offsets = [0.3, -0.2, 0.5, 0.1, -0.1, 0.4, 0.2]
    bench = Bench(
        lambda text, seen: 10.0 * (1 + number(text)),
        lambda text, seen: 10.0 * (1 + number(text)) + offsets[number(text)],
    )
    timing = time_encoders(bench.distilled, bench.original, TEXTS, rounds=2, clock=bench.clock)
    differences = np.array(offsets)
    statistic = differences.mean() / (differences.std(ddof=1) / np.sqrt(len(differences)))
    assert timing.p_value == pytest.approx(2 * students_t.sf(abs(statistic), len(differences) - 1), rel=1e-6)
    assert 0.05 < timing.p_value < 0.5


def test_the_median_of_the_rounds_counts_and_the_warm_up_does_not() -> None:
    # Each text's rounds take 1, 50 and 2 seconds more; the warm-up takes an hour.
    rounds = [3600.0, 1.0, 50.0, 2.0]
    bench = Bench(
        lambda text, seen: rounds[seen] + number(text),
        lambda text, seen: 2 * rounds[seen] + number(text) ** 2,
    )
    timing = time_encoders(bench.distilled, bench.original, TEXTS, rounds=3, clock=bench.clock)
    assert timing.distilled_seconds == pytest.approx(2 * 7 + 21)
    assert timing.original_seconds == pytest.approx(4 * 7 + sum(i * i for i in range(7)))


def test_questions_are_paired_and_the_first_alternates() -> None:
    bench = Bench(lambda text, seen: 1.0 + number(text), lambda text, seen: 4.0 + number(text) ** 2)
    time_encoders(bench.distilled, bench.original, TEXTS, rounds=4, clock=bench.clock)
    timed = bench.calls[2 * len(TEXTS) :]
    pairs = list(zip(timed[::2], timed[1::2], strict=True))
    assert [first[1] for first, _ in pairs] == TEXTS * 4
    assert all(first[1] == second[1] and first[0] != second[0] for first, second in pairs)
    by_round = [[first[0] for first, _ in pairs[i : i + 7]] for i in range(0, 28, 7)]
    assert by_round[0] == ["distilled", "original"] * 3 + ["distilled"]
    # The same question is first answered by the other one in the next round.
    assert by_round[1] == ["original", "distilled"] * 3 + ["original"]
    assert by_round[2:] == by_round[:2]


def test_only_the_first_questions_warm_up() -> None:
    texts = [f"question {i}" for i in range(WARM_UP + 30)]
    bench = Bench(lambda text, seen: 1.0 + number(text), lambda text, seen: 4.0 + number(text) ** 2)
    time_encoders(bench.distilled, bench.original, texts, rounds=1, clock=bench.clock)
    assert len(bench.calls) == 2 * (WARM_UP + len(texts))
    assert {text for _, text in bench.calls[: 2 * WARM_UP]} == set(texts[:WARM_UP])


def test_by_the_real_clock_more_work_takes_longer() -> None:
    small, large = np.ones((8, 8)), np.ones((160, 160))
    timing = time_encoders(lambda text: small @ small, lambda text: [large @ large for _ in range(5)], TEXTS, rounds=3)
    assert 0 < timing.distilled_seconds < timing.original_seconds
    assert 0 < timing.reduction < 1
