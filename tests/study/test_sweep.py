"""A study gives the same table however it is run, stopped, killed, shared or spread."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import studies

from ei_brian.errors import BackendError, StorageError
from ei_brian.study.claim import Claims
from ei_brian.study.pool import Pool
from ei_brian.study.scheduler import InThisProcess
from ei_brian.study.store import Store
from ei_brian.study.sweep import sweep
from ei_brian.study.table import read_table

UNIQUE = 2 * (1 + 2 * 4)


def tables(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "table.csv").read_bytes(), (folder / "table.sqlite").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("undisturbed")
    sweep(studies.conditions(), folder, InThisProcess(studies.cheap), progress=False)
    return tables(folder)


def start(folder: Path, seconds: float, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, studies.__file__, str(folder), str(seconds), str(log)])


def processes_of(group_of: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if group_of in (entry / "environ").read_bytes().decode(errors="replace"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_table_holds_every_condition_and_its_exact_numbers(tmp_path: Path) -> None:
    calls: list[str] = []

    def work(condition: studies.Condition) -> dict[str, object]:
        calls.append(condition.key)
        return dict(studies.cheap(condition))

    summary = sweep(studies.conditions(), tmp_path, InThisProcess(work), progress=False)
    rows = read_table(tmp_path)
    assert (summary.n_rows, summary.n_conditions, summary.n_computed, summary.failed) == (24, UNIQUE, UNIQUE, ())
    assert len(set(calls)) == len(calls) == UNIQUE
    expected = studies.conditions()
    assert [(r["variant"], r["level"], r["seed"]) for r in rows] == [(c.variant, c.level, c.seed) for c in expected]
    assert [r["accuracy"] for r in rows] == [studies.number(c) for c in expected]  # to the bit
    assert {r["silent"] for r in rows} == {None}
    assert {r["count"] for r in rows} == {3}
    with sqlite3.connect(tmp_path / "table.sqlite") as database:
        assert [r[0] for r in database.execute("select accuracy from results")] == [r["accuracy"] for r in rows]


def test_second_start_computes_nothing(tmp_path: Path, undisturbed: tuple[bytes, bytes]) -> None:
    sweep(studies.conditions()[5:], tmp_path, InThisProcess(studies.cheap), progress=False)
    first = sweep(studies.conditions(), tmp_path, InThisProcess(studies.cheap), progress=False)
    again = sweep(studies.conditions(), tmp_path, InThisProcess(studies.faulty), progress=False)
    assert 0 < first.n_computed < UNIQUE
    assert again.n_computed == 0
    assert tables(tmp_path) == undisturbed


def test_pool_gives_the_same_table(tmp_path: Path, undisturbed: tuple[bytes, bytes]) -> None:
    sweep(studies.conditions(), tmp_path, Pool(studies.cheap_work, 2), progress=False)
    assert tables(tmp_path) == undisturbed


def test_failing_conditions_are_recorded_and_the_rest_goes_on(tmp_path: Path, undisturbed: tuple[bytes, bytes]) -> None:
    summary = sweep(studies.conditions(), tmp_path, Pool(studies.faulty_work, 2), progress=False)
    assert [(c.variant, c.level, c.seed) for c, _ in summary.failed] == [("B", 1.0, seed) for seed in range(4)]
    assert summary.failed[2][1] == "ValueError: seed 2 cannot be computed"
    failed = [row for row in read_table(tmp_path) if row["status"] == "failed"]
    assert [row["error"] for row in failed] == [error for _, error in summary.failed]
    assert {row["accuracy"] for row in failed} == {None}
    still = sweep(studies.conditions(), tmp_path, InThisProcess(studies.cheap), progress=False)
    assert (still.n_computed, len(still.failed)) == (0, 4)
    mended = sweep(studies.conditions(), tmp_path, InThisProcess(studies.cheap), retry_failed=True, progress=False)
    assert (mended.n_computed, mended.failed) == (4, ())
    assert tables(tmp_path) == undisturbed


def test_dead_worker_is_replaced_and_its_condition_tried_again(tmp_path: Path, undisturbed: tuple[bytes, bytes]) -> None:
    work = partial(studies.deadly_work, str(tmp_path / "once"))
    summary = sweep(studies.conditions(), tmp_path / "r", Pool(work, 2), progress=False)
    assert summary.failed == ()
    assert tables(tmp_path / "r") == undisturbed


def test_condition_that_kills_every_worker_has_failed(tmp_path: Path) -> None:
    summary = sweep(studies.conditions(n_seeds=1), tmp_path, Pool(studies.deadly_work, 1), progress=False)
    assert len(summary.failed) == 1
    assert "signal 9, 2 times" in summary.failed[0][1]


def test_temporary_files_of_workers_go_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    summary = sweep(studies.conditions(n_seeds=1), tmp_path / "out", Pool(studies.littering_work, 1), progress=False)
    assert (summary.n_computed, len(summary.failed)) == (6, 1)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_study_with_workers_ends_without_a_warning(tmp_path: Path) -> None:
    """Progress bars within the work must leave nothing that Python complains of when the study is over."""
    code = (
        "import sys, studies; from pathlib import Path; from ei_brian.study.pool import Pool; "
        "from ei_brian.study.sweep import sweep; "
        "sweep(studies.conditions(1), Path(sys.argv[1]), Pool(studies.with_a_bar_work, 2), progress=False)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120)
    assert "2/2" in done.stderr, "the bars were shown"
    assert "leaked" not in done.stderr


def test_workers_that_cannot_start_stop_the_study_and_nothing_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="could not start"):
        sweep(studies.conditions(), tmp_path, Pool(studies.impossible_work, 2), progress=False)
    assert not list(tmp_path.glob("conditions/*/*"))
    assert not list((tmp_path / "claims").iterdir())


def test_full_disk_of_a_worker_stops_the_study_and_is_not_recorded(tmp_path: Path, undisturbed: tuple[bytes, bytes]) -> None:
    def full(condition: studies.Condition) -> dict[str, object]:
        if condition.variant == "B":
            raise RuntimeError("run failed") from OSError(errno.ENOSPC, "No space left on device")
        return dict(studies.cheap(condition))

    with pytest.raises(StorageError, match="Make room"):
        sweep(studies.conditions(), tmp_path, InThisProcess(full), progress=False)
    assert not list((tmp_path / "claims").iterdir())
    after = sweep(studies.conditions(), tmp_path, InThisProcess(studies.cheap), progress=False)
    assert after.n_computed == UNIQUE // 2
    assert tables(tmp_path) == undisturbed


def test_full_disk_of_the_store_leaves_nothing_half_written(
    tmp_path: Path, undisturbed: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    real = os.fsync

    def full(descriptor: int) -> None:
        nonlocal written
        written += 1
        if written == 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        sweep(studies.conditions(), tmp_path, InThisProcess(studies.cheap), progress=False)
    monkeypatch.undo()
    assert not list(tmp_path.glob("conditions/*/.*"))
    sweep(studies.conditions(), tmp_path, InThisProcess(studies.cheap), progress=False)
    assert tables(tmp_path) == undisturbed


def test_unfinished_files_of_killed_writers_go_after_an_hour(tmp_path: Path) -> None:
    sweep(studies.conditions(), tmp_path, InThisProcess(studies.cheap), progress=False)
    folder = next(tmp_path.glob("conditions/*"))
    old = [tmp_path / ".table.csv.1.ab.part", tmp_path / ".table.sqlite.1.ab.part-journal", folder / ".x.1.ab.part"]
    fresh = tmp_path / ".table.csv.2.ab.part"
    for path in (*old, fresh):
        path.touch()
    for path in old:
        os.utime(path, (0, 0))
    Store(tmp_path)
    assert [path for path in (*old, fresh) if path.exists()] == [fresh]


def test_damaged_result_is_named(tmp_path: Path) -> None:
    sweep(studies.conditions(), tmp_path, InThisProcess(studies.cheap), progress=False)
    path = Store(tmp_path).path(studies.conditions()[3].key)
    path.write_text(path.read_text()[:50])
    with pytest.raises(StorageError, match=path.name):
        sweep(studies.conditions(), tmp_path, InThisProcess(studies.cheap), progress=False)


def test_interrupt_ends_with_130_releases_claims_and_is_taken_up(tmp_path: Path, undisturbed: tuple[bytes, bytes]) -> None:
    folder, log = tmp_path / "r", tmp_path / "log"
    process = start(folder, 0.3, log)
    while not list(folder.glob("conditions/*/*.json")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert not list((folder / "claims").iterdir())
    assert not processes_of(f"{log}")
    done = len(list(folder.glob("conditions/*/*.json")))
    assert 0 < done < UNIQUE
    assert start(folder, 0.0, log).wait(60) == 0
    assert tables(folder) == undisturbed


def kill_until_done(folder: Path, log: Path, times: int, seconds: float, rng: random.Random) -> int:
    """Kill the study with signal 9 at random moments, then let it end; return how often it was alive to be killed."""
    killed = 0
    for _ in range(times):
        process = start(folder, seconds, log)
        time.sleep(rng.uniform(0.3, 1.6))
        killed += process.poll() is None
        process.kill()
        process.wait()
        for path in folder.glob("conditions/*/*.json"):
            json.loads(path.read_text())  # every result that has a name is whole
    assert start(folder, seconds, log).wait(120) == 0
    return killed


def check_kills(tmp_path: Path, undisturbed: tuple[bytes, bytes], times: int, seconds: float) -> None:
    folder, log = tmp_path / "r", tmp_path / "log"
    killed = kill_until_done(folder, log, times, seconds, random.Random(20250715))
    assert killed >= times // 2
    assert tables(folder) == undisturbed
    starts = Counter(log.read_text().split())
    assert len(starts) == UNIQUE
    # at most the two conditions that were running are computed again after each kill
    assert sum(starts.values()) - UNIQUE <= 2 * killed


def test_three_kills_at_random_moments_change_nothing(tmp_path: Path, undisturbed: tuple[bytes, bytes]) -> None:
    check_kills(tmp_path, undisturbed, 3, 0.15)


@pytest.mark.slow
def test_ten_kills_at_random_moments_change_nothing(tmp_path: Path, undisturbed: tuple[bytes, bytes]) -> None:
    check_kills(tmp_path, undisturbed, 10, 0.8)


def test_workers_end_when_the_study_is_killed(tmp_path: Path) -> None:
    folder, log = tmp_path / "r", tmp_path / "log"
    process = start(folder, 30.0, log)
    while not log.exists() or len(log.read_text().split()) < 2:
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while any(_alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(child) for child in children)


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_two_processes_share_one_folder_and_no_condition_is_computed_twice(
    tmp_path: Path, undisturbed: tuple[bytes, bytes]
) -> None:
    folder, log = tmp_path / "r", tmp_path / "log"
    both = [start(folder, 0.2, log) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert tables(folder) == undisturbed
    assert Counter(log.read_text().split()) == {c.key: 1 for c in studies.conditions()}


class TestClaims:
    def test_one_of_two_wins(self, tmp_path: Path) -> None:
        first, second = Claims(tmp_path), Claims(tmp_path)
        assert first.take("a")
        assert not second.take("a")
        first.release("a")
        assert second.take("a")

    def test_claim_of_a_process_that_is_gone_is_taken_over_once(self, tmp_path: Path) -> None:
        gone = Claims(tmp_path)
        process = subprocess.Popen(["sleep", "0"])
        process.wait()
        gone.me = {**gone.me, "pid": process.pid, "started": "1"}
        assert gone.take("a")
        assert [Claims(tmp_path).take("a") for _ in range(3)] == [True, False, False]

    def test_claim_of_another_machine_is_stale_by_age_only(self, tmp_path: Path) -> None:
        other = Claims(tmp_path)
        other.me = {"machine": "elsewhere", "pid": 1, "started": "1"}
        assert other.take("a")
        assert not Claims(tmp_path, stale_seconds=60).take("a")
        old = time.time() - 100
        os.utime(next(tmp_path.glob("a.*")), (old, old))
        assert Claims(tmp_path, stale_seconds=60).take("a")

    def test_claims_are_touched_while_held(self, tmp_path: Path) -> None:
        claims = Claims(tmp_path, stale_seconds=0.4)
        with claims.kept_alive():
            assert claims.take("a")
            before = (tmp_path / "a.0").stat().st_mtime
            time.sleep(0.5)
            assert (tmp_path / "a.0").stat().st_mtime > before
        assert not list(tmp_path.iterdir())
