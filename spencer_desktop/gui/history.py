"""Questions that were asked, and those that are kept: a small JSON file beside the index. No Qt."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from spencer_desktop.core.settings_file import replace_text

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
        text = json.dumps({"asked": self.asked, "saved": self.saved}, indent=1)
        with suppress(OSError):
            replace_text(self._path, text)
