"""Many conditions: sweeps, paired experiments, statistics over draws and seeds, clusters."""

from __future__ import annotations

from ei_brian.storage.long_run import LongRecording, PoissonInput, load_long, run_long
from ei_brian.study.dask_cluster import connect, start_jobs
from ei_brian.study.experiment import DoseResponse, Experiment, dose_response, experiment
from ei_brian.study.learning import Learning, run_plastic
from ei_brian.study.plan import NoiseLevels, Plan, Variant
from ei_brian.study.pool import Pool
from ei_brian.study.statistics import false_discovery, holm, mean_interval, paired_test
from ei_brian.study.sweep import sweep
from ei_brian.study.table import read_table

__all__ = [
    "DoseResponse", "Experiment", "Learning", "LongRecording", "NoiseLevels", "Plan", "PoissonInput", "Pool", "Variant",
    "connect", "dose_response", "experiment", "false_discovery", "holm", "load_long", "mean_interval", "paired_test",
    "read_table", "run_long", "run_plastic", "start_jobs", "sweep",
]  # fmt: skip
