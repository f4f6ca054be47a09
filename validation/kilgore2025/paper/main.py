"""``run.py --protocol paper``: train what is not trained yet, then write text, figures and tables of all that is."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from time import monotonic

from ei_brian.learn.engine.trials import Trials
from paper import biology, initial
from paper.comparison import two_trainers
from paper.exported import prove
from paper.images import load
from paper.networks import Network
from paper.protocol import FASHION
from paper.report import write
from paper.study import VAN_ROSSUM_IMAGES, Sources, chosen, results, run

INITIAL_SEEDS = 4
BIOLOGY_SHARE = 0.25  # of the hours: in which networks are taken up for biophysical detail, after the training


def paper_study(options: Namespace, command: str) -> None:
    """Run the study as the command line says."""
    folder = options.output or Path("results")
    sources = Sources(folder.resolve(), options.data or "fashion-mnist", options.shd.resolve() if options.shd else None)
    tasks = chosen(options.hours, options.shd is not None, options.trainer)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process a core is cheaper than threads for networks of this size
    run(tasks, sources, options.workers, options.hours, options.dask)
    text = report(sources, options.report or folder / "report", command, options.hours, options.shd is not None)
    print(f"wrote {text}")


def report(sources: Sources, folder: Path, command: str, hours: float | None, shd: bool) -> Path:
    """Write the report of every network that is kept in the folder, whichever trainer made it; return its text."""
    by_trainer = {
        trainer: [(task, Network(task.part, task.setting, row)) for task, row in results(chosen(hours, shd, trainer), sources.folder)]
        for trainer in ("package", "plain")
    }  # fmt: skip
    seen = {task.setting for task, _ in by_trainer["package"]}
    done = by_trainer["package"] + [(task, network) for task, network in by_trainer["plain"] if task.setting not in seen]
    if not done:
        raise SystemExit(f"no network is trained yet in {sources.folder}; the same command with --hours above 0, or without, trains.")
    tasks, networks = [task for task, _ in done], [network for _, network in done]
    train_set, test_set = load(FASHION.name, sources.fashion, None)
    before = initial.section(initial.measure(Trials.of(train_set), sources.folder, INITIAL_SEEDS, VAN_ROSSUM_IMAGES))
    shown = [prove(tasks, sources.folder, test_set)]
    both = two_trainers([n for _, n in by_trainer["package"]], [n for _, n in by_trainer["plain"]])
    shown += [both] if both else []
    figures = []
    end = monotonic() + 3600 * (1e9 if hours is None else hours * BIOLOGY_SHARE)
    detail = biology.measure(biology.candidates(tasks), sources.folder, train_set, test_set, lambda: monotonic() < end)
    folder.mkdir(parents=True, exist_ok=True)
    if detail:
        shown.append(biology.section(detail))
        figures.append(biology.draw(detail, folder))
    return write(networks, folder, command, [before], shown, figures)
