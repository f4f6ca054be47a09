"""The test-time half: trained networks in Brian2 under noise, with LIF and with diverse Izhikevich interneurons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from training import Config

from ei_brian.config.sweep_run import BackendSettings, simulation_work
from ei_brian.core.noise import Noise
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.diversify import diversify
from ei_brian.data.datasets import load_dataset
from ei_brian.data.encode import Latency
from ei_brian.learn.export import export
from ei_brian.sim.structure import structure_of
from ei_brian.storage import load_spec, save_spec
from ei_brian.study.condition import Condition, canonical
from ei_brian.study.outcome import Outcome, Work
from ei_brian.study.plan import NoiseLevels, Plan, Variant, noise_fields
from ei_brian.study.pool import Pool
from ei_brian.study.scheduler import InThisProcess
from ei_brian.study.sweep import sweep
from ei_brian.study.table import Row, read_table


def run_test_time(config: Config, folder: Path, workers: int) -> tuple[Path, str]:
    """Simulate every variant at every level of noise; return the table, and in words where and how it was checked."""
    settings = config.brian2
    plan = make_plan(config, folder, workers)
    conditions = plan.conditions()
    table, programs = simulate(plan, settings.backend, folder / "test_time", workers)
    checked = conditions[:: settings.check_every]
    check = sweep(checked, folder / "check", InThisProcess(simulation_work(plan, BackendSettings(settings.check_backend)))).table
    rows = {_place(row): row for row in read_table(table)}
    different = [_place(row) for row in read_table(check) if _numbers(row) != _numbers(rows[_place(row)])]
    if different:
        raise SystemExit(f"{settings.check_backend} differs from {settings.backend}: {different[0]}")
    return table, (
        f"{plan.stimulus.n_trials} test trials. Simulated in Brian2 ({settings.backend}): {programs}. Every "
        f"{settings.check_every}th condition ({len(checked)} of {len(conditions)}) was computed again by the numpy oracle "
        f"({settings.check_backend}): accuracies, rates and spike counts are the same to the last bit."
    )


def simulate(plan: Plan, backend: str, folder: Path, workers: int) -> tuple[Path, str]:
    """Compute every condition of a plan; return the table, and in words what it took.

    A condition of each program comes first, so that no worker waits while another compiles what both need.
    """
    firsts: dict[str, Condition] = {}
    for condition in (one for one in plan.conditions() if one.replicate == 0):
        fields, _ = noise_fields(condition)
        firsts.setdefault(structure_of(plan.spec_of(condition), Noise(**fields) if fields else None).key, condition)
    built, ran = [], []

    def keep(condition: Condition, outcome: Outcome) -> None:
        (built if condition in firsts.values() else ran).append(outcome.seconds)

    rest = [condition for condition in plan.conditions() if condition not in firsts.values()]
    started = perf_counter()
    pool = Pool(partial(simulation_work, plan, BackendSettings(backend)), workers)
    done = sweep([*firsts.values(), *rest], folder, pool, on_outcome=keep)
    for condition, error in done.failed:
        raise SystemExit(f"{condition.variant}, {condition.noise} {condition.level:g}: {error}")
    words = folder / "words.txt"
    if ran:
        words.write_text(
            f"{done.n_conditions} conditions on {len(firsts)} programs in {perf_counter() - started:.0f} s on {workers} cores: the "
            f"first condition of a program, which compiles it unless it is known, took {np.median(built or [np.nan]):.1f} s, every "
            f"other one {np.median(ran):.2f} s in the median"
        )
    return done.table, words.read_text()


def _numbers(row: Row) -> Row:
    """Return a row without the hash of its condition, in which the simulator counts."""
    return {name: value for name, value in row.items() if name != "condition"}


def _place(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in ("variant", "replicate", "noise", "level", "seed"))


def make_plan(config: Config, folder: Path, workers: int) -> Plan:
    """Return the plan: per ratio the trained network of each seed, and the same with diverse interneurons."""
    settings = config.brian2
    trained = {p: trained_networks(config, folder, p, settings.initial_rate_hz) for p in config.network.excitatory_percent}
    variants = [Variant(f"{percent}:{100 - percent} LIF", tuple(specs)) for percent, specs in trained.items()]
    chosen = {percent: trained[percent] for percent in settings.diverse_percent}
    for percent, specs in _diverse(config, folder, chosen, workers).items():
        variants.append(Variant(f"{percent}:{100 - percent} {settings.mixture}", specs))
    noises = tuple(NoiseLevels(kind, levels) for kind, levels in settings.levels.items())
    return plan_of(config, tuple(variants), noises)


def plan_of(config: Config, variants: tuple[Variant, ...], noises: tuple[NoiseLevels, ...]) -> Plan:
    """Return a plan on the test trials that are simulated."""
    settings = config.brian2
    _, test = config.data.load()
    stimulus = test.select(0, min(settings.n_trials, test.n_trials))
    return Plan(variants, noises, (settings.noise_seed,), stimulus, BackendSettings(settings.backend).versions())


def trained_networks(config: Config, folder: Path, percent: int, initial_rate_hz: float) -> list[NetworkSpec]:
    """Return the networks of all seeds that were trained without noise from an initial rate."""
    _, test = config.data.load()
    specs = []
    for stack in config.stacks():
        if stack.update_noise == 0:
            nets, _ = stack.load(folder / "networks", test.n_units, test.n_classes)
            index = stack.variants.index((percent, initial_rate_hz))
            specs.append(export(nets[index], f"ei_{percent}_seed{stack.seed}"))
    return specs


def _diverse(
    config: Config, folder: Path, trained: Mapping[int, list[NetworkSpec]], workers: int
) -> dict[int, tuple[NetworkSpec, ...]]:
    """Return the networks with calibrated Izhikevich interneurons, each made once; no ratio of which one does not converge."""
    places = {percent: [folder / "diverse" / f"{spec.sha256}.h5" for spec in specs] for percent, specs in trained.items()}
    wanted = {}
    for percent, specs in trained.items():
        for seed, spec in enumerate(specs):
            if not places[percent][seed].exists():
                told = {"spec": spec.sha256, "mixture": config.brian2.mixture, "seed": seed, "data": asdict(config.data)}
                condition = Condition(f"{percent}:{100 - percent}", seed, "none", 0.0, seed, canonical(told))
                wanted[condition.key] = (condition, spec, places[percent][seed])
    if wanted:
        work = partial(_calibration_work, config, {key: (spec, path) for key, (_, spec, path) in wanted.items()})
        conditions = [condition for condition, _, _ in wanted.values()]
        for condition, error in sweep(conditions, folder / "calibration", Pool(work, workers)).failed:
            print(f"{condition.variant}, seed {condition.seed}: {error}")
    whole = {percent: paths for percent, paths in places.items() if all(path.exists() for path in paths)}
    return {percent: tuple(load_spec(path) for path in paths) for percent, paths in whole.items()}


def _calibration_work(config: Config, wanted: Mapping[str, tuple[NetworkSpec, Path]]) -> Work:
    data = config.data
    code = Latency(data.window_ms, data.grey_threshold)
    calibration, test = load_dataset(data.name, data.dt_ms, n_steps=data.n_steps, encoding=code, calibration=True)

    def work(condition: Condition) -> dict[str, Any]:
        spec, path = wanted[condition.key]
        swapped = diversify(spec, mix=config.brian2.mixture, population="inh", seed=condition.seed)
        made = calibrate(swapped, calibration, test_set=test)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_spec(made, path)
        return {"calibrated": 1}

    return work
