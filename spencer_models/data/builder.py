"""Gathers sources into a corpus, and the account of what each of them brought and lost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from spencer_desktop.core.chunk_worker import ChunkWorker
from spencer_models.data.assembly import Part, assemble, limit_part, split_by_hash, without_leaks
from spencer_models.data.corpus import Corpus, Labelled, Pair, write_corpus
from spencer_models.data.filters import MINED_LANGUAGES
from spencer_models.data.keys import query_key
from spencer_models.data.leakage import LEAKED, HeldOut
from spencer_models.data.mining import Mined, Package, mine
from spencer_models.data.readers import FORMATS
from spencer_models.data.sources import FileSource, TreeSource
from spencer_models.data.trees import Tree
from spencer_models.progress import Report

_ENDINGS = (".jsonl.gz", ".jsonl", ".json", ".txt")

T = TypeVar("T", Pair, Labelled)


def source_name(source: FileSource) -> str:
    """What a file source is called: its name, or its path without the ending."""
    ending = next((e for e in _ENDINGS if source.path.endswith(e)), "")
    return source.name or source.path.removesuffix(ending)


class CorpusBuilder:
    """Takes sources one after the other; `write` makes the corpus of them.

    `languages` are all that is taken, none given for every one. `valid` and `test` are the shares of what no split is
    given for. `report` hears of every source.
    """

    def __init__(
        self, languages: Collection[str], held_out: HeldOut, valid: float, test: float, report: Report
    ) -> None:
        self._languages = frozenset(languages)
        self._held_out = held_out
        self._valid, self._test = valid, test
        self._report = report
        self._parts: list[Part] = []
        self._packages: dict[str, dict[str, Any]] = {}
        self._files: dict[str, dict[str, Any]] = {}

    def mined(self, source: TreeSource, tree: Tree, worker: ChunkWorker) -> Mined:
        """What a package holds; adds nothing, and threads may do it at once, each with a `function_chunker`."""

        def split_of(path: str) -> str:
            return source.split or split_by_hash(f"{source.name}/{path}", self._valid, self._test)

        languages = self._languages & set(MINED_LANGUAGES) if self._languages else MINED_LANGUAGES
        return mine(Package(source.name, tree, split_of), languages, worker, self._held_out)

    def add(self, source: TreeSource, mined: Mined, licence: str, limit: int) -> None:
        """Adds at most `limit` functions (0: all) of a package."""
        part = Part(source.name, True, list(mined.pairs), list(mined.sentences), [], mined.left_out)
        limit_part(part, limit)
        self._parts.append(part)
        self._packages[source.name] = {
            "version": source.version,
            "licence": licence,
            "split": source.split or "by file",
            "sha256": mined.sha256,
            "functions": mined.functions,
        }
        self._report(
            f"{' '.join((source.name, source.version)).strip()}: {len(part.pairs):,} of {mined.functions:,} functions"
        )

    def read(self, source: FileSource, paths: Sequence[Path]) -> None:
        """Adds the pairs of some files of one source, in their order."""
        name = source_name(source)
        part = Part(name, False, [], [], [], Counter())
        broken = 0
        complaints: list[str] = []
        for path in paths:
            found = FORMATS[source.format].read(path)
            part.pairs += [replace(p, source=name) for p in self._placed(found.pairs, source, part)]
            part.labelled += self._placed(found.labelled, source, part)
            broken += found.broken
            complaints += found.complaints
        part.sentences = [()] * len(part.pairs)
        without_leaks(part, self._held_out)
        limit_part(part, source.max_pairs)
        self._parts.append(part)
        self._files[name] = {
            "format": source.format,
            "licence": source.licence,
            "sha256": _files_hash(paths),
            "broken": broken,
            "complaints": complaints,
        }
        self._report(f"{name}: {len(part.pairs):,} pairs, {len(part.labelled):,} labelled, {broken:,} broken records")
        for complaint in complaints:
            self._report(f"  {complaint}")

    def _placed(self, items: Sequence[T], source: FileSource, part: Part) -> list[T]:
        """Those in the languages wanted, each in its split; all answers of one question in the same one."""
        out = []
        for item in items:
            if self._languages and item.language not in self._languages:
                part.left_out["another language"] += 1
                continue
            split = source.split or item.split or split_by_hash(query_key(item.query), self._valid, self._test)
            out.append(replace(item, split=split))
        return out

    def is_empty(self) -> bool:
        """Whether no source has brought a pair."""
        return not any(part.pairs for part in self._parts)

    def left_out(self) -> Counter[str]:
        """Why what was found was left out of all sources: reason → how many."""
        return sum((part.left_out for part in self._parts), Counter[str]())

    def write(self, folder: Path) -> dict[str, Any]:
        """Puts the parts together and writes the corpus; returns its summary."""
        assembled = assemble(self._parts)
        for part in self._parts:
            about = (self._packages if part.mined else self._files)[part.name]
            about["kept"] = len(part.pairs)
            about["languages"] = _by_split_and_language(part.pairs)
            about["left_out"] = dict(part.left_out)
            if not part.mined:
                about["split"] = _by_split(part.pairs)
                about["labelled"] = _by_split(part.labelled)
        summary = {
            "pairs": _by_split(assembled.pairs),
            "languages": _by_split_and_language(assembled.pairs),
            "labelled": _by_split(assembled.labelled),
            "sentences": len(assembled.sentences),
            "left_out_as_measuring_sets": sum(count for why, count in self.left_out().items() if why.endswith(LEAKED)),
            "packages": self._packages,
            "files": self._files,
        }
        return write_corpus(Corpus(assembled.pairs, assembled.labelled, assembled.sentences, summary), folder)


def _by_split(items: Sequence[Pair] | Sequence[Labelled]) -> dict[str, int]:
    return dict(sorted(Counter(item.split for item in items).items()))


def _by_split_and_language(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for (split, language), count in sorted(Counter((p.split, p.language) for p in pairs).items()):
        out.setdefault(split, {})[language] = count
    return out


def _files_hash(paths: Sequence[Path]) -> str:
    """SHA-256 of the one file, or of the list of all files' hashes."""
    hashes = []
    for path in paths:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        hashes.append(digest.hexdigest())
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
