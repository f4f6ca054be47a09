"""Synapses from Brian2 equations: closed forms, the receptors of the catalogue, and the same spikes wherever they run."""

from __future__ import annotations

from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import Mohm, amp, kHz, ms, mV, nS, pA

import ei_brian as ei
from ei_brian.core.input_current import input_currents
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.population import Population
from ei_brian.core.port_current import PortRun, charge_of_one, port_decay
from ei_brian.core.projection import Projection
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.synapse_model import SynapseModel
from ei_brian.errors import SpecError
from ei_brian.sim.backend import Backend
from ei_brian.storage import load_spec, save_spec
from tests.interop.test_script import check_script

BACKGROUND = ("background", "constant_current")
TWO = "dg/dt = -g/tau_d + s : siemens\nds/dt = -s/tau_r : siemens/second"
SATURATING = "dx/dt = -x/tau_r : 1\ndg/dt = -g/tau_d + alpha*x*(1 - g) : 1"
BLOCK = "((v + 80*mV)/(60*mV))**2/(1 + ((v + 80*mV)/(60*mV))**2)"


def plain(e_mv: float = 0, tau_ms: float = 5, **more: Any) -> SynapseModel:
    return ei.synapse("dg/dt = -g/tau : siemens", parameters={"tau": tau_ms * ms, "E": e_mv * mV}, **more)


@cache
def double(method: str = "exact") -> SynapseModel:
    parameters = {"tau_d": 6 * ms, "tau_r": 2 * ms, "E": 0 * mV}
    return ei.synapse(TWO, current="g*(E - v)", port="s", method=method, parameters=parameters)


@cache
def saturating() -> SynapseModel:
    parameters = {"tau_d": 80 * ms, "tau_r": 2 * ms, "alpha": 0.5 * kHz, "E": 0 * mV}
    current = "g*(E - v)/(1 + exp(-62*v/volt)/3.57)"
    return ei.synapse(SATURATING, current=current, port="x", method="exponential_euler", parameters=parameters, name="nmda_like")


@cache
def double_inhibition() -> SynapseModel:
    parameters = {"tau_d": 8 * ms, "tau_r": 1 * ms, "E": -75 * mV}
    return ei.synapse(TWO, current="g*(E - v)", port="s", parameters=parameters, name="slow_inhibition")


def network(
    exc: SynapseModel | str, inh: SynapseModel | str = "GABA_A", model: str | NeuronModel = "adex", dt_ms: float = 0.1,
    weight: float = 6.0, n_steps: int = 300, **parameters: Any,
) -> tuple[NetworkSpec, Stimulus]:  # fmt: skip
    rng = np.random.default_rng(3)
    cells = Population("cells", 6, "inh", model, (("ge", exc), ("gi", inh), BACKGROUND), parameters)
    spec = NetworkSpec(
        (Population("input", 8, "input"), cells),
        (
            Projection("input", "cells", weight * rng.uniform(0.2, 1.0, (6, 8)), "ge"),
            Projection("cells", "cells", rng.uniform(0.0, 4.0, (6, 6)), "gi"),
        ),
        dt_ms,
    )
    return spec, Stimulus(Spikes.from_dense(rng.random((2, n_steps, 8)) < 0.1, dt_ms=dt_ms))


def same(one: Recording, other: Recording) -> bool:
    return one.spikes["cells"].n_events > 5 and one.spikes["cells"].equals(other.spikes["cells"])


@pytest.mark.parametrize(
    ("model", "dt_ms", "n_steps"), [("adex", 0.1, 200), ("izhikevich_2007", 1.0, 100), ("wang_buzsaki", 0.5, 30)]
)
def test_an_exponential_conductance_is_the_receptor_of_the_catalogue(model: str, dt_ms: float, n_steps: int) -> None:
    """Equal spikes; potentials to the last digits: exp(-dt/tau) is computed of seconds here and of ms there."""
    kinds = (("AMPA", "GABA_A"), (plain(), plain(-70, 10)))
    pairs = [network(exc, inh, model, dt_ms, n_steps=n_steps) for exc, inh in kinds]
    one, other = (simulate(spec, stimulus, traces=[("cells", "v")]) for spec, stimulus in pairs)
    assert same(one, other)
    np.testing.assert_allclose(one.traces["cells", "v"], other.traces["cells", "v"], rtol=0, atol=1e-9)


