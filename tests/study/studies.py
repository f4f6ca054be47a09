"""Small studies whose work is cheap arithmetic."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ei_brian.study.condition import Condition, canonical
from ei_brian.study.outcome import Work
from ei_brian.study.pool import Pool
from ei_brian.study.sweep import sweep


def conditions(n_seeds: int = 4) -> list[Condition]:
    """Return 2 variants x 3 levels x seeds; level 0 is one condition for all seeds."""
    return [
        Condition(variant, 0, "noise", level, seed, canonical({"v": variant, "level": level, "seed": seed if level else None}))
        for variant in ("A", "B")
        for level in (0.0, 0.5, 1.0)
        for seed in range(n_seeds)
    ]


def number(condition: Condition) -> float:
    """Return an awkward float that only the condition decides."""
    digits = int(condition.key[:12], 16)
    return float(np.random.default_rng(digits).normal()) / 3


def cheap(condition: Condition, seconds: float = 0.0, log: str = "") -> Mapping[str, Any]:
    """Return numbers of the condition, leaving a line in a log."""
    if log:
        with open(log, "a") as file:
            file.write(condition.key + "\n")
    time.sleep(seconds)
    return {"accuracy": number(condition), "count": np.int64(3), "silent": float("nan")}


def cheap_work(seconds: float = 0.0, log: str = "") -> Work:
    """Return `cheap` with its settings: what a pool calls in its workers."""
    return partial(cheap, seconds=seconds, log=log)


def littering(condition: Condition) -> Mapping[str, Any]:
    """Leave a folder of temporary files behind, in variant B at level 1 by being killed."""
    tempfile.mkdtemp(prefix="left_")
    return deadly(condition)


def littering_work() -> Work:
    """Return `littering`."""
    return littering


def with_a_bar(condition: Condition) -> Mapping[str, Any]:
    """Show progress."""
    from tqdm import tqdm

    return {"accuracy": float(sum(tqdm(range(2))))}


def with_a_bar_work() -> Work:
    """Return `with_a_bar`."""
    return with_a_bar


def with_brian2(condition: Condition) -> Mapping[str, Any]:
    """Import Brian2 where the work is done, in a thread that may not be the main one."""
    import brian2

    return {"accuracy": float(brian2.second / brian2.ms)}


def with_brian2_work() -> Work:
    """Return `with_brian2`."""
    return with_brian2


def faulty(condition: Condition) -> Mapping[str, Any]:
    """Fail in variant B at level 1."""
    if condition.variant == "B" and condition.level == 1.0:
        raise ValueError(f"seed {condition.seed} cannot be\ncomputed")
    return cheap(condition)


def faulty_work() -> Work:
    """Return `faulty`."""
    return faulty


def deadly(condition: Condition, once: str = "") -> Mapping[str, Any]:
    """Kill the worker in variant B at level 1: always, or only while a file is not there."""
    if condition.variant == "B" and condition.level == 1.0 and not (once and os.path.exists(once)):
        if once:
            Path(once).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return cheap(condition)


def deadly_work(once: str = "") -> Work:
    """Return `deadly`."""
    return partial(deadly, once=once)


def impossible_work() -> Work:
    """Fail before there is any work."""
    raise RuntimeError("no simulator here")


def main(folder: str, seconds: str, log: str) -> None:
    """Run the study in two workers: what the tests start, kill and start again."""
    pool = Pool(partial(cheap_work, float(seconds), log), 2)
    try:
        sweep(conditions(), Path(folder), pool, progress=False)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])
