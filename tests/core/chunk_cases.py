"""How tests of chunking write a file and what they expect of it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

from spencer_desktop.core.chunking import chunk_file


@dataclass(frozen=True)
class Case:
    """`source` begins with an empty line that is not part of the file; `chunks` has a line for each chunk:
    `kind symbol first-last`, with ` | documentation` (its lines joined by spaces) where there is any."""

    language: str
    source: str
    chunks: str

    @property
    def text(self) -> str:
        return dedent(self.source).removeprefix("\n")

    @property
    def expected(self) -> list[str]:
        return [line.strip() for line in self.chunks.strip().splitlines()]


def described(language: str, text: str) -> list[str]:
    """The chunks of `text` as `Case.chunks` writes them."""
    lines = []
    for chunk in chunk_file("file", language, text):
        doc = " ".join(chunk.doc.split())
        symbol = f" {chunk.symbol}" if chunk.symbol else ""
        lines.append(f"{chunk.kind}{symbol} {chunk.start_line}-{chunk.end_line}" + (f" | {doc}" if doc else ""))
    return lines
