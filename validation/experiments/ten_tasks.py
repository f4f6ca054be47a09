"""The ten tasks of a newcomer to the package who makes experiments, each written from the documentation alone, and run.

    python validation/experiments/ten_tasks.py [number …]

Each task is one function, whose body is what is written; it prints the lines of the body and the seconds that it took.
"""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import ei_brian as ei


def own_data() -> Any:
    """Own spikes with classes, through a trained network, to a report. (any_task.md, api.md)"""
    from ei_brian.report.settings import Settings

    spec, rng = ei.load("digits_ei80"), np.random.default_rng(0)
    spikes = rng.random((30, 100, spec.n_inputs)) < 0.05
    np.savez("mine.npz", spikes=spikes, labels=np.arange(30) % 10, dt_ms=1.0)
    _, test = ei.load_dataset("mine.npz", spec.dt_ms)
    how = Settings("reference", draws=1, seeds=1, levels=(0.0,), controls=False)
    return ei.report(spec, test, settings=how, output="report").verdict


def decision_variable() -> Any:
    """R² of a decision variable over time before and after biology. (any_task.md)"""
    from scipy.signal import lfilter

    from ei_brian.core.spikes import Spikes
    from ei_brian.core.stimulus import Stimulus
    from ei_brian.core.targets import Targets
    from ei_brian.measure.over_time import r_squared

    spec, rng, side = ei.load("digits_ei80"), np.random.default_rng(0), np.repeat([1, -1], 32)
    strength = rng.uniform(-0.8, 0.8, 80)[:, None, None]
    spikes = rng.random((80, 100, 64)) < 0.05 * (1 + strength * side)
    course = lfilter([0.02], [1.0, -0.98], spikes @ side, axis=1)[:, :, None]
    train = Stimulus(Spikes.from_dense(spikes[:60], 1.0), targets=Targets(course[:60], 1.0))
    test = Stimulus(Spikes.from_dense(spikes[60:], 1.0), targets=Targets(course[60:], 1.0))
    run = ei.Backend("reference").run
    readout = ei.fit_readout(spec, run(spec, train), train.targets, "E")
    biology = spec | ei.diversify(mix={"FS": 0.6, "LTS": 0.4}, seed=1)
    return [r_squared(readout.output(one, run(one, test)), test.targets) for one in (spec, biology)]


def pharmacology() -> Any:
    """Interneurons silenced in a window, and GABA_A blocked by 30 %. (perturb.md)"""
    spec = ei.load("digits_ei80")
    calibration, test = ei.load_dataset("digits", spec.dt_ms, calibration=True)
    biology = spec | ei.diversify(mix={"FS": 1.0}, seed=1) | ei.to_conductances(calibration.select(0, 20), inputs="current")
    shown = test.select(0, 30)
    silenced = ei.experiment(biology, shown, ei.silence("FS", 20, 40))
    blocked = ei.experiment(biology, shown, ei.scale("GABA_A", 0.7))
    return silenced.table() + "\n" + blocked.table()


def own_equations() -> Any:
    """A cell from Brian2 equations in place of the interneurons. (add_a_neuron_model.md)"""
    from brian2 import ms, mV, nS, pF

    cell = ei.cell(
        "dv/dt = (g_l*(E_l - v) + I)/C : volt", threshold="v > -50*mV", reset="v = -65*mV", method="exponential_euler",
        parameters={"C": 100 * pF, "g_l": 10 * nS, "E_l": -70 * mV}, input_current="I", refractory=2 * ms, name="ours",
    )  # fmt: skip
    spec = ei.load("digits_ei80") | ei.diversify(mix=cell, population="inh")
    _, test = ei.load_dataset("digits", spec.dt_ms)
    return ei.Backend("reference").run(spec, test.select(0, 20))


def two_compartments() -> Any:
    """A soma and a dendrite. (add_a_neuron_model.md)"""
    from brian2 import mV, nS, pF

    cell = ei.cell(
        """dv/dt = (g_l*(E_l - v) + g_c*(u - v))/C : volt
           du/dt = (g_l*(E_l - u) + g_c*(v - u) + I)/C_d : volt""",
        threshold="v > -50*mV", reset="v = -65*mV", method="exponential_euler", name="two_compartments", input_current="I",
        parameters={"C": 60 * pF, "C_d": 90 * pF, "g_l": 5 * nS, "g_c": 12 * nS, "E_l": -70 * mV},
    )  # fmt: skip
    spec = ei.load("digits_ei80") | ei.diversify(mix=cell, population="inh")
    _, test = ei.load_dataset("digits", spec.dt_ms)
    return ei.Backend("reference").run(spec, test.select(0, 20))


