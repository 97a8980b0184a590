"""Hours of use: `python -m tests.stress.soak [--minutes M]`.

The service of a window watches a project that is edited all the time, and questions are asked of its index all the
time, with the real pack. Prints one JSON object: memory, handles and threads of the service and of the process that
asks, as a mean of the first and of the last tenth, the slope of memory, and the 95th percentile of the answers' times.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from spencer_desktop.core.engine import Engine
from spencer_desktop.core.types import Query
from tests.stress.indexing import INSTALLED, Service, copy_python, settings_in

_QUESTIONS = (
    "how is a file read without following links",
    "parse a date",
    "split an identifier into words",
    "HTTPServer",
    "open a connection and retry",
    "save a figure to a file",
)
_EDIT_SECONDS = 1.5
_ASK_SECONDS = 0.5
_SAMPLE_SECONDS = 5.0

Sample = tuple[float, float, int, int]


class Editor(threading.Thread):
    """Edits, adds, renames and deletes files until it is told to stop."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        super().__init__(name="editor")
        self._root, self._chance = root, chance
        self._end = threading.Event()
        self.edits = 0

    def run(self) -> None:
        while not self._end.wait(self._chance.uniform(0.2, 2 * _EDIT_SECONDS)):
            self.edits += 1
            files = sorted(self._root.rglob("*.py"))
            file = self._chance.choice(files)
            what = self._chance.random()
            if what < 0.7:
                with file.open("a", encoding="utf-8") as opened:
                    opened.write(f"\n\ndef edited_{self.edits}(value):\n    return value + {self.edits}\n")
            elif what < 0.8:
                file.rename(file.with_name(f"renamed_{self.edits}.py"))
            elif what < 0.9:
                file.with_name(f"added_{self.edits}.py").write_bytes(self._chance.choice(files).read_bytes())
            else:
                file.unlink()

    def stop(self) -> None:
        self._end.set()
        self.join()


def soak(folder: Path, minutes: float, files: int, seed: int) -> dict[str, Any]:
    root, data, chance = folder / "project", folder / "data", random.Random(seed)
    copy_python([INSTALLED], root, files)
    asked: list[tuple[float, float]] = []
    samples: dict[str, list[Sample]] = {"service": [], "asking": []}
    with Service(data) as service, Engine.open(settings_in(data)) as engine:
        service.tell(do="index", paths=[str(root)])
        service.until("indexed", asked=True)
        drain = threading.Thread(target=service.drain, daemon=True)
        drain.start()
        processes = {"service": psutil.Process(service.pid), "asking": psutil.Process()}
        editor = Editor(root, chance)
        editor.start()
        began = sampled = time.monotonic()
        try:
            while time.monotonic() - began < 60 * minutes:
                asked.append((time.monotonic() - began, _seconds_to_answer(engine, chance.choice(_QUESTIONS))))
                if time.monotonic() - sampled > _SAMPLE_SECONDS:
                    sampled = time.monotonic()
                    for name, process in processes.items():
                        samples[name].append(_sample(process, sampled - began))
                time.sleep(_ASK_SECONDS)
        finally:
            editor.stop()
    result: dict[str, Any] = {"minutes": minutes, "edits": editor.edits, "questions": len(asked), "p95_ms": _p95(asked)}
    return result | {name: _summary(found) for name, found in samples.items()}


def _seconds_to_answer(engine: Engine, question: str) -> float:
    began = time.perf_counter()
    list(engine.search(Query(question)))
    return time.perf_counter() - began


def _sample(process: psutil.Process, at: float) -> Sample:
    handles = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    return at, process.memory_info().rss / 1e6, handles, process.num_threads()


def _tenths(values: list[Any]) -> tuple[list[Any], list[Any]]:
    tenth = max(1, len(values) // 10)
    return values[:tenth], values[-tenth:]


def _p95(asked: list[tuple[float, float]]) -> list[float]:
    return [round(1000 * float(np.quantile([s for _, s in part], 0.95)), 1) for part in _tenths(asked)]


def _summary(samples: list[Sample]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, name in enumerate(("rss_mb", "handles", "threads"), 1):
        found[name] = [round(float(np.mean([s[number] for s in part])), 1) for part in _tenths(samples)]
    # The first tenth fills caches.
    settled = np.array(samples[len(samples) // 10 :], np.float64)
    found["rss_mb_an_hour"] = round(float(np.polyfit(settled[:, 0] / 3600, settled[:, 1], 1)[0]), 1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--files", type=int, default=400, help="how many files the project begins with")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(soak(Path(folder), given.minutes, given.files, given.seed)))


if __name__ == "__main__":
    main()
