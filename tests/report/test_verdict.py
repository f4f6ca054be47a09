"""What the words of a verdict depend on: the whole interval over draws and the criterion, not the seed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ei_brian
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.population import Population
from ei_brian.core.projection import Projection
from ei_brian.core.spec import NetworkSpec
from ei_brian.errors import ConfigError
from ei_brian.report.controls import SILENCED, Control, weaker_inhibition
from ei_brian.report.document import Report
from ei_brian.report.markdown import to_markdown
from ei_brian.report.noisy import critical_levels
from ei_brian.report.robustness_sections import physiological_words
from ei_brian.report.rung import starting_name
from ei_brian.report.settings import Settings
from ei_brian.report.verdict import judge, verdict, withstands, words_of
from ei_brian.study.statistics import Interval, mean_interval

LEVELS = (0.0, 0.5, 1.0)
EXACT = SimpleNamespace(equal=True, oracle="torch", n_spikes=1000, n_trials=100)


def drawn(after: float, sd: float, silenced: float, seed: int, draws: int = 5, steeper: float = 1.0) -> Any:
    """Return a validation whose cells, after the swap, are right in a share of `after`, with this deviation over draws."""
    rng = np.random.default_rng(seed)
    spec = SimpleNamespace(name="net")
    first = SimpleNamespace(name="as trained", spec=spec, accuracy=0.95, accuracies=np.array([0.95]))
    swapped = after + sd * rng.standard_normal(draws)
    last = SimpleNamespace(name="FS/LTS, calibrated", spec=spec, accuracy=float(swapped.mean()), accuracies=swapped)
    curve = np.array([0.0, -0.02, -0.2])[None, :, None]
    noise = sd * rng.standard_normal((2, draws, 3, 2)) * np.array([0, 1, 1])[:, None]
    accuracy = {
        one.name: np.broadcast_to(one.accuracies, draws)[:, None, None] + curve * times + noise[k]
        for k, (one, times) in enumerate(((first, 1.0), (last, steeper)))
    }
    change = Interval(silenced, silenced - 0.01, silenced + 0.01, 100)
    controls = tuple(Control(SILENCED, one.name, change, "trials", 0.5) for one in (first, last))
    spare = Interval(-0.01, -0.02, 0.0, 3)
    controls += tuple(
        Control(f"{kind} silenced", last.name, cost, "draws", 0.5, True) for kind, cost in (("FS", change), ("LTS", spare))
    )
    settings = Settings("numpy", 1, {"FS": 0.6, "LTS": 0.4}, levels=LEVELS, draws=draws)
    return SimpleNamespace(
        exact=EXACT, trained=first, last=last, rungs=(first, last), settings=settings, accuracy=accuracy, controls=controls
    )


@pytest.mark.parametrize(
    ("after", "silenced", "said"),
    [
        (0.95, -0.4, ("its function is kept", "as much noise as trained", "kept with inhibition", "its LTS cells is not shown")),
        (0.95, -0.01, ("its function is kept", "nothing here shows that inhibition survives")),
        (0.80, -0.4, ("its function is lost",)),
        (0.95, -0.05, ("stays open, and with it what the change of its cells shows",)),
    ],
)
def test_words_are_those_of_every_seed(after: float, silenced: float, said: tuple[str, ...]) -> None:
    for seed in range(20):
        good, words = verdict(drawn(after, 0.004, silenced, seed))
        assert good
        for part in said:
            assert part in words, (seed, words)
        assert "above −5 points" in words
        assert "5 draws of cell types, each with 2 noise seeds" in words


@pytest.mark.parametrize(
    ("steeper", "sd", "said"),
    [(5.0, 0.01, "less noise than as trained"), (0.4, 0.01, "more noise than as trained")],
)
def test_words_on_noise_are_those_of_every_seed(steeper: float, sd: float, said: str) -> None:
    """By hand: as trained 5 points are lost at 0.5 + 0.5*3/18 = 0.58; five times as steep at 0.25."""
    for seed in range(20):
        words = verdict(drawn(0.95, sd, -0.4, seed, steeper=steeper))[1]
        assert said in words, (seed, words)
        assert "lies below 0.9 or above 1.1" in words
    ratio = withstands(drawn(0.95, 0.0, -0.4, 0, steeper=5.0)).change.mean
    assert ratio == pytest.approx(0.25 / (0.5 + 0.5 / 6))
    apart = drawn(0.95, 0.0, -0.4, 0)
    for draw, times in enumerate((0.5, 3.0, 1.0, 0.8, 2.0)):  # ratios from 0.71 to 1.7
        apart.accuracy["FS/LTS, calibrated"] = apart.accuracy["FS/LTS, calibrated"].copy()
        apart.accuracy["FS/LTS, calibrated"][draw, 1:] = 0.95 + times * np.array([[-0.02], [-0.2]])
    assert "these draws do not tell" in verdict(apart)[1]
    assert "these draws do not tell (0.43 times the level, one draw" in verdict(drawn(0.95, 0.0, -0.4, 0, 1, 5.0))[1]


def test_an_interval_across_the_criterion_is_open() -> None:
    assert judge(Interval(-0.04, -0.06, -0.02, 3), 0.05).word == "open"
    assert judge(Interval(-0.04, -0.049, -0.02, 3), 0.05).word == "kept"
    assert judge(Interval(-0.06, -0.09, -0.051, 3), 0.05).word == "lost"
    assert judge(Interval(-0.06, -0.09, -0.051, 3), 0.10).word == "kept", "the criterion decides"
    assert judge(mean_interval([-0.01]), 0.05).word == "open", "one draw has no interval"
    assert "no interval" in verdict(drawn(0.95, 0.004, -0.4, 0, draws=1))[1]


def test_the_level_at_which_a_function_is_lost() -> None:
    levels, accuracy = np.array([0.0, 1.0, 2.0]), np.array([[0.9, 0.9, 0.7], [0.9, 0.8, 0.9], [0.9, 0.9, 0.86]])[:, :, None]
    assert critical_levels(accuracy, levels, 0.05) == pytest.approx([1.25, 0.5, np.inf])


def test_the_report_says_which_levels_are_those_of_the_living_brain() -> None:
    """FS cells of Izhikevich 2003: rest at -70 mV, u = 0.2 v = -14, and by hand 0.04v² + 5v + 140 - u = 0 at -70 and -55 mV."""
    lif, fast = Population("E", 4, "exc", "lif_exponential"), CELL_TYPES["FS"]
    cells = Population("I", 2, "inh", fast.model, (("g", "exponential_current"),), fast.parameters)
    distance = 15.0
    levels = (0.0, 3.0 / distance, 7.0 / distance, 9.0 / distance)
    last = SimpleNamespace(spec=NetworkSpec((lif, cells), (), 1.0))
    made = SimpleNamespace(settings=Settings("numpy", levels=levels), last=last)
    (words,) = physiological_words(made)  # type: ignore[arg-type]
    assert f"threshold is {distance:.3g} mV from rest" in words
    assert f"of the levels tried {levels[1]:g}; {levels[2]:g}, {levels[3]:g} are more than cells meet there" in words
    made.settings = Settings("numpy", levels=(0.0, 7.0 / distance))
    assert "none of the levels tried; " in physiological_words(made)[0]  # type: ignore[arg-type]
    made.settings = Settings("numpy", noise="spike_failure", levels=(0.0, 0.1))
    assert physiological_words(made) == ()  # type: ignore[arg-type]
    made.settings, made.last.spec = Settings("numpy", levels=levels), NetworkSpec((lif,), (), 1.0)
    assert physiological_words(made) == (), "a trained cell has no volts"  # type: ignore[arg-type]


def test_words_are_those_without_numbers() -> None:
    one, other = "lost at 0.51 (0.42 to 0.60): −8.1 points, +0.4", "lost at 0.4 (0.39 to 0.6): −12 points, +1.2"
    assert words_of(one) == words_of(other)
    assert words_of(one) != words_of(one.replace("lost", "kept"))
    assert words_of("digits_ei80 in Brian2: 89,192 spikes, +0.1.") == "digits_ei80 in Brian2: … spikes, …."


def test_draws_share_no_seed_with_each_other_nor_with_another_run() -> None:
    made = [Settings("numpy", seed=seed, draws=5, seeds=3) for seed in range(4)]
    noise = [one.noise_seed(draw, column) for one in made for draw in range(5) for column in range(3)]
    types = [one.type_seed(draw) for one in made for draw in range(5)]
    assert len(set(noise)) == len(noise)
    assert len(set(types)) == len(types)
    for wrong in ({"draws": 0}, {"seeds": 0}, {"draws": 100, "seeds": 100}, {"largest_loss": 0.0}, {"seed": -1}):
        with pytest.raises(ConfigError, match="validate: "):
            Settings("numpy", **wrong)  # type: ignore[arg-type]


def test_inhibition_is_weakened_and_nothing_else(make_spec: Callable[..., NetworkSpec]) -> None:
    spec = make_spec()
    for factor in (0.0, 0.7):
        changed = weaker_inhibition(spec, factor)
        seen = 0
        for before, after in zip(spec.projections, changed.projections, strict=True):
            ours = spec[before.source].role == "inh"
            seen += ours
            expected = before.weight_values() * np.float32(factor if ours else 1)
            assert np.allclose(after.weight_values(), expected, rtol=1e-6, atol=0)
            assert after.weight_values().dtype == before.weight_values().dtype
        assert seen
    kept = weaker_inhibition(spec, 0.0, readout=False)
    for before, after in zip(spec.projections, kept.projections, strict=True):
        if spec[before.target].role == "readout":
            assert np.array_equal(before.weight_values(), after.weight_values())


def test_one_type_is_silenced_in_dense_and_sparse_tables() -> None:
    from scipy import sparse

    cells = Population("I", 3, "inh", "lif_exponential", cell_types=("FS", "LTS", "FS"))
    weights = -np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    for table in (weights, sparse.csr_array(weights)):
        spec = NetworkSpec(
            (Population("in", 2, "input"), cells, Population("E", 2, "exc", "lif_exponential")),
            (Projection("I", "E", table),), dt_ms=1.0,
        )  # fmt: skip
        (made,) = weaker_inhibition(spec, 0.0, "FS").projections
        dense = made.weights.toarray() if made.sparse else made.weights
        assert np.array_equal(dense, [[0, -2, 0], [0, -5, 0]])
        assert np.array_equal(spec.projections[0].weight_values().ravel(), weights.ravel()), "the network given is left alone"


def test_the_headline_is_two_sentences_and_the_reasons_are_the_others() -> None:
    text = "It does in Brian2 what it does in torch. Its function is kept (95.8 % → 95.2 %). Criterion: 5 points. Intervals: t."
    report = Report("title", text, True, (), ())
    assert report.headline == "It does in Brian2 what it does in torch. Its function is kept (95.8 % → 95.2 %)."
    assert report.reasons == ("Criterion: 5 points.", "Intervals: t.")
    assert " ".join((report.headline, *report.reasons)) == text
    assert to_markdown(report).splitlines()[2:6] == [f"**{report.headline}**", "", "- Criterion: 5 points.", "- Intervals: t."]


def test_a_network_whose_cells_were_swapped_before_is_not_called_as_trained() -> None:
    assert starting_name(ei_brian.load("digits_ei80")) == "as trained"
    assert starting_name(ei_brian.load("digits_ei80_ca3")) == "as given"
