"""Random numbers that a program is given in each step."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.philox import normals, uniforms
from ei_brian.errors import SpecError

__all__ = ["Draw", "check_streams", "numbers", "stream_of"]


@dataclass(frozen=True, slots=True)
class Draw:
    """A state that is filled with random numbers before anything else in each step.

    Parameters
    ----------
    state : str
        Name of the state of the program.
    distribution : {"normal", "uniform"}
        Standard normal, or uniform in (0, 1].
    stream : int
        Fourth word of the counter; see `ei_brian.core.noise.philox`.
    shared : bool
        Whether all neurons of a trial are given the number of unit 0.
    """

    state: str
    distribution: str
    stream: int
    shared: bool = False


def stream_of(owner: str, kind: str) -> int:
    """Return the stream of one kind of noise of one population, projection or network: a hash that never changes."""
    return zlib.crc32(f"{owner}/{kind}".encode())


def numbers(
    draw: Draw, seed: int, trials: npt.ArrayLike, step: npt.ArrayLike, n_units: int
) -> npt.NDArray[np.float32]:
    """Return the numbers of a draw in a step, shape (trial, n_units), or (trial, 1) for a shared one; steps may broadcast."""
    law = normals if draw.distribution == "normal" else uniforms
    return law(seed, draw.stream, trials, step, 1 if draw.shared else n_units)


def check_streams(spans: Iterable[tuple[str, int, int]]) -> None:
    """Refuse noise sources that would share random numbers.

    Parameters
    ----------
    spans : iterable of (name, first stream, number of streams)
        Streams from different names must be disjoint.

    Raises
    ------
    SpecError
        Names two sources that overlap; a matter of chance of the hash, about 1 in 10,000,000 per pair.
    """
    ordered = sorted(spans, key=lambda span: span[1])
    for (name, first, count), (other, start, _) in pairwise(ordered):
        if first + count > start or first + count > 2**32:
            raise SpecError(f"noise: {name} and {other} would share random numbers; rename one of the populations.")
