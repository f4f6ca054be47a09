"""Noise that is applied once, before a run: to the weights, the cells and the input."""

from __future__ import annotations

from dataclasses import replace

from ei_brian.core.noise.cell_noise import cut_off, dead_cells, mismatched, without_dead
from ei_brian.core.noise.draw import stream_of
from ei_brian.core.noise.input_noise import INPUT_KINDS, noisy_stimulus
from ei_brian.core.noise.kinds import NOISE_KINDS
from ei_brian.core.noise.noise import Noise
from ei_brian.core.noise.seed import checked_seed
from ei_brian.core.noise.weight_noise import noisy_projection
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError

__all__ = ["apply_static", "static_streams"]

DEATHS = {"cell_death", "exc_death", "inh_death"}
# stream: field of Noise
INPUT_STREAMS = {
    "input_deletion": "input_deletion", "input_insertion": "input_insertion_hz", "input_jitter": "input_jitter_ms"
}  # fmt: skip
WEIGHT_STREAMS = {
    "weight_spread": "weight_spread", "weight_stuck": "weight_stuck", "weight_drift": "weight_drift",
    "delay_jitter": "delay_jitter_ms",
}  # fmt: skip


@takes_numbers()
def apply_static(
    noise: Noise | None, seed: int | None, spec: NetworkSpec, stimulus: Stimulus, first_trial: int = 0
) -> tuple[NetworkSpec, Stimulus]:
    """Return network and stimulus with the noise on them; the same objects where no such kind is on.

    Backends call this themselves: who calls it and then runs the result passes on ``noise.dynamic`` only.

    Parameters
    ----------
    noise : Noise, optional
        Its kinds that are not dynamic are applied; see `ei_brian.core.noise.kinds.NOISE_KINDS`.
    seed : int, optional
        Of the run; not needed where no such kind is on.
    spec, stimulus : NetworkSpec, Stimulus
        Clean.
    first_trial : int
        Number of the first trial of the stimulus in the whole data set.

    Raises
    ------
    ConfigError
        Without a seed; for a kind that the input or a model cannot have.
    """
    static = () if noise is None else tuple(kind for kind in noise.kinds if not NOISE_KINDS[kind].dynamic)
    if noise is None or not static:
        return spec, stimulus
    if seed is None:
        raise ConfigError(f"seed: none given, but {static[0]} is random; give a whole number from 0 to 2**64 - 1.")
    chosen = checked_seed(seed)
    noisy = stimulus if not set(static) & set(INPUT_KINDS) else noisy_stimulus(stimulus, noise, chosen, first_trial)
    if set(static) <= set(INPUT_KINDS):
        return spec, noisy
    return _noisy_network(noise, chosen, spec, static), noisy


def static_streams(spec: NetworkSpec, noise: Noise | None) -> set[tuple[str, int, int]]:
    """Return name, first stream and number of streams of every kind that is applied before a run; see `check_streams`."""
    on = () if noise is None else noise.kinds
    owners: dict[str, list[str]] = {"": [kind for kind in INPUT_STREAMS if INPUT_STREAMS[kind] in on]}
    weight_kinds = [kind for kind in WEIGHT_STREAMS if WEIGHT_STREAMS[kind] in on]
    owners |= {projection.name: weight_kinds for projection in spec.projections}
    spans = {(f"{owner} {kind}", stream_of(owner, kind), 1) for owner, kinds in owners.items() for kind in kinds}
    for population in spec.cells:
        kinds = ["threshold_spread"] if "threshold_spread" in on else []
        kinds += ["cell_death", "role_death"] if DEATHS & set(on) else []
        if "tau_spread" in on:
            kinds += [f"tau_spread/{parameter.name}" for parameter in population.declared_parameters()]
        spans |= {(f"{population.name} {kind}", stream_of(population.name, kind), 1) for kind in kinds}
    return spans


def _noisy_network(noise: Noise, seed: int, spec: NetworkSpec, static: tuple[str, ...]) -> NetworkSpec:
    dead = {population.name: dead_cells(population, noise, seed) for population in spec.populations}
    populations = tuple(mismatched(population, noise, seed, spec.dt_ms) for population in spec.populations)
    if DEATHS & set(static):
        populations = tuple(without_dead(population, dead[population.name]) for population in populations)
    projections = tuple(
        cut_off(noisy_projection(projection, noise, seed, spec.dt_ms), dead[projection.source], dead[projection.target])
        for projection in spec.projections
    )
    levels = {kind: getattr(noise, kind) for kind in static}
    return replace(spec, populations=populations, projections=projections).with_provenance("noise", levels=levels, seed=seed)
