"""Random networks over all that a spec can say, own cells and perturbations too, with input and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ei_brian.core.models import MODELS, neuron_model
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.models.passing import RELAY_NAME, WEIGHTED_SUM
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.noise import Noise
from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import READOUT_KINDS, Readout
from ei_brian.core.receptor import CONDUCTANCES as OPENED_BY
from ei_brian.core.schedule import layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.targets import Targets
from ei_brian.core.transform import perturbation
from ei_brian.core.transform.pipe import Transform
from ei_brian.sim.own_cells.cell import cell

__all__ = ["Case", "random_case"]

GAINS = {"pA": 250.0, "mV/ms": 10.0, "1": 1.0}  # current of a drive of one, so that cells fire
CONDUCTANCES = {"AMPA": 3.0, "NMDA": 1.0, "GABA_A": 3.0, "GABA_B": 0.5}  # nS a synapse, about
VARIED = ("tau", "decay", "v_threshold", "bias", "t_ref")  # parameters that may differ from their default
SILENT = 0.05  # chance of a trial set without a spike
PASSING = (RELAY_NAME, WEIGHTED_SUM.name)
OWN = {  # equations, threshold, reset, method, ports, and values whose size is that of the trained drive or of volts and amperes
    "fuzz_adapting": (
        "dv/dt = (-v + I - w)/tau : 1\ndw/dt = (a*v**2 - w)/tau_w : 1", "v > theta", "v = 0; w += b", "rk2", (),
        {"tau": 0.01, "tau_w": 0.05, "a": 0.2, "b": 0.3, "theta": 0.8},
    ),
    "fuzz_two_states": (
        "dv/dt = (-v + d)/tau : 1\ndd/dt = (exp(-v**2) - 1 - d)/tau_d : 1", "v > 0.4 and d > 0", "v = 0; d *= 0.5", "euler",
        ("d",), {"tau": 0.008, "tau_d": 0.012},
    ),
    "fuzz_refractory": ("dv/dt = (I - v)/tau : 1 (unless refractory)", "v >= 1", "v = 0", "euler", (), {"tau": 0.01}),
}  # fmt: skip
PERTURBED = 0.25
Generator = np.random.Generator


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to run: the arguments of `Backend.run`."""

    spec: NetworkSpec
    stimulus: Stimulus
    noise: Noise | None
    seed: int


def random_case(seed: int) -> Case:
    """Return the case of that number: always the same one.

    Raises
    ------
    EIBrianError
        Where the dice ask for a network that is refused, which is an answer too.
    """
    rng = np.random.default_rng([seed, 1])
    inputs = [Population(f"in{k}", int(rng.integers(1, 12)), "input") for k in range(rng.integers(1, 3))]
    cells = [_cells(rng, f"P{k}") for k in range(rng.integers(1, 4))]
    projections = _projections(rng, inputs, cells)
    dt_ms = float(rng.choice([1.0, 1.0, 0.5, 0.1]))
    last = cells[-1]
    kinds = [kind for kind in READOUT_KINDS if last.spiking or kind.endswith(" v")]
    readout = Readout(last.name, str(rng.choice(kinds))) if rng.random() < 0.7 else None
    populations = (*inputs, *cells)
    schedule = layerwise_schedule(populations, projections) if rng.random() < 0.4 else ()
    spec = NetworkSpec(populations, tuple(projections), dt_ms, readout, schedule)
    if rng.random() < PERTURBED:
        spec = _perturbed(rng, spec)
    return Case(spec, _stimulus(rng, spec), _noise(rng) if rng.random() < 0.6 else None, int(rng.integers(2**63)))


def _cells(rng: Generator, name: str) -> Population:
    size = int(rng.integers(1, 14))
    if rng.random() < 0.45:
        kinds = list(rng.choice(list(CELL_TYPES), size=int(rng.integers(1, 4))))
        models = {CELL_TYPES[kind].model for kind in kinds}
        return _of_types(rng, name, size, [kind for kind in kinds if CELL_TYPES[kind].model == sorted(models)[0]])
    model = _model(rng)
    receptors = _receptors(rng, model)
    parameters = _drives(rng, model, receptors)
    for parameter in model.parameters:
        if rng.random() < 0.3 and parameter.default and parameter.name.startswith(VARIED):
            spread = rng.uniform(0.8, 1.2, size) if rng.random() < 0.5 else rng.uniform(0.8, 1.2)
            parameters[parameter.name] = np.clip(parameter.default * spread, parameter.low, parameter.high)
    role = str(rng.choice(["exc", "inh", "mixed"])) if model.threshold else "readout"
    dead = rng.random(size) < 0.3 if rng.random() < 0.1 else np.zeros(0, dtype=bool)
    own = model if model.name in OWN else model.name
    return Population(name, size, role, own, receptors, parameters, dead=dead)  # type: ignore[arg-type]


