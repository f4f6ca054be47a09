"""From the sources of a Brian2 project to a program, in few translation units: the headers cost more than the code."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ei_brian.toolchain.compiler import compiler_command

__all__ = ["beside_others", "compile_program", "joined"]

COLD = ("main.cpp", "objects.cpp", "run.cpp", "network.cpp", "synapses_classes.cpp")
MOST_SOURCES = 24  # in one unit
STEPS = "_stateupdater_codeobject"
STEP = re.compile(r"^( *)(for\(int _idx=0; _idx<_N; _idx\+\+\))", flags=re.M)  # Brian2's loop over the neurons of a group


def compile_program(folder: Path, sources: Sequence[str], flags: Sequence[str]) -> None:
    """Compile the sources of a project and link ``main``; what runs once or only calls others is not optimised.

    Parameters
    ----------
    folder : Path
        Of the project.
    sources : sequence of str
        Names within the folder.
    flags : sequence of str
        Of the compiler.

    Raises
    ------
    SystemExit
        With the compiler's words, if it fails.
    """
    compiler = compiler_command()
    hot = [name for name in sources if name not in COLD]
    texts = {"unit_cold": "".join(f'#include "{name}"\n' for name in COLD if name in sources)}
    for first in range(0, len(hot), MOST_SOURCES):
        texts[f"unit_{first}"] = joined([folder / name for name in hot[first : first + MOST_SOURCES]])
    commands = []
    for unit, text in texts.items():
        (folder / f"{unit}.cc").write_text(text, encoding="utf-8")
        ours = ["-O0" if flag == "-O3" else flag for flag in flags] if unit == "unit_cold" else flags
        # sources of brianlib name their headers as from beside them
        commands.append([*compiler, *ours, "-I.", "-Ibrianlib", "-c", f"{unit}.cc", "-o", f"{unit}.o"])
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        list(pool.map(lambda command: _call(folder, command), commands))
    _call(folder, [*compiler, *(f"{unit}.o" for unit in texts), "-o", "main"])
    for unit in texts:
        (folder / f"{unit}.o").unlink()


def joined(sources: Sequence[Path]) -> str:
    """Return one text of several sources: nameless namespaces get names, and the headers of the system stand before all.

    Brian2 writes what a function includes into a namespace, where a header that was not read before would end up. The step of a
    group takes each neuron by itself; the compiler is told so, since it cannot see it of that many arrays.
    """
    parts = {path.stem: beside_others(path) for path in sources}
    text = "".join(STEP.sub(r"\1#pragma GCC ivdep\n\1\2", part) if name.endswith(STEPS) else part for name, part in parts.items())
    headers = dict.fromkeys(re.findall(r"^[ \t]*#[ \t]*include[ \t]*(<[\w./]+>)", text, flags=re.M))
    return "".join(f"#include {header}\n" for header in headers) + text


def beside_others(path: Path) -> str:
    """Return the text of a source with its nameless namespace named, so that several fit into one unit."""
    support = f"{path.stem}_support"
    text = re.sub(r"^namespace \{", f"namespace {support} {{", path.read_text(encoding="utf-8"), flags=re.M)
    text = text.replace("using namespace brian;", f"using namespace brian; using namespace {support};")
    return f"namespace {support} {{}}\n{text}\n"


def _call(folder: Path, command: Sequence[str]) -> None:
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\nfailed ({done.returncode}):\n{done.stderr[-4000:]}")
    if not (folder / command[-1]).is_file():  # the last word is what -o names
        raise SystemExit(f"{command[0]} ended well, but wrote no {command[-1]}: it is no C++ compiler. Set $CXX to one.")
