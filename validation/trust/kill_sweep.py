"""Promise: a sweep that is killed as often as one likes ends with the very table of one that was left alone.

``python -m validation.trust.kill_sweep`` runs a small study (a noisy network under the reference, 2 levels × 30 seeds) in two
workers, kills it with SIGKILL at random moments and starts it again until it is done, then begins with an empty folder, until 100
kills have hit a living study; sometimes a worker is killed as well. Every table must be byte for byte that of an undisturbed run,
every result that has a name must be whole at any moment, and no worker may outlive its study. Unfinished files of killed writers
are counted; they bear names of their own, and the next run of the study removes them after an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ei_brian.core.noise import Noise
from ei_brian.core.reference import simulate
from ei_brian.study.condition import Condition, canonical
from ei_brian.study.outcome import Work
from ei_brian.study.pool import Pool
from ei_brian.study.simulation import standard_measures
from ei_brian.study.sweep import sweep
from validation.trust.cases import lif, stimulus
from validation.trust.results import table, write_result

LEVELS = (0.1, 0.3)
MOST_RESULTS, LONGEST_S = 8, 0.4  # that a study may add before its death; from the last of them to its death
WORKERS_SHARE = 0.15


def conditions(n_seeds: int = 30) -> list[Condition]:
    """Return the study."""
    return [
        Condition("lif", 0, "membrane_white_sd", level, seed, canonical({"level": level, "seed": seed}))
        for level in LEVELS for seed in range(n_seeds)
    ]  # fmt: skip


def measured(condition: Condition) -> Mapping[str, Any]:
    """Return the measures of one noisy run."""
    spec = lif()
    recording = simulate(spec, stimulus(spec, 4, 40), noise=Noise(membrane_white_sd=condition.level), seed=condition.seed)
    return standard_measures(spec, recording)


def work() -> Work:
    """Return `measured`: what a worker calls."""
    return measured


def study(folder: str) -> None:
    """Run the study; what is started and killed."""
    print("ready", flush=True)
    sweep(conditions(), Path(folder), Pool(work, 2), progress=False, stale_seconds=5.0)


def tables(folder: Path) -> dict[str, bytes]:
    """Return the tables of a results folder."""
    return {name: (folder / name).read_bytes() for name in ("table.csv", "table.sqlite")}


def run(kills: int, seed: int = 0) -> dict[str, int]:
    """Kill that often and return what was counted."""
    random_number, counts = random.Random(seed), Counter[str]()
    bad = ("tables that differ", "results that are not whole", "outliving workers")
    for name in ("kills of the study", "kills of a worker", "studies", *bad, "unfinished files left"):
        counts[name] = 0
    with tempfile.TemporaryDirectory(prefix="ei_brian_sweep_") as name:
        left_alone = Path(name, "left_alone")
        if _start(left_alone).wait(300) != 0:
            raise SystemExit("the undisturbed study failed")
        expected = tables(left_alone)
        while counts["kills of the study"] < kills:
            folder = Path(name, f"study_{counts['studies']}")
            _until_done(folder, random_number, counts)
            counts["studies"] += 1
            made = tables(folder)
            counts["unfinished files left"] += len(list(folder.rglob(".*.part*")))
            if made != expected:
                counts["tables that differ"] += 1
                _say_difference(made, expected)
    return dict(counts)


def _say_difference(made: dict[str, bytes], expected: dict[str, bytes]) -> None:
    """Print the first lines that differ."""
    pairs = zip(made["table.csv"].splitlines(), expected["table.csv"].splitlines(), strict=False)
    for line, wanted in [pair for pair in pairs if pair[0] != pair[1]][:3]:
        print(f"made   {line!r}\nwanted {wanted!r}", file=sys.stderr)
    print(sorted(name for name in {*made, *expected} if made.get(name) != expected.get(name)), file=sys.stderr, flush=True)


def _start(folder: Path) -> subprocess.Popen[str]:
    code = f"from validation.trust.kill_sweep import study; study({str(folder)!r})"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _until_done(folder: Path, random_number: random.Random, counts: Counter[str]) -> None:
    """Start a study and kill it until one ends by itself."""
    while True:
        with _start(folder) as process:
            if process.stdout is not None:
                process.stdout.readline()
            enough = len(_results(folder)) + random_number.randrange(MOST_RESULTS)
            while len(_results(folder)) < enough and process.poll() is None:
                time.sleep(0.005)
            time.sleep(random_number.uniform(0.0, LONGEST_S))
            if process.poll() == 0:
                return
            workers = _children(process.pid)
            if workers and random_number.random() < WORKERS_SHARE:
                _kill(random_number.choice(workers))
                counts["kills of a worker"] += 1
                time.sleep(random_number.uniform(0.0, 0.3))
            counts["kills of the study"] += process.poll() is None
            process.kill()
        counts["results that are not whole"] += sum(not _whole(path) for path in _results(folder))
        counts["outliving workers"] += _outliving(workers)


def _results(folder: Path) -> list[Path]:
    return list(folder.glob("conditions/*/*.json"))


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _whole(path: Path) -> bool:
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        return False


def _outliving(workers: list[int]) -> int:
    """Return how many workers are still there five seconds after their study."""
    end = time.monotonic() + 5.0
    while (alive := [pid for pid in workers if _alive(pid)]) and time.monotonic() < end:
        time.sleep(0.02)
    return len(alive)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="five kills, no file written")
    quick = parser.parse_args().quick
    began = time.perf_counter()
    counts = run(5 if quick else 100)
    body = f"{time.perf_counter() - began:.0f} s.\n\n{table(('counted', 'number'), counts.items())}"
    write_result("kill_sweep", "A sweep under SIGKILL", body, quick)
    bad = sum(counts[name] for name in ("tables that differ", "results that are not whole", "outliving workers"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
