"""Inputs that nobody would write: `python -m tests.stress.fuzz [--minutes M] [--seed N] [--sources FOLDER…]`.

Real source files, questions, ignore files and a manifest are mutated at random, for an equal time each:

    chunker    in its killable process, as in life: every line that is not blank must stand in some piece, in order
    question   the box with its filters, and what ranking makes of it
    ignore     a list of patterns, and paths asked of it; a second for one of them is too long
    manifest   must be refused in words or be read as what it was

Anything else that is raised counts as a crash. Prints one JSON object; ends with 1 after a crash.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spencer_desktop.core.chunk_worker import ChunkWorker
from spencer_desktop.core.errors import UserError
from spencer_desktop.core.gitignore import parse
from spencer_desktop.core.languages import language_of
from spencer_desktop.core.pack import MANIFEST, open_pack
from spencer_desktop.core.ranking import view_question
from spencer_desktop.core.text import query_text, terms
from spencer_desktop.gui.question import read
from tests.core.tiny_pack import make_pack
from tests.stress.indexing import INSTALLED

_MAX_CHARS = 20_000
_SLOW_SECONDS = 1.0
_PIECES = (
    *"()[]{}<>\"'`\\/#*;:,=+-.@\t\n\r \f\v",
    *('"""', "/*", "*/", "//", "=>", "->", "::", "def ", "class ", "fn ", "end", "\r\n", "\u2028", "\ufeff", "ä", "日"),
    *("**/", "!", "[a-z]", "[!", "[[:alpha:]]", "\\ ", "lang:", "path:", "repo:", "kind:", "mode:regex ", "http://"),
)
_QUESTIONS = (
    "lang:python path:src/ how are redirects followed",
    'repo:"my repo" kind:method std::vector \\lang:x',
    "mode:regex def \\w+\\(",
    "HTTPServer.handle_request",
)
_IGNORE = "*.o\n!keep.o\n/build/\n**/cache/**\ndoc/*.[ch]\n\\!important\n# comment\nfoo\\ \n[[:digit:]]*.log\n"
_PATHS = (b"a/b/c.o", b"build/x", b"doc/a.c", b"!important", b"x/cache/y/z", b"1.log", b"foo ", b"\xff/\xfe.o")

Attempt = Callable[[], None]


