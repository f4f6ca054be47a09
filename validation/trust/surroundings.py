"""The same call in other surroundings: the same bits, or one clear line. ``python -m validation.trust.surroundings [NAME …]``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from validation.trust.results import table, write_result
from validation.trust.surrounding_cases import SAME, SURROUNDINGS, Surrounding

__all__ = ["right_digest", "try_surrounding"]

ROOT = Path(__file__).parents[2]
NOBODY = 65534
# may read all, since Python may live in root's home, but owns nothing
READS = "--inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
AS_NOBODY = f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {READS}"
TOGETHER = 4
CALL = '''
def call(dtype="float64"):
    import hashlib
    from ei_brian.core.noise import Noise
    from ei_brian.sim.backend import Backend
    from validation.trust.cases import lif, stimulus
    spec = lif()
    shown, digests = stimulus(spec, 4, 30), set()
    for name in BACKENDS:
        found = Backend(name, dtype=dtype).run(spec, shown, noise=Noise(membrane_white_sd=0.2), seed=3, traces=[("E", "v")])
        digest = hashlib.sha256(found.traces["E", "v"].tobytes() + found.scores.tobytes())
        for train in found.spikes.values():
            for part in (train.trial, train.step, train.unit):
                digest.update(part.tobytes())
        digests.add(digest.hexdigest()[:16])
    assert len(digests) == 1, f"backends differ: {digests}"
    return digests.pop()
'''


def try_surrounding(case: Surrounding, right: str, scratch: Path, cache: Path) -> tuple[bool, str]:
    """Return whether a surrounding held, and in words what happened."""
    root = str(scratch)
    code = f"{case.before.replace('{root}', root)}\nBACKENDS = {case.backends!r}\n{CALL}"
    call_file = scratch / "call.py"
    call_file.write_text(code, encoding="utf-8")
    script = scratch / "script.py"  # a file, so that spawn finds it
    main = "\n".join("    " + line for line in case.call.replace("{root}", root).splitlines())
    script.write_text(f"{code}\nif __name__ == '__main__':\n{main}\n", encoding="utf-8")
    done = _run(case, root, script, cache, {"CALL_FILE": str(call_file)})
    out, errors = done.stdout.decode(errors="replace").strip(), done.stderr.decode(errors="replace").strip().splitlines()
    last = errors[-1] if errors else ""
    if case.expected == SAME:
        held = done.returncode == 0 and out == right
        return held, "the same bits" if held else f"exit code {done.returncode}: {out[-80:]} {last[:200]}"
    held = done.returncode == 1 and "ei_brian.errors." in last and case.expected in " ".join(errors)
    return held, f"refused: … {case.expected} …" if held else f"exit code {done.returncode}: {out[-80:]} {last[:200]}"


def right_digest(scratch: Path, cache: Path) -> str:
    """Return the digest of the call in the reference."""
    case = Surrounding("reference", backends=("reference",))
    (scratch / "script.py").write_text(f"BACKENDS = ('reference',)\n{CALL}\nprint(call())\n", encoding="utf-8")
    done = _run(case, str(scratch), scratch / "script.py", cache, {})
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def _run(case: Surrounding, root: str, script: Path, cache: Path, more: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": paths, "EI_BRIAN_CACHE": str(cache), "MPLBACKEND": "Agg", **more}
    for name, value in case.env.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value.replace("{root}", root)
    shell, user = case.shell.replace("{root}", root), ""
    if shell == "as nobody":
        shell, user = "", AS_NOBODY
        _give_to_nobody(Path(root))
    command = " ".join(["exec", user, _quoted(sys.executable), *case.options, _quoted(str(script))])
    return subprocess.run(
        ["sh", "-c", f"{shell}\n{command}"], cwd=root, env=environment, capture_output=True, stdin=subprocess.DEVNULL,
        timeout=900, check=False,
    )  # fmt: skip


def _give_to_nobody(root: Path) -> None:
    (root / "roots").mkdir(exist_ok=True)
    (root / "roots").chmod(0o755)
    (root / "nobody").mkdir(exist_ok=True)
    os.chown(root / "nobody", NOBODY, NOBODY)
    root.chmod(0o755)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _row(case: Surrounding, right: str, folder: Path, index: int) -> tuple[str, str, str]:
    """Return one line of the table."""
    scratch = folder / str(index)
    scratch.mkdir()
    if case.shell == "as nobody" and os.geteuid() != 0:
        return case.name, "not tried", "needs root"
    if case.needs and case.needs not in os.environ:
        return case.name, "not tried", f"needs {case.needs}: a Python of another version, with brian2"
    fine, what = try_surrounding(case, right, scratch, folder / "cache")
    row = (case.name, "held" if fine else "**not**", what.replace("|", "/"))
    print(*row, sep=" | ", file=sys.stderr, flush=True)
    return row


def main() -> None:
    """Try all, or those whose names hold one of the words on the command line, and write the table."""
    words = sys.argv[1:]
    cases = [case for case in SURROUNDINGS if not words or any(word in case.name for word in words)]
    with tempfile.TemporaryDirectory(prefix="surroundings_") as name, ThreadPoolExecutor(TOGETHER) as pool:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "first").mkdir()
        right = right_digest(folder / "first", folder / "cache")
        rows = list(pool.map(lambda each: _row(each[1], right, folder, each[0]), enumerate(cases)))
    held = sum(row[1] == "held" for row in rows)
    body = f"{held} of {len(cases)} held.\n\n{table(('surrounding', 'verdict', 'what happened'), rows)}"
    write_result("surroundings", "The same call in other surroundings", body, quick=bool(words))
    sys.exit(0 if held == len(cases) else 1)


if __name__ == "__main__":
    main()
