"""The NEST half of `nest_oracle.py`: reads a list of experiments as JSON, writes spike times in ms as JSON. Needs NEST alone."""

from __future__ import annotations

import json
import sys
from typing import Any

import nest


def spike_times(job: dict[str, Any]) -> list[list[float]]:
    """Return the spike times of each cell of an experiment."""
    nest.ResetKernel()
    nest.resolution = job["dt_ms"]
    nest.overwrite_files = True
    recorders = []
    inputs = {
        port: nest.Create("spike_generator", params={"spike_times": [t - job["delay_ms"] for t in times]})
        for port, times in job["arrivals_ms"].items()
    }
    for parameters in job["cells"]:
        cell, recorder = nest.Create(job["model"], params=parameters), nest.Create("spike_recorder")
        nest.Connect(cell, recorder, syn_spec={"delay": job["dt_ms"]})
        for port, generator in inputs.items():
            nest.Connect(generator, cell, syn_spec={"weight": job["weights"][port], "delay": job["delay_ms"]})
        recorders.append(recorder)
    nest.Simulate(job["duration_ms"])
    return [sorted(float(t) for t in recorder.get("events", "times")) for recorder in recorders]


def released(job: dict[str, Any]) -> list[list[float]]:
    """Return, for each set of plasticity parameters, the weights that ``tsodyks2_synapse`` sends for the same spikes."""
    nest.ResetKernel()
    nest.resolution = job["dt_ms"]
    recorders = []
    source = nest.Create("spike_generator", params={"spike_times": job["spikes_ms"]})
    parrot = nest.Create("parrot_neuron")
    nest.Connect(source, parrot, syn_spec={"delay": job["delay_ms"]})
    for number, parameters in enumerate(job["synapses"]):
        recorder = nest.Create("weight_recorder")
        nest.CopyModel("tsodyks2_synapse", f"plastic{number}", {"weight_recorder": recorder})
        target = nest.Create("iaf_psc_exp")
        nest.Connect(parrot, target, syn_spec={"synapse_model": f"plastic{number}", "delay": job["delay_ms"], **parameters})
        recorders.append(recorder)
    nest.Simulate(max(job["spikes_ms"]) + 10 * job["delay_ms"])
    return [[float(w) for w in recorder.get("events", "weights")] for recorder in recorders]


def main() -> None:
    """Run every experiment of the file named first and write the results to the file named second."""
    nest.verbosity = nest.VerbosityLevel.ERROR
    with open(sys.argv[1], encoding="utf-8") as file:
        jobs = json.load(file)
    results: dict[str, Any] = {"version": nest.__version__}
    for name, job in jobs.items():
        results[name] = released(job) if "synapses" in job else spike_times(job)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(results, file)


if __name__ == "__main__":
    main()