def test_an_exponential_current_is_that_of_the_catalogue() -> None:
    own = ei.synapse("dg/dt = -g/tau : 1", parameters={"tau": 5 * ms})
    made = []
    for kind, more in (("exponential_current", {"offset_ge": 0.0}), (own, {})):
        for model, gain in (("adex", 900.0), ("izhikevich_2003", 12.0)):
            cells = Population("cells", 6, "exc", model, (("ge", kind), BACKGROUND), {"gain_ge": gain, **more})
            weights = np.random.default_rng(5).uniform(0.2, 1.0, (6, 8))
            spec = NetworkSpec((Population("input", 8, "input"), cells), (Projection("input", "cells", weights, "ge"),), 0.1)
            made.append(simulate(spec, network("AMPA")[1]))
    assert same(made[0], made[2])
    assert same(made[1], made[3])


def test_a_block_by_magnesium_is_that_of_the_catalogue() -> None:
    own = ei.synapse(
        "dg/dt = -g/tau : siemens\nI = g*block*(E - v) : amp\nblock = " + BLOCK + " : 1",
        parameters={"tau": 150 * ms, "E": 0 * mV}, current="I",
    )  # fmt: skip
    assert own.conductance
    one, other = (simulate(*network(kind, weight=2.0)) for kind in ("NMDA", own))
    assert same(one, other)


@pytest.mark.parametrize("dt_ms", [0.1, 1.0, 4.0])
def test_a_double_exponential_has_its_closed_form(dt_ms: float) -> None:
    """Conductance at the ends of steps, and its mean over each: the current that the cell gets."""
    cells = Population("cells", 1, "exc", "adex", (("ge", double()), BACKGROUND))
    run, rate = PortRun(cells, "ge", dt_ms, (1,)), 1e-9 / 1e-3  # a weight of 1 nS/ms
    a, b = 2.0, 6.0
    peak = 1e-3 * a * b / (b - a)  # of the difference of exponentials, in seconds
    flows, states = [], []
    for step in range(40):
        flows.append(run.step(0.0, rate if step == 0 else 0.0, -0.05)[0])
        states.append(float(run.states["g_ge"][0]))
    t = np.arange(40) * dt_ms
    np.testing.assert_allclose(states, rate * peak * (np.exp(-t / b) - np.exp(-t / a)), rtol=1e-12, atol=1e-25)
    charge = [rate * peak * (b * np.exp(-x / b) - a * np.exp(-x / a)) for x in (t, t + dt_ms)]
    np.testing.assert_allclose(flows, 0.05 * (charge[0] - charge[1]) / dt_ms, rtol=1e-11)


def test_an_alpha_function_has_its_closed_form() -> None:
    alpha = ei.synapse(
        "dg/dt = (s - g)/tau : siemens\nds/dt = -s/tau : siemens", current="g*(E - v)", port="s",
        parameters={"tau": 3 * ms, "E": -80 * mV},
    )  # fmt: skip
    assert alpha.sign == "inh"
    cells = Population("cells", 1, "exc", "adex", (("gi", alpha), BACKGROUND))
    run = PortRun(cells, "gi", 0.5, (1,))
    states = []
    for step in range(60):
        run.step(0.0, 1e-9 if step == 0 else 0.0, -0.05)
        states.append(float(run.states["g_gi"][0]))
    t = np.arange(60) * 0.5
    np.testing.assert_allclose(states, 1e-9 * t / 3 * np.exp(-t / 3), rtol=1e-12, atol=1e-25)


@pytest.mark.parametrize("method", ["exact", "euler", "rk2", "rk4"])
def test_a_spike_brings_its_whole_charge_at_any_step(method: str) -> None:
    """tau_r * tau_d * (E - v) of a spike of 1 nS/ms: 12 ms * ms * nS/ms * 50 mV; linear equations keep it under any of these."""
    cells = Population("cells", 1, "exc", "adex", (("ge", double(method)), BACKGROUND))
    for dt_ms in (0.1, 1.0):
        assert charge_of_one(cells, "ge", dt_ms, -50.0)[0] == pytest.approx(12.0 * 50.0, rel=1e-7)


def test_another_integrator_converges_to_the_exact_one() -> None:
    """Order 4: a tenth of the step, a ten-thousandth of the error."""
    errors = []
    for dt_ms in (1.0, 0.1):
        cells = [Population("c", 1, "exc", "adex", (("ge", double(method)), BACKGROUND)) for method in ("exact", "rk4")]
        runs = [PortRun(one, "ge", dt_ms, (1,)) for one in cells]
        for step in range(round(10 / dt_ms)):
            for run in runs:
                run.step(0.0, 1e-6 if step == 0 else 0.0, -0.05)
        errors.append(abs(float(runs[0].states["g_ge"][0] - runs[1].states["g_ge"][0])))
    assert 3.5 < np.log10(errors[0] / errors[1]) < 4.5


