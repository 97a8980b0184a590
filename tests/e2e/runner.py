"""`python -m tests.e2e.runner PLAN ARGUMENTS…`: the `spencer` command with fakes, disturbed as PLAN says.

PLAN is JSON: {"at": "encode 3", "do": "kill", "pause": 0.0, "log": PATH}. `at` names a moment and which time it comes
round; `do` is what happens then: "int" (Ctrl-C), "twice" (Ctrl-C, and again), "kill", or "hold" (say so on stdout and
wait for a line on stdin). `pause` seconds pass before each batch is encoded, and before each file is read; `log` gets a
line with the number of texts for each batch. Batches and commits are small, so that there are many moments.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from spencer_desktop import cli
from spencer_desktop.core import catalog, index, indexer, vectors
from spencer_desktop.core.types import Floats
from tests.e2e.harness import PackedFakes, use_models
from tests.fakes import FakeEncoder

GRAPH_FROM = 10
ENCODE_BATCH = 4
COMMIT_FILES = 3


class Moments:
    """Counts the moments of each name and acts when the planned one has come."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._at = plan.get("at", "")
        self._do = plan.get("do", "")
        self._pause = float(plan.get("pause", 0.0))
        self._seen: Counter[str] = Counter()

    def come(self, name: str) -> None:
        if name in ("read", "encode"):
            time.sleep(self._pause)
        self._seen[name] += 1
        if f"{name} {self._seen[name]}" != self._at:
            return
        if self._do == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._do == "hold":
            print("holding", flush=True)
            sys.stdin.readline()
        else:
            for _ in range(2 if self._do == "twice" else 1):
                os.kill(os.getpid(), signal.SIGINT)

    def before(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def disturbed(*arguments: Any, **options: Any) -> Any:
            self.come(name)
            return call(*arguments, **options)

        return disturbed

    def after(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def disturbed(*arguments: Any, **options: Any) -> Any:
            result = call(*arguments, **options)
            self.come(name)
            return result

        return disturbed


class LoggingEncoder(FakeEncoder):
    """Writes down how much it was given, in a file that outlives the process."""

    def __init__(self, moments: Moments, log: Path) -> None:
        super().__init__()
        self._moments = moments
        self._log = log

    def encode(self, texts: Sequence[str]) -> Floats:
        self._moments.come("encode")
        with self._log.open("a") as file:
            file.write(f"{len(texts)}\n")
        return super().encode(texts)


def prepare(patch: pytest.MonkeyPatch, plan: dict[str, Any]) -> None:
    """From here on the command runs as the plan says."""
    moments = Moments(plan)
    fakes = PackedFakes()
    fakes.code_encoder = LoggingEncoder(moments, Path(plan["log"]))
    use_models(patch, fakes)
    patch.setattr(indexer, "_ENCODE_BATCH", ENCODE_BATCH)
    patch.setattr(indexer, "_COMMIT_FILES", COMMIT_FILES)
    patch.setattr(index, "GraphCache", functools.partial(vectors.GraphCache, build_from=GRAPH_FROM))
    patch.setattr(indexer, "walk", moments.before("walk", indexer.__dict__["walk"]))
    patch.setattr(indexer, "read_file", moments.before("read", indexer.__dict__["read_file"]))
    # Inside the transactions: something is written, nothing is committed.
    patch.setattr(catalog.Catalog, "apply", moments.after("apply", catalog.Catalog.apply))
    patch.setattr(catalog.Catalog, "replace_skipped", moments.after("finish", catalog.Catalog.replace_skipped))
    patch.setattr(catalog.Catalog, "add_vectors", moments.after("vectors", catalog.Catalog.add_vectors))
    # 1: the new graph is written; 2: it is in place, its manifest is not; 3: all is in place.
    patch.setattr(vectors, "_sync", moments.after("sync", vectors.__dict__["_sync"]))


def main() -> None:
    plan = json.loads(sys.argv[1])
    sys.argv = ["spencer", *sys.argv[2:]]
    with pytest.MonkeyPatch.context() as patch:
        prepare(patch, plan)
        cli.main()


if __name__ == "__main__":
    main()
