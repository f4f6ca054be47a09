"""What each backend can do: the page's table is what the backends say, and what they take gives the spikes of the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from ei_brian.errors import BackendError
from ei_brian.sim.backend import Backend
from validation.features import BACKENDS, FEATURES, Feature, refusal, table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "backends.md"
NAMES = [feature.name for feature in FEATURES]


def test_the_page_says_what_the_backends_say() -> None:
    assert table() in PAGE.read_text(encoding="utf-8"), "python -m validation.features makes the table anew"


@pytest.mark.parametrize("layout", ["shared", "synapses"])
@pytest.mark.parametrize("feature", FEATURES, ids=NAMES)
def test_what_numpy_takes_gives_the_spikes_of_the_reference(feature: Feature, layout: str) -> None:
    spec, stimulus, noise = feature.make()
    backend = Backend("numpy", layout=layout)
    if refusal((spec, stimulus, noise), "numpy", layout):
        with pytest.raises(BackendError):
            backend.run(spec, stimulus, noise=noise, seed=1)
        return
    wanted, found = (one.run(spec, stimulus, noise=noise, seed=1) for one in (Backend("reference"), backend))
    assert sum(train.n_events for train in wanted.spikes.values()) > 20
    assert all(found.spikes[name].equals(train) for name, train in wanted.spikes.items())


@pytest.mark.parametrize(("name", "layout"), [pair for pair in BACKENDS if pair[0].endswith("standalone")])
def test_a_run_refuses_what_check_refuses_before_it_builds(name: str, layout: str) -> None:
    refused = [feature for feature in FEATURES if refusal(feature.make(), name, layout)]
    for feature in refused:
        spec, stimulus, noise = feature.make()
        with pytest.raises(BackendError) as error:
            Backend(name, layout=layout).run(spec, stimulus, noise=noise, seed=1)
        assert str(error.value) == refusal((spec, stimulus, noise), name, layout)
    assert refused or (name, layout) == ("cpp_standalone", "shared")
