"""From a recipe to a pack. Each step leaves its result in a folder named by all that it depends on, and is done once.

So a run that was stopped goes on where it was, and a recipe that differs in the re-ranker alone keeps its student.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file

from spencer_desktop.core.chunking import DEFAULT_LIMITS, chunk_file
from spencer_desktop.core.text import MAX_CODE_CHARS, query_text
from spencer_desktop.core.types import Floats
from spencer_models.backbones.minilm import (
    WEIGHTS_NAME,
    Encoder,
    PairScorer,
    base_folder,
    compress,
    load_bert,
    load_tokenizer,
    save_bert,
    save_weights,
)
from spencer_models.config import Recipe, fingerprint
from spencer_models.cross import GroupSampler, Pool, train_reranker
from spencer_models.data.collation import Collator
from spencer_models.data.corpus import TRAIN, VALID, training_text
from spencer_models.data.leakage import read_held_out
from spencer_models.data.prepare import SUMMARY_NAME, Corpus, build_corpus, read_corpus
from spencer_models.data.queries import training_query, variants
from spencer_models.distill import QueryCorpus, Teaching, distil, mean_cosine, query_corpus
from spencer_models.encode import encode, encode_once
from spencer_models.loop import Plan
from spencer_models.progress import Report

# The models cut for themselves, and without its documentation a function may well fit.
whole_functions = partial(chunk_file, limits=replace(DEFAULT_LIMITS, max_chars=MAX_CODE_CHARS))


class Run:
    """One recipe on one set of inputs. Asking for a result makes whatever it needs and is not there yet.

    `base` is the folder of the checkpoint that everything starts from; None means the installed all-MiniLM-L6-v2.
    """

    def __init__(
        self,
        recipe: Recipe,
        pair_files: Sequence[Path],
        held_out_files: Sequence[Path],
        work: Path,
        report: Report,
        base: Path | None = None,
    ) -> None:
        self.recipe = recipe
        self.base = base or base_folder()
        self._pair_files = tuple(pair_files)
        self._held_out_files = tuple(held_out_files)
        self.report = report
        parts: list[Any] = [recipe.corpus, *(_named_hash(p) for p in (*pair_files, *held_out_files))]
        self.corpus_folder = work / f"corpus-{fingerprint(*parts)}"
        parts += [_named_hash(self.base / WEIGHTS_NAME), recipe.precision, recipe.lengths]
        self.vectors_folder = work / f"vectors-{fingerprint(*parts)}"
        parts += [recipe.seed, recipe.distill]
        self.student_folder = work / f"student-{fingerprint(*parts)}"
        parts += [recipe.rerank]
        self.reranker_folder = work / f"reranker-{fingerprint(*parts)}"
        self.pack_folder = work / f"pack-{fingerprint(*parts, recipe.version)}"
        torch.set_num_threads(recipe.threads)

    @cached_property
    def corpus(self) -> Corpus:
        """Mined and read pairs; written on the first use."""
        folder = self.corpus_folder
        if not (folder / SUMMARY_NAME).is_file():
            held_out = read_held_out(self._held_out_files)
            build_corpus(self.recipe.corpus, self._pair_files, held_out, whole_functions, folder, self.report)
        return read_corpus(folder)

    @cached_property
    def teacher(self) -> Encoder:
        """The full encoder: the base weights, as they are."""
        return Encoder(load_bert(self.base))

    @cached_property
    def collator(self) -> Collator:
        return Collator(load_tokenizer(self.base))

    @cached_property
    def code_vectors(self) -> Floats:
        """float32 [pairs, d]: the teacher's vector of each pair's training text, of no text for held-out pairs."""
        texts = [training_text(p) if p.split == TRAIN else "" for p in self.corpus.pairs]
        return self._vectors(self.vectors_folder / "codes.npy", self.teacher, texts, self.recipe.lengths.code)

    @cached_property
    def questions(self) -> QueryCorpus:
        return query_corpus(self.corpus)

    @cached_property
    def student(self) -> Encoder:
        """The distilled query encoder."""
        folder = self.student_folder
        if not (folder / WEIGHTS_NAME).is_file():
            config = self.recipe.distill
            student = Encoder(compress(load_bert(self.base), config.layers))
            teaching = Teaching(
                self.questions,
                self._vectors(
                    self.vectors_folder / "questions.npy",
                    self.teacher,
                    self.questions.texts,
                    self.recipe.lengths.query,
                ),
                self.code_vectors,
            )
            self.report(f"distilling {len(self.questions.texts)} texts into layers {config.layers}")
            plan = self._plan(config.learning_rate, config.warmup, config.weight_decay, config.minutes)
            distil(
                student,
                teaching,
                self.collator,
                plan,
                batch=config.batch,
                max_tokens=self.recipe.lengths.query,
                folder=folder,
                report=self.report,
            )
            save_bert(student.bert, folder)
        return Encoder(load_bert(folder))

    @cached_property
    def reranker(self) -> PairScorer:
        """The trained cross-encoder."""
        folder = self.reranker_folder
        config = self.recipe.rerank
        weights = folder / WEIGHTS_NAME
        scorer = PairScorer(load_bert(self.base, dropout=config.dropout), config.head)
        if not weights.is_file():
            sampler = GroupSampler(self._pools(), config.mix, config.depth, config.negatives, self.recipe.seed)
            plan = self._plan(config.learning_rate, config.warmup, config.weight_decay, config.minutes)
            train_reranker(scorer, sampler, self.collator, config, plan, folder, self.report)
            save_weights(scorer, weights)
        scorer.load_state_dict(load_file(weights))
        return scorer

    def _pools(self) -> list[Pool]:
        numbers: dict[str, list[int]] = {}
        for number, pair in enumerate(self.corpus.pairs):
            if pair.split == TRAIN:
                numbers.setdefault(self.corpus.group(pair), []).append(number)
        pools = []
        for name, rows in sorted(numbers.items()):
            pairs = [self.corpus.pairs[i] for i in rows]
            queries = tuple(query_text(training_query(p)) for p in pairs)
            vectors = self._vectors(
                self.student_folder / f"pool-{name}.npy", self.student, queries, self.recipe.lengths.query
            )
            codes = tuple(training_text(p) for p in pairs)
            pools.append(Pool(name, queries, codes, vectors, self.code_vectors[rows]))
        return pools

    def _vectors(self, path: Path, encoder: Encoder, texts: Sequence[str], length: int) -> Floats:
        return encode_once(path, encoder, self.collator, texts, length, self.recipe.precision, self.report)

    def _plan(self, learning_rate: float, warmup: float, weight_decay: float, minutes: float) -> Plan:
        return Plan(learning_rate, warmup, weight_decay, self.recipe.seed, self.recipe.precision, minutes=minutes)

    def corpus_summary(self) -> dict[str, Any]:
        """Counts, sources and hashes of the corpus."""
        _ = self.corpus
        return cast(dict[str, Any], json.loads((self.corpus_folder / SUMMARY_NAME).read_text(encoding="utf-8")))

    def student_figures(self) -> dict[str, float]:
        """How near the student is to its teacher on held-out questions: the mean cosine, and over how many."""
        texts = sorted(
            {query_text(t) for p in self.corpus.pairs if p.split == VALID for t in variants(p.query, p.symbol)}
        )
        length, precision = self.recipe.lengths.query, self.recipe.precision
        taught = encode(self.teacher, self.collator, texts, length, precision, self.report)
        learnt = encode(self.student, self.collator, texts, length, precision, self.report)
        return {"mean_cosine": round(mean_cosine(learnt, taught), 4), "questions": len(texts)}


def _named_hash(path: Path) -> list[str]:
    return [path.name, hashlib.sha256(path.read_bytes()).hexdigest()]