def _model(rng: Generator) -> NeuronModel:
    """Return a model of the catalogue, a relay or a sum, a cell that takes the largest of several drives, or one's own."""
    dice = rng.random()
    if dice < 0.12:
        return _own(str(rng.choice(list(OWN))))
    if dice < 0.2:
        return neuron_model(str(rng.choice(PASSING)))
    if dice < 0.28:
        bases = [name for name, model in MODELS.items() if "drive" in model.ports]
        return neuron_model(f"{rng.choice(bases)}_of_largest_{rng.integers(2, 5)}")
    return MODELS[str(rng.choice(list(MODELS)))]


@cache
def _own(name: str) -> NeuronModel:
    from brian2 import second

    equations, threshold, reset, method, ports, values = OWN[name]
    units = {key: value * second if key.startswith("tau") else value for key, value in values.items()}
    refractory = 0.003 * second if "refractory" in equations else ""
    return cell(
        equations, threshold=threshold, reset=reset, method=method, parameters=units, ports=ports, name=name,
        refractory=refractory, input_current="" if ports else "I",
    )  # fmt: skip


def _perturbed(rng: Generator, spec: NetworkSpec) -> NetworkSpec:
    """Return a network with one or two perturbations of cells or synapses, for a while or for good, of all or a share."""
    for _ in range(int(rng.integers(1, 3))):
        cells, synapses = (str(rng.choice([one.name for one in of] or [""])) for of in (spec.cells, spec.projections))
        some = {"share": float(rng.choice([1.0, 0.5])), "seed": int(rng.integers(100))}
        when = {"from_ms": float(rng.integers(0, 20)), "to_ms": float(rng.integers(21, 60))} if rng.random() < 0.7 else {}
        size = GAINS.get(spec[cells].neuron().input_unit, 1.0) * float(rng.uniform(-0.5, 2))
        made: list[Transform] = [
            perturbation.Clamp(cells, potential=0.1, **when, **some), perturbation.Inject(cells, current=size, **when, **some),
        ]  # fmt: skip
        if spec[cells].spiking:
            every = float(rng.integers(2, 9))
            made += [perturbation.Silence(cells, **when, **some), perturbation.Evoke(cells, every_ms=every, **when, **some)]
        if synapses:
            made += [
                perturbation.Scale(synapses, float(rng.uniform(0, 2)), **some), perturbation.Lesion(synapses, **some),
                perturbation.ChangeDelay(synapses, float(rng.integers(0, 5)), **some),
            ]  # fmt: skip
        spec = made[int(rng.integers(len(made)))](spec)
    return spec


def _of_types(rng: Generator, name: str, size: int, kinds: Sequence[str]) -> Population:
    """Return a population of several cell types of one model."""
    chosen = rng.choice(kinds, size=size)
    model = MODELS[CELL_TYPES[kinds[0]].model]
    receptors = _receptors(rng, model)
    own = {key for kind in kinds for key in CELL_TYPES[kind].parameters}
    defaults = {parameter.name: parameter.default for parameter in model.parameters}
    values: dict[str, npt.ArrayLike] = {}
    values |= {key: np.array([float(CELL_TYPES[k].parameters.get(key, defaults[key])) for k in chosen]) for key in own}
    roles = {CELL_TYPES[kind].role for kind in kinds}
    role = "mixed" if len(roles) > 1 or rng.random() < 0.3 else roles.pop()
    values |= _drives(rng, model, receptors)
    return Population(name, size, role, model.name, receptors, values, tuple(map(str, chosen)))


def _receptors(rng: Generator, model: NeuronModel) -> tuple[tuple[str, str], ...]:
    if not model.input_current:
        return ()
    chosen = [("g", "exponential_current")] if rng.random() < 0.6 else []
    chosen += [(f"c{k}", kind) for k, kind in enumerate(CONDUCTANCES) if rng.random() < (0.3 if chosen else 0.6)]
    if not chosen or rng.random() < 0.3:
        chosen.append(("bias", "constant_current"))
    return tuple(chosen)


