"""From evidence to order: pure functions that fuse semantic and lexical evidence with what code itself says.

Scores are comparable within one question only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from spencer_desktop.core.text import identifiers, split_identifier, stem
from spencer_desktop.core.types import Floats

_STOP_WORDS = frozenset(
    """
    a about all an and any are as at be been being between by can could do does doing done each for from get gets
    getting had has have how i if in into is it its make makes me my no not of off on or our should so some such that
    the their them then there these they this to up use used uses using via was we were what when where which while who
    why will with would you your code function functions class method methods file files implementation implemented
    implements implement defined definition handle handled handles handling work works find show
    """.split()
)
_SYMBOL = re.compile(r"[A-Za-z_$@~][\w$]*(?:(?:::|\.|#|->|/|\\)[A-Za-z_$~][\w$!?]*)*[!?]?(?:\(\))?")
_CODE_LIKE = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2,}[a-z]|_|::|[a-zA-Z]\.[a-zA-Z]|->|\(\)")
_SEPARATORS = re.compile(r"::|\.|#|->|/|\\")

_TEST = re.compile(r"(^|/)(tests?|specs?|__tests__|testing|testdata|fixtures?|mocks?|e2e)/|(^|/)(test_|conftest)|"
                   r"([._-](test|tests|spec|specs)\.[a-z]+$)|(Tests?|Spec)\.[a-z]+$")  # fmt: skip
_ASIDE = re.compile(
    r"(^|/)(vendor|vendored|_vendor|third_party|thirdparty|external|deps|examples?|samples?|demos?|docs?|benchmarks?|bench"
    r"|legacy|deprecated|compat|migrations|generated|scripts)/"
    # Hidden folders hold what tools and their agents read, not the program.
    r"|(^|/)\.[^/.][^/]*/"
)
_BARREL = re.compile(r"(^|/)(__init__\.pyi?|index\.[jt]sx?|mod\.rs|package-info\.java|prelude\.rs)$|\.d\.ts$|\.pyi$")

_PROSE = frozenset({"asciidoc", "html", "json", "latex", "markdown", "rst", "text", "toml", "xml", "yaml"})

# Stems in a question that ask for a kind of file which is demoted otherwise.
_ASKED_FOR = {
    "test": frozenset(map(stem, "test tests spec specs mock mocks fixture fixtures".split())),
    "aside": frozenset(
        map(stem, "example sample demo docs benchmark legacy deprecated migration script vendor".split())
    ),
    "barrel": frozenset(map(stem, "export exports reexport stub stubs".split())),
    "prose": frozenset(map(stem, "readme docs documentation changelog guide tutorial manual license".split())),
}
# Cosines of one question's candidates seldom span less; a narrower range is noise and must not be stretched.
_COSINE_RANGE = 0.4
# How much a definition says whose name differs from the one that is asked for in its case.
_ALIKE = 0.6


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each kind of evidence counts; chosen on one half of the public yardstick's repositories."""

    semantic: float = 1.0
    lexical: float = 0.75
    lexical_for_symbols: float = 2.0
    path: float = 1.5
    symbol: float = 0.5
    definition: float = 1.5
    # More than all else together: whoever types a name alone wants what is called so.
    definition_for_symbols: float = 3.0
    coherence: float = 0.5
    test: float = 0.6
    aside: float = 0.8
    barrel: float = 0.8
    prose: float = 0.8
    repeat: float = 0.6
    rerank: float = 0.2

    def without_signals(self) -> Weights:
        """The fused scores alone; of a re-ranked head the evidence alone, which has the cosine in it already."""
        absent = dict.fromkeys(("path", "symbol", "definition", "definition_for_symbols", "coherence"), 0.0)
        neutral = dict.fromkeys(("test", "aside", "barrel", "prose", "repeat"), 1.0)
        return replace(self, rerank=100.0, **absent, **neutral)


@dataclass(frozen=True, slots=True)
class QuestionView:
    """What ranking sees of a question.

    `words`: its content words as typed. `terms`: their stems, without repeats. `symbols`: identifiers as typed, last
    part only ("Rails::Engine" → "Engine"). `is_symbol`: the whole question is one identifier.
    """

    words: tuple[str, ...]
    terms: tuple[str, ...]
    symbols: tuple[str, ...]
    is_symbol: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """One chunk and its evidence. `semantic`: cosine, NaN when not encoded yet. `lexical`: BM25, 0 without a match.

    `unit`: first and last line of what the chunk is a piece of; chunks of one unit are one answer.
    """

    chunk_id: int
    file_id: int
    path: str
    language: str
    kind: str
    symbol: str
    unit: tuple[int, int]
    semantic: float
    lexical: float


