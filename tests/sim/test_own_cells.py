"""Cells from Brian2 equations: the spikes of plain Brian2, wherever they run and whoever carries them."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import Unit, amp, kelvin, metre, mole, volt
from scipy import special

import ei_brian as ei
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.units import unit_scale
from ei_brian.errors import SpecError
from ei_brian.sim.backend import Backend
from ei_brian.sim.own_cells.equations import unit_text
from ei_brian.sim.own_cells.step_writer import _enclosed
from ei_brian.storage import load_spec, save_spec
from tests.interop.test_script import check_script
from tests.sim.own_cells import EVERY_FUNCTION, PUBLISHED, TWO_COMPARTMENTS, Published

SLOW = ("two_compartment_pyramidal", "morris_lecar", "traub_miles_hh", "wang_buzsaki_hh")  # their algebra takes Brian2 a while
CONSTANT = (("background", "constant_current"),)


def made(which: Published) -> NeuronModel:
    return ei.cell(
        which.equations, threshold=which.threshold, reset=which.reset, refractory=which.refractory, method=which.method,
        parameters=which.parameters, input_current="I", initial=which.initial, name=which.name, reference=which.reference,
    )  # fmt: skip


def driven(model: NeuronModel, which: Published) -> NetworkSpec:
    cells = Population("cells", which.currents.size, "exc", model, CONSTANT, {"offset_background": which.currents})
    return NetworkSpec((Population("input", 1, "input"), cells), (), which.dt_ms)


def silence(which: Published) -> Stimulus:
    nothing = np.zeros(0, dtype=np.int32)
    return Stimulus(Spikes(nothing, nothing, nothing, 1, round(which.duration_ms / which.dt_ms), 1, which.dt_ms))


def in_plain_brian2(which: Published, unit: str) -> tuple[Any, Any]:
    """Return steps and cells of the spikes of Brian2's own integrator, on the same time steps."""
    brian2.prefs.codegen.target = "numpy"
    words = {"pA": "amp", "mV/ms": "volt/second", "1": "1"}
    group = brian2.NeuronGroup(
        which.currents.size, f"{which.equations}\nI : {words[unit]} (constant)", threshold=which.threshold,
        reset=which.reset or None, refractory=which.refractory or False,
        method=which.method, namespace=which.parameters, dt=which.dt_ms * brian2.ms,
    )  # fmt: skip
    group.I_ = which.currents * unit_scale(unit)
    for name, value in which.initial.items():
        setattr(group, name, value)
    spikes = brian2.SpikeMonitor(group)
    brian2.Network(group, spikes).run(which.duration_ms * brian2.ms, namespace={})
    return np.rint(np.asarray(spikes.t_) / (which.dt_ms * 1e-3)).astype(int), np.asarray(spikes.i)


@pytest.mark.parametrize(
    "which",
    [
        pytest.param(one, id=one.name, marks=pytest.mark.slow if one.name in SLOW else ())
        for one in (EVERY_FUNCTION, TWO_COMPARTMENTS, *PUBLISHED)
    ],
)
def test_a_published_cell_fires_spike_for_spike_as_in_plain_brian2(which: Published) -> None:
    model = made(which)
    found = simulate(driven(model, which), silence(which)).spikes["cells"]
    steps, cells = in_plain_brian2(which, model.input_unit)
    assert steps.size > 20
    assert len(set(zip(steps.tolist(), cells.tolist(), strict=True))) == steps.size
    here = set(zip(found.step.tolist(), found.unit.tolist(), strict=True))
    assert here == set(zip(steps.tolist(), cells.tolist(), strict=True))


def network(which: Published = PUBLISHED[1]) -> tuple[NetworkSpec, Stimulus]:
    """Return cells of a user between an input and each other, with weights that make them fire."""
    rng = np.random.default_rng(3)
    cells = Population("cells", 6, "inh", made(which), (("g", "exponential_current"),), {"gain_g": 900.0, "offset_g": 400.0})
    spec = NetworkSpec(
        (Population("input", 8, "input"), cells),
        (
            Projection("input", "cells", rng.uniform(0.2, 1.0, (6, 8))),
            Projection("cells", "cells", -rng.uniform(0.0, 0.3, (6, 6))),
        ),
        0.1,
    )
    return spec, Stimulus(Spikes.from_dense(rng.random((2, 400, 8)) < 0.02, dt_ms=0.1))


def same(one: Recording, other: Recording) -> bool:
    return one.spikes["cells"].n_events > 5 and one.spikes["cells"].equals(other.spikes["cells"])


def test_the_model_travels_in_the_file_and_gives_the_same_spikes(tmp_path: Path) -> None:
    spec, stimulus = network()
    save_spec(spec, tmp_path / "own.h5")
    back = load_spec(tmp_path / "own.h5")
    assert back.sha256 == spec.sha256
    assert back["cells"].own == spec["cells"].own
    assert same(simulate(spec, stimulus), simulate(back, stimulus))
    other = network(PUBLISHED[2])[0]
    assert other.sha256 != spec.sha256


