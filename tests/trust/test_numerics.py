"""A run that leaves the finite numbers is refused by every backend, and so is arithmetic that is not that of the reference."""

from __future__ import annotations

import ctypes
import ctypes.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ei_brian.core.finiteness import finite, precision
from ei_brian.core.models import MODELS
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import MOST_STEPS, Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import BackendError, DataError
from ei_brian.sim.backend import Backend
from ei_brian.toolchain.compiler import check_cython_compiler, compiler_command
from tests.conftest import random_spec, random_stimulus

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")
SPIKING = [name for name, model in MODELS.items() if model.spiking and (model.ports or model.input_current)]


def driven(model: str, weight: float) -> tuple[NetworkSpec, Stimulus]:
    """Return three cells that a short burst reaches with one weight."""
    receptors = (("g", "exponential_current"),) if MODELS[model].input_current else ()
    cells = Population("E", 3, "mixed", model, receptors)
    port = cells.ports[0]
    dt = min(0.1, MODELS[model].max_dt_ms)
    spec = NetworkSpec((Population("X", 2, "input"), cells), (Projection("X", "E", np.full((3, 2), weight), port),), dt)
    shown = np.zeros((2, 40, 2), dtype=bool)
    shown[1, 5:9] = True
    return spec, Stimulus(Spikes.from_dense(shown, dt_ms=dt))


def outcome(name: str, dtype: str, model: str, weight: float) -> str:
    """Return what became of a run: finite traces, or the words of the refusal."""
    spec, stimulus = driven(model, weight)
    keys = [("E", state.name) for state in spec["E"].declared_states()]
    try:
        recording = Backend(name, dtype=dtype).run(spec, stimulus, traces=keys)
    except BackendError as error:
        return str(error)
    return "finite" if all(np.isfinite(trace).all() for trace in recording.traces.values()) else "unnoticed"


def is_right(found: str) -> bool:
    return found == "finite" or ("not finite in trial 1" in found or "not finite at the end of trial 1" in found)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_run_returns_finite_numbers_or_says_where_they_end(dtype: str) -> None:
    found = {(model, w): outcome("reference", dtype, model, w) for model in SPIKING for w in (1e30, -1e30, -1e300)}
    assert [key for key, words in found.items() if not is_right(words)] == []
    assert any(words != "finite" for words in found.values())


@pytest.mark.parametrize("model", ["izhikevich_2003", "adex"])
def test_runs_in_brian2_say_the_same(model: str) -> None:
    found = [outcome("numpy", "float32", model, weight) for weight in (1e30, -1e30)]
    assert all(is_right(words) for words in found), found
    assert found == [outcome("reference", "float32", model, weight) for weight in (1e30, -1e30)]


@needs_compiler
def test_a_compiled_run_says_it_too() -> None:
    spec, stimulus = driven("lif_exponential", -1.7e308)
    with pytest.raises(BackendError, match=r"left the finite numbers.*E\.\w+: not finite at the end of trial 1"):
        Backend("cpp_standalone").run(spec, stimulus)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_finite_is_what_the_bits_say(kind: type) -> None:
    limits = np.finfo(kind)
    values = np.array([0, -0.0, limits.max, -limits.max, limits.tiny / 4, np.inf, -np.inf, np.nan, -np.nan], dtype=kind)
    assert finite(values).tolist() == [True] * 5 + [False] * 4
    assert finite(values[::2]).tolist() == [True] * 3 + [False] * 2


def test_precision_takes_the_types_of_torch_and_names_what_is_allowed() -> None:
    torch = pytest.importorskip("torch")
    assert precision(torch.float32) == np.float32 == precision("float32")
    assert Backend("numpy", dtype=torch.float64).dtype == np.float64
    for wrong in (torch.float16, torch.int32, "single precision", None, int, object(), 32):
        with pytest.raises(BackendError, match="allowed are float32 and float64"):
            Backend("numpy", dtype=wrong)


@pytest.mark.parametrize("name", ["reference", "numpy", "cpp_standalone"])
@pytest.mark.parametrize("n_steps", [2**31, 2**32 + 7, 2**63, 2**64, -1, 0, 2.5, True])
def test_a_number_of_steps_that_does_not_fit_is_refused(name: str, n_steps: object) -> None:
    with pytest.raises(BackendError, match=f"n_steps: .*from 1 to {MOST_STEPS}"):
        Backend(name).run(random_spec(), random_stimulus(), n_steps=n_steps)  # type: ignore[arg-type]


