"""Folders that programs are loaded from, and odd requests: held, or one clear error."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.schedule import layerwise_schedule
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError, DataError
from ei_brian.sim import cython_cache as cython
from ei_brian.sim.backend import Backend
from ei_brian.sim.preferences import COMPILER_FLAGS
from ei_brian.sim.standalone import toolchain
from ei_brian.toolchain import cache_root as root
from ei_brian.toolchain import compiler, safe_folder
from ei_brian.toolchain.build_cache import BuildCache
from ei_brian.toolchain.folder_manifest import MANIFEST, folder_is_whole, seal_folder
from tests.conftest import random_spec, random_stimulus

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
NOBODY = 65534


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a cache folder of this test, and a temporary folder beside it."""
    (tmp_path / "tmp").mkdir(mode=0o700)
    (tmp_path / "above").mkdir(mode=0o700)
    monkeypatch.setenv("EI_BRIAN_CACHE", str(tmp_path / "above" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path / "above" / "cache"


@pytest.mark.parametrize("mode", [0o777, 0o772, 0o770])
def test_a_cache_below_a_folder_that_others_can_change_is_left_for_a_private_one(
    mode: int, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(safe_folder, "_is_private_group", lambda group: False)
    cache.parent.chmod(mode)
    private = root.cache_root()
    assert private.parent.name == "tmp"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert "can write into" in capsys.readouterr().err
    cache.parent.chmod(mode | stat.S_ISVTX)  # each may take away only what is his own
    assert root.cache_root() == cache
    cache.parent.chmod(mode)
    with pytest.raises(BackendError, match=r"can write into .* Run chmod go-w on it, or set EI_BRIAN_CACHE"):
        BuildCache(cache / "builds")


@as_root
def test_below_a_folder_of_another_chmod_is_no_advice(cache: Path) -> None:
    os.chown(cache.parent, NOBODY, NOBODY)
    with pytest.raises(BackendError, match=r"belongs to user 65534\. Set EI_BRIAN_CACHE to a folder elsewhere\."):
        BuildCache(cache / "builds")


@as_root
@pytest.mark.parametrize("which", ["cache", "above", "digest"])
def test_the_cython_cache_has_the_rules_of_the_other(which: str, cache: Path) -> None:
    folder = Path(cython.cython_cache(COMPILER_FLAGS))
    assert folder.parents[1] == cache
    given = {"cache": cache / "cython", "above": cache.parent, "digest": folder}[which]
    os.chown(given, NOBODY, NOBODY)
    if which == "above":
        assert "tmp" in Path(cython.cython_cache(COMPILER_FLAGS)).parts
        return
    with pytest.raises(BackendError, match="belongs to user 65534"):
        cython.cython_cache(COMPILER_FLAGS)


@as_root
def test_modules_of_another_user_are_not_loaded(cache: Path) -> None:
    folder = Path(cython.cython_cache(COMPILER_FLAGS))
    (folder / "evil.so").write_bytes(b"")
    assert Path(cython.cython_cache(COMPILER_FLAGS)) == folder
    for owner, mode in ((NOBODY, 0o600), (0, 0o666)):
        os.chown(folder / "evil.so", owner, owner)
        (folder / "evil.so").chmod(mode)
        with pytest.raises(BackendError, match="not yours alone"):
            cython.cython_cache(COMPILER_FLAGS)


@pytest.mark.parametrize("damage", ["cut", "byte", "gone", "none"])
def test_a_cython_module_that_is_not_what_has_run_is_made_again(damage: str, cache: Path) -> None:
    """A library that was cut ends a process with a signal, or computes something else."""
    folder = Path(cython.cython_cache(COMPILER_FLAGS))
    module, other = folder / "_cython_magic_1.so", folder / "_cython_magic_2.so"
    for path in (module, other):
        path.write_bytes(b"machine code" * 1000)
        path.chmod(0o700)
    ran = (SimpleNamespace(__file__=str(module)), SimpleNamespace(), SimpleNamespace(__file__="/x.so"))
    cython.note_modules(str(folder), ran)
    note = folder / "_cython_magic_1.so.sha256"
    assert note.read_text() == hashlib.sha256(module.read_bytes()).hexdigest()
    if damage == "gone":
        module.unlink()
    elif damage != "none":
        changed = module.read_bytes()[:5000] if damage == "cut" else b"M" + module.read_bytes()[1:]
        module.write_bytes(changed)
    assert Path(cython.cython_cache(COMPILER_FLAGS)) == folder
    assert module.exists() == note.exists() == (damage == "none")
    assert other.exists(), "one that has not run yet may be in the making"


def test_the_cython_cache_knows_processor_flags_and_compiler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {cython.cython_cache(COMPILER_FLAGS), cython.cython_cache((*COMPILER_FLAGS, "-g"))}
    monkeypatch.setattr(toolchain, "processor", lambda: "avx2 and no more")
    seen.add(cython.cython_cache(COMPILER_FLAGS))
    monkeypatch.setenv("CFLAGS", "-O1")
    seen.add(cython.cython_cache(COMPILER_FLAGS))
    assert len(seen) == 4


def test_a_file_system_without_locks_or_programs(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cython, "takes_locks", lambda folder: False)
    assert Path(cython.cython_cache(COMPILER_FLAGS)).parent.name == "tmp"
    monkeypatch.setattr(root, "refuses_programs", lambda folder: folder == cache)
    assert root.cache_root().parent.name == "tmp"
    assert "runs no programs (noexec)" in capsys.readouterr().err
    monkeypatch.setattr(root, "refuses_programs", lambda folder: True)
    with pytest.raises(BackendError, match=r"noexec.*and.*noexec.*Set EI_BRIAN_CACHE"):
        root.cache_root()


WRONG = [b"[]", b'["a"]', b'{"main": 5}', b'{"main": [5]}', b'{"main": [5, 5]}', b'{"main": ["5", "a"]}', b"null", b"7", b'"x"',
         b"[" * 100_000, b"{", b"\xff", b"", b"NaN", b'{"main": [true, "a"]}']  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=[text[:12].decode("latin-1") for text in WRONG])
def test_a_manifest_of_a_wrong_type_is_no_manifest(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "main").write_bytes(b"hello")
    seal_folder(tmp_path)
    assert folder_is_whole(tmp_path)
    (tmp_path / MANIFEST).write_bytes(text + hashlib.sha256(text).hexdigest().encode())
    assert not folder_is_whole(tmp_path)


def test_entries_that_others_can_write_are_built_anew(cache: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "main").write_text("x")

    builds = BuildCache(cache / "builds")
    for _ in range(2):
        with builds.entry("key", make) as folder:
            path = folder / "main"
    assert len(made) == 1
    for changed in (path, path.parent):
        changed.chmod(0o777)
        with builds.entry("key", make):
            pass
    assert len(made) == 3


def test_what_cxx_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spaced = tmp_path / "my tools" / "g++"
    spaced.parent.mkdir()
    spaced.write_text("#!/bin/sh\nprintf 'mine \\377 1.0\\n'\n")
    spaced.chmod(0o755)
    words = {"": ("g++",), "  ": ("g++",), str(spaced): (str(spaced),), f"'{spaced}' -g": (str(spaced), "-g")}
    for given, wanted in words.items():
        monkeypatch.setenv("CXX", given)
        assert compiler.compiler_command() == wanted
    assert compiler.check_compiler().startswith("mine")  # bytes that are no text do no harm
    monkeypatch.setenv("CXX", "g++ 'unfinished")
    with pytest.raises(BackendError, match=r"\$CXX: .*No closing quotation"):
        compiler.compiler_command()


def test_projections_without_synapses_do_nothing() -> None:
    populations = (Population("inp", 3, "input"), Population("E", 2, "exc", "lif_exponential"))
    none = Projection("E", "E", np.zeros((2, 2)))
    spec = NetworkSpec(populations, (Projection("inp", "E", np.ones((2, 3))), none), 1.0)
    stimulus = random_stimulus(n_units=3, rate=0.5)
    right = simulate(spec, stimulus)
    for layout in ("shared", "synapses"):
        assert Backend("numpy", layout=layout).run(spec, stimulus).spikes["E"].equals(right.spikes["E"])


@pytest.mark.slow
def test_nor_in_a_compiled_program() -> None:
    populations = (Population("inp", 3, "input"), Population("E", 2, "exc", "lif_exponential"))
    none = Projection("E", "E", np.zeros((2, 2)), delay_steps=2)
    spec = NetworkSpec(populations, (Projection("inp", "E", np.ones((2, 3))), none), 1.0)
    stimulus = random_stimulus(n_units=3, rate=0.5)
    compiled = Backend("cpp_standalone", layout="synapses").run(spec, stimulus)
    assert compiled.spikes["E"].equals(simulate(spec, stimulus).spikes["E"])


@pytest.mark.parametrize("n_inputs", [1, 2])
@pytest.mark.parametrize("order", ["brian2", "layerwise"])
def test_graded_input_with_any_schedule_in_plain_synapses(n_inputs: int, order: str) -> None:
    cells = Population("hid", 2, "mixed", "snntorch_leaky_subtract")
    inputs = [Population(f"in_{k}", 3 - k, "input") for k in range(n_inputs)]
    populations = (*inputs, cells)
    projections = tuple(Projection(p.name, "hid", np.ones((2, p.size), np.float32), port="drive") for p in inputs)
    schedule = layerwise_schedule(populations, projections) if order == "layerwise" else ()
    spec = NetworkSpec(populations, projections, 1.0, schedule=schedule)
    shown = np.random.default_rng(0).random((2, 20, sum(p.size for p in inputs)))
    stimulus = Stimulus.from_currents(shown, 1.0)
    for layout in ("shared", "synapses"):
        found = Backend("numpy", layout=layout).run(spec, stimulus)
        assert found.spikes["hid"].equals(simulate(spec, stimulus).spikes["hid"])


@pytest.mark.parametrize("traces", [("E", "v"), "Ev", [("E", "v", "w")], [("E", 1)], [["E"]], [5]])
def test_traces_that_are_no_pairs_are_refused(traces: object) -> None:
    for name in ("reference", "numpy", "cpp_standalone"):
        with pytest.raises(BackendError, match=r"traces: .*give pairs of population and state.*\[\('E', 'v'\)\]"):
            Backend(name).run(random_spec(), random_stimulus(), traces=traces)  # type: ignore[arg-type]


def test_a_trace_that_is_asked_for_twice_is_there_once() -> None:
    assert list(Backend("numpy").run(random_spec(), random_stimulus(), traces=[("E", "v"), ["E", "v"]]).traces) == [("E", "v")]  # type: ignore[list-item]


def test_a_rate_of_an_unknown_population_names_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"'X' is not known.*E, I"):
        Backend("reference").run(random_spec(), random_stimulus()).rate_hz("X")


@pytest.mark.parametrize("batch", [10**9, 2**31, 2**40, 2**62])
def test_more_trials_side_by_side_than_fit_are_refused(batch: int) -> None:
    with pytest.raises(BackendError, match=r"Backend.batch: .*leave it out"):
        Backend(batch=batch).run(random_spec(), random_stimulus())


def test_json_is_what_a_manifest_holds(tmp_path: Path) -> None:
    (tmp_path / "main").write_bytes(b"hello")
    seal_folder(tmp_path)
    assert json.loads((tmp_path / MANIFEST).read_bytes()[:-64])["main"][0] == 5
