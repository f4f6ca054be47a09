"""The fixed parts of a Brian2 script: settings, the loop over trials, the decision."""

from __future__ import annotations

import ast
import inspect

from ei_brian.core import elementary, exponential
from ei_brian.core.spec import NetworkSpec

__all__ = ["ELEMENTARY", "EXPONENTIAL", "HEAD", "RUN", "TAKEN", "readout_text"]

TAKEN = frozenset(
    "sys Path np Function Hz Network NeuronGroup SpikeGeneratorGroup SpikeMonitor StateMonitor Synapses amp defaultclock "
    "farad hertz mV ms nA nS network_operation pA pF prefs second siemens uS volt HERE numbers dt functions stepped inputs "
    "network simulate monitors score readout_monitor given trial n_trials kept scores now mine spikes last name step cell "
    "what values counts results LOWEST HIGHEST LOG2_E ROUNDER LN2_HIGH LN2_LOW TAYLOR exponential print len range int float "
    "open str dict list logarithm square_root sine cosine function "
    "SMALLEST LARGEST ROOT_HALF TWO_OVER_PI HALF_PI ATANH SINE COSINE".split()
)  # what the script itself calls by a name

HEAD = '''
import sys
from pathlib import Path

import numpy as np
from brian2 import (
    Function, Hz, Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, StateMonitor, Synapses, amp, defaultclock, farad,
    hertz, mV, ms, nA, nS, network_operation, pA, pF, prefs, second, siemens, uS, volt,
)

HERE = Path(__file__).resolve()
numbers = np.load(HERE.with_suffix(".npz"))  # weights, and values that differ between cells ({numbers})
dt = defaultclock.dt = {dt_ms!r} * ms
prefs.codegen.target = "numpy"  # needs no compiler; "cython" gives the same spikes
prefs.codegen.loop_invariant_optimisations = False  # keeps the order of every sum and product, and so the last bit
functions = {{}}


def stepped(text):
    """One time step as written out, instead of one that Brian2 derives from the differential equations.

    A line "x_next = ..." before "x = x_next" keeps Brian2 from rearranging the expression.
    """
    return lambda equations, variables=None, method_options=None: text

'''

EXPONENTIAL = f'''
# exp in plain arithmetic: the same bits on every machine.
LOWEST, HIGHEST = {exponential.LOWEST!r}, {exponential.HIGHEST!r}
LOG2_E, ROUNDER = {exponential.LOG2_E!r}, {exponential.ROUNDER!r}
LN2_HIGH, LN2_LOW = {exponential.LN2_HIGH!r}, {exponential.LN2_LOW!r}
TAYLOR = {exponential.TAYLOR!r}


{inspect.getsource(exponential.exponential).replace("(x: npt.ArrayLike) -> npt.NDArray[np.floating]", "(x)").rstrip()}


functions["exponential"] = Function(exponential, arg_units=[1], return_unit=1, arg_names=["x"])
'''


WRITTEN_OUT = "SMALLEST LARGEST ROOT_HALF TWO_OVER_PI HALF_PI ATANH SINE COSINE _narrow square_root logarithm _turned sine cosine"


