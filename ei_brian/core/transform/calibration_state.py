"""A calibration that can be stopped and resumed to the bit."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.fit_parameters import with_population
from ei_brian.errors import StorageError

__all__ = ["CalibrationState"]


class CalibrationState:
    """The file that a calibration is kept in: numbers only, replaced whole after each round.

    Parameters
    ----------
    path : path or None
        Where; None keeps nothing.
    start : NetworkSpec
        The network that the closed loop starts from.
    stimulus : Stimulus
        The calibration set.
    settings : tuple
        Whatever else decides the result.
    """

    def __init__(
        self, path: str | PathLike[str] | None, start: NetworkSpec, stimulus: Stimulus, settings: tuple[Any, ...]
    ) -> None:
        self.path = None if path is None else Path(path)
        text = json.dumps([start.lineage_sha256, stimulus.sha256, *settings]) if path is not None else ""
        self.key = hashlib.sha256(text.encode()).hexdigest()

    def save(self, iteration: int, now: NetworkSpec, best: NetworkSpec, history: list[dict[str, Any]]) -> None:
        """Replace the file by the present state."""
        if self.path is None:
            return
        arrays: dict[str, Any] = {"meta": np.array(json.dumps({"key": self.key, "iteration": iteration, "history": history}))}
        for word, spec in (("now", now), ("best", best)):
            for population in spec.cells:
                for name, values in population.parameters.items():
                    arrays[f"{word}/{population.name}/{name}"] = np.asarray(values)
            for projection in spec.projections:
                arrays[f"{word}/{projection.name}/weights"] = projection.weight_values()
        part = self.path.with_name(self.path.name + ".part")
        with part.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, self.path)

    def resume(self, start: NetworkSpec) -> tuple[int, NetworkSpec, NetworkSpec, list[dict[str, Any]]]:
        """Return (next iteration, present network, best network, history); the start where there is no file.

        Raises
        ------
        StorageError
            If the file belongs to another calibration or cannot be read.
        """
        if self.path is None or not self.path.exists():
            return 0, start, start, []
        try:
            with np.load(self.path, allow_pickle=False) as file:
                meta = json.loads(str(file["meta"]))
                same = meta["key"] == self.key
                specs = [_restored(start, file, word) for word in ("now", "best")] if same else []
        except (OSError, ValueError, KeyError) as error:
            raise StorageError(f"checkpoint {self.path}: cannot be read ({error}); delete it to start again.") from error
        if not same:
            raise StorageError(f"checkpoint {self.path}: belongs to another calibration; delete it, or give another path.")
        return int(meta["iteration"]), specs[0], specs[1], meta["history"]


def _restored(start: NetworkSpec, file: Any, word: str) -> NetworkSpec:
    made = start
    for population in start.cells:
        values = {name: file[f"{word}/{population.name}/{name}"] for name in population.parameters}
        made = with_population(made, replace(population, parameters=values))
    projections = []
    for projection in start.projections:
        weights: Any = file[f"{word}/{projection.name}/weights"]
        if projection.sparse:
            table: Any = projection.weights.copy()
            table.data = weights
            weights = table
        projections.append(replace(projection, weights=weights))
    return replace(made, projections=tuple(projections))
