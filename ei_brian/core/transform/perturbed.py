"""Which cells and which synapses a perturbation means."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.core.noise.seed import checked_seed
from ei_brian.core.projection import Projection
from ei_brian.core.receptor import CONDUCTANCES
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import SpecError, unknown_name

__all__ = ["chosen_cells", "chosen_synapses", "refuse_perturbed"]

Mask = npt.NDArray[np.bool_]
BETWEEN = re.compile(r"\s*(\w+)\s*(?:->|→)\s*(\w+)\s*")
ROLES = ("exc", "inh", "mixed", "readout")


def refuse_perturbed(spec: NetworkSpec, what: str) -> None:
    """Refuse to change the cells of a network under perturbation, or to fit them.

    Raises
    ------
    SpecError
        If cells are silenced, clamped, injected or evoked.
    """
    for population in spec.populations:
        if population.interventions:
            raise SpecError(
                f"{what}: population {population.name} is perturbed ({population.interventions[0].kind}). Put perturbations "
                "behind all other changes of a network."
            )


def chosen_cells(spec: NetworkSpec, target: str, share: float, seed: int, what: str) -> dict[str, Mask]:
    """Return which cells of which populations are meant, shape (size,) each.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    target : str
        A population, a cell type or a role.
    share : float
        Share of these cells; the nearest whole number of each population, drawn by the seed.
    seed : int
        Decides which; each population has a stream of its own.
    what : str
        Name of the perturbation, for messages.

    Raises
    ------
    SpecError
        For a target that is none, and a share beyond 0 to 1.
    """
    _check_share(share, f"{what} {target}")
    meant = {p.name: _meant(p.name, p.role, p.cell_types, p.size, target) for p in spec.cells}
    if not any(mask.any() for mask in meant.values()):
        known = {p.name for p in spec.cells} | {t for p in spec.cells for t in p.cell_types} | {p.role for p in spec.cells}
        raise SpecError(unknown_name(f"{what}: cells", target, known, "These are its populations, cell types and roles."))
    names = {p.name for p in spec.cells}
    if target in names:
        meant = {target: meant[target]}
    streams = np.random.SeedSequence(checked_seed(seed)).spawn(len(spec.populations))
    order = {p.name: number for number, p in enumerate(spec.populations)}
    return {name: _some(mask, share, np.random.default_rng(streams[order[name]])) for name, mask in meant.items()}


def _meant(name: str, role: str, cell_types: tuple[str, ...], size: int, target: str) -> Mask:
    if target in (name, role):
        return np.ones(size, dtype=bool)
    return np.array([one == target for one in cell_types], dtype=bool) if cell_types else np.zeros(size, dtype=bool)


def _some(mask: Mask, share: float, rng: np.random.Generator) -> Mask:
    """Return a share of what is meant, the rest set to False."""
    if share == 1:
        return mask
    meant = np.flatnonzero(mask)
    kept = rng.permutation(meant)[: round(share * meant.size)]
    made = np.zeros(mask.shape, dtype=bool)
    made.flat[kept] = True
    return made


def chosen_synapses(spec: NetworkSpec, target: str, share: float, seed: int, what: str) -> dict[str, Any]:
    """Return which synapses of which projections are meant: masks of the shape of their stored weights.

    Parameters
    ----------
    spec, share, seed, what
        As of `chosen_cells`.
    target : str
        A receptor, the name of a projection, two populations (``"E->I"``), or the cells that send.

    Raises
    ------
    SpecError
        For a target that is none, and a share beyond 0 to 1.
    """
    _check_share(share, f"{what} {target}")
    masks = _projections(spec, target, what)
    streams = np.random.SeedSequence(checked_seed(seed)).spawn(len(spec.projections))
    order = {p.name: number for number, p in enumerate(spec.projections)}
    return {name: _some(mask, share, np.random.default_rng(streams[order[name]])) for name, mask in masks.items()}


def _projections(spec: NetworkSpec, target: str, what: str) -> dict[str, Mask]:
    everything = {p.name: np.ones(p.weight_values().shape, dtype=bool) for p in spec.projections}
    between = BETWEEN.fullmatch(target)
    if target in everything:
        return {target: everything[target]}
    if between:
        found = [p.name for p in spec.projections if (p.source, p.target) == between.groups()]
        if not found:
            pairs = [f"{p.source}->{p.target}" for p in spec.projections]
            raise SpecError(unknown_name(f"{what}: synapses", target, pairs))
        return {name: everything[name] for name in found}
    if target in {*CONDUCTANCES, *(one.name for one in spec.own_synapses)}:
        found = [p.name for p in spec.projections if dict(spec[p.target].receptors).get(p.port) == target]
        if not found:
            raise SpecError(
                f"{what}: no synapse of this network is {target}; it has conductances after to_conductances. Where synapses are "
                "trained currents, name the cells that send: scale('inh', 0.7)."
            )
        return {name: everything[name] for name in found}
    return _sent_by(spec, target, what)


def _sent_by(spec: NetworkSpec, target: str, what: str) -> dict[str, Mask]:
    """Return the synapses that some cells, or an input, send."""
    inputs = {p.name: np.ones(p.size, dtype=bool) for p in spec.inputs if p.name == target}
    senders = inputs or chosen_cells(spec, target, 1.0, 0, what)
    made = {
        p.name: _from(p, senders[p.source]) for p in spec.projections if p.source in senders and senders[p.source].any()
    }
    if not made:
        raise SpecError(f"{what}: {target} sends to nobody.")
    return made


def _from(projection: Projection, senders: Mask) -> Mask:
    if not projection.sparse:
        return np.broadcast_to(senders[None, :], projection.weights.shape).copy()
    table: Any = projection.weights
    return np.asarray(senders[table.indices])


def _check_share(share: float, where: str) -> None:
    if not 0 <= share <= 1:
        raise SpecError(f"{where}: share {share!r}; give 0 to 1.")
