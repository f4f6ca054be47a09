"""Faults of the kinds that once passed all fast tests: constants of published models first, each to be noticed now."""

from __future__ import annotations

from pathlib import Path

from validation.mutation.faults import Fault

__all__ = ["named"]

CORE = "ei_brian/core"
MODELS, TRANSFORM, NOISE = f"{CORE}/models", f"{CORE}/transform", f"{CORE}/noise"
NAMED = (
    ("magnesium block without its square", f"{CORE}/receptor.py", '({block}*{block}/(1 + {block}*{block}))',
     '({block}/(1 + {block}))'),
    ("AMPA's decay", f"{CORE}/receptor.py", '_conductance("AMPA", 5.0', '_conductance("AMPA", 6.0'),
    ("GABA_B's reversal", f"{CORE}/receptor.py", '150.0, -90.0', '150.0, -80.0'),
    ("c of Izhikevich 2007", f"{MODELS}/izhikevich_2007.py", '"c": -56.0', '"c": -50.0'),
    ("v_t of Izhikevich 2007", f"{MODELS}/izhikevich_2007.py", '-23.378766', '-33.378766'),
    ("a of Izhikevich 2007, times ten", f"{MODELS}/izhikevich_2007.py", '0.009151158130158', '0.09151158130158'),
    ("a of Izhikevich 2007 in the step", f"{MODELS}/izhikevich_2007.py", 'p["a"] / (2 + p["a"] * dt_ms)',
     'p["a"] / (2 - p["a"] * dt_ms)'),
    ("d of Izhikevich 2003 RZ", f"{MODELS}/izhikevich_2003.py", '"RZ": {"a": 0.1, "b": 0.26, "c": -65.0, "d": 2.0}',
     '"RZ": {"a": 0.1, "b": 0.26, "c": -65.0, "d": 8.0}'),
    ("d at a spike of Izhikevich 2003", f"{MODELS}/izhikevich_2003.py", 'drift_now + d\\nv = c', 'drift_now - d\\nv = c'),
    ("sign of AdEx's a in the step", f"{MODELS}/adex.py", 'lag_now = a*(v - E_L) - w', 'lag_now = -a*(v - E_L) - w'),
    ("sign of AdEx's a in the equations", f"{MODELS}/adex.py", 'dw/dt = (a*(v - E_L) - w)/tau_w',
     'dw/dt = (-a*(v - E_L) - w)/tau_w'),
    ("a rate of Hodgkin and Huxley", f"{MODELS}/hodgkin_huxley.py", 'beta_m_now = four*', 'beta_m_now = one*'),
    ("the speed of a gate", f"{MODELS}/hodgkin_huxley.py", 'exponential(-h*sum_now{speed})', 'exponential(-h*alpha_now{speed})'),
    ("a plastic pair's U", f"{MODELS}/plasticity_pairs.py", '(0.070774287, ', '(0.70774287, '),
    ("a plastic pair's time constants swapped", f"{MODELS}/plasticity_pairs.py", '15.50819894, 748.3233594',
     '748.3233594, 15.50819894'),
    ("a cortical class's time constants swapped", f"{MODELS}/plasticity_pairs.py", '(0.16, 376.0, 45.0)', '(0.16, 45.0, 376.0)'),
    ("shares of a mixture", f"{TRANSFORM}/mixtures.py", '"cortex FS/LTS", {"RS": 1.0}, {"FS": 0.6, "LTS": 0.4}',
     '"cortex FS/LTS", {"RS": 1.0}, {"FS": 0.4, "LTS": 0.6}'),
    ("a count of a mixture", f"{TRANSFORM}/mixtures.py", '"Bistratified": 209', '"Bistratified": 109'),
    ("constant current of the dead", f"{NOISE}/cell_noise.py", 'np.where(dead, 0.0, given[name])', 'given[name]'),
    ("dead sources for dead targets", f"{NOISE}/static.py", 'dead[projection.source], dead[projection.target]',
     'dead[projection.target], dead[projection.source]'),
    ("delays cut instead of rounded", f"{TRANSFORM}/delays.py", 'np.rint(delays / spec.dt_ms)', 'np.floor(delays / spec.dt_ms)'),
    ("the least driving force", f"{TRANSFORM}/conductances.py", 'LEAST_DRIVING_FORCE_MV = 15.0', 'LEAST_DRIVING_FORCE_MV = 5.0'),
    ("the ceiling of a mean potential", f"{TRANSFORM}/conductances.py", 'gain / (v - reversal)', 'gain / (v - reversal_inh_mv)'),
    ("the spread of potentials", f"{TRANSFORM}/diversify.py", 'VOLT_SPREAD_MV = 20.0', 'VOLT_SPREAD_MV = 2.0'),
    ("the largest spread", f"{TRANSFORM}/diversify.py", 'LARGEST_JITTER = 0.3', 'LARGEST_JITTER = 0.4'),
    ("the direction of a push", f"{TRANSFORM}/closed_loop.py", 'max(goal_hz, 0.5) / max(rate_hz, 0.1)',
     'max(rate_hz, 0.1) / max(goal_hz, 0.5)'),
    ("the sign of an inhibitory factor", f"{TRANSFORM}/closed_loop.py", 'if source.role == "inh" else -search.projection_power',
     'if source.role == "exc" else -search.projection_power'),
    ("the gain of a charge", f"{TRANSFORM}/charges.py", 'values[f"tau_{port}"] * values[f"gain_{port}"]',
     'values[f"tau_{port}"] / values[f"gain_{port}"]'),
    ("shares the wrong way round", f"{TRANSFORM}/charges.py", 'wanted / got if', 'got / wanted if'),
    ("graded input that is not cleared", "ei_brian/sim/stimulus_group.py", 'values[:] = 0', 'values[:] = values'),
    ("inhibitory synapses do not count", "ei_brian/measure/energy.py", 'projection.weights != 0', 'projection.weights > 0'),
    ("percentiles of rates", "ei_brian/measure/rates.py", '[5, 50, 95]', '[10, 50, 90]'),
    ("the exact step of a NIR cell", "ei_brian/interop/nir_cells.py", 'else -np.expm1(-share)', 'else share'),
    ("rockpool's synaptic decay", "ei_brian/interop/nir_cells.py", '"jump": decay_syn', '"jump": 1 - decay_syn'),
)  # fmt: skip


def named(root: Path) -> list[Fault]:
    """Return the named faults, of which each must still have its place."""
    return [_fault(root, *one) for one in NAMED]


def _fault(root: Path, kind: str, path: str, before: str, after: str) -> Fault:
    source = (root / path).read_bytes()
    start = source.find(before.encode())
    if start < 0:
        raise SystemExit(f"{path} no longer holds {before!r}: give the fault {kind!r} its new place in named_faults.py")
    return Fault(path, source[:start].count(b"\n") + 1, start, start + len(before.encode()), kind, before, after)
