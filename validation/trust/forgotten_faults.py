"""Promise: the faults that people forget to try end in one clear error or in the right result, and the next run works.

``python -m validation.trust.forgotten_faults`` tries them on a small compiled network, each in a way that a user could meet:
interrupts, kills, full disks, broken builds, strange paths, seeds, another processor. ``--quick`` leaves out those that need a
build of their own.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from ei_brian.core.noise import Noise
from ei_brian.core.recording import Recording
from ei_brian.errors import BackendError, EIBrianError
from ei_brian.sim.backend import Backend
from ei_brian.sim.standalone import compiled_run, toolchain
from ei_brian.sim.standalone.launch import TrialRange
from ei_brian.toolchain.build_cache import BuildCache
from validation.trust.cases import lif, stimulus
from validation.trust.results import table, write_result

ENGINE = "ei_brian.sim.standalone.compiled_run"
STEPS = 5_000_000  # of a run that lasts long enough to be stopped
LONG = f"spec = lif(); print('ready', flush=True); Backend('cpp_standalone').run(spec, stimulus(spec, 20, 30), n_steps={STEPS})"
HEAD = "from ei_brian.sim.backend import Backend\nfrom validation.trust.cases import lif, stimulus\n"


def recording(**options: object) -> Recording:
    """Return a run of the small network."""
    return Backend("cpp_standalone").run(lif(), stimulus(lif(), 20, 30), **options)  # type: ignore[arg-type]


def same(one: Recording, other: Recording) -> bool:
    """Tell whether all spikes and scores of two runs are equal."""
    spikes = all(one.spikes[name].equals(other.spikes[name]) for name in one.spikes)
    return spikes and np.array_equal(one.scores, other.scores)  # type: ignore[arg-type]


def truth() -> Recording:
    """Return the same by the reference."""
    return Backend("reference").run(lif(), stimulus(lif(), 20, 30))


def expect(error: type[Exception], action: Callable[[], object]) -> str:
    """Return the message of the error that an action must raise."""
    try:
        action()
    except error as raised:
        return str(raised)
    raise SystemExit(f"no {error.__name__} where one was due")


def disk_full() -> str:
    """A limit on the size of files, at 40 sizes from 0 to enough, stands for a disk that fills up at any moment."""
    right, outcomes = truth(), {"refused": 0, "right": 0}
    recording()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in np.unique(np.geomspace(16, 400_000, 40).astype(int)).tolist():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            made = recording()
        except BackendError:
            outcomes["refused"] += 1
        else:
            outcomes["right"] += 1
            check(same(made, right), f"wrong result at a limit of {limit} bytes")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    check(min(outcomes.values()) > 0, f"limits too narrow: {outcomes}")
    check(same(recording(), right), "the next run is wrong")
    return f"{outcomes['refused']} limits refused, {outcomes['right']} right, 0 wrong; the next run is right"


def check(good: bool, words: str) -> None:
    """End with these words unless all is well."""
    if not good:
        raise SystemExit(words)


def killed_program() -> str:
    """SIGKILL, SIGINT and SIGTERM to the compiled program itself, in its loop."""
    words = []
    recording()  # so that it is built
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        with patch("ei_brian.sim.standalone.launch.subprocess.Popen", _doomed(number)):
            words.append(expect(BackendError, lambda: recording(n_steps=STEPS)))
    check(all("killed by" in text or "stopped before the end" in text for text in words), str(words))
    return f"each refused, for example: {words[0][:90]}"


def _doomed(number: signal.Signals) -> Callable[..., subprocess.Popen[bytes]]:
    """Return a Popen whose process is sent a signal soon after its start."""
    real = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = real(*arguments, **options)
        time.sleep(0.1)
        process.send_signal(number)
        return process

    return start


def interrupt() -> str:
    """Ctrl-C while a compiled program runs: stops within two seconds, nothing is left, the next run works."""
    with tempfile.TemporaryDirectory() as folder:
        process = _start(HEAD + LONG, TMPDIR=folder)
        check(process.stdout.readline() == "ready\n", "did not start")  # type: ignore[union-attr]
        _wait(lambda: list(Path(folder).glob("ei_brian_run_*/part_0")))
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        began = time.perf_counter()
        process.wait(20)
        seconds = time.perf_counter() - began
        check(process.returncode in (130, -signal.SIGINT), f"exit code {process.returncode}")
        patience = 2 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # two seconds of a machine that is not busy
        check(seconds < patience, f"took {seconds:.1f} s to stop, more than {patience:.1f} s")
        left = [path.name for path in Path(folder).iterdir() if path.name.startswith("ei_brian")]
        check(not left, f"left behind: {left}")
        check(not _running(folder), "the program still runs")
    check(same(recording(), truth()), "the next run is wrong")
    return f"stopped in {seconds:.2f} s with exit code {process.returncode}, nothing left, the next run is right"


def interrupted_build(number: signal.Signals) -> str:
    """Ctrl-C, or SIGKILL to everything, in the middle of a build; the next run builds it and is right."""
    with tempfile.TemporaryDirectory() as folder:
        process = _start(HEAD + LONG.replace(f", n_steps={STEPS}", ""), EI_BRIAN_CACHE=folder)
        _wait(lambda: list(Path(folder).glob("builds/aside/*/code_objects/*")), 120)
        os.killpg(process.pid, number)
        began = time.perf_counter()
        process.wait(30)
        seconds = time.perf_counter() - began
        check(process.returncode != 0, "a killed build ended well")
        check(not list(Path(folder, "builds", "entries").iterdir()), "half an entry was kept")
        code = HEAD + "from validation.trust.forgotten_faults import recording, same, truth\nassert same(recording(), truth())"
        after = _start(code, EI_BRIAN_CACHE=folder)
        check(after.wait(300) == 0, "the next run fails")
        check(not list(Path(folder, "builds", "aside").iterdir()), "an unfinished build stays for ever")
    return f"ended in {seconds:.2f} s with exit code {process.returncode}; the next run builds and is right"


def strange_path() -> str:
    """A cache and a temporary folder with spaces, quotes and ``$(...)`` in their names."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "a b'c\"d$(touch pwned)`e`;f&g")
        (place / "tmp").mkdir(parents=True)
        code = HEAD + "from validation.trust.forgotten_faults import recording, same, truth\nassert same(recording(), truth())"
        process = _start(code, EI_BRIAN_CACHE=str(place), TMPDIR=str(place / "tmp"))
        check(process.wait(300) == 0, "fails")
        check(not list(Path(folder).rglob("pwned")), "a name was run as a command")
        check(len(list((place / "builds" / "entries").iterdir())) == 1, "the build is not where it was asked for")
    return "builds and runs there, right"


