"""Cells and synapses: the catalogue of neuron models, cell types and receptors, and how to add to it."""

from __future__ import annotations

from ei_brian.core.convergence import Convergence, convergence
from ei_brian.core.current_sweeps import CurrentSweeps
from ei_brian.core.models import MODELS, neuron_model
from ei_brian.core.models.cell_types import CELL_TYPES
from ei_brian.core.neuron_model import NeuronModel
from ei_brian.core.operating_point import OperatingPoint
from ei_brian.core.plasticity import TsodyksMarkram
from ei_brian.core.quantity import Parameter, State
from ei_brian.core.receptor import RECEPTORS, Receptor
from ei_brian.core.recorded_cells import RecordedCells, cells_from_csv
from ei_brian.core.stdp import PairSTDP, homeostatic_inhibition
from ei_brian.core.step_check import check_step, step_order
from ei_brian.core.synapse_model import SynapseModel
from ei_brian.storage.cell_file import load_cell, save_cell
from ei_brian.storage.synapse_file import load_synapse, save_synapse
from ei_brian.study.cell_fit import CellFit, SweepFit, fit_cell

__all__ = [
    "CELL_TYPES", "MODELS", "RECEPTORS", "CellFit", "Convergence", "CurrentSweeps", "NeuronModel", "OperatingPoint", "PairSTDP",
    "Parameter", "Receptor", "RecordedCells", "State", "SweepFit", "SynapseModel", "TsodyksMarkram", "cells_from_csv",
    "check_step", "convergence", "fit_cell", "homeostatic_inhibition", "load_cell", "load_synapse", "neuron_model", "save_cell",
    "save_synapse", "step_order",
]  # fmt: skip
