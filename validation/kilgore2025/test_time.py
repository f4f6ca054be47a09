"""The test-time half: trained networks in Brian2 under noise, with LIF and with diverse Izhikevich interneurons."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from training import Config

from ei_brian.config.sweep_run import BackendSettings, simulation_work
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.diversify import diversify
from ei_brian.data.datasets import load_dataset
from ei_brian.data.encode import Latency
from ei_brian.errors import EIBrianError
from ei_brian.learn.export import export
from ei_brian.storage import load_spec, save_spec
from ei_brian.study.plan import NoiseLevels, Plan, Variant
from ei_brian.study.pool import Pool
from ei_brian.study.sweep import sweep
from ei_brian.study.table import Row, read_table


def run_test_time(config: Config, folder: Path, workers: int) -> tuple[Path, str]:
    """Simulate every variant at every level of noise; return the table, and in words how it was checked in Brian2."""
    settings = config.brian2
    plan = make_plan(config, folder)
    conditions = plan.conditions()
    prepare = partial(simulation_work, plan, BackendSettings(settings.backend))
    table = sweep(conditions, folder / "test_time", Pool(prepare, workers)).table
    checked = conditions[:: settings.check_every]
    prepare = partial(simulation_work, plan, BackendSettings(settings.check_backend))
    check = sweep(checked, folder / "check", Pool(prepare, workers)).table
    rows = {_place(row): row for row in read_table(table)}
    different = [_place(row) for row in read_table(check) if _numbers(row) != _numbers(rows[_place(row)])]
    if different:
        raise SystemExit(f"{settings.check_backend} differs from {settings.backend}: {different[0]}")
    return table, (
        f"Computed with the numpy oracle; every {settings.check_every}th condition ({len(checked)} of {len(conditions)}) was run "
        f"again in Brian2 ({settings.check_backend} target): accuracies, rates and spike counts are the same to the last bit."
    )


def _numbers(row: Row) -> Row:
    """Return a row without the hash of its condition, in which the simulator counts."""
    return {name: value for name, value in row.items() if name != "condition"}


def _place(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in ("variant", "replicate", "noise", "level", "seed"))


def make_plan(config: Config, folder: Path) -> Plan:
    """Return the plan: per ratio the trained network of each seed, and the same with diverse interneurons."""
    settings = config.brian2
    _, test = config.data.load()
    stimulus = test.select(0, min(settings.n_trials, test.n_trials))
    trained = {percent: _trained(config, folder, percent) for percent in config.network.excitatory_percent}
    variants = [Variant(f"{percent}:{100 - percent} LIF", tuple(specs)) for percent, specs in trained.items()]
    for percent in settings.diverse_percent:
        specs = [_diverse(config, folder, spec, seed) for seed, spec in enumerate(trained[percent])]
        if all(spec is not None for spec in specs):
            variants.append(Variant(f"{percent}:{100 - percent} {settings.mixture}", tuple(spec for spec in specs if spec)))
    noises = tuple(NoiseLevels(kind, levels) for kind, levels in settings.levels.items())
    return Plan(tuple(variants), noises, (settings.noise_seed,), stimulus, BackendSettings(settings.backend).versions())


def _trained(config: Config, folder: Path, percent: int) -> list[NetworkSpec]:
    """Return the networks of all seeds that were trained without noise from the chosen initial rate."""
    _, test = config.data.load()
    specs = []
    for stack in config.stacks():
        if stack.update_noise == 0:
            nets, _ = stack.load(folder / "networks", test.n_units, test.n_classes)
            index = stack.variants.index((percent, config.brian2.initial_rate_hz))
            specs.append(export(nets[index], f"digits_{percent}_seed{stack.seed}"))
    return specs


def _diverse(config: Config, folder: Path, spec: NetworkSpec, seed: int) -> NetworkSpec | None:
    """Return the network with calibrated Izhikevich interneurons, made once; None where the calibration does not converge."""
    path = folder / "diverse" / f"{spec.sha256}.h5"
    if path.exists():
        return load_spec(path)
    data = config.data
    code = Latency(data.window_ms, data.grey_threshold)
    calibration, test = load_dataset(data.name, data.dt_ms, n_steps=data.n_steps, encoding=code, calibration=True)
    swapped = diversify(spec, mix=config.brian2.mixture, population="inh", seed=seed)
    try:
        made = calibrate(swapped, calibration, test_set=test)
    except EIBrianError as error:
        print(f"{spec.name}: {error}")
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    save_spec(made, path)
    return made
