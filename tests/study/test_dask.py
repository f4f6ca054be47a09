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


class Cluster:
    """A client whose workers answer as they are told, to see who gets work."""

    def __init__(self, answers: dict[str, object]) -> None:
        self.answers, self.sent = answers, list[list[str]]()

    def nthreads(self) -> dict[str, int]:
        return dict.fromkeys(self.answers, 1)

    def run(self, function: object, *arguments: object, workers: list[str], on_error: str) -> dict[str, object]:
        return {worker: self.answers[worker] for worker in workers}

    def submit(self, function: object, *arguments: object, workers: list[str], **settings: object) -> object:
        assert settings["allow_other_workers"] is False
        self.sent.append(workers)
        return Pending()


class Pending:
    """A future that never ends."""

    def done(self) -> bool:
        return False

    def cancel(self) -> None:
        return None


def test_only_fit_workers_get_work_and_the_others_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster({"a": "", "b": "sources 12 instead of 34", "c": BackendError("compiler: 'g++' was not found"), "d": ""})
    scheduler = DaskScheduler(cluster, studies.cheap_work)
    assert scheduler.places() == 4
    scheduler.submit(studies.conditions()[0])
    assert cluster.sent == [["a", "d"]]
    said = capsys.readouterr().err.splitlines()
    assert [line.split(" is left out: ")[0] for line in said] == ["sweep: worker b", "sweep: worker c"]
    scheduler.places()
    assert capsys.readouterr().err == "", "said once"
    del cluster.answers["a"], cluster.answers["d"]
    assert scheduler.wait(0.0) == []
    assert (len(scheduler.running), len(scheduler.waiting)) == (0, 1), "its workers are gone: it waits for another"
    cluster.answers["e"] = ""
    scheduler.places()
    scheduler.submit(scheduler.waiting.popleft())
    assert cluster.sent[-1] == ["e"]


def test_a_cluster_of_unfit_workers_is_an_error_and_not_a_wait() -> None:
    scheduler = DaskScheduler(Cluster({"b": "sources 12 instead of 34"}), studies.cheap_work, patience_s=0.0)
    scheduler.places()
    with pytest.raises(BackendError, match=r"none of the 1 workers is fit\. b: sources 12 instead of 34"):
        scheduler.wait(0.01)


def test_a_worker_computes_only_what_it_was_found_fit_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from ei_brian.study import dask_worker
    from ei_brian.study.software import this_software

    condition, here = studies.conditions()[0], this_software()
    with pytest.raises(dask_worker.NotFit, match="new at its address"):
        dask_worker.compute("token", here, condition)
    assert dask_worker.receive("token", {**here, "sources": "other"}, studies.cheap_work).endswith("instead of other")
    assert dask_worker.receive("token", here, studies.cheap_work) == ""
    assert dask_worker.compute("token", here, condition).result["count"] == 3
    monkeypatch.setattr(dask_worker, "this_software", lambda: {**here, "sources": "changed"})
    with pytest.raises(dask_worker.NotFit, match="sources changed"):
        dask_worker.compute("token", here, condition)
    dask_worker.forget("token")
