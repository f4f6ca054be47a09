"""What a sweep keeps of a transform is found again only by all that the transform read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ei_brian.config.data_settings import DataSettings
from ei_brian.config.sweep_run import SweepRun, VariantSettings
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.calibration_state import CalibrationState
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.trained import trained_network
from ei_brian.errors import StorageError
from ei_brian.storage import save_spec
from ei_brian.study.plan import NoiseLevels, Plan, Variant


def trained() -> NetworkSpec:
    rng = np.random.default_rng(0)
    cells, readout = Population("I", 4, "inh", "lif_exponential"), Population("out", 3, "readout", "leaky_readout")
    projections = (
        Projection("input", "I", rng.uniform(0, 1, (4, 64))), Projection("I", "out", -rng.uniform(0, 1, (3, 4))),
    )  # fmt: skip
    return NetworkSpec((Population("input", 64, "input"), cells, readout), projections, 1.0, Readout("out", "max v"))


def two_histories() -> tuple[NetworkSpec, NetworkSpec]:
    """Return two networks of the same numbers that were swapped from different ones."""
    first = diversify(trained(), "cortex FS")
    lines = [dict(line) for line in first.provenance]
    changed = {**lines[-1], "trained": {**lines[-1]["trained"], "tau_mem": [35.0] * 4}}
    return first, replace(first, provenance=(*lines[:-1], changed))


def test_what_decides_a_transform_is_not_in_the_hash_of_the_spikes_but_in_that_of_the_lineage() -> None:
    first, second = two_histories()
    assert first.sha256 == second.sha256
    assert trained_network(first).sha256 != trained_network(second).sha256, "calibrate would fit them to different networks"
    assert first.lineage_sha256 != second.lineage_sha256


def stand_in(spec: NetworkSpec, *_: object) -> NetworkSpec:
    """Make what a transform that reads the provenance would make."""
    tau = float(np.mean(trained_network(spec)["I"].parameters["tau_mem"]))
    return spec.with_provenance("stand in", tau=tau)


def test_a_sweep_does_not_take_the_transform_of_another_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ei_brian.config.sweep_run.transformed", stand_in)
    names = []
    for number, spec in enumerate(two_histories()):
        save_spec(spec, tmp_path / f"{number}.h5")
        names.append(f"{number}.h5")
    step = ({"name": "refine_dt", "dt_ms": 0.5},)
    run = SweepRun(tuple(VariantSettings(name[0], (name,), step) for name in names), seeds=1, n_trials=2)
    made = [variant.replicates[0].provenance[-1]["tau"] for variant in run.plan(tmp_path, tmp_path / "made").variants]
    assert made == [20.0, 35.0]


def test_every_line_and_detail_of_provenance_counts() -> None:
    spec = trained()
    made = [spec, spec.with_provenance("a"), spec.with_provenance("a", n=1), spec.with_provenance("a", n=2)]
    made += [spec.with_provenance("a", n=1).with_provenance("b"), spec.with_provenance("b").with_provenance("a", n=1)]
    assert len({one.lineage_sha256 for one in made}) == len(made)
    assert len({one.sha256 for one in made}) == 1


def test_a_sweep_knows_other_trials_under_the_same_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    steps = ({"name": "to_conductances"},)
    hashes = []
    for _ in range(2):
        np.savez(tmp_path / "set.npz", images=rng.integers(0, 255, (40, 8, 8), dtype=np.uint8), labels=np.arange(40) % 3)
        run = SweepRun((VariantSettings("a", ("m.h5",), steps),), data=DataSettings(name=str(tmp_path / "set.npz")))
        hashes.append(run._sets_hash(steps))
    assert hashes[0] != hashes[1]
    assert run._sets_hash(({"name": "refine_dt"},)) == []


def test_a_calibration_is_not_resumed_by_a_network_of_another_history(tmp_path: Path) -> None:
    first, second = two_histories()
    stimulus = Stimulus(Spikes.from_dense(np.zeros((1, 5, 64), dtype=np.uint8), 1.0))
    CalibrationState(tmp_path / "c", first, stimulus, ()).save(1, first, first, [])
    assert CalibrationState(tmp_path / "c", first, stimulus, ()).resume(first)[0] == 1
    with pytest.raises(StorageError, match="another calibration"):
        CalibrationState(tmp_path / "c", second, stimulus, ()).resume(second)


def test_conditions_of_another_history_are_others() -> None:
    stimulus = Stimulus(Spikes.from_dense(np.zeros((1, 5, 64), dtype=np.uint8), 1.0))
    keys = [
        Plan((Variant("a", (spec,)),), (NoiseLevels("spike_failure", (0.1,)),), (0,), stimulus).conditions()[0].key
        for spec in two_histories()
    ]
    assert keys[0] != keys[1]
