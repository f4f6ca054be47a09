"""Compiled runs that are killed, interrupted, started twice or on an odd path end in the right result or in one error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from ei_brian.sim.standalone import compilation, compiled_run, program
from ei_brian.sim.standalone.data_file import HEADER, SECTION, write_data
from ei_brian.sim.standalone.launch import TrialRange, _verify_completed, launch, shares
from ei_brian.sim.standalone.outputs import Span, read_counts, read_events, read_scores, read_traces
from ei_brian.toolchain import compiler
from tests.conftest import random_spec, random_stimulus
from tests.sim.networks import biological_network
from tests.sim.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
ODD = "it's a \"folder\" with $(touch pwned) `and` spaces"

RUN = """
    import numpy as np
    from ei_brian.core.population import Population
    from ei_brian.core.projection import Projection
    from ei_brian.core.reference import simulate
    from ei_brian.core.spec import NetworkSpec
    from ei_brian.core.spikes import Spikes
    from ei_brian.core.stimulus import Stimulus
    from ei_brian.sim.backend import Backend

    populations = (Population("light", 4, "input"), Population("cells", 5, "mixed", "lif_exponential"))
    spec = NetworkSpec(populations, (Projection("light", "cells", np.full((5, 4), 0.7)),), 1.0)
    rng = np.random.default_rng(0)

    def shown(n_trials, n_steps=30):
        return Stimulus(Spikes.from_dense(rng.random((n_trials, n_steps, 4)) < 0.2, 1.0))
"""
SHORT = """
    stimulus = shown(20)
    got = Backend("cpp_standalone", threads=2, batch=8).run(spec, stimulus)
    assert got.spikes["cells"].n_events > 50
    assert got.spikes["cells"].equals(simulate(spec, stimulus).spikes["cells"])
    print("right")
"""
ENDLESS = """
    backend = Backend("cpp_standalone", threads=2, batch=8, record="counts")
    backend.run(spec, shown(1))
    print("started", flush=True)
    backend.run(spec, shown(40), n_steps=2_000_000_000)
"""


def start(code: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Run Python text in a process with a cache and a temporary folder of its own."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "EI_BRIAN_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "tmp")}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RUN) + textwrap.dedent(code)], env={**variables, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
    )  # fmt: skip


def processes_in(folder: Path) -> list[int]:
    """Return the processes whose command line names a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if os.fsencode(folder) in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_killed_build_then_two_at_once_in_an_odd_folder_then_interrupted(tmp_path: Path) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    first = start(SHORT, folder)
    wait_for(lambda: list(folder.glob("cache/builds/aside/*/request.json")))
    first.send_signal(signal.SIGKILL)
    first.communicate()

    both = [start(SHORT, folder) for _ in range(2)]
    for process in both:
        out, words = process.communicate(timeout=500)
        assert (process.returncode, out.strip()) == (0, "right"), words
    assert len(list((folder / "cache/builds/entries").iterdir())) == 1
    assert not list((folder / "cache/builds/aside").iterdir())

    long = start(ENDLESS, folder)
    assert long.stdout is not None
    assert long.stdout.readline() == "started\n", long.communicate()
    wait_for(lambda: list((folder / "tmp").glob("ei_brian_run_*/part_1/stderr")))
    pressed = time.monotonic()
    long.send_signal(signal.SIGINT)
    long.communicate(timeout=60)
    assert time.monotonic() - pressed < 10, "2 s on an idle machine"
    assert long.returncode in (-signal.SIGINT, 130)
    assert not processes_in(folder / "tmp")
    left = [path.name for path in (folder / "tmp").iterdir()]
    assert not [name for name in left if not name.startswith("brian_")], "Brian2 keeps its log after any exception"
    assert not list(tmp_path.rglob("pwned"))


