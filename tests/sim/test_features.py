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
    backend = Backend("numpy", layout=layout)
    if refusal(feature, "numpy", layout):
        with pytest.raises(BackendError):
            feature.recordings(backend, 1)
        return
    wanted, found = (feature.recordings(one, 1) for one in (Backend("reference"), backend))
    assert sum(train.n_events for one in wanted for train in one.spikes.values()) > 20
    for mine, theirs in zip(found, wanted, strict=True):
        assert all(mine.spikes[name].equals(train) for name, train in theirs.spikes.items())


@pytest.mark.parametrize(("name", "layout"), [pair for pair in BACKENDS if pair[0].endswith("standalone")])
def test_a_run_refuses_what_check_refuses_before_it_builds(name: str, layout: str) -> None:
    refused = [feature for feature in FEATURES if refusal(feature, name, layout)]
    for feature in refused:
        with pytest.raises(BackendError) as error:
            feature.recordings(Backend(name, layout=layout), 1)
        assert str(error.value) == refusal(feature, name, layout)
    assert refused or (name, layout) == ("cpp_standalone", "shared")
