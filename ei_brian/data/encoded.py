"""Spikes of many images, encoded some hundreds at a time and kept on disk by content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ei_brian.core.spikes import Spikes
from ei_brian.core.stimulus import Stimulus
from ei_brian.data import encode as encoders
from ei_brian.data.encode import ENCODINGS, Encoding, encode
from ei_brian.data.images import Images, Index
from ei_brian.toolchain.build_cache import BuildCache
from ei_brian.toolchain.cache_root import cache_root

__all__ = ["encoded_images"]

AT_ONCE = 2**16  # rows (trial, step) that are sorted together
MANY = 10_000  # images from which on the spikes are kept on disk
ARRAYS = ("trial", "step", "unit")


def encoded_images(
    images: Images, index: Index, encoding: Encoding | str, dt_ms: float, n_steps: int, seed: int, name: str
) -> Stimulus:
    """Return the stimulus of some images of a data set: what `encode` returns for their grey values, in little memory.

    Spikes of latency codes of 10,000 images and more are kept in the cache of compiled programs, under a hash of everything that
    decides them, and read from there the next time.
    """
    labels = images.labels[index]
    encoder = ENCODINGS[encoding]() if isinstance(encoding, str) and encoding in ENCODINGS else encoding
    if isinstance(encoder, str) or not getattr(encoder, "each_alone", False):
        return encode(images.grey(index), labels, encoder, dt_ms, n_steps, seed, name)
    n_classes = int(labels.max()) + 1 if labels.size else 0
    if len(index) < MANY:
        return Stimulus(_in_parts(images, index, encoder, dt_ms, n_steps, name), labels, n_classes, name)

    def make(folder: Path) -> None:
        events = _in_parts(images, index, encoder, dt_ms, n_steps, name)
        for array in ARRAYS:
            np.save(folder / f"{array}.npy", getattr(events, array))

    with BuildCache(cache_root() / "encoded").entry(_key(images, index, encoder, dt_ms, n_steps), make) as folder:
        trial, step, unit = (np.load(folder / f"{array}.npy", allow_pickle=False) for array in ARRAYS)
    for array in (trial, step, unit):
        array.flags.writeable = False
    events = Spikes(trial, step, unit, len(index), n_steps, images.stored.shape[1], dt_ms)
    return Stimulus(events, labels, n_classes, name)


def _in_parts(images: Images, index: Index, encoder: Encoding, dt_ms: float, n_steps: int, name: str) -> Spikes:
    size = max(1, AT_ONCE // n_steps)
    starts = range(0, max(len(index), 1), size)
    parts = [encode(images.grey(index[k : k + size]), None, encoder, dt_ms, n_steps, 0, name).events for k in starts]
    trial = np.concatenate([part.trial + np.int32(k) for k, part in zip(starts, parts, strict=True)])
    step, unit = (np.concatenate([getattr(part, array) for part in parts]) for array in ("step", "unit"))
    for array in (trial, step, unit):
        array.flags.writeable = False
    return Spikes(trial, step, unit, len(index), n_steps, images.stored.shape[1], dt_ms)


def _key(images: Images, index: Index, encoder: Encoding, dt_ms: float, n_steps: int) -> str:
    facts = {
        "encoder": type(encoder).__name__, "settings": asdict(encoder), "dt_ms": dt_ms, "n_steps": n_steps, "white": images.white,
        "stored": [str(images.stored.dtype), *images.stored.shape], "numpy": version("numpy"),
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for source in (encoders.__file__, __file__):
        digest.update(Path(source).read_bytes())
    for array in (images.stored, index):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
