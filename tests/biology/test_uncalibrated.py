"""A network of conductances that nobody calibrated says so where its cells fire far outside."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.ladder import ladder
from ei_brian.core.uncalibrated import far_outside
from ei_brian.errors import UncalibratedWarning
from ei_brian.sim.backend import Backend
from validation.features import network, shown


def strong() -> NetworkSpec:
    """Return FS cells whose conductances are ten times too strong, so that they fire at hundreds of Hz."""
    spec = to_conductances(diversify(network(), {"FS": 1.0}, "I"), population="I")
    projections = (replace(p, weights=np.asarray(p.weights) * 10) if p.port == "g_exc" else p for p in spec.projections)
    return replace(spec, projections=tuple(projections))


def ran(spec: NetworkSpec) -> Recording:
    return simulate(spec, shown())


def test_a_run_warns_and_says_what_to_do() -> None:
    spec = strong()
    rate = ran(spec).rate_hz("I")
    assert rate > 200
    with pytest.warns(UncalibratedWarning, match=f"I {rate:.0f} Hz.*calibrate it"):
        Backend("numpy").run(spec, shown())


def test_what_is_calibrated_or_slow_or_no_conductance_is_not_warned_of() -> None:
    spec, found = strong(), ran(strong())
    assert far_outside(spec, found)
    assert not far_outside(spec.with_provenance("calibrate"), found)
    assert not far_outside(network(), found)
    assert not far_outside(spec, replace(found, counts={"I": found.counts["I"] // 10}))
    again = spec.with_provenance("calibrate").with_provenance("to_conductances", populations=["I"])
    assert far_outside(again, found)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UncalibratedWarning)
        Backend("numpy").run(to_conductances(diversify(network(), {"FS": 1.0}, "I"), population="I"), shown())


def test_the_ladder_has_the_line_beside_the_rates() -> None:
    given = replace(shown(), labels=np.array([0, 1, 2]), n_classes=3)
    climbed = ladder(network(), given, rungs=(("strong", lambda _: strong()),))
    assert not climbed.rungs[0].note
    assert "calibrate it" in climbed.rungs[1].note
    assert "calibrate it" in climbed.table()
