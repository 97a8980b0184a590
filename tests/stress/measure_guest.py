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

from spencer_desktop.core.settings import load_settings
from spencer_desktop.gui.service_process import service_command

_PROGRAM = "import hashlib\nfor _ in range({}): hashlib.sha256(bytes(4096)).digest(); sum(range(300))"


class Service:
    """The indexing service of a window."""

    def __init__(self, data: Path) -> None:
        settings = load_settings(data_dir=data, file=data / "settings.toml")
        self._process = subprocess.Popen(
            service_command(settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, **command: Any) -> None:
        assert self._process.stdin is not None
        print(json.dumps(command), file=self._process.stdin, flush=True)

    def until(self, *kinds: str, stage: str | None = None) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "failed":
                raise RuntimeError(event["message"])
            if event["event"] in kinds and stage in (None, event.get("stage")):
                return event
        raise RuntimeError("the service has ended")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def measure(data: Path, sources: list[Path], rounds: int, work: int) -> dict[str, Any]:
    ratios: dict[int, list[float]] = {count: [] for count in sorted({1, os.cpu_count() or 1})}
    service = Service(data)
    try:
        service.tell(do="index", paths=[str(source.resolve()) for source in sources])
        service.until("progress", stage="encode")
        for _ in range(rounds):
            for count, found in ratios.items():
                beside = _seconds(count, work)
                service.tell(do="pause")
                if not service.until("indexed")["stopped"]:
                    raise RuntimeError("everything is indexed already: give more --sources")
                found.append(beside / _seconds(count, work))
                service.tell(do="resume")
                service.until("progress", stage="encode")
    finally:
        service.close()
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
