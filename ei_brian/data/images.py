"""Images of a data set, as few bytes as they are stored in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.errors import DataError

__all__ = ["Images"]

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images as they are stored, shape (image, unit), their classes, a name, and how many of the last ones are for testing.

    ``stored / white`` is the grey value, 0 to 1. ``n_test`` is 0 where the publisher made no such division.
    """

    stored: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]
    name: str
    n_test: int = 0
    white: float = 1.0

    def __post_init__(self) -> None:
        if self.stored.ndim != 2 or self.labels.ndim != 1 or len(self.labels) != len(self.stored):
            raise DataError(
                f"data set {self.name}: {self.labels.size} labels for {len(self.stored)} images; give one each."
            )

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """Grey values 0 to 1 of all images."""
        return self.grey(slice(None))

    def grey(self, which: slice | Index) -> npt.NDArray[np.float64]:
        """Return the grey values of some images."""
        made: npt.NDArray[np.float64] = self.stored[which] / self.white
        return made

    def first(self, n_images: int) -> Images:
        """Return the first so many of the training images as a data set of its own, without the publisher's test images.

        Raises
        ------
        DataError
            If there are not that many.
        """
        n_training = len(self.stored) - self.n_test
        if not 1 <= n_images <= n_training:
            raise DataError(f"data set {self.name}: first {n_images} images asked for; allowed are 1 to {n_training}.")
        name = f"{self.name} first {n_images}"
        return Images(self.stored[:n_images], self.labels[:n_images], name, white=self.white)
