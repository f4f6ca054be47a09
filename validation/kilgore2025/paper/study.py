"""Which networks are trained, in which order, side by side, and how they are kept: stopped at any moment, it goes on from there."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from ei_brian.learn.engine.trials import Trials
from ei_brian.study.condition import Condition, canonical
from ei_brian.study.dask_cluster import connect
from ei_brian.study.outcome import Made, Outcome, Work
from ei_brian.study.pool import Pool
from ei_brian.study.scheduler import Scheduler
from ei_brian.study.store import Store
from ei_brian.study.sweep import sweep
from paper.images import load
from paper.measures import distances
from paper.protocol import FASHION, FASHION_NOISE, SHD, Setting, noise_free, noisy
from paper.training import Trained, initial_weights, train

TRAINING_VERSION = 1  # goes up when the same setting would train another network
VAN_ROSSUM_IMAGES = 6000  # training images: these leave a standard error of about 1 % of a mean distance
LOOPS = {"package": "the package's trainer (`ei_brian.learn.engine`)", "plain": "the independent loop (`paper/loop.cpp`)"}
HISTORIES = ("accuracy", "dead_scores", "dead_outputs", "loss", "train_accuracy")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the data is, and where results are kept."""

    folder: Path
    fashion: str = "fashion-mnist"
    shd: Path | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One network to be trained, and in which part of the study."""

    part: str
    setting: Setting
    trainer: str = "package"

    @property
    def condition(self) -> Condition:
        """The task as a condition of a study."""
        s = self.setting
        told = {**s.identity, "training": TRAINING_VERSION, "van_rossum_images": VAN_ROSSUM_IMAGES}
        identity = canonical(told if self.trainer == "plain" else told | {"trainer": self.trainer})
        return Condition(f"{s.ratio}:{100 - s.ratio}", s.seed, "update_noise_absolute", s.noise_std, s.seed, identity)

    def weights(self, folder: Path) -> Path:
        """Return the file of the trained weights."""
        return folder / "training" / "networks" / f"{self.condition.key}.npz"


def whole(shd: bool) -> list[Task]:
    """Return every network of the paper, a whole seed of each setting before the next."""
    tasks = [Task("no noise", setting) for setting in noise_free()] + [Task("noise", setting) for setting in noisy()]
    if shd:
        tasks += [Task("SHD", setting) for setting in noise_free(SHD)]
    return sorted(tasks, key=lambda task: task.setting.seed)


WHY_EPOCHS, LOW_RATE, MEAN_RATE = 4, 0.001, 0.03
WHY_READOUTS = (("max v", LOW_RATE), ("mean v", MEAN_RATE), ("mean v", MEAN_RATE / 10))
FIGURE_4 = ((50, 0.00075), (50, 0.004), (95, 0.004))  # ratio and w1_std of the paper's representative networks, beside 0.001


def spread(shd: bool = False, seeds: int = 8) -> list[Task]:
    """Return a choice of settings in an order whose every beginning is a study: more settings first, then more seeds."""
    tasks = [Task("SHD", setting) for setting in noise_free(SHD)][:36] if shd else []
    for seed in range(seeds):
        tasks += [Task("no noise", Setting(FASHION, r, std, 0.0, seed)) for std in (0.001, 0.01) for r in FASHION.ratios]
        tasks += [Task("noise", Setting(FASHION_NOISE, r, 0.001, s, seed)) for s in (2e-4, 5e-4) for r in (50, 80, 100)]
        tasks += why_tasks(seed, (0.001, 0.01)) if seed < 3 else []
        tasks += later(seed - 1) if seed else []
    return tasks + later(seeds - 1)


def later(seed: int) -> list[Task]:
    """Return what a seed is shown in after the first settings of the next."""
    tasks = [Task("no noise", Setting(FASHION, r, std, 0.0, seed)) for r, std in FIGURE_4]
    tasks += [Task("no noise", Setting(FASHION, r, 0.005, 0.0, seed)) for r in FASHION.ratios]
    tasks += [Task("noise", Setting(FASHION_NOISE, r, 0.001, 3e-4, seed)) for r in (50, 80, 100)]
    return tasks + [Task("no noise", Setting(FASHION, r, std, 0.0, seed)) for std in (0.002, 0.02) for r in FASHION.ratios]


def why_tasks(seed: int, stds: tuple[float, ...]) -> list[Task]:
    """Return three of the 2 x 2 of readout and learning rate, 4 epochs each; the fourth is the first epochs of the paper's own."""
    made = []
    for std, ratio, (readout, rate) in product(stds, (50, 80, 100), WHY_READOUTS):
        protocol = replace(FASHION, readout=readout, learning_rate=rate, epochs=WHY_EPOCHS)
        made.append(Task("why", Setting(protocol, ratio, std, 0.0, seed)))
    return made


