"""A Dask cluster gives the table that one process gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import studies

from ei_brian.errors import BackendError
from ei_brian.study.dask_cluster import DaskScheduler, connect
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


def test_nothing_at_the_address_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Timed out trying to connect to tcp://127.0.0.1:1")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(BackendError, match="dask scheduler"):
        connect("tcp://127.0.0.1:1", studies.cheap_work)
