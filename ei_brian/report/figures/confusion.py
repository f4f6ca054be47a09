"""Which class is decided for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ei_brian.report.style import Draw, Ink

__all__ = ["confusion", "confusion_matrix"]


def confusion_matrix(
    labels: npt.NDArray[np.int64], decisions: npt.NDArray[np.int64], n_classes: int
) -> npt.NDArray[np.int64]:
    """Return the number of trials of each (true class, decision)."""
    return np.bincount(labels * n_classes + decisions, minlength=n_classes**2).reshape(n_classes, n_classes)


def confusion(panels: Sequence[tuple[str, npt.NDArray[np.int64]]]) -> Draw:
    """Return how to draw confusion matrices beside each other; zeros are left empty."""

    def draw(figure: Figure, ink: Ink) -> None:
        axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for ax, (title, matrix) in zip(axes, panels, strict=True):
            _matrix(ax, matrix, ink)
            ax.set_title(title)
            ax.set_xlabel("decision")
        axes[0].set_ylabel("true class")

    return draw


def _matrix(ax: Axes, matrix: npt.NDArray[np.int64], ink: Ink) -> None:
    shades = LinearSegmentedColormap.from_list("shades", [ink.paper, ink.exc])
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap=shades, vmin=0, vmax=1)
    if len(matrix) <= 12:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                colour = ink.paper if share[row, column] > 0.5 else ink.text
                ax.text(column, row, str(count), ha="center", va="center", fontsize=7, color=colour)
    step = 1 if len(matrix) <= 12 else max(1, len(matrix) // 10)
    ax.set_xticks(range(0, len(matrix), step))
    ax.set_yticks(range(0, len(matrix), step))
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
