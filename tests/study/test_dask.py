"""A Dask cluster gives the table that one process gives."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest
import studies

from ei_brian.errors import BackendError, ConfigError
from ei_brian.study.dask_cluster import DaskScheduler, connect, start_jobs
from ei_brian.study.scheduler import InThisProcess
from ei_brian.study.sweep import sweep

distributed = pytest.importorskip("distributed")


@pytest.mark.slow
def test_local_cluster_with_two_workers_gives_the_same_table(tmp_path: Path) -> None:
    sweep(studies.conditions(), tmp_path / "one", InThisProcess(studies.faulty), progress=False)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        scheduler = connect(cluster.scheduler_address, studies.faulty_work)
        summary = sweep(studies.conditions(), tmp_path / "two", scheduler, progress=False)
        assert (summary.n_computed, len(summary.failed)) == (18, 4)
        deadly = DaskScheduler(distributed.Client(cluster), studies.deadly_work)
        last = sweep(studies.conditions(n_seeds=1), tmp_path / "three", deadly, progress=False)
        assert [c.variant for c, _ in last.failed] == ["B"]
        assert "WorkerDied" in last.failed[0][1]
    for name in ("table.csv", "table.sqlite"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.slow
def test_workers_started_by_hand_can_import_brian2(tmp_path: Path) -> None:
    address = tmp_path / "scheduler.json"
    command = (sys.executable, "-m", "dask")
    options = ("--scheduler-file", str(address))
    started = [
        subprocess.Popen([*command, "scheduler", "--port", "0", "--no-dashboard", *options]),
        subprocess.Popen([*command, "worker", "--nthreads", "1", "--no-dashboard", *options], cwd=tmp_path),
    ]
    try:
        client = distributed.Client(scheduler_file=str(address), timeout=60)
        client.wait_for_workers(1, timeout=60)
        summary = sweep(
            studies.conditions(n_seeds=1), tmp_path / "out", DaskScheduler(client, studies.with_brian2_work), progress=False
        )
        client.close()
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=60)
    assert (summary.n_computed, summary.failed) == (6, ())


class TestJobs:
    """Batch systems, with a stand-in for dask-jobqueue, which is not needed to run tests."""

    @pytest.fixture
    def started(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        told: list[object] = []

        class SLURMCluster:
            def __init__(self, cores: int, memory: str) -> None:
                told.append((cores, memory))

            def scale(self, jobs: int) -> None:
                told.append(jobs)

        class Client:
            def __init__(self, cluster: object) -> None:
                told.append(cluster)

            def register_plugin(self, plugin: object, name: str) -> None:
                told.append(type(plugin).__name__)

        monkeypatch.setitem(sys.modules, "dask_jobqueue", types.SimpleNamespace(SLURMCluster=SLURMCluster))
        monkeypatch.setattr(distributed, "Client", Client)
        return told

    def test_cluster_is_started_as_the_file_says(self, tmp_path: Path, started: list[object]) -> None:
        path = tmp_path / "slurm.yaml"
        path.write_text("system: SLURMCluster\njobs: 3\nsettings: {cores: 2, memory: 4GB}\n")
        start_jobs(path, studies.cheap_work)
        assert started[:2] == [(2, "4GB"), 3]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("system: SlurmCluster\n", "SLURMCluster"),
            ("jobs: 3\n", "system, jobs and settings"),
            ("system: SLURMCluster\njobs: 0\n", "at least 1"),
            ("system: SLURMCluster\nsettings: {queue: a}\n", "settings of SLURMCluster"),
            ("a: [", "cannot be read"),
            ("!!python/object/apply:os.system [id]", "cannot be read"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path: Path, started: list[object], text: str, said: str) -> None:
        path = tmp_path / "slurm.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=said):
            start_jobs(path, studies.cheap_work)


def test_nothing_at_the_address_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect to tcp://127.0.0.1:1")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(BackendError, match="dask scheduler"):
        connect("tcp://127.0.0.1:1", studies.cheap_work)