def _spikes(spec: NetworkSpec, stimulus: Stimulus) -> Recording:
    return simulate(spec, stimulus)


def test_a_process_that_never_saw_the_model_runs_it() -> None:
    spec, stimulus = network()
    with get_context("spawn").Pool(1) as pool:
        there = pool.apply(_spikes, (spec, stimulus))
    assert same(simulate(spec, stimulus), there)


FUNCTIONS = {
    "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "log10": np.log10, "log": np.log, "expm1": np.expm1,
    "exp": np.exp, "sin": np.sin, "cos": np.cos, "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign, "exprel": special.exprel,
}  # fmt: skip
POWERS = {
    "y**3": lambda y: y**3, "y**5": lambda y: y**5, "y**-2": lambda y: y**-2.0,
    "y**1.7": lambda y: y**1.7, "(y + 1)**0.5": lambda y: (y + 1) ** 0.5,
}  # fmt: skip


def after_one_step(terms: dict[str, str], y: list[float]) -> dict[str, np.ndarray]:
    """Return what one step of forward Euler over tau adds to a state for each term in y."""
    lines = [f"dx_{name}/dt = ({term})/tau : 1" for name, term in terms.items()]
    model = ei.cell(
        "\n".join([*lines, "dv/dt = -v/tau : 1", "dy/dt = 0*y/tau : 1"]), threshold="v > 1", reset="v = 0", method="euler",
        parameters={"tau": 1 * brian2.ms, "p": 0.25}, name="terms",
    )  # fmt: skip
    cells = Population("cells", len(y), "exc", model, parameters={"y_init": y})
    spec = NetworkSpec((Population("input", 1, "input"), cells), (), 1.0)
    one = Stimulus(Spikes([], [], [], 1, 1, 1, 1.0))
    recording = simulate(spec, one, traces=[("cells", f"x_{name}") for name in terms])
    return {name: recording.traces["cells", f"x_{name}"][0, 0] for name in terms}


def test_every_function_of_a_step_has_its_value() -> None:
    """To the rounding of quotients and differences of exponentials: 1e-14 of the value, or of 1."""
    y = [0.02, 0.3, 1.0, 2.5, 7.0]
    found = after_one_step({name: f"{name}(y)" for name in FUNCTIONS}, y)
    for name, function in FUNCTIONS.items():
        np.testing.assert_allclose(found[name], function(np.array(y)), rtol=1e-13, atol=1e-14, err_msg=name)


def test_powers_of_a_step_have_their_value() -> None:
    y = [0.3, 1.0, 7.0]
    found = after_one_step({f"p{number}": term for number, term in enumerate(POWERS)}, y)
    for number, (term, power) in enumerate(POWERS.items()):
        np.testing.assert_allclose(found[f"p{number}"], power(np.array(y)), rtol=1e-14, err_msg=term)
    far = after_one_step({"far": "exp(-y)**p"}, [2000.0])["far"][0]  # exp(-2000) itself is 0
    assert far == pytest.approx(np.exp(-500.0), rel=1e-12)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("cpp_standalone", marks=pytest.mark.slow)])
