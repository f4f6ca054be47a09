"""Any network of the catalogue as a torch module: the same steps, with surrogate gradients, exported again exactly.

The texts of the catalogue are run on tensors, operation by operation, so that what is trained is what is simulated. Forward,
a spike is what the threshold says. Backward, three things differ from the plain derivative, all of them needed to learn through
cells that make their own spikes: the spike has a surrogate derivative around the cell's soft threshold; ``clip`` passes the
gradient on; and the gradient that flows back through a membrane potential above the soft threshold, the upstroke of a spike that
nothing can stop any more, is cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ei_brian.core.competition import MARGIN, WINNER
from ei_brian.core.neuron_model import CROSSED, DUE
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.program import Program, compose, release_name
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.perturbed import refuse_perturbed
from ei_brian.core.units import unit_scale
from ei_brian.errors import ConfigError, DataError
from ei_brian.learn.surrogate import FastSigmoid, Surrogate
from ei_brian.learn.texts import GateUpstroke, SpikeOf, torch_functions

__all__ = ["SpecActivity", "SpecNetwork", "simulate_spec_torch"]

TRAINABLE = ("readout", "all")
REACHED = "reached_now"  # the potential at the end of a step, or before the reset of its first spike


@dataclass(frozen=True, slots=True)
class SpecActivity:
    """Spikes (trial, step, neuron) of each spiking population, and the score of each class (trial, class)."""

    spikes: Mapping[str, torch.Tensor]
    scores: torch.Tensor


class SpecNetwork(nn.Module):
    """A network spec whose weights can be trained.

    Parameters
    ----------
    spec : NetworkSpec
        Any network in Brian2's order of events whose readout is a membrane (``"max v"``, ``"mean v"``, ``"last v"``).
    trainable : {"all", "readout"}
        Which weights: all, or those onto the readout population.
    surrogate : Surrogate, optional
        Gradient of the spike, in units of the distance from rest to threshold.
    recurrent_gradient : bool
        Whether the gradient also flows back through the projections that close a loop, from the cell that a spike reached to
        the one that sent it. Without it (as in e-prop, Bellec et al. 2020, doi:10.1038/s41467-020-17236-y) their weights still
        learn, each from what its own target does. The spikes are the same.

    Raises
    ------
    ConfigError
        For a readout by spikes, another order of events, or an unknown ``trainable``.
    """

    def __init__(
        self, spec: NetworkSpec, trainable: str = "all", surrogate: Surrogate | None = None, recurrent_gradient: bool = True
    ) -> None:
        super().__init__()
        refuse_perturbed(spec, "SpecNetwork")
        if spec.readout is None or spec.readout.needs_spikes:
            raise ConfigError("SpecNetwork: training needs a readout by membrane potential (max v, mean v or last v).")
        if trainable not in TRAINABLE:
            raise ConfigError(f"SpecNetwork.trainable: {trainable!r}; allowed: {', '.join(TRAINABLE)}.")
        kinds = [("update", "threshold", "propagate", "reset").index(phase.kind) for phase in spec.schedule]
        if kinds != sorted(kinds):
            raise ConfigError("SpecNetwork: only networks in Brian2's own order of events can be trained through.")
        self.spec, self.readout_population, self.readout_kind = spec, spec.readout.population, spec.readout.kind
        self.surrogate = surrogate or FastSigmoid(2.0)
        self.cut = frozenset() if recurrent_gradient else _in_loops(spec)
        self.weights = nn.ParameterDict()
        for projection in spec.projections:
            values: Any = projection.weights.toarray() if projection.sparse else np.asarray(projection.weights)
            parameter = nn.Parameter(torch.tensor(values.astype(np.float32)))
            parameter.requires_grad_(trainable == "all" or projection.target == self.readout_population)
            self.weights[projection.name] = parameter

    @torch.no_grad()
    def enforce_dale(self) -> None:
        """Set weights that training pushed over zero, or into pairs that have no synapse, back to zero."""
        for projection in self.spec.projections:
            weights, low, high = self.weights[projection.name], *_bounds(self.spec, projection)
            if low is not None or high is not None:
                weights.clamp_(min=low, max=high)
            if projection.sparse or np.ndim(projection.delay_steps):
                weights.mul_(torch.from_numpy(_pattern(projection)).to(weights.dtype))

    def export(self, **details: Any) -> NetworkSpec:
        """Return the spec with the trained weights; ``details`` go into its provenance."""
        self.enforce_dale()
        projections = []
        for projection in self.spec.projections:
            trained = self.weights[projection.name].detach().cpu().numpy().astype(np.float32) + np.float32(0.0)
            if projection.sparse:
                table: Any = projection.weights.copy()
                table.data = trained[table.tocoo().coords]
                projections.append(replace(projection, weights=table))
            else:
                projections.append(replace(projection, weights=trained))
        made = replace(self.spec, projections=tuple(projections))
        return made.with_provenance("fine-tune", torch=torch.__version__, **details)

    def forward(self, events: torch.Tensor, given: Mapping[str, torch.Tensor] | None = None) -> SpecActivity:
        """Return the activity for input of shape (trial, step, unit), in the dtype of the input.

        ``given`` spikes, of all spiking populations, leave only the readout to be computed.
        """
        run = _Forward(self, events)
        n_steps = events.shape[1]
        for step in range(n_steps):
            run.step(step, None if given is None else {name: z[:, step] for name, z in given.items()})
        scores = run.scores(n_steps)
        return SpecActivity(given or {name: torch.stack(kept, dim=1) for name, kept in run.spikes.items()}, scores)


def _in_loops(spec: NetworkSpec) -> frozenset[str]:
    """Return the names of the projections from whose target a chain of projections leads back to their source."""
    reached = {p.name: {p.name} for p in (*spec.inputs, *spec.cells)}
    for _ in spec.projections:
        for projection in spec.projections:
            reached[projection.source] |= reached[projection.target]
    return frozenset(p.name for p in spec.projections if p.source in reached[p.target])


def _bounds(spec: NetworkSpec, projection: Projection) -> tuple[float | None, float | None]:
    target, role = spec[projection.target], spec[projection.source].role
    if target.opened_by(projection.port) or role == "exc":
        return 0.0, None
    return (None, 0.0) if role == "inh" else (None, None)


def _pattern(projection: Projection) -> npt.NDArray[np.float32]:
    if projection.sparse:
        table: Any = projection.weights
        pattern = np.zeros(table.shape, dtype=np.float32)
        pattern[table.tocoo().coords] = 1
        return pattern
    present: npt.NDArray[np.float32] = (projection.weight_values() != 0).astype(np.float32)
    return present


def _delays(projection: Projection) -> npt.NDArray[np.int32] | int:
    if not projection.sparse or np.ndim(projection.delay_steps) == 0:
        return projection.delay_steps
    table: Any = projection.weights
    dense = np.zeros(table.shape, dtype=np.int32)
    dense[table.tocoo().coords] = projection.delay_steps
    return dense


class _Forward:
    """One forward pass."""

    def __init__(self, net: SpecNetwork, events: torch.Tensor) -> None:
        spec, self.net, self.events = net.spec, net, events
        dtype = events.dtype
        self.cells = {p.name: _Cells(p, compose(spec, p), events.shape[0], dtype, net.surrogate, spec.dt_ms) for p in spec.cells}
        self.spikes: dict[str, list[torch.Tensor]] = {p.name: [] for p in spec.cells if p.spiking}
        self.readout_v: list[torch.Tensor] = []
        self.arrivals: dict[tuple[str, str], dict[int, torch.Tensor]] = {}
        self.tables = {p.name: self._tables(p, dtype) for p in spec.projections}
        self.release = {p.name: release_name(spec, p.name) for p in spec.projections if p.plasticity is not None}
        self.inputs, start = {}, 0
        for population in spec.inputs:
            self.inputs[population.name] = slice(start, start + population.size)
            start += population.size

    def _tables(self, projection: Projection, dtype: torch.dtype) -> list[tuple[int, torch.Tensor]]:
        states = {state.name: state.unit for state in self.net.spec[projection.target].declared_states()}
        weights = self.net.weights[projection.name].to(dtype) * unit_scale(states[projection.port])
        delays = _delays(projection)
        if np.ndim(delays) == 0:
            return [(int(np.asarray(delays)), weights.T)]
        steps = torch.from_numpy(np.array(delays))
        return [(int(d), torch.where(steps == d, weights, torch.zeros((), dtype=dtype)).T) for d in torch.unique(steps).tolist()]

    def step(self, step: int, given: Mapping[str, torch.Tensor] | None) -> None:
        """Advance by one time step in Brian2's order."""
        spec, only = self.net.spec, self.net.readout_population
        for name, cells in self.cells.items():
            if given is None or name == only:
                cells.update()
        sent = dict(given or {})
        for name, kept in self.spikes.items():
            if given is None:
                sent[name] = self.cells[name].threshold()
                kept.append(sent[name])
        for projection in spec.projections:
            if given is None or projection.target == only:
                self._propagate(projection, sent, step)
        for name in self.spikes:
            if given is None:
                self.cells[name].reset()
        self.readout_v.append(self.cells[only].voltage())

    def _propagate(self, projection: Projection, sent: Mapping[str, torch.Tensor], step: int) -> None:
        source = projection.source
        z = self.events[:, step, self.inputs[source]] if source in self.inputs else sent[source]
        z = z.detach() if projection.name in self.net.cut else z
        if projection.name in self.release:
            z = z * self.cells[source].values[self.release[projection.name]]
        queue = self.arrivals.setdefault((projection.target, projection.name), {})
        for delay, table in self.tables[projection.name]:
            made = z @ table
            queue[step + delay] = queue[step + delay] + made if step + delay in queue else made
        if step in queue:
            self.cells[projection.target].receive(projection.port, queue.pop(step))

    def scores(self, n_steps: int) -> torch.Tensor:
        """Return the score of each class, shape (trial, class)."""
        v = torch.stack(self.readout_v, dim=1)
        if self.net.readout_kind == "max v":
            return v.amax(dim=1)
        return v.mean(dim=1) if self.net.readout_kind == "mean v" else v[:, -1]


