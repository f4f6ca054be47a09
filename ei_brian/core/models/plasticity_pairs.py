"""Short-term plasticity of named pairs of cell types."""

from __future__ import annotations

from collections.abc import Mapping

from ei_brian.core.plasticity import TsodyksMarkram

__all__ = ["CA3_PAIRS", "CORTICAL_INHIBITORY", "CORTICAL_TYPES", "pair_plasticity"]

# U, tau_u, tau_x. Moradi & Ascoli 2020 (Hippocampome.org) as set in the CARLsim configuration of Kopsick et al. 2022: all pairs
# that it has, 68 of them from interneurons; two types that it does not join have none. The decay of a synapse is that of the
# trained network or of its receptor
CA3_TABLE: dict[tuple[str, str], tuple[float, float, float]] = {
    ("Pyramidal", "Pyramidal"): (0.177173426, 39.41409758, 493.6195595),
    ("Pyramidal", "Axo-axonic"): (0.17816195, 33.42820332, 817.0342011),
    ("Pyramidal", "Basket"): (0.137496865, 25.73406064, 864.5013776),
    ("Pyramidal", "Basket CCK+"): (0.15118797, 28.32182342, 735.1808146),
    ("Pyramidal", "Bistratified"): (0.105352106, 21.2664278, 944.132605),
    ("Pyramidal", "Ivy"): (0.156189969, 22.85063359, 999.0103599),
    ("Pyramidal", "MFA ORDEN"): (0.19845995, 45.21337748, 547.766236),
    ("Pyramidal", "QuadD-LM"): (0.170544117, 37.89155876, 640.2646697),
    ("Pyramidal", "LMR-targeting"): (0.130176816, 37.68735406, 728.8787787),
    ("Pyramidal", "Trilaminar"): (0.15681333, 25.9420068, 695.5097455),
    ("LMR-targeting", "LMR-targeting"): (0.102218328, 66.57693323, 508.331419),
    ("LMR-targeting", "QuadD-LM"): (0.153890489, 65.18673165, 429.843055),
    ("LMR-targeting", "Axo-axonic"): (0.180888581, 51.3279926, 550.9949908),
    ("LMR-targeting", "Basket"): (0.130889563, 25.92482599, 641.8299594),
    ("LMR-targeting", "Basket CCK+"): (0.14914348, 51.56911788, 527.7664356),
    ("LMR-targeting", "Bistratified"): (0.070774287, 23.79219334, 591.537059),
    ("LMR-targeting", "Ivy"): (0.147154877, 20.44877538, 850.2357302),
    ("LMR-targeting", "MFA ORDEN"): (0.178577768, 67.01256464, 385.6138994),
    ("LMR-targeting", "Pyramidal"): (0.141749854, 66.64159269, 363.0553799),
    ("QuadD-LM", "LMR-targeting"): (0.152046951, 54.70579097, 504.4469131),
    ("QuadD-LM", "Axo-axonic"): (0.227291526, 39.73410017, 525.2333483),
    ("QuadD-LM", "Basket"): (0.174447661, 23.72875566, 634.710816),
    ("QuadD-LM", "Basket CCK+"): (0.17682376, 39.96207846, 483.8834589),
    ("QuadD-LM", "Pyramidal"): (0.188797554, 50.75642594, 331.3275611),
    ("Axo-axonic", "Pyramidal"): (0.259914361, 17.20004939, 435.8103009),
    ("Basket", "QuadD-LM"): (0.229910977, 18.25210028, 620.0839267),
    ("Basket", "Axo-axonic"): (0.259550011, 21.55840998, 728.7609299),
    ("Basket", "Basket"): (0.202909789, 16.91556274, 712.0540919),
    ("Basket", "Basket CCK+"): (0.215686662, 15.50819894, 748.3233594),
    ("Basket", "Bistratified"): (0.116935135, 9.936730429, 610.8062676),
    ("Basket", "MFA ORDEN"): (0.239996508, 22.06307668, 584.4592928),
    ("Basket", "Pyramidal"): (0.216204016, 17.52835258, 533.5284513),
    ("Basket CCK+", "QuadD-LM"): (0.196788544, 22.82022867, 779.6541624),
    ("Basket CCK+", "Axo-axonic"): (0.187726511, 22.95739819, 831.280778),
    ("Basket CCK+", "Basket"): (0.131089615, 19.10146603, 696.9988518),
    ("Basket CCK+", "Basket CCK+"): (0.157336639, 17.34413771, 917.3953648),
    ("Basket CCK+", "Bistratified"): (0.061779984, 12.2147064, 507.334051),
    ("Basket CCK+", "MFA ORDEN"): (0.207573084, 27.72250844, 749.8373852),
    ("Basket CCK+", "Pyramidal"): (0.203567174, 25.03255541, 653.5301443),
    ("Bistratified", "LMR-targeting"): (0.122948332, 37.28962162, 608.2464892),
    ("Bistratified", "QuadD-LM"): (0.172951581, 41.54957197, 569.7892129),
    ("Bistratified", "Axo-axonic"): (0.181065594, 34.29954214, 659.8911124),
    ("Bistratified", "Basket"): (0.129240835, 22.64080308, 640.2428024),
    ("Bistratified", "Basket CCK+"): (0.156903502, 39.2576303, 605.6495433),
    ("Bistratified", "Bistratified"): (0.042258508, 10.79281828, 431.6435473),
    ("Bistratified", "Ivy"): (0.154671807, 21.03208306, 848.7570227),
    ("Bistratified", "Trilaminar"): (0.116408248, 22.492265, 496.2191667),
    ("Bistratified", "MFA ORDEN"): (0.188516356, 49.45405723, 515.6774021),
    ("Bistratified", "Pyramidal"): (0.173165863, 39.75945564, 497.9877062),
    ("Ivy", "LMR-targeting"): (0.017980751, 8.587541043, 71.28807307),
    ("Ivy", "QuadD-LM"): (0.054801761, 20.24614139, 134.3179824),
    ("Ivy", "Axo-axonic"): (0.042875836, 13.58698624, 93.06277339),
    ("Ivy", "Basket"): (0.018759865, 6.097950156, 73.37723543),
    ("Ivy", "Basket CCK+"): (0.093226807, 21.53090397, 316.402153),
    ("Ivy", "Bistratified"): (0.010497385, 3.167714285, 35.10660443),
    ("Ivy", "Ivy"): (0.059234373, 12.53347413, 355.5423068),
    ("Ivy", "Trilaminar"): (0.016348367, 5.379474386, 59.31411695),
    ("Ivy", "MFA ORDEN"): (0.053176879, 21.05536743, 121.0601087),
    ("Ivy", "Pyramidal"): (0.045297728, 18.28338527, 114.5641985),
    ("Trilaminar", "LMR-targeting"): (0.146654936, 17.64852105, 754.5615069),
    ("Trilaminar", "QuadD-LM"): (0.199917672, 19.95673334, 735.2090137),
    ("Trilaminar", "Axo-axonic"): (0.207010531, 21.77781735, 850.4583346),
    ("Trilaminar", "Basket"): (0.155568101, 18.39933858, 782.8465541),
    ("Trilaminar", "Basket CCK+"): (0.176791527, 16.02320263, 848.480161),
    ("Trilaminar", "Bistratified"): (0.085752021, 11.47529511, 729.7519546),
    ("Trilaminar", "Ivy"): (0.17773949, 19.01110146, 946.4011299),
    ("Trilaminar", "Trilaminar"): (0.14706638, 18.30484384, 640.1235581),
    ("Trilaminar", "MFA ORDEN"): (0.216108872, 24.65039949, 705.071041),
    ("Trilaminar", "Pyramidal"): (0.192964925, 20.34984037, 630.1862229),
    ("MFA ORDEN", "LMR-targeting"): (0.115540787, 63.59574072, 720.1229791),
    ("MFA ORDEN", "QuadD-LM"): (0.170840239, 63.65929616, 673.2589246),
    ("MFA ORDEN", "Axo-axonic"): (0.185743417, 47.81236753, 787.8075387),
    ("MFA ORDEN", "Basket"): (0.123564968, 23.25849737, 782.0880356),
    ("MFA ORDEN", "Basket CCK+"): (0.164267618, 45.40855401, 760.26965),
    ("MFA ORDEN", "Bistratified"): (0.052837, 17.241103, 619.649148),
    ("MFA ORDEN", "Ivy"): (0.146934947, 21.01255478, 935.2711213),
    ("MFA ORDEN", "MFA ORDEN"): (0.193620378, 67.39183116, 601.714189),
    ("MFA ORDEN", "Pyramidal"): (0.157847979, 65.61972279, 549.3580329),
}
CA3_PAIRS: dict[tuple[str, str], TsodyksMarkram] = {
    pair: TsodyksMarkram(*values) for pair, values in CA3_TABLE.items()
}
CA3_TARGETS = frozenset(target for _, target in CA3_PAIRS)

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

    The pairs of area CA3 are those of its published circuit. Two CA3 types that are not joined there have none. A CA3 interneuron
    onto a cell that is not of CA3 has its plasticity onto pyramidal cells; a cortical interneuron has the class of its type.
    """
    if (source, target) in CA3_PAIRS:
        return CA3_PAIRS[source, target]
    if source in CORTICAL_TYPES:
        return CORTICAL_INHIBITORY[CORTICAL_TYPES[source]]
    return None if target in CA3_TARGETS else CA3_PAIRS.get((source, "Pyramidal"))
