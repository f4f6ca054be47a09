"""ei_brian: from a trained spiking network to a Brian2 model with the same spikes, then to biology.

Names are loaded when they are first used, so that simulating does not need torch and training does not need a compiler.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ei_brian.core.engine import install_engine
from ei_brian.errors import ConfigError, install_command

if TYPE_CHECKING:
    from ei_brian.config.shipped import load
    from ei_brian.core.engine import Engine
    from ei_brian.core.noise import Noise
    from ei_brian.core.recorded_cells import cells_from_csv
    from ei_brian.core.spec import NetworkSpec
    from ei_brian.core.stdp import PairSTDP
    from ei_brian.core.transform.calibrate import calibrate
    from ei_brian.core.transform.conductances import to_conductances
    from ei_brian.core.transform.diversify import diversify
    from ei_brian.core.transform.ladder import ladder
    from ei_brian.core.transform.perturbation import ChangeDelay as change_delay
    from ei_brian.core.transform.perturbation import Clamp as clamp
    from ei_brian.core.transform.perturbation import Evoke as evoke
    from ei_brian.core.transform.perturbation import Inject as inject
    from ei_brian.core.transform.perturbation import Lesion as lesion
    from ei_brian.core.transform.perturbation import Scale as scale
    from ei_brian.core.transform.perturbation import Silence as silence
    from ei_brian.data.datasets import load_dataset
    from ei_brian.interop.check import check_import
    from ei_brian.interop.nir_graph import from_nir
    from ei_brian.interop.norse import from_norse
    from ei_brian.interop.plain_torch import from_torch
    from ei_brian.interop.snntorch import from_snntorch
    from ei_brian.interop.spikingjelly import from_spikingjelly
    from ei_brian.interop.spytorch import from_spytorch
    from ei_brian.learn.export import export
    from ei_brian.learn.network import EINetwork
    from ei_brian.learn.train import train
    from ei_brian.measure.output import fit_readout
    from ei_brian.report.any_task import report
    from ei_brian.sim.backend import Backend
    from ei_brian.sim.own_cells.cell import cell
    from ei_brian.sim.own_cells.synapse import synapse
    from ei_brian.storage.long_run import run_long
    from ei_brian.storage.spec_file import save_spec as save
    from ei_brian.study.cell_fit import fit_cell
    from ei_brian.study.experiment import dose_response, experiment
    from ei_brian.study.learning import run_plastic

__all__ = [
    "Backend",
    "EINetwork",
    "NetworkSpec",
    "Noise",
    "PairSTDP",
    "calibrate",
    "cell",
    "cells_from_csv",
    "change_delay",
    "check_import",
    "clamp",
    "diversify",
    "dose_response",
    "evoke",
    "experiment",
    "export",
    "fit_cell",
    "fit_readout",
    "from_nir",
    "from_norse",
    "from_snntorch",
    "from_spikingjelly",
    "from_spytorch",
    "from_torch",
    "inject",
    "ladder",
    "lesion",
    "load",
    "load_dataset",
    "report",
    "run_long",
    "run_plastic",
    "save",
    "scale",
    "silence",
    "synapse",
    "to_conductances",
    "train",
]

__version__ = "0.1.0"

_WHERE = {
    "Backend": "ei_brian.sim.backend:Backend",
    "EINetwork": "ei_brian.learn.network:EINetwork",
    "NetworkSpec": "ei_brian.core.spec:NetworkSpec",
    "Noise": "ei_brian.core.noise:Noise",
    "PairSTDP": "ei_brian.core.stdp:PairSTDP",
    "calibrate": "ei_brian.core.transform.calibrate:calibrate",
    "cell": "ei_brian.sim.own_cells.cell:cell",
    "cells_from_csv": "ei_brian.core.recorded_cells:cells_from_csv",
    "change_delay": "ei_brian.core.transform.perturbation:ChangeDelay",
    "check_import": "ei_brian.interop.check:check_import",
    "clamp": "ei_brian.core.transform.perturbation:Clamp",
    "diversify": "ei_brian.core.transform.diversify:diversify",
    "dose_response": "ei_brian.study.experiment:dose_response",
    "evoke": "ei_brian.core.transform.perturbation:Evoke",
    "experiment": "ei_brian.study.experiment:experiment",
    "export": "ei_brian.learn.export:export",
    "fit_cell": "ei_brian.study.cell_fit:fit_cell",
    "fit_readout": "ei_brian.measure.output:fit_readout",
    "from_nir": "ei_brian.interop.nir_graph:from_nir",
    "from_norse": "ei_brian.interop.norse:from_norse",
    "from_snntorch": "ei_brian.interop.snntorch:from_snntorch",
    "from_spikingjelly": "ei_brian.interop.spikingjelly:from_spikingjelly",
    "from_spytorch": "ei_brian.interop.spytorch:from_spytorch",
    "from_torch": "ei_brian.interop.plain_torch:from_torch",
    "inject": "ei_brian.core.transform.perturbation:Inject",
    "ladder": "ei_brian.core.transform.ladder:ladder",
    "lesion": "ei_brian.core.transform.perturbation:Lesion",
    "load": "ei_brian.config.shipped:load",
    "load_dataset": "ei_brian.data.datasets:load_dataset",
    "report": "ei_brian.report",
    "run_long": "ei_brian.storage.long_run:run_long",
    "run_plastic": "ei_brian.study.learning:run_plastic",
    "save": "ei_brian.storage.spec_file:save_spec",
    "scale": "ei_brian.core.transform.perturbation:Scale",
    "silence": "ei_brian.core.transform.perturbation:Silence",
    "synapse": "ei_brian.sim.own_cells.synapse:synapse",
    "to_conductances": "ei_brian.core.transform.conductances:to_conductances",
    "train": "ei_brian.learn.train:train",
}


# what is public beside these names: modules, loaded when they are used
FACADES = ("data", "io", "measures", "models", "network", "noise", "report", "sim", "studies", "training", "transforms")


def _engine() -> Engine:
    from ei_brian.sim.inprocess.engine import fastest_engine

    return fastest_engine()


install_engine(_engine)


def __getattr__(name: str) -> Any:
    if name in FACADES:
        return import_module(f"ei_brian.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'ei_brian' has no attribute {name!r}; public names: {', '.join(__all__)}")
    module, _, attribute = _WHERE[name].partition(":")
    try:
        value = import_module(module)
        value = getattr(value, attribute) if attribute else value
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ConfigError(f"{name} needs torch, which is not installed: {install_command('train')}") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *FACADES})
