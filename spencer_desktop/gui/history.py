"""Questions that were asked, and those that are kept: a small JSON file beside the index. No Qt."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

_MOST = 200


class History:
    """The newest question first, each once. What cannot be read or written is forgotten without a word: it is a help,
    not data."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.asked: list[str] = []
        self.saved: list[str] = []
        try:
            found = json.loads(path.read_text("utf-8"))
            self.asked = [q for q in found["asked"] if isinstance(q, str)][:_MOST]
            self.saved = [q for q in found["saved"] if isinstance(q, str)][:_MOST]
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def ask(self, question: str) -> None:
        """Remembers a question; one that the newest only went on typing replaces it."""
        question = question.strip()
        if not question:
            return
        if self.asked and question.startswith(self.asked[0]):
            del self.asked[0]
        self.asked = [question, *(q for q in self.asked if q != question)][:_MOST]
        self._write()

    def save(self, question: str, *, kept: bool) -> None:
        """Keeps a question for good, or no longer."""
        others = [q for q in self.saved if q != question]
        self.saved = [question, *others] if kept else others
        self._write()

    def forget(self) -> None:
        """All that was asked; what was saved stays."""
        self.asked = []
        self._write()

    def _write(self) -> None:
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.write_text(json.dumps({"asked": self.asked, "saved": self.saved}, indent=1), "utf-8")
            os.replace(fresh, self._path)  # noqa: PTH105 - over one that is there, on Windows too
        except OSError:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
