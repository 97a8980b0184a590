"""The ways of searching, as they are called in the window."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from spencer_desktop.core.types import Mode


def mode_titles() -> dict[Mode, str]:
    """In the window's language, in the order in which they are offered."""
    return {
        Mode.HYBRID: QCoreApplication.translate("Modes", "Meaning and words"),
        Mode.SEMANTIC: QCoreApplication.translate("Modes", "Meaning"),
        Mode.LEXICAL: QCoreApplication.translate("Modes", "Words"),
        Mode.REGEX: QCoreApplication.translate("Modes", "Pattern (regex)"),
    }
