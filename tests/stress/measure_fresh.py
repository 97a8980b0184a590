"""How soon a change is found: `python -m tests.stress.measure_fresh save|branch [--help]`.

    save     one file is saved, in a repository of 50,000 pieces of code: until text search finds it, and until its
             vector is there
    branch   2,000 files change at once, and change back; a folder of them is renamed: how many functions are encoded

The sources are copied, and indexed with vectors that mean nothing; what is saved afterwards is indexed as in life, by
the service that a window starts. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spencer_desktop.core.engine import Engine
from spencer_desktop.core.types import Mode, Query
from tests.stress.indexing import Service, copy_python, fill, settings_in

_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 60.0


def save(root: Path, data: Path, given: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(given.seed)
    text, vector = [], []
    with Service(data) as service, Engine.open(settings_in(data)) as engine:
        service.tell(do="index", paths=[])
        service.until("indexed", asked=False)
        # What is left out, as generated files are, is never found.
        (repository,) = engine.registered()
        files = [root / path for path in engine.reader.catalog.files(repository.id)]
        for n in range(given.saves):
            name = f"probe_{n}_{chance.randrange(10**9)}"
            with chance.choice(files).open("a", encoding="utf-8") as file:
                file.write(f"\n\ndef {name}(value):\n    return value * {n}\n")
            began = time.perf_counter()
            text.append(_until(lambda name=name: _found(engine, name), began))  # type: ignore[misc]
            vector.append(_until(lambda: engine.reader.pending_count == 0, began))
            time.sleep(chance.uniform(0.0, 1.0))
        pieces = engine.reader.chunk_count
    return {
        "pieces": pieces,
        "saves": given.saves,
        **{f"{what}_{key}_s": _quantile(found, q) for what, found in (("text", text), ("vector", vector)) for key, q in
           (("p50", 0.5), ("p95", 0.95), ("max", 1.0))},
    }  # fmt: skip


def branch(root: Path, data: Path, given: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(given.seed)
    files = chance.sample(sorted(root.rglob("*.py")), given.files)
    before = {file: file.read_bytes() for file in files}
    reports: dict[str, dict[str, Any]] = {}

    def there() -> None:
        # Each file has what another had; every tenth also something that was never seen.
        for n, (file, other) in enumerate(zip(files, [*files[1:], files[0]], strict=True)):
            new = f"\n\ndef other_{n}():\n    return {n}\n" if n % 10 == 0 else ""
            file.write_bytes(before[other] + new.encode())

    def back() -> None:
        for file, content in before.items():
            file.write_bytes(content)

    def renamed() -> None:
        largest = max((f for f in root.iterdir() if f.is_dir()), key=lambda f: sum(1 for _ in f.rglob("*.py")))
        largest.rename(largest.with_name(f"{largest.name}_renamed"))

    with Service(data) as service:
        service.tell(do="index", paths=[])
        service.until("indexed", asked=False)
        for what, change in (("there", there), ("back", back), ("renamed", renamed)):
            change()
            reports[what] = _settled(service)
    return {"files": given.files, **reports}


def _settled(service: Service) -> dict[str, int]:
    """What was done until nothing more was to do."""
    total = dict.fromkeys(("added", "changed", "removed", "encoded"), 0)
    time.sleep(3)
    service.tell(do="look")
    service.tell(do="index", paths=[])
    asked = False
    while not asked:
        event = service.until("indexed")
        asked = event["asked"]
        for key in total:
            total[key] += event[key]
    return total


def _found(engine: Engine, name: str) -> bool:
    *_, last = engine.search(Query(name, limit=1, mode=Mode.LEXICAL, rerank=False))
    return any(hit.symbol == name for hit in last.hits)


def _until(condition: Callable[[], bool], began: float) -> float:
    while not condition():
        if time.perf_counter() - began > _PATIENCE_SECONDS:
            raise TimeoutError
        time.sleep(_POLL_SECONDS)
    return time.perf_counter() - began


def _quantile(found: list[float], share: float) -> float:
    return round(float(np.quantile(found, share)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("save", "branch"))
    parser.add_argument(
        "--sources", type=Path, nargs="+", default=[Path(np.__file__).parents[1]], help="what is copied"
    )
    parser.add_argument("--copied", type=int, default=2_000, help="how many of their Python files")
    parser.add_argument("--saves", type=int, default=40)
    parser.add_argument("--files", type=int, default=2_000, help="how many change at once")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, data = Path(folder, "project"), Path(folder, "data")
        copy_python(given.sources, root, given.copied)
        fill(data, [root])
        print(json.dumps({"save": save, "branch": branch}[given.part](root, data, given)))


if __name__ == "__main__":
    main()