@pytest.mark.parametrize("which", [PUBLISHED[4], EVERY_FUNCTION], ids=lambda which: which.name)
def test_every_backend_runs_the_same_step(backend: str, which: Published) -> None:
    spec, stimulus = network(which)
    assert same(Backend("reference").run(spec, stimulus), Backend(backend).run(spec, stimulus))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"equations": "dv/dt = (E_l - v + I)/tau : volt"}, "same dimensions|inconsistent|units"),
        ({"equations": "dv/dt = (E_l - v + R*I + missing)/tau : volt"}, "missing"),
        ({"equations": "dv/dt = (E_l - v + R*I)/tau + sigma*xi : volt"}, "noise"),
        ({"equations": "dv/dt = (E_l - v*arctan(v/E_l) + R*I)/tau : volt", "method": "euler"}, "arctan"),
        ({"equations": "dv/dt = (E_l - v + R*I)/tau*__import__('os').getpid() : volt"}, "does not take"),
        ({"threshold": "v > v_t and v"}, "no condition|boolean"),
        ({"threshold": "v"}, "no condition"),
        ({"reset": "v = 3"}, "expected unit"),
        ({"reset": "v_t = v"}, "parameter"),
        ({"method": "gsl"}, "exponential_euler"),
        ({"initial": {"u": 1}}, "no state"),
        ({"initial": {"v": 3 * brian2.pA}}, "mV"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_cell_is_refused_with_words(changes: dict[str, Any], says: str) -> None:
    leaky: dict[str, Any] = {
        "equations": "dv/dt = (E_l - v + R*I)/tau : volt", "threshold": "v > v_t", "reset": "v = E_l", "method": "exact",
        "parameters": {"E_l": -70 * brian2.mV, "R": 1e8 * brian2.ohm, "tau": 20 * brian2.ms, "v_t": -50 * brian2.mV},
        "input_current": "I",
    }  # fmt: skip
    ei.cell(**leaky)
    with pytest.raises(SpecError, match=says):
        ei.cell(**{**leaky, **changes})


def test_a_group_of_brian2_is_read_with_all_it_has() -> None:
    group = brian2.NeuronGroup(
        1, "dv/dt = (E_l - v + R*I)/tau : volt (unless refractory)\nI : amp", threshold="v > v_t", reset="v = E_l",
        refractory="2*ms", method="exact",
        namespace={"E_l": -70 * brian2.mV, "R": 1e8 * brian2.ohm, "tau": 20 * brian2.ms, "v_t": -50 * brian2.mV},
    )  # fmt: skip
    found = ei.cell(group, input_current="I", parameters={"v_t": -50 * brian2.mV}, name="leaky")
    wanted = ei.cell(
        "dv/dt = (E_l - v + R*I)/tau : volt (unless refractory)", threshold="v > v_t", reset="v = E_l", refractory="2*ms",
        method="exact", input_current="I", name="leaky",
        parameters={"E_l": -70 * brian2.mV, "R": 1e8 * brian2.ohm, "tau": 20 * brian2.ms, "v_t": -50 * brian2.mV},
    )  # fmt: skip
    point = {"offset": found.operating_point({}).rheobase - wanted.operating_point({}).rheobase}
    assert found.threshold == wanted.threshold
    assert {p.name for p in found.parameters} == {p.name for p in wanted.parameters}
    assert np.all(np.abs(point["offset"]) < 1e-9)
    assert np.allclose(wanted.operating_point({}).rheobase, 200.0, rtol=1e-6)


@pytest.mark.slow
def test_a_script_of_own_cells_gives_the_same_spikes(tmp_path: Path) -> None:
    spec, stimulus = network(EVERY_FUNCTION)
    check_script(spec, stimulus, tmp_path)


@pytest.mark.slow
def test_a_dask_worker_that_never_saw_the_model_runs_it(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    spec, stimulus = network(EVERY_FUNCTION)
    save_spec(spec, tmp_path / "own.h5")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        carried = client.submit(_spikes, spec, stimulus).result()
        opened = client.submit(_spikes_of_file, tmp_path / "own.h5", stimulus).result()
    assert same(simulate(spec, stimulus), carried)
    assert same(simulate(spec, stimulus), opened)


def _spikes_of_file(path: Path, stimulus: Stimulus) -> Recording:
    return simulate(load_spec(path), stimulus)


def pyramidal(port: str) -> tuple[NetworkSpec, Stimulus]:
    """Return two-compartment cells whose inputs of size reach the dendrite or the soma, beside a weak one to the soma."""
    rng = np.random.default_rng(5)
    which = TWO_COMPARTMENTS
    model = ei.cell(
        which.equations, threshold=which.threshold, refractory=which.refractory, method=which.method, ports=("i_d",),
        parameters=which.parameters, input_current="I", initial=which.initial, name=which.name, reference=which.reference,
    )  # fmt: skip
    cells = Population("cells", 4, "exc", model, (("g", "exponential_current"),), {"gain_g": 1.0, "offset_g": 20.0})
    weights = rng.uniform(100.0, 300.0, (4, 6))
    spec = NetworkSpec(
        (Population("input", 6, "input"), cells),
        (Projection("input", "cells", 0.1 * weights), Projection("input", "cells", weights, port=port, name="strong")),
        0.05,
    )
    return spec, Stimulus(Spikes.from_dense(rng.random((1, 2000, 6)) < 0.005, dt_ms=0.05))


@pytest.mark.parametrize("backend", ["numpy", pytest.param("cpp_standalone", marks=pytest.mark.slow)])
def test_soma_and_dendrite_are_ports_of_their_own(backend: str) -> None:
    spec, stimulus = pyramidal("i_d")
    found = simulate(spec, stimulus)
    assert same(found, Backend(backend).run(spec, stimulus))
    assert not found.spikes["cells"].equals(simulate(*pyramidal("g")).spikes["cells"])


def test_a_port_that_is_no_state_is_refused() -> None:
    which = PUBLISHED[3]
    with pytest.raises(SpecError, match="'dendrite' is no state"):
        ei.cell(which.equations, threshold=which.threshold, reset=which.reset, method="rk4", parameters=which.parameters,
                input_current="I", ports=("dendrite",))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "enclosed"),
    [("(a*(b))", True), ("(a)*(b)", False), ("a*(b)", False), ("(a", False), ("((a)", False), ("(a+b)", True), ("", False)],
)
def test_one_pair_of_brackets_encloses_a_text_or_not(text: str, enclosed: bool) -> None:
    assert _enclosed(text) is enclosed


@pytest.mark.parametrize("unit", [volt * kelvin, volt**0.5, metre, mole * amp, volt**10])
def test_dimensions_that_are_none_of_volt_ampere_and_second_are_refused(unit: Unit) -> None:
    with pytest.raises(SpecError, match="must be made of volt, ampere and second"):
        unit_text(unit.dim, "here")
    assert unit_text((volt / amp).dim, "here", si=True) == "V/A"
