"""Does the spec give the spikes of the network that it was made from? Layer by layer, spike for spike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import DataError
from ei_brian.interop.layout import Layout, read_layout
from ei_brian.interop.module_run import as_spikes, run_module

__all__ = ["ImportReport", "LayerReport", "check_import", "module_activity"]

Simulate = Callable[[NetworkSpec, Stimulus], Recording]
Array = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class LayerReport:
    """Comparison of one layer.

    Parameters
    ----------
    population : str
        Name in the spec.
    spikes, spikes_equal : int
        Spikes of the framework, and how many of them the spec has too.
    extra : int
        Spikes of the spec that the framework does not have.
    trials, trials_equal : int
        Number of trials, and of those without any difference.
    first : (step, trial, neuron) or None
        The earliest difference.
    largest_v : float
        Largest difference of the membrane potential, of cells that never spike (nan for others).
    """

    population: str
    spikes: int
    spikes_equal: int
    extra: int
    trials: int
    trials_equal: int
    first: tuple[int, int, int] | None
    largest_v: float = float("nan")

    @property
    def exact(self) -> bool:
        """Whether no spike differs, and no membrane of a cell without spikes by more than rounding."""
        return self.first is None and not self.largest_v > V_TOLERANCE


V_TOLERANCE = 1e-9  # rounding of sums in another order, over many steps, relative to a threshold of about 1


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What `check_import` found: one entry per layer, first to last, in float64 and in float32."""

    layers: tuple[LayerReport, ...]
    layers_float32: tuple[LayerReport, ...]

    @property
    def exact(self) -> bool:
        """Whether every spike of every layer is equal in float64."""
        return all(layer.exact for layer in self.layers)

    @property
    def share_float32(self) -> float:
        """Share of trials whose spikes are all equal in float32, in every layer, the least over layers."""
        return min((layer.trials_equal / max(layer.trials, 1) for layer in self.layers_float32), default=1.0)

    def __str__(self) -> str:
        lines = ["layer                precision  spikes      equal       extra   trials equal   first difference"]
        for precision, layers in (("float64", self.layers), ("float32", self.layers_float32)):
            for layer in layers:
                first = "none" if layer.first is None else "step {}, trial {}, neuron {}".format(*layer.first)
                trials = f"{layer.trials_equal}/{layer.trials}"
                lines.append(
                    f"{layer.population:<20} {precision:<10} {layer.spikes:<11} {layer.spikes_equal:<11} {layer.extra:<7} "
                    f"{trials:<14} {first}"
                )
        lines.append(f"exact: {'yes' if self.exact else 'no'} (float64); float32: {self.share_float32:.1%} of trials equal")
        return "\n".join(lines)


@takes_numbers()
def check_import(
    spec: NetworkSpec, model: nn.Module, stimulus: Stimulus, *, run: Simulate | None = None,
    forward: Callable[[nn.Module, torch.Tensor], Any] | None = None,
) -> ImportReport:  # fmt: skip
    """Run a network in its own framework and here, and compare every spike of every layer.

    Parameters
    ----------
    spec : NetworkSpec
        What `from_snntorch`, `from_norse` or `from_spikingjelly` made of ``model``.
    model : torch.nn.Module
        The network itself; a copy of it is run, its states between steps are set to their start.
    stimulus : Stimulus
        Input to run both on.
    run : callable, optional
        ``run(spec, stimulus) -> Recording`` in float64, for example ``Backend("numpy").run``; the reference unless given.
    forward : callable, optional
        ``forward(model, input)`` with input of shape (step, trial, …) where the model is not called in a plain loop.

    Returns
    -------
    ImportReport
        Print it for a table.

    Raises
    ------
    DataError
        If the stimulus does not fit, or the spec does not come from a module.
    """
    if spec.cells[0].name not in _layers(spec).values():
        raise DataError("check_import: the spec was not imported from a module; its provenance names no layers.")
    ours = _with_v(spec, stimulus) if run is None else run(spec, stimulus)
    theirs = module_activity(spec, model, stimulus, torch.float64, forward)
    ours_single = _with_v(spec, stimulus, np.float32)
    theirs_single = module_activity(spec, model, stimulus, torch.float32, forward)
    return ImportReport(_compare(spec, ours, theirs, stimulus), _compare(spec, ours_single, theirs_single, stimulus))


