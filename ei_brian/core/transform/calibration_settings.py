"""How a calibration is made: every setting and every constant, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from ei_brian.core.plain_numbers import takes_numbers
from ei_brian.errors import ConfigError, unknown_name

__all__ = ["CalibrationSettings", "SearchSettings"]


@takes_numbers()
@dataclass(frozen=True, slots=True)
class SearchSettings:
    """The constants of the search, each with its reason. They were chosen by hand on calibration sets, not tuned one by one.

    Parameters
    ----------
    synaptic_decays : tuple of float
        Decays of the synaptic current that the open loop chooses from, in units of the trained one: from somewhat faster to four
        times slower, since a real membrane of a few ms behind a slow synapse filters like a slow trained membrane.
    map_trials, map_cells : int
        Trials and cells of a type that its map is fitted on: 20 x 12 spike trains.
    type_trials, type_cells : int
        The same for what all cells of a type share on the forced drive, where a candidate has more dimensions.
    forced_rounds, forced_trials : int
        Rounds in which each cell turns its own gains and current on the forced drive, and trials of each.
    forced_shrink : float
        Factor on the steps from one forced round to the next.
    grid_widths : tuple of float
        Half widths in log gain of the three common grids: a factor of 4, of 2, of 1.4.
    gain_step, offset_step : float
        First steps of the closed loop: log gain (35 %), and current in units of the type's scale.
    shrink : float
        Factor on the steps from one round of the closed loop to the next, so that ten rounds end at 1/13 of the first step.
    round_trials : int
        Trials on which cells choose their step in a round; the rounds go through the calibration set in turn.
    count_weight : float
        Weight of a cell's squared relative error in spikes beside its error in spike times; less than 1, since the times hold
        most of the count already, and not 0, since a train without a spike is else as good as one with all at wrong times.
    rate_push, most_push : float
        How far a population's gains and currents move in a round for a wrong rate (per unit of log rate), and the most: small,
        since in a recurrent loop every population moves the others in the same round.
    projection_power : float
        Exponent of the correction of weights onto cells that stay as trained, by their rates: 1/2, half of the way in log units.
    projection_range : (float, float)
        Least and largest factor on such weights in a round, a factor of 1.4 either way.
    spread_weight, rate_weight : float
        Weights of spike-train distance and of squared relative errors of rates in the cost of a round, beside the error of the
        output: a quarter of a distance, which stays large where function is kept, and enough for rates that 20 % wrong costs
        as much as a tenth of the output.
    """

    synaptic_decays: tuple[float, ...] = (0.6, 1.0, 1.6, 2.4, 4.0)
    map_trials: int = 20
    map_cells: int = 12
    type_trials: int = 16
    type_cells: int = 10
    forced_rounds: int = 4
    forced_trials: int = 40
    forced_shrink: float = 0.8
    grid_widths: tuple[float, ...] = (1.4, 0.7, 0.35)
    gain_step: float = 0.3
    offset_step: float = 0.4
    shrink: float = 0.75
    round_trials: int = 60
    count_weight: float = 0.3
    rate_push: float = 0.15
    most_push: float = 0.2
    projection_power: float = 0.5
    projection_range: tuple[float, float] = (0.7, 1.4)
    spread_weight: float = 0.25
    rate_weight: float = 2.0


@takes_numbers()
@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """How `calibrate` works, and when it has succeeded.

    Parameters
    ----------
    iterations : int
        Rounds of the closed loop; 0 leaves the open-loop map.
    most_trials : int
        Calibration trials that are used, evenly spaced.
    kinetics : bool
        Whether the decay of the synaptic current may change: a cell with a fast membrane follows a slow trained one by slower
        synapses, since both filter the same input.
    filter_ms : float
        Time constant of the distance between spike trains.
    rate_tolerance : float
        Relative deviation of a population's rate at which the calibration counts as converged; 1 Hz is always allowed.
    least_agreement : float
        Share of the calibration trials that must be decided as by the trained network, where it decides.
    least_r2 : float
        Share of the variance of the output over time (of what the readout cells do) that must be explained, where the network has
        no decision: below 0.5 more than half of the trained output is lost.
    physiology : bool
        Whether swapped cells stay within the bounds of their type: holding currents such that they rest where its sources say,
        and below the current that makes them fire by themselves; what the trained drive asks beyond becomes a background
        conductance, at most that of the living brain (`ei_brian.core.models.physiology`). False lets the current go anywhere.
    charges : bool
        Whether each projection is first scaled so that it brings its trained share of the charge into its target population, for
        the trained spikes: makes up for what acts on one projection alone, such as short-term depression.
    search : SearchSettings
        The constants of the search.

    Raises
    ------
    ConfigError
        For settings out of range.
    """

    iterations: int = 10
    most_trials: int = 120
    kinetics: bool = True
    filter_ms: float = 10.0
    rate_tolerance: float = 0.2
    least_agreement: float = 0.5
    least_r2: float = 0.5
    physiology: bool = True
    charges: bool = False
    search: SearchSettings = field(default_factory=SearchSettings)

    def __post_init__(self) -> None:
        for name, least in (("iterations", 0), ("most_trials", 1)):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least:
                raise ConfigError(f"calibrate.{name}: {count!r}; allowed are whole numbers >= {least}.")
        for name in ("filter_ms", "rate_tolerance"):
            value = getattr(self, name)
            if not (_is_number(value) and np.isfinite(value) and value > 0):
                raise ConfigError(f"calibrate.{name}: {value!r}; allowed are finite numbers > 0.")
        for name in ("least_agreement", "least_r2"):
            value = getattr(self, name)
            if not (_is_number(value) and value <= 1):
                raise ConfigError(f"calibrate.{name}: {value!r}; allowed are numbers <= 1; -inf asks for nothing.")
        for name in ("kinetics", "physiology", "charges"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise ConfigError(f"calibrate.{name}: {getattr(self, name)!r}; allowed are True and False.")

    def changed(self, changes: dict[str, Any]) -> CalibrationSettings:
        """Return the settings with some replaced.

        Raises
        ------
        ConfigError
            For a name that is not a setting, and values out of range.
        """
        known = [each.name for each in fields(self)]
        for name in changes:
            if name not in known:
                raise ConfigError(unknown_name("calibrate: setting", name, known))
        return replace(self, **changes)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
