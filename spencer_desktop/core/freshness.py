"""What became of a hit on disk since it was indexed: the index is a memory, the file is the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from spencer_desktop.core.files import DEFAULT_LIMITS, VANISHED, FileUnavailable, WalkLimits, read_file
from spencer_desktop.core.types import Hit, SkippedFile


class Freshness(str, Enum):
    """MOVED: the same text on other lines. CHANGED: the text is not in the file any more. GONE: nor is the file."""

    CURRENT = "current"
    MOVED = "moved"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a hit stands now. `text` is the whole file as it is ("" where it cannot be read).

    The lines are 1-based and inclusive: the hit's own, shifted where it moved; where it changed, those that it had, as
    far as the file still has them.
    """

    state: Freshness
    start_line: int
    end_line: int
    text: str


def look(hit: Hit, limits: WalkLimits = DEFAULT_LIMITS) -> Anchor:
    """Reads the file of a hit as the indexer would."""
    try:
        content = read_file(Path(hit.root), hit.path, limits)
    except FileUnavailable as error:
        # Being saved, or locked for the moment, it is not gone.
        state = Freshness.GONE if error.reason == VANISHED else Freshness.CHANGED
        return Anchor(state, hit.start_line, hit.end_line, "")
    # What must not be indexed any more is not shown either.
    if isinstance(content, SkippedFile):
        return Anchor(Freshness.GONE, hit.start_line, hit.end_line, "")
    return anchored(hit, content.text)


def anchored(hit: Hit, text: str) -> Anchor:
    """Where a hit stands in a file with this `text`; of several equal places the nearest to where it stood."""
    places = list(_lines_of(hit.snippet, text)) if hit.snippet else [hit.snippet_line]
    if not places:
        last = text.count("\n") + 1
        return Anchor(Freshness.CHANGED, min(hit.start_line, last), min(hit.end_line, last), text)
    shift = min((line - hit.snippet_line for line in places), key=abs)
    state = Freshness.MOVED if shift else Freshness.CURRENT
    # Of a long function one piece is known; its end may have come nearer.
    return Anchor(state, max(1, hit.start_line + shift), hit.end_line + shift, text)


def _lines_of(snippet: str, text: str) -> Iterator[int]:
    """The lines (1-based) on which `snippet`, which is whole lines, begins."""
    at, line, counted = text.find(snippet), 1, 0
    while at >= 0:
        end = at + len(snippet)
        if (at == 0 or text[at - 1] == "\n") and (
            end == len(text) or text[end] == "\n" or text[end : end + 2] == "\r\n"
        ):
            line, counted = line + text.count("\n", counted, at), at
            yield line
        at = text.find(snippet, at + 1)
