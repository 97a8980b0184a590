"""How every plot of this package looks: one palette, quiet axes, PNG. Figures are objects: no global state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

DPI = 160
# Okabe and Ito's palette without its yellow, which is faint on white: told apart with any kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK = "#222222"
QUIET = "#8A8A8A"
GRID = "#E6E6E6"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, that lays itself out."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def style(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """The house's look: labels, a faint grid behind the data, no box."""
    axes.set_title(title, fontsize=10, color=INK, loc="left", pad=6)
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK, length=0)
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)


def whole_numbers(axes: Axes) -> None:
    """Ticks of the x axis at whole numbers only."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def key(label: str, **look: Any) -> Line2D:
    """An entry of a legend: a line that looks like this."""
    return Line2D([], [], label=label, **look)


def legend_below(figure: Figure, keys: Sequence[Line2D]) -> None:
    """One legend for all panels, under them."""
    # About what the longest label and its line take of the width, in inches.
    widest = 0.5 + 0.065 * max(len(str(entry.get_label())) for entry in keys)
    rows = math.ceil(len(keys) / max(1, int(figure.get_figwidth() / widest)))
    figure.legend(
        handles=keys,
        loc="outside lower center",
        ncols=math.ceil(len(keys) / rows),
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handlelength=2.6,
    )


def save(figure: Figure, path: Path) -> Path:
    """Writes the figure as PNG and returns the path."""
    figure.savefig(path, dpi=DPI, format="png")
    return path
