"""A network that was read is run beside the module that it was read from: every spike and every value returned must be equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ei_brian.core.proof import Proof
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ProofError
from ei_brian.interop.differences import likely_kinds
from ei_brian.interop.layout import Layout, Run
from ei_brian.interop.module_run import ModuleRun, as_spikes, run_module
from ei_brian.interop.recorder import Source
from ei_brian.interop.shared_functions import has_functions

__all__ = ["TOLERANCE", "Subject", "is_large", "prove"]

Array = npt.NDArray[Any]
TOLERANCE = 1e-9  # of membranes: sums in another order, rounded once each, over some dozen steps; relative to their size
SCALES = (1.0, 4.0, 16.0, 0.25, 64.0, 256.0, 1024.0, 4096.0)
RATE = 0.3
TRIALS, STEPS = 4, 24
MANY_SYNAPSES = 1_000_000
FEW_TRIALS, FEW_STEPS = 2, 12  # for larger networks


@dataclass(frozen=True, slots=True)
class Subject:
    """A module and how it is run.

    Parameters
    ----------
    model : torch.nn.Module
        The network itself.
    layout : Layout
        How it takes its input.
    layers : mapping of str to str
        Population of each of its layers of neurons.
    returned : sequence of Source
        Outputs of layers that the module returns something of.
    run : callable, optional
        How the module is called.
    framework : str
        Name and version.
    looked_at : sequence of str
        Modules whose code takes numbers out of tensors, and may decide by them.
    depth : int
        Steps that were looked at when it was read; the proof has twice as many, at least.
    """

    model: nn.Module
    layout: Layout
    layers: dict[str, str]
    returned: tuple[Source, ...]
    run: Run | None
    framework: str
    looked_at: tuple[str, ...] = ()
    depth: int = 0

    def activity(self, given: Array, **more: Any) -> ModuleRun:
        """Run the module in float64."""
        shaped = given.reshape(*given.shape[:2], *self.layout.input_shape)
        return run_module(self.model, self.layout, tuple(self.layers), shaped, torch.float64, self.run, **more)


def prove(spec: NetworkSpec, subject: Subject) -> NetworkSpec:
    """Return the network with the proof that it gives the spikes and values of its module.

    Raises
    ------
    ProofError
        If it does not, with the layer, the trial, the step and what is the likely reason.
    """
    given, plain = _driving(spec, subject)
    shared = has_functions(spec)
    theirs = subject.activity(given, shared=True) if shared else plain
    stimulus = Stimulus.from_currents(given, spec.dt_ms, name="proof")
    returned = {subject.layers[source.layer] for source in subject.returned if source.kind == "state"}
    states = [
        (cell.name, state.name) for cell in spec.cells for state in cell.declared_states()
        if cell.name in returned or state.name == cell.neuron().voltage
    ]  # fmt: skip
    ours = simulate(spec, stimulus, np.float64, states)
    _compare_spikes(spec, subject, ours, theirs, lambda layer, step: likely_kinds(subject, layer, step, given, plain))
    largest = _compare_membranes(spec, subject, ours, theirs)
    outputs, difference, missing = _compare_outputs(spec, subject, ours, theirs, given, shared)
    if subject.looked_at:
        _try_other_inputs(spec, subject, given, shared)
        missing += (f"what {', '.join(subject.looked_at)} may do by the values that its code looks at, beyond this input",)
    unequal = sum(int(np.sum(wrong)) for _, wrong in _differences(spec, subject, ours, plain)) if shared else 0
    spiking = [cell.name for cell in spec.cells if cell.spiking and cell.name in subject.layers.values()]
    counts = {name: ours.spikes[name].n_events for name in spiking}
    proof = Proof(
        f"the {subject.framework} module", spec.sha256, given.shape[0], given.shape[1], tuple(subject.layers.values()),
        tuple(counts.get(name, 0) for name in subject.layers.values()), tuple(name for name in spiking if not counts[name]),
        outputs, max(largest, difference), unequal, missing, _quiet(ours, counts),
    )  # fmt: skip
    return replace(spec, proof=proof)


def _try_other_inputs(spec: NetworkSpec, subject: Subject, given: Array, shared: bool) -> None:
    """Compare spikes on silence, on weaker and stronger input and on single trials, where code that looks at values may vary."""
    for other in (0 * given, given / 16, given * 16, given[:1], given[-1:] / 4):
        theirs = subject.activity(other, shared=shared)
        ours = simulate(spec, Stimulus.from_currents(other, spec.dt_ms, name="proof"), np.float64)
        likely = f"{', '.join(subject.looked_at)} takes numbers out of tensors and does something else by them (if, item())."
        _compare_spikes(spec, subject, ours, theirs, lambda layer, step, likely=likely: likely)  # type: ignore[misc]


def _quiet(ours: Recording, counts: Mapping[str, int]) -> int:
    """Return how many neurons never spiked, in layers that did."""
    return sum(int(np.sum(ours.spikes[name].counts().sum(axis=0) == 0)) for name, count in counts.items() if count)


def is_large(spec: NetworkSpec) -> bool:
    """Whether a proof of many steps would take long."""
    return sum(projection.n_synapses for projection in spec.projections) > MANY_SYNAPSES


def _driving(spec: NetworkSpec, subject: Subject) -> tuple[Array, ModuleRun]:
    """Return input at which as many layers spike as can be, and what the module does with it."""
    trials, steps = (FEW_TRIALS, FEW_STEPS) if is_large(spec) else (TRIALS, STEPS)
    steps = max(steps, 2 * subject.depth)
    best: tuple[int, Array, ModuleRun] | None = None
    spiking = [name for name, population in subject.layers.items() if spec[population].spiking]
    for scale in SCALES:
        given = _input(subject.layout, scale, trials, subject.layout.n_steps or steps)
        theirs = subject.activity(given)
        active = sum(bool(np.any(theirs.given[name, 0])) for name in spiking)
        if best is None or active > best[0]:
            best = (active, given, theirs)
        if active == len(spiking):
            break
    if best is None:
        raise ProofError("proof: no input was tried.")
    return best[1], best[2]


def _input(layout: Layout, scale: float, trials: int, steps: int) -> Array:
    """Return input of shape (trial, step, unit): spikes in one half of the trials, values of both signs in the other."""
    generator = np.random.default_rng(19)
    units = int(np.prod(layout.input_shape, dtype=np.int64))
    shape = (trials, 1 if layout.kind == "static" else steps, units)
    spikes = (generator.random(shape) < RATE).astype(np.float32)
    values = generator.normal(size=shape).astype(np.float32)
    half = (np.arange(trials) % 2 == 0)[:, None, None]
    return np.broadcast_to(np.float32(scale) * np.where(half, spikes, values), (trials, steps, units)).astype(np.float32)


def _differences(spec: NetworkSpec, subject: Subject, ours: Recording, theirs: ModuleRun) -> Iterator[tuple[str, Array]]:
    """Return for each spiking layer where its spikes differ, shape (trial, step, neuron)."""
    for layer, name in subject.layers.items():
        if not spec[name].spiking:
            continue
        wanted, mine = as_spikes(theirs.given[layer, 0]), ours.spikes[name].dense(np.float64)
        if wanted.shape != mine.shape:
            raise ProofError(f"layer {layer}: gives {wanted.shape[2]} values a step; {mine.shape[2]} neurons were read.")
        yield layer, wanted != mine


def _compare_spikes(
    spec: NetworkSpec, subject: Subject, ours: Recording, theirs: ModuleRun, likely: Callable[[str, int], str]
) -> None:
    """Raise for any difference, with the first one: of the steps, then of the layers."""
    first: tuple[int, int, int, str] | None = None
    differ = 0
    for layer, wrong in _differences(spec, subject, ours, theirs):
        differ += int(np.sum(wrong))
        if wrong.any():
            step, trial, unit = np.argwhere(wrong.transpose(1, 0, 2))[0].tolist()
            first = (step, trial, unit, layer) if first is None or step < first[0] else first
    if first is None:
        return
    step, trial, unit, layer = first
    wanted = theirs.given[layer, 0][trial, step, unit]
    mine = ours.spikes[subject.layers[layer]].dense(np.float64)[trial, step, unit]
    raise ProofError(
        f"layer {layer} (population {subject.layers[layer]}), trial {trial}, step {step}, neuron {unit}: the module gives "
        f"{wanted:g}, the network as read {mine:g}; {differ} spikes differ in all. The network was not imported. Likely: "
        f"{likely(layer, step)} prove=False imports it without this comparison, as 'not proven'."
    )


def _close(mine: Array, wanted: Array) -> tuple[bool, float]:
    if mine.shape != wanted.shape:
        return False, float("inf")
    same = (mine == wanted) | (np.isnan(mine) & np.isnan(wanted))
    difference = np.where(same, 0.0, np.abs(mine - wanted))
    largest = float(np.max(difference, initial=0.0))
    size = float(np.max(np.abs(wanted), initial=1.0, where=np.isfinite(wanted)))
    return bool(largest <= TOLERANCE * size), largest / size


def _compare_membranes(spec: NetworkSpec, subject: Subject, ours: Recording, theirs: ModuleRun) -> float:
    """Return the largest difference of membranes at the ends of steps, relative to their size.

    Spikes alone would miss a weight that is slightly wrong: a membrane shows every synapse that a spike passed.
    """
    worst = 0.0
    for layer, name in subject.layers.items():
        wanted = theirs.membranes.get(layer) if spec[name].spiking else theirs.given[layer, 0]
        if wanted is None:
            continue
        mine = ours.traces[name, spec[name].neuron().voltage]
        mine = mine[:, -1:] if wanted.shape[1] == 1 else mine
        equal, difference = _close(mine, wanted)
        worst = max(worst, difference)
        if not equal:
            distance = np.where(mine == wanted, 0.0, np.abs(mine - wanted))
            step, trial, unit = np.argwhere(distance.transpose(1, 0, 2) > TOLERANCE * max(1.0, float(np.max(np.abs(wanted)))))[0]
            raise ProofError(
                f"layer {layer} (population {name}), trial {trial}, step {step}, neuron {unit}: all spikes are equal, but not "
                f"the membrane: the module has {wanted[trial, step, unit]:.9g}, the network as read "
                f"{mine[trial, step, unit]:.9g}. The network was not imported: a weight, bias or constant of this layer is not "
                "what it was read as. prove=False imports it as 'not proven'."
            )
    return worst


def _compare_outputs(
    spec: NetworkSpec, subject: Subject, ours: Recording, theirs: ModuleRun, given: Array, shared: bool
) -> tuple[int, float, tuple[str, ...]]:
    """Return how many values of the output were compared, the largest difference, and what could not be compared.

    The module is run again with its layers of neurons giving what ours gave: what it then returns is made of our spikes alone.
    """
    if not theirs.outputs:
        return 0, 0.0, ("what the module returns, in which no tensor was found",)
    matches = _matching_states(spec, subject, ours, theirs)
    missing = tuple(
        dict.fromkeys(
            f"state {source.index} of layer {source.layer}"
            for source in subject.returned if source.kind == "state" and matches.get((source.layer, source.index)) is None
        )
    )  # fmt: skip

    def replaced(layer: str, index: int, call: int, tensor: torch.Tensor) -> torch.Tensor | None:
        mine = _ours(spec, subject.layers[layer], ours) if index == 0 else matches.get((layer, index))
        if mine is None:
            return None
        steps = np.ascontiguousarray(mine.transpose(1, 0, 2))
        whole = steps if tensor.numel() == steps.size else steps[call]
        return torch.from_numpy(whole).to(tensor.dtype).reshape(tensor.shape)

    again = subject.activity(given, replace=replaced, shared=shared)
    worst, count = 0.0, 0
    for mine, wanted in zip(again.outputs, theirs.outputs, strict=True):
        equal, difference = _close(mine, wanted)
        count, worst = count + wanted.size, max(worst, difference)
        if not equal:
            raise ProofError(
                f"output of the module: it differs by up to {difference:.2g} of its size from what the network as read gives, "
                "though all spikes are equal. The network was not imported; prove=False imports it as 'not proven'."
            )
    return count, worst, missing


def _ours(spec: NetworkSpec, name: str, ours: Recording) -> Array:
    if spec[name].spiking:
        return np.asarray(ours.spikes[name].dense(np.float64))
    return ours.traces[name, spec[name].neuron().voltage]


def _matching_states(spec: NetworkSpec, subject: Subject, ours: Recording, theirs: ModuleRun) -> dict[tuple[str, int], Array]:
    """Return, for each state that a layer hands out, the state of ours that is equal to it in every step."""
    found: dict[tuple[str, int], Array] = {}
    for (layer, index), wanted in theirs.given.items():
        if index == 0:
            continue
        name = subject.layers[layer]
        if spec[name].spiking and np.array_equal(wanted, theirs.given[layer, 0]):
            found[layer, index] = _ours(spec, name, ours)
            continue
        voltage = spec[name].neuron().voltage
        for key in sorted((key for key in ours.traces if key[0] == name), key=lambda key: key[1] != voltage):
            mine = ours.traces[key][:, -wanted.shape[1] :]
            if _close(mine, wanted)[0]:
                found[layer, index] = mine
                break
    return found
