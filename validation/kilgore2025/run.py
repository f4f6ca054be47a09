"""The study from training to figures, in one command: ``python validation/kilgore2025/run.py``.

It may be stopped at any moment; the same command goes on from there.
"""

from __future__ import annotations

import argparse
import datetime
import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter

from networks import measure_all
from report import Simulated, write_report
from robustness import run_robustness
from test_time import run_test_time
from training import Config, train_all

STAGES = ("training", "measures", "calibration and Brian2")
HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", choices=("own", "paper"), default="own", help="the paper's settings, or smaller ones of our own")
    parser.add_argument("--hours", type=float, default=None, help="paper: stop taking up networks after so long (0: only write the report); all of them unless given")
    parser.add_argument("--shd", type=Path, default=None, help="paper: folder of shd_train.h5 and shd_test.h5")
    parser.add_argument("--dask", default=None, help="paper: address of a Dask scheduler; its workers find the data by themselves")
    parser.add_argument("--trainer", choices=("package", "plain"), default="package", help="paper: the package's, or an independent loop")
    parser.add_argument("--quick", action="store_true", help="few networks, under 5 minutes")
    parser.add_argument("--config", type=Path, default=HERE / "config.toml")
    parser.add_argument("--data", default=None, help="file or folder of the images, instead of what the configuration names")
    parser.add_argument("--output", "-o", type=Path, default=None, help="where results are kept between calls")
    parser.add_argument("--report", type=Path, default=None, help="where text, figures and tables are written")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, nargs="+", default=None, help="instead of those of the configuration")
    parser.add_argument("--training-only", action="store_true", help="leave the noise at test time out")
    options = parser.parse_args()
    if options.protocol == "paper":
        from paper.main import paper_study

        paper_study(options, " ".join(sys.argv[1:]))
        return
    config = Config.read(options.config, options.quick)
    if options.data:
        config = replace(config, data=replace(config.data, name=options.data))
    if options.seeds:
        config = replace(config, training=replace(config.training, seeds=tuple(options.seeds)))
    folder = options.output or HERE / "results" / ("quick" if options.quick else "full")
    report = options.report or folder / "report"
    marks = [perf_counter()]
    train_all(config, folder, options.workers)
    marks.append(perf_counter())
    rows = measure_all(config, folder)
    marks.append(perf_counter())
    simulated = None
    if not options.training_only:
        curves = run_test_time(config, folder, options.workers)
        simulated = Simulated(*curves, *run_robustness(config, folder, rows, options.workers))
    marks.append(perf_counter())
    times = _times(folder, [after - before for before, after in pairwise(marks)])
    write_report(config, rows, simulated, report, times, " ".join(sys.argv[1:]))
    print(f"wrote {report / 'RESULTS.md'}: {perf_counter() - marks[0]:.0f} s in all; {times}")


def _times(folder: Path, seconds: Sequence[float]) -> str:
    """Add the seconds of this call to the list of the folder; return all calls in words."""
    parts = ", ".join(f"{value:.0f} s {part}" for value, part in zip(seconds, STAGES, strict=True))
    with (folder / "calls.txt").open("a") as file:
        now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"
        used = f"{_processor_seconds():.0f} s of processor time, load average at the end {os.getloadavg()[1]:.1f}"
        file.write(f"{now}: {sum(seconds):.0f} s ({parts}), {used}\n")
    calls = (folder / "calls.txt").read_text().splitlines()
    later = "; text and figures written again since" if len(calls) > 1 and sum(seconds) < 60 else ""
    return f"{calls[0]}{later}" if later or len(calls) == 1 else "; ".join(calls)


def _processor_seconds() -> float:
    """Return what this process and all that it started, workers and compilers, have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    main()
