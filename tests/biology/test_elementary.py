"""Square root, logarithm, sine and cosine of the language of steps: right, and the same bits wherever they run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import brian2
import numpy as np
import pytest

from ei_brian.core import elementary, exponential
from ei_brian.core.step_functions import ELEMENTARY
from ei_brian.interop import script_run
from ei_brian.sim.functions import FUNCTIONS
from ei_brian.sim.inprocess.cpp_text import PREAMBLE
from ei_brian.sim.preferences import preferences

NUMPY = {"logarithm": np.log, "square_root": np.sqrt, "sine": np.sin, "cosine": np.cos}
PROGRAM = """{preamble}
#include <cstdio>
int main()
{{
    double x;
    while (fread(&x, 8, 1, stdin) == 1) {{
        const double y[5] = {{exponential(x), logarithm(x), square_root(x), sine(x), cosine(x)}};
        const float f = (float)x, z[5] = {{exponential(f), logarithm(f), square_root(f), sine(f), cosine(f)}};
        fwrite(y, 8, 5, stdout);
        fwrite(z, 4, 5, stdout);
    }}
}}
"""


def arguments(name: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    if name in ("sine", "cosine"):
        turns = np.arange(-40, 40) * np.pi / 4
        return np.concatenate([rng.uniform(-1e6, 1e6, 100_000), rng.normal(size=100_000) * 5, turns, [0.0, -0.0]])
    positive = [np.exp(rng.uniform(-700, 700, 100_000)), rng.uniform(0.5, 2, 100_000), np.arange(1.0, 40.0)]
    return np.concatenate([*positive, 2.0 ** np.arange(-1022, 1023)])


@pytest.mark.parametrize("name", NUMPY)
def test_right_to_two_units_in_the_last_place(name: str) -> None:
    # of the result; of 1 for sine and cosine, whose argument is reduced by pi/2 known to 119 bits
    x = arguments(name)
    exact = NUMPY[name](x.astype(np.longdouble))
    unit = 2.0**-52 if name in ("sine", "cosine") else np.spacing(np.abs(exact.astype(np.float64)))
    assert np.max(np.abs(ELEMENTARY[name](x) - exact) / unit) <= 2
    assert ELEMENTARY[name](np.float32([1.0])).dtype == np.float32


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_beyond_their_range() -> None:
    edge = [0.0, -0.0, 5e-324, -1.0, np.inf, np.nan]
    assert np.array_equal(elementary.logarithm(edge), [-np.inf, -np.inf, -np.inf, np.nan, np.inf, np.nan], equal_nan=True)
    assert np.array_equal(elementary.square_root(edge[3:]), [np.nan, np.inf, np.nan], equal_nan=True)
    assert np.all(np.isnan(elementary.sine([np.inf, np.nan])))
    assert np.isnan(exponential.exponential(np.nan))


@pytest.mark.slow
def test_same_bits_in_cython() -> None:
    x = np.abs(np.concatenate([arguments(name) for name in NUMPY]))
    with preferences("cython", np.float64):
        results = "\n".join(f"of_{name} : 1" for name in NUMPY)
        group = brian2.NeuronGroup(x.size, f"given : 1\n{results}", namespace=dict(FUNCTIONS))
        group.given = x
        group.run_regularly("\n".join(f"of_{name} = {name}(given)" for name in NUMPY))
        brian2.Network(group).run(0.1 * brian2.ms, namespace={})
        for name in NUMPY:
            assert np.array_equal(getattr(group, f"of_{name}")[:], ELEMENTARY[name](x)), name


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_same_bits_in_cpp_double_and_single(tmp_path: Path) -> None:
    from ei_brian.toolchain.compiler import compiler_command

    (tmp_path / "all.cpp").write_text(PROGRAM.format(preamble=PREAMBLE), encoding="utf-8")
    made = subprocess.run(
        [*compiler_command(), "-O3", "-march=native", "-ffp-contract=off", "-o", tmp_path / "all", tmp_path / "all.cpp"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-2000:]
    edge = [0.0, -0.0, 5e-324, -1.0, np.inf, -np.inf, np.nan, 1e-310, 1e300, -1e300]
    x = np.concatenate([*(arguments(name) for name in NUMPY), edge, -arguments("logarithm")])
    done = subprocess.run([tmp_path / "all"], input=x.tobytes(), capture_output=True, check=True).stdout
    found = np.frombuffer(done, dtype=[("double", "<f8", 5), ("single", "<f4", 5)])
    single = x.astype(np.float32)
    for index, name in enumerate(("exponential", *NUMPY)):
        assert np.array_equal(found["double"][:, index], ELEMENTARY[name](x), equal_nan=True), name
        assert np.array_equal(found["single"][:, index], ELEMENTARY[name](single), equal_nan=True), name


def test_a_script_writes_them_out_with_the_same_bits() -> None:
    given: dict[str, object] = {"np": np, "functions": {}, "Function": lambda function, **_: function}
    exec(script_run.ELEMENTARY, given)  # noqa: S102
    functions = given["functions"]
    assert isinstance(functions, dict)
    assert set(functions) == set(NUMPY)
    for name in NUMPY:
        assert np.array_equal(functions[name](arguments(name)), ELEMENTARY[name](arguments(name)))
    assert "npt" not in script_run.ELEMENTARY


@pytest.mark.parametrize("name", NUMPY)
def test_gradients_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    from ei_brian.learn.texts import torch_functions

    x = torch.tensor([0.3, 1.7, 2.9], dtype=torch.float64, requires_grad=True)
    made = torch_functions(torch.float64)[name]
    assert np.array_equal(made(x).detach().numpy(), ELEMENTARY[name](x.detach().numpy()))
    assert torch.autograd.gradcheck(made, (x,))
