"""Measures our compiled programs beside their peers, all in one run.

    python -m validation.benchmarks [--quick] [--repeats 5] [-o validation/benchmarks/results]

writes ``results.csv``, ``scaling.csv``, ``results.md``, ``scaling.png`` and ``peers.png`` there. Nothing else should run
on the machine meanwhile.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from validation.benchmarks.contest import contest
from validation.benchmarks.scaling import scaling
from validation.benchmarks.write import write_results

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--repeats", type=int, default=5, help="of each measurement; the median counts")
    parser.add_argument("--quick", action="store_true", help="fewer trials and points, to try the command")
    options = parser.parse_args()
    timings = contest(options.repeats, options.quick)
    points = scaling(options.repeats, options.quick)
    write_results(options.output, timings, points, options.quick)
    print((options.output / "results.md").read_text(encoding="utf-8"))
