"""The Brian2 script of a network runs with brian2 alone and gives the same spikes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.units import ATOMIC
from ei_brian.errors import DataError
from ei_brian.interop.brian2_script import script
from ei_brian.interop.script_parts import DECIMAL
from tests.conftest import random_spec, random_stimulus
from tests.interop.small_cases import SMALL_CASES, small_spec, small_stimulus


def run_alone(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script where ei_brian cannot be imported."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
    blocked = (
        "import runpy, sys; sys.modules['ei_brian'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", blocked, str(path), *arguments],
        capture_output=True, text=True, env=environment, timeout=300, check=False,
    )  # fmt: skip


def spikes_of(path: Path, spec: NetworkSpec, stimulus: Stimulus) -> tuple[dict[str, Spikes], Any]:
    with np.load(path.with_name(path.stem + "_spikes.npz")) as stored:
        made = {
            cell.name: Spikes(
                *(stored[f"{cell.name}_{what}"].astype(np.int32) for what in ("trial", "step", "unit")),
                stimulus.n_trials, stimulus.n_steps, cell.size, spec.dt_ms,
            )
            for cell in spec.cells if cell.spiking
        }  # fmt: skip
        return made, stored.get("scores")


def check_script(spec: NetworkSpec, stimulus: Stimulus, folder: Path) -> str:
    path, _ = script(spec, folder / "model.py", stimulus)
    done = run_alone(path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "WARNING" not in done.stderr
    reference = simulate(spec, stimulus)
    spikes, scores = spikes_of(path, spec, stimulus)
    for name, train in reference.spikes.items():
        assert spikes[name].equals(train), name
    assert any(train.n_events for train in reference.spikes.values())
    if scores is not None:  # a mean is summed in another order than the reference sums it
        assert np.allclose(scores, reference.scores, rtol=1e-12, atol=1e-12)
        assert np.array_equal(np.argmax(scores, axis=1), reference.decisions)
    return path.read_text(encoding="utf-8")


def test_trained_network(tmp_path: Path) -> None:
    spec = random_spec(seed=3)
    nothing = Projection("I", "E", np.zeros((spec["E"].size, spec["I"].size)), spec.projections[0].port, name="nothing")
    spec = replace(spec, projections=(*spec.projections, nothing), schedule=(), readout=Readout("E", "first spike"))
    text = check_script(spec, random_stimulus(n_trials=3), tmp_path)
    assert "dv/dt = (-v + g)/tau_mem : 1" in text
    assert "10.1007/s004220050570" in text, "the citation of the model"
    assert "import ei_brian" not in text
    assert "# nothing: no synapse" in text, "of which Brian2 makes no Synapses"


@pytest.mark.slow
def test_plastic_delayed_and_izhikevich_cells(tmp_path: Path) -> None:
    spec = random_spec(seed=4)
    first = spec.projection("E_E")
    later = spec.projection("E_I")
    steps = np.random.default_rng(0).integers(0, 4, later.weights.shape).astype(np.int32)
    changes = {first.name: {"plasticity": TsodyksMarkram(0.4, 50.0, 100.0)}, later.name: {"delay_steps": steps}}
    changed = [replace(projection, **changes.get(projection.name, {})) for projection in spec.projections]
    spec = diversify(replace(spec, projections=tuple(changed)), {"FS": 1.0}, seed=0)
    text = check_script(spec, random_stimulus(n_trials=2), tmp_path)
    assert "10.1109/TNN.2003.820440" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["snntorch-RLeaky-subtract", "snntorch-Leaky-zero-at-once", "snntorch-Leaky-subtract-inhibition", "norse-LIFAdExCell"],
)
def test_networks_of_other_frameworks(name: str, tmp_path: Path) -> None:
    text = check_script(small_spec(name), small_stimulus(), tmp_path)
    assert "network.schedule" in text


def test_another_input_file(tmp_path: Path) -> None:
    name = SMALL_CASES[0]
    spec, stimulus = small_spec(name), small_stimulus().select(1, 2)
    path, _ = script(spec, tmp_path / "model.py")
    assert "Give a file" in run_alone(path).stderr
    events = stimulus.events
    np.savez(tmp_path / "in.npz", input_unit=events.unit, input_step=events.step, input_n_steps=stimulus.n_steps)
    done = run_alone(path, str(tmp_path / "in.npz"))
    assert done.returncode == 0, done.stderr[-3000:]
    spikes, _ = spikes_of(path, spec, stimulus)
    reference = simulate(spec, stimulus)
    assert all(spikes[key].equals(train) for key, train in reference.spikes.items())


def test_graded_input_is_refused(tmp_path: Path) -> None:
    spec = random_spec()
    graded = Stimulus.from_currents(np.full((1, 5, spec.n_inputs), 0.5), dt_ms=1.0)
    with pytest.raises(DataError, match="graded"):
        script(spec, tmp_path / "model.py", graded)


def test_names_that_the_script_uses_are_refused(tmp_path: Path) -> None:
    spec = small_spec(SMALL_CASES[0])
    renamed = [replace(cell, name="network") if cell.name == "cell1" else cell for cell in spec.populations]
    joined = [
        replace(p, source=p.source.replace("cell1", "network"), target=p.target.replace("cell1", "network"))
        for p in spec.projections
    ]
    clash = NetworkSpec(tuple(renamed), tuple(joined), spec.dt_ms, spec.readout)
    with pytest.raises(DataError, match="'network'"):
        script(clash, tmp_path / "model.py")


def test_what_was_written_before_survives_a_failure(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ends in \.py"):
        script(random_spec(), tmp_path / "model.txt")
    assert not list(tmp_path.iterdir())


def test_a_number_is_written_in_its_own_unit_where_that_is_a_power_of_ten() -> None:
    assert {unit: 10.0**power for unit, power in DECIMAL.items()} == {unit: ATOMIC[unit] for unit in DECIMAL}
