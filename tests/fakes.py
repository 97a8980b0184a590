"""Deterministic stand-ins for the models, and small source trees. Everything else in the tests is the real part."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spencer_desktop.core.text import terms
from spencer_desktop.core.types import Floats

DIMENSION = 64


class FakeEncoder:
    """Hashes each word of a text to a direction: texts that share words are near. Remembers all it encoded."""

    dimension = DIMENSION

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.encoded += texts
        out = np.zeros((len(texts), DIMENSION), np.float32)
        for row, text in enumerate(texts):
            for word in terms(text):
                seed = zlib.crc32(word.encode("utf-8", "surrogatepass"))
                out[row] += np.random.default_rng(seed).standard_normal(DIMENSION)
            out[row, 0] += 1e-3
            out[row] /= np.linalg.norm(out[row])
        return out


class FakeReranker:
    """Prefers code that holds a given word. Remembers how many pairs it read."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.read = 0

    def score(self, query: str, codes: Sequence[str]) -> Floats:
        self.read += len(codes)
        return np.array([5.0 if self.word in code else -5.0 for code in codes], np.float32)


class FakeModels:
    """The parts of a pack that a search needs."""

    def __init__(self, reranker: FakeReranker | None = None) -> None:
        self.code_encoder = FakeEncoder()
        self.query_encoder = FakeEncoder()
        self.reranker = reranker


def write_tree(root: Path, files: dict[str, str | bytes]) -> Path:
    """Write files (text as UTF-8) below `root`, making folders as needed."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


SMALL_PROJECT: dict[str, str | bytes] = {
    "app/session.py": '''"""Sessions."""

import socket


class Session:
    """Keeps a connection open between requests."""

    def open_connection(self, host, port):
        """Connect to a server and remember the socket."""
        self.socket = socket.create_connection((host, port))

    def close(self):
        """Close the connection."""
        self.socket.close()


def parse_date(text):
    """Parse a date such as 2024-05-01."""
    year, month, day = text.split("-")
    return int(year), int(month), int(day)
''',
    "app/colors.py": '''def blend(first, second, share):
    """Mix two colors."""
    return [a * share + b * (1 - share) for a, b in zip(first, second)]
''',
    "lib/queue.go": """package queue

// Push adds an item at the end of the queue.
func (q *Queue) Push(item string) {
\tq.items = append(q.items, item)
}
""",
    "tests/test_session.py": """def test_parse_date():
    assert parse_date("2024-05-01") == (2024, 5, 1)
""",
    "README.md": "# Small project\n\nParses dates and mixes colors.\n",
}
