"""Short-term plasticity of the synapses of a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ei_brian.core.models.plasticity_pairs import pair_plasticity
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.population import Population
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.delays import chosen_projections
from ei_brian.core.transform.pipe import pipeable
from ei_brian.errors import SpecError

__all__ = ["with_short_term_plasticity"]


@pipeable
@takes_numbers()
def with_short_term_plasticity(
    spec: NetworkSpec, projections: str = "inh", *, plasticity: TsodyksMarkram | None = None
) -> NetworkSpec:
    """Let synapses depress and facilitate: ``spec | with_short_term_plasticity()``.

    The first spike after rest has the full trained weight; the following ones less or more.

    Parameters
    ----------
    spec : NetworkSpec
        A network; left out behind ``|``.
    projections : str
        ``"inh"`` or ``"exc"``: those between cells from sources of that role; ``"recurrent"``: both; the name of one; or
        ``"none"``, which leaves the network as it is.
    plasticity : TsodyksMarkram, optional
        The same for all. Without it each projection has that of its pair of cell types (`models.plasticity_pairs`), averaged
        over the cells of both populations: plasticity belongs to a source neuron, and one set of numbers to a projection.

    Raises
    ------
    SpecError
        For unknown projections, inputs as sources, and cell types of which no pair is known.
    """
    if projections == "none":
        return spec
    made, used = [], {}
    chosen = {p.name for p in chosen_projections(spec, projections, "with_short_term_plasticity")}
    for projection in spec.projections:
        if projection.name in chosen:
            source, target = spec[projection.source], spec[projection.target]
            one = plasticity or _of_pair(source, target, projection.name)
            projection = replace(projection, plasticity=one)
            used[projection.name] = [one.utilization, one.tau_u_ms, one.tau_x_ms]
        made.append(projection)
    return replace(spec, projections=tuple(made)).with_provenance("with_short_term_plasticity", utilization_tau_u_tau_x=used)


def _of_pair(source: Population, target: Population, name: str) -> TsodyksMarkram:
    targets = sorted(set(target.cell_types)) or ["Pyramidal"]
    shares = {kind: target.cell_types.count(kind) or 1 for kind in targets}
    values, weights = [], []
    for kind in sorted(set(source.cell_types)):
        for other, share in shares.items():
            found = pair_plasticity(kind, other)
            if found is not None:
                values.append([found.utilization, found.tau_u_ms, found.tau_x_ms])
                weights.append(share * source.cell_types.count(kind))
    if not values:
        raise SpecError(
            f"with_short_term_plasticity: no pair of types of {source.name} and {target.name} is known for projection {name}; "
            "give plasticity=TsodyksMarkram(…), or diversify the source first."
        )
    mean = np.average(np.array(values), axis=0, weights=np.array(weights, dtype=np.float64))
    return TsodyksMarkram(*(float(value) for value in mean))