def broken_build() -> str:
    """The cached binary is cut or changed: it is not started, but built again."""
    root = BuildCache().root
    outcomes = []
    recording()
    for damage in (lambda data: data[: len(data) // 2], lambda data: data[:-100] + bytes(100)):
        newest = max((root / "entries").iterdir(), key=lambda path: (root / "locks" / path.name).stat().st_mtime)
        data = (newest / "main").read_bytes()
        (newest / "main").write_bytes(damage(data))
        made = recording()
        check(same(made, truth()), "wrong result from a broken build")
        outcomes.append(made.build_seconds)
    return f"built again ({', '.join(f'{seconds:.0f} s' for seconds in outcomes)}), right"


def seeds() -> str:
    """Seeds that differ above bit 32, numpy whole numbers, wrong seeds, and two unseeded runs in one second."""
    noise = Noise(membrane_white_sd=0.2)
    runs = {seed: recording(noise=noise, seed=seed) for seed in (5, 2**32 + 5, 2**64 - 1)}
    check(not same(runs[5], runs[2**32 + 5]), "seeds 5 and 2**32 + 5 give the same noise")
    check(same(runs[5], recording(noise=noise, seed=np.int64(5))), "a numpy seed differs")
    for wrong in (-1, 2**64, 1.5, float("nan"), "5", True):
        expect(EIBrianError, lambda wrong=wrong: recording(noise=noise, seed=wrong))  # type: ignore[misc]
    first, second = recording(noise=noise), recording(noise=noise)
    check(first.seed != second.seed and not same(first, second), "two unseeded runs are the same")
    check(same(first, recording(noise=noise, seed=first.seed)), "the recorded seed does not give the run again")
    return "5 and 2**32 + 5 differ; numpy seeds as others; 6 wrong ones refused; unseeded runs differ and can be repeated"


def other_processor() -> str:
    """A build for another processor, compiler or version has another key, and is not started here."""
    from ei_brian.sim.standalone import program

    request = program.request_for(lif(), stimulus(lif(), 1, 1), np.dtype("float64"), "shared", 8, None)
    keys = {program.program_key(request, {})}
    for name in ("processor", "check_compiler"):
        toolchain.toolchain_key.cache_clear()
        with patch.object(toolchain, name, lambda: "another"):
            keys.add(program.program_key(request, {}))
    toolchain.toolchain_key.cache_clear()
    check(len(keys) == 3, "the key forgets the processor or the compiler")
    return "another processor or compiler is another key"


def stale_results() -> str:
    """The program ends well but did not write what it should: too short, absent, or the echo of other trials."""
    words = []
    for name, change in {
        "E.counts": lambda path: path.write_bytes(path.read_bytes()[:-4]),
        "scores": lambda path: path.unlink(),
        "E.events": lambda path: path.write_bytes(path.read_bytes()[:-2]),
        "E.events, whole events missing": lambda path: path.write_bytes(path.read_bytes()[:-12]),
    }.items():
        with patch(f"{ENGINE}.launch", _changing(name.partition(",")[0], change)):
            words.append(expect(BackendError, recording))
    return f"{len(words)} refused, for example: {words[0][:80]}"


def _changing(name: str, change: Callable[[Path], object]) -> Callable[..., object]:
    """Return a launch that changes one of the results after the program has ended."""
    real = compiled_run.launch

    def launch(program: Path, data: Path, parts: Sequence[TrialRange], *rest: Any) -> object:
        returned = real(program, data, parts, *rest)
        change(parts[0].folder / name)
        return returned

    return launch


def without_asserts() -> str:
    """Names and numbers that Brian2 or C++ would misread are refused under ``python -O``, too."""
    code = (
        "import numpy as np\nfrom ei_brian.core.population import Population\nfrom ei_brian.core.projection import Projection\n"
        "from ei_brian.errors import SpecError\nrefused = 0\n"
        "def make(what):\n    global refused\n    try:\n        what()\n    except SpecError:\n        refused += 1\n"
        "names = ['x', 'dt', 'xi', 'int', '../../a', 'a\\nb', 'i', 'j', 'N', 't', '', 'a__b', '1a', 'ä', 'while', 'lastspike']\n"
        "for name in names:\n    make(lambda: Population(name, 1, 'exc', 'lif_exponential'))\n"
        "for tau in (0.0, -1.0, float('nan'), float('inf'), 'a', 1j):\n"
        "    make(lambda: Population('E', 1, 'exc', 'lif_exponential', parameters={'tau_mem': tau}))\n"
        "for size in (0, -1, 2**40, 1.5, True):\n    make(lambda: Population('E', size, 'exc', 'lif_exponential'))\n"
        "for weights in ([[float('nan')]], [[1j]], [['a']], np.zeros((1, 1), '>f4'), np.full((1, 1), None, object), [1.0]):\n"
        "    make(lambda: Projection('a', 'b', np.asarray(weights)))\n"
        "for delay in (-1, 2**31, 0.5):\n    make(lambda: Projection('a', 'b', np.zeros((1, 1)), delay_steps=delay))\n"
        "Projection('a', 'b', np.full((1, 1), 5e-324))\nprint(refused)"
    )
    done = subprocess.run([sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False)
    check(done.stdout.strip() == "36", f"refused {done.stdout.strip()} of 36 {done.stderr[-300:]}")
    return "36 of 36 refused; a denormal weight is kept"


def _start(code: str, **environment: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join(filter(None, (os.getcwd(), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )  # fmt: skip


def _wait(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, "waited in vain")
        time.sleep(0.01)


def _running(folder: str) -> bool:
    """Tell whether a program still runs that works in this folder."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if folder.encode() in path.read_bytes():
                return True
        except OSError:
            continue
    return False


QUICK: dict[str, Callable[[], str]] = {
    "disk full at any moment": disk_full, "program killed in its loop": killed_program, "Ctrl-C in the loop": interrupt,
    "seeds": seeds, "build of another processor": other_processor, "results that are not whole": stale_results,
    "names and numbers under python -O": without_asserts,
}  # fmt: skip
FULL: dict[str, Callable[[], str]] = {
    "Ctrl-C while building": lambda: interrupted_build(signal.SIGINT),
    "SIGKILL while building": lambda: interrupted_build(signal.SIGKILL),
    "paths with quotes and $(...)": strange_path,
    "cached program damaged": broken_build,
}


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without those that build; no file written")
    quick = parser.parse_args().quick
    check(shutil.which("g++") is not None, "these checks need a compiler")
    rows, bad = [], 0
    for name, fault in (QUICK if quick else {**QUICK, **FULL}).items():
        try:
            rows.append((name, "holds", fault()))
        except SystemExit as error:
            bad += 1
            rows.append((name, "FAILS", str(error)))
        print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    body = table(("fault", "promise", "what happened"), rows)
    write_result("forgotten_faults", "Faults that people forget to try", body, quick)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
