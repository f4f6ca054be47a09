"""What biological cells cost in compiled C++: the digits network as trained, with FS/LTS interneurons, with all cells swapped.

    python -m validation.benchmarks.sub_steps

Cells of the catalogue are stepped in sub-steps of 0.05 to 0.2 ms within the network's 1 ms. Told is the processor time of the
compiled program, its start included, in ms per trial of the test set (359 trials of 100 ms, float32, one thread): the least of
five runs after the one that builds. Written to ``results/sub_steps.md``.
"""

from __future__ import annotations

import platform
import resource
from pathlib import Path

import ei_brian as ei

OUT = Path(__file__).parent / "results" / "sub_steps.md"
RUNS = 5


def per_trial_ms(backend: ei.Backend, spec: ei.NetworkSpec, stimulus: ei.Stimulus) -> float:
    """Return the least processor time of the program per trial."""
    backend.run(spec, stimulus)
    times = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        backend.run(spec, stimulus)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return 1e3 * min(times) / stimulus.n_trials


def main() -> None:
    """Measure and write."""
    trained = ei.load("digits_ei80")
    _, shown = ei.load_dataset("digits", calibration=True)
    networks = {
        "as trained": trained,
        "40 of 200 cells FS or LTS": trained | ei.diversify(mix="cortex FS/LTS", seed=1),
        "all 200 cells RS, FS or LTS": trained | ei.diversify(mix="cortex FS/LTS", population="all", seed=1),
    }
    backend = ei.Backend("cpp_standalone", dtype="float32", threads=1)
    lines = [f"`python -m validation.benchmarks.sub_steps`, {platform.machine()}, beside other work.\n\n"]
    lines += ["| network | ms a trial |\n", "| --- | ---: |\n"]
    for name, spec in networks.items():
        lines.append(f"| {name} | {per_trial_ms(backend, spec, shown):.3f} |\n")
        print(lines[-1], end="", flush=True)
    OUT.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
