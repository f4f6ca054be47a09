"""The build cache, with real processes that are killed and stopped."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ei_brian.errors import BackendError
from ei_brian.toolchain.build_cache import BuildCache
from ei_brian.toolchain.folder_manifest import MANIFEST
from ei_brian.toolchain.key_lock import KeyLock
from tests.sim.waiting import wait_for

BUILDER = """
import sys, time
from pathlib import Path
from ei_brian.toolchain.build_cache import BuildCache
root, log, seconds, hold = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
def make(folder):
    with log.open("a") as file:
        file.write("began\\n")
    (folder / "sub").mkdir()
    (folder / "main").write_bytes(b"program" * 1000)
    time.sleep(seconds)
    (folder / "sub" / "part").write_bytes(b"part" * 1000)
with BuildCache(root).entry("key", make) as folder:
    assert (folder / "main").read_bytes() == b"program" * 1000
    assert (folder / "sub" / "part").read_bytes() == b"part" * 1000
    print("inside", folder, flush=True)
    time.sleep(hold)
"""


def start(root: Path, seconds: float = 0.0, hold: float = 0.0) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", BUILDER, str(root), str(root.parent / "log"), str(seconds), str(hold)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def builds(root: Path) -> int:
    log = root.parent / "log"
    return log.read_text().count("began") if log.exists() else 0


def write(text: bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "main").write_bytes(text)

    return make


def refuse(folder: Path) -> None:
    raise AssertionError("built again")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_built_once_then_used(root: Path) -> None:
    with BuildCache(root).entry("k", write(b"1")) as folder:
        assert (folder / "main").read_bytes() == b"1"
        assert root in folder.parents
    with BuildCache(root).entry("k", refuse) as folder:
        assert (folder / "main").read_bytes() == b"1"
    assert not list((root / "aside").iterdir())


@pytest.mark.parametrize(
    "damage", ["cut", "changed", "missing", "extra", "link", "manifest", "manifest cut", "no folder", "file"]
)
def test_a_broken_entry_is_built_again(root: Path, damage: str) -> None:
    cache = BuildCache(root)
    with cache.entry("k", write(b"good")) as folder:
        place = folder
    {
        "cut": lambda: (place / "main").write_bytes(b"goo"),
        "changed": lambda: (place / "main").write_bytes(b"evil"),
        "missing": lambda: (place / "main").unlink(),
        "extra": lambda: (place / "extra.so").write_bytes(b""),
        "link": lambda: ((place / "main").unlink(), (place / "main").symlink_to("/etc/passwd")),
        "manifest": lambda: (place / MANIFEST).unlink(),
        "manifest cut": lambda: (place / MANIFEST).write_bytes((place / MANIFEST).read_bytes()[:-9]),
        "no folder": lambda: os.rename(place, root / "elsewhere"),
        "file": lambda: (os.rename(place, root / "elsewhere"), place.write_bytes(b"")),
    }[damage]()
    with cache.entry("k", write(b"good")) as folder:
        assert (folder / "main").read_bytes() == b"good"
    with cache.entry("k", refuse) as folder:
        assert (folder / "main").read_bytes() == b"good"


def test_an_error_while_building_keeps_nothing(root: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "half").write_bytes(b"")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), BuildCache(root).entry("k", make):
        pass
    assert not list((root / "aside").iterdir())
    assert not list((root / "entries").iterdir())
    with BuildCache(root).entry("k", write(b"1")):
        pass


@pytest.mark.parametrize("key", ["", "../a", "a/b", "a\nb", "x" * 200, "."])
def test_keys_that_are_paths_are_refused(root: Path, key: str) -> None:
    with pytest.raises(BackendError, match="key"), BuildCache(root).entry(key, refuse):
        pass


def test_two_processes_at_once_build_once(root: Path) -> None:
    processes = [start(root, seconds=0.5) for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert str(root) in out
    assert builds(root) == 1


def test_killed_while_building(root: Path) -> None:
    first = start(root, seconds=60)
    wait_for(lambda: builds(root) == 1)
    waiting = start(root)
    time.sleep(0.5)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 0, err
    assert str(root) in out
    assert builds(root) == 2
    assert not list((root / "aside").iterdir()), "what the killed one left is taken away"


def test_a_stopped_builder_holds_nobody_up(root: Path) -> None:
    first = start(root, seconds=1)
    wait_for(lambda: builds(root) == 1)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        out, err = start(root).communicate(timeout=30)
        assert "inside" in out, err
        assert str(root) not in out, "built for itself, outside the cache"
        assert "does not go on" in err
        assert time.monotonic() - began < 15
    finally:
        os.kill(first.pid, signal.SIGCONT)
    out, err = first.communicate(timeout=30)
    assert first.returncode == 0, err
    assert str(root) in out
    with BuildCache(root).entry("key", refuse):
        pass


def test_waiting_has_an_end(root: Path) -> None:
    first = start(root, seconds=60)
    wait_for(lambda: builds(root) == 1)
    try:
        with BuildCache(root, patience_s=0.3).entry("key", write(b"own")) as folder:
            assert root not in folder.parents
        assert not folder.exists(), "a private build is taken away after its use"
    finally:
        first.kill()
        first.communicate()


def test_least_recently_used_goes_but_never_one_in_use(root: Path) -> None:
    cache = BuildCache(root, limit_bytes=25_000)
    big = write(b"x" * 10_000)
    with cache.entry("in_use", big) as folder:
        for key in ("a", "b", "a", "c", "d"):
            with cache.entry(key, big):
                pass
            time.sleep(0.02)  # times of use are told apart
        assert folder.exists()
        info = cache.info()
        assert {entry.key for entry in info.entries} == {"in_use", "d"}
        assert {entry.key: entry.in_use for entry in info.entries} == {"in_use": True, "d": False}
        assert info.n_bytes <= 25_000
        assert cache.clear() == 1
        assert folder.exists()
    assert cache.clear() == 1
    assert cache.info().entries == ()
    assert not list((root / "locks").iterdir())


def test_an_entry_used_by_another_process_stays(root: Path) -> None:
    process = start(root, hold=60)
    assert "inside" in process.stdout.readline()
    assert BuildCache(root).clear() == 0
    process.kill()
    process.communicate()
    assert BuildCache(root).clear() == 1


def test_without_a_place_programs_are_built_in_a_temporary_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = BuildCache(tmp_path / "file" / "cache")
    with cache.entry("k", write(b"1")) as folder:
        assert (folder / "main").read_bytes() == b"1"
    assert not folder.exists()
    assert "no build cache" in capfd.readouterr().err
    assert cache.info().entries == ()
    assert cache.clear() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path, root: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    root.symlink_to(theirs)
    with pytest.raises(BackendError, match="belongs to user 12345"):
        BuildCache(root)
    root.unlink()
    BuildCache(root)
    os.rename(root / "entries", root / "mine")
    (root / "entries").symlink_to(theirs)
    with pytest.raises(BackendError, match="belongs to user 12345"):
        BuildCache(root)


def test_a_folder_that_others_can_change_is_refused(root: Path) -> None:
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(BackendError, match="others can write"):
        BuildCache(root)
    root.chmod(0o700)
    assert stat.S_IMODE(os.stat(BuildCache(root).root / "entries").st_mode) == 0o700


def test_a_child_forked_while_a_lock_was_held_neither_keeps_nor_ends_it(tmp_path: Path) -> None:
    """A forked child has the lock's file open too: the lock must end with its holder, and not before."""
    held, other = KeyLock(tmp_path / "lock"), KeyLock(tmp_path / "lock")
    assert held.exclusive(1.0)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            held.release()  # of no effect here: the parent has it
            os.write(write, b"1")
            signal.pause()
        finally:
            os._exit(0)
    try:
        assert os.read(read, 1) == b"1"
        assert not other.exclusive(0.0)
        sibling = os.fork()
        if sibling == 0:
            try:
                signal.pause()  # with the file open
            finally:
                os._exit(0)
        try:
            held.release()
            assert other.exclusive(0.0)
        finally:
            os.kill(sibling, signal.SIGKILL)
            os.waitpid(sibling, 0)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        other.release()
