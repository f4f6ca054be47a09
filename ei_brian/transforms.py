"""From a trained network to biology, step by step: functions from a network to a network, and what they say of it."""

from __future__ import annotations

from ei_brian.core.transform.calibrate import calibrate
from ei_brian.core.transform.calibration_settings import CalibrationSettings
from ei_brian.core.transform.calibration_view import Calibration, calibration_of
from ei_brian.core.transform.cell_stand import CellStand, stand_table, where_cells_stand
from ei_brian.core.transform.conductances import to_conductances
from ei_brian.core.transform.delays import with_delays
from ei_brian.core.transform.diversify import diversify
from ei_brian.core.transform.ladder import Ladder, ladder
from ei_brian.core.transform.mixtures import MIXTURES, Mixture
from ei_brian.core.transform.nearest import Nearest
from ei_brian.core.transform.perturbation import (
    PERTURBATIONS,
    ChangeDelay,
    Clamp,
    Evoke,
    Inject,
    Lesion,
    Perturbation,
    Scale,
    Silence,
)  # fmt: skip
from ei_brian.core.transform.plasticity import with_short_term_plasticity
from ei_brian.core.transform.refine import refine_dt
from ei_brian.interop.dale import dale_report, split_by_sign

__all__ = [
    "MIXTURES", "PERTURBATIONS", "Calibration", "CalibrationSettings", "CellStand", "ChangeDelay", "Clamp", "Evoke", "Inject",
    "Ladder", "Lesion", "Mixture", "Nearest", "Perturbation", "Scale", "Silence", "calibrate", "calibration_of", "dale_report",
    "diversify", "ladder",
    "refine_dt", "split_by_sign", "stand_table", "to_conductances", "where_cells_stand", "with_delays",
    "with_short_term_plasticity",
]  # fmt: skip