class _Cells:
    """The states of one population during a forward pass."""

    def __init__(
        self, cells: Population, program: Program, n_trials: int, dtype: torch.dtype, spike: Surrogate, dt_ms: float
    ) -> None:
        self.program, self.spike, self.voltage_name = program, spike, cells.neuron().voltage
        self.values: dict[str, Any] = {name: torch.tensor(q.si, dtype=dtype) for name, q in program.constants.items()}
        shape = (n_trials, program.size)
        for name, quantity in program.states.items():
            self.values[name] = torch.tensor(quantity.si, dtype=dtype).broadcast_to(shape).clone()
        self.functions = torch_functions(dtype)
        update = program.update if not cells.neuron().latches else _watched(program.update, self.voltage_name)
        self.update_code = compile(update, "update", "exec")
        self.functions["below"] = self._below
        soft, width, self.gated = _soft_threshold(cells, dt_ms)
        self.soft, self.width = torch.tensor(soft, dtype=dtype), torch.tensor(width, dtype=dtype)
        self.fired: torch.Tensor | None = None
        unit = next((state.unit for state in cells.declared_states() if state.name == self.voltage_name), "1")
        self.scale = unit_scale(unit)

    def _below(self, v: torch.Tensor) -> torch.Tensor:
        gated: torch.Tensor = GateUpstroke.apply(v, self.soft)  # type: ignore[no-untyped-call]
        return gated

    def voltage(self) -> torch.Tensor:
        """Return the membrane potential in the declared unit."""
        v: torch.Tensor = self.values[self.voltage_name]
        return v if self.scale == 1.0 else v / self.scale

    def update(self) -> None:
        """Run the update phase."""
        if self.gated:
            v = self.values[self.voltage_name]
            self.values[self.voltage_name] = self._below(v)
        exec(self.update_code, self.functions, self.values)  # noqa: S102 - text of our own catalogue, never of a file

    def threshold(self) -> torch.Tensor:
        """Return the spikes, and run what happens at them before they are sent."""
        if self.program.competes:
            margin = self.values[MARGIN]
            self.values[WINNER] = torch.zeros_like(margin).scatter(1, margin.argmax(dim=1, keepdim=True), 1.0)
        fired = eval(self.program.threshold, self.functions, self.values)  # noqa: S307
        v = self.values.get(REACHED, self.values[self.voltage_name])
        self.fired = fired.broadcast_to(v.shape)
        z: torch.Tensor = SpikeOf.apply((v - self.soft) / self.width, self.fired, self.spike)  # type: ignore[no-untyped-call]
        if self.program.competes:
            z = z * self.values[WINNER]
        if self.program.at_spike:
            self._at_spikes(self.program.at_spike)
        return z

    def receive(self, port: str, arriving: torch.Tensor) -> None:
        """Add what arrived at a port."""
        self.values[port] = self.values[port] + arriving

    def reset(self) -> None:
        """Run the reset of the cells that spiked."""
        if self.program.reset:
            self._at_spikes(self.program.reset)

    def _at_spikes(self, text: str) -> None:
        if self.fired is None:
            return
        before = {name: self.values[name] for name in self.program.states}
        exec(text, self.functions, self.values)  # noqa: S102
        for name, old in before.items():
            if self.values[name] is not old:
                self.values[name] = torch.where(self.fired, self.values[name], old)