def cells_from_a_table() -> Any:
    """Interneurons drawn from a CSV of fitted cells. (add_a_neuron_model.md)"""
    Path("fitted.csv").write_text("cell,layer,type,C,k (nS/mV),a,b,d\nc1,5,PV,22,1,0.19,0.02,0\nc2,2,PV,19,0.9,0.2,0.03,1\n")
    mine = ei.cells_from_csv("fitted.csv", model="izhikevich_2007")
    spec = ei.load("digits_ei80") | ei.diversify(mix=mine, population="inh")
    _, test = ei.load_dataset("digits", spec.dt_ms)
    return ei.Backend("reference").run(spec, test.select(0, 20))


def exports() -> Any:
    """The same spikes in neo, pynapple, pandas and an NWB file. (api.md)"""
    spec = ei.load("digits_ei80")
    _, test = ei.load_dataset("digits", spec.dt_ms)
    recording = ei.Backend("reference").run(spec, test.select(0, 5))
    table, block, group = recording.to_pandas(), recording.to_neo(spec), recording.to_pynapple(0)
    return len(table), len(block.segments), len(group), recording.to_nwb("out.nwb", spec).stat().st_size


def ten_seconds() -> Any:
    """Ten seconds of ongoing activity. (long_activity.md)"""
    from ei_brian.storage.long_run import PoissonInput

    spec = ei.load("digits_ei80")
    drive = PoissonInput(spec.n_inputs, spec.dt_ms, rate_hz=10)
    noise = ei.Noise(membrane_ou_sd=0.3)
    found = ei.run_long(spec, drive, "ongoing", 10_000, warm_up_ms=500, noise=noise, seed=1, progress=False)
    return found, found.rate_hz("E")


def stdp() -> Any:
    """STDP between excitatory cells over some trials, weights read back. (learning_synapses.md)"""
    spec = ei.load("digits_ei80")
    _, test = ei.load_dataset("digits", spec.dt_ms)
    found = ei.run_plastic(spec, test.select(0, 5), {"E_E": ei.PairSTDP(a_plus=0.002, a_minus=0.0021, high=2.0)})
    change = found.weights["E_E"][-1] - found.weights["E_E"][0]
    return np.abs(change).max(), found.spec


def statistics() -> Any:
    """Rates with and without inhibition, the paired difference with its interval, and a figure. (perturb.md, api.md)"""
    spec = ei.load("digits_ei80")
    _, test = ei.load_dataset("digits", spec.dt_ms)
    found = ei.experiment(spec, test.select(0, 30), ei.scale("inh", 0.5), noise=ei.Noise(membrane_ou_sd=0.3), seed=1)
    found.perturbed.plot(trial=0, spec=spec).save("raster.pdf")
    return found.table(), found.rate_change("E").p


TASKS = (
    own_data, decision_variable, pharmacology, own_equations, two_compartments, cells_from_a_table, exports, ten_seconds, stdp,
    statistics,
)  # fmt: skip


def lines(task: Any) -> int:
    """Return how many lines of code the body of a task has."""
    return sum(1 for one in inspect.getsource(task).splitlines()[2:] if one.strip() and not one.strip().startswith("#"))


def main(numbers: list[int]) -> None:
    """Run the tasks of these numbers, or all, in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for number in numbers or range(1, len(TASKS) + 1):
            task, started = TASKS[number - 1], perf_counter()
            try:
                found = task()
            except Exception as error:
                print(f"{number} {task.__name__}: FAILED {type(error).__name__}: {error}", flush=True)
                continue
            print(f"{number} {task.__name__}: {lines(task)} lines, {perf_counter() - started:.0f} s\n{found}", flush=True)
        os.chdir("/")


if __name__ == "__main__":
    main([int(one) for one in sys.argv[1:]])