def test_the_first_failure_ends_the_run(tmp_path: Path) -> None:
    """A share that fails is reported at once, under its own name, though another would run for minutes."""
    program = tmp_path / "main"
    program.write_text('#!/bin/sh\nif [ "$3" = 0 ]; then exec sleep 300; fi\necho 7\necho "no room" >&2\nexit 4\n')
    program.chmod(0o755)
    told: list[int] = []
    began = time.monotonic()
    with pytest.raises(BackendError, match=r"results could not be written. no room"):
        launch(program, tmp_path / "data", shares([20], 7, 2, tmp_path), {}, told.append)
    assert time.monotonic() - began < 60
    assert told == [7]
    assert not processes_in(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("place", [HEADER.size + SECTION.size - 1, HEADER.size + 200], ids=["mark of use", "filling of a name"])
def test_a_list_of_sections_with_one_other_bit_is_refused_even_where_it_says_the_same(
    place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(path: Path, arrays: Any) -> dict[str, int]:
        checks = write_data(path, arrays)
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)
        return checks

    monkeypatch.setattr(compiled_run, "write_data", damaged)
    with pytest.raises(BackendError, match="its table of sections is damaged"):
        Backend("cpp_standalone").run(random_spec(), random_stimulus(n_trials=2))


def test_no_compiler_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(BackendError, match=r"compiler: 'g\+\+' was not found on PATH; .* Or use Backend\('numpy'\)"):
        compiler.check_compiler()


@pytest.mark.parametrize(
    ("body", "words"),
    [("exit 0", r"stub ended well, but wrote no .*it is no C\+\+ compiler"), ("echo no >&2; exit 3", r"failed \(3\):\nno")],
)
def test_a_compiler_that_is_none_is_one_clear_error(
    body: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stub = tmp_path / "stub"
    stub.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    stub.chmod(0o755)
    (tmp_path / "main.cpp").write_text("int main() { return 0; }", encoding="utf-8")
    monkeypatch.setattr(compilation, "compiler_command", lambda: [str(stub)])
    with pytest.raises(SystemExit, match=words):
        compilation.compile_program(tmp_path, ["main.cpp"], [])


def test_of_a_failed_build_the_compilers_words_are_told_and_of_python_the_last() -> None:
    assert program._last_words("a.cc:1: error: x\na.cc:2: error: y\n") == "Last words:\na.cc:1: error: x\na.cc:2: error: y"
    trace = 'Traceback (most recent call last):\n  File "child.py", line 1\nOSError: no space left on device\n'
    assert program._last_words(trace) == "OSError: no space left on device"


def test_a_module_in_the_working_folder_is_not_the_one_that_builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ei_brian", "brian2", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", "") + os.pathsep)  # an empty entry is the working folder
    (tmp_path / "build").mkdir()
    with pytest.raises(BackendError, match=r"request\.json"):
        program._build(tmp_path / "build")


def test_shares_hold_every_trial_once_in_whole_batches() -> None:
    for n_trials in (1, 6, 7, 8, 50, 1000):
        for batch in (1, 7, 64):
            for threads in (1, 2, 3, 16):
                for trials in ([n_trials], [3, n_trials, 1]):
                    parts = shares(trials, batch, threads, Path("folder"))
                    starts = [0, *np.cumsum(trials)[:-1]]
                    begun = {first + k for first, n in zip(starts, trials, strict=True) for k in range(0, n, batch)}
                    assert 1 <= len(parts) <= threads
                    assert [part.first for part in parts] == [0, *np.cumsum([part.count for part in parts])[:-1]]
                    assert sum(part.count for part in parts) == sum(trials)
                    assert all(part.count and part.first in begun for part in parts)


@pytest.fixture
def share(tmp_path: Path) -> TrialRange:
    (tmp_path / "stderr").write_text("ei_brian: last words\n")
    (tmp_path / "echo").write_text("a.v 5\nb.v 7\nseconds 0.25\ndone 3 4\n")
    return TrialRange(3, 4, tmp_path)


def test_an_honest_run_is_believed(share: TrialRange) -> None:
    assert _verify_completed(0, share, {"a.v": 5, "b.v": 7}) == 0.25


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "killed by SIGKILL"), (-11, "killed by SIGSEGV"), (3, "not what it expects"), (4, "could not be written"),
        (5, "left the finite numbers"), (77, "exit code 77"), (130, "exit code 130"),
    ],
)  # fmt: skip
def test_a_program_that_failed_is_not_believed(share: TrialRange, code: int, words: str) -> None:
    with pytest.raises(BackendError, match=rf"{words}.*last words.*Nothing of this run was kept"):
        _verify_completed(code, share, {"a.v": 5, "b.v": 7})


@pytest.mark.parametrize(
    "echo",
    ["", "done 3 4\n", "a.v 5\nb.v 8\nseconds 0.25\ndone 3 4\n", "a.v 5\nseconds 0.25\ndone 3 4\n",
     "a.v 5\nb.v 7\nseconds 0.25\n", "a.v 5\nb.v 7\nseconds 0.25\ndone 3 3\n",
     "a.v 5\nb.v 7\nc.v 1\nseconds 0.25\ndone 3 4\n", None],
)  # fmt: skip
def test_a_wrong_echo_is_not_believed(share: TrialRange, echo: str | None) -> None:
    path = share.folder / "echo"
    if echo is None:
        path.unlink()
    else:
        path.write_text(echo)
    with pytest.raises(BackendError):
        _verify_completed(0, share, {"a.v": 5, "b.v": 7})


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"", None])
def test_results_of_a_wrong_size_are_refused(share: TrialRange, change: Callable[[bytes], bytes] | None) -> None:
    spec = biological_network()
    size, steps = spec["out"].size, 6
    results = {"out.counts": 4 * 4 * size, "scores": 8 * 4 * size, "trace.out.v": 8 * 4 * steps * size, "F.events": 12}
    for name, length in results.items():
        data = bytes(length)
        if change is not None:
            (share.folder / name).write_bytes(change(data))
    reads: list[Callable[[], object]] = [
        lambda: read_counts([share], "out", size),
        lambda: read_scores([share], size, np.dtype("float64")),
        lambda: read_traces([share], ("out", "v"), size, [Span(0, 7, steps)], 7, np.dtype("float64")),
    ]
    if change is None or change(bytes(12)):  # no event at all is a result too; its number is compared with the counts
        reads.append(lambda: read_events([share], "F"))
    for read in reads:
        with pytest.raises(BackendError, match=r"result [\w.]+"):
            read()