@pytest.mark.parametrize("layout", ["synapses", "shared"])
@pytest.mark.parametrize("backend", ["numpy", pytest.param("cpp_standalone", marks=pytest.mark.slow)])
def test_every_backend_gives_the_same_spikes(backend: str, layout: str) -> None:
    spec, stimulus = network(saturating(), double_inhibition(), weight=0.3, gain_ge=400.0)
    assert same(simulate(spec, stimulus), Backend(backend, layout=layout).run(spec, stimulus))


@pytest.mark.slow
def test_the_written_script_gives_the_same_spikes(tmp_path: Path) -> None:
    spec, stimulus = network(saturating(), double_inhibition(), weight=0.3, gain_ge=400.0)
    check_script(spec, stimulus, tmp_path)


def test_it_travels_in_the_file(tmp_path: Path) -> None:
    spec, stimulus = network(saturating(), double_inhibition(), weight=0.3, gain_ge=400.0)
    save_spec(spec, tmp_path / "own.h5")
    back = load_spec(tmp_path / "own.h5")
    assert back.sha256 == spec.sha256
    assert back.own_synapses == spec.own_synapses
    assert [one.name for one in back.own_synapses] == ["nmda_like", "slow_inhibition"]
    assert same(simulate(spec, stimulus), simulate(back, stimulus))
    assert network("AMPA")[0].sha256 == network("AMPA")[0].sha256 != spec.sha256


def _file_spikes(path: str, stimulus: Stimulus) -> Recording:
    return simulate(load_spec(path), stimulus)


@pytest.mark.slow
def test_a_process_that_never_saw_it_runs_it(tmp_path: Path) -> None:
    spec, stimulus = network(saturating(), double_inhibition(), weight=0.3, gain_ge=400.0)
    save_spec(spec, tmp_path / "own.h5")
    with get_context("spawn").Pool(1) as pool:
        assert same(simulate(spec, stimulus), pool.apply(_file_spikes, (str(tmp_path / "own.h5"), stimulus)))


def test_parameters_are_those_of_the_port_one_for_each_cell() -> None:
    cells = Population("cells", 3, "exc", "adex", (("ge", plain()), BACKGROUND), {"tau_ge": [2.0, 4.0, 8.0]})
    assert charge_of_one(cells, "ge", 0.1, -50.0) == pytest.approx(50.0 * np.array([2.0, 4.0, 8.0]), rel=1e-6)
    assert [p.name for p in cells.declared_parameters() if p.name.endswith("_ge")] == ["tau_ge", "E_ge", "gain_ge"]


def test_a_cell_whose_potential_has_another_name_takes_receptors() -> None:
    made = []
    for v in ("v", "u"):
        cell = ei.cell(
            f"d{v}/dt = (E - {v} + R*I)/tau : volt", threshold=f"{v} > -50*mV", reset=f"{v} = -65*mV", method="exact", voltage=v,
            parameters={"E": -70 * mV, "R": 100 * Mohm, "tau": 20 * ms}, input_current="I", initial={v: -70 * mV},
        )  # fmt: skip
        made.append(Backend("numpy").run(*network("NMDA", plain(-70), cell)))
    assert same(*made)


