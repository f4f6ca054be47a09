"""Data sets and spike encoders."""

from __future__ import annotations

from ei_brian.lazy_names import lazy_names

__all__ = [
    "DATASETS", "ENCODINGS", "ChargingLatency", "Current", "Latency", "Poisson",
    "load_dataset", "load_heidelberg", "load_images", "load_trials",
]  # fmt: skip

__getattr__, __dir__ = lazy_names(__name__, {
    "load_dataset": "datasets",
    "load_images": "datasets",
    "load_heidelberg": "heidelberg",
    "load_trials": "own_trials",
    "Latency": "encode",
    "ChargingLatency": "encode",
    "Poisson": "encode",
    "Current": "encode",
    "DATASETS": "datasets",
    "ENCODINGS": "encode",
})
