"""Readers of ready-made pairs, one module for each public format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spencer_models.data.readers import codesearchnet, codesplit, cosqa, pairs
from spencer_models.data.readers.base import ReadFile

__all__ = ["FORMATS", "Format", "ReadFile"]


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is read, and how its files are called, for finding them in a folder."""

    read: Callable[[Path], ReadFile]
    patterns: tuple[str, ...]


FORMATS: Mapping[str, Format] = {
    "codesearchnet": Format(codesearchnet.read_as_written, codesearchnet.PATTERNS),
    "codesearchnet-tokens": Format(codesearchnet.read_tokens, codesearchnet.PATTERNS),
    "codesplit": Format(codesplit.read, codesplit.PATTERNS),
    "cosqa": Format(cosqa.read, cosqa.PATTERNS),
    "pairs": Format(pairs.read, pairs.PATTERNS),
}
"""Format of a `FileSource` → its reader. A reader takes one file; see `ReadFile` for what it leaves open."""
