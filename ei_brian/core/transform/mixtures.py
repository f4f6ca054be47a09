"""Named mixtures of cell types."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np

from ei_brian.core.models.cell_types import cell_type
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import SpecError, unknown_name

__all__ = ["MIXTURES", "Mixture", "assign_types", "mixture"]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Shares of cell types, for excitatory and for inhibitory cells; they sum to one each."""

    name: str
    exc: Mapping[str, float]
    inh: Mapping[str, float]
    reference: str


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


CA3_COUNTS = {  # cells beside 1,814 pyramidal cells in the smaller circuit file of that group
    "Axo-axonic": 163, "Basket": 121, "Basket CCK+": 160, "Bistratified": 209, "Ivy": 104, "MFA ORDEN": 328,
    "QuadD-LM": 101, "LMR-targeting": 267, "Trilaminar": 209,
}  # fmt: skip
PERISOMATIC = {name: CA3_COUNTS[name] for name in ("Axo-axonic", "Basket", "Basket CCK+")}

MIXTURES: dict[str, Mixture] = {
    mixture.name: mixture
    for mixture in (
        Mixture("cortex FS", {"RS": 1.0}, {"FS": 1.0}, "Izhikevich 2003, fig. 2"),
        Mixture("cortex FS/LTS", {"RS": 1.0}, {"FS": 0.6, "LTS": 0.4}, "Izhikevich 2003, fig. 2; shares rounded from the "
                "40 % PV and 30 % SST cells of Rudy et al. 2011, Dev. Neurobiol. 71:45"),
        Mixture("cortex RS/IB/CH", {"RS": 0.8, "IB": 0.1, "CH": 0.1}, {"FS": 0.6, "LTS": 0.4},
                "Izhikevich 2003, fig. 2; shares of excitatory types are our own"),
        Mixture("hippocampus CA3", {"Pyramidal": 1.0}, _shares(CA3_COUNTS),
                "cell counts of the smaller circuit file of Kopsick et al. 2022"),
        Mixture("hippocampus CA3 perisomatic", {"Pyramidal": 1.0}, _shares(PERISOMATIC),
                "the perisomatic types of Kopsick et al. 2022, with the counts of its smaller circuit file"),
    )
}  # fmt: skip


@takes_numbers()
def mixture(mix: str | Mapping[str, float], role: str, where: str, own: Container[str] = ()) -> dict[str, float]:
    """Return the shares of a mixture given by name or by shares.

    Parameters
    ----------
    mix : str or mapping of cell type to share
        A name of `MIXTURES`, the name of one cell type, or shares > 0 that sum to one.
    role : {"exc", "inh"}
        Which half of a named mixture.
    where : str
        For the error.
    own : container of str
        Types of the user's own, which are known as well.

    Raises
    ------
    SpecError
        For unknown names, shares that are not positive, or a sum other than one.
    """
    if isinstance(mix, str):
        if mix in MIXTURES:
            return dict(MIXTURES[mix].exc if role == "exc" else MIXTURES[mix].inh)
        known = (*MIXTURES, *_type_names())
        if mix not in known:
            raise SpecError(unknown_name(f"{where}.mix", mix, known))
        return {mix: 1.0}
    if not mix:
        raise SpecError(f"{where}.mix: no types given; give shares that sum to 1, or 'none' to leave the network as it is.")
    for name, share in mix.items():
        if name not in own:
            cell_type(name, f"{where}.mix")
        if not (math.isfinite(share) and share > 0):
            raise SpecError(f"{where}.mix[{name!r}]: {share!r}; a share is a positive number.")
    total = sum(mix.values())
    if abs(total - 1.0) > 1e-6:
        raise SpecError(f"{where}.mix: the shares sum to {total:g}; they must sum to 1. Divide each by {total:g}.")
    return {name: float(share) for name, share in mix.items()}


def _type_names() -> tuple[str, ...]:
    from ei_brian.core.models.cell_types import CELL_TYPES

    return tuple(CELL_TYPES)


def assign_types(shares: Mapping[str, float], size: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Return a cell type for each neuron: shares rounded by the largest remainder, in random order."""
    names = list(shares)
    exact = np.array([shares[name] for name in names]) * size
    counts = np.floor(exact + 1e-9).astype(int)
    missing = size - int(counts.sum())
    for index in np.argsort(-(exact - counts), kind="stable")[:missing]:
        counts[index] += 1
    listed = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    return tuple(listed[index] for index in rng.permutation(size))
