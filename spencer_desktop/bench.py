"""`spencer bench`: throughput, latency, memory, size and recall, measured on whatever is indexed.

Ratios are taken side by side in one run and given as medians: machines are noisy, and only the ratio travels.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spencer_desktop import cli_output as out
from spencer_desktop.core.catalog import Catalog
from spencer_desktop.core.engine import Engine
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.index import Index
from spencer_desktop.core.types import Mode, Query, Stage
from spencer_desktop.core.vectors import GraphCache

if sys.platform != "win32":
    import resource

_RECALL_AT = 10


def run(engine: Engine, *, queries: int, chunks: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure one index. Raises UserError when too little is indexed to measure anything."""
    counts = engine.reader.catalog.counts()
    questions = _questions(engine.reader.catalog, queries)
    if counts["vectors"] < _RECALL_AT or not questions:
        raise UserError(
            "Too little documented code is indexed to measure", hint="Run `spencer index FOLDER` on some code first."
        )
    say(f"latency of {len(questions)} questions …")
    latency = _latency(engine, questions)
    say("recall of the hnswlib graph …")
    recall = _graph_recall(engine, questions)
    say(f"throughput over about {chunks} chunks, {rounds} rounds …")
    return {
        "index": counts,
        "device": engine.models.device_note(),
        "latency_ms": latency,
        "hnswlib": recall,
        "throughput": _throughput(engine, chunks, rounds),
        "bytes_per_1000_chunks": round(1000 * out.index_bytes(engine.settings.data_dir) / counts["chunks"]),
        "peak_memory_bytes": _peak_memory(),
    }


def _questions(catalog: Catalog, count: int) -> list[str]:
    """Questions made of what is indexed: first lines of documentation, and some symbols."""
    rows = catalog.sample_documentation(4 * count)
    chosen = random.Random(0).sample(rows, min(count, len(rows)))
    return [symbol if n % 5 == 0 else doc.split("\n")[0][:200] for n, (symbol, doc) in enumerate(chosen)]


def _latency(engine: Engine, questions: list[str]) -> dict[str, Any]:
    """Milliseconds of whole answers: without re-ranking, and with it, the latter None where the pack has none."""
    timed: dict[bool, list[float]] = {}
    for rerank in (False, True):
        # The first one, which loads the models, is not counted.
        answers = [
            list(engine.search(Query(q, mode=Mode.HYBRID, rerank=rerank)))[-1] for q in questions[:1] + questions
        ]
        timed[rerank] = [a.elapsed_ms for a in answers[1:] if (a.stage is Stage.RERANKED) == rerank]
    return {
        "n": len(questions),
        "recall": _percentiles(timed[False]),
        "reranked": _percentiles(timed[True]) if timed[True] else None,
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(values, p)), 2) for p in (50, 95)}


def _graph_recall(engine: Engine, questions: list[str]) -> dict[str, Any]:
    """The share of the exact ten nearest that a graph over the same vectors finds, and both times."""
    vectors = engine.models.query_encoder.encode(questions)
    index = engine.reader
    found: list[float] = []
    graph_ms: list[float] = []
    exact_ms: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        manifest = engine.models.pack.manifest
        cache = GraphCache(Path(folder), manifest.space_id, manifest.dimension, build_from=1)
        ids = index.catalog.vector_ids()
        cache.update(ids, "bench", lambda batch: index.catalog.vectors(batch, manifest.dimension))
        graph = cache.load()
        if graph is None:
            raise RuntimeError("a graph that was just written does not load")
        index.nearest_exact(vectors[0], _RECALL_AT)
        for vector in vectors:
            began = time.perf_counter()
            near, _ = graph.search(vector, _RECALL_AT)
            middle = time.perf_counter()
            exact, _ = index.nearest_exact(vector, _RECALL_AT)
            exact_ms.append(1000 * (time.perf_counter() - middle))
            graph_ms.append(1000 * (middle - began))
            found.append(len(set(near.tolist()) & set(exact.tolist())) / len(exact))
    return {
        "vectors": len(ids),
        "n": len(questions),
        f"recall_at_{_RECALL_AT}": round(statistics.mean(found), 4),
        "graph_ms": round(statistics.median(graph_ms), 3),
        "exact_ms": round(statistics.median(exact_ms), 3),
    }


