"""In and out: model files and recordings, networks of other frameworks, other tools for analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ei_brian.config.shipped import load
from ei_brian.exchange.from_trains import stimulus_from_neo, stimulus_from_pynapple, stimulus_from_times
from ei_brian.exchange.plot import Plot
from ei_brian.exchange.to_neo import to_neo
from ei_brian.exchange.to_nwb import to_nwb
from ei_brian.exchange.to_pandas import trials_table
from ei_brian.exchange.to_pynapple import to_pynapple
from ei_brian.lazy_names import lazy_names
from ei_brian.storage import load_recording, save_recording
from ei_brian.storage import save_spec as save

if TYPE_CHECKING:
    from ei_brian.interop.brian2_script import script
    from ei_brian.interop.check import check_import
    from ei_brian.interop.nir_graph import from_nir
    from ei_brian.interop.nir_writer import to_nir
    from ei_brian.interop.norse import from_norse
    from ei_brian.interop.plain_torch import from_torch
    from ei_brian.interop.snntorch import from_snntorch
    from ei_brian.interop.spikingjelly import from_spikingjelly
    from ei_brian.interop.spytorch import from_spytorch
    from ei_brian.interop.state_dict import from_state_dict

_READERS = {
    "check_import": ".ei_brian.interop.check", "from_nir": ".ei_brian.interop.nir_graph", "from_norse": ".ei_brian.interop.norse",
    "from_snntorch": ".ei_brian.interop.snntorch", "from_spikingjelly": ".ei_brian.interop.spikingjelly",
    "from_spytorch": ".ei_brian.interop.spytorch", "from_state_dict": ".ei_brian.interop.state_dict",
    "from_torch": ".ei_brian.interop.plain_torch",
    "script": ".ei_brian.interop.brian2_script", "to_nir": ".ei_brian.interop.nir_writer",
}  # fmt: skip  # loaded when they are used: some need torch
__all__ = [
    "Plot", "check_import", "from_nir", "from_norse", "from_snntorch", "from_spikingjelly", "from_spytorch",
    "from_state_dict", "from_torch", "load", "load_recording", "save", "save_recording", "script",
    "stimulus_from_neo", "stimulus_from_pynapple", "stimulus_from_times", "to_neo", "to_nir", "to_nwb",
    "to_pynapple", "trials_table",
]  # fmt: skip

__getattr__, __dir__ = lazy_names(__name__, _READERS)
