"""Replace trained cells by cells of real types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ei_brian.core.model_data import model_data
from ei_brian.core.models.cell_types import CellType, cell_type
from ei_brian.core.models.step_errors import step_error_words
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.noise.seed import checked_seed
from ei_brian.core.parts import DIVIDED, Part, divided
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.population import Population
from ei_brian.core.quantity import FIXED_KINDS, FloatArray
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.drive_map import RECEPTORS, DriveMap, first_map, mapped_cells
from ei_brian.core.transform.mixtures import assign_types, mixture
from ei_brian.core.transform.own_types import OwnType, named_mix
from ei_brian.core.transform.perturbed import refuse_perturbed
from ei_brian.core.transform.pipe import pipeable
from ei_brian.core.transform.trained_drive import bias_current, trained_drive
from ei_brian.errors import SpecError, unknown_name

__all__ = ["diversify", "populations_of"]

LARGEST_JITTER = 0.3
VOLT_SPREAD_MV = 20.0  # a jitter of 1 moves a potential by this much


@pipeable
@takes_numbers()
def diversify(
    spec: NetworkSpec, mix: str | OwnType | Mapping[Any, float] = "cortex FS/LTS", population: str = "inh", *,
    jitter: float = 0.0, seed: int = 0,
) -> NetworkSpec:  # fmt: skip
    """Replace trained integrate-and-fire cells by a mixture of real cell types: ``spec | diversify(mix="hippocampus CA3")``.

    The weights stay as trained. What the synapses of a cell collect, its trained drive ``g``, becomes a current
    ``gain*g + offset`` in the cell's own unit; the first such map is fitted, for each type, to the trained kind of cell under a
    synthetic fluctuating drive. `calibrate` then fits it to the drive that the network really gives.

    The first map takes the current that the drive asks for, which may hold cells outside of where their type rests
    (`where_cells_stand` tells); only `calibrate` keeps them within these bounds.

    Parameters
    ----------
    spec : NetworkSpec
        A network of leaky integrate-and-fire cells, of this package or imported; left out behind ``|``. Cells of an imported
        network are excitatory or inhibitory once `split_by_sign` has made them so; before it, name a population.
    mix : str, model, recorded cells, or mapping of these to shares
        A named mixture (`mixtures.MIXTURES`), one cell type, or shares that sum to one; ``"none"`` leaves the network as it is. A
        model from `ei_brian.cell`, and cells from `cells_from_csv`, stand where a name does. Types of several models divide the
        population into one of each model, ``NAME_MODEL``, with the weights that its neurons had.
    population : str
        A role (``"inh"``, ``"exc"``), the name of a population, or ``"all"`` for every cell but inputs and readout.
    jitter : float
        Spread of the parameters of each cell around those of its type: standard deviation as a share of the value (potentials:
        of 20 mV), cut at two standard deviations. 0 to 0.3.
    seed : int
        Decides which cell gets which type, and the jitter.

    Raises
    ------
    SpecError
        For unknown types or populations, shares that do not sum to one, and cells that have no trained drive.
    ConfigError
        For a seed that is not a whole number from 0 to 2**64 - 1.

    Examples
    --------
    >>> import ei_brian as ei
    >>> bio = spec | ei.diversify(mix={"FS": 0.6, "LTS": 0.4}, seed=1)  # doctest: +SKIP
    """
    if not 0 <= jitter <= LARGEST_JITTER:
        raise SpecError(f"diversify.jitter: {jitter!r}; allowed is 0 to {LARGEST_JITTER}.")
    refuse_perturbed(spec, "diversify")
    chosen = populations_of(spec, population, "diversify")
    if isinstance(mix, str) and mix == "none":
        return spec
    made = spec
    for target, stream in zip(chosen, np.random.SeedSequence(checked_seed(seed)).spawn(len(spec.populations)), strict=False):
        role = "exc" if target.role == "exc" else "inh"
        names, own = named_mix(mix, role, "diversify")
        shares = mixture(names, role, "diversify", own)
        kinds = {name: own.get(name) or cell_type(name) for name in shares}
        rng = np.random.default_rng(stream)
        assigned = assign_types(shares, target.size, rng)
        made, parts = _by_model(made, target, assigned, kinds)
        for part, types in parts:
            used = {name: kinds[name] for name in shares if name in set(types)}
            cells, maps = _swapped(part, types, used, jitter, rng, spec.dt_ms)
            given = {name: shares[name] for name in used} if len(parts) > 1 else shares
            made = _with_cells(made, part, cells).with_provenance(
                "diversify", population=part.name, mix=given, jitter=jitter, seed=seed, from_model=part.model,
                trained={name: np.asarray(values).tolist() for name, values in part.parameters.items()}, first_map=maps,
                **({"from_own": model_data(part.own)} if part.own is not None else {}),
                **({"ports": ports} if (ports := _other_ports(made, part)) else {}),
                step_error=step_error_words(given, spec.dt_ms),
                **({"own_types": mine} if (mine := {n: dict(kind.parameters) for n, kind in own.items() if n in used}) else {}),
            )  # fmt: skip
    return made


def _by_model(
    spec: NetworkSpec, target: Population, assigned: tuple[str, ...], kinds: Mapping[str, CellType]
) -> tuple[NetworkSpec, list[tuple[Population, tuple[str, ...]]]]:
    """Divide a population so that each part has cells of one model; return the parts with the types of their neurons."""
    models = [kinds[name].neuron().name for name in assigned]
    if len(set(models)) == 1:
        return spec, [(target, assigned)]
    if target.neuron().margin:
        raise SpecError(f"diversify: of population {target.name} only one neuron fires at a time; take cell types of one model.")
    if spec.readout is not None and spec.readout.population == target.name:
        raise SpecError(f"diversify: population {target.name} is read out, and cannot be divided; take cell types of one model.")
    parts = tuple(
        Part(f"{target.name}_{model}", target.role, np.flatnonzero([mine == model for mine in models]))
        for model in dict.fromkeys(kinds[name].neuron().name for name in kinds) if model in models
    )  # fmt: skip
    made = divided(spec, {target.name: parts}).with_provenance(
        DIVIDED, population=target.name, role=target.role, neurons={part.name: part.neurons.tolist() for part in parts}
    )
    return made, [(made[part.name], tuple(assigned[place] for place in part.neurons)) for part in parts]


def _other_ports(spec: NetworkSpec, target: Population) -> dict[str, str]:
    return {p.name: p.port for p in spec.projections if p.target == target.name and p.port != RECEPTORS[0][0]}


def _with_cells(spec: NetworkSpec, old: Population, cells: Population) -> NetworkSpec:
    ports = _other_ports(spec, old)
    populations = tuple(cells if p.name == old.name else p for p in spec.populations)
    projections = tuple(replace(p, port=RECEPTORS[0][0]) if p.name in ports else p for p in spec.projections)
    return replace(spec, populations=populations, projections=projections)


def populations_of(spec: NetworkSpec, population: str, where: str) -> tuple[Population, ...]:
    """Return the populations meant by a role, a name or ``"all"``: cells that are neither input, readout nor relay.

    Raises
    ------
    SpecError
        If there is none.
    """
    cells = [p for p in spec.cells if p.role != "readout" and not p.relay]
    chosen = tuple(p for p in cells if population in ("all", p.role, p.name))
    if not chosen:
        allowed = sorted({"all", *(p.role for p in cells), *(p.name for p in cells)})
        split = " Neurons of mixed signs get a role by split_by_sign." if any(p.role == "mixed" for p in cells) else ""
        raise SpecError(unknown_name(f"{where}.population", population, allowed) + split)
    return chosen


def _swapped(
    old: Population, types: tuple[str, ...], kinds: Mapping[str, CellType], jitter: float, rng: np.random.Generator, dt_ms: float
) -> tuple[Population, dict[str, Any]]:
    model = next(iter(kinds.values())).neuron()
    trained_drive(old, dt_ms, "diversify")  # refuses cells that have none
    _check_step(old, model, dt_ms)
    maps = {name: first_map(kind, old, dt_ms) for name, kind in kinds.items()}
    parameters = type_parameters(types, kinds, jitter, rng)
    for key, attribute in (("gain_g", "gain"), ("offset_g", "offset"), ("tau_g", "tau_ms")):
        parameters[key] = np.array([getattr(maps[name], attribute) for name in types])
    parameters["offset_g"] = parameters["offset_g"] + bias_current(old, parameters["gain_g"], parameters["tau_g"], dt_ms)
    cells = mapped_cells(model, old.size, old.role, parameters, old.name, types)
    return cells, {name: _as_data(made) for name, made in maps.items()}


def _check_step(old: Population, model: NeuronModel, dt_ms: float) -> None:
    limit = model.max_dt_ms
    if dt_ms <= limit:
        return
    instead = f"Make the step smaller first, for example with refine_dt(spec, {dt_ms / np.ceil(dt_ms / limit):g})."
    if old.neuron().method == "recurrence":
        instead = f"How long a step is you say when you import a network: import it again with dt_ms={limit:g} or less."
    where = f"diversify: population {old.name}"
    raise SpecError(f"{where} has steps of {dt_ms:g} ms, and cells of {model.name} allow {limit:g} ms at the most. {instead}")


def _as_data(made: DriveMap) -> dict[str, float]:
    return {name: float(getattr(made, name)) for name in DriveMap.__dataclass_fields__}


def type_parameters(
    names: tuple[str, ...], types: Mapping[str, CellType], jitter: float, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Return the parameters of each cell: those of its type, spread by the jitter."""
    kinds = [types[name] for name in names]
    model = kinds[0].neuron()
    made: dict[str, FloatArray] = {}
    for parameter in model.parameters:
        if parameter.kind == "initial":
            continue
        values = np.array([kind.parameters.get(parameter.name, parameter.default) for kind in kinds])
        if jitter and parameter.kind not in FIXED_KINDS:
            spread = np.clip(rng.standard_normal(values.size), -2.0, 2.0) * jitter
            values = values + spread * (VOLT_SPREAD_MV if (parameter.kind, parameter.unit) == ("potential", "mV") else values)
        made[parameter.name] = values
    return made
