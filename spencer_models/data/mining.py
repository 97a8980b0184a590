"""(documentation, function) pairs from source trees, through the chunker of the application."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from spencer_desktop.core.chunk_worker import ChunkResult, ChunkWorker
from spencer_desktop.core.chunking import DEFAULT_LIMITS
from spencer_desktop.core.text import MAX_CODE_CHARS
from spencer_desktop.core.types import Chunk, SkippedFile
from spencer_models.data.corpus import Pair
from spencer_models.data.documentation import documentation, sentences, without_span
from spencer_models.data.filters import function_fault, query_fault
from spencer_models.data.keys import code_key, query_key
from spencer_models.data.leakage import LEAKED, HeldOut
from spencer_models.data.trees import ContentHash, SourceFile, Tree, source_files

DUPLICATE = "near duplicate"

# Generous: a parser that is given up on a busy machine but not on an idle one would make another corpus.
_PARSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Package:
    """What is mined as one: `split_of` says where the functions of a file go, by its path in the package."""

    name: str
    tree: Tree
    split_of: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Mined:
    """`pairs`; `sentences`: for each pair what else is said of the function; and what happened to the rest.

    `functions` were seen in all; `left_out`: reason → how many of them, or of files. `sha256` is that of the files.
    """

    pairs: tuple[Pair, ...]
    sentences: tuple[tuple[str, ...], ...]
    functions: int
    left_out: Counter[str]
    sha256: str


def function_chunker() -> ChunkWorker:
    """A parser for whole functions: models cut for themselves, and without its documentation one may well fit."""
    return ChunkWorker(limits=replace(DEFAULT_LIMITS, max_chars=MAX_CODE_CHARS), deadline_s=_PARSE_SECONDS)


def mine(package: Package, languages: Collection[str], worker: ChunkWorker, held_out: HeldOut) -> Mined:
    """Every documented function of a package that passes the filters, each question and each code once.

    `worker` is a `function_chunker`. The package alone decides the order.
    """
    pairs: list[Pair] = []
    more: list[tuple[str, ...]] = []
    functions = 0
    left_out: Counter[str] = Counter()
    digest = ContentHash()
    seen: set[str] = set()
    files = _readable(source_files(package.tree, languages), left_out, digest)
    for file, result in _chunked(files, worker):
        if result.problem:
            left_out["not parsed (files)"] += 1
        for chunk in result.chunks:
            if not _is_function(chunk):
                continue
            functions += 1
            query, *others = sentences(documentation(chunk), chunk.symbol, chunk.language) or [""]
            pair = _pair(query, chunk, package.name, package.split_of(file.path))
            if reason := _fault(pair, chunk.doc, held_out, seen):
                left_out[reason] += 1
                continue
            pairs.append(pair)
            more.append(tuple(s for s in others if not query_fault(s)))
    return Mined(tuple(pairs), tuple(more), functions, left_out, digest.hexdigest())


def _readable(
    files: Iterable[SourceFile | SkippedFile], left_out: Counter[str], digest: ContentHash
) -> Iterator[SourceFile]:
    for file in files:
        if isinstance(file, SourceFile):
            digest.add(file)
            yield file
        else:
            reason = "ignored" if file.reason.startswith("ignored by") else file.reason.partition(" (")[0]
            left_out[f"{reason} (files)"] += 1


def _chunked(files: Iterable[SourceFile], worker: ChunkWorker) -> Iterator[tuple[SourceFile, ChunkResult]]:
    ahead: deque[SourceFile] = deque()

    def questions() -> Iterator[tuple[str, str, str]]:
        for file in files:
            ahead.append(file)
            yield file.path, file.language, file.text

    for result in worker.chunk_many(questions()):
        yield ahead.popleft(), result


def _is_function(chunk: Chunk) -> bool:
    """Of a function too long for one chunk, the first stands for all of it."""
    return chunk.kind in ("function", "method") and chunk.start_line == chunk.unit_start_line


def _pair(query: str, chunk: Chunk, source: str, split: str) -> Pair:
    bare = without_span(chunk.text, chunk.doc_span)
    return Pair(query, chunk.text, bare, chunk.symbol, chunk.language, source, split)


def _fault(pair: Pair, doc: str, held_out: HeldOut, seen: set[str]) -> str:
    """Why a pair is left out; remembers what was kept in `seen`."""
    if not doc:
        return "no documentation"
    fault = function_fault(pair.symbol, pair.bare, pair.language) or query_fault(pair.query)
    if fault:
        return fault
    if "\ufffd" in pair.code:
        return "text not UTF-8"
    # Prefixes keep the two kinds of key apart in one set.
    keys = {"q " + query_key(pair.query), "c " + code_key(pair.bare)}
    if not seen.isdisjoint(keys):
        return DUPLICATE
    if held_out.holds(pair):
        return LEAKED
    seen |= keys
    return ""