def _watched(update: str, voltage: str) -> str:
    """Return the update of a cell that is reset in sub-steps, such that gradients take the ways that they take at whole steps.

    The potential that a cell reached in its step is kept from before its reset, for the surrogate of the spike; and the gradient
    through an upstroke is cut at the start of every sub-step.
    """
    lines = [f"{REACHED} = {voltage}", f"sent_now = 0*{voltage}"]
    for line in update.splitlines():
        if line.startswith(f"{CROSSED} = "):
            lines.append(f"{REACHED} = sent_now*{REACHED} + (1 - sent_now)*{voltage}")
        lines.append(line)
        if line == f"{DUE} = {DUE} + {CROSSED}":
            lines += [f"sent_now = clip(sent_now + {CROSSED}, 0, 1)", f"{voltage} = below({voltage})"]
    return "\n".join(lines)


def _soft_threshold(cells: Population, dt_ms: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], bool]:
    """Return, in SI units, where the surrogate is centred and how wide it is, and whether cells make their own upstroke.

    Of each cell at its own operating point: wide as the distance to threshold where it makes its own upstroke, a fifth of that
    where the threshold is a condition.
    """
    if not cells.spiking:
        return np.zeros(()), np.ones(()), False
    model = cells.neuron()
    point = model.standing_point(cells.parameters, cells.constant_current, dt_ms)
    unit = unit_scale(next(state.unit for state in model.states if state.name == model.voltage))
    width = np.where(point.upstroke, point.distance, point.distance / 5.0)
    return point.threshold * unit, width * unit, bool(point.upstroke.any())


