"""(documentation, function) pairs from source trees, through the chunker of the application."""

from __future__ import annotations

import importlib.metadata
import sysconfig
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spencer_desktop.core.errors import UserError
from spencer_desktop.core.types import Chunk
from spencer_models.data.corpus import Pair, Sentence
from spencer_models.data.filters import (
    code_key,
    first_sentence,
    function_fault,
    later_sentences,
    path_fault,
    query_fault,
    query_key,
)
from spencer_models.data.leakage import HeldOut

STANDARD_LIBRARY = "python-stdlib"

LEAKED = "stands in a measuring set"

# Files of this size are tables and generated code.
_MAX_FILE_BYTES = 400_000

Chunker = Callable[[str, str, str], Sequence[Chunk]]
"""(path, language, text of a file) → its chunks; what the application indexes with."""


@dataclass(frozen=True, slots=True)
class SourceTree:
    """One package: where it stands, what it is called, and which split all of it belongs to."""

    name: str
    version: str
    roots: tuple[Path, ...]
    split: str


@dataclass(slots=True)
class MiningReport:
    """What happened to the functions seen: `kept`, or left out for a reason."""

    functions: int = 0
    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Mined:
    """`pairs`, and everything else that is said about the same functions, which only distillation reads."""

    pairs: tuple[Pair, ...]
    sentences: tuple[Sentence, ...]
    report: MiningReport


def installed_tree(name: str, version: str, split: str) -> SourceTree:
    """The source of an installed distribution, or of the standard library. UserError when the version differs."""
    if name == STANDARD_LIBRARY:
        found = sysconfig.get_python_version()
        roots: tuple[Path, ...] = (Path(sysconfig.get_paths()["stdlib"]),)
    else:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise UserError(
                f"The recipe mines {name}, which is not installed", hint=f"pip install {name}=={version}"
            ) from error
        found = distribution.version
        tops = sorted({f.parts[0] for f in distribution.files or () if f.suffix == ".py" and len(f.parts) > 1})
        roots = tuple(
            Path(str(distribution.locate_file(top))) for top in tops if not top.endswith((".dist-info", ".."))
        )
    if found != version:
        raise UserError(
            f"The recipe mines {name} {version}, but {found} is installed", hint=f"pip install {name}=={version}"
        )
    return SourceTree(name, version, roots, split)


def mine(tree: SourceTree, chunker: Chunker, held_out: HeldOut, seen: set[str]) -> Mined:
    """Every documented Python function of a package that passes the filters, in the order of sorted paths.

    `seen` holds the keys of what is in the corpus already and grows: a function is kept once over all packages.
    """
    pairs: list[Pair] = []
    sentences: list[Sentence] = []
    report = MiningReport()
    for path, relative in _python_files(tree.roots):
        fault = path_fault(relative)
        source = "" if fault else _read(path)
        if not source:
            report.left_out[f"{fault or 'empty, large or undecodable file'} (files)"] += 1
            continue
        for pair, doc in _functions(relative, source, chunker, tree):
            report.functions += 1
            reason = _fault(pair, held_out, seen)
            if reason:
                report.left_out[reason] += 1
                continue
            sentences += [Sentence(len(pairs), text) for text in later_sentences(doc)]
            pairs.append(pair)
    report.kept = len(pairs)
    return Mined(tuple(pairs), tuple(sentences), report)


def _fault(pair: Pair, held_out: HeldOut, seen: set[str]) -> str:
    """Why a pair is left out; remembers what was kept in `seen`."""
    if not pair.query:
        return "no documentation"
    fault = function_fault(pair.symbol.rpartition(".")[2], pair.bare) or query_fault(pair.query)
    if fault:
        return fault
    # Prefixes keep the two kinds of key apart in one set.
    keys = {"q " + query_key(pair.query), "c " + code_key(pair.bare)}
    if not seen.isdisjoint(keys):
        return "near duplicate"
    if held_out.holds(pair):
        return LEAKED
    seen |= keys
    return ""


def _python_files(roots: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            relative = path.relative_to(root).as_posix()
            if not relative.startswith(("site-packages/", "dist-packages/")):
                yield path, relative


def _read(path: Path) -> str:
    """The text of a source file; empty where it is too large or no UTF-8."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8") if len(data) <= _MAX_FILE_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _functions(path: str, source: str, chunker: Chunker, tree: SourceTree) -> Iterator[tuple[Pair, str]]:
    """(pair, documentation) of each function; of one too long for a single chunk, what its first chunk holds."""
    for chunk in chunker(path, "python", source):
        if chunk.kind in ("function", "method") and chunk.start_line == chunk.unit_start_line:
            bare = _without(chunk.text, chunk.doc_span)
            query = first_sentence(chunk.doc)
            yield Pair(query, chunk.text, bare, chunk.symbol, chunk.language, tree.name, tree.split), chunk.doc


def _without(text: str, span: tuple[int, int] | None) -> str:
    """`text` without the lines of its documentation."""
    return text if span is None else text[: span[0]].rstrip(" \t") + text[span[1] :].lstrip(" \t").removeprefix("\n")