def _throughput(engine: Engine, chunks: int, rounds: int) -> dict[str, Any]:
    """Chunks a second of a whole index run, and of the code encoder alone on the same chunks, in turn.

    `text_seconds` is how long such a run takes until all of its text can be searched.
    """
    # Loaded before the clock runs: the first round must not pay for it.
    engine.models.code_encoder.encode(["warm"])
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        _copy_files(engine, source, chunks)
        ratios: list[float] = []
        whole: list[float] = []
        text: list[float] = []
        for number in range(rounds):
            data = Path(folder) / f"data{number}"
            began = time.perf_counter()
            fresh = Engine(replace(engine.settings, data_dir=data, include_vendored=True), engine.models)
            report = fresh.index([source])
            seconds = time.perf_counter() - began
            bare = _bare_seconds(engine, data)
            whole.append(report.encoded / seconds)
            text.append(report.text_seconds)
            ratios.append(bare / seconds)
        return {
            "chunks": report.encoded,
            "rounds": rounds,
            "chunks_per_second": round(statistics.median(whole), 1),
            "text_seconds": round(statistics.median(text), 3),
            "ratio_to_encoder_alone": round(statistics.median(ratios), 3),
        }


def _copy_files(engine: Engine, source: Path, chunks: int) -> None:
    """Copy random indexed files until they hold about `chunks` chunks."""
    files = engine.reader.catalog.files_for_filter()
    random.Random(0).shuffle(files)
    held = engine.reader.catalog.chunks_by_file()
    total = 0
    for number, (file_id, root, path, _) in enumerate(files):
        original = Path(root) / path
        if total >= chunks:
            break
        if not original.is_file():
            continue
        copy = source / str(number) / original.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(original.read_bytes())
        total += held.get(file_id, 0)


def _bare_seconds(engine: Engine, data: Path) -> float:
    manifest = engine.models.pack.manifest
    with Index(data, manifest.space_id, manifest.dimension, writable=False) as index:
        ids = index.catalog.vector_ids()
        texts = list(index.catalog.contents(ids).values())
    began = time.perf_counter()
    engine.models.code_encoder.encode(texts)
    return time.perf_counter() - began


def _peak_memory() -> int | None:
    """Bytes of resident memory that this process had at the most; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def print_result(result: dict[str, Any]) -> None:
    latency, graph, speed = result["latency_ms"], result["hnswlib"], result["throughput"]
    peak, reranked = result["peak_memory_bytes"], latency["reranked"]
    lines = [
        f"index            {result['index']['chunks']:,} chunks, {result['index']['vectors']:,} vectors",
        f"recall stage     p50 {latency['recall']['p50']} ms, p95 {latency['recall']['p95']} ms  (n {latency['n']})",
        "re-ranked        "
        + (f"p50 {reranked['p50']} ms, p95 {reranked['p95']} ms" if reranked else "no re-ranker in this pack"),
        f"hnswlib          recall@10 {graph['recall_at_10']} of exact;"
        f" {graph['graph_ms']} ms against {graph['exact_ms']} ms",
        f"indexing         {speed['chunks_per_second']} chunks/s;"
        f" {speed['ratio_to_encoder_alone']} of the encoder alone"
        f"  ({speed['chunks']} chunks, median of {speed['rounds']})",
        f"text search      usable after {speed['text_seconds']} s of that run",
        f"size             {result['bytes_per_1000_chunks'] / 1e6:.2f} MB for 1,000 chunks",
        "peak memory      " + ("not known here" if peak is None else f"{peak / 1e6:.0f} MB, of this bench's process"),
        f"device           {result['device']}",
    ]
    for line in lines:
        out.console().print(line)
