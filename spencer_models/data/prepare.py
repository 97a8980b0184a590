"""A recipe and pair files → one corpus folder: pairs, sentences, and a summary that says where all of it came from."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spencer_desktop.core.errors import UserError
from spencer_models.config import CorpusConfig
from spencer_models.data.corpus import (
    TRAIN,
    VALID,
    Pair,
    Sentence,
    read_pair_file,
    read_records,
    text_number,
    write_records,
)
from spencer_models.data.filters import code_key, query_key
from spencer_models.data.leakage import HeldOut
from spencer_models.data.mining import LEAKED, STANDARD_LIBRARY, Chunker, Mined, installed_tree, mine
from spencer_models.progress import Report

PAIRS_NAME, SENTENCES_NAME, SUMMARY_NAME = "pairs.jsonl", "sentences.jsonl", "corpus.json"

_SURPLUS = "more than the recipe takes of one source"


@dataclass(frozen=True, slots=True)
class Corpus:
    """All pairs, mined ones first; `sentences` point into them by position."""

    pairs: tuple[Pair, ...]
    sentences: tuple[Sentence, ...]
    mined_sources: frozenset[str]

    def group(self, pair: Pair) -> str:
        """ "mined" for every mined package, else the name of the pair file."""
        return "mined" if pair.source in self.mined_sources else pair.source


def build_corpus(
    config: CorpusConfig, pair_files: Sequence[Path], held_out: HeldOut, chunker: Chunker, folder: Path, report: Report
) -> dict[str, Any]:
    """Mines, reads, filters and writes the corpus to `folder`; returns the summary that it also writes."""
    folder.mkdir(parents=True, exist_ok=True)
    trees = [installed_tree(n, v, s) for s in (TRAIN, VALID) for n, v in _packages(config, s)]
    pairs: list[Pair] = []
    sentences: list[Sentence] = []
    packages: dict[str, Any] = {}
    seen: set[str] = set()
    for tree in trees:
        mined = sample(mine(tree, chunker, held_out, seen), config.max_package_pairs)
        sentences += [replace(s, pair=s.pair + len(pairs)) for s in mined.sentences]
        pairs += mined.pairs
        packages[tree.name] = {
            "version": tree.version,
            "licence": _licence(tree.name),
            "split": tree.split,
            "functions": mined.report.functions,
            "kept": mined.report.kept,
            "left_out": dict(mined.report.left_out),
        }
        report(f"{tree.name} {tree.version}: {mined.report.kept} of {mined.report.functions} functions")
    files = {path.stem: _add_file(path, config, held_out, pairs, seen) for path in pair_files}
    for name, counts in files.items():
        report(f"{name}: {counts['kept']} pairs, {counts['broken']} broken lines")
    summary = {
        "sha256": write_records(pairs, folder / PAIRS_NAME),
        "sentences_sha256": write_records(sentences, folder / SENTENCES_NAME),
        "pairs": dict(sorted(Counter(p.split for p in pairs).items())),
        "sentences": len(sentences),
        "left_out_as_measuring_sets": sum(p["left_out"].get(LEAKED, 0) for p in (*packages.values(), *files.values())),
        "packages": packages,
        "files": files,
    }
    (folder / SUMMARY_NAME).write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return summary


def sample(mined: Mined, limit: int) -> Mined:
    """At most `limit` of the pairs, the same ones every time and spread evenly, with their sentences."""
    order = sorted(range(len(mined.pairs)), key=lambda i: text_number(mined.pairs[i].query + mined.pairs[i].code))
    chosen = sorted(order[:limit])
    mined.report.left_out[_SURPLUS] += len(order) - len(chosen)
    mined.report.kept = len(chosen)
    position = {number: place for place, number in enumerate(chosen)}
    return Mined(
        tuple(mined.pairs[i] for i in chosen),
        tuple(replace(s, pair=position[s.pair]) for s in mined.sentences if s.pair in position),
        mined.report,
    )


def read_corpus(folder: Path) -> Corpus:
    """The corpus that `build_corpus` wrote. UserError when there is none."""
    try:
        summary = json.loads((folder / SUMMARY_NAME).read_text(encoding="utf-8"))
        pairs, sentences = read_records(folder / PAIRS_NAME, Pair), read_records(folder / SENTENCES_NAME, Sentence)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"No corpus at {folder} ({error})", hint="Run `spencer-models prepare` first.") from error
    return Corpus(tuple(pairs), tuple(sentences), frozenset(summary["packages"]))


def _packages(config: CorpusConfig, split: str) -> list[tuple[str, str]]:
    return sorted((config.train if split == TRAIN else config.valid).items())


def _licence(name: str) -> str:
    if name == STANDARD_LIBRARY:
        return "PSF-2.0"
    metadata = importlib.metadata.metadata(name)
    classifiers = [c for c in metadata.get_all("Classifier") or [] if c.startswith("License ::")]
    stated = [*(metadata.get_all("License-Expression") or []), *(c.rpartition(":: ")[2] for c in classifiers)]
    # Some packages put the whole text of their licence where its name belongs.
    named: list[str] = [*stated, *(metadata.get_all("License") or []), "see the package"]
    return named[0].splitlines()[0]


def _add_file(path: Path, config: CorpusConfig, held_out: HeldOut, pairs: list[Pair], seen: set[str]) -> dict[str, Any]:
    """Appends the usable pairs of one file; a fixed share of its questions, all answers of each, is for validation."""
    found = read_pair_file(path)
    left_out: Counter[str] = Counter()
    kept = Counter[str]()
    for pair in sorted(found.pairs, key=lambda p: text_number(p.query + p.code)):
        key = f"{query_key(pair.query)}\n{code_key(pair.bare)}"
        if key in seen:
            left_out["near duplicate"] += 1
        elif held_out.holds(pair):
            left_out[LEAKED] += 1
        elif sum(kept.values()) == config.max_file_pairs:
            left_out[_SURPLUS] += 1
        else:
            seen.add(key)
            valid = text_number(query_key(pair.query)) % 10_000 < 10_000 * config.held_out_share
            pairs.append(replace(pair, split=VALID if valid else TRAIN))
            kept[pairs[-1].split] += 1
    return {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "kept": sum(kept.values()),
        "split": dict(sorted(kept.items())),
        "broken": found.broken,
        "left_out": dict(left_out),
    }
