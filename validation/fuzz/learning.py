"""Random rules of plasticity on random networks: ``python -m validation.fuzz.learning --n 200 --backend numpy``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from ei_brian.core.learning import learn
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stdp import BOUNDS, PAIRINGS, PairSTDP
from ei_brian.errors import EIBrianError
from ei_brian.sim.backend import Backend
from validation.fuzz.compare import Outcome, compared
from validation.fuzz.random_network import Case, random_case

__all__ = ["learning_outcomes", "random_rules"]


def random_rules(case: Case, seed: int) -> dict[str, PairSTDP]:
    """Return a rule for most of the projections, strong enough that weights reach their bounds."""
    rng = np.random.default_rng([seed, 7])
    rules = {p.name: _rule(rng, case.spec, p.name) for p in case.spec.projections if rng.random() < 0.8}
    return rules or {p.name: _rule(rng, case.spec, p.name) for p in case.spec.projections[:1]}


def _rule(rng: np.random.Generator, spec: NetworkSpec, name: str) -> PairSTDP:
    projection = spec.projection(name)
    role, values = spec[projection.source].role, projection.weight_values()
    size = float(np.abs(values).max(initial=0.0)) or 1.0
    low, high = -1.3 * size * (role != "exc"), 1.3 * size * (role != "inh")
    rates = size * rng.uniform(0.01, 0.3, 2) if (bounds := str(rng.choice(BOUNDS))) == "hard" else rng.uniform(0.01, 0.3, 2)
    taus, at_source = rng.uniform(2, 40, 2), float(rng.choice([0.0, 0.02 * size]))
    return PairSTDP(*rates, *taus, low, high, at_source, str(rng.choice(PAIRINGS)), bounds)


def learning_outcomes(seed: int, backends: tuple[str, ...]) -> Iterator[Outcome]:
    """Run the case of a number with rules in the reference and in each backend and layout, in order and each trial by itself."""
    dtype, in_order = ("float64", "float32")[seed % 3 == 2], seed % 2 == 1
    try:
        case = random_case(seed)
        rules = random_rules(case, seed)
        oracle, weights = learn(case.spec, case.stimulus, rules, dtype, in_order=in_order, noise=case.noise, seed=case.seed)
    except EIBrianError as error:
        yield Outcome("reference", "refused", message=str(error))
        return
    for backend in backends:
        for layout in ("shared", "synapses"):
            where = f"{backend} {layout} {dtype}{' in order' if in_order else ''}"
            simulator = Backend(backend, layout=layout, dtype=dtype)
            try:
                found, learned = simulator.learn(
                    case.spec, case.stimulus, rules, in_order=in_order, noise=case.noise, seed=case.seed
                )
            except EIBrianError as error:
                yield Outcome(where, "refused", message=str(error))
                continue
            ends = [compared(where, wanted, one) for wanted, one in zip(oracle, found, strict=True)]
            wrong = [name for name in weights if not np.array_equal(weights[name], learned[name])]
            if wrong:
                ends.insert(0, Outcome(where, "unequal", message=f"weights of {', '.join(wrong)}"))
            worst = next((one for one in ends if one.end != "equal"), None)
            yield worst or Outcome(where, "equal", sum(one.n_spikes for one in ends))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="how many networks")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--backend", action="append", choices=["numpy", "cython", "cpp_standalone"])
    options = parser.parse_args()
    ends: dict[str, int] = {}
    for seed in range(options.first, options.first + options.n):
        for one in learning_outcomes(seed, tuple(options.backend or ["numpy"])):
            ends[one.end] = ends.get(one.end, 0) + 1
            if one.end == "unequal":
                print(f"network {seed}: {one.where}: {one.message}", flush=True)
    print(f"{options.n} networks: " + ", ".join(f"{count} {end}" for end, count in sorted(ends.items())))
    return int("unequal" in ends)


if __name__ == "__main__":
    raise SystemExit(main())
