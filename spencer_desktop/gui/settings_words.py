"""The words of the settings' declaration, which knows no Qt, for whoever translates them."""

from __future__ import annotations

from PySide6.QtCore import QT_TRANSLATE_NOOP

HELP = (
    QT_TRANSLATE_NOOP("Settings", "Larger files are skipped, in MiB."),
    QT_TRANSLATE_NOOP("Settings", "Index vendored and build folders too."),
    QT_TRANSLATE_NOOP("Settings", "Index generated files, such as lock files and compiled protocols, too."),
    QT_TRANSLATE_NOOP(
        "Settings", "What else is left out of every folder: patterns as in .gitignore, with blanks between them."
    ),
    QT_TRANSLATE_NOOP("Settings", "Index only while the machine is plugged in."),
    QT_TRANSLATE_NOOP("Settings", "Wait while others take more of the processor than so many percent; 0 means never."),
    QT_TRANSLATE_NOOP("Settings", "A file that takes longer to parse is indexed as plain lines."),
    QT_TRANSLATE_NOOP("Settings", "How the window searches unless the question says."),
    QT_TRANSLATE_NOOP("Settings", "How many answers the window shows."),
    QT_TRANSLATE_NOOP("Settings", "How many of the best answers the re-ranker reads; 0 means what the pack advises."),
    QT_TRANSLATE_NOOP("Settings", "Where the models run."),
    QT_TRANSLATE_NOOP("Settings", "Threads for the models; 0 means one for each core."),
    QT_TRANSLATE_NOOP("Settings", "What opens an answer."),
    QT_TRANSLATE_NOOP("Settings", "The command for the editor custom, such as: myeditor {path}:{line}."),
    QT_TRANSLATE_NOOP("Settings", "Light, dark, or as the system has it."),
    QT_TRANSLATE_NOOP("Settings", "The font of code; empty means the system's fixed one."),
    QT_TRANSLATE_NOOP("Settings", "Its size in points; 0 means the system's."),
    QT_TRANSLATE_NOOP("Settings", "The window's language."),
    QT_TRANSLATE_NOOP("Settings", "Show an icon in the system tray, and stay there when closed."),
)
