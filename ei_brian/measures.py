"""Numbers that say what a network did: pure functions of recordings and spikes, all trials at once."""

from __future__ import annotations

from ei_brian.core.input_current import InputCurrents, input_currents
from ei_brian.measure.balance import Balance, balance
from ei_brian.measure.choice import Psychometric, agreement, choices_at, chronometric, psychometric, reaction_times_ms
from ei_brian.measure.coincidence import coincidence
from ei_brian.measure.decision import Proportion, accuracy, confusion_matrix, decision_latency_ms, wilson
from ei_brian.measure.energy import fan_out, spikes_per_decision, synaptic_events_per_decision
from ei_brian.measure.irregularity import cv, fano_factor, intervals_ms, local_variation
from ei_brian.measure.lfp import lfp_proxy
from ei_brian.measure.output import LinearReadout, fit_readout, potential_readout
from ei_brian.measure.over_time import Estimate, correlation, r_squared, r_squared_change, rmse
from ei_brian.measure.rates import (
    RateSummary,
    rate_summary,
    rate_summary_by_type,
    rates_hz,
    saturated_fraction,
    silent_fraction,
)  # fmt: skip
from ei_brian.measure.robustness import area_under_curve, level_at_half
from ei_brian.measure.spike_distance import isi_distance, spike_distance, victor_purpura_matrix
from ei_brian.measure.synchrony import binned, golomb_chi, mean_pairwise_correlation, pairwise_correlation
from ei_brian.measure.van_rossum import mean_van_rossum, multi_neuron_van_rossum, van_rossum_between, van_rossum_matrix

__all__ = [
    "Balance", "Estimate", "InputCurrents", "LinearReadout", "Proportion", "Psychometric", "RateSummary", "accuracy",
    "agreement", "area_under_curve", "balance", "binned", "choices_at", "chronometric", "coincidence", "confusion_matrix",
    "correlation", "cv", "decision_latency_ms", "fan_out", "fano_factor", "fit_readout", "golomb_chi", "input_currents",
    "intervals_ms", "isi_distance", "level_at_half", "lfp_proxy", "local_variation", "mean_pairwise_correlation",
    "mean_van_rossum", "multi_neuron_van_rossum", "pairwise_correlation", "potential_readout", "psychometric", "r_squared",
    "r_squared_change", "rate_summary", "rate_summary_by_type", "rates_hz", "reaction_times_ms", "rmse", "saturated_fraction",
    "silent_fraction", "spike_distance", "spikes_per_decision", "synaptic_events_per_decision", "van_rossum_between",
    "van_rossum_matrix", "victor_purpura_matrix", "wilson",
]  # fmt: skip
