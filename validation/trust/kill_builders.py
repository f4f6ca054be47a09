"""Promise: whatever is killed while it builds or loads, no process ever loads a wrong or half program from the cache.

``python -m validation.trust.kill_builders`` lets 16 processes build, load, check and evict entries of one cache, kills 200 of
them with SIGKILL at random moments (each is replaced), stops some for a while, and checks every byte of every load. At the end,
every key must be usable at once.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import struct
import sys
import tempfile
import time
from pathlib import Path

from ei_brian.toolchain.build_cache import BuildCache
from validation.trust.results import table, write_result

KEYS = [f"key{number}" for number in range(6)]
N_PROCESSES = 16
PART = 20_000
LIMIT = 5 * 3 * PART  # five of the six entries fit, so that eviction goes on all the time
RECORD = struct.Struct("<B")


def content(key: str, name: str) -> bytes:
    """Return what a file of an entry must hold."""
    return hashlib.shake_256(f"{key}/{name}".encode()).digest(PART)


def make(key: str, folder: Path) -> None:
    """Build an entry slowly, in several files."""
    (folder / "lib").mkdir()
    for name in ("main", "lib/a", "lib/b"):
        data = content(key, name)
        with open(folder / name, "wb") as file:
            for start in range(0, PART, PART // 4):
                file.write(data[start : start + PART // 4])
                file.flush()
                time.sleep(0.001)


def right(key: str, folder: Path) -> bool:
    """Tell whether all files of an entry are what they must be."""
    return all((folder / name).read_bytes() == content(key, name) for name in ("main", "lib/a", "lib/b"))


def work(root: Path, seed: int, send: int) -> None:
    """Load entries for ever and report each load: 1 right, 2 wrong, 3 right and built outside the cache."""
    random_number = random.Random(seed)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        key = random_number.choice(KEYS)
        cache = BuildCache(root, limit_bytes=LIMIT, patience_s=20)
        with cache.entry(key, lambda folder, key=key: make(key, folder)) as folder:  # type: ignore[misc]
            good = right(key, folder)
            time.sleep(random_number.random() * 0.01)
            good = good and right(key, folder)
            outcome = (3 if root not in folder.parents else 1) if good else 2
        os.write(send, RECORD.pack(outcome))
        if random_number.random() < 0.05:
            cache.clear()


def start(root: Path, seed: int, send: int) -> int:
    """Start one process and return its number."""
    child = os.fork()
    if child == 0:
        try:
            work(root, seed, send)
        finally:
            os._exit(3)
    return child


def run(kills: int, n_processes: int, seed: int = 0) -> dict[str, int]:
    """Kill that many processes and return what was counted."""
    random_number = random.Random(seed)
    names = ("kills", "stops", "right loads", "wrong loads", "private builds", "processes that ended by themselves")
    counts = dict.fromkeys(names, 0)
    with tempfile.TemporaryDirectory(prefix="ei_brian_kills_") as folder:
        root = Path(folder, "cache")
        receive, send = os.pipe()
        os.set_blocking(receive, False)
        children = [start(root, seed * 10_000 + number, send) for number in range(n_processes)]
        try:
            while counts["kills"] < kills:
                time.sleep(random_number.random() * 0.12)
                _strike(random_number, children, counts)
                counts["processes that ended by themselves"] += _reap(children)
                while len(children) < n_processes:
                    children.append(start(root, random_number.getrandbits(40), send))
                _count(receive, counts)
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        _count(receive, counts)
        counts["unusable entries"] = _unusable(root)
        counts["unfinished folders left"] = len(list((root / "aside").iterdir()))
    return counts


def _strike(random_number: random.Random, children: list[int], counts: dict[str, int]) -> None:
    """Kill a process, or stop one and let it go on a little later."""
    child = random_number.choice(children)
    if random_number.random() < 0.15:
        os.kill(child, signal.SIGSTOP)
        time.sleep(random_number.random() * 0.2)
        os.kill(child, signal.SIGCONT)
        counts["stops"] += 1
        return
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    children.remove(child)
    counts["kills"] += 1


def _reap(children: list[int]) -> int:
    """Take away processes that ended without being killed; return their number."""
    ended = [child for child in children if os.waitpid(child, os.WNOHANG)[0]]
    for child in ended:
        children.remove(child)
    return len(ended)


def _count(receive: int, counts: dict[str, int]) -> None:
    try:
        outcomes = os.read(receive, 1 << 20)
    except BlockingIOError:
        return
    counts["right loads"] += outcomes.count(1) + outcomes.count(3)
    counts["wrong loads"] += outcomes.count(2)
    counts["private builds"] += outcomes.count(3)


def _unusable(root: Path) -> int:
    """Return how many keys cannot be loaded from the cache at once after it all, built again where needed."""
    bad = 0
    for key in KEYS:
        with BuildCache(root, patience_s=5).entry(key, lambda folder, key=key: make(key, folder)) as folder:  # type: ignore[misc]
            bad += not (right(key, folder) and root in folder.parents)
    return bad


def main() -> int:
    """Run from the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 kills over 4 processes, no file written")
    parser.add_argument("--kills", type=int, default=200)
    options = parser.parse_args()
    began = time.perf_counter()
    counts = run(20, 4) if options.quick else run(options.kills, N_PROCESSES)
    body = f"{time.perf_counter() - began:.0f} s.\n\n" + table(("counted", "number"), list(counts.items()))
    write_result("kill_builders", "Build cache under SIGKILL", body, options.quick)
    bad = counts["wrong loads"] + counts["unusable entries"] + counts["processes that ended by themselves"]
    return 1 if bad or not counts["right loads"] else 0


if __name__ == "__main__":
    sys.exit(main())
