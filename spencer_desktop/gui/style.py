"""Colors and fonts of the window: two themes, each complete, and what follows the system."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from spencer_desktop.core.resources import resource_dir


@dataclass(frozen=True, slots=True)
class Theme:
    """Colors as #rrggbb. `code` names the Pygments style of the preview."""

    name: str
    window: str
    surface: str
    raised: str
    border: str
    text: str
    dim: str
    accent: str
    on_accent: str
    selection: str
    chunk: str
    match: str
    good: str
    warning: str
    error: str
    code: str


LIGHT = Theme(
    name="light",
    window="#f3f4f6",
    surface="#ffffff",
    raised="#e9ebef",
    border="#cfd3da",
    text="#1b1f24",
    dim="#5b6470",
    accent="#0b62c4",
    on_accent="#ffffff",
    selection="#dbe9fb",
    chunk="#f2f7fe",
    match="#fdeeb8",
    good="#1a7f37",
    warning="#8a5a00",
    error="#b42318",
    code="friendly",
)
DARK = Theme(
    name="dark",
    window="#1b1e23",
    surface="#22262c",
    raised="#2c3138",
    border="#3d444d",
    text="#e6e9ee",
    dim="#9aa4b2",
    accent="#6cb0ff",
    on_accent="#0b1a2b",
    selection="#2a415e",
    chunk="#262d37",
    match="#5a4a12",
    good="#57c779",
    warning="#e0a83a",
    error="#ff8a80",
    code="github-dark",
)


def theme_for(wish: str) -> Theme:
    """`wish` is one of the choices of the setting `theme`."""
    if wish == "system":
        dark = QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Dark
        return DARK if dark else LIGHT
    return DARK if wish == "dark" else LIGHT


def code_font(family: str, size: int) -> QFont:
    """The font of code: the system's fixed one where none is named; `size` in points, 0 for the system's."""
    font = QFont(family) if family else QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setStyleHint(QFont.StyleHint.Monospace)
    if size:
        font.setPointSize(size)
    return font


def apply(app: QApplication, theme: Theme) -> None:
    """Gives every widget the theme's colors."""
    app.setStyle("Fusion")
    app.setPalette(_palette(theme))
    app.setStyleSheet(_sheet(theme))


def _palette(theme: Theme) -> QPalette:
    roles = {
        QPalette.ColorRole.Window: theme.window,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.surface,
        QPalette.ColorRole.AlternateBase: theme.window,
        QPalette.ColorRole.ToolTipBase: theme.raised,
        QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.dim,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.Button: theme.raised,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.BrightText: theme.error,
        QPalette.ColorRole.Link: theme.accent,
        QPalette.ColorRole.Highlight: theme.selection,
        QPalette.ColorRole.HighlightedText: theme.text,
        QPalette.ColorRole.Light: theme.raised,
        QPalette.ColorRole.Midlight: theme.border,
        QPalette.ColorRole.Mid: theme.border,
        QPalette.ColorRole.Dark: theme.border,
        QPalette.ColorRole.Shadow: theme.border,
        QPalette.ColorRole.Accent: theme.accent,
    }
    palette = QPalette()
    for role, color in roles.items():
        palette.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.dim))
    return palette


