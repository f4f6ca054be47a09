"""One case on several simulators: equal to the reference, refused by name, or a finding."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.core.population import Population
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import EIBrianError
from ei_brian.interop.brian2_script import script
from ei_brian.sim.backend import Backend
from validation.fuzz.random_network import Case, random_case

__all__ = ["Outcome", "compared", "outcomes"]

SCRIPT_S = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one simulator made of one case.

    Parameters
    ----------
    where : str
        Simulator, layout and precision.
    end : {"equal", "refused", "unequal", "raw error"}
        The last two are findings.
    n_spikes : int
        Compared.
    message : str
        Of an error, or what differs.
    """

    where: str
    end: str
    n_spikes: int = 0
    message: str = ""


def outcomes(seed: int, backends: tuple[str, ...], with_script: bool = False) -> Iterator[Outcome]:
    """Run the case of a number on the reference and on each backend in both layouts, in one of the precisions.

    The reference runs in the precision that is compared. A layout that refuses by name is counted as that.
    """
    dtype = ("float64", "float32")[seed % 3 == 2]
    made = _attempt("reference", lambda: _reference(seed, dtype))
    if isinstance(made, Outcome):
        yield made
        return
    case, oracle = made
    for backend in backends:
        for layout in ("shared", "synapses"):
            where = f"{backend} {layout} {dtype}"
            simulator = Backend(backend, layout=layout, dtype=dtype)
            found = _attempt(where, lambda s=simulator: s.run(case.spec, case.stimulus, noise=case.noise, seed=case.seed))  # type: ignore[misc]
            yield found if isinstance(found, Outcome) else compared(where, oracle, found)
    if with_script and case.noise is None and dtype == "float64":
        written = _attempt("script", lambda: _from_script(case))
        yield written if isinstance(written, Outcome) else compared("script", oracle, _means_as_summed(case, oracle, written))


def spikes_in(recording: Recording) -> int:
    """Return the number of spikes of all populations."""
    return sum(spikes.n_events for spikes in recording.spikes.values())


def _reference(seed: int, dtype: str) -> tuple[Case, Recording]:
    case = random_case(seed)
    return case, simulate(case.spec, case.stimulus, dtype, noise=case.noise, seed=case.seed)


def _attempt(where, action):  # type: ignore[no-untyped-def]
    try:
        return action()
    except EIBrianError as error:
        return Outcome(where, "refused", message=str(error))
    except Exception as error:
        return Outcome(where, "raw error", message=f"{type(error).__name__}: {error}")


def compared(where: str, oracle: Recording, found: Recording) -> Outcome:
    n = spikes_in(oracle)
    for name, spikes in oracle.spikes.items():
        if not found.spikes[name].equals(spikes):
            return Outcome(where, "unequal", n, f"spikes of {name}: {spikes.n_events} and {found.spikes[name].n_events}")
    if oracle.scores is not None and not np.array_equal(oracle.scores, found.scores):
        return Outcome(where, "unequal", n, f"scores differ by up to {np.abs(oracle.scores - found.scores).max():g}")
    return Outcome(where, "equal", n)


def _from_script(case: Case) -> Recording:
    """Write the network as a script, run it by itself, and return what it found."""
    spec, stimulus = case.spec, case.stimulus
    with tempfile.TemporaryDirectory() as folder:
        path, _ = script(spec, Path(folder) / "network.py", stimulus)
        ended = subprocess.run(
            [sys.executable, str(path)], cwd=folder, capture_output=True, text=True, timeout=SCRIPT_S, check=False
        )
        if ended.returncode:
            raise RuntimeError(ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else f"exit {ended.returncode}")
        with np.load(path.with_name("network_spikes.npz")) as stored:
            spikes = {cell.name: _spikes(stored, cell, stimulus, spec.dt_ms) for cell in spec.cells if cell.spiking}
            return replace(simulate(spec, stimulus, n_steps=1), spikes=spikes, scores=stored.get("scores"))


def _means_as_summed(case: Case, oracle: Recording, written: Recording) -> Recording:
    """Return the script's recording; a mean that numpy summed in another order, to 1e-12, counts as the reference's."""
    kind = case.spec.readout and case.spec.readout.kind
    if kind == "mean v" and np.allclose(written.scores, oracle.scores, rtol=1e-12, atol=1e-12):
        return replace(written, scores=oracle.scores)
    return written


def _spikes(stored: Any, cell: Population, stimulus: Stimulus, dt_ms: float) -> Spikes:
    axes = (stored[f"{cell.name}_{what}"].astype(np.int32) for what in ("trial", "step", "unit"))
    return Spikes(*axes, stimulus.n_trials, stimulus.n_steps, cell.size, dt_ms)
