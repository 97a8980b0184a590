"""From what single sources hold to one corpus: no question and no code stands in two splits, or twice in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from spencer_models.data.corpus import SPLITS, TEST, TRAIN, VALID, Labelled, Pair, Sentence, text_number
from spencer_models.data.keys import code_key, query_key
from spencer_models.data.leakage import LEAKED, HeldOut
from spencer_models.data.mining import DUPLICATE

SURPLUS = "more than the recipe takes of one source"
OTHER_SPLIT = "near duplicate of another split"
NO_WORDS = "no word in the question or in the code"

T = TypeVar("T", Pair, Labelled)


@dataclass(slots=True)
class Part:
    """What one source brings; `sentences[i]` are what else is said of the function of `pairs[i]`.

    `left_out`: reason → how many. `mined` pairs keep each question and each code once over all sources; in files a
    question may have several answers.
    """

    name: str
    mined: bool
    pairs: list[Pair]
    sentences: list[tuple[str, ...]]
    labelled: list[Labelled]
    left_out: Counter[str]


@dataclass(frozen=True, slots=True)
class Assembled:
    """The contents of a corpus; parts in the order given."""

    pairs: tuple[Pair, ...]
    labelled: tuple[Labelled, ...]
    sentences: tuple[Sentence, ...]


def split_by_hash(key: str, valid: float, test: float) -> str:
    """The split of everything that shares `key`: the same every time, these shares over many keys."""
    place = text_number(key) % 10_000 / 10_000
    return VALID if place < valid else TEST if place < valid + test else TRAIN


def spread_sample(items: Sequence[T], limit: int) -> list[int]:
    """Which of the items to keep, at most `limit` (0: all): the same ones every time, spread evenly, in order."""
    if not limit or len(items) <= limit:
        return list(range(len(items)))
    return sorted(sorted(range(len(items)), key=lambda i: text_number(items[i].query + items[i].code))[:limit])


def limit_part(part: Part, limit: int) -> None:
    """Keeps at most `limit` pairs and as many labelled ones (0: all), and counts the rest as left out."""
    pairs, labelled = spread_sample(part.pairs, limit), spread_sample(part.labelled, limit)
    _leave_out(part.left_out, SURPLUS, len(part.pairs) - len(pairs))
    _leave_out(part.left_out, f"labelled: {SURPLUS}", len(part.labelled) - len(labelled))
    part.pairs = [part.pairs[i] for i in pairs]
    part.sentences = [part.sentences[i] for i in pairs]
    part.labelled = [part.labelled[i] for i in labelled]


def without_leaks(part: Part, held_out: HeldOut) -> None:
    """Leaves out of `part` what stands in a measuring set."""
    kept = [i for i, pair in enumerate(part.pairs) if not held_out.holds(pair)]
    labelled = [x for x in part.labelled if not held_out.holds(x)]
    _leave_out(part.left_out, LEAKED, len(part.pairs) - len(kept))
    _leave_out(part.left_out, f"labelled: {LEAKED}", len(part.labelled) - len(labelled))
    part.pairs = [part.pairs[i] for i in kept]
    part.sentences = [tuple(s for s in part.sentences[i] if not held_out.asks(s)) for i in kept]
    part.labelled = labelled


def assemble(parts: Sequence[Part]) -> Assembled:
    """One corpus of all parts; what they lose by it is counted in their `left_out`.

    Where two splits hold the same question or the same code, it leaves the earlier one of `SPLITS`: what is trained on
    before what is judged by.
    """
    taken = _Taken()
    kept = _kept_pairs(parts, taken)
    pairs: list[Pair] = []
    sentences: list[Sentence] = []
    labelled: list[Labelled] = []
    for part, numbers in zip(parts, kept, strict=True):
        for number in numbers:
            pair = part.pairs[number]
            own = (s for s in part.sentences[number] if not taken.elsewhere(s, "", pair.split))
            sentences += [Sentence(len(pairs), s) for s in own]
            pairs.append(pair)
        fit = [x for x in part.labelled if not taken.elsewhere(x.query, x.code, x.split)]
        _leave_out(part.left_out, f"labelled: {OTHER_SPLIT}", len(part.labelled) - len(fit))
        labelled += fit
        part.pairs = [part.pairs[number] for number in numbers]
        part.labelled = fit
    return Assembled(tuple(pairs), tuple(labelled), tuple(sentences))


def _kept_pairs(parts: Sequence[Part], taken: _Taken) -> list[list[int]]:
    """For each part, the numbers of the pairs that stay, in order."""
    kept: list[list[int]] = [[] for _ in parts]
    for split in reversed(SPLITS):
        for part, numbers in zip(parts, kept, strict=True):
            for number, pair in enumerate(part.pairs):
                if pair.split != split:
                    continue
                if reason := taken.fault(pair, mined=part.mined):
                    part.left_out[reason] += 1
                else:
                    numbers.append(number)
    return [sorted(numbers) for numbers in kept]


class _Taken:
    """Which questions and codes stand in which split; keys are kept as numbers, which are small."""

    def __init__(self) -> None:
        self._split: dict[int, str] = {}
        self._mined: set[int] = set()
        self._pairs: set[tuple[int, int]] = set()

    def fault(self, pair: Pair, *, mined: bool) -> str:
        """Why a pair cannot stay; remembers it where it can."""
        query, code = _query_number(pair.query), _code_number(pair.bare)
        if not query or not code:
            return NO_WORDS
        if self._in_other_split(query, pair.split) or self._in_other_split(code, pair.split):
            return OTHER_SPLIT
        if (query, code) in self._pairs or (mined and not self._mined.isdisjoint((query, code))):
            return DUPLICATE
        self._pairs.add((query, code))
        self._split[query] = self._split[code] = pair.split
        if mined:
            self._mined |= {query, code}
        return ""

    def elsewhere(self, query: str, code: str, split: str) -> bool:
        """Whether the question or the code stands in another split."""
        return self._in_other_split(_query_number(query), split) or self._in_other_split(_code_number(code), split)

    def _in_other_split(self, number: int, split: str) -> bool:
        return self._split.get(number, split) != split


def _query_number(query: str) -> int:
    """A number for the key of a question; 0 where it has no word."""
    key = query_key(query)
    return text_number(f"q {key}") if key else 0


def _code_number(code: str) -> int:
    key = code_key(code)
    return text_number(f"c {key}") if key else 0


def _leave_out(left_out: Counter[str], reason: str, count: int) -> None:
    if count:
        left_out[reason] += count
