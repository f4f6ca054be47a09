"""How different the spike trains of cells are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ei_brian.report.style import Draw, Ink

__all__ = ["distances"]


def distances(panels: Sequence[tuple[str, npt.NDArray[np.floating]]], label: str) -> Draw:
    """Return how to draw (title, matrix of distances) beside each other, on one scale."""

    def draw(figure: Figure, ink: Ink) -> None:
        axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        shades = LinearSegmentedColormap.from_list("shades", [ink.paper, ink.inh])
        top = max(float(matrix.max(initial=0.0)) for _, matrix in panels) or 1.0
        for ax, (title, matrix) in zip(axes, panels, strict=True):
            image = ax.imshow(matrix, cmap=shades, vmin=0, vmax=top)
            ax.set_title(title)
            ax.set_xlabel("cell")
            ax.spines[:].set_visible(False)
        axes[0].set_ylabel("cell")
        figure.colorbar(image, ax=axes, shrink=0.8, label=label).outline.set_visible(False)  # type: ignore[operator]

    return draw
