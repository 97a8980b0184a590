"""Flipped bytes and cut files: `python -m tests.stress.flips [--changes N] [--seed N]`.

One random byte of one random file of the index, or of the model pack, is changed, or the file is cut off at a random
place. Then the index is read whole and asked, or the pack is opened, verified and read. What comes of it must be an
error that says what is wrong, or the very answers that there were before. Each few hundred changes have a process of
their own, so that a crash is counted and does not end the run. Prints one JSON object; ends with 1 after a crash or a
wrong answer.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spencer_desktop.core import index
from spencer_desktop.core.errors import SpencerError
from spencer_desktop.core.index import CATALOG
from spencer_desktop.core.pack import open_pack
from spencer_desktop.core.types import Mode, Query
from spencer_desktop.core.vectors import GraphCache
from tests.core.tiny_pack import make_pack
from tests.e2e.harness import PROJECT, PackedFakes, engine_with
from tests.fakes import write_tree
from tests.stress.indexing import settings_in

_A_PROCESS = 250
_QUESTIONS = ("make word3", "value", "notes")

Reading = Callable[[], Any]


def read_index(data: Path) -> Any:
    """All that it holds and some answers. SpencerError for what is damaged."""
    with engine_with(PackedFakes(), settings_in(data)) as engine:
        catalog = engine.reader.catalog
        if problems := catalog.check():
            raise SpencerError("; ".join(problems), hint="")
        texts = sorted(catalog.texts())
        answers = [
            [(hit.path, hit.start_line, round(hit.score, 4)) for hit in update.hits]
            for question in _QUESTIONS
            for mode in Mode
            for update in engine.search(Query(question, limit=50, mode=mode))
        ]
        return texts, answers, [(r.root, r.name) for r in engine.registered()]


def read_pack(folder: Path) -> Any:
    pack = open_pack(folder)
    pack.verify()
    return pack.manifest


def change(path: Path, chance: random.Random) -> str:
    """What was done, in words."""
    data = bytearray(path.read_bytes())
    if chance.random() < 0.15:
        size = chance.randrange(len(data))
        path.write_bytes(data[:size])
        return f"{path.name} cut at {size}"
    at, bit = chance.randrange(len(data)), 1 << chance.randrange(8)
    data[at] ^= bit
    path.write_bytes(data)
    return f"{path.name} byte {at} ^ {bit}"


def attempt(path: Path, read: Reading, expected: Any, chance: random.Random) -> tuple[str, str]:
    """(what came of it, what was done); the file is as it was afterwards."""
    whole = path.read_bytes()
    done = change(path, chance)
    # Before it is tried: of a process that crashes it is the last word.
    print(json.dumps(["trying", done]), flush=True)
    try:
        return ("harmless" if read() == expected else "wrong"), done
    except SpencerError:
        return "detected", done
    finally:
        path.write_bytes(whole)
        for name in (f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink(missing_ok=True)


def some(folder: Path, seed: int, count: int) -> None:
    """In a process of its own: a line for each attempt."""
    chance = random.Random(seed)
    data, pack = folder / "data", folder / "pack"
    readings: dict[Path, Reading] = {data: lambda: read_index(data), pack: lambda: read_pack(pack)}
    expected = {place: read() for place, read in readings.items()}
    names = (CATALOG, "vectors.hnsw", "vectors.json", "folders.json")
    files = [*(data / name for name in names), *sorted(pack.iterdir())]
    for _ in range(count):
        # The catalogue is most of what there is.
        path = data / CATALOG if chance.random() < 0.5 else chance.choice(files)
        outcome = attempt(path, readings[path.parent], expected[path.parent], chance)
        print(json.dumps([*outcome]), flush=True)


def make(folder: Path) -> None:
    """A small index with a graph, and a pack."""
    tree: dict[str, str | bytes] = {}
    for n in range(60):
        text = f'def word{n}(value):\n    """Make word{n} of it."""\n    return value * {n}\n'
        tree[f"part{n % 7}/word{n}.py"] = text
        tree[f"notes/{n}.md"] = f"# notes about word{n}\n"
    root = write_tree(folder / "code", tree)
    with pytest.MonkeyPatch.context() as patch, engine_with(PackedFakes(), settings_in(folder / "data")) as engine:
        patch.setattr(index, "GraphCache", partial(GraphCache, build_from=10))
        engine.index([root])
        if not engine.reader.uses_graph:
            raise RuntimeError("there is no graph to damage")
    make_pack(folder / "pack")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        some(given.part, given.seed, given.changes)
        return 0
    began, counts, bad = time.monotonic(), Counter[str](), []
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        for number in range(0, given.changes, _A_PROCESS):
            count = min(_A_PROCESS, given.changes - number)
            seed = given.seed * 1_000_003 + number
            arguments = ["--part", name, "--changes", str(count), "--seed", str(seed)]
            command = [sys.executable, "-m", "tests.stress.flips", *arguments]
            done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            for outcome, what in lines:
                counts[outcome] += outcome != "trying"
                bad += [what] if outcome == "wrong" else []
            if done.returncode:
                counts["crashed"] += 1
                bad.append(f"{lines[-1][1] if lines else 'nothing'}: exit code {done.returncode} {done.stderr[-300:]}")
                # What it left changed must not spoil the next.
                for file in Path(name).glob("data/*"):
                    file.unlink()
                make(Path(name))
    del counts["trying"]
    print(json.dumps({**counts, "bad": bad, "seconds": round(time.monotonic() - began)}))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