def test_sizes_beyond_an_int32_are_refused_and_large_ones_are_sorted_right() -> None:
    none = np.zeros(0, dtype=np.int32)
    with pytest.raises(DataError, match="at most 2147483647"):
        Spikes(none, none, none, 1, 2**31, 1, 1.0)
    most = MOST_STEPS  # the product of the sizes does not fit into 64 bits
    spikes = Spikes([most - 1, 0, 1], [0, most - 1, 5], [3, 2, most - 1], most, most, most, 1.0)
    assert spikes.trial.tolist() == [0, 1, most - 1]
    with pytest.raises(DataError, match="given twice"):
        Spikes([1, 0, 1], [5, 1, 5], [2, 1, 2], most, most, most, 1.0)
    with pytest.raises(DataError, match="at most 2147483647"):
        random_stimulus(n_steps=40).refined(2**27)


@pytest.mark.skipif(ctypes.util.find_library("m") is None, reason="no libm to set the rounding of")
@pytest.mark.parametrize("direction", [0x400, 0x800, 0xC00], ids=["down", "up", "to zero"])
def test_another_rounding_is_refused(direction: int) -> None:
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    before = libm.fegetround()
    assert libm.fesetround(direction) == 0
    try:
        with pytest.raises(BackendError, match="does not round to the nearest"):
            simulate(random_spec(), random_stimulus())
    finally:
        libm.fesetround(before)


def test_numbers_set_to_zero_are_refused() -> None:
    torch = pytest.importorskip("torch")
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot")
    try:
        with pytest.raises(BackendError, match="set to zero in this thread"):
            Backend("numpy").run(random_spec(), random_stimulus())
    finally:
        torch.set_flush_denormal(False)


INEXACT = (
    "-ffast-math", "-Ofast", "-ffinite-math-only", "-funsafe-math-optimizations", "-fassociative-math", "-freciprocal-math",
    "-fno-signed-zeros", "-ffp-contract=fast", "-fsingle-precision-constant", "-mfpmath=387", "-fp-model=fast", "-mdaz-ftz",
)  # fmt: skip


@pytest.mark.parametrize("flag", INEXACT)
def test_flags_that_change_arithmetic_are_refused_by_name(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", f"g++ -O2 {flag} -g")
    with pytest.raises(BackendError, match=rf"\$CXX: the flag {flag} lets a compiler change"):
        compiler_command()
    monkeypatch.setenv("CXX", "g++")
    monkeypatch.setenv("CFLAGS", f"-g {flag}")
    with pytest.raises(BackendError, match=rf"\$CFLAGS: the flag {flag} "):
        check_cython_compiler()


def test_harmless_flags_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    harmless = ("-O2", "-g", "-fPIC", "-march=x86-64-v2", "-fno-fast-math", "-ffp-contract=off", "-fstack-protector", "-pipe")
    monkeypatch.setenv("CXX", " ".join(("g++", *harmless)))
    assert compiler_command() == ("g++", *harmless)


@needs_compiler
@pytest.mark.parametrize("flag", ["-ffast-math", "-ffinite-math-only", "-fassociative-math -fno-signed-zeros -fno-trapping-math"])
def test_the_sources_themselves_refuse_such_a_compiler(flag: str, tmp_path: Path) -> None:
    """Where a flag is hidden in the compiler's own configuration."""
    header = Path(__file__).parents[2] / "ei_brian" / "sim" / "standalone" / "arithmetic.h"
    command = ["g++", "-std=c++17", "-fsyntax-only", "-x", "c++", *flag.split(), str(header)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "ei_brian: the compiler is set to" in done.stderr


@needs_compiler
@pytest.mark.parametrize(("flags", "words"), [("-mfma -ffp-contract=fast", "fused"), ("-ffp-contract=off", "")])
def test_a_program_finds_out_how_it_computes(flags: str, words: str, tmp_path: Path) -> None:
    header = Path(__file__).parents[2] / "ei_brian" / "sim" / "standalone" / "arithmetic.h"
    (tmp_path / "main.cc").write_text(f'#include "{header}"\nint main() {{ ei::check_arithmetic(); }}\n')
    command = ["g++", "-std=c++17", "-O3", "-march=native", *flags.split(), "main.cc", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=False)
    assert (done.returncode, words in done.stderr) == (3 if words else 0, True)
