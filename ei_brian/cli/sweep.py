"""``ei-brian sweep``: variants × noise × levels × seeds."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ei_brian.cli.options import AsJson
from ei_brian.cli.output import note, print_json, show

if TYPE_CHECKING:
    from ei_brian.study.outcome import Work
    from ei_brian.study.scheduler import Scheduler
    from ei_brian.study.sweep import Summary

__all__ = ["command"]

SHOWN_FAILURES = 5


def command(
    config: Annotated[Path, typer.Argument(help="What is run (TOML); validation/digits_noise.toml is an example.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Results folder; made, or taken up where it was left off.")],
    workers: Annotated[int, typer.Option(min=0, help="Processes of this machine; 0: one per processor core.")] = 0,
    scheduler: Annotated[
        str, typer.Option(help="Dask instead: tcp://host:port, or a YAML file (system, jobs, settings) for dask-jobqueue.")
    ] = "",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Compute conditions that failed anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run every condition that has no result yet, and write table.csv and table.sqlite.

    Ctrl-C, a kill or a full disk lose only what was running; the same command goes on from there. Several machines may run it on
    one shared folder at once. Exit code 1 when a condition has failed; its error is in the table.
    """
    from ei_brian.config.sweep_run import read_sweep_run, simulation_work
    from ei_brian.study.sweep import sweep

    run = read_sweep_run(config)
    plan = run.plan(config.parent, output / "networks")
    conditions = plan.conditions()
    simulation_work(plan, run.backend)  # what is wrong with the simulator is said here, not by every worker
    prepare = partial(simulation_work, plan, run.backend, run.keep_recordings)
    chosen = _scheduler(scheduler, workers, prepare, run.backend.threads)
    summary = sweep(conditions, output, chosen, retry_failed=retry_failed)
    _say(summary, as_json)
    if summary.failed:
        raise typer.Exit(1)


def _scheduler(address: str, workers: int, prepare: Callable[[], Work], threads: int) -> Scheduler:
    if not address:
        from ei_brian.study.pool import Pool

        return Pool(prepare, workers or max(1, (os.cpu_count() or 1) // threads), threads)
    from ei_brian.study.dask_cluster import connect, start_jobs

    return connect(address, prepare) if "://" in address else start_jobs(Path(address), prepare)


def _say(summary: Summary, as_json: bool) -> None:
    facts = {
        "table": str(summary.table),
        "rows": summary.n_rows,
        "conditions": summary.n_conditions,
        "computed_now": summary.n_computed,
        "failed": len(summary.failed),
    }
    for condition, error in summary.failed[:SHOWN_FAILURES]:
        note(f"failed: {condition.variant}, {condition.noise} {condition.level:g}, seed {condition.seed}: {error[:300]}")
    if as_json:
        print_json(facts)
    else:
        show(f"wrote {summary.table}: {summary.n_rows} rows of {summary.n_conditions} conditions, {len(summary.failed)} failed")
