"""Promise: whatever happens to the workers of a Dask cluster, a sweep ends with the table of an undisturbed one, to the byte.

``python -m validation.trust.dask_workers`` runs a small sweep of the shipped network (compiled, 4 levels × 4 seeds, recordings
kept) in one process of this machine, then on clusters made by hand: with a worker that is killed and comes back, one that is
replaced by another, one whose sources differ under the same version number (its accuracy is 0.25 too low), one without a
compiler, and two sweeps at once. Recordings must lie in the results folder, and none in the folders of the workers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ei_brian
from validation.trust.results import table, write_result

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(ei_brian.__file__).parent
STUDY = f"""
seeds = 4
n_trials = 40
keep_recordings = true
[[variant]]
name = "trained"
models = ["{ROOT / "models" / "digits_ei80.h5"}"]
[[noise]]
kind = "spike_failure"
levels = [0.0, 0.1, 0.2, 0.3]
"""
PLANTED = ("made |= {\"accuracy\": right.value,", "made |= {\"accuracy\": right.value - 0.25,")
N_CONDITIONS = 13
LONGEST_S = 400.0


class Place:
    """A scheduler and its workers, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.processes = folder, list[subprocess.Popen[str]]()
        folder.mkdir()
        self.file = folder / "scheduler.json"
        self._start(["scheduler", "--host", "127.0.0.1", "--port", "0"], "scheduler", {})
        self._until(self.file.exists)

    @property
    def address(self) -> str:
        """Return tcp://host:port."""
        import json

        return str(json.loads(self.file.read_text())["address"])

    def worker(self, name: str, nanny: bool = True, **changes: str) -> subprocess.Popen[str]:
        """Start a worker in a folder of its own."""
        options = ["worker", "--host", "127.0.0.1", "--nthreads", "1", "--name", name, "--nanny" if nanny else "--no-nanny"]
        return self._start(options, name, changes)

    def close(self) -> None:
        """End all of it."""
        for process in reversed(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _start(self, options: list[str], name: str, changes: Mapping[str, str]) -> subprocess.Popen[str]:
        (self.folder / name).mkdir()
        command = [sys.executable, "-m", "dask", *options, "--no-dashboard", "--scheduler-file", str(self.file)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
        log = open(self.folder / f"{name}.log", "w", encoding="utf-8")  # noqa: SIM115 - the process keeps it
        started = subprocess.Popen(
            command, cwd=self.folder / name, env=environment, stdout=log, stderr=log, text=True, start_new_session=True
        )
        self.processes.append(started)
        return started

    def _until(self, test: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not test():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.folder}: the cluster did not start")
            time.sleep(0.2)


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Return a cluster that is ended with the block."""
    made = Place(folder)
    try:
        yield made
    finally:
        made.close()


def start_sweep(config: Path, results: Path, address: str) -> subprocess.Popen[str]:
    """Start the sweep of the command line on a cluster."""
    command = [sys.executable, "-m", "ei_brian", "sweep", str(config), "-o", str(results), "--scheduler", address]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return exit code and what was said."""
    out, error = process.communicate(timeout=LONGEST_S)
    return process.returncode, out + error


def wait_for(results: Path, n: int) -> None:
    """Wait until so many conditions are done."""
    end = time.monotonic() + LONGEST_S
    while len(list(results.glob("conditions/*/*.json"))) < n and time.monotonic() < end:
        time.sleep(0.1)


def other_sources(folder: Path) -> Path:
    """Return a folder with a copy of the package of the same version, whose accuracy is 0.25 too low."""
    shutil.copytree(PACKAGE, folder / "ei_brian", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "ei_brian" / "study" / "simulation.py"
    text = path.read_text(encoding="utf-8")
    if PLANTED[0] not in text:
        raise RuntimeError("the fault cannot be planted: simulation.py has changed")
    path.write_text(text.replace(*PLANTED), encoding="utf-8")
    return folder


def children(pid: int) -> list[int]:
    """Return the processes that a nanny started, by their parent."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def killed(cluster: Place, config: Path, results: Path) -> list[tuple[int, str]]:
    """Kill a worker in the middle; its nanny starts another."""
    nanny = cluster.worker("first")
    cluster.worker("second")
    running = start_sweep(config, results, cluster.address)
    wait_for(results, 3)
    for pid in children(nanny.pid):
        os.kill(pid, signal.SIGKILL)
    return [ended(running)]


def replaced(cluster: Place, config: Path, results: Path) -> list[tuple[int, str]]:
    """Kill the only worker in the middle, and start another by hand."""
    first = cluster.worker("first", nanny=False)
    running = start_sweep(config, results, cluster.address)
    wait_for(results, 3)
    os.killpg(first.pid, signal.SIGKILL)
    cluster.worker("second", nanny=False)
    return [ended(running)]


def another_version(cluster: Place, config: Path, results: Path) -> list[tuple[int, str]]:
    """One of two workers has other sources under the same version number."""
    cluster.worker("other", PYTHONPATH=str(other_sources(cluster.folder / "sources")))
    cluster.worker("ours")
    return [ended(start_sweep(config, results, cluster.address))]


def without_compiler(cluster: Place, config: Path, results: Path) -> list[tuple[int, str]]:
    """One of two workers has no compiler and no programs."""
    empty = cluster.folder / "bin"
    empty.mkdir()
    cluster.worker("bare", PATH=str(empty), EI_BRIAN_CACHE=str(cluster.folder / "no_programs"))
    cluster.worker("ours")
    return [ended(start_sweep(config, results, cluster.address))]


def two_at_once(cluster: Place, config: Path, results: Path) -> list[tuple[int, str]]:
    """Two sweeps share a cluster and a folder, and a worker is killed."""
    nanny = cluster.worker("first")
    cluster.worker("second")
    running = [start_sweep(config, results, cluster.address) for _ in range(2)]
    wait_for(results, 3)
    for pid in children(nanny.pid):
        os.kill(pid, signal.SIGKILL)
    return [ended(one) for one in running]


CASES = (killed, replaced, another_version, without_compiler, two_at_once)


def main() -> int:
    """Run every case and write the table; return 1 if one differs."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="dask_workers_") as name:
        folder = Path(name)
        config = folder / "study.toml"
        config.write_text(STUDY, encoding="utf-8")
        alone = folder / "alone"
        command = [sys.executable, "-m", "ei_brian", "sweep", str(config), "-o", str(alone), "--workers", "1"]
        subprocess.run(command, cwd=ROOT, check=True)
        for case in CASES:
            results = folder / f"{case.__name__}_results"
            with place(folder / case.__name__) as cluster:
                codes = case(cluster, config, results)
            same = all((results / f).read_bytes() == (alone / f).read_bytes() for f in ("table.csv", "table.sqlite"))
            kept = len(list((results / "recordings").glob("*.h5")))
            strays = len(list((folder / case.__name__).rglob("recordings/*.h5")))
            left_out = sum("is left out" in line for _, said in codes for line in said.splitlines())
            good = same and kept == N_CONDITIONS and not strays and all(code == 0 for code, _ in codes)
            rows.append((case.__doc__ or "", left_out, "yes" if same else "NO", kept, strays, "held" if good else "BROKEN"))
            print(rows[-1], *([] if good else codes), flush=True)
    bad = sum(row[-1] != "held" for row in rows)
    head = ("what happens", "left out", "table to the byte", f"recordings of {N_CONDITIONS}", "left on workers", "promise")
    write_result("dask_workers", "Workers of a Dask cluster", table(head, rows), quick=False)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