def _drives(rng: Generator, model: NeuronModel, receptors: Sequence[tuple[str, str]]) -> dict[str, npt.ArrayLike]:
    gain = GAINS.get(model.input_unit, 1.0)
    values: dict[str, npt.ArrayLike] = {}
    for port, kind in receptors:
        if kind == "exponential_current":
            values |= {f"gain_{port}": gain * rng.uniform(0.5, 2), f"offset_{port}": 0.3 * gain * rng.normal()}
            values |= {f"tau_{port}": rng.uniform(2, 10)} if rng.random() < 0.5 else {}
        elif kind == "constant_current":
            values[f"offset_{port}"] = gain * rng.uniform(0, 1.5)
    return values


def _projections(rng: Generator, inputs: Sequence[Population], cells: Sequence[Population]) -> list[Projection]:
    sources = [*inputs, *(cell for cell in cells if cell.spiking)]
    made = []
    for source in sources:
        for target in cells:
            feeds = 0.9 if source.role == "input" else 0.45
            for number, (port, kind) in enumerate(_ports(target)):
                if rng.random() < feeds / (1 + number) and _opens(source, kind):
                    made.append(_projection(rng, source, target, port, kind, f"s{len(made)}"))
    return made


def _opens(source: Population, kind: str) -> bool:
    """Return whether a source may open that receptor; one without a sign may open any."""
    return source.role not in ("exc", "inh") or OPENED_BY.get(kind, source.role) == source.role


def _ports(cell: Population) -> list[tuple[str, str]]:
    """Return what can be projected on, with the kind of receptor, or nothing for a model's own port."""
    if cell.receptors:
        return [(port, kind) for port, kind in cell.receptors if kind != "constant_current"]
    return [(port, "") for port in cell.neuron().ports]


def _projection(rng: Generator, source: Population, target: Population, port: str, kind: str, name: str) -> Projection:
    shape = (target.size, source.size)
    weights = rng.uniform(0.1, 1.5, shape) * CONDUCTANCES.get(kind, 1.0 if source.role == "input" else 0.4)
    if kind not in CONDUCTANCES:
        sign = {"exc": 1.0, "inh": -1.0}.get(source.role)
        weights *= sign if sign else rng.choice([1.0, 1.0, -0.5], size=shape)
    keep = rng.random(shape) < rng.choice([1.0, 0.6, 0.2, 0.0], p=[0.5, 0.25, 0.2, 0.05])
    table: object = np.where(keep, weights, 0.0).astype(rng.choice(["float32", "float64"]))
    if rng.random() < 0.4:
        table = sparse.csr_array(table)
    per_synapse = table.nnz if sparse.issparse(table) else shape
    delays = (0, int(rng.integers(0, 9)), rng.integers(0, 6, per_synapse).astype(np.int32))
    delay = delays[int(rng.choice(3, p=[0.5, 0.25, 0.25]))]
    plastic = None
    if source.role != "input" and rng.random() < 0.25:
        plastic = TsodyksMarkram(rng.uniform(0.05, 1), rng.uniform(5, 300), rng.uniform(5, 500))
    return Projection(source.name, target.name, table, port, delay, plastic, name)


def _stimulus(rng: Generator, spec: NetworkSpec) -> Stimulus:
    trials, steps = int(rng.choice([1, 2, 5])), int(rng.choice([1, 7, 40, 60]))
    shape = (trials, steps, spec.n_inputs)
    active = rng.random(shape) < (0.0 if rng.random() < SILENT else rng.uniform(0.02, 0.4))
    labelled = spec.readout is not None and rng.random() < 0.7
    n_classes = spec[spec.readout.population].size if spec.readout is not None and labelled else 0
    labels = rng.integers(0, n_classes, trials) if labelled else None
    if rng.random() < 0.2:
        return Stimulus.from_currents(np.where(active, rng.normal(0.5, 0.7, shape), 0.0), spec.dt_ms, labels, n_classes)
    made = Stimulus(Spikes.from_dense(active, spec.dt_ms), labels, n_classes)
    return replace(made, targets=Targets(rng.normal(size=(trials, steps, 2)), spec.dt_ms)) if rng.random() < 0.2 else made


def _noise(rng: Generator) -> Noise:
    """Return one to three kinds of noise at moderate levels."""
    kinds = [kind for kind in NOISE_KINDS.values() if not kind.setting_of]
    chosen = rng.choice(len(kinds), size=int(rng.integers(1, 4)), replace=False)
    levels = {}
    for index in chosen:
        kind = kinds[index]
        likely = 200.0 if kind.unit.startswith("Hz") else 2.0 if kind.unit == "ms" else 0.3
        levels[kind.field] = float(rng.integers(2, 9)) if kind.unit == "bits" else min(kind.high, likely * rng.uniform(0.2, 2))
    if "correlation" in NOISE_KINDS and rng.random() < 0.3:
        levels["correlation"] = float(rng.random())
    return Noise(**levels)