def view_question(text: str) -> QuestionView:
    """Tell a symbol query from a sentence, and the words that carry meaning from those that do not."""
    stripped = text.strip().strip("`\"'")
    words = identifiers(stripped)
    content = [w for w in words if w.lower() not in _STOP_WORDS] or words
    stems: dict[str, None] = {}
    for word in content:
        for part in split_identifier(word):
            stems[stem(part)] = None
    whole = _SYMBOL.fullmatch(stripped) is not None
    symbols = [stripped] if whole else [s for s in _SYMBOL.findall(stripped) if _CODE_LIKE.search(s)]
    last = [_SEPARATORS.split(s.removesuffix("()"))[-1] for s in symbols]
    return QuestionView(tuple(content), tuple(stems), tuple(dict.fromkeys(last)), whole)


def rank(
    question: QuestionView, candidates: Sequence[Candidate], rarity: Mapping[str, float], weights: Weights
) -> list[tuple[int, float]]:
    """(position in `candidates`, score), best first; of one unit only its best chunk.

    `rarity`: for each term of the question, its weight (idf). Every part of a score is scaled to at most 1 before its
    weight, so the weights can be read side by side.
    """
    if not candidates:
        return []
    fused = _fused(question, candidates, weights)
    covered = _Coverage(question.terms, rarity)
    named = np.zeros_like(fused)
    defines = [_definition(question, candidate) for candidate in candidates]
    definition = weights.definition_for_symbols if question.is_symbol else weights.definition
    for i, candidate in enumerate(candidates):
        named[i] = weights.path * covered(candidate.path) + weights.symbol * covered(candidate.symbol)
        named[i] += definition * defines[i]
    # A long function must not support its own file, nor count its neighbours down, once for each of its pieces.
    units = _best_of_units(candidates, fused + named)
    kept = [candidates[i] for i in units]
    score = fused[units] + named[units] + _coherence(kept, fused[units], weights)
    # A file that defines what is asked for does more than to export it again.
    exact = replace(weights, barrel=1.0)
    priors = [
        path_prior(c.path, c.language, question.terms, exact if defines[i] > _ALIKE else weights)
        for i, c in zip(units, kept, strict=True)
    ]
    score *= np.array(priors, np.float32)
    return [(units[n], total) for n, total in _spread(kept, score, weights)]


def _best_of_units(candidates: Sequence[Candidate], score: Floats) -> list[int]:
    """The position of the best chunk of each unit, in the order of the positions."""
    best: dict[tuple[int, tuple[int, int]], int] = {}
    for i in sorted(range(len(candidates)), key=lambda i: (-float(score[i]), candidates[i].chunk_id)):
        best.setdefault((candidates[i].file_id, candidates[i].unit), i)
    return sorted(best.values())


def _fused(question: QuestionView, candidates: Sequence[Candidate], weights: Weights) -> Floats:
    lexical = weights.lexical_for_symbols if question.is_symbol else weights.lexical
    semantic = np.array([c.semantic for c in candidates], np.float32)
    bm25 = np.array([c.lexical for c in candidates], np.float32)
    by_text = bm25 / max(float(bm25.max()), 1e-9)
    # What is not encoded yet is taken to mean what it says, or it could not be found beside what is.
    by_meaning = np.where(np.isnan(semantic), by_text, _cosines_scaled(semantic))
    return np.asarray(weights.semantic * by_meaning + lexical * by_text, np.float32)


