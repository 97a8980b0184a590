"""What indexing in the background costs others: `python -m tests.stress.measure_guest [--help]`.

A program that needs the processor runs alone and beside the indexing service, in turn: once in one process, once in
one for each core. Prints one JSON object: the medians of the ratios, which are 1 where indexing costs nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.stress.indexing import Service

_PROGRAM = "import hashlib\nfor _ in range({}): hashlib.sha256(bytes(4096)).digest(); sum(range(300))"


def measure(data: Path, sources: list[Path], rounds: int, work: int) -> dict[str, Any]:
    ratios: dict[int, list[float]] = {count: [] for count in sorted({1, os.cpu_count() or 1})}
    with Service(data) as service:
        service.tell(do="index", paths=[str(source.resolve()) for source in sources])
        for _ in range(rounds):
            for count, found in ratios.items():
                service.until("progress", stage="encode")
                beside = _seconds(count, work)
                service.tell(do="pause")
                service.until("indexed", stopped=True)
                found.append(beside / _seconds(count, work))
                service.tell(do="resume")
    return {
        "rounds": rounds,
        "ratios": {f"{n} processes": round(statistics.median(found), 3) for n, found in ratios.items()},
        "all": {f"{n} processes": [round(ratio, 3) for ratio in found] for n, found in ratios.items()},
    }


def _seconds(count: int, work: int) -> float:
    began = time.perf_counter()
    running = [subprocess.Popen([sys.executable, "-c", _PROGRAM.format(work)]) for _ in range(count)]
    for process in running:
        if process.wait() != 0:
            raise RuntimeError("the program to be measured has failed")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=Path, nargs="*", default=[Path(os.__file__).parent], help="what is indexed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=int, default=300_000, help="turns of the program's loop")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(Path(folder), given.sources, given.rounds, given.work)))


if __name__ == "__main__":
    main()
