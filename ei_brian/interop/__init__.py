"""Networks of other frameworks: snnTorch, Norse, SpikingJelly, plain torch and NIR in; NIR and a Brian2 script out.

Names are loaded when they are first used: no framework is imported for a file that can be read without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = [
    "check_import",
    "dale_report",
    "from_nir",
    "from_norse",
    "from_snntorch",
    "from_spikingjelly",
    "from_state_dict",
    "from_torch",
    "original_spikes",
    "script",
    "split_by_sign",
    "to_nir",
]

_WHERE = {
    "check_import": "check",
    "dale_report": "dale",
    "from_nir": "nir_graph",
    "from_norse": "norse",
    "from_snntorch": "snntorch",
    "from_spikingjelly": "spikingjelly",
    "from_state_dict": "state_dict",
    "from_torch": "plain_torch",
    "original_spikes": "dale",
    "script": "brian2_script",
    "split_by_sign": "dale",
    "to_nir": "nir_writer",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; public names: {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