@torch.no_grad()
@takes_numbers()
def simulate_spec_torch(
    net: SpecNetwork, stimulus: Stimulus, dtype: torch.dtype = torch.float64, batch_size: int = 128
) -> tuple[dict[str, Spikes], npt.NDArray[np.float64]]:
    """Return the spikes of each population and the scores (trial, class) of the module's own forward pass.

    Raises
    ------
    DataError
        If the stimulus does not fit the network.
    """
    if (stimulus.n_units, stimulus.dt_ms) != (net.spec.n_inputs, net.spec.dt_ms):
        raise DataError(f"stimulus {stimulus.name}: {stimulus.n_units} units, dt {stimulus.dt_ms:g} ms do not fit the network.")
    kept: dict[str, list[Any]] = {}
    scores = []
    for start in range(0, stimulus.n_trials, batch_size):
        part = stimulus.select(start, min(start + batch_size, stimulus.n_trials))
        activity = net(torch.from_numpy(np.asarray(part.dense(np.float32))).to(dtype))
        scores.append(activity.scores.double().numpy())
        for name, z in activity.spikes.items():
            kept.setdefault(name, []).append(z.numpy().astype(np.uint8))
    spikes = {name: Spikes.from_dense(np.concatenate(parts), stimulus.dt_ms) for name, parts in kept.items()}
    return spikes, np.concatenate(scores)
