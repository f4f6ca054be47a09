"""Experiments: paired runs, and doses."""

from __future__ import annotations

import numpy as np
import pytest

import ei_brian as ei
from ei_brian.config.transform_step import read_step, transformed
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.readout import Readout
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.errors import ConfigError

RNG = np.random.default_rng(3)


def network() -> NetworkSpec:
    """Two inputs, each of which drives its own cell, which inhibition weakens."""
    cells = (Population("E", 2, "exc", "lif_exponential"), Population("I", 2, "inh", "lif_exponential"))
    inhibition = Projection("I", "E", -0.8 * np.ones((2, 2)))
    projections = (Projection("in0", "E", 1.5 * np.eye(2)), Projection("in0", "I", np.ones((2, 2))), inhibition)
    return NetworkSpec((Population("in0", 2, "input"), *cells), projections, 1.0, Readout("E", "spike count"))


def trials(n: int = 12) -> Stimulus:
    labels = np.arange(n) % 2
    rates = np.where(labels[:, None, None] == np.arange(2)[None, None, :], 0.4, 0.2)
    return Stimulus(Spikes.from_dense(RNG.random((n, 50, 2)) < rates, 1.0), labels, 2)


def test_an_experiment_is_paired_trial_by_trial() -> None:
    spec, shown = network(), trials()
    made = ei.experiment(spec, shown, ei.silence("I", 10, 40), ei.scale("I", 0.5), noise=ei.Noise(membrane_white_sd=0.2), seed=4)
    assert made.perturbed.rate_hz("E") > made.intact.rate_hz("E")
    assert made.intact.seed == made.perturbed.seed == 4
    by_hand = (made.perturbed.counts["I"] - made.intact.counts["I"]).mean() / 0.05
    assert made.rate_change("I").difference.mean == pytest.approx(by_hand)
    assert made.accuracy_change().difference.mean == pytest.approx(made.perturbed.accuracy - made.intact.accuracy)
    assert [line.split()[0] for line in made.table().splitlines()[1:]] == ["E", "I", "accuracy"]
    assert [line["action"] for line in made.spec.provenance] == ["silence", "scale"]


def test_no_perturbation_changes_nothing() -> None:
    made = ei.experiment(network(), trials())
    assert made.agreement == 1
    assert np.array_equal(made.intact.counts["E"], made.perturbed.counts["E"])


def test_a_dose_response_starts_at_the_intact_network_and_rises() -> None:
    spec, shown = network(), trials()
    made = ei.dose_response(spec, shown, ei.scale("inh"), "factor", [1, 0.7, 0.0])
    rates = [row["rate_hz"]["E"] for row in made.rows]
    assert rates[0] == ei.experiment(spec, shown).intact.rate_hz("E")
    assert rates == sorted(rates)
    assert rates[0] < rates[2]
    assert len(made.table().splitlines()) == 4
    with pytest.raises(ConfigError, match="Did you mean 'factor'"):
        ei.dose_response(spec, shown, ei.scale("inh"), "faktor", [1])


def test_a_sweep_file_names_perturbations() -> None:
    steps = ({"name": "silence", "target": "I", "from_ms": 20, "to_ms": 40.0}, {"name": "scale", "target": "I->E", "factor": 0.7})
    made = transformed(network(), steps, None)  # type: ignore[arg-type]
    assert made.sha256 == (network() | ei.silence("I", 20, 40) | ei.scale("I->E", 0.7)).sha256
    with pytest.raises(ConfigError, match="from_ms"):
        read_step({"name": "silence", "target": "I", "form_ms": 3.0})
    with pytest.raises(ConfigError, match="'silence'"):
        read_step({"name": "silent"})