def _without_types(names: str) -> str:
    """Return constants and functions of the module of elementary functions, without annotations."""
    found = []
    for node in ast.parse(inspect.getsource(elementary)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in names.split():
            found.append(ast.unparse(node))
        elif isinstance(node, ast.FunctionDef) and node.name in names.split():
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
            found.append("\n\n" + ast.unparse(node) + ("\n\n" if node.name == names.split()[-1] else ""))
    return "\n".join(found)


ELEMENTARY = f'''
# log, sqrt, sin and cos in plain arithmetic: the same bits on every machine.
LN2_HIGH, LN2_LOW, ROUNDER = {exponential.LN2_HIGH!r}, {exponential.LN2_LOW!r}, {exponential.ROUNDER!r}
{_without_types(WRITTEN_OUT)}
for function in (logarithm, sine, cosine):
    functions[function.__name__] = Function(function, arg_units=[1], return_unit=1, arg_names=["x"])
functions["square_root"] = Function(square_root, arg_units=[None], return_unit=lambda unit: unit**0.5, arg_names=["x"])
'''

RUN = '''
def simulate(unit, step, n_steps):
    """Run one trial; return the spikes of each population as (step, cell) and the score of each class."""
    network.restore()
    for group, first, after in inputs:
        mine = (unit >= first) & (unit < after)
        group.set_spikes(unit[mine] - first, step[mine] * dt)
    network.run(n_steps * dt, namespace={{}})
    spikes = {{name: (np.rint(monitor.t / dt).astype(int), np.array(monitor.i)) for name, monitor in monitors.items()}}
    return spikes, score()


monitors = {{name: SpikeMonitor(group) for name, group in {{{cells}}}.items()}}
network.add(list(monitors.values()))
network.store()

if __name__ == "__main__":
    # An input file holds input_unit (0 to {n_inputs} - 1), input_step, input_n_steps; for several trials also input_trial and
    # input_n_trials.
    given = np.load(sys.argv[1]) if len(sys.argv) > 1 else numbers
    if "input_unit" not in given:
        sys.exit("Give a file of input spikes: np.savez(file, input_unit=..., input_step=..., input_n_steps=...).")
    trial = given["input_trial"] if "input_trial" in given else np.zeros_like(given["input_unit"])
    n_trials = int(given["input_n_trials"]) if "input_n_trials" in given else 1
    kept = {{f"{{name}}_{{what}}": [] for name in monitors for what in ("trial", "step", "unit")}}
    scores = []
    for now in range(n_trials):
        mine = trial == now
        spikes, last = simulate(given["input_unit"][mine], given["input_step"][mine], int(given["input_n_steps"]))
        for name, (step, cell) in spikes.items():
            for what, values in (("trial", np.full(step.size, now)), ("step", step), ("unit", cell)):
                kept[f"{{name}}_{{what}}"].append(values)
        scores.append(last)
        counts = ", ".join(f"{{name}} {{step.size}}" for name, (step, cell) in spikes.items())
        print(f"trial {{now}}: spikes {{counts}}" + ("" if last is None else f"; class {{int(np.argmax(last))}}"))
    results = {{name: np.concatenate(parts) for name, parts in kept.items()}}
    if scores[0] is not None:
        results["scores"] = np.array(scores)
    np.savez(HERE.with_name(HERE.stem + "_spikes.npz"), **results)
'''

SCORES = {
    "max v": "np.max(readout_monitor.{v}, axis=1)",
    "mean v": "np.mean(readout_monitor.{v}, axis=1)",
    "last v": "readout_monitor.{v}[:, -1]",
}


def readout_text(spec: NetworkSpec) -> str:
    """Return the function ``score`` of the script."""
    readout = spec.readout
    if readout is None:
        return 'def score():\n    """No decision rule."""\n    return None'
    population = spec[readout.population]
    head = f'def score():\n    """Return the score of each class: {readout.kind} of {population.name}; the largest wins."""\n'
    if readout.kind == "spike count":
        return f"{head}    return np.bincount(monitors[{population.name!r}].i, minlength={population.size}).astype(float)"
    if readout.kind == "first spike":
        return (
            f"{head}    fired, first = monitors[{population.name!r}], np.full({population.size}, np.rint(network.t / dt))\n"
            "    np.minimum.at(first, np.array(fired.i), np.rint(fired.t / dt))\n"
            "    return -first"
        )
    voltage = population.neuron().voltage
    unit = "" if population.neuron().states[0].unit == "1" else " / volt"
    return (
        f'readout_monitor = StateMonitor({population.name}, "{voltage}", record=True, when="end", dt=dt)\n'
        f"network.add(readout_monitor)\n\n\n{head}    return np.asarray({SCORES[readout.kind].format(v=voltage)}{unit})"
    )
