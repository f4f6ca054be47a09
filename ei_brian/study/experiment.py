"""A network with and without perturbations, on the same trials and the same noise; and curves over the dose of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ei_brian.core.noise import Noise
from ei_brian.core.noise.seed import seed_for
from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.core.recording import Recording
from ei_brian.core.reference import simulate
from ei_brian.core.spec import NetworkSpec
from ei_brian.core.stimulus import Stimulus
from ei_brian.core.transform.perturbation import Perturbation
from ei_brian.errors import ConfigError, unknown_name
from ei_brian.study.statistics import PairedTest, mean_interval, paired_test

__all__ = ["DoseResponse", "Experiment", "dose_response", "experiment"]

Run = Callable[..., Recording]


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """What a network did with and without perturbations.

    Parameters
    ----------
    spec : NetworkSpec
        The perturbed network.
    perturbations : tuple of Perturbation
        What was done, in order.
    intact, perturbed : Recording
        Of the same trials with the same seed.
    """

    spec: NetworkSpec
    perturbations: tuple[Perturbation, ...]
    intact: Recording
    perturbed: Recording

    @property
    def agreement(self) -> float:
        """Share of trials that are decided as by the intact network."""
        return float(np.mean(self.intact.decisions == self.perturbed.decisions))

    def rate_change(self, population: str) -> PairedTest:
        """Return the change of a population's mean rate in Hz, over trials that belong together."""
        seconds = self.intact.n_steps * self.intact.dt_ms * 1e-3
        rates = [one.counts[population].mean(axis=1) / seconds for one in (self.intact, self.perturbed)]
        return paired_test(*rates)

    def accuracy_change(self) -> PairedTest:
        """Return the change of the share of right decisions, over trials that belong together."""
        right = [(one.decisions == one.labels).astype(np.float64) for one in (self.intact, self.perturbed)]
        return paired_test(*right)

    def table(self) -> str:
        """Return rates and accuracy with and without, and the paired difference with its 95 % interval over trials."""
        lines = [f"{'':<16}{'intact':>10}{'perturbed':>12}   difference"]
        for name in self.intact.counts:
            rates = self.intact.rate_hz(name), self.perturbed.rate_hz(name)
            lines.append(_row(f"{name} rate (Hz)", *rates, self.rate_change(name)))
        if self.intact.labels is not None and self.intact.scores is not None:
            lines.append(_row("accuracy", self.intact.accuracy, self.perturbed.accuracy, self.accuracy_change()))
        return "\n".join(lines)

    def __repr__(self) -> str:
        done = ", ".join(map(repr, self.perturbations)) or "no perturbation"
        return f"Experiment: {done}\n{self.table()}"


def _row(name: str, intact: float, perturbed: float, test: PairedTest) -> str:
    change = test.difference
    return f"{name:<16}{intact:>10.3f}{perturbed:>12.3f}   {change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"


@takes_numbers()
def experiment(
    spec: NetworkSpec, stimulus: Stimulus, *perturbations: Perturbation, run: Run | None = None, noise: Noise | None = None,
    seed: int | None = None,
) -> Experiment:  # fmt: skip
    """Run a network with and without perturbations: ``experiment(spec, stimulus, silence("FS", 20, 40), scale("I", 0.7))``.

    Parameters
    ----------
    spec, stimulus : NetworkSpec, Stimulus
        The intact network, and the trials.
    *perturbations : Perturbation
        Applied from the first to the last: `ei_brian.silence`, ``clamp``, ``inject``, ``evoke``, ``scale``, ``lesion``,
        ``change_delay``.
    run : callable, optional
        ``Backend().run`` for compiled programs; the reference stepper unless given.
    noise, seed : Noise, int, optional
        The same noise in both runs.

    Returns
    -------
    Experiment
        Both recordings, paired trial by trial.
    """
    perturbed = spec
    for perturbation in perturbations:
        perturbed = perturbation(perturbed)
    chosen = seed_for(noise, seed)
    intact, other = (_ran(run, one, stimulus, noise, chosen) for one in (spec, perturbed))
    return Experiment(perturbed, tuple(perturbations), intact, other)


def _ran(run: Run | None, spec: NetworkSpec, stimulus: Stimulus, noise: Noise | None, seed: int | None) -> Recording:
    return (run or simulate)(spec, stimulus, noise=noise, seed=seed)


@dataclass(frozen=True, slots=True, eq=False)
class DoseResponse:
    """Measures of a network at several doses of a perturbation.

    Parameters
    ----------
    perturbation : Perturbation
        Of which one field is the dose.
    field : str
        Its name.
    rows : tuple of mapping
        One for each dose and seed: ``dose``, ``seed``, ``accuracy`` (nan without labels), and ``rate_hz`` of each population.
    """

    perturbation: Perturbation
    field: str
    rows: tuple[dict[str, Any], ...]

    def table(self) -> str:
        """Return mean and 95 % interval over seeds at each dose; one seed has no interval."""
        names = list(self.rows[0]["rate_hz"])
        lines = [f"{self.field:>10}  {'accuracy':<24}" + "".join(f"{name + ' (Hz)':<26}" for name in names)]
        for dose in dict.fromkeys(row["dose"] for row in self.rows):
            rows = [row for row in self.rows if row["dose"] == dose]
            values = [[row["accuracy"] for row in rows], *([row["rate_hz"][name] for row in rows] for name in names)]
            lines.append(f"{dose:>10g}  " + "".join(f"{_interval(one):<26}" for one in values))
        return "\n".join(lines)


def _interval(values: Sequence[float]) -> str:
    found = mean_interval(values)
    return f"{found.mean:.3f}" + (f" [{found.low:.3f}, {found.high:.3f}]" if found.n > 1 else "")


@takes_numbers()
def dose_response(
    spec: NetworkSpec, stimulus: Stimulus, perturbation: Perturbation, field: str, doses: Sequence[float], *,
    run: Run | None = None, noise: Noise | None = None, seeds: Sequence[int] = (0,),
) -> DoseResponse:  # fmt: skip
    """Run a network at several doses of one perturbation, each with the same seeds.

    ``dose_response(spec, test_set, scale("inh"), "factor", [1, 0.9, 0.7, 0.5])``

    Parameters
    ----------
    spec, stimulus : NetworkSpec, Stimulus
        The intact network, and the trials.
    perturbation : Perturbation
        With any dose.
    field : str
        The field of it that is the dose: ``"factor"``, ``"share"``, ``"pA"`` …
    doses : sequence of float
        Its values, in the unit of the field.
    run : callable, optional
        ``Backend().run`` for compiled programs; the reference stepper unless given.
    noise : Noise, optional
        In every run.
    seeds : sequence of int
        Seeds of the noise, the same at every dose; without noise one is enough.

    Raises
    ------
    ConfigError
        For a field that the perturbation does not have.
    """
    known = list(type(perturbation).__dataclass_fields__)
    if field not in known:
        raise ConfigError(unknown_name("dose_response.field", field, known))
    rows = []
    for dose in doses:
        changed = replace(perturbation, **{field: dose})(spec)  # type: ignore[arg-type]
        for seed in seeds:
            made = _ran(run, changed, stimulus, noise, seed)
            decided = made.labels is not None and made.scores is not None and made.n_trials
            rates = {name: made.rate_hz(name) for name in made.counts}
            rows.append({"dose": dose, "seed": seed, "accuracy": made.accuracy if decided else float("nan"), "rate_hz": rates})
    return DoseResponse(perturbation, field, tuple(rows))
