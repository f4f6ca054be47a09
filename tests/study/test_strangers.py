"""Claims that name nobody, records that were changed, and what tells two commits apart."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import studies

from ei_brian.errors import StorageError
from ei_brian.study import claim, software
from ei_brian.study.claim import Claims
from ei_brian.study.outcome import Made, Outcome
from ei_brian.study.scheduler import InThisProcess
from ei_brian.study.store import Store
from ei_brian.study.sweep import sweep


def make_folder(path: Path) -> None:
    path.mkdir()


def nameless(path: Path, kind: str) -> None:
    """Put a claim of that kind at a path, without a touch for a minute."""
    made = {
        "empty": "", "cut": '{"machine": "a', "list": "[1]", "number": "7", "null": "null", "deep": "[" * 100_000,
        "no machine": "{}", "machine is a number": '{"machine": 3, "pid": 1}', "large": "x" * 20_000,
    }  # fmt: skip
    if kind == "bytes":
        path.write_bytes(b"\xff\xfe\x00")
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    else:
        path.write_text(made[kind])
    old = time.time() - 60
    os.utime(path, (old, old), follow_symlinks=False)


KINDS = (
    "empty", "cut", "list", "number", "null", "deep", "no machine", "machine is a number", "large", "bytes", "folder", "fifo",
    "dangling",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_claim_that_names_nobody_is_taken_over(tmp_path: Path, kind: str) -> None:
    claims = Claims(tmp_path)
    nameless(tmp_path / "key.0", kind)
    assert claims.take("key")
    claims.release("key")


def test_a_claim_that_names_nobody_but_is_touched_is_left(tmp_path: Path) -> None:
    (tmp_path / "key.0").write_text("")
    assert not Claims(tmp_path).take("key")


@pytest.mark.parametrize("pid", [None, "7", 2**31 - 5, [1]])
def test_a_claim_of_this_machine_without_a_living_process_is_taken_over(tmp_path: Path, pid: object) -> None:
    claims = Claims(tmp_path)
    (tmp_path / "key.0").write_text(json.dumps({"machine": claims.me["machine"], "pid": pid, "started": None}))
    assert claims.take("key")


def test_a_sweep_ends_although_a_claim_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "NAMELESS_SECONDS", 0.2)
    conditions = studies.conditions(n_seeds=1)
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / f"{conditions[0].key}.0").touch()
    assert sweep(conditions, tmp_path, InThisProcess(studies.cheap), progress=False).failed == ()


def stored(tmp_path: Path) -> tuple[Store, str, Path]:
    condition = studies.conditions(n_seeds=1)[0]
    store = Store(tmp_path)
    store.write(condition, Outcome(condition.key, {"accuracy": 0.5, "n": 3}))
    return store, condition.key, store.path(condition.key)


def test_a_record_is_read_back(tmp_path: Path) -> None:
    store, key, _ = stored(tmp_path)
    record = store.read(key)
    assert record is not None
    assert record.result == {"accuracy": 0.5, "n": 3}


@pytest.mark.parametrize("field", ["result", "error", "seconds", "identity", "trace"])
def test_a_record_that_was_changed_by_hand_is_refused(tmp_path: Path, field: str) -> None:
    store, key, path = stored(tmp_path)
    data = json.loads(path.read_text())
    data[field] = {"accuracy": 0.123} if isinstance(data[field], dict) else 7.5 if field == "seconds" else "other"
    path.write_text(json.dumps(data))
    with pytest.raises(StorageError, match="changed after it was written"):
        store.read(key)


NO_RECORDS = ("", "[" * 100_000, "[]", "null", '{"format": 2}', "{}", '{"format": 1, "key": "x"}', '{"a": 1e999}')


@pytest.mark.parametrize("text", NO_RECORDS)
def test_what_is_no_record_is_one_clear_error(tmp_path: Path, text: str) -> None:
    store, key, path = stored(tmp_path)
    path.write_text(text)
    with pytest.raises(StorageError, match="Delete it and start again"):
        store.read(key)


def test_files_of_a_condition_come_to_the_results_folder_and_nowhere_else(tmp_path: Path) -> None:
    conditions = studies.conditions(n_seeds=1)
    work = InThisProcess(lambda c: Made({"n": 1}, {f"recordings/{c.key}.h5": b"x"}))
    made = sweep(conditions, tmp_path / "a", work, progress=False)
    assert made.failed == ()
    assert len(list((tmp_path / "a" / "recordings").iterdir())) == made.n_conditions
    with pytest.raises(StorageError, match="not within"):
        sweep(conditions, tmp_path / "b", InThisProcess(lambda _: Made({}, {"../../x": b"x"})), progress=False)
    assert not (tmp_path / "x").exists()


def test_two_commits_of_one_version_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "ei_brian"
    for name in ("core/a.py", "report/b.py", "study/software.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("a = 1\n")
    monkeypatch.setattr(software, "__file__", str(root / "study" / "software.py"))
    first = software.source_hash.__wrapped__()
    (root / "report" / "b.py").write_text("a = 2\n")
    assert software.source_hash.__wrapped__() == first, "what only draws changes no number"
    (root / "core" / "a.py").write_text("a = 2\n")
    assert software.source_hash.__wrapped__() != first
    (root / "core" / "a.py").write_text("a = 1\n")
    (root / "core" / "new.py").write_text("")
    assert software.source_hash.__wrapped__() != first


def test_sweeps_are_known_by_their_sources() -> None:
    from ei_brian.config.sweep_run import BackendSettings

    assert BackendSettings().versions()["sources"] == software.source_hash()