def chosen(hours: float | None, shd: bool, trainer: str = "package") -> list[Task]:
    """Return the networks of a run: the whole study, or the order of the spread, of which as many are trained as time allows."""
    if hours is None:
        tasks = whole(shd) + [task for seed in range(3) for task in why_tasks(seed, (0.001, 0.01))]
    else:
        first = spread(shd)
        seen = set(first)
        tasks = first + [task for task in whole(shd) if task not in seen]
    return [replace(task, trainer=trainer) for task in tasks]


class TimeIsUp(Exception):
    """The hours are over; what is done is kept."""


@dataclass(eq=False)
class Until:
    """A scheduler that takes nothing new after a moment, but one network at least, and ends when what runs is done."""

    inner: Scheduler
    end: float
    running: int = 0
    taken: int = 0

    def places(self) -> int:
        """Return how many more conditions it would take now."""
        if monotonic() < self.end or not self.taken:
            return self.inner.places()
        if not self.running:
            raise TimeIsUp
        return 0

    def submit(self, condition: Condition) -> None:
        """Start a condition."""
        self.inner.submit(condition)
        self.running += 1
        self.taken += 1

    def wait(self, seconds: float) -> list[Outcome]:
        """Return what has finished."""
        outcomes = self.inner.wait(seconds)
        self.running -= len(outcomes)
        return outcomes

    def close(self) -> None:
        """End all work."""
        self.inner.close()


def run(tasks: Sequence[Task], sources: Sources, workers: int, hours: float | None, dask: str | None) -> None:
    """Train every network that is not trained yet, as long as there is time; none where the hours are 0."""
    if hours == 0:
        return
    prepare = partial(_work, sources)
    scheduler: Scheduler = connect(dask, prepare) if dask else Pool(prepare, workers)
    if hours is not None:
        scheduler = Until(scheduler, monotonic() + hours * 3600)
    try:
        summary = sweep(list({t.condition.key: t.condition for t in tasks}.values()), sources.folder / "training", scheduler)
    except TimeIsUp:
        return
    for condition, error in summary.failed:
        raise SystemExit(f"training of {condition.variant}, {condition.identity}: {error}")


def _work(sources: Sources) -> Work:
    """Return what trains one network, in a worker."""
    sets: dict[str, tuple[Trials, Trials]] = {}

    def data(name: str) -> tuple[Trials, Trials]:
        if name not in sets:
            first, second = load(name, sources.fashion, sources.shd)
            sets[name] = Trials.of(first), Trials.of(second)
        return sets[name]

    def work(condition: Condition) -> Made:
        setting = setting_of(condition)
        train_set, test_set = data(SHD.name if setting.protocol.n_in == SHD.n_in else FASHION.name)
        trainer = json.loads(condition.identity).get("trainer", "plain")
        made = train(setting, train_set, test_set, trainer)
        stages = {"before": initial_weights(setting), "after": (made.w1, made.w2)}
        row = numbers(made) | {"loop": LOOPS[trainer]}
        for stage, weights in stages.items():
            found = distances([setting], weights, train_set, VAN_ROSSUM_IMAGES)[0]
            row |= {f"van_rossum_{stage}_{pair}": value for pair, value in found.items()}
        weights_file = io.BytesIO()
        np.savez_compressed(weights_file, w1=made.w1, w2=made.w2)
        return Made(row, {f"networks/{condition.key}.npz": weights_file.getvalue()})

    return work


def setting_of(condition: Condition) -> Setting:
    """Return the setting that a condition was made of."""
    values = json.loads(condition.identity)
    known = {name: values[name] for name in values if name in replace(FASHION).__dataclass_fields__}
    base = SHD if values["n_in"] == SHD.n_in else FASHION
    return Setting(replace(base, **known), values["ratio"], values["w1_std"], values["noise_std"], values["seed"])


def numbers(made: Trained) -> dict[str, Any]:
    """Return what is kept in the table: histories as JSON text."""
    row: dict[str, Any] = {name: _text(getattr(made, name)) for name in HISTORIES}
    row["spikes_exc"], row["spikes_inh"] = (_text(made.spikes[:, :, kind].mean(axis=1)) for kind in (0, 1))
    row["activity"] = _text(made.activity)
    row["confusion"] = _text(made.confusion)
    return row | {"epochs_run": made.epochs_run, "processor_s": made.seconds}


def results(tasks: Sequence[Task], folder: Path) -> list[tuple[Task, dict[str, Any]]]:
    """Return the tasks that are done, with what was measured, histories as arrays."""
    store = Store(folder / "training")
    done = []
    for task in tasks:
        record = store.read(task.condition.key)
        if record is not None and not record.error:
            row = {k: np.array(json.loads(v)) if isinstance(v, str) and v[:1] == "[" else v for k, v in record.result.items()}
            done.append((task, row))
    return done


def _text(array: npt.NDArray[Any]) -> str:
    return json.dumps(np.round(array, 6).tolist())