def _sheet(theme: Theme) -> str:
    """What a palette cannot say."""
    return f"""{_inputs(theme)}{_scroll_bars(theme)}
    QLineEdit, QPlainTextEdit, QListView, QTableView {{
        border: 1px solid {theme.border}; border-radius: 6px; background: {theme.surface};
    }}
    QLineEdit {{ padding: 4px 8px; min-height: 20px; }}
    QLineEdit:focus, QListView:focus, QTableView:focus, QPlainTextEdit:focus {{ border: 1px solid {theme.accent}; }}
    QLineEdit#question {{ font-size: 15pt; padding: 4px 12px; min-height: 32px; }}
    QTableView {{ outline: none; }}
    QTableView::item {{ padding: 4px 8px; }}
    QTableView::item:selected {{ background: {theme.selection}; color: {theme.text}; }}
    QPushButton, QToolButton {{
        border: 1px solid {theme.border}; border-radius: 6px; padding: 5px 12px; background: {theme.raised};
    }}
    QToolButton[popupMode="2"] {{ padding-right: 24px; }}
    QToolButton::menu-indicator {{
        subcontrol-origin: padding; subcontrol-position: right center; right: 8px;
        image: url("{_icon("down", theme)}"); width: 14px; height: 14px;
    }}
    QPushButton:hover, QToolButton:hover {{ border-color: {theme.accent}; }}
    QPushButton:focus, QToolButton:focus {{ border: 1px solid {theme.accent}; }}
    QPushButton:default, QPushButton#primary {{
        background: {theme.accent}; color: {theme.on_accent}; border-color: {theme.accent};
    }}
    QPushButton:disabled, QToolButton:disabled {{ color: {theme.dim}; background: {theme.window}; }}
    QToolButton:checked {{ background: {theme.selection}; border-color: {theme.accent}; }}
    QTabWidget::pane {{ border: 1px solid {theme.border}; border-radius: 6px; }}
    QTabBar::tab {{ padding: 7px 14px; color: {theme.dim}; border: none; border-bottom: 2px solid transparent; }}
    QTabBar::tab:selected {{ color: {theme.text}; border-bottom: 2px solid {theme.accent}; }}
    QTabBar::tab:focus {{ color: {theme.accent}; }}
    QToolBar {{
        background: {theme.window}; border: none; border-bottom: 1px solid {theme.border}; spacing: 6px; padding: 4px;
    }}
    QToolButton#chip {{ border-radius: 11px; padding: 2px 10px; background: {theme.selection}; }}
    QProgressBar {{ border: none; border-radius: 4px; background: {theme.raised}; }}
    QProgressBar::chunk {{ border-radius: 4px; background: {theme.accent}; }}
    QLabel#dim {{ color: {theme.dim}; }}
    QLabel#warning {{ color: {theme.warning}; }}
    QLabel#error {{ color: {theme.error}; }}
    QLabel#title {{ font-size: 20pt; font-weight: 600; }}
    QLabel#heading {{ font-size: 13pt; font-weight: 600; }}
    QStatusBar {{ color: {theme.dim}; border-top: 1px solid {theme.border}; }}
    QStatusBar::item {{ border: none; }}
    QSplitter::handle {{ background: {theme.window}; }}
    QHeaderView::section {{
        background: {theme.window}; border: none; border-bottom: 1px solid {theme.border}; padding: 6px 8px;
    }}
    QMenu {{ background: {theme.surface}; border: 1px solid {theme.border}; padding: 4px; }}
    QMenu::item {{ padding: 5px 24px; border-radius: 4px; }}
    QMenu::item:selected {{ background: {theme.selection}; }}
    QToolTip {{ border: 1px solid {theme.border}; padding: 4px; }}
    """


def _inputs(theme: Theme) -> str:
    check, up, down = (_icon(name, theme) for name in ("check", "up", "down"))
    return f"""
    QCheckBox::indicator {{
        width: 16px; height: 16px; border: 1px solid {theme.dim}; border-radius: 4px; background: {theme.surface};
    }}
    QCheckBox::indicator:focus {{ border-color: {theme.accent}; }}
    QCheckBox::indicator:checked {{ background: {theme.accent}; border-color: {theme.accent}; image: url("{check}"); }}
    QComboBox, QSpinBox {{
        border: 1px solid {theme.border}; border-radius: 6px; padding: 3px 10px; min-height: 22px;
        background: {theme.surface};
    }}
    QComboBox {{ background: {theme.raised}; }}
    QComboBox:hover, QSpinBox:hover, QComboBox:focus, QSpinBox:focus {{ border: 1px solid {theme.accent}; }}
    QComboBox:disabled {{ color: {theme.dim}; background: {theme.window}; }}
    QComboBox::drop-down {{ border: none; width: 24px; }}
    QComboBox::down-arrow {{ image: url("{down}"); width: 14px; height: 14px; }}
    QComboBox QAbstractItemView {{ border: 1px solid {theme.border}; background: {theme.surface}; }}
    QSpinBox::up-button, QSpinBox::down-button {{ border: none; width: 22px; subcontrol-origin: border; }}
    QSpinBox::up-button {{ subcontrol-position: top right; margin-top: 2px; }}
    QSpinBox::down-button {{ subcontrol-position: bottom right; margin-bottom: 2px; }}
    QSpinBox::up-arrow {{ image: url("{up}"); width: 12px; height: 12px; }}
    QSpinBox::down-arrow {{ image: url("{down}"); width: 12px; height: 12px; }}
    """


def _scroll_bars(theme: Theme) -> str:
    return f"""
    QScrollBar {{ background: transparent; border: none; }}
    QScrollBar:vertical {{ width: 12px; }}
    QScrollBar:horizontal {{ height: 12px; }}
    QScrollBar::handle {{ background: {theme.border}; border-radius: 4px; margin: 2px; }}
    QScrollBar::handle:vertical {{ min-height: 28px; }}
    QScrollBar::handle:horizontal {{ min-width: 28px; }}
    QScrollBar::handle:hover {{ background: {theme.dim}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    """


def _icon(name: str, theme: Theme) -> str:
    return (resource_dir() / f"icons/{name}-{theme.name}.svg").as_posix()