def _cosines_scaled(values: Floats) -> Floats:
    """Into 0..1 over the range of the known ones, taken to be at least `_COSINE_RANGE` wide and to end at the best."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros_like(values)
    spread = max(float(np.ptp(known)), _COSINE_RANGE)
    return np.asarray(1.0 - (known.max() - values) / spread, np.float32)


def _coherence(candidates: Sequence[Candidate], score: Floats, weights: Weights) -> Floats:
    """A file in which several chunks match says more than one lucky chunk: half of the second best, a quarter of …"""
    by_file: dict[int, list[float]] = {}
    for i in np.argsort(-score):
        by_file.setdefault(candidates[i].file_id, []).append(float(score[i]))
    best = float(score.max()) or 1.0
    support = {f: sum(s / 2**n for n, s in enumerate(found) if n) / best for f, found in by_file.items()}
    return weights.coherence * np.array([support[c.file_id] for c in candidates], np.float32)


def _definition(question: QuestionView, candidate: Candidate) -> float:
    """Whether the chunk defines a symbol that the question names; classes before functions, exact case before any."""
    name = candidate.symbol.rpartition(".")[2] if question.symbols else ""
    if not name or candidate.kind == "window":
        return 0.0
    if name in question.symbols:
        return 1.0 if candidate.kind == "class" else 0.9
    return _ALIKE if name.lower() in {symbol.lower() for symbol in question.symbols} else 0.0


class _Coverage:
    """The share of the question's weight that a name's words cover, each name looked at once."""

    def __init__(self, terms: Sequence[str], rarity: Mapping[str, float]) -> None:
        self._weights = [(term, rarity.get(term, 1.0)) for term in terms]
        self._total = sum(weight for _, weight in self._weights)
        self._known: dict[str, float] = {}

    def __call__(self, name: str) -> float:
        if name not in self._known:
            stems = name_stems(name)
            found = sum(weight for term, weight in self._weights if _has(stems, term))
            self._known[name] = found / self._total if self._total else 0.0
        return self._known[name]


def _has(stems: frozenset[str], term: str) -> bool:
    """One stem may begin the other ("auth", "authentic")."""
    return term in stems or (
        len(term) >= 4 and any(s.startswith(term) or (len(s) >= 4 and term.startswith(s)) for s in stems)
    )


@lru_cache(maxsize=1 << 16)
def name_stems(name: str) -> frozenset[str]:
    """The stems of all words in a path or a symbol."""
    return frozenset(stem(part) for word in identifiers(name) for part in split_identifier(word))


def path_prior(path: str, language: str, asked: Sequence[str], weights: Weights) -> float:
    """At most 1: tests, examples, vendored code, prose and files that only re-export are seldom what was meant.

    Unless the question (`asked`, its terms) names their kind.
    """
    factor = 1.0
    for kind in _kinds(path, language):
        if not _ASKED_FOR[kind].intersection(asked):
            factor *= float(getattr(weights, kind))
    return factor


@lru_cache(maxsize=1 << 16)
def _kinds(path: str, language: str) -> tuple[str, ...]:
    """Which of the demoted kinds a file is, by the names of their weights."""
    found = [
        kind for kind, pattern in (("test", _TEST), ("aside", _ASIDE), ("barrel", _BARREL)) if pattern.search(path)
    ]
    return (*found, "prose") if language in _PROSE else tuple(found)


def _spread(candidates: Sequence[Candidate], score: Floats, weights: Weights) -> list[tuple[int, float]]:
    """Best first, each further chunk of a file counted down, so that one file does not fill the list."""
    seen: dict[int, int] = {}
    out: list[tuple[int, float]] = []
    for i in sorted(range(len(candidates)), key=lambda i: (-float(score[i]), candidates[i].chunk_id)):
        file_id = candidates[i].file_id
        out.append((i, float(score[i]) * weights.repeat ** seen.get(file_id, 0)))
        seen[file_id] = seen.get(file_id, 0) + 1
    return sorted(out, key=lambda pair: -pair[1])


def reranked(recall: Floats, evidence: Floats, weights: Weights) -> list[tuple[int, float]]:
    """(position, score), best first, of candidates whose recall scores (float32 [k]) come best first.

    `evidence` (float32 [k]) is what the cross-encoder was trained to give: its logit on top of the scaled cosine. Both
    are standardised over the candidates and added; the scores are then those of the recall stage in the new order, so
    that they stay comparable with what follows in the list.
    """
    mixed = _standardised(recall) + weights.rerank * _standardised(evidence)
    best_first = sorted(range(len(recall)), key=lambda i: (-float(mixed[i]), i))
    return [(i, float(recall[n])) for n, i in enumerate(best_first)]


def _standardised(values: Floats) -> Floats:
    deviation = float(values.std()) if len(values) else 0.0
    return np.asarray((values - values.mean()) / deviation if deviation else np.zeros_like(values), np.float32)


def inverse_frequency(frequencies: Mapping[str, int], total: int) -> dict[str, float]:
    """term → ln(1 + N / (1 + df)), a term's weight by how few of the N chunks hold it."""
    return {term: math.log(1 + total / (1 + found)) for term, found in frequencies.items()}