class Mutator:
    """Random changes to texts."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def mutated(self, text: str, other: str) -> str:
        for _ in range(self._chance.choice((1, 1, 2, 4, 16))):
            text = self._chance.choice((self._cut, self._insert, self._repeat, self._nest, self._letter))(text)
            if self._chance.random() < 0.1:
                text = text[: self._place(text)] + other[self._place(other) :]
        return text[:_MAX_CHARS].replace("\0", "")

    def _place(self, text: str) -> int:
        return self._chance.randrange(len(text) + 1)

    def _cut(self, text: str) -> str:
        at = self._place(text)
        return text[:at] + text[at + self._chance.choice((1, 2, 10, 200)) :]

    def _insert(self, text: str) -> str:
        at = self._place(text)
        return text[:at] + "".join(self._chance.choices(_PIECES, k=self._chance.choice((1, 3, 12)))) + text[at:]

    def _repeat(self, text: str) -> str:
        at = self._place(text)
        piece = text[at : at + self._chance.choice((1, 5, 60))]
        return text[:at] + piece * self._chance.choice((2, 20, 200)) + text[at:]

    def _nest(self, text: str) -> str:
        at, depth = self._place(text), self._chance.choice((3, 50, 2_000))
        return text[:at] + self._chance.choice("([{<*") * depth + text[at:]

    def _letter(self, text: str) -> str:
        at = self._place(text)
        return text[:at] + chr(self._chance.choice((1, 13, 133, 0x2028, 0xD7FF, 0xFFFD, 0x1F600))) + text[at + 1 :]


class Fuzz:
    def __init__(self, chance: random.Random, sources: list[Path], folder: Path, worker: ChunkWorker) -> None:
        self._chance = chance
        self._mutator = Mutator(chance)
        self._worker = worker
        self._pack = make_pack(folder / "pack")
        self._manifest = open_pack(self._pack).manifest
        self._manifest_bytes = (self._pack / MANIFEST).read_bytes()
        self._sources = [f for source in sources for f in source.rglob("*") if language_of(f.name) and f.is_file()]
        if not self._sources:
            raise SystemExit("There is no source file in " + ", ".join(map(str, sources)))
        self.problems: Counter[str] = Counter()

    def targets(self) -> dict[str, Attempt]:
        return {"chunker": self._chunk, "question": self._ask, "ignore": self._ignore, "manifest": self._read}

    def _source(self) -> tuple[Path, str]:
        file = self._chance.choice(self._sources)
        return file, file.read_bytes()[: 4 * _MAX_CHARS].decode("utf-8", "replace")[:_MAX_CHARS]

    def _chunk(self) -> None:
        (file, text), (_, other) = self._source(), self._source()
        source = self._mutator.mutated(text, other)
        result = self._worker.chunk(file.name, language_of(file.name), source)
        if result.problem:
            self.problems[result.problem.split("(")[0].split(";")[0].strip()] += 1
        seen: set[int] = set()
        last = 0
        for chunk in result.chunks:
            if not 1 <= chunk.start_line <= chunk.end_line or chunk.start_line < last:
                raise AssertionError(f"{chunk.start_line} to {chunk.end_line} after {last} in {source!r}")
            last = chunk.start_line
            seen.update(range(chunk.start_line, chunk.end_line + 1))
        missing = [n for n, line in enumerate(source.split("\n"), 1) if line.strip() and n not in seen]
        if missing:
            raise AssertionError(f"lines {missing[:5]} stand in no piece of {source!r}")

    def _ask(self) -> None:
        box = self._mutator.mutated(self._chance.choice(_QUESTIONS), self._chance.choice(_QUESTIONS))
        asked = read(box)
        view_question(asked.text)
        terms(query_text(asked.text))

    def _ignore(self) -> None:
        data = self._mutator.mutated(_IGNORE, _IGNORE).encode("utf-8", "replace")
        began = time.perf_counter()
        patterns = parse(data)
        for path in _PATHS:
            patterns.last_match(path, 0, path.rfind(b"/") + 1)
        if time.perf_counter() - began > _SLOW_SECONDS:
            raise AssertionError(f"too slow: {data!r}")

    def _read(self) -> None:
        data = bytearray(self._manifest_bytes)
        for _ in range(self._chance.choice((1, 1, 3, 30))):
            at = self._chance.randrange(len(data))
            data[at : at + self._chance.randrange(3)] = self._chance.randbytes(self._chance.randrange(3))
        (self._pack / MANIFEST).write_bytes(data)
        try:
            if open_pack(self._pack).manifest != self._manifest:
                raise AssertionError(f"read as another: {bytes(data)!r}")
        except UserError:
            pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sources", type=Path, nargs="+", default=[INSTALLED])
    given = parser.parse_args()
    counts, crashes = Counter[str](), []
    with tempfile.TemporaryDirectory() as folder, ChunkWorker() as worker:
        fuzz = Fuzz(random.Random(given.seed), given.sources, Path(folder), worker)
        targets = fuzz.targets()
        for name, attempt in targets.items():
            end = time.monotonic() + 60 * given.minutes / len(targets)
            while time.monotonic() < end:
                counts[name] += 1
                try:
                    attempt()
                except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
                    crashes.append(f"{name}: {traceback.format_exc()[-2000:]}")
    found: dict[str, Any] = {"minutes": given.minutes, "executions": dict(counts), "plain lines": dict(fuzz.problems)}
    print(json.dumps({**found, "crashes": len(crashes), "first": crashes[:5]}))
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
