"""Tables, figures and reports; called, it makes one: ``ei.report(spec, stimulus, calibration=…)``, see `any_task.report`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from ei_brian.lazy_names import lazy_names

__all__ = ["Settings", "model_card", "validate", "write_report"]


class _Reports(ModuleType):
    """This module, which can be called: ``ei_brian.report`` is both a part of the package and what it is for."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the report on a network and trials; arguments and errors as of `ei_brian.report.any_task.report`."""
        from ei_brian.report.any_task import report

        return report(*args, **kwargs)


sys.modules[__name__].__class__ = _Reports

__getattr__, __dir__ = lazy_names(__name__, {
    "Settings": "settings", "model_card": "card", "validate": "validation", "write_report": "folder",
})  # fmt: skip