def _layers(spec: NetworkSpec) -> Mapping[str, str]:
    entry: Mapping[str, Any] = next((line for line in spec.provenance if line.get("action") == "import"), {"layers": {}})
    layers: Mapping[str, str] = {module: name for module, name in entry["layers"].items() if name != "input"}
    return layers


def _with_v(spec: NetworkSpec, stimulus: Stimulus, dtype: npt.DTypeLike = np.float64) -> Recording:
    traces = [(cell.name, cell.neuron().voltage) for cell in spec.cells if not cell.spiking]
    return simulate(spec, stimulus, dtype, traces)


def module_activity(
    spec: NetworkSpec, model: nn.Module, stimulus: Stimulus, dtype: torch.dtype,
    forward: Callable[[nn.Module, torch.Tensor], Any] | None = None,
) -> dict[str, Array]:  # fmt: skip
    """Return what each layer of neurons gives in its own framework, per population, shape (trial, step, neuron)."""
    entry = next((line for line in spec.provenance if line.get("action") == "layout of the module"), None)
    if entry is None:
        raise DataError("check_import: the spec was not imported from a module; compare recordings instead.")
    layout = read_layout(entry)
    if forward is not None:
        layout = Layout("all steps", layout.input_shape, 1, 0)
    elif layout.n_steps is not None and stimulus.n_steps != layout.n_steps:
        raise DataError(
            f"check_import: the stimulus has {stimulus.n_steps} steps, and the model runs {layout.n_steps}; give as many, or "
            "forward(model, input), which runs the model over input of shape (step, trial, …)."
        )
    dense = np.asarray(stimulus.dense(np.float32)).reshape(stimulus.n_trials, stimulus.n_steps, *layout.input_shape)
    if layout.kind == "static" and np.any(dense != dense[:, :1]):
        raise DataError(
            "check_import: the model shows itself one input for all its steps, and the stimulus changes from step to step; give "
            "a constant one: Stimulus.from_currents(np.repeat(images[:, None], steps, axis=1), dt_ms)."
        )
    try:
        seen = run_module(model, layout, tuple(_layers(spec)), dense, dtype, forward)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"check_import: the model does not run on input of shape {dense.shape} in {dtype} ({type(error).__name__}: "
            f"{str(error)[:160]}). Give forward(model, input) for a model that is not called with its input alone."
        ) from error
    return {name: seen.given[path, 0] for path, name in _layers(spec).items()}


def _compare(spec: NetworkSpec, ours: Recording, theirs: Mapping[str, Array], stimulus: Stimulus) -> tuple[LayerReport, ...]:
    reports = []
    for cell in spec.cells:
        if cell.name not in theirs:
            continue
        if cell.spiking:
            reports.append(_compare_spikes(cell.name, ours.spikes[cell.name], theirs[cell.name]))
            continue
        trace = ours.traces.get((cell.name, cell.neuron().voltage))
        if trace is None:  # a run of the caller's that kept no traces
            continue
        difference = float(np.max(np.abs(trace - theirs[cell.name]), initial=0.0))
        reports.append(LayerReport(cell.name, 0, 0, 0, stimulus.n_trials, stimulus.n_trials, None, difference))
    return tuple(reports)


def _compare_spikes(name: str, ours: Spikes, given: Array) -> LayerReport:
    theirs = as_spikes(given)
    if not np.isin(theirs, (0.0, 1.0)).all():
        raise DataError(f"check_import: layer {name} gives values other than 0 and 1; it does not spike.")
    mine, wanted = ours.dense(bool), theirs.astype(bool)
    different = mine != wanted
    trials = ~different.any(axis=(1, 2))
    first = None
    if different.any():
        step, trial, unit = np.argwhere(different.transpose(1, 0, 2))[0].tolist()
        first = (step, trial, unit)
    both = int(np.sum(mine & wanted))
    return LayerReport(
        name, int(wanted.sum()), both, int(mine.sum()) - both, trials.size, int(trials.sum()), first
    )