def test_the_currents_of_a_run_are_those_of_the_catalogue() -> None:
    found = []
    for exc, inh in (("AMPA", "GABA_A"), (plain(), plain(-70, 10))):
        spec, stimulus = network(exc, inh)
        found.append(input_currents(spec, simulate(spec, stimulus, traces=[("cells", "v")]), stimulus, "cells"))
    assert found[0].excitatory.mean() > 0 > found[0].inhibitory.mean()
    np.testing.assert_allclose(found[0].excitatory, found[1].excitatory, rtol=1e-9)
    np.testing.assert_allclose(found[0].inhibitory, found[1].inhibitory, rtol=1e-9)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"equations": "dg/dt = -g*tau : siemens"}, "units|dimensions"),
        ({"equations": "dg/dt = -g/tau + sigma : siemens"}, "sigma"),
        ({"equations": "dg/dt = -g/tau + xi*g/tau**0.5 : siemens"}, "noise"),
        ({"equations": "dg/dt = -g*g/(tau*nS) : siemens"}, "exact does not fit"),
        ({"current": "g*(E - w)"}, "w"),
        ({"current": "g*E*E"}, "none of"),
        ({"current": "g*tau"}, "none of"),
        ({"current": "g*(E - __import__('os'))"}, "__import__"),
        ({"port": "s"}, "no state"),
        ({"sign": "up"}, "allowed"),
        ({"parameters": {"tau": 5 * ms}}, "current"),
        ({"parameters": {"tau": 5 * ms, "E": 0 * mV, "gain": 1.0}}, "gain"),
        ({"parameters": {"tau": 5 * ms, "E": -60 * mV}}, "no current at -60"),
        ({"parameters": {"tau": [5, 6] * ms, "E": 0 * mV}}, "2 values"),
        ({"name": "a b"}, "cannot be used"),
        ({"equations": 3}, "int given"),
        ({"method": "gsl"}, "allowed are"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_synapse_is_refused_with_words(changes: dict[str, Any], says: str) -> None:
    good: dict[str, Any] = {"equations": "dg/dt = -g/tau : siemens", "parameters": {"tau": 5 * ms, "E": 0 * mV}}
    ei.synapse(**good)
    with pytest.raises(SpecError, match=says):
        ei.synapse(**{**good, **changes})


def test_calibration_needs_a_port_that_decays_by_itself() -> None:
    cells = Population("cells", 2, "exc", "adex", (("ge", double()), BACKGROUND), {"tau_r_ge": [2.0, 4.0]})
    np.testing.assert_allclose(port_decay(cells, "ge", 0.5), np.exp(-0.5 / np.array([2.0, 4.0])), rtol=1e-12)
    own = ei.synapse(
        "dg/dt = -g/tau*(1 + g/S) : siemens", current="g*(E - v)", method="euler",
        parameters={"tau": 5 * ms, "S": 3 * nS, "E": 0 * mV},
    )  # fmt: skip
    with pytest.raises(SpecError, match="decays by itself"):
        port_decay(Population("cells", 1, "exc", "adex", (("ge", own), BACKGROUND)), "ge", 0.5)


def test_several_states_need_a_port() -> None:
    with pytest.raises(SpecError, match="port"):
        ei.synapse(TWO, current="g*(E - v)", parameters={"tau_d": 6 * ms, "tau_r": 2 * ms, "E": 0 * mV})


def test_it_is_refused_where_it_does_not_fit() -> None:
    with pytest.raises(SpecError, match="mV/ms"):
        Population("cells", 1, "exc", "izhikevich_2003", (("ge", plain()),))
    with pytest.raises(SpecError, match="catalogue"):
        Population("cells", 1, "exc", "adex", (("ge", plain(name="AMPA")),))
    with pytest.raises(SpecError, match="two different synapses"):
        Population("cells", 1, "exc", "adex", (("ge", plain(name="a")), ("gi", plain(-70, name="a"))))
    with pytest.raises(SpecError, match="two different synapses"):
        NetworkSpec((
            Population("input", 1, "input"), Population("A", 1, "exc", "adex", (("ge", plain(name="a")),)),
            Population("B", 1, "exc", "adex", (("ge", plain(-70, name="a")),)),
        ), (), 0.1)  # fmt: skip
    with pytest.raises(SpecError, match="role 'inh'"):
        network("GABA_A", plain())
    with pytest.raises(SpecError, match="negative"):
        network(plain(), weight=-1.0)
    with pytest.raises(SpecError, match="stands for something else"):
        Population("cells", 1, "exc", "adex", (("ge", plain()), ("v", plain(-80, name="other"))))


def test_a_current_in_ampere_has_weights_of_both_signs() -> None:
    own = ei.synapse("dI/dt = -I/tau : amp", parameters={"tau": 5 * ms})
    assert (own.sign, own.current, own.current_unit, own.conductance) == ("", "I", "pA", False)
    cells = Population("cells", 2, "exc", "adex", (("ge", own), BACKGROUND))
    weights = np.array([[1000.0], [-1000.0]])
    spec = NetworkSpec((Population("input", 1, "input"), cells), (Projection("input", "cells", weights * pA, "ge"),), 0.1)
    v = simulate(spec, Stimulus(Spikes([0], [0], [0], 1, 50, 1, 0.1)), traces=[("cells", "v")]).traces["cells", "v"]
    assert v[0, -1, 0] > v[0, 0, 0] > v[0, -1, 1]
    assert (3 * pA / amp) == pytest.approx(3e-12)
