"""Short-term plasticity of named pairs of cell types."""

from __future__ import annotations

from collections.abc import Mapping

from ei_brian.core.plasticity import TsodyksMarkram

__all__ = ["CA3_PAIRS", "CORTICAL_INHIBITORY", "CORTICAL_TYPES", "pair_plasticity"]

# Moradi & Ascoli 2020 (Hippocampome.org) as set in the CARLsim configuration of Kopsick et al. 2022: U, tau_u, tau_x, and
# tau_decay, which is not used: a synapse decays with the time constant of the trained network or of its receptor
CA3_TABLE: dict[tuple[str, str], tuple[float, float, float, float]] = {
    ("Pyramidal", "Pyramidal"): (0.177173426, 39.41409758, 493.6195595, 10.81725865),
    ("Pyramidal", "Axo-axonic"): (0.17816195, 33.42820332, 817.0342011, 8.167547377),
    ("Pyramidal", "Basket"): (0.137496865, 25.73406064, 864.5013776, 7.678347856),
    ("Pyramidal", "Basket CCK+"): (0.15118797, 28.32182342, 735.1808146, 8.156513136),
    ("Pyramidal", "Bistratified"): (0.105352106, 21.2664278, 944.132605, 8.357584961),
    ("Pyramidal", "Ivy"): (0.156189969, 22.85063359, 999.0103599, 8.466011695),
    ("Pyramidal", "MFA ORDEN"): (0.19845995, 45.21337748, 547.766236, 8.286345583),
    ("Pyramidal", "QuadD-LM"): (0.170544117, 37.89155876, 640.2646697, 8.817565535),
    ("Pyramidal", "LMR-targeting"): (0.130176816, 37.68735406, 728.8787787, 8.970320044),
    ("Pyramidal", "Trilaminar"): (0.15681333, 25.9420068, 695.5097455, 8.630718152),
    ("Axo-axonic", "Pyramidal"): (0.259914361, 17.20004939, 435.8103009, 10.71107251),
    ("Basket", "Pyramidal"): (0.216204016, 17.52835258, 533.5284513, 11.34964374),
    ("Basket CCK+", "Pyramidal"): (0.203567174, 25.03255541, 653.5301443, 12.69947786),
    ("Bistratified", "Pyramidal"): (0.173165863, 39.75945564, 497.9877062, 11.70630159),
    ("Ivy", "Pyramidal"): (0.045297728, 18.28338527, 114.5641985, 10.14648277),
    ("MFA ORDEN", "Pyramidal"): (0.157847979, 65.61972279, 549.3580329, 11.2564576),
    ("QuadD-LM", "Pyramidal"): (0.188797554, 50.75642594, 331.3275611, 13.675978),
    ("Trilaminar", "Pyramidal"): (0.192964925, 20.34984037, 630.1862229, 13.71240857),
    ("Basket", "Basket"): (0.202909789, 16.91556274, 712.0540919, 8.600964509),
}
CA3_PAIRS: dict[tuple[str, str], TsodyksMarkram] = {
    pair: TsodyksMarkram(*values[:3]) for pair, values in CA3_TABLE.items()
}

# Gupta, Wang & Markram 2000, Science 287:273, table 1: interneurons of the neocortex, facilitating (F1), depressing (F2) and
# recovering (F3) synapses
CORTICAL_INHIBITORY: dict[str, TsodyksMarkram] = {
    "F1": TsodyksMarkram(0.16, 376.0, 45.0),
    "F2": TsodyksMarkram(0.25, 21.0, 706.0),
    "F3": TsodyksMarkram(0.32, 62.0, 144.0),
}
CORTICAL_TYPES: Mapping[str, str] = {"FS": "F2", "LTS": "F1"}


def pair_plasticity(source: str, target: str) -> TsodyksMarkram | None:
    """Return the plasticity from one cell type to another; None where no publication of the catalogue has it.

    The table holds pairs with pyramidal cells and a few others; its source has plasticity for 68 pairs of interneurons as well,
    59 of which are not in it. An interneuron of CA3 onto a cell whose pair is not in it has its plasticity onto pyramidal cells
    instead; a cortical interneuron has the class of its type.
    """
    if (source, target) in CA3_PAIRS:
        return CA3_PAIRS[source, target]
    if source in CORTICAL_TYPES:
        return CORTICAL_INHIBITORY[CORTICAL_TYPES[source]]
    return CA3_PAIRS.get((source, "Pyramidal"))
