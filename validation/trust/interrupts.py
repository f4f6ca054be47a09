"""Promise: Ctrl-C anywhere stops within two seconds, with exit code 130, and leaves nothing half-written.

``python -m validation.trust.interrupts`` starts each long verb of the command line as a terminal does, sends SIGINT to its whole
process group at random moments of its work (while modules are imported, in the training, in a build, in the loop of a compiled
program and of one inside Python, in a sweep, in the demo), and measures how long it takes to end. Then nothing may be left: no
process, no output, no unfinished file. The machine must be quiet for the time to mean anything.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from validation.trust.results import table, write_result

LONGEST_S = 2.0
ROOT = Path(__file__).resolve().parents[2]
MODEL = str(ROOT / "models" / "digits_ei80.h5")
LONG_NOISE = "membrane_white_sd=0.1"
SWEEP = ROOT / "validation" / "digits_noise.toml"


@dataclass(frozen=True)
class Verb:
    """A command line, what tells that its work has begun, and how long to wait at most from there to Ctrl-C."""

    arguments: tuple[str, ...]
    begun: Callable[[Path, str], bool]
    wait_s: float
    fresh_cache: bool = False
    first_s: float = 0.0  # Python itself starts, before any program of ours


def _said(words: str) -> Callable[[Path, str], bool]:
    return lambda folder, said: words in said


def _started(folder: Path, said: str) -> bool:
    return True


def _building(folder: Path, said: str) -> bool:
    return bool(list(folder.glob("cache/builds/aside/*/code_objects/*")))


def _running(folder: Path, said: str) -> bool:
    return bool(list(folder.glob("tmp/ei_brian_run_*/part_0")))


VERBS = {
    "while it starts": Verb(("run", MODEL, "-o", "out.h5"), _started, 1.5, first_s=0.3),
    "train": Verb(("train", str(ROOT / "models" / "digits_ei80.toml"), "-o", "out.h5"), _started, 12.0, first_s=4.0),
    "build in progress": Verb(("run", MODEL, "-o", "out.h5"), _building, 3.0, fresh_cache=True),
    "run, compiled": Verb(("run", MODEL, "--noise", LONG_NOISE, "-o", "out.h5"), _running, 0.1),
    "run, inside Python": Verb(("run", MODEL, "--backend", "numpy", "-o", "out.h5"), _said("running"), 0.2),
    "validate": Verb(("validate", MODEL, "--backend", "numpy", "-o", "report"), _said("calibrating"), 6.0),
    "sweep": Verb(("sweep", str(SWEEP), "-o", "results", "--workers", "2"), _said("sweep:"), 6.0),
    "demo": Verb(("demo", "--pretrained", "-o", "report"), _said("loading"), 6.0),
}


def interrupted(verb: Verb, random_number: random.Random) -> tuple[float, int, list[str]]:
    """Start a verb, press Ctrl-C, and return the seconds until its end, its exit code and what is wrong with what it left."""
    with tempfile.TemporaryDirectory(prefix="ei_brian_ctrl_c_") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        environment = {**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONUNBUFFERED": "1"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        if verb.fresh_cache:
            environment["EI_BRIAN_CACHE"] = str(folder / "cache")
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "ei_brian", *verb.arguments], cwd=folder, env=environment, stdout=said, stderr=said,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            try:
                _wait_for(process, lambda: verb.begun(folder, (folder / "said").read_text(errors="replace")))
                time.sleep(verb.first_s + random_number.uniform(0.0, verb.wait_s))
                if process.poll() is not None:
                    return 0.0, process.returncode, ["ended before Ctrl-C"]
                began = time.perf_counter()
                os.killpg(process.pid, signal.SIGINT)
                process.wait(60)
                seconds = time.perf_counter() - began
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        return seconds, process.returncode, _left(folder, (folder / "said").read_text(errors="replace"))


def in_time(verb: Verb, random_number: random.Random) -> tuple[float, int, list[str]]:
    """Interrupt a verb; again where it had done all its work before, and was on its way out."""
    for _ in range(6):
        seconds, code, wrong = interrupted(verb, random_number)
        if not (code in (0, -signal.SIGINT) and {"left out.h5", "ended before Ctrl-C"} & set(wrong)):
            break
    return seconds, code, wrong


def _wait_for(process: subprocess.Popen[bytes], begun: Callable[[], bool]) -> None:
    end = time.monotonic() + 120.0
    while not begun() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)


def _left(folder: Path, said: str) -> list[str]:
    """Return what should not be there."""
    names = [path.name for path in folder.iterdir()]
    wrong = [f"left {name}" for name in names if name in ("out.h5", "out.md") or name.startswith(".")]
    wrong += [f"left {path}" for path in folder.glob("tmp/ei_brian*")]
    wrong += [f"left {path.relative_to(folder)}" for path in folder.glob("cache/builds/entries/*")]
    wrong += [f"left {path.relative_to(folder)}" for path in folder.glob("results/claims/*")]
    wrong += [f"left {path.relative_to(folder)}" for path in folder.glob("report/**/*.tmp")]
    wrong += ["a report" for path in folder.glob("report/report.html")]
    wrong += ["said: " + said.strip().splitlines()[-1][:100]] if "Traceback" in said else []
    return wrong + [f"process {pid} still runs" for pid in _processes(folder)]


def _processes(folder: Path) -> list[str]:
    """Return processes that work in a folder one second later."""
    end = time.monotonic() + 1.0
    while True:
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if str(folder).encode() in path.read_bytes():
                    found.append(path.parent.name)
            except OSError:
                continue
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)


def run(times: int, names: list[str] | None = None, seed: int = 0) -> tuple[list[tuple[str, int, str, str, str]], int]:
    """Interrupt each verb so often; return rows (verb, times, longest seconds, exit codes, what is wrong) and the failures."""
    rows, failures, random_number = [], 0, random.Random(seed)
    for name in names or list(VERBS):
        outcomes = [in_time(VERBS[name], random_number) for _ in range(times)]
        wrong = sorted({text for _, _, texts in outcomes for text in texts})
        codes = sorted({code for _, code, _ in outcomes})
        longest = max(seconds for seconds, _, _ in outcomes)
        bad = bool(wrong) or longest > LONGEST_S or codes != [130]
        failures += bad
        rows.append((name, times, f"{longest:.2f}", ", ".join(map(str, codes)), "; ".join(wrong) or "nothing"))
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    return rows, failures


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="each verb once, no file written")
    parser.add_argument("--times", type=int, default=5, help="how often each verb is interrupted (default 5)")
    parser.add_argument("--only", choices=sorted(VERBS), help="one verb, no file written")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else children of a command in the background ignore it
    rows, failures = run(1 if options.quick else options.times, [options.only] if options.only else None)
    head = ("Ctrl-C in", "times", "longest, seconds", "exit codes", "left behind or wrong")
    what = f"longer than {LONGEST_S:g} s, another exit code than 130, anything left"
    body = f"Failures: {failures} ({what}).\n\n{table(head, rows)}"
    write_result("interrupts", "Ctrl-C anywhere", body, options.quick or bool(options.only))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
